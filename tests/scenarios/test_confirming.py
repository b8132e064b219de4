"""The question before a deletion: on a terminal only, answered by --yes; a no leaves all as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Stage
from tests.support.terminal import INTERRUPT, Terminal

ROOT = Path(__file__).resolve().parents[2]
HEAD = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: demo, region: eu-west-1}\n"
ENTRY = f"    - metadata: {{name: app, namespace: apps}}\n      attachPolicyARNs: [{READ_ONLY}]\n"
FILES = {
    "both.yaml": HEAD + "iam:\n  serviceAccounts:\n" + ENTRY + ENTRY.replace("app,", "other,"),
    "one.yaml": HEAD + "iam:\n  serviceAccounts:\n" + ENTRY,
}


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with its provider, and two bindings of a file."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    stage.make_namespace("apps")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert stage.irsa("apply", "-f", "both.yaml").code == 0
    return stage


def alone(stage: Stage) -> None:
    """Nothing trusts the provider, so that it may go."""
    for name in ("app", "other"):
        assert stage.irsa("delete-sa", name, "-n", "apps", "-c", "demo").code == 0


DELETIONS = [
    pytest.param(("delete-sa", "app", "-n", "apps", "-c", "demo"), "- Role .*apps-app", None, id="delete-sa"),
    pytest.param(("disassociate-oidc", "-c", "demo"), "- OIDCProvider", alone, id="disassociate-oidc"),
    pytest.param(
        ("delete", "-f", "both.yaml"),
        r"account 111122223333:\n  - apps/app\n  - apps/other",
        None,
        id="delete-f",
    ),
    pytest.param(
        ("apply", "-f", "one.yaml", "--prune", "--include", "apps/*"), "- apps/other", None, id="prune"
    ),
    pytest.param(
        ("apply", "-f", "one.yaml", "--prune", "--include", "apps/*", "--atomic"),
        "- Role .*apps-other",
        None,
        id="prune-atomic",
    ),
]
Before = Callable[[Stage], None]


def at_terminal(stage: Stage, arguments: Sequence[str], **env: str) -> Terminal:
    command = [sys.executable, "-m", "irsa_cli", *arguments]
    return Terminal(command, {**stage.env(), "PYTHONPATH": str(ROOT), **env}, stage.folder)


@pytest.mark.parametrize("answer", ["n", "y"])
@pytest.mark.parametrize(("arguments", "shown", "before"), DELETIONS)
def test_what_goes_is_shown_and_asked_about(
    small: Stage, arguments: tuple[str, ...], shown: str, before: Before | None, answer: str
) -> None:
    if before:
        before(small)
    world = small.world()
    with at_terminal(small, arguments) as terminal:
        terminal.read(shown)
        if "- Role" in shown:
            terminal.read("keep its unique\\s+id: save them again")
        terminal.read(r"Delete\s[^?]*\? \[y/N\]")
        terminal.type(f"{answer}\n")
        terminal.read("it was not confirmed" if answer == "n" else r"Deleted|no longer accepts|done")
        assert terminal.end() == (4 if answer == "n" else 0)
    assert (small.world() == world) == (answer == "n")


@pytest.mark.parametrize("flag", ["--yes", "-y", "--approve", "--dry-run"])
@pytest.mark.parametrize(("arguments", "shown", "before"), DELETIONS)
def test_with_yes_or_a_dry_run_nobody_is_asked(
    small: Stage, arguments: tuple[str, ...], shown: str, before: Before | None, flag: str
) -> None:
    if before:
        before(small)
    world = small.world()
    with at_terminal(small, (*arguments, flag)) as terminal:
        assert terminal.read(r"\[y/N\]|dry run|Deleted|no longer accepts|\bdone")[0] != "[y/N]"
        assert terminal.end() == 0
    assert (small.world() == world) == (flag == "--dry-run")


@pytest.mark.parametrize(("arguments", "shown", "before"), DELETIONS)
def test_without_a_terminal_what_names_one_thing_goes_and_the_rest_wants_yes(
    small: Stage, arguments: tuple[str, ...], shown: str, before: Before | None
) -> None:
    if before:
        before(small)
    world = small.world()
    ran = small.irsa(*arguments)
    if arguments[0] in ("delete-sa", "disassociate-oidc"):
        assert ran.code == 0, ran.err
    else:
        assert ran.code == 2
        assert "add --yes" in ran.err
        assert small.world() == world
        assert small.irsa(*arguments, "--dry-run").code == 0
        assert small.world() == world
        assert small.irsa(*arguments, "--yes").code == 0
    assert small.world() != world


def test_nobody_sits_at_the_terminal_of_a_ci_system(small: Stage) -> None:
    world = small.world()
    with at_terminal(small, ("delete", "-f", "both.yaml"), CI="true") as terminal:
        terminal.read("needs a terminal to confirm: add --yes")
        assert terminal.end() == 2
    assert small.world() == world
    with at_terminal(small, ("delete-sa", "app", "-n", "apps", "-c", "demo"), CI="true") as terminal:
        terminal.read("Deleted")
        assert terminal.end() == 0


def test_what_deletes_nothing_is_never_asked_about(small: Stage) -> None:
    (small.folder / "one.yaml").write_text(FILES["both.yaml"], encoding="utf-8")
    with at_terminal(small, ("apply", "-f", "one.yaml", "--prune", "--include", "apps/*")) as terminal:
        assert terminal.read(r"\[y/N\]|2 ServiceAccounts unchanged")[0] != "[y/N]"
        assert terminal.end() == 0
    detach = ("update-sa", "app", "-n", "apps", "-c", "demo", "--detach-policy-arn", READ_ONLY)
    with at_terminal(small, detach) as terminal:
        assert terminal.read(r"\[y/N\]|Done")[0] == "Done"
        assert terminal.end() == 0


@pytest.mark.parametrize(("arguments", "shown", "before"), DELETIONS)
def test_the_interrupt_key_at_the_question_ends_the_command(
    small: Stage, arguments: tuple[str, ...], shown: str, before: Before | None
) -> None:
    if before:
        before(small)
    world = small.world()
    with at_terminal(small, arguments) as terminal:
        terminal.read(r"Delete\s[^?]*\? \[y/N\]")
        # The key may be heard in the moment before Python reads: then it shows with the next one.
        terminal.type(INTERRUPT)
        terminal.read(r"\^C")
        terminal.type("\n")
        terminal.read("interrupted by Ctrl-C")
        assert terminal.end() == 130
    assert small.world() == world
