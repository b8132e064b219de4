"""Bindings as a table, one line each, so that grep, awk and sort can work on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from irsa_cli.core.inventory.bindings import BoundRole, ListedBinding
from irsa_cli.core.marks.makers import UNKNOWN
from irsa_cli.core.trust.wide_trust import in_one_line
from irsa_cli.core.values.printable import visible

NOTHING = "-"
_HEAD = ("NAMESPACE", "NAME", "ROLE", "OWNER", "POLICIES", "AGE", "STATUS")
_WIDE = (
    "NAMESPACE",
    "NAME",
    "ROLE",
    "ROLE-BY",
    "SA-BY",
    "POLICIES",
    "BOUNDARY",
    "LAST-USED",
    "AGE",
    "STATUS",
)
_NAMED = 2
"""Policies that are named in the narrow table; of more the number is told."""
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def lines(bindings: Iterable[ListedBinding], *, wide: bool) -> Iterator[str]:
    """The table with its head; nothing when there is no binding."""
    now = datetime.now(timezone.utc)
    rows = [_wide(item, now) if wide else _narrow(item, now) for item in bindings]
    if not rows:
        return
    table = [_WIDE if wide else _HEAD, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _narrow(item: ListedBinding, now: datetime) -> tuple[str, ...]:
    role = item.role.name if isinstance(item.role, BoundRole) else _short(item.role_arn)
    policies = item.role.policies if isinstance(item.role, BoundRole) else ()
    more = f",+{len(policies) - _NAMED}" if len(policies) > _NAMED else ""
    named = ",".join(policies[:_NAMED]) + more
    return (*_names(item), role, item.owner, _unless_hidden(item, named), _age(item, now), _status(item))


def _wide(item: ListedBinding, now: datetime) -> tuple[str, ...]:
    found = item.role if isinstance(item.role, BoundRole) else None
    policies = ",".join((*found.attached, *found.inline)) if found else ""
    boundary = found.boundary if found else ""
    used = f"{found.last_used:%Y-%m-%d}" if found and found.last_used else ""
    return (
        *_names(item),
        _word(item.role_arn),
        item.role_maker,
        item.account_maker if item.account else NOTHING,
        _unless_hidden(item, policies),
        boundary or NOTHING,
        used or NOTHING,
        _age(item, now),
        _status(item),
    )


def _names(item: ListedBinding) -> tuple[str, str]:
    return item.namespace or NOTHING, item.name or NOTHING


def _short(arn: str) -> str:
    """The name in an ARN; an annotation that is none as one word."""
    return _word(arn.rsplit("/", 1)[-1])


def _word(text: str) -> str:
    return "".join(visible(text).split()) or NOTHING


def _unless_hidden(item: ListedBinding, policies: str) -> str:
    hidden = not isinstance(item.role, BoundRole) or item.role.hidden
    return UNKNOWN if hidden and item.role is not None else policies or NOTHING


def _status(item: ListedBinding) -> str:
    wide = f"wide: {in_one_line(item.wide)}" if item.wide else ""
    told = ": ".join(filter(None, (item.status.value, item.reason, wide)))
    return (
        f"{told}; what ends it: irsa describe-sa {item.name} -n {item.namespace}" if item.next_steps else told
    )


def _age(item: ListedBinding, now: datetime) -> str:
    return NOTHING if item.created is None else age((now - item.created).total_seconds())


def age(seconds: float) -> str:
    """A span of time in its largest unit, as kubectl shows ages."""
    whole = max(0, int(seconds))
    size, unit = next(((size, unit) for size, unit in _UNITS if whole >= size), _UNITS[-1])
    return f"{whole // size}{unit}"
