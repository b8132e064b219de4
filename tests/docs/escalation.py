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
from tests.support.documents import policy
from tests.support.sandbox_clients import trust as trust_in

if TYPE_CHECKING:
    from botocore.model import Shape
    from mypy_boto3_iam import IAMClient

ACCOUNT = "111122223333"
ME = f"arn:aws:iam::{ACCOUNT}:user/ci"
CLUSTER_ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{staging.CLUSTER}"
OTHER_CLUSTER_ARN = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/{staging.CLUSTER}"
OWN_TAGS = {"irsa/cluster": CLUSTER_ARN, "irsa/service-account": "backend/app"}
NAMES = {
    "ADMIN": "arn:aws:iam::aws:policy/AdministratorAccess",
    "S3": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "BOUNDARY": f"arn:aws:iam::{ACCOUNT}:policy/workload-boundary",
    "COMPANY": f"arn:aws:iam::{ACCOUNT}:policy/company",
}
"""Policies by a short name."""
STRICTER = f"arn:aws:iam::{ACCOUNT}:policy/stricter"
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
EVERYTHING = json.dumps(policy("Allow * on *"))
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

    def ends(self, line: str) -> str:
        """The code of `OPERATION ROLE`, or of one with the name of a policy or the key of a tag besides."""
        operation, role, *more = line.split()
        word = more[0] if more else ""
        if operation == "CreateRole":
            return self.make(**({"PermissionsBoundary": NAMES[word]} if word else {}))
        own: Mapping[str, Mapping[str, Any]] = {
            "TagRole": {"Tags": tag_list({word: "x"} if word else OWN_TAGS)},
            "UntagRole": {"TagKeys": ["team", word]},
            "PutRolePolicy": {"PolicyName": "all", "PolicyDocument": EVERYTHING},
            "UpdateAssumeRolePolicy": {"PolicyDocument": trust(ME)},
            "PutRolePermissionsBoundary": {"PermissionsBoundary": NAMES.get(word)},
        }
        given: Mapping[str, Any] = own.get(operation, {"PolicyArn": NAMES.get(word)} if word else {})
        return self.code(Attempt(operation, {"RoleName": role, **given}))

    def make(self, **parameters: Any) -> str:
        """The code of making the role `evil`, which admits the caller."""
        tags = {"Path": "/irsa/demo/", "Tags": tag_list(OWN_TAGS)}
        admits = {"RoleName": "evil", "AssumeRolePolicyDocument": trust(ME)}
        return self.code(Attempt("CreateRole", {**tags, **admits, **parameters}))

    def allowed(self, *lines: str) -> None:
        """Do what has to be allowed."""
        assert {line: self.ends(line) for line in lines} == dict.fromkeys(lines, "")

    def denied(self, *lines: str) -> None:
        """Try what has to be refused."""
        assert {line: self.ends(line) for line in lines} == dict.fromkeys(lines, "AccessDenied")

    def assume_by_token(self, role: str, token: str) -> Credentials:
        """The credentials of a role for a ServiceAccount's token."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        return _credentials(
            self.client("sts").assume_role_with_web_identity(
                RoleArn=arn, RoleSessionName="try", WebIdentityToken=token
            )
        )

    def assume(self, role: str) -> Credentials | None:
        """The credentials of a role; None when STS refuses."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        try:
            return _credentials(self.client("sts").assume_role(RoleArn=arn, RoleSessionName="try"))
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return None


def _credentials(answer: Mapping[str, Any]) -> Credentials:
    found = answer["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def trust(principal: str) -> str:
    """A trust policy that admits this principal."""
    return trust_in({"AWS": principal})


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as IAM takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def role(
    sandbox: Sandbox, name: str, path: str, tags: Mapping[str, str], *policies: str, **more: str
) -> None:
    """A role that admits the administrator only."""
    iam: Any = staging.iam(sandbox)
    admits = trust(f"arn:aws:iam::{ACCOUNT}:user/admin")
    iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=admits, Tags=tag_list(tags), **more)
    for arn in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def prepare(sandbox: Sandbox) -> None:
    """An account as others have it: administrators, other teams, other providers, policies of its own."""
    iam = staging.iam(sandbox)
    staging.associate(sandbox)
    for url in (GITHUB, ELSEWHERE, NEIGHBOUR):
        iam.create_open_id_connect_provider(Url=f"https://{url}", ClientIDList=["sts.amazonaws.com"])
    staging.boundary(sandbox)
    iam.create_policy(PolicyName="stricter", PolicyDocument=STRICT)
    iam.create_policy(PolicyName="company", PolicyDocument=EVERYTHING.replace('"*"', '"s3:*"', 1))
    other = {**OWN_TAGS, "irsa/cluster": OTHER_CLUSTER_ARN}
    for name in ("Admin", "ci-irsa", "shared"):
        role(sandbox, name, "/", {}, NAMES["ADMIN"])
    role(sandbox, "team-b", "/irsa/other/", {}, NAMES["ADMIN"])
    role(sandbox, "other-cluster", "/irsa/demo/", other, NAMES["ADMIN"])
    role(sandbox, "untagged", "/irsa/demo/", {}, NAMES["ADMIN"])
    iam.create_instance_profile(InstanceProfileName="nodes")
    iam.create_group(GroupName="admins")
    iam.attach_group_policy(GroupName="admins", PolicyArn=NAMES["ADMIN"])


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
        "PolicyArn": tuple(NAMES.values()),
        "PolicyName": ("evil",),
        "PolicyDocument": (EVERYTHING,),
        "AssumeRolePolicyDocument": (trust(f"arn:aws:iam::{ACCOUNT}:root"),),
        "PermissionsBoundary": (NAMES["BOUNDARY"], NAMES["ADMIN"]),
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
    least = max(int(limits.get("min", 1)), 1)
    if kind == "structure":
        # One without a member is not sent at all.
        names = shape.required_members or [*shape.members][:1]  # type: ignore[attr-defined]
        return {name: _any(shape.members[name]) for name in names}  # type: ignore[attr-defined]
    if kind == "list":
        return [_any(shape.member)]  # type: ignore[attr-defined]
    text = limits["enum"][0] if "enum" in limits else "x" * max(least, 4)
    own = {"map": {}, "boolean": True, "integer": least, "long": least, "blob": b"evil"}
    return {**own, "timestamp": "2026-01-01T00:00:00Z"}.get(kind, text)
