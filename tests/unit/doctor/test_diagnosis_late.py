"""What comes late: containers that were added after the webhook was asked, associations that it learns of.

And ServiceAccounts that are gone while their pods run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from irsa_cli.core.doctor.clues.usage import Seen
from irsa_cli.core.doctor.diagnosis import judge
from irsa_cli.core.doctor.facts import RoleSummary
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import (
    NOW,
    PROVIDER,
    ROLE,
    TRUST,
    Change,
    account,
    around,
    bare_pod,
    container,
    pod,
    working,
)
from tests.unit.doctor.diagnosis_cases import POD_IDENTITY, UNSHOWN, own_token, pod_identity

MISSED = "pod-container-missed"
SKIP = "eks.amazonaws.com/skip-containers"


def verdicts(change: Change) -> dict[str, Verdict]:
    return {item.cause.id: item.verdict for item in judge(change(working()))}


def beside(**fields: object) -> Change:
    """A pod with a web identity, in which a container has nothing of it."""
    return around(pods=(pod(containers=(container(), container(**{"name": "agent", "env": {}, **fields}))),))


@pytest.mark.parametrize(
    "change",
    [
        beside(),
        beside(init=True),
        beside(env={"AWS_REGION": "eu-west-1"}),
        pod_identity(
            pods=(replace(POD_IDENTITY, containers=(*POD_IDENTITY.containers, container(name="a", env={}))),)
        ),
    ],
)
def test_a_container_without_what_the_others_have_is_a_hint_and_no_problem(change: Change) -> None:
    found = verdicts(change)
    assert found[MISSED] is Verdict.UNKNOWN
    assert Verdict.PROBLEM not in found.values()


@pytest.mark.parametrize(
    "change",
    [
        around(),
        beside(name="istio-proxy"),
        beside(name="linkerd-init", init=True),
        beside(env={"AWS_ACCESS_KEY_ID": None}),
        around(
            pods=(
                pod(
                    annotations={SKIP: "app, proxy"},
                    containers=(container(), container(name="proxy", env={})),
                ),
            )
        ),
        own_token(),
    ],
)
def test_a_container_that_needs_none_is_no_hint(change: Change) -> None:
    assert verdicts(change)[MISSED] is Verdict.OK


def test_of_pods_without_any_identity_other_causes_tell() -> None:
    assert verdicts(around(pods=(bare_pod(),)))[MISSED] is Verdict.UNKNOWN
    assert verdicts(around(pods=(bare_pod(),)))["pod-missed"] is Verdict.PROBLEM


def test_the_webhook_may_not_know_a_new_association_yet() -> None:
    for age, verdict in ((timedelta(seconds=30), Verdict.UNKNOWN), (timedelta(hours=1), Verdict.PROBLEM)):
        new = Association("a-1", ROLE, NOW - age)
        found = verdicts(pod_identity(association=new, probe=UNSHOWN, pods=()))
        assert found["webhook-failing"] is verdict
    assert verdicts(pod_identity())["webhook-failing"] is Verdict.OK


def seen(*pods: Pod, roles: tuple[RoleSummary, ...] | Unreadable = ()) -> Seen:
    """All that there is, in a cluster without any ServiceAccount."""
    return Seen((), pods, roles, PROVIDER)


def test_of_a_service_account_that_is_gone_its_pods_tell() -> None:
    given = pod()
    assert seen(given).orphaned() == ((given.namespace, given.service_account),)
    assert seen(POD_IDENTITY).orphaned() == ((POD_IDENTITY.namespace, POD_IDENTITY.service_account),)
    assert seen(bare_pod()).orphaned() == ()
    assert seen(bare_pod(), roles=(RoleSummary(ROLE, TRUST),)).orphaned() == (("backend", "reader"),)
    assert seen(bare_pod(), roles=Unreadable("not permitted")).orphaned() == ()
    assert seen(pod(phase="Succeeded"), pod(ending=True)).orphaned() == ()
    assert replace(seen(given), accounts=(account(),)).orphaned() == ()


def test_pods_that_could_not_be_listed_tell_nothing() -> None:
    assert Seen((), Unreadable("not permitted"), (RoleSummary(ROLE, TRUST),), PROVIDER).orphaned() == ()
