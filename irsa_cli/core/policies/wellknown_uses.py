"""The well-known policies that somebody wants, with their parameters: read, checked, looked at.

A command line names them as `NAME` or `NAME:PARAMETER=VALUE,VALUE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from irsa_cli.core.policies.policy import Values, WellKnown
from irsa_cli.core.policies.wellknown import Resolved, Scope, check_required, get, resolve
from irsa_cli.core.values.errors import InvalidInput

FILLED = ("region", "account", "clusterName")
"""The parameters that a cluster fills."""


def check(use: WellKnown) -> WellKnown:
    """Check the policy's name and its parameters; the cluster's own may be missing."""
    check_required(get(use.name), (*use.parameters, *FILLED))
    return check_given(use)


def check_given(use: WellKnown) -> WellKnown:
    """Check the policy's name and the parameters that are given, whatever is missing."""
    policy = get(use.name)
    name = use.name
    for key, values in use.parameters.items():
        known = policy.parameters.get(key)
        if known is None:
            parameters = ", ".join(policy.parameters) or "none"
            raise InvalidInput(f"{name} has no parameter '{key}'", reason=f"its parameters: {parameters}")
        if not values or (len(values) > 1 and not known.many):
            raise InvalidInput(f"{key} of {name} has {len(values)} values", reason=known.description)
        for value in values:
            if not re.fullmatch(known.pattern, value, re.ASCII):
                raise InvalidInput(
                    f"'{value}' is not valid for {key} of {name}",
                    reason=f"{known.description}, of the form {known.pattern}",
                )
    return use


def sketch(use: WellKnown, partition: str) -> Resolved:
    """The policy to look at: what it needs and was not given stays as it is written in the data."""
    check_given(use)
    open_places = {name: (f"${{{name}}}",) for name in get(use.name).required}
    return resolve([WellKnown(use.name, {**open_places, **use.parameters})], Scope(partition))


def read_uses(texts: Iterable[str]) -> tuple[WellKnown, ...]:
    """The policies that these texts name; a repeated name adds a parameter. Raises `InvalidInput`.

    Without parameters, one text may name several, separated by commas.
    """
    by_name: dict[str, list[str]] = {}
    for text in texts:
        name, colon, parameter = text.partition(":")
        if colon:
            by_name.setdefault(name.strip(), []).append(parameter)
        else:
            for single in filter(None, map(str.strip, text.split(","))):
                by_name.setdefault(single, [])
    return tuple(check(WellKnown(name, read_parameters(pairs))) for name, pairs in by_name.items())


def read_parameters(texts: Iterable[str]) -> Values:
    """`PARAMETER=VALUE,VALUE` texts as parameters; raises `InvalidInput`."""
    parameters: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        values = tuple(dict.fromkeys(filter(None, map(str.strip, value.split(",")))))
        if not equals or not key or not values:
            raise InvalidInput(f"'{text}' is not a parameter", reason="expected PARAMETER=VALUE")
        if parameters.get(key, values) != values:
            raise InvalidInput(f"the parameter {key} is given twice, with different values")
        parameters[key] = values
    return parameters
