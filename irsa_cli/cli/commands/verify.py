"""`irsa verify`: its options; what it does is in `irsa_cli.usecases.verification.verify`."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import role_account_options, target_way_options
from irsa_cli.cli.options.common import (
    Checked,
    Once,
    cluster_options,
    filled,
    kube_options,
    listed,
    output_option,
    report_options,
)
from irsa_cli.cli.options.selecting import (
    all_namespaces_option,
    check_many,
    name_argument,
    namespace_option,
    selector_option,
)
from irsa_cli.cli.options.taking import take_target
from irsa_cli.cli.output.speaking import Speaking

if TYPE_CHECKING:
    from irsa_cli.cli.terminal.progress import Progress
    from irsa_cli.core.results.verification import VerificationReport
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
@name_argument()
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="All ServiceAccounts that have a role, in -n or in all namespaces.",
)
@all_namespaces_option("The same, in all namespaces.")
@selector_option
@namespace_option(
    "Namespace of NAME, or the only one with --all or -l. [default: default; all with --all or -l]",
    default=None,
)
@cluster_options
@role_account_options
@target_way_options
@kube_options
@click.option(
    "--audience",
    cls=Once,
    type=Checked("audience", "names.audience"),
    help="Audience of the token. [default: the ServiceAccount's, else sts.amazonaws.com]",
)
@click.option(
    "--pod",
    cls=Once,
    callback=filled,
    metavar="NAME",
    help="Bind the token to this pod of the ServiceAccount, as kubelet does.",
)
@click.option(
    "--action",
    multiple=True,
    callback=filled,
    metavar="SERVICE:ACTION",
    help="Ask IAM's simulation whether the role may do this (repeat, or separate by commas).",
)
@click.option(
    "--resource",
    multiple=True,
    callback=filled,
    metavar="ARN",
    help="On which resource, for each --action (repeat).",
)
@click.option(
    "--call",
    "calls",
    multiple=True,
    callback=filled,
    metavar="'SERVICE OPERATION ...'",
    help="Call AWS with the role's credentials, as the AWS CLI would; operations that read only (repeat).",
)
@click.option(
    "--chain",
    multiple=True,
    type=Checked("arn", "arn.check_role"),
    help="Assume this role with the credentials, and continue with its own (role chaining; repeat).",
)
@click.option(
    "--iam-assume-role",
    "readers",
    multiple=True,
    type=Checked("arn", "arn.check_role"),
    help="Role by which the IAM of another account is read, where roles are in one (repeat).",
)
@output_option(*FORMATS)
@report_options
@click.option("-q", "--quiet", is_flag=True, help="Errors and the result only.")
@click.option("-v", "--verbose", is_flag=True, help="Show each call to AWS and Kubernetes with its time.")
def command(**options: Any) -> int:
    """Prove that a ServiceAccount can use its role, or say what keeps it from it.

    Does from outside what a pod's SDK does. It takes a token, checks its claims and signature, the OIDC
    provider and the trust policy (which statement admits it, or what fails in each), exchanges the token at
    STS and asks AWS whose the credentials are. Changes nothing. Exit code 5: something is wrong; 1: nothing
    wrong was found, but not every step could be tried.
    """
    from irsa_cli.cli.terminal.progress import Progress

    speaking = Speaking.take(options)
    request = _request(options)
    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    report = _run(request, speaking, progress)
    _show(report, speaking)
    return int(report.exit_code)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.core.values.errors import InvalidInput
    from irsa_cli.usecases.verification.verify import Request, Wanted

    _check_combinations(options)
    try:
        wanted = Wanted.of(
            audience=options["audience"] or "",
            actions=listed(options["action"]),
            resources=options["resource"],
            calls=options["calls"],
            chain=options["chain"],
        )
    except InvalidInput as error:
        raise click.UsageError(str(error)) from error
    name = options["name"] or ""
    namespace = options["namespace"] or ("default" if name else "")
    return Request(
        take_target(options),
        namespace,
        name,
        options["pod"] or "",
        wanted,
        readers=options["readers"],
        selector=options["selector"] or "",
    )


def _check_combinations(options: dict[str, Any]) -> None:
    check_many(options)
    many = bool(options["everything"] or options["everywhere"] or options["selector"])
    if bool(options["name"]) == many:
        raise click.UsageError("Name one ServiceAccount, or give --all or -A for all of them.")
    if many and options["pod"]:
        raise click.UsageError("--pod is for one ServiceAccount, and this is for many")
    if options["resource"] and not options["action"]:
        raise click.UsageError("--resource needs --action")
    if options["issuer_url"] and not (options["kubeconfig"] or options["context"]):
        raise click.UsageError("--issuer-url needs --kubeconfig or --context, to reach the cluster's API")


def _run(request: Request, speaking: Speaking, progress: Progress) -> VerificationReport:
    from irsa_cli.cli.session import breaking_off
    from irsa_cli.core.results.verification import VerificationReport
    from irsa_cli.core.values.errors import IrsaError
    from irsa_cli.core.values.patience import begin, over
    from irsa_cli.usecases.command.events import Event, Step
    from irsa_cli.usecases.command.signals import telling_first
    from irsa_cli.usecases.verification.verify import verify_accounts

    breaking_off(begin(progress.seconds, progress.note).stop)
    account = f"{request.namespace}/{request.name}" if request.name else request.namespace
    nothing = VerificationReport(None, many=not request.name, asked=(request.target.cluster, account))
    with telling_first(), progress:
        progress.listen(Event(Step.GATE))
        try:
            found = verify_accounts(request, progress.wire, progress.note)
            return replace(found, asked=nothing.asked)
        except IrsaError as error:
            return replace(nothing, error=error)
        except KeyboardInterrupt as stop:
            number = stop.args[0] if stop.args else int(signal.SIGINT)
            return replace(nothing, error=IrsaError("interrupted", code="Interrupted"), signal=number)
        except Exception as error:
            if speaking.verbose:
                progress.trace()
            return replace(nothing, error=error)
        finally:
            over()


def _show(report: VerificationReport, speaking: Speaking) -> None:
    from irsa_cli.cli.output.reports.delivering import deliver
    from irsa_cli.cli.output.reports.of_checks import of_verification
    from irsa_cli.cli.output.screens.verify import messages, show
    from irsa_cli.cli.terminal.unshown import showing
    from irsa_cli.cli.terminal.wording import say

    def shown() -> None:
        show(report, speaking.output)
        for line in messages(report):
            say(line, err=True)

    with showing(report.exit_code, only_shows=not report.exit_code):
        deliver(report, of_verification, speaking, shown)
