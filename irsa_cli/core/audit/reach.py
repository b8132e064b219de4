"""The ServiceAccounts that can assume roles, by web identity and EKS Pod Identity, or perform an action."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import Any

from irsa_cli.core.audit.estate import AuditedAccount, AuditedAssociation, AuditedCluster, Estate
from irsa_cli.core.audit.ways import By, Hops, RolePath, Way, may
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.statements import ANY, Allowed, statements, tests_of_key, trusted_providers
from irsa_cli.core.policies.web_identity import PresentKey, WebIdentity
from irsa_cli.core.trust.assuming import ASSUME, context_of_service, decide, names_service
from irsa_cli.core.trust.evaluation import Answer, Explanation, explain
from irsa_cli.core.trust.rules.judge import LARGEST
from irsa_cli.core.trust.rules.width import MOST_AUDIENCES
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable

_WILD = ("*", "?")


@dataclass(frozen=True)
class SubjectIndex:
    """The ServiceAccounts of one cluster, by their subjects."""

    accounts: Mapping[str, AuditedAccount]
    _sorted: tuple[str, ...]
    _everybody: frozenset[str]
    _matched: dict[str, frozenset[str]] = field(default_factory=dict)
    _names: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, accounts: Iterable[AuditedAccount]) -> SubjectIndex:
        by_subject = {account.subject: account for account in accounts}
        return cls(by_subject, tuple(sorted(by_subject)), frozenset(by_subject))

    def matching(self, pattern: str) -> frozenset[str]:
        """The subjects that match a pattern of `*` and `?`."""
        if pattern not in self._matched:
            head = pattern.partition("*")[0].partition("?")[0]
            places = range(bisect_left(self._sorted, head), len(self._sorted))
            each = (self._sorted[place] for place in places)
            beginning = takewhile(lambda subject: subject.startswith(head), each)
            self._matched[pattern] = frozenset(subject for subject in beginning if like(subject, pattern))
        return self._matched[pattern]

    def names_of(self, subjects: frozenset[str]) -> frozenset[str]:
        """The full names of the ServiceAccounts; the same set object for the same subjects."""
        if subjects not in self._names:
            self._names[subjects] = frozenset(self.accounts[subject].full_name for subject in subjects)
        return self._names[subjects]

    def classes(self, document: Mapping[str, Any], issuer: str) -> Iterator[tuple[str, frozenset[str]]]:
        """The classes of subjects that the policy treats alike, each with an example subject."""
        values: set[str] = set()
        for _, tested in tests_of_key(statements(document), f"{issuer}:sub"):
            values.update(tested)
        if any("${" in value for value in values):
            yield from ((subject, frozenset((subject,))) for subject in self._sorted)
            return
        patterns = sorted(value for value in values if any(sign in value for sign in _WILD))
        # Subjects are lower case, so lower() is right also for operators that ignore case.
        listed = {value.lower() for value in values.difference(patterns)}
        exact = listed.intersection(self.accounts)
        yield from ((subject, frozenset((subject,))) for subject in sorted(exact))
        # The same set object for most policies: its hash is known.
        parts = [self._everybody - exact if exact else self._everybody]
        for pattern in patterns:
            matching = self.matching(pattern)
            halves = [half for part in parts for half in (part & matching, part - matching)]
            parts = [half for half in halves if half]
        yield from ((min(part), part) for part in parts if part)


DEPTH = 4
"""The most roles of a path after the first one."""


def size_of(role: Role) -> int:
    """The approximate size of a trust policy."""
    return len(str(role.trust))


@dataclass(frozen=True)
class Reachable:
    """The ServiceAccounts that can assume each role of an estate."""

    estate: Estate
    _indexes: dict[str, SubjectIndex] = field(default_factory=dict, compare=False)

    def index(self, cluster: AuditedCluster) -> SubjectIndex:
        """The ServiceAccounts of a cluster by subject; none if they were not read."""
        index = self._indexes.get(cluster.name + cluster.issuer)
        if index is None:
            accounts = () if isinstance(cluster.accounts, Unreadable) else cluster.accounts
            index = self._indexes[cluster.name + cluster.issuer] = SubjectIndex.of(accounts)
        return index

    @cached_property
    def ways(self) -> Mapping[str, tuple[Way, ...]]:
        """The ways to assume each role, by ARN; roles without any are left out."""
        found: dict[str, list[Way]] = {}
        for role in self.estate.roles:
            if size_of(role) <= LARGEST:
                for way in self._web(role):
                    found.setdefault(role.arn, []).append(way)
        for cluster in self.estate.clusters:
            for association in () if isinstance(cluster.associations, Unreadable) else cluster.associations:
                for way in self._associated(cluster, association) if association.role_arn else ():
                    found.setdefault(way.role, []).append(way)
        return {arn: tuple(ways) for arn, ways in found.items()}

    @cached_property
    def hops(self) -> Hops:
        return Hops(self.estate)

    def _web(self, role: Role) -> Iterator[Way]:
        for provider in sorted(trusted_providers(role.trust)):
            cluster = self.estate.cluster_of(provider)
            if cluster is None:
                continue
            if self.estate.providers is not None and provider not in self.estate.providers:
                continue  # Without its provider, STS rejects an issuer's tokens.
            yield from self._of_cluster(role, provider, cluster)

    def _audiences(self, role: Role, provider: str, issuer: str) -> tuple[str, ...]:
        key = f"{issuer}:aud"
        tested = [value for _, values in tests_of_key(statements(role.trust), key) for value in values]
        accepted = None if self.estate.providers is None else self.estate.providers[provider]
        audiences = dict.fromkeys((DEFAULT_AUDIENCE, *tested, *(accepted or ())))
        return tuple(audience for audience in audiences if accepted is None or audience in accepted)[
            :MOST_AUDIENCES
        ]

    def _of_cluster(self, role: Role, provider: str, cluster: AuditedCluster) -> Iterator[Way]:
        index = self.index(cluster)
        issuer = cluster.host_path
        unsure = () if self.estate.providers is not None else ("the account has the OIDC provider",)
        audiences = self._audiences(role, provider, issuer)
        named = {
            value for _, values in tests_of_key(statements(role.trust), f"{issuer}:sub") for value in values
        }
        found: dict[tuple[str, tuple[str, ...], tuple[str, ...], bool], frozenset[str]] = {}
        for subject, members in index.classes(role.trust, issuer):
            identities = (
                WebIdentity(provider, f"https://{issuer}", subject, audience) for audience in audiences
            )
            answers = (explain(role.trust, identity, now=self.estate.now) for identity in identities)
            if best := _best(list(zip(audiences, answers, strict=True))):
                key = (*best, subject in named)
                names = index.names_of(members)
                found[key] = found[key] | names if key in found else names
        for (statement, conditions, taken, is_named), names in found.items():
            more = (statement, (*conditions, *unsure), taken, is_named)
            yield Way(role.arn, cluster.name, By.WEB_IDENTITY, names, *more)

    def _associated(self, cluster: AuditedCluster, association: AuditedAssociation) -> Iterator[Way]:
        role = self.estate.roles_by_arn.get(association.role_arn)
        who = frozenset((association.full_name,))
        way = Way(
            association.role_arn,
            cluster.name,
            By.POD_IDENTITY,
            who,
            f"association {association.id}",
            named=True,
        )
        if role is None:
            if self.estate.accounts.isdisjoint(association.role_arn.split(":")[4:5]):
                yield replace(way, conditions=("the role, which was not read, trusts EKS Pod Identity",))
            return
        name = cluster.arn.rpartition("/")[2] or cluster.name
        region = cluster.region
        named = Cluster(name, cluster.arn, region, "", cluster.account, cluster.issuer)
        context = context_of_service(named, association)
        unread = {key: PresentKey() for key, value in context.items() if value == ("",)}
        answer = decide(role.trust, names_service, {**context, **unread}, ASSUME)
        if answer.answer is Answer.YES:
            yield way
        elif answer.answer is Answer.UNKNOWN:
            yield replace(way, conditions=(answer.why,))

    def paths(self, arn: str, account: str = "") -> Iterator[RolePath]:
        """The shortest path to a role of each ServiceAccount, or of one; a sure one before others."""
        chains = [(), *self.hops.to(arn, DEPTH)]
        found = [
            RolePath(way, hops)
            for hops in chains
            for way in self.ways.get(hops[0].source if hops else arn, ())
        ]
        taken: dict[str, set[str]] = {}
        for path in sorted(found, key=lambda path: (bool(path.conditions), len(path.hops))):
            known = taken.setdefault(path.way.cluster, set())
            accounts = path.way.accounts
            left = (accounts & {account} if account else accounts) - known
            if left:
                known |= left
                # Keep the same set object: many roles trust the same ServiceAccounts.
                way = path.way if len(left) == len(accounts) else replace(path.way, accounts=left)
                yield replace(path, way=way)

    def all_paths(self, account: str = "") -> Iterator[RolePath]:
        """The shortest paths of all ServiceAccounts to all roles, or those of one (namespace/name)."""
        for arn in sorted({*self.ways, *self.hops.into}):
            yield from self.paths(arn, account)


def _best(asked: list[tuple[str, Explanation]]) -> tuple[str, tuple[str, ...], tuple[str, ...]] | None:
    """The deciding statement, its conditions and the audiences; None if the policy allows no token."""
    sure = [(audience, explanation) for audience, explanation in asked if explanation.answer is Answer.YES]
    maybe = [
        (audience, explanation) for audience, explanation in asked if explanation.answer is Answer.UNKNOWN
    ]
    if not sure and not maybe:
        return None
    chosen = (sure or maybe)[0][1]
    taken = tuple(audience for audience, _ in sure or maybe)
    allowing = [verdict for verdict in chosen.verdicts if verdict.effect == "Allow" and verdict.possible]
    deciding = min(allowing, key=lambda verdict: not verdict.applies)
    return deciding.name, chosen.conditions, taken


@dataclass(frozen=True)
class Can:
    """ServiceAccounts that can perform the action, by a path to a role with the permission."""

    path: RolePath
    allowed: Allowed

    @property
    def accounts(self) -> tuple[str, ...]:
        """The ServiceAccounts (namespace/name), in order."""
        return tuple(sorted(self.path.way.accounts))

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that are not known."""
        return (*self.path.conditions, *self.allowed.conditions)


def who_can(reach: Reachable, action: str, resource: str = ANY) -> Iterator[Can]:
    """The ServiceAccounts that can perform an action, the sure ones first."""
    able: list[Can] = []
    for role in reach.estate.roles:
        answer = may(reach.estate, role, action, resource)
        if answer is not None:
            able += [Can(path, answer) for path in reach.paths(role.arn)]
    yield from sorted(
        able, key=lambda can: (bool(can.conditions), can.path.way.cluster, can.path.role, can.accounts)
    )
