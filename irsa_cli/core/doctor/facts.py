"""Facts about a cluster and one ServiceAccount, as values; an unreadable value says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.doctor.reported import Maker, PodAnswer
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.objects.webhooks import NetworkPolicy, Webhook
from irsa_cli.core.objects.workloads import RefusedPod
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.results.locks import SeenLock
from irsa_cli.core.values.arn import Arn, role_arn
from irsa_cli.core.values.cluster import PLAIN, Cluster, Reach
from irsa_cli.core.values.errors import CannotTell, InvalidInput, Unreadable, have
from irsa_cli.core.values.names import Namespaced
from irsa_cli.core.values.shown import shown

T = TypeVar("T")
EMPTY = f"the annotation {ROLE_ARN_ANNOTATION} is empty"


def known(found: tuple[T, ...] | Unreadable | None) -> tuple[T, ...]:
    """The items found; none if they are unreadable or do not exist."""
    return found if isinstance(found, tuple) else ()


def there(value: T | Unreadable | None, otherwise: str) -> T:
    """The value; raises `CannotTell` if it is unreadable, does not exist, or is an empty list."""
    content = have(value)
    if content is None or (isinstance(content, (list, tuple)) and not content):
        raise CannotTell(otherwise)
    return content


@dataclass(frozen=True)
class EksFacts:
    """EKS's description; `version` is major.minor, `auto_mode` nodes include the EKS Pod Identity agent."""

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


@dataclass(frozen=True)
class OtherAssociation(Namespaced):
    """An association of another ServiceAccount, with its role as far as that could be read."""

    namespace: str
    name: str
    association: Association | Unreadable | None
    role: Role | Unreadable | None = Unreadable("EKS did not return the association's role")


@dataclass(frozen=True)
class Subject(Namespaced):
    """One ServiceAccount and everything around it; None stands for what doesn't exist.

    - `pods` are all pods of the namespace, `probe` is a dry-run pod, `nodes` are the pods' EC2 instances.
    - `candidates` are roles that trust the ServiceAccount (those that name it exactly were read, the others
      only listed), `renamed` those that trust a deleted one with a
      similar name, `own_roles` those that containers with their own token set, by ARN.
    - `provider` is the issuer's in the role's account, if that is another one; `providers` are the others in
      the trust policy.
    - `association_role`, `target_role`, `agent`, `agents` and `auth_endpoints` are read with an association,
      `other_associations` (for a similar name) and `elsewhere` (pods in other namespaces) without a role.
    - `refused` are pods that could not be created, None if pods with this identity run; `lock` is the Lease.
    """

    namespace: str
    name: str
    namespace_labels: Mapping[str, str] | Unreadable | None = None
    account: ServiceAccount | Unreadable | None = None
    role: Role | Unreadable | None = None
    provider: ProviderState | Unreadable | None = None
    candidates: tuple[Role, ...] | Unreadable = Unreadable("the roles were not listed")
    providers: Mapping[str, ProviderState | Unreadable | None] = field(default_factory=dict)
    own_roles: Mapping[str, Role | Unreadable | None] = field(default_factory=dict)
    pods: tuple[Pod, ...] | Unreadable = ()
    elsewhere: tuple[Pod, ...] | Unreadable = ()
    renamed: tuple[tuple[Role, str], ...] = ()
    similar_roles: tuple[str, ...] = ()
    """ARNs of roles with a similar name, if its own does not exist."""
    nodes: Mapping[str, NodeMetadata] | Unreadable = field(default_factory=dict)
    probe: Pod | Unreadable = Unreadable("no test pod was requested")
    association: Association | Unreadable | None = None
    association_role: Role | Unreadable | None = Unreadable("there is no Pod Identity association")
    target_role: Role | Unreadable | None = Unreadable("the association has no target role", follows=True)
    chain_target: Role | Unreadable | None = Unreadable("no target role is set", follows=True)
    """The target role in irsa's annotation (`--target-role`)."""
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
    inside: PodAnswer | Unreadable | None = None
    """The answer of a pod that irsa started; None if that was not asked for."""

    def binding_in(self, cluster: Cluster) -> Binding:
        """The ServiceAccount with its role and its association, as all commands judge them."""
        parts = (self.account, self.role, (), self.provider, self.association)
        return Binding(cluster, self.namespace, self.name, *parts)

    def existing(self) -> ServiceAccount:
        """The ServiceAccount. This and the following methods raise `CannotTell` without a result."""
        return there(self.account, f"there is no ServiceAccount {self.full_name}")

    def annotation(self) -> str:
        """The value of the role's annotation."""
        why = f"ServiceAccount {self.full_name} has no annotation {ROLE_ARN_ANNOTATION}"
        return there(self.existing().annotations.get(ROLE_ARN_ANNOTATION), why)

    def effective_annotation(self) -> str:
        """The same, but not an empty value, which the webhook ignores."""
        value = self.annotation()
        if not value:
            raise CannotTell(EMPTY)
        return value

    def role_arn(self) -> Arn:
        value = self.effective_annotation()
        try:
            return role_arn(value)
        except InvalidInput:
            raise CannotTell(f"{shown(value)} is not a role ARN") from None

    def annotated_role(self) -> Role:
        arn = self.role_arn()
        role = there(self.role, f"there is no role {arn.name} in account {arn.account}")
        if role.arn != str(arn):
            raise CannotTell(f"the annotation has {arn}, but the role is {role.arn}")
        return role

    def users(self) -> tuple[Pod, ...]:
        have(self.pods)
        return there(self.known_users(), f"no pod uses ServiceAccount {self.full_name}")

    def known_users(self) -> tuple[Pod, ...]:
        """The same, but empty if the pods are unreadable."""
        return tuple(pod for pod in self.living() if pod.service_account == self.name)

    def living(self) -> tuple[Pod, ...]:
        """The pods of the namespace that have not ended; empty if they are unreadable."""
        return tuple(pod for pod in known(self.pods) if pod.is_alive)


@dataclass(frozen=True)
class Facts:
    """One observation: the cluster, and one ServiceAccount if requested.

    `providers` are the ARNs of the account's OIDC providers, `webhook_arguments` the command line of a
    webhook that runs as pods (none on EKS), `published_keys` and `cluster_keys` are key IDs.
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
    """The workloads in the ServiceAccount's namespace, by `Kind/name`; read if there is a problem."""
    within: str | None = None
    """Where all ServiceAccounts are looked at: a namespace, '' for the cluster; None: only a named one is."""

    @property
    def named(self) -> Subject:
        """The ServiceAccount that was asked for; raises `CannotTell` when none was."""
        if self.subject is None:
            raise CannotTell("no ServiceAccount was named")
        return self.subject
