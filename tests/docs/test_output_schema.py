"""What each command prints with `-o json` is what docs/reference/output.schema.json says, however it ends.

The schema is compared with the code in tests/unit/results; scenarios check each document of theirs, too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.cli.main import COMMANDS, run
from irsa_cli.core.inventory.bindings import BindingStatus
from irsa_cli.core.values.errors import ExitCode
from irsa_cli.sandbox import Fault, Sandbox
from tests.docs import staging
from tests.docs.console import ROOT
from tests.support.ran import Ran, promised
from tests.support.service_accounts import put_service_accounts

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
CREATE = ("create-sa", "app", "-n", "backend", "-c", "demo")
SHARED = ("--attach-role-arn", "arn:aws:iam::111122223333:role/shared")
CONFIG = {
    "apiVersion": "eksctl.io/v1alpha5",
    "kind": "ClusterConfig",
    "metadata": {"name": "demo", "region": "eu-west-1"},
    "iam": {
        "withOIDC": True,
        "serviceAccounts": [
            {"metadata": {"name": "good"}, "wellKnownPolicies": {"externalDNS": True}},
            {"metadata": {"name": "bad"}, "attachPolicyARNs": ["arn:aws:iam::111122223333:policy/none"]},
        ],
    },
    "nodeGroups": [],
}
RunIrsa = Callable[..., Ran]


@pytest.fixture
def irsa(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunIrsa:
    """Runs irsa in this process; what it prints fits the schema."""
    for name, value in {**sandbox.env(), "IRSA_STATE_DIR": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.json").write_text(json.dumps(CONFIG))

    def run_irsa(*arguments: str, form: str = "json") -> Ran:
        monkeypatch.delenv("IRSA_CREDENTIALS_ACTIVE", raising=False)
        monkeypatch.setattr("sys.stdin", io.StringIO())
        capsys.readouterr()
        line = [
            *arguments,
            "-o",
            form,
            *(() if arguments[0] in ("policies", "version", "config", "preflight") else ("-q",)),
        ]
        code = run(line)
        out, err = capsys.readouterr()
        ran = promised(Ran(code, out, err), line)
        if form == "json":
            words = len(ran.metadata["command"].split())
            assert ran.metadata["command"] == " ".join(arguments[:words])
        return ran

    return run_irsa


@pytest.mark.parametrize(
    ("arguments", "outcome", "code"),
    [
        (("associate-oidc", "-c", "demo"), "unchanged", 0),
        ((*CREATE, "--attach-policy-arn", READ_ONLY, "--verify"), "committed", 0),
        ((*CREATE, "--no-policy", "--role-only"), "committed", 0),
        ((*CREATE, "--no-policy", "--dry-run"), "planned", 0),
        ((*CREATE, "--no-policy", "--dry-run", "--detailed-exitcode"), "planned", 6),
        ((*CREATE, *SHARED), "refused", 4),
        ((*CREATE, *SHARED, "--update-trust"), "committed", 0),
        ((*CREATE, "--attach-policy-arn", f"{READ_ONLY}x"), "failed", 1),
        (("associate-oidc", "-c", "missing"), "refused", 4),
        (("update-sa", "none", "-c", "demo", "--label", "a=b"), "refused", 4),
        (("delete-sa", "none", "-c", "demo", "--yes"), "refused", 4),
        (("adopt", "none", "-c", "demo"), "refused", 4),
        (("adopt", "--all", "-c", "demo"), "unchanged", 0),
        (("migrate", "none", "--to", "irsa", "-c", "demo"), "refused", 4),
        (("repoint", "--from", "demo", "--to", "demo"), "refused", 4),
        (("disassociate-oidc", "-c", "demo", "--yes"), "refused", 4),
        (("recover", "20260101T000000000Z-0a1b2c3d"), "failed", 2),
        (("recover", "--all"), "unchanged", 0),
        (("apply", "-f", "demo.json", "-c", "other"), "failed", 2),
    ],
)
def test_results(
    arguments: tuple[str, ...], outcome: str, code: int, sandbox: Sandbox, irsa: RunIrsa
) -> None:
    staging.shared_role(sandbox)
    ran = irsa(*arguments)
    assert (ran.json["kind"], ran.metadata["outcome"], ran.code) == ("ResultList", outcome, code)
    assert bool(ran.errors) is (code not in (0, 6))


@pytest.mark.parametrize(
    ("broken", "outcome", "code"),
    [
        (("AttachRolePolicy",), "rolled-back", 1),
        (("AttachRolePolicy", "DeleteRole"), "incomplete", 3),
    ],
)
def test_results_of_failures(
    broken: tuple[str, ...], outcome: str, code: int, sandbox: Sandbox, irsa: RunIrsa
) -> None:
    staging.associate(sandbox)
    for operation in broken:
        sandbox.faults.add(Fault("iam", operation, "error", times=None))
    ran = irsa(*CREATE, "--attach-policy-arn", READ_ONLY)
    assert (ran.metadata["outcome"], ran.item["outcome"], ran.code) == (outcome, outcome, code)
    assert ran.error["item"] == 0
    assert bool(ran.item["left"]) is (code == ExitCode.INCOMPLETE)


def test_what_is_left_is_listed_and_recovered(sandbox: Sandbox, irsa: RunIrsa) -> None:
    staging.associate(sandbox)
    for operation in ("AttachRolePolicy", "DeleteRole"):
        sandbox.faults.add(Fault("iam", operation, "error"))
    ran = irsa(*CREATE, "--attach-policy-arn", READ_ONLY)
    transaction = ran.item["transaction"]
    listed = irsa("recover")
    assert (listed.json["kind"], listed.item["outcome"]) == ("TransactionList", "incomplete")
    assert listed.item["serviceAccount"] == {"namespace": "backend", "name": "app"}
    left = irsa("recover", "-c", "demo")
    assert (left.json["kind"], left.item["transaction"]) == ("LeftoverList", transaction)
    assert irsa("unlock", "-c", "demo").json["kind"] == "LockList"
    assert irsa("recover", transaction).item["outcome"] == "rolled-back"
    assert [item["outcome"] for item in irsa("history").items] == ["rolled-back"]


def test_many(irsa: RunIrsa) -> None:
    planned = irsa("diff", "-f", "demo.json", "--include", "*/good")
    assert (planned.metadata["summary"], planned.code) == ({"planned": 2}, 6)
    assert {item["scope"] for item in planned.items} == {"shared-parts", "binding"}
    done = irsa("apply", "-f", "demo.json")
    assert (done.metadata["summary"], done.code) == ({"committed": 2, "failed": 1}, 1)
    assert done.error_of(done.of("default", "bad"))["code"]
    for flags in (("--prune", "--yes"), ("--atomic",)):
        again = irsa("apply", "-f", "demo.json", "--include", "*/good", *flags)
        assert (again.metadata["summary"], again.code) == ({"unchanged": 1}, 0)
    deleted = irsa("delete", "-f", "demo.json", "--yes", "--include", "*/good", form="yaml")
    assert (deleted.yaml["metadata"]["summary"], deleted.code) == ({"committed": 1}, 0)
    assert deleted.yaml["metadata"]["notes"]


@pytest.fixture
def bound(sandbox: Sandbox, irsa: RunIrsa) -> RunIrsa:
    """With a binding that works, a role without a ServiceAccount, and an annotation that is no ARN."""
    staging.associate(sandbox)
    policies = ("--attach-policy-arn", READ_ONLY, "--permissions-boundary", READ_ONLY)
    assert irsa("create-sa", "app", "-c", "demo", *policies).code == 0
    assert irsa("create-sa", "only", "-c", "demo", "--role-only", *policies).code == 0
    put_service_accounts(sandbox, "demo", "other", {"junk": {"eks.amazonaws.com/role-arn": "x"}})
    return irsa


def test_bindings(bound: RunIrsa) -> None:
    listed = bound("get-sa", "-c", "demo")
    found = [(item["serviceAccount"]["name"], item["status"]) for item in listed.items]
    assert found == [("app", "ok"), ("only", "role-only"), ("junk", "bad-arn")]
    assert set(listed.metadata["summary"]) == {status.value for status in BindingStatus}
    assert bound("describe-sa", "app", "-c", "demo", "--policies").item["status"] == "ok"
    assert bound("describe-sa", "junk", "-n", "other", "-c", "demo").item["status"] == "bad-arn"
    for command in ("get-sa", "describe-sa"):
        none = bound(command, "none", "-c", "demo")
        assert (none.json["kind"], none.items, none.error["code"]) == ("BindingList", [], "Refused")
        assert bound(command, "none", "-c", "demo", "--ignore-not-found").items == []
        assert bound(command, "none", "-c", "nowhere").code == 4


def test_verifications(bound: RunIrsa) -> None:
    asked = ("--action", "s3:ListAllMyBuckets,s3:DeleteBucket", "--call", "s3 list-buckets")
    for arguments, outcome, code in [
        (("app", *asked), "failed", 5),
        (("app", "--audience", "other"), "failed", 5),
        (("--all", "-n", "default"), "verified", 0),
    ]:
        ran = bound("verify", "-c", "demo", *arguments)
        assert (ran.json["kind"], ran.item["outcome"], ran.code) == ("VerificationList", outcome, code)
        assert ran.metadata["outcome"] == outcome
    none = bound("verify", "-c", "demo", "none")
    assert (none.items, none.error["code"], none.code) == ([], "Refused", 4)
    assert bound("verify", "-c", "nowhere", "-A").items == []


def test_diagnoses(bound: RunIrsa) -> None:
    named = bound("doctor", "junk", "-n", "other", "-c", "demo")
    assert (named.json["kind"], named.item["verdict"], named.code) == ("DiagnosisList", "problem", 5)
    every = bound("doctor", "-c", "demo")
    assert [item["serviceAccount"] is None for item in every.items] == [True, False, False]
    assert every.metadata["outcome"] == "problem"
    none = bound("doctor", "-c", "nowhere")
    assert (none.items, none.metadata["outcome"], none.code) == ([], "unknown", 4)
    assert len(bound("doctor", "--explain", "trust-subject").items) == 1
    assert bound("doctor", "--explain", "all").json["kind"] == "CauseList"


def test_audits(bound: RunIrsa) -> None:
    audited = bound("audit", "--reach", "-c", "demo")
    assert (audited.json["kind"], audited.metadata["outcome"], audited.code) == ("RiskList", "ok", 0)
    assert sum(audited.metadata["summary"].values()) == len(audited.items)
    (cluster,) = audited.metadata["clusters"]
    assert cluster["name"] == "demo"
    role = audited.metadata["paths"][0]["role"]["arn"]
    assert bound("audit", "--role", role, form="yaml").yaml["metadata"]["paths"]
    none = bound("audit", "--role", f"{role}x")
    assert (none.json["kind"], none.items, none.metadata["outcome"], none.code) == (
        "RiskList",
        [],
        "refused",
        4,
    )
    assert len(bound("audit", "--explain", "no-subject").items) == 1
    assert bound("audit", "--explain", "all").json["kind"] == "RuleList"
    linted = bound("lint", str(ROOT / "tests/unit/lint/linted"))
    assert (linted.json["kind"], linted.metadata["outcome"], linted.code) == ("RiskList", "ok", 5)
    assert {file["name"].rpartition("/")[2] for file in linted.metadata["files"]} >= {"parameters.yaml"}
    assert all(item["place"] for item in linted.items)
    can = bound("who-can", "s3:GetObject")
    assert (can.json["kind"], can.metadata["action"], can.code) == ("RolePathList", "s3:GetObject", 0)
    assert {"namespace": "default", "name": "app"} in can.items[0]["serviceAccounts"]
    refused = bound("who-can", "s3:GetObject", "--from", "none")
    assert (refused.items, refused.code) == ([], 2)


def test_merged_shards(irsa: RunIrsa) -> None:
    shard = irsa("apply", "-f", "demo.json", "--shard", "0/2", "--json-file", "shard-0.json")
    assert shard.metadata["shard"]
    merged = irsa("report", "merge", "shard-0.json")
    assert (merged.json["kind"], merged.metadata["missingShards"]) == ("ResultList", ["1/2"])
    assert merged.code == 1


def test_the_rest(bound: RunIrsa) -> None:
    assert bound("token", "app", "-c", "demo").item["claims"] is None
    assert bound("token", "app", "-c", "demo", "--decode").item["token"] is None
    assert bound("credentials", "app", "-c", "demo").json["kind"] == "CredentialsList"
    assert bound("credentials", "app", "-c", "demo", form="yaml").code == 0
    for command, kind in (("token", "TokenList"), ("credentials", "CredentialsList")):
        none = bound(command, "none", "-c", "demo")
        assert (none.json["kind"], none.items, none.code) == (kind, [], 4)
    assert bound("unlock", "nobody", "-c", "demo").metadata["outcome"] == "refused"
    assert bound("unlock", "-c", "nowhere").json["kind"] == "LockList"
    assert bound("retire", "--list").json["kind"] == "DeadClusterList"
    assert bound("retire", "nowhere").metadata["outcome"] == "refused"
    assert bound("policies", "list").json["kind"] == "WellKnownPolicyList"
    assert bound("policies", "show", "externalDNS").item["document"]
    assert bound("version").item["version"]
    assert bound("preflight").item["verdict"] == "wrong"
    assert {item["name"] for item in bound("config").items} >= {"cluster", "region", "lock"}


def test_no_command_that_prints_documents_is_left_out() -> None:
    tried = Path(__file__).read_text(encoding="utf-8")
    printing = {
        name for name in COMMANDS if name not in ("exec", "sandbox", "completion", "docs", "help", "init")
    }
    assert {name for name in printing if f'"{name}"' not in tried} == set()
