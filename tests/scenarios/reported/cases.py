"""The register of reported cases and healthy set-ups, and how a run of doctor is scored.

A score is what a user gets who runs `irsa doctor` on that world. It is written beside each case, and a test
compares: nothing gets worse unseen. What gets better is written down, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.scenarios.reported.world import World
from tests.support.stage import Json

Make = Callable[[World], "str | tuple[str, ...] | None"]
"""Makes the world of a case; returns the arguments of doctor where they are not the binding's own.

As a text: those besides the namespace.
"""
GITHUB = "https://github.com"


class Score(str, Enum):
    """How doctor fares on a reported failure."""

    EXACT = "exact"
    """The first problem is the confirmed cause."""
    AMONG = "among others"
    """The confirmed cause is a problem, and another one is named before it."""
    HINT = "hint"
    """No problem, and the confirmed cause is named as what may be wrong and can't be told."""
    UNTOLD = "unknown"
    """No problem; that what decides could not be seen is said, and the exit code is not 0."""
    OUTSIDE = "not checked"
    """Exit code 0, since the pod gets its role: the failure is in what doctor says it does not look at."""
    MISSED = "missed"
    """The exit code is 0, and nothing leads to the cause."""
    FALSE = "false"
    """Something else is called a problem, and the cause is not."""

    @property
    def rank(self) -> int:
        """The worse the higher."""
        return list(Score).index(self)


EXACT, AMONG, HINT, UNTOLD, OUTSIDE, MISSED, FALSE = Score
"""By their short names, for the register."""


@dataclass(frozen=True)
class Reported:
    """A failure that somebody reported: where, what was seen, and which cause was confirmed.

    `named` are the causes of doctor that say so; without any it can't be seen from outside.
    """

    source: str
    symptom: str
    cause: str
    named: tuple[str, ...]
    score: Score
    make: Make


@dataclass(frozen=True)
class Healthy:
    """A set-up in which nothing is wrong; `exit_code` 1 where doctor can't see it and has to say so.

    `alarm` is what doctor calls a problem all the same, until that is mended.
    """

    what: str
    exit_code: int
    make: Make
    alarm: str = ""


REPORTED: dict[str, Reported] = {}
HEALTHY: dict[str, Healthy] = {}


def reported(
    source: str, symptom: str, cause: str, named: str, make: Make, score: Score = Score.EXACT
) -> None:
    """Register a reported failure; `source` is GitHub's, or whole, and `named` has spaces between.

    Of what doctor does not check the score is `OUTSIDE`.
    """
    where = source if source.startswith("https:") else f"{GITHUB}/{source}"
    assert source not in REPORTED, source
    REPORTED[source] = Reported(where, symptom, cause, tuple(named.split()), score, make)


def healthy(what: str, make: Make, exit_code: int = 0) -> None:
    """Register a set-up in which nothing is wrong."""
    assert what not in HEALTHY, what
    HEALTHY[what] = Healthy(what, exit_code, make)


def findings(document: Json, verdict: str) -> list[str]:
    """The identifiers of what was found, of the cluster and of all ServiceAccounts in the document."""
    accounts = (item["findings"] for item in document["items"][1:])
    every = [document["items"][0]["findings"], *accounts]
    return [item["id"] for found in every for item in found if item["verdict"] == verdict]


def scored(case: Reported, document: Json, always: frozenset[str]) -> Score:
    """The score of a diagnosis.

    `always` can't be told of a working binding either: being among that is no hint.
    """
    problems = findings(document, "problem")
    if problems:
        if problems[0] in case.named:
            return Score.EXACT
        return Score.AMONG if set(case.named) & set(problems) else Score.FALSE
    if set(case.named) & set(findings(document, "unknown")) - always:
        return Score.HINT
    if document["metadata"]["exitCode"] != 0:
        return Score.UNTOLD
    return Score.OUTSIDE if case.score is Score.OUTSIDE else Score.MISSED
