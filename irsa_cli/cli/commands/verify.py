"""`irsa verify`: its options; the work is in `irsa_cli.usecases.verification.verify`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import (
    NAME_OR_SELECTOR,
    NAMESPACE_OR_ALL,
    all_namespaces_flag,
    any_namespace_flag,
    name_flag,
    selector_flag,
)
from irsa_cli.cli.options.audits import allow_empty_flag
from irsa_cli.cli.options.contradictions import Needs, Rule, Wrong, check
from irsa_cli.cli.options.fields import bound, group, many, once, switch
from irsa_cli.cli.options.kinds import AUDIENCE, ROLE_ARN, TEXT
from irsa_cli.cli.options.outputs import ReportFlags, output_flag, quiet_flag, speaking, verbose_flag
from irsa_cli.cli.options.reach import ReachFlags, readers_flag
from irsa_cli.cli.options.values import listed, wrong_usage
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


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """The ServiceAccounts, and what is tried with their roles."""

    name: str | None = name_flag()
    everything: bool = switch(
        "--all", help="Verify all ServiceAccounts with a role, in -n or in all namespaces."
    )
    everywhere: bool = all_namespaces_flag("Verify all ServiceAccounts with a role in all namespaces.")
    selector: str | None = selector_flag()
    namespace: str | None = any_namespace_flag(
        "Namespace of NAME, --all or -l. [default: 'default', or all with --all or -l]"
    )
    reach: ReachFlags = group(ReachFlags)
    audience: str | None = once(
        "--audience",
        kind=AUDIENCE,
        help="Audience of the token. [default: the ServiceAccount's, else sts.amazonaws.com]",
    )
    pod: str | None = once(
        "--pod", kind=TEXT, metavar="NAME", help="Bind the token to this pod, as kubelet does."
    )
    action: tuple[str, ...] = many(
        "--action",
        kind=TEXT,
        metavar="SERVICE:ACTION",
        help="Simulate this action in IAM (repeat, or comma-separated).",
    )
    resource: tuple[str, ...] = many(
        "--resource", kind=TEXT, metavar="ARN", help="Resource for each --action (repeat)."
    )
    calls: tuple[str, ...] = many(
        "--call",
        kind=TEXT,
        metavar="'SERVICE OPERATION ...'",
        help="Call a read-only AWS operation with the role's credentials (repeat).",
    )
    chain: tuple[str, ...] = many(
        "--chain",
        kind=ROLE_ARN,
        help="Assume this role with the credentials: role chaining (repeat).",
    )
    readers: tuple[str, ...] = readers_flag("Also read another account's IAM by this role (repeat).")
    output: str = output_flag(*FORMATS)
    reports: ReportFlags = group(ReportFlags)
    allow_empty: bool = allow_empty_flag()
    quiet: bool = quiet_flag()
    verbose: bool = verbose_flag()

    @property
    def several(self) -> bool:
        """Whether all ServiceAccounts are verified, or those of a selector, not NAME."""
        return bool(self.everything or self.everywhere or self.selector)


CONTRADICTIONS: tuple[Rule[VerifyOptions], ...] = (
    NAMESPACE_OR_ALL,
    NAME_OR_SELECTOR,
    Wrong(
        lambda options: bool(options.name) == options.several,
        "give the NAME of a ServiceAccount, or -A for all",
    ),
    Wrong(
        lambda options: options.several and options.pod,
        "--pod needs the NAME of one ServiceAccount",
    ),
    Needs(("resource",), "action"),
)


@click.command("verify", cls=HelpedCommand)
@bound(VerifyOptions)
def command(options: VerifyOptions) -> int:
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
    speaks = speaking(options.output, quiet=options.quiet, verbose=options.verbose, reports=options.reports)
    request = _request(options)
    report = replace(_run(request, speaks), allow=Allowance(empty=options.allow_empty))
    return deliver(of_verification(report), speaks)


def _request(options: VerifyOptions) -> Request:
    from irsa_cli.usecases.verification.verify import Request, Wanted

    check(options, CONTRADICTIONS)
    reach = options.reach.joined()
    reach.check_reachable()
    with wrong_usage():
        checks = Wanted.of(
            audience=options.audience or "",
            actions=listed(options.action),
            resources=options.resource,
            calls=options.calls,
            chain=options.chain,
        )
    name = options.name or ""
    return Request(
        reach.target(),
        options.namespace or ("default" if name else ""),
        name,
        options.pod or "",
        checks,
        readers=options.readers,
        selector=options.selector or "",
    )


def _run(request: Request, speaking: Speaking) -> VerificationReport:
    from irsa_cli.usecases.command.events import Event, Step
    from irsa_cli.usecases.verification.verify import verify_accounts

    account = f"{request.namespace}/{request.name}" if request.name else request.namespace
    subject = (request.target.cluster, account)

    def work(progress: Progress) -> VerificationReport:
        progress.listen(Event(Step.GATE))
        return replace(verify_accounts(request, progress.wire, progress.note), asked=subject)

    def failed(error: Exception, signal: int) -> VerificationReport:
        shown = IrsaError("interrupted", code="Interrupted") if signal else error
        return VerificationReport(None, many=not request.name, error=shown, signal=signal, asked=subject)

    return run_reading(work, speaking, failed)
