"""`irsa verify`: its options; the work is in `irsa_cli.usecases.verification.verify`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import (
    AUDIENCE,
    ROLE_ARN,
    many,
    many_filled,
    once,
    once_filled,
    shared,
    switch,
    wrong_usage,
)
from irsa_cli.cli.output.results.verify import of_verification
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.session import run_reading
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.results.verification import VerificationReport
from irsa_cli.core.values.errors import IrsaError

if TYPE_CHECKING:
    from irsa_cli.usecases.verification.verify import Request


FORMATS = ("text", "json", "yaml", "name", "markdown", "github", "junit")


@click.command("verify", cls=HelpedCommand)
@common.name_argument()
@switch("--all", "everything", help="Verify all ServiceAccounts with a role, in -n or in all namespaces.")
@shared("all namespaces", text="Verify all ServiceAccounts with a role in all namespaces.")
@shared("selector")
@shared("any namespace", text="Namespace of NAME, --all or -l. [default: 'default', or all with --all or -l]")
@shared("reach")
@once(
    "--audience",
    type=AUDIENCE,
    help="Audience of the token. [default: the ServiceAccount's, else sts.amazonaws.com]",
)
@once_filled("--pod", metavar="NAME", help="Bind the token to this pod, as kubelet does.")
@many_filled(
    "--action", metavar="SERVICE:ACTION", help="Simulate this action in IAM (repeat, or comma-separated)."
)
@many_filled("--resource", metavar="ARN", help="Resource for each --action (repeat).")
@many_filled(
    "--call",
    "calls",
    metavar="'SERVICE OPERATION ...'",
    help="Call a read-only AWS operation with the role's credentials (repeat).",
)
@many("--chain", type=ROLE_ARN, help="Assume this role with the credentials: role chaining (repeat).")
@shared("readers", text="Also read another account's IAM by this role (repeat).")
@common.output_option(*FORMATS)
@shared("report", "allow empty", "quiet", "calls")
def command(**options: Any) -> int:
    """Verify that a ServiceAccount can assume its role.

    irsa does the steps of the SDK in a pod. It requests a token and checks its claims, its signature, the
    OIDC provider and the trust policy. Then it exchanges the token at STS and checks the identity of the
    credentials. verify changes nothing.

    Without the annotation, irsa verifies the ServiceAccount's EKS Pod Identity association: it asks EKS Auth
    as the agent does, if you may call eks-auth:AssumeRoleForPodIdentity.

    Exit code 5: something is wrong. Exit code 1: nothing is wrong, but some steps could not run.

    Examples:
      irsa verify s3-reader -n backend -c prod
      irsa verify s3-reader -n backend -c prod --action s3:ListAllMyBuckets
      irsa verify -A -c prod -o junit > irsa.xml
      irsa verify --all -n backend -l tier=web -c prod
    """
    speaking = Speaking.take(options)
    request, allow = _request(options), Allowance(empty=options["allow_empty"])
    report = replace(_run(request, speaking), allow=allow)
    return deliver(of_verification(report), speaking)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.usecases.verification.verify import Request, Wanted

    common.check_many(options)
    many = bool(options["everything"] or options["everywhere"] or options["selector"])
    if bool(options["name"]) == many:
        raise click.UsageError("give the NAME of a ServiceAccount, or -A for all")
    if many and options["pod"]:
        raise click.UsageError("--pod needs the NAME of one ServiceAccount")
    if options["resource"] and not options["action"]:
        raise click.UsageError("--resource needs --action")
    common.check_reachable(options)
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


def _run(request: Request, speaking: Speaking) -> VerificationReport:
    from irsa_cli.usecases.command.events import Event, Step
    from irsa_cli.usecases.verification.verify import verify_accounts

    account = f"{request.namespace}/{request.name}" if request.name else request.namespace
    asked = (request.target.cluster, account)

    def work(progress: Progress) -> VerificationReport:
        progress.listen(Event(Step.GATE))
        return replace(verify_accounts(request, progress.wire, progress.note), asked=asked)

    def failed(error: Exception, signal: int) -> VerificationReport:
        shown = IrsaError("interrupted", code="Interrupted") if signal else error
        return VerificationReport(None, many=not request.name, error=shown, signal=signal, asked=asked)

    return run_reading(work, speaking, failed)
