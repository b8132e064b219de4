"""What `irsa apply` lays for all: taken back when not needed, named when it stays, found after a kill."""

from __future__ import annotations

import signal
from itertools import count

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.alone import small_alone as small_alone
from tests.scenarios.test_apply import SQS, apply, config, entry, reader, worker
from tests.support.ran import full_name
from tests.support.stage import ACCOUNT, READ_ONLY, Json, Ran, Stage

"""However slow the machine is, no lock is lost."""


def applied(stage: Stage, code: int, *entries: Json) -> Ran:
    """Apply a file; nothing is left to recover."""
    ran = apply(stage, config(stage, *entries), "-o", "json")
    assert ran.code == code, ran.err
    if code != 3:
        assert "No unfinished" in stage.irsa("recover").out
    return ran


def ground(ran: Ran) -> Json:
    """The result of the shared parts."""
    (result,) = [item for item in ran.items if item["scope"] == "shared-parts"]
    return dict(result)


def refused(namespace: str) -> Json:
    """An entry for a role that is somebody else's."""
    return entry("theirs", namespace, attachRoleARN=f"arn:aws:iam::{ACCOUNT}:role/no-such-role")


def failing(stage: Stage, namespace: str) -> Json:
    """An entry that fails when its role is made already, and is taken back."""
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", match="SQS", times=None))
    return entry("failing", namespace, attachPolicyARNs=[SQS])


@pytest.mark.parametrize("case", ["refused", "all"])
def test_what_nobody_needs_is_taken_back(stage: Stage, unique: str, case: str) -> None:
    assert stage.associate().code == 0
    before = stage.world()
    more = [refused(f"{unique}-a"), failing(stage, f"{unique}-b")] if case == "all" else []
    ran = applied(stage, 1 if more else 4, *more, refused(unique))
    assert stage.world() == before
    assert ground(ran)["outcome"] == "rolled-back"
    assert {change["state"] for change in ground(ran)["changes"]} == {"undone"}
    assert f"Rolled back, as nothing needs it: Namespace {unique}" in ran.err


def test_what_another_one_needs_stays_and_is_named(stage: Stage, unique: str) -> None:
    ran = applied(stage, 1, reader(unique), refused(unique), refused(f"{unique}-b"))
    namespaces = stage.world()["kubernetes"]["namespaces"]
    assert (unique in namespaces, f"{unique}-b" in namespaces) == (True, False)
    laid = ground(ran)
    states = {change["target"]: change["state"] for change in laid["changes"]}
    assert (states[unique], states[f"{unique}-b"], laid["outcome"]) == ("done", "undone", "committed")
    assert "Namespace" in {item["what"].partition(" ")[0] for item in laid["stays"]}
    assert "(shared parts): OIDCProvider" in ran.err
    assert applied(stage, 0, reader(unique)).metadata["summary"] == {"unchanged": 1}


def test_what_somebody_else_has_put_something_into_stays_and_is_named(stage: Stage, unique: str) -> None:
    assert stage.associate().code == 0

    def join() -> None:
        stage.make_account(unique, "theirs")

    stage.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=join))
    ran = applied(stage, 1, failing(stage, unique))
    assert stage.account(unique, "theirs") is not None
    assert ground(ran)["outcome"] == "committed"
    (named,) = ground(ran)["stays"]
    assert (named["what"], "theirs" in named["why"]) == (f"Namespace {unique}", True)
    assert f"(shared parts): Namespace {unique} is done and stays" in ran.err


def test_what_can_not_be_taken_back_is_told_with_the_command_that_does(small: Stage) -> None:
    assert small.associate().code == 0
    before = small.world()
    small.sandbox.faults.add(Fault("kubernetes", "DELETE namespaces", "error", times=None))
    ran = apply(small, config(small, refused("apps")), "-o", "json", "--rollback-timeout", "1s")
    assert (ran.code, ground(ran)["outcome"]) == (3, "incomplete"), ran.err
    (left,) = ground(ran)["left"]
    small.sandbox.faults.clear()
    assert small.irsa(*left["repair"].split()[1:]).code == 0
    assert small.world() == before


def test_a_signal_at_each_call_leaves_only_what_the_result_names(small: Stage) -> None:
    text, number = config(small, reader("one"), worker("two")), signal.SIGINT
    before = small.world()
    for at in count(step=3):
        small.sandbox.faults.clear()
        small.sandbox.faults.add(Fault("*", "*", "callback", skip=at, run=lambda: small.signal(number)))
        ran = apply(small, text, "--parallel", "1", "-o", "json")
        if not small.sandbox.faults.struck:
            break
        small.sandbox.faults.clear()
        if ran.code != 0:  # Else it came when there was nothing left to do.
            assert ran.code == 128 + number, (at, ran.err)
            check_names_all(ran, before, small.world())
        if small.world() != before:
            assert "No unfinished" in small.irsa("recover").out
            assert small.irsa("delete", "--yes", "-f", "-", stdin=text).code == 0
            small.run("disassociate-oidc")
            for name in ("one", "two"):
                small.kube.delete(f"/api/v1/namespaces/{name}")
        assert small.world() == before
    assert at > 10


def check_names_all(ran: Ran, before: Json, after: Json) -> None:
    """What is there now and was not before is what the result tells as done."""
    good = {full_name(item) for item in ran.items if item["outcome"] == "committed"} - {""}
    laid = [item for item in ran.items if item["scope"] == "shared-parts"]
    named = {item["what"].partition(" ")[2] for result in laid for item in result.get("stays", ())}
    new = set(after["kubernetes"]["namespaces"]) - set(before["kubernetes"]["namespaces"])
    assert new == {name.partition("/")[0] for name in good}, ran.err
    assert new | set(after["oidc_providers"]) - set(before["oidc_providers"]) <= named, ran.err
    assert len(after["roles"]) - len(before["roles"]) == len(good)


def killed(stage: Stage, operation: str, match: str, *entries: Json) -> None:
    """Apply, and be killed behind a call."""
    stage.sandbox.faults.add(Fault("iam", operation, "callback", match=match, run=stage.kill))
    assert apply(stage, config(stage, *entries), "--parallel", "1").code == -9
    stage.sandbox.settle()


def recovered(stage: Stage) -> None:
    """All that was begun is taken back."""
    ran = stage.irsa("recover", "--all", IRSA_CALL_TIMEOUT="1")
    assert ran.code == 0, ran.err
    assert "No unfinished" in stage.irsa("recover").out


def test_what_the_good_ones_of_a_killed_run_need_stays_when_it_is_recovered(
    stage: Stage, unique: str
) -> None:
    killed(stage, "PutRolePolicy", f"{unique}-b", reader(f"{unique}-a"), worker(f"{unique}-b"))
    recovered(stage)
    namespaces = stage.world()["kubernetes"]["namespaces"]
    assert (f"{unique}-a" in namespaces, f"{unique}-b" in namespaces) == (True, False)
    assert applied(stage, 0, reader(f"{unique}-a")).metadata["summary"] == {"unchanged": 1}
    assert stage.role_of(f"{unique}-a", "reader")["attached"] == [READ_ONLY]


def test_a_killed_run_that_is_run_again_leaves_nothing_to_recover(stage: Stage, unique: str) -> None:
    text = config(stage, reader(unique), worker(unique))
    stage.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=stage.kill))
    assert apply(stage, text).code == -9
    # A second one that comes to nothing does not make the first one's namespace its own.
    for operation in ("AttachRolePolicy", "PutRolePolicy"):
        stage.sandbox.faults.add(Fault("iam", operation, "error", times=None))
    assert apply(stage, text).code == 1
    assert "shared-parts" in [item["scope"] for item in stage.irsa("recover", "-o", "json").items]
    stage.sandbox.faults.clear()
    applied(stage, 0, reader(unique), worker(unique))
