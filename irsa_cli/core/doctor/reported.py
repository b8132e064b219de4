"""Reports of Kubernetes on pods, as values: those that could not be created, and an answer from inside one.

An event outlives its reason: workloads that have all their pods or were deleted are left out. The answer of
`irsa preflight` in a pod's log is untrusted, as is the pod's state.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.core.objects.workloads import RefusedPod, workload
from irsa_cli.core.values.errors import IrsaError, Unreadable
from irsa_cli.core.values.limits import moment
from irsa_cli.core.values.shown import redacted, visible

Json = Mapping[str, Any]
REASON = "FailedCreate"
"""The reason of the events in which controllers tell that they could not create a pod, or a Job."""
RESOURCES = {kind: resource for resource, kind in KINDS.items()}
_HEADS = re.compile(r"Error creating(?: job)?: |create Pod \S+ in StatefulSet \S+ failed error: ")


@dataclass(frozen=True)
class CreationFailure:
    """An event about a workload that could not create a pod, with the API server's message."""

    namespace: str
    kind: str
    name: str
    why: str
    uid: str = ""
    last: datetime | None = None


@dataclass(frozen=True)
class Maker:
    """A workload that creates pods: `wanted` and `there` count them, `since` is its last creation.

    `held`: why a change of its template replaces no pods, and the next step; '' if it does.
    """

    kind: str
    name: str
    service_account: str
    uid: str = ""
    owner: str = ""
    wanted: int = 1
    there: int = 0
    since: datetime | None = None
    held: str = ""


def failures(events: Iterable[Json]) -> tuple[CreationFailure, ...]:
    """The newest failure of each object that the events are about."""
    by_object: dict[tuple[str, str, str], CreationFailure] = {}
    for event in events:
        failure = _failure(event)
        key = (failure.namespace, failure.kind, failure.name)
        if key not in by_object or _is_after(failure.last, by_object[key].last):
            by_object[key] = failure
    return tuple(by_object.values())


def _failure(event: Json) -> CreationFailure:
    about = event.get("involvedObject") or {}
    series = event.get("series") or {}
    times = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
    return CreationFailure(
        namespace=str(event["metadata"].get("namespace") or about.get("namespace") or ""),
        kind=str(about.get("kind") or ""),
        name=str(about.get("name") or ""),
        why=_HEADS.sub("", redacted(str(event.get("message") or "")), count=1),
        uid=str(about.get("uid") or ""),
        last=max(filter(None, map(moment, times)), default=None),
    )


def _is_after(first: datetime | None, second: datetime | None) -> bool:
    return first is not None and (second is None or first > second)


def maker(kind: str, body: Json) -> Maker:
    read = workload(kind, body)
    wanted, there = (0, 0) if read.ended else _counts(kind, body)
    status = body.get("status") or {}
    since = moment(status.get("lastScheduleTime")) if kind == "CronJob" else None
    return Maker(
        kind,
        read.name,
        read.service_account,
        uid=str(body["metadata"].get("uid") or ""),
        owner=read.owner,
        wanted=wanted,
        there=there,
        since=since,
        held=_held(kind, body.get("spec") or {}),
    )


def _held(kind: str, spec: Json) -> str:
    """Why a change of the template does not replace all pods.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies
    """
    if kind == "Deployment":
        return "is paused: ask its owner to resume it first." if spec.get("paused") else ""
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return "has the update strategy OnDelete: its owner deletes its pods one by one."
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    if kind == "StatefulSet" and partition:
        return f"has partition {partition}: ask its owner to lower it, pods below it are not replaced."
    return ""


def _counts(kind: str, body: Json) -> tuple[int, int]:
    spec = body.get("spec") or {}
    status = body.get("status") or {}
    if spec.get("suspend"):
        return 0, 0
    if kind == "CronJob":
        return 1, 0  # It makes Jobs, and says of none that it is lacking: `since` does.
    if kind == "DaemonSet":
        return _number(status, "desiredNumberScheduled"), _number(status, "currentNumberScheduled")
    if kind != "Job":
        return _number(spec, "replicas", 1), _number(status, "replicas")
    wanted = _number(spec, "parallelism", 1)
    if "completions" in spec:
        wanted = min(wanted, max(_number(spec, "completions", 1) - _number(status, "succeeded"), 0))
    return wanted, _number(status, "active")


def _number(body: Json, key: str, default: int = 0) -> int:
    number = body.get(key, default)
    return number if isinstance(number, int) else default


def refused(
    failed: Iterable[CreationFailure], makers: Mapping[str, tuple[Maker, ...] | Unreadable]
) -> tuple[RefusedPod, ...]:
    pods = (_refused(failure, makers.get(failure.kind, ())) for failure in failed)
    return tuple(pod for pod in pods if pod is not None)


def _refused(failure: CreationFailure, makers: tuple[Maker, ...] | Unreadable) -> RefusedPod | None:
    name = f"{failure.kind}/{failure.name}"
    refusal = RefusedPod(failure.namespace, name, failure.why, last=failure.last)
    if isinstance(makers, Unreadable):
        return replace(refusal, hidden=makers.why)
    if failure.kind not in RESOURCES:
        return replace(refusal, hidden="not a built-in Kubernetes kind")
    maker = next((maker for maker in makers if maker.name == failure.name), None)
    if maker is None or (failure.uid and maker.uid and failure.uid != maker.uid):
        return None  # It is gone, and what has its name today is another one.
    if maker.there >= maker.wanted or _is_after(maker.since, failure.last):
        return None
    pods = "" if maker.kind == "CronJob" else f"{maker.there} of {maker.wanted}"
    return replace(refusal, root=maker.owner or name, service_account=maker.service_account, pods=pods)


CONTAINER = "irsa-preflight"
EXPECTED = "expected"
WRONG = "wrong"
_LONGEST = 1000
_MOST = 10
_IDENTITY = re.compile(r"arn:[a-z-]{3,20}:(sts|iam)::\d{12}:[\w+=,.@/-]{1,200}", re.ASCII)
_FINAL = (
    "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull",
    "ImageInspectError", "ImagePullBackOff", "InvalidImageName",
)  # fmt: skip
"""Reasons to wait that do not pass."""


@dataclass(frozen=True)
class PodAnswer:
    """The answer, in texts that are safe to show; `identity` is the caller's ARN, '' for none."""

    verdict: str
    sentence: str
    identity: str
    evidence: Mapping[str, str]


def answer_in(log: str) -> PodAnswer:
    try:
        document = json.loads(log)
        (answer,) = document["items"]
        verdict = answer["verdict"]
        steps = answer["next"]
        identity = answer["evidence"].get("identity") or ""
        if document["kind"] != "PreflightList" or verdict not in (EXPECTED, WRONG, "unknown"):
            raise ValueError
        if len(steps) > _MOST or not _is_possible(identity, verdict):
            raise ValueError
        evidence = {
            "identity": identity or "none",
            "source": ", ".join(dict.fromkeys(map(_text, answer["evidence"]["source"].values()))),
            "because": _text(answer["cause"]),
            "to do": "; ".join(map(_text, steps)),
        }
        return PodAnswer(verdict, _text(answer["sentence"]), identity, evidence)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise IrsaError("its log is no answer of irsa preflight") from None


def _is_possible(identity: str, verdict: str) -> bool:
    if not identity:
        return verdict != EXPECTED
    return _IDENTITY.fullmatch(identity) is not None


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError
    return visible(redacted(value))


def state_of(pod: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether the container has ended (None: it never will), and the reason for its state."""
    status = pod.get("status") or {}
    statuses = status.get("containerStatuses") or []
    states = {container["name"]: container.get("state") or {} for container in statuses}
    state = states.get(CONTAINER, {})
    source = state.get("terminated") or state.get("waiting") or _unscheduled(status) or status
    reason = source.get("reason")
    why = ": ".join(filter(None, (reason, source.get("message")))) or status.get("phase", "new")
    text = visible(redacted(why)[:_LONGEST])
    if "terminated" in state:
        return True, text
    if reason in _FINAL or status.get("phase") in ("Failed", "Succeeded"):
        return None, text
    return False, text


def _unscheduled(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for condition in status.get("conditions") or []:
        if condition.get("status") == "False":
            unmet: Mapping[str, Any] = condition
            return unmet
    return None
