"""One stage on which cases are played: broken run, verdict, fault lifted, then what makes it good.

One in a process (moto's state is global). What is played is in `cases`, what it is worth in `judge`, what
makes it good in `aftermath`.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from irsa_cli.sandbox import Fault, Sandbox
from tests.faults.aftermath import PATIENCE, Aftermath, journals, tell, unfinished
from tests.faults.cases import Case, Recording, choose
from tests.faults.commands import COMMANDS, Command
from tests.faults.followers import FOLLOWERS
from tests.faults.injections import CALL_SECONDS, DELETED_MEANWHILE, DISK_FULL, PAUSES, WAYS, Call, kill
from tests.faults.judge import BAD, TRANSACTION, Ending, Json, Verdict, differences, essence, half_done, judge
from tests.faults.leases import lasting, left_by_all, left_in_silence
from tests.faults.meddling import MEDDLED, Theirs, meddle
from tests.faults.pausing import OTHER, Pause
from tests.faults.stages import LOCK_SECONDS, FaultStage, stages
from tests.faults.zygote import Process, Zygote
from tests.support.stage import EVERYTHING

RUN_SECONDS = 60.0
"""A run that takes longer is stuck."""
PATIENT_CALL_SECONDS = 10.0
CALM = {"IRSA_RETRY_TIMEOUT": "20"}
"""For runs in which nothing is broken: what fails there does because the machine is busy."""
PAUSE_TIMEOUT = "30"
"""Seconds for which a run that stands still waits for an answer, or repeats a call."""
HASTE = ("--timeout", "6s", "--rollback-timeout", "3s", "-o", "json")


@dataclass(frozen=True)
class Result:
    """How a case ended. `after` names what made it good, as in `aftermath`."""

    case: Case
    verdict: Verdict
    after: str
    recovered: bool
    seconds: float
    story: str = ""
    """What happened, for a case that failed."""

    @property
    def failed(self) -> bool:
        """Whether a promise was broken."""
        return self.verdict in BAD or not self.recovered


@dataclass(frozen=True)
class Ran:
    """One run, for a recording: the worlds around it, its calls, its journal and the lines it had before."""

    before: Json
    after: Json
    ending: Ending
    calls: Sequence[tuple[str, str]]
    journal: Path | None
    lines_before: int


class Bench:
    """A sandbox, a zygote, and the stage that was asked for; for a `with` block."""

    def __init__(self, stage: str) -> None:
        self._name = stage
        self._mutant = ""
        self._stack = ExitStack()
        self._process: Process | None = None
        self._failures: list[Exception] = []

    def __enter__(self) -> "Bench":
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="irsa-faults-")))
        self._sandbox = self._stack.enter_context(Sandbox())
        self._zygote = Zygote()
        self._stack.callback(self._zygote.close)
        self._another = self._zygote.twin()
        self._stack.callback(self._another.close)
        self._setting = self._stack.enter_context(stages(self._name, self._sandbox))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run_clean(self, command: Command) -> Ran:
        """Run a command without a fault."""
        return self._recorded(command)

    def run_broken(self, case: Case) -> Ran:
        """Run a case for the calls that it makes: how far it comes must not depend on the machine's speed."""
        return self._recorded(COMMANDS[case.command], case)

    def _recorded(self, command: Command, case: Case | None = None) -> Ran:
        self._mutant = ""
        stage = self._fresh(command)
        before, lines = stage.world(), sum(len(path.read_bytes().splitlines()) for path in journals(stage))
        if case is not None:
            self._arm(case.injection, case.call, case.before)
        words = (*command.words(stage), *PATIENCE)
        ending, _ = self._irsa(stage, words, PATIENT_CALL_SECONDS, command.env)
        calls = [(call.service, call.operation) for call in self._sandbox.calls]
        stage.settle()
        assert case is not None or not stage.harmed(), f"{command.name} harms {stage.harmed()}"
        return Ran(before, stage.world(), ending, calls, next(iter(journals(stage)), None), lines)

    def play(self, case: Case, recording: Recording, seed: int, mutant: str = "") -> Result:
        """Play one case to its end, with irsa or with a `mutant` in its place."""
        started = time.monotonic()
        self._mutant = mutant
        command = COMMANDS[case.command]
        stage = self._fresh(command)
        if case.injection in PAUSES:
            return self._play_paused(case, recording, stage, started)
        before, there = stage.world(), stage.leases()
        theirs = self._break(case, stage, recording)
        limit = None
        if case.injection == DISK_FULL:
            limit = ([0, *recording.journal])[case.call.skip] + 10  # A torn line, as a full disk leaves it.
        words = (*command.words(stage), *HASTE)
        ending, process = self._irsa(
            stage, words, CALL_SECONDS, command.env, file_limit=limit, lossy=case.kills
        )
        stage.settle()
        self._sandbox.faults.clear()
        self._sandbox.lag = 0.0
        if self._failures:
            raise RuntimeError(f"{case.id}: the harness failed") from self._failures[0]
        world = stage.world()
        verdict = _verdict(case, before, recording.desired, world, ending, theirs)
        story = tell(before, world, ending, process)
        leases = stage.leases()
        unknown = case.call.operation in ("POST leases", "PUT leases")
        may_stay = case.kills or ending.code is None or unknown
        kept = [
            *lasting(leases, LOCK_SECONDS),
            *left_in_silence(leases, there, may_stay=may_stay, said=bytes(process.err)),
        ]
        harmed = stage.harmed()
        after, recovered, rest = "", True, ""
        if not theirs:
            old = {f"ServiceAccount {name}" for name in before["kubernetes"]["serviceaccounts"]}
            unmarked = not old.isdisjoint(ending.left)
            printed = any(line.startswith("irsa ") for line in ending.repairs)
            open_ = bool(unfinished(stage))
            after = choose(case, seed, unfinished=open_, unmarked=unmarked, printed=printed)
            known = verdict is not Verdict.CUT or self._is_known(
                stage, command, before, recording.desired, world
            )
            recovered, rest = Aftermath(
                self._again, stage, command, before, recording.desired, ending.repairs
            ).play(after)
            if not known:
                recovered, story = False, f"{story}\nno journal knows of what it left"
        harmed = sorted({*harmed, *stage.harmed()})
        if kept := [*kept, *(left_by_all(stage.leases(), leases) if not theirs else [])]:
            verdict = Verdict.LEAK
            rest += "".join(f"\na lock: {text}" for text in kept)
        if harmed:
            verdict = Verdict.HARM
            rest += "".join(f"\nforeign, and not as it was: {kind} {name}" for kind, name in harmed)
        shutil.rmtree(stage.folder)
        result = Result(case, verdict, after, recovered, time.monotonic() - started)
        return replace(result, story=story + rest) if result.failed else result

    def _play_paused(self, case: Case, recording: Recording, stage: FaultStage, started: float) -> Result:
        """Play a case in which the run is stopped, and another one ends meanwhile."""
        command = COMMANDS[case.command]
        self._sandbox.add_user(OTHER, policy=EVERYTHING)
        self._sandbox.grant(stage.cluster, OTHER, groups=("system:masters",))
        words = command.words(stage)
        # The plan itself is stale for another machine while it is being carried out.
        other = (*command.plans, "-c", stage.cluster) if command.plans else words
        deleted = case.injection == DELETED_MEANWHILE
        if deleted:
            other = FOLLOWERS["delete-sa"].words(stage, command)

        def another() -> Process:
            env = {**stage.env(OTHER), "IRSA_CALL_TIMEOUT": str(PATIENT_CALL_SECONDS), **CALM}
            env["IRSA_STATE_DIR"] = str(stage.folder / "elsewhere")
            return self._another.start((*other, *PATIENCE), env, stage.folder, mutant=self._mutant)

        pause = Pause(stage, self._current, another, answered=PAUSES[case.injection])
        self._process = None
        self._sandbox.faults.add(pause.fault(case.call))
        # With time enough, so that nothing but the lock that it has lost ends it.
        env = {**command.env, "IRSA_RETRY_TIMEOUT": PAUSE_TIMEOUT}
        ending, process = self._irsa(stage, (*words, *PATIENCE), float(PAUSE_TIMEOUT), env)
        pause.wait()
        stage.settle()
        self._sandbox.faults.clear()
        story = tell(pause.before, stage.world(), ending, process) + pause.story
        calls = list(self._sandbox.calls)
        desired = recording.desired
        # Who has ended well came before the deletion, or after it.
        if deleted and (ending.code != 0 or essence(stage.world(), pause.before) != desired):
            desired = essence(pause.after, pause.before)
        verdict, problems = pause.judge(desired, ending, calls, serial=command.thorough)
        if deleted and ending.code == 0:
            problems = []
        problems += left_in_silence(stage.leases(), may_stay=False, said=bytes(process.err))
        aftermath = Aftermath(self._again, stage, command, pause.before, recording.desired)
        if pause.took_over and command.marked and not (command.deletes or deleted):
            spoilt, more = aftermath.recover_all()
            problems, story = problems + spoilt, story + more
        if pause.took_over and (command.deletes or deleted):
            more = aftermath.end_all(problems)
            story += more
        recovered, more = aftermath.play("again") if command.makes or not deleted else (True, "")
        problems += [f"{kind} {name} is foreign, and not as it was" for kind, name in stage.harmed()]
        shutil.rmtree(stage.folder)
        verdict = Verdict.LEAK if problems and verdict not in BAD else verdict
        story += more + "".join(f"\nproblem: {problem}" for problem in problems)
        result = Result(case, verdict, "again", recovered, time.monotonic() - started)
        return replace(result, story=story) if result.failed else result

    @staticmethod
    def _is_known(stage: FaultStage, command: Command, before: Json, desired: Json, world: Json) -> bool:
        """Whether a journal tells what a run that was killed has left behind."""
        missing = differences(desired, essence(world, before))
        nothing = not missing or not half_done(differences(before, world), missing, command.parts)
        return nothing or bool(unfinished(stage))

    def _fresh(self, command: Command) -> FaultStage:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        stage = self._setting.fresh(folder, trusting=not command.untrusted)
        stage.zygote = self._zygote
        for step in command.prepare:
            step(stage)
        self._sandbox.calls.clear()
        return stage

    def _break(self, case: Case, stage: FaultStage, recording: Recording) -> list[Theirs]:
        """Arm what is to strike; the list gets what somebody else does meanwhile."""
        theirs: list[Theirs] = []
        made = {
            name: role for name, role in recording.desired["roles"].items() if TRANSACTION in role["tags"]
        }
        roles, stage.homes = list(made), {name: role["arn"].split(":")[4] for name, role in made.items()}

        def interfere() -> None:
            try:
                theirs.append(meddle(stage, (case.call.service, case.call.operation), roles))
            except Exception as error:
                self._failures.append(error)
                raise

        self._process = None
        if case.injection in WAYS:
            self._sandbox.lag = WAYS[case.injection].lag
            self._arm(case.injection, case.call, case.before)
        if case.injection == MEDDLED:
            call = case.call
            fault = Fault(call.service, call.operation, "callback", skip=call.skip, run=interfere)
            self._sandbox.faults.add(fault)
        if case.broken is not None:
            self._arm(case.breaking, case.broken, 0)
        return theirs

    def _arm(self, injection: str, call: Call, before: int) -> None:
        WAYS[injection].arm(call, self._current, self._sandbox.faults, before)

    def _current(self) -> Process:
        assert self._process is not None
        return self._process

    def _again(self, stage: FaultStage, words: Sequence[str], *, patient: bool) -> tuple[Ending, Process]:
        return self._irsa(stage, words, PATIENT_CALL_SECONDS if patient else CALL_SECONDS, CALM)

    def _irsa(
        self,
        stage: FaultStage,
        words: Sequence[str],
        call_seconds: float,
        more: Mapping[str, str] = MappingProxyType({}),
        **how: Any,
    ) -> tuple[Ending, Process]:
        env = {**stage.env(), "IRSA_CALL_TIMEOUT": str(call_seconds), **more}
        self._process = process = self._zygote.start(words, env, stage.folder, mutant=self._mutant, **how)
        if not process.ended.wait(RUN_SECONDS):
            kill(process)
            return Ending(None), process
        if process.told_twice and process.code >= 0:
            return Ending(None), process  # It did not stop at once.
        return _ending(process, stage), process


def _verdict(
    case: Case, before: Json, desired: Json, world: Json, ending: Ending, theirs: Sequence[Theirs]
) -> Verdict:
    if any(item.destroyed(world, done=ending.code == 0) for item in theirs):
        return Verdict.LEAK
    others = [name for item in theirs for name in item.values]
    command = COMMANDS[case.command]
    return judge(
        before,
        desired,
        world,
        ending,
        killed=case.kills,
        recovers=command.recovers,
        theirs=others,
        parts=command.parts,
    )


DENIALS = (b"Nothing was changed (exit", b"nothing was changed", b"Everything was rolled back (exit")


def _ending(process: Process, stage: FaultStage) -> Ending:
    try:
        document = json.loads(stage.neutral(bytes(process.out).decode()))
        items = document["items"]
        left = [piece for item in items for piece in item.get("left", [])]
    except (ValueError, KeyError):
        return Ending(process.code)
    what, repairs = (tuple(item[key] for item in left) for key in ("what", "repair"))
    # Of several, one may say so of itself, and another one names what is left.
    denies = any(denial in process.err for denial in DENIALS) and not (what and len(items) > 1)
    return Ending(process.code, what, repairs, denies=denies)
