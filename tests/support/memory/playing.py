"""Commands played in this process on the cloud in memory, as their users type them.

Judged is what is there afterwards: `world`, a `World` of tests/unit/world.py without uids.
"""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import irsa_cli.usecases
from irsa_cli.cli.main import run
from tests.support.memory.cloud import LOST_AFTER, LOST_BEFORE, MemoryCloud
from tests.support.memory.iam import Refusal
from tests.support.ran import Ran, promised
from tests.unit.world import World

__all__ = ["DENIED", "LOST_AFTER", "LOST_BEFORE", "Killed", "Play", "Ran", "playing"]

DENIED = Refusal("AccessDenied", 403)


class Killed(BaseException):
    """The process is gone from here on: nothing of it runs any more."""


# Commands import what they need when they run; what waits in there is to be known before.
for _found in pkgutil.walk_packages(irsa_cli.usecases.__path__, "irsa_cli.usecases."):
    importlib.import_module(_found.name)


@dataclass(frozen=True)
class Play:
    """A cloud, and a user's home beside it."""

    cloud: MemoryCloud
    folder: Path

    def irsa(self, *arguments: str, code: int | None = 0) -> Ran:
        """Run a command for the cluster; `code` is what it has to end with (None: anything)."""
        self.cloud.calls.clear()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            ended = run([*arguments])
        found = Ran(ended, out.getvalue(), err.getvalue())
        assert code in (None, ended), f"exit code {ended}\n{found.out}\n{found.err}"
        assert "Traceback" not in found.err, found.err
        assert "a bug in irsa" not in found.out + found.err, found.err
        return promised(found, arguments)

    @property
    def world(self) -> World:
        """All there is, without what tells one incarnation from another."""
        found = self.cloud.world
        return replace(found, accounts={key: replace(item, uid="") for key, item in found.accounts.items()})

    def file(self, text: str, name: str = "irsa.yaml") -> str:
        """A configuration file with this text; its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@contextmanager
def playing(folder: Path, cloud: MemoryCloud | None = None) -> Iterator[Play]:
    """A cloud that rules, and commands whose state lives in the folder."""
    home = {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_STATE_HOME": str(folder / "state"),
        "IRSA_STATE_DIR": str(folder / "state"),
        "IRSA_CALL_TIMEOUT": "30",
        "KUBECONFIG": os.devnull,
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    found = cloud or MemoryCloud()
    with mock.patch.dict(os.environ, home), mock.patch("os.fsync"), found.ruling():
        try:
            yield Play(found, folder)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
