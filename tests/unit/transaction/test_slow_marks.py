"""A mark that was written and does not show yet: waited for, and never taken for another run's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from irsa_cli.changes.role_parts import RoleOwnerHandler
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import OwnerState
from irsa_cli.core.values.errors import Conflict, FailedCall, NotVisible, ServiceError
from irsa_cli.transaction.protocol import Claim, Interrupted, Run

TAKE = Change(Kind.ROLE_OWNER, ("r",), OwnerState("old"), OwnerState(""))


class Mark(RoleOwnerHandler):
    """An object whose owner reads as given, the last one from then on."""

    def __init__(self, *owners: str) -> None:
        self.written: list[str] = []
        self._owners = self._readings(owners)

    def _readings(self, owners: tuple[str, ...]) -> Iterator[str]:
        yield from owners
        while True:
            yield owners[-1]

    def _owner(self, change: Change) -> str:
        return next(self._owners)

    def _send(self, change: Change, transaction: str) -> None:
        assert isinstance(change.after, OwnerState)
        self.written.append(change.after.transaction or transaction)


class Hurried(Run):
    """A run that does not wait when it is to pause."""

    def __init__(self) -> None:
        super().__init__("t1", 100)
        self.pauses = 0

    def pause(self, seconds: float) -> None:
        self.pauses += 1
        self.check()


@pytest.mark.parametrize(("owners", "pauses"), [(("old", "t1"), 0), (("old", "old", "old", "t1"), 2)])
def test_an_old_reading_of_a_mark_is_waited_out(owners: tuple[str, ...], pauses: int) -> None:
    mark, run = Mark(*owners), Hurried()
    assert mark.apply(TAKE, run).changed
    assert mark.written == ["t1"]
    assert run.pauses == pauses


def test_a_mark_of_a_third_run_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        Mark("old", "old", "another").apply(TAKE, Hurried())


def test_a_mark_that_never_shows_is_no_conflict() -> None:
    with pytest.raises(NotVisible):
        Mark("old").apply(TAKE, Hurried())


def test_who_is_stopped_before_its_mark_shows_has_written_it() -> None:
    run = Hurried()
    run.interrupt(15)
    assert Mark("old").apply(TAKE, run).changed
    with pytest.raises(Interrupted):
        run.check()


def test_a_mark_that_may_not_be_written_stops_the_run_and_one_that_may_not_be_given_back_is_named() -> None:
    class Denied(Mark):
        def _send(self, change: Change, transaction: str) -> None:
            raise ServiceError("call", FailedCall("iam", "TagX", "AccessDenied", status=403))

    with pytest.raises(ServiceError):
        Denied("old").apply(TAKE, Hurried())
    with pytest.raises(ServiceError):
        Denied("t1").apply(TAKE.inverse, Hurried(), Claim("t1"))
