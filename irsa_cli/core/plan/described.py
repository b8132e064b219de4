"""What a change is about, as a person would name it: one function for each way of naming.

Which kind is named in which way is in `irsa_cli.core.plan.kinds`; how it is shown is `irsa_cli.cli`'s
business.
"""

from __future__ import annotations

from irsa_cli.core.plan.states import (
    DELETING,
    DONE,
    ROLE_ARN_ANNOTATION,
    ROLE_MARK,
    CommitState,
    OwnerState,
    RoleState,
    ServiceAccountState,
    TagsState,
    Transition,
    state_of,
)

_PROVIDERS = "oidc-provider/"


def by_name(change: Transition) -> str:
    """By its own name, or names."""
    return "/".join(change.target)


def by_path(change: Transition) -> str:
    """A role, by its path and name."""
    state = state_of(change)
    return f"{state.path if isinstance(state, RoleState) else ''}{change.target[0]}"


def by_issuer(change: Transition) -> str:
    """A provider, by its issuer."""
    return change.target[0].partition(_PROVIDERS)[2]


def as_audience(change: Transition) -> str:
    """One audience of a provider."""
    return f"{change.target[1]} for {by_issuer(change)}"


def as_attachment(change: Transition) -> str:
    """A managed policy, without what all ARNs have in common."""
    return change.target[1].rsplit("/", 1)[-1]


def as_inline(change: Transition) -> str:
    """An inline policy."""
    return f"{change.target[1]} (inline)"


def as_statement(change: Transition) -> str:
    """A statement, by whom it admits."""
    return f"{change.target[0]} admits {change.target[1]}"


def as_admission(change: Transition) -> str:
    """A role of another account, by which role it admits."""
    return f"{change.target[0]} admits {change.target[1].rsplit('/', 1)[-1]}"


def as_takeover(change: Transition) -> str:
    """An object that gets this run's mark, and whose mark it had."""
    owner = change.before.transaction if isinstance(change.before, OwnerState) else ""
    return f"{change.target[0].rpartition(_PROVIDERS)[2]} claimed from {owner or 'this run'}"


def as_stage_of_life(change: Transition) -> str:
    """A role, and what it is marked as."""
    state = state_of(change)
    value = state.value if isinstance(state, CommitState) else ""
    words = {DONE: "complete", DELETING: "being deleted"}
    return f"{change.target[0]} {words.get(value, 'incomplete')}"


def with_tags(change: Transition) -> str:
    """A role, and which of its tags change."""
    state = state_of(change)
    return f"{change.target[0]}: {', '.join(state.values) if isinstance(state, TagsState) else ''}"


def as_account(change: Transition) -> str:
    """A ServiceAccount, and what its annotations say after the change."""
    name = "/".join(change.target)
    if change.before is None or not isinstance(change.after, ServiceAccountState):
        return name
    role = change.after.annotations.get(ROLE_ARN_ANNOTATION)
    if ROLE_ARN_ANNOTATION in change.after.annotations and not role:
        return f"{name} without its role"
    if not role and change.after.annotations.get(ROLE_MARK):
        return f"{name} marked as managed by irsa"
    return f"{name} annotated" if role else f"{name} changed"
