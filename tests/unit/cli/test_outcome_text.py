"""What is told when a command has ended well: by the command that it was, not by which facts there are."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.cli.output.result import text_lines
from irsa_cli.core.results.result import Command, Ended, Result

ACCOUNT = {"namespace": "n", "name": "a"}
BOTH: dict[str, Any] = {"serviceAccount": ACCOUNT, "role": {"arn": "R", "created": False}}
GONE: dict[str, Any] = {
    "serviceAccount": {**ACCOUNT, "deleted": True},
    "role": {"arn": "R", "created": False, "deleted": True},
}
PROVIDER = {"provider": {"arn": "P", "url": "U", "audiences": ["x", "y"]}}


@pytest.mark.parametrize(
    ("command", "facts", "told"),
    [
        (Command.CREATE_SA, BOTH, "n/a has the role R. Pods that start from now on use it."),
        (Command.APPLY, BOTH, "n/a has the role R. Pods that start from now on use it."),
        (None, BOTH, "n/a has the role R. Pods that start from now on use it."),
        (Command.CREATE_SA, {**BOTH, "serviceAccount": None}, "The role is R."),
        (
            Command.UPDATE_SA,
            {**BOTH, "restart": True},
            "n/a has the role R. Restart running pods for the change to take effect.",
        ),
        (Command.UPDATE_SA, {**BOTH, "restart": False}, "n/a has the role R."),
        (Command.ADOPT, {**BOTH, "adoption": {}}, "The role of n/a is managed by irsa: R."),
        (Command.RELEASE, BOTH, "irsa does not manage the role of n/a any more: R."),
        (Command.DELETE_SA, GONE, "Deleted: ServiceAccount n/a, role R."),
        (Command.DELETE_SA, {**GONE, "serviceAccount": None}, "Deleted: role R."),
        (Command.ASSOCIATE_OIDC, PROVIDER, "IAM accepts tokens of U for x, y."),
        (
            Command.DISASSOCIATE_OIDC,
            {"provider": {**PROVIDER["provider"], "deleted": True}},
            "IAM no longer accepts tokens of U.",
        ),
    ],
)
def test_each_command_tells_what_is_true_now(command: Command | None, facts: Any, told: str) -> None:
    assert [*text_lines(Result(Ended.COMMITTED, facts=facts, command=command))] == [f"Done in 0.0 s. {told}"]


def test_a_verified_role_can_also_be_checked_in_a_pod() -> None:
    result = Result(Ended.COMMITTED, facts=BOTH, command=Command.CREATE_SA, verification={"subject": "s"})
    assert next(iter(text_lines(result))).endswith("use it; to check it inside of one: irsa preflight.")


@pytest.mark.parametrize("command", [None, *Command])
def test_a_result_without_facts_is_told_too(command: Command | None) -> None:
    """The transaction has ended, and what comes after it failed: see `standing`."""
    assert [*text_lines(Result(Ended.COMMITTED, command=command))] == ["Done in 0.0 s."]
