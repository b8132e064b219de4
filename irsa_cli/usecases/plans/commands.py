"""The commands whose plans can be saved: how the request of each is read back, and what carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cattrs import ClassValidationError
from cattrs.errors import ForbiddenExtraKeysError

from irsa_cli.core.plan.rules import check
from irsa_cli.core.results.applied import AppliedList
from irsa_cli.core.results.result import Result
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.command.connect import WireLog
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.files import apply, delete_files
from irsa_cli.usecases.files.targets import Request as ApplyRequest
from irsa_cli.usecases.files.targets import Tell
from irsa_cli.usecases.plans.requests import Request, converter
from irsa_cli.usecases.write import adopt, associate_oidc, create_sa, delete_sa, disassociate_oidc, update_sa

Run = Callable[[Request, Settings, WireLog, Tell], "Result | AppliedList"]


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


def read(command: str, data: Any) -> Request:
    """The request of a command from plain data; raises `UnreadableRequest`."""
    if command not in COMMANDS:
        raise UnreadableRequest(f"the command {command!r}")
    try:
        found = converter().structure(data, COMMANDS[command].request)
        check(found)
        return found
    except InvalidInput as error:
        raise UnreadableRequest(f"the request of {command}: {error}") from error
    except (ClassValidationError, ForbiddenExtraKeysError, TypeError, ValueError, KeyError, AttributeError):
        raise UnreadableRequest(f"the request of {command}") from None
