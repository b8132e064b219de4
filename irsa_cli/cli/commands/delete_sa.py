"""`irsa delete-sa`: its options; the work is in `irsa_cli.usecases.write.delete_sa`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import NameFlags
from irsa_cli.cli.options.contradictions import Excludes, Rule, check
from irsa_cli.cli.options.fields import bound, group, once, switch
from irsa_cli.cli.options.kinds import ROLE_NAME
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.reach import ReachFlags
from irsa_cli.cli.options.roles import ignore_maker_flag
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.session import Writing


@dataclass(frozen=True, kw_only=True)
class DeleteSaOptions:
    """The ServiceAccount, and what of it stays."""

    service_account: NameFlags = group(NameFlags)
    reach: ReachFlags = group(ReachFlags)
    role_name: str | None = once(
        "--role-name",
        kind=ROLE_NAME,
        help="Name of the role, if it is not irsa's name and no annotation has it.",
    )
    keep_sa: bool = switch("--keep-sa", help="Keep the ServiceAccount, without a role.")
    keep_role: bool = switch("--keep-role", help="Keep the role and its policies.")
    role_only: bool = switch("--role-only", help="Delete a role created with create-sa --role-only.")
    force: bool = switch("--force", help="Delete the role even if it may be in use.")
    ignore_maker: bool = ignore_maker_flag()
    ignore_not_found: bool = switch("--ignore-not-found", help="Exit 0 if there is nothing to delete.")
    run: RunFlags = group(RunFlags)
    output: ReportedOutputFlags = group(ReportedOutputFlags)


CONTRADICTIONS: tuple[Rule[DeleteSaOptions], ...] = (
    Excludes(
        "keep_sa", ("keep_role",), "{flag} and {other} contradict each other: nothing is left to delete"
    ),
    Excludes(
        "role_only",
        ("keep_sa", "keep_role"),
        "{flag} contradicts --keep-sa and --keep-role: it deletes the role only",
    ),
)


@click.command("delete-sa", cls=HelpedCommand)
@bound(DeleteSaOptions)
def command(options: DeleteSaOptions) -> int:
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

    run = Writing(options.run, options.output)
    check(options, CONTRADICTIONS)
    reach = options.reach.joined()
    if not options.role_only:
        reach.check_reachable()
    request = Request(
        reach.target(by_profile=True),
        options.service_account.namespace,
        options.service_account.name,
        role_name=options.role_name or "",
        keep_account=options.keep_sa,
        keep_role=options.keep_role,
        role_only=options.role_only,
        force=options.force,
        ignore_not_found=options.ignore_not_found,
        ignore_maker=options.ignore_maker,
    )
    return run.one("delete-sa", request, delete_sa)
