"""`irsa audit` and `irsa who-can` on the sandbox: a planted account, live and from files."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from irsa_cli.cli.main import run
from irsa_cli.cli.output.results.audit import who_can_lines
from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.report import WhoCanReport
from irsa_cli.core.trust.rules.rule import RULES
from irsa_cli.sandbox import Sandbox
from tests.scenarios.auditing import NEVER_USED, plant, write_files
from tests.support.acts import EKSCTL, fault, put, written
from tests.support.estates import ADMIN, arn_of, planted
from tests.support.ran import Ran, promised
from tests.support.rows import Row, Running, rows

LEVELS = ["critical", "high", "medium", "low", "note"]


@pytest.fixture(scope="module")
def account(running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The planted account; no test here writes."""
    running_sandbox.reset()
    plant(running_sandbox)
    yield running_sandbox
    running_sandbox.reset()


class Auditor(Running):
    """Runs irsa in this process, in an empty folder, of all clusters where none is named."""

    cluster = ""

    def __init__(self, sandbox: Sandbox, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox, self.folder, self._capsys = sandbox, folder, capsys
        self.words = {"role": arn_of("").removesuffix("/"), "region": "eu-west-1"}

    def irsa(self, *arguments: str, **_: Any) -> Ran:
        """Run it."""
        typed = arguments[:-2] if arguments[-1] == "" else arguments
        self._capsys.readouterr()
        code = run([*typed])
        said = self._capsys.readouterr()
        return promised(Ran(code, said.out, said.err), typed)

    def world(self) -> Any:
        """The planted account."""
        return self.sandbox.world()


@pytest.fixture
def auditor(
    account: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Auditor:
    monkeypatch.chdir(tmp_path)
    for name, value in account.env().items():
        monkeypatch.setenv(name, value)
    account.calls.clear()
    return Auditor(account, tmp_path, capsys)


def arn_in(item: Any) -> str:
    """The role that an item is about, '' for none."""
    return str((item["role"] or {"arn": ""})["arn"])


def risks(ran: Ran) -> list[tuple[str, str, str]]:
    """Role, rule and severity of each risk."""
    return sorted((arn_in(item), item["id"], item["severity"]) for item in ran.items)


BESIDE = [
    (arn_of("no-such-role"), "role-gone", "medium"),
    ("", "provider-without-cluster", "low"),
    ("", "everybody-may-become", "high"),
    ("", "powerful-service-account", "high"),
    ("", "annotation-no-role", "medium"),
]


def expected() -> list[tuple[str, str, str]]:
    used = [item for item in planted() if item.role.name != NEVER_USED]
    return sorted([*((item.role.arn, *broken) for item in used for broken in item.breaks), *BESIDE])


FULL = {
    "metadata.notes": [],
    "metadata.scope.complete": True,
}
POWERFUL = (
    "Group developers of cluster shop-prod",
    "as prod/by-association (create pods) and as ",
    f"AdministratorAccess ({arn_of('w3')})",
    "RoleBinding prod/everybody: ClusterRole runner rule 1",
)


def test_every_planted_risk_is_found_and_nothing_else(auditor: Auditor) -> None:
    ran = Row("all", "audit -o json", 5, POWERFUL, document=FULL).play(auditor)
    counts = Counter(call.operation for call in auditor.sandbox.calls)
    assert risks(ran) == expected()
    scope = ran.metadata["scope"]
    assert {"what": "role", "count": 136} in scope["examined"]
    assert {item["why"] for item in scope["notExamined"]} == {"by-design"}
    assert (counts["GetAccountAuthorizationDetails"], counts["ListAccessEntries"]) == (1, 4)
    assert counts["GetRole"] == counts["GetPolicy"] == counts["SimulatePrincipalPolicy"] == 0
    assert sum(counts.values()) < 60


def test_from_files_the_same_is_found_without_a_call(auditor: Auditor) -> None:
    write_files(auditor.sandbox, auditor.folder)
    live = auditor.run("audit -o json", code=5).json
    auditor.sandbox.calls.clear()
    from_files = auditor.run("audit --from . -o json", code=5).json
    assert auditor.sandbox.calls == []
    callers = [document["metadata"].pop("caller") for document in (live, from_files)]
    assert callers == ["arn:aws:iam::111122223333:user/admin", None]
    assert from_files == live


LINES = (
    "account 111122223333 · clusters demo, shop-dev, shop-prod and 1 more · user/admin · 2",
    "\ncritical no-subject: role/w3: statement 1 does not test",
    "\nTo explain a finding: irsa audit --explain no-subject (evidence and fixes: -v)",
    "in 136 roles, 4 clusters, 137 ServiceAccounts",
    "\nNot checked: service and resource control policies, ",
)


def test_one_line_each_the_most_severe_first(auditor: Auditor) -> None:
    lines = auditor.run("audit", code=5, says=LINES).out.splitlines()
    words = [line.split()[0] for line in lines[1:-3]]
    assert words == sorted(words, key=LEVELS.index)


def fix(auditor: Auditor, name: str, rule: str) -> Any:
    items = auditor.run(f"audit --role $role/{name} -o json --fail-on never").items
    return next(item["fix"] for item in items if item["id"] == rule)


def test_a_fix_is_a_command(auditor: Auditor) -> None:
    named = fix(auditor, "w26", "admitted-not-annotated")
    assert named["command"].startswith("irsa doctor silent -n prod -c shop-prod")
    assert auditor.irsa(*shlex.split(named["command"])[1:]).code in (0, 5)
    assert named["document"] is None
    assert fix(auditor, "w27", "annotated-refused")["command"] == "irsa doctor w27 -n prod -c shop-prod"
    # Nobody names w4: whom its pattern is meant for, nobody knows.
    assert fix(auditor, "w4", "every-subject") == {"command": None, "document": None}


PATH = {
    "metadata.paths.0.cluster.name": "shop-prod",
    "metadata.paths.0.by": "web-identity",
    "metadata.paths.0.statement": "statement 1",
}


def test_a_role_and_a_service_account(auditor: Auditor) -> None:
    ran = Row("a role", "audit --role $role/w8 -o json", document=PATH).play(auditor)
    assert [item["id"] for item in ran.items] == ["every-name"]
    (path,) = ran.metadata["paths"]
    assert {"namespace": "prod", "name": "silent"} in path["serviceAccounts"]
    paths = auditor.run("audit --service-account prod/w31 -o json --fail-on never").metadata["paths"]
    ways = {(arn_in(path), path["by"]) for path in paths}
    assert {(arn_of("w31"), "web-identity"), (arn_of("other"), "pod-identity")} <= ways


TIGHT = "audit -c shop-prod -o json --role $role/tight1 --fail-on low"
NEAR = "there is no cluster shop-prd in eu-west-1\n  clusters with a similar name: shop-prod"
NO_RISKS = ("no findings for $role/w8 in 136 roles, ", " below --min-severity)")
UNREAD = ("cluster tools of eu-west-1 was not read", '"name": "shop-prod"')
EXPLAINED = ("system:serviceaccount:*:*", "every-subject")
EVIDENCE = ("    statement 1 allows prod/by-association", "    to fix: list the allowed ServiceAccounts")
TWICE = f"{EKSCTL.replace('$cluster', 'demo')}iam: {{serviceAccounts: [{{foo: 1}}]}}\n"
PROBLEMS = ("Error: eks.yaml has 2 problems\n  eks.yaml:4:26: ", "2 problems, no findings in 1 file, ")
MEANT = '"s3:DeletBucket" is not an S3 action. Did you mean s3:DeleteBucket?'
WHO = "who-can s3:DeleteBucket arn:aws:s3:::b"
CAN = "s3:DeleteBucket on arn:aws:s3:::b, in 1 way.\nChecked: 136 roles, 4 clusters, "


@rows(
    Row("a page", "audit --role $role/w8 -o html", 0, ("<!doctype html>", "role/w8")),
    Row("both", "audit --role $role/w8 --service-account prod/w31", 2),
    Row("evidence", "audit --role $role/w8 -v", 0, EVIDENCE),
    Row("a command", "audit --role $role/w26 -v --fail-on never", 0, "    command: irsa doctor silent"),
    Row("a role that is not there", "audit --role $role/tigth1", 4, "$role/tight1"),
    Row("a ServiceAccount that is not there", "audit --service-account prod/none", 4),
    Row("what fails", "audit --fail-on critical -q", 5),
    Row("nothing fails", "audit --fail-on low --role $role/tight1 -q"),
    Row("only less severe", "audit --fail-on high --role $role/w9 -q"),
    Row("no baseline", "audit --baseline b.json", 2, given=written("b.json", "{}")),
    Row("no such cluster", f"{TIGHT} -c shop-prd", 4, NEAR),
    Row(
        "a cluster that can't be read",
        f"{TIGHT} -c tools",
        1,
        UNREAD,
        given=fault("eks DescribeCluster error", match="tools"),
    ),
    Row("none of what was asked", "audit --role $role/w8 --min-severity critical", 0, NO_RISKS),
    Row("a rule", "audit --explain every-subject", 0, EXPLAINED),
    Row("no such rule", "audit --explain nothing", 2),
    Row("a rule that is misspelt", "audit --explain no-subjct", 2, "Did you mean no-subject?"),
    Row("a rule as YAML", "audit --explain every-subject -o yaml", 0, "kind: RuleList"),
    Row(
        "problems of a file first",
        "lint eks.yaml",
        2,
        PROBLEMS,
        silent="Note:",
        given=written("eks.yaml", TWICE),
    ),
    Row("who can", WHO, 0, CAN),
    Row("who can with a wildcard", "who-can s3:*", 2),
    Row("who can do what there is not", "who-can s3:DeletBucket", 2, MEANT),
)
def test_how_it_ends(row: Row, auditor: Auditor) -> None:
    row.play(auditor)
    auditor.sandbox.faults.clear()
    if "--explain" in row.line or row.says == MEANT:
        assert auditor.sandbox.calls == []


def test_all_rules_are_explained(auditor: Auditor) -> None:
    assert len(auditor.run("audit --explain all").out.splitlines()) > 30
    assert len(auditor.run("audit --explain all -o json").items) == len(RULES)


def test_a_baseline_leaves_what_is_new(auditor: Auditor) -> None:
    whole = auditor.run("audit -o json", code=5).json
    count = len(whole["items"])
    whole["items"] = [item for item in whole["items"] if arn_in(item) != arn_of("w8")]
    put(auditor, "b.json", json.dumps(whole))
    ran = auditor.run("audit --baseline b.json -o json --fail-on medium", code=5)
    assert risks(ran) == [(arn_of("w8"), "every-name", "medium")]
    assert ran.metadata["inBaseline"] == count - 1


IGNORED = "audit: {ignore: [{rule: every-name, role: '*role/w8', reason: known, until: DAY}]}\n"
W8 = "audit -o json --role $role/w8 --fail-on low"


@pytest.mark.parametrize(
    ("until", "code", "says"),
    [
        ("30", 0, ('"acceptedBecause": "known"', '"accepted": 1')),
        ("2999-01-01", 5, "2999-01-01 is more than 366 days ahead"),
        ("2020-01-01", 5, "expired on 2020-01-01: known"),
        ("soon", 2, ".irsa.yaml"),
    ],
)
def test_what_a_project_accepts_is_not_shown_until_its_day(
    auditor: Auditor, until: str, code: int, says: str
) -> None:
    soon = (datetime.now(timezone.utc) + timedelta(days=30)).date().isoformat()
    text = IGNORED.replace("DAY", soon if until == "30" else until)
    put(auditor, ".irsa.yaml", text)
    ran = auditor.run(W8, code=code, says=says)
    assert len(ran.items) == (code == 5)


def test_the_file_of_a_project_may_be_named(auditor: Auditor) -> None:
    put(auditor, ".irsa.yaml", IGNORED.replace("every-name", "nothing"))
    put(auditor, "base.yaml", "failOn: low\n")
    auditor.run("audit", code=2, says="no rule 'nothing'")
    auditor.run("audit --role $role/w8 --config base.yaml", code=5)
    auditor.run("audit --role $role/w8 --config none.yaml", code=2)


def test_each_form_that_pipelines_read(auditor: Auditor) -> None:
    names = ("json", "csv", "sarif", "junit", "github")
    forms = {name: auditor.run(f"audit -o {name}", code=5).out for name in names}
    count = len(json.loads(forms["json"])["items"])
    lines = list(csv.DictReader(io.StringIO(forms["csv"])))
    assert (len(lines), lines[0]["severity"]) == (count, "critical")
    (log,) = json.loads(forms["sarif"])["runs"]
    rules = [rule["id"] for rule in log["tool"]["driver"]["rules"]]
    results = log["results"]
    assert [rules[item["ruleIndex"]] for item in results] == [item["ruleId"] for item in results]
    suite = ElementTree.fromstring(forms["junit"])[0]
    rated = {(item["id"], item["severity"] == "note") for item in json.loads(forms["json"])["items"]}
    failed = {rule for rule, is_note in rated if not is_note}
    assert (len(results), suite.get("failures")) == (count, str(len(failed)))
    assert suite.get("skipped") == str(len({rule for rule, _ in rated} - failed)) == "1"
    assert (forms["github"].count("::error "), "more errors" in forms["github"]) == (10, True)
    # Findings with the same cause are one line, here as in the text.
    causes = sum(line.split(" ")[0] in LEVELS for line in auditor.run("audit", code=5).out.splitlines())
    assert causes < count
    for length, few in (("10000000", False), ("9000", True)):
        text = auditor.run(f"audit -o markdown --max-length {length}", code=5).out
        assert (text.count("\n- **") < causes, len(text) <= 9001) == (few, few)


def test_who_can_says_that_it_found_none_and_what_it_could_not_read() -> None:
    estate = Estate(providers={}, unread=("account 222222222222 was not read",))
    *_, answer, _ = who_can_lines(WhoCanReport("sqs:SendMessage", audit=Audit(estate)))
    asked = "No ServiceAccount was found that can perform sqs:SendMessage"
    assert answer == f"{asked}, but 1 item could not be read."


def test_who_can(auditor: Auditor) -> None:
    (item,) = auditor.run("who-can s3:DeleteBucket -o json").items
    assert (arn_in(item), item["allowedBy"].startswith(ADMIN)) == (arn_of("w3"), True)
    says = '\\"rds-db:connect\\" was not checked'
    ran = auditor.run("who-can rds-db:connect -o json", code=1, says=says)
    assert not ran.metadata["scope"]["complete"]
