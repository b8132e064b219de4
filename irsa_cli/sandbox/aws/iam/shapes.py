"""The rules for single parameters of IAM calls: lengths, patterns, ranges, tags.

Source: the botocore service model of IAM, and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from irsa_cli.sandbox.aws.answer import AwsError, validation_error


@dataclass(frozen=True)
class _Shape:
    longest: int
    pattern: str = r"[\s\S]*"
    shortest: int = 1


_NAME = r"[\w+=,.@-]+"
_SHAPES = {
    "RoleName": _Shape(64, _NAME),
    "UserName": _Shape(64, _NAME),
    "PolicyName": _Shape(128, _NAME),
    "Path": _Shape(512, r"/|/[\x21-\x7e]+/"),
    "PathPrefix": _Shape(512, r"/[\x21-\x7f]*"),
    "Description": _Shape(1000, r"[\t\n\r\x20-\x7e\xa1-\xff]*", shortest=0),
    "PolicyArn": _Shape(2048, shortest=20),
    "PermissionsBoundary": _Shape(2048, shortest=20),
    "OpenIDConnectProviderArn": _Shape(2048, shortest=20),
    "Url": _Shape(255),
    "ClientID": _Shape(255),
    "PolicyDocument": _Shape(131072, r"[\t\n\r\x20-\xff]+"),
    "AssumeRolePolicyDocument": _Shape(131072, r"[\t\n\r\x20-\xff]+"),
}
_RANGES = {"MaxSessionDuration": (3600, 43200), "MaxItems": (1, 1000)}
_TAG_CHARACTERS = re.compile(r"[\w\s.:/=+@-]*")
_LONGEST_KEY, _LONGEST_VALUE, _MOST_TAGS = 128, 256, 50


def check_parameters(params: Mapping[str, str]) -> None:
    """Raises AwsError, ValidationError, for the first parameter that is outside of its rules."""
    for name, value in params.items():
        if name in _SHAPES:
            _check_shape(name, value, _SHAPES[name])
        if name in _RANGES:
            lowest, highest = _RANGES[name]
            if not value.isdigit() or not lowest <= int(value) <= highest:
                raise _unfit(name, value, f"Member must have value between {lowest} and {highest}")


def check_tags(tags: Sequence[tuple[str, str]]) -> None:
    """Raises AwsError for tags that IAM refuses, seen for themselves: ValidationError or InvalidInput."""
    if len(tags) > _MOST_TAGS:
        raise _unfit("tags", "...", f"Member must have length less than or equal to {_MOST_TAGS}")
    for key, value in tags:
        if not 1 <= len(key) <= _LONGEST_KEY:
            raise _unfit("tags.member.key", key, f"Member must have length between 1 and {_LONGEST_KEY}")
        if len(value) > _LONGEST_VALUE:
            raise _unfit(
                "tags.member.value", value, f"Member must have length less than or equal to {_LONGEST_VALUE}"
            )
        for text in (key, value):
            if not _TAG_CHARACTERS.fullmatch(text):
                pattern = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"
                raise _unfit(
                    "tags.member", text, f"Member must satisfy regular expression pattern: {pattern}"
                )
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidInput", "Tag keys that begin with aws: are reserved for AWS.")
    if len({key.lower() for key, _ in tags}) < len(tags):
        message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        raise AwsError("InvalidInput", message)


def check_client_ids(client_ids: Sequence[str]) -> None:
    """Raises AwsError, ValidationError, for an audience that is empty or too long."""
    for client_id in client_ids:
        _check_shape("ClientID", client_id, _SHAPES["ClientID"])


def _check_shape(name: str, value: str, shape: _Shape) -> None:
    if len(value) < shape.shortest:
        raise _unfit(name, value, f"Member must have length greater than or equal to {shape.shortest}")
    if len(value) > shape.longest:
        raise _unfit(name, value, f"Member must have length less than or equal to {shape.longest}")
    if not re.fullmatch(shape.pattern, value, re.ASCII):
        raise _unfit(name, value, f"Member must satisfy regular expression pattern: {shape.pattern}")


def _unfit(name: str, value: str, constraint: str) -> AwsError:
    field = name[0].lower() + name[1:]
    message = f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: "
    return validation_error(message + constraint)
