"""Bindings as a table, one line each in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

import click

from irsa_cli.cli.output.table import Table
from irsa_cli.cli.terminal.screen import age
from irsa_cli.core.inventory.bindings import BindingStatus, BoundRole, ListedBinding
from irsa_cli.core.marks.makers import UNKNOWN
from irsa_cli.core.trust.rules.rule import in_one_line
from irsa_cli.core.values.shown import visible

NOTHING = "-"
_HEAD = ("NAMESPACE", "NAME", "ROLE", "BY", "OWNER", "POLICIES", "AGE", "STATUS")
_SPARE = ("POLICIES", "OWNER", "AGE")
"""Columns that a terminal with little room does not show, the first first."""
_WIDE = (
    "NAMESPACE", "NAME", "ROLE", "BY", "ROLE-BY", "SA-BY", "POLICIES", "BOUNDARY", "LAST-USED", "AGE",
    "STATUS",
)  # fmt: skip
_NAMED = 2
"""Policies listed in the narrow table; of more, the number is shown."""
_COLOURS = {
    BindingStatus.OK: "green",
    BindingStatus.ROLE_ONLY: "green",
    BindingStatus.UNCERTAIN: "yellow",
    BindingStatus.POD_IDENTITY: "yellow",
}


def table(bindings: Sequence[ListedBinding], *, wide: bool) -> Table:
    """The status has its colour and, if `wide`, its reason.

    The column BY is only in a table of which some have their role otherwise than by IRSA.
    """
    now, rows = datetime.now(timezone.utc), []
    by = any(item.by not in ("irsa", "") for item in bindings)
    head = [name for name in (_WIDE if wide else _HEAD) if by or name != "BY"]
    for item in bindings:
        found = _cells(item, now, wide=wide)
        status = click.style(item.status.value, fg=_COLOURS.get(item.status, "red"))
        why = [visible(reason_of(item))] if wide else []
        rows.append([*(visible(found[name]) for name in head[:-1]), ": ".join(filter(None, (status, *why)))])
    return Table(head, rows, () if wide else _SPARE)


def reason_of(item: ListedBinding) -> str:
    """The reason for the status and the risks of the trust policy; '' for none."""
    return ": ".join(
        filter(None, (item.reason, f"broad trust: {in_one_line(item.wide)}" if item.wide else ""))
    )


def steps(bindings: Iterable[ListedBinding]) -> Iterator[str]:
    """The commands that finish interrupted runs; `irsa delete-sa` only for what is already being deleted."""
    for item in bindings:
        commands = [step for step in item.next_steps if step.startswith("irsa ")]
        if commands:
            first = next((step for step in commands if step.startswith("irsa recover ")), commands[0])
            if item.status is not BindingStatus.DELETING:
                first = first.replace("irsa delete-sa ", "irsa describe-sa ", 1)
            yield visible(f"{first.partition('  #')[0]}  # {item.full_name}: {item.status.value}")


def _cells(item: ListedBinding, now: datetime, *, wide: bool) -> dict[str, str]:
    """The cells of a row by their columns: ARNs in the wide table, names in the other."""
    found = item.role if isinstance(item.role, BoundRole) else None
    policies = ((*found.attached, *found.inline) if wide else found.policies) if found else ()
    more = len(policies) - (len(policies) if wide else _NAMED)
    named = ",".join(policies[: len(policies) - max(more, 0)]) + (f",+{more}" if more > 0 else "")
    hidden = item.role is not None and (found is None or found.hidden)
    word = item.role_arn if wide else item.role_arn.rsplit("/", 1)[-1]
    return {
        "NAMESPACE": item.namespace or NOTHING,
        "NAME": item.name or NOTHING,
        "ROLE": found.name if found and not wide else "".join(visible(word).split()) or NOTHING,
        "BY": item.by or NOTHING,
        "OWNER": item.owner,
        "ROLE-BY": item.role_maker,
        "SA-BY": item.account_maker if item.account else NOTHING,
        "POLICIES": UNKNOWN if hidden else named or NOTHING,
        "BOUNDARY": (found and found.boundary) or NOTHING,
        "LAST-USED": f"{found.last_used:%Y-%m-%d}" if found and found.last_used else NOTHING,
        "AGE": NOTHING if item.created is None else age((now - item.created).total_seconds()),
    }
