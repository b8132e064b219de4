"""The options that say which ServiceAccounts a command is about: one by its name, or many.

One rule for all commands: NAME and --name are the same, -n is a namespace, -A all of them, -l a selector of
labels. What several of them mean together is checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from irsa_cli.cli.help.completing import completed
from irsa_cli.cli.options.common import Checked, Once

F = TypeVar("F", bound=Callable[..., Any])
_OPTION = "irsa_cli.name_option"


def name_argument(*, required: bool = False, kind: click.ParamType | None = None) -> Callable[[F], F]:  # type: ignore[type-arg]
    """NAME, or --name NAME: the ServiceAccount's, or what `kind` reads. Both, and different: wrong usage."""
    checked = kind or Checked("name", "names.service_account")

    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        context.meta[_OPTION] = (
            value[0] if value else None
        )  # All of `Once` that were given, which are the same.

    def merge(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        option = context.meta.get(_OPTION)
        if value and option and value != option:
            raise click.UsageError(f"the name is given twice: {value} and --name {option}")
        if required and not value and not option and not context.resilient_parsing:
            raise click.UsageError("Missing argument 'NAME' (the ServiceAccount's name).")
        if option and not value:
            context.set_parameter_source("name", ParameterSource.COMMANDLINE)
        return value or option

    def decorated(function: F) -> F:
        option = click.option(
            "--name",
            "name_option",
            cls=Once,
            type=checked,
            is_eager=True,  # Before NAME, which takes its value.
            expose_value=False,
            callback=keep,
            shell_complete=completed("accounts"),
            help="Name of the ServiceAccount, as NAME.",
        )
        argument = click.argument(
            "name", required=False, type=checked, callback=merge, shell_complete=completed("accounts")
        )
        return argument(option(function))

    return decorated


def namespace_option(
    help_text: str = "Its namespace. [default: default]", default: str | None = "default"
) -> Callable[[F], F]:
    """The ServiceAccount's namespace; what it is without the option is said in the text."""
    return click.option(
        "-n",
        "--namespace",
        cls=Once,
        type=Checked("namespace", "names.namespace"),
        shell_complete=completed("namespaces"),
        default=default,
        help=help_text,
    )


def binding_options(function: F) -> F:
    """Which ServiceAccount: NAME or --name, and --namespace."""
    return name_argument(required=True)(namespace_option()(function))


def all_namespaces_option(help_text: str) -> Callable[[F], F]:
    """All namespaces; what that means beside NAME is said in the text."""
    return click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help=help_text)


ignore_maker_option = click.option(
    "--ignore-maker", is_flag=True, help="Also if another tool may manage the role, by its name or tags."
)

selector_option = click.option(
    "-l",
    "--selector",
    cls=Once,
    type=Checked("selector", "names.selector"),
    help="Only ServiceAccounts with these labels, as kubectl has it: app=web,tier!=test,env in (a,b).",
)


def check_many(options: dict[str, Any]) -> None:
    """What contradicts itself of -n, -A, -l and NAME is wrong usage."""
    if options.get("everywhere") and options.get("namespace"):
        raise click.UsageError("--namespace and --all-namespaces contradict each other")
    if options.get("selector") and options.get("name"):
        raise click.UsageError("--selector is for many ServiceAccounts: it contradicts NAME")
