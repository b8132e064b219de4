"""What was asked for of each command that writes, as plain data, and read back from it.

Who asks (profile, role, kubeconfig) is no part of it: a plan is carried out with the credentials of whoever
does that.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.usecases.command.connect import Target

Request = Any
"""The request of one of the commands in `irsa_cli.usecases.plans.commands`; each has its own class."""

_OF_WHO_ASKS = (
    "profile",
    "assume_role",
    "kubeconfig",
    "context",
    "role_assume_role",
    "role_profile",
    "target_assume_role",
    "target_profile",
    "tell_region",
    "yields",
    "meant",
    "expect_account",
    "expect_clusters",
)


def written(request: Request) -> dict[str, Any]:
    """The request as plain data."""
    found: dict[str, Any] = converter().unstructure(request)
    return found


def allows_wide_trust(request: Request) -> bool:
    """Whether it was said that a trust policy may be too wide."""
    return any(
        getattr(said, "allow_wide_trust", False) for said in (request, getattr(request, "options", None))
    )


def asked_by(request: Request, who: Target) -> Request:
    """The same request, asked by somebody else: with their profile, role and kubeconfig."""
    given = {name: getattr(who, name) for name in _OF_WHO_ASKS}
    given["yields"] = ("cluster", "region")  # What files name was compared when the plan was made.
    return replace(request, target=replace(request.target, **given))


@lru_cache
def converter() -> Converter:
    """What turns requests into plain data and back; of who asks nothing is kept."""
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for plain in (str, int, float, bool):
        converter.register_structure_hook(plain, _exactly)
    hidden: Any = dict.fromkeys(_OF_WHO_ASKS, override(omit=True))
    converter.register_unstructure_hook(Target, make_dict_unstructure_fn(Target, converter, **hidden))
    converter.register_structure_hook(Target, make_dict_structure_fn(Target, converter, **hidden))
    # Whether a boundary is demanded is up to where a plan is carried out; planned, it is in the plan.
    demanded: Any = {"required_by": override(omit=True)}
    rules = make_dict_unstructure_fn(BoundaryRules, converter, **demanded)
    converter.register_unstructure_hook(BoundaryRules, rules)
    converter.register_structure_hook(
        BoundaryRules, make_dict_structure_fn(BoundaryRules, converter, **demanded)
    )
    return converter


def _exactly(value: Any, wanted: Any) -> Any:
    """A plain value as it is: what has another type is no value of that field."""
    if type(value) is not wanted and not (wanted is float and type(value) is int):
        raise TypeError(f"{value!r} is not of type {wanted.__name__}")
    return value
