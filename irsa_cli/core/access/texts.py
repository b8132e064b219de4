"""Changes of access in words."""

from __future__ import annotations

from collections.abc import Iterator

from irsa_cli.core.access.difference import AccessChange, Shift

SHOWN = 3
"""The most gains, and losses, that are named in a text."""


def sentence(item: Shift, *, gain: bool, home: str = "") -> str:
    """One gain, or one loss, in words."""
    who = item.who.text(home)
    role = item.role.rpartition("/")[2]
    if item.pods_only:
        verb = "get" if gain else "no longer get"
        return f"pods of {who} {verb if item.certain else f'may {verb}'} {role}"
    if gain:
        return f"{who} {'can' if item.certain else 'may'} assume {role}"
    return f"{who} can no longer assume {role}" if item.certain else f"{who} may lose {role}"


def access_lines(change: AccessChange, *, whole: bool = False) -> Iterator[str]:
    """The lines of a plan about access; `whole`: all of them, with the conditions that decide."""
    yield from _listed(change, gain=True, whole=whole)
    if change.losses:
        yield from _listed(change, gain=False, whole=whole)
    else:
        limit = f" (not read: {'; '.join(change.unread)})" if change.unread else ""
        yield f"Access: nobody {'' if change.gains else 'gains or '}loses a role{limit}"


def loss_lines(change: AccessChange, *, whole: bool = False) -> Iterator[str]:
    """The lines of a run about access: its gains are what it is about."""
    yield from _listed(change, gain=False, whole=whole)


def _listed(change: AccessChange, *, gain: bool, whole: bool) -> Iterator[str]:
    items, sign = (change.gains, "+") if gain else (change.losses, "-")
    shown = items if whole else items[:SHOWN]
    for item in shown:
        yield f"Access: {sign} {sentence(item, gain=gain, home=change.home)}"
        yield from (f"    if {condition}" for condition in item.conditions if whole)
    if len(items) > len(shown):
        verb = "gain" if gain else "lose"
        yield f"Access: {sign} {len(items) - len(shown)} more {verb} a role (-v shows them)"


def moved_access(before: AccessChange | None, after: AccessChange | None) -> Iterator[str]:
    """Gains and losses that differ from the planned ones; plans of older versions have none."""
    if before is None or after is None:
        return
    for gain, old, new in ((True, before.gains, after.gains), (False, before.losses, after.losses)):
        yield from (f"planned, but no longer so: {sentence(it, gain=gain)}" for it in old if it not in new)
        yield from (f"not planned: {sentence(it, gain=gain)}" for it in new if it not in old)
