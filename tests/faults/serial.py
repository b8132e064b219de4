"""Whether runs at the same time ended as if they had been one after the other, in some order.

A run that had ended before another began comes before it. Pure; what each run left in the world is judged in
`schedule_judge`, but for who has the last word.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

from tests.faults.desired_states import differ, rivals
from tests.faults.ran import Fate, Ran

REFUSED = 4
LEAVING = (Fate.WON, Fate.CUT, Fate.NAMED)
"""Ends of runs of which something may be there afterwards."""
TAKEN_BACK = (Fate.CLEAN, Fate.NAMED, Fate.CUT)
"""Ends of runs that may have taken back what they made."""
TOLERANCE = 0.1
"""Seconds by which a run may have waited for less than it says: it does not count before its first call."""


def unexplained(runs: Sequence[Ran], is_true: Callable[[Ran], bool]) -> list[str]:
    """Why no order explains how the runs ended; nothing, where one does.

    `is_true` tells whether the world after all of them is as a run wishes. Of the reasons, those of the order
    that explains most are told.
    """
    found = [list(_against(order, runs, is_true)) for order in _orders(runs)]
    return min(found, key=len, default=[])


def _orders(runs: Sequence[Ran]) -> Iterator[tuple[Ran, ...]]:
    for order in permutations(runs):
        pairs = ((run, other) for place, run in enumerate(order) for other in order[place + 1 :])
        if not any(other.ended < run.began for run, other in pairs):
            yield order


def _against(order: Sequence[Ran], runs: Sequence[Ran], is_true: Callable[[Ran], bool]) -> Iterator[str]:
    """What speaks against this order."""
    for place, run in enumerate(order):
        before = [other for other in order[:place] if other.desired.account == run.desired.account]
        yield from _senseless(run, before, runs)
    for account in dict.fromkeys(run.desired.account for run in order):
        winners = [run for run in order if run.desired.account == account and run.fate is Fate.WON]
        overriding = [run for run in winners if run.desired.override and not run.desired.role_only]
        if overriding and not is_true(overriding[-1]):
            yield f"the last that overrides has not the last word on {account}"


def _senseless(run: Ran, before: Sequence[Ran], runs: Sequence[Ran]) -> Iterator[str]:
    """Why a run could not have ended so after those `before`, which were about the same ServiceAccount."""
    told = f"{run.desired.account}: exit {run.ending.code}, left {list(run.ending.left)}"
    if run.fate is Fate.WON:
        winners = [other for other in before if other.fate is Fate.WON]
        if not run.desired.override and any(rivals(run.desired, other.desired) for other in winners):
            yield f"it won after another wish was true: {told}"
    elif run.struck or run.fate not in (Fate.CLEAN, Fate.NAMED):
        return  # What was done to it explains its end, and what it left is judged by the world.
    elif run.waited is not None:
        others = [other for other in runs if other is not run and _meet(run, other)]
        if not others or run.ended - run.began < run.waited - TOLERANCE:
            yield f"nobody held a lock for {run.waited:g} s: {told}"
    elif run.met_the_end:
        if not any(other.struck and other.fate in TAKEN_BACK and _meet(run, other) for other in runs):
            yield f"nobody has taken the namespace back: {told}"
    elif run.ending.code != REFUSED and met_unlocked(run, runs):
        return  # The window of transaction.md: a run without the cluster's API takes no lock.
    elif run.ending.code != REFUSED:
        yield f"nothing was done to it: {told}"
    elif not any(other.fate in LEAVING and differ(run.desired, other.desired) for other in before):
        yield f"no other wish came before it: {told}"


def met_unlocked(run: Ran, runs: Sequence[Ran]) -> bool:
    """Whether it met another run for the same ServiceAccount, and one of them held no lock."""
    others = (other for other in runs if other is not run and other.desired.account == run.desired.account)
    return any(_meet(run, other) and (run.desired.role_only or other.desired.role_only) for other in others)


def _meet(run: Ran, other: Ran) -> bool:
    """Whether one could have been in the way of the other; the locks of the killed outlive them."""
    return other.began < run.ended and (other.ended > run.began or other.struck or other.killed)
