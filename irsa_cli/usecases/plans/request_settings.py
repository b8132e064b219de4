"""The settings of a saved request that a reviewer has to see: all that differ from the command's defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from irsa_cli.usecases.plans.saved_plan import Request, converter


def settings_of(request: Request) -> dict[str, Any]:
    """The settings by name, as plain data; those of a part have the part's name before theirs.

    An entry of a file is one setting, without its own lists of entries: each of these is another one.
    """
    return dict(_settings("", request))


def _settings(prefix: str, owner: Any) -> Iterator[tuple[str, Any]]:
    for name, value in _given(owner):
        if is_dataclass(value):
            yield from _settings(f"{prefix}{name}.", value)
        elif _is_of_entries(value):
            for number, entry in enumerate(value, 1):
                yield from _entry(f"{prefix}{name}.{number}", entry)
        else:
            yield f"{prefix}{name}", converter().unstructure(value)


def _entry(title: str, entry: Any) -> Iterator[tuple[str, Any]]:
    own = [(name, value) for name, value in _given(entry) if not _is_of_entries(value)]
    yield title, {name: converter().unstructure(value) for name, value in own}
    for name, value in _given(entry):
        if _is_of_entries(value):
            for number, part in enumerate(value, 1):
                yield from _entry(f"{title}.{name}.{number}", part)


def _given(owner: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of a value that are in its file and differ from their defaults."""
    saved: Mapping[str, Any] = converter().unstructure(owner)
    for field in fields(owner):
        value = getattr(owner, field.name)
        if field.name in saved and value != _default_of(field):
            yield field.name, value


def _default_of(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _is_of_entries(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(is_dataclass, value))
