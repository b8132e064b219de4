"""The audit of an account: all risks, the worst first, and the gaps in what was read."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from irsa_cli.core.audit.declared import UNUSED_DAYS, Declared, Powerful
from irsa_cli.core.audit.estate import AuditedCluster, Estate
from irsa_cli.core.audit.reach import Reachable, size_of
from irsa_cli.core.audit.takers import Goal, Takers, TakerStep, by_iam, candidates
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.audit.ways import Way
from irsa_cli.core.rbac.becoming import EVERYTHING, Becoming, InKubernetes, becoming_of, in_kubernetes
from irsa_cli.core.rbac.evaluation import MASTERS
from irsa_cli.core.rbac.objects import BROAD, RbacSubject, is_control_plane
from irsa_cli.core.rbac.principals import Principal
from irsa_cli.core.trust.rules.accounts import OpenBinding, open_to_everybody
from irsa_cli.core.trust.rules.judge import LARGEST
from irsa_cli.core.trust.rules.rule import ORDER, RULES, SHOWN, Area, Consequence, Exposure, Risk, risk, some
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.shown import plural

_GIVING = ("admitted-not-annotated", "subject-gone", "changed-since-irsa", "unused-role")
"""The rules whose risks let someone assume a role, besides those about trust policies."""


@dataclass
class InCluster:
    """The judge of rights to act as ServiceAccounts; `notes` list the subjects that have no risk."""

    estate: Estate
    reach: Reachable
    trusts: Trusts
    notes: list[str] = field(default_factory=list)
    _becoming: dict[str, Becoming] = field(default_factory=dict)

    def of(self, cluster: AuditedCluster, account: str) -> InKubernetes:
        """One ServiceAccount (namespace/name) in its cluster."""
        namespace, _, name = account.partition("/")
        pods = None if isinstance(cluster.pods, Unreadable) else cluster.pods.get(account, 0)
        return in_kubernetes(self.becoming(cluster), cluster.access, namespace, name, pods)

    def becoming(self, cluster: AuditedCluster) -> Becoming:
        if cluster.name not in self._becoming:
            levels = None if isinstance(cluster.levels, Unreadable) else cluster.levels
            self._becoming[cluster.name] = becoming_of(cluster.rbac, cluster.access, levels, cluster.version)
        return self._becoming[cluster.name]

    def risks(self, account: str = "", role: str = "") -> Iterator[Risk]:
        """The risks of all bindings, or of those about one ServiceAccount or role.

        One risk for each binding that allows everyone to act as ServiceAccounts with roles, and one for each
        best way of others to act as ServiceAccounts with more powerful roles.
        """
        roles = candidates(self.estate) if self.estate.clusters else ()
        for cluster in self.estate.clusters:
            every = self._goals(cluster)
            goals = self._goals(cluster, account, role) if account or role else every
            if goals:
                takers = Takers(cluster, self.becoming(cluster), goals, every)
                yield from self._everybody(takers)
                yield from self._others(takers)
                yield from by_iam(takers, self.estate, roles, self.trusts)

    def _goals(self, cluster: AuditedCluster, account: str = "", role: str = "") -> Mapping[str, Goal]:
        """The ServiceAccounts with roles in a cluster, or those about one ServiceAccount or role."""
        existing = {each.full_name for each in cluster.known_accounts}
        is_known = not isinstance(cluster.accounts, Unreadable)
        goals: dict[str, Goal] = {}
        for accounts, ways in self._sets(cluster, role):
            worst = max(ways, key=self._power_by)
            weight = self.trusts.weight(worst.role)
            for name in accounts & {account} if account else accounts:
                known = goals.get(name)
                if known is None or (known.weight, not known.conditions) < (weight, not worst.conditions):
                    is_missing = is_known and name not in existing
                    goals[name] = Goal(name, worst.role, weight, None, worst.conditions, is_missing)
        return goals

    def _sets(self, cluster: AuditedCluster, role: str) -> Iterable[tuple[frozenset[str], list[Way]]]:
        """The sets of ServiceAccounts that can assume roles, or one role, each with its ways.

        Many roles trust the same ServiceAccounts: each set is checked once.
        """
        sets: dict[int, tuple[frozenset[str], list[Way]]] = {}
        roles = {role: self.reach.ways.get(role, ())} if role else self.reach.ways
        missing = (way for way in self.reach.missing if not role or way.role == role)
        for way in chain(chain.from_iterable(roles.values()), missing):
            if way.cluster == cluster.name:
                _, ways = sets.setdefault(id(way.accounts), (way.accounts, []))
                ways.append(way)
        return sets.values()

    def _power_by(self, way: Way) -> tuple[int, bool, str]:
        """The sort key of ways: those to less powerful roles first, then those with conditions."""
        return self.trusts.weight(way.role), not way.conditions, way.role

    def _everybody(self, takers: Takers) -> Iterator[Risk]:
        for binding in takers.becoming.index.bindings:
            if not any(who.name in BROAD for who in binding.subjects):
                continue
            steps = [step for step in takers.steps(binding) if _is_everybody(step) and not step.conditions]
            if not steps:
                continue
            best = min(steps, key=lambda step: step.place)
            names = sorted(goal.account for goal in best.goals)
            subject = OpenBinding(
                str(binding),
                [str(step.taker.subject) for step in steps],
                some(names),
                str(best.act.right),
                (f"{binding.role}", *(f"{name} can be used" for name in names[:SHOWN])),
                takers.cluster.name,
            )
            yield open_to_everybody(subject).behind(self.trusts.worst([best.goals[0].role]))

    def _others(self, takers: Takers) -> Iterator[Risk]:
        best = _best_steps(takers)
        ways: dict[tuple[str, ...], list[TakerStep]] = {}
        components = 0
        for subject, step in sorted(best.items()):
            principals, is_lesser = self._behind(takers, step)
            if step.taker.is_part or (is_control_plane(subject) and not principals):
                components += 1
            elif is_lesser and (principals or subject != MASTERS):
                bindings = (str(further.taker.binding) for further in step)
                ways.setdefault((str(step), *bindings), []).append(step)
        if components:
            counted = f"cluster {takers.cluster.name}: {plural(components, 'part')} of Kubernetes or EKS"
            self.notes.append(f"{counted} can act as ServiceAccounts with powerful roles")
        for steps in ways.values():
            yield self._way(takers, steps)

    def _behind(self, takers: Takers, step: TakerStep) -> tuple[tuple[Principal, ...], bool]:
        """The IAM principals of a subject that are less powerful than its goal, and whether it (maybe) is."""
        subject = step.taker.subject
        weight = step.goals[0].weight
        if subject.account in takers.every:
            return (), takers.every[subject.account].weight < weight
        principals = takers.cluster.access.behind(subject)
        people = (
            principal for principal in principals if not is_control_plane(RbacSubject("IAM", principal.arn))
        )
        lesser = tuple(principal for principal in people if self.trusts.weight(principal.arn) < weight)
        return lesser, bool(lesser or not principals or takers.cluster.access.unread)

    def _principals(self, takers: Takers, step: TakerStep) -> tuple[Principal, ...]:
        """The IAM principals of a subject of Kubernetes that are less powerful than its goal."""
        if step.taker.subject.kind == "IAM":
            return ()
        principals, _ = self._behind(takers, step)
        return principals

    def _way(self, takers: Takers, steps: list[TakerStep]) -> Risk:
        step = steps[0]
        reason = f"can act {', then '.join(map(str, step))}"
        others = bisect_right(step.goals, -1, key=lambda goal: -goal.weight) - 1
        if others:
            reason += f" and as {others} more"
        if step.depends_on:
            reason += f", if {'; '.join(step.depends_on)}"
        evidence: list[str] = []
        for further in step:
            binding = further.taker.binding
            evidence.append(f"{binding}: {binding.role} rule {further.act.rule}")
        takers_shown: list[str] = []
        for other_step in steps:
            subject = other_step.taker.subject
            principals = self._principals(takers, other_step)
            name = str(subject)
            if principals:
                name = f"{name} ({some([principal.arn for principal in principals])})"
            takers_shown.append(name)
            evidence += [f"{subject} is {principal.arn} ({principal.by})" for principal in principals]
        cluster = takers.cluster.name
        violation = risk(
            RULES["powerful-service-account"],
            f"{some(takers_shown)} of cluster {cluster}",
            reason,
            cluster=cluster,
            evidence=tuple(evidence),
            subject=", ".join(str(other_step.taker.subject) for other_step in steps),
            cause=f"{reason} in cluster {cluster}",
        )
        if _is_operator(step):
            violation = violation.graded(Consequence.ROLE, Exposure.PRIVILEGED)
            violation = replace(violation, cause=f"{violation.subject} can do everything")
        return violation.behind(self.trusts.worst([step.goals[0].role])).less_sure(step.depends_on)


def _best_steps(takers: Takers) -> dict[RbacSubject, TakerStep]:
    """The best step of each subject to a powerful role, except for what is open to nearly everyone."""
    best: dict[RbacSubject, TakerStep] = {}
    for binding in takers.becoming.index.bindings:
        for step in takers.steps(binding):
            subject = step.taker.subject
            if step.goals[0].weight and (step.conditions or not _is_everybody(step)):
                best[subject] = min(best.get(subject, step), step, key=lambda known: known.place)
    return best


def _is_operator(step: TakerStep) -> bool:
    """Whether it is a ServiceAccount that may do everything in the cluster, such as that of Argo CD."""
    taker = step.taker
    return bool(taker.subject.account) and step.act.id == EVERYTHING and not taker.binding.namespace


def _is_everybody(step: TakerStep) -> bool:
    return step.taker.subject.name in BROAD


def _worst_first(risk: Risk) -> tuple[int, int, str, str, str, str]:
    """The sort key: by severity, then by what follows, so that pods without credentials come first."""
    place = -ORDER.index(risk.severity), _CONSEQUENCES.index(risk.rule.consequence)
    return (*place, risk.rule.id, risk.role, risk.cluster, risk.sentence)


_CONSEQUENCES = tuple(Consequence)


@dataclass(frozen=True)
class AuditScope:
    """The scope of an audit: one ServiceAccount (namespace/name), one role (ARN), or everything."""

    account: str = ""
    role: str = ""
    unused_days: int = UNUSED_DAYS


@dataclass(frozen=True)
class Audit:
    """The audit of an estate."""

    estate: Estate
    scope: AuditScope = AuditScope()
    _gets: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def reach(self) -> Reachable:
        """The ServiceAccounts that can assume each role."""
        return Reachable(self.estate)

    @cached_property
    def risks(self) -> tuple[Risk, ...]:
        """All risks in the scope: by severity, then by rule, role and place."""
        declared = Declared(self.estate, self.reach, self.scope.unused_days)
        everything = chain(self.trusts.risks(), self.powerful.risks(), map(self._behind, declared.risks()))
        risks = [self._of_subject(self._whom(risk)) for risk in everything if self._is_in_scope(risk)]
        risks += self.in_cluster.risks(self.scope.account, self.scope.role)
        return tuple(sorted(risks, key=_worst_first))

    @property
    def notes(self) -> tuple[str, ...]:
        """The subjects left out of the risks."""
        return tuple(self.in_cluster.notes) if self.risks is not None else ()

    @cached_property
    def in_cluster(self) -> InCluster:
        return InCluster(self.estate, self.reach, self.trusts)

    @cached_property
    def trusts(self) -> Trusts:
        return Trusts(self.estate)

    @cached_property
    def powerful(self) -> Powerful:
        return Powerful(self.estate, self.reach, self.trusts, self.scope.unused_days)

    @cached_property
    def in_kubernetes(self) -> Mapping[str, InKubernetes]:
        """The ServiceAccount of the scope in each cluster that has it, by cluster name."""
        subject = "system:serviceaccount:" + self.scope.account.replace("/", ":", 1)
        return {
            cluster.name: self.in_cluster.of(cluster, self.scope.account)
            for cluster in self.estate.clusters
            if subject in self.reach.index(cluster).accounts
        }

    def _behind(self, risk: Risk) -> Risk:
        """The risk with the role's permissions, if it lets someone assume the role."""
        role = self.estate.roles_by_arn.get(risk.role)
        if role is None or risk.rule.id not in _GIVING:
            return risk
        return risk.behind(self.trusts.powers(role).much)

    def _is_in_scope(self, risk: Risk) -> bool:
        scope = self.scope
        if scope.role:
            return risk.role == scope.role
        if not scope.account:
            return True
        return risk.account == scope.account or (not risk.account and risk.role in self._roles_of_account)

    @cached_property
    def _roles_of_account(self) -> frozenset[str]:
        return frozenset(path.role for path in self.reach.all_paths(self.scope.account))

    def _whom(self, risk: Risk) -> Risk:
        """The risk of a role with the ServiceAccounts that can assume it as evidence."""
        if risk.rule.area not in (Area.TRUST, Area.POWER):
            return risk
        if risk.role not in self._gets:
            self._gets[risk.role] = tuple(map(str, self.reach.ways.get(risk.role, ())))
        return replace(risk, evidence=(*risk.evidence, *self._gets[risk.role]))

    def _of_subject(self, risk: Risk) -> Risk:
        """The risk with the ServiceAccounts that it is about, without their clusters.

        A risk that anyone can cause, or of a role that more than a few can assume, has no subject.
        """
        ways = self.reach.ways.get(risk.role, ())
        subject = risk.account
        if not subject and risk.rule.reach is not Exposure.ANYONE:
            names = sorted(frozenset().union(*(way.accounts for way in ways)))
            subject = ", ".join(names) if len(names) <= SHOWN else ""
        extent = risk.extent
        for name in {way.cluster for way in ways}:
            extent = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "CLUSTER", extent)
        return replace(risk, subject=subject, extent=extent)

    @cached_property
    def unread(self) -> tuple[str, ...]:
        """The parts that were not read or checked, a line each."""
        lines = (*self.estate.unread, *self._unread(), *self._not_judged(), *self.powerful.unread())
        return tuple(dict.fromkeys(lines))

    def _not_judged(self) -> Iterator[str]:
        """The rights in clusters that were not read, and the trust policies that are too large to check."""
        for cluster in self.estate.clusters:
            for line in self._not_judged_in(cluster):
                yield f"cluster {cluster.name}: {line}"
        for role in self.estate.roles:
            if size_of(role) > LARGEST:
                yield f"the trust policy of {role.arn} is larger than IAM allows, so it was not checked"

    def _not_judged_in(self, cluster: AuditedCluster) -> Iterator[str]:
        yield from cluster.rbac.unread
        yield from cluster.access.unread
        index = self.in_cluster.becoming(cluster).index
        for policy in cluster.access.bindings:
            rules = index.rules_of(policy.role)
            if isinstance(rules, Unreadable) and not any(map(is_control_plane, policy.subjects)):
                yield rules.why
        if isinstance(cluster.levels, Unreadable):
            yield f"namespaces, with their Pod Security, were not read: {cluster.levels.why}"

    def _unread(self) -> Iterator[str]:
        if self.estate.providers is None:
            yield "the OIDC providers were not read, so deleted ones are not known"
        for arn, audiences in sorted((self.estate.providers or {}).items()):
            if audiences is None:
                yield f"the audiences of the OIDC provider {arn} are not known"
        unread_roles = [arn for arn in self.reach.ways if arn not in self.estate.roles_by_arn]
        if unread_roles:
            roles = some(unread_roles)
            yield f"roles of ServiceAccounts were not read, so their permissions are not known: {roles}"
        for cluster in self.estate.clusters:
            yield from _unread_in(cluster)


def _unread_in(cluster: AuditedCluster) -> Iterator[str]:
    without_role = sum(not association.role_arn for association in cluster.known_associations)
    if without_role:
        yield f"cluster {cluster.name}: {plural(without_role, 'association')} without a known role"
    if not cluster.issuer:
        yield f"the issuer of cluster {cluster.name} is not known, so its roles are not known"
    answers = {
        "ServiceAccounts": cluster.accounts,
        "pods": cluster.pods,
        "EKS Pod Identity associations": cluster.associations,
    }
    for objects, answer in answers.items():
        if isinstance(answer, Unreadable):
            yield f"the {objects} of cluster {cluster.name} were not read: {answer.why}"
