"""Worker processes, each with a bench of its own, and the cases that they are given."""

import multiprocessing
import multiprocessing.util
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from types import TracebackType

from tests.faults.bench import Bench, Result
from tests.faults.cases import Case, Recording
from tests.faults.commands import COMMANDS
from tests.faults.recorder import record

_BENCH: list[Bench] = []


class Workers:
    """Processes that play cases on one stage, for a `with` block."""

    def __init__(self, stage: str, jobs: int) -> None:
        self._jobs = jobs
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(jobs, context, _open, (stage,))

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def record(self, commands: Sequence[str]) -> dict[str, Recording]:
        """A recording of each command."""
        return dict(zip(commands, self._pool.map(_record, commands), strict=True))

    def play(
        self,
        cases: Sequence[Case],
        recordings: Mapping[str, Recording],
        seed: int,
        until: float = float("inf"),
        *,
        mutant: str = "",
    ) -> Iterator[Result]:
        """Results as they come in; no case is begun after `until` (monotonic seconds)."""
        waiting = iter(cases)
        running: set[Future[Result]] = set()
        while True:
            while len(running) < self._jobs and time.monotonic() < until and (case := next(waiting, None)):
                running.add(self._pool.submit(_play, case, recordings[case.command], seed, mutant))
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ended)


def leave_with_parent() -> None:
    """End this process of a pool when its parent is gone, killed or not; servers that it has end with it."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait_for_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_for_end, daemon=True).start()


def _open(stage: str) -> None:
    leave_with_parent()
    bench = Bench(stage).__enter__()
    _BENCH.append(bench)
    # The processes of a pool don't run atexit's functions, but multiprocessing's.
    multiprocessing.util.Finalize(bench, bench.__exit__, (None, None, None), exitpriority=10)


def _record(command: str) -> Recording:
    return record(_BENCH[0], COMMANDS[command])


def _play(case: Case, recording: Recording, seed: int, mutant: str) -> Result:
    return _BENCH[0].play(case, recording, seed, mutant)
