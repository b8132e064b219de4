"""From an entry of a configuration file to the request that `create-sa` would make of the same wishes."""

from __future__ import annotations

from collections.abc import Mapping

from irsa_cli.core.config import Binding, OtherCluster
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.command.connect import Target
from irsa_cli.usecases.write.create_sa import Request


def request_of(
    binding: Binding, target: Target, issuers: Mapping[OtherCluster, str] | None = None
) -> Request:
    """The request of one entry. `issuers` are those of the further clusters that it names.

    Raises `InvalidInput` with the entry's place for a cluster whose issuer is not among them.
    """
    return Request(
        target=target,
        namespace=binding.namespace,
        name=binding.name,
        policies=binding.policies,
        inline=binding.inline,
        well_known=binding.well_known,
        attach_role_arn=binding.attach_role_arn,
        role_name=binding.role_name,
        role_path=binding.role_path,
        description=binding.description,
        max_session_duration=binding.max_session_duration,
        permissions_boundary=binding.permissions_boundary,
        tags=binding.tags,
        labels=binding.labels,
        annotations=binding.annotations,
        audience=binding.audience,
        sts_regional_endpoints=binding.sts_regional_endpoints,
        token_expiration=binding.token_expiration,
        subject_pattern=binding.subject_pattern,
        subjects=tuple(map(str, binding.subjects)),
        issuers=tuple(_issuer(binding, cluster, issuers or {}) for cluster in binding.clusters),
        conditions=binding.conditions,
        role_only=binding.role_only,
    )


def _issuer(binding: Binding, cluster: OtherCluster, issuers: Mapping[OtherCluster, str]) -> str:
    """The issuer of a further cluster: written out, or looked up by who calls."""
    issuer = cluster.issuer or issuers.get(cluster, "")
    if not issuer:
        raise InvalidInput(f"{binding.where}: the issuer of cluster {cluster.name} is not known")
    return issuer
