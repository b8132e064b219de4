"""`irsa repoint`: its options and output; the work is in `irsa_cli.usecases.write.repoint`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from irsa_cli.cli.commands.apply import run_many
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, roles, targets
from irsa_cli.cli.options.types import Age, completed, once, once_filled, shared, switch
from irsa_cli.cli.output.report import Message, Part
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import Writing
from irsa_cli.cli.terminal.screen import put
from irsa_cli.core.results.applied import AppliedList
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.shown import visible

PHASES = ("add", "verify", "retire", "status")


@click.command("repoint", cls=HelpedCommand)
@click.argument("roles", metavar="[ROLE]...", nargs=-1)
@once_filled(
    "--from", "old", required=True, metavar="OLD", help="The old cluster, its issuer URL, or the issuer's id."
)
@once_filled(
    "--to",
    "new",
    required=True,
    metavar="NEW",
    shell_complete=completed("clusters"),
    help="The new cluster, its issuer URL, or the issuer's id.",
)
@switch("--add", help="Let tokens of NEW assume the roles, and annotate its ServiceAccounts.")
@switch("--verify", help="Exchange tokens of both clusters for each role.")
@switch("--retire", help="Remove the statements of OLD that are not used any more.")
@switch("--status", help="Show which roles trust which cluster; the default.")
@once_filled("--role-path", metavar="PATH", default="/", help="Only roles under this path. [default: /]")
@shared("any namespace", text="Only roles for ServiceAccounts of this namespace.")
@switch("--include-managed", "others", help="Also change roles that another tool manages.")
@once(
    "--unused-for", type=Age(), default=30 * 86400.0, help="Time without use before --retire. [default: 30d]"
)
@switch("--force", help="With --add: also if NEW's pods lose access, or a condition is bypassed.")
@roles.allow_wide_trust_option
@once_filled("--manifests", type=click.Path(file_okay=False), help="Write what NEW lacks to files here.")
@shared("cluster", "role account", "kube")
@common.writing_options
def command(**options: Any) -> int:
    """Give the roles of one cluster to another.

    irsa reads all roles of the account. It adds for NEW what their trust policies say of OLD; --retire
    removes the statements of OLD. ROLE is a name or a pattern, such as 'app-*'. Each role is one transaction,
    and each step can be repeated. To go back, exchange --from and --to.

    Examples:
      irsa repoint --from blue --to green
      irsa repoint --from blue --to green --add --dry-run
      irsa repoint --from blue --to green --verify
      irsa repoint --from blue --to green --retire --unused-for 7d
    """
    from irsa_cli.usecases.write.repoint import Phase, Request, repoint

    run = Writing(options)
    phase = _phase(options)
    _name_cluster(options)
    target = targets.take_target(options, by_profile=True)
    path = options["role_path"]
    if not (path.startswith("/") and path.endswith("/")):
        raise click.BadParameter("a path begins and ends with /", param_hint="--role-path")
    request = Request(
        target, options["old"], Phase(phase), tuple(options["roles"]), path, options["namespace"] or "",
        options["others"], options["unused_for"], options["force"], options["allow_wide_trust"],
    )  # fmt: skip

    def first(done: AppliedList) -> Iterable[Part]:
        written = _write(done, Path(options["manifests"])) if options["manifests"] else ()
        if run.speaking.output == "text":
            return [*_parts(done, phase), *written]
        for line in written:
            put(line, err=True)
        return ()

    reads = not request.phase.writes
    return run_many(run, partial(repoint, request), ("repoint", request), only_reads=reads, first=first)


def _phase(options: dict[str, Any]) -> str:
    given = [name for name in PHASES if options[name]]
    if len(given) > 1:
        raise click.UsageError(f"--{given[0]} and --{given[1]} contradict each other: one step at a time")
    phase = (given or ["status"])[0]
    if options["others"] and phase not in ("add", "retire"):
        raise click.UsageError("--include-managed needs --add or --retire")
    if options["allow_wide_trust"] and phase not in ("add", "retire"):
        raise click.UsageError("--allow-wide-trust needs --add or --retire")
    if options["force"] and phase != "add":
        raise click.UsageError("--force needs --add")
    if options["manifests"] and phase != "add":
        raise click.UsageError("--manifests needs --add")
    return phase


def _name_cluster(options: dict[str, Any]) -> None:
    """Put NEW in the place of --cluster or --issuer-url."""
    from irsa_cli.core.planning.retire import is_cluster
    from irsa_cli.usecases.write.repoint_reads import as_id

    new = as_id(options["new"])
    if is_cluster(new):
        region, new = new.split(":")[3], new.rpartition("/")[2]
        if options["region"] not in (None, region):
            raise click.UsageError(f"--to is in {region}, and --region is {options['region']}")
        options["region"] = region
    there = options["cluster"] or options["issuer_url"]
    source = click.get_current_context().get_parameter_source("cluster")
    if there and there != new and (options["issuer_url"] or source == click.core.ParameterSource.COMMANDLINE):
        raise click.UsageError("--to is the new cluster; leave out --cluster and --issuer-url")
    options["issuer_url" if new.startswith("https://") else "cluster"] = new
    if new.startswith("https://"):
        options["cluster"] = None
    common.check_reachable(options)


def _facts(done: AppliedList) -> Iterator[tuple[str, Result, dict[str, Any]]]:
    """The roles that were read: name, result, and what is known of each."""
    for item in done.items:
        if found := item.result.facts.get("repoint"):
            yield item.name.removeprefix("role "), item.result, found


def _parts(done: AppliedList, phase: str) -> Iterator[Part]:
    """A table of what trusts what; statements for the tools that manage roles."""
    if phase == "status":
        rows = [
            [name, it["old"], it["new"], it["missing"], it["madeBy"],
             "not read" if it["serviceAccounts"] is None else ", ".join(it["serviceAccounts"]) or "none"]
            for name, _, it in _facts(done)
        ]  # fmt: skip
        head = ("ROLE", "OLD", "NEW", "MISSING", "CREATED BY", "SERVICEACCOUNTS IN NEW")
        yield Table.of(head, rows)
    for name, _, found in _facts(done):
        for text in _texts(found):
            yield f"# {visible(name)}, for {visible(found['madeBy'])}:"
            yield from map(visible, text.split("\n"))


def _texts(found: dict[str, Any]) -> Iterator[str]:
    for item in found["statements"]:
        yield item["text"] if item["language"] == "hcl" else json.dumps(item["document"], indent=2)


def _write(done: AppliedList, folder: Path) -> Iterator[Message]:
    """The ServiceAccounts that NEW lacks as manifests, and statements for other tools, a file for each."""
    files: dict[str, str] = {}
    for name, result, found in _facts(done):
        if result.ended not in (Ended.COMMITTED, Ended.UNCHANGED, Ended.PLANNED):
            continue
        for manifest in found["manifests"]:
            names = manifest["metadata"]
            files[f"{names['namespace']}.{names['name']}.yaml"] = json.dumps(manifest, indent=2)
        if found["statements"]:
            ending = "tf" if found["statements"][0]["language"] == "hcl" else "json"
            files[f"trust/{name}.{ending}"] = "\n".join(_texts(found))
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    yield Message(visible(f"Files written to {folder}: {len(files)}"))
