"""Policies of controllers that many clusters have, as their makers document them.

Each is a file in `data/`: an IAM action list is a fact, and its source, version and date stand beside it.
Which of them a ServiceAccount gets is said in configuration files and by flags.
"""

from irsa_cli.core.policies.wellknown.catalogue import (
    EKSCTL,
    FILLED,
    Parameter,
    Values,
    WellKnown,
    WellKnownPolicy,
    check,
    get,
    names,
)
from irsa_cli.core.policies.wellknown.resolving import (
    Resolved,
    Scope,
    joined,
    read_parameters,
    read_uses,
    resolve,
    sketch,
)

__all__ = [
    "EKSCTL",
    "FILLED",
    "Parameter",
    "Resolved",
    "Scope",
    "Values",
    "WellKnown",
    "WellKnownPolicy",
    "check",
    "get",
    "joined",
    "names",
    "read_parameters",
    "read_uses",
    "resolve",
    "sketch",
]
