"""One stage on which cases are played: broken run, verdict, fault lifted, then what makes it good.

One in a process (moto's state is global). What is played is in `cases`, what it is worth in `judge`.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irsa_cli.sandbox import Sandbox
from irsa_cli.transaction.journal import JournalError, read
from tests.faults.cases import Case, Recording, choose, number
from tests.faults.commands import COMMANDS, Command, is_write
from tests.faults.injections import CALL_SECONDS, DISK_FULL, INJECTIONS, KILLING, Call, kill
from tests.faults.judge import BAD, Ending, Json, Verdict, differences, essence, judge
from tests.faults.stages import FaultStage, stages
from tests.faults.zygote import Process, Zygote

RUN_SECONDS = 60.0
"""A run that takes longer is stuck."""
HASTE = ("--timeout", "6s", "--rollback-timeout", "3s", "-o", "json")
PATIENCE = ("--timeout", "60s", "--rollback-timeout", "30s", "-o", "json")


@dataclass(frozen=True)
class Result:
    """How a case ended. `after` names what made it good: again, elsewhere, recover; or '' for nothing."""

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


class Bench:
    """A sandbox, a zygote, and the stage that was asked for."""

    def __init__(self, stage: str) -> None:
        self._name = stage
        self._mutant = ""
        self._stack = ExitStack()

    def __enter__(self) -> "Bench":
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="irsa-faults-")))
        self._sandbox = self._stack.enter_context(Sandbox())
        self._zygote = Zygote()
        self._stack.callback(self._zygote.close)
        self._setting = self._stack.enter_context(stages(self._name, self._sandbox))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def record(self, command: Command) -> Recording:
        """Run a command once without a fault, and once with its last write broken."""
        self._mutant = ""
        stage = self._fresh(command)
        before = stage.world()
        ending, _ = self._run(stage, command, PATIENCE)
        assert ending.code == 0, f"{command.name} fails without a fault: {ending}"
        calls = number([(call.service, call.operation) for call in self._sandbox.calls])
        desired = essence(stage.world(), before)
        (journal,) = _journals(stage.folder)
        sizes = _sizes(journal)
        broken = [call for call in calls if is_write(call)][-1]
        return Recording(
            command.name, tuple(calls), desired, sizes, broken, self._record_rollback(command, broken)
        )

    def _record_rollback(self, command: Command, broken: Call) -> tuple[Call, ...]:
        stage = self._fresh(command)
        self._break(Case("", command.name, command.failing, broken))
        ending, _ = self._run(stage, command, HASTE)
        assert ending.code == 1, f"{command.name} does not fail as it should: {ending}"
        calls = number([(call.service, call.operation) for call in self._sandbox.calls])
        first = calls.index(broken)
        return tuple(call for call in calls[first + 1 :] if not _same(call, broken))

    def play(self, case: Case, recording: Recording, seed: int, mutant: str = "") -> Result:
        """Play one case to its end, with irsa or with a `mutant` in its place."""
        started = time.monotonic()
        self._mutant = mutant
        command = COMMANDS[case.command]
        stage = self._fresh(command)
        before = stage.world()
        self._break(case)
        limit = None
        if case.injection == DISK_FULL:
            limit = ([0, *recording.journal])[case.call.skip] + 10  # A torn line, as a full disk leaves it.
        ending, process = self._run(stage, command, HASTE, file_limit=limit)
        self._settle(stage)
        self._sandbox.faults.clear()
        world = stage.world()
        verdict = judge(before, recording.desired, world, ending, killed=case.injection in KILLING)
        story = _story(before, world, ending, process)
        unfinished = any(not _finished(path) for path in _journals(stage.folder))
        after = choose(case, seed, unfinished=unfinished)
        recovered, rest = self._make_good(after, stage, command, before, recording.desired)
        seconds = time.monotonic() - started
        result = Result(case, verdict, after, recovered, seconds)
        return result if not result.failed else Result(case, verdict, after, recovered, seconds, story + rest)

    def _fresh(self, command: Command) -> FaultStage:
        stage = self._setting.fresh(Path(tempfile.mkdtemp(dir=self._folder)))
        for step in command.prepare:
            step(stage)
        self._sandbox.calls.clear()
        return stage

    def _break(self, case: Case) -> None:
        self._process: Process | None = None
        if case.injection in INJECTIONS:
            self._arm(case.injection, case.call)
        if case.broken is not None:
            self._arm(COMMANDS[case.command].failing, case.broken)

    def _arm(self, injection: str, call: Call) -> None:
        INJECTIONS[injection].arm(call, self._current, self._sandbox.faults)

    def _current(self) -> Process:
        assert self._process is not None
        return self._process

    def _run(
        self, stage: FaultStage, command: Command, limits: Sequence[str], **how: Any
    ) -> tuple[Ending, Process]:
        patient = limits is PATIENCE
        arguments = (*command.arguments, "-c", stage.cluster, *limits)
        env = {**stage.env(), "IRSA_CALL_TIMEOUT": "10" if patient else str(CALL_SECONDS)}
        return self._irsa(stage, arguments, env, **how)

    def _irsa(
        self, stage: FaultStage, arguments: Sequence[str], env: dict[str, str], **how: Any
    ) -> tuple[Ending, Process]:
        self._process = process = self._zygote.start(arguments, env, stage.folder, mutant=self._mutant, **how)
        if not process.ended.wait(RUN_SECONDS):
            kill(process)
            return Ending(None), process
        if process.told_twice and process.code >= 0:
            return Ending(None), process  # It did not stop at once.
        return _ending(process, stage), process

    def _settle(self, stage: FaultStage) -> None:
        # What a client that is gone has sent is executed now, if it is ever to be.
        self._sandbox.settle(hurry=True)
        stage.settle()

    def _make_good(
        self, after: str, stage: FaultStage, command: Command, before: Json, desired: Json
    ) -> tuple[bool, str]:
        play: dict[str, Callable[[], tuple[bool, str]]] = {
            "again": lambda: self._again(stage, command, before, desired),
            "elsewhere": lambda: self._elsewhere(stage, command, before, desired),
            "recover": lambda: self._recover(stage, before),
        }
        return play[after]()

    def _elsewhere(
        self, stage: FaultStage, command: Command, before: Json, desired: Json
    ) -> tuple[bool, str]:
        """The same command on another machine, which has no journals."""
        shutil.rmtree(stage.state, ignore_errors=True)
        return self._again(stage, command, before, desired)

    def _again(self, stage: FaultStage, command: Command, before: Json, desired: Json) -> tuple[bool, str]:
        ending, process = self._run(stage, command, PATIENCE)
        self._settle(stage)
        world = stage.world()
        good = ending.code == 0 and essence(world, before) == desired
        return good, f"\nthe same again: {_story(before, world, ending, process)}"

    def _recover(self, stage: FaultStage, before: Json) -> tuple[bool, str]:
        story, codes = "", []
        env = {**stage.env(), "IRSA_CALL_TIMEOUT": str(CALL_SECONDS)}
        for path in _journals(stage.folder):
            if not _finished(path):
                ending, process = self._irsa(stage, ("recover", path.stem, "-o", "json"), env)
                codes.append(ending.code)
                story += f"\nrecover: {_story(before, stage.world(), ending, process)}"
        self._settle(stage)
        good = not any(codes) and not differences(before, stage.world())
        return good, story


def _same(one: Call, other: Call) -> bool:
    return (one.service, one.operation) == (other.service, other.operation)


def _journals(folder: Path) -> list[Path]:
    return sorted((folder / "state").glob("*.jsonl"))


def _finished(path: Path) -> bool:
    try:
        return read(path).finished
    except JournalError:
        return True  # Its header is torn: it never began.


def _sizes(journal: Path) -> tuple[int, ...]:
    total, sizes = 0, []
    for line in journal.read_bytes().splitlines(keepends=True):
        total += len(line)
        sizes.append(total)
    return tuple(sizes)


def _ending(process: Process, stage: FaultStage) -> Ending:
    try:
        left = json.loads(stage.neutral(bytes(process.out).decode()))["left"]
    except (ValueError, KeyError):
        return Ending(process.code)
    return Ending(process.code, tuple(item["what"] for item in left), tuple(item["repair"] for item in left))


def _story(before: Json, world: Json, ending: Ending, process: Process) -> str:
    lines = [f"exit {ending.code}, left: {list(ending.left)}"]
    lines += [f"  differs: {kind} {name}" for kind, name in differences(before, world)]
    lines += [f"  | {line}" for line in bytes(process.err).decode(errors="replace").splitlines()[-25:]]
    return "\n".join(lines)
