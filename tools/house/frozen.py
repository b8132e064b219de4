"""Run a command, and take the processor away for 5 s at a time: python tools/house/frozen.py COMMAND...

For root on Linux with the freezer of control groups: all processes of the command stand still while time goes
on, as on a machine that others use. A test that depends on the machine's speed fails then.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

FROZEN, RUNNING = 5.0, 15.0
"""Seconds that it stands still, and that it runs in between."""
_GROUPS = Path("/sys/fs/cgroup")


class Freezer:
    """A control group whose processes can be stopped together (version 1 or 2)."""

    def __init__(self) -> None:
        first = _GROUPS / "freezer"
        self._first = first.is_dir()
        self.folder = (first if self._first else _GROUPS) / f"irsa-{os.getpid()}"
        self.folder.mkdir()

    def freeze(self, frozen: bool) -> None:
        """Stop all processes, or let them go on."""
        if self._first:
            (self.folder / "freezer.state").write_text("FROZEN" if frozen else "THAWED")
        else:
            (self.folder / "cgroup.freeze").write_text(str(int(frozen)))

    def enter(self) -> None:
        """Put this process, and so its children, into the group."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))


def main() -> int:
    """Run the command; its exit code."""
    freezer = Freezer()
    process = subprocess.Popen(sys.argv[1:], preexec_fn=freezer.enter)
    times = 0
    while process.poll() is None:
        try:
            process.wait(RUNNING)
        except subprocess.TimeoutExpired:
            freezer.freeze(True)
            time.sleep(FROZEN)
            freezer.freeze(False)
            times += 1
    print(f"frozen {times} times for {FROZEN:.0f} s")
    # What the command has left behind stays in the group, which then can't go.
    if not (freezer.folder / "cgroup.procs").read_text():
        freezer.folder.rmdir()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
