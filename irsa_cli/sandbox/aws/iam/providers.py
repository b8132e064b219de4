"""IAM's rules for OIDC providers and their audiences, beyond what moto checks or implements."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import urlsplit

from irsa_cli.sandbox.aws.iam.account import Account, add_tags, tags_of
from irsa_cli.sandbox.aws.iam.grammar import check_tags
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest, no_such_entity, validation_error, xml_result
from irsa_cli.sandbox.model import Answer

_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:oidc-provider/[\x21-\x7e]+")
_MOST_THUMBPRINTS = 5
_CLIENT_IDS = "ClientIdsPerOpenIdConnectProvider"


def create_provider(account: Account, request: AwsRequest) -> Answer:
    """The URL is https, has no query, and is new. Without thumbprints IAM asks the issuer for one."""
    url = request.params.get("Url", "")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise validation_error("Invalid Open ID Connect Provider URL")
    account.check_quota(f"{_CLIENT_IDS}Quota", len(request.members("ClientIDList")), _CLIENT_IDS)
    _check_thumbprints(request)
    check_tags(request.tags(), any_case=False)
    arn = f"arn:{account.partition}:iam::{account.number}:oidc-provider/{parts.netloc}{parts.path}"
    if arn in account.iam.open_id_providers:
        raise AwsError("EntityAlreadyExists", f"Provider with url {url} already exists.", 409)
    count = len(account.iam.open_id_providers) + 1
    account.check_quota("OpenIdConnectProvidersQuota", count, "OpenIdConnectProvidersPerAccount")
    thumbprints = request.members("ThumbprintList") or [hashlib.sha1(parts.netloc.encode()).hexdigest()]  # noqa: S324
    provider = account.iam.create_open_id_connect_provider(
        url, thumbprints, request.members("ClientIDList"), []
    )
    add_tags(account, provider, request)
    return xml_result("iam", request.operation, {"OpenIDConnectProviderArn": provider.arn})


def get_provider(account: Account, request: AwsRequest) -> Answer:
    """A provider; its URL is without https://."""
    provider = existing_provider(account, request)
    shown = {
        "Url": provider.url,
        "ClientIDList": provider.client_id_list,
        "ThumbprintList": provider.thumbprint_list,
        "CreateDate": provider.create_date,
        "Tags": tags_of(provider),
    }
    return xml_result("iam", request.operation, shown)


def delete_provider(account: Account, request: AwsRequest) -> None:
    """The provider has to be there."""
    _check_arn(request)
    arn = request.params.get("OpenIDConnectProviderArn", "")
    if arn not in account.iam.open_id_providers:
        raise no_such_entity(f"OpenId connect Provider {arn} cannot be found.")


def add_client_id(account: Account, request: AwsRequest) -> Answer:
    """Registers an audience; adding it again changes nothing."""
    provider = existing_provider(account, request)
    wanted = request.params.get("ClientID", "")
    if wanted not in provider.client_id_list:
        account.check_quota(f"{_CLIENT_IDS}Quota", len(provider.client_id_list) + 1, _CLIENT_IDS)
        provider.client_id_list = [*provider.client_id_list, wanted]
    return xml_result("iam", "AddClientIDToOpenIDConnectProvider")


def remove_client_id(account: Account, request: AwsRequest) -> Answer:
    """Removes an audience; removing one that isn't there changes nothing."""
    provider = existing_provider(account, request)
    unwanted = request.params.get("ClientID", "")
    provider.client_id_list = [c for c in provider.client_id_list if c != unwanted]
    return xml_result("iam", "RemoveClientIDFromOpenIDConnectProvider")


def update_thumbprint(account: Account, request: AwsRequest) -> None:
    """The provider has to be there, and thumbprints are SHA-1 in hexadecimal."""
    existing_provider(account, request)
    _check_thumbprints(request)


def existing_provider(account: Account, request: AwsRequest) -> Any:
    """The provider, which has to be there."""
    _check_arn(request)
    return account.provider(request)


def _check_arn(request: AwsRequest) -> None:
    arn = request.params.get("OpenIDConnectProviderArn", "")
    if not _ARN.fullmatch(arn):
        raise AwsError("InvalidInput", f"Invalid ARN: {arn}")


def _check_thumbprints(request: AwsRequest) -> None:
    thumbprints = request.members("ThumbprintList")
    if len(thumbprints) > _MOST_THUMBPRINTS:
        raise AwsError("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    for thumbprint in thumbprints:
        if not _THUMBPRINT.fullmatch(thumbprint):
            raise validation_error(f"Value '{thumbprint}' at 'thumbprintList' must be 40 hexadecimal digits")
