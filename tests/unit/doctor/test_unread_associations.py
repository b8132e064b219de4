"""Where associations of EKS Pod Identity are not read: what may be one is no problem and no all-clear."""

from __future__ import annotations

from dataclasses import replace

import pytest

from irsa_cli.core.doctor.diagnosis import judge, undecided
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import ROLE, Change, annotated, around, bare_pod, both, of_cluster, pod, role, working
from tests.unit.doctor.diagnosis_cases import ADMITTING, ASSUMING, POD_IDENTITY, for_service

HIDDEN = around(association=Unreadable("missing permission: eks:ListPodIdentityAssociations"))
NAMELESS = around(account=annotated(), role=Unreadable("no role is named", follows=True), candidates=())


def said(facts: Facts) -> tuple[list[str], list[str]]:
    """The problems, and what can't be told although all hangs on it."""
    found = judge(facts)
    problems = [item.cause.id for item in found if item.verdict is Verdict.PROBLEM]
    return problems, [item.cause.id for item in undecided(facts, found)]


def test_pods_of_pod_identity_beside_an_annotation_are_suspect() -> None:
    problems, decisive = said(both(around(pods=(POD_IDENTITY,)), HIDDEN)(working()))
    assert problems == []
    assert "pod-identity-association" in decisive


@pytest.mark.parametrize(
    "change",
    [
        around(pods=(pod(),)),
        around(pods=(pod(), bare_pod(service_account="other"))),
    ],
)
def test_pods_with_the_annotations_role_are_in_order(change: Change) -> None:
    assert said(both(change, HIDDEN)(working())) == ([], [])


@pytest.mark.parametrize(
    "change",
    [
        around(pods=(POD_IDENTITY,)),
        around(pods=(bare_pod(),)),
        around(pods=()),
        around(pods=(), candidates=ADMITTING),
        both(of_cluster(provider=None, providers=()), around(pods=(bare_pod(),))),
    ],
)
def test_without_an_annotation_an_association_may_give_the_role(change: Change) -> None:
    problems, decisive = said(both(NAMELESS, change, HIDDEN)(working()))
    assert problems == []
    assert "annotation-missing" in decisive


def test_a_pod_that_still_has_the_annotations_role_may_be_from_before_an_association() -> None:
    problems, decisive = said(both(NAMELESS, HIDDEN)(working()))
    assert problems == []
    assert "annotation-removed" in decisive


def test_an_annotation_in_the_wrong_place_is_one_whatever_can_not_be_read() -> None:
    marked = around(pods=(bare_pod(annotations={ROLE_ARN_ANNOTATION: "arn:aws:iam::111122223333:role/x"}),))
    assert said(both(NAMELESS, marked, HIDDEN)(working()))[0] == ["annotation-place"]


@pytest.mark.parametrize(
    "change",
    [
        around(pods=(pod(),)),
        around(pods=(POD_IDENTITY,), account=annotated(role_anr="arn:aws:iam::111122223333:role/x")),
        around(pods=(replace(POD_IDENTITY, annotations={ROLE_ARN_ANNOTATION: "x"}),)),
    ],
)
def test_what_is_left_of_an_annotation_is_no_alarm_beside_an_association(change: Change) -> None:
    there = around(
        association=Association("a-1", ROLE),
        association_role=role(trust=for_service(*ASSUMING)),
        agent=True,
        probe=POD_IDENTITY,
    )
    assert said(both(NAMELESS, there, change)(working()))[0] == []
