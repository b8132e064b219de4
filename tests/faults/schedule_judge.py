"""What concurrent runs are worth: judged by exit codes, what they named, their calls and the worlds.

Pure functions. Who wishes what, and when it is true, is in `desired_states`; how it comes about in `arena`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from irsa_cli.sandbox.model import Call
from tests.faults.desired_states import (
    SHARED,
    DesiredState,
    belongs,
    changes,
    differ,
    missing,
    not_admitted,
    rivals,
    roles_of,
)
from tests.faults.judge import INCOMPLETE, TRANSACTION, Ending, Json, Object

TAKEN_BACK = (1, 4, 5, 130, 143)
REFUSED = 4
LOOK, WRITE = "GetRole", "UpdateAssumeRolePolicy"


class Fate(Enum):
    """How a run ended, as far as its exit code tells."""

    WON = "won"
    CLEAN = "clean"
    """A failure that says that all was taken back."""
    NAMED = "named"
    """Exit 3: something is left, and named."""
    CUT = "cut off"
    """Killed by us."""
    STUCK = "stuck"
    SENSELESS = "senseless"
    """A bug, an exit code that promises nothing, or leftovers without the command that repairs them."""


@dataclass(frozen=True)
class Ran:
    """One run that ended. `struck`: a fault that was meant for it, or a signal, hit it.

    `marks` are the ids of its transactions as far as they are known, `caller` its access key.
    """

    desired: DesiredState
    ending: Ending
    struck: bool = False
    killed: bool = False
    marks: frozenset[str] = frozenset()
    caller: str = ""

    @property
    def fate(self) -> Fate:
        """How it ended."""
        code = self.ending.code
        if code is None:
            return Fate.STUCK
        if self.killed and code < 0:
            return Fate.CUT
        if self.ending.crashed:
            return Fate.SENSELESS
        if code == 0:
            return Fate.WON
        if code in TAKEN_BACK or (self.struck and code in (-2, -15)):
            return Fate.CLEAN
        named = len(self.ending.left) == len(self.ending.repairs) > 0 and all(self.ending.repairs)
        return Fate.NAMED if code == INCOMPLETE and named else Fate.SENSELESS


@dataclass
class Judgement:
    """What was found. `windows`: what no client can avoid; `gave_up`: runs that failed by others' faults."""

    fates: Counter[Fate] = field(default_factory=Counter)
    lies: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    unfair: list[str] = field(default_factory=list)
    """Runs that failed and nothing explains it."""
    windows: list[str] = field(default_factory=list)
    gave_up: int = 0

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
    for run in runs:
        if run.fate in (Fate.CLEAN, Fate.NAMED) and not run.struck:
            _judge_failure(run, runs, calls, found)
    return found


def _sort_out_windows(found: Judgement, runs: Sequence[Ran], calls: Sequence[Call]) -> None:
    for run in runs:
        if run.desired.shared and swallowing(run, calls):
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


def _judge_failure(run: Ran, runs: Sequence[Ran], calls: Sequence[Call], found: Judgement) -> None:
    """A run that nothing was done to has to win, or to be refused for another wish."""
    against = [other for other in runs if differ(run.desired, other.desired)]
    troubled = any(other.struck or other.killed for other in runs if other is not run)
    told = f"{run.desired.account}: exit {run.ending.code}, left {list(run.ending.left)}"
    if troubled:
        found.gave_up += not (against and run.ending.code == REFUSED)
    elif run.desired.shared and swallowing(run, calls):
        found.windows.append(f"its statement was overwritten: {told}")
    elif not against:
        found.unfair.append(f"nothing explains the end of {told}")
    elif run.ending.code != REFUSED:
        found.unfair.append(f"a run with another wish has to end with 4: {told}")
    elif not any(other.fate is Fate.WON for other in against):
        found.unfair.append(f"nobody won against {told}")


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
