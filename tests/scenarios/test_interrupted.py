"""A role whose run, or whose deletion, was interrupted: who says so, and that what they propose ends it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

WISH = ("--attach-policy-arn", READ_ONLY)
NAMESPACE, NAME = "default", "app"
ELSEWHERE = ("--state-dir", "elsewhere")
"""Another machine, which has no journals."""


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    return stage


def of(stage: Stage) -> tuple[str, ...]:
    return (NAME, "-n", NAMESPACE, "-c", stage.cluster)


def killed(stage: Stage, *arguments: str, at: str, service: str = "iam", skip: int = 0) -> None:
    """Run a command, and kill it behind a call."""
    stage.sandbox.faults.add(Fault(service, at, "callback", skip=skip, run=stage.kill))
    assert stage.irsa(*arguments).code == -9
    stage.sandbox.settle()
    stage.sandbox.faults.clear()


def role_of(stage: Stage) -> Json | None:
    found = [role for role in stage.aws_world()["roles"].values() if "/irsa/" in role["arn"]]
    return found[0] if found else None


def incomplete_and_named(stage: Stage) -> None:
    """A chart's ServiceAccount carries the ARN already."""
    arn = stage.irsa("create-sa", *of(stage), *WISH, "--dry-run", "-o", "json").item["role"]["arn"]
    stage.make_account(NAMESPACE, NAME, annotations={ROLE_ARN: arn})
    killed(stage, "create-sa", *of(stage), *WISH, at="AttachRolePolicy")


def incomplete_and_unnamed(stage: Stage) -> None:
    killed(stage, "create-sa", *of(stage), "--role-only", *WISH, at="AttachRolePolicy")


def deleting_and_named(stage: Stage) -> None:
    assert stage.irsa("create-sa", *of(stage), *WISH).code == 0
    # Behind the run's own mark.
    killed(stage, "delete-sa", *of(stage), at="TagRole", skip=1)


def deleting_and_unnamed(stage: Stage) -> None:
    assert stage.irsa("create-sa", *of(stage), *WISH).code == 0
    killed(stage, "delete-sa", *of(stage), at="DetachRolePolicy")


State = Callable[[Stage], None]
STATES: dict[State, str] = {
    incomplete_and_named: "incomplete",
    incomplete_and_unnamed: "incomplete",
    deleting_and_named: "deleting",
    deleting_and_unnamed: "deleting",
}
states = pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)


def got(stage: Stage) -> Json:
    """The binding as get-sa has it, on another machine."""
    (item,) = stage.irsa("get-sa", *of(stage), "-o", "json").items
    found: Json = item
    return found


@states
def test_each_proposed_command_ends_it(small: Stage, state: State) -> None:
    state(small)
    for number in range(len(proposed(small))):
        if number:
            again(small, state)
        assert got(small)["status"] == STATES[state]
        command = proposed(small)[number]
        words = shlex.split(command, comments=True)[1:]
        if words[0] == "recover" and "-c" in words:
            young = small.irsa(*words)
            assert (young.code, "may still be active" in young.err) == (4, True)
            words += ["--min-age", "0s"]
        ran = small.irsa(*words)
        assert ran.code == 0, f"{command}: {ran.err}"
        role = role_of(small)
        if words[0] == "delete-sa" or "-c" in words:
            assert role is None
        else:
            assert role is not None
            assert role["attached"] == [READ_ONLY]
            assert got(small)["status"] == "ok"


def proposed(stage: Stage) -> list[str]:
    """The commands that get-sa proposes."""
    found = [step for step in got(stage)["next"] if step.startswith("irsa ")]
    assert found
    return found


def again(stage: Stage, state: State) -> None:
    """The same state once more, from nothing."""
    stage.irsa("delete-sa", *of(stage), "--ignore-not-found")
    stage.kube.delete(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}")
    state(stage)


@states
@pytest.mark.parametrize("where", [(), ELSEWHERE], ids=["here", "elsewhere"])
def test_the_same_create_sa_makes_it_whole(small: Stage, state: State, where: tuple[str, ...]) -> None:
    state(small)
    more = ("--role-only",) if state is incomplete_and_unnamed else ()
    ran = small.irsa("create-sa", *of(small), *WISH, *more, *where)
    assert ran.code == 0, ran.err
    assert f"the role was {STATES[state]}" in ran.err
    assert got(small)["status"] == ("role-only" if more else "ok")
    role = role_of(small)
    assert role is not None
    assert (role["attached"], role["tags"]["irsa/commit"]) == ([READ_ONLY], "done")


@pytest.mark.parametrize(
    "state", [incomplete_and_named, deleting_and_named], ids=lambda state: state.__name__
)
def test_what_a_serviceaccount_names_is_left_alone_and_named(small: Stage, state: State) -> None:
    state(small)
    before = small.world()
    listed = recover(small)
    assert f"ServiceAccount {NAMESPACE}/{NAME} uses it" in listed.out
    assert f"irsa delete-sa {NAME} -n {NAMESPACE} -c {small.cluster}" in listed.out
    everything = recover(small, "--all", "--min-age", "0s")
    assert (everything.code, "uses it" in everything.out) == (0, True), everything.err
    (item,) = recover(small, "-o", "json").items
    named = recover(small, item["transaction"], "--min-age", "0s")
    assert named.code == 4
    assert "irsa delete-sa" in named.err
    assert small.world() == before


def test_a_deletion_that_nobody_names_any_more_is_gone_on_with(small: Stage) -> None:
    deleting_and_unnamed(small)
    ran = recover(small, "--all", "--min-age", "0s")
    assert ran.code == 0, ran.err
    assert role_of(small) is None


@states
def test_nobody_changes_it(small: Stage, state: State) -> None:
    state(small)
    before = small.world()
    for command in (("update-sa", *of(small), "--attach-policy-arn", READ_ONLY), ("adopt", *of(small))):
        ran = small.irsa(*command)
        assert ran.code == 4, ran.err
        assert STATES[state] in ran.err
        assert f"irsa delete-sa {NAME} -n {NAMESPACE}" in ran.err
    other = small.irsa("create-sa", *of(small), "--description", "another wish", "--no-policy")
    assert other.code == 4, other.err
    assert STATES[state] in other.err
    assert small.world() == before


def test_get_sa_and_describe_sa_and_verify_say_it_in_words(small: Stage) -> None:
    incomplete_and_named(small)
    listed = small.irsa("get-sa", *of(small))
    assert listed.out.splitlines()[1].endswith("   incomplete")
    assert f"{NAMESPACE}/{NAME}: run " in listed.err
    assert f"irsa describe-sa {NAME} -n {NAMESPACE} -c {small.cluster}" in listed.err
    assert "irsa delete-sa" not in listed.err
    described = small.irsa("describe-sa", *of(small)).out
    assert "irsa delete-sa" in described
    verified = small.irsa("verify", *of(small))
    assert verified.code == 5
    assert "the role is incomplete: run " in verified.out
    assert "Failed: Completeness" in verified.out
    assert "irsa create-sa command" in verified.out


def test_it_ends_while_it_is_watched(small: Stage) -> None:
    """A run at work is not told from one that was interrupted; when it has ended, all is well."""
    seen: list[Ran] = []
    arn = small.irsa("create-sa", *of(small), *WISH, "--dry-run", "-o", "json").item["role"]["arn"]
    small.make_account(NAMESPACE, NAME, annotations={ROLE_ARN: arn})
    small.sandbox.faults.add(
        Fault(
            "iam", "AttachRolePolicy", "callback", run=lambda: seen.append(small.irsa("get-sa", *of(small)))
        )
    )
    assert small.irsa("create-sa", *of(small), *WISH).code == 0
    assert "incomplete" in seen[0].out
    assert got(small)["status"] == "ok"


def recover(stage: Stage, *arguments: str) -> Ran:
    """On another machine."""
    return stage.irsa("recover", "-c", stage.cluster, *ELSEWHERE, *arguments)
