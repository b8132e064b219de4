"""What was asked for of each command that writes, as plain data, and read back from it.

Who asks (profile, role, kubeconfig) is no part of it: a plan is carried out with the credentials of whoever
does that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from cattrs import ClassValidationError, Converter
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.plan.rules import check
from irsa_cli.core.results.applied import AppliedList
from irsa_cli.core.results.result import Result
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.command.connect import Target, WireLog
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.files import apply, delete_files
from irsa_cli.usecases.files.request import Request as ApplyRequest
from irsa_cli.usecases.files.site import Tell
from irsa_cli.usecases.write import adopt, associate_oidc, create_sa, delete_sa, disassociate_oidc, update_sa

Request = Any
"""The request of one of the commands in `COMMANDS`; each has its own class."""

Run = Callable[[Request, Settings, WireLog, Tell], "Result | AppliedList"]

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


class UnreadableRequest(ValueError):
    """What is in a file is no request of this version's commands."""


@dataclass(frozen=True)
class PlannedCommand:
    """One command whose plans can be saved: the class of its requests, and what carries one out."""

    request: type[Any]
    run: Run
    of_many: bool = False
    """Whether it is about many transactions."""


def _one(work: Callable[[Any, Settings, WireLog], Result]) -> Run:
    return lambda request, settings, log, _tell: work(request, settings, log)


COMMANDS: dict[str, PlannedCommand] = {
    "create-sa": PlannedCommand(create_sa.Request, _one(create_sa.create_sa)),
    "update-sa": PlannedCommand(update_sa.Request, _one(update_sa.update_sa)),
    "delete-sa": PlannedCommand(delete_sa.Request, _one(delete_sa.delete_sa)),
    "adopt": PlannedCommand(adopt.Request, _one(adopt.adopt)),
    "adopt --all": PlannedCommand(adopt.Several, adopt.adopt_several, of_many=True),
    "associate-oidc": PlannedCommand(associate_oidc.Request, _one(associate_oidc.associate_oidc)),
    "disassociate-oidc": PlannedCommand(disassociate_oidc.Request, _one(disassociate_oidc.disassociate_oidc)),
    "apply": PlannedCommand(ApplyRequest, apply.apply, of_many=True),
    "delete": PlannedCommand(delete_files.Request, delete_files.delete_files, of_many=True),
}
"""By what the user calls them. A name is in saved plans: it stays what it is."""


def written(request: Request) -> dict[str, Any]:
    """The request as plain data."""
    found: dict[str, Any] = _converter().unstructure(request)
    return found


def read(command: str, data: Any) -> Request:
    """The request of a command from plain data; raises `UnreadableRequest`."""
    if command not in COMMANDS:
        raise UnreadableRequest(f"the command {command!r}")
    try:
        found = _converter().structure(data, COMMANDS[command].request)
        check(found)
        return found
    except InvalidInput as error:
        raise UnreadableRequest(f"the request of {command}: {error}") from error
    except (ClassValidationError, ForbiddenExtraKeysError, TypeError, ValueError, KeyError, AttributeError):
        raise UnreadableRequest(f"the request of {command}") from None


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
def _converter() -> Converter:
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
