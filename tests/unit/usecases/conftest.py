"""What the tests of usecases share: a cloud in memory on which commands are played."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memory.playing import Play, playing
from tests.unit.usecases.commands import Stage


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """An empty account with one cluster, `demo`."""
    with playing(tmp_path) as found:
        yield found


@pytest.fixture
def stage(play: Play) -> Stage:
    """The same, for commands of one line."""
    return Stage(play)
