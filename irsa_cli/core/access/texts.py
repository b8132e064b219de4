"""Changes of access in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from irsa_cli.core.access.difference import AccessChange, Shift

SHOWN = 3
"""The most gains, and losses, that are named in a text."""


_VERBS = {
    ("gain", "certain"): "can assume",
    ("gain", "uncertain"): "may assume",
    ("loss", "certain"): "can no longer assume",
    ("loss", "uncertain"): "may lose",
}
_VERBS_OF_PODS = {
    ("gain", "certain"): "get",
    ("gain", "uncertain"): "may get",
    ("loss", "certain"): "no longer get",
    ("loss", "uncertain"): "may no longer get",
}


def sentence(shift: Shift, *, gain: bool, home: str = "") -> str:
    """One gain, or one loss, in words."""
    who = shift.who.text(home)
    role = shift.role.rpartition("/")[2]
    direction = "gain" if gain else "loss"
    certainty = "certain" if shift.certain else "uncertain"
    if shift.pods_only:
        return f"pods of {who} {_VERBS_OF_PODS[direction, certainty]} {role}"
    return f"{who} {_VERBS[direction, certainty]} {role}"


def access_lines(change: AccessChange, *, whole: bool = False) -> Iterator[str]:
    """The lines of a plan about access; `whole`: all of them, with the conditions that decide."""
    yield from _listed(change, gain=True, whole=whole)
    if change.losses:
        yield from _listed(change, gain=False, whole=whole)
        return
    verbs = "loses" if change.gains else "gains or loses"
    limit = f" (not read: {'; '.join(change.unread)})" if change.unread else ""
    yield f"Access: nobody {verbs} a role{limit}"


def loss_lines(change: AccessChange, *, whole: bool = False) -> Iterator[str]:
    """The lines of a run about access: its gains are what it is about."""
    yield from _listed(change, gain=False, whole=whole)


def _listed(change: AccessChange, *, gain: bool, whole: bool) -> Iterator[str]:
    shifts, sign, verb = (change.gains, "+", "gain") if gain else (change.losses, "-", "lose")
    shown = shifts if whole else shifts[:SHOWN]
    for shift in shown:
        yield f"Access: {sign} {sentence(shift, gain=gain, home=change.home)}"
        if whole:
            yield from (f"    if {condition}" for condition in shift.conditions)
    if len(shifts) > len(shown):
        yield f"Access: {sign} {len(shifts) - len(shown)} more {verb} a role (-v shows them)"


def moved_access(before: AccessChange | None, after: AccessChange | None) -> Iterator[str]:
    """Gains and losses that differ from the planned ones; plans of older versions have none."""
    if before is None or after is None:
        return
    yield from _moved(before.gains, after.gains, gain=True)
    yield from _moved(before.losses, after.losses, gain=False)


def _moved(planned: Sequence[Shift], now: Sequence[Shift], *, gain: bool) -> Iterator[str]:
    for shift in planned:
        if shift not in now:
            yield f"planned, but no longer so: {sentence(shift, gain=gain)}"
    for shift in now:
        if shift not in planned:
            yield f"not planned: {sentence(shift, gain=gain)}"
