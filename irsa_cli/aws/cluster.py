"""The cluster as EKS describes it: issuer, endpoint, certificate authority.

The connection that is built from it is in `irsa_cli.kube.connection`.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.aws.errors import call
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused, ServiceError
from irsa_cli.core.values.issuer import check_issuer

# In these states EKS serves the Kubernetes API and keeps the issuer.
_USABLE = ("ACTIVE", "UPDATING")


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
        if error.code == "ResourceNotFoundException":
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


def _missing(aws: AwsSession, name: str, error: ServiceError) -> IrsaError:
    """No such cluster: the wrong region is the usual reason, so say which one was asked."""
    try:
        others = call(aws.client("eks").list_clusters)["clusters"]
    except ServiceError:
        others = []
    return IrsaError(
        f"there is no cluster {name} in {aws.region}",
        reason=error.reason,
        details=(f"clusters there: {', '.join(others)}",) if others else (),
        next_steps=("check --cluster, --region and --profile",),
        code=error.code,
    )
