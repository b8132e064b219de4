"""`irsa audit`: its options; what it does is in `irsa_cli.usecases.audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.environment import form_of
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import audits
from irsa_cli.cli.options.types import ROLE_ARN, completed, explained, once, once_filled, shared, switch
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import Speaking, deliver, show
from irsa_cli.cli.session import run_reading
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.trust.rules.rule import RULES

if TYPE_CHECKING:
    from irsa_cli.usecases.audit.run import Request


@click.command("audit", cls=HelpedCommand)
@shared("source")
@once_filled(
    "--service-account",
    metavar="NS/NAME",
    shell_complete=completed("places"),
    help="Report this ServiceAccount only: its roles, who can use it, and risks.",
)
@once("--role", type=ROLE_ARN, help="Report this role only: who can assume it, and risks.")
@switch("--reach", help="Also list the roles that each ServiceAccount can assume.")
@once(
    "--unused-days",
    type=click.IntRange(1, 400),
    default=90,
    help="Days until a role counts as unused. [default: 90]",
)
@audits.risk_options("html")
@audits.fail_on_option
@shared("scope")
@once_filled("--explain", metavar="RULE", help="Explain a rule, without any call; 'all' lists them.")
@switch("-v", "--verbose", help="Print the evidence, and each call to AWS and Kubernetes.")
def command(**options: Any) -> int:
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

    speaking = Speaking.take(options)
    identifier = options.pop("explain")
    if identifier is not None:
        output = form_of(speaking.output, "json", "yaml")
        rules = explained(identifier, RULES, "rule", output)
        document = Envelope(DocumentKind.RULES, ReadOutcome.OK, items=[*map(rule_json, rules)])
        show(Report(document, overview(rules) if identifier == "all" else explanation(rules[0])), output)
        return 0
    request = _request(options, speaking)
    report = run_reading(lambda progress: audit(request, progress.wire), speaking, AuditReport)
    return deliver(of_risks(report, speaking), speaking)


def _request(options: dict[str, Any], speaking: Speaking) -> Request:
    from irsa_cli.core.audit.auditing import AuditScope
    from irsa_cli.usecases.audit.run import Request

    account, role = options["service_account"] or "", options["role"] or ""
    if account and role:
        raise click.UsageError("--service-account and --role contradict each other")
    if account and (account.count("/") != 1 or not all(account.split("/"))):
        raise click.BadParameter(f"'{account}' is not NAMESPACE/NAME", param_hint="--service-account")
    return Request(
        audits.take_source(options),
        AuditScope(account, role, options["unused_days"]),
        options["reach"],
        **audits.take_risks(options, speaking),
    )
