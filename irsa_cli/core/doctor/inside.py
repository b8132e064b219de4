"""The answer of `irsa preflight` from inside a pod, and how far a pod is; both are untrusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.values.errors import IrsaError
from irsa_cli.core.values.shown import redacted, visible

CONTAINER = "irsa-preflight"
EXPECTED, WRONG = "expected", "wrong"
_LONGEST, _MOST = 1000, 10
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
        verdict, steps, found = item["verdict"], item["next"], item["evidence"]
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
    states = {item["name"]: item.get("state") or {} for item in status.get("containerStatuses") or []}
    state = states.get(CONTAINER, {})
    scheduling = [item for item in status.get("conditions") or [] if item.get("status") == "False"]
    said = state.get("terminated") or state.get("waiting") or (scheduling or [status])[0]
    why = ": ".join(filter(None, (said.get("reason"), said.get("message")))) or status.get("phase", "new")
    ended: bool | None = "terminated" in state
    if not ended and (said.get("reason") in _FINAL or status.get("phase") in ("Failed", "Succeeded")):
        ended = None
    return ended, visible(redacted(why)[:_LONGEST])
