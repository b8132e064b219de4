"""The changes from one state of a role to another, for what changes or deletes one. Pure; permits nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from irsa_cli.core.binding.boundaries import BoundaryRequired, BoundaryRules
from irsa_cli.core.binding.current import CurrentRole, RoleChanges
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.policies import policy
from irsa_cli.core.values.errors import Refused

RUN_TAGS = (states.TRANSACTION_TAG, states.COMMIT_TAG, states.SPEC_HASH_TAG)
"""Tags that tell of runs; they are no part of what a user asks for."""


def role_changes(name: str, before: CurrentRole, after: CurrentRole) -> RoleChanges:
    """The changes to `after`, without the tags of runs; raises `Refused` for another path, which is fixed."""
    check_path(name, before.state, after.state)
    was, will = before.state.tags, after.state.tags
    tags = [key for key in {**was, **will} if key not in RUN_TAGS and was.get(key) != will.get(key)]

    def part(kind: Kind, of: Callable[[states.RoleState], states.State | None]) -> list[Change]:
        one, other = of(before.state), of(after.state)
        return [Change(kind, (name,), one, other)] if one != other else []

    gains: list[Change] = []
    if not policy.equal(before.state.trust, after.state.trust):
        gains += part(Kind.TRUST_POLICY, lambda role: states.DocumentState(dict(role.trust)))
    gains += part(
        Kind.ROLE_SETTINGS, lambda role: states.SettingsState(role.description, role.max_session_duration)
    )
    gains += part(Kind.BOUNDARY, _boundary)
    gains += part(Kind.ROLE_TAGS, lambda role: states.TagsState({key: role.tags.get(key) for key in tags}))
    policies = [*_attachments(name, before, after), *_inline(name, before, after)]
    losses = [change for change in policies if change.after is None]
    gains += [change for change in policies if change.after is not None]
    return RoleChanges(tuple(gains), tuple(losses))


def check_path(name: str, before: states.RoleState, after: states.RoleState) -> None:
    """Raise `Refused` when the paths differ: IAM can't move a role."""
    if before.path != after.path:
        raise Refused(
            f"role {name} has the path {before.path}, not {after.path}",
            reason="IAM can't change the path of a role",
        )


def removal(name: str, role: CurrentRole) -> list[Change]:
    """The removal of all policies of a role: attachments and inline policies."""
    bare = replace(role, attached=frozenset(), inline={})
    return [*_attachments(name, role, bare), *_inline(name, role, bare)]


def _boundary(role: states.RoleState) -> states.BoundaryState | None:
    return states.BoundaryState(role.permissions_boundary) if role.permissions_boundary else None


def _attachments(name: str, before: CurrentRole, after: CurrentRole) -> Iterator[Change]:
    for arn in sorted(after.attached - before.attached):
        yield Change(Kind.ATTACHMENT, (name, arn), None, states.Present())
    for arn in sorted(before.attached - after.attached):
        yield Change(Kind.ATTACHMENT, (name, arn), states.Present(), None)


def _inline(name: str, before: CurrentRole, after: CurrentRole) -> Iterator[Change]:
    for key in sorted({*before.inline, *after.inline}):
        one, other = before.inline.get(key), after.inline.get(key)
        if one is not None and other is not None and policy.equal(one, other):
            continue
        yield Change(
            Kind.INLINE_POLICY,
            (name, key),
            None if one is None else states.DocumentState(one),
            None if other is None else states.DocumentState(other),
        )


def check_boundaries(rules: BoundaryRules, plan: Plan, *, named: bool) -> None:
    """Refuse to remove a boundary without a flag, or to replace it by a default (unless `named`)."""
    going = [
        change
        for change in plan
        if change.kind is Kind.BOUNDARY and change.before is not None and (change.after is None or not named)
    ]
    required = rules.required_by and any(change.after is None for change in going)
    if not going or (rules.may_remove and not required):
        return
    what = f"role {going[0].target[0]} would lose its permissions boundary"
    details = [_line(change) for change in going]
    if required:
        reason = f"{rules.required_by} requires one for every role"
        raise BoundaryRequired(what, reason=reason, details=details)
    raise Refused(
        what,
        reason="irsa removes a permissions boundary only with a flag",
        details=details,
        next_steps=(
            "to keep it, set it (--permissions-boundary, or permissionsBoundary in the entry)",
            "to remove it, run this again with --allow-boundary-removal",
        ),
    )


def _line(change: Change) -> str:
    before, after = (
        state.arn if isinstance(state, states.BoundaryState) else ""
        for state in (change.before, change.after)
    )
    mark, arrow = ("~", f" -> {after}") if after else ("-", "")
    return f"{mark} {change.kind.value} {change.target[0]}: {before}{arrow}"
