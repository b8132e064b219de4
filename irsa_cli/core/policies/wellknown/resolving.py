"""Policies of the catalogue for one cluster: ARNs of managed policies, and documents.

Here is also how a command line names them: `NAME`, or `NAME:PARAMETER=VALUE,VALUE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.wellknown.catalogue import (
    Values,
    WellKnown,
    WellKnownPolicy,
    check,
    check_given,
    get,
)
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.errors import InvalidInput

_PLACE = re.compile(r"\$\{([a-zA-Z]+)\}")
# How the data say that a statement is there only when a parameter is given.
_WHEN = "when"


@dataclass(frozen=True)
class Scope:
    """Where a policy is to be valid; what is empty is not known, and has to be given as a parameter."""

    partition: str
    region: str = ""
    account: str = ""
    cluster: str = ""

    @property
    def values(self) -> Values:
        """The parameters that this fills."""
        known = {"region": self.region, "account": self.account, "clusterName": self.cluster}
        return {name: (value,) for name, value in known.items() if value}


@dataclass(frozen=True)
class Resolved:
    """What goes onto the role: managed policies by ARN, and inline policies by name."""

    policies: tuple[str, ...] = ()
    inline: Mapping[str, Document] = field(default_factory=dict)


def resolve(uses: Iterable[WellKnown], scope: Scope) -> Resolved:
    """All these policies together; raises `InvalidInput` for a parameter that is missing."""
    policies: dict[str, None] = {}
    inline: dict[str, Document] = {}
    for use in uses:
        found = get(use.name)
        policies |= {iam_arn(scope.partition, "aws", f"policy/{item}"): None for item in found.managed}
        statements = _statements(found, use.parameters, scope)
        if statements:
            inline[use.name] = {"Version": "2012-10-17", "Statement": statements}
    return Resolved(tuple(policies), inline)


def sketch(use: WellKnown, partition: str) -> Resolved:
    """The policy to look at: what it needs and was not given stays as it is written in the data."""
    check_given(use)
    open_places = {name: (f"${{{name}}}",) for name in get(use.name).required}
    return resolve([WellKnown(use.name, {**open_places, **use.parameters})], Scope(partition))


def joined(own: Resolved, uses: Iterable[WellKnown], scope: Scope) -> Resolved:
    """A role's own policies and the well-known ones; raises `InvalidInput` when IAM has no room for all."""
    found = resolve(uses, scope)
    twice = set(own.inline) & set(found.inline)
    if twice:
        name = min(twice)
        raise InvalidInput(f"an inline policy has the name of the well-known policy {name}")
    together = Resolved(
        tuple(dict.fromkeys((*own.policies, *found.policies))), {**own.inline, **found.inline}
    )
    if len(together.policies) > policy.MANAGED_LIMIT:
        raise InvalidInput(
            f"{len(together.policies)} managed policies are too many",
            reason=f"IAM takes {policy.MANAGED_LIMIT} a role at most",
        )
    size = sum(policy.size(document) for document in together.inline.values())
    if size > policy.INLINE_LIMIT:
        raise InvalidInput(
            f"the inline policies have {size} characters ({', '.join(together.inline)})",
            reason=f"IAM takes {policy.INLINE_LIMIT} of a role together",
        )
    return together


def _statements(known: WellKnownPolicy, given: Values, scope: Scope) -> list[Document]:
    values = _filled(known, {**scope.values, **given}, scope)
    return [
        {key: _put(value, values) for key, value in statement.items() if key != _WHEN}
        for statement in known.statements
        if statement.get(_WHEN) in (None, *given)
    ]


def _filled(known: WellKnownPolicy, given: Values, scope: Scope) -> Values:
    """All parameters: as given, else as the scope has them, else their defaults, which may name others."""
    values = {"partition": (scope.partition,), **given}
    missing = [name for name in known.required if name not in values]
    if missing:
        reason = known.parameters[missing[0]].description
        raise InvalidInput(f"{known.name} needs the parameter {missing[0]}", reason=reason)
    for name, parameter in known.parameters.items():
        if name not in values:
            values[name] = tuple(_one(text, values) for text in parameter.default)
    return values


def _put(value: Any, values: Values) -> Any:
    """The value with its places filled; in a list, a text becomes one for each value of its parameter."""
    if isinstance(value, Mapping):
        return {_one(key, values): _put(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, values)]
    return _one(value, values) if isinstance(value, str) else value


def _texts(text: str, values: Values) -> Iterator[str]:
    place = next((found for found in _PLACE.finditer(text) if len(values[found[1]]) != 1), None)
    if place is None:
        yield _one(text, values)
        return
    for value in values[place[1]]:
        yield from _texts(text[: place.start()] + value + text[place.end() :], values)


def _one(text: str, values: Values) -> str:
    return _PLACE.sub(lambda found: values[found[1]][0], text)


def read_uses(texts: Iterable[str]) -> tuple[WellKnown, ...]:
    """The policies that these texts name, each once: a name that is repeated adds a parameter.

    Without parameters, one text may name several, separated by commas. Raises `InvalidInput`.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        name, colon, parameter = text.partition(":")
        if colon:
            found.setdefault(name.strip(), []).append(parameter)
        else:
            for item in filter(None, map(str.strip, text.split(","))):
                found.setdefault(item, [])
    return tuple(check(WellKnown(name, read_parameters(pairs))) for name, pairs in found.items())


def read_parameters(texts: Iterable[str]) -> Values:
    """`PARAMETER=VALUE,VALUE` texts as parameters; raises `InvalidInput`."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        values = tuple(dict.fromkeys(filter(None, map(str.strip, value.split(",")))))
        if not equals or not key or not values:
            raise InvalidInput(f"'{text}' is not a parameter", reason="expected PARAMETER=VALUE")
        if found.get(key, values) != values:
            raise InvalidInput(f"the parameter {key} is given twice, with different values")
        found[key] = values
    return found
