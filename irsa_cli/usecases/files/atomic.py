"""`irsa apply --atomic`: one transaction for all entries of a cluster, and for what it prunes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import filterfalse
from typing import Any

from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.guard import Guard
from irsa_cli.core.binding.access_documents import guard_of_all, of_binding, of_current
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change, Plan, _is_for_good
from irsa_cli.core.planning.converge import trust_notes
from irsa_cli.core.planning.delete import Deletion
from irsa_cli.core.planning.trust_warnings import of_desired_state
from irsa_cli.core.results.result import ALL, SHARED_PARTS, Ended, Result
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.transaction.protocol import Run
from irsa_cli.usecases.command.execute import GOOD, Gate
from irsa_cli.usecases.command.loop import Draft
from irsa_cli.usecases.command.retry import Attempt
from irsa_cli.usecases.files.cluster_run import ClusterRun
from irsa_cli.usecases.locks.locks import binding_lock
from irsa_cli.usecases.read.reads import WORKERS
from irsa_cli.usecases.read.snapshot import SharedBase, Snapshot
from irsa_cli.usecases.verification.iam_steps import verify
from irsa_cli.usecases.write.create_sa import left_behind, managed_elsewhere, may_be_spreading, notes_for_git
from irsa_cli.usecases.write.delete_sa import planned_deletions


def all_or_nothing(cluster_run: ClusterRun) -> Result:
    """Plan all and carry it out as one transaction; refused if one ServiceAccount can't be as desired."""
    bindings = cluster_run.place.bindings
    with cluster_run.holding(binding_lock(binding.namespace, binding.name) for binding in bindings) as held:
        reads: list[_Read] = []

        def draft(attempt: Attempt) -> Draft:
            # A list may have missed a recent change the first time.
            reads.append(_Read.of(held, one_by_one=attempt.number > 1 or held.settings.is_rehearsal))
            return reads[-1].draft()

        result = held.loop(ALL).repeat(draft)
    if result.ended in GOOD:
        names = (ALL, SHARED_PARTS, *map(str, bindings))
        cluster_run.settle(names, reads[-1].desired_states, pruned=cluster_run.request.prune)
    return result


@dataclass(frozen=True)
class _Seen:
    """An entry of the files: what is desired, and what is there."""

    desired: DesiredState
    current: CurrentState

    @property
    def name(self) -> str:
        return f"{self.desired.namespace}/{self.desired.name}"


@dataclass(frozen=True)
class _Read:
    """The current state for one transaction of all entries, and its plan."""

    cluster_run: ClusterRun
    base: SharedBase
    entries: Sequence[_Seen]
    deletions: Sequence[Deletion]
    plan: Plan

    @classmethod
    def of(cls, cluster_run: ClusterRun, *, one_by_one: bool) -> _Read:
        """Read the cluster and plan; raises `Refused` with the reasons of all entries that are refused."""
        with Snapshot(cluster_run.connection, one_by_one=one_by_one) as snapshot:
            desired_states = [_unless_broken(state) for state in cluster_run.desired_states(snapshot)]
            base = snapshot.prepare_base(desired_states, associate=cluster_run.place.with_oidc)
            with ThreadPoolExecutor(WORKERS) as pool:
                current_states = list(pool.map(snapshot.observe, desired_states))
        entries = list(map(_Seen, desired_states, current_states))
        plans = _plans(cluster_run, entries)
        deletions = _deletions(cluster_run, desired_states, one_by_one=one_by_one)
        plans += [deletion.plan for deletion in deletions]
        return cls(cluster_run, base, entries, deletions, side_by_side(base.plan, plans))

    @property
    def desired_states(self) -> list[DesiredState]:
        return [entry.desired for entry in self.entries]

    def draft(self) -> Draft:
        """The plan of all, with the proof of the entries that ask for it."""
        _ = self.cluster_run.asked  # EKS is asked in the meantime.
        proof: dict[str, Any] = {}
        return Draft(
            self.plan,
            [part for entry in self.entries for part in entry.current.seen],
            self.base.there,
            documents=self._documents,
            guard=self._guard,
            gate=self._gate(proof),
            describe=partial(self._describe, proof),
        )

    def _describe(self, proof: dict[str, Any], result: Result) -> None:
        """Add to the result what there is to say about all entries."""
        result.facts = {
            "serviceAccounts": [
                {"namespace": desired.namespace, "name": desired.name} for desired in self.desired_states
            ]
        }
        result.verification = proof or None
        if result.error is None:
            result.warnings = tuple(
                risk
                for entry in self.entries
                for risk in of_desired_state(entry.desired, entry.current, self.plan)
            )
            result.notes += self._association_notes()
            for entry in self.entries:
                run = self.cluster_run
                result.notes += notes_for_git(run.connection, run.settings, entry.desired, entry.current)
        if result.ended in (Ended.COMMITTED, Ended.PLANNED):
            for entry in self.entries:
                result.notes += left_behind(entry.desired, entry.current)
                result.notes += managed_elsewhere(entry.desired, entry.current, self.plan)
        if result.ended is not Ended.UNCHANGED:
            result.notes += self._trust_notes()

    def _gate(self, proof: dict[str, Any]) -> Gate | None:
        """The verification of the entries that ask for it, which fills `proof`; None if there is none."""
        gated = [desired for desired in self.desired_states if desired.gated]
        if not gated or not len(self.plan):
            return None
        fresh = may_be_spreading(self.plan)

        def prove(run: Run | None) -> None:
            assert run is not None, "there is something to do"
            for desired in gated:
                proof[f"{desired.namespace}/{desired.name}"] = verify(
                    self.cluster_run.connection,
                    desired,
                    seconds=run.remaining - 1 if fresh else 0,
                    pause=run.pause,
                    listen=self.cluster_run.settings.listen,
                    plan=self.plan,
                )

        return prove

    @property
    def _deleted(self) -> list[Binding]:
        return [deletion.binding for deletion in self.deletions if deletion.binding is not None]

    def _documents(self) -> Documents:
        created = [of_current(entry.desired, entry.current) for entry in self.entries]
        return Documents.together([*created, *map(of_binding, self._deleted)])

    def _guard(self) -> Guard:
        return guard_of_all(self.desired_states, self._deleted)

    def _association_notes(self) -> Iterator[str]:
        """Where EKS Pod Identity serves pods instead."""
        for entry in self.entries:
            if entry.desired.role_only:
                continue
            answer = Result(Ended.COMMITTED)
            desired = entry.desired
            self.cluster_run.asked.tell(answer, desired.namespace, desired.name, desired.role_arn)
            yield from (f"{entry.name}: {note}" for note in answer.notes)

    def _trust_notes(self) -> Iterator[str]:
        for entry in self.entries:
            yield from (f"{entry.name}: {note}" for note in trust_notes(entry.desired, entry.current))


def _unless_broken(state: DesiredState | IrsaError) -> DesiredState:
    if isinstance(state, IrsaError):
        raise state
    return state


def _plans(cluster_run: ClusterRun, entries: Sequence[_Seen]) -> list[Plan]:
    """The plan of each entry; raises `Refused` with the reasons of all that are refused."""
    plans: list[Plan] = []
    refusals: list[Refused] = []
    for binding, entry in zip(cluster_run.place.bindings, entries, strict=True):
        try:
            plans.append(cluster_run.converge(binding, entry.desired, entry.current))
        except Refused as error:
            refusals.append(error)
    if not refusals:
        return plans
    details: list[str] = []
    for refusal in refusals:
        details += [str(refusal), *(f"  {detail}" for detail in refusal.details)]
    steps = dict.fromkeys(step for refusal in refusals for step in refusal.next_steps)
    why = f"{len(refusals)} of the ServiceAccounts can't reach their desired state"
    raise Refused(why, details=details, next_steps=[*steps])


def _deletions(
    cluster_run: ClusterRun, desired_states: Iterable[DesiredState], *, one_by_one: bool
) -> list[Deletion]:
    """The deletions of what no file lists any more."""
    roles = {f"{desired.namespace}/{desired.name}": desired.role_arn for desired in desired_states}
    stages = cluster_run.prune_candidates(roles)
    requests = [request for stage in stages for request in stage]
    return planned_deletions(cluster_run.connection, requests, cluster_run.settings, one_by_one=one_by_one)


def side_by_side(first: Plan, plans: Sequence[Plan]) -> Plan:
    """One plan of all: `first`, then the others at the same time, each in its own order.

    Their last stages come together, as they are what pods see. ServiceAccounts are deleted after everything
    else: a recreated one has another uid, so nothing that can fail comes after it.
    """
    depth = max((len(plan.stages) for plan in plans), default=0)
    stages: list[list[Change]] = [[] for _ in range(depth)]
    for plan in plans:
        for place, stage in enumerate(plan.stages, depth - len(plan.stages)):
            stages[place] += stage
    deletions = [change for stage in stages for change in stage if _is_for_good(change)]
    kept = [list(filterfalse(_is_for_good, stage)) for stage in stages]
    together = Plan.of(*_once([*map(list, first.stages), *kept, deletions]))
    # A gate is before the last stage: it proves what is before it, even if nothing comes after.
    has_gate = any(plan.stages and not plan.stages[-1] for plan in plans)
    if has_gate and not deletions and not kept[-1]:
        return Plan((*together.stages, ()))
    return together


def _once(stages: Iterable[list[Change]]) -> list[list[Change]]:
    """Each change at its first place only: two ServiceAccounts may need the same one."""
    seen: set[str] = set()
    unique = []
    for stage in stages:
        kept = []
        for change in stage:
            key = repr(change)
            if key not in seen:
                kept.append(change)
            seen.add(key)
        unique.append(kept)
    return unique
