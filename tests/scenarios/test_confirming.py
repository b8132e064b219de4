"""The question before a deletion: on a terminal only, answered by --yes; a no leaves all as it was."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.acts import unchanged, wish
from tests.support.rows import arguments_of
from tests.support.stage import Stage
from tests.support.terminal import INTERRUPT, Terminal

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "{metadata: {name: app, namespace: apps}, attachPolicyARNs: [$S3]}"
BOTH = (ENTRY, ENTRY.replace("app,", "other,"))
PRUNE = "apply -f one.yaml --prune --include apps/*"


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with its provider, and two bindings of a file."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.run("associate-oidc")
    stage.make_namespace("apps")
    wish(stage, *BOTH, top="", name="both.yaml")
    wish(stage, ENTRY, top="", name="one.yaml")
    stage.run("apply -f both.yaml")
    return stage


DELETIONS = {
    "delete-sa app -n apps": "- Role .*apps-app",
    "disassociate-oidc": "- OIDCProvider",
    "delete -f both.yaml": r"account 111122223333:\n  - apps/app\n  - apps/other",
    PRUNE: "- apps/other",
    f"{PRUNE} --atomic": "- Role .*apps-other",
}


def prepared(stage: Stage, line: str) -> None:
    """A provider that may go is trusted by nothing."""
    if line.startswith("disassociate"):
        for name in ("app", "other"):
            stage.run(f"delete-sa {name} -n apps")


def at_terminal(stage: Stage, arguments: Sequence[str], **env: str) -> Terminal:
    command = [sys.executable, "-m", "irsa_cli", *arguments]
    return Terminal(command, {**stage.env(), "PYTHONPATH": str(ROOT), **env}, stage.folder)


ENDS = {"n": ("it was not confirmed", 4), INTERRUPT: ("interrupted by Ctrl-C", 130)}


DONE = r"Deleted|no longer accepts|done"


def answered(stage: Stage, line: str, answer: str, said: str, code: int) -> None:
    """Run a command at a terminal, and answer its question."""
    with at_terminal(stage, arguments_of(stage, line)) as terminal:
        terminal.read(DELETIONS[line])
        if "- Role" in DELETIONS[line]:
            terminal.read("keep its unique\\s+id: save them again")
        terminal.read(r"Delete\s[^?]*\? \[y/N\]")
        terminal.type(answer)
        if answer == INTERRUPT:
            # The key may be heard in the moment before Python reads: then it shows with the next one.
            terminal.read(r"\^C")
        terminal.type("\n")
        terminal.read(said)
        assert terminal.end() == code


@pytest.mark.parametrize("line", DELETIONS)
def test_what_goes_is_shown_and_asked_about(small: Stage, line: str) -> None:
    prepared(small, line)
    world = small.world()
    for answer, (said, code) in ENDS.items():
        if answer == "n" or line == PRUNE:
            answered(small, line, answer, said, code)
            assert small.world() == world
    answered(small, line, "y", DONE, 0)
    assert small.world() != world


@pytest.mark.parametrize("line", DELETIONS)
def test_with_yes_or_a_dry_run_nobody_is_asked(small: Stage, line: str) -> None:
    prepared(small, line)
    world = small.world()
    not_asked(small, f"{line} --dry-run", r"dry run")
    assert small.world() == world
    flags = {"delete-sa": "-y", "disassociate-oidc": "--approve"}
    not_asked(small, f"{line} {flags.get(line.split()[0], '--yes')}", DONE)
    assert small.world() != world


def not_asked(stage: Stage, line: str, said: str, **env: str) -> None:
    """Run a command at a terminal, which asks nothing."""
    with at_terminal(stage, arguments_of(stage, line), **env) as terminal:
        assert terminal.read(rf"\[y/N\]|{said}")[0] != "[y/N]"
        assert terminal.end() == 0


@pytest.mark.parametrize("line", DELETIONS)
def test_without_a_terminal_what_names_one_thing_goes_and_the_rest_wants_yes(small: Stage, line: str) -> None:
    prepared(small, line)
    world = small.world()
    if line.startswith(("delete-sa", "disassociate")):
        small.run(line)
    else:
        small.run(line, code=2, says="add --yes", changes="")
        unchanged(small, f"{line} --dry-run")
        small.run(f"{line} --yes")
    assert small.world() != world


def test_nobody_sits_at_the_terminal_of_a_ci_system(small: Stage) -> None:
    world = small.world()
    with at_terminal(small, arguments_of(small, "delete -f both.yaml"), CI="true") as terminal:
        terminal.read("needs a terminal to confirm: add --yes")
        assert terminal.end() == 2
    assert small.world() == world
    not_asked(small, "delete-sa app -n apps", "Deleted", CI="true")
    assert small.world() != world


def test_what_deletes_nothing_is_never_asked_about(small: Stage) -> None:
    not_asked(small, "update-sa app -n apps --detach-policy-arn $S3", "Done")
    wish(small, *BOTH, top="", name="one.yaml")
    not_asked(small, PRUNE, "2 ServiceAccounts")
