"""A role's temporary credentials for a ServiceAccount's token (AssumeRoleWithWebIdentity), to be handed out.

Proving that a token is accepted, and throwing the credentials away, is in `irsa_cli.aws.sts`.
"""

from __future__ import annotations

from typing import Any

from irsa_cli.aws.errors import call
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.pod.role_credentials import RoleCredentials
from irsa_cli.core.values.errors import ServiceError


def assume(
    aws: AwsSession, role_arn: str, token: str, *, session_name: str, seconds: int | None = None
) -> RoleCredentials:
    """Exchange a token at the STS of the session's region.

    `seconds` of life are 900 up to the role's maximum; without it STS gives an hour. Raises `ServiceError`.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """
    duration: dict[str, Any] = {} if seconds is None else {"DurationSeconds": seconds}
    try:
        answer = call(
            aws.unsigned_sts().assume_role_with_web_identity,
            RoleArn=role_arn,
            RoleSessionName=session_name,
            WebIdentityToken=token,
            **duration,
        )
    except ServiceError as error:
        # STS repeats a value that it can't read ("Value '...' at 'webIdentityToken' failed to ...").
        raise error.but(reason=error.reason.replace(token, "…")) from None
    found = answer["Credentials"]
    return RoleCredentials(
        found["AccessKeyId"],
        found["SecretAccessKey"],
        found["SessionToken"],
        found["Expiration"],
        answer["AssumedRoleUser"]["Arn"],
    )
