"""The application's token exchanges that CloudTrail shows, without irsa's own and those under `irsa exec`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.subjects import ROLE_ENV, injected
from irsa_cli.core.objects.aws import TrailEvent
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.unreadable import CannotTell, have

DELAY = timedelta(minutes=15)
"""For how long an event may not be in CloudTrail yet, by its documentation."""
EARLY = "CloudTrail shows no call to STS yet, and can be 15 minutes late"
NO_WORDS = "An unknown error occurred"
"""CloudTrail usually has this instead of the error message."""


def calls(facts: Facts) -> tuple[TrailEvent, ...]:
    return tuple(event for event in have(facts.named.events) if not event.own)


def newest(facts: Facts) -> TrailEvent:
    """The newest of them; raises `CannotTell` without any."""
    events = calls(facts)
    if not events:
        more = " except irsa's own" if have(facts.named.events) else ""
        raise CannotTell(why_no_call(facts, f"CloudTrail has no STS call by this ServiceAccount{more}"))
    return max(events, key=lambda event: event.time)


def newest_by_role(facts: Facts, pods: Iterable[Pod]) -> dict[str, TrailEvent]:
    """The newest call for each role since the oldest of these pods was created."""
    since = min((pod.created for pod in pods if pod.created is not None), default=None)
    found: dict[str, TrailEvent] = {}
    for event in sorted(calls(facts), key=lambda event: event.time, reverse=True):
        if since is None or event.time >= since:
            found.setdefault(event.role_arn, event)
    return found


def is_admitted(facts: Facts, pods: Iterable[Pod]) -> bool:
    """Whether STS accepted the newest call for each role of these pods."""
    mine = tuple(pods)
    roles = {item.env.get(ROLE_ENV) for pod in mine for item in pod.containers} - {None}
    try:
        found = newest_by_role(facts, mine)
    except CannotTell:
        return False
    asked = [event for role, event in found.items() if role in roles]
    return bool(asked) and not any(event.error for event in asked)


def run_long_enough(facts: Facts, pods: Iterable[Pod]) -> list[Pod]:
    return [pod for pod in pods if pod.created is not None and facts.now - pod.created > DELAY]


def why_no_call(facts: Facts, otherwise: str) -> str:
    """Why CloudTrail has nothing: if all pods with an identity are young, it is too early for all checks."""
    pods = [pod for pod in facts.named.known_users() if any(map(injected, pod.containers))]
    early = pods and facts.named.events == () and not run_long_enough(facts, pods)
    return EARLY if early else otherwise


def in_words(event: TrailEvent) -> str:
    said = "" if event.message in ("", NO_WORDS) else f": {event.message}"
    return f"{event.error}{said} at {event.time.isoformat()}"
