"""`irsa retire`: its options and output; the work is in `irsa_cli.usecases.write.retire`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import click

from irsa_cli.cli.commands.apply import run_many
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import Age, Checked, filled, once, shared, switch
from irsa_cli.cli.output.report import Message, Part, Report
from irsa_cli.cli.output.result import failure_lines
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import Writing, run_reading
from irsa_cli.core.planning.dead_cluster_list import DeadClusterList
from irsa_cli.core.values.shown import visible

DAY = 86400.0


@click.command("retire", cls=HelpedCommand)
@click.argument("names", metavar="[CLUSTER|ISSUER]...", nargs=-1, callback=filled)
@switch("--all", "everything", help="All deleted clusters of the account.")
@switch("--list", help="List deleted clusters and what they left; change nothing.")
@once(
    "--namespace",
    "gone_namespace",
    type=Checked("pattern", "names.namespace_pattern"),
    help="In the living cluster -c: bindings of deleted namespaces, such as 'pr-*'.",
)
@once("--older-than", type=Age(3600), help="With --namespace: keep newer bindings. [default: 7d]")
@once("--unused-for", type=Age(DAY), help="Keep roles that were used or created since. [default: 30d]")
@switch("--include-unmarked", "unmarked", help="Also delete what irsa did not create and no tool owns.")
@once("--max", "most", type=click.IntRange(1), help="Delete at most this many roles. [default: 100]")
@shared("where", more=" (with --namespace)")
@shared("expect", "kube")
@common.writing_options
def command(**options: Any) -> int:
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

    _check(options)
    options["dry_run"] = options["dry_run"] or not options["yes"]
    run = Writing(options)
    pattern = options["gone_namespace"] or ""
    target = targets.take_target(options) if pattern else targets.take_named(options)
    if options["list"]:
        return _list(target, run.settings.note, run.speaking)
    age = options["older_than"] or 7 * DAY if pattern else options["unused_for"] or 30 * DAY
    asked = {name: options[name] for name in ("names", "everything", "unmarked")}
    request = Request(target, pattern=pattern, age=age, most=options["most"] or 100, **asked)
    return run_many(run, partial(retire, request), ("retire", request))


def _check(options: dict[str, Any]) -> None:
    wanted = [bool(options[name]) for name in ("names", "everything", "list", "gone_namespace")]
    if sum(wanted) != 1:
        raise click.UsageError(
            "name a deleted CLUSTER or ISSUER, or use one of --all, --list and --namespace"
        )
    if options["older_than"] and not options["gone_namespace"]:
        raise click.UsageError("--older-than needs --namespace; for deleted clusters, use --unused-for")
    if options["gone_namespace"] and (options["unused_for"] or options["unmarked"]):
        raise click.UsageError("--namespace contradicts --unused-for and --include-unmarked")
    if options["list"] and (options["yes"] or options["out"]):
        raise click.UsageError("--list changes nothing: leave out --yes and --out")


def _list(target: Any, note: Any, speaking: Speaking) -> int:
    from irsa_cli.usecases.read.retired import list_dead

    found = run_reading(lambda progress: list_dead(target, note, progress.wire), speaking, DeadClusterList)
    head = ("CLUSTER", "ROLES", "OF-IRSA", "PROVIDERS", "CREATED", "LAST-USED", "STATUS")
    names = Counter(item["name"] for item in found.rows)
    named = [(item["arn"] if names[item["name"]] > 1 else item["name"], item) for item in found.rows]
    rows = [
        [name, item["roles"], item["ownRoles"], item["providers"],
         (item["created"] or "-")[:10], (item["lastUsed"] or "-")[:10], item["status"]]
        for name, item in named
    ]  # fmt: skip
    notes = [f"Note: {name}: {item['reason']}" for name, item in named if item["reason"]]
    used = ", ".join(f"{used} of {most} {name}" for name, (used, most) in found.quotas.items())
    quotas = f"Quotas: {used}." if used else "No quota was read."
    parts: Iterable[Part] = (Table.of(head, rows), *(Message(visible(note)) for note in notes), quotas)
    return deliver(Report(found, parts, failure_lines(found.error)), speaking)
