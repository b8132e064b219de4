"""A signal lets no call begin, from its handler on: no other thread has to hear of it first."""

import math
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from irsa_cli.transaction.protocol import Interrupted, Run
from irsa_cli.usecases.command.settings import RunGroup, stoppable


@contextmanager
def one() -> Iterator[Run]:
    run = Run("one", math.inf)
    with stoppable(run, lambda _: None):
        yield run


@contextmanager
def of_several() -> Iterator[Run]:
    group, run = RunGroup(), Run("one", math.inf)
    with stoppable(group, lambda _: None), group.holding(run):
        yield run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("running", [one, of_several])
def test_no_call_begins_after_a_signal(running, number) -> None:  # type: ignore[no-untyped-def]
    before = signal.getsignal(number)
    try:
        with ExitStack() as stack:
            run = stack.enter_context(running())
            run.check()
            os.kill(os.getpid(), number)
            with pytest.raises(Interrupted) as caught:
                run.check()
            assert caught.value.number == number
    finally:
        signal.signal(number, before)
