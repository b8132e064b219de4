"""A plan as text, and the question before something is deleted.

irsa's own marks (owners, digests, the commit tag) are counted, `-v` shows them. On a terminal irsa asks,
unless `--yes` is given; without one, `delete-sa` and `disassociate-oidc` run as kubectl does, the others need
`--yes`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from irsa_cli.cli.terminal.progress import KIND_WIDTH, Progress
from irsa_cli.cli.terminal.screen import mark
from irsa_cli.core.plan.changes import Change, not_again
from irsa_cli.core.plan.states import TagsState
from irsa_cli.core.plan.traits import Proof
from irsa_cli.core.policies.policy import difference
from irsa_cli.core.results.result import Result
from irsa_cli.core.values.errors import NotConfirmed
from irsa_cli.core.values.shown import plural, visible

OWN_PREFIX = "irsa/"
_DOCUMENTS = ("trust", "document", "session_policy")
_NOT_SHOWN = ("uid", "resource_version", "manifest", "transaction")
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_ACTIONS = {"create": "green", "update": "yellow", "delete": "red"}


NOTHING_CHANGED = "Nothing was changed (dry run)."


def plan_lines(result: Result, *, whole: bool = False) -> Iterator[str]:
    """The changes of a dry run and their total; `whole`: with every value."""
    yield from change_lines((item.change for item in result.changes), whole=whole)
    yield from total_lines([result], whole=whole)
    yield NOTHING_CHANGED


def total_lines(planned: Sequence[Result], *, whole: bool = False) -> Iterator[str]:
    """The number of objects that these plans change, and who gains or loses a role."""
    yield totals((item.change for result in planned for item in result.changes), whole=whole)
    yield from access_lines(planned, whole=whole)


def access_lines(results: Iterable[Result], *, whole: bool = False, ended: bool = False) -> Iterator[str]:
    """Gains and losses of roles by these; `ended`: only the losses. `whole`: all of them."""
    differences = [result.access for result in results if result.access is not None]
    if differences:
        from irsa_cli.core.access import difference, texts

        lines = texts.loss_lines if ended else texts.access_lines
        yield from map(visible, lines(difference.together(differences), whole=whole))


def totals(changes: Iterable[Change], *, whole: bool = False) -> str:
    """How many objects and parts are created, updated and deleted; `whole`: including irsa's marks."""
    planned = list(changes)
    shown = [change for change in planned if whole or not is_mark(change)]
    count = Counter(change.action for change in shown)
    marks = len(planned) - len(shown)
    hidden = f", and {plural(marks, 'mark')} of irsa (-v shows them)" if marks else ""
    counted = ", ".join(f"{count[action]} to {action}" for action in _ACTIONS)
    return f"Plan: {counted}{hidden}."


def change_lines(changes: Iterable[Change], *, whole: bool = False) -> Iterator[str]:
    """Planned changes; `whole`: all of them, with every value."""
    for change in changes:
        if not whole and is_mark(change):
            continue
        sign = click.style(mark(change.action), fg=_ACTIONS[change.action])
        yield f"  {sign} {change.kind.short:<{KIND_WIDTH}} {visible(change.description)}"
        if whole or change.action == "update":
            before, after = attributes(change)
            keys = after or [key for key in before if key in _DOCUMENTS]
            yield from (f"      {line}" for line in _values(before, after, keys, whole=whole))


def is_mark(change: Change) -> bool:
    """Whether a change is only about irsa's own marks."""
    state = change.after if change.after is not None else change.before
    if isinstance(state, TagsState):
        return all(_is_own(key) for key in state.values)
    return change.kind.traits.proof is Proof.IS_MARK


def _is_own(key: str) -> bool:
    """Whether a tag, label or annotation is one of irsa's own."""
    return key.startswith(OWN_PREFIX)


def _document(key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[str]:
    yield f"{key.replace('_', ' ')}:"
    if not old and new is not None:
        yield from (f"  {line}" for line in json.dumps(new, indent=2).splitlines())
        return
    for line in difference(old, new):
        yield f"  {click.style(line, fg=_COLOURS.get(line[:1]))}"


def values(change: Change) -> Iterator[str]:
    """The values that a change sets, without documents and irsa's marks."""
    before, after = attributes(change)
    yield from _values(before, after, [key for key in after if key not in _DOCUMENTS], whole=False)


def attributes(change: Change) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values before and after a change, by attribute."""
    before = {} if change.before is None else asdict(change.before)
    after = {} if change.after is None else asdict(change.after)
    return before, after


def _values(
    before: Mapping[str, Any], after: Mapping[str, Any], keys: Iterable[str], *, whole: bool
) -> Iterator[str]:
    for key in keys:
        if key in _NOT_SHOWN:
            continue
        if key in _DOCUMENTS:
            old = before.get(key)
            new = after.get(key)
            is_shown = whole or old != new
            if is_shown and (old or new):
                yield from _document(key, old, new)
        elif isinstance(after[key], dict):
            shown_values = {name: value for name, value in after[key].items() if whole or not _is_own(name)}
            yield from _pairs(key, before.get(key, {}), shown_values)
        else:
            yield from _value(key.replace("_", " "), before.get(key), after[key])


def _pairs(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    singular = "tag" if key == "values" else key[:-1]
    for name, value in new.items():
        yield from _value(f"{singular} {name}", _quoted(old.get(name)), _quoted(value))


def _quoted(value: Any) -> Any:
    """Of a key, unlike of a role's description, an empty value is something else than none."""
    return '""' if value == "" else value


def _value(label: str, old: Any, new: Any) -> Iterator[str]:
    former = _as_text(old)
    latter = _as_text(new)
    if not former and latter:
        yield visible(f"{label}: {latter}")
    elif former != latter:
        yield visible(f"{label}: {former} -> {latter or 'not there'}")


def _as_text(value: Any) -> str:
    """A value as text, '' for none."""
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)


QUESTION = "Delete this?"


def can_ask() -> bool:
    """Whether there is a person to ask: some CI systems have a terminal without one."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")


class Confirmation:
    """Asks about deletions; a yes holds for the objects shown. For several threads."""

    def __init__(self, progress: Progress, *, yes: bool, dry_run: bool) -> None:
        self._progress = progress
        self.asks = not (yes or dry_run) and can_ask()
        """Whether somebody is asked; else everything counts as confirmed."""
        self._named = False
        self._shown: frozenset[object] = frozenset()
        self._lock = threading.Lock()

    def of_plan(self, changes: Iterable[Change], place: str) -> bool:
        """Ask about a plan that deletes whole objects; raises `NotConfirmed` if a later plan deletes more."""
        planned = list(changes)
        whole = [change for change in planned if change.after is None and change.kind.is_whole]
        deleted = frozenset(change.object for change in whole)
        with self._lock:
            if not self.asks or self._named or deleted <= self._shown:
                return True
            if self._shown:
                more = [change for change in planned if change.object in deleted - self._shown]
                raise NotConfirmed(
                    "nothing is deleted",
                    reason="there is more to delete now than you confirmed",
                    details=[line.strip() for line in change_lines(more)],
                    next_steps=("run the same command again: it asks about all of it",),
                )
            notes = [visible(f"Note: {note}") for note in not_again(planned)]
            question = f"Delete {visible(whole[-1].description)} in {place}?"
            agreed = self._progress.ask([*change_lines(planned), *notes, totals(planned)], question)
            self._shown = deleted if agreed else self._shown
            return agreed

    def of_names(self, heading: str, names: Sequence[str]) -> bool:
        """Whether all of these may be deleted, with their parts."""
        with self._lock:
            if not self.asks or not names:
                return True
            lines = [heading, *(f"  - {visible(name)}" for name in names)]
            self._named = self._progress.ask(lines, QUESTION)
            return self._named
