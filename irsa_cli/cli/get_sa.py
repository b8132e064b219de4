"""`irsa get-sa`: its options; what it does is in `irsa_cli.usecases.show.get_sa`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.helping import HelpedCommand
from irsa_cli.cli.options import (
    Checked,
    Once,
    cluster_options,
    kube_options,
    name_argument,
    namespace_option,
    no_headers_option,
)

if TYPE_CHECKING:
    from irsa_cli.cli.session import Speaking
    from irsa_cli.core.inventory.list_document import BindingList
    from irsa_cli.usecases.show.get_sa import Request

_EPILOG = """
\b
Examples:
  irsa get-sa -c prod
  irsa get-sa -n backend -c prod -o wide
  irsa get-sa -c prod -o json | jq '.items[] | select(.status != "ok")'
"""


@click.command("get-sa", cls=HelpedCommand, epilog=_EPILOG)
@name_argument()
@namespace_option(
    "Namespace of NAME, or the only one without NAME. [default: default; all without NAME]", default=None
)
@click.option(
    "-A", "--all-namespaces", "everywhere", is_flag=True, help="All namespaces; the default without NAME."
)
@cluster_options
@kube_options
@click.option(
    "--all-paths",
    is_flag=True,
    help="Look for irsa's own roles outside of /irsa/CLUSTER/, too: lists all roles of the account.",
)
@click.option(
    "--iam-assume-role",
    "readers",
    multiple=True,
    type=Checked("arn", "arn.check_role"),
    help="Role by which the IAM of another account is read, where roles are in one (repeat).",
)
@no_headers_option
@click.option("--ignore-not-found", is_flag=True, help="NAME that is not there is no error.")
@click.option(
    "-o",
    "--output",
    cls=Once,
    type=click.Choice(["text", "wide", "json", "yaml"]),
    default="text",
    help="Form of the result on standard output. [default: text]",
)
@click.option("-q", "--quiet", is_flag=True, help="Errors and the result only.")
@click.option("-v", "--verbose", is_flag=True, help="Show each call to AWS and Kubernetes with its time.")
def command(**options: Any) -> int:
    """List the ServiceAccounts that name a role, whoever made them, and the state of each.

    Also the roles of irsa's without a ServiceAccount. For each: role, who made it, its policies, and whether
    its trust policy admits the ServiceAccount. What is wrong with one, or can't be read, is said in its line,
    and hides no other. Changes nothing.
    """
    from irsa_cli.cli.session import Speaking

    speaking, headless = Speaking.take(options), options.pop("no_headers")
    found = _get(_request(options), speaking)
    _show(found, speaking, headers=not headless)
    return int(found.exit_code)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.cli.session import take_target
    from irsa_cli.usecases.read.bindings import BindingsScope
    from irsa_cli.usecases.show.get_sa import Request

    name, namespace, everywhere = options["name"] or "", options["namespace"] or "", options["everywhere"]
    if everywhere and namespace:
        raise click.UsageError("--namespace and --all-namespaces contradict each other")
    if options["issuer_url"] and not (options["kubeconfig"] or options["context"]):
        raise click.UsageError("--issuer-url needs --kubeconfig or --context, to reach the cluster's API")
    if name and not everywhere:
        namespace = namespace or "default"
    scope = BindingsScope(namespace, name, everywhere=options["all_paths"])
    return Request(take_target(options), scope, options["readers"], options["ignore_not_found"])


def _get(request: Request, speaking: Speaking) -> BindingList:
    from irsa_cli.cli.progress import Progress
    from irsa_cli.cli.session import outcome_of
    from irsa_cli.core.inventory.list_document import BindingList
    from irsa_cli.core.results.result import Result
    from irsa_cli.usecases.show.get_sa import get_bindings

    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    outcome = outcome_of(lambda: get_bindings(request, progress.wire), speaking, progress)
    if isinstance(outcome, Result):
        return BindingList(error=outcome.error, signal=outcome.signal)
    return BindingList(outcome)


def _show(found: BindingList, speaking: Speaking, *, headers: bool) -> None:
    from irsa_cli.cli.get_sa_render import steps, table
    from irsa_cli.cli.render import show_document
    from irsa_cli.cli.table import show_table
    from irsa_cli.cli.verify_render import messages
    from irsa_cli.cli.wording import say
    from irsa_cli.core.verification.report import VerificationReport

    if speaking.output in ("text", "wide"):
        head, rows = table(found.items, wide=speaking.output == "wide")
        show_table(head if headers else (), rows)
        if not found.items and found.error is None and not speaking.quiet:
            click.echo("No ServiceAccount names a role, and irsa has made none.", err=True)
    else:
        show_document(found.envelope(), speaking.output)
    for note in found.notes:
        say(f"Note: {note}", err=True)
    for line in messages(VerificationReport(None, error=found.error)):
        say(line, err=True)
    ending = [*steps(found.items)] if speaking.output in ("text", "wide") else []
    for line in ("Next:", *(f"  {step}" for step in ending)) if ending else ():
        say(line, err=True)
