"""The tests, which count time by a clock of their own: see `tests.support.own_clock`."""

from tests.support import own_clock

own_clock.rule()
