"""Carry out a saved plan exactly, or nothing of it if the current state has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from irsa_cli.aws.iam import NOT_THERE
from irsa_cli.core.binding.boundaries import BoundaryRequired
from irsa_cli.core.plan.changes import Kind
from irsa_cli.core.plan.expected import PlannedWork, as_planned
from irsa_cli.core.plan.states import NOBODY, OwnerState
from irsa_cli.core.recovery.authority import recover_command
from irsa_cli.core.results.applied import AppliedList
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, ServiceError, UnexpectedCluster
from irsa_cli.transaction.folder import unfinished
from irsa_cli.transaction.recover import is_running
from irsa_cli.transaction.story import Story
from irsa_cli.usecases.command.connect import Target, WireLog
from irsa_cli.usecases.command.project_settings import boundary_rules, read_project
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.files.targets import Tell
from irsa_cli.usecases.plans.reading import COMMANDS
from irsa_cli.usecases.plans.saved_plan import Request, SavedPlan, allows_wide_trust, asked_by
from irsa_cli.usecases.write import delete_sa

SHOWN = 40
"""The most differences that are shown for one transaction."""
_NOT_OF_THE_WORLD = (UnexpectedCluster, BoundaryRequired, ServiceError)
"""Refusals that say nothing about changes since a plan was saved."""
KILLED = "rolls back the interrupted run; then apply this plan again"
AGAIN = "create the plan again: irsa diff -f FILE --out PLAN; then have it reviewed"


class StalePlan(Refused):
    """The current state is not the one that the plan depends on."""


@dataclass(frozen=True)
class Expectation:
    """The expected plan; `thorough`: compare the current state as well as the changes.

    `places` are the options of its clusters by ARN; `state_dir` has this machine's journals.
    """

    works: Sequence[PlannedWork]
    made: str
    places: Mapping[str, str]
    state_dir: Path
    thorough: bool = True

    def check(self, now: PlannedWork) -> None:
        """Raise `StalePlan` where a plan is another one than was saved."""
        works = self.works if self.thorough else [replace(work, seen=now.seen) for work in self.works]
        moved = as_planned(works, now)
        if moved:
            more, name = len(moved) - SHOWN, now.service_account or "the cluster"
            raise StalePlan(
                f"the saved plan is stale: {name} has changed since {self.made}",
                details=[*moved[:SHOWN], *([f"and {more} more"] if more > 0 else [])],
                next_steps=(*self._recoveries(now), AGAIN),
            )

    def _recoveries(self, now: PlannedWork) -> list[str]:
        """Commands that roll back interrupted runs, by journals and by the roles' tags."""
        made = {change.target for work in self.works for change in work.plan if change.kind is Kind.ROLE}
        named = {
            change.before.transaction
            for change in now.plan
            if isinstance(change.before, OwnerState) and change.target in made
        } - {"", NOBODY}
        here = {
            story.transaction: recover_command(story.transaction, story.to_paste)
            for path, story in unfinished(self.state_dir)
            if _is_about(story, now) and not is_running(path)
        }
        place = self.places.get(now.cluster, "")
        commands = here | {name: f"irsa recover {name} {place}".rstrip() for name in named - {*here}}
        return [f"{commands[name]}  # {KILLED}" for name in sorted(commands)]


def _is_about(story: Story, work: PlannedWork) -> bool:
    about = story.about
    return about is not None and (about.cluster, about.service_account or "") == (
        work.cluster,
        work.service_account,
    )


def apply_plan(
    plan: SavedPlan, who: Target, settings: Settings, log: WireLog, tell: Tell
) -> Result | AppliedList:
    """Carry it out as `who` asks (profile, role, kubeconfig). Where a part is stale, nothing is begun."""
    command = COMMANDS[plan.command]
    request = _unconditional(_permitted(asked_by(plan.request, who)))
    places = {item.cluster.arn: item.cluster.options for item in plan.items}
    expected = Expectation(plan.works, plan.made, places, settings.state_dir)
    note = settings.note if settings.dry_run else lambda text: None  # It is said once.
    looking = replace(settings, expected=expected, dry_run=True, note=note)
    try:
        looked = command.run(request, looking, log, lambda item: None)
    except IrsaError as error:
        raise (_stale(error, plan) or error) from error
    items = [looked] if isinstance(looked, Result) else [item.result for item in looked.items]
    for item in items:
        if (stale := _stale(item.error, plan)) is not None:
            item.ended, item.error = Ended.REFUSED, stale
    if settings.dry_run or not all(item.ended in (Ended.PLANNED, Ended.UNCHANGED) for item in items):
        return looked
    if isinstance(looked, AppliedList) and looked.signal:
        # It has ended the look alone, before anything was begun.
        raise KeyboardInterrupt(looked.signal)
    # A role that several use changes with each of them: by then their changes alone tell.
    each = replace(expected, thorough=not command.of_many)
    return command.run(request, replace(settings, expected=each), log, tell)


def _permitted(request: Request) -> Request:
    """The request under the rules of this machine; raises `InvalidInput`."""
    project = read_project(Path.cwd())
    if project.never_wide_trust and allows_wide_trust(request):
        raise InvalidInput(
            "the plan was created with --allow-wide-trust",
            reason=f"{project.place('allowWideTrust')} says never",
        )
    rules = getattr(request, "boundaries", None)
    if rules is None:
        return request
    return replace(request, boundaries=replace(rules, required_by=boundary_rules().required_by))


def _unconditional(request: Request) -> Request:
    """The request that accepts missing objects: a retried deletion ends well."""
    if isinstance(request, delete_sa.Request):
        return replace(request, ignore_not_found=True)
    return request


def _stale(error: Exception | None, plan: SavedPlan) -> StalePlan | None:
    """The error of a plan that was possible when saved; None for unrelated errors."""
    is_moved = isinstance(error, Refused) or (isinstance(error, IrsaError) and error.code == NOT_THERE)
    if error is None or not is_moved or isinstance(error, (StalePlan, *_NOT_OF_THE_WORLD)):
        return None
    assert isinstance(error, IrsaError)
    return StalePlan(
        f"the saved plan is stale: {error.message}",
        reason=f"{error.reason}; this was not the case at {plan.made}".removeprefix("; "),
        details=error.details,
        next_steps=(*(step for step in error.next_steps if step.startswith("irsa recover ")), AGAIN),
    )
