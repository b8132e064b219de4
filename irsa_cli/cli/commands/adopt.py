"""`irsa adopt`: its options and output; the work is in `irsa_cli.usecases.write.adopt`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import NAMESPACE_OR_ALL, all_namespaces_flag, any_namespace_flag, name_flag
from irsa_cli.cli.options.contradictions import Rule, Wrong, check
from irsa_cli.cli.options.fields import bound, group, once, switch
from irsa_cli.cli.options.kinds import ROLE_NAME
from irsa_cli.cli.options.outputs import RoleOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags
from irsa_cli.cli.options.roles import ignore_maker_flag
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.output.plan_text import plan_lines
from irsa_cli.cli.output.report import Part, Report
from irsa_cli.cli.output.result import facts_of, name_of, of_result
from irsa_cli.cli.output.results.applied import of_many
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import Writing, outcome_of
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.shown import plural

if TYPE_CHECKING:
    from irsa_cli.core.planning.adopt import Adoptions


@dataclass(frozen=True, kw_only=True)
class AdoptOptions:
    """Which roles are adopted, and where."""

    name: str | None = name_flag()
    everything: bool = switch("--all", help="Adopt all unmanaged roles, in -n or in all namespaces.")
    everywhere: bool = all_namespaces_flag("Adopt all unmanaged roles in all namespaces.")
    role_name: str | None = once(
        "--role-name", kind=ROLE_NAME, help="Adopt this role for NAME, even if NAME has no annotation."
    )
    ignore_maker: bool = ignore_maker_flag()
    namespace: str | None = any_namespace_flag(
        "Namespace of NAME, or of --all. [default: 'default', or all with --all]"
    )
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    kube: KubeFlags = group(KubeFlags)
    run: RunFlags = group(RunFlags)
    output: RoleOutputFlags = group(RoleOutputFlags)

    @property
    def several(self) -> bool:
        """Whether all unmanaged roles are adopted, not that of NAME."""
        return self.everything or self.everywhere


CONTRADICTIONS: tuple[Rule[AdoptOptions], ...] = (
    NAMESPACE_OR_ALL,
    Wrong(
        lambda options: bool(options.name) == options.several,
        "give the NAME of a ServiceAccount, or -A for all",
    ),
    Wrong(
        lambda options: options.role_name and options.several,
        "--role-name and --all contradict each other",
    ),
)


@click.command("adopt", cls=HelpedCommand)
@bound(AdoptOptions)
def command(options: AdoptOptions) -> int:
    """Adopt a role created by another tool.

    The tool can be eksctl, Terraform or a person. irsa tags the role of an annotated ServiceAccount as
    managed; its name, trust policy and policies stay as they are. The output shows differences from a role
    created by irsa: other subjects that the trust policy allows, other tools that write the role, and how
    to release it from a CloudFormation stack.

    Examples:
      irsa adopt s3-reader -n backend -c prod
      irsa adopt s3-reader -n backend -c prod --role-name teams-s3-reader
      irsa adopt --all -c prod --dry-run
    """
    from irsa_cli.usecases.write.adopt import Request, Several, adopt, adopt_all, planned_of_all

    run = Writing(options.run, options.output)
    speaking = run.speaking
    settings = run.settings
    check(options, CONTRADICTIONS)
    destination = Destination(options.cluster, options.role_account, kube=options.kube)
    if not options.role_name:
        destination.check_reachable()
    target = destination.target(by_profile=True)
    request = Request(
        target,
        namespace=options.namespace or ("" if options.several else "default"),
        name=options.name or "",
        role_name=options.role_name or "",
        ignore_maker=options.ignore_maker,
    )

    def adopt_one_or_all() -> Result | Adoptions:
        if options.several:
            return adopt_all(request, settings, speaking.progress.wire)
        return adopt(request, settings, speaking.progress.wire)

    outcome = outcome_of(adopt_one_or_all, speaking, one=not options.several)
    outcome.detailed = run.detailed

    def save(_: object) -> None:
        if isinstance(outcome, Result):
            run.saver("adopt", request)(outcome)
        else:
            planned = planned_of_all(outcome)  # The plan has the names that were found.
            names = tuple(adoption.name for adoption in planned.items)
            run.saver("adopt --all", Several(target, names, request.ignore_maker))(planned)

    if isinstance(outcome, Result):
        report = of_result(outcome, quiet=speaking.quiet, verbose=True)
    else:
        report = _report(outcome, speaking)
    return deliver(report, speaking, only_shows=settings.dry_run, save=save)


_WORDS = {
    Ended.COMMITTED: "adopted",
    Ended.PLANNED: "to adopt",
    Ended.UNCHANGED: "already managed",
    Ended.ROLLED_BACK: "rolled back",
}


def _messages(adoptions: Adoptions, speaking: Speaking) -> Iterator[str]:
    """Messages about each result; a plan's changes and notes only with `-v`."""
    for result in adoptions.items:
        lines: list[str] = []
        quiet = speaking.quiet
        if result.ended is Ended.PLANNED:
            quiet = quiet or not speaking.verbose
            if speaking.verbose:
                lines += plan_lines(result, whole=True)
        lines += of_result(result, quiet=quiet).messages
        if lines:
            yield f"{name_of(result)}:"
            yield from (f"  {line}" for line in lines)


def _table(adoptions: Adoptions) -> Iterator[Part]:
    """A table with a total."""
    rows = []
    for result in adoptions.items:
        status = _WORDS.get(result.ended, result.ended.value)
        rows.append((name_of(result), status, result.facts["role"]["arn"]))
    rows += [(skipped.account, "skipped", skipped.why) for skipped in adoptions.passed]
    yield Table.of(("SERVICEACCOUNT", "STATUS", "ROLE"), rows)
    if not adoptions.items:
        yield "There is nothing to adopt."
        return
    counts = Counter(status for _, status, _ in rows)
    total = ", ".join(f"{number} {status}" for status, number in counts.items())
    yield f"{plural(len(rows), 'ServiceAccount')}: {total}."
    if any(result.ended is Ended.PLANNED for result in adoptions.items):
        yield "Nothing was changed (dry run; -v shows each plan and its notes)."


def _report(adoptions: Adoptions, speaking: Speaking) -> Report:
    cluster = adoptions.cluster
    results = [Item(cluster.name, name_of(result), result) for result in adoptions.items]
    report = of_many(AppliedList(results), _table(adoptions), _messages(adoptions, speaking))
    skips = (f"{skipped.account} is skipped: {skipped.why}" for skipped in adoptions.passed)
    return replace(report, found=adoptions, facts=facts_of(cluster), notes=(*report.notes, *skips))
