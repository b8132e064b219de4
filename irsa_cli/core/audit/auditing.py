"""The audit of what was read: all risks, the worst first, and what keeps it from being complete.

The judges are beside this module, but for that of the clusters' own rights: who may become which
ServiceAccount is found in `irsa_cli.core.rbac`. Bindings for everybody are few: those alone are asked about
all ServiceAccounts, and what is the same for those of a namespace once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import nsmallest

from irsa_cli.core.audit.declared import UNUSED_DAYS, Declared, Drift
from irsa_cli.core.audit.estate import AuditedCluster, Estate
from irsa_cli.core.audit.powerful import Powerful
from irsa_cli.core.audit.reach import Reachable
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.audit.ways import Way
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.rbac.becoming import AccountTaker, Becoming, InKubernetes, becoming_of, in_kubernetes
from irsa_cli.core.rbac.objects import BROAD, RbacBinding
from irsa_cli.core.trust.rules import table as rules
from irsa_cli.core.trust.rules.rule import ORDER, SHOWN, Area, Risk, risk, some

_GIVING = (rules.ADMITTED_NOT_ANNOTATED, rules.SUBJECT_GONE, rules.CHANGED, rules.UNUSED)
"""The rules beside those of trust policies by which somebody gets a role."""
Held = Mapping[str, Mapping[str, list[list[str]]]]
"""The roles of ServiceAccounts (namespace/name), in some lists, by their namespaces."""


@dataclass
class InCluster:
    """The judge of who may become ServiceAccounts by rights in their clusters."""

    estate: Estate
    reach: Reachable
    trusts: Trusts
    _becoming: dict[str, Becoming] = field(default_factory=dict)

    def of(self, cluster: AuditedCluster, account: str) -> InKubernetes:
        """One ServiceAccount (namespace/name) in its cluster."""
        namespace, _, name = account.partition("/")
        pods = None if isinstance(cluster.pods, Unreadable) else cluster.pods.get(account, 0)
        return in_kubernetes(self._of(cluster), cluster.access, namespace, name, pods)

    def _of(self, cluster: AuditedCluster) -> Becoming:
        if cluster.name not in self._becoming:
            self._becoming[cluster.name] = becoming_of(cluster.rbac, cluster.access)
        return self._becoming[cluster.name]

    def risks(self, account: str = "", role: str = "") -> Iterator[Risk]:
        """One risk for each binding that lets everybody become ServiceAccounts with roles.

        Only about that ServiceAccount or role, where one is named.
        """
        for cluster in self.estate.clusters:
            bindings = [it for it in _bindings(cluster) if any(who.name in BROAD for who in it.subjects)]
            if bindings:
                held = self._held(cluster, account, role)
                for binding in bindings:
                    yield from self._risk(cluster, binding, held)

    def _held(self, cluster: AuditedCluster, account: str, role: str) -> Held:
        """Who has which roles in a cluster, as far as it is asked about."""
        # Many roles admit the same ServiceAccounts: those of one set are looked at once.
        sets: dict[int, tuple[frozenset[str], list[str]]] = {}
        for arn, ways in self.reach.ways.items():
            for way in ways if role in ("", arn) else ():
                if way.cluster == cluster.name:
                    sets.setdefault(id(way.accounts), (way.accounts, []))[1].append(arn)
        found: dict[str, dict[str, list[list[str]]]] = {}
        for accounts, arns in sets.values():
            for name in accounts & {account} if account else accounts:
                found.setdefault(name.partition("/")[0], {}).setdefault(name, []).append(arns)
        return found

    def _risk(self, cluster: AuditedCluster, binding: RbacBinding, held: Held) -> Iterator[Risk]:
        becoming = self._of(cluster)
        names: list[str] = []
        ways: dict[int, tuple[AccountTaker, ...]] = {}
        for space in sorted(held) if not binding.namespace else [binding.namespace]:
            for name, found in self._in_namespace(becoming, cluster, binding, held.get(space, ())):
                names.append(name)
                ways[id(found)] = found
        if not names:
            return
        takers = [taker for found in ways.values() for taker in found]
        acts = dict.fromkeys(str(act.right) for taker in takers for act in taker.acts if not act.conditions)
        subjects = dict.fromkeys(str(taker.subject) for taker in takers)
        reason = (
            f"lets {' and '.join(subjects)} become ServiceAccounts with AWS roles ({some(names)})"
            f" by the right to {some(list(acts))}"
        )
        item = risk(
            rules.BROAD_GROUP,
            f"{binding} of cluster {cluster.name}",
            reason,
            cluster=cluster.name,
            evidence=(f"{binding.role}", *(f"{name} may be had" for name in names[:SHOWN])),
        )
        lists = {id(arns): arns for name in names for arns in held[name.partition("/")[0]][name]}
        yield item.behind(self.trusts.worst(arn for arns in lists.values() for arn in arns))

    def _in_namespace(
        self, becoming: Becoming, cluster: AuditedCluster, binding: RbacBinding, accounts: Iterable[str]
    ) -> Iterator[tuple[str, tuple[AccountTaker, ...]]]:
        """The ServiceAccounts of a namespace that everybody may become.

        What a rule says of all of them is asked once; of those that it names, each.
        """
        openings = becoming.openings(binding.role).openings
        named = {name for opening in openings for name in opening.names}
        pods = {} if isinstance(cluster.pods, Unreadable) else cluster.pods
        known: dict[bool, tuple[AccountTaker, ...]] = {}
        for full_name in sorted(accounts):
            space, _, name = full_name.partition("/")
            runs = bool(pods.get(full_name))
            if name in named:
                found = _sure(becoming.by(binding, space, name, int(runs)))
            else:
                if runs not in known:
                    known[runs] = _sure(becoming.by(binding, space, name, int(runs)))
                found = known[runs]
            if found:
                yield full_name, found


def _bindings(cluster: AuditedCluster) -> Iterator[RbacBinding]:
    for found in (cluster.rbac.cluster_role_bindings, cluster.rbac.role_bindings):
        yield from () if isinstance(found, Unreadable) else found


def _sure(takers: Iterable[AccountTaker]) -> tuple[AccountTaker, ...]:
    return tuple(item for item in takers if item.subject.name in BROAD and item.is_sure)


@dataclass(frozen=True)
class AuditScope:
    """What is asked about: one ServiceAccount (namespace/name), one role (ARN), or all of it."""

    account: str = ""
    role: str = ""
    unused_days: int = UNUSED_DAYS


@dataclass(frozen=True)
class Audit:
    """An estate, judged."""

    estate: Estate
    scope: AuditScope = AuditScope()
    _gets: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def reach(self) -> Reachable:
        """Who becomes which role."""
        return Reachable(self.estate)

    @cached_property
    def risks(self) -> tuple[Risk, ...]:
        """All risks in the scope: by severity, then by rule, role and place."""
        found = [self._whom(item) for item in self._all() if self._is_asked(item)]
        found += self.in_cluster.risks(self.scope.account, self.scope.role)
        return tuple(sorted(found, key=_place))

    @cached_property
    def in_cluster(self) -> InCluster:
        """Who may become which ServiceAccount by rights in its cluster."""
        return InCluster(self.estate, self.reach, self.trusts)

    @cached_property
    def trusts(self) -> Trusts:
        """What is unsafe in trust policies, and what roles may do."""
        return Trusts(self.estate)

    @cached_property
    def powerful(self) -> Powerful:
        """What roles of pods may do."""
        return Powerful(self.estate, self.reach, self.trusts)

    @cached_property
    def in_kubernetes(self) -> Mapping[str, InKubernetes]:
        """The ServiceAccount that is asked about in each cluster that has it, by the cluster's name."""
        subject = "system:serviceaccount:" + self.scope.account.replace("/", ":", 1)
        return {
            cluster.name: self.in_cluster.of(cluster, self.scope.account)
            for cluster in self.estate.clusters
            if subject in self.reach.index(cluster).accounts
        }

    def _all(self) -> Iterator[Risk]:
        yield from self.trusts.risks()
        yield from self.powerful.risks()
        yield from map(self._behind, Declared(self.estate, self.reach).risks())
        yield from map(self._behind, Drift(self.estate, self.reach, self.scope.unused_days).risks())

    def _behind(self, item: Risk) -> Risk:
        """The risk with what the role may do, where it gives the role to somebody."""
        role = self.estate.roles_by_arn.get(item.role) if item.rule in _GIVING else None
        return item.behind(self.trusts.power(role)) if role else item

    def _is_asked(self, item: Risk) -> bool:
        scope = self.scope
        if scope.role:
            return item.role == scope.role
        if not scope.account:
            return True
        return item.account == scope.account or (not item.account and item.role in self._roles_of_account)

    @cached_property
    def _roles_of_account(self) -> frozenset[str]:
        return frozenset(path.role for path in self.reach.all_paths(self.scope.account))

    def _whom(self, item: Risk) -> Risk:
        """The risk of a role with who gets the role today, as evidence."""
        if item.rule.area not in (Area.TRUST, Area.POWER):
            return item
        if item.role not in self._gets:
            self._gets[item.role] = tuple(map(_line, self.reach.ways.get(item.role, ())))
        return replace(item, evidence=(*item.evidence, *self._gets[item.role]))

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """What was not read, and so is not called fine."""
        lines = [
            *self.estate.unseen,
            *self._unread(),
            *self._rights_unread(),
            *self.trusts.too_large(),
            *self.powerful.unseen(),
        ]
        return tuple(dict.fromkeys(lines))

    def _rights_unread(self) -> Iterator[str]:
        for cluster in self.estate.clusters:
            principals = cluster.access.unseen if self.scope.account else ()
            for line in (*cluster.rbac.unseen, *principals):
                yield f"cluster {cluster.name}: {line}"

    def _unread(self) -> Iterator[str]:
        if self.estate.providers is None:
            yield "the OIDC providers were not read: whether one is gone is not known"
        for arn, audiences in sorted((self.estate.providers or {}).items()):
            if audiences is None:
                yield f"the audiences of the OIDC provider {arn} are not known"
        for cluster in self.estate.clusters:
            associations = () if isinstance(cluster.associations, Unreadable) else cluster.associations
            if lacking := [item.full_name for item in associations if not item.role_arn]:
                yield f"associations of cluster {cluster.name} whose roles are not known: {len(lacking)}"
            if not cluster.issuer:
                yield f"the issuer of cluster {cluster.name} is not known: which roles its tokens get neither"
            for what, found in (
                ("ServiceAccounts", cluster.accounts),
                ("pods", cluster.pods),
                ("EKS Pod Identity associations", cluster.associations),
            ):
                if isinstance(found, Unreadable):
                    yield f"the {what} of cluster {cluster.name} were not read: {found.why}"


def _place(item: Risk) -> tuple[int, str, str, str, str]:
    return -ORDER.index(item.severity), item.rule.id, item.role, item.cluster, item.sentence


def _line(way: Way) -> str:
    more = f" and {len(way.accounts) - SHOWN} more" if len(way.accounts) > SHOWN else ""
    conditions = f" if {'; '.join(way.conditions)}" if way.conditions else ""
    names = f"{', '.join(nsmallest(SHOWN, way.accounts))}{more} of cluster {way.cluster}"
    return f"{way.statement} gives it to {names} ({way.by.value}){conditions}"
