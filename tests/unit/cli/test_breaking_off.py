"""A signal that comes while Python finalizes an object is not lost."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from irsa_cli.cli.session import breaking_off


@pytest.fixture
def handlers() -> Iterator[None]:
    """What a command sets for its process is as before."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before, hook = {number: signal.getsignal(number) for number in numbers}, sys.unraisablehook
    yield
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)


def struck(number: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_finalization_ends_the_command(
    handlers: None, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    stopped: list[bool] = []
    breaking_off(lambda: stopped.append(True))

    def finalize() -> None:
        next(struck(number))
        gc.collect()
        threading.Event().wait(30)

    with pytest.raises(KeyboardInterrupt) as raised:
        finalize()
    assert raised.value.args == (number,)
    assert stopped
    assert capsys.readouterr().err == ""


def test_what_else_is_raised_there_is_shown(handlers: None) -> None:
    shown: list[object] = []
    sys.unraisablehook = lambda lost: shown.append(lost.exc_value)
    breaking_off()

    def failing() -> Iterator[None]:
        try:
            yield
        finally:
            raise ValueError("a bug")

    generator = failing()
    next(generator)
    del generator
    gc.collect()
    assert [str(error) for error in shown] == ["a bug"]
