"""`irsa lint`: its options; the work is in `irsa_cli.usecases.audit.lint`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.audits import FailOn, RiskFlags, ScopeFlags, fail_on_flag, shows_fixes
from irsa_cli.cli.options.fields import arguments, bound, group, many, switch
from irsa_cli.cli.options.kinds import TEXT
from irsa_cli.cli.options.outputs import verbose_flag
from irsa_cli.cli.output.speaking import deliver


@dataclass(frozen=True, kw_only=True)
class LintOptions:
    """The files, and the risks that are reported."""

    files: tuple[str, ...] = arguments(kind=TEXT, required=True, metavar="FILE...")
    skip_unknown: bool = switch(
        "--skip-unknown", help="Skip files of an unknown kind (for pre-commit hooks)."
    )
    exclude: tuple[str, ...] = many(
        "--exclude", kind=TEXT, metavar="GLOB", help="Skip files and folders that match this pattern."
    )
    fail_on: FailOn = fail_on_flag()
    scope: ScopeFlags = group(ScopeFlags)
    risks: RiskFlags = group(RiskFlags)
    verbose: bool = verbose_flag("Print the fix and the source of each risk.")


@click.command("lint", cls=HelpedCommand)
@bound(LintOptions)
def command(options: LintOptions) -> int:
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
      irsa lint . --exclude test --baseline baseline.json --fail-on medium
    """
    from irsa_cli.cli.output.results.audit import of_risks
    from irsa_cli.core.lint.report import LintReport
    from irsa_cli.usecases.audit.lint import Request, lint

    speaking = options.risks.speaking(verbose=options.verbose)
    request = Request(
        tuple(dict.fromkeys(options.files)),
        options.skip_unknown,
        options.exclude,
        at_least=options.risks.severity,
        fail_on=options.fail_on.severity,
        fail_on_broken=options.fail_on.broken,
        baseline=options.risks.baseline_file,
        allow=options.scope.allowance(),
        with_fixes=shows_fixes(speaking),
    )
    try:  # `run_reading` would import the clients of AWS.
        report = lint(request)
    except Exception as error:
        report = LintReport(error=error)
    return deliver(of_risks(report, speaking), speaking)
