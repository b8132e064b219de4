"""The documents of a state that decide who can assume which role, and those that a plan leaves.

A key that is missing in one of the mappings was not read; None is what does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.traits import Decides
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_NO_STATEMENT: Document = {"Version": "2012-10-17", "Statement": []}


class Account(NamedTuple):
    """A ServiceAccount; `cluster` is the ARN of its cluster."""

    cluster: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Documents:
    """The parts of a state that were read. Roles and OIDC providers are known by their ARNs.

    `providers` have the audiences that each accepts. `policies` are those of roles, by the role and the
    policy's name or ARN, None for one that was not read. `statements` are what is known of a trust policy
    that was not read. `gone` are issuers (without `https://`) whose clusters do not exist: nobody gets a
    token of them. `unread` says what was not read, and who may therefore be missing.
    """

    clusters: tuple[Cluster, ...] = ()
    trusts: Mapping[str, Document | Unreadable | None] = field(default_factory=dict)
    accounts: Mapping[Account, Mapping[str, str] | None] = field(default_factory=dict)
    associations: Mapping[Account, states.AssociationState | Unreadable | None] = field(default_factory=dict)
    providers: Mapping[str, Collection[str] | None] = field(default_factory=dict)
    policies: Mapping[str, Mapping[str, Document | None]] = field(default_factory=dict)
    statements: Mapping[str, Document] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    has_all_roles: bool = False
    """Whether all roles of the account are known that trust an OIDC provider which changes."""

    @classmethod
    def together(cls, parts: Iterable[Documents]) -> Documents:
        """All of these, as parts of one state."""
        parts = list(parts)
        clusters = _merged({cluster.arn: cluster for cluster in part.clusters} for part in parts)
        return cls(
            tuple(clusters.values()),
            _merged(part.trusts for part in parts),
            _merged(part.accounts for part in parts),
            _merged(part.associations for part in parts),
            _merged(part.providers for part in parts),
            _merged(part.policies for part in parts),
            _merged(part.statements for part in parts),
            frozenset().union(*(part.gone for part in parts)),
            tuple(dict.fromkeys(chain.from_iterable(part.unread for part in parts))),
            all(part.has_all_roles for part in parts),
        )


def _merged(mappings: Iterable[Mapping[_Key, _Value]]) -> dict[_Key, _Value]:
    """All of these as one; the last one's value of a key that is in several."""
    merged: dict[_Key, _Value] = {}
    for mapping in mappings:
        merged.update(mapping)
    return merged


def before(documents: Documents, changes: Iterable[Change], cluster: Cluster) -> Documents:
    """The documents, with what the changes themselves say of the state before them."""
    known = _Editing(documents, cluster)
    for change in changes:
        known.learn(change)
    return known.documents


def after(documents: Documents, changes: Iterable[Change], cluster: Cluster) -> Documents:
    """The documents that the changes leave; `cluster` is the one that they are carried out for."""
    edited = _Editing(documents, cluster)
    for change in changes:
        edited.apply(change)
    return edited.documents


class _Editing:
    """Documents that change step by step."""

    def __init__(self, documents: Documents, cluster: Cluster) -> None:
        clusters = {known.arn: known for known in (*documents.clusters, cluster)}
        self._whole = replace(documents, clusters=tuple(clusters.values()))
        self._cluster = cluster
        self._trusts = dict(documents.trusts)
        self._accounts = dict(documents.accounts)
        self._associations = dict(documents.associations)
        self._providers = dict(documents.providers)
        self._policies = {role: dict(policies) for role, policies in documents.policies.items()}
        self._statements = dict(documents.statements)
        self._names = {arn.rpartition("/")[2]: arn for arn in self._trusts if self._is_home(arn)}

    @property
    def documents(self) -> Documents:
        return replace(
            self._whole,
            trusts=self._trusts,
            accounts=self._accounts,
            associations=self._associations,
            providers=self._providers,
            policies=self._policies,
            statements=self._statements,
        )

    def learn(self, change: Change) -> None:
        """Add what a change tells of the state before it, if that was not read."""
        old = change.before
        decides = change.kind.traits.decides
        if decides is Decides.ROLE:
            self._trusts.setdefault(self._role_of(change), _trust_of(old))
        elif decides is Decides.TRUST_POLICY and isinstance(old, states.DocumentState):
            self._trusts.setdefault(self._role(change.target[0]), old.document)
        elif decides is Decides.STATEMENT:
            self._learn_statement(self._trusted(change), old)
        elif decides is Decides.PROVIDER:
            self._providers.setdefault(change.target[0], _audiences_of(old))
        elif decides is Decides.ASSOCIATION:
            self._associations.setdefault(self._account(*change.target[1:]), _association_of(old))
        elif decides is Decides.SERVICE_ACCOUNT:
            account = self._account(*change.target)
            if account not in self._accounts:
                self._accounts[account] = _annotations(None, old)

    def apply(self, change: Change) -> None:
        """Take what a change leaves."""
        new = change.after
        decides = change.kind.traits.decides
        if decides is Decides.ROLE:
            arn = self._role_of(change)
            self._trusts[arn] = _trust_of(new)
            self._policies[arn] = {} if new is None else self._policies.get(arn, {})
        elif decides is Decides.TRUST_POLICY and isinstance(new, states.DocumentState):
            self._trusts[self._role(change.target[0])] = new.document
        elif decides is Decides.STATEMENT:
            self._edit_trust(self._trusted(change), change)
        elif decides is Decides.POLICY:
            self._edit_policy(self._role(change.target[0]), change)
        elif decides is Decides.ASSOCIATION:
            self._associations[self._account(*change.target[1:])] = _association_of(new)
        elif decides is Decides.SERVICE_ACCOUNT:
            account = self._account(*change.target)
            self._accounts[account] = _annotations(self._accounts.get(account), new)
        elif decides is Decides.PROVIDER:
            self._providers[change.target[0]] = _audiences_of(new)
        elif decides is Decides.AUDIENCE:
            self._edit_audience(*change.target, accepted=new is not None)

    def _learn_statement(self, arn: str, old: states.State | None) -> None:
        """Of a trust policy that was not read, the statement is known that a change is about."""
        trust = self._trusts.setdefault(arn, Unreadable("it was not read"))
        if isinstance(trust, Unreadable):
            known = self._statements.get(arn, _NO_STATEMENT)
            self._statements[arn] = trust_policy.edited(known, None, _document_of(old))

    def _edit_trust(self, arn: str, change: Change) -> None:
        old = _document_of(change.before)
        new = _document_of(change.after)
        trust = self._trusts.get(arn)
        if isinstance(trust, dict):
            self._trusts[arn] = trust_policy.edited(trust, old, new)
        elif isinstance(trust, Unreadable):
            self._statements[arn] = trust_policy.edited(self._statements.get(arn, _NO_STATEMENT), old, new)

    def _edit_policy(self, arn: str, change: Change) -> None:
        policies = self._policies.setdefault(arn, {})
        if change.after is None:
            policies.pop(change.target[1], None)
        else:
            policies[change.target[1]] = _document_of(change.after)

    def _edit_audience(self, provider: str, audience: str, *, accepted: bool) -> None:
        audiences = self._providers.get(provider)
        if audiences is None:
            return
        edited = [known for known in audiences if known != audience]
        if accepted:
            edited.append(audience)
        self._providers[provider] = edited

    def _trusted(self, change: Change) -> str:
        """The ARN of the role whose trust policy a change of a statement is about."""
        name = change.target[0]
        return name if name.startswith("arn:") else self._role(name)

    def _role_of(self, change: Change) -> str:
        """The ARN of the role that a change creates or deletes."""
        role = change.after if change.before is None else change.before
        assert isinstance(role, states.RoleState), "the state of a role"
        return self._role(change.target[0], role)

    def _role(self, name: str, state: states.RoleState | None = None) -> str:
        """The ARN of a role of the account that the changes are in."""
        if name not in self._names:
            path = "/" if state is None else state.path
            self._names[name] = iam_arn(self._cluster.partition, self._cluster.home, f"role{path}{name}")
        return self._names[name]

    def _account(self, namespace: str, name: str) -> Account:
        return Account(self._cluster.arn, namespace, name)

    def _is_home(self, arn: str) -> bool:
        return arn.split(":")[4] == self._cluster.home


def _trust_of(state: states.State | None) -> Document | None:
    return state.trust if isinstance(state, states.RoleState) else None


def _document_of(state: states.State | None) -> Document | None:
    return state.document if isinstance(state, states.DocumentState) else None


def _association_of(state: states.State | None) -> states.AssociationState | None:
    return state if isinstance(state, states.AssociationState) else None


def _audiences_of(state: states.State | None) -> Collection[str] | None:
    return state.audiences if isinstance(state, states.ProviderState) else None


def _annotations(known: Mapping[str, str] | None, state: states.State | None) -> Mapping[str, str] | None:
    """The annotations of a ServiceAccount with those of a change; None if it is not there."""
    if not isinstance(state, states.ServiceAccountState):
        return None
    merged: dict[str, Any] = {**(known or {}), **state.annotations}
    return {key: value for key, value in merged.items() if value is not None}
