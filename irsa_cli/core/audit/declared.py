"""Judges of annotations against trust policies, of powerful roles, and of leftovers and changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from irsa_cli.core.audit.estate import AuditedAccount, AuditedAssociation, AuditedCluster, Estate
from irsa_cli.core.audit.reach import DEPTH, Reachable, size_of
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.audit.ways import By, Hop, conditions_of, policies_of
from irsa_cli.core.binding.role_only import annotation_line
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG
from irsa_cli.core.policies.statements import allowing, name_of, place_of, principals, trusted_providers
from irsa_cli.core.trust.owned_statements import for_service
from irsa_cli.core.trust.rules.accounts import (
    OF_CLUSTERS,
    DeclaredAccount,
    DeclaredAssociation,
    association_refused,
    refused_action,
)
from irsa_cli.core.trust.rules.fingerprint import BY_PODS
from irsa_cli.core.trust.rules.judge import LARGEST, is_for_pods, judge
from irsa_cli.core.trust.rules.permissions import OF_ROLES, AssumedRoles, all_data, escalation_through
from irsa_cli.core.trust.rules.power import ASSUME, Power, PowerLevel, RolePower
from irsa_cli.core.trust.rules.rule import RULES, Consequence, Exposure, Risk, risk, some
from irsa_cli.core.trust.rules.width import Look, full_name_of
from irsa_cli.core.trust.trust_policy import read_statement
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, Arn, is_role, issuer_of, provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.shown import plural

Chain = tuple[Hop, ...]
UNUSED_DAYS = 90


@dataclass
class Powerful:
    """The judge of pod roles' permissions."""

    estate: Estate
    reach: Reachable
    trusts: Trusts
    unused_days: int = UNUSED_DAYS

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        """The roles that pods can assume, or that are meant for pods."""
        return tuple(role for role in self.estate.roles if self._is_for_pods(role))

    def _is_for_pods(self, role: Role) -> bool:
        if role.arn in self.reach.ways or size_of(role) > LARGEST:
            return role.arn in self.reach.ways
        providers = self.trusts.context(role).providers
        return any(is_for_pods(statement, providers) for _, statement in allowing(role.trust))

    def risks(self) -> Iterator[Risk]:
        for role in self.roles:
            power = self.trusts.powers(role)
            for check in OF_ROLES:
                yield from check(role.arn, power)
            for violation in all_data(role.arn, power):
                yield self._of_readers(role, power, violation)
            if power.level is not PowerLevel.ADMINISTRATOR and role.arn in self._chains:
                yield from escalation_through(role.arn, self._assumed_by(role.arn))

    def _of_readers(self, role: Role, power: Power, violation: Risk) -> Risk:
        """The risk of a role that can read all data, a note if one ServiceAccount alone has and uses it."""
        policies = some([*self._reading(role)])
        reason = f"{violation.reason} by {policies}"
        graded = violation
        if others := self._others(role):
            reason += f", and {others}"
            graded = violation.graded(Consequence.DATA, Exposure.NEIGHBOURS)
        if all(", if " in kind for kind in power.data):
            graded = graded.less_sure()
        return replace(graded, reason=reason, cause=f"{violation.reason} by {policies}")

    def _reading(self, role: Role) -> Iterator[str]:
        """The names of the policies that alone allow a role to read all data of a kind."""
        for name, grants in self.trusts.holder(role).policies.items():
            if RolePower({name: grants}, role.arn, tags=role.tags).power.data:
                yield name.rsplit("/", 1)[-1] if name in role.attached else f"inline policy {name}"

    def _others(self, role: Role) -> str:
        """Why a role is not only for one ServiceAccount that uses it; '' if it is, as far as is known."""
        wide = [violation.rule for violation in judge(role.trust, self.trusts.context(role))]
        if any(rule.reach in (Exposure.ANYONE, Exposure.NEIGHBOURS) for rule in wide):
            return "others can assume it"
        names = self._listed(role).union(*(way.accounts for way in self.reach.ways.get(role.arn, ())))
        if len(names) > 1:
            return f"{plural(len(names), 'ServiceAccount')} can assume it"
        if self.reach.hops.into.get(role.arn):
            return "other roles can assume it"
        unused = role.unused_since(self.estate.now, self.unused_days)
        return f"it was {unused}" if unused else ""

    def _listed(self, role: Role) -> frozenset[str]:
        """The ServiceAccounts that a trust policy lists of clusters whose ServiceAccounts are not known."""
        names: set[str] = set()
        for provider in self.trusts.context(role).providers:
            cluster = self.estate.cluster_of(provider)
            if cluster is not None and not isinstance(cluster.accounts, Unreadable):
                continue
            look = Look(role.trust, provider, DEFAULT_AUDIENCE)
            for index, _ in allowing(role.trust):
                names |= {full_name_of(subject) for subject in look.exact(index)}
        return frozenset(names)

    def _assumed_by(self, arn: str) -> AssumedRoles:
        hops, power = self._chains[arn]
        targets = [hop.target for hop in hops]
        evidence = (f"{hop.source} -> {hop.target}: {hop.allowed_by}; {hop.admitted_by}" for hop in hops)
        return AssumedRoles(targets, power, conditions_of(hops), tuple(evidence))

    @cached_property
    def _chains(self) -> Mapping[str, tuple[Chain, Power]]:
        """The hops of each role to the most powerful role with administrator permissions, sure ones first."""
        chains: dict[str, tuple[Chain, Power]] = {}
        ranks: dict[str, tuple[bool, Power, int]] = {}
        for target in self.estate.roles:
            power = self.trusts.powers(target)
            if power.level < PowerLevel.ESCALATION:
                continue
            for hops in self.reach.hops.to(target.arn, DEPTH):
                rank = (not conditions_of(hops), power, -len(hops))
                source = hops[0].source
                if source not in ranks or rank > ranks[source]:
                    ranks[source] = rank
                    chains[source] = (hops, power)
        return chains

    def unread(self) -> Iterator[str]:
        """The roles and policies that were not read and might add permissions to a pod role."""
        arns = [role.arn for role in self.roles]
        known = set(arns)
        for arn in arns:  # Grows by the roles that it can assume.
            further = {hop.target for hop in self.reach.hops.of(arn)} - known
            known |= further
            arns += sorted(further)
        roles = [self.estate.roles_by_arn[arn] for arn in arns]
        for name, pairs in sorted(self._foreign(roles).items()):
            yield f"roles of {name} that pods can assume were not read: {some(pairs)}"
        unread = [role.arn for role in roles if None in policies_of(self.estate, role).values()]
        if unread:
            yield f"some policies of these pod roles were not read: {some(unread)}"

    def _foreign(self, roles: Iterable[Role]) -> dict[str, list[str]]:
        """The principals that can assume roles of accounts that were not read, with the role, by account."""
        pairs = [*self._roles_of_accounts()]
        for role in roles:
            pairs += self._assumed(role)
        foreign: dict[str, list[str]] = {}
        for who, arn in pairs:
            account = [*arn.split(":"), *"....."][4]
            if (account.isdecimal() and account not in self.estate.accounts) or "*" in account:
                name = f"account {account}" if account.isdecimal() else "other accounts"
                foreign.setdefault(name, []).append(f"{who} -> {arn}")
        return foreign

    def _roles_of_accounts(self) -> Iterator[tuple[str, str]]:
        """The ServiceAccounts with the roles of their annotations and associations."""
        for cluster in self.estate.clusters:
            for account in cluster.known_accounts:
                yield f"{account.full_name} of {cluster.name}", account.role_arn
            for association in cluster.known_associations:
                yield f"{association.full_name} of {cluster.name}", association.role_arn

    def _assumed(self, role: Role) -> Iterator[tuple[str, str]]:
        """A role with each role that its policies list and allow it to assume."""
        holder = self.trusts.holder(role)
        for grant in chain.from_iterable(holder.policies.values()):
            if ASSUME in grant.actions and not grant.denies and "NotResource" not in grant.item:
                yield from ((role.arn, arn) for arn in grant.resources if holder.can(ASSUME, arn) is not None)


SYSTEM = "kube-system"
"""The namespace of node components, which use the node's role on purpose."""
_EKS = re.compile(r"oidc[.-]eks\.(?P<region>[a-z0-9-]+)\.")


@dataclass
class Declared:
    """The judge of annotations, associations and subjects, and of leftovers and changes.

    `unused_days`: after which a role counts as unused.
    """

    estate: Estate
    reach: Reachable
    unused_days: int = UNUSED_DAYS

    def risks(self) -> Iterator[Risk]:
        """The risks of all clusters' ServiceAccounts, of all roles' subjects, and of what is left over."""
        for cluster in self.estate.clusters:
            yield from self._of_cluster(cluster)
        for arn in sorted(self.estate.providers or ()):
            if self._is_orphan(arn):
                reason = f"belongs to no cluster in {self._where}"
                yield risk(RULES["provider-without-cluster"], f"OIDC provider {arn}", reason)
        for role in self.estate.roles:
            if size_of(role) <= LARGEST:
                yield from self._gone(role)
            yield from self._dead(role)
            yield from self._changed(role)
            yield from self._unused(role)
        yield from self._undeclared()

    def _of_cluster(self, cluster: AuditedCluster) -> Iterator[Risk]:
        if isinstance(cluster.accounts, Unreadable):
            return
        by_account = {association.full_name: association for association in cluster.known_associations}
        admitted = self._admitted(cluster)
        for account in cluster.annotated:
            association = by_account.get(account.full_name)
            subject = self._declared(cluster, account, admitted, association)
            works = self._works(cluster, association)
            for check in OF_CLUSTERS:
                for violation in check(subject):
                    yield self._for_pods(cluster, violation, by_association=works)
        for association in cluster.known_associations:
            for violation in association_refused(self._association(cluster, association)):
                yield self._for_pods(cluster, violation)
        if cluster.accounts and not isinstance(cluster.associations, Unreadable):
            yield from self._without(cluster, {*by_account})

    def _works(self, cluster: AuditedCluster, association: AuditedAssociation | None) -> bool | None:
        """Whether a ServiceAccount gets a role by its association; None if that is not known."""
        if association is None:
            return None if isinstance(cluster.associations, Unreadable) else False
        role = self.estate.roles_by_arn.get(association.role_arn)
        return None if role is None else not refused_action(role.trust, tagged=False)

    def _for_pods(
        self, cluster: AuditedCluster, violation: Risk, *, by_association: bool | None = False
    ) -> Risk:
        """A risk of a ServiceAccount with what follows for its pods, if it is about their credentials.

        `by_association`: whether they get a role by an association, which takes precedence.
        """
        if not violation.rule.broken:
            return replace(violation, cause=violation.role)
        lost = self._without_provider(cluster, violation)
        reason = f"{violation.reason}; {lost}" if lost else violation.reason
        known = replace(violation, cause=lost or violation.role, reason=reason, pattern=BY_PODS)
        if by_association:
            reason = f"{reason}; its association gives new pods a role"
            return replace(known.graded(Consequence.LEFTOVER, Exposure.OWNERS), reason=reason)
        pods = 0 if isinstance(cluster.pods, Unreadable) else cluster.pods.get(violation.account, 0)
        if not pods or by_association is None:
            return known
        reason = f"{reason}; {plural(pods, 'running pod')} without these credentials"
        return replace(known.graded(Consequence.OUTAGE, Exposure.OWNERS), reason=reason)

    def _without_provider(self, cluster: AuditedCluster, violation: Risk) -> str:
        """That no role can trust the cluster, as the role's account does not have its OIDC provider."""
        if violation.rule is not RULES["annotated-refused"] or self.estate.providers is None:
            return ""
        role = Arn.parse(violation.role)
        if provider_arn(role.partition, role.account, cluster.issuer) in self.estate.providers:
            return ""
        return f"account {role.account} has no OIDC provider of cluster {cluster.name}"

    def _association(self, cluster: AuditedCluster, association: AuditedAssociation) -> DeclaredAssociation:
        """An association of a cluster as the subject of rules."""
        role = self.estate.roles_by_arn.get(association.role_arn)
        return DeclaredAssociation(
            association.namespace,
            association.name,
            association.role_arn,
            association.id,
            cluster.name,
            trust=None if role is None else role.trust,
        )

    def _declared(
        self,
        cluster: AuditedCluster,
        account: AuditedAccount,
        admitted: Mapping[tuple[str, str], frozenset[str]],
        association: AuditedAssociation | None,
    ) -> DeclaredAccount:
        """A ServiceAccount of a cluster as the subject of rules; roles of other accounts are unknown."""
        subject = DeclaredAccount(account.namespace, account.name, account.role_arn, cluster.name)
        if association is not None and association.role_arn != account.role_arn:
            subject = replace(subject, association=self._association(cluster, association))
        if not is_role(account.role_arn) or Arn.parse(account.role_arn).account not in self.estate.accounts:
            return subject
        role = self.estate.roles_by_arn.get(account.role_arn)
        if role is None:
            return replace(subject, exists=False)
        if not cluster.issuer or size_of(role) > LARGEST:
            return replace(subject, exists=True)
        audiences = admitted.get((account.full_name, account.role_arn), frozenset())
        return replace(subject, exists=True, trusted=account.audience in audiences)

    def _admitted(self, cluster: AuditedCluster) -> dict[tuple[str, str], frozenset[str]]:
        """The audiences with which a ServiceAccount can assume a role, by ServiceAccount and role."""
        admitted: dict[tuple[str, str], frozenset[str]] = {}
        annotated = {account.full_name for account in cluster.annotated}
        for arn, ways in self.reach.ways.items():
            for way in ways:
                if way.cluster == cluster.name and way.by is By.WEB_IDENTITY:
                    for name in way.accounts & annotated:
                        admitted[name, arn] = admitted.get((name, arn), frozenset()) | {*way.audiences}
        return admitted

    def _without(self, cluster: AuditedCluster, associated: set[str]) -> Iterator[Risk]:
        """One risk for all ServiceAccounts whose pods have only the node's role."""
        if isinstance(cluster.pods, Unreadable) or isinstance(cluster.accounts, Unreadable):
            return
        own = {account.full_name for account in cluster.annotated} | associated
        bare = sorted(
            name
            for name, count in cluster.pods.items()
            if count and name not in own and not name.startswith(f"{SYSTEM}/")
        )
        if bare:
            pods = plural(sum(cluster.pods[name] for name in bare), "pod")
            reason = f"runs {pods} without an IAM role, of {some(bare)}"
            rule = RULES["node-role-fallback"]
            yield risk(rule, f"cluster {cluster.name}", reason, cluster=cluster.name, cause=rule.id)

    def _gone(self, role: Role) -> Iterator[Risk]:
        """The risks of a role's subjects that are not existing ServiceAccounts."""
        for provider in sorted(trusted_providers(role.trust)):
            cluster = self.estate.cluster_of(provider)
            if cluster is None or isinstance(cluster.accounts, Unreadable):
                continue
            if self.estate.providers is not None and provider not in self.estate.providers:
                continue
            existing = self.reach.index(cluster).accounts
            namespaces = {account.namespace for account in cluster.accounts}
            look = Look(role.trust, provider, DEFAULT_AUDIENCE)
            for index, statement in allowing(role.trust):
                missing = [subject for subject in dict.fromkeys(look.exact(index)) if subject not in existing]
                for subject in missing:
                    name = full_name_of(subject)
                    namespace = name.partition("/")[0]
                    reason = f"allows ServiceAccount {name}, missing in cluster {cluster.name}"
                    cause = role.arn if len(missing) > 1 else name
                    violation = risk(
                        RULES["subject-gone"],
                        name_of(index, statement),
                        reason,
                        role=role.arn,
                        cluster=cluster.name,
                        account=name,
                        path=place_of(index, "Condition"),
                        cause=cause if namespace in namespaces else f"namespace {namespace}",
                    )
                    if namespace == SYSTEM:
                        # Only administrators of the cluster create ServiceAccounts there.
                        violation = violation.graded(Consequence.ROLE, Exposure.PRIVILEGED)
                    yield self._for_git(violation, cluster)

    def _undeclared(self) -> Iterator[Risk]:
        """The risks of ServiceAccounts that a role lists but that are not annotated with it."""
        declared: set[tuple[str, str, str]] = set()
        associated: set[tuple[str, str, str]] = set()
        clusters = {cluster.name: cluster for cluster in self.estate.clusters}
        for cluster in self.estate.clusters:
            declared |= {(cluster.name, account.full_name, account.role_arn) for account in cluster.annotated}
            known = cluster.known_associations
            associated |= {(cluster.name, each.full_name, each.role_arn) for each in known}
        for arn, ways in self.reach.ways.items():
            for way in ways:
                if way.by is not By.WEB_IDENTITY or not way.named:
                    continue
                for name in sorted(way.accounts):
                    if (way.cluster, name, arn) in declared:
                        continue
                    reason = f"allows {name} of cluster {way.cluster}, which is not annotated with it"
                    about = {"role": arn, "cluster": way.cluster, "account": name}
                    about["cause"] = f"{arn} in {way.cluster}"
                    violation = risk(RULES["admitted-not-annotated"], way.statement, reason, **about)
                    violation = self._for_git(violation, clusters[way.cluster])
                    if (way.cluster, name, arn) in associated:
                        reason = f"{violation.reason}, as its association gives it the role"
                        violation = replace(violation, reason=reason)
                        violation = violation.graded(Consequence.LEFTOVER, Exposure.OWNERS)
                    yield violation

    def _for_git(self, violation: Risk, cluster: AuditedCluster) -> Risk:
        """A risk of a subject without the role; the annotation for a role-only role belongs into Git."""
        role = self.estate.roles_by_arn.get(violation.role)
        account = violation.account
        if role is None or not cluster.waits_for_git(role, account):
            return violation
        reason = violation.reason
        if account == lifecycle.account_of(role.tags):
            reason = f"{reason}: it waits for Git"
        suggestion = f"add to the annotations of {account} in Git: {annotation_line(role.arn)}"
        return replace(violation, reason=reason, suggestion=suggestion)

    @property
    def _where(self) -> str:
        return ", ".join(sorted(self.estate.regions))

    def _is_orphan(self, provider: str) -> bool:
        """Whether it is a provider of EKS in a fully known region, but of none of its clusters."""
        match = _EKS.match(issuer_of(provider))
        if match is None or match["region"] not in self.estate.regions:
            return False
        return self.estate.cluster_of(provider) is None

    def _dead(self, role: Role) -> Iterator[Risk]:
        for provider in sorted(trusted_providers(role.trust)):
            if provider in (self.estate.providers or ()) and self._is_orphan(provider):
                for index, statement in allowing(role.trust):
                    if provider in principals(statement, "Federated"):
                        reason = f"trusts {issuer_of(provider)}, which belongs to no cluster in {self._where}"
                        name = name_of(index, statement)
                        path = place_of(index, "Principal")
                        rule = RULES["dead-issuer"]
                        yield risk(rule, name, reason, role=role.arn, path=path, cause=provider)

    def _changed(self, role: Role) -> Iterator[Risk]:
        """The risks of a complete role created by irsa with a statement that irsa does not write."""
        if not (role.tags.get(CLUSTER_TAG) and role.tags.get(SERVICE_ACCOUNT_TAG)):
            return
        if "irsa/spec-hash" not in role.tags or not lifecycle.of(role.tags, named=True).is_over:
            return  # Adopted: irsa did not write its trust policy.
        # The statements for EKS Pod Identity that irsa wrote for the role's ServiceAccount.
        arn = role.tags[CLUSTER_TAG]
        _, partition, _, region, account, *_ = [*arn.split(":"), *"....."]
        cluster = Cluster(arn.rpartition("/")[2], arn, region, partition, account, "")
        namespace, _, name = role.tags[SERVICE_ACCOUNT_TAG].partition("/")
        written = for_service(role.trust, cluster, namespace, name)
        for index, statement in allowing(role.trust):
            is_for_tokens = trusted_providers({"Statement": [statement]})
            if not is_for_tokens or set(statement["Principal"]) != {"Federated"}:
                reason = "was changed since irsa wrote it: it allows principals other than ServiceAccounts"
            elif read_statement(statement) is None and not statement.get("Condition"):
                reason = "no longer has its condition"
            else:
                continue
            if statement not in written:
                rule = RULES["changed-since-irsa"]
                yield risk(rule, name_of(index, statement), reason, role=role.arn, path=place_of(index))

    def _unused(self, role: Role) -> Iterator[Risk]:
        unused = role.unused_since(self.estate.now, self.unused_days)
        if unused and role.arn in self.reach.ways:
            rule = RULES["unused-role"]
            reason = f"was {unused}, but pods can assume it"
            yield risk(rule, "the role", reason, role=role.arn, cause=rule.id)
