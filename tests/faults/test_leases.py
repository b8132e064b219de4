"""The judge of locks that are left is judged."""

from typing import Any

import pytest

from tests.faults.judge import Json
from tests.faults.leases import lasting, left_by_all, left_in_silence


def lease(name: str = "irsa-binding", version: str = "1", **spec: Any) -> Json:
    managed = [{"manager": "irsa", "time": "2026-01-01T00:00:00Z"}]
    return {
        "metadata": {"name": name, "resourceVersion": version, "managedFields": managed},
        "spec": {"holderIdentity": "run_me@host", "leaseDurationSeconds": 4, **spec},
    }


def test_a_lock_ends_by_itself() -> None:
    assert lasting([lease(), lease("other")], 4.0) == []
    assert lasting([lease()], 3.5) == []


@pytest.mark.parametrize("seconds", [None, 0, 5])
def test_a_lock_that_holds_for_longer_or_for_ever(seconds: int | None) -> None:
    assert len(lasting([lease(leaseDurationSeconds=seconds)], 4.0)) == 1


def test_a_lock_of_which_the_server_does_not_tell_when_it_was_written() -> None:
    untold = lease()
    untold["metadata"]["managedFields"] = [{"manager": "irsa"}]
    assert lasting([untold], 4.0)
    del untold["metadata"]["managedFields"]
    assert lasting([untold], 4.0)


def test_who_leaves_a_lock_has_to_say_so() -> None:
    assert left_in_silence([lease()], may_stay=False, said=b"")
    assert left_in_silence([], may_stay=False, said=b"") == []
    assert left_in_silence([lease()], may_stay=True, said=b"") == []
    assert left_in_silence([lease()], may_stay=False, said=b"the lock could not be released (...)") == []


def test_a_lock_that_was_there_is_another_runs_until_it_is_written() -> None:
    before = [lease()]
    assert left_in_silence([lease()], before, may_stay=False, said=b"") == []
    assert left_in_silence([lease(version="2")], before, may_stay=False, said=b"")
    assert left_by_all([lease()], before) == []
    assert left_by_all([lease(version="2")], before)
    assert left_by_all([lease("new")], before)
