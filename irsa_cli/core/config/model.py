"""What a configuration file says, as values: one `Config` for each of its documents.

Every value has been checked by its own rule. What only a cluster can tell (partition, account) is still open:
well-known policies are named here, and become documents when the cluster is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.binding.spec import BindingSpec


@dataclass(frozen=True)
class OtherCluster:
    """A further cluster whose ServiceAccounts the role admits, by its name in EKS or by its issuer.

    `region` is empty for the region of the configuration.
    """

    name: str = ""
    region: str = ""
    issuer: str = ""


@dataclass(frozen=True)
class Binding(BindingSpec):
    """One entry of `serviceAccounts`: a spec, where it stands, and for which cluster.

    `where` is its file and line, for messages; `clusters` are those whose `issuers` are still to be found.
    """

    where: str = ""
    cluster: str = ""
    region: str = ""
    clusters: tuple[OtherCluster, ...] = ()
    role_account: str = ""
    """The account of the role, where that is not the cluster's; how it is reached:"""
    role_assume_role: str = ""
    role_profile: str = ""
    target_assume_role: str = ""
    """How the account of the target role is reached, where its trust policy is to be looked at."""
    target_profile: str = ""


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
    accounts: Mapping[str, Any] = field(default_factory=dict)
    """What it says of other accounts for all its entries, by their attributes."""
