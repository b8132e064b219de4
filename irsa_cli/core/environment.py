"""The environment of a command that runs as a pod would: the pod's identity, and no trace of the caller's.

Which variables a pod has is in `irsa_cli.core.injection`. Nothing here reads the process's environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from irsa_cli.core.injection import Injection

MARK = "IRSA_EXEC"
"""Variable that names the ServiceAccount, as `namespace/name@cluster`; for prompts and scripts."""
SESSION_PREFIX = "irsa"

# What tells an SDK who it is, in every SDK and in the tools that set it.
# https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html#EVarSettings
_IDENTITY = {
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_ACCOUNT_ID",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_EXPIRATION",
    "AWS_SESSION_TOKEN",
    "AWS_SESSION_TOKEN_EXPIRATION",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "BOTO_CONFIG",
}
_IDENTITY_PREFIXES = (
    "AWS_BEARER_TOKEN_",
    "AWS_CONTAINER_",
    "AWS_CREDENTIAL",
    "AWS_EC2_METADATA_SERVICE_",
    "AWS_LOGIN_",
    "AWS_SSO_",
    "AWS_VAULT",
    "AWSUME_",
)
# A pod has these from the webhook or not at all.
_PLACE = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS"}


def is_callers(name: str) -> bool:
    """Whether a variable says who the caller is, or where, and so must not reach the command."""
    return name in _IDENTITY or name in _PLACE or name.startswith(_IDENTITY_PREFIXES)


def environment(
    caller: Mapping[str, str],
    injection: Injection,
    *,
    region: str,
    token_file: str,
    empty_files: tuple[str, str],
    session_name: str,
    label: str,
) -> dict[str, str]:
    """The caller's environment with the pod's identity in place of the caller's.

    Endpoints, proxies, CAs and preferences stay. `empty_files` stand for the AWS configuration and the
    shared credentials: an SDK would take a default profile in them before, or instead of, the pod's role.
    """
    kept = {name: value for name, value in caller.items() if not is_callers(name)}
    config, credentials = empty_files
    return {
        **kept,
        **injection.environment(region, token_file),
        "AWS_ROLE_SESSION_NAME": session_name,
        "AWS_CONFIG_FILE": config,
        "AWS_SHARED_CREDENTIALS_FILE": credentials,
        # The role of the machine that the command runs on must not stand in for the pod's.
        "AWS_EC2_METADATA_DISABLED": "true",
        MARK: label,
    }


def session_name(user: str, moment: int) -> str:
    r"""The name of a role session in CloudTrail: who made it, and when (Unix seconds).

    The time makes it another one for each run: the AWS CLI keeps credentials in ~/.aws/cli/cache by role
    and session name, and a run must not get those of an earlier one. 2 to 64 characters of `\w+=,.@-`:
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """
    plain = re.sub(r"[^\w+=,.@-]+", "-", user, flags=re.ASCII).strip("-")
    tail = f"-{moment}"
    return f"{SESSION_PREFIX}-{plain}"[: 64 - len(tail)].rstrip("-") + tail
