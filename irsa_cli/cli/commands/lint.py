"""`irsa lint`: its options; the work is in `irsa_cli.usecases.audit.lint`."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import audits
from irsa_cli.cli.options.types import filled, shared, switch
from irsa_cli.cli.output.speaking import Speaking, deliver


@click.command("lint", cls=HelpedCommand)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", callback=filled)
@switch("--skip-unknown", help="Skip files of an unknown kind (for pre-commit hooks).")
@audits.fail_on_option
@shared("scope")
@audits.risk_options()
@switch("-v", "--verbose", help="Print the fix and the source of each risk.")
def command(**options: Any) -> int:
    """Check files for risky trust policies.

    FILE is a file, a folder, or - for standard input. irsa reads trust policies, Terraform files and plans
    (terraform show -json), CloudFormation templates, cdk.out, Kubernetes manifests, ClusterConfigs and
    Bindings. lint needs no credentials. Values that are known only after a deployment
    are reported as unknown. The rules are those of irsa audit.

    Exit code 5: there is a risk of --fail-on. Exit code 2: a file cannot be read, or its kind is unknown.
    Exit code 1: there is no such risk, but an unknown value could be one.

    Examples:
      irsa lint trust-policy.json
      irsa lint cluster.yaml manifests/ --min-severity medium
      irsa lint - < plan.json
      irsa lint cdk.out/ -o sarif > lint.sarif
      irsa lint . --baseline baseline.json --fail-on medium
    """
    from irsa_cli.cli.output.results.audit import of_risks
    from irsa_cli.core.lint.report import LintReport
    from irsa_cli.usecases.audit.lint import Request, lint

    speaking = Speaking.take(options)
    files, risks = tuple(dict.fromkeys(options["files"])), audits.take_risks(options, speaking)
    request = Request(files, options["skip_unknown"], **risks)
    try:  # `run_reading` would import the clients of AWS.
        report = lint(request)
    except Exception as error:
        report = LintReport(error=error)
    return deliver(of_risks(report, speaking), speaking)
