"""The AWS configuration by which an SDK goes from a pod's token to the target role: text in, text out.

Two profiles: one exchanges the token for the role, the other assumes the target with that one's credentials.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from irsa_cli.core.trust.chaining.chain import Chain
from irsa_cli.core.values.arn import is_target
from irsa_cli.core.values.errors import InvalidInput

TOKEN_FILE = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"  # noqa: S105 - a path, not a token
"""Where the pod identity webhook puts the token."""
KEY = "config"
"""The key of the ConfigMap, and so the file's name where it is mounted."""
PROFILE, SOURCE = "target", "source"
_WORD = re.compile(r"[\x21-\x7e]*")


def aws_config(chain: Chain, region: str) -> str:
    """The configuration file. SDKs take the profile that AWS_PROFILE names: `target`.

    Raises `InvalidInput` for a value that is more than one word: a second line could name a program to run.
    """
    for value in (chain.target_arn, chain.role_arn, chain.external_id, region):
        if not _WORD.fullmatch(value):
            raise InvalidInput(f"'{value}' can't stand in an AWS configuration", reason="it is not one word")
    lines = [
        f"[profile {PROFILE}]",
        f"role_arn = {chain.target_arn}",
        f"source_profile = {SOURCE}",
        *([f"external_id = {chain.external_id}"] if chain.external_id else []),
        f"region = {region}",
        "",
        f"[profile {SOURCE}]",
        f"role_arn = {chain.role_arn}",
        f"web_identity_token_file = {TOKEN_FILE}",
        f"region = {region}",
    ]
    return "\n".join(lines) + "\n"


def role_of(data: Mapping[str, str]) -> str:
    """The name of the role that the data of a ConfigMap begin with, '' where they are none of these."""
    return _role_of_profile(data, SOURCE).rpartition("/")[2]


def chain_of_config(role_arn: str, data: Mapping[str, str]) -> Chain | None:
    """The chain of a role by the data of its ConfigMap, None where they name no target."""
    target = _role_of_profile(data, PROFILE)
    return Chain(role_arn, target) if is_target(target) else None


def _role_of_profile(data: Mapping[str, str], name: str) -> str:
    _, _, rest = data.get(KEY, "").partition(f"[profile {name}]")
    found = next((line for line in rest.splitlines() if line.startswith("role_arn = ")), "")
    return found.removeprefix("role_arn = ").strip()


def usage(name: str) -> str:
    """How pods are told of the ConfigMap.

    Some SDKs take the token that AWS_WEB_IDENTITY_TOKEN_FILE names before any profile. The webhook sets none
    where the container has one, also an empty one; the token is mounted all the same.
    """
    return (
        f"mount the ConfigMap {name}, set AWS_CONFIG_FILE to its file '{KEY}', AWS_PROFILE to {PROFILE}, and"
        " AWS_WEB_IDENTITY_TOKEN_FILE to '', as some SDKs take the token before the profile"
    )
