"""Access in one state: everybody who can assume a role, and by which ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from irsa_cli.core.access.admission import ALWAYS, NEVER, Admission, if_, of_answers, of_request, of_token
from irsa_cli.core.access.documents import Account, Documents
from irsa_cli.core.access.who import ANYBODY, AccessWay, Who, WhoKind, by_issuer, named_by, tested_keys
from irsa_cli.core.plan import states
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.statements import WAYS_IN, Statement, does, principals, statements, tests_of_key
from irsa_cli.core.policies.web_identity import UNKNOWN, WebIdentity
from irsa_cli.core.trust import assuming
from irsa_cli.core.trust.assuming import (
    IS_NAMED,
    SERVICE,
    Names,
    Naming,
    Said,
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
        found = {
            (who, role)
            for role, trust in (*self.documents.trusts.items(), *self.documents.statements.items())
            if isinstance(trust, dict)
            for who in named_by(trust, self.by_issuer)
        }
        for account, noted in self.documents.accounts.items():
            # STS knows no role by a text that is no ARN.
            if noted and is_role(role := noted.get(ROLE_ARN_ANNOTATION, "")):
                found.add((Who.account(*account), role))
        for account, given in self.documents.associations.items():
            if isinstance(given, states.AssociationState):
                roles = filter(None, (given.role_arn, given.target_role_arn))
                found |= {(Who.account(*account), role) for role in roles}
        reached = {
            (who, target)
            for who, role in found
            if who.kind is WhoKind.SERVICE_ACCOUNT
            for target in self._targets(role)
        }
        return frozenset(found | reached)

    def ways(self, who: Who, role: str) -> Ways:
        """The ways by which somebody gets a role."""
        found = {
            WhoKind.SERVICE_ACCOUNT: self._of_account,
            WhoKind.TOKEN: self._of_token,
            WhoKind.PRINCIPAL: self._of_principal,
        }[who.kind](who, role)
        return {way: admission for way, admission in found.items() if admission.cases}

    def __iter__(self) -> Iterator[tuple[Who, str, AccessWay, Admission]]:
        for who, role in self.pairs:
            yield from ((who, role, way, admission) for way, admission in self.ways(who, role).items())

    def _of_account(self, who: Who, role: str) -> dict[AccessWay, Admission]:
        found = self._direct(who, role)
        if reached := [self._by_chain(who, source, role) for source in self._sources(role)]:
            found[AccessWay.CHAIN] = NEVER.or_(*reached)
        return found

    def _direct(self, who: Who, role: str) -> dict[AccessWay, Admission]:
        """The ways that need no other role, but the one that EKS goes through for an association's target."""
        account = Account(who.place, *who.namespaced)
        cluster = self._clusters[who.place]
        given = self.documents.associations.get(account)
        noted = self.documents.accounts.get(account) or {}
        found = {AccessWay.TOKEN: self._by_tokens(who.subject, cluster.issuer, role)}
        if isinstance(given, states.AssociationState):
            found[AccessWay.POD_IDENTITY] = self._by_association(cluster, who, given, role)
        elif noted.get(ROLE_ARN_ANNOTATION) == role:
            audience = noted.get(AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE)
            found[AccessWay.IRSA] = self._by_token(who.subject, cluster.issuer, role, audience)
        return found

    def _by_association(
        self, cluster: Cluster, who: Who, given: states.AssociationState, role: str
    ) -> Admission:
        last = given.target_role_arn or given.role_arn
        if role != last:
            return NEVER
        tagged = not given.without_session_tags
        first = given.role_arn
        admission = self._on_trust(first, lambda trust: _of_service(trust, cluster, who, tagged=tagged))
        return admission if role == first else admission.and_(self._chained(first, role, tagged=tagged))

    def _by_chain(self, who: Who, source: str, role: str) -> Admission:
        """By a role that may assume it, with the credentials that pods get if they get some.

        Session tags of EKS Pod Identity stay with the session: sts:TagSession is needed for them.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_role-chaining
        """
        account = Account(who.place, *who.namespaced)
        given = self.documents.associations.get(account)
        tags = isinstance(given, states.AssociationState) and not given.without_session_tags
        direct = self._direct(who, source)
        found = NEVER
        served = {way: admission for way, admission in direct.items() if way.serves_pods}
        for way, admission in (served or direct).items():
            tagged = tags and way is AccessWay.POD_IDENTITY
            found = found.or_(admission.and_(self._chained(source, role, tagged=tagged)))
        return found

    def _chained(self, source: str, target: str, *, tagged: bool) -> Admission:
        """Whether a role may assume another one: by its own policies, and by the other's trust policy."""
        policies = self.documents.policies.get(source)
        trust = self.documents.trusts.get(target, Unreadable("it was not read"))
        external = "" if not isinstance(trust, dict) else _external_id(trust)
        try:
            chain = Chain(source, target, external, tag_session=tagged)
        except InvalidInput:
            return NEVER
        own = if_(f"the policies of {source}, which were not read, allow it")
        if policies is not None:
            own = of_answers(chain.allowed(policies))
        return own.and_(self._on_trust(target, lambda document: of_answers(chain.judge(document)),
                                       what=" and ".join(chain.actions)))  # fmt: skip

    @property
    def has_chains(self) -> bool:
        """Whether a role is known that may assume another one."""
        return any(map(self._targets, self.documents.policies))

    def _sources(self, role: str) -> list[str]:
        """The roles whose policies name this one as a role to assume."""
        return [source for source in self.documents.policies if role in self._targets(source)]

    def _targets(self, role: str) -> set[str]:
        """The roles that the policies of a role name as roles to assume."""
        return {
            resource
            for document in self.documents.policies.get(role, {}).values()
            for item in statements(document)
            if item.get("Effect") == "Allow" and does(item, assuming.ASSUME)
            for resource in as_list(item.get("Resource", []))
            if is_target(resource) and resource != role
        }

    def _of_token(self, who: Who, role: str) -> dict[AccessWay, Admission]:
        return {AccessWay.TOKEN: self._by_tokens(who.name, who.place, role)}

    def _by_tokens(self, subject: str, issuer: str, role: str) -> Admission:
        """By a token for any audience that the role's trust policy, or the provider, names."""
        trust = self.documents.trusts.get(role)
        trust = self.documents.statements.get(role) if isinstance(trust, Unreadable) else trust
        audiences = {DEFAULT_AUDIENCE, *(self._accepted(issuer, role) or ())}
        if isinstance(trust, dict):
            key = f"{host_path(issuer)}:aud"
            named = {text for _, values in tests_of_key(statements(trust), key) for text in values}
            audiences |= {text for text in named if not {"*", "?", "$"} & {*text}}
        return NEVER.or_(*(self._by_token(subject, issuer, role, each) for each in audiences))

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
            claims = {} if is_known else {
                key: UNKNOWN for key in tested_keys(trust)
                if key.startswith(prefix) and key not in (f"{prefix}sub", f"{prefix}aud")
            }  # fmt: skip
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
        if not isinstance(trust, Unreadable):
            return NEVER if trust is None else judge(trust)
        known = judge(self.documents.statements.get(role, {}))
        rest = f"the trust policy of {role} {{}} {what}, which is not known: {trust.why}"
        return if_(rest.format("allows")).or_(known.unless(rest.format("denies")))


@dataclass(frozen=True)
class _Named(Namespaced):
    namespace: str
    name: str


def _of_service(trust: Document, cluster: Cluster, who: Who, *, tagged: bool) -> Admission:
    """Whether a trust policy allows EKS Pod Identity for a ServiceAccount: all actions that it needs."""
    found = ALWAYS
    context = assuming.context_of_service(cluster, _Named(*who.namespaced), tagged=tagged)
    for action in assuming.actions(tagged=tagged):
        named = {"Service": SERVICE}
        ask = lambda each, action=action: assuming.said(each, assuming.names_service, context, action)  # noqa: E731
        found = found.and_(of_request(trust, named, ask))
    return found


def _of_principal(trust: Document, who: Who) -> Admission:
    """Whether a trust policy allows a principal, by any of the actions that give credentials."""
    context: dict[str, Any] = dict.fromkeys(tested_keys(trust), UNKNOWN)
    if who.place == "AWS" and is_target(who.name):
        context |= context_of_session(who.name)
    context |= {key: (value,) for key, value in who.given}
    names = _names(who)
    found = NEVER
    named: Any = ANYBODY if who.is_everybody else {who.place: who.name}

    def ask_for(action: str) -> Admission:
        def ask(each: Document) -> Said:
            return assuming.said(each, names, context, action)

        return of_request(trust, named, ask)

    for action in WAYS_IN:
        found = found.or_(ask_for(action))
    return found


def _names(who: Who) -> Names:
    """Whether a statement names a principal, or all that it belongs to."""
    if who.place == "AWS" and is_target(who.name):
        return names_role(Arn.parse(who.name), who.name)

    def names(item: Statement) -> Naming:
        given = principals(item, who.place)
        is_any = item.get("Principal") == ANYBODY or (who.place == "AWS" and ANYBODY in given)
        if who.name in given or (is_any and who.place != "Service"):
            return IS_NAMED
        return beyond_its_kind(item, f"{who.place} {who.name}")

    return names


def _external_id(trust: Document) -> str:
    """The external ID that a trust policy asks for, which who is to assume the role knows; '' for none."""
    found = (values for _, values in tests_of_key(statements(trust), "sts:ExternalId") if values)
    return next(found, ("",))[0]
