"""States of the sandbox's EKS and EC2, and events of its CloudTrail, that nothing but tests puts there.

All of them last until the sandbox's next reset. With a cluster's name, KeyError for an unknown one.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from irsa_cli.sandbox.aws.callers import Token
from irsa_cli.sandbox.aws.clusters import Cluster, hashed, vpc_of
from irsa_cli.sandbox.aws.trail import TokenExchange
from irsa_cli.sandbox.kube.kinds import PODS

if TYPE_CHECKING:
    from irsa_cli.sandbox import Sandbox
    from irsa_cli.sandbox.aws.front import Front

OPEN = {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}
"""The policy that an endpoint has when it is created without one."""


def _found(sandbox: Sandbox, name: str) -> tuple[Front, Cluster]:
    front = cast("Front", sandbox.endpoint())
    for cluster in front.clusters.all():
        if name in (cluster.spec.name, cluster.arn):
            return front, cluster
    raise KeyError(name)


def add_sts_endpoint(sandbox: Sandbox, name: str, policy: dict[str, Any] | None = None) -> None:
    """Put an interface endpoint for STS into a cluster's VPC, or change it; no call goes through it."""
    front, cluster = _found(sandbox, name)
    spec, vpc = cluster.spec, vpc_of(cluster.arn)
    number = f"vpce-{hashed(f'{spec.account}/{spec.region}/{vpc}')}"
    described = {
        "VpcEndpointId": number,
        "VpcEndpointType": "Interface",
        "VpcId": vpc,
        "ServiceName": f"com.amazonaws.{spec.region}.sts",
        "State": "available",
        "PolicyDocument": json.dumps(policy or OPEN),
        "PrivateDnsEnabled": True,
        "OwnerId": spec.account,
    }
    front.ec2.put("DescribeVpcEndpoints", spec, number, described)


def add_node(sandbox: Sandbox, name: str, node: str, *, hop_limit: int = 2, endpoint: bool = True) -> None:
    """Add a node (by private DNS name) to EC2, with the hop limit and `endpoint` of its metadata."""
    front, cluster = _found(sandbox, name)
    number = f"i-{hashed(f'{cluster.spec.account}/{cluster.spec.region}/{node}')}"
    options = {
        "State": "applied",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": hop_limit,
        "HttpEndpoint": "enabled" if endpoint else "disabled",
    }
    described = {"InstanceId": number, "PrivateDnsName": node, "MetadataOptions": options}
    front.ec2.put("DescribeInstances", cluster.spec, number, described)


def describe_cluster_as(sandbox: Sandbox, name: str, **fields: Any) -> None:
    """Let EKS describe a cluster otherwise (`version="1.18"`)."""
    front, cluster = _found(sandbox, name)
    front.clusters.say(cluster.arn, fields)


def add_addon(sandbox: Sandbox, name: str, addon: str) -> None:
    """Let ListAddons name an add-on."""
    front, cluster = _found(sandbox, name)
    front.clusters.put_addon(cluster.arn, addon)


def add_fargate_profile(sandbox: Sandbox, name: str, profile: str, *selectors: dict[str, Any]) -> None:
    """Let EKS tell of a Fargate profile with these selectors."""
    front, cluster = _found(sandbox, name)
    front.clusters.fargate.setdefault(cluster.arn, {})[profile] = list(selectors)


def note_exchange(
    sandbox: Sandbox, name: str, subject: str, role_arn: str, code: str, words: str = ""
) -> None:
    """Add an exchange of `subject` to CloudTrail that STS refused with `code`, and its message."""
    front, cluster = _found(sandbox, name)
    token = Token(cluster.issuer, subject, ("sts.amazonaws.com",))
    front.trail.record(TokenExchange(token, role_arn, cluster.spec.region, code=code, words=words))


def pass_time(sandbox: Sandbox, name: str, seconds: float) -> None:
    """Let all events of CloudTrail and all pods of a cluster be so much older."""
    front, cluster = _found(sandbox, name)
    by = timedelta(seconds=seconds)
    for place, event in enumerate(front.trail._events):
        record = json.loads(event.listed["CloudTrailEvent"])
        record["eventTime"] = _earlier(record["eventTime"], by)
        listed = {
            **event.listed,
            "EventTime": int(event.time - seconds),
            "CloudTrailEvent": json.dumps(record),
        }
        front.trail._events[place] = replace(event, time=event.time - seconds, listed=listed)
    for pod in sandbox._own[cluster.arn].api._store._objects[PODS].values():
        metadata = pod["metadata"]
        metadata["creationTimestamp"] = _earlier(metadata["creationTimestamp"], by)


def _earlier(text: str, by: timedelta) -> str:
    form = "%Y-%m-%dT%H:%M:%SZ"
    return (datetime.strptime(text, form) - by).strftime(form)
