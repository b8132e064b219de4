"""A check can't wait for the value of a variable that no reading keeps: asking for one fails at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.objects.kinds import HIDDEN, Environment, UndeclaredVariable, Variable, variable
from tests.unit.current import ROLE

LOG = variable("IRSA_TEST_DECLARED")
SECRET = Variable("IRSA_TEST_UNDECLARED")
"""As if by hand, past `variable`."""


def test_the_value_of_a_declared_variable_is_kept_and_of_no_other() -> None:
    found = Environment({LOG: "debug", SECRET: "s3cr3t", "EMPTY": "", "ELSEWHERE": None, "ROLE": ROLE})
    assert found.get(LOG) == found[LOG] == "debug"
    assert list(found) == [LOG, SECRET, "EMPTY", "ELSEWHERE", "ROLE"]
    assert [name for name in found if found.is_set(name)] == [LOG, SECRET, "ELSEWHERE", "ROLE"]
    assert found.naming(ROLE) == ("ROLE",)
    assert "s3cr3t" not in repr(found)
    assert not found.is_set("NOT_THERE")


@pytest.mark.parametrize("variables", [{}, {SECRET: "x"}, {SECRET: ""}, {SECRET: None}])
def test_asking_for_an_undeclared_variable_fails_whether_it_is_there_or_not(
    variables: dict[str, Any],
) -> None:
    found = Environment(variables)
    with pytest.raises(UndeclaredVariable, match="declare it by variable"):
        found.get(SECRET)
    with pytest.raises(UndeclaredVariable, match="IRSA_TEST_UNDECLARED"):
        found[SECRET]


def test_a_declared_variable_that_is_not_there_is_none_or_the_default() -> None:
    found = Environment()
    assert found.get(LOG) is None
    assert found.get(LOG, "info") == "info"
    with pytest.raises(KeyError):
        found[LOG]


@given(st.text("abc:/@", min_size=1))
def test_what_may_have_a_password_before_a_host_is_not_kept(value: str) -> None:
    assert Environment({LOG: value}).get(LOG) == (HIDDEN if "@" in value else value)
