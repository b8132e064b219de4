"""The flags that select ServiceAccounts: NAME or --name, -n, -A and -l, the same in all commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from irsa_cli.cli.options import completion
from irsa_cli.cli.options.contradictions import Excludes
from irsa_cli.cli.options.fields import Decorator, Flag, Once, flagged, once, switch
from irsa_cli.cli.options.kinds import NAMESPACE, SERVICE_ACCOUNT, Checked
from irsa_cli.core.values import names

_OPTION = "irsa_cli.name_option"
SELECTOR = Checked("selector", names.selector)


def name_flag(*, kind: click.ParamType[str] = SERVICE_ACCOUNT) -> str | None:
    """NAME, or --name NAME: a ServiceAccount, or a value of `kind`. Two different names are wrong usage."""
    unset: str | None = None
    return flagged(Flag((), lambda _name: _name_or_option(kind, required=False)), unset)


def _needed_name() -> str:
    return flagged(Flag((), lambda _name: _name_or_option(SERVICE_ACCOUNT, required=True)), "")


def _name_or_option(kind: click.ParamType[str], *, required: bool) -> Decorator:
    def keep(context: click.Context, _parameter: click.Parameter, values: Any) -> None:
        # All of `Once` that were given, which are the same.
        context.meta[_OPTION] = values[0] if values else None

    def merge(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        option = context.meta.get(_OPTION)
        if value and option and value != option:
            raise click.UsageError(f"the name is given twice: {value} and --name {option}")
        if required and not value and not option and not context.resilient_parsing:
            raise click.UsageError("Missing argument 'NAME' (the ServiceAccount's name).")
        if option and not value:
            context.set_parameter_source("name", ParameterSource.COMMANDLINE)
        return value or option

    option = click.option(
        "--name",
        "name_option",
        cls=Once,
        type=kind,
        is_eager=True,  # Before NAME, which takes its value.
        expose_value=False,
        callback=keep,
        shell_complete=completion.service_accounts,
        help="Name of the ServiceAccount, the same as NAME.",
    )
    argument = click.argument(
        "name", required=False, type=kind, callback=merge, shell_complete=completion.service_accounts
    )
    return lambda command: argument(option(command))


def namespace_flag(help_text: str) -> str:
    """The field of -n with the default namespace."""
    return once(
        "-n",
        "--namespace",
        kind=NAMESPACE,
        default="default",
        shell_complete=completion.namespaces,
        help=help_text,
    )


def any_namespace_flag(help_text: str) -> str | None:
    """The field of -n without a default."""
    return once("-n", "--namespace", kind=NAMESPACE, shell_complete=completion.namespaces, help=help_text)


def all_namespaces_flag(help_text: str) -> bool:
    """The field of -A."""
    return switch("-A", "--all-namespaces", help=help_text)


def selector_flag() -> str | None:
    """The field of -l."""
    return once(
        "-l",
        "--selector",
        kind=SELECTOR,
        help="Select ServiceAccounts by label, as in kubectl: app=web,tier!=test.",
    )


@dataclass(frozen=True, kw_only=True)
class NameFlags:
    """One ServiceAccount."""

    name: str = _needed_name()
    namespace: str = namespace_flag("Namespace of the ServiceAccount. [default: default]")


NAMESPACE_OR_ALL = Excludes("namespace", ("everywhere",))
NAME_OR_SELECTOR = Excludes("selector", ("name",), "NAME and --selector contradict each other")
