"""One IAM account as the strict layer sees it: moto's backend, look-ups that refuse, and quotas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.aws.answer import no_such_entity

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.cloud import Cloud
    from irsa_cli.sandbox.aws.iam.lag import Lag
    from irsa_cli.sandbox.aws.request import AwsRequest

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

    def role(self, request: AwsRequest) -> Any:
        """The role that a call names; raises NoSuchEntity."""
        name = request.params.get("RoleName", "")
        found = next((r for r in self.iam.roles.values() if r.name == name), None)
        if found is None:
            raise no_such_entity(f"The role with name {name} cannot be found.")
        return found

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
