"""ARNs, partitions and issuers: parsing, checking and building the kinds that IRSA needs, existing or not.

The OIDC provider's ARN and the prefix of condition keys have the issuer's URL without `https://`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import cluster as cluster_name

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d{12}|aws|):(?P<resource>.+)",
    re.ASCII,
)
_CLUSTER = re.compile(
    r"arn:aws(-[a-z]+)*:eks:[a-z]+(-[a-z]+)+-[0-9]+:\d{12}:cluster/[0-9A-Za-z][A-Za-z0-9_-]{0,99}", re.ASCII
)
_NAME = r"[\w+=,.@-]"
_POLICY = re.compile(rf"policy/(?:[\x21-\x2e\x30-\x7e]+/)*{_NAME}{{1,128}}", re.ASCII)
_ROLE = re.compile(rf"role/(?:[\x21-\x2e\x30-\x7e]+/)*{_NAME}{{1,64}}", re.ASCII)


@dataclass(frozen=True)
class Arn:
    """An Amazon Resource Name in its five meaningful parts."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Read an ARN; raises `InvalidInput` when `text` is not one."""
        match = _ARN.fullmatch(text)
        if match is None:
            raise InvalidInput(
                f"'{text}' is not an ARN",
                reason="expected arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE with a 12-digit account",
            )
        return cls(**match.groupdict())

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @property
    def name(self) -> str:
        """The last segment of the resource: a role's or policy's name without its path."""
        return self.resource.rsplit("/", 1)[-1]


def policy_arn(text: str) -> Arn:
    """Check the ARN of a managed policy: AWS's own (account `aws`) or a customer's."""
    arn = Arn.parse(text)
    if arn.service != "iam" or arn.region or not arn.account or not _POLICY.fullmatch(arn.resource):
        raise InvalidInput(
            f"'{text}' is not the ARN of a managed policy",
            reason="expected arn:PARTITION:iam::ACCOUNT:policy/NAME (ACCOUNT is 'aws' for AWS's own)",
        )
    return arn


def role_arn(text: str) -> Arn:
    """Check the ARN of a role, path included, by the rule of the EKS pod identity webhook's warning."""
    arn = Arn.parse(text)
    if arn.service != "iam" or arn.region or not arn.account.isdigit() or not _ROLE.fullmatch(arn.resource):
        raise InvalidInput(
            f"'{text}' is not the ARN of a role", reason="expected arn:PARTITION:iam::ACCOUNT:role/NAME"
        )
    return arn


def iam_arn(partition: str, account: str, resource: str) -> str:
    """The ARN of an IAM resource; IAM is global, so there is no region in it."""
    return f"arn:{partition}:iam::{account}:{resource}"


def check_policy(text: str) -> str:
    """`policy_arn` for a flag: the text as it was given."""
    return str(policy_arn(text))


def check_policy_or_name(text: str) -> str:
    """Check the ARN of a managed policy, or its name, with the path if AWS gave it one."""
    if text.startswith("arn:"):
        return check_policy(text)
    if not _POLICY.fullmatch(f"policy/{text}") or text.endswith(".json"):
        raise InvalidInput(
            f"'{text}' is not the ARN or the name of a managed policy",
            reason="examples: AmazonS3ReadOnlyAccess, arn:aws:iam::111122223333:policy/NAME"
            " (for a JSON document: --inline-policy FILE)",
        )
    return text


def check_boundary(text: str) -> str:
    """`policy_arn` for a boundary that may be `none`, which is the empty text."""
    return "" if text == "none" else check_policy(text)


def is_role(text: str) -> bool:
    return _passes(check_role, text)


def is_target(text: Any) -> bool:
    """Whether something is the ARN of one role, and stands for no others where a policy names it."""
    return isinstance(text, str) and _passes(check_target, text)


def _passes(rule: Callable[[str], str], text: str) -> bool:
    try:
        rule(text)
    except InvalidInput:
        return False
    return True


def check_role(text: str) -> str:
    """`role_arn` for a flag: the text as it was given."""
    return str(role_arn(text))


def check_target(text: str) -> str:
    """`check_role` for one role in policies: there, `*`, `?` and `$` would also match others."""
    if set(check_role(text)) & set("*?$"):
        raise InvalidInput(
            f"'{text}' is not the ARN of one role", reason="it contains a wildcard or a variable"
        )
    return text


def _check(text: str, rule: str | re.Pattern[str], what: str, expected: str) -> str:
    if not re.fullmatch(rule, text):
        raise InvalidInput(f"'{text}' is not {what}", reason=f"expected {expected}")
    return text


def check_partition(text: str) -> str:
    return _check(text, "aws(-[a-z]+)*", "a partition", "aws, aws-cn, aws-us-gov, ...")


def check_cluster(text: str) -> str:
    expected = "arn:aws:eks:eu-west-1:111122223333:cluster/NAME"
    return _check(text, _CLUSTER, "the ARN of a cluster", expected)


def check_account(text: str) -> str:
    expected = "12 digits (yours: aws sts get-caller-identity)"
    return _check(text, "[0-9]{12}", "an AWS account", expected)


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


_PROVIDER = re.compile(r"arn:aws(-[a-z]+)*:iam::\d{12}:oidc-provider/", re.ASCII)


def check_cluster_or_issuer(text: str) -> str:
    """Check a cluster by its name or ARN, or by its issuer, the issuer's id or its OIDC provider."""
    if _CLUSTER.fullmatch(text):
        return text
    host, *path = _PROVIDER.sub("", text.removeprefix("https://")).split("/")
    if "." not in host:
        return cluster_name(text)
    if {".", ".."} & {host, *path}:
        raise InvalidInput(f"'{text}' is not an issuer", reason="'.' and '..' are parts of no issuer's path")
    check_issuer("/".join(("https:/", host, *path)))
    return text


def host_path(issuer: str) -> str:
    """The issuer without `https://`, as in provider ARNs and condition keys."""
    return issuer.removeprefix("https://")


def issuer_of(provider: str) -> str:
    """The issuer of an OIDC provider, by its ARN, without `https://`."""
    return provider.partition("oidc-provider/")[2]


def provider_arn(partition: str, account: str, issuer: str) -> str:
    """The ARN that IAM gives (or would give) the OIDC provider of this issuer in this account."""
    return iam_arn(partition, account, f"oidc-provider/{host_path(issuer)}")
