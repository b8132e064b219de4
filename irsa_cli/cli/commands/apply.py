"""`irsa apply`: its options, for files and for a saved plan.

The work is in `irsa_cli.usecases.files.apply` and `irsa_cli.usecases.plans.reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from irsa_cli.cli.commands.show import read_plan
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, files, roles, targets
from irsa_cli.cli.options.types import group, once_filled, shared, switch, wrong_usage
from irsa_cli.cli.output.plan_text import demand_yes
from irsa_cli.cli.output.report import Part
from irsa_cli.cli.output.results.applied import ended_line, of_applied
from irsa_cli.cli.output.speaking import deliver
from irsa_cli.cli.session import Writing, outcome_of, plan_saver
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Result

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import WireLog
    from irsa_cli.usecases.command.settings import Settings
    from irsa_cli.usecases.files.targets import Request

apply_options = group(
    shared("apply"),
    shared("allow boundary removal"),
    roles.allow_wide_trust_option,
    switch("--force", help="Add trust statements even if they void existing restrictions."),
)
"""The handling of differences: the same for `apply` and `diff`."""

canary_option = once_filled(
    "--canary", metavar="NAME", help="Begin with this cluster; if it fails, stop (also its ARN)."
)
verify_option = switch("--verify", help="Verify each token at STS before annotating its ServiceAccount.")


@click.command("apply", cls=HelpedCommand)
@click.argument(
    "plan_file", required=False, metavar="[PLANFILE]", type=click.Path(exists=True, dir_okay=False)
)
@shared("files")
@shared("place", more=", if the files have none")
@shared("kube")
@apply_options
@verify_option
@canary_option
@common.writing_options
def command(**options: Any) -> int:
    """Create and update ServiceAccounts from files.

    irsa reads eksctl's ClusterConfig and its own Bindings, and writes only differences. Each ServiceAccount
    is one transaction, and many run at the same time: an error rolls back that ServiceAccount only.

    With PLANFILE (from --out), irsa applies exactly that plan. It refuses (exit 4) if the current state
    differs from the state that was planned for.

    Examples:
      irsa apply -f cluster.yaml   # eksctl's ClusterConfig, or irsa's Bindings
      irsa apply -f bindings/ -c prod --dry-run
      irsa apply plan.json         # the plan of irsa diff --out plan.json
      irsa apply -f cluster.yaml --include 'backend/*' --atomic
    """
    plan_file = options.pop("plan_file")
    if plan_file is not None:
        return run_plan(plan_file, options)
    if not options["files"]:
        raise click.UsageError("Missing option '-f' / '--filename', or a PLANFILE.")
    return apply_files(options, verify=options.pop("verify"))


def apply_files(options: dict[str, Any], *, verify: bool = False) -> int:
    """Apply, or show what would be applied."""
    from irsa_cli.usecases.files.apply import apply

    if options["prune"]:
        demand_yes(options, "--prune")
    run = Writing(options)
    request = _request(options, verify=verify)
    saved = replace(request, changed_by=False)
    return run_many(run, partial(apply, request), ("apply", saved), stepwise=request.atomic)


def run_many(
    run: Writing,
    work: Callable[..., AppliedList | Result],
    plan: tuple[str, Any] | None = None,
    *,
    only_reads: bool = False,
    stepwise: bool = False,
    first: Callable[[AppliedList], Iterable[Part]] = lambda _: (),
) -> int:
    """Do the work, which gets the settings, a log of calls, and a listener for each item that has ended.

    A line shows how each item has ended, unless it `only_reads` or is a dry run; with `stepwise`, also each
    change. The text begins with the parts of `first`. `plan` is the command and the request to save; without
    one, the work is that of a saved plan.
    """
    speaking, settings, progress = run.speaking, run.settings, run.speaking.progress
    shows = only_reads or settings.dry_run
    if not (stepwise or speaking.verbose):
        settings = replace(settings, listen=lambda event: None)

    def tell(item: Item) -> None:
        if not shows:
            progress.ended(ended_line(item))

    of_one = stepwise and plan is None
    done = outcome_of(lambda: work(settings, progress.wire, tell), speaking, one=of_one)
    done.detailed = run.detailed
    shows = shows or (plan is None and isinstance(done, Result) and not done.changes)
    parts = () if isinstance(done, Result) else first(done)
    report = of_applied(done, speaking, dry_run=shows, first=parts)
    save = plan_saver(run.options, *plan) if plan else None
    return deliver(report, speaking, only_shows=shows, save=save)


_OF_THE_REQUEST = (
    *("parallel", "atomic", "override", "update_trust", "update_target_trust", "force"),
    *("allow_wide_trust", "prune", "max_failures"),
)


def _request(options: dict[str, Any], *, verify: bool) -> Request:
    from irsa_cli.usecases.files.fleet import canary_first
    from irsa_cli.usecases.files.targets import Request, places

    canary = options.pop("canary", None) or ""
    configs, target, selection = files.take_files(options)
    if canary and selection.shard:
        raise click.UsageError(
            "--canary and --shard contradict each other: apply the canary before the shards"
        )
    with wrong_usage():
        canary_first(places(configs, target, selection), canary)
    return Request(
        configs,
        target,
        selection,
        verify=verify,
        canary=canary,
        **{name: options[name] for name in _OF_THE_REQUEST},
        changed_by=options.get("changed_by", False),
        boundary=options["boundary"] or "",
        boundaries=roles.take_boundary_rules(may_remove=options["allow_boundary_removal"]),
    )


_WHO = (
    *("profile", "assume_role", "kubeconfig", "context"),
    *("role_assume_role", "role_profile", "target_assume_role", "target_profile"),
)
_OF_WHO_APPLIES = (
    *("plan_file", "expect_account", "expect_cluster_arn"),
    *_WHO,
    *("dry_run", "detailed_exitcode", "timeout", "rollback_timeout", "yes"),
    *("lock", "lock_timeout", "lock_namespace", "state_dir"),
    *("output", "quiet", "verbose", "max_length", "summary_file", "json_file"),
)
"""The options that go with a saved plan; the plan has all others."""


def run_plan(path: str, options: dict[str, Any]) -> int:
    """Apply the plan, show the outcome, and return the exit code."""
    from irsa_cli.usecases.command.connect import Target
    from irsa_cli.usecases.plans.reading import COMMANDS, apply_plan

    _check_options()
    plan = read_plan(path)
    run = Writing(options | {"yes": True})  # The plan was reviewed: irsa does not ask again.
    who = Target("", **targets.take_expected(options), **{name: options[name] for name in _WHO})

    def work(settings: Settings, log: WireLog, tell: Callable[[Item], None]) -> Any:
        settings.note(f"Plan of irsa {plan.command}, made {plan.made}, {plan.digest}")
        return apply_plan(plan, path, who, settings, log, tell)

    return run_many(run, work, stepwise=not COMMANDS[plan.command].of_many)


def _check_options() -> None:
    """Raise `UsageError` for an option that the plan already has."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _OF_WHO_APPLIES:
            raise click.UsageError(f"{parameter.opts[0]} and PLANFILE contradict each other")
