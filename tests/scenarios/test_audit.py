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
from tests.support.acts import strike
from tests.support.estates import ADMIN, arn_of, planted
from tests.support.ran import Ran, promised
from tests.support.rows import Row, Running, rows

LEVELS = ["critical", "high", "medium", "low"]


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
        self.words = {"role": arn_of("").removesuffix("/")}

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
def stage(
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
    (arn_of("no-such-role"), "role-gone", "low"),
    ("", "provider-without-cluster", "low"),
    ("", "everybody-may-become", "high"),
    ("", "powerful-service-account", "high"),
    ("", "annotation-no-role", "medium"),
]


def expected() -> list[tuple[str, str, str]]:
    used = [item for item in planted() if item.role.name != NEVER_USED]
    return sorted([*((item.role.arn, *broken) for item in used for broken in item.breaks), *BESIDE])


def test_every_planted_risk_is_found_and_nothing_else(stage: Auditor) -> None:
    ran = stage.run("audit -o json", code=5)
    counts = Counter(call.operation for call in stage.sandbox.calls)
    assert risks(ran) == expected()
    scope = ran.metadata["scope"]
    assert scope["complete"]
    assert {"what": "role", "count": 135} in scope["examined"]
    assert {item["why"] for item in scope["notExamined"]} == {"by-design"}
    assert ran.metadata["notes"] == []
    (item,) = [item for item in ran.items if item["id"] == "powerful-service-account"]
    assert item["statement"] == "Group developers of cluster shop-prod"
    for text in ("as prod/by-association (create pods) and as ", f"AdministratorAccess ({arn_of('w3')})"):
        assert text in item["reason"]
    assert item["evidence"][0] == "RoleBinding prod/everybody: ClusterRole runner rule 1"
    assert (counts["GetAccountAuthorizationDetails"], counts["ListAccessEntries"]) == (1, 4)
    assert counts["GetRole"] == counts["GetPolicy"] == counts["SimulatePrincipalPolicy"] == 0
    assert sum(counts.values()) < 60


def test_from_files_the_same_is_found_without_a_call(stage: Auditor) -> None:
    write_files(stage.sandbox, stage.folder)
    live = stage.run("audit -o json", code=5).json
    stage.sandbox.calls.clear()
    from_files = stage.run("audit --from . -o json", code=5).json
    assert stage.sandbox.calls == []
    callers = [document["metadata"].pop("caller") for document in (live, from_files)]
    assert callers == ["arn:aws:iam::111122223333:user/admin", None]
    assert from_files == live


def test_one_line_each_the_most_severe_first(stage: Auditor) -> None:
    head, *lines = stage.run("audit", code=5).out.splitlines()
    clusters = "clusters demo, shop-dev, shop-prod and 1 more"
    assert head.startswith(f"account 111122223333 · {clusters} · user/admin · 2")
    assert lines[0].startswith("critical no-subject: role/w3: statement 1 does not test")
    words = [line.split()[0] for line in lines[:-3]]
    assert words == sorted(words, key=LEVELS.index)
    assert lines[-3] == "To explain a finding: irsa audit --explain no-subject (evidence and fixes: -v)"
    assert "in 135 roles, 4 clusters, 137 ServiceAccounts" in lines[-2]
    assert lines[-1].startswith("Not checked: service and resource control policies, ")


def data(ran: Ran) -> Any:
    """What is in a page."""
    assert ran.out.startswith("<!doctype html>")
    return json.loads(ran.out.partition('id="data">')[2].partition("</script>")[0])


def test_as_a_page_with_everything_in_it(stage: Auditor) -> None:
    shown = data(stage.run("audit -o html", code=5))["risks"]
    assert sorted((item["role"], item["rule"], item["severity"]) for item in shown) == expected()
    picture = data(stage.run("audit --role $role/w8 -o html", code=5))["picture"]
    assert [item["arn"] for item in picture["roles"]] == [arn_of("w8")]


def fix(stage: Auditor, name: str, rule: str) -> Any:
    items = stage.run(f"audit --role $role/{name} -o json --fail-on never").items
    return next(item["fix"] for item in items if item["id"] == rule)


def test_a_fix_is_a_command(stage: Auditor) -> None:
    named = fix(stage, "w26", "admitted-not-annotated")
    assert named["command"].startswith("irsa doctor silent -n prod -c shop-prod")
    assert stage.irsa(*shlex.split(named["command"])[1:]).code in (0, 5)
    assert named["document"] is None
    assert fix(stage, "w27", "annotated-refused")["command"] == "irsa doctor w27 -n prod -c shop-prod"
    # Nobody names w4: whom its pattern is meant for, nobody knows.
    assert fix(stage, "w4", "every-subject") == {"command": None, "document": None}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("w11", "no-audience"),
        ("w12", "extra-audience"),
        ("w13", "for-all-values"),
        ("w15", "every-name"),
        ("w16", "all-sts-actions"),
        ("w19", "provider-gone"),
        ("w20", "other-services"),
    ],
)
def test_or_the_corrected_trust_policy(stage: Auditor, name: str, rule: str) -> None:
    """Each of these ServiceAccounts names its role, and has to be admitted afterwards."""
    document = json.dumps(fix(stage, name, rule)["document"])
    assert f"system:serviceaccount:prod:{name}" in document
    (stage.folder / "fixed.json").write_text(document, encoding="utf-8")
    stage.run("lint fixed.json --fail-on low")


def test_a_role_and_a_service_account(stage: Auditor) -> None:
    ran = stage.run("audit --role $role/w8 -o json", code=5)
    assert [item["id"] for item in ran.items] == ["every-name"]
    (path,) = ran.metadata["paths"]
    told = (path["cluster"]["name"], path["by"], path["statement"])
    assert told == ("shop-prod", "web-identity", "statement 1")
    assert {"namespace": "prod", "name": "silent"} in path["serviceAccounts"]
    paths = stage.run("audit --service-account prod/w31 -o json", code=5).metadata["paths"]
    ways = {(arn_in(path), path["by"]) for path in paths}
    assert {(arn_of("w31"), "web-identity"), (arn_of("other"), "pod-identity")} <= ways


def refusing(stage: Auditor) -> None:
    strike(stage, "eks DescribeCluster error", match="tools")


def unreadable(stage: Auditor) -> None:
    (stage.folder / "b.json").write_text("{}")


def two_problems(stage: Auditor) -> None:
    head = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: demo, region: eu-west-1}\n"
    (stage.folder / "eks.yaml").write_text(f"{head}iam: {{serviceAccounts: [{{foo: 1}}]}}\n")


TIGHT = "audit -c shop-prod -o json --role $role/tight1 --fail-on low"
NEAR = "there is no cluster shop-prd in eu-west-1\n  clusters with a similar name: shop-prod"
NO_RISKS = ("no findings for $role/w8 in 135 roles, ", " below --min-severity)")
UNREAD = ("cluster tools of eu-west-1 was not read", '"name": "shop-prod"')
EXPLAINED = ("system:serviceaccount:*:*", "every-subject")
EVIDENCE = ("    statement 1 allows prod/by-association", "    to fix: list the allowed ServiceAccounts")
PROBLEMS = ("Error: eks.yaml has 2 problems\n  eks.yaml:4:26: ", "2 problems, no findings in 1 file, ")
MEANT = '"s3:DeletBucket" is not an S3 action. Did you mean s3:DeleteBucket?'
WHO = "who-can s3:DeleteBucket arn:aws:s3:::b"
CAN = "s3:DeleteBucket on arn:aws:s3:::b, in 1 way.\nChecked: 135 roles, 4 clusters, "


@rows(
    Row("evidence", "audit --role $role/w8 -v", 5, EVIDENCE),
    Row("a command", "audit --role $role/w26 -v --fail-on never", 0, "    command: irsa doctor silent"),
    Row("a role that is not there", "audit --role $role/tigth1", 4, "$role/tight1"),
    Row("a ServiceAccount that is not there", "audit --service-account prod/none", 4),
    Row("what fails", "audit --fail-on critical -q", 5),
    Row("nothing fails", "audit --fail-on low --role $role/tight1 -q"),
    Row("only less severe", "audit --fail-on high --role $role/w9 -q"),
    Row("no baseline", "audit --baseline b.json", 2, given=unreadable),
    Row("no such cluster", f"{TIGHT} -c shop-prd", 4, NEAR),
    Row("a cluster that can't be read", f"{TIGHT} -c tools", 1, UNREAD, given=refusing),
    Row("none of what was asked", "audit --role $role/w8 --min-severity critical", 0, NO_RISKS),
    Row("a rule", "audit --explain every-subject", 0, EXPLAINED),
    Row("no such rule", "audit --explain nothing", 2),
    Row("a rule that is misspelt", "audit --explain no-subjct", 2, "Did you mean no-subject?"),
    Row("a rule as YAML", "audit --explain every-subject -o yaml", 0, "kind: RuleList"),
    Row("problems of a file first", "lint eks.yaml", 2, PROBLEMS, silent="Note:", given=two_problems),
    Row("who can", WHO, 0, CAN),
    Row("who can with a wildcard", "who-can s3:*", 2),
    Row("who can do what there is not", "who-can s3:DeletBucket", 2, MEANT),
)
def test_how_it_ends(row: Row, stage: Auditor) -> None:
    row.play(stage)
    stage.sandbox.faults.clear()
    if "--explain" in row.line or row.says == MEANT:
        assert stage.sandbox.calls == []


def test_all_rules_are_explained(stage: Auditor) -> None:
    assert len(stage.run("audit --explain all").out.splitlines()) > 30
    assert len(stage.run("audit --explain all -o json").items) == len(RULES)


def test_a_baseline_leaves_what_is_new(stage: Auditor) -> None:
    whole = stage.run("audit -o json", code=5).json
    count = len(whole["items"])
    whole["items"] = [item for item in whole["items"] if arn_in(item) != arn_of("w8")]
    (stage.folder / "b.json").write_text(json.dumps(whole))
    ran = stage.run("audit --baseline b.json -o json --fail-on medium", code=5)
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
    stage: Auditor, until: str, code: int, says: str
) -> None:
    soon = (datetime.now(timezone.utc) + timedelta(days=30)).date().isoformat()
    text = IGNORED.replace("DAY", soon if until == "30" else until)
    (stage.folder / ".irsa.yaml").write_text(text)
    ran = stage.run(W8, code=code, says=says)
    assert len(ran.items) == (code == 5)


def test_the_file_of_a_project_may_be_named(stage: Auditor) -> None:
    (stage.folder / ".irsa.yaml").write_text(IGNORED.replace("every-name", "nothing"))
    (stage.folder / "base.yaml").write_text("failOn: low\n")
    stage.run("audit", code=2, says="no rule 'nothing'")
    stage.run("audit --role $role/w8 --config base.yaml", code=5)
    stage.run("audit --role $role/w8 --config none.yaml", code=2)


def test_each_form_that_pipelines_read(stage: Auditor) -> None:
    items = stage.run("audit -o json", code=5).items
    lines = list(csv.DictReader(io.StringIO(stage.run("audit -o csv", code=5).out)))
    assert (len(lines), lines[0]["severity"]) == (len(items), "critical")
    (log,) = json.loads(stage.run("audit -o sarif", code=5).out)["runs"]
    rules = log["tool"]["driver"]["rules"]
    assert len(log["results"]) == len(items)
    assert all(rules[item["ruleIndex"]]["id"] == item["ruleId"] for item in log["results"])
    names = {rule["name"] for rule in rules}
    assert (len(names), all(name.isalnum() for name in names)) == (len(rules), True)
    suite = ElementTree.fromstring(stage.run("audit -o junit", code=5).out)[0]
    assert suite.get("failures") == str(len({item["id"] for item in items}))
    whole = stage.run("audit -o markdown --max-length 10000000", code=5).out
    assert whole.count("\n- **") == len(items)
    assert len(stage.run("audit -o markdown --max-length 9000", code=5).out) <= 9001
    said = stage.run("audit -o github", code=5).out.splitlines()
    assert len([line for line in said if line.startswith("::error ")]) == 10
    assert "more errors" in said[-1]


def test_who_can_says_that_it_found_none_and_what_it_could_not_read() -> None:
    estate = Estate(providers={}, unread=("account 222222222222 was not read",))
    *_, answer, _ = who_can_lines(WhoCanReport("sqs:SendMessage", audit=Audit(estate)))
    asked = "No ServiceAccount was found that can perform sqs:SendMessage"
    assert answer == f"{asked}, but 1 item could not be read."


def test_who_can(stage: Auditor) -> None:
    (item,) = stage.run("who-can s3:DeleteBucket -o json").items
    assert arn_in(item) == arn_of("w3")
    assert item["allowedBy"].startswith(ADMIN)


def test_who_can_knows_the_actions_of_a_service(stage: Auditor) -> None:
    says = '\\"rds-db:connect\\" was not checked'
    assert not stage.run("who-can rds-db:connect -o json", code=1, says=says).metadata["scope"]["complete"]
