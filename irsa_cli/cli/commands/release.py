"""`irsa release`: its options; the work is in `irsa_cli.usecases.write.release`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import NameFlags
from irsa_cli.cli.options.fields import bound, group, once
from irsa_cli.cli.options.kinds import ROLE_NAME
from irsa_cli.cli.options.outputs import RoleOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.session import Writing


@dataclass(frozen=True, kw_only=True)
class ReleaseOptions:
    """The ServiceAccount whose role is released."""

    service_account: NameFlags = group(NameFlags)
    role_name: str | None = once(
        "--role-name", kind=ROLE_NAME, help="Release this role of NAME, even if NAME has no annotation."
    )
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    kube: KubeFlags = group(KubeFlags)
    run: RunFlags = group(RunFlags)
    output: RoleOutputFlags = group(RoleOutputFlags)


@click.command("release", cls=HelpedCommand)
@bound(ReleaseOptions)
def command(options: ReleaseOptions) -> int:
    """Release a role to another tool.

    irsa removes its tags and annotations from the role, the ServiceAccount and the association, and changes
    nothing else: pods keep their role. Afterwards irsa neither updates nor deletes them. The inverse of
    irsa adopt; irsa export --to terraform writes the resources for the next owner.

    Examples:
      irsa release s3-reader -n backend -c prod --dry-run
      irsa release s3-reader -n backend -c prod
    """
    from irsa_cli.usecases.write.release import Request, release

    run = Writing(options.run, options.output)
    destination = Destination(options.cluster, options.role_account, kube=options.kube)
    destination.check_reachable()
    request = Request(
        destination.target(by_profile=True),
        options.service_account.namespace,
        options.service_account.name,
        role_name=options.role_name or "",
    )
    return run.one("release", request, release, shows_marks=True)
