"""The prompts of real shells: the label stands before the user's own, whose start-up files are read."""

import os
from pathlib import Path

import pytest

from irsa_cli.usecases.exec.child import labelled
from tests.support.programs import need
from tests.support.terminal import Terminal

LABEL = "backend/reader@demo"


def started(command: list[str], home: Path, folder: Path, **more: str) -> Terminal:
    """The shell as `irsa exec` starts it."""
    caller = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C", **more}
    start = labelled(command, caller, str(folder), LABEL)
    assert start is not None
    for name, text in start.files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return Terminal(start.command, {**caller, **start.variables}, home)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.mark.parametrize(
    "own",
    [
        "PS1='own> '",
        "PROMPT_COMMAND='PS1=\"own> \"; '",
        "PROMPT_COMMAND=(true 'PS1=\"own> \"')",
    ],
)
@pytest.mark.parametrize("arguments", [[], ["-i"]])
def test_bash(home: Path, folder: Path, own: str, arguments: list[str]) -> None:
    need("bash")
    (home / ".bashrc").write_text(f"MINE=yes\n{own}\n")
    with started(["bash", *arguments], home, folder) as terminal:
        for _ in range(2):
            terminal.read(rf"(?<!\] )\[{LABEL}\] own> ")
            terminal.type("echo it is $MINE\n")
            terminal.read("it is yes")
        terminal.type("exit 3\n")
        assert terminal.end() == 3


@pytest.mark.parametrize(
    "own",
    ["PROMPT='own> '", "precmd() { PROMPT='own> '; }", "setopt prompt_subst\nPROMPT='$(echo own)> '"],
)
def test_zsh(home: Path, folder: Path, own: str) -> None:
    need("zsh")
    (home / ".zshenv").write_text("MINE=yes\n")
    (home / ".zshrc").write_text(f"unsetopt zle prompt_cr prompt_sp\n{own}\n")
    with started(["zsh"], home, folder) as terminal:
        for _ in range(2):
            terminal.read(rf"(?<!\] )\[{LABEL}\] own> ")
            terminal.type("echo it is $MINE ${ZDOTDIR-unset}\n")
            terminal.read("it is yes unset")
        terminal.type("exit 3\n")
        assert terminal.end() == 3


def test_zsh_with_its_files_elsewhere(home: Path, folder: Path) -> None:
    need("zsh")
    (home / "zsh files").mkdir()
    (home / "zsh files" / ".zshrc").write_text("unsetopt zle prompt_cr prompt_sp\nPROMPT='own> '\n")
    with started(["zsh"], home, folder, ZDOTDIR=f"{home}/zsh files") as terminal:
        terminal.read(rf"\[{LABEL}\] own> ")
        terminal.type("echo $ZDOTDIR.\n")
        terminal.read(r"/zsh files\.")


@pytest.mark.parametrize("shell", ["sh", "dash", "ksh"])
def test_sh(home: Path, folder: Path, shell: str) -> None:
    need(shell)
    (home / "my shrc").write_text("MINE=yes\nPS1='own> '\n")
    with started([shell], home, folder, ENV="$HOME/my shrc") as terminal:
        terminal.read(rf"\[{LABEL}\] own> ")
        terminal.type("echo it is $MINE $ENV.\n")
        terminal.read(r"it is yes \$HOME/my shrc\.")
        terminal.type("exit 3\n")
        assert terminal.end() == 3


def test_sh_without_a_file_of_its_own(home: Path, folder: Path) -> None:
    with started(["/bin/sh"], home, folder) as terminal:
        terminal.read(rf"\[{LABEL}\] ")
        terminal.type("echo ${ENV-unset}.\n")
        terminal.read(r"unset\.")


@pytest.mark.parametrize(
    "command",
    [["bash", "-c", "true"], ["bash", "-l"], ["python"], ["zsh", "script"], ["env", "bash"], ["fish"]],
)
def test_all_else_is_started_as_it_is(command: list[str]) -> None:
    assert labelled(command, {}, "/folder", LABEL) is None
