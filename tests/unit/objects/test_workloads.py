"""What makes pods with a ServiceAccount counts as its user, also while it has none."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.core.objects.kinds import KINDS, Pod
from irsa_cli.core.objects.workloads import Workload, workload
from irsa_cli.core.planning.delete import deletion
from irsa_cli.core.planning.deletion_checks import Users, check
from irsa_cli.core.values.errors import Refused
from tests.unit.planning.test_deleting import BOUND

POD = {"template": {"spec": {"serviceAccountName": "app"}}}


def body(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w", **metadata}, "spec": spec}


def refused(*workloads: Workload, pods: tuple[Pod, ...] = ()) -> str:
    try:
        check(BOUND, deletion(BOUND), Users(pods=pods, workloads=workloads))
    except Refused as error:
        return " ".join((str(error), *error.details))
    return ""


def test_who_uses_it_now_is_stopped_and_what_makes_pods_is_deleted_first() -> None:
    pod, waiting = Pod("backend", "p", service_account="app"), workload("Deployment", body(POD))
    for users, step in (
        (Users(pods=(pod,)), "stop these pods"),
        (Users(workloads=(waiting,)), "delete these"),
    ):
        with pytest.raises(Refused) as refusal:
            check(BOUND, deletion(BOUND), users)
        assert refusal.value.next_steps[0].startswith(step)


@pytest.mark.parametrize("kind", KINDS.values())
def test_the_service_account_of_each_kind_is_read(kind: str) -> None:
    spec = {"jobTemplate": {"spec": POD}} if kind == "CronJob" else POD
    found = workload(kind, body(spec))
    assert (found.service_account, found.full_name, found.is_counted) == ("app", f"{kind}/w", True)
    assert f"{kind}/w" in refused(found)
    assert not refused(workload(kind, body({})))
    old = {"template": {"spec": {"serviceAccount": "app"}}}
    spec = {"jobTemplate": {"spec": old}} if kind == "CronJob" else old
    assert workload(kind, body(spec)).service_account == "app"


def test_what_another_one_makes_is_told_by_that_one() -> None:
    def owned(kind: str) -> Workload:
        owner = {"kind": kind, "name": "o", "controller": True}
        return workload("ReplicaSet", body(POD, ownerReferences=[owner]))

    assert not refused(owned("Deployment"))
    assert refused(owned("Rollout"))  # Nobody has looked at Rollouts.


def test_a_job_that_has_ended_makes_no_pods_any_more() -> None:
    job = body(POD)
    for kind, counted in (("Complete", False), ("Failed", False), ("Suspended", True)):
        ended = {**job, "status": {"conditions": [{"type": kind, "status": "True"}]}}
        assert bool(refused(workload("Job", ended))) is counted


def test_what_has_pods_that_are_named_is_not_named_twice() -> None:
    pod = Pod("apps", "w-1", "app", phase="Running", owner="StatefulSet/w")
    told = refused(workload("StatefulSet", body(POD)), pods=(pod,))
    assert told.count("StatefulSet/w") == 1
