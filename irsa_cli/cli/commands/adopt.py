"""`irsa adopt`: its options and output; the work is in `irsa_cli.usecases.write.adopt`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, selecting, targets
from irsa_cli.cli.options.types import ROLE_NAME, once, switch
from irsa_cli.cli.output.of_results import facts_of, name_of, of_result
from irsa_cli.cli.output.plan_text import plan_lines
from irsa_cli.cli.output.reports.model import PipelineReport
from irsa_cli.cli.output.screens.applied import of_applied
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.table import show_table
from irsa_cli.cli.output.text import messages, show, show_document
from irsa_cli.cli.session import outcome_of, plan_saver
from irsa_cli.cli.terminal.wording import put
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.shown import plural, visible

if TYPE_CHECKING:
    from irsa_cli.core.planning.adopt import Adoptions


@click.command("adopt", cls=HelpedCommand)
@selecting.name_argument()
@switch("--all", "everything", help="Adopt all unmanaged roles, in -n or in all namespaces.")
@selecting.all_namespaces_option("Adopt all unmanaged roles in all namespaces.")
@once("--role-name", type=ROLE_NAME, help="Adopt this role for NAME, even if NAME has no annotation.")
@selecting.ignore_maker_option
@selecting.namespace_option(
    "Namespace of NAME, or of --all. [default: 'default', or all with --all]", default=None
)
@common.cluster_options
@targets.role_account_options
@common.kube_options
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

    speaking = Speaking.take(options)
    settings, detailed = common.take_settings(options, speaking.progress)
    selecting.check_many(options)
    name, everything = options["name"] or "", options["everything"] or options["everywhere"]
    if bool(name) == everything:
        raise click.UsageError("give the NAME of a ServiceAccount, or -A for all")
    if options["role_name"] and everything:
        raise click.UsageError("--role-name and --all contradict each other")
    if not options["role_name"]:
        selecting.check_reachable(options)
    namespace = options["namespace"] or ("" if everything else "default")
    target = targets.take_target(options, by_profile=True)
    request = Request(target, namespace, name, options["role_name"] or "", options["ignore_maker"])

    def work() -> Result | Adoptions:
        return (adopt_all if everything else adopt)(request, settings, speaking.progress.wire)

    outcome = outcome_of(work, speaking, one=not everything)
    outcome.detailed = detailed

    def shown() -> None:
        if isinstance(outcome, Result):
            show(outcome, speaking.output, quiet=speaking.quiet, verbose=True)
            plan_saver(options, "adopt", request)(outcome)
        else:
            _show_all(outcome, speaking)
            planned = planned_of_all(outcome)  # The plan has the names that were found.
            several = Several(target, tuple(item.name for item in planned.items), request.ignore_maker)
            plan_saver(options, "adopt --all", several)(planned)

    return deliver(outcome, _report, speaking, shown, only_shows=settings.dry_run)


_WORDS = {
    Ended.COMMITTED: "adopted",
    Ended.PLANNED: "to adopt",
    Ended.UNCHANGED: "already managed",
    Ended.ROLLED_BACK: "rolled back",
}


def _show_all(done: Adoptions, speaking: Speaking) -> None:
    """Print a table with a total; a plan's changes and notes only with `-v`."""
    if speaking.output != "text":
        show_document(done.envelope(), speaking.output)
    else:
        _show_table(done)
    for result in done.items:
        planned = result.ended is Ended.PLANNED
        lines = [*plan_lines(result, whole=True)] if planned and speaking.verbose else []
        if (
            result.error is not None
            or result.left
            or not (speaking.quiet or (planned and not speaking.verbose))
        ):
            lines += messages(result)
        for line in [f"{name_of(result)}:", *(f"  {line}" for line in lines)] if lines else ():
            put(line, err=True)


def _show_table(done: Adoptions) -> None:
    ends = [(_WORDS.get(result.ended, result.ended.value), result) for result in done.items]
    rows = [(name_of(result), word, result.facts["role"]["arn"]) for word, result in ends]
    rows += [(item.account, "skipped", item.why) for item in done.passed]
    show_table(("SERVICEACCOUNT", "STATUS", "ROLE"), [[*map(visible, row)] for row in rows])
    if not done.items:
        click.echo("There is nothing to adopt.")
        return
    counts = Counter(word for _, word, _ in rows)
    said = ", ".join(f"{number} {word}" for word, number in counts.items())
    click.echo(f"{plural(len(rows), 'ServiceAccount')}: {said}.")
    if any(result.ended is Ended.PLANNED for result in done.items):
        click.echo("Nothing was changed (dry run; -v shows each plan and its notes).")


def _report(done: Result | Adoptions, title: str) -> PipelineReport:
    if isinstance(done, Result):
        return of_result(done, title)
    items = [Item(done.cluster.name, name_of(result), result) for result in done.items]
    applied = of_applied(AppliedList(items, signal=done.signal), title)
    skipped = tuple(f"{item.account} is skipped: {item.why}" for item in done.passed)
    return replace(
        applied, exit_code=int(done.exit_code), facts=facts_of(done.cluster), notes=(*applied.notes, *skipped)
    )
