"""One clock for a test process and all its runs of irsa: it counts no time in which nobody could run.

Where the processor is taken away from all of them, for seconds, `time.monotonic` goes on by half a second. A
process that a test stops by itself finds that time has passed. A thread of the first process writes down when
it was last awake, in a file that all others map.

Waiting (`Event.wait`, `sleep`, sockets) and the time of day are the machine's.
"""

import atexit
import mmap
import os
import struct
import tempfile
import threading
import time
from pathlib import Path

FILE = "IRSA_TEST_CLOCK"
"""A variable of the environment: the file of the clock."""
_OWNER, _WORKER = "IRSA_TEST_CLOCK_OF", "PYTEST_XDIST_WORKER"
"""Variables: whose clock that is, and which of several test processes this is, or was started by."""
MOST = 0.5
"""Seconds by which the clock goes on while nobody is awake."""
TICK = 0.05
_LAYOUT = struct.Struct("<Qdd")
_WRITING = threading.Lock()
_monotonic, _clock_gettime = time.monotonic, time.clock_gettime


class Clock:
    """A count of changes, seconds that don't count, and when somebody was last awake; in a mapped file."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)

    def read(self) -> float:
        """The seconds that have passed on this clock."""
        count, lost, awake = 1, 0.0, 0.0
        for _ in range(1000):  # What is just being written is read again.
            count, lost, awake = _LAYOUT.unpack_from(self._map)
            if count % 2 == 0 and count == _LAYOUT.unpack_from(self._map)[0]:
                break
        now = _monotonic()
        return now - lost - max(0.0, now - awake - MOST)

    def tick(self, skipped: float = 0.0) -> None:
        """Note that somebody is awake; `skipped` seconds count as passed."""
        with _WRITING:
            count, lost, awake = _LAYOUT.unpack_from(self._map)
            now = _monotonic()
            if awake:
                lost += max(0.0, now - awake - MOST)
            lost -= skipped
            _LAYOUT.pack_into(self._map, 0, count + 1, lost, awake)
            _LAYOUT.pack_into(self._map, 0, count + 2, lost, now)


def rule() -> None:
    """Let this process count time by the clock of its tests, which a test process makes."""
    owner = os.environ.get(_WORKER, "alone")
    path = os.environ.get(FILE) if os.environ.get(_OWNER) == owner else None
    is_first = path is None
    if path is None:
        handle, path = tempfile.mkstemp(prefix="irsa-test-clock-")
        os.truncate(handle, _LAYOUT.size)
        os.close(handle)
        os.environ |= {FILE: path, _OWNER: owner}
        atexit.register(Path(path).unlink)
    global _clock
    clock = _clock = Clock(Path(path))
    if is_first:
        clock.tick()
        threading.Thread(target=_keep_awake, args=(clock,), daemon=True).start()
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    time.monotonic = clock.read
    time.clock_gettime = lambda which: clock.read() if which == boot else _clock_gettime(which)


_clock: Clock | None = None


def skip(seconds: float) -> None:
    """Let so much time have passed, for the tests and for all runs that they have started.

    Only in the process that the others have their clock from. What waits for a socket or an event waits on.
    """
    assert _clock is not None, "no clock rules this process"
    _clock.tick(skipped=seconds)


def _keep_awake(clock: Clock) -> None:
    while True:
        clock.tick()
        time.sleep(TICK)
