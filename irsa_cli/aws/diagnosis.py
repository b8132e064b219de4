"""Read from AWS what only a diagnosis needs; each function raises `ServiceError` if it is not permitted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar, cast

from irsa_cli.aws.errors import call, listed, translate
from irsa_cli.aws.shapes import OddAnswer
from irsa_cli.core.doctor.facts import EksFacts, NodeMetadata, VpcEndpoint
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import Unreadable

T = TypeVar("T")
_UNTOLD = Unreadable("IAM did not tell the documents of all its policies")
FILTERED = 200
"""Values of one filter, the most that EC2 takes."""


def eks_facts(cluster: Mapping[str, Any]) -> EksFacts:
    """Version, kind and VPC of a cluster, of EKS' description of it."""
    return EksFacts(
        version=cluster.get("version", ""),
        on_outposts=bool(cluster.get("outpostConfig")),
        vpc=cluster.get("resourcesVpcConfig", {}).get("vpcId", ""),
        auto_mode=bool(cluster.get("computeConfig", {}).get("enabled")),
    )


def whole_roles(roles: Iterable[Role], policies: Mapping[str, Document]) -> dict[str, Role]:
    """Roles by name, of what GetAccountAuthorizationDetails tells: with the documents of their policies."""
    whole = {}
    for role in roles:
        arns = {*role.attached, role.boundary} - {""}
        documents = {arn: policies.get(arn, _UNTOLD) for arn in arns}
        whole[role.name] = replace(role, documents=documents)
    return whole


def vpc_endpoints(
    ec2: Any, service: str, vpc: str, *, region: str, partition: str
) -> tuple[VpcEndpoint, ...]:
    """The interface endpoints for a service (`sts`, `eks-auth`) in a VPC, with their policies."""
    prefix = "cn.com.amazonaws" if partition == "aws-cn" else "com.amazonaws"
    filters = [
        {"Name": "vpc-id", "Values": [vpc]},
        {"Name": "service-name", "Values": [f"{prefix}.{region}.{service}"]},
    ]
    endpoints = call(ec2.describe_vpc_endpoints, Filters=filters)["VpcEndpoints"]
    return tuple(VpcEndpoint(endpoint["VpcEndpointId"], _policy(endpoint)) for endpoint in endpoints)


def node_metadata(ec2: Any, names: Sequence[str]) -> dict[str, NodeMetadata]:
    """Return metadata options by the nodes' names: the private DNS name or the instance's id."""
    ids = [name for name in names if name.startswith("i-")]
    dns_names = [name for name in names if not name.startswith("i-")]
    metadata: dict[str, NodeMetadata] = {}
    for filtered, key, chosen in (
        ("private-dns-name", "PrivateDnsName", dns_names),
        ("instance-id", "InstanceId", ids),
    ):
        for start in range(0, len(chosen), FILTERED):
            for instance in _instances(ec2, filtered, chosen[start : start + FILTERED]):
                options = instance.get("MetadataOptions", {})
                hops = options.get("HttpPutResponseHopLimit", 1)
                is_enabled = options.get("HttpEndpoint") != "disabled"
                metadata[instance.get(key, "")] = NodeMetadata(hops, is_enabled)
    return metadata


def _instances(ec2: Any, filtered: str, values: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The instances for which a filter has one of these values."""
    filters = [{"Name": filtered, "Values": values}]
    for reservation in listed(ec2.describe_instances, "NextToken", "Reservations", Filters=filters):
        yield from reservation.get("Instances", [])


def _policy(endpoint: Mapping[str, Any]) -> Document:
    """The policy of an endpoint; one without any allows everything. Raises `ServiceError` for odd ones."""
    everything = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}'
    document = None
    with suppress(ValueError, RecursionError):
        document = json.loads(endpoint.get("PolicyDocument") or everything)
    if not isinstance(document, dict):
        error = OddAnswer("the PolicyDocument of an endpoint is no JSON object")
        raise translate(error, "ec2", "DescribeVpcEndpoints", "")
    return cast("Document", document)
