"""How a change is written down in a journal, and read again, maybe by another version of irsa.

Unknown fields are never ignored: rolling back a change that is half understood could delete
something of somebody else's. An empty field (null, false, empty) is harmless, whatever it is
called: that is how a newer version writes what a change does not use.

Its place in the file, and the file's header, are in `irsa_cli.transaction.journal`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import State


class UnreadableChange(ValueError):
    """The data are damaged: no version of irsa writes this."""


class UnknownState(UnreadableChange):
    """The data mean something that this version does not know."""


@dataclass(frozen=True)
class Form:
    """The form of a field: `fits` decides, `name` is its name for people."""

    name: str
    fits: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _map_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


TEXT = Form("a string", _is_text)
TEXTS = Form("a list of strings", lambda value: isinstance(value, list) and all(map(_is_text, value)))
TEXT_MAP = Form("an object of strings", _map_of(_is_text))
GAPPED_MAP = Form(
    "an object of strings or null", _map_of(lambda value: value is None or isinstance(value, str))
)
OBJECT = Form("an object", lambda value: isinstance(value, dict))
NUMBER = Form("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
FLAG = Form("true or false", lambda value: isinstance(value, bool))


@dataclass(frozen=True)
class Field:
    """A field of a state as it is written; if it is missing, the state's default counts, unless `needed`."""

    key: str
    attribute: str
    form: Form
    needed: bool


_FORMS = {
    "str": TEXT,
    "int": NUMBER,
    "bool": FLAG,
    "list[str]": TEXTS,
    "dict[str, str]": TEXT_MAP,
    "dict[str, str | None]": GAPPED_MAP,
    "Document": OBJECT,
}
"""By the annotation of a state's attribute."""


def written_fields(state: type[State]) -> tuple[Field, ...]:
    """The fields of a state in a journal and in `-o json`; those without a default are needed.

    Each is written under its attribute's name. An attribute that is renamed keeps its key: give the former
    name as `key` in the metadata of its `field`.
    """
    return tuple(
        Field(
            item.metadata.get("key", item.name),
            item.name,
            _FORMS[str(item.type)],
            needed=item.default is MISSING and item.default_factory is MISSING,
        )
        for item in fields(state)
    )


_CHANGE = ("kind", "target", "before", "after")


def write(change: Change) -> dict[str, Any]:
    """The change as it is written down."""
    return {
        "kind": change.kind.value,
        "target": list(change.target),
        "before": _write_state(change.before),
        "after": _write_state(change.after),
    }


def read(data: Any) -> Change:
    """The change that was written; raises `UnknownState` or `UnreadableChange`."""
    whole = mapping(data, "a change")
    refuse_unknown(whole, _CHANGE, "a change")
    name = value(whole, "kind", TEXT, "a change")
    kind = next((item for item in Kind if item.value == name), None)
    if kind is None:
        raise UnknownState(f"the kind of change {name!r}")
    target = value(whole, "target", TEXTS, f"a change of kind {name}")
    if len(target) != len(kind.traits.target) or not all(target):
        raise UnreadableChange(f"a change of kind {name} has the target {target!r}")
    before, after = (_read_state(kind, whole.get(side)) for side in ("before", "after"))
    if before is None and after is None:
        raise UnreadableChange(f"a change of kind {name} changes nothing")
    return Change(kind, tuple(target), before, after)


def _write_state(state: State | None) -> dict[str, Any] | None:
    if state is None:
        return None
    found = {field: getattr(state, field.attribute) for field in written_fields(type(state))}
    return {field.key: said for field, said in found.items() if field.needed or said != []}


def _read_state(kind: Kind, data: Any) -> State | None:
    if data is None:
        return None
    what = f"a state of kind {kind.value}"
    made = kind.traits.state
    whole = mapping(data, what)
    fields = written_fields(made)
    refuse_unknown(whole, [field.key for field in fields], what)
    found = {
        field.attribute: value(whole, field.key, field.form, what)
        for field in fields
        if field.needed or field.key in whole
    }
    return made(**found)


def mapping(data: Any, what: str) -> Mapping[str, Any]:
    """The data as an object; raises `UnreadableChange` if they are none."""
    if not isinstance(data, dict):
        raise UnreadableChange(f"{what} is not an object")
    return data


def value(whole: Mapping[str, Any], key: str, form: Form, what: str) -> Any:
    """The value of a field; raises `UnreadableChange` when it is missing, or of another form."""
    if key not in whole:
        raise UnreadableChange(f"{what} lacks {key!r}")
    if not form.fits(whole[key]):
        raise UnreadableChange(f"{key!r} of {what} is not {form.name}")
    return whole[key]


def refuse_unknown(whole: Mapping[str, Any], known: Any, what: str) -> None:
    """Raise `UnknownState` for a field that says something, and that this version does not know."""
    for key, said in whole.items():
        if key not in known and said not in (None, False, "", [], {}):
            raise UnknownState(f"{key!r} in {what}")
