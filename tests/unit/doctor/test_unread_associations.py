"""Where associations of EKS Pod Identity are not read: what may be one is no problem and no all-clear."""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.doctor.diagnosis import judge, undecided
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import ROLE, annotated, around, bare_pod, both, of_cluster, pod, role, working
from tests.unit.doctor.diagnosis_cases import ADMITTING, ASSUMING, POD_IDENTITY, for_service

HIDDEN = around(association=Unreadable("missing permission: eks:ListPodIdentityAssociations"))
NAMELESS = around(account=annotated(), role=Unreadable("no role is named", follows=True), candidates=())


def said(facts: Facts) -> tuple[list[str], list[str]]:
    """The problems, and what can't be told although all hangs on it."""
    found = judge(facts)
    problems = [item.cause.id for item in found if item.verdict is Verdict.PROBLEM]
    return problems, [item.cause.id for item in undecided(facts, found)]


def test_pods_beside_an_annotation() -> None:
    """Those of Pod Identity are suspect, and those with the annotation's role in order."""
    for pods, suspect in (
        ((POD_IDENTITY,), True),
        ((pod(),), False),
        ((pod(), bare_pod(service_account="other")), False),
    ):
        problems, decisive = said(both(around(pods=pods), HIDDEN)(working()))
        assert problems == []
        assert ("pod-identity-association" in decisive) is suspect
        assert suspect or decisive == []


def test_without_an_annotation_an_association_may_give_the_role() -> None:
    for change, cause in (
        (around(pods=(POD_IDENTITY,)), "annotation-missing"),
        (around(pods=(bare_pod(),)), "annotation-missing"),
        (around(pods=()), "annotation-missing"),
        (around(pods=(), candidates=ADMITTING), "annotation-missing"),
        (both(of_cluster(provider=None, providers=()), around(pods=(bare_pod(),))), "annotation-missing"),
        # A pod that still has the annotation's role may be from before an association.
        (around(), "annotation-removed"),
    ):
        problems, decisive = said(both(NAMELESS, change, HIDDEN)(working()))
        assert problems == []
        assert cause in decisive


def test_an_annotation_in_the_wrong_place_is_one_whatever_can_not_be_read() -> None:
    marked = around(pods=(bare_pod(annotations={ROLE_ARN_ANNOTATION: "arn:aws:iam::111122223333:role/x"}),))
    assert said(both(NAMELESS, marked, HIDDEN)(working()))[0] == ["annotation-place"]


def test_what_is_left_of_an_annotation_is_no_alarm_beside_an_association() -> None:
    there = around(
        association=Association("a-1", ROLE),
        association_role=role(trust=for_service(*ASSUMING)),
        agent=True,
        probe=POD_IDENTITY,
    )
    for change in (
        around(pods=(pod(),)),
        around(pods=(POD_IDENTITY,), account=annotated(role_anr="arn:aws:iam::111122223333:role/x")),
        around(pods=(replace(POD_IDENTITY, annotations={ROLE_ARN_ANNOTATION: "x"}),)),
    ):
        assert said(both(NAMELESS, there, change)(working()))[0] == []
