"""A role whose run, or whose deletion, was interrupted: who says so, and that what they propose ends it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

CREATE = "create-sa app -n default --attach-policy-arn $S3"
DELETE = "delete-sa app -n default"
ELSEWHERE = "--state-dir elsewhere"
"""Another machine, which has no journals."""


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    return stage


def killed(stage: Stage, line: str, at: str, skip: int = 0) -> None:
    """Run a command, and kill it behind a call."""
    stage.sandbox.faults.add(Fault("iam", at, "callback", skip=skip, run=stage.kill))
    stage.run(line, code=-9)
    stage.sandbox.settle()
    stage.sandbox.faults.clear()


def named_before(stage: Stage) -> None:
    """A chart's ServiceAccount carries the ARN already."""
    arn = stage.run(f"{CREATE} --dry-run -o json").item["role"]["arn"]
    stage.make_account("default", "app", annotations={ROLE_ARN: arn})


def incomplete_and_named(stage: Stage) -> None:
    named_before(stage)
    killed(stage, CREATE, "AttachRolePolicy")


def incomplete_and_unnamed(stage: Stage) -> None:
    killed(stage, f"{CREATE} --role-only", "AttachRolePolicy")


def deleting_and_named(stage: Stage) -> None:
    stage.run(CREATE)
    killed(stage, DELETE, "TagRole", skip=1)  # Behind the run's own mark.


def deleting_and_unnamed(stage: Stage) -> None:
    stage.run(CREATE)
    killed(stage, DELETE, "DetachRolePolicy")


State = Callable[[Stage], None]
STATES = (incomplete_and_named, incomplete_and_unnamed, deleting_and_named, deleting_and_unnamed)
states = pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)


def said(state: State) -> str:
    """What get-sa says of it."""
    return state.__name__.partition("_")[0]


def role_of(stage: Stage) -> Json | None:
    roles = (role for role in stage.aws_world()["roles"].values() if "/irsa/" in role["arn"])
    return next(roles, None)


def got(stage: Stage) -> Json:
    """The binding as get-sa has it."""
    (item,) = stage.irsa(*["get-sa", "app", "-n", "default", "-c", "demo", "-o", "json"]).items
    found: Json = item
    return found


def proposed(stage: Stage) -> list[str]:
    """The commands that get-sa proposes."""
    return [step for step in got(stage)["next"] if step.startswith("irsa ")]


@states
def test_each_proposed_command_ends_it(small: Stage, state: State) -> None:
    state(small)
    count = len(proposed(small))
    assert count
    for number in range(count):
        if number:  # The same state once more, from nothing.
            small.run(f"{DELETE} --ignore-not-found")
            small.kube.delete("/api/v1/namespaces/default/serviceaccounts/app")
            state(small)
        assert got(small)["status"] == said(state)
        words = shlex.split(proposed(small)[number], comments=True)[1:]
        if words[0] == "recover" and "-c" in words:
            young = small.irsa(*words)
            assert (young.code, "may still be active" in young.err) == (4, True)
            words += ["--min-age", "0s"]
        ran = small.irsa(*words)
        assert ran.code == 0, f"{words}: {ran.err}"
        role = role_of(small)
        if words[0] == "delete-sa" or "-c" in words:
            assert role is None
        else:
            assert role is not None
            assert (role["attached"], got(small)["status"]) == ([READ_ONLY], "ok")


def test_a_deletion_that_nobody_names_any_more_is_gone_on_with(small: Stage) -> None:
    deleting_and_unnamed(small)
    small.run(f"recover {ELSEWHERE} --all --min-age 0s")
    assert role_of(small) is None


def test_get_sa_and_describe_sa_and_verify_say_it_in_words(small: Stage) -> None:
    incomplete_and_named(small)
    told = ("   incomplete\n", "default/app: run ", "irsa describe-sa app -n default -c demo")
    small.run("get-sa app -n default", says=told, silent="irsa delete-sa")
    small.run("describe-sa app -n default", says="irsa delete-sa")
    told = ("the role is incomplete: run ", "Failed: Completeness", "irsa create-sa command")
    small.run("verify app -n default", code=5, says=told)


def test_it_ends_while_it_is_watched(small: Stage) -> None:
    """A run at work is not told from one that was interrupted; when it has ended, all is well."""
    seen: list[Ran] = []
    named_before(small)
    look = ["get-sa", "app", "-n", "default", "-c", "demo"]
    watch = Fault("iam", "AttachRolePolicy", "callback", run=lambda: seen.append(small.irsa(*look)))
    small.sandbox.faults.add(watch)
    small.run(CREATE)
    assert "incomplete" in seen[0].out
    assert got(small)["status"] == "ok"


@states
def test_nobody_changes_it_and_the_same_create_sa_makes_it_whole(small: Stage, state: State) -> None:
    state(small)
    for line, text in (
        ("update-sa app -n default --attach-policy-arn $S3", PROPOSAL),
        ("adopt app -n default", PROPOSAL),
        ("create-sa app -n default --description wish --no-policy", ""),
    ):
        small.run(line, code=4, says=(said(state), text), changes="")
    if state in (incomplete_and_named, deleting_and_named):
        left_alone(small)
    more = "--role-only" if state is incomplete_and_unnamed else ""
    small.run(f"{CREATE} {more} {ELSEWHERE}", says=f"the role was {said(state)}")
    assert got(small)["status"] == ("role-only" if more else "ok")
    role = role_of(small)
    assert role is not None
    assert (role["attached"], role["tags"]["irsa/commit"]) == ([READ_ONLY], "done")


PROPOSAL = "irsa delete-sa app -n default"


def left_alone(small: Stage) -> None:
    """What a ServiceAccount names recover leaves alone, and names."""
    line = f"recover {ELSEWHERE}"
    uses = "ServiceAccount default/app uses it"
    small.run(line, says=(uses, f"{PROPOSAL} -c demo"), changes="")
    small.run(f"{line} --all --min-age 0s", says="uses it", changes="")
    (item,) = small.run(f"{line} -o json").items
    named = f"{line} {item['transaction']} --min-age 0s"
    small.run(named, code=4, says="irsa delete-sa", changes="")
