"""`irsa who-can`: its options; the work is in `irsa_cli.usecases.audit`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.audits import ScopeFlags, SourceFlags
from irsa_cli.cli.options.fields import argument, bound, group
from irsa_cli.cli.options.outputs import OutputFlags
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.result import messages_of_reading
from irsa_cli.cli.output.speaking import deliver
from irsa_cli.cli.session import run_reading

_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class WhoCanOptions:
    """The question, and the accounts that it is about."""

    action: str = argument(kind=click.STRING, required=True, metavar="SERVICE:ACTION")
    resource: str | None = argument(kind=click.STRING)
    source: SourceFlags = group(SourceFlags)
    scope: ScopeFlags = group(ScopeFlags)
    output: OutputFlags = group(OutputFlags)


@click.command("who-can", cls=HelpedCommand)
@bound(WhoCanOptions)
def command(options: WhoCanOptions) -> int:
    """List the pods that can perform an AWS action.

    irsa evaluates the policies and permissions boundaries of all roles that pods can assume, directly or
    through other roles. Without RESOURCE, it lists pods that can perform the action on any resource. An
    "if" marks answers that depend on conditions, or on data that could not be read. irsa reads neither
    SCPs nor resource policies.

    Examples:
      irsa who-can s3:DeleteBucket
      irsa who-can s3:GetObject 'arn:aws:s3:::invoices/*'
      irsa who-can iam:PassRole --from account/ -o json
    """
    from irsa_cli.cli.output.results.audit import who_can_lines
    from irsa_cli.core.audit.report import WhoCanReport
    from irsa_cli.usecases.audit.run import ask_who_can

    speaking = options.output.speaking()
    action = options.action
    resource = options.resource or ""
    if not _ACTION.fullmatch(action):
        pattern = "give one action, without wildcards" if "*" in action else "example: s3:GetObject"
        wrong = f"'{action}' is not SERVICE:ACTION ({pattern})"
        raise click.BadParameter(wrong, param_hint="SERVICE:ACTION")
    source = options.source.source()
    allow = options.scope.allowance()
    failed = partial(WhoCanReport, action, resource)
    report = run_reading(
        lambda progress: ask_who_can(source, action, resource, progress.wire, allow), speaking, failed
    )
    lines = who_can_lines(report) if report.error is None else ()
    return deliver(Report(report, lines, messages_of_reading(report.error, report.notes)), speaking)
