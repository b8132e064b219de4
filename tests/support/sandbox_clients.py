"""boto3 clients of the sandbox for its own tests: no retries, made once, and refusals as values."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from irsa_cli.sandbox import Sandbox

ACCOUNT = "111122223333"
S3_READ = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
AUDIENCE = "sts.amazonaws.com"
Client = Any


@lru_cache(maxsize=256)
def _client(service: str, url: str, region: str, key: str, secret: str, token: str | None) -> Client:
    signature = None if key else UNSIGNED
    config = Config(
        retries={"total_max_attempts": 1},
        signature_version=signature,
        read_timeout=10,
        connect_timeout=10,
        parameter_validation=False,
    )
    make: Any = boto3.client  # its stubs want the service as a literal
    return make(
        service,
        region_name=region,
        endpoint_url=url,
        config=config,
        aws_access_key_id=key or "none",
        aws_secret_access_key=secret or "none",
        aws_session_token=token,
    )


@lru_cache(maxsize=256)
def _administrator(service: str, url: str, region: str, key: str, secret: str) -> Client:
    make: Any = boto3.client  # as above
    return make(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


def administrator(
    sandbox: Sandbox, service: str, account: str = ACCOUNT, region: str = "eu-west-1"
) -> Client:
    """A client of an account's administrator, with botocore's own settings: for what others do."""
    env = sandbox.env(account=account, region=region)
    return _administrator(
        service, sandbox.url, region, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    )


def client(
    sandbox: Sandbox, service: str, *, user: str = "admin", account: str = ACCOUNT, region: str = "eu-west-1"
) -> Client:
    """A client that calls as an IAM user."""
    env = sandbox.env(user=user, account=account, region=region)
    key, secret = env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    return _client(service, sandbox.url, region, key, secret, None)


def client_of(
    sandbox: Sandbox, service: str, credentials: Mapping[str, Any], region: str = "eu-west-1"
) -> Client:
    """A client that calls with credentials from STS."""
    key, secret = credentials["AccessKeyId"], credentials["SecretAccessKey"]
    return _client(service, sandbox.url, region, key, secret, credentials["SessionToken"])


def anonymous(sandbox: Sandbox, service: str) -> Client:
    """A client that signs nothing."""
    return _client(service, sandbox.url, "eu-west-1", "", "", None)


def refusal(call: Callable[[], Any]) -> tuple[str, int]:
    """Code and HTTP status of the error that `call` raises."""
    try:
        answer = call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"not refused: {answer}")


def trust(
    principal: Any,
    condition: Any = None,
    *,
    action: Any = "sts:AssumeRole",
    version: str | None = "2012-10-17",
) -> str:
    """A trust policy of one statement."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition is not None:
        statement["Condition"] = condition
    head = {} if version is None else {"Version": version}
    return json.dumps({**head, "Statement": [statement]})


def policy(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """An identity policy of one statement that allows `actions`."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


EC2_TRUST = trust({"Service": "ec2.amazonaws.com"})
