"""Pods that could not be created: what events tell of it, and what is past."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.causes.service_account import can_decide, missing_account
from irsa_cli.core.doctor.diagnosis import judge
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.doctor.reported import Maker, failures, maker, refused
from irsa_cli.core.objects.workloads import RefusedPod
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import NOW, Change, around, bare_pod, pod, webhook, working
from tests.unit.doctor.diagnosis_cases import MISSING, pod_identity
from tests.unit.doctor.diagnosis_cases import refused as refusing

Json = dict[str, Any]
WHY = 'pods "web-5f-" is forbidden: exceeded quota: compute'


def event(kind: str = "ReplicaSet", name: str = "web-5f", **parts: Any) -> Json:
    about = {"kind": kind, "name": name, "namespace": "backend", "uid": "u-1"}
    told = {"message": f"Error creating: {WHY}", "lastTimestamp": "2026-05-01T11:00:00Z"}
    return {"metadata": {"name": "e", "namespace": "backend"}, "involvedObject": about, **told, **parts}


def making(spec: Json, status: Json | None = None, kind: str = "ReplicaSet", **metadata: Any) -> Maker:
    template = {"spec": {"serviceAccountName": "reader"}}
    whole = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    body = {"metadata": {"name": "web-5f", "uid": "u-1", **metadata}, "spec": {**whole, **spec}}
    return maker(kind, {**body, "status": status or {}})


def found(change: Change, identifier: str = "pod-not-created") -> Finding:
    return next(item for item in judge(change(working())) if item.cause.id == identifier)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (f"Error creating: {WHY}", WHY),
        (f"Error creating job: {WHY}", WHY),
        (f"create Pod web-0 in StatefulSet web failed error: {WHY}", WHY),
        (WHY, WHY),
        ("token eyJhbGciOiJSUzI1NiJ9.e30.x is bad", "token … is bad"),
    ],
)
def test_the_words_of_the_api_server(message: str, why: str) -> None:
    assert failures([event(message=message)])[0].why == why


def test_the_newest_event_of_an_object_counts() -> None:
    newer = event(message="Error creating: other", lastTimestamp=None, eventTime="2026-05-01T11:30:00Z")
    series = event(
        message="Error creating: third",
        lastTimestamp=None,
        series={"lastObservedTime": "2026-05-01T11:40:00.123456Z"},
    )
    for told, why in (([event(), newer], "other"), ([newer, event()], "other"), ([series, newer], "third")):
        assert [item.why for item in failures(told)] == [why]
    assert len(failures([event(), event(name="web-6a"), event(kind="Job")])) == 3


@pytest.mark.parametrize(
    ("kind", "spec", "status", "pods"),
    [
        ("ReplicaSet", {"replicas": 2}, {}, "0 of 2"),
        ("ReplicaSet", {}, {"replicas": 0}, "0 of 1"),
        ("ReplicaSet", {"replicas": 2}, {"replicas": 2}, None),
        ("ReplicaSet", {"replicas": 0}, {}, None),
        ("ReplicationController", {"replicas": 2}, {"replicas": 1}, "1 of 2"),
        ("StatefulSet", {"replicas": 3}, {"replicas": 1}, "1 of 3"),
        ("DaemonSet", {}, {"desiredNumberScheduled": 4, "currentNumberScheduled": 3}, "3 of 4"),
        ("DaemonSet", {}, {"desiredNumberScheduled": 4, "currentNumberScheduled": 4}, None),
        ("Job", {}, {}, "0 of 1"),
        ("Job", {"parallelism": 3, "completions": 5}, {"succeeded": 4}, "0 of 1"),
        ("Job", {"parallelism": 3}, {"active": 3}, None),
        ("Job", {"suspend": True}, {}, None),
        ("Job", {}, {"conditions": [{"type": "Complete", "status": "True"}]}, None),
        ("CronJob", {}, {}, ""),
        ("CronJob", {}, {"lastScheduleTime": "2026-05-01T11:05:00Z"}, None),
        ("CronJob", {"suspend": True}, {}, None),
    ],
)
def test_who_lacks_pods(kind: str, spec: Json, status: Json, pods: str | None) -> None:
    told = failures([event(kind=kind)])
    lacking = refused(told, {kind: (making(spec, status, kind),)})
    assert [item.pods for item in lacking] == ([] if pods is None else [pods])
    assert all((item.service_account, item.root) == ("reader", f"{kind}/web-5f") for item in lacking)


def test_an_event_of_what_is_gone_is_past() -> None:
    told = failures([event()])
    assert refused(told, {"ReplicaSet": ()}) == ()
    assert refused(told, {"ReplicaSet": (making({"replicas": 1}, uid="u-2"),)}) == ()


def test_what_a_replica_set_belongs_to() -> None:
    owners = [{"kind": "Deployment", "name": "web", "controller": True}]
    (item,) = refused(failures([event()]), {"ReplicaSet": (making({}, ownerReferences=owners),)})
    assert (item.maker, item.root) == ("ReplicaSet/web-5f", "Deployment/web")


def test_makers_that_can_not_be_read_or_known_are_not_nobody() -> None:
    (item,) = refused(failures([event()]), {"ReplicaSet": Unreadable("not permitted")})
    assert (item.service_account, item.hidden) == (None, "not permitted")
    (item,) = refused(failures([event(kind="TaskRun")]), {})
    assert (item.service_account, item.hidden) == (None, "not a built-in Kubernetes kind")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2)
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("message", "lastTimestamp", "eventTime"), JSON)))
def test_any_words_and_times_are_read(parts: Json) -> None:
    assert len(failures([event(**parts)])) == 1


@pytest.mark.parametrize(
    ("why", "name"),
    [
        (MISSING.format("reader"), "reader"),
        (
            "service account backend/reader was not found, retry after the service account is created",
            "reader",
        ),
        (WHY, ""),
    ],
)
def test_the_account_that_is_missing(why: str, name: str) -> None:
    assert missing_account(why) == name


def test_a_pod_that_was_made_since_ends_it() -> None:
    later = bare_pod(owner="ReplicaSet/reader-5f", created=NOW + timedelta(seconds=1), phase="Failed")
    assert found(refusing(WHY, (later,))).verdict is Verdict.OK
    earlier = bare_pod(owner="ReplicaSet/reader-5f", created=NOW - timedelta(seconds=1), phase="Failed")
    assert found(refusing(WHY, (earlier,))).verdict is Verdict.PROBLEM


def test_what_others_lack_is_not_its_own() -> None:
    assert found(refusing(WHY, service_account="other")).verdict is Verdict.OK
    assert found(
        refusing(MISSING.format("other"), service_account="other", root="Deployment/web")
    ).verdict is (Verdict.OK)
    used = refusing(MISSING.format("reader-sa"), (pod(),), service_account="reader-sa")
    assert found(used).verdict is Verdict.OK


@pytest.mark.parametrize(("root", "decides"), [("Deployment/reader", True), ("Deployment/web", False)])
def test_a_maker_that_can_not_be_read_is_no_answer(root: str, decides: bool) -> None:
    item = found(refusing(WHY, service_account=None, hidden="not permitted", root=root))
    assert (item.verdict, item.judgement.decides) == (Verdict.UNKNOWN, decides)
    assert ("unreadable", "not permitted") in item.judgement.evidence


def test_events_that_can_not_be_read_are_no_answer() -> None:
    item = found(around(pods=(), refused=Unreadable("not permitted")))
    assert (item.verdict, item.judgement.text) == (Verdict.UNKNOWN, "not permitted")


def test_the_webhook_that_fails_is_a_cause_of_its_own() -> None:
    why = f'Internal error occurred: failed calling webhook "{webhook().name}": failed to call webhook'
    facts = refusing(why)(working())
    probed = around(probe=Unreadable(f"create pods: {why}"))(facts)
    names = [item.cause.id for item in judge(probed) if item.verdict is Verdict.PROBLEM]
    assert names == ["webhook-failing"]
    alone = [item.cause.id for item in judge(facts) if item.verdict is Verdict.PROBLEM]
    assert alone == ["pod-not-created"]


def test_no_pod_seen_waits_for_them_to_be_created() -> None:
    assert found(refusing(WHY), "pod-unseen").judgement.follows
    assert not found(around(pods=()), "pod-unseen").judgement.follows


def test_where_events_decide() -> None:
    assert not can_decide(working())
    assert not can_decide(pod_identity()(working()))
    assert not can_decide(around(account=None, pods=())(working()))
    for pods in ((), (bare_pod(),), (pod(phase="Pending"),), (pod(ending=True),), Unreadable("no")):
        assert can_decide(around(pods=pods)(working()))


PSP = 'pods "web-" is forbidden: '
ANY = "unable to validate against any"


@pytest.mark.parametrize(
    ("why", "text", "fix"),
    [
        (
            f"{PSP}{ANY} pod security policy: projected volumes are not allowed",
            "projected volumes, which the token needs",
            "kubectl get podsecuritypolicies -o yaml",
        ),
        (
            f'{PSP}{ANY} pod security policy: [spec.volumes[1]: Invalid value: "projected":'
            " projected volumes are not allowed to be used]",
            "projected volumes, which the token needs",
            "kubectl get podsecuritypolicies -o yaml",
        ),
        (
            f'{PSP}PodSecurityPolicy: unable to admit pod: [spec.volumes[0]: Invalid value: "hostPath":'
            " hostPath volumes are not allowed to be used]",
            "hostPath volumes",
            "kubectl get podsecuritypolicies -o yaml",
        ),
        (
            f'{PSP}{ANY} security context constraint: [provider "restricted-v2": Forbidden: not usable,'
            ' spec.volumes[0]: Invalid value: "projected": projected volumes are not allowed to be used]',
            "projected volumes, which the token needs",
            "kubectl get securitycontextconstraints -o yaml",
        ),
        (
            f"{PSP}{ANY} pod security policy: []",
            "no pod policy allows them",
            "kubectl get podsecuritypolicies -o yaml",
        ),
        *(
            (
                f'Pod "web-x" is invalid: spec.initContainers[0].{field}: Forbidden: may not be set for init'
                " containers without restartPolicy=Always",
                "drops the restartPolicy",
                "kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations",
            )
            for field in ("readinessProbe", "livenessProbe", "lifecycle")
        ),
        (f"{PSP}somebody else's words on volumes", "see the API server's message", "get events"),
    ],
)
def test_refusals_by_policies_and_by_old_webhooks_are_told(why: str, text: str, fix: str) -> None:
    item = RefusedPod("backend", "ReplicaSet/web-5d4f", why, root="Deployment/web", service_account="reader")
    found = CAUSES["pod-not-created"].judge(around(pods=(), refused=(item,))(working()))
    assert found.verdict is Verdict.PROBLEM
    assert text in found.text
    assert fix in found.fix
