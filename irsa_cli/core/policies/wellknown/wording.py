"""Well-known policies as a command line names them: `NAME`, or `NAME:PARAMETER=VALUE,VALUE`."""

from __future__ import annotations

from collections.abc import Iterable

from irsa_cli.core.policies.wellknown.catalogue import Values, WellKnown, check
from irsa_cli.core.values.errors import InvalidInput


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
