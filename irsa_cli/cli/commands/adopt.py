"""`irsa adopt`: its options and output; the work is in `irsa_cli.usecases.write.adopt`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import ROLE_NAME, once, shared, switch
from irsa_cli.cli.output.plan_text import plan_lines
from irsa_cli.cli.output.report import Part, Report
from irsa_cli.cli.output.result import facts_of, name_of, of_result
from irsa_cli.cli.output.results.applied import of_many
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import Writing, outcome_of, plan_saver
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.shown import plural

if TYPE_CHECKING:
    from irsa_cli.core.planning.adopt import Adoptions


@click.command("adopt", cls=HelpedCommand)
@common.name_argument()
@switch("--all", "everything", help="Adopt all unmanaged roles, in -n or in all namespaces.")
@shared("all namespaces", text="Adopt all unmanaged roles in all namespaces.")
@once("--role-name", type=ROLE_NAME, help="Adopt this role for NAME, even if NAME has no annotation.")
@shared("ignore maker")
@shared("any namespace", text="Namespace of NAME, or of --all. [default: 'default', or all with --all]")
@shared("cluster", "role account", "kube")
@common.writing_options
def command(**options: Any) -> int:
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

    run = Writing(options)
    speaking, settings = run.speaking, run.settings
    common.check_many(options)
    name, everything = options["name"] or "", options["everything"] or options["everywhere"]
    if bool(name) == everything:
        raise click.UsageError("give the NAME of a ServiceAccount, or -A for all")
    if options["role_name"] and everything:
        raise click.UsageError("--role-name and --all contradict each other")
    if not options["role_name"]:
        common.check_reachable(options)
    namespace = options["namespace"] or ("" if everything else "default")
    target = targets.take_target(options, by_profile=True)
    request = Request(target, namespace, name, options["role_name"] or "", options["ignore_maker"])

    def work() -> Result | Adoptions:
        return (adopt_all if everything else adopt)(request, settings, speaking.progress.wire)

    outcome = outcome_of(work, speaking, one=not everything)
    outcome.detailed = run.detailed

    def save(_: object) -> None:
        if isinstance(outcome, Result):
            plan_saver(options, "adopt", request)(outcome)
        else:
            planned = planned_of_all(outcome)  # The plan has the names that were found.
            several = Several(target, tuple(item.name for item in planned.items), request.ignore_maker)
            plan_saver(options, "adopt --all", several)(planned)

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


def _messages(done: Adoptions, speaking: Speaking) -> Iterator[str]:
    """Messages about each result; a plan's changes and notes only with `-v`."""
    for result in done.items:
        planned = result.ended is Ended.PLANNED
        lines = [*plan_lines(result, whole=True)] if planned and speaking.verbose else []
        quiet = speaking.quiet or (planned and not speaking.verbose)
        lines += of_result(result, quiet=quiet).messages
        yield from [f"{name_of(result)}:", *(f"  {line}" for line in lines)] if lines else ()


def _table(done: Adoptions) -> Iterator[Part]:
    """A table with a total."""
    ends = [(_WORDS.get(result.ended, result.ended.value), result) for result in done.items]
    rows = [(name_of(result), word, result.facts["role"]["arn"]) for word, result in ends]
    rows += [(item.account, "skipped", item.why) for item in done.passed]
    yield Table.of(("SERVICEACCOUNT", "STATUS", "ROLE"), rows)
    if not done.items:
        yield "There is nothing to adopt."
        return
    counts = Counter(word for _, word, _ in rows)
    said = ", ".join(f"{number} {word}" for word, number in counts.items())
    yield f"{plural(len(rows), 'ServiceAccount')}: {said}."
    if any(result.ended is Ended.PLANNED for result in done.items):
        yield "Nothing was changed (dry run; -v shows each plan and its notes)."


def _report(done: Adoptions, speaking: Speaking) -> Report:
    items = [Item(done.cluster.name, name_of(result), result) for result in done.items]
    report = of_many(AppliedList(items), _table(done), _messages(done, speaking))
    skipped = (f"{item.account} is skipped: {item.why}" for item in done.passed)
    return replace(report, found=done, facts=facts_of(done.cluster), notes=(*report.notes, *skipped))
