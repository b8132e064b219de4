"""`irsa retire`: its options and output; the work is in `irsa_cli.usecases.write.retire`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.commands.apply import run_many
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.contradictions import Excludes, Needs, Rule, Wrong, check
from irsa_cli.cli.options.fields import arguments, bound, group, once, switch
from irsa_cli.cli.options.kinds import TEXT, Age, Checked
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.reach import (
    ClusterFlags,
    Destination,
    ExpectFlags,
    KubeFlags,
    WhereFlags,
    cluster_flag,
    region_flag,
)
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.output.report import Message, Part, Report
from irsa_cli.cli.output.result import failure_lines
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import Writing, run_reading
from irsa_cli.core.planning.dead_cluster_list import DeadClusterList
from irsa_cli.core.values.names import namespace_pattern
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Target

DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class LivingClusterFlags(WhereFlags):
    """The cluster of --namespace."""

    cluster: str | None = cluster_flag(" (with --namespace)")
    region: str | None = region_flag(" (with --namespace)")


@dataclass(frozen=True, kw_only=True)
class RetireOptions:
    """The deleted clusters or namespaces, and which of their remains are deleted."""

    names: tuple[str, ...] = arguments(metavar="[CLUSTER|ISSUER]...", kind=TEXT)
    everything: bool = switch("--all", help="All deleted clusters of the account.")
    list: bool = switch("--list", help="List deleted clusters and what they left; change nothing.")
    gone_namespace: str | None = once(
        "--namespace",
        kind=Checked("pattern", namespace_pattern),
        help="In the living cluster -c: bindings of deleted namespaces, such as 'pr-*'.",
    )
    older_than: float | None = once(
        "--older-than", kind=Age(3600), help="With --namespace: keep newer bindings. [default: 7d]"
    )
    unused_for: float | None = once(
        "--unused-for", kind=Age(DAY), help="Keep roles that were used or created since. [default: 30d]"
    )
    unmarked: bool = switch(
        "--include-unmarked", help="Also delete what irsa did not create and no tool owns."
    )
    most: int | None = once(
        "--max", kind=click.IntRange(1), help="Delete at most this many roles. [default: 100]"
    )
    where: LivingClusterFlags = group(LivingClusterFlags)
    expected: ExpectFlags = group(ExpectFlags)
    kube: KubeFlags = group(KubeFlags)
    run: RunFlags = group(RunFlags)
    output: ReportedOutputFlags = group(ReportedOutputFlags)

    def chosen(self) -> tuple[object, ...]:
        """The ways to say what is removed, of which one is needed."""
        ways = (self.names, self.everything, self.list, self.gone_namespace)
        return tuple(filter(None, ways))


CONTRADICTIONS: tuple[Rule[RetireOptions], ...] = (
    Wrong(
        lambda options: len(options.chosen()) != 1,
        "name a deleted CLUSTER or ISSUER, or use one of --all, --list and --namespace",
    ),
    Needs(
        ("older_than",),
        "gone_namespace",
        "{flag} needs {needed}; for deleted clusters, use --unused-for",
    ),
    Excludes(
        "gone_namespace",
        ("unused_for", "unmarked"),
        "--namespace contradicts --unused-for and --include-unmarked",
    ),
    Wrong(
        lambda options: options.list and (options.run.yes or options.run.out),
        "--list changes nothing: leave out --yes and --out",
    ),
)


@click.command("retire", cls=HelpedCommand)
@bound(RetireOptions)
def command(options: RetireOptions) -> int:
    """Remove what deleted clusters left in IAM.

    Without --yes, irsa only shows the plan. irsa deletes a role if its cluster exists in no region of the
    account, and nobody else uses or owns it. Everything else stays and is listed with the reason. Each role
    is one transaction. EKS deletes associations and access entries with the cluster.

    Examples:
      irsa retire --list
      irsa retire old-prod
      irsa retire old-prod --yes
      irsa retire --namespace 'pr-*' -c prod --older-than 7d --yes
    """
    from irsa_cli.usecases.write.retire import Request, retire

    check(options, CONTRADICTIONS)
    run = Writing(replace(options.run, dry_run=options.run.dry_run or not options.run.yes), options.output)
    destination = Destination(ClusterFlags(where=options.where, expected=options.expected), kube=options.kube)
    if options.list:
        return _list(destination.named_target(), run.settings.note, run.speaking)
    if options.gone_namespace:
        target = destination.target()
        age = options.older_than or 7 * DAY
    else:
        target = destination.named_target()
        age = options.unused_for or 30 * DAY
    request = Request(
        target,
        names=options.names,
        everything=options.everything,
        pattern=options.gone_namespace or "",
        age=age,
        unmarked=options.unmarked,
        most=options.most or 100,
    )
    return run_many(run, partial(retire, request), ("retire", request))


def _list(target: Target, note: Callable[[str], None], speaking: Speaking) -> int:
    from irsa_cli.usecases.read.retired import list_dead

    dead = run_reading(lambda progress: list_dead(target, note, progress.wire), speaking, DeadClusterList)
    head = ("CLUSTER", "ROLES", "OF-IRSA", "PROVIDERS", "CREATED", "LAST-USED", "STATUS")
    numbers = Counter(cluster["name"] for cluster in dead.rows)
    rows = []
    notes: list[Part] = []
    for cluster in dead.rows:
        name = cluster["arn"] if numbers[cluster["name"]] > 1 else cluster["name"]
        created = (cluster["created"] or "-")[:10]
        last_used = (cluster["lastUsed"] or "-")[:10]
        counts = (cluster["roles"], cluster["ownRoles"], cluster["providers"])
        rows.append([name, *counts, created, last_used, cluster["status"]])
        if cluster["reason"]:
            notes.append(Message(visible(f"Note: {name}: {cluster['reason']}")))
    notes += [Message(visible(f"Note: {note}")) for note in dead.recorded_notes]
    used = ", ".join(f"{used} of {most} {name}" for name, (used, most) in dead.quotas.items())
    quotas = f"Quotas: {used}." if used else "No quota was read."
    parts = [Table.of(head, rows), *notes, quotas]
    return deliver(Report(dead, parts, failure_lines(dead.error)), speaking)
