"""What was observed of a cluster and of one ServiceAccount, as values; what could not be read says why.

Reading it is `irsa_cli.usecases.doctor.reads`'s business; Kubernetes' objects are in
`irsa_cli.core.objects.kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from irsa_cli.core.doctor.refusals import Maker
from irsa_cli.core.marks.locks.lease import SeenLock
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.objects.kinds import NetworkPolicy, Pod, RefusedPod, ServiceAccount, Webhook
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.cluster import PLAIN, Cluster, Reach
from irsa_cli.core.values.names import Namespaced


@dataclass(frozen=True)
class EksFacts:
    """What EKS says of the cluster beside its issuer. `version` is `major.minor`, `vpc` may be empty.

    `auto_mode`: EKS Auto Mode, whose nodes have the agent of EKS Pod Identity built in.
    """

    version: str = ""
    on_outposts: bool = False
    vpc: str = ""
    auto_mode: bool = False


@dataclass(frozen=True)
class VpcEndpoint:
    """An interface endpoint for STS in the cluster's VPC; its policy as a document."""

    id: str
    policy: Document


@dataclass(frozen=True)
class NodeMetadata:
    """How an EC2 instance answers for its metadata: over how many hops, or not at all."""

    hop_limit: int
    enabled: bool = True

    @property
    def answers_pods(self) -> bool:
        """Whether pods with a network of their own, one hop away, get an answer."""
        return self.enabled and self.hop_limit > 1


@dataclass(frozen=True)
class RoleSummary:
    """A role of a list: its ARN and trust policy, and all of it where that was read."""

    arn: str
    trust: Document
    role: Role | Unreadable | None = None


@dataclass(frozen=True)
class OtherAssociation(Namespaced):
    """An association of another ServiceAccount, with its role as far as that could be read."""

    namespace: str
    name: str
    association: Association | Unreadable | None
    role: Role | Unreadable | None = Unreadable("EKS did not return the association's role")


@dataclass(frozen=True)
class TrailEvent:
    """An AssumeRoleWithWebIdentity that STS saw. `error` is empty for a success; `seconds` asked for.

    `own`: it was irsa's own, or made under `irsa exec`, and says nothing of the application's. `region` is
    where STS was asked.
    """

    time: datetime
    role_arn: str
    error: str = ""
    message: str = ""
    seconds: int | None = None
    own: bool = False
    region: str = ""


@dataclass(frozen=True)
class Subject(Namespaced):
    """One ServiceAccount and everything around it. None stands for what doesn't exist.

    `pods` are all pods of the namespace, `probe` a pod that was created for show (`dryRun=All`),
    `candidates` roles whose trust policy admits the ServiceAccount, `renamed` those that admit one of nearly
    this name which is gone, with that name; `elsewhere` pods of ServiceAccounts of this name in other
    namespaces, read where nobody uses this one; `providers` those that the role's trust
    policy names beside the cluster's, `own_roles` those that containers name which mount a token of their
    own, by ARN. `provider` is the issuer's in the role's account, where that is not the
    cluster's. `association_role` and `target_role` are those of the EKS Pod Identity association, `agent`
    whether the cluster
    has its agent, `auth_endpoints` those in the VPC for what the agent calls; they are read only where there
    is an association. `nodes` are those of its pods, by name, as far as EC2 knows them. `agents` are the
    agent's pods, None where they tell nothing; `other_associations` those for nearly its name, or for its
    name in another namespace, read where it has no role. `refused` are pods of the namespace that could not
    be created, None where that was not read: pods with this identity run. `lock` is the Lease of the binding,
    held or not released.
    """

    namespace: str
    name: str
    namespace_labels: Mapping[str, str] | Unreadable | None = None
    account: ServiceAccount | Unreadable | None = None
    role: Role | Unreadable | None = None
    provider: ProviderState | Unreadable | None = None
    candidates: tuple[RoleSummary, ...] | Unreadable = Unreadable("the roles were not listed")
    providers: Mapping[str, ProviderState | Unreadable | None] = field(default_factory=dict)
    own_roles: Mapping[str, Role | Unreadable | None] = field(default_factory=dict)
    pods: tuple[Pod, ...] | Unreadable = ()
    elsewhere: tuple[Pod, ...] | Unreadable = ()
    renamed: tuple[tuple[RoleSummary, str], ...] = ()
    nodes: Mapping[str, NodeMetadata] | Unreadable = field(default_factory=dict)
    probe: Pod | Unreadable = Unreadable("no test pod was requested")
    association: Association | Unreadable | None = None
    association_role: Role | Unreadable | None = Unreadable("there is no Pod Identity association")
    target_role: Role | Unreadable | None = Unreadable("the association has no target role", follows=True)
    chain_target: Role | Unreadable | None = Unreadable("no target role is set", follows=True)
    """The role that its own one is to go on to, as irsa notes it (`--target-role`)."""
    aws_config: str | Unreadable | None = None
    """The AWS configuration that irsa has written for its pods, as it is by now; None without one."""
    config_keys: Mapping[str, frozenset[str] | Unreadable] = field(default_factory=dict)
    """The keys of the ConfigMaps that environments of its pods come from, by `configmap/NAME`."""
    agent: bool | Unreadable = Unreadable("there is no Pod Identity association")
    agents: tuple[Pod, ...] | Unreadable | None = None
    other_associations: tuple[OtherAssociation, ...] | Unreadable = ()
    refused: tuple[RefusedPod, ...] | Unreadable | None = None
    auth_endpoints: tuple[VpcEndpoint, ...] | Unreadable = Unreadable("there is no Pod Identity association")
    network_policies: tuple[NetworkPolicy, ...] | Unreadable = ()
    events: tuple[TrailEvent, ...] | Unreadable = ()
    lock: SeenLock | Unreadable | None = None


@dataclass(frozen=True)
class Facts:
    """One observation: the cluster, and one ServiceAccount where one was asked for.

    `providers` are the ARNs of the account's OIDC providers, `quotas` as GetAccountSummary names them,
    `webhook_arguments` the command line of a webhook that runs as pods (none on EKS), `published_keys` and
    `cluster_keys` the key ids of the issuer's public document and of the API server.
    """

    cluster: Cluster
    now: datetime
    reach: Reach = PLAIN
    """How commands to paste reach the same cluster and account."""
    eks: EksFacts | Unreadable = EksFacts()
    provider: ProviderState | Unreadable | None = None
    providers: tuple[str, ...] | Unreadable = ()
    quotas: Mapping[str, int] | Unreadable = field(default_factory=dict)
    sts_endpoints: tuple[VpcEndpoint, ...] | Unreadable = ()
    published_keys: frozenset[str] | Unreadable = frozenset()
    cluster_keys: frozenset[str] | Unreadable = frozenset()
    accounts: tuple[ServiceAccount, ...] | Unreadable = ()
    webhooks: tuple[Webhook, ...] | Unreadable = ()
    webhook_arguments: tuple[str, ...] = ()
    subject: Subject | None = None
    makers: Mapping[str, Maker] = field(default_factory=dict)
    """What makes pods in the ServiceAccount's namespace, by `Kind/name`; read if something is wrong."""
    within: str | None = None
    """Where all ServiceAccounts are looked at: a namespace, '' for the cluster; None: only a named one is."""

    @property
    def named(self) -> Subject:
        """The ServiceAccount that was asked for; raises `CannotTell` when none was."""
        if self.subject is None:
            raise CannotTell("no ServiceAccount was named")
        return self.subject
