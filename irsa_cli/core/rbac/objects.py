"""RBAC's objects as values, read from Kubernetes' JSON.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from irsa_cli.core.values.errors import Unreadable

T = TypeVar("T")
Json = Mapping[str, Any]
RBAC_GROUP = "rbac.authorization.k8s.io"
ACCOUNT_USER = "system:serviceaccount:"
_BOOTSTRAPPING = "kubernetes.io/bootstrapping"
_OWN = ("system:", "eks:")
"""Prefixes of the names of objects created by Kubernetes and EKS."""


@dataclass(frozen=True)
class RbacRule:
    """One rule of a role; `names` are resource names, none means all objects."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether it allows every verb on all objects of every resource."""
        return "*" in self.verbs and "*" in self.groups and "*" in self.resources and not self.names

    def to_json(self) -> dict[str, Any]:
        return {key: list(getattr(self, name)) for key, name in _RULE.items()}


_RULE = {
    "verbs": "verbs",
    "apiGroups": "groups",
    "resources": "resources",
    "resourceNames": "names",
    "nonResourceURLs": "urls",
}
"""The fields of a rule by their names in Kubernetes' JSON."""


@dataclass(frozen=True)
class RoleRef:
    """A reference to a Role in a namespace, or to a ClusterRole."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class RbacRole:
    """A Role or ClusterRole; its rules include aggregated ones."""

    ref: RoleRef
    rules: tuple[RbacRule, ...] = ()


@dataclass(frozen=True, order=True)
class RbacSubject:
    """A user or group by its name in the API server; a ServiceAccount is a user.

    `kind` is `User` or `Group`, or `IAM` for an IAM principal (ARN) with an access policy.
    """

    kind: str
    name: str

    @property
    def account(self) -> str:
        """The ServiceAccount (namespace/name) of the user, '' for other users."""
        if self.kind != "User" or not self.name.startswith(ACCOUNT_USER):
            return ""
        return self.name.removeprefix(ACCOUNT_USER).replace(":", "/", 1)

    def __str__(self) -> str:
        if self.account:
            return f"ServiceAccount {self.account}"
        return f"{self.kind} {self.name}"

    def to_json(self) -> dict[str, Any]:
        if not self.account:
            return {"kind": self.kind, "namespace": None, "name": self.name}
        namespace, _, name = self.account.partition("/")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def account_subject(namespace: str, name: str) -> RbacSubject:
    return RbacSubject("User", f"{ACCOUNT_USER}{namespace}:{name}")


@dataclass(frozen=True)
class RbacBinding:
    """A RoleBinding or ClusterRoleBinding, or one of the other kinds `AccessPolicy` (EKS) and `Built-in`.

    `own`: created by Kubernetes or EKS for its own components.
    """

    kind: str
    name: str
    role: RoleRef
    subjects: tuple[RbacSubject, ...] = ()
    namespace: str = ""
    own: bool = False

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name}"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "namespace": self.namespace or None, "name": self.name}


@dataclass(frozen=True)
class RbacObjects:
    """The four kinds of one cluster; `Unreadable` with the reason for kinds that were not read."""

    roles: tuple[RbacRole, ...] | Unreadable = ()
    cluster_roles: tuple[RbacRole, ...] | Unreadable = ()
    role_bindings: tuple[RbacBinding, ...] | Unreadable = ()
    cluster_role_bindings: tuple[RbacBinding, ...] | Unreadable = ()

    @property
    def unread(self) -> tuple[str, ...]:
        """The kinds that were not read, a line for each reason."""
        by_kind = {
            "Roles": self.roles,
            "ClusterRoles": self.cluster_roles,
            "RoleBindings": self.role_bindings,
            "ClusterRoleBindings": self.cluster_role_bindings,
        }
        missing: dict[str, list[str]] = {}
        for kind, objects in by_kind.items():
            if isinstance(objects, Unreadable):
                missing.setdefault(objects.why, []).append(kind)
        return tuple(f"{', '.join(names)} were not read: {why}" for why, names in missing.items())


def known_objects(objects: tuple[T, ...] | Unreadable) -> tuple[T, ...]:
    """The objects that were read; none if they were not."""
    return () if isinstance(objects, Unreadable) else objects


def role_of(body: Json, kind: str) -> RbacRole:
    metadata = body["metadata"]
    namespace = str(metadata.get("namespace") or "") if kind == "Role" else ""
    rules = tuple(rule_of(rule) for rule in body.get("rules") or ())
    return RbacRole(RoleRef(kind, str(metadata["name"]), namespace), rules)


def rule_of(rule: Json) -> RbacRule:
    return RbacRule(**{name: _texts(rule, key) for key, name in _RULE.items()})


def _texts(rule: Json, key: str) -> tuple[str, ...]:
    texts = rule.get(key) or ()
    if not isinstance(texts, (list, tuple)):
        raise TypeError
    return tuple(map(str, texts))


def binding_of(body: Json, kind: str) -> RbacBinding:
    metadata = body["metadata"]
    ref = body["roleRef"]
    namespace = str(metadata["namespace"]) if kind == "RoleBinding" else ""
    role_kind = str(ref["kind"])
    role = RoleRef(role_kind, str(ref["name"]), namespace if role_kind == "Role" else "")
    read = (_subject(subject, namespace) for subject in body.get("subjects") or ())
    subjects = tuple(subject for subject in read if subject is not None)
    name = str(metadata["name"])
    return RbacBinding(kind, name, role, subjects, namespace, _is_own(metadata, name, subjects))


def _subject(subject: Json, namespace: str) -> RbacSubject | None:
    """Read a subject; None for a ServiceAccount without a namespace, which matches nobody."""
    kind = str(subject["kind"])
    name = str(subject["name"])
    if kind != "ServiceAccount":
        return RbacSubject(kind, name)
    space = str(subject.get("namespace") or namespace)
    return account_subject(space, name) if space else None


def _is_own(metadata: Json, name: str, subjects: Iterable[RbacSubject]) -> bool:
    """Whether it is for components of Kubernetes or EKS, by its reserved name and subjects.

    Anyone could set the label alone to hide a binding.
    """
    labelled = (metadata.get("labels") or {}).get(_BOOTSTRAPPING) == "rbac-defaults"
    if not name.startswith(_OWN) or not (labelled or name.startswith("eks:")):
        return False
    return all(map(_is_component, subjects))


def _is_component(subject: RbacSubject) -> bool:
    if subject.account:
        return subject.account.startswith("kube-system/")
    return subject.name.startswith(_OWN) and subject.name not in BROAD


def is_control_plane(subject: RbacSubject) -> bool:
    """Whether it is a user reserved for Kubernetes or EKS."""
    if subject.kind == "IAM":
        return ":role/aws-service-role/" in subject.name
    return subject.kind == "User" and subject.name.startswith(("eks:", "system:kube-"))


BROAD = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:anonymous")
"""Subjects that include (nearly) everyone."""

RBAC_KINDS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


def rbac_objects(lists: Mapping[str, Iterable[Json] | Unreadable]) -> RbacObjects:
    """Read the objects of a cluster by kind; if an object is invalid, its kind is unreadable."""

    def read(kind: str, make: Callable[[Json, str], T]) -> tuple[T, ...] | Unreadable:
        objects = lists[kind]
        if isinstance(objects, Unreadable):
            return objects
        try:
            return tuple(make(body, kind) for body in objects)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Unreadable(f"an object is not a valid {kind}")

    return RbacObjects(
        read("Role", role_of),
        read("ClusterRole", role_of),
        read("RoleBinding", binding_of),
        read("ClusterRoleBinding", binding_of),
    )
