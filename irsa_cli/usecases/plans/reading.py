"""Read saved plans: refuse what this version can't read, and what was altered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cattrs import ClassValidationError
from cattrs.errors import ForbiddenExtraKeysError

from irsa_cli import __version__
from irsa_cli.core.plan import written
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.plan.expected import PlannedWork
from irsa_cli.core.plan.rules import check
from irsa_cli.core.results.applied import AppliedList
from irsa_cli.core.results.envelope import API_VERSION
from irsa_cli.core.results.result import Result
from irsa_cli.core.values.arn import check_cluster
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.command.connect import WireLog
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.files import apply, delete_files
from irsa_cli.usecases.files.targets import Request as ApplyRequest
from irsa_cli.usecases.files.targets import Tell
from irsa_cli.usecases.plans.saved_plan import (
    FORMAT,
    KIND,
    PlannedItem,
    Request,
    SavedPlan,
    converter,
    digest_of,
)
from irsa_cli.usecases.texts import read_text
from irsa_cli.usecases.write import adopt, associate_oidc, create_sa, delete_sa, disassociate_oidc, update_sa

LARGEST = 64 * 2**20
"""Bytes of a file that is read at most: a plan of ten thousand ServiceAccounts has fewer."""

Run = Callable[[Request, Settings, WireLog, Tell], "Result | AppliedList"]


class UnreadableRequest(ValueError):
    """The file has no request of this version's commands."""


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


def read_request(command: str, data: Any) -> Request:
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


def load(path: Path) -> SavedPlan:
    """Read a file; raises `InvalidInput` for what is no plan of this version, or was altered."""
    return parse(read_text(path, LARGEST), str(path))


def parse(text: str, source: str) -> SavedPlan:
    """A plan from its file's text; raises `InvalidInput`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{source} is not a saved plan", reason="it is not JSON") from None
    is_plan = isinstance(document, dict) and document.get("kind") == KIND
    if not is_plan or document.get("apiVersion") != API_VERSION:
        raise InvalidInput(f"{source} is not a saved plan", reason=f"expected {API_VERSION}, kind {KIND}")
    if document.get("digest") != digest_of(document):
        raise InvalidInput(
            f"{source} was changed after it was saved", reason="create it again: irsa diff -f FILE --out PLAN"
        )
    try:
        return _read(document)
    except (
        UnreadableRequest,
        written.UnreadableChange,
        InvalidInput,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
    ) as error:
        made = document.get("metadata")
        version = made.get("version", "?") if isinstance(made, dict) else "?"
        raise InvalidInput(
            f"{source} can't be read by this version of irsa",
            reason=f"irsa {version} created it, this is {__version__}: {error}",
        ) from None


def _read(document: Mapping[str, Any]) -> SavedPlan:
    about = document["metadata"]
    if about.get("format") != FORMAT:
        raise UnreadableRequest("its format is older; create the plan again")
    command = about["command"]
    request = read_request(command, document["request"])
    items = tuple(_read_item(item) for item in document["items"])
    texts = (about["made"], about["version"], document["digest"])
    _check_texts(texts)
    return SavedPlan(command, request, items, *texts)


def _read_item(data: Mapping[str, Any]) -> PlannedItem:
    found = data["cluster"]
    partition = check_cluster(found["arn"]).split(":")[1]
    keys = ("name", "arn", "region", "account", "issuer")
    _check_texts([*(found[key] for key in keys), data["name"], data["where"], data["place"]])
    _check_texts([data["command"], data["serviceAccount"], *data["seen"], *data["seen"].values()])
    cluster = Cluster(
        found["name"], found["arn"], found["region"], partition, found["account"], found["issuer"]
    )
    plan = Plan(tuple(tuple(written.read(change) for change in stage) for stage in data["stages"]))
    work = PlannedWork(found["arn"], data["command"], data["serviceAccount"], plan, data["seen"])
    return PlannedItem(data["name"], cluster, work, data["where"], data["place"])


def _check_texts(values: Iterable[Any]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
