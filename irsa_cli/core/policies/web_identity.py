"""The condition keys of AssumeRoleWithWebIdentity and what is known of their values.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Literal

from irsa_cli.core.values.arn import host_path

ACTION = "sts:AssumeRoleWithWebIdentity"


class UnknownKey(Enum):
    """A condition key that may or may not be in the request."""

    UNKNOWN = "unknown"


UNKNOWN: Literal[UnknownKey.UNKNOWN] = UnknownKey.UNKNOWN


@dataclass(frozen=True)
class PresentKey:
    """A condition key that is in the request, with an unknown value; one of `one_of`, if given."""

    one_of: tuple[str, ...] = ()


Values = tuple[str, ...] | PresentKey | None | Literal[UnknownKey.UNKNOWN]
"""The known values of a key; None if the request does not have it."""

Context = Mapping[str, tuple[str, ...] | PresentKey | Literal[UnknownKey.UNKNOWN]]
"""The known keys, in lower case; one that ends with `/` stands for all with that prefix."""

SESSION_NAME = "sts:RoleSessionName"
REQUESTED_REGION = "aws:RequestedRegion"
TIMES = frozenset({"aws:currenttime", "aws:epochtime"})
"""The keys that tell the time of the request, in lower case."""

# STS answers over TLS only, and is called directly. The call is unsigned: an anonymous request, of which
# the documentation says that its account is "anonymous". What type and id of principal it has, it says for
# other services only.
_SURE: dict[str, tuple[str, ...] | PresentKey] = {
    "aws:securetransport": ("true",),
    "aws:viaawsservice": ("false",),
    "aws:principalaccount": ("anonymous",),
    "aws:principaltype": PresentKey(),
    "aws:userid": PresentKey(),
    "aws:requestedregion": PresentKey(),
    "aws:currenttime": PresentKey(),
    "aws:epochtime": PresentKey(),
    "sts:rolesessionname": PresentKey(),
}
# Keys that the documentation gives to other kinds of requests only: signed ones, those that a service makes
# or a browser, those with session tags or a source identity (which a ServiceAccount's token doesn't carry),
# and those for a bearer token (sts:DurationSeconds).
_ABSENT_NAMES = """
    aws:calledvia aws:calledviafirst aws:calledvialast aws:ec2instancesourceprivateipv4
    aws:ec2instancesourcevpc aws:multifactorauthage aws:multifactorauthpresent aws:principalarn
    aws:principalisawsservice aws:principalorgid aws:principalorgpaths aws:principalservicename
    aws:principalservicenameslist aws:referer aws:sourceaccount aws:sourcearn aws:sourceidentity
    aws:sourceorgid aws:sourceorgpaths aws:tagkeys aws:tokenissuetime aws:username
"""
_ABSENT_STS_NAMES = """
    sts:awsservicename sts:durationseconds sts:externalid sts:sourceidentity sts:transitivetagkeys
"""
_ABSENT = frozenset((_ABSENT_NAMES + _ABSENT_STS_NAMES).split())
_ABSENT_BEGIN = ("aws:principaltag/", "aws:requesttag/")
# In these regions an SDK that is not told otherwise may call the global endpoint of STS:
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html
_GLOBAL_STS = frozenset(
    (
        *("ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1"),
        *("eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2"),
        *("us-west-1", "us-west-2"),
    )
)
# What a request to it has for the region, whichever region answers it:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html
_GLOBAL_REGION = "us-east-1"


def region_called(region: str, *, regional: bool) -> tuple[str, ...] | PresentKey:
    """The value of `aws:RequestedRegion` for pods of a cluster; `regional`: they call their region's STS."""
    if regional or region == _GLOBAL_REGION or region not in _GLOBAL_STS:
        return (region,)
    return PresentKey((region, _GLOBAL_REGION))


@dataclass(frozen=True)
class WebIdentity:
    """A token in the view of a trust policy; `claims` and `request` are further condition keys.

    `more_audiences` are those of a token with several.
    """

    provider_arn: str
    issuer: str
    subject: str
    audience: str
    more_audiences: tuple[str, ...] = ()
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    request: Context = field(default_factory=dict, hash=False)

    def context(self, now: datetime | None = None) -> Context:
        """The condition keys of the request at the time `now`."""
        prefix = host_path(self.issuer).lower()
        times: dict[str, tuple[str, ...]] = {}
        if now is not None:
            moment = now.astimezone(timezone.utc)
            times["aws:currenttime"] = (f"{moment:%Y-%m-%dT%H:%M:%SZ}",)
            times["aws:epochtime"] = (str(int(moment.timestamp())),)
        return {
            **_SURE,
            **times,
            **{f"{prefix}:{name.lower()}": values for name, values in self.claims.items()},
            **{name.lower(): values for name, values in self.request.items()},
            f"{prefix}:sub": (self.subject,),
            f"{prefix}:aud": (self.audience, *self.more_audiences),
        }


def values_of(context: Context, key: str) -> Values:
    """The knowledge about a condition key."""
    name = key.lower()
    values = context.get(name, context.get(f"{name.partition('/')[0]}/"))
    if values is not None:
        return values
    if name.startswith("iam:resourcetag/"):
        return UNKNOWN
    if not name.startswith(("aws:", "sts:")):
        # A claim that the token lacks, the key of another issuer or service, or a misspelt one.
        return None
    if name in _ABSENT or name.startswith(_ABSENT_BEGIN):
        return None
    return UNKNOWN


_NETWORK = "the pod's call comes from a network that can't be seen from here"
_TIME = "it depends on the time"
_NOT_SAID = "AWS does not say what it is when a token is exchanged"
_REASONS = {
    "aws:currenttime": _TIME,
    "aws:epochtime": _TIME,
    "aws:principaltype": _NOT_SAID,
    "aws:requestedregion": (
        "it depends on the STS endpoint that the pod's SDK calls: its region's, or the global one (us-east-1)"
    ),
    "aws:sourceip": _NETWORK,
    "aws:useragent": "it depends on the pod's SDK",
    "aws:userid": _NOT_SAID,
    "sts:rolesessionname": "the pod's SDK chooses the session name",
}


def why_unknown(key: str) -> str:
    """The reason why a condition key's value is unknown; '' if it is known."""
    name = key.lower()
    if name.startswith(("aws:sourcevpc", "aws:vpc")):
        return _NETWORK
    if name.startswith(("aws:resourcetag/", "iam:resourcetag/")):
        return "it depends on the role's tags"
    unknown = "its value can't be seen from here" if values_of(_SURE, name) is UNKNOWN else ""
    return _REASONS.get(name, unknown)


def shown_values(key: str, values: tuple[str, ...] | None) -> str:
    """The value of a condition key in the request and its origin: token, request or time."""
    name = key.lower()
    got = " and ".join(f"'{value}'" for value in values or ())
    if not name.startswith(("aws:", "sts:", "iam:")):
        return "the token has no such key" if values is None else f"the token has {got}"
    if values is None:
        if name.startswith("aws:principal"):
            return "the unsigned request has no such key"
        return "the request has no such key"
    if name in TIMES:
        return f"the time is {got}"
    if name == "sts:rolesessionname":
        return f"the session name is {got}"
    return f"the request has {got}"
