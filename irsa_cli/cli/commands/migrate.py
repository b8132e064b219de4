"""`irsa migrate`: its options and output; the work is in `irsa_cli.usecases.write.migrate`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from irsa_cli.cli.commands.apply import run_many
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, roles, targets
from irsa_cli.cli.options.types import Checked, completed, once, shared, switch
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import Writing
from irsa_cli.core.results.applied import AppliedList

WAYS = {"irsa": "IRSA", "pod-identity": "Pod Identity"}
_OF_THE_REQUEST = ("names", "restart", "finish", "others", "status", "force", "allow_wide_trust")


@click.command("migrate", cls=HelpedCommand)
@click.argument(
    "names",
    metavar="[NAME]...",
    nargs=-1,
    type=Checked("name", "names.service_account"),
    shell_complete=completed("accounts"),
)
@once("--to", type=click.Choice([*WAYS]), required=True, help="The way that new pods get the role.")
@shared("namespace", text="Namespace of the ServiceAccounts. [default: default]")
@switch("--restart", help="Restart their workloads one at a time, and check the new pods.")
@switch("--finish", help="Remove the old way, if no running pod uses it.")
@switch("--include-managed", "others", help="Also change what other tools manage, or irsa did not create.")
@switch("--force", help="Add trust statements even if they void existing restrictions.")
@roles.allow_wide_trust_option
@switch("--status", help="Show how each ServiceAccount and its pods get the role.")
@shared("cluster", "kube")
@common.writing_options
def command(**options: Any) -> int:
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
    from irsa_cli.core.planning.ways import IdentitySource
    from irsa_cli.usecases.write.migrate import Request, migrate

    run = Writing(options)
    _check(options)
    target = targets.take_target(options, by_profile=True)
    same = {name: options[name] for name in _OF_THE_REQUEST}
    request = Request(target, IdentitySource(options["to"]), options["namespace"], **same)
    work = partial(migrate, request)
    if not request.status:
        return run_many(run, work, ("migrate", request))
    return run_many(run, work, ("migrate", request), only_reads=True, first=lambda done: [_status(done)])


def _check(options: dict[str, Any]) -> None:
    common.check_reachable(options)
    if options["to"] == "irsa" and options["restart"] and not options["finish"]:
        raise click.UsageError(
            "--restart needs --finish: new pods get Pod Identity as long as there is an association"
        )
    if options["status"] and (options["restart"] or options["finish"]):
        raise click.UsageError("--status contradicts --restart and --finish: it changes nothing")
    if options["issuer_url"]:
        raise click.UsageError("--issuer-url: only EKS has Pod Identity")


def _status(done: AppliedList) -> Table:
    """A table of what there is, and of the pods by the way they got their identity."""
    rows = []
    for item in done.items:
        found = item.result.facts.get("migration")
        if found:
            pods = (
                f"{len(found['pods'][way])} by {text}" for way, text in WAYS.items() if found["pods"][way]
            )
            ways = " and ".join(WAYS[way] for way in found["ways"])
            none = "not known" if "problem" in found else "none"
            rows.append([item.name, ways or none, ", ".join(pods) or "none"])
    return Table.of(("SERVICEACCOUNT", "ROLE BY", "RUNNING PODS"), rows)
