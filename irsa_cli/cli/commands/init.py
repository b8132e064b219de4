"""`irsa init`: its options; the file is written in `irsa_cli.core.inventory.bindings_file`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import once_filled, shared, switch
from irsa_cli.cli.output.result import failure_lines
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.session import run_reading
from irsa_cli.cli.terminal.screen import put, say
from irsa_cli.core.inventory.list_document import BindingList


@click.command("init", cls=HelpedCommand)
@shared("any namespace", text="Namespace. [default: all]")
@shared("all namespaces", text="All namespaces; the default.")
@shared("selector")
@once_filled("--out", metavar="FILE", help="Write this new file. [default: standard output]")
@shared("cluster", "role account", "kube")
@switch("--all-paths", help="Also look for managed roles outside /irsa/CLUSTER/: lists all roles.")
@shared("readers", text="Role for reading the IAM of another account that has roles (repeat).")
@shared("allow partial", "quiet", "calls")
def command(**options: Any) -> int:
    """Write a configuration file from the cluster's bindings.

    Roles managed by irsa become entries: `irsa diff` finds nothing to change. All others become comments:
    their owner, their status, and what to do first. Changes nothing in AWS and in the cluster.

    Examples:
      irsa init -c prod > bindings.yaml
      irsa init -n backend -c prod --out backend.yaml
    """
    from irsa_cli.usecases.read.bindings import BindingsScope
    from irsa_cli.usecases.show.get_sa import Request, file_of

    speaking, out = Speaking.take({**options, "output": "text"}), options["out"]
    common.check_many(options)
    common.check_reachable(options)
    if out and Path(out).exists():
        raise click.BadParameter(f"{out} exists, and is not overwritten", param_hint="--out")
    scope = BindingsScope(options["namespace"] or "", "", options["all_paths"], options["selector"] or "")
    request = Request(targets.take_target(options), scope, options["readers"])
    text = ""

    def work(progress: Any) -> BindingList:
        nonlocal text
        found, text = file_of(request, progress.wire)
        return BindingList(found)

    done = run_reading(work, speaking, BindingList)
    allow = replace(done.allow, partial=options["allow_partial"], empty=True)
    done = replace(done, allow=allow)
    for line in failure_lines(done.error):
        put(line, err=True)
    if done.error is None and out:
        with Path(out).open("x", encoding="utf-8") as file:
            file.write(text)
    elif done.error is None:
        click.echo(text, nl=False)
    for note in done.notes:
        say(f"Note: {note}", err=True)
    return int(done.exit_code)
