"""Access in one state: everybody who can assume a role, and by which ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from irsa_cli.core.access.admission import (
    ALWAYS,
    NEVER,
    Admission,
    Ask,
    if_,
    of_answers,
    of_request,
    of_token,
)
from irsa_cli.core.access.documents import Account, Documents
from irsa_cli.core.access.who import ANYBODY, AccessWay, Who, WhoKind, by_issuer, named_by, tested_keys
from irsa_cli.core.plan import states
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.statements import WAYS_IN, Statement, allowing, does, principals, values_of_key
from irsa_cli.core.policies.web_identity import UNKNOWN, Context, WebIdentity
from irsa_cli.core.trust import assuming
from irsa_cli.core.trust.assuming import (
    IS_NAMED,
    SERVICE,
    Decision,
    Names,
    Naming,
    beyond_its_kind,
    context_of_session,
    names_role,
)
from irsa_cli.core.trust.chain import Chain
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, Arn, host_path, is_role, is_target, provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, Unreadable
from irsa_cli.core.values.names import Namespaced

Ways = Mapping[AccessWay, Admission]
"""The ways by which somebody may get a role."""


class Access:
    """All (who, role, way) of a state, each a yes or under conditions."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self._clusters = {cluster.arn: cluster for cluster in documents.clusters}

    @cached_property
    def by_issuer(self) -> dict[str, Cluster]:
        return by_issuer(self.documents.clusters)

    @cached_property
    def pairs(self) -> frozenset[tuple[Who, str]]:
        """Everybody named by a trust policy, an annotation or an association, with the role's ARN."""
        pairs: set[tuple[Who, str]] = set()
        for role, trust in (*self.documents.trusts.items(), *self.documents.statements.items()):
            if isinstance(trust, dict):
                pairs |= {(who, role) for who in named_by(trust, self.by_issuer)}
        for account, noted in self.documents.accounts.items():
            role = (noted or {}).get(ROLE_ARN_ANNOTATION, "")
            # STS knows no role by a text that is no ARN.
            if is_role(role):
                pairs.add((Who.account(*account), role))
        for account, association in self.documents.associations.items():
            if isinstance(association, states.AssociationState):
                roles = filter(None, (association.role_arn, association.target_role_arn))
                pairs |= {(Who.account(*account), role) for role in roles}
        for who, role in tuple(pairs):
            if who.kind is WhoKind.SERVICE_ACCOUNT:
                pairs |= {(who, target) for target in self._targets(role)}
        return frozenset(pairs)

    def ways(self, who: Who, role: str) -> Ways:
        """The ways by which somebody gets a role."""
        ways_of_kind = {
            WhoKind.SERVICE_ACCOUNT: self._of_account,
            WhoKind.TOKEN: self._of_token,
            WhoKind.PRINCIPAL: self._of_principal,
        }[who.kind]
        admissions = ways_of_kind(who, role)
        return {way: admission for way, admission in admissions.items() if admission.cases}

    def __iter__(self) -> Iterator[tuple[Who, str, AccessWay, Admission]]:
        for who, role in self.pairs:
            for way, admission in self.ways(who, role).items():
                yield who, role, way, admission

    def _of_account(self, who: Who, role: str) -> dict[AccessWay, Admission]:
        ways = self._direct(who, role)
        chained = [self._by_chain(who, source, role) for source in self._sources(role)]
        if chained:
            ways[AccessWay.CHAIN] = NEVER.or_(*chained)
        return ways

    def _direct(self, who: Who, role: str) -> dict[AccessWay, Admission]:
        """The ways that need no other role, but the one that EKS goes through for an association's target."""
        account = Account(who.place, *who.namespaced)
        cluster = self._clusters[who.place]
        association = self.documents.associations.get(account)
        annotations = self.documents.accounts.get(account) or {}
        ways = {AccessWay.TOKEN: self._by_tokens(who.subject, cluster.issuer, role)}
        if isinstance(association, states.AssociationState):
            ways[AccessWay.POD_IDENTITY] = self._by_association(cluster, who, association, role)
        elif annotations.get(ROLE_ARN_ANNOTATION) == role:
            audience = annotations.get(AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE)
            ways[AccessWay.IRSA] = self._by_token(who.subject, cluster.issuer, role, audience)
        return ways

    def _by_association(
        self, cluster: Cluster, who: Who, association: states.AssociationState, role: str
    ) -> Admission:
        first = association.role_arn
        if role != (association.target_role_arn or first):
            return NEVER
        tagged = not association.without_session_tags
        admission = self._on_trust(first, lambda trust: _of_service(trust, cluster, who, tagged=tagged))
        if role == first:
            return admission
        return admission.and_(self._chained(first, role, tagged=tagged))

    def _by_chain(self, who: Who, source: str, role: str) -> Admission:
        """By a role that may assume it, with the credentials that pods get if they get some.

        Session tags of EKS Pod Identity stay with the session: sts:TagSession is needed for them.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_role-chaining
        """
        account = Account(who.place, *who.namespaced)
        association = self.documents.associations.get(account)
        tags = isinstance(association, states.AssociationState) and not association.without_session_tags
        direct = self._direct(who, source)
        served = {way: admission for way, admission in direct.items() if way.serves_pods}
        by_any = NEVER
        for way, admission in (served or direct).items():
            tagged = tags and way is AccessWay.POD_IDENTITY
            by_any = by_any.or_(admission.and_(self._chained(source, role, tagged=tagged)))
        return by_any

    def _chained(self, source: str, target: str, *, tagged: bool) -> Admission:
        """Whether a role may assume another one: by its own policies, and by the other's trust policy."""
        policies = self.documents.policies.get(source)
        trust = self.documents.trusts.get(target, Unreadable("it was not read"))
        external = _external_id(trust) if isinstance(trust, dict) else ""
        try:
            chain = Chain(source, target, external, tag_session=tagged)
        except InvalidInput:
            return NEVER
        own = if_(f"the policies of {source}, which were not read, allow it")
        if policies is not None:
            own = of_answers(chain.allowed(policies))
        trusted = self._on_trust(
            target, lambda document: of_answers(chain.judge(document)), what=" and ".join(chain.actions)
        )
        return own.and_(trusted)

    @property
    def has_chains(self) -> bool:
        """Whether a role is known that may assume another one."""
        return any(map(self._targets, self.documents.policies))

    def _sources(self, role: str) -> list[str]:
        """The roles whose policies name this one as a role to assume."""
        return [source for source in self.documents.policies if role in self._targets(source)]

    def _targets(self, role: str) -> set[str]:
        """The roles that the policies of a role name as roles to assume."""
        targets: set[str] = set()
        for document in self.documents.policies.get(role, {}).values():
            for _, statement in allowing(document or {}):
                if does(statement, assuming.ASSUME):
                    targets.update(filter(is_target, as_list(statement.get("Resource", []))))
        return targets - {role}

    def _of_token(self, who: Who, role: str) -> dict[AccessWay, Admission]:
        return {AccessWay.TOKEN: self._by_tokens(who.name, who.place, role)}

    def _by_tokens(self, subject: str, issuer: str, role: str) -> Admission:
        """By a token for any audience that the role's trust policy, or the provider, names."""
        trust = self.documents.trusts.get(role)
        if isinstance(trust, Unreadable):
            trust = self.documents.statements.get(role)
        audiences = {DEFAULT_AUDIENCE, *(self._accepted(issuer, role) or ())}
        if isinstance(trust, dict):
            tested = values_of_key(trust, f"{host_path(issuer)}:aud")
            audiences |= {value for value in tested if not {"*", "?", "$"} & {*value}}
        return NEVER.or_(*(self._by_token(subject, issuer, role, audience) for audience in audiences))

    def _by_token(self, subject: str, issuer: str, role: str, audience: str) -> Admission:
        """By a token for this audience; a provider that does not accept it allows nobody."""
        accepted = self._accepted(issuer, role)
        is_refused = accepted is not None and audience not in accepted
        if is_refused or not issuer or host_path(issuer) in self.documents.gone:
            return NEVER
        provider = self._provider(issuer, role)
        is_known = host_path(issuer) in self.by_issuer

        def judged(trust: Document) -> Admission:
            prefix = f"{host_path(issuer)}:".lower()
            claims: Context = {}
            if not is_known:
                tested = tested_keys(trust) - {f"{prefix}sub", f"{prefix}aud"}
                claims = {key: UNKNOWN for key in tested if key.startswith(prefix)}
            url = f"https://{host_path(issuer)}"
            return of_token(trust, WebIdentity(provider, url, subject, audience, request=claims))

        return self._on_trust(role, judged)

    def _provider(self, issuer: str, role: str) -> str:
        parts = role.split(":")
        return provider_arn(parts[1], parts[4], issuer)

    def _accepted(self, issuer: str, role: str) -> tuple[str, ...] | None:
        """The audiences that the issuer's provider accepts, none if it does not exist; None: not read."""
        provider = self._provider(issuer, role)
        if provider not in self.documents.providers:
            return None
        return tuple(self.documents.providers[provider] or ())

    def _of_principal(self, who: Who, role: str) -> dict[AccessWay, Admission]:
        return {AccessWay.PRINCIPAL: self._on_trust(role, lambda trust: _of_principal(trust, who))}

    def _on_trust(self, role: str, judge: Callable[[Document], Admission], what: str = "it") -> Admission:
        """The answer of a role's trust policy; what was not read of one may allow it, and may deny it."""
        trust = self.documents.trusts.get(role, Unreadable("it was not read"))
        if trust is None:
            return NEVER
        if not isinstance(trust, Unreadable):
            return judge(trust)
        known = judge(self.documents.statements.get(role, {}))
        policy = f"the trust policy of {role}"
        unknown = f"{what}, which is not known: {trust.why}"
        return if_(f"{policy} allows {unknown}").or_(known.unless(f"{policy} denies {unknown}"))


@dataclass(frozen=True)
class _Named(Namespaced):
    namespace: str
    name: str


def _of_service(trust: Document, cluster: Cluster, who: Who, *, tagged: bool) -> Admission:
    """Whether a trust policy allows EKS Pod Identity for a ServiceAccount: all actions that it needs."""
    context = assuming.context_of_service(cluster, _Named(*who.namespaced), tagged=tagged)
    principal = {"Service": SERVICE}
    by_all = ALWAYS
    for action in assuming.actions(tagged=tagged):
        ask = _ask_for(action, assuming.names_service, context)
        by_all = by_all.and_(of_request(trust, principal, ask))
    return by_all


def _of_principal(trust: Document, who: Who) -> Admission:
    """Whether a trust policy allows a principal, by any of the actions that give credentials."""
    context: dict[str, Any] = dict.fromkeys(tested_keys(trust), UNKNOWN)
    if who.place == "AWS" and is_target(who.name):
        context |= context_of_session(who.name)
    context |= {key: (value,) for key, value in who.given}
    names = _names(who)
    principal: Any = ANYBODY if who.is_everybody else {who.place: who.name}
    by_any = NEVER
    for action in WAYS_IN:
        by_any = by_any.or_(of_request(trust, principal, _ask_for(action, names, context)))
    return by_any


def _ask_for(action: str, names: Names, context: Context) -> Ask:
    def ask(document: Document) -> Decision:
        return assuming.decide(document, names, context, action)

    return ask


def _names(who: Who) -> Names:
    """Whether a statement names a principal, or all that it belongs to."""
    if who.place == "AWS" and is_target(who.name):
        return names_role(Arn.parse(who.name), who.name)

    def names(statement: Statement) -> Naming:
        of_kind = principals(statement, who.place)
        is_any = statement.get("Principal") == ANYBODY or (who.place == "AWS" and ANYBODY in of_kind)
        if who.name in of_kind or (is_any and who.place != "Service"):
            return IS_NAMED
        return beyond_its_kind(statement, f"{who.place} {who.name}")

    return names


def _external_id(trust: Document) -> str:
    """The external ID that a trust policy asks for, which who is to assume the role knows; '' for none."""
    return next(iter(values_of_key(trust, "sts:ExternalId")), "")
