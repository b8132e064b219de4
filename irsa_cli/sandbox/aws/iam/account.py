"""What the rules of IAM share: the account that a call is about, with its quotas; pages of lists; tags.

Look-ups refuse what is not there. A page's marker names its last item, so that pages survive deletions. Tags
are those of OIDC providers and managed policies, whose keys differ by case, other than those of roles:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
What is tagged keeps them as moto does, `tags`, but by the keys as they are.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from irsa_cli.sandbox.aws.answer import limit_exceeded, no_such_entity, validation_error, xml_result
from irsa_cli.sandbox.aws.cloud import Cloud
from irsa_cli.sandbox.aws.iam.grammar import check_tags
from irsa_cli.sandbox.aws.iam.lag import Lag
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer

T = TypeVar("T")
QUOTAS = {
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerRoleQuota": 10,
    "ClientIdsPerOpenIdConnectProviderQuota": 100,
    "OpenIdConnectProvidersQuota": 100,
    "PoliciesQuota": 1500,
    "PolicySizeQuota": 6144,
    "RolePolicySizeQuota": 10240,
    "RolesQuota": 1000,
    "TagsQuota": 50,
    "VersionsPerPolicyQuota": 5,
}
"""IAM's defaults, by their names in GetAccountSummary; it doesn't report those for providers and tags."""


@dataclass(frozen=True)
class Account:
    """An account that a call is about. Used with `Cloud.lock` held."""

    cloud: Cloud
    number: str
    partition: str
    quotas: dict[str, int]
    lag: Lag

    @property
    def iam(self) -> Any:
        """Moto's backend."""
        return self.cloud.iam(self.number, self.partition)

    def forward(self, request: AwsRequest) -> Answer:
        """Moto's answer to a call."""
        return self.cloud.forward(request, self.number, self.partition)

    def check_quota(self, quota: str, used: int, name: str) -> None:
        """Raises LimitExceeded, in which the quota has `name`, when more is to be `used`."""
        if used > self.quotas[quota]:
            raise limit_exceeded(f"Cannot exceed quota for {name}: {self.quotas[quota]}")

    def role(self, request: AwsRequest) -> Any:
        """The role that a call names; raises NoSuchEntity."""
        found = self.role_or_none(request)
        if found is None:
            name = request.params.get("RoleName", "")
            raise no_such_entity(f"The role with name {name} cannot be found.")
        return found

    def role_or_none(self, request: AwsRequest) -> Any:
        """The role that a call names; None where there is none."""
        name = request.params.get("RoleName", "")
        return next((role for role in self.iam.roles.values() if role.name == name), None)

    def provider(self, request: AwsRequest) -> Any:
        """The OIDC provider that a call names; raises NoSuchEntity."""
        arn = request.params.get("OpenIDConnectProviderArn", "")
        if arn not in self.iam.open_id_providers:
            raise no_such_entity(f"OpenIDConnect Provider not found for arn {arn}")
        return self.iam.open_id_providers[arn]

    def policy(self, arn: str) -> Any:
        """A managed policy by its ARN; raises NoSuchEntity."""
        if arn not in self.iam.managed_policies:
            raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")
        return self.iam.managed_policies[arn]


def page(request: AwsRequest, keys: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The page of sorted `keys` that a call asks for, and the members that tell whether there is more."""
    size = int(request.params.get("MaxItems", "100"))
    last = _read_marker(request.params["Marker"]) if "Marker" in request.params else ""
    rest = [key for key in keys if key > last]
    if len(rest) <= size:
        return rest, {"IsTruncated": False}
    marker = urlsafe_b64encode(rest[size - 1].encode()).decode()
    return rest[:size], {"IsTruncated": True, "Marker": marker}


def page_of(
    request: AwsRequest, member: str, found: Mapping[str, T], show: Callable[[T], Any] = lambda item: item
) -> Answer:
    """The page of items that a call asks for, in the order of their keys, as the answer's `member`."""
    keys, more = page(request, sorted(found))
    return xml_result("iam", request.operation, {member: [show(found[key]) for key in keys], **more})


def _read_marker(marker: str) -> str:
    try:
        return urlsafe_b64decode(marker).decode()
    except ValueError:
        raise validation_error("Invalid Marker.") from None


def serve_tags(account: Account, holder: Any, request: AwsRequest) -> Answer:
    """A call that tags, untags (keys that are not there are ignored) or lists tags, in pages."""
    if request.operation.startswith("Tag"):
        return add_tags(account, holder, request)
    if request.operation.startswith("Untag"):
        unwanted = request.members("TagKeys")
        holder.tags = {key: tag for key, tag in holder.tags.items() if key not in unwanted}
        return xml_result("iam", request.operation)
    return page_of(request, "Tags", holder.tags)


def add_tags(account: Account, holder: Any, request: AwsRequest) -> Answer:
    """Adds or replaces tags, together with those that are there."""
    check_tags(request.tags(), any_case=False)
    new = {key: {"Key": key, "Value": value} for key, value in request.tags()}
    if len({**holder.tags, **new}) > account.quotas["TagsQuota"]:
        raise limit_exceeded("The number of tags has reached the maximum limit.")
    holder.tags = {**holder.tags, **new}
    return xml_result("iam", request.operation)


def tags_of(holder: Any) -> list[dict[str, str]]:
    """All tags by their keys."""
    return [holder.tags[key] for key in sorted(holder.tags)]
