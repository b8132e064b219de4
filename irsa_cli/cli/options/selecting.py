"""The options that say which ServiceAccounts a command is about: one by its name, or many.

One rule for all commands: NAME and --name are the same, -n is a namespace, -A all of them, -l a selector of
labels. What several of them mean together is checked here.
"""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from irsa_cli.cli.options.types import NAMESPACE, Checked, Decorator, completed, group, once, switch

_OPTION = "irsa_cli.name_option"


def name_argument(*, required: bool = False, kind: click.ParamType | None = None) -> Decorator:  # type: ignore[type-arg]
    """NAME, or --name NAME: the ServiceAccount's, or what `kind` reads. Both, and different: wrong usage."""
    checked = kind or Checked("name", "names.service_account")

    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        # All of `Once` that were given, which are the same.
        context.meta[_OPTION] = value[0] if value else None

    def merge(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        option = context.meta.get(_OPTION)
        if value and option and value != option:
            raise click.UsageError(f"the name is given twice: {value} and --name {option}")
        if required and not value and not option and not context.resilient_parsing:
            raise click.UsageError("Missing argument 'NAME' (the ServiceAccount's name).")
        if option and not value:
            context.set_parameter_source("name", ParameterSource.COMMANDLINE)
        return value or option

    return group(
        click.argument(
            "name", required=False, type=checked, callback=merge, shell_complete=completed("accounts")
        ),
        once(
            "--name",
            "name_option",
            type=checked,
            is_eager=True,  # Before NAME, which takes its value.
            expose_value=False,
            callback=keep,
            shell_complete=completed("accounts"),
            help="Name of the ServiceAccount, as NAME.",
        ),
    )


def namespace_option(
    help_text: str = "Its namespace. [default: default]", default: str | None = "default"
) -> Decorator:
    """The ServiceAccount's namespace; what it is without the option is said in the text."""
    return once(
        "-n",
        "--namespace",
        type=NAMESPACE,
        shell_complete=completed("namespaces"),
        default=default,
        help=help_text,
    )


binding_options = group(name_argument(required=True), namespace_option())
"""Which ServiceAccount: NAME or --name, and --namespace."""


def all_namespaces_option(help_text: str) -> Decorator:
    """All namespaces; what that means beside NAME is said in the text."""
    return switch("-A", "--all-namespaces", "everywhere", help=help_text)


ignore_maker_option = switch(
    "--ignore-maker", help="Also if another tool may manage the role, by its name or tags."
)

selector_option = once(
    "-l",
    "--selector",
    type=Checked("selector", "names.selector"),
    help="Only ServiceAccounts with these labels, as kubectl has it: app=web,tier!=test,env in (a,b).",
)


def check_reachable(options: dict[str, Any]) -> None:
    """Wrong usage for the issuer of a cluster whose API can't be reached."""
    if options["issuer_url"] and not (options["kubeconfig"] or options["context"]):
        raise click.UsageError("--issuer-url needs --kubeconfig or --context, to reach the cluster's API")


def check_many(options: dict[str, Any]) -> None:
    """What contradicts itself of -n, -A, -l and NAME is wrong usage."""
    if options.get("everywhere") and options.get("namespace"):
        raise click.UsageError("--namespace and --all-namespaces contradict each other")
    if options.get("selector") and options.get("name"):
        raise click.UsageError("--selector is for many ServiceAccounts: it contradicts NAME")
