"""Subjects of a cluster and IAM roles that can act as ServiceAccounts with roles.

A subject has its best way. Goals are in lists by namespace, the best first, so that each binding is evaluated
only once. IAM roles get there through EKS or its nodes; IAM users and groups are left out.
https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html, and for the actions' resources
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html (2026-11)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from irsa_cli.core.audit.estate import AuditedCluster, Estate
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.audit.ways import may
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.statements import Allowed
from irsa_cli.core.rbac.becoming import ANY_ACCOUNT, AccountTaker, AccountTarget, Act, Becoming
from irsa_cli.core.rbac.evaluation import ACCOUNT_GROUP
from irsa_cli.core.rbac.objects import RbacBinding, RbacSubject
from irsa_cli.core.rbac.principals import ACCESS_POLICY
from irsa_cli.core.rbac.takeovers import ACTS, ALSO, HOST_PATH, PRIVILEGED, RUNS, STORED, Named
from irsa_cli.core.trust.rules.rule import RULES, Risk, risk, some
from irsa_cli.core.values.errors import Unreadable


@dataclass(frozen=True)
class Goal:
    """A ServiceAccount (namespace/name) with a role, or with a `step` to one, under `conditions`.

    `missing`: a role trusts it, but it does not exist.
    """

    account: str
    role: str
    weight: int
    step: TakerStep | None = None
    conditions: tuple[str, ...] = ()
    missing: bool = False

    @property
    def place(self) -> tuple[int, bool, int, str]:
        """The sort key: more powerful first, then sure ones, then nearer ones."""
        return -self.weight, bool(self.conditions), sum(1 for _ in self.step or ()), self.account


@dataclass(frozen=True)
class TakerStep:
    """A right of a subject to act as one of the goals, the best one first."""

    taker: AccountTaker
    act: Act
    goals: Sequence[Goal]
    conditions: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[bool, int, int, int, bool]:
        """The sort key: sure, powerful and short ones first, components of Kubernetes last."""
        weight, _, hops, _ = self.goals[0].place
        return bool(self.depends_on), weight, hops, -len(self.goals), self.taker.is_part

    @property
    def depends_on(self) -> tuple[str, ...]:
        """All conditions, including the role's trust policy."""
        return (*self.conditions, *self.goals[0].conditions)

    def __iter__(self) -> Iterator[TakerStep]:
        """All steps to the role, this one first."""
        yield self
        yield from self.goals[0].step or ()

    def __str__(self) -> str:
        goal = self.goals[0]
        created = ", which it can create first" if goal.missing else ""
        return f"as {goal.account}{created} ({self.act.right})"


_ALSO_OF_NEW = ("everything", "create-token", "create-pod", "create-workload", "bind-role", "escalate-role")
"""The ways to act as a ServiceAccount that was only just created."""
_ON_NODES = (RUNS, HOST_PATH, PRIVILEGED)
"""The conditions for which the ServiceAccount needs a running pod."""
_RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")
"""The names that EKS rejects in an access entry.

https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
"""


@dataclass
class Takers:
    """The subjects of one cluster that can act as its ServiceAccounts with roles: `goals` out of `every`."""

    cluster: AuditedCluster
    becoming: Becoming
    goals: Mapping[str, Goal]
    every: Mapping[str, Goal]
    _through: dict[str, Goal] = field(default_factory=dict)
    _spaces: dict[str, list[str]] = field(default_factory=dict)
    _lists: dict[tuple[bool, bool], dict[str, list[Goal]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the ServiceAccounts that lead to powerful roles, the nearest first."""
        for account in self.cluster.known_accounts:
            self._spaces.setdefault(account.namespace, []).append(account.full_name)
        for goal in self.goals.values():
            self._spaces.setdefault(goal.account.partition("/")[0], [])
        bindings = [
            binding for binding in self.becoming.index.bindings if any(map(self._members, binding.subjects))
        ]
        while further := self._further(bindings):
            self._through.update(further)
            self._lists.clear()

    def _further(self, bindings: list[RbacBinding]) -> dict[str, Goal]:
        goals: dict[str, Goal] = {}
        for step in chain.from_iterable(map(self.steps, bindings)):
            goal = step.goals[0]
            if step.depends_on or not goal.weight:
                continue
            for name in self._members(step.taker.subject):
                known = goals.get(name) or self._through.get(name)
                if known is None or known.weight < goal.weight:
                    goals[name] = Goal(name, goal.role, goal.weight, step)
        return goals

    def _members(self, subject: RbacSubject) -> Sequence[str]:
        if subject.account:
            names = self._spaces.get(subject.account.partition("/")[0], ())
            return [subject.account] if subject.account in names else ()
        if subject.kind == "Group" and subject.name.startswith(ACCOUNT_GROUP):
            return self._spaces.get(subject.name.removeprefix(ACCOUNT_GROUP), ())
        return ()

    def steps(self, binding: RbacBinding) -> Iterator[TakerStep]:
        """The best step of each subject of a binding."""
        best: dict[RbacSubject, TakerStep] = {}
        for space in self._namespaces(binding):
            for taker in AccountTarget(self.becoming, space, ANY_ACCOUNT).by(binding):
                for act in taker.acts:
                    step = self._step(taker, act, space)
                    known = best.get(taker.subject)
                    if step is not None and (known is None or step.place < known.place):
                        best[taker.subject] = step
        return iter(best.values())

    def _namespaces(self, binding: RbacBinding) -> tuple[str, ...]:
        """The namespaces to evaluate a binding for; '' for all together."""
        if binding.kind == ACCESS_POLICY and binding.namespace:
            return ("", *(space for space in self._spaces if like(space, binding.namespace)))
        if binding.namespace:
            return ("", binding.namespace)
        takeovers = [opening.takeover for opening in self.becoming.openings(binding.role).openings]
        if any(takeover.also or takeover.named is Named.ROLE for takeover in takeovers):
            return ("", *self._spaces)
        return ("",)

    def _step(self, taker: AccountTaker, act: Act, space: str) -> TakerStep | None:
        conditions = set(act.conditions)
        if act.id == "annotate" or any(condition.startswith(ALSO) for condition in conditions):
            return None  # The role's trust policy decides that.
        runs = not isinstance(self.cluster.pods, Unreadable) and not conditions.isdisjoint(_ON_NODES)
        acting = not conditions.isdisjoint((ACTS, STORED))
        goals = self._possible(taker, act, self.within(space, acting=acting, runs=runs))
        if not goals:
            return None
        # The goals are chosen by these.
        decided = {ACTS, RUNS} if runs else {ACTS}
        open_conditions = tuple(condition for condition in act.conditions if condition not in decided)
        return TakerStep(taker, act, goals, open_conditions)

    def _possible(self, taker: AccountTaker, act: Act, goals: list[Goal]) -> list[Goal]:
        """The goals of an act: those of its names, and missing ones if the subject can create them."""
        if act.names:
            goals = [goal for goal in goals if goal.account.partition("/")[2] in act.names]
        if self._has_missing:
            goals = [goal for goal in goals if not goal.missing or self._creates(taker, act, goal)]
        return goals

    @cached_property
    def _has_missing(self) -> bool:
        return any(goal.missing for goal in self.goals.values())

    def _creates(self, taker: AccountTaker, act: Act, goal: Goal) -> bool:
        """Whether a subject can create a missing ServiceAccount, and then act as it by the same right."""
        namespace, _, name = goal.account.partition("/")
        target = AccountTarget(self.becoming, namespace, name)
        return act.id in _ALSO_OF_NEW and target.can_be_created_by(taker.subject)

    def best_nameable(self) -> TakerStep | None:
        """The best step of a group or user that an access entry can name; None for none."""
        best: TakerStep | None = None
        for binding in self.becoming.index.bindings:
            for step in self.steps(binding):
                subject = step.taker.subject
                reserved = subject.name.startswith(_RESERVED) or subject.kind not in ("Group", "User")
                if not reserved and (best is None or step.place < best.place):
                    best = step
        return best

    def within(self, space: str = "", *, acting: bool = False, runs: bool = False) -> list[Goal]:
        """The goals of a namespace ('': all), the best first.

        `acting`: only goals that access to Kubernetes is enough for; `runs`: only goals with pods.
        """
        lists = self._lists.get((acting, runs))
        if lists is None:
            lists = {}
            for goal in self._best_goals(acting=acting, runs=runs):
                lists.setdefault("", []).append(goal)
                lists.setdefault(goal.account.partition("/")[0], []).append(goal)
            self._lists[acting, runs] = lists
        return lists.get(space, [])

    def _best_goals(self, *, acting: bool, runs: bool) -> Iterable[Goal]:
        """The best goal of each ServiceAccount, the best first."""
        pods = self.cluster.pods
        every = list(self._through.values())
        if not acting:
            every += self.goals.values()
        best: dict[str, Goal] = {}
        for goal in sorted(every, key=lambda goal: goal.place):
            if not runs or isinstance(pods, Unreadable) or pods.get(goal.account):
                best.setdefault(goal.account, goal)
        return best.values()


IamWay = tuple[tuple[str, str], ...]
"""Actions that are needed together, each with the form of its resource."""
_CLUSTER = "{eks}:cluster/{name}"
_ENTRY = "{eks}:access-entry/{name}/role/{account}/any/00000000-0000-0000-0000-000000000000"
_NODE = "{ec2}:instance/i-00000000000000000"
_ASSOCIATE = ("eks:AssociateAccessPolicy", _ENTRY)
_CHANGE_ENTRY = ("eks:UpdateAccessEntry", _ENTRY)
_MODE = ("eks:UpdateClusterConfig", _CLUSTER)
"""The action that enables access entries in a cluster."""
IAM_WAYS: tuple[IamWay, ...] = (
    (("eks:CreateAccessEntry", _CLUSTER), _ASSOCIATE),
    (_ASSOCIATE,),
    (("eks:CreateAccessEntry", _CLUSTER),),
    (_CHANGE_ENTRY,),
    (("eks:AssociateIdentityProviderConfig", _CLUSTER),),
    (("ssm:SendCommand", _NODE),),
    (("ssm:StartSession", _NODE),),
    (("ec2-instance-connect:SendSSHPublicKey", _NODE),),
    (("ec2:ModifyInstanceAttribute", _NODE), ("ec2:StopInstances", _NODE), ("ec2:StartInstances", _NODE)),
)
"""The second way is for roles with an access entry, the last one changes the node's user data."""
NAMING = IAM_WAYS[2:5]
"""The ways that name a group or user of the cluster: one that can act as the ServiceAccount."""
Candidates = tuple[tuple[Role, IamWay], ...]


def candidates(estate: Estate) -> Candidates:
    """The roles that are allowed all actions of a way on some resource."""
    known: dict[tuple[object, ...], list[IamWay]] = {}
    able: list[tuple[Role, IamWay]] = []
    for role in estate.roles:
        if ":role/aws-service-role/" in role.arn:
            continue
        own = role.arn if role.inline_names or role.unread else ""
        policies = (role.attached, role.boundary, own)
        if policies not in known:
            known[policies] = [way for way in IAM_WAYS if _may_all(estate, role, way)]
        able += [(role, way) for way in known[policies]]
    return tuple(able)


def _may_all(estate: Estate, role: Role, way: IamWay) -> bool:
    return all(may(estate, role, action) for action, _ in way)


def by_iam(takers: Takers, estate: Estate, able: Candidates, trusts: Trusts) -> Iterator[Risk]:
    """A risk for each role that can act as a ServiceAccount with a more powerful role."""
    cluster = takers.cluster
    if not cluster.arn:
        return
    reported: set[str] = set()
    named = takers.best_nameable() if any(way in NAMING for _, way in able) else None
    for role, way in able:
        step = named if way in NAMING else None
        goal = _goal_of(takers, way, step)
        if goal is None or role.arn in reported or goal.weight <= trusts.weight(role.arn):
            continue
        permissions = _allowed(estate, cluster, role, way)
        if permissions:
            reported.add(role.arn)
            conditions = _conditions(goal, cluster, way, permissions)
            if step is not None:
                conditions += step.conditions
            violation = _act_as(goal, cluster, role, _actions(way, step), permissions, conditions)
            yield violation.behind(trusts.worst([goal.role])).less_sure(conditions)


def _goal_of(takers: Takers, way: IamWay, step: TakerStep | None) -> Goal | None:
    """The best goal of a way; None for none."""
    if way in NAMING:
        return None if step is None else step.goals[0]
    # A ServiceAccount that does not exist has no policy of its own, and is on no node.
    goals = (goal for goal in takers.within(runs=_is_on_nodes(way)) if not goal.missing)
    return next(goals, None)


def _conditions(
    goal: Goal, cluster: AuditedCluster, way: IamWay, permissions: Iterable[Allowed]
) -> list[str]:
    conditions = list(chain.from_iterable(permission.conditions for permission in permissions))
    conditions += goal.conditions
    if _is_on_nodes(way) and isinstance(cluster.pods, Unreadable):
        conditions.append(RUNS)
    return conditions


def _act_as(
    goal: Goal,
    cluster: AuditedCluster,
    role: Role,
    actions: str,
    permissions: list[Allowed],
    conditions: list[str],
) -> Risk:
    """The risk of a role that can act as a ServiceAccount."""
    reason = f"can act as {goal.account} of cluster {cluster.name} with {actions}"
    if conditions:
        reason += f", if {some(conditions)}"
    evidence = tuple(f"{permission.by} allows it" for permission in permissions)
    return risk(
        RULES["powerful-service-account"],
        role.arn,
        reason,
        cluster=cluster.name,
        evidence=evidence,
        subject=role.arn,
        cause=reason,
    )


def _is_on_nodes(way: IamWay) -> bool:
    return way[0][1] == _NODE


def _actions(way: IamWay, step: TakerStep | None) -> str:
    actions = " and ".join(action for action, _ in way)
    if step is not None:
        return f"{actions}, which can name {step.taker.subject}"
    return f"{actions} on its nodes" if _is_on_nodes(way) else actions


def _has_entry(cluster: AuditedCluster, role: Role) -> bool:
    entries = cluster.access.entries
    return not isinstance(entries, Unreadable) and any(entry.arn == role.arn for entry in entries)


def _allowed(estate: Estate, cluster: AuditedCluster, role: Role, way: IamWay) -> list[Allowed]:
    """The permissions for all actions of a way in a cluster, empty if one is missing."""
    if role.arn.split(":")[4] != cluster.account:
        return []
    if way in ((_ASSOCIATE,), (_CHANGE_ENTRY,)) and not _has_entry(cluster, role):
        return []
    if cluster.access.reads_entries is False and not _is_on_nodes(way):
        way = (*way, _MODE)
    eks, _, name = cluster.arn.partition(":cluster/")
    where = {"eks": eks, "name": name, "account": cluster.account, "ec2": eks.replace(":eks:", ":ec2:", 1)}
    permissions: list[Allowed] = []
    for action, resource in way:
        permission = may(estate, role, action, resource.format(**where))
        if permission is None:
            return []
        permissions.append(permission)
    return permissions
