"""How lines, changes and marks are written for people, on both output streams.

What a line says is the business of the module that says it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

import click

from irsa_cli.core.visible import visible

if TYPE_CHECKING:
    from irsa_cli.core.plan import Change

_MARKS = {"create": "+", "update": "~", "delete": "-", "ok": "✓", "failed": "✗"}
_PLAIN = {**_MARKS, "ok": "=", "failed": "x"}


def say(line: str, *, err: bool = False) -> None:
    """Print a line, and nothing but one line."""
    click.echo(visible(line), err=err)


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can show every character."""
    return (stream.encoding or "ascii").lower().startswith("utf")


def mark(what: str) -> str:
    """The sign before a line; plain ASCII where the stream can't show more."""
    return (_MARKS if is_unicode(sys.stderr) else _PLAIN)[what]


def back_again(change: Change) -> str:
    """What has become of a change that a rollback has undone: to give something is never called to take."""
    from irsa_cli.core.plan import Kind

    if change.after is not None:
        return "taken back"
    return "attached again" if change.kind is Kind.ATTACHMENT else "created again"


def describe(change: Change) -> str:
    """What a change is about, as a person would name it."""
    from irsa_cli.core.account_marks import ROLE_MARK
    from irsa_cli.core.plan import Kind
    from irsa_cli.core.states import (
        DELETING,
        DONE,
        ROLE_ARN_ANNOTATION,
        CommitState,
        OwnerState,
        RoleState,
        ServiceAccountState,
        TagsState,
    )

    state = change.after if change.after is not None else change.before
    if isinstance(state, RoleState):
        return f"{state.path}{change.name}"
    if change.kind is Kind.ATTACHMENT:
        return change.target[1].rsplit("/", 1)[-1]
    if change.kind is Kind.INLINE_POLICY:
        return f"{change.target[1]} (inline)"
    if change.kind is Kind.TRUST_STATEMENT:
        return f"{change.target[0]} admits {change.target[1]}"
    if change.kind is Kind.PROVIDER:
        return change.target[0].partition("oidc-provider/")[2]
    if change.kind is Kind.AUDIENCE:
        return f"{change.target[1]} for {change.target[0].partition('oidc-provider/')[2]}"
    if isinstance(state, OwnerState):
        before = change.before.transaction if isinstance(change.before, OwnerState) else ""
        return f"{_short(change)} taken over from {before or 'this run'}"
    if isinstance(state, CommitState):
        words = {DONE: "complete", DELETING: "being deleted"}
        return f"{change.name} {words.get(state.value, 'incomplete')}"
    if isinstance(state, TagsState):
        return f"{change.name}: {', '.join(state.values)}"
    if isinstance(state, ServiceAccountState) and change.action == "update":
        role = state.annotations.get(ROLE_ARN_ANNOTATION)
        if ROLE_ARN_ANNOTATION in state.annotations and not role:
            return f"{change.name} without its role"
        if not role and state.annotations.get(ROLE_MARK):
            return f"{change.name} marked as irsa's"
        return f"{change.name} annotated" if role else f"{change.name} changed"
    return change.name


def _short(change: Change) -> str:
    return change.name.rpartition("oidc-provider/")[2]
