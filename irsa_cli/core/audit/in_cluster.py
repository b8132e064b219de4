"""The clusters' own rights in an audit: who may become which ServiceAccount, and whether that is everybody.

Who may is found in `irsa_cli.core.rbac`. Bindings for everybody are few: those alone are asked
about all ServiceAccounts, and what is the same for those of a namespace once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from irsa_cli.core.audit.estate import AuditedCluster, Estate
from irsa_cli.core.audit.reach import Reachable
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.rbac.becoming import AccountTaker, Becoming
from irsa_cli.core.rbac.objects import BROAD, RbacBinding
from irsa_cli.core.rbac.report import InKubernetes, becoming_of, in_kubernetes
from irsa_cli.core.trust.rules import binding_rules as rules
from irsa_cli.core.trust.rules.rule import SHOWN, Risk, risk

Held = Mapping[str, Mapping[str, list[list[str]]]]
"""The roles of ServiceAccounts (namespace/name), in some lists, by their namespaces."""


@dataclass
class InCluster:
    """The judge of who may become ServiceAccounts by rights in their clusters."""

    estate: Estate
    reach: Reachable
    trusts: Trusts
    _becoming: dict[str, Becoming] = field(default_factory=dict)
    _power: dict[str, str] = field(default_factory=dict)

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
            bindings = [item for item in _bindings(cluster) if _is_broad(item)]
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
            f"lets {' and '.join(subjects)} become ServiceAccounts with AWS roles ({_some(names)})"
            f" by the right to {_some(list(acts))}"
        )
        item = risk(
            rules.BROAD_GROUP,
            f"{binding} of cluster {cluster.name}",
            reason,
            cluster=cluster.name,
            evidence=(f"{binding.role}", *(f"{name} may be had" for name in names[:SHOWN])),
        )
        lists = {id(arns): arns for name in names for arns in held[name.partition("/")[0]][name]}
        yield item.behind(self._worst(arn for arns in lists.values() for arn in arns))

    def _in_namespace(
        self,
        becoming: Becoming,
        cluster: AuditedCluster,
        binding: RbacBinding,
        accounts: Iterable[str],
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

    def _worst(self, arns: Iterable[str]) -> str:
        """What is much of what the roles may do: that of the first one of which it is."""
        for arn in dict.fromkeys(arns):
            if arn not in self._power:
                role = self.estate.roles_by_arn.get(arn)
                self._power[arn] = self.trusts.power(role) if role else ""
            if self._power[arn]:
                return f"{self._power[arn]} of {arn}"
        return ""


def _bindings(cluster: AuditedCluster) -> Iterator[RbacBinding]:
    for found in (cluster.rbac.cluster_role_bindings, cluster.rbac.role_bindings):
        yield from () if isinstance(found, Unreadable) else found


def _is_broad(binding: RbacBinding) -> bool:
    return any(subject.name in BROAD for subject in binding.subjects)


def _sure(takers: Iterable[AccountTaker]) -> tuple[AccountTaker, ...]:
    return tuple(item for item in takers if item.subject.name in BROAD and item.is_sure)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
