"""Bindings as a table, one line each in a pipe; with `--watch` the lines that change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import NoReturn

import click

from irsa_cli.cli.output.table import show_table
from irsa_cli.cli.terminal.wording import age, say
from irsa_cli.core.inventory.bindings import BindingStatus, BoundRole, ListedBinding
from irsa_cli.core.inventory.list_document import BindingList, binding_json
from irsa_cli.core.marks.makers import UNKNOWN
from irsa_cli.core.trust.rules.rule import in_one_line
from irsa_cli.core.values.shown import visible

NOTHING = "-"
_HEAD = ("NAMESPACE", "NAME", "ROLE", "BY", "OWNER", "POLICIES", "AGE", "STATUS")
SPARE = ("POLICIES", "OWNER", "AGE")
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


def table(
    bindings: Sequence[ListedBinding], *, wide: bool, by: bool, reasons: bool = False
) -> tuple[Sequence[str], list[list[str]]]:
    """The head and the safe cells of the rows; the status has its colour and, if `wide`, its reason.

    `by`: with the column BY.
    """
    now, rows = datetime.now(timezone.utc), []
    head = [name for name in (_WIDE if wide else _HEAD) if by or name != "BY"]
    for item in bindings:
        found = _cells(item, now, wide=wide)
        status = click.style(item.status.value, fg=_COLOURS.get(item.status, "red"))
        why = [visible(reason_of(item))] if wide or reasons else []
        rows.append([*(visible(found[name]) for name in head[:-1]), ": ".join(filter(None, (status, *why)))])
    return head, rows


def differ(bindings: Iterable[ListedBinding]) -> bool:
    """Whether some have their role otherwise than by IRSA, so that the column BY is worth its room."""
    return any(item.by not in ("irsa", "") for item in bindings)


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


GONE = "gone"
Rows = dict[tuple[str, str, str], tuple[object, list[str]]]
"""The document and the row of each binding, by namespace, name and role."""


def _rows(items: Sequence[ListedBinding], *, wide: bool, by: bool) -> Rows:
    _, rows = table(items, wide=wide, by=by, reasons=True)
    keys = ((item.namespace, item.name, item.role_arn) for item in items)
    return dict(zip(keys, zip(map(binding_json, items), rows, strict=True), strict=True))


def _changed(before: Rows, now: Rows) -> list[list[str]]:
    """Rows that are new or changed; for a binding that is gone, its old row and `gone`."""
    new = [row for key, (said, row) in now.items() if key not in before or before[key][0] != said]
    names = {key[:2] for key in now}
    gone = [row for key, (_, row) in before.items() if key not in now and key[:2] not in names]
    return [*new, *([*row[:-1], click.style(GONE, fg="red")] for row in gone)]


def watch(
    first: BindingList,
    read: Callable[[], BindingList],
    seconds: float,
    *,
    wide: bool,
    wait: Callable[[float], object] = time.sleep,
) -> NoReturn:
    """Print changes after `first` until a signal; a failed read is reported once and repeated."""
    by = differ(first.items)
    before, failed = _rows(first.items, wide=wide, by=by), ""
    while True:
        wait(seconds)
        found = read()
        if found.signal:
            raise KeyboardInterrupt(found.signal)
        if found.error is not None:
            if str(found.error) != failed:
                say(f"Warning: could not read again, still trying: {found.error}", err=True)
            failed = str(found.error)
            continue
        failed = ""
        now = _rows(found.items, wide=wide, by=by)
        show_table((), _changed(before, now))
        before = now
