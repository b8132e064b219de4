"""`irsa export`: its options, and the files that it writes; `irsa_cli.core.export` has their texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import (
    NAME_OR_SELECTOR,
    NAMESPACE_OR_ALL,
    all_namespaces_flag,
    any_namespace_flag,
    name_flag,
    selector_flag,
)
from irsa_cli.cli.options.audits import allow_partial_flag
from irsa_cli.cli.options.contradictions import Excludes, Needs, Rule, Wrong, check
from irsa_cli.cli.options.fields import bound, group, once, switch
from irsa_cli.cli.options.files import files_flag, read_selected
from irsa_cli.cli.options.kinds import ROLE_NAME, TEXT, Checked
from irsa_cli.cli.options.outputs import MessageFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags, readers_flag
from irsa_cli.cli.output.result import failure_lines
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.session import run_reading
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.screen import put, say
from irsa_cli.core.config.model import Selection
from irsa_cli.core.export.charts import CHARTS, DEFAULT_KEY, key_of, values_key
from irsa_cli.core.export.formats import FORMATS, Format, joined
from irsa_cli.core.inventory.list_document import BindingList
from irsa_cli.core.values.errors import ExitCode, IrsaError
from irsa_cli.core.values.shown import plural, visible
from irsa_cli.usecases.texts import read_whole, write_texts

if TYPE_CHECKING:
    from irsa_cli.core.export.accounts import ExportedAccount
    from irsa_cli.core.export.updates import UpdatedFile
    from irsa_cli.core.inventory.exported import ExportedFiles
    from irsa_cli.usecases.command.connect import WireLog

    Exporting = Callable[[WireLog], ExportedFiles]

FORMS = (*FORMATS, "terraform", "irsa")
WRITABLE = ("manifests", "helm")
"""Formats of files that can be updated in place."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The bindings, the format, and the files."""

    name: str | None = name_flag()
    role_name: str | None = once(
        "--role-name",
        kind=ROLE_NAME,
        help="Name of the role, if the ServiceAccount has another one.",
    )
    form: str = once(
        "--to", kind=click.Choice(FORMS), default="manifests", help="Format. [default: manifests]"
    )
    namespace: str | None = any_namespace_flag("Namespace. [default: all, or 'default' with NAME]")
    everywhere: bool = all_namespaces_flag("All namespaces (the default without NAME).")
    selector: str | None = selector_flag()
    files: tuple[str, ...] = files_flag(required=False)
    out: str | None = once(
        "--out", kind=TEXT, metavar="PATH", help="Write this file or folder. [default: standard output]"
    )
    write: str | None = once(
        "--write",
        kind=TEXT,
        metavar="FILE",
        help="Change only the annotations in this manifest or values file.",
    )
    check: bool = switch("--check", help="Write nothing; exit 6 if a file differs.")
    values_key: str | None = once(
        "--values-key",
        kind=Checked("key", values_key),
        help="With --to helm: the place of the ServiceAccount. [default: serviceAccount]",
    )
    chart: str | None = once(
        "--chart",
        kind=click.Choice([*CHARTS]),
        metavar="CHART",
        help="With --to helm: the place in this well-known chart.",
    )
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    kube: KubeFlags = group(KubeFlags)
    all_paths: bool = switch("--all-paths", help="Also search for managed roles outside /irsa/CLUSTER/.")
    readers: tuple[str, ...] = readers_flag("Also read another account's IAM by this role (repeat).")
    allow_partial: bool = allow_partial_flag()
    messages: MessageFlags = group(MessageFlags)


CONTRADICTIONS: tuple[Rule[ExportOptions], ...] = (
    NAMESPACE_OR_ALL,
    NAME_OR_SELECTOR,
    Needs(("role_name",), "name", "--role-name needs NAME"),
    Excludes("files", ("selector", "all_paths", "readers", "role_name")),
    Wrong(
        lambda options: options.files and options.form not in FORMATS,
        "--to terraform and --to irsa read the cluster: leave out --filename",
    ),
    Excludes("out", ("write",)),
    Excludes("values_key", ("chart",)),
    Wrong(
        lambda options: options.check and not (options.out or options.write), "--check needs --out or --write"
    ),
    Wrong(
        lambda options: options.write and options.form not in WRITABLE,
        "--write needs --to manifests or --to helm",
    ),
    Wrong(
        lambda options: (options.values_key or options.chart) and options.form != "helm",
        "--values-key and --chart need --to helm",
    ),
)


@click.command("export", cls=HelpedCommand)
@bound(ExportOptions)
def command(options: ExportOptions) -> int:
    """Write ServiceAccounts and roles for Git, Helm and Terraform.

    If a repository owns a ServiceAccount, its annotation belongs there. --out writes new files; --write
    changes the annotation in an existing file and keeps everything else, with comments and quotes. --check
    compares files with the cluster. Changes nothing in AWS and in the cluster.

    Examples:
      irsa export -n backend -c prod --out manifests/
      irsa export s3-reader -n backend -c prod --write account.yaml
      irsa export s3-reader -n backend -c prod --to helm --write values.yaml
      irsa export -f cluster.yaml -c prod --to kustomize --out irsa/
      irsa export -c prod --to terraform --out roles.tf
    """
    check(options, CONTRADICTIONS)
    form = _format(options)
    if options.files:
        return run_export(_exporting_files(options, form), form, options)
    return run_export(exporting_cluster(options, form), form, options)


def _format(options: ExportOptions) -> Format:
    key = key_of(options.chart) if options.chart else options.values_key or DEFAULT_KEY
    return Format(options.form, key, alone=bool(options.name))


def exporting_cluster(options: ExportOptions, form: Format) -> Exporting:
    """The export of a cluster's bindings."""
    from irsa_cli.usecases.read.bindings import BindingsScope
    from irsa_cli.usecases.show.export import ExportRequest, export
    from irsa_cli.usecases.show.get_sa import Request

    destination = Destination(options.cluster, options.role_account, kube=options.kube)
    destination.check_reachable()
    name = options.name or ""
    namespace = options.namespace or ""
    if name and not options.everywhere:
        namespace = namespace or "default"
    scope = BindingsScope(namespace, name, options.all_paths, options.selector or "")
    bindings = Request(destination.target(), scope, options.readers)
    return partial(export, ExportRequest(bindings, form, options.role_name or ""))


def _exporting_files(options: ExportOptions, form: Format) -> Exporting:
    """The export of the ServiceAccounts in files."""
    from irsa_cli.usecases.files.exported import export_files

    destination = Destination(options.cluster, options.role_account, kube=options.kube)
    selection = Selection((f"{options.namespace or '*'}/{options.name or '*'}",))
    configs, target, selection = read_selected(options.files, destination, selection)
    return partial(export_files, configs, target, selection, form)


def run_export(exporting: Exporting, form: Format, options: ExportOptions) -> int:
    """Read the bindings, then print or write the files; returns the exit code."""
    speaking = options.messages.speaking()
    exports: list[ExportedFiles] = []

    def work(progress: Progress) -> BindingList:
        exports.append(exporting(progress.wire))
        return BindingList(exports[0].bindings)

    done = run_reading(work, speaking, BindingList)
    done = replace(done, allow=replace(done.allow, partial=options.allow_partial, empty=True))
    code = int(done.exit_code)
    error = done.error
    if error is None:
        try:
            code = _deliver(exports[0], form, options, speaking) or code
        except IrsaError as failure:
            error = failure
            code = int(failure.exit_code)
    for line in failure_lines(error):
        put(line, err=True)
    notes = exports[0].notes if exports else ()
    for note in (*done.notes, *done.recorded_notes, *notes):
        say(f"Note: {note}", err=True)
    return code


def _deliver(exported: ExportedFiles, form: Format, options: ExportOptions, speaking: Speaking) -> int:
    """Print, write or compare the files; returns 6 if --check finds a difference."""
    if options.write:
        return _update(Path(options.write), exported, form, options, speaking)
    if not options.out:
        click.echo(joined(exported.files), nl=False)
        return 0
    out = Path(options.out)
    if not options.out.endswith("/") and not out.is_dir():
        return _put({out: joined(exported.files)}, options, speaking)
    return _put({out / name: text for name, text in exported.files.items()}, options, speaking)


def _update(
    path: Path, exported: ExportedFiles, form: Format, options: ExportOptions, speaking: Speaking
) -> int:
    """Write the annotations into a file; roles in it that irsa does not know are a difference."""
    from irsa_cli.usecases.show.export import updated

    update = updated(path, form, exported.accounts)
    for account in update.absent:
        say(f"Note: {visible(f'{path} has no ServiceAccount {account.full_name}')}", err=True)
    unknown = _unknown(update, options)
    for account in unknown:
        why = f"{path}: ServiceAccount {account.name} has {account.role_arn}, and is no such binding"
        say(f"Note: {visible(why)}", err=True)
    code = _put({path: update.text}, options, speaking)
    return int(ExitCode.PENDING) if options.check and unknown else code


def _unknown(update: UpdatedFile, options: ExportOptions) -> list[ExportedAccount]:
    """The ServiceAccounts with a role that the export would have if they were bindings."""
    if options.name or options.selector:
        return []
    namespaces = ("", options.namespace)
    return [account for account in update.others if not options.namespace or account.namespace in namespaces]


def _put(texts: Mapping[Path, str], options: ExportOptions, speaking: Speaking) -> int:
    """Write the files that differ, or print how they do."""
    before = {path: read_whole(path) if path.is_file() else None for path in texts}
    changed = {path: text for path, text in texts.items() if text != before[path]}
    if options.check:
        _show_differences(before, changed)
    else:
        write_texts(changed)
    is_one_new_file = not options.check and [*texts] == [Path(options.out or "")]
    if not speaking.quiet and not is_one_new_file:
        verb = "differ from the cluster" if options.check else "written"
        put(f"{len(changed)} of {plural(len(texts), 'file')} {verb}", err=True)
    return int(ExitCode.PENDING) if options.check and changed else 0


def _show_differences(before: Mapping[Path, str | None], after: Mapping[Path, str]) -> None:
    for path, text in after.items():
        names = f"{path} (file)", f"{path} (cluster)"
        for line in unified_diff((before[path] or "").splitlines(), text.splitlines(), *names, n=2):
            put(visible(line.rstrip("\n")))
