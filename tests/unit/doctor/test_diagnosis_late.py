"""What comes late: containers that were added after the webhook was asked, associations that it learns of.

And ServiceAccounts that are gone while their pods run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.clues.usage import Seen
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
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
    listed,
    pod,
    working,
)
from tests.unit.doctor.diagnosis_cases import (
    POD_IDENTITY,
    UNSHOWN,
    own_token,
    pod_identity,
    verdicts,
    with_pod,
)

MISSED = "pod-container-missed"
SKIP = "eks.amazonaws.com/skip-containers"


def beside(**fields: object) -> Change:
    """A pod with a web identity, in which a container has nothing of it."""
    return around(pods=(pod(containers=(container(), container(**{"name": "agent", "env": {}, **fields}))),))


def test_a_container_without_what_the_others_have_is_a_hint_and_no_problem() -> None:
    more = replace(POD_IDENTITY, containers=(*POD_IDENTITY.containers, container(name="a", env={})))
    for change in (
        beside(),
        beside(init=True),
        beside(env={"AWS_REGION": "eu-west-1"}),
        pod_identity(pods=(more,)),
    ):
        found = verdicts(change)
        assert found[MISSED] is Verdict.UNKNOWN
        assert Verdict.PROBLEM not in found.values()


def test_a_container_that_needs_none_is_no_hint() -> None:
    proxies = (container(), container(name="proxy", env={}))
    for change in (
        around(),
        beside(name="istio-proxy"),
        beside(name="linkerd-init", init=True),
        beside(env={"AWS_ACCESS_KEY_ID": None}),
        with_pod(annotations={SKIP: "app, proxy"}, containers=proxies),
        own_token(),
    ):
        assert verdicts(change)[MISSED] is Verdict.OK


def test_of_pods_without_any_identity_other_causes_tell() -> None:
    found = verdicts(around(pods=(bare_pod(),)))
    assert (found[MISSED], found["pod-missed"]) == (Verdict.UNKNOWN, Verdict.PROBLEM)


def test_the_webhook_may_not_know_a_new_association_yet() -> None:
    for age, verdict in ((timedelta(seconds=30), Verdict.UNKNOWN), (timedelta(hours=1), Verdict.PROBLEM)):
        new = Association("a-1", ROLE, NOW - age)
        found = verdicts(pod_identity(association=new, probe=UNSHOWN, pods=()))
        assert found["webhook-failing"] is verdict
    assert verdicts(pod_identity())["webhook-failing"] is Verdict.OK


def seen(*pods: Pod, roles: tuple[Role, ...] | Unreadable = ()) -> Seen:
    """All that there is, in a cluster without any ServiceAccount."""
    return Seen((), pods, roles, PROVIDER)


def test_of_a_service_account_that_is_gone_its_pods_tell() -> None:
    admitting, gone = (listed(ROLE, TRUST),), (("backend", "reader"),)
    for item, orphaned in (
        (seen(pod()), gone),
        (seen(POD_IDENTITY), gone),
        (seen(bare_pod()), ()),
        (seen(bare_pod(), roles=admitting), gone),
        (seen(bare_pod(), roles=Unreadable("not permitted")), ()),
        (seen(pod(phase="Succeeded"), pod(ending=True)), ()),
        (replace(seen(pod()), accounts=(account(),)), ()),
        # Pods that could not be listed tell nothing.
        (Seen((), Unreadable("not permitted"), admitting, PROVIDER), ()),
    ):
        assert item.orphaned() == orphaned


@pytest.mark.parametrize("written", [None, timedelta(hours=2), timedelta(minutes=5)])
def test_of_two_workloads_only_the_one_that_the_webhook_missed_is_restarted(
    written: timedelta | None,
) -> None:
    """A pod with the role shows that the annotation was there, whenever it was written last."""
    missed = bare_pod(name="batch-0", owner="StatefulSet/batch", created=NOW - timedelta(minutes=30))
    older = bare_pod(name="old-0", owner="StatefulSet/old", created=NOW - timedelta(hours=3))
    time = None if written is None else NOW - written
    facts = around(account=account(annotated=time), pods=(pod(), missed, older))(working())
    judgement = CAUSES["pod-missed"].judge(facts)
    evidence = dict(judgement.evidence)
    assert (evidence["workloads"], evidence["pods"]) == ("StatefulSet/batch", "batch-0")
    assert evidence["not affected"] == "Deployment/reader"
    assert judgement.fix == "kubectl -n backend rollout restart statefulset/batch"
    assert "old-0" in dict(CAUSES["pod-older-than-annotation"].judge(facts).evidence)["pods"]
