"""Playing a case: a fresh world in the sandbox, `irsa doctor` on it in this process, its document."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import signal
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from unittest import mock

from botocore.loaders import JSONFileLoader

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Sandbox
from tests.scenarios.binding import make_binding
from tests.scenarios.breaking import NAME
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.curing import cure
from tests.scenarios.reported.cases import Make
from tests.scenarios.reported.world import World
from tests.support.stage import Json

NAMESPACE = "back"
_load_file = JSONFileLoader.load_file


@functools.cache
def _once(path: str) -> object:
    """A file of AWS's models, read once for all cases: half of a run's time goes by in reading them."""
    return _load_file(JSONFileLoader(), path)


def _clock(later: timedelta) -> type[datetime]:
    """A clock that is ahead of that of the cluster: what it says is taken for how long ago things were."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls.fromtimestamp(datetime.now(tz).timestamp() + later.total_seconds(), tz)

    return Clock


def _models_kept() -> contextlib.AbstractContextManager[object]:
    return mock.patch.object(JSONFileLoader, "load_file", lambda loader, path: _once(path))


@dataclass
class Played:
    """The world of a case, and what doctor says of it."""

    world: World
    arguments: tuple[str, ...]
    document: Json

    def after(self, fix: str) -> Json:
        """Carry out a fix, and what doctor says then."""
        with _models_kept():
            cure(self.world, fix)
            return _ask(self.world, self.arguments)


def play(make: Make, sandbox: Sandbox, folder: Path) -> Json:
    """Make the world of a case, and what doctor says of it; the sandbox has to be as after its start."""
    return played(make, sandbox, folder).document


def played(make: Make, sandbox: Sandbox, folder: Path) -> Played:
    """The same with its world."""
    with _models_kept():
        return _play(make, sandbox, folder)


def _play(make: Make, sandbox: Sandbox, folder: Path) -> Played:
    stage = sandbox_stage(sandbox, "demo", folder)
    stage.make_namespace(NAMESPACE)
    world = World(stage, NAMESPACE, make_binding(stage, NAMESPACE, NAME))
    world.new_pod()
    arguments = make(world)
    if not isinstance(arguments, tuple):
        arguments = (*(NAME if arguments is None else arguments).split(), "-n", NAMESPACE)
    return Played(world, arguments, _ask(world, arguments))


def _ask(world: World, arguments: tuple[str, ...]) -> Json:
    """What doctor says of a world."""
    stage = world.stage
    terminate = signal.getsignal(signal.SIGTERM)
    out = io.StringIO()
    looking = mock.patch("irsa_cli.usecases.doctor.diagnose.datetime", _clock(world.later))
    with looking, mock.patch.dict(os.environ, stage.env()), contextlib.redirect_stdout(out):
        code = run(["doctor", *arguments, "-c", stage.cluster, "-o", "json", "-q"])
    signal.signal(signal.SIGTERM, terminate)
    document: Json = json.loads(out.getvalue())
    assert document["metadata"]["exitCode"] == code
    return document
