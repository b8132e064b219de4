"""`irsa apply --atomic`: everything that the files ask for in one cluster, in one transaction.

What each ServiceAccount needs is planned as by itself (`irsa_cli.core.planning.converge`); the plans are
put side by side (`irsa_cli.core.plan.changes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from irsa_cli.core.binding.spec import CurrentState, DesiredState
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.plan.merging import side_by_side
from irsa_cli.core.planning.converge import voids
from irsa_cli.core.plan.changes import Plan, side_by_side
from irsa_cli.core.planning.converge import trust_notes
from irsa_cli.core.planning.trust_warnings import of_desired_state
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.transaction.protocol import Run
from irsa_cli.usecases.command.execute import Gate
from irsa_cli.usecases.command.retry import Attempts, came_between, with_its_locks
from irsa_cli.usecases.files.site import Site
from irsa_cli.usecases.read.snapshot import WORKERS, Snapshot
from irsa_cli.usecases.verification.gate import verify
from irsa_cli.usecases.write.delete_sa import planned_deletion
from irsa_cli.usecases.write.reconcile import left_behind, may_be_spreading

if TYPE_CHECKING:
    from irsa_cli.usecases.read.associations import Question


def apply_at_once(site: Site, desired_states: list[DesiredState]) -> Result:
    """Plan for all, and carry it out; raises `Refused` when one of them can't be as desired.

    `desired_states` is filled with what the files mean.
    """
    attempts = Attempts(site.settings)
    for number in attempts:
        attempt = partial(_attempt, site, desired_states, again=number > 1)
        result = with_its_locks(attempt, site.settings.hold)
        if attempts.is_last or result.ended is not Ended.ROLLED_BACK or not came_between(result.error):
            return result
        attempts.look_again(result.error)
    raise AssertionError("the last attempt returns")


def _attempt(site: Site, desired_states: list[DesiredState], *, again: bool) -> Result:
    # What was in the way the first time may be what a list did not show.
    with Snapshot(site.connection, one_by_one=again or site.settings.is_rehearsal) as snapshot:
        desired_states[:] = [_meant(found) for found in site.desired_states(snapshot)]
        ground = snapshot.lay_ground(desired_states, associate=site.place.with_oidc)
        with ThreadPoolExecutor(WORKERS) as pool:
            looked = list(pool.map(lambda desired: (desired, snapshot.observe(desired)), desired_states))
    names_one = [bool(binding.permissions_boundary) for binding in site.place.bindings]
    found = [
        _planned(site, desired, current, named=named)
        for named, (desired, current) in zip(names_one, looked, strict=True)
    ]
    refusals = [item for item in found if isinstance(item, Refused)]
    if refusals:
        raise _refused(refusals)
    roles = {f"{desired.namespace}/{desired.name}": desired.role_arn for desired in desired_states}
    deletions = [
        planned_deletion(site.connection, item, site.settings)
        for stage in site.prune_candidates(roles)
        for item in stage
    ]
    plans = [item for item in found if isinstance(item, Plan)]
    plans += [item.plan for item in deletions if item is not None]
    plan = side_by_side(ground.plan, plans)
    facts = {"serviceAccounts": [{"namespace": w.namespace, "name": w.name} for w in desired_states]}
    warnings = tuple(item for desired, current in looked for item in of_desired_state(desired, current, plan))
    proof: dict[str, Any] = {}
    gated = [desired for desired in desired_states if desired.gated and len(plan)]
    asked = site.asked if gated else None
    gate = _gate(site, gated, plan, proof) if gated else None
    result = site.make(plan, gate, ground.there, seen=[current for _, current in looked])
    result.facts, result.verification = facts, proof or None
    result.warnings = warnings if result.error is None else ()
    if result.ended is Ended.UNCHANGED:
        return result
    if result.ended in (Ended.COMMITTED, Ended.PLANNED):
        result.notes += [note for desired, current in looked for note in left_behind(desired, current)]
    result.notes += [
        f"{desired.namespace}/{desired.name}: {note}"
        for desired, current in looked
        for note in trust_notes(desired, current, voids(desired, current))
    ]
    if asked is not None and result.error is None:
        result.notes += _told(asked, gated)
    return result


def _told(asked: Question, desired_states: Sequence[DesiredState]) -> Iterator[str]:
    """What is to be said of those that EKS Pod Identity takes over."""
    for desired in desired_states:
        one = Result(Ended.COMMITTED)
        asked.tell(one, desired.namespace, desired.name, desired.role_arn)
        yield from (f"{desired.namespace}/{desired.name}: {note}" for note in one.notes)


def _meant(found: DesiredState | IrsaError) -> DesiredState:
    if isinstance(found, IrsaError):
        raise found
    return found


def _planned(site: Site, desired: DesiredState, current: CurrentState, *, named: bool) -> Plan | Refused:
    try:
        return site.converge(desired, current, named=named)
    except Refused as error:
        return error


def _refused(errors: Sequence[Refused]) -> Refused:
    details = [line for error in errors for line in (str(error), *(f"  {item}" for item in error.details))]
    steps = dict.fromkeys(step for error in errors for step in error.next_steps)
    return Refused(
        f"{len(errors)} of the ServiceAccounts can't reach their desired state",
        details=details,
        next_steps=[*steps],
    )


def _gate(site: Site, desired_states: Sequence[DesiredState], plan: Plan, proof: dict[str, Any]) -> Gate:
    fresh = may_be_spreading(plan)

    def prove(run: Run | None) -> None:
        assert run is not None, "there is something to do"
        for desired in desired_states:
            found = verify(
                site.connection,
                desired,
                seconds=run.remaining - 1 if fresh else 0,
                pause=run.pause,
                listen=site.settings.listen,
                plan=plan,
            )
            proof[f"{desired.namespace}/{desired.name}"] = found

    return prove
