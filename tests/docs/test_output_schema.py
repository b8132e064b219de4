"""What each command prints with `-o json` is what docs/reference/output.schema.json says, however it ends.

The schema is compared with the code in tests/unit/results; scenarios check each document of theirs, too.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import pytest

from irsa_cli.aws import recent_writes
from irsa_cli.cli.main import COMMANDS, run
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
        recent_writes._young.clear()  # A run of its own has seen nothing yet.
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


RESULTS = (
    ("associate-oidc -c demo", "unchanged", 0),
    (f"{CREATE} --no-policy --dry-run", "planned", 0),
    (f"{CREATE} --no-policy --dry-run --detailed-exitcode", "planned", 6),
    (f"{CREATE} --attach-policy-arn ${{S3}}x", "failed", 1),
    ("associate-oidc -c missing", "refused", 4),
    ("update-sa none -c demo --label a=b", "refused", 4),
    ("delete-sa none -c demo --yes", "refused", 4),
    ("adopt none -c demo", "refused", 4),
    ("release none -c demo", "refused", 4),
    ("adopt --all -c demo", "unchanged", 0),
    ("migrate none --to irsa -c demo", "refused", 4),
    ("repoint --from demo --to demo", "refused", 4),
    ("disassociate-oidc -c demo --yes", "refused", 4),
    ("recover 20260101T000000000Z-0a1b2c3d", "failed", 2),
    ("recover --all", "unchanged", 0),
    ("apply -f demo.yaml -c other", "failed", 2),
    (f"{CREATE} {SHARED}", "refused", 4),
    (f"{CREATE} {SHARED} --update-trust", "committed", 0),
    (f"{CREATE.replace('app', 'new')} --attach-policy-arn $S3 --verify", "committed", 0),
    (f"{CREATE.replace('app', 'only')} --no-policy --role-only", "committed", 0),
)


def test_results(sandbox: Sandbox, irsa: RunIrsa) -> None:
    staging.shared_role(sandbox)
    for line, outcome, code in RESULTS:
        ran = irsa(line)
        assert (line, ran.json["kind"], ran.metadata["outcome"]) == (line, "ResultList", outcome)
        assert (line, ran.code, bool(ran.errors)) == (line, code, code not in (0, 6))


FAILING = {"rolled-back": ("AttachRolePolicy",), "incomplete": ("AttachRolePolicy", "DeleteRole")}


@pytest.mark.parametrize(("outcome", "code"), [("rolled-back", 1), ("incomplete", 3)])
def test_results_of_failures(outcome: str, code: int, sandbox: Sandbox, irsa: RunIrsa) -> None:
    staging.associate(sandbox)
    for operation in FAILING[outcome]:
        sandbox.faults.add(Fault("iam", operation, "error", times=None))
    ran = irsa(f"{CREATE} --attach-policy-arn $S3")
    assert (ran.metadata["outcome"], ran.item["outcome"], ran.code) == (outcome, outcome, code)
    assert (ran.error["item"], bool(ran.item["left"])) == (0, code == 3)
    for line, kind in (("recover", "TransactionList"), ("recover -c demo", "LeftoverList")):
        assert [irsa(line).json["kind"], len(irsa(line).items)] == [kind, int(code == 3)]


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
ALONE = {
    *("retire", "policies", "version", "preflight", "config", "diff", "apply", "delete", "lint", "history"),
    *("show", "report"),
}
"""Commands that are about no cluster, or find it in their files."""
REFUSED: dict[str, Any] = {"items": [], "errors.0.code": "Refused"}


# What changes something is last.
READ: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
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
    ("recover --unlock", "LockList", 0, {}),
    ("recover --unlock nobody", "LockList", 4, {"metadata.outcome": "refused"}),
    ("recover --unlock -c nowhere", "LockList", 4, {}),
    ("retire --list", "DeadClusterList", 0, {}),
    ("retire nowhere", "ResultList", 4, {"metadata.outcome": "refused"}),
    ("policies list", "WellKnownPolicyList", 0, {}),
    ("policies show externalDNS", "WellKnownPolicyList", 0, {"items.0.name": "externalDNS"}),
    (f"lint {ROOT}/tests/unit/lint/linted", "RiskList", 5, {"metadata.outcome": "ok"}),
    ("version", "VersionList", 0, {}),
    ("preflight", "PreflightList", 5, {"items.0.verdict": "wrong"}),
    ("config", "SettingList", 0, {"metadata.outcome": "ok"}),
    ("history", "TransactionList", 0, {"items.0.outcome": "committed"}),
    ("get-sa", "BindingList", 0, {"items.0.status": "ok", "items.2.status": "bad-arn"}),
    ("doctor", "DiagnosisList", 5, {"items.0.serviceAccount": None, "metadata.outcome": "problem"}),
    ("audit --reach", "RiskList", 0, {"metadata.outcome": "ok", "metadata.clusters.0.name": "demo"}),
    ("audit --role arn:aws:iam::111122223333:role/x", "RiskList", 4, {"metadata.outcome": "refused"}),
    (
        "diff -f demo.yaml --include */good --out plan.json\nshow plan.json", "ResultList", 0,
        {"items.0.outcome": "planned"},
    ),
    ("diff -f demo.yaml --include */good", "ResultList", 6, {"metadata.summary": {"planned": 1}}),
    (
        "apply -f demo.yaml --shard 0/1 --json-file shard.json", "ResultList", 1,
        {"metadata.summary": {"committed": 1, "failed": 1}, "metadata.shard.total": 1},
    ),
    (
        "apply -f demo.yaml --shard 0/2 --json-file shard.json\nreport merge shard.json", "ResultList", 1,
        {"metadata.missingShards": ["1/2"]},
    ),
    (
        "apply -f demo.yaml\ndelete -f demo.yaml --yes --include */good", "ResultList", 0,
        {"metadata.summary": {"committed": 1}},
    ),
)  # fmt: skip


def test_what_is_read(bound: RunIrsa) -> None:
    for lines, kind, code, values in READ:
        for line in lines.splitlines():
            alone = line.split()[0] in ALONE or " -c " in line or "--explain" in line
            ran = bound(line if alone else f"{line} -c demo")
        found = {path: at(ran.json, path) for path in values}
        assert (lines, ran.json["kind"], ran.code, found) == (lines, kind, code, values)


def test_no_command_that_prints_documents_is_left_out() -> None:
    tried = Path(__file__).read_text("utf-8").replace("{CREATE}", "create-sa")
    others = {"exec", "sandbox", "completion", "docs", "help", "init", "export"}
    assert {name for name in COMMANDS if not re.search(rf'["\\n]n?{name}[ "]', tried)} <= others
