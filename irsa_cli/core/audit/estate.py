"""What an audit looks at, as values: roles, policies, providers, clusters. Nothing here judges.

What could not be read is a part of it: an `Unreadable`, or a line of `unseen`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from irsa_cli.core.inventory.bindings import BoundRole, annotation_of, text_of
from irsa_cli.core.objects import parsing
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.rbac.objects import RbacObjects
from irsa_cli.core.rbac.principals import ClusterAccess
from irsa_cli.core.trust.rules.providers import KnownCluster, stage_of
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, host_path
from irsa_cli.core.values.names import Namespaced


@dataclass(frozen=True)
class AuditedAccount(Namespaced):
    """A ServiceAccount: the role that its annotation names, '' for none, and the audience of its token."""

    namespace: str
    name: str
    role_arn: str = ""
    audience: str = DEFAULT_AUDIENCE

    @property
    def subject(self) -> str:
        """The subject of its tokens."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @classmethod
    def read(cls, body: parsing.Json) -> AuditedAccount:
        """Of Kubernetes' JSON; raises TypeError (or what comes of it) for what Kubernetes gives nobody."""
        found = parsing.service_account(body)
        if not all(isinstance(text, str) for text in found.annotations.values()):
            raise TypeError
        audience = Injection.read(found.annotations).audience
        return cls(found.namespace, found.name, annotation_of(found) or "", audience)


def living_pods(bodies: Iterable[parsing.Json]) -> dict[str, int]:
    """How many living pods each ServiceAccount has, by its full name, of Kubernetes' JSON."""
    pods = map(parsing.pod, bodies)
    return dict(Counter(f"{pod.namespace}/{pod.service_account}" for pod in pods if pod.is_alive))


def pod_security(body: parsing.Json) -> tuple[str, str]:
    """The name of a namespace of Kubernetes' JSON, and the level that it enforces: '' for the default.

    https://kubernetes.io/docs/concepts/security/pod-security-admission/
    """
    labels = body["metadata"].get("labels") or {}
    return str(body["metadata"]["name"]), str(labels.get("pod-security.kubernetes.io/enforce", ""))


@dataclass(frozen=True)
class AuditedAssociation(Namespaced):
    """An EKS Pod Identity association; `role_arn` is '' where it is not known. `target` is assumed by it."""

    namespace: str
    name: str
    id: str = ""
    role_arn: str = ""
    target: str = ""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> AuditedAssociation:
        """Of EKS' JSON: as it is listed, which is without roles, or described."""
        role, target = item.get("roleArn") or "", item.get("targetRoleArn") or ""
        return cls(
            text_of(item["namespace"]),
            text_of(item["serviceAccount"]),
            str(item.get("associationId", "")),
            text_of(role),
            text_of(target),
        )


@dataclass(frozen=True)
class AuditedCluster:
    """A cluster, as far as it was read; its name is the only one among those that were.

    `pods` counts the living pods of each ServiceAccount (namespace/name), `levels` are those of Pod Security
    that namespaces enforce. `issuer` is '' where it is not known, as in files that do not say it: then its
    tokens are no provider's. `access` are the IAM principals that get into it.
    """

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
    def known(self) -> KnownCluster:
        """The cluster as rules know it."""
        return KnownCluster(self.name, stage_of(self.name))


@dataclass(frozen=True)
class Estate:
    """All that was read. `policies` are documents of managed policies by ARN: those that are known.

    `providers` are the audiences of each OIDC provider by ARN (None: not known), None where they were not
    read. `accounts` are the AWS accounts whose roles were read, `regions` those of which all clusters are
    known. `unseen` says what was not read, a line each.
    """

    roles: tuple[BoundRole, ...] = ()
    policies: Mapping[str, Document] = field(default_factory=dict)
    providers: Mapping[str, tuple[str, ...] | None] | None = None
    clusters: tuple[AuditedCluster, ...] = ()
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()
    now: datetime | None = None

    @cached_property
    def by_issuer(self) -> Mapping[str, AuditedCluster]:
        """The clusters by issuer without `https://`."""
        return {cluster.host_path: cluster for cluster in self.clusters if cluster.issuer}

    @cached_property
    def roles_by_arn(self) -> Mapping[str, BoundRole]:
        """The roles by ARN."""
        return {role.arn: role for role in self.roles}

    def cluster_of(self, provider: str) -> AuditedCluster | None:
        """The cluster whose tokens a provider (ARN) takes."""
        return self.by_issuer.get(provider.partition("oidc-provider/")[2])
