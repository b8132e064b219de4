"""STS: exchanging a ServiceAccount's token, and the bearer token for EKS. No token is kept or printed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.signers import RequestSigner

from irsa_cli.aws.errors import call, translate
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.objects.aws import VERIFY_SESSION, RoleCredentials
from irsa_cli.core.values.errors import FailedCall, ServiceError

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

# Answers for a new role, trust policy or provider until IAM has spread it.
_SPREADING = {"AccessDenied", "InvalidIdentityToken", "IDPCommunicationError"}
SESSION_NAME = VERIFY_SESSION
SECONDS = 900
"""How long the credentials live, the shortest that STS gives."""
TOKEN_SECONDS = 60
"""X-Amz-Expires of the presigned URL; EKS accepts the token for 15 minutes whatever it says."""


@dataclass(frozen=True)
class Exchange:
    """The token as STS accepted it, and the credentials."""

    subject: str
    audience: str
    provider: str
    role_session: str
    endpoint: str
    credentials: RoleCredentials = field(repr=False)
    role_id: str = ""
    """The unique id of the role: that of another role of the same name is another one."""


def exchange(
    aws: AwsSession,
    role_arn: str,
    token: Callable[[], str],
    wait: Callable[[ServiceError], bool],
    *,
    role_id: str = "",
) -> Exchange:
    """Exchange a token for credentials of the role.

    While IAM may still be spreading what is new, `wait` is asked after each refusal whether to try
    again. Raises `ServiceError` when STS refuses for good, or gives credentials of a role of that name that
    has another id than `role_id`: of one that was deleted.
    """
    while True:
        try:
            found = exchange_once(aws, role_arn, token())
            if role_id in ("", found.role_id):
                return found
            raise ServiceError(
                f"sts AssumeRoleWithWebIdentity {role_arn}",
                FailedCall("sts", "AssumeRoleWithWebIdentity", "AccessDenied"),
                reason=f"STS issues credentials of the deleted role {found.role_id}, not of {role_id}",
            )
        except ServiceError as error:
            if (error.code in _SPREADING or error.transient) and wait(error):
                continue
            raise


def exchange_once(aws: AwsSession, role_arn: str, token: str) -> Exchange:
    """Exchange a token for credentials of the role, for the shortest time that STS gives.

    Raises `ServiceError`; the token is not in it.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """
    answer = _assume_by_token(aws, role_arn, token, SESSION_NAME, SECONDS)
    return Exchange(
        subject=answer["SubjectFromWebIdentityToken"],
        audience=answer["Audience"],
        provider=answer["Provider"],
        role_session=answer["AssumedRoleUser"]["Arn"],
        endpoint=aws.unsigned_sts().meta.endpoint_url,
        credentials=_credentials(answer),
        role_id=answer["AssumedRoleUser"].get("AssumedRoleId", "").partition(":")[0],
    )


def assume(
    sts: STSClient, role_arn: str, *, external_id: str = "", tags: Mapping[str, str] | None = None
) -> RoleCredentials:
    """Become another role (role chaining, or reading another account); raises `ServiceError`."""
    more: dict[str, Any] = {"ExternalId": external_id} if external_id else {}
    if tags:
        more["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    return _credentials(call(sts.assume_role, RoleArn=role_arn, RoleSessionName=SESSION_NAME, **more))


def _credentials(answer: Any) -> RoleCredentials:
    found = answer["Credentials"]
    keys = (found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    return RoleCredentials(*keys, found["Expiration"], answer["AssumedRoleUser"]["Arn"])


def identity(sts: STSClient) -> str:
    """The ARN that AWS knows a client's credentials by (GetCallerIdentity); raises `ServiceError`."""
    return str(call(sts.get_caller_identity)["Arn"])


def eks_token(aws: AwsSession, cluster: str) -> str:
    """The caller's bearer token for a cluster: a presigned GetCallerIdentity, as `aws eks get-token` has it.

    https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
    """
    client = aws.client("sts")
    signer: RequestSigner = client._request_signer  # type: ignore[attr-defined]
    request = {
        "method": "GET",
        "url": f"{client.meta.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    try:
        url = signer.generate_presigned_url(
            request, region_name=aws.region, expires_in=TOKEN_SECONDS, operation_name="GetCallerIdentity"
        )
    except (BotoCoreError, ClientError) as error:
        raise translate(error, "sts", "GetCallerIdentity", "") from error
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def assume_by_token(
    aws: AwsSession, role_arn: str, token: str, *, session_name: str, seconds: int | None = None
) -> RoleCredentials:
    """Exchange a token at the STS of the session's region.

    `seconds` of life are 900 up to the role's maximum; without it STS gives an hour. Raises `ServiceError`.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """
    return _credentials(_assume_by_token(aws, role_arn, token, session_name, seconds))


def _assume_by_token(aws: AwsSession, role_arn: str, token: str, session: str, seconds: int | None) -> Any:
    duration: dict[str, Any] = {} if seconds is None else {"DurationSeconds": seconds}
    try:
        return call(
            aws.unsigned_sts().assume_role_with_web_identity,
            RoleArn=role_arn,
            RoleSessionName=session,
            WebIdentityToken=token,
            **duration,
        )
    except ServiceError as error:
        # STS repeats a value that it can't read ("Value '...' at 'webIdentityToken' failed to ...").
        raise error.but(reason=error.reason.replace(token, "…")) from None
