"""`irsa init`: its options; the file is written in `irsa_cli.core.inventory.bindings_file`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import (
    NAMESPACE_OR_ALL,
    all_namespaces_flag,
    any_namespace_flag,
    selector_flag,
)
from irsa_cli.cli.options.audits import allow_partial_flag
from irsa_cli.cli.options.contradictions import check
from irsa_cli.cli.options.fields import bound, group, once, switch
from irsa_cli.cli.options.kinds import TEXT
from irsa_cli.cli.options.outputs import MessageFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags, readers_flag
from irsa_cli.cli.output.result import failure_lines
from irsa_cli.cli.session import run_reading
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.screen import put, say
from irsa_cli.core.inventory.list_document import BindingList


@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """The ServiceAccounts that the file gets, and its name."""

    namespace: str | None = any_namespace_flag("Namespace. [default: all]")
    everywhere: bool = all_namespaces_flag("All namespaces; the default.")
    selector: str | None = selector_flag()
    out: str | None = once(
        "--out", kind=TEXT, metavar="FILE", help="Write this new file. [default: standard output]"
    )
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    kube: KubeFlags = group(KubeFlags)
    all_paths: bool = switch(
        "--all-paths", help="Also look for managed roles outside /irsa/CLUSTER/: lists all roles."
    )
    readers: tuple[str, ...] = readers_flag(
        "Role for reading the IAM of another account that has roles (repeat)."
    )
    allow_partial: bool = allow_partial_flag()
    messages: MessageFlags = group(MessageFlags)


@click.command("init", cls=HelpedCommand)
@bound(InitOptions)
def command(options: InitOptions) -> int:
    """Write a configuration file from the cluster's bindings.

    Roles managed by irsa become entries: `irsa diff` finds nothing to change. All others become comments:
    their owner, their status, and what to do first. Changes nothing in AWS and in the cluster.

    Examples:
      irsa init -c prod > bindings.yaml
      irsa init -n backend -c prod --out backend.yaml
    """
    from irsa_cli.usecases.read.bindings import BindingsScope
    from irsa_cli.usecases.show.get_sa import Request, file_of

    speaking = options.messages.speaking()
    out = options.out
    check(options, (NAMESPACE_OR_ALL,))
    destination = Destination(options.cluster, options.role_account, kube=options.kube)
    destination.check_reachable()
    if out and Path(out).exists():
        raise click.BadParameter(f"{out} exists, and is not overwritten", param_hint="--out")
    scope = BindingsScope(options.namespace or "", "", options.all_paths, options.selector or "")
    request = Request(destination.target(), scope, options.readers)
    text = ""

    def read_bindings(progress: Progress) -> BindingList:
        nonlocal text
        bindings, text = file_of(request, progress.wire)
        return BindingList(bindings)

    listing = run_reading(read_bindings, speaking, BindingList)
    allow = replace(listing.allow, partial=options.allow_partial, empty=True)
    listing = replace(listing, allow=allow)
    for line in failure_lines(listing.error):
        put(line, err=True)
    if listing.error is None and out:
        with Path(out).open("x", encoding="utf-8") as file:
            file.write(text)
    elif listing.error is None:
        click.echo(text, nl=False)
    for note in listing.notes:
        say(f"Note: {note}", err=True)
    return int(listing.exit_code)
