"""Issuer URLs and what follows from them: the OIDC provider's ARN and the prefix of condition keys.

The two classic IRSA mistakes are to leave `https://` in either; here they have one home.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from irsa_cli.core.arn import iam_arn
from irsa_cli.core.errors import InvalidInput

DEFAULT_AUDIENCE = "sts.amazonaws.com"
"""The audience that the EKS pod identity webhook asks for, in every partition."""


def check_issuer(url: str) -> str:
    """Check an issuer URL by IAM's rules and return it without a trailing slash.

    https only, no query, no port, at most 255 characters:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"issuer '{url}' is not a URL", reason=str(error)) from None
    if parts.scheme != "https" or not parts.hostname:
        raise InvalidInput(f"issuer '{url}' is not an https URL", reason="IAM accepts https issuers only")
    if parts.query or parts.fragment or port or parts.username:
        raise InvalidInput(
            f"issuer '{url}' has more than a host and a path", reason="no port, query, fragment or user"
        )
    if len(url) > 255:
        raise InvalidInput("the issuer URL is too long", reason=f"{len(url)} characters, IAM takes 255")
    return url.rstrip("/")


def host_path(issuer: str) -> str:
    """The issuer without `https://`: what provider ARNs and condition keys are made of."""
    return issuer.removeprefix("https://").rstrip("/")


def provider_arn(partition: str, account: str, issuer: str) -> str:
    """The ARN that IAM gives (or would give) the OIDC provider of this issuer in this account."""
    return iam_arn(partition, account, f"oidc-provider/{host_path(issuer)}")
