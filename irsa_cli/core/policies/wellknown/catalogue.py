"""The catalogue: reading the data files, finding a policy, checking its parameters.

What a policy is for one partition and cluster is `irsa_cli.core.policies.wellknown.resolving`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.slips import did_you_mean

EKSCTL = (
    "imageBuilder",
    "autoScaler",
    "awsLoadBalancerController",
    "externalDNS",
    "certManager",
    "ebsCSIController",
    "efsCSIController",
)
"""Those that eksctl has, too, by the same names."""


FILLED = ("region", "account", "clusterName")
"""The parameters that a cluster fills."""

Values = Mapping[str, tuple[str, ...]]
"""The values of parameters by their names."""


@dataclass(frozen=True)
class WellKnown:
    """A policy of the catalogue and the parameters that somebody wants it with."""

    name: str
    parameters: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """What narrows a policy down."""

    name: str
    description: str
    pattern: str
    default: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True)
class WellKnownPolicy:
    """One entry. `managed` are names (with their path) of AWS's own policies.

    `source` is the page the actions were taken from, in the state of `version` and `date`.
    In `statements`, `${name}` stands for a parameter and `${partition}` for the partition.
    """

    name: str
    title: str
    service_account: str
    source: str
    version: str
    date: str
    notes: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    managed: tuple[str, ...]
    statements: tuple[Mapping[str, Any], ...]

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters without which the policy means nothing."""
        optional = {statement.get("when") for statement in self.statements}
        return tuple(
            name for name, item in self.parameters.items() if not item.default and name not in optional
        )


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The names of all policies: eksctl's first, then the others by the alphabet."""
    found = {item.name.removesuffix(".json") for item in files(__package__).joinpath("data").iterdir()}
    return (*EKSCTL, *sorted(found.difference(EKSCTL), key=str.lower))


@lru_cache(maxsize=64)
def get(name: str) -> WellKnownPolicy:
    """The policy of that name; raises `InvalidInput` when there is none."""
    if name not in names():
        hint = did_you_mean(name, names()) or f"there are {', '.join(names())}"
        raise InvalidInput(f"there is no well-known policy '{name}'", reason=hint)
    text = (files(__package__) / "data" / f"{name}.json").read_text(encoding="utf-8")
    data = json.loads(text)
    parameters = {
        key: Parameter(
            key,
            item["description"],
            item["pattern"],
            tuple(item.get("default", ())),
            item.get("many", False),
        )
        for key, item in data.get("parameters", {}).items()
    }
    return WellKnownPolicy(
        name=name,
        title=data["title"],
        service_account=data["serviceAccount"],
        source=data["source"],
        version=data["version"],
        date=data["date"],
        notes=tuple(data.get("notes", ())),
        parameters=parameters,
        managed=tuple(data.get("managed", ())),
        statements=tuple(data.get("statements", ())),
    )


def check(use: WellKnown) -> WellKnown:
    """Check the policy's name and its parameters; the cluster's own may be missing."""
    policy = get(use.name)
    missing = [key for key in policy.required if key not in use.parameters and key not in FILLED]
    if missing:
        reason = policy.parameters[missing[0]].description
        raise InvalidInput(f"{use.name} needs the parameter {missing[0]}", reason=reason)
    return check_given(use)


def check_given(use: WellKnown) -> WellKnown:
    """Check the policy's name and the parameters that are given, whatever is missing."""
    policy, name = get(use.name), use.name
    for key, values in use.parameters.items():
        known = policy.parameters.get(key)
        if known is None:
            there = ", ".join(policy.parameters) or "none"
            raise InvalidInput(f"{name} has no parameter '{key}'", reason=f"its parameters: {there}")
        if not values or (len(values) > 1 and not known.many):
            raise InvalidInput(f"{key} of {name} has {len(values)} values", reason=known.description)
        for value in values:
            if not re.fullmatch(known.pattern, value, re.ASCII):
                raise InvalidInput(
                    f"'{value}' is not valid for {key} of {name}",
                    reason=f"{known.description}, of the form {known.pattern}",
                )
    return use
