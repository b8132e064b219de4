"""The types of option values, their completion, and the decorators for options."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.help.helping import DOCUMENT, alike
from irsa_cli.cli.output.report import DOCUMENTS
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.limits import seconds_of

T = TypeVar("T")
Decorator = Callable[[Any], Any]
"""A decorator that adds options to a command."""


class Once(click.Option):
    """An option that may be given once; twice with different values is a contradiction, not an override."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        self.fallback = attributes.pop("default", None)
        super().__init__(*args, **{**attributes, "multiple": True})

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """The variable's text as one value: a path may have a colon in it."""
        found = self.resolve_envvar_value(ctx)
        if found is None or not found.strip():
            return None
        if self.name == "output" and found not in getattr(self.type, "choices", ()):
            click.echo(f"Note: {self.envvar}={found} is ignored: not a format of this command", err=True)
            return None
        return (found,)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The one value that was given, else the default."""
        given = super().process_value(ctx, value)
        if not given:
            return self.fallback
        if any(item != given[0] for item in given[1:]):
            shown = ", ".join(str(item) for item in given)
            raise click.BadParameter(
                f"given more than once, with different values: {shown}", ctx=ctx, param=self
            )
        return given[0]


EMPTY = "it is empty (is a variable not set?)"


def filled(_context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Refuse empty values, as a callback of click: they come from variables that are not set."""
    for text in (value,) if isinstance(value, str) else value or ():
        if not text.strip(" ,"):
            raise click.BadParameter(EMPTY, param=parameter)
    return value


once = partial(click.option, cls=Once)
"""An option with one value."""
once_filled = partial(once, callback=filled)
"""An option with one text, which is not empty."""
many = partial(click.option, multiple=True)
"""An option that may be repeated."""
many_filled = partial(many, callback=filled)
"""An option that may be repeated, with texts that are not empty."""
switch = partial(click.option, is_flag=True)


def group(*options: Decorator) -> Decorator:
    """Several options as one decorator; `--help` shows them in this order."""

    def decorated(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


def explained(identifier: str, known: Mapping[str, T], what: str, output: str) -> list[T]:
    """The rules or causes of --explain: one by its id, or 'all'."""
    if identifier != "all" and identifier not in known:
        hint = alike(identifier, known) or "To list them: --explain all"
        raise click.BadParameter(f"there is no {what} '{identifier}'. {hint}", param_hint="--explain")
    if output not in ("text", "name", *DOCUMENTS):
        raise click.UsageError("--explain needs -o text, json or yaml")
    return list(known.values()) if identifier == "all" else [known[identifier]]


@contextmanager
def wrong_usage(hint: str = "") -> Iterator[None]:
    """Turn an invalid value into click's error about the option `hint`."""
    try:
        yield
    except InvalidInput as error:
        if hint:
            raise click.BadParameter(str(error), param_hint=hint) from error
        raise click.UsageError(str(error)) from error


_OFTEN_LISTED = ("names.service_account", "names.namespace", "names.cluster")


class Checked(click.ParamType):  # type: ignore[type-arg]
    """A text that a function of `irsa_cli.core.values` checks and converts."""

    def __init__(self, name: str, check: str) -> None:
        self.name = name
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the value; the rule's message becomes click's error."""
        try:
            return _find(self._check)(value)
        except InvalidInput as error:
            message = str(error)
            if not str(value).strip():
                message = EMPTY
            elif self._check in _OFTEN_LISTED and re.search(r"[,\s]", str(value).strip()):
                message = f"'{value}' is a list; give one {self.name}"
            elif str(value).startswith(("arn:", "system:")) and self.name == "name":
                message = f"'{value}' is not a name; give the name only"
            elif self._check in ("arn.check_role", "arn.check_target") and re.fullmatch(r"[\w+=.@-]+", value):
                message = f"'{value}' is not an ARN. To find it: aws iam get-role --role-name {value}"
            elif self._check == "arn.check_policy" and re.fullmatch(r"[\w+=.@-]+", value):
                message = f"'{value}' is not an ARN. For a policy of AWS: arn:aws:iam::aws:policy/{value}"
            self.fail(message, param, ctx)


def _find(path: str) -> Callable[[Any], Any]:
    """A function of `irsa_cli.core.values`, imported when a value is checked and not for `--help`."""
    module, _, name = path.rpartition(".")
    function: Callable[[Any], Any] = getattr(importlib.import_module(f"irsa_cli.core.values.{module}"), name)
    return function


ROLE_ARN = Checked("arn", "arn.check_role")
POLICY_ARN = Checked("arn", "arn.check_policy")
ROLE_NAME = Checked("name", "names.role")
AUDIENCE = Checked("audience", "names.audience")


class Duration(click.ParamType):  # type: ignore[type-arg]
    """Seconds, or a duration as Go writes it (`90s`, `25m`, `1h30m`); converted to seconds."""

    name = "duration"

    def __init__(self, *, zero: bool = False, within: tuple[str, str] | None = None) -> None:
        """`zero` allows 0; `within` is the shortest and the longest duration, in whole seconds."""
        self._zero = zero
        self._within = within

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        total = seconds_of(str(value))
        if total is None:
            self.fail(f"'{value}' is not a duration (examples: 90s, 25m, 1h30m)", param, ctx)
        if self._within is not None:
            least, most = (seconds_of(text) or 0.0 for text in self._within)
            if not least <= total <= most or total != int(total):
                self.fail(f"'{value}' is not between {' and '.join(self._within)}", param, ctx)
            return int(total)
        if not 0 < total <= 86400 and not (self._zero and total == 0):
            self.fail(f"'{value}' is not between 0 and 24 hours", param, ctx)
        return total


DURATION = Duration()


class Age(click.ParamType):  # type: ignore[type-arg]
    """A duration of days (`30d`), or one as Go writes it; converted to seconds, at `least` so many."""

    name = "duration"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the duration."""
        days = re.fullmatch(r"([0-9]{1,4})d", str(value), re.ASCII)
        total = int(days[1]) * 86400.0 if days else seconds_of(str(value))
        if total is None:
            self.fail(f"'{value}' is not a duration (examples: 30d, 36h, 90m)", param, ctx)
        if total < self._least:
            self.fail(f"'{value}' is less than {self._least / 3600:.0f}h", param, ctx)
        return total


class PolicyFile(click.Path):
    """The name of a file with a policy document, or `-`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse a document."""
        if str(value).lstrip().startswith("{"):
            self.fail(DOCUMENT, param, ctx)
        return super().convert(value, param, ctx)


Completer = Callable[[click.Context, click.Parameter, str], "list[str]"]


def completed(kind: str) -> Completer:
    """The completion of a kind of value: clusters, regions, namespaces, accounts, profiles, policies."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        try:
            names = dict.fromkeys(_names(kind, context))
            return [name for name in names if name.startswith(incomplete)]
        except Exception:
            return []

    return complete


def _names(kind: str, context: click.Context) -> Sequence[str]:
    if kind.endswith("policies"):
        from irsa_cli.core.policies import wellknown

        return AWS_MANAGED.split() if kind == "managed policies" else wellknown.names()
    from irsa_cli.usecases.local import known_names

    state = state_dir(context.params.get("state_dir") or os.environ.get("IRSA_STATE_DIR"))
    if kind == "profiles":
        return known_names.profiles()
    if kind == "regions":
        return known_names.regions(state)
    if kind == "clusters":
        return known_names.clusters(state)
    cluster = context.params.get("cluster") or known_names.cluster_in_force()
    if kind == "namespaces":
        return known_names.namespaces(state, cluster)
    found = known_names.accounts(state, cluster)
    if kind == "places":
        return found
    namespace = context.params.get("namespace") or "default"
    if context.get_parameter_source("namespace") is ParameterSource.DEFAULT:
        namespace = known_names.namespace_in_force()
    return [name.partition("/")[2] for name in found if name.startswith(f"{namespace}/")]


_TYPES: Mapping[str, Callable[..., Any]] = {
    "checked": Checked,
    "duration": lambda *within: Duration(zero=within == ("0",), within=within if len(within) == 2 else None),
    "number": lambda least, most=None: click.IntRange(int(least), None if most is None else int(most)),
    "decimal": lambda least, most: click.FloatRange(int(least), int(most)),
    "integer": lambda: click.INT,
    "choice": lambda *words: click.Choice(words),
    "path": lambda: click.Path(exists=True),
    "file": lambda: click.Path(exists=True, dir_okay=False),
    "output": lambda: click.Path(dir_okay=False),
    "policy": lambda: PolicyFile(exists=True, dir_okay=False, allow_dash=True),
    "folder": lambda: click.Path(file_okay=False),
}
"""The types in `shared.json` by their first word; the others are arguments."""
_KINDS: Mapping[str, Callable[..., Decorator]] = {
    "once": once,
    "many": many,
    "switch": switch,
    "option": click.option,
}
_SHARED: Mapping[str, Sequence[Any]] = json.loads(pkgutil.get_data(__package__, "shared.json") or b"")


def shared(*names: str, **words: str) -> Decorator:
    """The options of groups in `shared.json`: rows, or names of groups. `words` go into their help."""
    return group(*(_option(row, words) for name in names for row in _SHARED[name]))


def _option(row: str | Mapping[str, Any], words: Mapping[str, str]) -> Decorator:
    """An option. Its first key is its kind, with the flags; `filled` refuses empty texts."""
    if isinstance(row, str):
        return shared(row, **words)
    (kind, flags), *others = row.items()
    more = dict(others)
    region = "" if "more" in words else " [default: as in the AWS CLI]"
    more["help"] = more["help"].format_map({"more": "", "region": region, **words})
    if more.pop("filled", False):
        more["callback"] = filled
    if "type" in more:
        first, *arguments = more["type"].split()
        more["type"] = _TYPES[first](*arguments)
    if "completes" in more:
        more["shell_complete"] = completed(more.pop("completes"))
    decorator: Decorator = _KINDS[kind](*flags.split(), **more)
    return decorator


AWS_MANAGED = (
    "AmazonDynamoDBFullAccess AmazonDynamoDBReadOnlyAccess AmazonEC2ContainerRegistryReadOnly"
    " AmazonEC2ReadOnlyAccess AmazonKinesisFullAccess"
    " AmazonKinesisReadOnlyAccess AmazonRDSReadOnlyAccess AmazonRoute53FullAccess"
    " AmazonRoute53ReadOnlyAccess AmazonS3FullAccess AmazonS3ReadOnlyAccess AmazonSESFullAccess"
    " AmazonSNSFullAccess AmazonSNSReadOnlyAccess AmazonSQSFullAccess AmazonSQSReadOnlyAccess"
    " AmazonSSMReadOnlyAccess CloudWatchAgentServerPolicy CloudWatchLogsFullAccess"
    " CloudWatchReadOnlyAccess ReadOnlyAccess SecretsManagerReadWrite"
    " service-role/AmazonEBSCSIDriverPolicy service-role/AmazonEFSCSIDriverPolicy"
)
"""Managed policies of AWS that workloads often have, for completion; others are found by name as well."""
