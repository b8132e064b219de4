"""The EKS clusters of the sandbox, what EKS answers about them, and what EC2 tells of their VPCs and nodes.

EKS serves DescribeCluster, ListClusters, added Fargate profiles, the list of access policies, and tags. Pod
Identity associations and access entries are in `identities`, add-ons in `addons`. EC2 serves
DescribeVpcEndpoints, DescribeInstances and DescribeRegions. Everything else is refused by an error that says
so.

Endpoints are those for STS in the VPCs of clusters; the sandbox's calls come through no VPC, so an endpoint's
policy decides nothing here: it can only be read. Of a node, EC2 tells what lets pods reach its metadata.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session

from irsa_cli.sandbox.aws.addons import Addons
from irsa_cli.sandbox.aws.callers import Caller
from irsa_cli.sandbox.aws.identities import AccessEntries, Associations
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest, result_of
from irsa_cli.sandbox.aws.of_clusters import OfClusters, check_tags, cluster_arn, missing, page_of
from irsa_cli.sandbox.model import Answer, ClusterSpec, partition_of, table


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
        return partition_of(self.spec.region).name

    @property
    def arn(self) -> str:
        return cluster_arn(self.spec)


def issuer_of(spec: ClusterSpec) -> str:
    """An issuer URL in EKS's form, each cluster its own."""
    number = hashlib.sha256(cluster_arn(spec).encode()).hexdigest()[:32].upper()
    return f"https://oidc.eks.{spec.region}.{partition_of(spec.region).suffix}/id/{number}"


class Clusters:
    """All clusters, by account, region and name."""

    def __init__(self) -> None:
        self._by_arn: dict[str, Cluster] = {}
        self.associations = Associations()
        self.access_entries = AccessEntries()
        self.addons = Addons(self.associations)
        self._said: dict[str, dict[str, Any]] = {}
        self.fargate: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def add(self, cluster: Cluster) -> None:
        self._by_arn[cluster.arn] = cluster

    def remove(self, spec: ClusterSpec) -> None:
        del self._by_arn[cluster_arn(spec)]

    def all(self) -> list[Cluster]:
        return [*self._by_arn.values()]

    def reset(self) -> None:
        """Forget all but the clusters themselves."""
        self.associations.reset()
        self.access_entries.reset()
        self.addons.reset()
        self._said.clear()
        self.fargate.clear()

    def say(self, arn: str, fields: Mapping[str, Any]) -> None:
        """Let DescribeCluster say something else of a cluster, until the next reset."""
        self._said.setdefault(arn, {}).update(fields)

    def put_addon(self, arn: str, name: str) -> None:
        self.addons.put(self._by_arn[arn].spec, arn, name)

    def with_issuer(self, issuer: str) -> Cluster | None:
        return next((c for c in self._by_arn.values() if c.issuer == issuer), None)

    def answer(self, request: AwsRequest, caller: Caller) -> Answer:
        place = (caller.account, request.region)
        mine = {c.spec.name: c for c in self.all() if (c.spec.account, c.spec.region) == place}
        if request.operation == "ListClusters":
            return Answer.of_json({"clusters": sorted(mine), "nextToken": None})
        if request.operation == "ListAccessPolicies":
            return Answer.of_json(_access_policies(request, caller.partition))
        if request.path.startswith("/tags/"):
            own = [cluster.arn for cluster in mine.values()]
            return Answer.of_json(self._tags(request, f":{request.region}:{caller.account}:", own))
        parts = [part for part in self._parts() if part.serves(request.operation)]
        if request.operation not in _SERVED and not parts:
            message = f"The sandbox does not serve {request.operation} of EKS."
            raise AwsError("NotImplementedException", message, 501)
        name = request.path.split("/")[2]
        if name not in mine:
            raise missing(f"No cluster found for name: {name}.")
        cluster = mine[name]
        if parts == [self.access_entries]:
            self._check_mode(cluster)
        if parts:
            return parts[0].answer(request, cluster.spec, cluster.arn)
        return Answer.of_json(_SERVED[request.operation](self, request, cluster))

    def _parts(self) -> tuple[OfClusters, ...]:
        return (self.associations, self.access_entries, self.addons)

    def _check_mode(self, cluster: Cluster) -> None:
        """Quoted in Team-likelion-2nd-Project/likelion-devops-7th-team04 issue 286, of 2026-08-18."""
        described = {**table("cluster"), **self._said.get(cluster.arn, {})}
        if described["accessConfig"].get("authenticationMode") == "CONFIG_MAP":
            modes = "[API, API_AND_CONFIG_MAP]"
            why = (
                f"The cluster's authentication mode must be set to one of {modes} to perform this operation."
            )
            raise AwsError("InvalidRequestException", why)

    def _tags(self, request: AwsRequest, place: str, clusters: list[str]) -> dict[str, Any]:
        """Read or change the tags of whatever has the ARN, in the caller's own `place`."""
        arn = request.parameters["resourceArn"]
        objects = [part.with_arn(arn) for part in self._parts() if place in arn]
        if arn in clusters:
            objects.append(self._said.setdefault(arn, {}))
        tagged = next((entry for entry in objects if entry is not None), None)
        if tagged is None:
            raise AwsError("NotFoundException", f"No resource found for ARN: {arn}.", 404)
        tags: dict[str, str] = tagged.get("tags", {})
        if request.operation == "ListTagsForResource":
            return {"tags": tags}
        gone = request.parameters.get("tagKeys", [])
        kept = {key: value for key, value in tags.items() if key not in gone}
        new = {**kept, **request.parameters.get("tags", {})}
        check_tags(new, "BadRequestException")
        tagged["tags"] = new
        return {}

    def _describe_cluster(self, _: AwsRequest, cluster: Cluster) -> dict[str, Any]:
        return {"cluster": {**_description(cluster), **self._said.get(cluster.arn, {})}}

    def _list_fargate_profiles(self, _: AwsRequest, cluster: Cluster) -> dict[str, Any]:
        return {"fargateProfileNames": sorted(self.fargate.get(cluster.arn, {}))}

    def _describe_fargate_profile(self, request: AwsRequest, cluster: Cluster) -> dict[str, Any]:
        name = request.path.rstrip("/").rsplit("/", 1)[-1]
        profiles = self.fargate.get(cluster.arn, {})
        if name not in profiles:
            raise missing(f"No Fargate Profile found with name: {name}.")
        return {"fargateProfile": {"fargateProfileName": name, "selectors": profiles[name]}}


_SERVED: Mapping[str, Callable[[Clusters, AwsRequest, Cluster], dict[str, Any]]] = {
    "DescribeCluster": Clusters._describe_cluster,
    "DescribeFargateProfile": Clusters._describe_fargate_profile,
    "ListFargateProfiles": Clusters._list_fargate_profiles,
}


def _access_policies(request: AwsRequest, partition: str) -> dict[str, Any]:
    start = f"arn:{partition}:eks::aws:cluster-access-policy"
    page, more = page_of(request, table("access policies"))
    return {"accessPolicies": [{"name": name, "arn": f"{start}/{name}"} for name in page], **more}


def _description(cluster: Cluster) -> dict[str, Any]:
    spec = cluster.spec
    described: dict[str, Any] = {
        **table("cluster"),
        "name": spec.name,
        "arn": cluster.arn,
        "status": spec.status,
        "roleArn": f"arn:{cluster.partition}:iam::{spec.account}:role/eks-cluster",
        "resourcesVpcConfig": {
            "vpcId": vpc_of(cluster.arn),
            "endpointPublicAccess": True,
            "publicAccessCidrs": ["0.0.0.0/0"],
        },
    }
    if spec.status != "CREATING":
        # A cluster has neither address nor issuer before it is there.
        described["endpoint"] = cluster.endpoint
        described["certificateAuthority"] = {"data": base64.b64encode(cluster.ca_pem.encode()).decode()}
        if spec.oidc:
            described["identity"] = {"oidc": {"issuer": cluster.issuer}}
    return described


_FILTERS: Mapping[str, Mapping[str, str]] = table("filters of ec2")
"""The operations that are served, and the filters of each."""


def vpc_of(cluster_arn: str) -> str:
    return f"vpc-{hashed(cluster_arn)}"


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:17]


class Ec2:
    """The descriptions of all endpoints and instances, by operation, account and region."""

    def __init__(self) -> None:
        self._described: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}

    def reset(self) -> None:
        self._described.clear()

    def put(self, operation: str, spec: ClusterSpec, number: str, described: Mapping[str, Any]) -> None:
        """Let `operation` describe something, or change that, in the account and region of `spec`."""
        self._described.setdefault((operation, spec.account, spec.region), {})[number] = described

    def answer(self, request: AwsRequest, caller: Caller) -> Answer:
        operation = request.operation
        if operation == "DescribeRegions":
            known = botocore.session.get_session().get_available_regions("eks", caller.partition)
            opted = {"OptInStatus": "opt-in-not-required"}
            regions = [
                {"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", **opted}
                # Those that an account has without opting in.
                for name in sorted({*known} - {*table("opt-in regions")})
            ]
            return result_of(request, {"Regions": regions})
        if operation not in _FILTERS:
            raise AwsError("NotImplemented", f"The sandbox does not serve {operation} of EC2.", 501)
        described = [*self._described.get((operation, caller.account, request.region), {}).values()]
        for condition in request.parameters.get("Filters", []):
            key = _FILTERS[operation].get(condition["Name"])
            if key is None:
                raise AwsError("InvalidParameterValue", f"The filter '{condition['Name']}' is invalid")
            described = [entry for entry in described if entry[key] in condition["Values"]]
        if operation == "DescribeVpcEndpoints":
            return result_of(request, {"VpcEndpoints": described})
        return result_of(request, {"Reservations": [{"Instances": [entry]} for entry in described]})
