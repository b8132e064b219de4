"""The values that an audit reads: roles, policies, providers, clusters. `Unreadable` marks unread parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from irsa_cli.core.inventory.bindings import BoundRole, annotation_of, text_of
from irsa_cli.core.objects import kinds, service_accounts
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.rbac.objects import RbacObjects
from irsa_cli.core.rbac.principals import ClusterAccess
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, host_path
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.names import Namespaced


@dataclass(frozen=True)
class AuditedAccount(Namespaced):
    """A ServiceAccount with its annotated role ('' for none) and the audience of its token."""

    namespace: str
    name: str
    role_arn: str = ""
    audience: str = DEFAULT_AUDIENCE

    @property
    def subject(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @classmethod
    def read(cls, body: kinds.Json) -> AuditedAccount:
        """Read Kubernetes' JSON; raise TypeError and similar errors for an invalid object."""
        found = service_accounts.service_account(body)
        if not all(isinstance(text, str) for text in found.annotations.values()):
            raise TypeError
        audience = Injection.read(found.annotations).audience
        return cls(found.namespace, found.name, annotation_of(found) or "", audience)


def living_pods(bodies: Iterable[kinds.Json]) -> dict[str, int]:
    """Count the living pods of each ServiceAccount (namespace/name) in Kubernetes' JSON."""
    pods = map(kinds.pod, bodies)
    return dict(Counter(f"{pod.namespace}/{pod.service_account}" for pod in pods if pod.is_alive))


def pod_security(body: kinds.Json) -> tuple[str, str]:
    """Read a namespace's name and enforced Pod Security level ('': the default)."""
    labels = body["metadata"].get("labels") or {}
    return str(body["metadata"]["name"]), str(labels.get("pod-security.kubernetes.io/enforce", ""))


@dataclass(frozen=True)
class AuditedAssociation(Namespaced):
    """An EKS Pod Identity association; its role assumes `target`. ARNs are '' if unknown."""

    namespace: str
    name: str
    id: str = ""
    role_arn: str = ""
    target: str = ""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> AuditedAssociation:
        """Read EKS's JSON, described or listed (without roles)."""
        namespace, name = text_of(item["namespace"]), text_of(item["serviceAccount"])
        role, target = (text_of(item.get(key) or "") for key in ("roleArn", "targetRoleArn"))
        return cls(namespace, name, str(item.get("associationId", "")), role, target)


@dataclass(frozen=True)
class AuditedCluster:
    """A cluster as far as it was read: pods by ServiceAccount, Pod Security levels by namespace."""

    name: str
    issuer: str = ""
    region: str = ""
    account: str = ""
    arn: str = ""
    accounts: tuple[AuditedAccount, ...] | Unreadable = ()
    pods: Mapping[str, int] | Unreadable = field(default_factory=dict)
    associations: tuple[AuditedAssociation, ...] | Unreadable = ()
    rbac: RbacObjects = field(default_factory=RbacObjects)
    levels: Mapping[str, str] | Unreadable = field(default_factory=dict)
    access: ClusterAccess = field(default_factory=ClusterAccess)

    @cached_property
    def host_path(self) -> str:
        """The issuer without `https://`."""
        return host_path(self.issuer)

    @property
    def annotated(self) -> tuple[AuditedAccount, ...]:
        """The ServiceAccounts with a role; none if they were not read."""
        found = () if isinstance(self.accounts, Unreadable) else self.accounts
        return tuple(item for item in found if item.role_arn)


@dataclass(frozen=True)
class Estate:
    """Everything that was read. `policies` are the known documents of managed policies by ARN.

    `providers` has the audiences of each OIDC provider by ARN; None means not read. `accounts` are the AWS
    accounts whose roles were read, `regions` those with all clusters known. `unread` lists the gaps.
    """

    roles: tuple[BoundRole, ...] = ()
    policies: Mapping[str, Document] = field(default_factory=dict)
    providers: Mapping[str, tuple[str, ...] | None] | None = None
    clusters: tuple[AuditedCluster, ...] = ()
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    now: datetime | None = None
    caller: str = ""

    @cached_property
    def by_issuer(self) -> Mapping[str, AuditedCluster]:
        """The clusters by issuer without `https://`."""
        return {cluster.host_path: cluster for cluster in self.clusters if cluster.issuer}

    @cached_property
    def roles_by_arn(self) -> Mapping[str, BoundRole]:
        return {role.arn: role for role in self.roles}

    def cluster_of(self, provider: str) -> AuditedCluster | None:
        return self.by_issuer.get(provider.partition("oidc-provider/")[2])
