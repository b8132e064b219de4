"""`irsa diff`: its options; the work is a dry run of `irsa apply`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.commands import apply
from irsa_cli.cli.commands.apply import DifferenceFlags, apply_files, verify_flag
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound, group, switch
from irsa_cli.cli.options.files import NeededFileFlags, PlaceFlags
from irsa_cli.cli.options.outputs import RoleOutputFlags
from irsa_cli.cli.options.running import RunFlags, access_change_flag, out_flag


@dataclass(frozen=True, kw_only=True)
class DiffOptions:
    """The files, and which differences are shown."""

    files: NeededFileFlags = group(NeededFileFlags)
    place: PlaceFlags = group(PlaceFlags)
    differences: DifferenceFlags = group(DifferenceFlags)
    verify: bool = verify_flag()
    changed_by: bool = switch("--changed-by", help="Show who changed a resource, from CloudTrail.")
    out: str | None = out_flag()
    allow_access_change: bool = access_change_flag()
    detailed_exitcode: bool = switch(
        "--detailed-exitcode", help="Exit 6 if there are changes (the default of diff)."
    )
    output: RoleOutputFlags = group(RoleOutputFlags)


@click.command("diff", cls=HelpedCommand)
@bound(DiffOptions)
def command(options: DiffOptions) -> int:
    """Show the changes that irsa apply would make.

    Policies are shown as textual differences. Exit code 6: there are changes; 0: there are none.

    Examples:
      irsa diff -f cluster.yaml
      irsa diff -f bindings/ -c prod --prune
      irsa diff -f cluster.yaml --out plan.json   # then: irsa apply plan.json
      irsa diff -f cluster.yaml --changed-by -q   # prints nothing without changes
    """
    dry_run = RunFlags(
        dry_run=True,
        detailed_exitcode=True,
        out=options.out,
        allow_access_change=options.allow_access_change,
    )
    applied = apply.ApplyOptions(
        files=options.files,
        place=options.place,
        differences=options.differences,
        verify=options.verify,
        run=dry_run,
        output=options.output,
    )
    return apply_files(applied, changed_by=options.changed_by)
