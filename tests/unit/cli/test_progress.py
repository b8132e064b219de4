"""How far long work is: counted by who does it, told beside the spinner, or in few lines without one."""

from __future__ import annotations

import pytest

from irsa_cli.cli.terminal.progress import EVERY, Progress
from irsa_cli.core.values import patience
from irsa_cli.core.values.patience import Count, Doing


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("quiet", [False, True])
def test_without_a_terminal_there_is_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    clock = Clock()
    with Progress(quiet=quiet, verbose=False, clock=clock):
        count = Count("ServiceAccounts", 40)
        for second in range(35):
            clock.now = float(second)
            count.one()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (0 if quiet else 35 // EVERY)
    if not quiet:
        assert [line.split()[1:] for line in lines] == [
            f"{number} of 40 ServiceAccounts".split() for number in (11, 21, 31)
        ]


def test_what_is_waited_for_stands_beside_what_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress(quiet=False, verbose=False, clock=clock):
        count = Count("ServiceAccounts", 4)
        count.one()
        clock.now = EVERY
        patience.waiting("IAM to show the role", 8, 90)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("1 of 4 ServiceAccounts, waiting for IAM to show the role, 8 s of 90 s")


def test_nobody_hears_before_and_after() -> None:
    heard: list[Doing] = []
    patience.heard_by(heard.append)
    patience.heard_by(None)
    Count("roles", 3).one()
    assert heard == []
