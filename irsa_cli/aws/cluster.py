"""The cluster as EKS describes it: issuer, endpoint, certificate authority.

The connection that is built from it is in `irsa_cli.kube.connection`.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.aws.errors import call
from irsa_cli.aws.paging import pages
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused, ServiceError
from irsa_cli.core.values.issuer import check_issuer
from irsa_cli.core.values.nearest import near

# In these states EKS serves the Kubernetes API and keeps the issuer.
_USABLE = ("ACTIVE", "UPDATING")
_NOT_FOUND = "ResourceNotFoundException"
_MOST_NAMED = 20
_AT_ONCE = 16


@dataclass(frozen=True)
class EksCluster:
    """A usable EKS cluster. `endpoint` is a URL, `ca_data` the base64 of its CA's PEM, as EKS gives it.

    `description` is all that EKS said of it, for who wants to know more than that.
    """

    cluster: Cluster
    endpoint: str
    ca_data: str
    description: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ca(self) -> str:
        """The PEM text of the CA that signed the API's certificate; raises `IrsaError` when there is none."""
        try:
            return base64.b64decode(self.ca_data, validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise IrsaError("the cluster's certificate authority can't be read", reason=str(error)) from error


def describe(aws: AwsSession, name: str) -> EksCluster:
    """Ask EKS for a cluster; raises `Refused` when it can't have IRSA (not active, no issuer)."""
    try:
        found = call(aws.client("eks").describe_cluster, name=name).get("cluster")
    except ServiceError as error:
        if error.code == _NOT_FOUND:
            raise _missing(aws, name, error) from error
        raise
    if not found or found.get("name", name) != name or "arn" not in found:
        raise IrsaError(
            f"eks DescribeCluster {name}: the answer is not about this cluster", code="ForeignAnswer"
        )
    status = str(found.get("status", "unknown"))
    if status not in _USABLE:
        raise Refused(
            f"cluster {name} is {status}, not ACTIVE",
            reason="its issuer and its API can't be relied on yet",
            next_steps=(f"aws eks wait cluster-active --name {name} --region {shlex.quote(aws.region)}",),
        )
    issuer = found.get("identity", {}).get("oidc", {}).get("issuer", "")
    if not issuer:
        raise Refused(
            f"cluster {name} has no OIDC issuer",
            reason="IRSA needs one; EKS gives it from Kubernetes 1.13 on",
        )
    arn = Arn.parse(found["arn"])
    cluster = Cluster(name, found["arn"], arn.region, arn.partition, arn.account, check_issuer(issuer))
    return EksCluster(
        cluster, found.get("endpoint", ""), found.get("certificateAuthority", {}).get("data", ""), found
    )


class NoCluster(Refused):
    """There is no cluster of that name in the region."""


def _missing(aws: AwsSession, name: str, error: ServiceError) -> NoCluster:
    """No such cluster: a slip or the wrong region is the usual reason, so say what is there."""
    try:
        lists = pages(aws.client("eks").list_clusters, "nextToken", "nextToken")
        others = sorted(item for page in lists for item in page["clusters"])
    except IrsaError:
        others = []
    similar = near(name, others)
    if similar:
        details: tuple[str, ...] = (f"clusters with a similar name: {', '.join(similar)}",)
    else:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        details = (f"clusters there: {', '.join(others[:_MOST_NAMED])}{more}",) if others else ()
    return NoCluster(
        f"there is no cluster {name} in {aws.region}",
        details=details,
        next_steps=(
            "check --cluster, --region and --profile",
            f"or add --any-region: looks for it in all regions of {aws.partition}",
        ),
        code=error.code,
    )


def find_region(aws: AwsSession, name: str) -> str:
    """The one other region of the partition in which the caller has a cluster of that name.

    Raises `Refused` where there is none, or more than one; a region that can't be read is not one without it.
    """
    regions = [region for region in aws.regions if region != aws.region]

    def asked(region: str) -> ServiceError | None:
        try:
            call(aws.moved_to(region).client("eks").describe_cluster, name=name)
        except ServiceError as error:
            return error
        return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip(regions, pool.map(asked, regions), strict=True))
    found = sorted(region for region, error in answers.items() if error is None)
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(
            f"clusters of the name {name} are in several regions of {aws.partition}",
            details=(f"it is in {', '.join(found)}",),
            next_steps=(f"add --region {found[0]}", *(f"or --region {region}" for region in found[1:])),
        )
    unread: dict[str, list[str]] = {}
    for region, error in answers.items():
        if error is not None and error.code != _NOT_FOUND:
            unread.setdefault(error.code, []).append(region)
    if unread:
        raise NoCluster(
            f"cluster {name} was not found in any region of {aws.partition} that can be read",
            details=[f"not read ({code}): {', '.join(where)}" for code, where in sorted(unread.items())],
            next_steps=("check --cluster and --profile, or name the region: --region REGION",),
        )
    raise NoCluster(
        f"there is no cluster {name} in any region of {aws.partition}",
        next_steps=("check --cluster and --profile",),
    )
