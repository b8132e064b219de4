"""`irsa lint`: its options; what it does is in `irsa_cli.usecases.audit.lint`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import audits, common
from irsa_cli.cli.options.types import filled, switch
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.core.trust.rules.rule import Severity

if TYPE_CHECKING:
    from irsa_cli.core.lint.report import LintReport

_EPILOG = """
\b
Examples:
  irsa lint trust-policy.json
  irsa lint cluster.yaml manifests/ --min-severity medium
  irsa lint - < plan.json
  irsa lint cdk.out/ -o sarif > lint.sarif
  irsa lint . --baseline baseline.json --fail-on medium
"""


@click.command("lint", cls=HelpedCommand, epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", callback=filled)
@switch("--skip-unknown", help="Skip a named FILE that is of no known kind (as a pre-commit hook has to).")
@audits.fail_on_option
@common.scope_options
@audits.risk_options()
@switch("-v", "--verbose", help="Show how to fix each risk, and its source.")
def command(**options: Any) -> int:
    """Find in files what would be unsafe in who may become which role, before it is live.

    FILE is a file, a folder, or - for standard input. Reads trust policies (JSON), Terraform's files, what
    terraform show -json prints of a plan, CloudFormation templates (the CDK's cdk.out, too), Kubernetes
    manifests, ClusterConfigs and irsa/v1 files; each is known by its content. Asks nobody, and needs no
    credentials. What is known only when it is deployed is said, and is never called fine. The rules are those
    of irsa audit. Exit code 5: a risk of --fail-on is shown; 2: a file can't be read, or is of no known
    kind; 1: neither, but what is not known yet could be as bad as --fail-on.
    """
    from irsa_cli.cli.output.screens.checked import of_risks
    from irsa_cli.core.lint.report import LintReport
    from irsa_cli.usecases.audit.lint import Request, lint

    speaking = Speaking.take(options)
    baseline, (fail_on, broken) = options["baseline"], options["fail_on"]
    request = Request(
        tuple(dict.fromkeys(options["files"])),
        options["skip_unknown"],
        at_least=Severity(options["min_severity"]),
        fail_on=fail_on,
        baseline=Path(baseline) if baseline else None,
        with_fixes=audits.wants_fixes(speaking),
        fail_on_broken=broken,
        allow=common.take_allowance(options),
    )
    try:  # What commands have around them that ask AWS would import its clients.
        report = lint(request)
    except Exception as error:
        report = LintReport(error=error)
    return deliver(report, of_risks, speaking, lambda: _show(report, speaking))


def _show(report: LintReport, speaking: Speaking) -> None:
    from irsa_cli.cli.output.screens.audit import risk_lines
    from irsa_cli.cli.output.screens.audit_reports import show_report

    lines = iter(()) if report.error else risk_lines(report, evidence=speaking.verbose)
    show_report(report, lines, speaking.output)
