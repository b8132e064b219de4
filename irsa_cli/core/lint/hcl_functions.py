"""Terraform's functions, as far as they keep what a trust policy says: the rest of them give a gap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.lint.budget import Budget
from irsa_cli.core.lint.found import as_dict, has_gap, is_gap, is_known
from irsa_cli.core.lint.hcl_operators import truth
from irsa_cli.core.policies.policy import as_list


@dataclass(frozen=True)
class Call:
    """A call with its arguments; `joined` and `template` join long texts within the limit."""

    name: str
    arguments: list[Any]
    budget: Budget
    joined: Callable[[Iterable[str]], str | None]
    template: Callable[[str, Mapping[str, Any]], str | None]

    @property
    def first(self) -> Any:
        return self.arguments[0]

    @property
    def texts(self) -> list[str]:
        """The arguments that are texts."""
        return [argument for argument in self.arguments if isinstance(argument, str)]

    @property
    def result(self) -> Any:
        """The value that the function returns; None if it is unknown."""
        function = _FUNCTIONS.get(self.name)
        return function(self) if function else None


def _unchanged(call: Call) -> Any:
    return call.first


def _list(call: Call) -> list[Any]:
    """All elements in one list, also those of lists in lists."""
    elements: list[Any] = []
    for argument in call.arguments:
        for element in as_list(argument):
            elements += as_list(element)
    call.budget.spend(len(elements))
    return elements


def _merged(call: Call) -> dict[str, Any] | None:
    merged: dict[str, Any] = {}
    for argument in call.arguments:
        if argument == "":
            continue  # null
        if not isinstance(argument, dict):
            return None
        call.budget.spend(len(argument))
        merged.update(argument)
    return merged


def _first_known(call: Call) -> Any:
    if is_gap(call.first) or call.first == "":
        return None
    return call.first


def _formatted_each(call: Call) -> list[str] | None:
    """A text for each element of a list, with one `%s` for it."""
    if len(call.arguments) != 2 or not _is_plain(call.first) or not isinstance(call.arguments[1], list):
        return None
    elements = call.arguments[1]
    if call.first.count("%") != 1 or "%s" not in call.first:
        return None
    if not all(isinstance(element, str) for element in elements):
        return None
    call.budget.spend(len(elements))
    return [call.first.replace("%s", element) for element in elements]


def _coalesced(call: Call) -> Any:
    """The first argument that is neither null nor empty; None if an unknown one comes before it."""
    for argument in call.arguments:
        if is_gap(argument):
            return None
        if argument not in ("", [], {}):
            return argument
    return None


def _length(call: Call) -> int | None:
    if is_gap(call.first) or not isinstance(call.first, dict | list | str):
        return None
    if isinstance(call.first, str) and has_gap(call.first):
        return None
    return len(call.first)


def _lookup(call: Call) -> Any:
    if len(call.arguments) < 2 or not isinstance(call.first, dict) or not _is_plain(call.arguments[1]):
        return None
    default = call.arguments[2] if len(call.arguments) > 2 else None
    return call.first.get(call.arguments[1], default)


def _is_plain(value: Any) -> bool:
    """Whether it is a text without unknown parts."""
    return isinstance(value, str) and not has_gap(value)


def _contains(call: Call) -> bool | None:
    elements = call.first
    if len(call.arguments) != 2 or not isinstance(elements, list) or not is_known(call.arguments):
        return None
    return call.arguments[1] in elements


def _keys(call: Call) -> list[str] | None:
    return sorted(call.first) if isinstance(call.first, dict) else None


def _values(call: Call) -> list[Any] | None:
    return [call.first[key] for key in sorted(call.first)] if isinstance(call.first, dict) else None


def _element(call: Call) -> Any:
    if len(call.arguments) != 2 or not isinstance(call.first, list) or not call.first:
        return None
    index = call.arguments[1]
    if not isinstance(index, int):
        return None
    return call.first[index % len(call.first)]


def _compact(call: Call) -> Any:
    if not isinstance(call.first, list):
        return call.first
    return [element for element in call.first if element != ""]


def _all_true(call: Call) -> bool | None:
    truths = [truth(element) for element in as_list(call.first)]
    if False in truths:
        return False
    return None if None in truths else True


def _any_true(call: Call) -> bool | None:
    truths = [truth(element) for element in as_list(call.first)]
    if True in truths:
        return True
    return None if None in truths else False


_OF_TEXTS: Mapping[str, Callable[[list[str]], Any]] = {
    "endswith": lambda texts: texts[0].endswith(texts[1]),
    "lower": lambda texts: texts[0].lower(),
    "split": lambda texts: texts[1].split(texts[0]) if texts[0] else None,
    "startswith": lambda texts: texts[0].startswith(texts[1]),
    "trimsuffix": lambda texts: texts[0].removesuffix(texts[1]),
    "upper": lambda texts: texts[0].upper(),
}


def _of_texts(call: Call) -> Any:
    """The value of a function of known texts."""
    texts = call.texts
    is_complete = len(texts) == len(call.arguments) and all(map(_is_plain, texts))
    if not is_complete or len(texts) < (1 if call.name in ("lower", "upper") else 2):
        return None
    return _OF_TEXTS[call.name](texts)


def _joined(call: Call) -> Any:
    elements = as_list(call.arguments[-1])
    if len(elements) == 1:
        return elements[0]
    if not all(isinstance(element, str) for element in elements):
        return None
    return call.joined([str(call.first).join(elements)])


def _file(call: Call) -> str | None:
    if not call.texts:
        return None
    return call.template(call.texts[0], as_dict(call.arguments[-1]))


def _formatted(call: Call) -> str | None:
    """A text with one value for each `%s`; another verb of it would need the value's type."""
    texts = call.texts
    if not texts or len(texts) != len(call.arguments) or len(texts) != texts[0].count("%") + 1:
        return None
    values = iter(texts[1:])
    return re.sub("%s", lambda _: next(values), texts[0])


_BEGINNING = re.compile(r"/\^?\(?\.\*([\w:.-]+/?)\)?/")
"""A pattern for all up to a word, as in `replace(arn, "/^(.*provider/)/", "")`: others are not evaluated."""


def _replaced(call: Call) -> str | None:
    """An issuer without `https://`, or what follows a word; an unknown issuer stays unknown."""
    texts = call.texts
    if texts[1:2] == ["https://"]:
        return texts[0].replace("https://", "")
    if call.name == "trimprefix" and len(texts) == 2 and _is_plain(texts[0]):
        return texts[0].removeprefix(texts[1])
    if call.name != "replace" or len(texts) != 3 or is_gap(texts[0]):
        return None
    beginning = _BEGINNING.fullmatch(texts[1])
    if beginning is not None:
        _, word, rest = texts[0].rpartition(beginning[1])
        return f"{texts[2]}{rest}" if word and "$" not in texts[2] else None
    if texts[1][:1] == "/" or not all(map(_is_plain, texts)) or not texts[1]:
        return None
    return call.joined([texts[0].replace(texts[1], texts[2])])


_UNCHANGED = (
    "jsonencode",
    "jsondecode",
    "tostring",
    "toset",
    "tolist",
    "tomap",
    "distinct",
    "sort",
    "trimspace",
    "chomp",
    "one",
)
"""Functions that change the form or the order of a value only."""
_FUNCTIONS: Mapping[str, Callable[[Call], Any]] = {
    **dict.fromkeys(_UNCHANGED, _unchanged),
    **dict.fromkeys(("concat", "flatten", "setunion"), _list),
    "merge": _merged,
    "try": _first_known,
    **dict.fromkeys(("coalesce", "coalescelist"), _coalesced),
    "length": _length,
    "lookup": _lookup,
    "contains": _contains,
    "keys": _keys,
    "values": _values,
    "element": _element,
    "compact": _compact,
    "alltrue": _all_true,
    "anytrue": _any_true,
    **dict.fromkeys(_OF_TEXTS, _of_texts),
    "join": _joined,
    **dict.fromkeys(("file", "templatefile"), _file),
    "format": _formatted,
    "formatlist": _formatted_each,
    **dict.fromkeys(("replace", "trimprefix"), _replaced),
}
