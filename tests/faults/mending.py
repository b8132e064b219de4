"""What comes after the runs of a schedule, without faults: it has to make good what is not.

`again`: what won is run again, or where nothing did, one of those that did not; `elsewhere`: the same on
machines without journals; `recover`: before that, `irsa recover` for what lost; `leftovers`: before that, on
empty disks, `irsa recover --cluster`. In the end nothing may be left of those that lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.faults.aftermath import PATIENCE
from tests.faults.desired_states import differ
from tests.faults.judge import Json
from tests.faults.places import Places
from tests.faults.ran import Fate, Ran
from tests.faults.schedule_judge import Judgement, kept, remaining, spoilt, to_repeat
from tests.faults.story import tell_after
from tests.faults.zygote import Process

PATIENT_CALL_SECONDS = 10.0


class Irsa(Protocol):
    """Runs irsa to its end in the place of a run."""

    def __call__(self, run: int, words: Sequence[str], call_seconds: float | None = None) -> Process:
        """The process, which has ended."""


@dataclass
class Mending:
    """The time after the `runs`, which began in the world `before`."""

    irsa: Irsa
    places: Places
    before: Json
    runs: Sequence[Ran]
    judgement: Judgement
    problems: list[str] = field(default_factory=list)
    story: str = ""

    def play(self) -> None:
        """Mend; `problems` and `story` tell how it went."""
        after = self.places.schedule.after
        world = self._world()
        if after in ("elsewhere", "remains"):
            self.places.lose_journals()
        if after == "recover":
            accounts = {run.desired.account for run in self.runs if run.fate is Fate.WON}
            self._recover([run for run in self.runs if run.desired.account not in accounts])
        if after == "remains":
            words = (
                "recover",
                "--cluster",
                self.places.stage.cluster,
                "--all",
                "--min-age",
                "0s",
                "-o",
                "json",
            )
            self._run(0, words, (0, 3))
        self.problems += spoilt(self.before, world, self._world(), self.runs)
        self._finish(journals=after not in ("elsewhere", "remains"))

    def _finish(self, *, journals: bool) -> None:
        chosen = to_repeat(self.before, self._world(), self.runs)
        for run in chosen:
            self._run(
                self.runs.index(run), (*run.desired.arguments, "-c", self.places.stage.cluster, *PATIENCE)
            )
        self._recover(
            [run for run in self.runs if any(differ(run.desired, again.desired) for again in chosen)]
        )
        world = self._world()
        known = [*self.judgement.windows, *([] if journals else kept(self.before, world, self.runs))]
        self.problems += remaining(self.before, world, chosen, self.runs, known)

    def _recover(self, runs: Sequence[Ran]) -> None:
        """`irsa recover` for what some runs did not finish, as far as there are journals."""
        for run in runs:
            number = self.runs.index(run)
            for transaction in self.places.unfinished(number):
                if run.fate in (Fate.CUT, Fate.NAMED) and transaction in run.marks:
                    self._run(number, ("recover", transaction, "-o", "json"), (0, 3))

    def _run(self, number: int, words: Sequence[str], codes: Sequence[int] = (0,)) -> None:
        process = self.irsa(number, words, PATIENT_CALL_SECONDS if codes == (0,) else None)
        told = f"{words[0]} by {number}"
        self.story += tell_after(f"{told}: {' '.join(words)}", process)
        if process.code not in codes:
            self.problems.append(f"{told} ended with {process.code}")

    def _world(self) -> Json:
        self.places.stage.settle()
        return self.places.stage.world()
