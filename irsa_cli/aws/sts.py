"""Exchanging a ServiceAccount's token at STS, or as EKS Pod Identity's agent. No token is kept or printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from irsa_cli.aws.errors import call
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.objects.aws import VERIFY_SESSION, RoleCredentials
from irsa_cli.core.values.errors import FailedCall, ServiceError
from irsa_cli.core.values.names import subject

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

# Answers for a new role, trust policy or provider until IAM has spread it.
_SPREADING = {"AccessDenied", "InvalidIdentityToken", "IDPCommunicationError"}
SESSION_NAME = VERIFY_SESSION
SECONDS = 900
"""How long the credentials live, the shortest that STS gives."""


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
            exchanged = exchange_once(aws, role_arn, token())
            if role_id in ("", exchanged.role_id):
                return exchanged
            raise ServiceError(
                f"sts AssumeRoleWithWebIdentity {role_arn}",
                FailedCall("sts", "AssumeRoleWithWebIdentity", "AccessDenied"),
                reason=f"STS issues credentials of the deleted role {exchanged.role_id}, not of {role_id}",
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


def exchange_for_pod(aws: AwsSession, cluster: str, token: str) -> Exchange:
    """Exchange a token as the EKS Pod Identity agent does, for credentials of the last role.

    The caller needs eks-auth:AssumeRoleForPodIdentity. Raises `ServiceError`; the token is not in it.
    https://docs.aws.amazon.com/eks/latest/APIReference/API_auth_AssumeRoleForPodIdentity.html
    """
    client = aws.client("eks-auth")
    try:
        answer = call(client.assume_role_for_pod_identity, clusterName=cluster, token=token)
    except ServiceError as error:
        raise error.but(reason=error.reason.replace(token, "…")) from None
    found = answer["credentials"]
    session = answer["assumedRoleUser"]["arn"]
    keys = (found["accessKeyId"], found["secretAccessKey"], found["sessionToken"])
    whose = answer["subject"]
    return Exchange(
        subject=subject(whose["namespace"], whose["serviceAccount"]),
        audience=answer["audience"],
        provider=f"association {answer['podIdentityAssociation']['associationId']}",
        role_session=session,
        endpoint=client.meta.endpoint_url,
        credentials=RoleCredentials(*keys, found["expiration"], session),
    )
