"""What STS knows when a token is exchanged (AssumeRoleWithWebIdentity): the condition keys and their values.

Three things can be said of a key: its values, that it is absent, or that it can't be known from outside
(where the request comes from, say). How policies test the keys is in `irsa_cli.core.conditions`.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from irsa_cli.core.issuer import host_path

ACTION = "sts:AssumeRoleWithWebIdentity"


class Unknown(Enum):
    """The value of a condition key that can't be known from outside."""

    UNKNOWN = "unknown"


UNKNOWN: Literal[Unknown.UNKNOWN] = Unknown.UNKNOWN
Values = tuple[str, ...] | None | Literal[Unknown.UNKNOWN]
"""The values of a key; None when the request has no such key."""

Context = Mapping[str, tuple[str, ...]]
"""The keys with known values; names in lower case, as condition keys ignore case."""

# STS answers over TLS only, and is called directly.
_ALWAYS = {"aws:securetransport": ("true",), "aws:viaawsservice": ("false",)}
# Keys that the documentation gives to other kinds of requests only: signed ones, those that a service makes
# or a browser, those with session tags or a source identity (which a ServiceAccount's token doesn't carry).
_ABSENT = {
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:referer",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:username",
    "sts:awsservicename",
    "sts:externalid",
    "sts:sourceidentity",
    "sts:transitivetagkeys",
}


@dataclass(frozen=True)
class WebIdentity:
    """A token as a trust policy sees it.

    `claims` are further claims that are condition keys of the issuer (`amr`), `request` further condition
    keys whose values are known (`sts:RoleSessionName`, `aws:RequestedRegion`). `more_audiences` are those of
    a token that has several.
    """

    provider_arn: str
    issuer: str
    subject: str
    audience: str
    more_audiences: tuple[str, ...] = ()
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    request: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def context(self) -> Context:
        """The condition keys that are known to have values."""
        prefix = host_path(self.issuer).lower()
        return {
            **_ALWAYS,
            **{f"{prefix}:{name.lower()}": values for name, values in self.claims.items()},
            **{name.lower(): values for name, values in self.request.items()},
            f"{prefix}:sub": (self.subject,),
            f"{prefix}:aud": (self.audience, *self.more_audiences),
        }


def values_of(context: Context, key: str) -> Values:
    """What is known of a condition key."""
    name = key.lower()
    found = context.get(name)
    if found is not None:
        return found
    if not name.startswith(("aws:", "sts:")):
        # A claim that the token lacks, the key of another issuer or service, or a misspelt one.
        return None
    absent = name in _ABSENT or name.startswith("aws:requesttag/")
    return None if absent else UNKNOWN
