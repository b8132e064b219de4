"""`irsa delete-sa`: its options; what it does is in `irsa_cli.usecases.write.delete_sa`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, selecting, targets
from irsa_cli.cli.options.types import ROLE_NAME, once, switch
from irsa_cli.cli.session import run_writing

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
@selecting.binding_options
@targets.reach_options
@once(
    "--role-name",
    type=ROLE_NAME,
    help="Name of the role, if irsa did not choose the name and no annotation shows it.",
)
@switch("--keep-sa", help="Keep the ServiceAccount, without a role.")
@switch("--keep-role", help="Keep the role with its policies.")
@switch("--role-only", help="Delete a role that was made with --role-only; see create-sa.")
@switch("--force", help="Delete it even if pods or others use it, or may use it.")
@selecting.ignore_maker_option
@switch("--ignore-not-found", help="End with exit code 0 if there is nothing to delete.")
@common.writing_options
def command(**options: Any) -> int:
    """Delete a ServiceAccount's role, and what irsa made with it, in one transaction.

    Deletes what irsa made: the role with its policies, and the ServiceAccount. A ServiceAccount that irsa
    only annotated stays, without the annotation. A role that irsa only used stays, without the statement
    that irsa added. The namespace stays. A failure at any point rolls everything back.
    """
    from irsa_cli.usecases.write.delete_sa import delete_sa

    return run_writing(options, "delete-sa", _request, delete_sa)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.usecases.write.delete_sa import Request

    if options["keep_sa"] and options["keep_role"]:
        raise click.UsageError("--keep-sa and --keep-role contradict each other: nothing would be deleted")
    if options["role_only"] and (options["keep_sa"] or options["keep_role"]):
        raise click.UsageError("--role-only deletes the role, and nothing else")
    if not options["role_only"]:
        selecting.check_reachable(options)
    return Request(
        target=targets.take_target(options, by_profile=True),
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
