"""The changes from one state of a role to another, for what changes or deletes one. Pure; permits nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from irsa_cli.core.binding.boundaries import BoundaryRequired, BoundaryRules
from irsa_cli.core.binding.current import RoleChanges
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.policies import policy
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.errors import Refused

RUN_TAGS = (states.TRANSACTION_TAG, states.COMMIT_TAG, states.SPEC_HASH_TAG)
"""Tags that tell of runs; they are no part of what a user asks for."""


def role_changes(before: Role, after: Role) -> RoleChanges:
    """The changes to `after`, without the tags of runs; raises `Refused` for another path, which is fixed."""
    check_path(before, after.path)
    was = before.tags
    will = after.tags
    tags = [key for key in {**was, **will} if key not in RUN_TAGS and was.get(key) != will.get(key)]

    def part(kind: Kind, of: Callable[[states.RoleState], states.State | None]) -> list[Change]:
        one = of(before.state)
        other = of(after.state)
        return [Change(kind, (before.name,), one, other)] if one != other else []

    gains: list[Change] = []
    if not policy.equal(before.trust, after.trust):
        gains += part(Kind.TRUST_POLICY, lambda role: states.DocumentState(dict(role.trust)))
    gains += part(
        Kind.ROLE_SETTINGS, lambda role: states.SettingsState(role.description, role.max_session_duration)
    )
    gains += part(Kind.BOUNDARY, _boundary)
    gains += part(Kind.ROLE_TAGS, lambda role: states.TagsState({key: role.tags.get(key) for key in tags}))
    policies = [*_attachments(before, after), *_inline(before, after)]
    losses = [change for change in policies if change.after is None]
    gains += [change for change in policies if change.after is not None]
    return RoleChanges(tuple(gains), tuple(losses))


def check_path(role: Role, path: str) -> None:
    """Raise `Refused` for a role with another path: IAM can't move it."""
    if role.path != path:
        raise Refused(
            f"role {role.name} has the path {role.path}, not {path}",
            reason="IAM can't change the path of a role",
        )


def removal(role: Role) -> list[Change]:
    """The removal of all policies of a role: attachments and inline policies."""
    bare = replace(role, attached=frozenset(), inline={})
    return [*_attachments(role, bare), *_inline(role, bare)]


def changed(role: Role, change: Change) -> Role:
    """The role after one change of it."""
    before = change.before
    after = change.after
    part = change.target[-1]
    match change.kind:
        case Kind.ROLE if isinstance(after, states.RoleState):
            return replace(role, state=after)
        case Kind.TRUST_POLICY if isinstance(after, states.DocumentState):
            return role.with_trust(after.document)
        case Kind.TRUST_STATEMENT:
            trust = role.trust
            if isinstance(before, states.DocumentState):
                trust = trust_policy.without_statement(trust, before.document)
            if isinstance(after, states.DocumentState):
                trust = trust_policy.with_statement(trust, after.document)
            return role.with_trust(trust)
        case Kind.ATTACHMENT:
            others = role.attached - {part}
            return replace(role, attached=others if after is None else others | {part})
        case Kind.INLINE_POLICY:
            inline = {name: document for name, document in role.inline.items() if name != part}
            if isinstance(after, states.DocumentState):
                inline[part] = after.document
            return replace(role, inline=inline)
        case Kind.BOUNDARY:
            boundary = after.arn if isinstance(after, states.BoundaryState) else ""
            return replace(role, state=replace(role.state, permissions_boundary=boundary))
    return role


def _boundary(role: states.RoleState) -> states.BoundaryState | None:
    return states.BoundaryState(role.permissions_boundary) if role.permissions_boundary else None


def _attachments(before: Role, after: Role) -> Iterator[Change]:
    for arn in sorted(after.attached - before.attached):
        yield Change(Kind.ATTACHMENT, (before.name, arn), None, states.Present())
    for arn in sorted(before.attached - after.attached):
        yield Change(Kind.ATTACHMENT, (before.name, arn), states.Present(), None)


def _inline(before: Role, after: Role) -> Iterator[Change]:
    for key in sorted({*before.inline, *after.inline}):
        first = before.inline.get(key)
        second = after.inline.get(key)
        if first is not None and second is not None and policy.equal(first, second):
            continue
        yield Change(
            Kind.INLINE_POLICY,
            (before.name, key),
            None if first is None else states.DocumentState(first),
            None if second is None else states.DocumentState(second),
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
    loss = f"role {going[0].target[0]} would lose its permissions boundary"
    details = [_line(change) for change in going]
    if required:
        reason = f"{rules.required_by} requires one for every role"
        raise BoundaryRequired(loss, reason=reason, details=details)
    raise Refused(
        loss,
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
