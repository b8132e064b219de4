"""EC2's DescribeVpcEndpoints and DescribeInstances, and nothing else of EC2.

Endpoints are those for STS in the VPCs of clusters; the sandbox's calls come through no VPC, so an endpoint's
policy decides nothing here: it can only be read. Instances are nodes, of which only what lets pods reach
their metadata is told.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.sandbox.aws.answer import AwsError, Items, ec2_result
from irsa_cli.sandbox.aws.callers import Caller
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer

OPEN: Mapping[str, Any] = {
    "Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]
}
"""The policy that an endpoint has when it is created without one."""


@dataclass(frozen=True)
class Endpoint:
    """An interface endpoint for STS."""

    account: str
    region: str
    vpc: str
    policy: Mapping[str, Any]

    @property
    def number(self) -> str:
        """Its id."""
        return f"vpce-{_hash(f'{self.account}/{self.region}/{self.vpc}')}"


@dataclass(frozen=True)
class Instance:
    """A node, by the private DNS name that is its name in the cluster too; `endpoint`: whether IMDS is on."""

    account: str
    region: str
    dns_name: str
    hop_limit: int = 2
    endpoint: bool = True

    @property
    def number(self) -> str:
        """Its id."""
        return f"i-{_hash(f'{self.account}/{self.region}/{self.dns_name}')}"


def vpc_of(cluster_arn: str) -> str:
    """The id of a cluster's VPC."""
    return f"vpc-{_hash(cluster_arn)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:17]


class Ec2:
    """All endpoints and instances."""

    def __init__(self) -> None:
        self._things: dict[str, Endpoint | Instance] = {}

    def reset(self) -> None:
        """Forget all of them."""
        self._things.clear()

    def put(self, thing: Endpoint | Instance) -> None:
        """Make an endpoint or an instance, or change the one that is there."""
        self._things[thing.number] = thing

    def answer(self, request: AwsRequest, caller: Caller) -> Answer:
        """EC2's answer to a call that is allowed."""
        kind = _KINDS.get(request.operation)
        if kind is None:
            raise AwsError("NotImplemented", f"The sandbox does not serve {request.operation} of EC2.", 501)
        mine = [
            thing
            for thing in self._things.values()
            if isinstance(thing, kind) and (thing.account, thing.region) == (caller.account, request.region)
        ]
        described = [_endpoint(item) if isinstance(item, Endpoint) else _instance(item) for item in mine]
        for name, values in _filters(request).items():
            key = _FILTERS[kind].get(name)
            if key is None:
                raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
            described = [item for item in described if item[key] in values]
        if kind is Endpoint:
            return ec2_result(request.operation, {"vpcEndpointSet": described})
        found = [{"instancesSet": Items([item])} for item in described]
        return ec2_result(request.operation, {"reservationSet": found})


_KINDS: Mapping[str, type] = {"DescribeVpcEndpoints": Endpoint, "DescribeInstances": Instance}
_FILTERS: Mapping[type, Mapping[str, str]] = {
    Endpoint: {
        "vpc-id": "vpcId",
        "vpc-endpoint-id": "vpcEndpointId",
        "service-name": "serviceName",
        "vpc-endpoint-type": "vpcEndpointType",
        "vpc-endpoint-state": "state",
    },
    Instance: {"private-dns-name": "privateDnsName", "instance-id": "instanceId"},
}


def _filters(request: AwsRequest) -> dict[str, list[str]]:
    found = {}
    number = 1
    while f"Filter.{number}.Name" in request.params:
        prefix = f"Filter.{number}.Value."
        values = [value for key, value in request.params.items() if key.startswith(prefix)]
        found[request.params[f"Filter.{number}.Name"]] = values
        number += 1
    return found


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "vpcEndpointId": endpoint.number,
        "vpcEndpointType": "Interface",
        "vpcId": endpoint.vpc,
        "serviceName": f"com.amazonaws.{endpoint.region}.sts",
        "state": "available",
        "policyDocument": json.dumps(endpoint.policy),
        "privateDnsEnabled": True,
        "ownerId": endpoint.account,
    }


def _instance(instance: Instance) -> dict[str, Any]:
    options = {
        "state": "applied",
        "httpTokens": "required",
        "httpPutResponseHopLimit": instance.hop_limit,
        "httpEndpoint": "enabled" if instance.endpoint else "disabled",
    }
    return {"instanceId": instance.number, "privateDnsName": instance.dns_name, "metadataOptions": options}
