"""One document from those of the shards of a run. The documents are untrusted: each is read strictly."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from typing import Any

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.written import UnreadableChange, read
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.envelope import API_VERSION, DocumentKind, Envelope, ItemError
from irsa_cli.core.results.result import CLUSTER, SCOPES, ChangeResult, Ended, Left, Result, TransactionScope
from irsa_cli.core.results.result_document import failed_if, failures, worst
from irsa_cli.core.values.arn import check_account, check_cluster
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, FailedCall, InvalidInput, IrsaError, ServiceError

_TEXT_OR_NULL = (None, str)
_CLUSTER = {"name": str, **dict.fromkeys(("arn", "region", "account", "issuer"), _TEXT_OR_NULL)}
_ACCOUNT = (None, {"namespace": str, "name": str})
_ITEM = {
    "outcome": Ended,
    "exitCode": int,
    "scope": TransactionScope,
    "transaction": _TEXT_OR_NULL,
    "cluster": (None, _CLUSTER),
    "serviceAccount": _ACCOUNT,
    "changes": [
        {
            "kind": Kind,
            "target": str,
            "state": str,
            "seconds": float,
            "before": (None, {}),
            "after": (None, {}),
        }
    ],
    "left": [{"what": str, "why": str, "repair": str}],
    "notes": [str],
    "warnings": [{"id": str, "reason": str}],
    "where": _TEXT_OR_NULL,
}
_ERROR = {"code": str, "message": str, "reason": str, "details": [str], "next": [str], "item": (None, int)}
_DOCUMENT = {
    "metadata": {"command": str, "outcome": Ended, "exitCode": int, "notes": [str]},
    "items": [_ITEM],
    "errors": [_ERROR],
}
_OF_MANY = {"notBegun": [{"cluster": _CLUSTER, "serviceAccount": _ACCOUNT}]}
_SHARD = {"index": int, "total": int, "files": str}
_FORMS = {dict: "an object", list: "a list", str: "a text", int: "a whole number", float: "a number"}
_STATES = ("planned", "pending", "done", "unchanged", "failed", "undone", "left")


def _check(data: Any, form: Any, where: str) -> None:
    """Raise `InvalidInput` if the data have another form: a type, fields, a list, or null or a form."""
    if isinstance(form, tuple):
        if data is not None:
            _check(data, form[1], where)
        return
    kind = form if isinstance(form, type) else type(form)
    if not _is_of(data, kind):
        raise InvalidInput(f"{where} is not {_FORMS.get(kind, 'a known value')}")
    if isinstance(form, dict):
        for key, form_of_field in form.items():
            if key not in data:
                raise InvalidInput(f"{where} has no {key}")
            _check(data[key], form_of_field, f"{where}.{key}")
    elif isinstance(form, list):
        for number, element in enumerate(data):
            _check(element, form[0], f"{where}[{number}]")


def _is_of(data: Any, kind: type) -> bool:
    if issubclass(kind, Enum):
        return data in [member.value for member in kind]
    return type(data) is kind or (kind is float and type(data) is int)


@dataclass(frozen=True)
class ReadDocument:
    """The document of one file, and its items as results."""

    source: str
    document: Mapping[str, Any]
    items: tuple[Item, ...]

    @property
    def about(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.document["metadata"]
        return metadata

    @property
    def pending(self) -> list[NotBegun]:
        """The ServiceAccounts that were not begun."""
        pending: list[NotBegun] = []
        for raw in self.about.get("notBegun", ()):
            cluster = _cluster(raw["cluster"])
            if cluster is not None:
                pending.append(NotBegun(cluster, _name(raw["serviceAccount"]), cluster.full_name))
        return pending


def read_document(text: str, source: str) -> ReadDocument:
    """The document of a file; raises `InvalidInput` with its place for what irsa does not write."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{source} is not JSON", reason="expected a whole document of -o json") from None
    fields = document if isinstance(document, dict) else {}
    if (fields.get("apiVersion"), fields.get("kind")) != (API_VERSION, DocumentKind.RESULTS.value):
        raise InvalidInput(
            f"{source} is no result of apply, diff or delete",
            reason=f"expected {API_VERSION}, kind {DocumentKind.RESULTS.value}",
        )
    try:
        _check(document, _DOCUMENT, "the document")
        if document["items"] or "shard" in document["metadata"]:
            _check(document["metadata"], _OF_MANY, "metadata")
        shard = document["metadata"].get("shard")
        _check(shard, (None, _SHARD), "metadata.shard")
        if shard and not 0 <= shard["index"] < shard["total"] <= 9999:
            raise InvalidInput("metadata.shard is not a part of the whole")
        return ReadDocument(source, document, tuple(_items(document, source)))
    except InvalidInput as error:
        raise InvalidInput(f"{source}: {error}") from None


def _items(document: Mapping[str, Any], source: str) -> list[Item]:
    raw = document["items"]
    errors = {error["item"]: _error(error) for error in document["errors"]}
    if not errors.keys() <= {None, *range(len(raw))}:
        raise InvalidInput("an error is about no item")
    items = [_item(fields, errors.get(number)) for number, fields in enumerate(raw)]
    if not items and None in errors:  # The run did not start.
        items.append(Item(source, CLUSTER, Result(Ended.FAILED, error=errors[None]), place=source))
    return items


def _error(raw: Mapping[str, Any]) -> IrsaError:
    texts: dict[str, Any] = {
        "message": raw["message"],
        "reason": raw["reason"],
        "details": raw["details"],
        "next_steps": raw["next"],
    }
    if "service" not in raw:
        return IrsaError(**texts, code=raw["code"])
    return ServiceError(call=FailedCall(str(raw["service"]), str(raw.get("operation")), raw["code"]), **texts)


def _item(raw: Mapping[str, Any], error: Exception | None) -> Item:
    cluster = _cluster(raw["cluster"])
    warnings = [f"{warning['id']}: {warning['reason']}" for warning in raw["warnings"]]
    code = raw["exitCode"]
    result = Result(
        Ended(raw["outcome"]),
        cluster=cluster,
        transaction=raw["transaction"] or "",
        changes=[_change(change) for change in raw["changes"]],
        left=[Left(left["what"], left["why"], left["repair"]) for left in raw["left"]],
        notes=[*raw["notes"], *warnings],
        error=error,
        signal=max(0, code - 128),
    )
    names = {scope: name for name, scope in SCOPES.items()}
    name = names.get(TransactionScope(raw["scope"])) or _name(raw["serviceAccount"])
    if not name or cluster is None:
        raise InvalidInput("an item names neither its cluster nor its ServiceAccount")
    return Item(cluster.name, name, result, raw["where"] or "", cluster.full_name)


def _name(account: Mapping[str, Any] | None) -> str:
    return f"{account['namespace']}/{account['name']}" if account else ""


def _cluster(raw: Mapping[str, Any] | None) -> Cluster | None:
    if raw is None:
        return None
    name, arn, region, account, issuer = (raw[key] or "" for key in _CLUSTER)
    if account:
        check_account(account)
    partition = ""
    if arn.startswith("arn:"):
        partition = check_cluster(arn).split(":")[1]
    home = str(raw.get("roleAccount") or "")
    if home:
        home = check_account(home)
    return Cluster(name, arn, region, partition, account, issuer, home)


def _change(raw: Mapping[str, Any]) -> ChangeResult:
    kind = Kind(raw["kind"])
    name = raw["target"]
    separators = len(kind.traits.target) - 1
    target = name.rsplit("/", separators) if name.startswith("arn:") else name.split("/", separators)
    fields = {
        "kind": kind.value,
        "target": target,
        "before": _state(raw["before"]),
        "after": _state(raw["after"]),
    }
    try:
        change: Change = read(fields)
    except UnreadableChange as error:
        raise InvalidInput(f"a change of kind {kind.value} can't be read", reason=str(error)) from None
    if raw["state"] not in _STATES:
        raise InvalidInput("the state of a change is unknown")
    return ChangeResult(change, raw["state"], raw["seconds"])


def _state(raw: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A state in the form of journals, with the names of attributes."""
    if raw is None:
        return None
    return {_attribute(key): value for key, value in raw.items()}


def _attribute(key: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", key)


@dataclass
class MergedList(AppliedList):
    """The results of several documents, whose own items and codes are `raw` and `codes`."""

    raw: list[Mapping[str, Any]] = field(default_factory=list)
    errors: list[ItemError] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    is_timed = False

    @property
    def exit_code(self) -> int:
        """The worst of all; a missing shard is a failure."""
        attempted = any(item.result.ended in (Ended.COMMITTED, Ended.ROLLED_BACK) for item in self.items)
        codes = failed_if(self.codes, attempted=attempted)
        if self.missing:
            codes.append(int(ExitCode.FAILED))
        return worst(failures(codes) or codes)

    def envelope(self) -> Envelope:
        document = super().envelope()
        counts = Counter(fields["outcome"] for fields in self.raw)
        summary = {ended.value: counts[ended.value] for ended in Ended if counts[ended.value]}
        return replace(document, items=self.raw, errors=self.errors, summary=summary)


def merge(documents: Sequence[ReadDocument]) -> MergedList:
    """The documents as one, in the order of accounts, regions and clusters.

    Raises `InvalidInput` if they are not of one run. Shards without a document are `missing`.
    """
    merged = MergedList(
        missing=_missing(documents), codes=[int(document.about["exitCode"]) for document in documents]
    )
    entries: list[tuple[Item, ReadDocument, int]] = []
    for document in documents:
        entries += [(item, document, number) for number, item in enumerate(document.items)]
    sources: dict[tuple[object, str], str] = {}
    for item, document, number in sorted(entries, key=lambda entry: _place(entry[0].result.cluster)):
        merged.items.append(item)
        raw = document.document["items"][number : number + 1]
        about = (item.result.cluster, item.name)
        if raw and sources.setdefault(about, document.source) != document.source:
            raise InvalidInput(f"{item.title} is in {sources[about]} and in {document.source}")
        if item.result.error is not None:
            merged.errors.append(ItemError(item.result.error, len(merged.raw) if raw else None))
        merged.raw += raw
    pending = chain.from_iterable(document.pending for document in documents)
    merged.pending = sorted(pending, key=lambda waiting: _place(waiting.cluster))
    notes = chain.from_iterable(document.about["notes"] for document in documents)
    merged.notices = list(dict.fromkeys(notes))
    return merged


def _place(cluster: Cluster | None) -> tuple[str, ...]:
    if cluster is None:
        return ()
    return cluster.account, cluster.region, cluster.name


def _missing(documents: Sequence[ReadDocument]) -> tuple[str, ...]:
    """The shards that no document is of; raises `InvalidInput` for documents that don't belong together."""
    commands = {document.about["command"].partition(" ")[0] for document in documents}
    if len(commands) > 1:
        raise InvalidInput(f"the files are of several commands: {', '.join(sorted(commands))}")
    shards = [document for document in documents if document.about.get("shard")]
    if not shards:
        return ()
    run = shards[0].about["shard"]
    indexes: set[int] = set()
    for document in shards:
        shard = document.about["shard"]
        if (shard["total"], shard["files"]) != (run["total"], run["files"]):
            raise InvalidInput(
                f"{document.source} is of another run", reason="its files or the number of shards differ"
            )
        if shard["index"] in indexes:
            raise InvalidInput(f"{document.source} is shard {shard['index']} again")
        indexes.add(shard["index"])
    for document in documents:
        if document.document["items"] and not document.about.get("shard"):
            raise InvalidInput(f"{document.source} is no shard", reason="others are")
    return tuple(f"{index}/{run['total']}" for index in range(run["total"]) if index not in indexes)
