"""The environment of a command that runs as a pod would: the pod's identity, and no trace of the caller's.

Which variables a pod has is in `irsa_cli.core.pod.injection`. Nothing here reads the process's environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from irsa_cli.core.pod.injection import Injection

MARK = "IRSA_EXEC"
"""Variable that names the ServiceAccount, as `namespace/name@cluster`; for prompts and scripts."""
SESSION_PREFIX = "irsa"

# Settings among AWS_* that say neither who nor where somebody is. Others are many, and tools make up new ones
# (AWS_S3_SECRET_ACCESS_KEY): what is not known here may be a key.
# https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html#EVarSettings
# https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
_SETTINGS = {
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_AUTH_SCHEME_PREFERENCE",
    "AWS_CA_BUNDLE",
    "AWS_CLI_AUTO_PROMPT",
    "AWS_CLI_FILE_ENCODING",
    "AWS_CLI_HISTORY_FILE",
    "AWS_CLI_OUTPUT_ENCODING",
    "AWS_CLI_S3_MV_VALIDATE_SAME_S3_PATHS",
    "AWS_CSM_CLIENT_ID",
    "AWS_CSM_ENABLED",
    "AWS_CSM_HOST",
    "AWS_CSM_PORT",
    "AWS_DATA_PATH",
    "AWS_DEFAULTS_MODE",
    "AWS_DEFAULT_OUTPUT",
    "AWS_DISABLE_HOST_PREFIX_INJECTION",
    "AWS_DISABLE_REQUEST_COMPRESSION",
    "AWS_ENABLE_ENDPOINT_DISCOVERY",
    "AWS_ENDPOINT_DISCOVERY_ENABLED",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_MAX_ATTEMPTS",
    "AWS_PAGER",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "AWS_RETRY_MODE",
    "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
    "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS",
    "AWS_S3_USE_ARN_REGION",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
    "AWS_SDK_LOAD_CONFIG",
    "AWS_SDK_UA_APP_ID",
    "AWS_SIGV4A_SIGNING_REGION_SET",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
}
_ENDPOINT = "AWS_ENDPOINT_URL_"
"""With a service's name behind it."""
# Identities that don't begin with AWS_: of boto, of EC2's old tools (Ansible still reads them), of CI jobs.
_OTHERS = {
    "BOTO_CONFIG",
    "EC2_ACCESS_KEY",
    "EC2_CERT",
    "EC2_PRIVATE_KEY",
    "EC2_SECRET_KEY",
    "EC2_SECURITY_TOKEN",
    # The identity of a CI job: with it, the command could become what the job can.
    # https://docs.github.com/en/actions/reference/security/oidc, https://docs.gitlab.com/ci/secrets/id_token_authentication/
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_RUNTIME_TOKEN",
    "BITBUCKET_STEP_OIDC_TOKEN",
    "BUILDKITE_AGENT_ACCESS_TOKEN",
    "CIRCLE_OIDC_TOKEN",
    "CIRCLE_OIDC_TOKEN_V2",
    "CI_JOB_JWT",
    "CI_JOB_JWT_V1",
    "CI_JOB_JWT_V2",
    "CI_JOB_TOKEN",
    "GITHUB_TOKEN",
    "GITLAB_OIDC_TOKEN",
    "SYSTEM_ACCESSTOKEN",
    "IRSA_SANDBOX_CONTROL",
}


def is_callers(name: str) -> bool:
    """Whether a variable says, or may say, who or where the caller is, and so must not reach the command."""
    if name.startswith("AWS_"):
        return name not in _SETTINGS and not name.startswith(_ENDPOINT)
    return name in _OTHERS or name.startswith("AWSUME_")


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
