"""The options that select ServiceAccounts: NAME or --name, -n, -A and -l, the same in all commands."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from irsa_cli.cli.options.types import NAMESPACE, Checked, Decorator, completed, group, once, shared

_OPTION = "irsa_cli.name_option"


def name_argument(*, required: bool = False, kind: click.ParamType | None = None) -> Decorator:  # type: ignore[type-arg]
    """NAME, or --name NAME: a ServiceAccount, or a value of `kind`. Two different names are wrong usage."""
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
            help="Name of the ServiceAccount, the same as NAME.",
        ),
    )


def namespace_option(
    help_text: str = "Namespace of the ServiceAccount. [default: default]", default: str | None = "default"
) -> Decorator:
    """The ServiceAccount's namespace; the help has the default."""
    return once(
        "-n",
        "--namespace",
        type=NAMESPACE,
        shell_complete=completed("namespaces"),
        default=default,
        help=help_text,
    )


binding_options = group(name_argument(required=True), namespace_option())


def all_namespaces_option(help_text: str) -> Decorator:
    return shared("all namespaces", text=help_text)


ignore_maker_option = shared("ignore maker")
selector_option = shared("selector")


def check_reachable(options: dict[str, Any]) -> None:
    """Refuse an issuer URL without a way to the cluster's API."""
    if options["issuer_url"] and not (options["kubeconfig"] or options["context"]):
        raise click.UsageError("--issuer-url needs --kubeconfig or --context to reach the cluster's API")


def check_many(options: dict[str, Any]) -> None:
    """Refuse contradictions of -n, -A, -l and NAME."""
    if options.get("everywhere") and options.get("namespace"):
        raise click.UsageError("--namespace and --all-namespaces contradict each other")
    if options.get("selector") and options.get("name"):
        raise click.UsageError("NAME and --selector contradict each other")
