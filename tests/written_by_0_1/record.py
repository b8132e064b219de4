"""Record what the irsa of this checkout writes, for 0.1.0 only, as a user `dev` of a machine `laptop-1`:

    unshare --uts sh -c 'hostname laptop-1 && python -m tests.written_by_0_1.record --folder FOLDER'

Each command of the fault matrix runs once. Before each of its calls the run stands still, and everything is
written down; so each moment is one at which the machine could have been switched off. What goes on from it is
played with the same irsa.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.exchange import Label
from tests.faults.commands import COMMANDS, Command, is_write
from tests.faults.injections import Call
from tests.faults.stages import Setting, stages
from tests.faults.zygote import Process, Zygote
from tests.written_by_0_1 import snapshot
from tests.written_by_0_1.goings_on import GOINGS_ON, HOST, LOOKS, look, play
from tests.written_by_0_1.recording import Json, Moment, Recording, pack

SECONDS = 60
"""A run that takes longer is stuck."""


class Recorder:
    """Writes down the state before each call of a run; calls wait for each other meanwhile."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._lock = threading.Lock()
        self._writes: dict[str, int] = {}
        self.states: list[tuple[str, bool, Json]] = []
        """Each with the call before which it was, and whether that is a write."""

    def __call__(self, label: Label) -> None:
        with self._lock:
            self.note(f"{label.service} {label.operation}", _changes(label))

    def note(self, call: str, is_change: bool) -> None:
        """Write down the state; a state while another call is executed is taken again."""
        state = snapshot.take(self._sandbox, self._folder)
        while state != (again := snapshot.take(self._sandbox, self._folder)):
            state = again
        if is_change:
            self._writes[call] = self._writes.get(call, 0) + 1
            call = f"{call} {self._writes[call]}"
        self.states.append((call, is_change, state))

    def moments(self) -> Iterator[Moment]:
        """Before each write, and after it, when the journal does not know yet how it ended.

        A rehearsal (`dryRun`) is no such moment: the next one finds the same state.
        """
        for number, (call, is_change, state) in enumerate(self.states[:-1]):
            later = self.states[number + 1][2]
            if is_change and later != state:
                yield Moment(call, False, state)
                yield Moment(call, True, {**later, "files": state["files"]})
        yield Moment("the end", True, self.states[-1][2])


class _Developer(Zygote):
    """Starts runs of a user of that name."""

    def start(self, arguments: Sequence[str], env: Mapping[str, str], folder: Path, **how: Any) -> Process:
        """See `Zygote.start`."""
        return super().start(arguments, {**env, "USER": "dev"}, folder, **how)


def _changes(label: Label) -> bool:
    return is_write(Call(label.service, label.operation, 0)) and not label.operation.endswith(" leases")


def record(command: Command) -> Recording:
    """Run a command, and play from each of its moments."""
    with (
        Sandbox() as sandbox,
        stages("sandbox", sandbox) as setting,
        tempfile.TemporaryDirectory(prefix="irsa-recorded-") as folder,
        patch.dict(os.environ, {"HOME": f"{folder}/home"}),
    ):
        recording = _moments(sandbox, setting, Path(folder), command)
        moments = []
        for moment in recording.moments:
            ends = {}
            for name in GOINGS_ON:
                with tempfile.TemporaryDirectory(prefix="irsa-played-") as place:
                    ends[name] = play(sandbox, Path(place), recording, moment, name)
            moments.append(Moment(moment.call, moment.executed, moment.state, ends))
        looks = {}
        for name in LOOKS:
            with tempfile.TemporaryDirectory(prefix="irsa-played-") as place:
                looks[name] = look(sandbox, Path(place), recording, name)
    return replace(recording, moments=tuple(moments), looks=looks)


def _moments(sandbox: Sandbox, setting: Setting, folder: Path, command: Command) -> Recording:
    stage = setting.fresh(folder)
    sandbox.reset()  # Without what stands beside in the matrix.
    stage.foreign = None
    zygote = stage.zygote = _Developer()
    for step in command.prepare:
        step(stage)
    words = command.words(stage)
    recorder = Recorder(sandbox, folder)
    sandbox.listen(recorder)
    process = zygote.start((*words, "--timeout", "60s"), {**stage.env(), **command.env}, folder)
    process.ended.wait(SECONDS)
    stage.settle()
    recorder.note("", False)
    zygote.close()
    assert process.code == 0, bytes(process.err).decode()
    return Recording(command.name, tuple(words), command.way, tuple(recorder.moments()))


def main() -> None:
    """Record the commands that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", help="of the fault matrix [default: all]")
    parser.add_argument(
        "--folder", type=Path, required=True, help="where each has a file, before all are packed"
    )
    parser.add_argument("-j", "--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if socket.gethostname() != HOST:
        parser.error(f"this machine has to be called {HOST}")
    if len(arguments.commands) == 1:
        recording = record(COMMANDS[arguments.commands[0]])
        (arguments.folder / f"{recording.command}.jsonl").write_text(recording.to_text(), encoding="utf-8")
        return
    # A process for each: what is global in the sandbox is new.
    program = [sys.executable, "-m", "tests.written_by_0_1.record", "--folder", str(arguments.folder)]
    lines = [[*program, name] for name in arguments.commands or COMMANDS]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for line, done in zip(lines, pool.map(subprocess.run, lines), strict=True):
            print(line[-1], "recorded" if done.returncode == 0 else "failed", flush=True)
    pack(arguments.folder)


if __name__ == "__main__":
    main()
