"""`irsa who-can`: its options; what it does is in `irsa_cli.usecases.audit`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.audits import source_options, take_source
from irsa_cli.cli.options.common import output_options
from irsa_cli.cli.output.screens.verify import messages
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.output.text import show_document
from irsa_cli.cli.session import outcome_of
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.wording import put, say
from irsa_cli.core.results.result import Result
from irsa_cli.core.results.verification import VerificationReport

if TYPE_CHECKING:
    from irsa_cli.core.audit.report import WhoCanReport
    from irsa_cli.usecases.audit.run import AuditSource

_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+", re.ASCII | re.IGNORECASE)
_EPILOG = """
\b
Examples:
  irsa who-can s3:DeleteBucket
  irsa who-can s3:GetObject 'arn:aws:s3:::invoices/*'
  irsa who-can iam:PassRole --from account/ -o json
"""


@click.command("who-can", cls=HelpedCommand, epilog=_EPILOG)
@click.argument("action", metavar="SERVICE:ACTION")
@click.argument("resource", required=False, default="")
@source_options
@output_options
def command(**options: Any) -> int:
    """Find out which pods may do something in AWS.

    By the permissions of all roles that they become, directly or by other roles: policies and permissions
    boundary together. Without RESOURCE: on some resource. What hangs on conditions, or on what could not be
    read, is said with an "if". Policies of the organization (SCPs) and of resources are not read. Changes
    nothing.
    """
    speaking = Speaking.take(options)
    if not _ACTION.fullmatch(options["action"]):
        raise click.BadParameter(
            f"'{options['action']}' is not SERVICE:ACTION (example: s3:GetObject)",
            param_hint="SERVICE:ACTION",
        )
    report = _ask(take_source(options), options["action"], options["resource"], speaking)
    _show(report, speaking)
    return int(report.exit_code)


def _ask(source: AuditSource, action: str, resource: str, speaking: Speaking) -> WhoCanReport:
    from irsa_cli.core.audit.report import WhoCanReport
    from irsa_cli.usecases.audit.run import ask_who_can

    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    work = lambda: ask_who_can(source, action, resource, progress.wire)  # noqa: E731
    outcome = outcome_of(work, speaking, progress)
    if isinstance(outcome, Result):
        return WhoCanReport(action, resource, error=outcome.error, signal=outcome.signal)
    return outcome


def _show(report: WhoCanReport, speaking: Speaking) -> None:
    from irsa_cli.cli.output.screens.audit import who_can_lines

    if speaking.output == "text":
        for line in who_can_lines(report) if report.error is None else ():
            put(line)
    else:
        show_document(report.envelope(), speaking.output)
    for note in report.notes:
        say(f"Note: {note}", err=True)
    for line in messages(VerificationReport(None, error=report.error)):
        say(line, err=True)
