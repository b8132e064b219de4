"""The traits of a kind of change, and the words for its objects.

The traits of each kind are in `irsa_cli.core.plan.kinds`. A trait of every kind is required in its row: one
without it does not load. A trait of few kinds is False, or usual, unless the row sets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from irsa_cli.core.plan import states

Target = tuple[str, ...]
Roles = Callable[[states.Transition], frozenset[str]]
Described = Callable[[states.Transition], str]


class Service(Enum):
    """The service that keeps the object of a change."""

    IAM = "IAM"
    """Writes are not compared with what is there, and show after a while only."""
    EKS = "EKS"
    """As IAM: EKS Pod Identity associations have no version, and a deleted one is shown for a while."""
    KUBERNETES = "Kubernetes"
    """The server compares each write with what its writer has seen, and shows it at once."""

    @property
    def compares(self) -> bool:
        """Whether the server does the compare-and-set.

        What was rolled back then, nobody had counted on; and a change of what is there that is executed late
        finds something else and does nothing.
        """
        return self is Service.KUBERNETES

    @property
    def spreads(self) -> bool:
        """Whether a reading may show for a while what was there before a write that was confirmed."""
        return self is not Service.KUBERNETES


class Decides(Enum):
    """The document that a change is about, of those that decide who can assume which role."""

    NOTHING = "nothing"
    ROLE = "a role with its trust policy"
    TRUST_POLICY = "a trust policy"
    STATEMENT = "a statement of a trust policy"
    POLICY = "a policy of a role, which may let it assume other roles"
    SERVICE_ACCOUNT = "a ServiceAccount with its annotations"
    ASSOCIATION = "an EKS Pod Identity association"
    PROVIDER = "an OIDC provider"
    AUDIENCE = "an audience of an OIDC provider"


class Proof(Enum):
    """The proof, without the journal, that a change is a run's own."""

    MARK = "mark"
    """The object has the mark of the run that created it; it is compared before a deletion."""
    IS_MARK = "is a mark"
    """It is a mark itself, and is changed only where the run's own stands."""
    PUT_ON = "put on"
    """It was put onto an object that the run has made. While it is there, that object can't be deleted."""
    JOURNAL = "journal"
    """Nothing does: it is the journal's word."""


@dataclass(frozen=True)
class Traits:
    """Everything about a kind of change that is not in the change itself."""

    value: str
    """The value of the kind."""
    state: type[states.State]
    """The type of the change's `before` and `after`."""
    target: Target
    """The meaning of the names in the change's target; for a part, the first is its whole."""
    whole: str
    """The kind of object that it is a part of, as members of `Kind` are called; '' for an object itself."""
    service: Service
    proof: Proof
    roles: Roles
    """The names of the roles that the change is about."""
    described: Described
    """The object of the change, in words."""
    shown_by: str
    """The command that shows it to a person; `{first}` and `{last}` are the names in the target, quoted,
    `{target}` is the first one without what an ARN has before the name."""
    decides: Decides
    """The document that it is about, of those that decide who can assume which role."""
    takes_over: bool = False
    """Whether it makes what another run has begun this run's own."""
    owner_decides: bool = False
    """Whether only the object's mark shows the next owner of a role: unread, nothing is rolled back."""
    ends_runs: bool = False
    """Whether every run that ends well writes it last: who has it has ended."""
    changes_trust: bool = False
    """Whether it changes which roles count on an OIDC provider."""
    is_shared: bool = False
    """Whether others write the document that it is a part of, and IAM does not compare: their write may
    undo it without a sign."""
    for_all: bool = False
    """Whether it serves the whole cluster: roles count on it, so it is rolled back after them."""
    waits_for_whole: bool = False
    """Whether it is given back only when the role that it is about has all its parts back."""
    recorded_by_role: bool = False
    """Whether, without a journal, only the role that it is about tells of it: by its inline policies."""
    recreated: bool = False
    """Whether one that is deleted and made again is another object: its deletion can't be rolled back."""
    outside: bool = False
    """Whether its command carries it out outside of the transaction; nothing can roll it back."""
    short: str = ""
    """The value as columns show it, if it is too long for them."""
    given_back: str = "created again"
    """The word for a deletion that was rolled back."""


def last_part(arn: str) -> str:
    """The name at the end of an ARN."""
    return arn.rsplit("/", 1)[-1]


def no_role(_change: states.Transition) -> frozenset[str]:
    """For what belongs to no role."""
    return frozenset()


def its_role(change: states.Transition) -> frozenset[str]:
    """For a role, and for its parts."""
    return frozenset((change.target[0],))


def recorded_role(change: states.Transition) -> frozenset[str]:
    """For a ConfigMap: the role that its pods begin with."""
    found = (state for state in (change.before, change.after) if isinstance(state, states.ConfigMapState))
    return frozenset(state.role for state in found if state.role)


def annotated_roles(change: states.Transition) -> frozenset[str]:
    """For a ServiceAccount: those that it loses and gets."""
    accounts = (
        state for state in (change.before, change.after) if isinstance(state, states.ServiceAccountState)
    )
    arns = (state.annotations.get(states.ROLE_ARN_ANNOTATION) for state in accounts)
    return frozenset(map(last_part, filter(None, arns)))


def associated_roles(change: states.Transition) -> frozenset[str]:
    """For an association: the roles that it gives before and after."""
    found = (state for state in (change.before, change.after) if isinstance(state, states.AssociationState))
    return frozenset(last_part(state.role_arn) for state in found)


_PROVIDERS = "oidc-provider/"


def by_name(change: states.Transition) -> str:
    return "/".join(change.target)


def by_path(change: states.Transition) -> str:
    """A role, by its path and name."""
    state = states.state_of(change)
    return f"{state.path if isinstance(state, states.RoleState) else ''}{change.target[0]}"


def by_issuer(change: states.Transition) -> str:
    """A provider, by its issuer."""
    return change.target[0].partition(_PROVIDERS)[2]


def as_association(change: states.Transition) -> str:
    """An association, by its ServiceAccount and the roles that it gives."""
    state = states.state_of(change)
    arns = (state.role_arn, state.target_role_arn) if isinstance(state, states.AssociationState) else ()
    roles = ", target role ".join(last_part(arn) for arn in arns if arn)
    return f"{change.target[1]}/{change.target[2]} uses {roles}"


def as_takeover(change: states.Transition) -> str:
    """An object that gets this run's mark, and whose mark it had."""
    owner = change.before.transaction if isinstance(change.before, states.OwnerState) else ""
    return f"{change.target[0].rpartition(_PROVIDERS)[2]} claimed from {owner or 'this run'}"


def as_stage_of_life(change: states.Transition) -> str:
    """A role, and what it is marked as."""
    state = states.state_of(change)
    value = state.value if isinstance(state, states.CommitState) else ""
    words = {states.DONE: "complete", states.DELETING: "being deleted"}
    return f"{change.target[0]} {words.get(value, 'incomplete')}"


def with_tags(change: states.Transition) -> str:
    """A role, and which of its tags change."""
    state = states.state_of(change)
    return f"{change.target[0]}: {', '.join(state.values) if isinstance(state, states.TagsState) else ''}"


def as_restart(change: states.Transition) -> str:
    """The ServiceAccount, and the workloads that are restarted."""
    state = states.state_of(change)
    found = state.workloads if isinstance(state, states.RestartState) else []
    workloads = ", ".join(text.replace("/", " ", 1) for text in found)
    return f"pods of {'/'.join(change.target)}: {workloads or 'no workload'}"


def as_account(change: states.Transition) -> str:
    """A ServiceAccount, and what its annotations say after the change."""
    name = "/".join(change.target)
    if change.before is None or not isinstance(change.after, states.ServiceAccountState):
        return name
    role = change.after.annotations.get(states.ROLE_ARN_ANNOTATION)
    if states.ROLE_ARN_ANNOTATION in change.after.annotations and not role:
        return f"{name} without its role"
    if not role and change.after.annotations.get(states.ROLE_MARK):
        return f"{name} marked as managed by irsa"
    return f"{name} annotated" if role else f"{name} changed"
