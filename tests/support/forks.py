"""One process for each test process that has imported everything, and forks runs of irsa from it.

A zygote has one run at a time; where runs meet, each has its own. They are kept for the tests that follow.
What a shell of a test starts as `irsa` is the shim, whose runs are forked from the same process.
"""

import atexit
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.faults.zygote import Zygote

_FREE: list[Zygote] = []
_LOCK = threading.Lock()
_SHIM = Path(__file__).with_name("shim.py")


@contextmanager
def one() -> Iterator[Zygote]:
    """A zygote that no run needs."""
    with _LOCK:
        zygote = _FREE.pop() if _FREE else None
        server = programs() / "socket"
    if zygote is None:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(server))
        zygote = Zygote(connection)
    yield zygote
    # One whose run has not ended is not used again.
    with _LOCK:
        _FREE.append(zygote)


def irsa() -> str:
    """The shim, for a command that is no shell's."""
    return str(programs() / "irsa")


@cache
def programs() -> Path:
    """A folder with `irsa`, for PATH, and with the socket of the process that its runs are forked from."""
    folder = Path(tempfile.mkdtemp(prefix="irsa-forks-"))
    program = folder / "irsa"
    program.write_text(f"#!{sys.executable} -ISE\n{_SHIM.read_text('utf-8')}", encoding="utf-8")
    program.chmod(0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen()
    ours, theirs = socket.socketpair()
    given = (listener.fileno(), theirs.fileno())
    command = [sys.executable, "-m", "tests.faults.zygote", *map(str, given)]
    process = subprocess.Popen(command, pass_fds=given, stdin=subprocess.DEVNULL)
    listener.close()
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait(30)
        shutil.rmtree(folder)

    atexit.register(end)
    return folder
