"""What `irsa doctor` reads of AWS, with all that it reads of the cluster (`irsa_cli.usecases.doctor.kube`).

What is read of which ServiceAccount is `irsa_cli.usecases.doctor.diagnose`'s business, what follows from it
`irsa_cli.core.doctor.causes`'. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from irsa_cli.aws import bindings
from irsa_cli.aws import diagnosis as aws
from irsa_cli.aws import iam as aws_iam
from irsa_cli.aws.listing import list_roles
from irsa_cli.aws.sts import assume
from irsa_cli.core.doctor.clues.injection import AGENT
from irsa_cli.core.doctor.facts import EksFacts, NodeMetadata, RoleSummary, TrailEvent, VpcEndpoint
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.trust.chaining.aws_config import KEY
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.core.values.names import subject
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.doctor.kube import KubeReads
from irsa_cli.usecases.read.readable import needed
from irsa_cli.usecases.read.reads import Reads

if TYPE_CHECKING:
    from irsa_cli.core.trust.jwt import Keys


class DoctorReads(KubeReads):
    """Reads of one cluster that run in the background; the same thing is read once.

    `readers` are roles by which IAM and CloudTrail of other accounts are read. For a `with` block.
    """

    def __init__(self, connection: Connection, readers: Iterable[str], lock_namespace: str) -> None:
        super().__init__(connection, lock_namespace)
        self._connection = connection
        self._readers = {Arn.parse(text).account: text for text in readers}
        self._shared = Reads(connection, self._readers.values())
        self._is_eks = connection.target.issuer_url is None

    def reads(self, account: str) -> bool:
        """Whether there is a way into the IAM of an account; that it is allowed there is another matter."""
        return self._connection.session_of(account) is not None or account in self._readers

    def __enter__(self) -> DoctorReads:
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._shared.__exit__()

    def provider(self, account: str) -> Future[ProviderState | Unreadable | None]:
        """The OIDC provider of the cluster's issuer in an account."""
        return self._once(("provider", account), lambda: self._shared.provider(account).result())

    def other_provider(self, arn: str) -> Future[ProviderState | Unreadable | None]:
        """Any OIDC provider, in its own account."""
        account = Arn.parse(arn).account
        return self._once(arn, lambda: aws_iam.provider(self._shared.iam(account), arn))

    def provider_arns(self) -> Future[tuple[str, ...] | Unreadable]:
        """All OIDC providers of the cluster's account."""
        return self._once("providers", lambda: bindings.provider_arns(self._connection.iam))

    def quotas(self) -> Future[dict[str, int] | Unreadable]:
        """Quotas and counts of the cluster's account."""
        return self._once("quotas", lambda: bindings.quotas(self._connection.iam))

    def eks(self) -> Future[EksFacts | Unreadable]:
        """The cluster as EKS described it when it was looked for."""
        return self._once("eks", self._eks)

    def _eks(self) -> EksFacts:
        description = self._connection.description
        if description is None:
            raise IrsaError("the cluster is not one of EKS")
        return aws.eks_facts(description)

    def sts_endpoints(self) -> Future[tuple[VpcEndpoint, ...] | Unreadable]:
        """The endpoints for STS in the cluster's VPC."""
        return self._once(("endpoints", "sts"), lambda: self._endpoints("sts"))

    def auth_endpoints(self) -> Future[tuple[VpcEndpoint, ...] | Unreadable]:
        """The endpoints in the cluster's VPC for what the agent of EKS Pod Identity calls."""
        return self._once(("endpoints", "eks-auth"), lambda: self._endpoints("eks-auth"))

    def _endpoints(self, service: str) -> tuple[VpcEndpoint, ...]:
        cluster, vpc = self._connection.cluster, needed(self.eks()).vpc
        if not vpc:
            raise IrsaError("EKS does not tell the cluster's VPC")
        ec2 = self._connection.aws.client("ec2")
        return aws.vpc_endpoints(ec2, service, vpc, region=cluster.region, partition=cluster.partition)

    def published_keys(self) -> Future[frozenset[str] | Unreadable]:
        """The ids of the keys that the issuer publishes."""
        return self._once("published", lambda: _ids(self._shared.public_keys().result()))

    def cluster_keys(self) -> Future[frozenset[str] | Unreadable]:
        """The ids of the keys that the cluster verifies tokens with."""
        return self._once("keys", lambda: _ids(self._shared.cluster_keys().result()))

    def agent(self) -> Future[bool | Unreadable]:
        """Whether the cluster has the agent of EKS Pod Identity: built in, as an add-on, or as pods.

        Its pods (`agents`) have to be asked for before.
        """
        return self._once("agent", self._agent)

    def _agent(self) -> bool:
        if needed(self.eks()).auto_mode:
            return True
        eks = self._connection.aws.client("eks")
        if AGENT in aws.addons(eks, self._connection.cluster.name):
            return True
        return bool(needed(self.agents()))

    def association(self, namespace: str, name: str) -> Future[Association | Unreadable | None]:
        """The EKS Pod Identity association of a ServiceAccount, None without one."""
        cluster = self._connection.cluster.name

        def work() -> Association | None:
            if not self._is_eks:
                return None
            return bindings.association(self._connection.aws.client("eks"), cluster, namespace, name)

        return self._once(("association", namespace, name), work)

    def associations(self) -> Future[dict[tuple[str, str], Association] | Unreadable]:
        """All EKS Pod Identity associations of the cluster, without their roles."""
        cluster = self._connection.cluster.name

        def work() -> dict[tuple[str, str], Association]:
            return bindings.associations(self._connection.aws.client("eks"), cluster) if self._is_eks else {}

        return self._once("associations", work)

    def events(self, namespace: str, name: str, account: str) -> Future[tuple[TrailEvent, ...] | Unreadable]:
        """What STS has seen of the ServiceAccount: CloudTrail of the role's account tells it."""

        def work() -> tuple[TrailEvent, ...]:
            return aws.web_identity_events(self._cloudtrail(account), subject(namespace, name))

        return self._once(("events", namespace, name), work)

    def _cloudtrail(self, account: str) -> Any:
        session, own = self._connection.aws, self._connection.session_of(account)
        if own is not None:
            return own.client("cloudtrail")
        if account not in self._readers:
            raise IrsaError(
                f"CloudTrail of account {account} is not read",
                reason="--iam-assume-role names a role there by which it can be",
            )
        return session.client_of("cloudtrail", assume(session.client("sts"), self._readers[account]))

    def nodes(self, names: tuple[str, ...]) -> Future[Mapping[str, NodeMetadata] | Unreadable]:
        """How these nodes answer for their metadata; EC2 is not asked about none."""

        def work() -> Mapping[str, NodeMetadata]:
            return aws.node_metadata(self._connection.aws.client("ec2"), names) if names else {}

        return self._once(("nodes", names), work)

    def role(self, arn: str) -> Future[Role | Unreadable | None]:
        """The role of this name in the ARN's account, None without one; IAM does not compare the path."""
        parsed = Arn.parse(arn)
        return self._once(arn, lambda: bindings.role(self._shared.iam(parsed.account), parsed.name))

    def aws_config(self, namespace: str, name: str) -> Future[str | Unreadable | None]:
        """What a ConfigMap of irsa's holds, None where there is none."""

        def work() -> str | None:
            found = self._connection.kube.config_map(namespace, name)
            return None if found is None else str((found.get("data") or {}).get(KEY, ""))

        return self._once(("config map", namespace, name), work)

    def roles(self) -> Future[tuple[RoleSummary, ...] | Unreadable]:
        """All roles of the cluster's account with their trust policies."""

        def work() -> tuple[RoleSummary, ...]:
            return tuple(RoleSummary(item.arn, item.trust) for item in list_roles(self._connection.iam).roles)

        return self._once("roles", work)


def _ids(keys: Keys) -> frozenset[str]:
    from irsa_cli.core.trust.jwt import key_ids

    return frozenset(key_ids(keys))
