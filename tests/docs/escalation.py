"""Attempts to become more than one is by the writes of IAM, as somebody with stolen credentials makes them.

Every operation of botocore's model of IAM that writes, with parameters that are most likely to be allowed.
Which credentials are tried, and what must come of it, is in test_escalation.py.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from irsa_cli.sandbox import Sandbox
from tests.docs import staging

if TYPE_CHECKING:
    from botocore.model import Shape
    from mypy_boto3_iam import IAMClient

ACCOUNT = "111122223333"
CLUSTER_ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{staging.CLUSTER}"
OTHER_CLUSTER_ARN = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/{staging.CLUSTER}"
OWN_TAGS = {"irsa/cluster": CLUSTER_ARN, "irsa/service-account": "backend/app"}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/workload-boundary"
STRICTER = f"arn:aws:iam::{ACCOUNT}:policy/stricter"
COMPANY_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/company"
OIDC = f"arn:aws:iam::{ACCOUNT}:oidc-provider"
GITHUB = "token.actions.githubusercontent.com"
ELSEWHERE = "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
NEIGHBOUR = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
"""The issuer of another cluster of the region."""
LOOK_ALIKES = (
    "oidc.eks.evil.example/id/1",
    "oidc.eks.eu-west-1.amazonaws.com.evil.example/id/1",
    "oidc.eks.evil.example/oidc.eks.eu-west-1.amazonaws.com/id/1",
)
EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
STRICT = EVERYTHING.replace('"*"', '"s3:ListAllMyBuckets"', 1)
_MODEL = botocore.session.get_session().get_service_model("iam")
_READS = ("Get", "List", "Simulate")


@dataclass(frozen=True)
class Credentials:
    """Whose calls they are."""

    access_key: str
    secret: str
    token: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One call of an operation."""

    operation: str
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        shown = {
            key: self.parameters[key]
            for key in ("RoleName", "UserName", "GroupName", "PolicyArn", "OpenIDConnectProviderArn", "Path")
            if key in self.parameters
        }
        return f"{self.operation} {shown}"


class Aws:
    """The sandbox's AWS for one caller."""

    def __init__(self, sandbox: Sandbox, credentials: Credentials) -> None:
        self._session = boto3.Session(
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret,
            aws_session_token=credentials.token,
            region_name="eu-west-1",
        )
        self._url = sandbox.url
        self.iam: IAMClient = self.client("iam")

    def client(self, service: str) -> Any:
        """A service."""
        config = Config(retries={"max_attempts": 0})
        return self._session.client(service, endpoint_url=self._url, config=config)  # type: ignore[call-overload]

    def code(self, attempt: Attempt) -> str:
        """The error's code that a call ends with; empty when it was carried out."""
        try:
            self.iam._make_api_call(attempt.operation, attempt.parameters)  # type: ignore[attr-defined]
        except ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    def assume_by_token(self, role_arn: str, token: str) -> Credentials:
        """The credentials of a role for a ServiceAccount's token."""
        sts = self.client("sts")
        answer = sts.assume_role_with_web_identity(
            RoleArn=role_arn, RoleSessionName="try", WebIdentityToken=token
        )
        found = answer["Credentials"]
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def assume(self, role_arn: str) -> Credentials | None:
        """The credentials of a role; None when STS refuses."""
        try:
            found = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="try")["Credentials"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return None
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def trust(principal: str) -> str:
    """A trust policy that admits this principal."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as IAM takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def prepare(sandbox: Sandbox) -> None:
    """An account as others have it: administrators, other teams, other providers, policies of its own."""
    iam = staging.iam(sandbox)
    staging.associate(sandbox)
    for url in (GITHUB, ELSEWHERE, NEIGHBOUR):
        iam.create_open_id_connect_provider(Url=f"https://{url}", ClientIDList=["sts.amazonaws.com"])
    staging.boundary(sandbox)
    iam.create_policy(PolicyName="stricter", PolicyDocument=STRICT)
    iam.create_policy(PolicyName="company", PolicyDocument=EVERYTHING.replace('"*"', '"s3:*"', 1))
    roles: dict[str, tuple[str, Mapping[str, str]]] = {
        "Admin": ("/", {}),
        "ci-irsa": ("/", {}),
        "shared": ("/", {}),
        "team-b": ("/irsa/other/", {}),
        "other-cluster": ("/irsa/demo/", {**OWN_TAGS, "irsa/cluster": OTHER_CLUSTER_ARN}),
        "untagged": ("/irsa/demo/", {}),
    }
    admin_only = trust(f"arn:aws:iam::{ACCOUNT}:user/admin")
    for name, (path, tags) in roles.items():
        iam.create_role(
            RoleName=name,
            Path=path,
            AssumeRolePolicyDocument=admin_only,
            Tags=tag_list(tags),  # type: ignore[arg-type]
        )
        iam.attach_role_policy(RoleName=name, PolicyArn=ADMINISTRATOR)
    iam.create_instance_profile(InstanceProfileName="nodes")
    iam.create_group(GroupName="admins")
    iam.attach_group_policy(GroupName="admins", PolicyArn=ADMINISTRATOR)


def attempts(*roles: str, users: Sequence[str] = ("ci", "admin")) -> Iterator[Attempt]:
    """Every write of IAM against these roles and users, other providers, the account's policies, and so on.

    Roles are also tried to be made: outside of irsa's path, or in it without its tag.
    """
    values = _values(roles, users)
    for name in writes():
        shape = _MODEL.operation_model(name).input_shape
        for parameters in _parameters(shape, _own_values(name, values)):
            yield Attempt(name, parameters)


def writes() -> list[str]:
    """The operations of IAM that are no reads."""
    return [name for name in _MODEL.operation_names if not name.startswith(_READS)]


def _values(roles: Sequence[str], users: Sequence[str]) -> dict[str, Sequence[Any]]:
    return {
        "RoleName": roles,
        "UserName": users,
        "GroupName": ("admins",),
        "InstanceProfileName": ("nodes",),
        "PolicyArn": (ADMINISTRATOR, READ_ONLY, COMPANY_POLICY, BOUNDARY),
        "PolicyName": ("evil",),
        "PolicyDocument": (EVERYTHING,),
        "AssumeRolePolicyDocument": (trust(f"arn:aws:iam::{ACCOUNT}:root"),),
        "PermissionsBoundary": (BOUNDARY, ADMINISTRATOR),
        "OpenIDConnectProviderArn": tuple(f"{OIDC}/{url}" for url in (GITHUB, ELSEWHERE, NEIGHBOUR)),
        "Url": tuple(f"https://{url}" for url in (GITHUB, ELSEWHERE, NEIGHBOUR, *LOOK_ALIKES)),
        "ClientID": ("evil",),
        "ClientIDList": (["sts.amazonaws.com"],),
        "ThumbprintList": (["a" * 40],),
        "Tags": (tag_list(OWN_TAGS),),
        "TagKeys": (["irsa/cluster"],),
        "SetAsDefault": (True,),
        "VersionId": ("v1",),
        "AWSServiceName": ("elasticbeanstalk.amazonaws.com",),
        "AuthenticationCode1": ("123456",),
        "AuthenticationCode2": ("654321",),
        "EntityPath": ("o-a1b2c3d4e5/r-a1b2",),
        "Properties": ({"evil": "evil"},),
    }


def _own_values(operation: str, values: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
    """What is different for those that make something: it is new."""
    paths = {"Path": ("/", "/irsa/", "/irsa/other/", "/irsademo/", "/ci/")}
    new: dict[str, dict[str, Sequence[Any]]] = {
        "CreateRole": {"RoleName": ("evil",), **paths},
        "CreateUser": {"UserName": ("evil",), "Path": ("/", "/irsa/demo/")},
        "CreateGroup": {"GroupName": ("evil",), "Path": ("/irsa/demo/",)},
        "CreatePolicy": {"Path": ("/", "/workloads/", "/irsa/demo/")},
        "UpdateAssumeRolePolicy": {"PolicyDocument": values["AssumeRolePolicyDocument"]},
    }
    return {**values, **new.get(operation, {})}


def _parameters(shape: Shape | None, values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    members: Mapping[str, Shape] = shape.members if shape else {}  # type: ignore[attr-defined]
    required = shape.required_members if shape else []
    chosen = {
        name: values[name] if name in values else (_any(member),)
        for name, member in members.items()
        if name in required or name in values
    }
    for combination in itertools.product(*chosen.values()):
        yield dict(zip(chosen, combination, strict=True))


def _any(shape: Shape) -> Any:
    """Some value of a shape."""
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        return {name: _any(shape.members[name]) for name in shape.required_members}  # type: ignore[attr-defined]
    if kind == "list":
        return [_any(shape.member)]  # type: ignore[attr-defined]
    if kind == "map":
        return {}
    if kind == "boolean":
        return True
    if kind in ("integer", "long"):
        return max(int(limits.get("min", 1)), 1)
    if kind == "blob":
        return b"evil"
    if kind == "timestamp":
        return "2026-01-01T00:00:00Z"
    if "enum" in limits:
        return limits["enum"][0]
    return "x" * max(int(limits.get("min", 1)), 4)
