"""`irsa audit`: its options; what it does is in `irsa_cli.usecases.audit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.environment import form_of
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import completion
from irsa_cli.cli.options.audits import (
    FORMATS,
    FailOn,
    RiskFlags,
    ScopeFlags,
    SourceFlags,
    fail_on_flag,
    shows_fixes,
)
from irsa_cli.cli.options.contradictions import Excludes, check
from irsa_cli.cli.options.fields import bound, group, once, switch
from irsa_cli.cli.options.kinds import ROLE_ARN, TEXT
from irsa_cli.cli.options.outputs import output_flag, verbose_flag
from irsa_cli.cli.options.values import explained
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import Speaking, deliver, show
from irsa_cli.cli.session import run_reading
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.trust.rules.rule import RULES

if TYPE_CHECKING:
    from irsa_cli.usecases.audit.run import Request


@dataclass(frozen=True, kw_only=True)
class AuditRiskFlags(RiskFlags):
    """The risks of an audit, also as a page."""

    output: str = output_flag(*FORMATS, "html")


@dataclass(frozen=True, kw_only=True)
class AuditOptions:
    """The accounts, and the part of the report that is shown."""

    source: SourceFlags = group(SourceFlags)
    service_account: str | None = once(
        "--service-account",
        kind=TEXT,
        metavar="NS/NAME",
        shell_complete=completion.full_names,
        help="Report this ServiceAccount only: its roles, who can use it, and risks.",
    )
    role: str | None = once(
        "--role", kind=ROLE_ARN, help="Report this role only: who can assume it, and risks."
    )
    reach: bool = switch("--reach", help="Also list the roles that each ServiceAccount can assume.")
    unused_days: int = once(
        "--unused-days",
        kind=click.IntRange(1, 400),
        default=90,
        help="Days until a role counts as unused. [default: 90]",
    )
    risks: AuditRiskFlags = group(AuditRiskFlags)
    fail_on: FailOn = fail_on_flag()
    scope: ScopeFlags = group(ScopeFlags)
    explain: str | None = once(
        "--explain", kind=TEXT, metavar="RULE", help="Explain a rule, without any call; 'all' lists them."
    )
    verbose: bool = verbose_flag("Print the evidence, and each call to AWS and Kubernetes.")


CONTRADICTIONS = (Excludes("service_account", ("role",)),)


@click.command("audit", cls=HelpedCommand)
@bound(AuditOptions)
def command(options: AuditOptions) -> int:
    """Report the roles that pods can assume, and risks.

    irsa reads all roles and OIDC providers of the account, and the ServiceAccounts, pods, RBAC and EKS Pod
    Identity associations of its clusters. It reports broad trust policies, ServiceAccounts that anybody
    can use, annotations that do not match, and unused resources, the most severe first. The last line is
    the scope: what irsa checked and what it could not check. audit changes nothing.

    Exit code 5: there is a risk of --fail-on. Exit code 1: there is none, but something relevant could not
    be read. Exit code 7: there was nothing to check.

    Examples:
      irsa audit
      irsa audit -c prod -c staging --min-severity medium
      irsa audit -o html > audit.html
      irsa audit --service-account backend/s3-reader
      irsa audit --from account/ -o sarif > audit.sarif
      irsa audit -o json > baseline.json; irsa audit --baseline baseline.json --fail-on high
      irsa audit --explain no-subject
    """
    from irsa_cli.cli.output.results.audit import explanation, of_risks, overview, rule_json
    from irsa_cli.core.audit.report import AuditReport
    from irsa_cli.usecases.audit.run import audit

    speaking = options.risks.speaking(verbose=options.verbose)
    identifier = options.explain
    if identifier is not None:
        output = form_of(speaking.output, "json", "yaml")
        rules = explained(identifier, RULES, "rule", output)
        document = Envelope(DocumentKind.RULES, ReadOutcome.OK, items=[*map(rule_json, rules)])
        show(Report(document, overview(rules) if identifier == "all" else explanation(rules[0])), output)
        return 0
    request = _request(options, speaking)
    report = run_reading(lambda progress: audit(request, progress.wire), speaking, AuditReport)
    return deliver(of_risks(report, speaking), speaking)


def _request(options: AuditOptions, speaking: Speaking) -> Request:
    from irsa_cli.core.audit.auditing import AuditScope
    from irsa_cli.usecases.audit.run import Request

    check(options, CONTRADICTIONS)
    account = options.service_account or ""
    if account and (account.count("/") != 1 or not all(account.split("/"))):
        raise click.BadParameter(f"'{account}' is not NAMESPACE/NAME", param_hint="--service-account")
    return Request(
        options.source.source(),
        AuditScope(account, options.role or "", options.unused_days),
        with_paths=options.reach,
        at_least=options.risks.severity,
        fail_on=options.fail_on.severity,
        fail_on_broken=options.fail_on.broken,
        baseline=options.risks.baseline_file,
        allow=options.scope.allowance(),
        with_fixes=shows_fixes(speaking),
    )
