"""A check can't wait for the value of a variable that no reading keeps: asking for one fails at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.doctor.finding import Cause, Group, Judgement, Verdict, ok, problem
from irsa_cli.core.doctor.subjects import ROLE_ENV, injected_users, where
from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import HIDDEN, Environment, UndeclaredVariable, Variable, variable
from tests.unit.current import ROLE, around, container, env, pod, working

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


def test_one_that_is_declared_after_the_container_was_read_is_no_silent_no() -> None:
    found = Environment({"IRSA_TEST_LATE": "1"})
    late = variable("IRSA_TEST_LATE")
    with pytest.raises(UndeclaredVariable):
        found.get(late)
    assert Environment({"IRSA_TEST_LATE": "1"}).get(late) == "1"


def test_a_declared_variable_that_is_not_there_is_none_or_the_default() -> None:
    found = Environment()
    assert found.get(LOG) is None
    assert found.get(LOG, "info") == "info"
    with pytest.raises(KeyError):
        found[LOG]


@given(st.text("abc:/@", min_size=1))
def test_what_may_have_a_password_before_a_host_is_not_kept(value: str) -> None:
    assert Environment({LOG: value}).get(LOG) == (HIDDEN if "@" in value else value)


def test_what_is_read_of_kubernetes_and_what_tests_make_are_kept_alike() -> None:
    variables = {**env(), "DB_PASSWORD": "s3cr3t"}
    listed = [{"name": name, "value": value} for name, value in variables.items()]
    body = {
        "metadata": {"namespace": "a", "name": "b"},
        "spec": {"containers": [{"name": "c", "env": listed}]},
    }
    assert kinds.pod(body).containers[0].env == container(env=variables).env
    assert container().env[ROLE_ENV] == ROLE


def throw_away(name: Variable) -> Cause:
    """A cause that looks at a variable."""

    def _check(facts: Any) -> Judgement:
        found = [(pod, item) for pod, item in injected_users(facts.named) if item.env.get(name) == "1"]
        return problem("it is set", fix="", containers=where(found)) if found else ok("it is not")

    return Cause("throw-away", Group.PODS, 1, _check, False, "", "", "", "", "")


@pytest.mark.parametrize("variables", [{}, {SECRET: "1"}, {SECRET: "2"}])
def test_a_cause_that_asks_for_an_undeclared_variable_fails_on_any_pod(
    variables: dict[str, str | None],
) -> None:
    item = throw_away(SECRET)
    facts = around(pods=(pod(containers=(container(env={**env(), **variables}),)),))(working())
    with pytest.raises(UndeclaredVariable):
        item.judge(facts)


def test_a_cause_that_declares_its_variable_fires() -> None:
    item = throw_away(LOG)
    facts = around(pods=(pod(containers=(container(env={**env(), LOG: "1"}),)),))(working())
    assert item.judge(facts).verdict is Verdict.PROBLEM
    assert item.judge(working()).verdict is Verdict.OK
