"""Pods that could not be created: what events tell of it, and what is past."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.doctor.causes.service_account import can_decide, missing_account
from irsa_cli.core.doctor.diagnosis import judge
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.doctor.reported import Maker, failures, maker, refused
from irsa_cli.core.objects.workloads import RefusedPod
from irsa_cli.core.values.errors import Unreadable
from tests.support.documents import Json, doc
from tests.unit.current import NOW, Change, around, bare_pod, pod, webhook, working
from tests.unit.doctor.diagnosis_cases import MISSING, pod_identity
from tests.unit.doctor.diagnosis_cases import refused as refusing

WHY = 'pods "web-5f-" is forbidden: exceeded quota: compute'


def event(kind: str = "ReplicaSet", name: str = "web-5f", text: str = "{}") -> Json:
    """An event about this, with other parts."""
    told = doc(
        """{"metadata": {"name": "e", "namespace": "backend"}, "lastTimestamp": "2026-05-01T11:00:00Z",
        "involvedObject": {"kind": "<kind>", "name": "<name>", "namespace": "backend", "uid": "u-1"}}""",
        kind=kind,
        name=name,
    )
    return {"message": f"Error creating: {WHY}", **told, **json.loads(text)}


def making(spec: Json, status: Json | None = None, kind: str = "ReplicaSet", **metadata: Any) -> Maker:
    template = {"spec": {"serviceAccountName": "reader"}}
    whole = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    body = {"metadata": {"name": "web-5f", "uid": "u-1", **metadata}, "spec": {**whole, **spec}}
    return maker(kind, {**body, "status": status or {}})


def lacking(*events: Json, **makers: Any) -> tuple[RefusedPod, ...]:
    return refused(failures(events or [event()]), makers)


def found(change: Change, identifier: str = "pod-not-created") -> Finding:
    return next(item for item in judge(change(working())) if item.cause.id == identifier)


def verdict(change: Change) -> Verdict:
    return found(change).verdict


MESSAGES = {
    f"Error creating: {WHY}": WHY,
    f"Error creating job: {WHY}": WHY,
    f"create Pod web-0 in StatefulSet web failed error: {WHY}": WHY,
    WHY: WHY,
    "token eyJhbGciOiJSUzI1NiJ9.e30.x is bad": "token … is bad",
}


def test_the_words_of_the_api_server() -> None:
    for message, why in MESSAGES.items():
        assert failures([{**event(), "message": message}])[0].why == why


def test_the_newest_event_of_an_object_counts() -> None:
    newer = event(
        text="""{"message": "Error creating: other", "lastTimestamp": null,
        "eventTime": "2026-05-01T11:30:00Z"}"""
    )
    series = event(
        text="""{"message": "Error creating: third", "lastTimestamp": null,
        "series": {"lastObservedTime": "2026-05-01T11:40:00.123456Z"}}"""
    )
    for told, why in (([event(), newer], "other"), ([newer, event()], "other"), ([series, newer], "third")):
        assert [item.why for item in failures(told)] == [why]
    assert len(failures([event(), event(name="web-6a"), event(kind="Job")])) == 3


LACKING = [
    # Kind, spec, status, and how many pods of how many there are (None: enough).
    ("ReplicaSet", '{"replicas": 2}', "{}", "0 of 2"),
    ("ReplicaSet", "{}", '{"replicas": 0}', "0 of 1"),
    ("ReplicaSet", '{"replicas": 2}', '{"replicas": 2}', None),
    ("ReplicaSet", '{"replicas": 0}', "{}", None),
    ("ReplicationController", '{"replicas": 2}', '{"replicas": 1}', "1 of 2"),
    ("StatefulSet", '{"replicas": 3}', '{"replicas": 1}', "1 of 3"),
    ("DaemonSet", "{}", '{"desiredNumberScheduled": 4, "currentNumberScheduled": 3}', "3 of 4"),
    ("DaemonSet", "{}", '{"desiredNumberScheduled": 4, "currentNumberScheduled": 4}', None),
    ("Job", "{}", "{}", "0 of 1"),
    ("Job", '{"parallelism": 3, "completions": 5}', '{"succeeded": 4}', "0 of 1"),
    ("Job", '{"parallelism": 3}', '{"active": 3}', None),
    ("Job", '{"suspend": true}', "{}", None),
    ("Job", "{}", '{"conditions": [{"type": "Complete", "status": "True"}]}', None),
    ("CronJob", "{}", "{}", ""),
    ("CronJob", "{}", '{"lastScheduleTime": "2026-05-01T11:05:00Z"}', None),
    ("CronJob", '{"suspend": true}', "{}", None),
]


@pytest.mark.parametrize(("kind", "spec", "status", "pods"), LACKING)
def test_who_lacks_pods(kind: str, spec: str, status: str, pods: str | None) -> None:
    made = making(json.loads(spec), json.loads(status), kind)
    told = [(item.pods, item.service_account, item.root) for item in lacking(event(kind), **{kind: (made,)})]
    assert told == ([] if pods is None else [(pods, "reader", f"{kind}/web-5f")])


def test_an_event_of_what_is_gone_is_past() -> None:
    assert lacking(ReplicaSet=()) == ()
    assert lacking(ReplicaSet=(making({"replicas": 1}, uid="u-2"),)) == ()


def test_what_a_replica_set_belongs_to() -> None:
    owners = [{"kind": "Deployment", "name": "web", "controller": True}]
    (item,) = lacking(ReplicaSet=(making({}, ownerReferences=owners),))
    assert (item.maker, item.root) == ("ReplicaSet/web-5f", "Deployment/web")


def test_makers_that_can_not_be_read_or_known_are_not_nobody() -> None:
    (item,) = lacking(ReplicaSet=Unreadable("not permitted"))
    assert (item.service_account, item.hidden) == (None, "not permitted")
    (item,) = lacking(event("TaskRun"))
    assert (item.service_account, item.hidden) == (None, "not a built-in Kubernetes kind")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2)
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("message", "lastTimestamp", "eventTime"), JSON)))
def test_any_words_and_times_are_read(parts: Json) -> None:
    assert len(failures([{**event(), **parts}])) == 1


def test_the_account_that_is_missing() -> None:
    later = "service account backend/reader was not found, retry after the service account is created"
    for why, name in ((MISSING.format("reader"), "reader"), (later, "reader"), (WHY, "")):
        assert missing_account(why) == name


def test_a_pod_that_was_made_since_ends_it() -> None:
    for seconds, expected in ((1, Verdict.OK), (-1, Verdict.PROBLEM)):
        made = NOW + timedelta(seconds=seconds)
        other = bare_pod(owner="ReplicaSet/reader-5f", created=made, phase="Failed")
        assert verdict(refusing(WHY, (other,))) is expected


def test_what_others_lack_is_not_its_own() -> None:
    for change in (
        refusing(WHY, service_account="other"),
        refusing(MISSING.format("other"), service_account="other", root="Deployment/web"),
        refusing(MISSING.format("reader-sa"), (pod(),), service_account="reader-sa"),
    ):
        assert verdict(change) is Verdict.OK


def test_a_maker_that_can_not_be_read_is_no_answer() -> None:
    for root, decides in (("Deployment/reader", True), ("Deployment/web", False)):
        item = found(refusing(WHY, service_account=None, hidden="not permitted", root=root))
        assert (item.verdict, item.judgement.decides) == (Verdict.UNKNOWN, decides)
        assert ("unreadable", "not permitted") in item.judgement.evidence
    item = found(around(pods=(), refused=Unreadable("not permitted")))
    assert (item.verdict, item.judgement.text) == (Verdict.UNKNOWN, "not permitted")


def test_the_webhook_that_fails_is_a_cause_of_its_own() -> None:
    why = f'Internal error occurred: failed calling webhook "{webhook().name}": failed to call webhook'
    facts = refusing(why)(working())
    probed = around(probe=Unreadable(f"create pods: {why}"))(facts)
    for seen, expected in ((probed, "webhook-failing"), (facts, "pod-not-created")):
        assert [item.cause.id for item in judge(seen) if item.verdict is Verdict.PROBLEM] == [expected]


def test_where_events_decide() -> None:
    assert not can_decide(working())
    assert not can_decide(pod_identity()(working()))
    assert not can_decide(around(account=None, pods=())(working()))
    for pods in ((), (bare_pod(),), (pod(phase="Pending"),), (pod(ending=True),), Unreadable("no")):
        assert can_decide(around(pods=pods)(working()))


PSP = 'pods "web-" is forbidden: '
ANY = "unable to validate against any"


POLICIES, CONSTRAINTS = (
    f"kubectl get {kind} -o yaml" for kind in ("podsecuritypolicies", "securitycontextconstraints")
)
WORDS = [
    # What the API server says, and what is told and proposed.
    (
        f"{PSP}{ANY} pod security policy: projected volumes are not allowed",
        "projected volumes, which the token needs",
        POLICIES,
    ),
    (
        f'{PSP}{ANY} pod security policy: [spec.volumes[1]: Invalid value: "projected":'
        " projected volumes are not allowed to be used]",
        "projected volumes, which the token needs",
        POLICIES,
    ),
    (
        f'{PSP}PodSecurityPolicy: unable to admit pod: [spec.volumes[0]: Invalid value: "hostPath":'
        " hostPath volumes are not allowed to be used]",
        "hostPath volumes",
        POLICIES,
    ),
    (
        f'{PSP}{ANY} security context constraint: [provider "restricted-v2": Forbidden: not usable,'
        ' spec.volumes[0]: Invalid value: "projected": projected volumes are not allowed to be used]',
        "projected volumes, which the token needs",
        CONSTRAINTS,
    ),
    (f"{PSP}{ANY} pod security policy: []", "no pod policy allows them", POLICIES),
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
]


def test_refusals_by_policies_and_by_old_webhooks_are_told() -> None:
    for why, text, fix in WORDS:
        judged = found(refusing(why)).judgement
        assert judged.verdict is Verdict.PROBLEM, why
        assert text in judged.text, why
        assert fix in judged.fix, why
