"""What concurrent runs are worth: judged by exit codes, what they named, their calls and the worlds.

Pure functions. Who wishes what, and when it is true, is in `desired_states`; how it comes about in `arena`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from irsa_cli.sandbox.model import Call
from tests.faults.desired_states import (
    SHARED,
    DesiredState,
    belongs,
    changes,
    missing,
    not_admitted,
    rivals,
    roles_of,
)
from tests.faults.judge import TRANSACTION, Json, Object
from tests.faults.ran import Fate, Ran
from tests.faults.serial import REFUSED, met_unlocked, unexplained

LOOK, WRITE = "GetRole", "UpdateAssumeRolePolicy"


@dataclass
class Judgement:
    """What was found. `windows`: what no client can avoid; `waited`: runs that waited in vain for a lock."""

    fates: Counter[Fate] = field(default_factory=Counter)
    lies: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    unfair: list[str] = field(default_factory=list)
    """Why no order of the runs, one after the other, explains how they ended."""
    windows: list[str] = field(default_factory=list)
    waited: int = 0

    @property
    def failed(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.lies or self.leaks or self.unfair or self.fates[Fate.STUCK])


def judge(before: Json, after: Json, runs: Sequence[Ran], calls: Sequence[Call] = ()) -> Judgement:
    """The judgement on runs that began in the world `before` and left the world `after`."""
    found = Judgement(Counter(run.fate for run in runs))
    found.lies += [f"a run ended senselessly: {run.ending}" for run in runs if run.fate is Fate.SENSELESS]
    for account in dict.fromkeys(run.desired.account for run in runs):
        winners = [run for run in runs if run.desired.account == account and run.fate is Fate.WON]
        found.lies += untrue([run.desired for run in winners], before, after, _left_behind(runs))
    found.leaks += [f"{kind} {name}" for kind, name in leaks(before, after, runs)]
    _sort_out_windows(found, runs, calls)
    found.waited = sum(run.waited is not None for run in runs)
    for run in runs:
        if run.ending.code not in (0, REFUSED) and not run.struck and met_unlocked(run, runs):
            found.windows.append(f"without a lock: {run.desired.account}: exit {run.ending.code}")
    found.unfair += unexplained(runs, lambda run: not missing(run.desired, before, after, _besides(runs)))
    return found


def _besides(runs: Sequence[Ran]) -> list[DesiredState]:
    return [*(run.desired for run in runs if run.fate is Fate.WON), *_left_behind(runs)]


def _sort_out_windows(found: Judgement, runs: Sequence[Ran], calls: Sequence[Call]) -> None:
    struck = {run.caller for run in runs if run.struck or run.killed}
    for run in runs:
        # Locks keep runs apart but for calls that were late, or under way when their run was stopped.
        loose = [call for call in calls if run.struck or call.caller == run.caller or call.caller in struck]
        if run.desired.shared and swallowing(run, loose):
            piece = f"TrustStatement {SHARED}/{run.desired.subject}"
            for texts in (found.lies, found.leaks):
                unavoidable = [text for text in texts if text in (not_admitted(run.desired), piece)]
                found.windows += unavoidable
                texts[:] = [text for text in texts if text not in unavoidable]


def _left_behind(runs: Sequence[Ran]) -> list[DesiredState]:
    """Wishes of which something may be on a ServiceAccount besides what the winners wish."""
    return [
        run.desired
        for run in runs
        if run.fate is Fate.CUT or f"ServiceAccount {run.desired.account}" in run.ending.left
    ]


def untrue(
    desired_states: Sequence[DesiredState], before: Json, after: Json, left: Sequence[DesiredState] = ()
) -> Iterator[str]:
    """What is not true of the wishes of one account that were all said to be.

    Of those in `left` something may be there besides.
    """
    besides = [*desired_states, *left]
    overriding = [desired for desired in desired_states if desired.override and not desired.role_only]
    contradicting = any(rivals(one, other) for one in desired_states for other in desired_states)
    if not contradicting or not overriding:
        if contradicting:
            yield f"two runs with different wishes for {desired_states[0].account} succeeded"
        for desired in dict.fromkeys(desired_states):
            yield from missing(desired, before, after, besides)
        return
    # The last of those that were told to override has the word; the others' roles stay.
    ends = [missing(desired, before, after, besides) for desired in overriding]
    if all(ends):
        yield from ends[-1]
    for desired in desired_states:
        yield from missing(desired, before, after, account=False)


def swallowing(run: Ran, calls: Sequence[Call]) -> bool:
    """Whether another run overwrote the shared role's trust policy when `run` had looked for the last time.

    And without having seen what `run` wrote: between its reading and its writing. IAM has no conditional
    write, so neither could know. Of two calls that overlap in time, either may have been executed first.
    """
    mine = [call for call in calls if call.caller == run.caller and call.subject == SHARED]
    last_look = max((call.started for call in mine if call.operation == LOOK), default=0.0)
    last_write = max((call.ended for call in mine if call.operation == WRITE), default=0.0)
    theirs = [call for call in calls if call.caller != run.caller and call.subject == SHARED]
    for write in (call for call in theirs if call.operation == WRITE and call.ended > last_look):
        looks = (
            call.started
            for call in theirs
            if (call.caller, call.operation) == (write.caller, LOOK) and call.ended < write.started
        )
        if max(looks, default=0.0) < last_write:
            return True
    return False


def leaks(before: Json, after: Json, runs: Sequence[Ran]) -> list[Object]:
    """The differences that are no winner's, that nobody named, and that no killed run's marks explain."""
    worlds = (before, after)
    found = []
    for piece in changes(before, after):
        won = any(run.fate is Fate.WON and belongs(piece, run.desired, worlds) for run in runs)
        named = any(f"{piece[0]} {piece[1]}" in run.ending.left for run in runs if run.fate is Fate.NAMED)
        if not won and not named and not any(of_killed(piece, run, worlds) for run in runs):
            found.append(piece)
    return found


def of_killed(piece: Object, run: Ran, worlds: Sequence[Json]) -> bool:
    """Whether a killed run may have left this: it is about it, and bears its mark where it can bear one."""
    if run.fate is not Fate.CUT or not belongs(piece, run.desired, worlds):
        return False
    marks = [mark for world in worlds if (mark := _mark(piece, world)) is not None]
    return not marks or any(mark in run.marks for mark in marks)


def _mark(piece: Object, world: Json) -> str | None:
    """The mark of a piece; None where it has none, as statements and what was there before."""
    kind, name = piece
    kubernetes = world["kubernetes"]
    things: dict[str, dict[str, Json]] = {
        "Namespace": kubernetes["namespaces"],
        "ServiceAccount": kubernetes["serviceaccounts"],
        "OIDCProvider": world["oidc_providers"],
    }
    roles: dict[str, Json] = world["roles"]
    thing = things[kind].get(name) if kind in things else roles.get(name.partition("/")[0])
    if thing is None:
        return None
    values: dict[str, str] = thing["tags"] if "tags" in thing else thing["annotations"]
    return values.get(TRANSACTION)


def to_repeat(before: Json, after: Json, runs: Sequence[Ran]) -> list[Ran]:
    """One run for each account whose wish is to be true in the end, run again.

    A winner, where there is one; else one whose wish a killed run has made true or begun, so that it can go
    on; else the first.
    """
    found = []
    for account in dict.fromkeys(run.desired.account for run in runs):
        of_it = [run for run in runs if run.desired.account == account]
        winners = [run for run in of_it if run.fate is Fate.WON]
        besides = [*(run.desired for run in winners), *_left_behind(runs)]
        true = [run for run in winners or of_it if not missing(run.desired, before, after, besides)]
        begun = [run for run in of_it if run.marks & set(_marks(account, after))]
        found.append([*true, *winners, *begun, *of_it][0])
    return found


def _marks(account: str, world: Json) -> Iterator[str]:
    pieces: list[Object] = [("Role", name) for name in roles_of(account, world)]
    for piece in (*pieces, ("ServiceAccount", account)):
        mark = _mark(piece, world)
        if mark is not None:
            yield mark


def remaining(
    before: Json, after: Json, repeated: Sequence[Ran], runs: Sequence[Ran], known: Sequence[str] = ()
) -> list[str]:
    """What is not as it should be after the runs in `repeated` were run again without faults.

    `known` are pieces that may be there besides those that the runs named.
    """
    winners = [run.desired for run in runs if run.fate is Fate.WON]
    desired_states = [*winners, *(run.desired for run in repeated)]
    besides = [*desired_states, *_left_behind(runs)]
    found = [text for run in repeated for text in missing(run.desired, before, after, besides)]
    named = {*known, *(item for run in runs if run.fate is Fate.NAMED for item in run.ending.left)}
    for piece in changes(before, after):
        text = f"{piece[0]} {piece[1]}"
        if text not in named and not any(
            belongs(piece, desired, (before, after)) for desired in desired_states
        ):
            found.append(f"left: {text}")
    return found


def kept(before: Json, after: Json, runs: Sequence[Ran]) -> list[str]:
    """What killed runs may have left when their journals are lost."""
    worlds = (before, after)
    pieces = changes(before, after)
    return [
        f"{kind} {name}" for kind, name in pieces if any(of_killed((kind, name), run, worlds) for run in runs)
    ]


def spoilt(before: Json, was: Json, now: Json, runs: Sequence[Ran]) -> list[str]:
    """What was true of winners' wishes in the world `was` and is no more: others were recovered since."""
    winners = [run.desired for run in runs if run.fate is Fate.WON]
    besides = [*winners, *_left_behind(runs)]
    return [
        f"recovering took from {desired.account}: {text}"
        for desired in dict.fromkeys(winners)
        if not missing(desired, before, was, besides)
        for text in missing(desired, before, now, besides)
    ]
