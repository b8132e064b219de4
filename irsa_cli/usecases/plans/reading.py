"""Read saved plans, and carry them out: exactly, or nothing if the current state has changed.

A plan that this version can't read, or that was altered, is refused.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from irsa_cli import __version__
from irsa_cli.aws.iam import NOT_THERE
from irsa_cli.core.access.texts import moved_access
from irsa_cli.core.binding.boundaries import BoundaryRequired
from irsa_cli.core.plan.changes import PASSED_OVER, Change, Kind, Plan, PlannedWork, Seen
from irsa_cli.core.plan.states import NOBODY, OwnerState
from irsa_cli.core.plan.written import write
from irsa_cli.core.results.applied import AppliedList, Item, SavedRequest
from irsa_cli.core.results.envelope import API_VERSION
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, ServiceError, UnexpectedCluster
from irsa_cli.transaction.recover import is_running, unfinished
from irsa_cli.transaction.story import recover_command
from irsa_cli.usecases.command.connect import Target, WireLog
from irsa_cli.usecases.command.project_settings import boundary_rules, read_project
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.files import apply, delete_files
from irsa_cli.usecases.files.targets import Request as ApplyRequest
from irsa_cli.usecases.files.targets import Tell
from irsa_cli.usecases.plans import saved_plan
from irsa_cli.usecases.plans.request_settings import settings_of
from irsa_cli.usecases.texts import read_text
from irsa_cli.usecases.write import (
    adopt,
    associate_oidc,
    create_sa,
    delete_sa,
    disassociate_oidc,
    migrate,
    release,
    repoint,
    retire,
    update_sa,
)

Run = Callable[[saved_plan.Request, Settings, WireLog, Tell], "Result | AppliedList"]


def shown(plan: saved_plan.SavedPlan) -> AppliedList:
    """The plan as its dry run has shown it, and what was requested."""
    request = SavedRequest(plan.command, settings_of(plan.request), plan.allow_access_change)
    return AppliedList([_shown(planned) for planned in plan.items], request=request)


def _shown(planned: saved_plan.PlannedItem) -> Item:
    changes = [ChangeResult(change, "planned") for change in planned.work.plan]
    ended = Ended.PLANNED if changes else Ended.UNCHANGED
    result = Result(
        ended, cluster=planned.cluster, changes=changes, planned=planned.work, access=planned.work.access
    )
    return Item(planned.cluster.name, planned.name, result, planned.where, planned.place)


@dataclass(frozen=True)
class PlannedCommand:
    """One command whose plans can be saved: the class of its requests, and what carries one out."""

    request: type[Any]
    run: Run
    of_many: bool = False
    """Whether it is about many transactions."""


def _one(work: Callable[[Any, Settings, WireLog], Result]) -> Run:
    return lambda request, settings, log, _tell: work(request, settings, log)


COMMANDS: dict[str, PlannedCommand] = {
    "create-sa": PlannedCommand(create_sa.Request, _one(create_sa.create_sa)),
    "update-sa": PlannedCommand(update_sa.Request, _one(update_sa.update_sa)),
    "delete-sa": PlannedCommand(delete_sa.Request, _one(delete_sa.delete_sa)),
    "adopt": PlannedCommand(adopt.Request, _one(adopt.adopt)),
    "adopt --all": PlannedCommand(adopt.Several, adopt.adopt_several, of_many=True),
    "release": PlannedCommand(release.Request, _one(release.release)),
    "migrate": PlannedCommand(migrate.Request, migrate.migrate, of_many=True),
    "repoint": PlannedCommand(repoint.Request, repoint.repoint, of_many=True),
    "retire": PlannedCommand(retire.Request, retire.retire, of_many=True),
    "associate-oidc": PlannedCommand(associate_oidc.Request, _one(associate_oidc.associate_oidc)),
    "disassociate-oidc": PlannedCommand(disassociate_oidc.Request, _one(disassociate_oidc.disassociate_oidc)),
    "apply": PlannedCommand(ApplyRequest, apply.apply, of_many=True),
    "delete": PlannedCommand(delete_files.Request, delete_files.delete_files, of_many=True),
}
"""By what the user calls them. A name is in saved plans: it stays what it is."""


def read_request(command: str, data: Any) -> saved_plan.Request:
    """The request of a command from plain data; raises `UnreadableRequest`."""
    if command not in COMMANDS:
        raise saved_plan.UnreadableRequest(f"the command {command!r}")
    return saved_plan.read_request(command, COMMANDS[command].request, data)


def load(path: Path) -> saved_plan.SavedPlan:
    """Read a file; raises `InvalidInput` for what is no plan of this version, or was altered."""
    return parse(read_text(path, saved_plan.LARGEST), str(path))


def parse(text: str, source: str) -> saved_plan.SavedPlan:
    """A plan from its file's text; raises `InvalidInput`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{source} is not a saved plan", reason="it is not JSON") from None
    is_plan = isinstance(document, dict) and document.get("kind") == saved_plan.KIND
    if not is_plan or document.get("apiVersion") != API_VERSION:
        raise InvalidInput(
            f"{source} is not a saved plan", reason=f"expected {API_VERSION}, kind {saved_plan.KIND}"
        )
    if document.get("digest") != saved_plan.digest_of(document):
        raise InvalidInput(
            f"{source} was changed after it was saved", reason="create it again: irsa diff -f FILE --out PLAN"
        )
    try:
        return _read(document)
    except saved_plan.UNREADABLE as error:
        metadata = document.get("metadata")
        version = metadata.get("version", "?") if isinstance(metadata, dict) else "?"
        raise InvalidInput(
            f"{source} can't be read by this version of irsa",
            reason=f"irsa {version} created it, this is {__version__}: {error}",
        ) from None


def _read(document: Mapping[str, Any]) -> saved_plan.SavedPlan:
    about = document["metadata"]
    if about.get("format") != saved_plan.FORMAT:
        raise saved_plan.UnreadableRequest("its format is older; create the plan again")
    command = about["command"]
    request = read_request(command, document["request"])
    texts = (about["made"], about["version"], document["digest"])
    saved_plan.check_texts(texts)
    planned = saved_plan.read_items(document["items"], about["made"])
    allow = document.get("allowAccessChange", False)
    if not isinstance(allow, bool):
        raise TypeError("allowAccessChange is not true or false")
    return saved_plan.SavedPlan(command, request, planned, *texts, allow_access_change=allow)


SHOWN = 5
"""The most differences that are shown for one transaction."""
_NOT_OF_THE_WORLD = (UnexpectedCluster, BoundaryRequired, ServiceError)
"""Refusals that say nothing about changes since a plan was saved."""
KILLED = "rolls back the interrupted run; then apply this plan again"


class StalePlan(Refused):
    """The current state is not the one that the plan depends on."""


@dataclass(frozen=True)
class Expectation:
    """The expected plan; `thorough`: compare the current state as well as the changes.

    `places` are the options of its clusters by ARN; `state_dir` has this machine's journals; `again` is the
    step that creates the plan again.
    """

    works: Sequence[PlannedWork]
    made: str
    places: Mapping[str, str]
    state_dir: Path
    again: str
    thorough: bool = True

    def check(self, now: PlannedWork) -> None:
        """Raise `StalePlan` where a plan is another one than was saved."""
        works: Sequence[PlannedWork] = self.works
        if not self.thorough:
            works = [replace(planned, seen=now.seen, access=now.access) for planned in works]
        moved = as_planned(works, now)
        if moved:
            name = now.service_account or "the cluster"
            details = moved[:SHOWN]
            if len(moved) > SHOWN:
                details.append(f"and {len(moved) - SHOWN} more")
            raise StalePlan(
                f"the saved plan is stale: {name} has changed since {self.made}",
                details=details,
                next_steps=(*self._recoveries(now), self.again),
            )

    def _recoveries(self, now: PlannedWork) -> list[str]:
        """Commands that roll back interrupted runs, by journals and by the roles' tags."""
        commands: dict[str, str] = {}
        place = self.places.get(now.cluster, "")
        for transaction in self._owners(now):
            commands[transaction] = f"irsa recover {transaction} {place}".rstrip()
        for path, story in unfinished(self.state_dir):
            about = story.about
            if about is None:
                continue
            is_same = (about.cluster, about.service_account or "") == (now.cluster, now.service_account)
            if is_same and not is_running(path):
                commands[story.transaction] = recover_command(story.transaction, story.to_paste)
        return [f"{commands[transaction]}  # {KILLED}" for transaction in sorted(commands)]

    def _owners(self, now: PlannedWork) -> set[str]:
        """The transactions that own roles which the saved plan creates or changes."""
        roles: set[tuple[str, ...]] = set()
        for planned in self.works:
            roles.update(change.target for change in planned.plan if change.kind is Kind.ROLE)
        owned = (change.before for change in now.plan if change.target in roles)
        return {state.transaction for state in owned if isinstance(state, OwnerState)} - {"", NOBODY}


def apply_plan(
    plan: saved_plan.SavedPlan, file: str, who: Target, settings: Settings, log: WireLog, tell: Tell
) -> Result | AppliedList:
    """Carry it out as `who` asks (profile, role, kubeconfig). Where a part is stale, nothing is begun."""
    command = COMMANDS[plan.command]
    settings = replace(settings, allow_access_change=plan.allow_access_change)
    request = _permitted(saved_plan.asked_by(plan.request, who))
    if isinstance(request, delete_sa.Request):
        request = replace(request, ignore_not_found=True)  # A deletion that is retried ends well.
    places = {planned.cluster.arn: planned.cluster.options for planned in plan.items}
    again = _again(plan, file)
    expected = Expectation(plan.works, plan.made, places, settings.state_dir, again)
    note = settings.note if settings.dry_run else lambda text: None  # It is said once.
    looking = replace(settings, expected=expected.check, dry_run=True, note=note)
    try:
        looked = command.run(request, looking, log, lambda planned: None)
    except IrsaError as error:
        raise (_stale(error, plan, again) or error) from error
    results = [looked] if isinstance(looked, Result) else [planned.result for planned in looked.items]
    _refuse_stale(results, plan, again)
    as_saved = all(result.ended in (Ended.PLANNED, Ended.UNCHANGED) for result in results)
    if settings.dry_run or not as_saved:
        return looked
    if isinstance(looked, AppliedList) and looked.signal:
        # It has ended the look alone, before anything was begun.
        raise KeyboardInterrupt(looked.signal)
    # A role that several use changes with each of them: by then their changes alone tell.
    each = replace(expected, thorough=not command.of_many)
    return command.run(request, replace(settings, expected=each.check), log, tell)


def _refuse_stale(results: Iterable[Result], plan: saved_plan.SavedPlan, again: str) -> None:
    """Refuse what was possible when the plan was saved, and is not any more."""
    for result in results:
        stale = _stale(result.error, plan, again)
        if stale is not None:
            result.ended = Ended.REFUSED
            result.error = stale


def _again(plan: saved_plan.SavedPlan, file: str) -> str:
    """The step that creates the plan again, with the names of its files."""
    configs = getattr(plan.request, "configs", ())
    target = plan.request.target
    if configs:
        words = ["irsa", "diff"]
        for name in dict.fromkeys(config.where.rpartition(":")[0] for config in configs):
            words += ["-f", "-" if name == "standard input" else name]
        if target.cluster and not all(config.cluster for config in configs):
            words += ["-c", target.cluster]
        if target.region and not all(config.region for config in configs):
            words += ["-r", target.region]
        command = shlex.join([*words, "--out", file])
    else:
        command = f"the same irsa {plan.command} with --dry-run --out {shlex.quote(file)}"
    return f"create the plan again and have it reviewed: {command}"


def _permitted(request: saved_plan.Request) -> saved_plan.Request:
    """The request under the rules of this machine; raises `InvalidInput`."""
    project = read_project(Path.cwd())
    sources = (request, getattr(request, "options", None))
    allows_wide_trust = any(getattr(source, "allow_wide_trust", False) for source in sources)
    if project.never_wide_trust and allows_wide_trust:
        raise InvalidInput(
            "the plan was created with --allow-wide-trust",
            reason=f"{project.place('allowWideTrust')} says never",
        )
    rules = getattr(request, "boundaries", None)
    if rules is None:
        return request
    return replace(request, boundaries=replace(rules, required_by=boundary_rules().required_by))


def _stale(error: Exception | None, plan: saved_plan.SavedPlan, again: str) -> StalePlan | None:
    """The error of a plan that was possible when saved; None for unrelated errors."""
    is_moved = isinstance(error, Refused) or (isinstance(error, IrsaError) and error.code == NOT_THERE)
    if error is None or not is_moved or isinstance(error, (StalePlan, *_NOT_OF_THE_WORLD)):
        return None
    assert isinstance(error, IrsaError)
    return StalePlan(
        f"the saved plan is stale: {error.message}",
        reason=f"{error.reason}; this was not the case at {plan.made}".removeprefix("; "),
        details=error.details,
        next_steps=(*(step for step in error.next_steps if step.startswith("irsa recover ")), again),
    )


def as_planned(planned: Iterable[PlannedWork], now: PlannedWork) -> list[str]:
    """The least differences from any planned work on the same object."""
    if not len(now.plan):
        return []
    works = list(planned)
    differences = [_differences(planned_work, now) for planned_work in works if planned_work.key == now.key]
    if differences:
        return min(differences, key=len)
    clusters = {planned_work.cluster for planned_work in works}
    if clusters and now.cluster not in clusters:
        return [f"the cluster is {now.cluster}, but the plan is for {', '.join(sorted(clusters))}"]
    return [f"not planned: {_text_of(change)}" for change in now.plan]


def _differences(planned: PlannedWork, now: PlannedWork) -> list[str]:
    """The differences in objects, changes and access of one work."""
    differences: list[str] = []
    if len(planned.plan):
        # Of an object as desired, only that fact is kept: the new plan shows what has changed.
        differences += _moved(planned.seen, now.seen)
    differences += _changed(planned.plan, now.plan)
    differences += moved_access(planned.access, now.access)
    return differences


def _moved(before: Seen, after: Seen) -> Iterator[str]:
    gone = before.keys() - after.keys()
    new = after.keys() - before.keys()
    for name in sorted({*before, *after}):
        if any(name.startswith(f"{whole} ") for whole in gone | new):
            continue  # A part of an object that is reported as a whole.
        if name in gone:
            yield f"{name}: is gone"
        elif name in new:
            yield f"{name}: now exists"
        elif before[name] != after[name]:
            yield f"{name}: was changed"


def _changed(before: Plan, after: Plan) -> Iterator[str]:
    old = {_key(change): change for change in before}
    new = {_key(change): change for change in after}
    for key, change in old.items():
        if key not in new:
            yield f"planned, but no longer needed: {_text_of(change)}"
        elif _plain(change) != _plain(new[key]):
            yield f"planned otherwise: {_text_of(change)}"
    for key, change in new.items():
        if key not in old:
            yield f"not planned: {_text_of(change)}"
    order = [[*map(_key, stage)] for stage in (*before.stages, *after.stages)]
    half = len(before.stages)
    if old.keys() == new.keys() and [*map(sorted, order[:half])] != [*map(sorted, order[half:])]:
        yield "planned in another order"


def _key(change: Change) -> tuple[str, tuple[str, ...]]:
    return (change.kind.value, change.target)


def _text_of(change: Change) -> str:
    return f"{change.action} {change.kind.value} {change.name}"


def _plain(change: Change) -> str:
    """The change without what differs from one reading to the next."""
    found = write(change)
    for side in ("before", "after"):
        if found[side]:
            found[side] = {key: item for key, item in found[side].items() if key not in PASSED_OVER}
    return json.dumps(found, sort_keys=True)
