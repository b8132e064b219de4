"""`irsa credentials`: its options, and the forms in which credentials are printed."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.commands.identity import account_of, settled, speaking_options, who_options
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.types import Duration, once
from irsa_cli.cli.output.forms import OutputForm
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.output.text import document_text
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.values.errors import Refused

if TYPE_CHECKING:
    from irsa_cli.core.objects.credentials import RoleCredentials
    from irsa_cli.usecases.read.identity import NamedServiceAccount

ACTIVE = "IRSA_CREDENTIALS_ACTIVE"
"""The variable that detects a run started by itself, through an AWS profile."""


@click.command("credentials", cls=HelpedCommand)
@who_options
@once(
    "-o",
    "--output",
    type=OutputForm(("env", "json", "yaml", "credential-process")),
    default="env",
    help="Output format; env prints export lines for a shell. [default: env]",
)
@once(
    "--duration",
    type=Duration(within=("15m", "12h")),
    help="Lifetime to request, from 15m to the role's maximum. [default: 1h]",
)
@speaking_options
def command(**options: Any) -> int:
    """Print temporary credentials for a ServiceAccount's role.

    irsa exchanges a new token of the ServiceAccount at STS in the cluster's region. Keep the credentials
    secret: until they expire, they give anybody the permissions of the role.

    Examples:
      eval "$(irsa credentials s3-reader -n backend -c prod)"
      irsa credentials s3-reader -n backend -c prod -o json
      # In a profile of ~/.aws/config:
      credential_process = irsa credentials app -c prod -o credential-process
    """
    speaking = Speaking.take(options)
    seconds = options.pop("duration")
    if sys.stdout.isatty() and not speaking.quiet:
        click.echo("irsa: these are secrets; your terminal may store them", err=True)

    def work() -> str:
        with_loop_guard(options)
        account = account_of(options, speaking)
        injection = account.settings_with_role()
        found = account.credentials(injection, seconds=seconds)
        given = Given(account, injection.role_arn, found)
        forms = {"env": given.env, "credential-process": given.process}
        return forms.get(speaking.output, lambda: given.document(speaking.output))()

    click.echo(settled(work, speaking, "CredentialsList"))
    return 0


def with_loop_guard(options: Mapping[str, Any]) -> None:
    """Refuse to run when this very run has started itself, and mark the environment for those it starts.

    The caller's profile may be the one whose credential_process this is; without the guard each run would
    start the next.
    """
    wanted = ":".join(str(options[name] or "") for name in ("cluster", "region", "namespace", "name"))
    active = os.environ.get(ACTIVE, "").split()
    if wanted in active:
        raise Refused(
            "irsa credentials was started by itself",
            reason="the profile that it uses gets its credentials from it",
            next_steps=(
                "name the caller's own profile in the credential_process: irsa credentials … -p PROFILE",
            ),
        )
    os.environ[ACTIVE] = " ".join([*active, wanted])


@dataclass(frozen=True)
class Given:
    """Credentials that were got, and for whom."""

    account: NamedServiceAccount
    role_arn: str
    credentials: RoleCredentials

    @property
    def expiration(self) -> str:
        """When they expire, in the format of RFC 3339."""
        return self.credentials.expires.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def env(self) -> str:
        """`export` lines for a shell."""
        region = self.account.connection.cluster.region
        values = {
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
            "AWS_SESSION_TOKEN": self.credentials.session_token,
            "AWS_CREDENTIAL_EXPIRATION": self.expiration,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
        }
        return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())

    def document(self, output: str) -> str:
        """A document in the manner of irsa's others."""
        item = {
            "serviceAccount": {"namespace": self.account.namespace, "name": self.account.name},
            "role": {"arn": self.role_arn},
            "roleSession": self.credentials.role_session,
            "accessKeyId": self.credentials.access_key_id,
            "secretAccessKey": self.credentials.secret_access_key,
            "sessionToken": self.credentials.session_token,
            "expires": self.expiration,
        }
        cluster = self.account.connection.cluster
        envelope = Envelope(DocumentKind.CREDENTIALS, ReadOutcome.OK, cluster=cluster, items=[item])
        return document_text(envelope, output)

    def process(self) -> str:
        """The output of a credential_process for SDKs.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
        """
        document = {
            "Version": 1,
            "AccessKeyId": self.credentials.access_key_id,
            "SecretAccessKey": self.credentials.secret_access_key,
            "SessionToken": self.credentials.session_token,
            "Expiration": self.expiration,
        }
        return json.dumps(document)
