"""Options of a command as a class: each field declares its flag, and click's values become an object.

    @dataclass(frozen=True, kw_only=True)
    class Options:
        cluster: Cluster = group(Cluster)
        role_name: str | None = once("--role-name", kind=ROLE_NAME, help="Name of the role.")
        force: bool = switch("--force", help="Delete the role even if it may be in use.")

    @click.command("delete-sa", cls=HelpedCommand)
    @bound(Options)
    def command(options: Options) -> int: ...

The name of a field is that of click's parameter, and the order of the fields is that of the help. mypy
compares the type of a field with the kind of its values. A default of the class is that of the command line,
so one command can create the options of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, overload

import click

from irsa_cli.cli.options.completion import Completer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from typing_extensions import Unpack

T = TypeVar("T")
R = TypeVar("R")
OptionsT = TypeVar("OptionsT", bound="DataclassInstance")
Decorator = Callable[[Any], Any]
"""Adds parameters of click to a command."""


class Details(TypedDict, total=False):
    """More about an option: its help, the name of its value, its completion and variable."""

    help: str
    metavar: str
    callback: Callable[[click.Context, click.Parameter, Any], Any]
    shell_complete: Completer
    envvar: str


class Once(click.Option):
    """An option that may be given once; twice with different values is a contradiction, not an override."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        self.fallback = attributes.pop("default", None)
        super().__init__(*args, **{**attributes, "multiple": True})

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """The variable's text as one value: a path may have a colon in it."""
        text = self.resolve_envvar_value(ctx)
        if text is None or not text.strip():
            return None
        if self.name == "output" and text not in getattr(self.type, "choices", ()):
            click.echo(f"Note: {self.envvar}={text} is ignored: not a format of this command", err=True)
            return None
        return (text,)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The one value that was given, else the default."""
        values = super().process_value(ctx, value)
        if not values:
            return self.fallback
        if any(other != values[0] for other in values[1:]):
            shown = ", ".join(map(str, values))
            raise click.BadParameter(
                f"given more than once, with different values: {shown}", ctx=ctx, param=self
            )
        return values[0]


@dataclass(frozen=True)
class Flag:
    """The flag of a field: its texts (an argument has none), and a function that declares it to click.

    The function takes the name of the field.
    """

    texts: tuple[str, ...]
    declare: Callable[[str], Decorator]

    @property
    def text(self) -> str:
        """The first long form, as messages name it; '' for an argument."""
        long = [text.partition("/")[0] for text in self.texts if text.startswith("--")]
        return long[0] if long else ""


def flagged(flag: Flag, default: T) -> T:
    """A field with a flag."""
    return field(default=default, metadata={"flag": flag})


def _option(texts: tuple[str, ...], unset: T, **attributes: Any) -> T:
    return flagged(Flag(texts, lambda name: click.option(name, *texts, **attributes)), unset)


@overload
def once(*flags: str, kind: click.ParamType[T], default: T, **shown: Unpack[Details]) -> T: ...


@overload
def once(*flags: str, kind: click.ParamType[T], required: Literal[True], **shown: Unpack[Details]) -> T: ...


@overload
def once(*flags: str, kind: click.ParamType[T], **shown: Unpack[Details]) -> T | None: ...


def once(
    *flags: str,
    kind: click.ParamType[Any],
    default: object = None,
    required: bool = False,
    **shown: Unpack[Details],
) -> object:
    """An option with one value; None if it is not given and has no default."""
    return _option(flags, default, cls=Once, type=kind, default=default, required=required, **shown)


def many(
    *flags: str, kind: click.ParamType[T], required: bool = False, **shown: Unpack[Details]
) -> tuple[T, ...]:
    """An option that may be repeated."""
    none: tuple[T, ...] = ()
    return _option(flags, none, multiple=True, type=kind, required=required, **shown)


def switch(*flags: str, **shown: Unpack[Details]) -> bool:
    """An option without a value."""
    return _option(flags, unset=False, is_flag=True, **shown)


@overload
def either(flags: str, *, default: bool, **shown: Unpack[Details]) -> bool: ...


@overload
def either(flags: str, **shown: Unpack[Details]) -> bool | None: ...


def either(flags: str, *, default: bool | None = None, **shown: Unpack[Details]) -> bool | None:
    """An option `--this/--no-this`; None if neither is given and there is no default."""
    return _option((flags,), default, default=default, **shown)


@overload
def argument(
    *, kind: click.ParamType[T], required: Literal[True], metavar: str = "", complete: Completer | None = None
) -> T: ...


@overload
def argument(
    *, kind: click.ParamType[T], metavar: str = "", complete: Completer | None = None
) -> T | None: ...


def argument(
    *,
    kind: click.ParamType[Any],
    required: bool = False,
    metavar: str = "",
    complete: Completer | None = None,
) -> object:
    """A value without a flag."""
    return _argument(None, type=kind, required=required, metavar=metavar or None, shell_complete=complete)


def arguments(
    *,
    kind: click.ParamType[T],
    metavar: str,
    required: bool = False,
    complete: Completer | None = None,
) -> tuple[T, ...]:
    """Any number of values without a flag."""
    none: tuple[T, ...] = ()
    return _argument(none, nargs=-1, type=kind, required=required, metavar=metavar, shell_complete=complete)


def _argument(unset: T, **attributes: Any) -> T:
    return flagged(Flag((), lambda name: click.argument(name, **attributes)), unset)


def group(options: Callable[[], T]) -> T:
    """The fields of another class, with their flags."""
    return field(default_factory=options, metadata={"group": options})


def bound(options: type[OptionsT]) -> Callable[[Callable[[OptionsT], R]], Callable[..., R]]:
    """Declare the flags of a class to click; the command is called with an object of this class."""

    def decorated(command: Callable[[OptionsT], R]) -> Callable[..., R]:
        @wraps(command)
        def called(**values: object) -> R:
            return command(made(options, values))

        function: Callable[..., R] = called
        for name, flag in reversed([*flags_of(options)]):
            function = flag.declare(name)(function)
        return function

    return decorated


def flags_of(options: type[DataclassInstance]) -> Iterator[tuple[str, Flag]]:
    """The flags of a class by the names of their fields, with those of its groups."""
    for attribute in fields(options):
        if "group" in attribute.metadata:
            yield from flags_of(attribute.metadata["group"])
        elif "flag" in attribute.metadata:
            yield attribute.name, attribute.metadata["flag"]


def made(options: type[OptionsT], values: Mapping[str, object]) -> OptionsT:
    """An object of a class from click's values, each under the name of its field."""
    own: dict[str, object] = {}
    for attribute in fields(options):
        if "group" in attribute.metadata:
            own[attribute.name] = made(attribute.metadata["group"], values)
        elif attribute.name in values:
            own[attribute.name] = values[attribute.name]
    make: Callable[..., OptionsT] = options
    return make(**own)


def values_of(options: DataclassInstance) -> Iterator[tuple[str, object]]:
    """The values of the fields with a flag, with those of groups."""
    for attribute in fields(options):
        value = getattr(options, attribute.name)
        if "group" in attribute.metadata:
            yield from values_of(value)
        elif "flag" in attribute.metadata:
            yield attribute.name, value
