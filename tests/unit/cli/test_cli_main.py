"""The command itself: its list of commands, how little it takes to print help, what it says of bad lines."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from irsa_cli import __version__
from irsa_cli.cli.main import COMMANDS, irsa, run

HEAVY = {"boto3", "botocore", "kubernetes", "rich", "moto", "flask", "yaml", "urllib3", "cryptography"}


def test_the_list_says_what_the_command_says() -> None:
    printed = CliRunner().invoke(irsa, ["--help"]).output
    for name, text in COMMANDS.items():
        command = irsa.get_command(click.Context(irsa), name)
        assert command is not None, name
        first = (command.help or "").strip().splitlines()[0]
        assert (command.name, first.split(". ")[0].rstrip(".") + ".") == (name, text)
        assert name in printed, name
        assert text.split()[0] in printed, name


# Where an empty text is what it says, and where it is judged together with the others.
MAY_BE_EMPTY = {"--description"}


def _options(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Option]]:
    if isinstance(command, click.Group):
        for part in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), part)
            assert below is not None
            yield from _options(below, f"{name} {part}".strip())
        return
    for item in command.params:
        if isinstance(item, click.Option) and not (item.is_flag or item.hidden):
            yield f"{name} {item.opts[-1]}", item


def test_an_empty_value_is_a_variable_that_is_not_set_and_means_nothing() -> None:
    """A pipeline that says --set-policy-arns "$ARNS" must not detach all when the variable is missing."""
    context, tried = click.Context(click.Command("x")), 0
    for name, option in _options(irsa):
        if option.opts[-1] not in MAY_BE_EMPTY:
            tried += 1
            try:
                option.process_value(context, [""] if option.multiple else "")
            except click.BadParameter:
                continue
            pytest.fail(f"{name} takes an empty value")
    assert tried > 500


@pytest.mark.parametrize(
    "line",
    [
        "update-sa a -c demo --set-policy-arns ' , '",
        "update-sa a -c demo --tags a=b --remove-tag ,",
        "create-sa a -c demo --attach-policy-arn ' '",
        "apply -f x.yaml --include a/* --include ''",
        "recover ''",
    ],
)
def test_what_holds_nothing_but_commas_is_empty_too(line: str) -> None:
    ran = CliRunner().invoke(irsa, shlex.split(line))
    assert ran.exit_code == 2
    assert "it is empty" in ran.output


PROGRAM = """
import sys
from irsa_cli.cli.main import run
code = run(sys.argv[1:])
print("\\n".join(["", "LOADED", *sorted({name.partition(".")[0] for name in sys.modules})]))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "line",
    [
        "--help", "--version", "create-sa --help", "associate-oidc --help", "create-sa --nonsense",
        "help create-sa", "version", "docs",
    ],
)  # fmt: skip
def test_help_imports_nothing_heavy(line: str) -> None:
    command = [sys.executable, "-c", PROGRAM, *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said, _, loaded = done.stdout.partition("\nLOADED\n")
    assert done.returncode == (2 if "--nonsense" in line else 0)
    assert "click" in loaded.split()
    assert HEAVY & set(loaded.split()) == set()
    assert line != "--version" or __version__ in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("line", ["--help", "policies list", "history -o json"])
@pytest.mark.parametrize("both", [False, True])
def test_an_output_that_can_not_be_written_is_told_in_one_line(line: str, both: bool, tmp_path: Path) -> None:
    env = {**os.environ, "IRSA_STATE_DIR": str(tmp_path)}
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "irsa_cli", *line.split()]
        errors = full if both else subprocess.PIPE
        done = subprocess.run(
            command, stdout=full, stderr=errors, env=env, text=True, check=False, timeout=60
        )
    expected = None if both else "Error: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize(
    "line",
    [
        "create-sa 'x\n::error::all is lost'",
        "create-sa x -n 'a\r\n::warning::x'",
        "create-sa x -c demo --timeout '\n::error::x\x1b[2K'",
        "create-sa x -c demo -o '\n::error::x'",
        "create-sa x -c demo --tags '\n  ::error::x'",
        "create-sa x -c demo '\n::error::x'",
        "apply -f 'no\n::error::x'",
        "'no\n::error::such'",
        "create-sa x --'no\n::error::such'",
        "exec a 'b\n::error::x'",
    ],
)
def test_a_value_prints_no_line_of_its_own(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """CI systems take a line that begins with `::` for a command."""
    assert run(shlex.split(line)) == 2
    told = capsys.readouterr().err
    assert "Error: " in told
    for printed in told.split("\n"):
        assert printed.isprintable()
        assert not printed.lstrip().startswith("::")
