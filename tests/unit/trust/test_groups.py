"""Findings with the same cause are one line: with their subjects and number, and each of them in JSON."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.output.results.audit import of_risks, summary
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.report import AuditReport, RiskSelection
from irsa_cli.core.trust.rules.groups import grouped
from irsa_cli.core.trust.rules.rule import RULES, FilePlace, Risk, Severity, risk
from tests.support.estates import SA, account, admits, cluster, estate, role

WIDE = risk(RULES["no-audience"], "statement 1", "accepts any audience", role="arn:aws:iam::1:role/a")


def of_role(name: str, cause: str = "") -> Risk:
    return replace(WIDE, role=f"arn:aws:iam::1:role/{name}", cause=cause)


def lines(*risks: Risk, verbose: bool = False) -> list[str]:
    report = AuditReport(Audit(estate([], [])), selection=RiskSelection(tuple(risks)))
    speaking = Speaking("text", quiet=False, verbose=verbose)
    return [str(part) for part in of_risks(report, speaking).parts]


def test_the_same_of_several_roles_is_one_line() -> None:
    same = [of_role(name) for name in "abcde"]
    (line,) = (text for text in lines(*same) if "no-audience:" in text)
    names = ", ".join(f"arn:aws:iam::1:role/{name}" for name in "abc")
    assert line.endswith(f"no-audience: 5 roles ({names} and 2 more): statement 1 accepts any audience")
    assert any(text.startswith("1 low, 5 findings in all") for text in lines(*same))
    assert sum("no-audience:" in text for text in lines(*same, verbose=True)) == 5


def test_the_same_cause_in_other_words_names_the_first_and_the_others() -> None:
    first = of_role("a", cause="x")
    other = replace(of_role("b", cause="x"), reason="accepts two audiences")
    (line,) = (text for text in lines(first, other) if "no-audience:" in text)
    assert line.endswith("role/a: statement 1 accepts any audience (and 1 more role: arn:aws:iam::1:role/b)")


@pytest.mark.parametrize(
    "other",
    [
        replace(WIDE, rule=RULES["extra-audience"]),
        replace(WIDE, severity=Severity.HIGH),
        replace(WIDE, cause="another"),
        replace(WIDE, place=FilePlace("a.tf", 1)),
    ],
    ids=["rule", "severity", "cause", "place"],
)
def test_what_differs_in_more_than_its_subject_is_apart(other: Risk) -> None:
    assert len(grouped([of_role("b"), other])) == 2


def test_findings_of_files_keep_their_places() -> None:
    places = [replace(WIDE, place=FilePlace("a.tf", line)) for line in (1, 1, 2)]
    assert [len(group.risks) for group in grouped(places)] == [1, 1, 1]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from(list(Severity)))))
def test_grouping_loses_nothing_and_keeps_the_order_of_severities(
    drawn: list[tuple[str, str, Severity]],
) -> None:
    risks = [replace(of_role(name, cause), severity=severity) for name, cause, severity in drawn]
    risks.sort(key=lambda each: list(Severity).index(each.severity), reverse=True)
    groups = grouped(risks)
    assert sorted(map(repr, risks)) == sorted(repr(each) for group in groups for each in group.risks)
    levels = [list(Severity).index(group.first.severity) for group in groups]
    assert levels == sorted(levels, reverse=True)
    assert all(len({each.severity for each in group.risks}) == 1 for group in groups)
    assert all(group.names for group in groups)


def test_a_cluster_without_its_provider_is_one_matter() -> None:
    roles = [role(name, admits("gone", f"{SA}prod:{name}")) for name in ("a", "b", "c")]
    where = cluster(
        "gone", *(account(each.name, each.name) for each in roles), pods={"prod/a": 1, "prod/b": 1}
    )
    risks = [each for each in Audit(estate(roles, [where], {})).risks if each.rule.broken]
    assert [len(group.risks) for group in grouped(risks)] == [2, 1]
    assert all("has no OIDC provider of cluster gone" in each.reason for each in risks)


def test_the_summary_counts_lines_and_the_page_findings() -> None:
    report = AuditReport(selection=RiskSelection(tuple(of_role(name) for name in "abc")))
    assert summary(report).startswith("1 low, 3 findings in all in ")
    assert summary(report, by_cause=False).startswith("3 low in ")
    notes = RiskSelection(tuple(replace(of_role(name, name), severity=Severity.NOTE) for name in "ab"))
    assert summary(AuditReport(selection=notes)).startswith("2 notes in ")
