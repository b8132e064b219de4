"""Issuer URLs, the OIDC provider's ARN and the prefix of condition keys (both without `https://`)."""

from __future__ import annotations

import re

from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.errors import InvalidInput

DEFAULT_AUDIENCE = "sts.amazonaws.com"
"""The audience that the EKS pod identity webhook asks for, in every partition."""

# The path: visible ASCII but `?` and `#`.
_ISSUER = re.compile(r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(/[\x21\x22\x24-\x3e\x40-\x7e]*)?", re.ASCII)


def check_issuer(url: str) -> str:
    """Check an issuer URL by IAM's rules and return it as it is: a slash at its end belongs to it.

    https only, no query, no port, at most 255 characters:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
    """
    if not url.startswith("https://"):
        raise InvalidInput(f"issuer '{url}' is not an https URL", reason="IAM accepts https issuers only")
    if not _ISSUER.fullmatch(url):
        raise InvalidInput(
            f"issuer '{url}' is not https:// with a host and a path",
            reason="a port, query, fragment, user or space is not allowed",
        )
    if len(url) > 255:
        raise InvalidInput("the issuer URL is too long", reason=f"{len(url)} characters, IAM allows 255")
    return url


def host_path(issuer: str) -> str:
    """The issuer without `https://`, as in provider ARNs and condition keys."""
    return issuer.removeprefix("https://")


def issuer_of(provider: str) -> str:
    """The issuer of an OIDC provider, by its ARN, without `https://`."""
    return provider.partition("oidc-provider/")[2]


def provider_arn(partition: str, account: str, issuer: str) -> str:
    """The ARN that IAM gives (or would give) the OIDC provider of this issuer in this account."""
    return iam_arn(partition, account, f"oidc-provider/{host_path(issuer)}")
