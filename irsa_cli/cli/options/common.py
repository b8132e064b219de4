"""The options that several commands share.

Those that select ServiceAccounts (NAME or --name, -n, -A and -l) are the same in all commands.
Values are checked by the rules of `irsa_cli.core` before any call: bad input ends with exit code 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.options import types
from irsa_cli.cli.options.types import Checked, Decorator, completed, group, once, shared

if TYPE_CHECKING:
    from irsa_cli.cli.terminal.progress import Progress
    from irsa_cli.usecases.command.settings import LockOptions, Settings


def pairs(flag: str, values: Sequence[str], *, split: bool = False) -> dict[str, str]:
    """`key=value` texts as a dict; with `split` one text may hold several, separated by commas."""
    result: dict[str, str] = {}
    if split and (form := next((value for value in values if value.startswith(("{", "Key="))), "")):
        raise click.BadParameter(f"'{form}' is not KEY=VALUE", param_hint=flag)
    parts = [part for value in values for part in (value.split(",") if split else [value]) if part]
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{part}' is not KEY=VALUE", param_hint=flag)
        if result.get(key, value) != value:
            raise click.BadParameter(f"'{key}' is given twice, with different values", param_hint=flag)
        result[key] = value
    return result


def listed(values: Sequence[str]) -> tuple[str, ...]:
    """The values of a repeated flag or a comma-separated list, each once, in order."""
    return tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))


def output_option(*forms: str) -> types.Decorator:
    return types.once(
        "-o", "--output", type=click.Choice(forms), default="text", help="Output format. [default: text]"
    )


_FORMS = ("text", "json", "yaml", "name")
output_options = types.group(output_option(*_FORMS), shared("speaking"))
reported_output_options = types.group(
    output_option(*_FORMS, "markdown", "github"), shared("speaking", "report")
)
"""The output of a command whose result pipelines also read."""
writing_options = types.group(shared("run"), reported_output_options)
"""The run and the output of a command that writes."""


def take_lock_options(options: dict[str, Any]) -> LockOptions:
    """Take the options `lock`; the defaults are those of `.irsa.yaml`."""
    from irsa_cli.usecases.command.project_settings import lock_options

    with types.wrong_usage():
        return lock_options(
            namespace=options.pop("lock_namespace"),
            timeout=options.pop("lock_timeout"),
            enabled=options.pop("lock"),
        )


def take_lock_namespace(options: dict[str, Any]) -> str:
    """Take the option `lock namespace`, the namespace of the locks."""
    return take_lock_options({**options, "lock_timeout": None, "lock": None}).namespace


def take_settings(options: dict[str, Any], progress: Progress) -> tuple[Settings, bool]:
    """Take the options `run`; the second value is whether changes give exit code 6."""
    from irsa_cli.cli.output.plan_text import Confirmation
    from irsa_cli.usecases.command.settings import Settings

    lock = take_lock_options(options)
    detailed = options.pop("detailed_exitcode")
    progress.seconds = options["timeout"]
    confirmation = Confirmation(progress, yes=options.pop("yes"), dry_run=options["dry_run"])
    settings = Settings(
        state_dir=state_dir(options.pop("state_dir")),
        timeout=options.pop("timeout"),
        rollback_timeout=options.pop("rollback_timeout"),
        dry_run=options.pop("dry_run"),
        listen=progress.listen,
        note=progress.note,
        lock=lock,
        allow_access_change=options["allow_access_change"],
        saves=bool(options.get("out")),
        asks=confirmation.asks,
        confirm_plan=confirmation.of_plan,
        confirm_names=confirmation.of_names,
    )
    if detailed and not settings.dry_run:
        raise click.UsageError("--detailed-exitcode needs --dry-run")
    if options.get("out") and not settings.dry_run:
        raise click.UsageError("--out needs --dry-run: it saves what would be done")
    return settings, detailed


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


_NAMESPACE = "Namespace of the ServiceAccount. [default: default]"
binding_options = group(name_argument(required=True), shared("namespace", text=_NAMESPACE))


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
