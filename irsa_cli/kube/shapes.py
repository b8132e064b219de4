"""Whether an answer is what Kubernetes gives to a call: the parts that irsa reads, and their types.

What a proxy, or a server of another kind, answers with status 200 is no answer. Which failure means what is
in `irsa_cli.kube.errors`.
https://kubernetes.io/docs/reference/using-api/api-concepts/#standard-api-terminology
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {
    "namespaces": "Namespace",
    "serviceaccounts": "ServiceAccount",
    "serviceaccounts/token": "TokenRequest",
    "pods": "Pod",
}
_TEXTS = ("name", "namespace", "uid", "resourceVersion", "continue", "creationTimestamp")
_MAPS = ("labels", "annotations")


class ForeignAnswer(Exception):
    """What was answered is not of Kubernetes."""


def check(operation: str, answer: Any) -> dict[str, Any]:
    """The answer to an operation such as `get serviceaccounts`; raises `ForeignAnswer` when it is none."""
    if not isinstance(answer, dict):
        raise ForeignAnswer("the answer is not a JSON object")
    verb, _, what = operation.partition(" ")
    if verb == "list":
        _check_list(answer)
    elif verb != "delete" and what in _KINDS:
        _check_kind(answer, _KINDS[what])
        _check_object(answer)
        if what == "serviceaccounts/token":
            _check_token(answer)
        elif not _identity(verb) <= (answer.get("metadata") or {}).keys():
            raise ForeignAnswer(f"a {_KINDS[what]} without a name, a uid or a resourceVersion")
    elif verb == "delete" and "kind" not in answer:
        raise ForeignAnswer("it says not what it is")
    return answer


def _identity(verb: str) -> set[str]:
    """What tells one object from another; a rehearsed creation has only a name yet."""
    return {"name"} if verb == "create" else {"name", "uid", "resourceVersion"}


def _check_kind(answer: Mapping[str, Any], kind: str) -> None:
    if answer.get("kind") != kind:
        raise ForeignAnswer(f"it is no {kind}")


def _check_list(answer: Mapping[str, Any]) -> None:
    if not str(answer.get("kind", "")).endswith("List"):
        raise ForeignAnswer("it is no list")
    items = answer.get("items")
    if items is not None and not isinstance(items, list):
        raise ForeignAnswer("its items are no list")
    _check_metadata(answer.get("metadata") or {})
    for item in items or []:
        if not isinstance(item, dict):
            raise ForeignAnswer("an item is no object")
        _check_object(item)
        if not isinstance((item.get("metadata") or {}).get("name"), str):
            raise ForeignAnswer("an item has no name")


def _check_object(item: Mapping[str, Any]) -> None:
    _check_metadata(item.get("metadata") or {})
    for part in ("spec", "status"):
        if not isinstance(item.get(part) or {}, dict):
            raise ForeignAnswer(f"its {part} is no object")


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict):
        raise ForeignAnswer("its metadata are no object")
    for key in _TEXTS:
        if not isinstance(metadata.get(key) or "", str):
            raise ForeignAnswer(f"its {key} is no text")
    for key in _MAPS:
        found = metadata.get(key) or {}
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise ForeignAnswer(f"its {key} are no texts")


def _check_token(answer: Mapping[str, Any]) -> None:
    status = answer.get("status")
    parts = ("token", "expirationTimestamp")
    if not isinstance(status, dict) or not all(isinstance(status.get(part), str) for part in parts):
        raise ForeignAnswer("it has no token")
