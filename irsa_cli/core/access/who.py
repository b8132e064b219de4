"""Somebody who may assume a role, the ways to do so, and everybody whom a trust policy names."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any

from irsa_cli.core.policies.statements import (
    PROVIDER,
    Statement,
    comparing,
    is_positive,
    names_everybody,
    principals,
    statements,
    tests_of,
    words_of,
)
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.values.arn import host_path, is_target, issuer_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.names import subject

_PREFIX = "system:serviceaccount:"
_NAMES = ("aws:requesttag/kubernetes-namespace", "aws:requesttag/kubernetes-service-account")
_CLUSTERS = ("aws:sourcearn", "aws:requesttag/eks-cluster-arn")
_PRINCIPAL = "aws:principalarn"
ANYBODY = "*"
_ALL_BUT = "everybody but "


class WhoKind(str, Enum):
    """The kind of somebody; the value is public (`-o json`)."""

    SERVICE_ACCOUNT = "ServiceAccount"
    TOKEN = "Token"  # noqa: S105 - a kind, not a token
    """The tokens of an OIDC provider: of another issuer, or for a subject that is no ServiceAccount."""
    PRINCIPAL = "Principal"
    """A service, an account, a role, a user, a SAML provider, or everybody."""


class AccessWay(str, Enum):
    """How somebody gets the credentials of a role; the value is public (`-o json`)."""

    IRSA = "irsa"
    """The ServiceAccount is annotated with it, and no association goes before that."""
    POD_IDENTITY = "pod-identity"
    TOKEN = "token"  # noqa: S105 - a way, not a token
    """By a token that is requested for it: its pods get no credentials by themselves."""
    PRINCIPAL = "principal"
    CHAIN = "chain"
    """By a role that may assume it."""

    @property
    def serves_pods(self) -> bool:
        """Whether pods get the credentials without doing anything."""
        return self in (AccessWay.IRSA, AccessWay.POD_IDENTITY)


@dataclass(frozen=True)
class Who:
    """Somebody who may assume a role.

    `place` is the ARN of a ServiceAccount's cluster, the issuer of a token (without `https://`), or the kind
    of a principal (AWS, Service, Federated). `name` is `namespace/name`, a subject, or the principal; of
    ServiceAccounts and subjects it may be a pattern, which stands for all that match it.
    """

    kind: WhoKind
    place: str
    name: str
    given: tuple[tuple[str, str], ...] = ()
    """Condition keys (in lower case) with the values that a statement wants of a principal: it has them."""

    @classmethod
    def account(cls, cluster: str, namespace: str, name: str) -> Who:
        """A ServiceAccount of a cluster, by the cluster's ARN."""
        return cls(WhoKind.SERVICE_ACCOUNT, cluster, f"{namespace}/{name}")

    @classmethod
    def principal(cls, kind: str, name: str, given: Iterable[tuple[str, str]] = ()) -> Who:
        return cls(WhoKind.PRINCIPAL, kind, name, tuple(sorted(given)))

    @classmethod
    def of_token(cls, issuer: str, subject_of_token: str, clusters: Mapping[str, Cluster]) -> Who:
        """The owner of the tokens for a subject; `clusters` are those that are known, by their issuers."""
        cluster = clusters.get(issuer)
        rest = subject_of_token.removeprefix(_PREFIX)
        if cluster is not None and rest != subject_of_token and rest.count(":") == 1:
            return cls.account(cluster.arn, *rest.split(":"))
        return cls(WhoKind.TOKEN, issuer, subject_of_token)

    @property
    def namespaced(self) -> tuple[str, str]:
        """Namespace and name of a ServiceAccount."""
        namespace, _, name = self.name.partition("/")
        return namespace, name

    @property
    def subject(self) -> str:
        """The subject of the tokens."""
        return subject(*self.namespaced) if self.kind is WhoKind.SERVICE_ACCOUNT else self.name

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for all that match it."""
        return self.kind is not WhoKind.PRINCIPAL and bool({"*", "?"} & {*self.name})

    @property
    def is_everybody(self) -> bool:
        """Whether it is a principal that stands for everybody, or for all but some."""
        return self.kind is WhoKind.PRINCIPAL and self.name.startswith((ANYBODY, _ALL_BUT))

    def text(self, home: str = "") -> str:
        """For people; `home` is the ARN of the cluster that goes without saying."""
        if self.kind is WhoKind.SERVICE_ACCOUNT:
            name = f"every ServiceAccount like {self.name}" if self.is_pattern else self.name
            if self.place == home:
                return name
            return f"{name} of {self.place.rpartition('/')[2]}"
        if self.kind is WhoKind.TOKEN:
            return f"{self._subject_text} of {self.place}"
        if self.is_everybody:
            return "everybody" if self.name == ANYBODY else self.name
        if not self.given:
            return f"{self.place} {self.name}"
        keys = ", ".join(f"{key} {value}" for key, value in self.given)
        return f"{self.place} {self.name} with {keys}"

    @property
    def _subject_text(self) -> str:
        if self.name == ANYBODY:
            return "any token"
        if self.name.startswith(_PREFIX):
            return self.name.removeprefix(_PREFIX).replace(":", "/", 1)
        return f"'{self.name}'"

    @classmethod
    def read(cls, data: Any) -> Who:
        """The same again; raises `ValueError`, `TypeError` or `LookupError` for what irsa does not write."""
        place = data["place"]
        name = data["name"]
        if not (isinstance(place, str) and isinstance(name, str)):
            raise TypeError("a name is not a text")
        given = tuple((str(key), str(value)) for key, value in data["given"].items())
        return cls(WhoKind(data["kind"]), place, name, given)

    def to_json(self) -> dict[str, Any]:
        names = {"kind": self.kind.value, "place": self.place, "name": self.name}
        return {**names, "pattern": self.is_pattern, "given": dict(self.given)}


def named_by(document: Mapping[str, Any], clusters: Mapping[str, Cluster]) -> Iterator[Who]:
    """Everybody whom the statements of a trust policy name, exactly or by a pattern.

    `clusters` by their issuers. NotPrincipal names nobody: such a statement is about everybody else.
    """
    for statement in statements(document):
        if statement.get("Effect") in ("Allow", "Deny"):
            yield from _named(statement, clusters)


def _named(statement: Statement, clusters: Mapping[str, Cluster]) -> Iterator[Who]:
    if names_everybody(statement):
        yield Who.principal("AWS", _everybody(statement))
        yield from _of_conditions(statement, clusters)
    for provider in principals(statement, "Federated"):
        if PROVIDER.fullmatch(provider):
            issuer = issuer_of(provider)
            subjects = _subjects(statement, issuer)
            yield from (Who.of_token(issuer, subject_of_token, clusters) for subject_of_token in subjects)
        elif provider != ANYBODY:
            yield Who.principal("Federated", provider, _single_values(statement))
    for principal in principals(statement, "AWS"):
        if principal != ANYBODY:
            names = _roles(statement) or [principal]
            yield from (Who.principal("AWS", name, _single_values(statement)) for name in names)
    for service in principals(statement, "Service"):
        yield _service(statement, service, clusters)


def _everybody(statement: Statement) -> str:
    if "NotPrincipal" not in statement:
        return ANYBODY
    return f"{_ALL_BUT}{', '.join(words_of(statement['NotPrincipal']))}"


def _of_conditions(statement: Statement, clusters: Mapping[str, Cluster]) -> Iterator[Who]:
    """Whose tokens the conditions of a statement for everybody are about."""
    for _, key, values in tests_of(statement):
        if key.lower().endswith(":sub"):
            issuer = key[: -len(":sub")]
            yield from (Who.of_token(issuer, subject_of_token, clusters) for subject_of_token in values)


def _subjects(statement: Statement, issuer: str) -> list[str]:
    """The subjects that a statement names, with `*` if it limits them by none of them."""
    subject_key = f"{issuer}:sub".lower()
    subjects: list[str] = []
    is_limited = False
    for operator, key, values in tests_of(statement):
        if key.lower() == subject_key and comparing(operator) is not None:
            subjects += values
            is_limited |= is_positive(operator)
    return subjects if is_limited else [*subjects, ANYBODY]


def _roles(statement: Statement) -> list[str]:
    """The roles that a statement for an account is about by its condition."""
    roles: list[str] = []
    for operator, key, values in tests_of(statement):
        if key.lower() == _PRINCIPAL and is_positive(operator):
            roles += filter(is_target, values)
    return roles


def _service(statement: Statement, service: str, clusters: Mapping[str, Cluster]) -> Who:
    """A service; EKS Pod Identity stands for the ServiceAccount that a statement limits it to."""
    if service == SERVICE:
        limits = {
            key.lower(): values for operator, key, values in tests_of(statement) if is_positive(operator)
        }
        names = [limits.get(key, ()) for key in _NAMES]
        arns = set(chain.from_iterable(limits.get(key, ()) for key in _CLUSTERS))
        known = {cluster.arn for cluster in clusters.values()} & arns
        if all(len(values) == 1 for values in names) and len(arns) == len(known) == 1:
            return Who.account(known.pop(), *(values[0] for values in names))
    return Who.principal("Service", service, _single_values(statement))


def _single_values(statement: Statement) -> ItemsView[str, str]:
    """The values that a statement wants of a request, if it wants one of a key."""
    return {
        key.lower(): values[0]
        for operator, key, values in tests_of(statement)
        if is_positive(operator) and len(values) == 1 and key.lower() != _PRINCIPAL
    }.items()


def by_issuer(clusters: tuple[Cluster, ...]) -> dict[str, Cluster]:
    """Clusters by their issuers, without `https://`."""
    return {host_path(cluster.issuer): cluster for cluster in clusters if cluster.issuer}


def tested_keys(document: Mapping[str, Any]) -> set[str]:
    """The condition keys that a policy tests, in lower case."""
    keys: set[str] = set()
    for statement in statements(document):
        keys |= {key.lower() for _, key, _ in tests_of(statement)}
    return keys
