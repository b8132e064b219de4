"""AWS and EKS in one process on 127.0.0.1: for trials, demos and tests without an account.

A test with mocked calls proves only that irsa calls what its author expected. The sandbox is asked over real
sockets and refuses what AWS documents to refuse, answers late as IAM does, and can break any call. It shares
no code with the rest of irsa: the evaluation of policies is written twice on purpose.

It is imported late, because moto is heavy. Rules of one service are in `aws` and `kube`; the table of facts
that it is compared with is in `tests/aws_facts`. A convenience for one test belongs to that test.
"""

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
