"""`irsa describe-sa`: its options; what it does is in `irsa_cli.usecases.show.describe_sa`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import role_account_options, target_way_options
from irsa_cli.cli.options.common import Checked, cluster_options, kube_options, output_option
from irsa_cli.cli.options.selecting import name_argument, namespace_option
from irsa_cli.cli.options.taking import take_target
from irsa_cli.cli.output.screens.verify import messages
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.output.text import show_document
from irsa_cli.cli.session import outcome_of
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.wording import say
from irsa_cli.core.results.result import Result
from irsa_cli.core.results.verification import VerificationReport

if TYPE_CHECKING:
    from irsa_cli.core.inventory.describe_document import Described
    from irsa_cli.usecases.show.describe_sa import Request

_EPILOG = """
\b
Examples:
  irsa describe-sa s3-reader -n backend -c prod
  irsa describe-sa s3-reader -n backend -c prod -o wide
  irsa describe-sa s3-reader -n backend -c prod -o jsonpath='{.items[0].role.arn}'
"""


@click.command("describe-sa", cls=HelpedCommand, epilog=_EPILOG)
@name_argument(required=True)
@namespace_option("Namespace of NAME. [default: default]")
@cluster_options
@role_account_options
@target_way_options
@kube_options
@click.option(
    "--policies",
    "documents",
    is_flag=True,
    help="Include the documents of all its policies, as -o wide does.",
)
@click.option(
    "--iam-assume-role",
    "readers",
    multiple=True,
    type=Checked("arn", "arn.check_role"),
    help="Role for reading the IAM of another account that has the role (repeat).",
)
@click.option("--ignore-not-found", is_flag=True, help="A NAME that does not exist is no error.")
@output_option("text", "wide", "json", "yaml", "name")
@click.option("-q", "--quiet", is_flag=True, help="No progress; errors and the result only.")
@click.option("-v", "--verbose", is_flag=True, help="Show each call to AWS and Kubernetes with its time.")
def command(**options: Any) -> int:
    """Show all of a ServiceAccount that names a role: the role, why it is admitted, policies, pods.

    It does not matter who made it. For each statement of the trust policy, it shows that the statement admits
    the ServiceAccount, or the first part that fails. For each pod, it shows whether the pod has the role, or
    must be restarted to get it. It shows what the ServiceAccount may do in Kubernetes, and who may become it
    and so gets its role. Changes nothing.
    """
    options["documents"] = options["documents"] or options["output"] == "wide"
    speaking = Speaking.take(options)
    found = _describe(_request(options), speaking)
    _show(found, speaking)
    return int(found.exit_code)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.usecases.show.describe_sa import Request

    if options["issuer_url"] and not (options["kubeconfig"] or options["context"]):
        raise click.UsageError("--issuer-url needs --kubeconfig or --context, to reach the cluster's API")
    return Request(take_target(options), **options)


def _describe(request: Request, speaking: Speaking) -> Described:
    from irsa_cli.core.inventory.describe_document import Described
    from irsa_cli.usecases.show.describe_sa import describe

    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    outcome = outcome_of(lambda: describe(request, progress.wire), speaking, progress)
    if isinstance(outcome, Result):
        return Described(error=outcome.error, signal=outcome.signal)
    return Described(outcome)


def _show(described: Described, speaking: Speaking) -> None:
    from irsa_cli.cli.output.screens.describe_sa import lines

    if speaking.output not in ("text", "wide"):
        show_document(described.envelope(), speaking.output)
    elif described.found is not None:
        for line in lines(described.found):
            say(line)
    for note in described.found.notes if described.found else ():
        say(f"Note: {note}", err=True)
    for line in messages(VerificationReport(None, error=described.error)):
        say(line, err=True)
