"""A terminal for tests: a command in front of it, as a job of the session's leader; keys, size and output.

Run as a program, this module is that leader: it starts the command in a process group of its own, puts it
in front, and ends with its exit code.
"""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

SECONDS = 60.0
INTERRUPT = "\x03"
QUIT = "\x1c"
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[a-zA-Z]|[=>]|\][^\x07]*\x07)")


class Terminal:
    """A command at a terminal of its own, for a `with` block."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self._ours, theirs = os.openpty()
        self._text = ""
        leader = [sys.executable, str(Path(__file__)), *command]
        self._process = subprocess.Popen(
            leader,
            env={"TERM": "vt100", **env},
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Send keys."""
        os.write(self._ours, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Change the terminal's size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, pattern: str) -> re.Match[str]:
        """Read on until the pattern shows; what stands before it will not be looked at again."""
        until = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self._text)):
            left = until - time.monotonic()
            ready = select.select([self._ours], [], [], max(left, 0))[0]
            assert ready, f"no {pattern!r} in {self._text!r}"
            self._text = _ESCAPES.sub("", self._text + self._more(pattern)).replace("\r", "")
        self._text = self._text[found.end() :]
        return found

    def _more(self, pattern: str) -> str:
        try:
            return os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # The other end is closed: no process has the terminal any more.
            raise AssertionError(f"ended without {pattern!r}: {self._text!r}") from None

    def end(self) -> int:
        """Wait for the command's end; its exit code, 128 + N for signal N."""
        return self._process.wait(SECONDS)


def _lead(command: list[str]) -> int:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(_lead(sys.argv[1:]))
