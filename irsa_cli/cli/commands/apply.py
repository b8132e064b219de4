"""`irsa apply`: its options, for files and for a saved plan.

The work is in `irsa_cli.usecases.files.apply` and `irsa_cli.usecases.plans.reading`.
"""

from __future__ import annotations

from collections.abc import Callable
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
from irsa_cli.cli.output.results.applied import ended_line, of_applied
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.session import outcome_of, plan_saver
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Result

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import WireLog
    from irsa_cli.usecases.command.settings import Settings
    from irsa_cli.usecases.files.targets import Request

apply_options = group(
    shared("apply"),
    roles.allow_boundary_removal_option,
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
@files.file_options(required=False)
@files.place_options
@common.kube_options
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
    return run(options, verify=options.pop("verify"))


def run(options: dict[str, Any], *, verify: bool = False) -> int:
    """Apply, or show what would be applied."""
    from irsa_cli.usecases.files.apply import apply

    if options["prune"]:
        demand_yes(options, "--prune")
    speaking = Speaking.take(options)
    progress = speaking.progress
    settings, detailed = common.take_settings(options, progress)
    request = _request(options, verify=verify)
    done = outcome_of_many(partial(apply, request), settings, speaking, stepwise=request.atomic)
    done.detailed = detailed
    save = plan_saver(options, "apply", replace(request, changed_by=False))
    report = of_applied(done, speaking, dry_run=settings.dry_run)
    return deliver(report, speaking, only_shows=settings.dry_run, save=save)


def outcome_of_many(
    work: Callable[..., AppliedList | Result],
    settings: Settings,
    speaking: Speaking,
    *,
    silent: bool = False,
    stepwise: bool = False,
    one: bool = False,
) -> AppliedList | Result:
    """Do the work, which gets the settings, a log of calls, and a listener for each item that has ended.

    A line shows how each item has ended, but not if `silent` or in a dry run; `stepwise`: also each change
    is shown. `one` is as in `outcome_of`.
    """
    progress = speaking.progress
    if not (stepwise or speaking.verbose):
        settings = replace(settings, listen=lambda event: None)

    def tell(item: Item) -> None:
        if not (silent or settings.dry_run):
            progress.ended(ended_line(item))

    return outcome_of(lambda: work(settings, progress.wire, tell), speaking, one=one)


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
    speaking = Speaking.take(options)
    progress = speaking.progress
    # The plan was reviewed: irsa does not ask again.
    settings, detailed = common.take_settings({**options, "yes": True}, progress)
    who = Target("", **targets.take_expected(options), **{name: options[name] for name in _WHO})
    many = COMMANDS[plan.command].of_many

    def work(settings: Settings, log: WireLog, tell: Callable[[Item], None]) -> Any:
        settings.note(f"Plan of irsa {plan.command}, made {plan.made}, {plan.digest}")
        return apply_plan(plan, path, who, settings, log, tell)

    done = outcome_of_many(work, settings, speaking, stepwise=not many, one=not many)
    done.detailed = detailed
    only_shows = settings.dry_run or (isinstance(done, Result) and not done.changes)
    return deliver(of_applied(done, speaking, dry_run=only_shows), speaking, only_shows=only_shows)


def _check_options() -> None:
    """Raise `UsageError` for an option that the plan already has."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _OF_WHO_APPLIES:
            raise click.UsageError(f"{parameter.opts[0]} and PLANFILE contradict each other")
