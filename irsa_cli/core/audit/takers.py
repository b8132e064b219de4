"""Subjects of a cluster and IAM roles that can act as ServiceAccounts with roles.

A subject has its best way. Goals are in lists by namespace, the best first, so that each binding is evaluated
only once. IAM roles get there through EKS or its nodes; IAM users and groups are left out.
https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html, and for the actions' resources
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html (2026-11)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
from irsa_cli.core.rbac.takeovers import ACTS, ALSO, HOST_PATH, RUNS, STORED, Named
from irsa_cli.core.trust.rules.rule import ORDER, RULES, Risk, risk, some
from irsa_cli.core.values.errors import Unreadable


def less_sure(risk: Risk, conditions: Sequence[str]) -> Risk:
    """The risk, less severe by one if there are conditions."""
    return replace(risk, severity=ORDER[ORDER.index(risk.severity) - bool(conditions)])


@dataclass(frozen=True)
class Goal:
    """A ServiceAccount (namespace/name) with a role, or with a `step` to one, under `conditions`."""

    account: str
    role: str
    weight: int
    step: TakerStep | None = None
    conditions: tuple[str, ...] = ()

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
        return f"as {self.goals[0].account} ({self.act.right})"


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
        accounts = () if isinstance(self.cluster.accounts, Unreadable) else self.cluster.accounts
        for account in accounts:
            self._spaces.setdefault(account.namespace, []).append(account.full_name)
        bindings = [
            binding for binding in self.becoming.index.bindings if any(map(self._members, binding.subjects))
        ]
        while further := self._further(bindings):
            self._through.update(further)
            self._lists.clear()

    def _further(self, bindings: list[RbacBinding]) -> dict[str, Goal]:
        goals: dict[str, Goal] = {}
        for step in (step for binding in bindings for step in self.steps(binding) if not step.depends_on):
            goal = step.goals[0]
            for name in self._members(step.taker.subject) if goal.weight else ():
                known = goals.get(name) or self._through.get(name)
                if known is None or known.weight < goal.weight:
                    goals[name] = Goal(name, goal.role, goal.weight, step)
        return goals

    def _members(self, subject: RbacSubject) -> Sequence[str]:
        if subject.account:
            names = self._spaces.get(subject.account.partition("/")[0], ())
            return [subject.account] if subject.account in names else ()
        is_all = subject.kind == "Group" and subject.name.startswith(ACCOUNT_GROUP)
        return self._spaces.get(subject.name.removeprefix(ACCOUNT_GROUP), ()) if is_all else ()

    def steps(self, binding: RbacBinding) -> Iterator[TakerStep]:
        """The best step of each subject of a binding."""
        best: dict[RbacSubject, TakerStep] = {}
        for space in self._asked(binding):
            for taker in AccountTarget(self.becoming, space, ANY_ACCOUNT).by(binding):
                for step in filter(None, (self._step(taker, act, space) for act in taker.acts)):
                    known = best.get(taker.subject)
                    if known is None or step.place < known.place:
                        best[taker.subject] = step
        return iter(best.values())

    def _asked(self, binding: RbacBinding) -> tuple[str, ...]:
        """The namespaces to evaluate a binding for; '' for all together."""
        if binding.kind == ACCESS_POLICY and binding.namespace:
            return ("", *(space for space in self._spaces if like(space, binding.namespace)))
        if binding.namespace:
            return ("", binding.namespace)
        openings = self.becoming.openings(binding.role).openings
        differs = any(opening.takeover.also or opening.takeover.named is Named.ROLE for opening in openings)
        return ("", *self._spaces) if differs else ("",)

    def _step(self, taker: AccountTaker, act: Act, space: str) -> TakerStep | None:
        conditions = act.conditions
        pods = self.cluster.pods
        if act.id == "annotate" or any(text.startswith(ALSO) for text in conditions):
            return None  # The role's trust policy decides that.
        runs = not isinstance(pods, Unreadable) and (RUNS in conditions or HOST_PATH in conditions)
        goals = self.within(space, acting=ACTS in conditions or STORED in conditions, runs=runs)
        if act.names:
            goals = [goal for goal in goals if goal.account.partition("/")[2] in act.names]
        left = tuple(text for text in conditions if text != ACTS and not (runs and text == RUNS))
        return TakerStep(taker, act, goals, left) if goals else None

    def within(self, space: str = "", *, acting: bool = False, runs: bool = False) -> list[Goal]:
        """The goals of a namespace ('': all), the best first.

        `acting`: only goals that access to Kubernetes is enough for; `runs`: only goals with pods.
        """
        lists = self._lists.get((acting, runs))
        if lists is None:
            lists = self._lists[acting, runs] = {}
            pods = self.cluster.pods
            every = [*self._through.values(), *(() if acting else self.goals.values())]
            best: dict[str, Goal] = {}
            for goal in sorted(every, key=lambda goal: goal.place):
                if not runs or isinstance(pods, Unreadable) or pods.get(goal.account):
                    best.setdefault(goal.account, goal)
            for goal in best.values():
                lists.setdefault("", []).append(goal)
                lists.setdefault(goal.account.partition("/")[0], []).append(goal)
        return lists.get(space, [])


IamWay = tuple[tuple[str, str], ...]
"""Actions that are needed together, each with the form of its resource."""
_CLUSTER = "{eks}:cluster/{name}"
_ENTRY = "{eks}:access-entry/{name}/role/{account}/any/00000000-0000-0000-0000-000000000000"
_NODE = "{ec2}:instance/i-00000000000000000"
_ASSOCIATE = ("eks:AssociateAccessPolicy", _ENTRY)
_MODE = ("eks:UpdateClusterConfig", _CLUSTER)
"""The action that enables access entries in a cluster."""
IAM_WAYS: tuple[IamWay, ...] = (
    (("eks:CreateAccessEntry", _CLUSTER), _ASSOCIATE),
    (_ASSOCIATE,),
    (("ssm:SendCommand", _NODE),),
    (("ssm:StartSession", _NODE),),
    (("ec2-instance-connect:SendSSHPublicKey", _NODE),),
    (("ec2:ModifyInstanceAttribute", _NODE), ("ec2:StopInstances", _NODE), ("ec2:StartInstances", _NODE)),
)
"""The second way is for roles with an access entry, the last one changes the node's user data."""
Candidates = tuple[tuple[Role, IamWay], ...]


def candidates(estate: Estate) -> Candidates:
    """The roles that are allowed all actions of a way on some resource."""
    known: dict[tuple[object, ...], list[IamWay]] = {}
    able = []
    for role in estate.roles:
        shared = (role.attached, role.boundary, role.arn if role.inline_names or role.unread else "")
        if shared not in known:
            known[shared] = [way for way in IAM_WAYS if all(may(estate, role, action) for action, _ in way)]
        able += [(role, way) for way in known[shared] if ":role/aws-service-role/" not in role.arn]
    return tuple(able)


def by_iam(takers: Takers, estate: Estate, asked: Candidates, trusts: Trusts) -> Iterator[Risk]:
    """A risk for each role that can act as a ServiceAccount with a more powerful role."""
    cluster = takers.cluster
    reported: set[str] = set()
    for role, way in asked if cluster.arn else ():
        on_nodes = way[0][1] == _NODE
        best = next(iter(takers.within(runs=on_nodes)), None)
        if best is None or role.arn in reported or best.weight <= trusts.weight(role.arn):
            continue
        if permissions := _allowed(estate, cluster, role, way):
            reported.add(role.arn)
            conditions = [
                *(text for permission in permissions for text in permission.conditions),
                *best.conditions,
            ]
            conditions += [RUNS] if on_nodes and isinstance(cluster.pods, Unreadable) else []
            reason = (
                f"can act as {best.account} of cluster {cluster.name}"
                f" with {' and '.join(action for action, _ in way)}{' on its nodes' if on_nodes else ''}"
                f"{f', if {some(conditions)}' if conditions else ''}"
            )
            evidence = tuple(f"{permission.by} allows it" for permission in permissions)
            rule = RULES["powerful-service-account"]
            name = cluster.name
            violation = risk(rule, role.arn, reason, cluster=name, evidence=evidence)
            yield less_sure(violation.behind(trusts.worst([best.role])), conditions)


def _allowed(estate: Estate, cluster: AuditedCluster, role: Role, way: IamWay) -> list[Allowed]:
    """The permissions for all actions of a way in a cluster, empty if one is missing."""
    read = cluster.access.entries
    eks, _, name = cluster.arn.partition(":cluster/")
    entries = () if isinstance(read, Unreadable) else read
    if role.arn.split(":")[4] != cluster.account:
        return []
    if way == (_ASSOCIATE,) and all(entry.arn != role.arn for entry in entries):
        return []
    if cluster.access.reads_entries is False and way[0][1] != _NODE:
        way = (*way, _MODE)
    where = {"eks": eks, "name": name, "account": cluster.account, "ec2": eks.replace(":eks:", ":ec2:", 1)}
    answers = [may(estate, role, action, resource.format(**where)) for action, resource in way]
    permissions = [answer for answer in answers if answer is not None]
    return permissions if len(permissions) == len(way) else []
