"""AWS and EKS in one process on loopback: for trials, demos, tests. Imported late, since moto is heavy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irsa_cli.sandbox.exchange import Faults
    from irsa_cli.sandbox.model import Call, ClusterSpec, ExternalCluster, Fault, Identity, RoleSpec, Rule
    from irsa_cli.sandbox.stage import Sandbox

__all__ = [
    "Call",
    "ClusterSpec",
    "ExternalCluster",
    "Fault",
    "Faults",
    "Identity",
    "RoleSpec",
    "Rule",
    "Sandbox",
]

_HOMES = {"Sandbox": "stage", "Faults": "exchange"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'model')}"), name)
