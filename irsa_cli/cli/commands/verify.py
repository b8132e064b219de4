"""`irsa verify`: its options; what it does is in `irsa_cli.usecases.verification.verify`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, selecting, targets
from irsa_cli.cli.options.types import (
    AUDIENCE,
    ROLE_ARN,
    many,
    many_filled,
    once,
    once_filled,
    switch,
    wrong_usage,
)
from irsa_cli.cli.output.screens.verify import show
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.text import show_error
from irsa_cli.cli.session import run_reading
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.results.verification import VerificationReport
from irsa_cli.core.values.errors import IrsaError

if TYPE_CHECKING:
    from irsa_cli.usecases.verification.verify import Request

_EPILOG = """
\b
Examples:
  irsa verify s3-reader -n backend -c prod
  irsa verify s3-reader -n backend -c prod --action s3:ListAllMyBuckets --call 's3 list-buckets'
  irsa verify -A -c prod -o junit > irsa.xml
  irsa verify --all -n backend -l tier=web -c prod
"""
FORMATS = ("text", "json", "yaml", "name", "markdown", "github", "junit", "sarif")


@click.command("verify", cls=HelpedCommand, epilog=_EPILOG)
@selecting.name_argument()
@switch("--all", "everything", help="All ServiceAccounts that have a role, in -n or in all namespaces.")
@selecting.all_namespaces_option("The same, in all namespaces.")
@selecting.selector_option
@selecting.namespace_option(
    "Namespace of NAME, or the only one with --all or -l. [default: default; all with --all or -l]",
    default=None,
)
@targets.reach_options
@once(
    "--audience",
    type=AUDIENCE,
    help="Audience of the token. [default: the ServiceAccount's, else sts.amazonaws.com]",
)
@once_filled(
    "--pod", metavar="NAME", help="Bind the token to this pod of the ServiceAccount, as kubelet does."
)
@many_filled(
    "--action",
    metavar="SERVICE:ACTION",
    help="Ask IAM's simulation whether the role may do this (repeat, or separate by commas).",
)
@many_filled("--resource", metavar="ARN", help="On which resource, for each --action (repeat).")
@many_filled(
    "--call",
    "calls",
    metavar="'SERVICE OPERATION ...'",
    help="Call AWS with the role's credentials, as the AWS CLI would; operations that read only (repeat).",
)
@many(
    "--chain",
    type=ROLE_ARN,
    help="Assume this role with the credentials, and continue with its own (role chaining; repeat).",
)
@targets.readers_option("Role by which the IAM of another account is read, where roles are in one (repeat).")
@common.output_option(*FORMATS)
@common.report_options
@common.allow_empty_option
@common.quiet_option
@common.calls_option
def command(**options: Any) -> int:
    """Prove that a ServiceAccount can use its role, or say what keeps it from it.

    Does from outside what a pod's SDK does. It takes a token, checks its claims and signature, the OIDC
    provider and the trust policy (which statement admits it, or what fails in each), exchanges the token at
    STS and asks AWS whose the credentials are. Changes nothing. Exit code 5: something is wrong; 1: nothing
    wrong was found, but not every step could be tried.
    """
    from irsa_cli.cli.output.screens.checked import of_verification

    speaking = Speaking.take(options)
    request, allow = _request(options), Allowance(empty=options["allow_empty"])
    report = replace(_run(request, speaking), allow=allow)

    def shown() -> None:
        show(report, speaking.output)
        show_error(report.error)

    return deliver(report, of_verification, speaking, shown)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.usecases.verification.verify import Request, Wanted

    _check_combinations(options)
    with wrong_usage():
        wanted = Wanted.of(
            audience=options["audience"] or "",
            actions=common.listed(options["action"]),
            resources=options["resource"],
            calls=options["calls"],
            chain=options["chain"],
        )
    name = options["name"] or ""
    namespace = options["namespace"] or ("default" if name else "")
    return Request(
        targets.take_target(options),
        namespace,
        name,
        options["pod"] or "",
        wanted,
        readers=options["readers"],
        selector=options["selector"] or "",
    )


def _check_combinations(options: dict[str, Any]) -> None:
    selecting.check_many(options)
    many = bool(options["everything"] or options["everywhere"] or options["selector"])
    if bool(options["name"]) == many:
        raise click.UsageError("Name one ServiceAccount, or give --all or -A for all of them.")
    if many and options["pod"]:
        raise click.UsageError("--pod is for one ServiceAccount, and this is for many")
    if options["resource"] and not options["action"]:
        raise click.UsageError("--resource needs --action")
    selecting.check_reachable(options)


def _run(request: Request, speaking: Speaking) -> VerificationReport:
    from irsa_cli.usecases.command.events import Event, Step
    from irsa_cli.usecases.verification.verify import verify_accounts

    account = f"{request.namespace}/{request.name}" if request.name else request.namespace
    asked = (request.target.cluster, account)

    def work(progress: Progress) -> VerificationReport:
        progress.listen(Event(Step.GATE))
        return replace(verify_accounts(request, progress.wire, progress.note), asked=asked)

    def failed(error: Exception, signal: int) -> VerificationReport:
        told = IrsaError("interrupted", code="Interrupted") if signal else error
        return VerificationReport(None, many=not request.name, error=told, signal=signal, asked=asked)

    return run_reading(work, speaking, failed)
