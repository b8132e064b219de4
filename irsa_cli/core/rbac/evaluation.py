"""Evaluate RBAC as the API server does, by an index of its objects.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from irsa_cli.core.policies.operators import like
from irsa_cli.core.rbac.objects import (
    RbacBinding,
    RbacObjects,
    RbacRole,
    RbacRule,
    RbacSubject,
    RoleRef,
    account_subject,
    known_objects,
)
from irsa_cli.core.rbac.principals import ACCESS_POLICY, EVERYTHING, policy_rules
from irsa_cli.core.values.errors import Unreadable

ALL = "*"
ACCOUNT_GROUP = "system:serviceaccounts:"
"""Prefix of the group of all ServiceAccounts of a namespace."""
MASTERS = RbacSubject("Group", "system:masters")
SUPERUSERS = RbacBinding("Built-in", MASTERS.name, RoleRef("Built-in", "everything"), (MASTERS,))
"""The API server allows this group everything, whatever RBAC says."""


@dataclass(frozen=True)
class KubeRequest:
    """An API request: `resource` or `resource/subresource`, namespace '' for cluster-wide ones."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True)
class Requester:
    """A user with its groups."""

    user: str
    groups: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[RbacSubject, ...]:
        return (RbacSubject("User", self.user), *(RbacSubject("Group", name) for name in self.groups))


def account_requester(namespace: str, name: str) -> Requester:
    """A ServiceAccount with the groups that the API server adds.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens
    """
    groups = ("system:serviceaccounts", f"{ACCOUNT_GROUP}{namespace}", "system:authenticated")
    return Requester(account_subject(namespace, name).name, groups)


def matches(rule: RbacRule, request: KubeRequest) -> bool:
    """Whether a rule allows a request, wherever it is bound."""
    return (
        has(rule.verbs, request.verb)
        and has(rule.groups, request.group)
        and has_resource(rule.resources, request.resource)
        and (not rule.names or request.name in rule.names)
    )


def has(values: Iterable[str], value: str) -> bool:
    """Whether a list of verbs or API groups includes a value."""
    return ALL in values or value in values


def has_resource(values: Iterable[str], resource: str) -> bool:
    """Whether a list of resources includes one: `*` is everything, `*/scale` one subresource of all."""
    if ALL in values or resource in values:
        return True
    _, _, subresource = resource.partition("/")
    return bool(subresource) and f"*/{subresource}" in values


@dataclass(frozen=True)
class Grant:
    """A binding of a subject, and its rules; None if its role does not exist."""

    subject: RbacSubject
    binding: RbacBinding
    rules: tuple[RbacRule, ...] | Unreadable | None

    def to_json(self) -> dict[str, Any]:
        role = self.binding.role
        state = "ok"
        rules: list[dict[str, Any]] = []
        if self.rules is None:
            state = "missing"
        elif isinstance(self.rules, Unreadable):
            state = "unknown"
        else:
            rules = [rule.to_json() for rule in self.rules]
        return {
            "subject": self.subject.to_json(),
            "binding": self.binding.to_json(),
            "role": {"kind": role.kind, "name": role.name},
            "state": state,
            "rules": rules,
        }


@dataclass(frozen=True)
class RbacIndex:
    """One cluster's RBAC; `policies` are EKS's access policies as bindings with namespace patterns."""

    objects: RbacObjects
    policies: tuple[RbacBinding, ...] = ()

    @cached_property
    def bindings(self) -> tuple[RbacBinding, ...]:
        """All bindings, those for the whole cluster first."""
        cluster_wide = known_objects(self.objects.cluster_role_bindings)
        namespaced = known_objects(self.objects.role_bindings)
        everywhere = [policy for policy in self.policies if not policy.namespace]
        limited = [policy for policy in self.policies if policy.namespace]
        return (*cluster_wide, *everywhere, SUPERUSERS, *limited, *namespaced)

    @cached_property
    def by_subject(self) -> Mapping[RbacSubject, tuple[RbacBinding, ...]]:
        bindings: dict[RbacSubject, list[RbacBinding]] = {}
        for binding in self.bindings:
            for subject in dict.fromkeys(binding.subjects):
                bindings.setdefault(subject, []).append(binding)
        return {subject: tuple(of_subject) for subject, of_subject in bindings.items()}

    @cached_property
    def _roles(self) -> Mapping[RoleRef, RbacRole]:
        roles = (*known_objects(self.objects.roles), *known_objects(self.objects.cluster_roles))
        return {role.ref: role for role in roles}

    @staticmethod
    def holds_in(binding: RbacBinding, namespace: str) -> bool:
        """Whether a binding applies in a namespace, or in the whole cluster ('')."""
        if binding.kind == ACCESS_POLICY:
            return not binding.namespace or bool(namespace and like(namespace, binding.namespace))
        return binding.namespace in ("", namespace)

    def rules_of(self, ref: RoleRef) -> tuple[RbacRule, ...] | Unreadable | None:
        """The rules of a role: None if it does not exist, `Unreadable` if it was not read."""
        if ref == SUPERUSERS.role:
            return EVERYTHING
        if ref.kind == ACCESS_POLICY:
            return policy_rules(ref.name)
        read = self.objects.roles if ref.kind == "Role" else self.objects.cluster_roles
        if isinstance(read, Unreadable):
            return read
        role = self._roles.get(ref)
        return None if role is None else role.rules

    def known_rules_of(self, ref: RoleRef) -> tuple[RbacRule, ...]:
        """The rules of a role; none if it does not exist or was not read."""
        return known_objects(self.rules_of(ref) or ())

    def grants_of(self, who: Requester) -> Iterator[Grant]:
        """All grants of a user or its groups in the cluster."""
        known: set[int] = set()
        for subject in who.subjects:
            for binding in self.by_subject.get(subject, ()):
                if id(binding) not in known:
                    known.add(id(binding))
                    yield Grant(subject, binding, self.rules_of(binding.role))

    def allows(self, who: Requester, request: KubeRequest) -> bool:
        here = (grant for grant in self.grants_of(who) if self.holds_in(grant.binding, request.namespace))
        rules = chain.from_iterable(known_objects(grant.rules or ()) for grant in here)
        return any(matches(rule, request) for rule in rules)
