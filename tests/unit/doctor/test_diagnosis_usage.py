"""Who uses a ServiceAccount, who was to, and which ones lost their role."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.cli.output.results.doctor import verdict_line
from irsa_cli.core.doctor.clues.usage import Seen, gone_names, is_near, namesakes
from irsa_cli.core.doctor.diagnosis import Diagnosis, examined, judge
from irsa_cli.core.doctor.facts import Facts, RoleSummary
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import (
    CLUSTER,
    PROVIDER,
    ROLE,
    ROLE_ARN,
    SUBJECT,
    TRUST,
    Change,
    account,
    annotated,
    around,
    bare_pod,
    both,
    condition,
    of_cluster,
    pod,
    working,
)
from tests.unit.doctor.diagnosis_cases import APART, POD_IDENTITY


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("reader", "reader-sa", True),
        ("efs-csi-controller-sa", "efs-csi-node-sa", True),
        ("s3-reader", "s3-raeder", True),
        ("external-dns", "external-dns-irsa", True),
        ("external-dns", "external-secrets", False),
        ("reader", "default", False),
        ("reader", "reader", False),
        ("web", "api", False),
        ("worker-a", "worker-b", False),
        ("worker-1", "worker-2", False),
        ("web", "web-worker", False),
    ],
)
def test_names_that_are_variants_of_each_other(one: str, other: str, near: bool) -> None:
    assert is_near(one, other) is is_near(other, one) is near


RELEASE, CACHE = "app.kubernetes.io/instance", "reader-cache"
OWN_ROLE = account(name="other", annotations={ROLE_ARN: f"{ROLE}-2"})


@pytest.mark.parametrize(
    "change",
    [
        # A neighbour of the same release with a role, or an identity, of its own.
        both(around(pods=(bare_pod(service_account="other"),)), of_cluster(accounts=(account(), OWN_ROLE))),
        around(pods=(pod(service_account="other"),)),
        around(pods=(replace(POD_IDENTITY, service_account="other"),)),
        # One that has a ServiceAccount of its own name, without a role.
        around(pods=(bare_pod(name="reader-cache-0", labels={RELEASE: "reader"}, service_account=CACHE),)),
        # Another application.
        around(pods=(bare_pod(**APART, service_account="web"),)),
        around(pods=(bare_pod(**APART, service_account="default"),)),
        # It is used, and others in the namespace have no role.
        around(pods=(pod(), bare_pod(service_account="default"))),
        around(pods=(pod(), bare_pod(service_account="reader-sa"))),
        # The old pods of a workload that was put right end.
        around(pods=(pod(), bare_pod(service_account="default", ending=True))),
        around(pods=(bare_pod(service_account="default", phase="Succeeded"),)),
    ],
)
def test_neighbours_are_not_told_to_change(change: Change) -> None:
    found = judge(change(working()))
    assert [item.cause.id for item in found if item.verdict is Verdict.PROBLEM] == []


def test_a_namesake_is_looked_for_where_nobody_uses_the_account() -> None:
    there = of_cluster(accounts=(account(), account(namespace="front", annotations={})))
    assert namesakes(there(working())) == ()
    assert namesakes(both(there, around(pods=()))(working())) == ("front",)
    of_its_own = of_cluster(accounts=(account(), account(namespace="front")))
    assert namesakes(both(of_its_own, around(pods=()))(working())) == ()


PLAIN = account(annotations={})
RENAMED = account(name="reader-sa", annotations={})
SUMMARY = RoleSummary(ROLE, TRUST)


@pytest.mark.parametrize(
    ("seen", "lost"),
    [
        (Seen((PLAIN,), (bare_pod(),), (SUMMARY,), PROVIDER), True),
        (Seen((PLAIN,), (pod(),), (), PROVIDER), True),
        (Seen((PLAIN,), (bare_pod(annotations={ROLE_ARN: ROLE}),), (), PROVIDER), True),
        (Seen((annotated(role_anr=ROLE),), (), (), PROVIDER), True),
        (Seen((RENAMED,), (bare_pod(service_account="reader-sa"),), (SUMMARY,), PROVIDER), True),
        (Seen((PLAIN,), (bare_pod(),), (), PROVIDER), False),
        (Seen((PLAIN,), (), (SUMMARY,), PROVIDER), False),
        (Seen((PLAIN,), (bare_pod(),), (SUMMARY,), f"{PROVIDER}X"), False),
        (Seen((PLAIN,), (bare_pod(),), (SUMMARY,), PROVIDER, frozenset({("backend", "reader")})), False),
        (Seen((PLAIN,), (POD_IDENTITY,), (SUMMARY,), PROVIDER), False),
        (Seen((PLAIN,), Unreadable("no"), Unreadable("no"), PROVIDER), False),
        (Seen((account(),), (bare_pod(),), (SUMMARY,), PROVIDER), False),
        (Seen((PLAIN,), (pod(volumes=()),), (), PROVIDER), False),
    ],
)  # fmt: skip
def test_accounts_that_lost_their_role(seen: Seen, lost: bool) -> None:
    assert bool(seen.lost()) is lost


def test_a_role_for_everybody_tells_of_no_account() -> None:
    wild = condition(
        StringLike={"sub": SUBJECT.replace("reader", "*")}, StringEquals={"aud": "sts.amazonaws.com"}
    )
    assert Seen((PLAIN,), (bare_pod(),), (RoleSummary(ROLE, wild),), PROVIDER).lost() == ()


def test_a_role_of_an_account_that_is_gone() -> None:
    assert gone_names((RENAMED,), (SUMMARY,), PROVIDER, ("backend", "reader-sa")) == ((SUMMARY, "reader"),)
    assert gone_names((RENAMED, PLAIN), (SUMMARY,), PROVIDER, ("backend", "reader-sa")) == ()
    assert gone_names((RENAMED,), (SUMMARY,), PROVIDER, ("front", "reader-sa")) == ()


@pytest.mark.parametrize(("roles", "chosen"), [(1, True), (2, False)])
def test_of_several_roles_of_a_name_that_is_gone_a_person_chooses(roles: int, chosen: bool) -> None:
    found = tuple((RoleSummary(f"{ROLE}-{number}", TRUST), "reader-sa") for number in range(roles))
    change = around(account=annotated(), role=Unreadable("no"), pods=(bare_pod(),), renamed=found)
    (item,) = (item for item in judge(change(working())) if item.verdict is Verdict.PROBLEM)
    assert item.cause.id == "service-account-renamed"
    lines = item.judgement.fix.splitlines()
    assert all(role.arn in item.judgement.fix for role, _ in found)
    assert all(line.startswith("#") for line in lines) is not chosen


HELM = "meta.helm.sh/release-name"
WORKER = account(name="airflow-worker", annotations={HELM: "airflow"})
LONELY = account(annotations={ROLE_ARN: ROLE, HELM: "airflow"})
WORKING = bare_pod(
    name="airflow-worker-0",
    owner="StatefulSet/airflow-worker",
    labels={},
    service_account="airflow-worker",
)


def of_release(subject: ServiceAccount, *pods: Pod, **fields: Any) -> Facts:
    """One of two ServiceAccounts of a release: one has a role, the pods use the other."""
    named = around(name=subject.name, account=subject, pods=pods, **fields)
    return both(named, of_cluster(accounts=(LONELY, WORKER)))(working())


def said(facts: Facts, cause: str = "pod-service-account") -> Finding:
    return next(item for item in judge(facts) if item.cause.id == cause)


def test_one_with_a_role_and_its_neighbour_without_are_one_cause_from_both_sides() -> None:
    lonely = said(of_release(LONELY, WORKING))
    assert (lonely.verdict, lonely.judgement.decides) == (Verdict.UNKNOWN, True)
    assert ("pods use", "airflow-worker") in lonely.judgement.evidence
    neighbour = of_release(WORKER, WORKING, role=Unreadable("names no role"))
    found = [item for item in judge(neighbour) if item.verdict is Verdict.PROBLEM]
    assert [item.cause.id for item in found] == ["pod-service-account"]
    assert ("with role", "reader") in found[0].judgement.evidence
    assert "set serviceaccount statefulset airflow-worker reader" in found[0].judgement.fix
    assert all(line.startswith("#") for line in found[0].judgement.fix.splitlines())


@pytest.mark.parametrize(
    "facts",
    [
        of_release(LONELY, WORKING, pod()),  # It is used.
        of_release(LONELY, replace(WORKING, service_account="other")),
        of_release(replace(LONELY, annotations={ROLE_ARN: ROLE}), WORKING),
        of_release(LONELY, replace(WORKING, phase="Succeeded")),
    ],
)
def test_others_are_not_taken_for_a_neighbour_without_a_role(facts: Facts) -> None:
    assert not said(facts).judgement.decides


def test_a_role_that_allows_the_neighbour_itself_is_what_was_meant() -> None:
    facts = of_release(WORKER, WORKING, role=Unreadable("names no role"), candidates=(SUMMARY,))
    assert said(facts, "annotation-missing").verdict is Verdict.PROBLEM
    assert said(facts).verdict is Verdict.OK


WILD = condition(
    StringLike={"sub": SUBJECT.replace("reader", "*")}, StringEquals={"aud": "sts.amazonaws.com"}
)


def test_bare_pods_that_a_pattern_allows_are_a_hint_among_many_and_no_all_clear() -> None:
    seen = Seen((PLAIN,), (bare_pod(),), (RoleSummary(ROLE, WILD),), PROVIDER)
    facts = both(around(account=PLAIN, pods=(bare_pod(),)), of_cluster(within="backend"))(working())
    assert seen.allowed(facts) == (PLAIN,)
    for other in (
        replace(seen, pods=(pod(),)),
        replace(seen, accounts=(account(),)),
        replace(seen, roles=()),
    ):
        assert other.allowed(facts) == ()
    facts = replace(facts, subject=replace(facts.named, candidates=seen.roles, role=Unreadable("none")))
    found = judge(facts)
    assert Verdict.PROBLEM not in {item.verdict for item in found}
    assert said(facts, "annotation-missing").judgement.hints
    whole = Diagnosis(CLUSTER, (), accounts=(examined(facts, found),))
    assert (whole.exit_code, verdict_line(whole)) == (
        0,
        "No problem was found. There are hints for backend/reader: run irsa doctor NAME.",
    )
