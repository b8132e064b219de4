"""The EKS clusters of the sandbox, and EKS's answers about them: DescribeCluster, ListClusters, ListAddons.

Pod Identity associations and access entries are in `identities`; everything else of EKS is refused with an
error that says so.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from irsa_cli.sandbox.aws.answer import AwsError
from irsa_cli.sandbox.aws.callers import Caller
from irsa_cli.sandbox.aws.ec2 import vpc_of
from irsa_cli.sandbox.aws.identities import AccessEntries, Associations
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer, ClusterSpec, partition_of

_CREATED = 1767225600
"""When all clusters were created, in seconds since the epoch."""


@dataclass(frozen=True)
class Cluster:
    """A cluster as EKS and STS know it; `jwks` returns the public keys of its ServiceAccount tokens."""

    spec: ClusterSpec
    endpoint: str
    ca_pem: str
    issuer: str
    jwks: Callable[[], dict[str, Any]]

    @property
    def partition(self) -> str:
        """The partition's name."""
        return partition_of(self.spec.region).name

    @property
    def arn(self) -> str:
        """The cluster's ARN."""
        return cluster_arn(self.spec)


def cluster_arn(spec: ClusterSpec) -> str:
    """The ARN of the cluster that `spec` describes."""
    partition = partition_of(spec.region).name
    return f"arn:{partition}:eks:{spec.region}:{spec.account}:cluster/{spec.name}"


def issuer_of(spec: ClusterSpec) -> str:
    """An issuer URL in EKS's form, each cluster its own."""
    number = hashlib.sha256(cluster_arn(spec).encode()).hexdigest()[:32].upper()
    return f"https://oidc.eks.{spec.region}.{partition_of(spec.region).suffix}/id/{number}"


class Clusters:
    """All clusters, by account, region and name."""

    def __init__(self) -> None:
        self._by_place: dict[tuple[str, str, str], Cluster] = {}
        self.associations = Associations()
        self.access_entries = AccessEntries()
        self._said: dict[str, dict[str, Any]] = {}
        self._addons: dict[str, list[str]] = {}

    def add(self, cluster: Cluster) -> None:
        """Serve a cluster from now on."""
        self._by_place[_place(cluster.spec)] = cluster

    def remove(self, spec: ClusterSpec) -> None:
        """Serve it no longer."""
        del self._by_place[_place(spec)]

    def reset(self) -> None:
        """Forget all but the clusters themselves."""
        self.associations.reset()
        self.access_entries.reset()
        self._said.clear()
        self._addons.clear()

    def say(self, arn: str, fields: dict[str, Any]) -> None:
        """Let DescribeCluster say something else of a cluster, until the next reset."""
        self._said.setdefault(arn, {}).update(fields)

    def put_addon(self, arn: str, name: str) -> None:
        """Let a cluster have an add-on, until the next reset."""
        self._addons.setdefault(arn, []).append(name)

    def with_issuer(self, issuer: str) -> Cluster | None:
        """The cluster whose tokens name `issuer`."""
        return next((c for c in self._by_place.values() if c.issuer == issuer), None)

    def issuer_hosts(self) -> set[str]:
        """The hosts of all issuers."""
        return {urlsplit(cluster.issuer).netloc for cluster in self._by_place.values()}

    def answer(self, request: AwsRequest, caller: Caller) -> Answer:
        """EKS's answer to a call that is allowed."""
        mine = {
            name: cluster
            for (account, region, name), cluster in self._by_place.items()
            if (account, region) == (caller.account, request.region)
        }
        if request.operation == "ListClusters":
            return Answer.of_json({"clusters": sorted(mine), "nextToken": None})
        about_associations = request.operation.partition("PodIdentityAssociation")[1]
        about_access = any(part in request.operation for part in ("AccessEntr", "AccessPolic"))
        about_parts = about_associations or about_access
        if request.operation not in ("DescribeCluster", "ListAddons") and not about_parts:
            message = f"The sandbox does not serve {request.operation} of EKS."
            raise AwsError("NotImplementedException", message, 501)
        name = request.path.split("/")[2]
        if name not in mine:
            raise AwsError("ResourceNotFoundException", f"No cluster found for name: {name}.", 404)
        if about_associations:
            return self.associations.answer(request, mine[name].spec, mine[name].arn)
        arn = mine[name].arn
        if about_access:
            return self.access_entries.answer(request, mine[name].spec, arn)
        if request.operation == "ListAddons":
            return Answer.of_json({"addons": sorted(self._addons.get(arn, []))})
        return Answer.of_json({"cluster": {**_description(mine[name]), **self._said.get(arn, {})}})


def _place(spec: ClusterSpec) -> tuple[str, str, str]:
    return spec.account, spec.region, spec.name


def _description(cluster: Cluster) -> dict[str, Any]:
    spec = cluster.spec
    described: dict[str, Any] = {
        "name": spec.name,
        "arn": cluster.arn,
        "createdAt": _CREATED,
        "version": "1.36",
        "platformVersion": "eks.1",
        "status": spec.status,
        "roleArn": f"arn:{cluster.partition}:iam::{spec.account}:role/eks-cluster",
        "resourcesVpcConfig": {
            "vpcId": vpc_of(cluster.arn),
            "endpointPublicAccess": True,
            "publicAccessCidrs": ["0.0.0.0/0"],
        },
        "accessConfig": {"authenticationMode": "API"},
        "tags": {},
    }
    if spec.status != "CREATING":
        # A cluster has neither address nor issuer before it is there.
        described["endpoint"] = cluster.endpoint
        described["certificateAuthority"] = {"data": base64.b64encode(cluster.ca_pem.encode()).decode()}
        if spec.oidc:
            described["identity"] = {"oidc": {"issuer": cluster.issuer}}
    return described
