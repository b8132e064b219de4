"""Tags of OIDC providers and managed policies: their keys differ by case, other than those of roles.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
What is tagged keeps them as moto does, `tags`, but by the keys as they are.
"""

from __future__ import annotations

from typing import Any

from irsa_cli.sandbox.aws.answer import limit_exceeded, xml_result
from irsa_cli.sandbox.aws.iam.account import Account
from irsa_cli.sandbox.aws.iam.paging import page
from irsa_cli.sandbox.aws.iam.shapes import check_tags
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer


def serve(account: Account, holder: Any, request: AwsRequest) -> Answer:
    """A call that tags, untags (keys that are not there are ignored) or lists tags, in pages."""
    if request.operation.startswith("Tag"):
        return add(account, holder, request)
    if request.operation.startswith("Untag"):
        unwanted = request.members("TagKeys")
        holder.tags = {key: tag for key, tag in holder.tags.items() if key not in unwanted}
        return xml_result("iam", request.operation)
    keys, more = page(request, sorted(holder.tags))
    return xml_result("iam", request.operation, {"Tags": [holder.tags[key] for key in keys], **more})


def add(account: Account, holder: Any, request: AwsRequest) -> Answer:
    """Adds or replaces tags, together with those that are there."""
    check_tags(request.tags(), any_case=False)
    new = {key: {"Key": key, "Value": value} for key, value in request.tags()}
    if len({**holder.tags, **new}) > account.quotas["TagsQuota"]:
        raise limit_exceeded("The number of tags has reached the maximum limit.")
    holder.tags = {**holder.tags, **new}
    return xml_result("iam", request.operation)


def all_of(holder: Any) -> list[dict[str, str]]:
    """All tags by their keys."""
    return [holder.tags[key] for key in sorted(holder.tags)]
