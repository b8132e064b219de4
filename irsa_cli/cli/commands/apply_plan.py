"""`irsa apply PLANFILE`: its options, and how it ended.

What it does is in `irsa_cli.usecases.plans.apply_plan`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from irsa_cli.cli.options.taking import take_expected, take_settings
from irsa_cli.cli.output.speaking import Speaking

if TYPE_CHECKING:
    from irsa_cli.usecases.plans.saved_plan import SavedPlan

_WHO = (
    *("profile", "assume_role", "kubeconfig", "context"),
    *("role_assume_role", "role_profile", "target_assume_role", "target_profile"),
)
_OF_WHO_APPLIES = (
    *("plan_file", "expect_account", "expect_cluster_arn"),
    *_WHO,
    *("dry_run", "detailed_exitcode", "timeout", "rollback_timeout", "yes"),
    *("lock", "lock_timeout", "lock_namespace", "state_dir"),
    *("output", "quiet", "verbose", "max_length", "output_file", "summary_file", "json_file"),
)
"""The options that go with a saved plan; what all others say, the plan says."""


def run_plan(path: str, options: dict[str, Any]) -> int:
    """Carry the plan out, show how it ended, and return the exit code."""
    from irsa_cli.cli.commands.show import read_plan
    from irsa_cli.cli.output.screens.applied import finish_applied, told
    from irsa_cli.cli.session import outcome_of
    from irsa_cli.cli.terminal.progress import Progress
    from irsa_cli.core.results.result import Result
    from irsa_cli.usecases.command.connect import Target
    from irsa_cli.usecases.plans.apply_plan import apply_plan
    from irsa_cli.usecases.plans.reading import COMMANDS

    _check_options()
    plan = read_plan(path)
    speaking = Speaking.take(options)
    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    # It was decided when the plan was made and reviewed: nobody is asked once more.
    settings, detailed = take_settings({**options, "yes": True}, progress)
    who = Target("", **take_expected(options), **{name: options[name] for name in _WHO})
    many = COMMANDS[plan.command].of_many
    if many and not speaking.verbose:
        settings = replace(settings, listen=lambda event: None)  # A line for each ServiceAccount will do.

    def work() -> Any:
        _announce(plan, settings.note)
        tell = (lambda item: None) if settings.dry_run else lambda item: progress.ended(told(item))
        return apply_plan(plan, who, settings, progress.wire, tell)

    done = outcome_of(work, speaking, progress, one=not many)
    done.detailed = detailed
    return finish_applied(
        done, speaking, dry_run=settings.dry_run or (isinstance(done, Result) and not done.changes)
    )


def _announce(plan: SavedPlan, note: Any) -> None:
    note(f"Plan of irsa {plan.command}, made {plan.made}, {plan.digest}")


def _check_options() -> None:
    """Raise `UsageError` for an option that says what the plan says already."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _OF_WHO_APPLIES:
            raise click.UsageError(
                f"{parameter.opts[0]} contradicts PLANFILE: the saved plan says what is done"
            )
