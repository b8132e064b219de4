"""`irsa audit` and `irsa who-can` on the sandbox: a planted account, live and from files."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
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
from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.auditing import NEVER_USED, client, plant, write_files
from tests.support.estates import ADMIN, arn_of, planted
from tests.support.ran import Ran, promised

Irsa = Callable[..., Ran]


@pytest.fixture(scope="module")
def account(running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The planted account; no test here writes."""
    running_sandbox.reset()
    plant(running_sandbox)
    yield running_sandbox
    running_sandbox.reset()


@pytest.fixture
def irsa(
    account: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Irsa:
    """Runs irsa in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name, value in account.env().items():
        monkeypatch.setenv(name, value)

    def ran(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run([*arguments])
        told = capsys.readouterr()
        return promised(Ran(code, told.out, told.err), arguments)

    return ran


def found(document: Any) -> list[tuple[str, str, str]]:
    """Role, rule and severity of each risk."""
    return sorted((arn_in(item), item["id"], item["severity"]) for item in document["items"])


def arn_in(item: Any) -> str:
    """The role that an item is about, '' for none."""
    arn: str = (item["role"] or {"arn": ""})["arn"]
    return arn


def expected() -> list[tuple[str, str, str]]:
    risks = [
        (item.role.arn, rule, severity)
        for item in planted()
        for rule, severity in item.breaks
        if item.role.name != NEVER_USED
    ]
    lost = (arn_of("no-such-role"), "role-gone", "low")
    beside = [
        ("", "provider-without-cluster", "low"),
        ("", "everybody-may-become", "high"),
        ("", "powerful-service-account", "high"),
        ("", "annotation-no-role", "medium"),
    ]
    return sorted([*risks, lost, *beside])


def test_every_planted_risk_is_found_and_nothing_else(irsa: Irsa, account: Sandbox) -> None:
    account.calls.clear()
    ran = irsa("audit", "-o", "json")
    assert ran.code == 5, ran.err
    assert found(ran.json) == expected()
    scope = ran.metadata["scope"]
    assert scope["complete"]
    assert {"what": "role", "count": 135} in scope["examined"]
    assert {item["why"] for item in scope["notExamined"]} == {"by-design"}
    assert ran.metadata["notes"] == []
    (item,) = [item for item in ran.json["items"] if item["id"] == "powerful-service-account"]
    assert item["statement"] == "Group developers of cluster shop-prod"
    assert "as prod/by-association (create pods) and as " in item["reason"]
    assert item["evidence"][0] == "RoleBinding prod/everybody: ClusterRole runner rule 1"
    assert f"AdministratorAccess ({arn_of('w3')})" in item["reason"]
    counts = Counter(call.operation for call in account.calls)
    assert counts["GetAccountAuthorizationDetails"] == 1
    assert counts["ListAccessEntries"] == 4
    assert counts["GetRole"] == counts["GetPolicy"] == counts["SimulatePrincipalPolicy"] == 0
    assert sum(counts.values()) < 60


def test_from_files_the_same_is_found_without_a_call(irsa: Irsa, account: Sandbox, tmp_path: Path) -> None:
    write_files(account, tmp_path)
    live = irsa("audit", "-o", "json").json
    account.calls.clear()
    ran = irsa("audit", "--from", str(tmp_path), "-o", "json")
    assert ran.code == 5, ran.err
    assert account.calls == []
    assert live["metadata"].pop("caller") == "arn:aws:iam::111122223333:user/admin"
    found = ran.json
    assert found["metadata"].pop("caller") is None
    assert found == live


def test_one_line_each_the_most_severe_first(irsa: Irsa) -> None:
    lines = irsa("audit").out.splitlines()
    head, *lines = lines
    assert head.startswith(
        "account 111122223333 · clusters demo, shop-dev, shop-prod and 1 more · user/admin · 2"
    )
    assert lines[0].startswith("critical no-subject: role/w3: statement 1 does not test")
    assert lines[-3] == "To explain a finding: irsa audit --explain no-subject (evidence and fixes: -v)"
    words = [line.split()[0] for line in lines[:-3]]
    assert words == sorted(words, key=["critical", "high", "medium", "low"].index)
    assert "in 135 roles, 4 clusters, 137 ServiceAccounts" in lines[-2]
    assert lines[-1].startswith("Not checked: service and resource control policies, ")
    told = irsa("audit", "--role", arn_of("w8"), "-v").out
    assert "    statement 1 allows prod/by-association" in told
    assert "    to fix: list the allowed ServiceAccounts" in told


def test_as_a_page_with_everything_in_it(irsa: Irsa) -> None:
    ran = irsa("audit", "-o", "html")
    assert ran.code == 5, ran.err
    assert ran.out.startswith("<!doctype html>")
    data = json.loads(ran.out.partition('id="data">')[2].partition("</script>")[0])
    risks = sorted((item["role"], item["rule"], item["severity"]) for item in data["risks"])
    assert risks == expected()
    one = irsa("audit", "--role", arn_of("w8"), "-o", "html").out
    picture = json.loads(one.partition('id="data">')[2].partition("</script>")[0])["picture"]
    assert [item["arn"] for item in picture["roles"]] == [arn_of("w8")]


def test_a_fix_is_a_command_or_the_corrected_trust_policy(irsa: Irsa, tmp_path: Path) -> None:
    def fix(name: str, rule: str) -> Any:
        items = irsa("audit", "--role", arn_of(name), "-o", "json").items
        return next(item["fix"] for item in items if item["id"] == rule)

    named = fix("w26", "admitted-not-annotated")
    assert named["command"].startswith("irsa doctor silent -n prod -c shop-prod")
    assert irsa(*shlex.split(named["command"])[1:]).code in (0, 5)
    assert named["document"] is None
    assert fix("w27", "annotated-refused")["command"] == "irsa doctor w27 -n prod -c shop-prod"
    # Each of these ServiceAccounts names its role, and has to be admitted afterwards.
    for name, rule in (
        ("w11", "no-audience"),
        ("w12", "extra-audience"),
        ("w13", "for-all-values"),
        ("w15", "every-name"),
        ("w16", "all-sts-actions"),
        ("w19", "provider-gone"),
        ("w20", "other-services"),
    ):
        document = fix(name, rule)["document"]
        assert f"system:serviceaccount:prod:{name}" in json.dumps(document)
        (tmp_path / "fixed.json").write_text(json.dumps(document), encoding="utf-8")
        assert irsa("lint", "fixed.json", "--fail-on", "low").code == 0
    told = irsa("audit", "--role", arn_of("w26"), "-v").out
    assert "    command: irsa doctor silent" in told
    # Nobody names w4: whom its pattern is meant for, nobody knows.
    assert fix("w4", "every-subject") == {"command": None, "document": None}


def test_a_role_and_a_service_account(irsa: Irsa) -> None:
    ran = irsa("audit", "--role", arn_of("w8"), "-o", "json")
    assert [item["id"] for item in ran.json["items"]] == ["every-name"]
    (path,) = ran.metadata["paths"]
    assert (path["cluster"]["name"], path["by"], path["statement"]) == (
        "shop-prod",
        "web-identity",
        "statement 1",
    )
    assert {"namespace": "prod", "name": "silent"} in path["serviceAccounts"]
    ran = irsa("audit", "--service-account", "prod/w31", "-o", "json")
    ways = {(arn_in(path), path["by"]) for path in ran.metadata["paths"]}
    assert (arn_of("w31"), "web-identity") in ways
    assert (arn_of("other"), "pod-identity") in ways
    near = irsa("audit", "--role", arn_of("tigth1"))
    assert (near.code, arn_of("tight1") in near.err) == (4, True)
    assert irsa("audit", "--service-account", "prod/none").code == 4


def test_the_exit_code_tells_where_it_is_asked_to(irsa: Irsa) -> None:
    assert irsa("audit", "--fail-on", "critical", "-q").code == 5
    assert irsa("audit", "--fail-on", "low", "--role", arn_of("tight1"), "-q").code == 0
    assert irsa("audit", "--fail-on", "high", "--role", arn_of("w9"), "-q").code == 0


def test_a_baseline_leaves_what_is_new(irsa: Irsa, tmp_path: Path) -> None:
    whole = irsa("audit", "-o", "json")
    one = next(item for item in whole.json["items"] if arn_in(item) == arn_of("w8"))
    less = {**whole.json, "items": [item for item in whole.json["items"] if item is not one]}
    (tmp_path / "b.json").write_text(
        json.dumps({**less, "items": [item for item in less["items"] if arn_in(item) != arn_of("w8")]})
    )
    ran = irsa("audit", "--baseline", "b.json", "-o", "json", "--fail-on", "medium")
    assert found(ran.json) == [(arn_of("w8"), "every-name", "medium")]
    assert ran.code == 5
    assert ran.metadata["inBaseline"] == len(whole.json["items"]) - 1
    (tmp_path / "b.json").write_text("{}")
    assert irsa("audit", "--baseline", "b.json").code == 2


def test_what_a_project_accepts_is_not_shown_until_its_day(irsa: Irsa, tmp_path: Path) -> None:
    entry = "- {rule: every-name, role: '*role/w8', reason: known, until: DAY}\n"
    soon = (datetime.now(timezone.utc) + timedelta(days=30)).date().isoformat()
    (tmp_path / ".irsa.yaml").write_text(f"audit:\n  ignore:\n  {entry.replace('DAY', soon)}")
    ran = irsa("audit", "-o", "json", "--role", arn_of("w8"), "--fail-on", "low")
    assert (ran.code, ran.json["items"]) == (0, [])
    assert ran.metadata["accepted"][0]["acceptedBecause"] == "known"
    assert ran.metadata["summary"]["accepted"] == 1
    for other in (tmp_path / "base.yaml", tmp_path / "none.yaml"):
        (tmp_path / "base.yaml").write_text("failOn: low\n")
        ran = irsa("audit", "-o", "json", "--role", arn_of("w8"), "--config", str(other))
        assert ran.code == (5 if other.name == "base.yaml" else 2)
    (tmp_path / ".irsa.yaml").write_text(f"audit:\n  ignore:\n  {entry.replace('DAY', '2999-01-01')}")
    ran = irsa("audit", "-o", "json", "--role", arn_of("w8"), "--fail-on", "low")
    assert (ran.code, len(ran.json["items"])) == (5, 1)
    assert "2999-01-01 is more than 366 days ahead" in ran.err
    (tmp_path / ".irsa.yaml").write_text(f"audit:\n  ignore:\n  {entry.replace('DAY', '2020-01-01')}")
    ran = irsa("audit", "-o", "json", "--role", arn_of("w8"))
    assert len(ran.json["items"]) == 1
    assert "expired on 2020-01-01: known" in ran.err
    (tmp_path / ".irsa.yaml").write_text("audit: {ignore: [{rule: nothing, reason: ' ', until: soon}]}\n")
    ran = irsa("audit")
    assert ran.code == 2
    assert "no rule 'nothing'" in ran.err


def test_what_can_not_be_read_is_said_and_hides_no_other(irsa: Irsa, account: Sandbox) -> None:
    asked = ("audit", "-c", "shop-prod", "-o", "json", "--role", arn_of("tight1"), "--fail-on", "low")
    refused = irsa(*asked, "-c", "shop-prd")
    assert refused.code == 4
    assert (
        "there is no cluster shop-prd in eu-west-1\n  clusters with a similar name: shop-prod" in refused.err
    )
    account.faults.add(
        Fault("eks", "DescribeCluster", "error", status=403, code="AccessDenied", match="tools")
    )
    ran = irsa(*asked, "-c", "tools")
    account.faults.clear()
    assert ran.code == 1
    assert "cluster tools of eu-west-1 was not read" in ran.err
    assert [cluster["name"] for cluster in ran.metadata["clusters"]] == ["shop-prod"]


def test_each_form_that_pipelines_read(irsa: Irsa) -> None:
    count = len(irsa("audit", "-o", "json").json["items"])
    rows = list(csv.DictReader(io.StringIO(irsa("audit", "-o", "csv").out)))
    assert len(rows) == count
    assert rows[0]["severity"] == "critical"
    (log,) = json.loads(irsa("audit", "-o", "sarif").out)["runs"]
    assert len(log["results"]) == count
    rules = [rule["id"] for rule in log["tool"]["driver"]["rules"]]
    assert all(rules[item["ruleIndex"]] == item["ruleId"] for item in log["results"])
    names = {rule["name"] for rule in log["tool"]["driver"]["rules"]}
    assert len(names) == len(rules)
    assert all(name.isalnum() for name in names)
    suite = ElementTree.fromstring(irsa("audit", "-o", "junit").out)[0]
    broken = {item["id"] for item in irsa("audit", "-o", "json").json["items"]}
    assert suite.get("failures") == str(len(broken))
    whole = irsa("audit", "-o", "markdown", "--max-length", "10000000").out
    shown = [line for line in whole.splitlines() if line.startswith("- **")]
    assert len(shown) == count
    assert len(irsa("audit", "-o", "markdown", "--max-length", "9000").out) <= 9001
    said = irsa("audit", "-o", "github").out.splitlines()
    assert len([line for line in said if line.startswith("::error ")]) == 10
    assert "more errors" in said[-1]


def test_explaining_asks_nobody(irsa: Irsa, account: Sandbox) -> None:
    account.calls.clear()
    assert "system:serviceaccount:*:*" in irsa("audit", "--explain", "every-subject").out
    assert len(irsa("audit", "--explain", "all").out.splitlines()) > 30
    assert irsa("audit", "--explain", "nothing").code == 2
    assert "Did you mean no-subject?" in irsa("audit", "--explain", "no-subjct").err
    assert len(irsa("audit", "--explain", "all", "-o", "json").items) == len(RULES)
    assert irsa("audit", "--explain", "every-subject", "-o", "yaml").yaml["kind"] == "RuleList"
    assert account.calls == []


def test_no_finding_is_said_of_what_was_asked_only(irsa: Irsa) -> None:
    ran = irsa("audit", "--role", arn_of("w8"), "--min-severity", "critical")
    (line,) = [line for line in ran.out.splitlines() if line.startswith("no findings")]
    assert line.startswith(f"no findings for {arn_of('w8')} in 135 roles, ")
    assert line.endswith(" below --min-severity)")


def test_lint_begins_with_the_problems_of_a_file(irsa: Irsa, tmp_path: Path) -> None:
    head = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: demo, region: eu-west-1}\n"
    (tmp_path / "eks.yaml").write_text(f"{head}iam: {{serviceAccounts: [{{foo: 1}}]}}\n", encoding="utf-8")
    ran = irsa("lint", "eks.yaml")
    assert ran.code == 2
    assert ran.err.startswith("Error: eks.yaml has 2 problems\n  eks.yaml:4:26: ")
    assert "Note:" not in ran.err
    assert ran.out.startswith("2 problems, no findings in 1 file, ")


def test_who_can_says_that_it_found_none_and_what_it_could_not_read() -> None:
    estate = Estate(providers={}, unread=("account 222222222222 was not read",))
    *_, answer, _ = who_can_lines(WhoCanReport("sqs:SendMessage", audit=Audit(estate)))
    asked = "No ServiceAccount was found that can perform sqs:SendMessage"
    assert answer == f"{asked}, but 1 item could not be read."


def test_who_can(irsa: Irsa, account: Sandbox) -> None:
    ran = irsa("who-can", "s3:DeleteBucket", "-o", "json")
    assert ran.code == 0, ran.err
    assert {arn_in(item) for item in ran.items} == {arn_of("w3")}
    assert ran.json["items"][0]["allowedBy"].startswith(ADMIN)
    text = irsa("who-can", "s3:DeleteBucket", "arn:aws:s3:::b").out
    *_, answer, scope = text.splitlines()
    assert answer.endswith("ServiceAccounts can perform s3:DeleteBucket on arn:aws:s3:::b, in 1 way.")
    assert scope.startswith("Checked: 135 roles, 4 clusters, ")
    assert irsa("who-can", "s3:*").code == 2
    assert client(account, "iam") is not None


def test_who_can_knows_the_actions_of_a_service(irsa: Irsa, account: Sandbox) -> None:
    account.calls.clear()
    ran = irsa("who-can", "s3:DeletBucket")
    assert ran.code == 2
    assert '"s3:DeletBucket" is not an S3 action. Did you mean s3:DeleteBucket?' in ran.err
    assert account.calls == []
    ran = irsa("who-can", "rds-db:connect", "-o", "json")
    assert (ran.code, ran.metadata["scope"]["complete"]) == (1, False)
    assert any('"rds-db:connect" was not checked' in note for note in ran.metadata["notes"])
