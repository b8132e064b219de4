"""What AWS tells of a binding beyond roles and providers: for finding out why it doesn't work. Reading only.

Each function is one question, and raises `ServiceError` where the caller may not ask it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timezone
from typing import TYPE_CHECKING, Any, TypeVar, cast

from irsa_cli.aws.errors import call, translate
from irsa_cli.aws.iam import NOT_THERE, attached_policies, inline_policies, managed_policy
from irsa_cli.aws.paging import pages
from irsa_cli.aws.session import AwsSession
from irsa_cli.aws.shapes import OddAnswer
from irsa_cli.core.doctor.facts import Association, EksFacts, NodeMetadata, Role, TrailEvent, VpcEndpoint
from irsa_cli.core.objects.environment import AGENT, is_own
from irsa_cli.core.objects.parsing import moment
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.results.changed_by import Changed
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.core.values.shown import redacted

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient

T = TypeVar("T")
EXCHANGE = "AssumeRoleWithWebIdentity"
FILTERED = 200
"""Values of one filter, the most that EC2 takes."""
EVENTS = 50
"""Events asked for, the most that CloudTrail gives at once."""


HOMES = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
}
"""The region of each partition in which IAM's events are."""
WRITES = 5
"""So many writes to one object are told, the newest."""


def eks_facts(found: Mapping[str, Any]) -> EksFacts:
    """Version, kind and VPC of a cluster, of EKS' description of it."""
    return EksFacts(
        version=found.get("version", ""),
        on_outposts=bool(found.get("outpostConfig")),
        vpc=found.get("resourcesVpcConfig", {}).get("vpcId", ""),
        auto_mode=bool(found.get("computeConfig", {}).get("enabled")),
    )


def quotas(iam: IAMClient) -> dict[str, int]:
    """The account's quotas and counts, by the names that GetAccountSummary gives them."""
    return {str(name): value for name, value in call(iam.get_account_summary)["SummaryMap"].items()}


def provider_arns(iam: IAMClient) -> tuple[str, ...]:
    """The ARNs of the account's OIDC providers; IAM gives all of them at once."""
    found = call(iam.list_open_id_connect_providers)["OpenIDConnectProviderList"]
    return tuple(item["Arn"] for item in found)


def role(iam: IAMClient, name: str) -> Role | None:
    """A role with its policies, None when it doesn't exist.

    The documents of AWS's own policies are read where a boundary has to be compared with them; else they are
    empty, as are those that may not be read.
    """
    try:
        found = call(iam.get_role, RoleName=name)["Role"]
    except ServiceError as error:
        if error.code == NOT_THERE:
            return None
        raise
    boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")

    unread: list[str] = []

    def document(arn: str) -> Document:
        if boundary:
            return managed_policy(iam, arn)
        found = {} if ":iam::aws:" in arn else _read(lambda: managed_policy(iam, arn))
        if isinstance(found, Unreadable):
            unread.append(found.why)
        return {} if isinstance(found, Unreadable) else found

    def policies() -> dict[str, Document]:
        with ThreadPoolExecutor(2) as pool:
            inline = pool.submit(inline_policies, iam, name)
            documents = {arn: document(arn) for arn in sorted(attached_policies(iam, name))}
        return {**documents, **inline.result()}

    return Role(
        arn=found["Arn"],
        trust=cast("Document", found.get("AssumeRolePolicyDocument", {})),
        max_session_duration=found.get("MaxSessionDuration", 3600),
        created=found.get("CreateDate"),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        policies=_read(policies),
        boundary=boundary,
        boundary_policy=_read(lambda: managed_policy(iam, boundary)) if boundary else None,
        unread=", ".join(unread),
    )


def _read(work: Callable[[], T]) -> T | Unreadable:
    """What belongs to a role and is not needed to judge who may become it."""
    try:
        return work()
    except ServiceError as error:
        return Unreadable(error.details[0] if error.details else f"{error.message}: {error.reason}")


def associations(
    eks: EKSClient, cluster: str, *, namespace: str = "", name: str = ""
) -> dict[tuple[str, str], Association]:
    """EKS Pod Identity associations by namespace and ServiceAccount; the role is not in the list."""
    only: dict[str, Any] = {}
    if name:
        only = {"namespace": namespace, "serviceAccount": name}
    found: dict[tuple[str, str], Association] = {}
    read = eks.list_pod_identity_associations
    for page in pages(read, "nextToken", "nextToken", clusterName=cluster, **only):
        for item in page.get("associations", []):
            found[item["namespace"], item["serviceAccount"]] = Association(item["associationId"])
    return found


def association(eks: EKSClient, cluster: str, namespace: str, name: str) -> Association | None:
    """The EKS Pod Identity association of a ServiceAccount with its role, None without one."""
    found = associations(eks, cluster, namespace=namespace, name=name).get((namespace, name))
    if found is None:
        return None
    try:
        whole = call(eks.describe_pod_identity_association, clusterName=cluster, associationId=found.id)
    except ServiceError:
        return found
    described = whole["association"]
    return Association(
        found.id,
        described.get("roleArn", ""),
        described.get("createdAt"),
        described.get("targetRoleArn", ""),
        described.get("externalId", ""),
        described.get("disableSessionTags", False),
    )


def addons(eks: EKSClient, cluster: str) -> tuple[str, ...]:
    """The names of a cluster's EKS add-ons."""
    found: list[str] = []
    for page in pages(eks.list_addons, "nextToken", "nextToken", clusterName=cluster):
        found += page.get("addons", [])
    return tuple(found)


def web_identity_events(cloudtrail: Any, subject: str) -> tuple[TrailEvent, ...]:
    """The newest exchanges of tokens that STS saw of a subject, newest first; those of 90 days at most.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
    """
    wanted = [{"AttributeKey": "Username", "AttributeValue": subject}]
    found = call(cloudtrail.lookup_events, LookupAttributes=wanted, MaxResults=EVENTS)["Events"]
    events = [_event(item) for item in found if item.get("EventName") == EXCHANGE]
    known = [event for event in events if event is not None]
    return tuple(sorted(known, key=lambda event: event.time, reverse=True))


def _event(item: dict[str, Any]) -> TrailEvent | None:
    """An event, None for a record that can't be read: what it tells is not known."""
    try:
        record = json.loads(item["CloudTrailEvent"])
    except (ValueError, RecursionError):
        return None
    asked = (record.get("requestParameters") or {}) if isinstance(record, dict) else None
    if not isinstance(asked, dict):
        return None
    seconds = asked.get("durationSeconds")
    return TrailEvent(
        time=moment(record.get("eventTime")) or item["EventTime"],
        role_arn=_text(asked.get("roleArn")),
        error=_text(record.get("errorCode")),
        message=redacted(_text(record.get("errorMessage"))),
        seconds=seconds if isinstance(seconds, int) else None,
        own=is_own(_text(asked.get("roleSessionName")), _text(record.get("userAgent"))),
        region=_text(record.get("awsRegion")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


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
    """How nodes answer for their metadata, by their names in the cluster; unknown ones are missing.

    A node is called by its private DNS name, or (EKS Auto Mode) by the instance's id.
    """
    found: dict[str, NodeMetadata] = {}
    for filtered in ("private-dns-name", "instance-id"):
        wanted = [name for name in names if name.startswith("i-") == (filtered == "instance-id")]
        for start in range(0, len(wanted), FILTERED):
            some = [{"Name": filtered, "Values": wanted[start : start + FILTERED]}]
            for instance in _instances(ec2, some):
                key = "InstanceId" if filtered == "instance-id" else "PrivateDnsName"
                options = instance.get("MetadataOptions", {})
                enabled = options.get("HttpEndpoint") != "disabled"
                found[instance.get(key, "")] = NodeMetadata(
                    options.get("HttpPutResponseHopLimit", 1), enabled
                )
    return found


def _instances(ec2: Any, filters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for page in pages(ec2.describe_instances, "NextToken", "NextToken", Filters=filters):
        for reservation in page.get("Reservations", []):
            yield from reservation.get("Instances", [])


def _policy(item: dict[str, Any]) -> Document:
    """The policy of an endpoint; one without any allows everything. Raises `ServiceError` for odd ones."""
    everything = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}'
    try:
        found = json.loads(item.get("PolicyDocument") or everything)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        error = OddAnswer("the PolicyDocument of an endpoint is no JSON object")
        raise translate(error, "ec2", "DescribeVpcEndpoints", "")
    return cast("Document", found)


def writes_to(aws: AwsSession, name: str) -> list[Changed]:
    """The newest writes to an object, newest first, without what AWS refused; of 90 days at most.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
    """
    cloudtrail = aws.moved_to(HOMES.get(aws.partition, aws.region)).client("cloudtrail")
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": name}]
    found = call(cloudtrail.lookup_events, LookupAttributes=wanted, MaxResults=EVENTS)["Events"]
    writes = [_write_of(name, item) for item in found if item.get("ReadOnly") != "true"]
    return [item for item in writes if item is not None][:WRITES]


def _write_of(name: str, item: dict[str, Any]) -> Changed | None:
    try:
        record = json.loads(item["CloudTrailEvent"])
        failed, identity = record.get("errorCode"), record.get("userIdentity") or {}
        who = identity.get("arn") or item.get("Username") or "unknown"
        agents = str(record.get("userAgent") or "").split(" ")
        agent = next((text for text in agents if text.startswith(f"{AGENT}/")), agents[0])
    except (ValueError, RecursionError, AttributeError, KeyError):
        return None
    if failed:
        return None
    time = item["EventTime"].astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Changed(name, str(item.get("EventName", "")), time, redacted(str(who)), redacted(agent))
