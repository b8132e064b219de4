"""One way of writing: whatever the command, its journal tells of the run in the same words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from irsa_cli.core.results.result import Command
from irsa_cli.core.values.errors import FailedCall, IrsaError, Outcome, ServiceError
from irsa_cli.transaction.journal import JournalError
from irsa_cli.usecases.command.caller import TARGET_KEYS, Target, with_caller
from irsa_cli.usecases.command.execute import RunContext
from tests.support.memory.playing import DENIED, Play, playing
from tests.unit.usecases.commands import CASES, FILE, Case

ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/demo"


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    with playing(tmp_path) as found:
        yield found


def contexts(play: Play) -> list[dict[str, object]]:
    """What the journals say of their runs, in their order."""
    paths = sorted((play.folder / "state").glob("*.jsonl"))
    return [json.loads(path.read_text().splitlines()[0])["context"] for path in paths]


def test_every_command_that_writes_has_a_case() -> None:
    """`recover`, `repoint` and `retire` have tests of their own: here is one cluster."""
    played = {case.arguments[0] for case in CASES.values()}
    apart = (Command.RECOVER, Command.REPOINT, Command.RETIRE)
    assert played >= {command.value for command in Command if command not in apart}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_journal_has_the_same_fields(play: Play, case: Case) -> None:
    arguments = case.begin(play)
    before = len(contexts(play))
    play.irsa(*arguments, code=None)
    found = contexts(play)[before:]
    assert found
    for context in found:
        command = Command("delete-sa" if context["command"] == "delete-sa" else arguments[0].split()[0])
        more = {"request"} if command in (Command.UPDATE_SA, Command.MIGRATE) else set()
        lock = {"lock"} & set(context)  # Only runs that use the cluster's API hold one.
        assert set(context) == {"command", "cluster", "serviceAccount", "target", "gated"} | more | lock
        assert context["command"] == command.value
        target = context["target"]
        assert isinstance(target, dict)
        assert list(target) == list(TARGET_KEYS)
        assert target["cluster"] == "demo"


def test_the_context_is_written_by_its_own_list() -> None:
    cluster = ("demo", "eu-west-1", "p", "r", "k", "x", "https://i", "111122223333")
    target = Target(*cluster, "444455556666", "b", "q", "777788889999", "t", "u")
    context = RunContext(Command.UPDATE_SA, ARN, "n/a", target, "digest", "T0")
    assert context.to_journal(gated=True) == {
        "command": "update-sa",
        "cluster": ARN,
        "serviceAccount": "n/a",
        "target": {
            "cluster": "demo",
            "region": "eu-west-1",
            "profile": "p",
            "assume_role": "r",
            "kubeconfig": "k",
            "context": "x",
            "issuer_url": "https://i",
            "account": "111122223333",
            "role_account": "444455556666",
            "role_assume_role": "b",
            "role_profile": "q",
            "target_account": "777788889999",
            "target_assume_role": "t",
            "target_profile": "u",
        },
        "request": "digest",
        "takesBack": "T0",
        "gated": True,
    }
    bare = RunContext(Command.ASSOCIATE_OIDC, ARN, None, Target("demo"))
    assert set(bare.to_journal()) == {"command", "cluster", "serviceAccount", "target"}


def test_who_lacks_a_permission_is_named_also_for_the_groundwork(play: Play) -> None:
    play.cloud.break_("CreateOpenIDConnectProvider", DENIED, times=10)
    ran = play.irsa("apply", "-f", play.file(FILE), code=1)
    assert ran.err.count("caller: ") == 1


def test_an_error_in_other_words_is_another_error_of_the_same_kind() -> None:
    found = ServiceError("no", FailedCall("iam", "GetRole", "C", status=403), details=["a"])
    other = with_caller(found, lambda _: "me")
    assert isinstance(other, ServiceError)
    assert (found.details, other.details) == (("a",), ("a", "caller: me"))
    assert (other.code, other.status, other.operation, str(other)) == ("C", 403, "GetRole", "no")
    assert with_caller(other, lambda _: "me") is other
    assert found.knowing(outcome=Outcome.UNKNOWN).outcome is Outcome.UNKNOWN
    assert found.outcome is Outcome.REFUSED
    broken = JournalError("torn", target={"cluster": "c"}).but(next_steps=["x"])
    assert (type(broken), broken.target, broken.next_steps) == (JournalError, {"cluster": "c"}, ("x",))
    secret = IrsaError("m").but(reason="AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    assert "wJalr" not in secret.reason
