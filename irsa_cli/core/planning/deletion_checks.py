"""Whether a binding may be deleted: its owner, its users, and runs that are creating it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from irsa_cli.core.binding import ownership
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.marks import makers
from irsa_cli.core.marks.applied import KEYS_ANNOTATION
from irsa_cli.core.marks.lifecycle import Stage
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.workloads import Workload, owner_of
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.planning.delete import Deletion, pod_statements, unannotate
from irsa_cli.core.policies.policy import as_list, equal
from irsa_cli.core.trust import owned_statements, trust_policy
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.trust.owned_statements import for_service
from irsa_cli.core.uses.users import Going
from irsa_cli.core.values.errors import Refused, Unreadable
from irsa_cli.core.values.names import subject
from irsa_cli.core.values.shown import listed


@dataclass(frozen=True)
class Users:
    """Users of a binding: pods, workloads, ServiceAccounts; `hidden` says what could not be read, and why."""

    pods: Sequence[Pod] = ()
    accounts: Sequence[tuple[str, str]] = ()
    """All ServiceAccounts of the cluster that name a role: `namespace/name` and the role's ARN."""
    hidden: Sequence[str] = ()
    workloads: Sequence[Workload] = ()
    is_nobody: Callable[[str], bool] = lambda principal: False
    """Whether a principal that a trust policy names can't be anybody's, as its cluster is gone."""


def check_ended(binding: Binding, living: Sequence[str]) -> None:
    """Raise `Refused` if a run may be creating it; `living` are transactions that may be running."""
    lives = [binding.life_of(role) for role in binding.own]
    makers = sorted({life.transaction for life in lives if life.stage is Stage.INCOMPLETE} & {*living})
    if makers:
        raise Refused(
            f"transaction {makers[0]} is creating {binding.full_name}, or was interrupted recently",
            next_steps=(
                "wait until it ends, then run this again",
                "or, if that run is dead: run this again with --force",
            ),
        )


@dataclass(frozen=True)
class _Uses:
    """The users of a binding before it is deleted, and its possible users; empty if there are none."""

    pods: Sequence[Pod]
    workloads: Sequence[str]
    """Those without pods, as `kind/name`."""
    accounts: Sequence[str]
    """Other ServiceAccounts, as `namespace/name`."""
    principals: Sequence[str]
    """Others that the role trusts."""
    hidden: Sequence[str]
    """The parts that could not be read."""

    @property
    def why(self) -> str:
        """The worst of them in short; '' if nobody uses it."""
        if self.pods:
            return f"is in use by {len(self.pods)} pod{'s' if len(self.pods) != 1 else ''}"
        if self.workloads:
            more = f" and {len(self.workloads) - 1} more" if self.workloads[1:] else ""
            return f"is in use by {self.workloads[0]}{more}"
        if self.accounts:
            return "has a role that other ServiceAccounts also use"
        if self.principals:
            return "has a role that others may also use"
        return "may be in use: this could not be checked" if self.hidden else ""

    @property
    def details(self) -> list[str]:
        """All of them, one a line."""
        pods = (f"pod {pod.name} ({_owner(pod)})" if pod.owner else f"pod {pod.name}" for pod in self.pods)
        trusted = (f"its trust policy also allows {text}" for text in dict.fromkeys(self.principals))
        workloads = (f"{name} creates pods with it" for name in self.workloads)
        return [*listed(pods), *listed(workloads), *listed(self.accounts), *listed(trusted), *self.hidden]

    @property
    def next_steps(self) -> list[str]:
        """How to end the use."""
        steps = []
        if self.pods:
            steps.append("stop these pods or change their ServiceAccount, then run this again")
        elif self.workloads:
            steps.append("delete these workloads or change their ServiceAccount")
        if self.principals:
            steps.append("remove these from the role's trust policy, or keep it: --keep-role")
        return [*steps, "or delete it anyway: run this again with --force"]


def check(binding: Binding, deletion: Deletion, users: Users) -> None:
    """Raise `Refused` when somebody uses the binding, or may."""
    going = replace(deletion.going(binding.name), shared=_shared(binding, deletion, users))
    pods = [pod for pod in users.pods if going.is_used_by(pod)]
    lost = [role for role in binding.own if role.arn in deletion.lost]
    principals = [text for role in lost for text in _users_by_pod_identity(binding, role)]
    principals += [text for role in lost for text in other_principals(binding, role, users.is_nobody)]
    uses = _Uses(
        pods,
        list(_waiting(users.workloads, pods, going)),
        sorted(name for name, arn in users.accounts if arn in deletion.lost and name != binding.full_name),
        principals,
        users.hidden,
    )
    if uses.why:
        what = f"{binding.full_name} {uses.why}"
        raise Refused(what, details=uses.details, next_steps=uses.next_steps)


def check_makers(binding: Binding, deletion: Deletion) -> None:
    """Raise `Refused` where another tool may manage a role that goes: one that irsa has adopted."""
    for role in binding.own:
        if role.arn in deletion.lost:
            ownership.check(role, verb="delete")


def check_known(changes: Iterable[Change]) -> None:
    """Raise `Refused` where something goes that a rollback could not bring back as it was."""
    for change in changes:
        before = change.before
        if (
            change.after is None
            and isinstance(before, states.RoleState | states.ProviderState)
            and before.unknown
        ):
            raise Refused(
                f"{change.kind.value} {change.name} has settings that this version of irsa does not know:"
                f" {', '.join(before.unknown)}",
                reason="a rollback could not restore them",
                next_steps=("remove them, or delete it anyway: run this again with --force",),
            )


def is_nothing(binding: Binding) -> bool:
    """Whether there is nothing that irsa has made: neither object, nor annotation, nor statement."""
    used = binding.used
    added = False
    if used is not None:
        marked = owned_statements.marked_for(used.trust, binding.identity)
        added = marked is not None or bool(pod_statements(binding, used))
    return not binding.own and not added and not has_marks(binding) and binding.own_association is None


def has_marks(binding: Binding) -> bool:
    """Whether irsa created or annotated the ServiceAccount, and nobody else assigned another role."""
    is_irsas = binding.is_made and not binding.is_theirs
    return is_irsas or bool(binding.written) or KEYS_ANNOTATION in binding.annotations


def admits_others(binding: Binding, role: Role) -> bool:
    """Whether a role of irsa's may be used by others: it trusts more than this ServiceAccount."""
    return not equal(
        {"Statement": as_list(role.trust.get("Statement", []))},
        {"Statement": [trust_policy.statement(binding.identity)]},
    )


def _users_by_pod_identity(binding: Binding, role: Role) -> Iterator[str]:
    """Associations that give a role to pods, and that the deletion does not delete, or that may be there."""
    association = binding.association
    if isinstance(association, Unreadable):
        if trust_policy.trusts_service(role.trust, SERVICE):
            yield "EKS Pod Identity, whose associations could not be read,"
    elif (
        association is not None
        and association is not binding.own_association
        and association.role_arn in (role.arn, "")
    ):
        yield f"association {association.id}"


def _shared(binding: Binding, deletion: Deletion, users: Users) -> set[tuple[str, str]]:
    """The roles that go, each with another ServiceAccount of its users that it may trust."""
    names = {pod.service_account for pod in users.pods} | {
        workload.service_account for workload in users.workloads
    }
    others = names - {binding.name}
    tokens = {name: replace(binding.identity, subject=subject(binding.namespace, name)) for name in others}
    lost = [role for role in binding.own if role.arn in deletion.lost]
    return {
        (role.arn, name)
        for role in lost
        for name, token in tokens.items()
        if explain(role.trust, token).answer is not Answer.NO
    }


def _waiting(workloads: Sequence[Workload], pods: Sequence[Pod], going: Going) -> Iterator[str]:
    """Workloads whose new pods use it, and that have none of the `pods`."""
    owners = {_owner(pod) for pod in pods} | {pod.owner for pod in pods}
    for workload in workloads:
        if going.is_used_by_new_pods(workload) and workload.full_name not in owners:
            yield workload.full_name


def other_principals(binding: Binding, role: Role, is_nobody: Callable[[str], bool]) -> Iterator[str]:
    """Principals that the role also trusts; irsa can't see whether they use it."""
    own = binding.identity.provider_arn
    of_service = for_service(role.trust, binding.cluster, binding.namespace, binding.name)
    for statement in as_list(role.trust.get("Statement", [])):
        principal = statement.get("Principal", "*") if isinstance(statement, dict) else {}
        # Which associations there are, EKS tells.
        if not isinstance(statement, dict) or statement.get("Effect") != "Allow" or statement in of_service:
            continue
        principals = principal if isinstance(principal, dict) else {"everybody:": principal}
        for kind, values in principals.items():
            others = (value for value in as_list(values) if value != own and not is_nobody(str(value)))
            yield from (f"{kind} {value}" for value in others)


def _owner(pod: Pod) -> str:
    """The workload of a pod, '' without one; for one of a ReplicaSet, its Deployment."""
    kind, name = owner_of(pod)
    return f"{kind}/{name}" if kind else ""


def check_ours(binding: Binding, sharers: Sequence[str] = ()) -> None:
    """Raise `Refused` for a ServiceAccount whose role irsa did not assign; `sharers` use the same role."""
    if not binding.is_theirs:
        return
    marked = binding.annotations.get(states.ROLE_MARK)
    why = f"someone changed its annotation {states.ROLE_ARN_ANNOTATION} after irsa wrote {marked}"
    if marked is None:
        why = f"its annotation {states.ROLE_ARN_ANNOTATION} has no mark of irsa ({states.ROLE_MARK})"
    raise Refused(
        f"irsa does not manage the role of {binding.full_name}",
        reason=why,
        details=tuple(_creators(binding)),
        next_steps=tuple(_steps_for_theirs(binding, sharers)),
    )


def _creators(binding: Binding) -> Iterator[str]:
    yield f"ServiceAccount {binding.full_name}: {_by(binding.account_maker)}"
    if binding.used is not None:
        guess = ownership.guess(binding.used)
        maker = _by(binding.role_maker)
        yield f"role {binding.annotation} {guess}" if guess else f"role {binding.annotation}: {maker}"
    elif binding.problem:
        yield binding.problem


def _by(maker: str) -> str:
    return "creator unknown" if maker == makers.UNKNOWN else f"created by {maker}"


def _steps_for_theirs(binding: Binding, sharers: Sequence[str]) -> Iterator[str]:
    if _can_be_adopted(binding, sharers):
        yield f"{binding.command('adopt')}  # to manage it with irsa; then run this again"
    elif binding.used is not None and ownership.guess(binding.used):
        yield "delete the role with the tool that manages it"
    elif sharers:
        yield f"keep the role: {', '.join(sharers)} also use it"
    yield f"to remove only the annotation: {unannotate(binding)}"


def _can_be_adopted(binding: Binding, sharers: Sequence[str]) -> bool:
    """Whether `irsa adopt` accepts the role: it exists, is free, and trusts the ServiceAccount."""
    role = binding.used
    if role is None or role.arn != binding.annotation or sharers:
        return False
    if ownership.belonging(role, binding) is not ownership.Belongs.NOBODY or ownership.guess(role):
        return False
    return trust_policy.admits(role.trust, binding.identity)
