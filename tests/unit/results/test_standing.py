"""What was committed is told as committed, whatever fails after it."""

import pytest

from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.usecases.command import execute
from irsa_cli.usecases.command.execute import standing
from irsa_cli.usecases.command.parallel import result_of


def committed() -> Result:
    return Result(Ended.COMMITTED, transaction="20261125T000000Z-00000000")


@pytest.mark.parametrize(
    "error", [KeyError("metadata"), IrsaError("no answer"), Refused("differs"), KeyboardInterrupt(2)]
)
def test_a_failure_after_the_commit_is_a_note(error: BaseException) -> None:
    found = standing([committed()], error)
    assert found is not None
    assert (found.exit_code, found.error) == (0, None)
    assert "a step after the transaction failed" in found.notes[-1]


def test_nothing_stands_before_a_transaction_has_ended() -> None:
    assert standing([], KeyError("metadata")) is None


@pytest.mark.parametrize("error", [KeyError("metadata"), Refused("differs")])
def test_one_of_many_that_fails_after_its_commit_is_committed(error: Exception) -> None:
    def work() -> Result:
        ended = execute._ended.get()
        assert ended is not None
        ended.append(committed())
        raise error

    assert result_of(work).ended is Ended.COMMITTED


def test_one_of_many_that_fails_before_is_its_own_affair() -> None:
    def work() -> Result:
        raise KeyError("metadata")

    assert result_of(work).ended is Ended.FAILED
