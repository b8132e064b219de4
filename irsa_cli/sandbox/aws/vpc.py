"""EC2's DescribeVpcEndpoints, and nothing else of EC2: endpoints for STS in the VPCs of clusters.

The sandbox's calls come through no VPC, so an endpoint's policy decides nothing here: it can only be read.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.aws.answer import AwsError, ec2_result

if TYPE_CHECKING:
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


def vpc_of(cluster_arn: str) -> str:
    """The id of a cluster's VPC."""
    return f"vpc-{_hash(cluster_arn)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:17]


class VpcEndpoints:
    """All endpoints."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}

    def reset(self) -> None:
        """Forget all endpoints."""
        self._endpoints.clear()

    def put(self, endpoint: Endpoint) -> None:
        """Make an endpoint, or give it another policy."""
        self._endpoints[endpoint.number] = endpoint

    def answer(self, request: AwsRequest, caller: Caller) -> Answer:
        """EC2's answer to a call that is allowed."""
        if request.operation != "DescribeVpcEndpoints":
            raise AwsError("NotImplemented", f"The sandbox does not serve {request.operation} of EC2.", 501)
        described = [
            _described(endpoint)
            for endpoint in self._endpoints.values()
            if (endpoint.account, endpoint.region) == (caller.account, request.region)
        ]
        for name, values in _filters(request).items():
            key = _FILTERS.get(name)
            if key is None:
                raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
            described = [item for item in described if item[key] in values]
        return ec2_result("DescribeVpcEndpoints", {"vpcEndpointSet": described})


_FILTERS = {
    "vpc-id": "vpcId",
    "vpc-endpoint-id": "vpcEndpointId",
    "service-name": "serviceName",
    "vpc-endpoint-type": "vpcEndpointType",
    "vpc-endpoint-state": "state",
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


def _described(endpoint: Endpoint) -> dict[str, Any]:
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
