"""What a configuration file says, as values: one `Config` for each of its documents.

Every value has been checked by its own rule. What only a cluster can tell (partition, account) is still open:
well-known policies are named here, and become documents when the cluster is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values import names
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE
from irsa_cli.core.wellknown import WellKnown


@dataclass(frozen=True)
class TrustSubject:
    """ServiceAccounts that a role admits; both parts may have the wildcards `*` and `?`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return names.subject(self.namespace, self.name)

    @property
    def is_pattern(self) -> bool:
        """Whether it means more than one ServiceAccount."""
        return bool({"*", "?"} & set(str(self)))


@dataclass(frozen=True)
class OtherCluster:
    """A further cluster whose ServiceAccounts the role admits, by its name in EKS or by its issuer.

    `region` is empty for the region of the configuration.
    """

    name: str = ""
    region: str = ""
    issuer: str = ""


@dataclass(frozen=True)
class Binding:
    """One entry of `serviceAccounts`. Durations in seconds; `where` is its file and line, for messages.

    `policies` are ARNs as they were given. `subjects` are those besides the ServiceAccount itself.
    """

    namespace: str
    name: str
    where: str = ""
    cluster: str = ""
    region: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    well_known: tuple[WellKnown, ...] = ()
    inline: Mapping[str, Document] = field(default_factory=dict)
    attach_role_arn: str = ""
    role_name: str = ""
    role_path: str = ""
    role_only: bool = False
    subject_pattern: str = ""
    subjects: tuple[TrustSubject, ...] = ()
    clusters: tuple[OtherCluster, ...] = ()
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    permissions_boundary: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    max_session_duration: int = 3600
    audience: str = DEFAULT_AUDIENCE
    sts_regional_endpoints: bool | None = None
    token_expiration: int | None = None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Config:
    """One document. `cluster` and `region` are empty where it doesn't name them.

    `notices` say what was there and means nothing to irsa.
    """

    where: str
    cluster: str = ""
    region: str = ""
    with_oidc: bool = False
    bindings: tuple[Binding, ...] = ()
    notices: tuple[str, ...] = ()
