"""Terraform's functions, as far as they keep what a trust policy says: the rest of them give a gap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.lint.budget import Budget
from irsa_cli.core.lint.found import as_dict, is_gap
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
        if not isinstance(argument, dict):
            return None
        call.budget.spend(len(argument))
        merged.update(argument)
    return merged


def _first_known(call: Call) -> Any:
    if is_gap(call.first) or call.first == "":
        return None
    return call.first


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


def _without_scheme(call: Call) -> str | None:
    """An issuer without `https://`: an unknown one stays unknown."""
    if call.texts[1:2] != ["https://"]:
        return None
    return call.texts[0].replace("https://", "")


_UNCHANGED = (
    "jsonencode",
    "jsondecode",
    "tostring",
    "toset",
    "tolist",
    "tomap",
    "compact",
    "distinct",
    "sort",
    "trimspace",
    "chomp",
    "one",
)
"""Functions that change the form or the order of a value only."""
_FUNCTIONS: Mapping[str, Callable[[Call], Any]] = {
    **dict.fromkeys(_UNCHANGED, _unchanged),
    **dict.fromkeys(("concat", "flatten"), _list),
    "merge": _merged,
    **dict.fromkeys(("try", "coalesce"), _first_known),
    "join": _joined,
    **dict.fromkeys(("file", "templatefile"), _file),
    "format": _formatted,
    **dict.fromkeys(("replace", "trimprefix"), _without_scheme),
}
