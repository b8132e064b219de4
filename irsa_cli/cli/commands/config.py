"""`irsa config`: the settings in force and their origin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click

from irsa_cli.cli.help.environment import PERMITS, PREFIX, variable_of
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound
from irsa_cli.cli.options.outputs import no_headers_flag, output_flag
from irsa_cli.cli.options.values import wrong_usage
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import show
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.terminal.screen import say
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.values.names import did_you_mean
from irsa_cli.usecases.local.kubeconfig import eks_cluster


@dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """The form of the settings."""

    no_headers: bool = no_headers_flag()
    output: str = output_flag("text", "json", "yaml", "name")


@click.command("config", cls=HelpedCommand)
@bound(ConfigOptions)
def command(options: ConfigOptions) -> int:
    """Show the settings in force and their origin.

    The order of precedence: flags, environment variables (IRSA_CLUSTER for --cluster), .irsa.yaml, and the
    kubeconfig's current context if it is an EKS cluster. config calls no service.

    Examples:
      irsa config
      irsa config -o json
    """
    from irsa_cli.usecases.command.project_settings import read_project
    from irsa_cli.usecases.local.settings import settings_in_force

    flags = _flags()
    set_ones = {name: flag for name, flag in flags.items() if os.environ.get(name, "").strip()}
    with wrong_usage():
        project = read_project(Path.cwd())
    settings = [*settings_in_force(os.environ, project, eks_cluster(), set_ones)]
    notes = [*_notes(flags)]
    rows = []
    for setting in settings:
        origin = setting.where or setting.origin.value
        rows.append((setting.name, setting.value or "-", origin))
    documents = [setting.to_json() for setting in settings]
    document = Envelope(DocumentKind.SETTINGS, ReadOutcome.OK, items=documents, notes=notes)
    table = Table.of(("SETTING", "VALUE", "FROM"), rows, headless=options.no_headers)
    show(Report(document, [table]), options.output)
    for note in notes:
        say(f"Note: {note}", err=True)
    return 0


def _flags() -> dict[str, str]:
    """The flags by their variables."""
    context = click.get_current_context().find_root()
    irsa = cast("click.Group", context.command)
    flags: dict[str, str] = {}
    for name in irsa.list_commands(context):
        command = irsa.get_command(context, name)
        assert command is not None
        for option in command.params:
            if variable := variable_of(name, option):
                flags.setdefault(variable, next(text for text in option.opts if text.startswith("--")))
    return flags


def _notes(options: dict[str, str]) -> Iterator[str]:
    """Notes about variables with irsa's prefix that have no meaning."""
    from irsa_cli.usecases.local.settings import MEANT_ELSEWHERE

    flags = {f"{PREFIX}{name.upper()}" for name in PERMITS} | {f"{PREFIX}APPROVE", f"{PREFIX}ALL"}
    for name in sorted(os.environ):
        if not name.startswith(PREFIX) or name in options or name in MEANT_ELSEWHERE:
            continue
        if name in flags:
            yield f"{name} is ignored: use the flag on the command line"
        else:
            hint = did_you_mean(name, options)
            yield f"{name} is not a variable of irsa{f' ({hint})' if hint else ''}"
