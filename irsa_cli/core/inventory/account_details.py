"""What GetAccountAuthorizationDetails says of a role and of a managed policy: as AWS answers, or from a file.

A file has times and documents as text; botocore has read those of an answer already (`as_answered`). What is
not of the form that AWS gives raises LookupError, TypeError, ValueError or AttributeError.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from irsa_cli.core.inventory.bindings import BoundRole
from irsa_cli.core.objects.parsing import moment
from irsa_cli.core.policies.policy import Document

Read = Callable[[Any], Document]
_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def document_of(value: Any) -> Document:
    """A policy: an object, or the text of one as the API gives it, percent-encoded."""
    if isinstance(value, str):
        try:
            value = json.loads(unquote(value))
        except RecursionError:
            raise ValueError from None
    if not isinstance(value, dict):
        raise TypeError
    return value


def as_answered(value: Any) -> Document:
    """A policy that botocore has read."""
    found: Document = value
    return found


def role_details(item: Mapping[str, Any], read: Read = document_of) -> BoundRole:
    """A role of `RoleDetailList`, with its inline policies."""
    boundary = item.get("PermissionsBoundary") or {}
    inline = {str(one["PolicyName"]): read(one["PolicyDocument"]) for one in item.get("RolePolicyList") or ()}
    return BoundRole(
        arn=text_of(item["Arn"]),
        role_id=str(item.get("RoleId", "")),
        trust=read(item["AssumeRolePolicyDocument"]),
        created=moment(item.get("CreateDate")) or _NEVER,
        tags={str(tag["Key"]): str(tag["Value"]) for tag in item.get("Tags") or ()},
        boundary=str(boundary.get("PermissionsBoundaryArn", "")),
        attached=tuple(
            sorted(text_of(one["PolicyArn"]) for one in item.get("AttachedManagedPolicies") or ())
        ),
        inline=tuple(sorted(inline)),
        last_used=moment((item.get("RoleLastUsed") or {}).get("LastUsedDate")),
        documents=inline,
    )


def policy_details(item: Mapping[str, Any], read: Read = document_of) -> tuple[str, Document] | None:
    """The ARN of a policy of `Policies`, and the document that is in force; None where none is given."""
    for version in item.get("PolicyVersionList") or ():
        if version.get("IsDefaultVersion"):
            return text_of(item["Arn"]), read(version["Document"])
    return None


def text_of(value: Any) -> str:
    """The value, which has to be a text."""
    if not isinstance(value, str):
        raise TypeError
    return value
