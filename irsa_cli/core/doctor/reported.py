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
        about = event.get("involvedObject") or {}
        series = event.get("series") or {}
        times = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
        failure = CreationFailure(
            namespace=str(event["metadata"].get("namespace") or about.get("namespace") or ""),
            kind=str(about.get("kind") or ""),
            name=str(about.get("name") or ""),
            why=_HEADS.sub("", redacted(str(event.get("message") or "")), count=1),
            uid=str(about.get("uid") or ""),
            last=max((time for time in map(moment, times) if time is not None), default=None),
        )
        key = (failure.namespace, failure.kind, failure.name)
        if key not in by_object or _is_after(failure.last, by_object[key].last):
            by_object[key] = failure
    return tuple(by_object.values())


def _is_after(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def maker(kind: str, body: Json) -> Maker:
    found = workload(kind, body)
    wanted, there = (0, 0) if found.ended else _counts(kind, body)
    status = body.get("status") or {}
    return Maker(
        kind,
        found.name,
        found.service_account,
        uid=str(body["metadata"].get("uid") or ""),
        owner=found.owner,
        wanted=wanted,
        there=there,
        since=moment(status.get("lastScheduleTime")) if kind == "CronJob" else None,
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
    made = next((each for each in makers if each.name == failure.name), None)
    if made is None or (failure.uid and made.uid and failure.uid != made.uid):
        return None  # It is gone, and what has its name today is another one.
    if made.there >= made.wanted or _is_after(made.since, failure.last):
        return None
    pods = f"{made.there} of {made.wanted}" if made.kind != "CronJob" else ""
    return replace(refusal, root=made.owner or name, service_account=made.service_account, pods=pods)


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
        (item,) = document["items"]
        verdict = item["verdict"]
        steps = item["next"]
        found = item["evidence"]
        identity = found.get("identity") or ""
        if document["kind"] != "PreflightList" or verdict not in (EXPECTED, WRONG, "unknown"):
            raise ValueError
        if not (_IDENTITY.fullmatch(identity) if identity else verdict != EXPECTED) or len(steps) > _MOST:
            raise ValueError
        evidence = {
            "identity": identity or "none",
            "source": ", ".join(dict.fromkeys(map(_text, found["source"].values()))),
            "because": _text(item["cause"]),
            "to do": "; ".join(map(_text, steps)),
        }
        return PodAnswer(verdict, _text(item["sentence"]), identity, evidence)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise IrsaError("its log is no answer of irsa preflight") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError
    return visible(redacted(value))


def state_of(pod: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether the container has ended (None: it never will), and the reason for its state."""
    status = pod.get("status") or {}
    states = {
        container["name"]: container.get("state") or {} for container in status.get("containerStatuses") or []
    }
    state = states.get(CONTAINER, {})
    scheduling = [
        condition for condition in status.get("conditions") or [] if condition.get("status") == "False"
    ]
    said = state.get("terminated") or state.get("waiting") or (scheduling or [status])[0]
    why = ": ".join(filter(None, (said.get("reason"), said.get("message")))) or status.get("phase", "new")
    ended: bool | None = "terminated" in state
    if not ended and (said.get("reason") in _FINAL or status.get("phase") in ("Failed", "Succeeded")):
        ended = None
    return ended, visible(redacted(why)[:_LONGEST])
