"""Credentials in the forms in which shells and SDKs read them."""

from __future__ import annotations

from irsa_cli.core.objects.aws import RoleCredentials


def shell_variables(credentials: RoleCredentials, region: str) -> dict[str, str]:
    """Variables of the environment, for SDKs that a shell starts."""
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_CREDENTIAL_EXPIRATION": credentials.expiration,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def process_output(credentials: RoleCredentials) -> dict[str, str | int]:
    """The output of a credential_process.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
    """
    return {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expiration,
    }


def agent_answer(credentials: RoleCredentials) -> dict[str, str]:
    """The answer of the agent on a node.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": credentials.expiration,
    }
