"""Reading the file of a saved plan: what is no plan of this version, or was altered, is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from irsa_cli import __version__
from irsa_cli.core.plan import written
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.plan.expected import PlannedWork
from irsa_cli.core.results.envelope import API_VERSION
from irsa_cli.core.values.arn import check_cluster
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.plans import commands
from irsa_cli.usecases.plans.commands import COMMANDS, UnreadableRequest
from irsa_cli.usecases.plans.saved_plan import FORMAT, KIND, PlannedItem, SavedPlan, digest_of
from irsa_cli.usecases.texts import read_text

LARGEST = 64 * 2**20
"""Bytes of a file that is read at most: a plan of ten thousand ServiceAccounts has fewer."""


def load(path: Path) -> SavedPlan:
    """Read a file; raises `InvalidInput` for what is no plan of this version, or was altered."""
    return parse(read_text(path, LARGEST), str(path))


def parse(text: str, source: str) -> SavedPlan:
    """A plan from its file's text; raises `InvalidInput`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{source} is no saved plan", reason="it is not JSON") from None
    is_plan = isinstance(document, dict) and document.get("kind") == KIND
    if not is_plan or document.get("apiVersion") != API_VERSION:
        raise InvalidInput(f"{source} is no saved plan", reason=f"expected {API_VERSION}, kind {KIND}")
    if document.get("digest") != digest_of(document):
        raise InvalidInput(f"{source} was altered", reason="its digest is not that of what it says")
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
            f"{source} is no plan that this version of irsa reads",
            reason=f"it was made by irsa {version}, this is {__version__}: {error}",
        ) from None


def _read(document: Mapping[str, Any]) -> SavedPlan:
    about = document["metadata"]
    if about.get("format") != FORMAT:
        raise UnreadableRequest(
            "it keeps less of the current state than is compared now; make the plan again"
        )
    command = about["command"]
    if command not in COMMANDS:
        raise UnreadableRequest(f"the command {command!r}")
    items = tuple(_read_item(item) for item in document["items"])
    request = commands.read(command, document["request"])
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
