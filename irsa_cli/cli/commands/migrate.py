"""`irsa migrate`: its options and output; the work is in `irsa_cli.usecases.write.migrate`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import click

from irsa_cli.cli.commands.apply import run_many
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import completion
from irsa_cli.cli.options.accounts import namespace_flag
from irsa_cli.cli.options.contradictions import Rule, Wrong, check
from irsa_cli.cli.options.fields import arguments, bound, group, once, switch
from irsa_cli.cli.options.kinds import SERVICE_ACCOUNT, Age
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags
from irsa_cli.cli.options.roles import allow_wide_trust_flag
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import Writing
from irsa_cli.core.results.applied import AppliedList

LATE = 900.0
"""Seconds by which CloudTrail can be late."""
WAYS = {"irsa": "IRSA", "pod-identity": "Pod Identity"}


@dataclass(frozen=True, kw_only=True)
class MigrateOptions:
    """The ServiceAccounts, their new way, and the step of the move."""

    names: tuple[str, ...] = arguments(
        metavar="[NAME]...", kind=SERVICE_ACCOUNT, complete=completion.service_accounts
    )
    to: str = once(
        "--to", kind=click.Choice([*WAYS]), required=True, help="The way that new pods get the role."
    )
    namespace: str = namespace_flag("Namespace of the ServiceAccounts. [default: default]")
    restart: bool = switch("--restart", help="Restart their workloads one at a time, and check the new pods.")
    finish: bool = switch("--finish", help="Remove the old way, if no running pod uses it.")
    include_managed: bool = switch(
        "--include-managed", help="Also change what other tools manage, or irsa did not create."
    )
    unused_for: float | None = once(
        "--unused-for",
        kind=Age(),
        help="With --finish: time without use of IRSA. [default: 2h without pods]",
    )
    disable_session_tags: bool = switch(
        "--disable-session-tags", help="With --to pod-identity: add no session tags."
    )
    force: bool = switch("--force", help="Add trust statements even if they void existing restrictions.")
    allow_wide_trust: bool = allow_wide_trust_flag()
    status: bool = switch("--status", help="Show how each ServiceAccount and its pods get the role.")
    cluster: ClusterFlags = group(ClusterFlags)
    kube: KubeFlags = group(KubeFlags)
    run: RunFlags = group(RunFlags)
    output: ReportedOutputFlags = group(ReportedOutputFlags)


CONTRADICTIONS: tuple[Rule[MigrateOptions], ...] = (
    Wrong(
        lambda options: options.disable_session_tags and options.to == "irsa",
        "--disable-session-tags needs --to pod-identity",
    ),
    Wrong(
        lambda options: (
            options.unused_for is not None and not (options.finish and options.to == "pod-identity")
        ),
        "--unused-for needs --to pod-identity --finish",
    ),
    Wrong(
        lambda options: 0 < (options.unused_for or 0) < LATE,
        "--unused-for: CloudTrail can be 15 minutes late, so give 15m or more, or 0s",
    ),
    Wrong(
        lambda options: options.to == "irsa" and options.restart and not options.finish,
        "--restart needs --finish: new pods get Pod Identity as long as there is an association",
    ),
    Wrong(
        lambda options: options.status and (options.restart or options.finish),
        "--status contradicts --restart and --finish: it changes nothing",
    ),
    Wrong(
        lambda options: options.cluster.external.issuer_url,
        "--issuer-url: only EKS has Pod Identity",
    ),
)


@click.command("migrate", cls=HelpedCommand)
@bound(MigrateOptions)
def command(options: MigrateOptions) -> int:
    """Move ServiceAccounts between IRSA and Pod Identity.

    irsa adds the new way next to the old one: a statement in the role's trust policy, and the association
    or the annotation. Each ServiceAccount is one transaction. Running pods keep working; nothing restarts
    without --restart, and the old way stays until --finish. To go back, migrate to the other way.

    Examples:
      irsa migrate --to pod-identity s3-reader -n backend -c prod --dry-run
      irsa migrate --to pod-identity s3-reader -n backend -c prod --restart
      irsa migrate --to pod-identity s3-reader -n backend -c prod --finish
      irsa migrate --to irsa -n backend -c prod --status
    """
    from irsa_cli.core.uses.ways import IdentitySource
    from irsa_cli.usecases.write.migrate import Request, migrate

    run = Writing(options.run, options.output)
    destination = Destination(options.cluster, kube=options.kube)
    destination.check_reachable()
    check(options, CONTRADICTIONS)
    request = Request(
        destination.target(by_profile=True),
        IdentitySource(options.to),
        options.namespace,
        options.names,
        restart=options.restart,
        finish=options.finish,
        others=options.include_managed,
        status=options.status,
        force=options.force,
        allow_wide_trust=options.allow_wide_trust,
        unused_for=options.unused_for,
        disable_session_tags=options.disable_session_tags,
    )
    migrating = partial(migrate, request)
    if not request.status:
        return run_many(run, migrating, ("migrate", request))
    return run_many(
        run, migrating, ("migrate", request), only_reads=True, first=lambda results: [_status(results)]
    )


def _status(results: AppliedList) -> Table:
    """A table of what there is, and of the pods by the way they got their identity."""
    rows = []
    for account in results.items:
        migration = account.result.facts.get("migration")
        if not migration:
            continue
        pods = []
        for way, text in WAYS.items():
            if number := len(migration["pods"][way]):
                pods.append(f"{number} by {text}")
        if failing := migration["podsWithoutCredentials"]:
            pods.append(f"{len(failing)} without credentials")
        ways = " and ".join(WAYS[way] for way in migration["ways"])
        if not ways:
            ways = "not known" if "problem" in migration else "none"
        rows.append([account.name, ways, ", ".join(pods) or "none"])
    return Table.of(("SERVICEACCOUNT", "ROLE BY", "RUNNING PODS"), rows)
