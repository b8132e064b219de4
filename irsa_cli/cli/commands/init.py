"""`irsa init`: `irsa export --to irsa` under its first name, which overwrites no file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from irsa_cli.cli.commands.export import ExportOptions, exporting_cluster, run_export
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
from irsa_cli.cli.options.reach import ClusterFlags, KubeFlags, RoleAccountFlags, readers_flag
from irsa_cli.core.export.formats import Format


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
    check(options, (NAMESPACE_OR_ALL,))
    export = ExportOptions(
        form="irsa",
        namespace=options.namespace,
        everywhere=options.everywhere,
        selector=options.selector,
        out=options.out,
        cluster=options.cluster,
        role_account=options.role_account,
        kube=options.kube,
        all_paths=options.all_paths,
        readers=options.readers,
        allow_partial=options.allow_partial,
        messages=options.messages,
    )
    form = Format(export.form)
    exporting = exporting_cluster(export, form)
    if options.out and Path(options.out).exists():
        raise click.BadParameter(f"{options.out} exists, and is not overwritten", param_hint="--out")
    return run_export(exporting, form, export)
