"""Whether a journal may be acted on: by its seal, by the marks on what it is about, or by the user's word.

A journal is a file, and somebody who puts one into the folder must not achieve more than to remove what
bears its transaction's mark. The rules are pure, in `irsa_cli.core.recovery.authority`.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from irsa_cli.aws import iam as reading
from irsa_cli.changes import handlers
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.recovery import authority as rules
from irsa_cli.core.values import limits
from irsa_cli.core.values.errors import Refused
from irsa_cli.transaction.recover import last_sent, takes_back
from irsa_cli.transaction.story import GIVEN, Story, recover_command
from irsa_cli.usecases.command.connect import Connection, Target
from irsa_cli.usecases.command.execute import SAME_AGAIN

NOT_WRITTEN_HERE = "the journal of {} was not written by your irsa on this machine"


def check_way(story: Story, recorded: Target, target: Target, *more: str) -> None:
    """Raise `Refused` if the command line lacks a way in the journal (`recorded`); `target`: its options."""
    if target.role_account != recorded.role_account:
        raise Refused(
            f"transaction {story.transaction} has its roles in {_account(recorded)}",
            reason=f"--role-account sets {_account(target)}",
            next_steps=(recover_command(story.transaction, story.to_paste, *more),),
        )
    missing = [flag for key, flag in GIVEN.items() if getattr(recorded, key) and not getattr(target, key)]
    if recorded.profile == os.environ.get("AWS_PROFILE"):
        missing = [flag for flag in missing if flag != "--profile"]
    if missing:
        raise Refused(
            f"transaction {story.transaction} was run with {' and '.join(missing)}",
            reason="a journal can't choose irsa's identity or the programs that a kubeconfig runs",
            details=() if story.sealed else (NOT_WRITTEN_HERE.format(story.transaction),),
            next_steps=(recover_command(story.transaction, story.to_paste, *more),),
        )


def _account(target: Target) -> str:
    return f"account {target.role_account}" if target.role_account else "the cluster's account"


def check_cluster(story: Story, connection: Connection) -> None:
    """Raise `Refused` when the cluster that answers is not the one that the journal is about."""
    recorded = story.context.get("cluster")
    arn = connection.cluster.arn
    if recorded is not None and recorded != arn:
        raise Refused(
            f"transaction {story.transaction} belongs to another cluster",
            reason=f"its journal is for {recorded}, not {arn}",
            next_steps=("use the --region and --profile of the run",),
        )


def check_marks(
    story: Story, path: Path, todo: Sequence[Change], connection: Connection, *, forward: bool, named: bool
) -> frozenset[str]:
    """Raise `Refused` for a role without this transaction's mark, if it must have it.

    Returns the names of the roles that were given back already, without a word in the journal: they bear the
    mark of before, which a rollback gives back last, and have all that the run had taken from them.

    A journal without this user's seal is believed of no role without the mark, and of no complete one (but if
    it is `named`). One with the seal is believed if its run marks no role (`update-sa`); else the run has
    begun nothing of a role before its mark was there. Objects that other runs have taken over are left alone
    by the rollback itself, and on the way forward each step checks the mark.
    """
    if not story.sealed:
        for name, changes in rules.parts_of_roles(todo).items():
            _check_mark(story, name, reading.read_role(connection.iam, name), changes)
        if not forward and not named:
            _check_unused(story, todo, connection)
        return frozenset()
    return frozenset() if forward else _given_back(story, path, todo, connection)


def _given_back(story: Story, path: Path, todo: Sequence[Change], connection: Connection) -> frozenset[str]:
    owners = rules.owners_before(record.change for record in story.records if not record.undone)
    names: set[str] = set()
    for name, changes in rules.parts_of_roles(todo).items():
        role = _role_with_mark(story, path, name, connection) if name in owners else None
        if role is not None and role.tags.get(states.TRANSACTION_TAG, states.NOBODY) == owners[name]:
            known = handlers(connection.iam, None)
            if not all(known[change.kind].look(change.inverse, story.transaction) for change in changes):
                _check_mark(story, name, role, changes)
            names.add(name)
    return frozenset(names)


def _role_with_mark(story: Story, path: Path, name: str, connection: Connection) -> Role | None:
    """The role; IAM may not show yet the mark that a run has put on it a moment ago."""
    until = last_sent(path) + limits.PROPAGATION_SECONDS
    while True:
        role = reading.read_role(connection.iam, name)
        marked = role is not None and role.tags.get(states.TRANSACTION_TAG) == takes_back(story)
        if marked or time.monotonic() >= until:
            return role
        time.sleep(1.0)


def _check_mark(story: Story, name: str, role: Role | None, changes: Sequence[Change]) -> None:
    """Raise `Refused` unless a role, if it exists, has this transaction's mark."""
    owner = takes_back(story) if role is None else role.tags.get(states.TRANSACTION_TAG, states.NOBODY)
    if owner == takes_back(story):
        return
    listed = ", ".join(f"{change.kind.value} {change.name}" for change in changes)
    raise Refused(
        f"transaction {story.transaction} was not recovered",
        reason=f"role {name} has the tag of {owner}, not of this transaction",
        details=(f"would have been changed: {listed}",),
        next_steps=(f"aws iam get-role --role-name {shlex.quote(name)}  # shows its owner",),
    )


def _check_unused(story: Story, changes: Iterable[Change], connection: Connection) -> None:
    """Raise `Refused` for a role that is complete: its mark is its maker's for ever, for anybody to read."""
    roles = {change.target[0] for change in changes if change.kind is Kind.ROLE}
    for name in sorted(roles):
        role = reading.read_role(connection.iam, name)
        if role is not None and _is_complete(role, connection):
            raise Refused(
                f"transaction {story.transaction} was not recovered",
                reason=f"role {name} is complete, and the journal was not written here",
                next_steps=("irsa delete-sa NAME  # deletes it, if that is what you want",),
            )


def _is_complete(role: Role, connection: Connection) -> bool:
    if lifecycle.commit_of(role.tags) == states.CommitState(states.DONE):
        return True
    namespace, slash, account = lifecycle.account_of(role.tags).partition("/")
    annotations: Mapping[str, str] = {}
    if slash and connection.gone is None:
        present = connection.kube.service_account(namespace, account) or {}
        annotations = present.get("metadata", {}).get("annotations") or {}
    is_noted = annotations.get(states.ROLE_ARN_ANNOTATION) == role.arn
    return is_noted or lifecycle.was_bound(annotations, role.arn)


def check_lock(
    story: Story, begun: Iterable[Change], connection: Connection, *, named: bool, forward: bool
) -> None:
    """Raise `Refused` for a run whose lock another one has taken over: that one may have ended well.

    No mark tells whose an update of a complete role is; of roles that are gone nothing is undone, and what
    marks prove is this run's can be rolled back. `named`: as in `check_word`.
    """
    if not story.taken_over or named:
        return
    proven = not forward and not rules.beyond_marks([record.change for record in story.records], begun)
    if proven:
        return
    roles = frozenset[str]().union(*(record.change.roles for record in story.records if record.needs_undo))
    if roles and not any(reading.read_role(connection.iam, name) for name in roles):
        return
    raise Refused(
        f"another run has claimed the lock of transaction {story.transaction}",
        reason="it may have continued from this one's changes, and a recovery could undo its work",
        next_steps=(SAME_AGAIN, *_with_yes(story, "does it anyway", forward=forward)),
    )


def check_word(story: Story, begun: Iterable[Change], *, named: bool, forward: bool) -> None:
    """Refuse a journal without seal that asks for more than its marks prove, unless approved (`named`)."""
    if story.sealed or named:
        return
    beyond = rules.beyond_marks([record.change for record in story.records], begun)
    if not beyond and not forward:
        return
    raise Refused(
        NOT_WRITTEN_HERE.format(story.transaction),
        reason="irsa recovers it only if you name it after you have seen its changes",
        details=tuple(f"asks for: {change.kind.value} {change.name}" for change in beyond[:10]),
        next_steps=_with_yes(story, "does it", forward=forward),
    )


def _with_yes(story: Story, effect: str, *, forward: bool) -> tuple[str, str]:
    """The command that shows what would be done, and the one that does it."""
    flags = ["--forward"] if forward else []
    shows = recover_command(story.transaction, story.to_paste, *flags, "--dry-run")
    does = recover_command(story.transaction, story.to_paste, *flags, "--yes")
    return f"{shows}  # shows everything", f"{does}  # {effect}"
