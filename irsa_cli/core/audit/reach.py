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
from irsa_cli.core.policies.statements import ANY, Allowed, trusted_providers, values_of_key
from irsa_cli.core.policies.web_identity import PresentKey, WebIdentity
from irsa_cli.core.trust.assuming import ASSUME, context_of_service, decide, names_service
from irsa_cli.core.trust.evaluation import Answer, Explanation, explain
from irsa_cli.core.trust.rules.judge import LARGEST
from irsa_cli.core.trust.rules.width import MOST_AUDIENCES
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable

_WILD = frozenset("*?")
SUBJECT = "system:serviceaccount:"


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
        values = set(values_of_key(document, f"{issuer}:sub"))
        if any("${" in value for value in values):
            yield from _singles(self._sorted)
            return
        patterns = sorted(value for value in values if not _WILD.isdisjoint(value))
        # Subjects are lower case, so lower() is right also for operators that ignore case.
        listed = {value.lower() for value in values.difference(patterns)}
        exact = listed.intersection(self.accounts)
        yield from _singles(sorted(exact))
        # The same set object for most policies: its hash is known.
        alike = [self._everybody - exact if exact else self._everybody]
        for pattern in patterns:
            alike = list(_divided(alike, self.matching(pattern)))
        yield from ((min(subjects), subjects) for subjects in alike if subjects)


def _example(pattern: str) -> str:
    """A name that matches a pattern."""
    return pattern.replace("*", "x").replace("?", "x")


def _singles(subjects: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    return ((subject, frozenset((subject,))) for subject in subjects)


def _divided(classes: Iterable[frozenset[str]], matching: frozenset[str]) -> Iterator[frozenset[str]]:
    """The classes, each divided into the subjects that match and those that don't; no empty ones."""
    for subjects in classes:
        yield from filter(None, (subjects & matching, subjects - matching))


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
            index = SubjectIndex.of(cluster.known_accounts)
            self._indexes[cluster.name + cluster.issuer] = index
        return index

    @cached_property
    def ways(self) -> Mapping[str, tuple[Way, ...]]:
        """The ways to assume each role, by ARN; roles without any are left out."""
        by_role: dict[str, list[Way]] = {}
        for way in self._all_ways():
            by_role.setdefault(way.role, []).append(way)
        return {arn: tuple(ways) for arn, ways in by_role.items()}

    def _all_ways(self) -> Iterator[Way]:
        for role in self.estate.roles:
            if size_of(role) <= LARGEST:
                yield from self._web(role)
        for cluster in self.estate.clusters:
            for association in cluster.known_associations:
                if association.role_arn:
                    yield from self._associated(cluster, association)

    @cached_property
    def missing(self) -> tuple[Way, ...]:
        """The ways of ServiceAccounts that do not exist: whoever creates one gets the role.

        Of a pattern that no ServiceAccount matches, the pattern is the name.
        """
        ways: list[Way] = []
        for role in self.estate.roles:
            if size_of(role) <= LARGEST:
                ways += self._missing(role)
        return tuple(ways)

    def _missing(self, role: Role) -> Iterator[Way]:
        for provider, cluster in self._clusters_of(role):
            if isinstance(cluster.accounts, Unreadable):
                continue
            index = self.index(cluster)
            audiences = self._audiences(role, provider, cluster.host_path)
            for subject in sorted(set(values_of_key(role.trust, f"{cluster.host_path}:sub"))):
                namespace, colon, name = subject.removeprefix(SUBJECT).partition(":")
                is_one = subject.startswith(SUBJECT) and colon and _WILD.isdisjoint(namespace)
                if not is_one or "${" in name or index.matching(subject):
                    continue
                best = self._accepted(role, provider, cluster, _example(subject), audiences)
                if best is not None:
                    statement, conditions, accepted = best
                    accounts = frozenset((f"{namespace}/{name}",))
                    reason = (statement, (*conditions, *self._unsure), accepted, True)
                    yield Way(role.arn, cluster.name, By.WEB_IDENTITY, accounts, *reason)

    @property
    def _unsure(self) -> tuple[str, ...]:
        return () if self.estate.providers is not None else ("the account has the OIDC provider",)

    @cached_property
    def hops(self) -> Hops:
        return Hops(self.estate)

    def _web(self, role: Role) -> Iterator[Way]:
        for provider, cluster in self._clusters_of(role):
            yield from self._of_cluster(role, provider, cluster)

    def _clusters_of(self, role: Role) -> Iterator[tuple[str, AuditedCluster]]:
        """The providers that a role trusts and that exist, each with its cluster."""
        for provider in sorted(trusted_providers(role.trust)):
            cluster = self.estate.cluster_of(provider)
            if cluster is None:
                continue
            if self.estate.providers is not None and provider not in self.estate.providers:
                continue  # Without its provider, STS rejects an issuer's tokens.
            yield provider, cluster

    def _audiences(self, role: Role, provider: str, issuer: str) -> tuple[str, ...]:
        tested = values_of_key(role.trust, f"{issuer}:aud")
        accepted = None if self.estate.providers is None else self.estate.providers[provider]
        audiences = dict.fromkeys((DEFAULT_AUDIENCE, *tested, *(accepted or ())))
        usable = [audience for audience in audiences if accepted is None or audience in accepted]
        return tuple(usable[:MOST_AUDIENCES])

    def _of_cluster(self, role: Role, provider: str, cluster: AuditedCluster) -> Iterator[Way]:
        index = self.index(cluster)
        issuer = cluster.host_path
        audiences = self._audiences(role, provider, issuer)
        listed = set(values_of_key(role.trust, f"{issuer}:sub"))
        by_reason: dict[tuple[str, tuple[str, ...], tuple[str, ...], bool], frozenset[str]] = {}
        for subject, members in index.classes(role.trust, issuer):
            best = self._accepted(role, provider, cluster, subject, audiences)
            if best is not None:
                key = (*best, subject in listed)
                names = index.names_of(members)
                # Mostly the same set object, not a copy.
                by_reason[key] = by_reason[key] | names if key in by_reason else names
        for (statement, conditions, accepted, is_listed), names in by_reason.items():
            reason = (statement, (*conditions, *self._unsure), accepted, is_listed)
            yield Way(role.arn, cluster.name, By.WEB_IDENTITY, names, *reason)

    def _accepted(
        self, role: Role, provider: str, cluster: AuditedCluster, subject: str, audiences: Iterable[str]
    ) -> tuple[str, tuple[str, ...], tuple[str, ...]] | None:
        """How a role's trust policy allows tokens of a subject; None if it does not."""
        explanations: dict[str, Explanation] = {}
        for audience in audiences:
            identity = WebIdentity(provider, f"https://{cluster.host_path}", subject, audience)
            explanations[audience] = explain(role.trust, identity, now=self.estate.now)
        return _best(explanations)

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
        described = Cluster(name, cluster.arn, region, "", cluster.account, cluster.issuer)
        context = context_of_service(described, association)
        unread = {key: PresentKey() for key, value in context.items() if value == ("",)}
        decision = decide(role.trust, names_service, {**context, **unread}, ASSUME)
        if decision.answer is Answer.YES:
            yield way
        elif decision.answer is Answer.UNKNOWN:
            yield replace(way, conditions=(decision.why,))

    def paths(self, arn: str, account: str = "") -> Iterator[RolePath]:
        """The shortest path to a role of each ServiceAccount, or of one; a sure one before others."""
        every = [RolePath(way) for way in self.ways.get(arn, ())]
        for hops in self.hops.to(arn, DEPTH):
            every += [RolePath(way, hops) for way in self.ways.get(hops[0].source, ())]
        with_path: dict[str, set[str]] = {}
        for path in sorted(every, key=lambda path: (bool(path.conditions), len(path.hops))):
            known = with_path.setdefault(path.way.cluster, set())
            accounts = path.way.accounts
            first_time = (accounts & {account} if account else accounts) - known
            if not first_time:
                continue
            known |= first_time
            if len(first_time) == len(accounts):
                # Keep the same set object: many roles trust the same ServiceAccounts.
                yield path
            else:
                yield replace(path, way=replace(path.way, accounts=first_time))

    def all_paths(self, account: str = "") -> Iterator[RolePath]:
        """The shortest paths of all ServiceAccounts to all roles, or those of one (namespace/name)."""
        for arn in sorted({*self.ways, *self.hops.into}):
            yield from self.paths(arn, account)


def _best(explanations: Mapping[str, Explanation]) -> tuple[str, tuple[str, ...], tuple[str, ...]] | None:
    """The deciding statement, its conditions and the audiences; None if the policy allows no token."""
    sure: list[str] = []
    unsure: list[str] = []
    for audience, explanation in explanations.items():
        if explanation.answer is Answer.YES:
            sure.append(audience)
        elif explanation.answer is Answer.UNKNOWN:
            unsure.append(audience)
    audiences = sure or unsure
    if not audiences:
        return None
    chosen = explanations[audiences[0]]
    allowing = [verdict for verdict in chosen.verdicts if verdict.effect == "Allow" and verdict.possible]
    deciding = min(allowing, key=lambda verdict: not verdict.applies)
    return deciding.name, chosen.conditions, tuple(audiences)


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
    yield from sorted(able, key=_sure_first)


def _sure_first(can: Can) -> tuple[bool, str, str, tuple[str, ...]]:
    return bool(can.conditions), can.path.way.cluster, can.path.role, can.accounts
