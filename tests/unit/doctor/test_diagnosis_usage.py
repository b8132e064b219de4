"""Who uses a ServiceAccount, who was to, and which ones lost their role."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.cli.output.results.doctor import verdict_line
from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.clues.usage import Seen, gone_names, is_near, namesakes
from irsa_cli.core.doctor.diagnosis import Diagnosis, examined, judge
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.doctor.subjects import PULL_ROLE
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
    container,
    listed,
    of_cluster,
    pod,
    working,
)
from tests.unit.doctor.diagnosis_cases import APART, POD_IDENTITY, nameless, with_bare, with_pod

NEAR = """reader reader-sa
efs-csi-controller-sa efs-csi-node-sa
s3-reader s3-raeder
external-dns external-dns-irsa"""
FAR = """external-dns external-secrets
reader default
reader reader
web api
worker-a worker-b
worker-1 worker-2
web web-worker"""


def test_names_that_are_variants_of_each_other() -> None:
    for pair in (*NEAR.splitlines(), *FAR.splitlines()):
        one, other = pair.split()
        assert is_near(one, other) is is_near(other, one) is (pair in NEAR.splitlines()), pair


def problems(facts: Facts) -> list[str]:
    return [item.cause.id for item in judge(facts) if item.verdict is Verdict.PROBLEM]


RELEASE, CACHE = "app.kubernetes.io/instance", "reader-cache"
OWN_ROLE = account(name="other", annotations={ROLE_ARN: f"{ROLE}-2"})


@pytest.mark.parametrize(
    "change",
    [
        # A neighbour of the same release with a role, or an identity, of its own.
        both(with_bare(service_account="other"), of_cluster(accounts=(account(), OWN_ROLE))),
        with_pod(service_account="other"),
        around(pods=(replace(POD_IDENTITY, service_account="other"),)),
        # One that has a ServiceAccount of its own name, without a role.
        with_bare(name="reader-cache-0", labels={RELEASE: "reader"}, service_account=CACHE),
        # Another application.
        with_bare(**APART, service_account="web"),
        with_bare(**APART, service_account="default"),
        # It is used, and others in the namespace have no role.
        around(pods=(pod(), bare_pod(service_account="default"))),
        around(pods=(pod(), bare_pod(service_account="reader-sa"))),
        # The old pods of a workload that was put right end.
        around(pods=(pod(), bare_pod(service_account="default", ending=True))),
        with_bare(service_account="default", phase="Succeeded"),
    ],
)
def test_neighbours_are_not_told_to_change(change: Change) -> None:
    assert problems(change(working())) == []


def test_a_namesake_is_looked_for_where_nobody_uses_the_account() -> None:
    there = of_cluster(accounts=(account(), account(namespace="front", annotations={})))
    assert namesakes(there(working())) == ()
    assert namesakes(both(there, around(pods=()))(working())) == ("front",)
    of_its_own = of_cluster(accounts=(account(), account(namespace="front")))
    assert namesakes(both(of_its_own, around(pods=()))(working())) == ()


PLAIN = account(annotations={})
RENAMED = account(name="reader-sa", annotations={})
SUMMARY = listed(ROLE, TRUST)
WILD = condition(
    StringLike={"sub": SUBJECT.replace("reader", "*")}, StringEquals={"aud": "sts.amazonaws.com"}
)


def seen(
    account: ServiceAccount = PLAIN, pods: Any = (), roles: Any = (), provider: str = PROVIDER, used: Any = ()
) -> Seen:
    """One ServiceAccount, these pods, and the roles that admit some."""
    return Seen((account,), pods, roles, provider, frozenset(used))


BARE, ADMITTING = (bare_pod(),), (SUMMARY,)
LOST = [
    seen(PLAIN, BARE, ADMITTING),
    seen(PLAIN, (pod(),)),
    seen(PLAIN, (bare_pod(annotations={ROLE_ARN: ROLE}),)),
    seen(annotated(role_anr=ROLE)),
    seen(RENAMED, (bare_pod(service_account="reader-sa"),), ADMITTING),
]
NOT_LOST = [
    seen(PLAIN, BARE),
    seen(PLAIN, (), ADMITTING),
    seen(PLAIN, BARE, ADMITTING, f"{PROVIDER}X"),
    seen(PLAIN, BARE, ADMITTING, used=[("backend", "reader")]),
    seen(PLAIN, (POD_IDENTITY,), ADMITTING),
    seen(PLAIN, Unreadable("no"), Unreadable("no")),
    seen(account(), BARE, ADMITTING),
    seen(PLAIN, (pod(volumes=()),)),
    # A role for everybody tells of no account.
    seen(PLAIN, BARE, (listed(ROLE, WILD),)),
]


def test_accounts_that_lost_their_role() -> None:
    for item in (*LOST, *NOT_LOST):
        assert bool(item.lost()) is (item in LOST), item


def test_a_role_of_an_account_that_is_gone() -> None:
    for accounts, namespace, gone in (
        ((RENAMED,), "backend", ((SUMMARY, "reader"),)),
        ((RENAMED, PLAIN), "backend", ()),
        ((RENAMED,), "front", ()),
    ):
        assert gone_names(accounts, ADMITTING, PROVIDER, (namespace, "reader-sa")) == gone


def test_of_several_roles_of_a_name_that_is_gone_a_person_chooses() -> None:
    for roles, chosen in ((1, True), (2, False)):
        found = tuple((listed(f"{ROLE}-{number}", TRUST), "reader-sa") for number in range(roles))
        facts = nameless(bare_pod(), renamed=found)(working())
        assert problems(facts) == ["service-account-renamed"]
        fix = said(facts, "service-account-renamed").judgement.fix
        assert all(role.arn in fix for role, _ in found)
        # Nothing in IAM says that even one of them is meant: without it, a restart is of no use.
        assert all(line.startswith("#") for line in fix.splitlines())
        assert ("rollout restart" in fix) is chosen


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
    assert problems(neighbour) == ["pod-service-account"]
    judged = said(neighbour).judgement
    assert ("with role", "reader") in judged.evidence
    assert "set serviceaccount statefulset airflow-worker reader" in judged.fix
    assert all(line.startswith("#") for line in judged.fix.splitlines())


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


def test_bare_pods_that_a_pattern_allows_are_a_hint_among_many_and_no_all_clear() -> None:
    wild = seen(PLAIN, BARE, (listed(ROLE, WILD),))
    facts = both(around(account=PLAIN, pods=BARE), of_cluster(within="backend"))(working())
    assert wild.allowed(facts) == (PLAIN,)
    for other in ({"pods": (pod(),)}, {"accounts": (account(),)}, {"roles": ()}):
        assert replace(wild, **other).allowed(facts) == ()
    facts = around(candidates=wild.roles, role=Unreadable("none"))(facts)
    found = judge(facts)
    assert problems(facts) == []
    assert said(facts, "annotation-missing").judgement.hints
    whole = Diagnosis(CLUSTER, (), accounts=(examined(facts, found),))
    assert whole.exit_code == 0
    assert verdict_line(whole) == (
        "No problem was found. There are hints for backend/reader: run irsa doctor NAME."
    )


def pulled(image: str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1", **fields: Any) -> Pod:
    """A pod without an identity, and perhaps with nothing that tells of AWS."""
    settings: dict[str, Any] = {"env": {}, "mounts": {}, "image": image}
    return bare_pod(containers=(container(**{**settings, **fields}),))


BY_KUBELET = account(annotations={PULL_ROLE: ROLE})
FOR_PULLS = (listed(ROLE, TRUST),)


@pytest.mark.parametrize(
    ("fields", "is_problem"),
    [
        ({"account": BY_KUBELET, "candidates": FOR_PULLS}, False),
        ({"account": account(annotations={}, pulls_images=True)}, False),
        ({"account": annotated(), "pods": (replace(pulled(), waiting="ImagePullBackOff"),)}, False),
        ({"account": annotated()}, True),
        ({"account": BY_KUBELET, "candidates": (listed(f"{ROLE}-2", TRUST),)}, True),
        ({"account": account(annotations={}, pulls_images=True), "candidates": FOR_PULLS}, True),
        ({"account": BY_KUBELET, "pods": (pulled(env={"AWS_REGION": "eu-west-1"}),)}, True),
        ({"account": BY_KUBELET, "pods": (pulled(arguments=("--bucket=arn:aws:s3:::web",)),)}, True),
        ({"account": account(annotations={}, pulls_images=True), "pods": (pulled("aws-cli:2"),)}, True),
    ],
)
def test_one_that_only_pulls_images_is_given_no_role(fields: dict[str, Any], is_problem: bool) -> None:
    change = nameless(**{"pods": (pulled(),), "candidates": (), **fields})
    judgement = CAUSES["annotation-missing"].judge(change(working()))
    assert (judgement.verdict is Verdict.PROBLEM) is is_problem
    assert is_problem or (judgement.decides and not judgement.fix)
    # The role for pulls is for kubelet, whatever its trust policy names.
    proposed = f"{ROLE_ARN}={ROLE}" in judgement.fix.split()
    assert not (proposed and fields["account"] is BY_KUBELET)
    among_many = CAUSES["annotation-missing"].judge(replace(change(working()), within=""))
    assert is_problem or among_many.hints
