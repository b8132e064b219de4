"""Read from AWS what only a diagnosis needs; each function raises `ServiceError` if it is not permitted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar, cast

from irsa_cli.aws.errors import call, pages, translate
from irsa_cli.aws.shapes import OddAnswer
from irsa_cli.core.doctor.facts import EksFacts, NodeMetadata, VpcEndpoint
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import Unreadable

T = TypeVar("T")
_UNTOLD = Unreadable("IAM did not tell the documents of all its policies")
FILTERED = 200
"""Values of one filter, the most that EC2 takes."""


def eks_facts(found: Mapping[str, Any]) -> EksFacts:
    """Version, kind and VPC of a cluster, of EKS' description of it."""
    return EksFacts(
        version=found.get("version", ""),
        on_outposts=bool(found.get("outpostConfig")),
        vpc=found.get("resourcesVpcConfig", {}).get("vpcId", ""),
        auto_mode=bool(found.get("computeConfig", {}).get("enabled")),
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
    found = call(ec2.describe_vpc_endpoints, Filters=filters)["VpcEndpoints"]
    return tuple(VpcEndpoint(item["VpcEndpointId"], _policy(item)) for item in found)


def node_metadata(ec2: Any, names: Sequence[str]) -> dict[str, NodeMetadata]:
    """Return metadata options by the nodes' names: the private DNS name or the instance's id."""
    found: dict[str, NodeMetadata] = {}
    for filtered in ("private-dns-name", "instance-id"):
        wanted = [name for name in names if name.startswith("i-") == (filtered == "instance-id")]
        for start in range(0, len(wanted), FILTERED):
            some = [{"Name": filtered, "Values": wanted[start : start + FILTERED]}]
            found_pages = pages(ec2.describe_instances, "NextToken", Filters=some)
            reservations = (item for page in found_pages for item in page.get("Reservations", []))
            for instance in (item for each in reservations for item in each.get("Instances", [])):
                key = "InstanceId" if filtered == "instance-id" else "PrivateDnsName"
                options = instance.get("MetadataOptions", {})
                enabled = options.get("HttpEndpoint") != "disabled"
                found[instance.get(key, "")] = NodeMetadata(
                    options.get("HttpPutResponseHopLimit", 1), enabled
                )
    return found


def _policy(item: dict[str, Any]) -> Document:
    """The policy of an endpoint; one without any allows everything. Raises `ServiceError` for odd ones."""
    everything = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}'
    found = None
    with suppress(ValueError, RecursionError):
        found = json.loads(item.get("PolicyDocument") or everything)
    if not isinstance(found, dict):
        error = OddAnswer("the PolicyDocument of an endpoint is no JSON object")
        raise translate(error, "ec2", "DescribeVpcEndpoints", "")
    return cast("Document", found)
