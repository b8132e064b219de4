"""`irsa apply`: its options, for files and for a saved plan.

The work is in `irsa_cli.usecases.files.apply` and `irsa_cli.usecases.plans.reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from irsa_cli.cli.commands.show import read_plan
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import roles
from irsa_cli.cli.options.fields import argument, bound, group, once, switch
from irsa_cli.cli.options.files import FileFlags, PlaceFlags, read_files
from irsa_cli.cli.options.kinds import FILE, POLICY_ARN, TEXT
from irsa_cli.cli.options.outputs import RoleOutputFlags
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.options.values import wrong_usage
from irsa_cli.cli.output.report import Part
from irsa_cli.cli.output.results.applied import ended_line, of_applied
from irsa_cli.cli.output.speaking import deliver
from irsa_cli.cli.session import Writing, outcome_and_unread
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Result

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Target, WireLog
    from irsa_cli.usecases.command.settings import Settings
    from irsa_cli.usecases.files.targets import Request


@dataclass(frozen=True, kw_only=True)
class DifferenceFlags:
    """The handling of differences: the same for `apply` and `diff`."""

    atomic: bool = switch("--atomic", help="Apply everything in one transaction, or nothing.")
    override: bool = switch(
        "--override-existing-serviceaccounts",
        help="Replace unmanaged roles of ServiceAccounts with those in the file.",
    )
    prune: bool = switch("--prune", help="Delete irsa's resources in these clusters that are in no file.")
    update_target_trust: bool = switch(
        "--update-target-trust", help="Add missing statements to the trust policies of target roles."
    )
    update_trust: bool = switch(
        "--update-trust", help="Add missing statements to the trust policies of attachRoleARN roles."
    )
    boundary: str | None = once(
        "--permissions-boundary",
        kind=POLICY_ARN,
        help="Permissions boundary of all roles."
        " [default: the files', else IRSA_PERMISSIONS_BOUNDARY, else .irsa.yaml's]",
    )
    allow_boundary_removal: bool = roles.allow_boundary_removal_flag()
    allow_wide_trust: bool = roles.allow_wide_trust_flag()
    force: bool = switch("--force", help="Add trust statements even if they void existing restrictions.")


def verify_flag() -> bool:
    return switch("--verify", help="Verify each token at STS before annotating its ServiceAccount.")


@dataclass(frozen=True, kw_only=True)
class ApplyOptions:
    """A saved plan, or files and how far their differences are written."""

    plan_file: str | None = argument(metavar="[PLANFILE]", kind=FILE)
    files: FileFlags = group(FileFlags)
    place: PlaceFlags = group(PlaceFlags)
    differences: DifferenceFlags = group(DifferenceFlags)
    verify: bool = verify_flag()
    canary: str | None = once(
        "--canary",
        kind=TEXT,
        metavar="NAME",
        help="Begin with this cluster; if it fails, stop (also its ARN).",
    )
    run: RunFlags = group(RunFlags)
    output: RoleOutputFlags = group(RoleOutputFlags)


@click.command("apply", cls=HelpedCommand)
@bound(ApplyOptions)
def command(options: ApplyOptions) -> int:
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
    if options.plan_file is not None:
        return _run_plan(options.plan_file, options)
    if not options.files.files:
        raise click.UsageError("Missing option '-f' / '--filename', or a PLANFILE.")
    return apply_files(options)


def apply_files(options: ApplyOptions, *, changed_by: bool = False) -> int:
    """Apply, or show what would be applied; `changed_by`: and who changed what differs."""
    from irsa_cli.usecases.files.apply import apply

    if options.differences.prune:
        options.run.demand_yes("--prune")
    run = Writing(options.run, options.output)
    request = _request(options, changed_by=changed_by)
    saved = replace(request, changed_by=False)
    return run_many(run, partial(apply, request), ("apply", saved), stepwise=request.atomic)


def run_many(
    run: Writing,
    use_case: Callable[..., AppliedList | Result],
    plan: tuple[str, Any] | None = None,
    *,
    only_reads: bool = False,
    stepwise: bool = False,
    first: Callable[[AppliedList], Iterable[Part]] = lambda _: (),
) -> int:
    """Run a use case, which gets the settings, a log of calls, and a listener for each item that has ended.

    A line shows how each item has ended, unless it `only_reads` or is a dry run; with `stepwise`, also each
    change. The text begins with the parts of `first`. `plan` is the command and the request to save; without
    one, the use case is that of a saved plan.
    """
    speaking = run.speaking
    settings = run.settings
    progress = speaking.progress
    shows = only_reads or settings.dry_run
    if not (stepwise or speaking.verbose):
        settings = replace(settings, listen=lambda event: None)

    def tell(transaction: Item) -> None:
        if not shows:
            progress.ended(ended_line(transaction))

    of_one = stepwise and plan is None
    outcome, record = outcome_and_unread(
        lambda: use_case(settings, progress.wire, tell), speaking, one=of_one
    )
    outcome.detailed = run.detailed
    if shows and isinstance(outcome, AppliedList):
        outcome.unread = record
    first_parts: Iterable[Part] = ()
    if isinstance(outcome, AppliedList):
        first_parts = first(outcome)
    elif plan is None and not outcome.changes:
        shows = True
    report = of_applied(outcome, speaking, dry_run=shows, first=first_parts)
    save = run.saver(*plan) if plan else None
    return deliver(report, speaking, only_shows=shows, save=save)


def _request(options: ApplyOptions, *, changed_by: bool) -> Request:
    from irsa_cli.usecases.files.fleet import canary_first
    from irsa_cli.usecases.files.targets import Request, places

    canary = options.canary or ""
    differences = options.differences
    configs, target, selection = read_files(options.files, options.place, prunes=differences.prune)
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
        parallel=options.files.parallel,
        atomic=differences.atomic,
        override=differences.override,
        update_trust=differences.update_trust,
        update_target_trust=differences.update_target_trust,
        force=differences.force,
        allow_wide_trust=differences.allow_wide_trust,
        verify=options.verify,
        prune=differences.prune,
        canary=canary,
        changed_by=changed_by,
        max_failures=options.files.max_failures,
        boundary=differences.boundary or "",
        boundaries=roles.boundary_rules_in_force(may_remove=differences.allow_boundary_removal),
    )


_OF_WHO_APPLIES = (
    *("plan_file", "expect_account", "expect_cluster_arn"),
    *("profile", "assume_role", "kubeconfig", "context"),
    *("role_assume_role", "role_profile", "target_assume_role", "target_profile"),
    *("dry_run", "detailed_exitcode", "timeout", "rollback_timeout", "yes"),
    *("lock", "lock_timeout", "lock_namespace", "state_dir"),
    *("output", "quiet", "verbose", "max_length", "summary_file", "json_file"),
)
"""The options that go with a saved plan; the plan has all others."""


def _run_plan(path: str, options: ApplyOptions) -> int:
    """Apply the plan, show the outcome, and return the exit code."""
    from irsa_cli.usecases.plans.reading import COMMANDS, apply_plan

    _check_options()
    plan = read_plan(path)
    run = Writing(replace(options.run, yes=True), options.output)  # The plan was reviewed.
    who = _who_applies(options.place)

    def carry_out(settings: Settings, log: WireLog, tell: Callable[[Item], None]) -> AppliedList | Result:
        settings.note(f"Plan of irsa {plan.command}, made {plan.made}, {plan.digest}")
        return apply_plan(plan, path, who, settings, log, tell)

    return run_many(run, carry_out, stepwise=not COMMANDS[plan.command].of_many)


def _who_applies(place: PlaceFlags) -> Target:
    """The caller and the guards; the plan has the cluster."""
    from irsa_cli.usecases.command.connect import Target
    from irsa_cli.usecases.command.project_settings import expected_by_project

    return Target(
        "",
        profile=place.where.profile,
        assume_role=place.where.assume_role,
        kubeconfig=place.kube.kubeconfig,
        context=place.kube.context,
        role_assume_role=place.role_account.role_assume_role,
        role_profile=place.role_account.role_profile,
        target_assume_role=place.target_way.target_assume_role,
        target_profile=place.target_way.target_profile,
        expect_account=place.expected.expect_account or "",
        expect_clusters=place.expected.expect_cluster_arn,
        expect_project=expected_by_project,
    )


def _check_options() -> None:
    """Raise `UsageError` for an option that the plan already has."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        is_flag = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_flag and name not in _OF_WHO_APPLIES:
            raise click.UsageError(f"{parameter.opts[0]} and PLANFILE contradict each other")
