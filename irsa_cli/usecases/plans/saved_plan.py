"""A saved plan and its file: the request, the changes, and the current state that they depend on.

The file has no credentials: whoever applies a plan uses their own. The digest finds changes by accident; it
does not prove who wrote the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from cattrs import ClassValidationError, Converter
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from irsa_cli import __version__
from irsa_cli.core.access.difference import AccessChange
from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.plan import written
from irsa_cli.core.plan.changes import Plan, PlannedWork
from irsa_cli.core.plan.rules import Rule, check
from irsa_cli.core.results.envelope import API_VERSION, cluster_json
from irsa_cli.core.results.result import DryRun, DryRunLine, Ended
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import check_account, check_cluster, check_issuer
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.core.values.texts import free
from irsa_cli.transaction.story import GIVEN
from irsa_cli.usecases.command.connect import Target

KIND = "Plan"
FORMAT = 2
"""The format; a plan with less of the current state can't be compared."""
LARGEST = 64 * 2**20
"""Bytes of a file that is read at most: a plan of ten thousand ServiceAccounts has fewer."""
_OPEN = os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe without anybody at its other end is an error, and not waited for."""
Request = Any
"""The request of one of the commands in `irsa_cli.usecases.plans.reading`; each has its own class."""

_OF_WHO_ASKS = (
    *(*GIVEN, "tell_region", "asks_caller", "yields", "meant"),
    *("expect_account", "expected_by", "expect_clusters", "expect_project"),
)


@dataclass(frozen=True)
class PlannedItem:
    """One line of a plan: a ServiceAccount, or what several build on."""

    name: str
    cluster: Cluster
    work: PlannedWork
    where: str = ""
    place: str = ""

    def to_json(self) -> dict[str, Any]:
        """The item of the plan's document."""
        work = self.work
        return {
            "name": self.name,
            "cluster": cluster_json(self.cluster),
            "where": self.where,
            "place": self.place,
            "command": work.command,
            "serviceAccount": work.service_account,
            "stages": [list(map(written.write, stage)) for stage in work.plan.stages],
            "seen": dict(work.seen),
            "access": None if work.access is None else work.access.kept,
        }


@dataclass(frozen=True)
class SavedPlan:
    """A plan that was saved. `digest` is that of all of it, `made` when (ISO 8601, UTC), `version` irsa's."""

    command: str
    request: Request
    items: tuple[PlannedItem, ...]
    made: str
    version: str = __version__
    digest: str = ""
    allow_access_change: bool = False
    """Whether others than the command names may gain or lose a role by it."""

    @property
    def works(self) -> list[PlannedWork]:
        """The planned work, transaction by transaction."""
        return [planned.work for planned in self.items]

    def to_json(self) -> dict[str, Any]:
        """The document of the file, with its digest."""
        document = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "command": self.command,
                "made": self.made,
                "version": self.version,
                "format": FORMAT,
            },
            "request": converter().unstructure(self.request),
            "allowAccessChange": self.allow_access_change,
            "items": [planned.to_json() for planned in self.items],
        }
        return {**document, "digest": digest_of(document)}


def digest_of(document: Mapping[str, Any]) -> str:
    """The digest of a plan's document, whatever the order of its keys and its time.

    The same plan, saved again, has the same digest.
    """
    whole = {key: value for key, value in document.items() if key != "digest"}
    about = whole.get("metadata")
    if isinstance(about, dict):
        whole["metadata"] = {key: value for key, value in about.items() if key != "made"}
    return "sha256:" + hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


class UnreadableRequest(ValueError):
    """The file has no request of this version's commands."""


UNREADABLE = (
    UnreadableRequest,
    written.UnreadableChange,
    InvalidInput,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    RecursionError,
)
"""Errors of a document that is no plan of this version."""


def read_request(command: str, kind: type[Any], data: Any) -> Request:
    """The request of a command from plain data; raises `UnreadableRequest`."""
    try:
        request = converter().structure(data, kind)
        check(request)
    except InvalidInput as error:
        raise UnreadableRequest(f"the request of {command}: {error}") from error
    except (ClassValidationError, ForbiddenExtraKeysError, TypeError, ValueError, KeyError, AttributeError):
        raise UnreadableRequest(f"the request of {command}") from None
    return request


def check_saved(plan: SavedPlan) -> None:
    """Raise `InvalidInput` for a plan that could not be loaded again; the same rules as for loading."""
    text = json.dumps(plan.to_json())
    if len(text) > LARGEST:
        raise InvalidInput("the plan cannot be saved", reason=f"it has more than {LARGEST} bytes")
    document = json.loads(text)
    try:
        read_request(plan.command, type(plan.request), document["request"])
        check_texts([plan.made, plan.version])
        read_items(document["items"], plan.made)
    except UNREADABLE as error:
        raise InvalidInput("the plan cannot be saved", reason=str(error)) from None


_OF_CLUSTERS: Mapping[str, Rule] = {
    "name": names.cluster,
    "arn": check_cluster,
    "region": names.region,
    "account": check_account,
    "issuer": check_issuer,
}


def read_items(data: Iterable[Mapping[str, Any]], made: str) -> tuple[PlannedItem, ...]:
    """The items of a document that was saved at this time; raises what `UNREADABLE` lists."""
    moment = datetime.fromisoformat(made.replace("Z", "+00:00"))
    return tuple(_read_item(entry, moment) for entry in data)


def _read_item(data: Mapping[str, Any], made: datetime) -> PlannedItem:
    about = data["cluster"]
    name, arn, region, account = (_cluster_fact(about, key) for key in ("name", "arn", "region", "account"))
    issuer = "" if about["issuer"] is None else _cluster_fact(about, "issuer")  # It is gone, with its issuer.
    check_texts([data["name"], data["where"], data["place"], data["command"], data["serviceAccount"]])
    check_texts([*data["seen"], *data["seen"].values()])
    partition = arn.split(":")[1]
    cluster = Cluster(name, arn, region, partition, account, issuer, seen=made)
    plan = Plan(tuple(tuple(map(written.read, stage)) for stage in data["stages"]))
    check_texts(_texts_in(data.get("access")))
    access = AccessChange.read(data.get("access"), arn)
    work = PlannedWork(arn, data["command"], data["serviceAccount"], plan, data["seen"], access)
    return PlannedItem(data["name"], cluster, work, data["where"], data["place"])


def _texts_in(value: Any) -> Iterator[str]:
    """All texts of a document, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner)


def _cluster_fact(cluster: Mapping[str, Any], key: str) -> str:
    check_texts([cluster[key]])
    _OF_CLUSTERS[key](cluster[key])
    return str(cluster[key])


def check_texts(values: Iterable[Any]) -> None:
    """Raise `TypeError` or `InvalidInput` for what is no text for people."""
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
        free(value)


def asked_by(request: Request, who: Target) -> Request:
    """The same request, asked by somebody else: with their profile, role and kubeconfig."""
    fields = {name: getattr(who, name) for name in _OF_WHO_ASKS}
    fields["yields"] = ("cluster", "region")  # The names in files were compared when the plan was created.
    return replace(request, target=replace(request.target, **fields))


@lru_cache
def converter() -> Converter:
    """The converter between requests and plain data; it leaves out who asks."""
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


def _exactly(value: Any, kind: Any) -> Any:
    """A plain value as it is: what has another type is no value of that field."""
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def plan_of(
    command: str, request: Request, dry_run: DryRun, *, allow_access_change: bool = False
) -> SavedPlan:
    """The plan of a dry run; raises `IrsaError` if it is not complete."""
    lines = dry_run.lines
    why = "it was stopped" if dry_run.is_stopped else ""
    if any(line.result.ended not in (Ended.PLANNED, Ended.UNCHANGED) for line in lines):
        why = "a part of it failed"
    if why:
        raise IrsaError("no plan was saved", reason=f"the dry run is not complete: {why}")
    now = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    planned = tuple(map(_planned, lines))
    plan = SavedPlan(command, _placed(request, lines), planned, now, allow_access_change=allow_access_change)
    return replace(plan, digest=digest_of(plan.to_json()))


def _placed(request: Request, lines: Iterable[DryRunLine]) -> Request:
    """The request with the region of the planning run, if it is known."""
    regions = {line.result.cluster.region for line in lines if line.result.cluster is not None}
    unnamed = regions - {config.region for config in getattr(request, "configs", ())} or regions
    if request.target.region is not None or len(unnamed) != 1:
        return request
    return replace(request, target=replace(request.target, region=unnamed.pop()))


def _planned(line: DryRunLine) -> PlannedItem:
    cluster = line.result.cluster
    assert cluster is not None, "a dry run that came to its end knows its cluster"
    work = line.result.planned or PlannedWork(cluster.arn, "", line.name)
    return PlannedItem(line.name, cluster, work, line.where, line.place)


def save(plan: SavedPlan, path: Path) -> None:
    """Write the file for the user only, completely or not at all; raises `OSError`."""
    if not _is_replaceable(path):
        _write(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPEN, 0o600), plan)
        return
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600)
    try:
        _write(file, plan)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def _is_replaceable(path: Path) -> bool:
    """Whether another file may take its place: it is a plain file, or there is none."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return True


def _write(file: int, plan: SavedPlan) -> None:
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        os.set_blocking(file, True)
        json.dump(plan.to_json(), stream, indent=1)
        stream.write("\n")
        stream.flush()
        if stat.S_ISREG(os.fstat(file).st_mode):
            os.fsync(file)
