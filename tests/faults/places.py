"""Where the runs of a schedule live: a user for each, and a folder of journals for each or for all."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from irsa_cli.transaction.journal import JournalError
from irsa_cli.transaction.reading import read
from tests.faults.injections import CALL_SECONDS, KILLING
from tests.faults.schedule import Schedule
from tests.faults.stages import FaultStage

PAUSE_SECONDS = 25.0
"""The same for one that stands still, so that nothing but its lock ends it when it goes on."""
CALM_SECONDS = 4.0
"""The time limit for one call of a run to which nothing is done: calls are held for less."""


@dataclass(frozen=True)
class Places:
    """The places of a schedule's runs, which are known by their numbers."""

    schedule: Schedule
    stage: FaultStage

    def user(self, run: int) -> str:
        """The IAM user as which it runs."""
        return f"run-{run}"

    def key(self, run: int) -> str:
        """The access key by which the sandbox knows its calls."""
        return self.stage.env(self.user(run))["AWS_ACCESS_KEY_ID"]

    def state(self, run: int) -> Path:
        """Its folder of journals."""
        return self.stage.state if self.schedule.together else self.stage.folder / f"state-{run}"

    def env(self, run: int, call_seconds: float | None = None) -> dict[str, str]:
        """Its environment, with the time limit for one call that it has in the schedule, or another."""
        return {
            **self.stage.env(self.user(run)),
            "AWS_SDK_UA_APP_ID": self.key(run),
            "IRSA_STATE_DIR": str(self.state(run)),
            "IRSA_CALL_TIMEOUT": str(call_seconds or self.call_seconds(run)),
            **({"IRSA_RETRY_TIMEOUT": str(PAUSE_SECONDS)} if self.schedule.parts[run].stands_still else {}),
        }

    def call_seconds(self, run: int) -> float:
        """How long it waits for the answer to one call."""
        part = self.schedule.parts[run]
        if part.stands_still:
            return PAUSE_SECONDS
        return CALL_SECONDS if part.strikes else CALM_SECONDS

    def kills(self, run: int) -> bool:
        """Whether something may end it without a word."""
        return any(strike.injection in KILLING for strike in self.schedule.parts[run].strikes)

    def transactions(self, run: int) -> list[str]:
        """The transactions in its folder; one that was killed when all was done has nothing left to do."""
        return sorted(path.stem for path in self.state(run).glob("*.jsonl"))

    def unfinished(self, run: int) -> list[str]:
        """The transactions in its folder in which something is left to do."""
        found = []
        for path in sorted(self.state(run).glob("*.jsonl")):
            try:
                if not read(path).finished:
                    found.append(path.stem)
            except JournalError:
                continue  # Its header is torn: it never began.
        return found

    def lose_journals(self) -> None:
        """Take all journals away."""
        for run in range(len(self.schedule.parts)):
            shutil.rmtree(self.state(run), ignore_errors=True)
