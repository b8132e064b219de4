"""The check of proposed commands in every scenario: it finds the commands, and what irsa can't read."""

from __future__ import annotations

import pytest

from tests.support.proposals import commands, steps_in_document, steps_in_text, unreadable

STEPS = {
    "irsa get-sa -n a -c b  # lists them": ["irsa get-sa -n a -c b"],
    "or create one: irsa create-sa x -n a --attach-policy-arn ARN": [
        "irsa create-sa x -n a --attach-policy-arn ARN"
    ],
    "irsa no longer manages it": [],
    "run the same command again": [],
}


@pytest.mark.parametrize("step", STEPS)
def test_the_commands_of_a_step(step: str) -> None:
    assert list(commands([step])) == STEPS[step]


def test_the_steps_of_a_run() -> None:
    assert list(steps_in_text("Error: x\nNext: irsa help\nNote: y\nNext:\n  a\n  b\nDone")) == [
        "irsa help",
        "",
        "a",
        "b",
    ]
    assert list(
        steps_in_document({"errors": [{"next": ["a"], "item": None}], "items": [{"next": ["b"]}]})
    ) == ["a", "b"]


@pytest.mark.parametrize(
    "command",
    [
        "irsa get-sa -n a -c b",
        "irsa config",
        "irsa update-sa --help",
        "irsa exec x -n a -- env --foo",
    ],
)
def test_what_irsa_reads(command: str) -> None:
    assert unreadable(command) == ""


@pytest.mark.parametrize(
    "command",
    [
        "irsa create-sa ... --override-existing-serviceaccounts",
        "irsa retire --foo",
        "irsa get-sa 'x",
        "irsa audit -o x",
    ],
)
def test_what_irsa_does_not_read(command: str) -> None:
    assert unreadable(command)
