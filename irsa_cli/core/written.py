"""How a change is written down in a journal, and read again, maybe by another version of irsa.

Every field is named here, with what may stand in it: what a journal holds does not depend on what classes
and their attributes are called. What this version does not know is never passed over: to take back a change
that is half understood could take away something of somebody else's. A field that says nothing (null, false,
empty) is harmless, whatever it is called: that is how a newer version writes what a change does not use.

Where the lines stand in the file, and its header, is `irsa_cli.transaction.journal`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core import states
from irsa_cli.core.plan import STATE_OF_KIND, Change, Kind
from irsa_cli.core.states import State


class Unreadable(ValueError):
    """What was written is damaged: no version of irsa writes it like that."""


class Unknown(Unreadable):
    """What was written means something that this version does not know."""


@dataclass(frozen=True)
class Form:
    """What may stand in a field: `fits` decides, `name` is what a person would call it."""

    name: str
    fits: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_map_with_gaps(value: Any) -> bool:
    return isinstance(value, dict) and all(item is None or _is_text(item) for item in value.values())


TEXT = Form("a text", _is_text)
TEXTS = Form("a list of texts", _is_texts)
TEXT_MAP = Form("texts by keys", _is_map)
GAPPED_MAP = Form("texts or null by keys", _is_map_with_gaps)
OBJECT = Form("an object", lambda value: isinstance(value, dict))
NUMBER = Form("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
FLAG = Form("true or false", lambda value: isinstance(value, bool))


@dataclass(frozen=True)
class Field:
    """One field of what is written; where it is missing, its state's own default stands, unless `needed`."""

    key: str
    attribute: str
    form: Form
    needed: bool = True


def _optional(key: str, attribute: str, form: Form) -> Field:
    return Field(key, attribute, form, needed=False)


FIELDS: Mapping[type[Any], tuple[Field, ...]] = {
    states.ProviderState: (
        Field("url", "url", TEXT),
        Field("audiences", "audiences", TEXTS),
        _optional("thumbprints", "thumbprints", TEXTS),
        _optional("tags", "tags", TEXT_MAP),
    ),
    states.Present: (),
    states.RoleState: (
        Field("path", "path", TEXT),
        Field("trust", "trust", OBJECT),
        _optional("description", "description", TEXT),
        _optional("max_session_duration", "max_session_duration", NUMBER),
        _optional("permissions_boundary", "permissions_boundary", TEXT),
        _optional("tags", "tags", TEXT_MAP),
    ),
    states.DocumentState: (Field("document", "document", OBJECT),),
    states.NamespaceState: (_optional("labels", "labels", TEXT_MAP),),
    states.ServiceAccountState: (
        Field("annotations", "annotations", GAPPED_MAP),
        _optional("labels", "labels", GAPPED_MAP),
        _optional("uid", "uid", TEXT),
        _optional("resource_version", "resource_version", TEXT),
        _optional("manifest", "manifest", OBJECT),
    ),
    states.OwnerState: (Field("transaction", "transaction", TEXT),),
    states.CommitState: (Field("value", "value", TEXT),),
    states.SettingsState: (
        Field("description", "description", TEXT),
        Field("max_session_duration", "max_session_duration", NUMBER),
    ),
    states.BoundaryState: (Field("arn", "arn", TEXT),),
    states.TagsState: (Field("values", "values", GAPPED_MAP),),
}
"""What is written of each state. A key stays what it is, also where the attribute gets another name."""

PAIRS = (
    Kind.AUDIENCE,
    Kind.ATTACHMENT,
    Kind.INLINE_POLICY,
    Kind.TRUST_STATEMENT,
    Kind.SERVICE_ACCOUNT,
)
"""Kinds whose target is two names: the whole and the part, or the namespace and the name."""

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
    """The change that was written; raises `Unknown` or `Unreadable`."""
    whole = mapping(data, "a change")
    refuse_unknown(whole, _CHANGE, "a change")
    name = value(whole, "kind", TEXT, "a change")
    kind = next((item for item in Kind if item.value == name), None)
    if kind is None:
        raise Unknown(f"the kind of change {name!r}")
    target = value(whole, "target", TEXTS, f"a change of kind {name}")
    if len(target) != (2 if kind in PAIRS else 1) or not all(target):
        raise Unreadable(f"a change of kind {name} has the target {target!r}")
    before, after = (_read_state(kind, whole.get(side)) for side in ("before", "after"))
    if before is None and after is None:
        raise Unreadable(f"a change of kind {name} changes nothing")
    return Change(kind, tuple(target), before, after)


def _write_state(state: State | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {field.key: getattr(state, field.attribute) for field in FIELDS[type(state)]}


def _read_state(kind: Kind, data: Any) -> State | None:
    if data is None:
        return None
    what, made = f"a state of kind {kind.value}", STATE_OF_KIND[kind]
    whole, fields = mapping(data, what), FIELDS[made]
    refuse_unknown(whole, [field.key for field in fields], what)
    found = {
        field.attribute: value(whole, field.key, field.form, what)
        for field in fields
        if field.needed or field.key in whole
    }
    return made(**found)


def mapping(data: Any, what: str) -> Mapping[str, Any]:
    """What was written, as an object; raises `Unreadable` when it is none."""
    if not isinstance(data, dict):
        raise Unreadable(f"{what} is no object")
    return data


def value(whole: Mapping[str, Any], key: str, form: Form, what: str) -> Any:
    """The value of a field; raises `Unreadable` when it is missing, or of another form."""
    if key not in whole:
        raise Unreadable(f"{what} lacks {key!r}")
    if not form.fits(whole[key]):
        raise Unreadable(f"{key!r} of {what} is not {form.name}")
    return whole[key]


def refuse_unknown(whole: Mapping[str, Any], known: Any, what: str) -> None:
    """Raise `Unknown` for a field that says something, and that this version does not know."""
    for key, said in whole.items():
        if key not in known and said not in (None, False, "", [], {}):
            raise Unknown(f"{key!r} in {what}")
