"""`irsa delete-sa`: its options; the work is in `irsa_cli.usecases.write.delete_sa`."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import ROLE_NAME, once, shared, switch
from irsa_cli.cli.session import Writing


@click.command("delete-sa", cls=HelpedCommand)
@common.binding_options
@shared("reach")
@once(
    "--role-name", type=ROLE_NAME, help="Name of the role, if it is not irsa's name and no annotation has it."
)
@switch("--keep-sa", help="Keep the ServiceAccount, without a role.")
@switch("--keep-role", help="Keep the role and its policies.")
@switch("--role-only", help="Delete a role created with create-sa --role-only.")
@switch("--force", help="Delete the role even if it may be in use.")
@shared("ignore maker")
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
    from irsa_cli.usecases.write.delete_sa import Request, delete_sa

    run = Writing(options)
    keep_sa, keep_role = options["keep_sa"], options["keep_role"]
    if keep_sa and keep_role:
        raise click.UsageError("--keep-sa and --keep-role contradict each other: nothing is left to delete")
    if options["role_only"] and (keep_sa or keep_role):
        raise click.UsageError("--role-only contradicts --keep-sa and --keep-role: it deletes the role only")
    if not options["role_only"]:
        common.check_reachable(options)
    same = ("namespace", "name", "keep_role", "role_only", "force", "ignore_not_found", "ignore_maker")
    request = Request(
        target=targets.take_target(options, by_profile=True),
        role_name=options["role_name"] or "",
        keep_account=keep_sa,
        **{name: options[name] for name in same},
    )
    return run.one("delete-sa", request, delete_sa)
