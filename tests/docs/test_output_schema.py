"""What each command prints with `-o json` is what docs/reference/output.schema.json says, however it ends.

The schema is compared with the code in tests/unit/results; scenarios check each document of theirs, too.
"""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import pytest

from irsa_cli.cli.main import COMMANDS, run
from irsa_cli.core.inventory.bindings import BindingStatus
from irsa_cli.sandbox import Fault, Sandbox
from tests.docs import staging
from tests.docs.console import ROOT
from tests.support.ran import Ran, promised
from tests.support.rows import WORDS, at
from tests.support.service_accounts import put_service_accounts

CREATE = "create-sa app -n backend -c demo"
SHARED = "--attach-role-arn arn:aws:iam::111122223333:role/shared"
CONFIG = """
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: demo, region: eu-west-1}
iam:
  withOIDC: true
  serviceAccounts:
  - metadata: {name: good}
    wellKnownPolicies: {externalDNS: true}
  - metadata: {name: bad}
    attachPolicyARNs: ["arn:aws:iam::111122223333:policy/none"]
nodeGroups: []
"""
RunIrsa = Callable[..., Ran]


@pytest.fixture
def irsa(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunIrsa:
    """Runs irsa in this process; what it prints fits the schema."""
    for name, value in {**sandbox.env(), "IRSA_STATE_DIR": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.yaml").write_text(CONFIG)

    def run_irsa(text: str, form: str = "json", **words: str) -> Ran:
        monkeypatch.delenv("IRSA_CREDENTIALS_ACTIVE", raising=False)
        monkeypatch.setattr("sys.stdin", io.StringIO())
        capsys.readouterr()
        line = [*shlex.split(Template(text).safe_substitute(WORDS, **words)), "-o", form]
        if line[0] not in ("policies", "version", "config", "preflight"):
            line.append("-q")
        code = run(line)
        ran = promised(Ran(code, *capsys.readouterr()), line)
        if form == "json":
            command = ran.metadata["command"]
            assert command == " ".join(line[: len(command.split())])
        return ran

    return run_irsa


@pytest.mark.parametrize(
    ("line", "outcome", "code"),
    [
        ("associate-oidc -c demo", "unchanged", 0),
        (f"{CREATE} --attach-policy-arn $S3 --verify", "committed", 0),
        (f"{CREATE} --no-policy --role-only", "committed", 0),
        (f"{CREATE} --no-policy --dry-run", "planned", 0),
        (f"{CREATE} --no-policy --dry-run --detailed-exitcode", "planned", 6),
        (f"{CREATE} {SHARED}", "refused", 4),
        (f"{CREATE} {SHARED} --update-trust", "committed", 0),
        (f"{CREATE} --attach-policy-arn ${{S3}}x", "failed", 1),
        ("associate-oidc -c missing", "refused", 4),
        ("update-sa none -c demo --label a=b", "refused", 4),
        ("delete-sa none -c demo --yes", "refused", 4),
        ("adopt none -c demo", "refused", 4),
        ("adopt --all -c demo", "unchanged", 0),
        ("migrate none --to irsa -c demo", "refused", 4),
        ("repoint --from demo --to demo", "refused", 4),
        ("disassociate-oidc -c demo --yes", "refused", 4),
        ("recover 20260101T000000000Z-0a1b2c3d", "failed", 2),
        ("recover --all", "unchanged", 0),
        ("apply -f demo.yaml -c other", "failed", 2),
    ],
)
def test_results(line: str, outcome: str, code: int, sandbox: Sandbox, irsa: RunIrsa) -> None:
    staging.shared_role(sandbox)
    ran = irsa(line)
    assert (ran.json["kind"], ran.metadata["outcome"], ran.code) == ("ResultList", outcome, code)
    assert bool(ran.errors) is (code not in (0, 6))


def test_what_failed_and_what_is_left_is_listed_and_recovered(sandbox: Sandbox, irsa: RunIrsa) -> None:
    staging.associate(sandbox)
    for failing, outcome, code in (("", "rolled-back", 1), ("DeleteRole", "incomplete", 3)):
        for operation in filter(None, ("AttachRolePolicy", failing)):
            sandbox.faults.add(Fault("iam", operation, "error"))
        ran = irsa(f"{CREATE} --attach-policy-arn $S3")
        assert (ran.metadata["outcome"], ran.item["outcome"], ran.code) == (outcome, outcome, code)
        assert (ran.error["item"], bool(ran.item["left"])) == (0, bool(failing))
    listed = irsa("recover")
    assert (listed.json["kind"], listed.item["outcome"]) == ("TransactionList", "incomplete")
    assert listed.item["serviceAccount"] == {"namespace": "backend", "name": "app"}
    left = irsa("recover -c demo")
    assert (left.json["kind"], left.item["transaction"]) == ("LeftoverList", ran.item["transaction"])
    assert irsa(f"recover {ran.item['transaction']}").item["outcome"] == "rolled-back"
    assert [item["outcome"] for item in irsa("history").items] == ["rolled-back", "rolled-back"]


def test_many(irsa: RunIrsa) -> None:
    planned = irsa("diff -f demo.yaml --include */good --out plan.json")
    assert (planned.metadata["summary"], planned.code) == ({"planned": 2}, 6)
    assert {item["scope"] for item in planned.items} == {"shared-parts", "binding"}
    shown = irsa("show plan.json")
    assert (shown.metadata["outcome"], len(shown.items)) == ("planned", 2)
    done = irsa("apply -f demo.yaml")
    assert (done.metadata["summary"], done.code) == ({"committed": 2, "failed": 1}, 1)
    assert done.error_of(done.of("default", "bad"))["code"]
    for flags in ("--prune --yes", "--atomic"):
        again = irsa(f"apply -f demo.yaml --include */good {flags}")
        assert (again.metadata["summary"], again.code) == ({"unchanged": 1}, 0)
    deleted = irsa("delete -f demo.yaml --yes --include */good", form="yaml")
    assert (deleted.yaml["metadata"]["summary"], deleted.code) == ({"committed": 1}, 0)
    assert deleted.yaml["metadata"]["notes"]


def test_merged_shards(irsa: RunIrsa) -> None:
    shard = irsa("apply -f demo.yaml --shard 0/2 --json-file shard-0.json")
    assert shard.metadata["shard"]
    merged = irsa("report merge shard-0.json")
    assert (merged.json["kind"], merged.metadata["missingShards"]) == ("ResultList", ["1/2"])
    assert merged.code == 1


@pytest.fixture
def bound(sandbox: Sandbox, irsa: RunIrsa) -> RunIrsa:
    """With a binding that works, a role without a ServiceAccount, and an annotation that is no ARN."""
    staging.associate(sandbox)
    for name in ("app", "only --role-only"):
        made = f"create-sa {name} -c demo --attach-policy-arn $S3 --permissions-boundary $S3"
        assert irsa(made).code == 0
    put_service_accounts(sandbox, "demo", "other", {"junk": {"eks.amazonaws.com/role-arn": "x"}})
    return irsa


NONE: dict[str, Any] = {"items": []}
REFUSED: dict[str, Any] = {"items": [], "errors.0.code": "Refused"}


@pytest.mark.parametrize(
    ("line", "kind", "code", "values"),
    [
        ("describe-sa app --policies", "BindingList", 0, {"items.0.status": "ok"}),
        ("describe-sa junk -n other", "BindingList", 0, {"items.0.status": "bad-arn"}),
        ("get-sa none", "BindingList", 4, REFUSED),
        ("get-sa none --ignore-not-found", "BindingList", 0, NONE),
        ("get-sa none -c nowhere", "BindingList", 4, NONE),
        ("describe-sa none", "BindingList", 4, REFUSED),
        ("describe-sa none --ignore-not-found", "BindingList", 0, NONE),
        ("describe-sa none -c nowhere", "BindingList", 4, NONE),
        (
            "verify app --action s3:ListAllMyBuckets,s3:DeleteBucket --call 's3 list-buckets'",
            "VerificationList", 5, {"items.0.outcome": "failed", "metadata.outcome": "failed"},
        ),
        ("verify app --audience other", "VerificationList", 5, {"items.0.outcome": "failed"}),
        (
            "verify --all -n default", "VerificationList", 0,
            {"items.0.outcome": "verified", "metadata.outcome": "verified"},
        ),
        ("verify none", "VerificationList", 4, REFUSED),
        ("verify -A -c nowhere", "VerificationList", 4, NONE),
        ("doctor junk -n other", "DiagnosisList", 5, {"items.0.verdict": "problem"}),
        ("doctor -c nowhere", "DiagnosisList", 4, {"items": [], "metadata.outcome": "unknown"}),
        ("doctor --explain trust-subject", "CauseList", 0, {"items.0.id": "trust-subject"}),
        ("doctor --explain all", "CauseList", 0, {}),
        ("audit --explain no-subject", "RuleList", 0, {"items.0.id": "no-subject"}),
        ("audit --explain all", "RuleList", 0, {}),
        ("who-can s3:GetObject", "RolePathList", 0, {"metadata.action": "s3:GetObject"}),
        ("who-can s3:GetObject --from none", "ResultList", 2, NONE),
        ("token app", "TokenList", 0, {"items.0.claims": None}),
        ("token app --decode", "TokenList", 0, {"items.0.token": None}),
        ("token none", "TokenList", 4, NONE),
        ("credentials app", "CredentialsList", 0, {}),
        ("credentials none", "CredentialsList", 4, NONE),
        ("unlock", "LockList", 0, {}),
        ("unlock nobody", "LockList", 4, {"metadata.outcome": "refused"}),
        ("unlock -c nowhere", "LockList", 4, {}),
        ("retire --list", "DeadClusterList", 0, {}),
        ("retire nowhere", "ResultList", 4, {"metadata.outcome": "refused"}),
        ("policies list", "WellKnownPolicyList", 0, {}),
        ("policies show externalDNS", "WellKnownPolicyList", 0, {"items.0.name": "externalDNS"}),
        ("version", "VersionList", 0, {}),
        ("preflight", "PreflightList", 5, {"items.0.verdict": "wrong"}),
    ],
)  # fmt: skip
def test_what_is_read(line: str, kind: str, code: int, values: dict[str, Any], bound: RunIrsa) -> None:
    named = {"retire", "policies", "version", "preflight"} & {line.split()[0]}
    ran = bound(line if named or " -c " in line or "--explain" in line else f"{line} -c demo")
    assert (ran.json["kind"], ran.code) == (kind, code)
    assert {path: at(ran.json, path) for path in values} == values


def test_what_is_read_of_many(bound: RunIrsa) -> None:
    listed = bound("get-sa -c demo")
    statuses = [(item["serviceAccount"]["name"], item["status"]) for item in listed.items]
    assert statuses == [("app", "ok"), ("only", "role-only"), ("junk", "bad-arn")]
    assert set(listed.metadata["summary"]) == {status.value for status in BindingStatus}
    every = bound("doctor -c demo")
    assert [item["serviceAccount"] is None for item in every.items] == [True, False, False]
    assert every.metadata["outcome"] == "problem"
    assert {item["name"] for item in bound("config").items} >= {"cluster", "region", "lock"}
    assert bound("credentials app -c demo", form="yaml").code == 0


def test_audits(bound: RunIrsa) -> None:
    audited = bound("audit --reach -c demo")
    assert (audited.json["kind"], audited.metadata["outcome"], audited.code) == ("RiskList", "ok", 0)
    assert sum(audited.metadata["summary"].values()) == len(audited.items)
    assert [cluster["name"] for cluster in audited.metadata["clusters"]] == ["demo"]
    role = audited.metadata["paths"][0]["role"]["arn"]
    assert bound(f"audit --role {role}", form="yaml").yaml["metadata"]["paths"]
    none = bound(f"audit --role {role}x")
    assert (none.json["kind"], none.items, none.metadata["outcome"], none.code) == (
        "RiskList",
        [],
        "refused",
        4,
    )
    linted = bound(f"lint {ROOT}/tests/unit/lint/linted")
    assert (linted.json["kind"], linted.metadata["outcome"], linted.code) == ("RiskList", "ok", 5)
    assert "parameters.yaml" in {Path(file["name"]).name for file in linted.metadata["files"]}
    assert all(item["place"] for item in linted.items)
    can = bound("who-can s3:GetObject")
    assert {"namespace": "default", "name": "app"} in can.items[0]["serviceAccounts"]


def test_no_command_that_prints_documents_is_left_out() -> None:
    tried = Path(__file__).read_text(encoding="utf-8").replace("{CREATE}", "create-sa")
    others = {"exec", "sandbox", "completion", "docs", "help", "init"}
    assert {name for name in COMMANDS if f'"{name} ' not in tried and f'"{name}"' not in tried} <= others
