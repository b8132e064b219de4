"""`irsa delete-sa`: its options; the work is in `irsa_cli.usecases.write.delete_sa`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, selecting, targets
from irsa_cli.cli.options.types import ROLE_NAME, once, switch
from irsa_cli.cli.session import run_writing

if TYPE_CHECKING:
    from irsa_cli.usecases.write.delete_sa import Request


@click.command("delete-sa", cls=HelpedCommand)
@selecting.binding_options
@targets.reach_options
@once(
    "--role-name", type=ROLE_NAME, help="Name of the role, if it is not irsa's name and no annotation has it."
)
@switch("--keep-sa", help="Keep the ServiceAccount, without a role.")
@switch("--keep-role", help="Keep the role and its policies.")
@switch("--role-only", help="Delete a role created with create-sa --role-only.")
@switch("--force", help="Delete the role even if it may be in use.")
@selecting.ignore_maker_option
@switch("--ignore-not-found", help="Exit 0 if there is nothing to delete.")
@common.writing_options
def command(**options: Any) -> int:
    """Delete a ServiceAccount and its IAM role.

    irsa deletes only resources that irsa created: the role with its policies, and the ServiceAccount. If
    irsa only annotated the ServiceAccount, it removes the annotation; if it only added a trust statement
    to a role, it removes the statement. The namespace stays. Any failure rolls everything back.

    Examples:
      irsa delete-sa s3-reader -n backend -c prod --dry-run
      irsa delete-sa s3-reader -n backend -c prod
      irsa delete-sa app -c prod --keep-role
    """
    from irsa_cli.usecases.write.delete_sa import delete_sa

    return run_writing(options, "delete-sa", _request, delete_sa)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.usecases.write.delete_sa import Request

    if options["keep_sa"] and options["keep_role"]:
        raise click.UsageError("--keep-sa and --keep-role contradict each other: nothing is left to delete")
    if options["role_only"] and (options["keep_sa"] or options["keep_role"]):
        raise click.UsageError("--role-only contradicts --keep-sa and --keep-role: it deletes the role only")
    if not options["role_only"]:
        selecting.check_reachable(options)
    return Request(
        target=targets.take_target(options, by_profile=True),
        role_name=options["role_name"] or "",
        keep_account=options["keep_sa"],
        **{name: options[name] for name in ("namespace", "name", "keep_role", "role_only", "force")},
        **{name: options[name] for name in ("ignore_not_found", "ignore_maker")},
    )
