"""A plan as text: every change with every value that it sets, and documents as textual differences.

Coloured where the stream is a terminal. The same as JSON is `irsa_cli.core.results.result`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.progress import KIND_WIDTH
from irsa_cli.cli.wording import describe, mark
from irsa_cli.core.policies.policy import difference
from irsa_cli.core.values.printable import visible

if TYPE_CHECKING:
    from irsa_cli.core.plan.changes import Change
    from irsa_cli.core.results.result import Result

_DOCUMENTS = ("trust", "document")
_NOT_SHOWN = ("uid", "resource_version", "manifest", "transaction")
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_ACTIONS = {"create": "green", "update": "yellow", "delete": "red"}


def plan_lines(result: Result) -> Iterator[str]:
    """A dry run: every change, with every value that it sets."""
    count = len(result.changes)
    yield f"{count} change{'s' if count != 1 else ''} would be made:"
    yield from change_lines(item.change for item in result.changes)
    yield "Nothing was changed (dry run)."


def change_lines(changes: Iterable[Change]) -> Iterator[str]:
    """Changes that would be made."""
    for change in changes:
        sign = click.style(mark(change.action), fg=_ACTIONS[change.action])
        yield f"  {sign} {change.kind.value:<{KIND_WIDTH}} {visible(describe(change))}"
        yield from (f"      {line}" for line in _details(change))


def _details(change: Change) -> Iterator[str]:
    """Every value that the change sets; of what is deleted, the documents."""
    before: dict[str, Any] = asdict(change.before) if change.before is not None else {}
    after: dict[str, Any] = asdict(change.after) if change.after is not None else {}
    for key in after or [key for key in before if key in _DOCUMENTS]:
        if key in _NOT_SHOWN:
            continue
        if key in _DOCUMENTS:
            yield from _document(key, before.get(key), after.get(key))
        elif isinstance(after[key], dict):
            yield from _pairs(key, before.get(key, {}), after[key])
        else:
            yield from _value(key.replace("_", " "), before.get(key), after[key])


def _document(key: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Iterator[str]:
    yield f"{key}:"
    if not old and new is not None:
        yield from (f"  {line}" for line in json.dumps(new, indent=2).splitlines())
        return
    for line in difference(old, new):
        yield f"  {click.style(line, fg=_COLOURS.get(line[:1]))}"


def _pairs(key: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    singular = "tag" if key == "values" else key[:-1]
    for name, value in new.items():
        # Of a key, unlike of a role's description, an empty value is something else than none.
        one, other = ('""' if item == "" else item for item in (old.get(name), value))
        yield from _value(f"{singular} {name}", one, other)


def _value(label: str, old: Any, new: Any) -> Iterator[str]:
    shown = [", ".join(item) if isinstance(item, list) else item for item in (old, new)]
    if shown[0] in ("", None):
        if shown[1] not in ("", None):
            yield visible(f"{label}: {shown[1]}")
    elif shown[0] != shown[1]:
        yield visible(f"{label}: {shown[0]} -> {'not there' if shown[1] in ('', None) else shown[1]}")
