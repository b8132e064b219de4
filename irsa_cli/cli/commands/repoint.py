"""`irsa repoint`: its options and output; the work is in `irsa_cli.usecases.write.repoint`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from irsa_cli.cli.commands.apply import run_many
from irsa_cli.cli.help.environment import is_flag
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import completion
from irsa_cli.cli.options.accounts import any_namespace_flag
from irsa_cli.cli.options.contradictions import Excludes, Needs, Rule, Wrong, check
from irsa_cli.cli.options.fields import arguments, bound, group, once, switch
from irsa_cli.cli.options.kinds import FOLDER, TEXT, Age
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags
from irsa_cli.cli.options.roles import allow_wide_trust_flag
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.output.report import Message, Part
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import Writing
from irsa_cli.cli.terminal.screen import put
from irsa_cli.core.export.formats import manifest_files
from irsa_cli.core.results.applied import AppliedList
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.shown import visible
from irsa_cli.usecases.texts import write_texts


@dataclass(frozen=True, kw_only=True)
class RepointOptions:
    """The two clusters, the roles, and the step of the move."""

    roles: tuple[str, ...] = arguments(metavar="[ROLE]...", kind=click.STRING)
    old: str = once(
        "--from",
        kind=TEXT,
        required=True,
        metavar="OLD",
        help="The old cluster, its issuer URL, or the issuer's id.",
    )
    new: str = once(
        "--to",
        kind=TEXT,
        required=True,
        metavar="NEW",
        shell_complete=completion.clusters,
        help="The new cluster, its issuer URL, or the issuer's id.",
    )
    add: bool = switch("--add", help="Let tokens of NEW assume the roles, and annotate its ServiceAccounts.")
    verify: bool = switch("--verify", help="Exchange tokens of both clusters for each role.")
    retire: bool = switch("--retire", help="Remove the statements of OLD that are not used any more.")
    status: bool = switch("--status", help="Show which roles trust which cluster; the default.")
    role_path: str = once(
        "--role-path",
        kind=TEXT,
        metavar="PATH",
        default="/",
        help="Only roles under this path. [default: /]",
    )
    namespace: str | None = any_namespace_flag("Only roles for ServiceAccounts of this namespace.")
    include_managed: bool = switch("--include-managed", help="Also change roles that another tool manages.")
    unused_for: float = once(
        "--unused-for",
        kind=Age(),
        default=30 * 86400.0,
        help="Time without use before --retire. [default: 30d]",
    )
    force: bool = switch(
        "--force", help="With --add: also if NEW's pods lose access, or a condition is bypassed."
    )
    allow_wide_trust: bool = allow_wide_trust_flag()
    manifests: str | None = once("--manifests", kind=FOLDER, help="Write what NEW lacks to files here.")
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    kube: KubeFlags = group(KubeFlags)
    run: RunFlags = group(RunFlags)
    output: ReportedOutputFlags = group(ReportedOutputFlags)

    @property
    def phase(self) -> str:
        """The step."""
        for name, is_given in (("add", self.add), ("verify", self.verify), ("retire", self.retire)):
            if is_given:
                return name
        return "status"


_ONE_STEP = "{flag} and {other} contradict each other: one step at a time"
CONTRADICTIONS: tuple[Rule[RepointOptions], ...] = (
    Excludes("add", ("verify", "retire", "status"), _ONE_STEP),
    Excludes("verify", ("retire", "status"), _ONE_STEP),
    Excludes("retire", ("status",), _ONE_STEP),
    Wrong(
        lambda options: options.include_managed and options.phase not in ("add", "retire"),
        "--include-managed needs --add or --retire",
    ),
    Wrong(
        lambda options: options.allow_wide_trust and options.phase not in ("add", "retire"),
        "--allow-wide-trust needs --add or --retire",
    ),
    Needs(("force", "manifests"), "add"),
)


@click.command("repoint", cls=HelpedCommand)
@bound(RepointOptions)
def command(options: RepointOptions) -> int:
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

    run = Writing(options.run, options.output)
    check(options, CONTRADICTIONS)
    target = _destination(options).target(by_profile=True)
    path = options.role_path
    if not (path.startswith("/") and path.endswith("/")):
        raise click.BadParameter("a path begins and ends with /", param_hint="--role-path")
    request = Request(
        target,
        options.old,
        Phase(options.phase),
        options.roles,
        path,
        namespace=options.namespace or "",
        others=options.include_managed,
        unused_for=options.unused_for,
        force=options.force,
        allow_wide_trust=options.allow_wide_trust,
    )

    def first(results: AppliedList) -> Iterable[Part]:
        messages: Iterable[Message] = ()
        if options.manifests:
            messages = _write(results, Path(options.manifests))
        if run.speaking.output == "text":
            return [*_parts(results, options.phase), *messages]
        for message in messages:
            put(message, err=True)
        return ()

    reads = not request.phase.writes
    return run_many(run, partial(repoint, request), ("repoint", request), only_reads=reads, first=first)


def _destination(options: RepointOptions) -> Destination:
    """The cluster NEW, in the place of --cluster or --issuer-url."""
    from irsa_cli.core.planning.retire import is_cluster
    from irsa_cli.usecases.write.repoint_reads import as_id

    new = as_id(options.new)
    where = options.cluster.where
    external = options.cluster.external
    if is_cluster(new):
        region = new.split(":")[3]
        new = new.rpartition("/")[2]
        if where.region not in (None, region):
            raise click.UsageError(f"--to is in {region}, and --region is {where.region}")
        where = replace(where, region=region)
    in_flags = where.cluster or external.issuer_url
    if in_flags and in_flags != new and (external.issuer_url or is_flag("cluster")):
        raise click.UsageError("--to is the new cluster; leave out --cluster and --issuer-url")
    if new.startswith("https://"):
        where = replace(where, cluster=None)
        external = replace(external, issuer_url=new)
    else:
        where = replace(where, cluster=new)
    cluster = replace(options.cluster, where=where, external=external)
    destination = Destination(cluster, options.role_account, kube=options.kube)
    destination.check_reachable()
    return destination


def _facts(results: AppliedList) -> Iterator[tuple[str, Result, dict[str, Any]]]:
    """The roles that were read: name, result, and what is known of each."""
    for role in results.items:
        if facts := role.result.facts.get("repoint"):
            yield role.name.removeprefix("role "), role.result, facts


def _parts(results: AppliedList, phase: str) -> Iterator[Part]:
    """A table of what trusts what; statements for the tools that manage roles."""
    if phase == "status":
        rows = []
        for name, _, facts in _facts(results):
            accounts = "not read"
            if facts["serviceAccounts"] is not None:
                accounts = ", ".join(facts["serviceAccounts"]) or "none"
            rows.append([name, facts["old"], facts["new"], facts["missing"], facts["madeBy"], accounts])
        head = ("ROLE", "OLD", "NEW", "MISSING", "CREATED BY", "SERVICEACCOUNTS IN NEW")
        yield Table.of(head, rows)
    for name, _, facts in _facts(results):
        for text in _texts(facts["statements"]):
            yield f"# {visible(name)}, for {visible(facts['madeBy'])}:"
            yield from map(visible, text.split("\n"))


def _texts(statements: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The statements in the language of the tool that manages the role."""
    for statement in statements:
        if statement["language"] == "hcl":
            yield statement["text"]
        else:
            yield json.dumps(statement["document"], indent=2)


def _write(results: AppliedList, folder: Path) -> Iterator[Message]:
    """The ServiceAccounts that NEW lacks as manifests, and statements for other tools, a file for each."""
    files: dict[str, str] = {}
    for name, result, facts in _facts(results):
        if result.ended not in (Ended.COMMITTED, Ended.UNCHANGED, Ended.PLANNED):
            continue
        files |= manifest_files(facts["manifests"])
        statements = facts["statements"]
        if statements:
            ending = "tf" if statements[0]["language"] == "hcl" else "json"
            files[f"trust/{name}.{ending}"] = "\n".join([*_texts(statements), ""])
    write_texts({folder / name: text for name, text in files.items()})
    yield Message(visible(f"Files written to {folder}: {len(files)}"))
