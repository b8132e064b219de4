"""IAM's rules for OIDC providers and their audiences, beyond what moto checks or implements.

A function here either refuses (AwsError), answers by itself, or returns None: moto executes the call then.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from irsa_cli.sandbox.aws.answer import AwsError, limit_exceeded, validation_error, xml_result
from irsa_cli.sandbox.aws.iam.account import Account
from irsa_cli.sandbox.aws.iam.roles import check_tag_quota
from irsa_cli.sandbox.aws.iam.shapes import check_client_ids, check_tags
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer

_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:oidc-provider/[\x21-\x7e]+")
_MOST_THUMBPRINTS = 5


def create_provider(account: Account, request: AwsRequest) -> None:
    """The URL is https, has no query, and is new."""
    url = request.params.get("Url", "")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise validation_error("Invalid Open ID Connect Provider URL")
    check_client_ids(request.members("ClientIDList"))
    _check_client_id_quota(account, len(request.members("ClientIDList")))
    _check_thumbprints(request)
    check_tags(request.tags())
    arn = f"arn:{account.partition}:iam::{account.number}:oidc-provider/{parts.netloc}{parts.path}"
    if arn in account.iam.open_id_providers:
        raise AwsError("EntityAlreadyExists", f"Provider with url {url} already exists.", 409)
    quota = account.quotas["OpenIdConnectProvidersQuota"]
    if len(account.iam.open_id_providers) >= quota:
        raise limit_exceeded(f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {quota}")


def existing_provider(account: Account, request: AwsRequest) -> None:
    """The provider has to be there, also for deletion."""
    _check_arn(request)
    account.provider(request)


def add_client_id(account: Account, request: AwsRequest) -> Answer:
    """Registers an audience; adding it again changes nothing."""
    existing_provider(account, request)
    provider = account.provider(request)
    wanted = request.params.get("ClientID", "")
    check_client_ids([wanted])
    if wanted not in provider.client_id_list:
        _check_client_id_quota(account, len(provider.client_id_list) + 1)
        provider.client_id_list = [*provider.client_id_list, wanted]
    return xml_result("iam", "AddClientIDToOpenIDConnectProvider")


def remove_client_id(account: Account, request: AwsRequest) -> Answer:
    """Removes an audience; removing one that isn't there changes nothing."""
    existing_provider(account, request)
    provider = account.provider(request)
    unwanted = request.params.get("ClientID", "")
    provider.client_id_list = [c for c in provider.client_id_list if c != unwanted]
    return xml_result("iam", "RemoveClientIDFromOpenIDConnectProvider")


def update_thumbprint(account: Account, request: AwsRequest) -> None:
    """The provider has to be there, and thumbprints are SHA-1 in hexadecimal."""
    existing_provider(account, request)
    _check_thumbprints(request)


def tag_provider(account: Account, request: AwsRequest) -> None:
    """Tags are checked together with those that are there."""
    existing_provider(account, request)
    check_tags(request.tags())
    there = set(account.provider(request).tags)
    check_tag_quota(account, len(there | {key.lower() for key, _ in request.tags()}))


def _check_arn(request: AwsRequest) -> None:
    arn = request.params.get("OpenIDConnectProviderArn", "")
    if not _ARN.fullmatch(arn):
        raise AwsError("InvalidInput", f"Invalid ARN: {arn}")


def _check_client_id_quota(account: Account, count: int) -> None:
    quota = account.quotas["ClientIdsPerOpenIdConnectProviderQuota"]
    if count > quota:
        raise limit_exceeded(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {quota}")


def _check_thumbprints(request: AwsRequest) -> None:
    thumbprints = request.members("ThumbprintList")
    if len(thumbprints) > _MOST_THUMBPRINTS:
        raise AwsError("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    for thumbprint in thumbprints:
        if not _THUMBPRINT.fullmatch(thumbprint):
            raise validation_error(f"Value '{thumbprint}' at 'thumbprintList' must be 40 hexadecimal digits")
