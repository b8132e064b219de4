"""The cluster as EKS describes it, or that it is gone: issuer, endpoint, certificate authority; its token."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.signers import RequestSigner

from irsa_cli.aws.errors import call, listed, translate
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.values.arn import Arn, check_cluster, check_issuer
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused, ServiceError
from irsa_cli.core.values.names import near
from irsa_cli.core.values.patience import replaced

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient

# In these states EKS serves the Kubernetes API and keeps the issuer.
_USABLE = ("ACTIVE", "UPDATING")
_NOT_FOUND = "ResourceNotFoundException"
_MOST_NAMED = 20
AT_ONCE = 16


def cluster_names(eks: EKSClient) -> tuple[str, ...]:
    return tuple(listed(eks.list_clusters, "nextToken", "clusters"))


@dataclass(frozen=True)
class EksCluster:
    """A usable EKS cluster: `endpoint` a URL, `ca_data` base64 of PEM, `description` EKS's whole answer."""

    cluster: Cluster
    endpoint: str
    ca_data: str
    description: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ca(self) -> str:
        """The PEM text of the CA that signed the API's certificate; raises `IrsaError` when there is none."""
        try:
            return base64.b64decode(self.ca_data, validate=True).decode("ascii")
        except ValueError as error:
            raise IrsaError("the cluster's certificate authority can't be read", reason=str(error)) from error


def describe(aws: AwsSession, name: str) -> EksCluster:
    """Ask EKS for a cluster; raises `Refused` when it can't have IRSA (not active, no issuer)."""
    try:
        description = call(aws.client("eks").describe_cluster, name=name)["cluster"]
    except ServiceError as error:
        if error.code == _NOT_FOUND:
            raise _missing(aws, name, error) from error
        raise
    if description["name"] != name:
        raise IrsaError(
            f"eks DescribeCluster {name}: the answer is not about this cluster", code="ForeignAnswer"
        )
    status = str(description.get("status", "unknown"))
    if status not in _USABLE:
        raise Refused(
            f"cluster {name} is {status}, not ACTIVE",
            reason="its issuer and API are not ready yet",
            next_steps=(f"aws eks wait cluster-active --name {name} --region {shlex.quote(aws.region)}",),
            rests_on=(),
        )
    issuer = description.get("identity", {}).get("oidc", {}).get("issuer", "")
    if not issuer:
        raise Refused(
            f"cluster {name} has no OIDC issuer",
            reason="IRSA requires one; EKS has it since Kubernetes 1.13",
            rests_on=(),
        )
    arn = Arn.parse(check_cluster(description["arn"]))
    cluster = Cluster(name, description["arn"], arn.region, arn.partition, arn.account, check_issuer(issuer))
    return EksCluster(
        cluster,
        description.get("endpoint", ""),
        description.get("certificateAuthority", {}).get("data", ""),
        description,
    )


class NoCluster(Refused):
    """There is no cluster of that name in the region."""


def _missing(aws: AwsSession, name: str, error: ServiceError) -> NoCluster:
    """No such cluster: a slip or the wrong region is the usual reason, so say what is there."""
    try:
        others = sorted(cluster_names(aws.client("eks")))
    except IrsaError:
        others = []
    similar = near(name, others)
    details: tuple[str, ...] = ()
    if similar:
        details = (f"clusters with a similar name: {', '.join(similar)}",)
    elif others:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        details = (f"clusters there: {', '.join(others[:_MOST_NAMED])}{more}",)
    return NoCluster(
        f"there is no cluster {name} in {aws.region}",
        details=details,
        next_steps=("check --cluster, --region and --profile, or search all regions: add --any-region",),
        code=error.code,
    )


def find_region(aws: AwsSession, name: str) -> str:
    """The one other region of the partition with that cluster; raises `Refused` for none, or several."""
    regions = [region for region in aws.regions if region != aws.region]

    def asked(region: str) -> ServiceError | None:
        try:
            call(aws.moved_to(region).client("eks").describe_cluster, name=name)
        except ServiceError as error:
            return error
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(regions, pool.map(asked, regions), strict=True))
    places = sorted(region for region, error in answers.items() if error is None)
    if len(places) == 1:
        for failure in filter(None, answers.values()):
            replaced(failure)  # The cluster was found, and the head says where.
        return places[0]
    if places:
        raise Refused(
            f"several regions of {aws.partition} have a cluster {name}",
            details=(f"regions: {', '.join(places)}",),
            next_steps=(f"add --region {places[0]}", *(f"or --region {region}" for region in places[1:])),
            rests_on=(),
        )
    unread: dict[str, list[str]] = {}
    for region, error in answers.items():
        if error is not None and error.code != _NOT_FOUND:
            unread.setdefault(error.code, []).append(region)
    if unread:
        raise NoCluster(
            f"cluster {name} was not found in any region of {aws.partition} that can be read",
            details=[f"not read ({code}): {', '.join(where)}" for code, where in sorted(unread.items())],
            next_steps=("check --cluster and --profile, or set the region: --region REGION",),
        )
    raise NoCluster(
        f"there is no cluster {name} in any region of {aws.partition}",
        next_steps=("check --cluster and --profile",),
    )


@dataclass(frozen=True)
class GoneCluster:
    """A cluster that EKS does not know any more: what irsa marked for it in IAM is all that tells of it.

    `marked` are the OIDC providers that bear its mark, `known` all of the account, None if unread. Its issuer
    is known by that mark alone: a trust policy may name others' too.
    """

    arn: str
    marked: Mapping[str, ProviderState]
    known: frozenset[str] | None

    @property
    def note(self) -> str:
        """A note for the user of a run without the cluster."""
        return (
            f"cluster {self.arn} no longer exists (EKS: ResourceNotFoundException):"
            " irsa uses its tags in IAM and can't check pods and ServiceAccounts"
        )

    def absent(self, providers: Iterable[str]) -> frozenset[str]:
        """Those of the providers that do not exist in the account; none if its providers were not read."""
        return frozenset() if self.known is None else frozenset(providers) - self.known


def expected(aws: AwsSession, name: str) -> Cluster:
    """The former cluster of this name in the caller's account and region, if any (by its ARN)."""
    account = Arn.parse(aws.identity()).account
    arn = f"arn:{aws.partition}:eks:{aws.region}:{account}:cluster/{name}"
    return Cluster(name, arn, aws.region, aws.partition, account, "")


TOKEN_SECONDS = 60
"""X-Amz-Expires of the presigned URL; EKS accepts the token for 15 minutes whatever it says."""


def eks_token(aws: AwsSession, cluster: str) -> str:
    """The caller's bearer token for a cluster: a presigned GetCallerIdentity, as `aws eks get-token` has it.

    https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
    """
    client = aws.client("sts")
    signer: RequestSigner = client._request_signer  # type: ignore[attr-defined]
    request = {
        "method": "GET",
        "url": f"{client.meta.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    try:
        url = signer.generate_presigned_url(
            request, region_name=aws.region, expires_in=TOKEN_SECONDS, operation_name="GetCallerIdentity"
        )
    except (BotoCoreError, ClientError) as error:
        raise translate(error, "sts", "GetCallerIdentity", "") from error
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
