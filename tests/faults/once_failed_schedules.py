"""Schedules in which a promise was broken once: what `python -m tests.faults.schedules` prints of them.

In full, since what a number stands for changes with the lists that it chooses from.
"""

from collections.abc import Sequence
from dataclasses import replace

from tests.faults.commands import MANAGED
from tests.faults.desired_states import DesiredState
from tests.faults.schedule import TO_THE_END, Hold, Part, Schedule, Start, Strike

S3, SQS, SNS = MANAGED
APP = DesiredState("apps/app", policies=(S3, SNS), inline=("queue",))
VERIFIED = replace(APP, verify=True)
ANYHOW = replace(APP, inline=(), override=True)


def _associating(*desired_states: DesiredState) -> Sequence[DesiredState]:
    return [replace(desired, associate=True) for desired in desired_states]


_PROVERS = _associating(VERIFIED, VERIFIED, VERIFIED)
_FOUR = _associating(APP, *(DesiredState(f"apps/{name}", policies=(S3,)) for name in ("web", "job", "mail")))
_SHARING = [DesiredState(f"apps/{name}", shared=True) for name in ("app", "web", "job", "mail")]

ONCE_FAILED = [
    # A run committed while another was at work on the same role. That one was not allowed to read the
    # ServiceAccount when it took its own changes back, and took an attachment away that both had made.
    Schedule(
        *(1, 2, "same wish"),
        (
            Part(APP),
            Part(VERIFIED, Start(0, 10), (Strike("late-last", 14),)),
            Part(VERIFIED, Start(0, 12), (Strike("denied", 19),)),
        ),
        (Hold(1, 8, 0, 9), Hold(0, 13, 1, 4), Hold(0, 9, 1, 11)),
        together=True,
        after="elsewhere",
    ),
    # Told to stop when it had committed and looked again, a run said that nothing was changed.
    Schedule(
        *(1, 51, "one provider"),
        (
            Part(_FOUR[0], strikes=(Strike("sigterm", 16),)),
            Part(_FOUR[1], Start(0, 2), (Strike("sigterm-twice", 26),)),
            Part(_FOUR[2], Start(0, 6)),
            Part(_FOUR[3], Start(1, 11)),
        ),
        (Hold(1, 30, 3, 4),),
        provider=False,
        namespace=False,
    ),
    # A namespace that another run made between two looks at it was a failure.
    Schedule(
        *(1, 53, "one namespace"),
        (Part(APP), Part(DesiredState("apps/web", policies=(SNS,), verify=True), Start(0, 9))),
        (Hold(0, 8, 1, 8), Hold(1, 7, 0, TO_THE_END)),
        namespace=False,
    ),
    # A namespace that another run had taken over was left, and the run's own role for its sake.
    Schedule(
        *(1, 26, "one namespace"),
        (
            Part(_FOUR[0]),
            Part(_FOUR[1], Start(0, 7)),
            Part(_FOUR[2], Start(1, 15)),
            Part(_FOUR[3], Start(0, 3)),
        ),
        (Hold(2, 12, 1, 11), Hold(0, 14, 2, 4), Hold(0, 28, 2, 4)),
        provider=False,
        namespace=False,
        together=True,
        after="recover",
    ),
    # What a run has to leave to another one made it end with 3, where it should have looked again.
    Schedule(
        *(1, 49, "different wishes"),
        (Part(replace(APP, annotations=(("team", "b"),))), Part(APP, Start(0, 0))),
        (),
        namespace=False,
        together=True,
        after="recover",
    ),
    Schedule(
        *(1, 119, "different wishes"),
        (
            Part(ANYHOW),
            Part(DesiredState("apps/app", shared=True, override=True), Start(0, 0)),
            Part(replace(ANYHOW, policies=(SQS, S3)), Start(1, 3)),
            Part(ANYHOW, Start(0, 2)),
        ),
        (Hold(0, 13, 3, 11), Hold(2, 13, 0, 11)),
        existing=True,
        after="elsewhere",
    ),
    Schedule(
        *(1, 129, "same wish"),
        (Part(_PROVERS[0]), Part(_PROVERS[1], Start(0, 0)), Part(_PROVERS[2], Start(0, 10))),
        (Hold(0, 2, 2, 9), Hold(2, 15, 0, 3), Hold(2, 5, 1, 11)),
        provider=False,
    ),
    # Subjects that share a statement were judged as one piece that nobody had wished.
    Schedule(
        *(1, 13, "one role"),
        (
            Part(_SHARING[0]),
            Part(replace(_SHARING[1], verify=True), Start(0, 14), (Strike("sigterm", 7),)),
            Part(_SHARING[2], Start(0, 3), (Strike("kill-before", 14),)),
            Part(replace(_SHARING[3], verify=True), Start(2, 12)),
        ),
        (Hold(0, 7, 2, 8),),
        after="recover",
    ),
    # An attempt to make a role that nobody had answered made it once more when it had been taken back.
    Schedule(
        *(1, 44, "one provider"),
        (
            Part(_FOUR[0], strikes=(Strike("500", 14),)),
            Part(_FOUR[1], Start(0, TO_THE_END), (Strike("late", 4), Strike("kill-before", 5))),
            Part(_FOUR[2], Start(0, 14), (Strike("half-bodies", 9),)),
            Part(_FOUR[3], Start(0, 0), (Strike("sigint", 20), Strike("late-once", 10))),
        ),
        (Hold(3, 12, 0, 7), Hold(2, 13, 0, TO_THE_END)),
        provider=False,
        namespace=False,
        together=True,
        after="recover",
    ),
    # The marks that a run had taken from one that has ended were left, where another wish is to be refused.
    Schedule(
        *(1, 166, "different wishes"),
        (
            Part(replace(_PROVERS[0], policies=(SQS,))),
            Part(replace(_PROVERS[0], policies=(SQS,), inline=()), Start(0, 1)),
        ),
        (Hold(1, 14, 0, TO_THE_END), Hold(1, 7, 0, 10)),
        provider=False,
        namespace=False,
    ),
]
