"""`irsa credentials`: its options and output; the work is in `irsa_cli.usecases.exec.identity`."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.commands.identity import ERRORS_ONLY, IdentityFlags, account_of, settled
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound, group, once
from irsa_cli.cli.options.kinds import WholeSeconds
from irsa_cli.cli.options.outputs import quiet_flag, speaking, verbose_flag
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import in_form
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.values.errors import Refused

if TYPE_CHECKING:
    from irsa_cli.core.objects.aws import RoleCredentials
    from irsa_cli.usecases.exec.identity import WorkloadIdentity

ACTIVE = "IRSA_CREDENTIALS_ACTIVE"
"""The variable that detects a run started by itself, through an AWS profile."""


@dataclass(frozen=True, kw_only=True)
class CredentialsOptions:
    """The ServiceAccount, and the form of its credentials."""

    identity: IdentityFlags = group(IdentityFlags)
    output: str = once(
        "-o",
        "--output",
        kind=click.Choice(("env", "json", "yaml", "credential-process")),
        default="env",
        help="Output format; env prints export lines for a shell. [default: env]",
    )
    duration: int | None = once(
        "--duration",
        kind=WholeSeconds("15m", "12h"),
        help="Lifetime to request, from 15m to the role's maximum. [default: 1h]",
    )
    quiet: bool = quiet_flag(ERRORS_ONLY)
    verbose: bool = verbose_flag()


@click.command("credentials", cls=HelpedCommand)
@bound(CredentialsOptions)
def command(options: CredentialsOptions) -> int:
    """Print temporary credentials for a ServiceAccount's role.

    irsa exchanges a new token of the ServiceAccount at STS in the cluster's region or, for an EKS Pod
    Identity association, at EKS. Keep the credentials secret: until they expire, they give anybody the
    permissions of the role.

    Examples:
      eval "$(irsa credentials s3-reader -n backend -c prod)"
      irsa credentials s3-reader -n backend -c prod -o json
      # In a profile of ~/.aws/config:
      credential_process = irsa credentials app -c prod -o credential-process
    """
    from irsa_cli.usecases.exec.forms import process_output, shell_variables
    from irsa_cli.usecases.exec.identity import WorkloadIdentity

    speaks = speaking(options.output, quiet=options.quiet, verbose=options.verbose)
    if sys.stdout.isatty() and not options.quiet:
        click.echo("irsa: these are secrets; your terminal may store them", err=True)

    def work() -> str:
        with_loop_guard(options.identity)
        account = account_of(options.identity, speaks)
        identity = WorkloadIdentity.of(account)
        credentials = identity.credentials(seconds=options.duration)
        if options.output == "env":
            variables = shell_variables(credentials, account.connection.cluster.region)
            return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
        if options.output == "credential-process":
            return json.dumps(process_output(credentials))
        return in_form(Report(_document(identity, credentials)), options.output)

    click.echo(settled(work, speaks, "CredentialsList"))
    return 0


def with_loop_guard(flags: IdentityFlags) -> None:
    """Refuse to run when this very run has started itself, and mark the environment for those it starts.

    The caller's profile may be the one whose credential_process this is; without the guard each run would
    start the next.
    """
    where = flags.cluster.where
    account = flags.service_account
    run = f"{where.cluster or ''}:{where.region or ''}:{account.namespace}:{account.name}"
    active = os.environ.get(ACTIVE, "").split()
    if run in active:
        raise Refused(
            "irsa credentials was started by itself",
            reason="the profile that it uses gets its credentials from it",
            next_steps=(
                "name the caller's own profile in the credential_process: irsa credentials … -p PROFILE",
            ),
        )
    os.environ[ACTIVE] = " ".join([*active, run])


def _document(identity: WorkloadIdentity, credentials: RoleCredentials) -> Envelope:
    account = identity.account
    document = {
        "serviceAccount": {"namespace": account.namespace, "name": account.name},
        "role": {"arn": identity.role_arn},
        "roleSession": credentials.role_session,
        "accessKeyId": credentials.access_key_id,
        "secretAccessKey": credentials.secret_access_key,
        "sessionToken": credentials.session_token,
        "expires": credentials.expiration,
    }
    cluster = account.connection.cluster
    return Envelope(DocumentKind.CREDENTIALS, ReadOutcome.OK, cluster=cluster, items=[document])
