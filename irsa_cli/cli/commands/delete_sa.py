"""`irsa delete-sa`: its options; what it does is in `irsa_cli.usecases.write.delete_sa`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import role_account_options, target_way_options
from irsa_cli.cli.options.common import (
    Checked,
    Once,
    cluster_options,
    kube_options,
    reported_output_options,
    run_options,
)
from irsa_cli.cli.options.selecting import binding_options, ignore_maker_option
from irsa_cli.cli.options.taking import take_settings, take_target
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.saved_plan import plan_saver
from irsa_cli.cli.session import finish
from irsa_cli.cli.terminal.progress import Progress

if TYPE_CHECKING:
    from irsa_cli.usecases.write.delete_sa import Request

_EPILOG = """
\b
Examples:
  irsa delete-sa s3-reader -n backend -c prod --dry-run
  irsa delete-sa s3-reader -n backend -c prod
  irsa delete-sa app -c prod --keep-role
"""


@click.command("delete-sa", cls=HelpedCommand, epilog=_EPILOG)
@binding_options
@cluster_options
@role_account_options
@target_way_options
@kube_options
@click.option(
    "--role-name",
    cls=Once,
    type=Checked("name", "names.role"),
    help="Name of the role, if irsa did not choose the name and no annotation shows it.",
)
@click.option("--keep-sa", is_flag=True, help="Keep the ServiceAccount, without a role.")
@click.option("--keep-role", is_flag=True, help="Keep the role with its policies.")
@click.option(
    "--role-only", is_flag=True, help="Delete a role that was made with --role-only; see create-sa."
)
@click.option("--force", is_flag=True, help="Delete it even if pods or others use it, or may use it.")
@ignore_maker_option
@click.option("--ignore-not-found", is_flag=True, help="End with exit code 0 if there is nothing to delete.")
@run_options
@reported_output_options
def command(**options: Any) -> int:
    """Delete a ServiceAccount's role, and what irsa made with it, in one transaction.

    Deletes what irsa made: the role with its policies, and the ServiceAccount. A ServiceAccount that irsa
    only annotated stays, without the annotation. A role that irsa only used stays, without the statement
    that irsa added. The namespace stays. A failure at any point rolls everything back.
    """
    from irsa_cli.usecases.write.delete_sa import delete_sa

    speaking = Speaking.take(options)
    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    settings, detailed = take_settings(options, progress)
    request = _request(options)
    return finish(
        lambda: delete_sa(request, settings, progress.wire),
        speaking,
        progress,
        detailed=detailed,
        save=plan_saver(options, "delete-sa", request),
    )


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.usecases.write.delete_sa import Request

    if options["keep_sa"] and options["keep_role"]:
        raise click.UsageError("--keep-sa and --keep-role contradict each other: nothing would be deleted")
    if options["role_only"] and (options["keep_sa"] or options["keep_role"]):
        raise click.UsageError("--role-only deletes the role, and nothing else")
    reached = options["kubeconfig"] or options["context"]
    if options["issuer_url"] and not options["role_only"] and not reached:
        raise click.UsageError("--issuer-url needs --kubeconfig or --context, to reach the cluster's API")
    return Request(
        target=take_target(options),
        namespace=options["namespace"],
        name=options["name"],
        role_name=options["role_name"] or "",
        keep_account=options["keep_sa"],
        keep_role=options["keep_role"],
        role_only=options["role_only"],
        force=options["force"],
        ignore_not_found=options["ignore_not_found"],
        ignore_maker=options["ignore_maker"],
    )
