"""The command itself: its list of commands, and how little it takes to print help."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name: str) -> None:
    command = irsa.get_command(click.Context(irsa), name)
    assert command is not None
    first = (command.help or "").strip().splitlines()[0]
    assert first.split(". ")[0].rstrip(".") + "." == COMMANDS[name]
    assert command.name == name


# Where an empty text is what it says, and where it is judged together with the others.
MAY_BE_EMPTY = {"--description"}


def _options(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Option]]:
    if isinstance(command, click.Group):
        for part in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), part)
            assert found is not None
            yield from _options(found, f"{name} {part}".strip())
        return
    for item in command.params:
        if isinstance(item, click.Option) and not (item.is_flag or item.hidden):
            yield name, item


OPTIONS = [
    pytest.param(option, id=f"{name} {option.opts[-1]}")
    for name, option in _options(irsa)
    if option.opts[-1] not in MAY_BE_EMPTY
]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_empty_value_is_a_variable_that_is_not_set_and_means_nothing(option: click.Option) -> None:
    """A pipeline that says --set-policy-arns "$ARNS" must not detach all when the variable is missing."""
    context = click.Context(click.Command("x"))
    with pytest.raises(click.BadParameter):
        option.process_value(context, [""] if option.multiple else "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["update-sa", "a", "-c", "demo", "--set-policy-arns", " , "],
        ["update-sa", "a", "-c", "demo", "--tags", "a=b", "--remove-tag", ","],
        ["create-sa", "a", "-c", "demo", "--attach-policy-arn", " "],
        ["apply", "-f", "x.yaml", "--include", "a/*", "--include", ""],
        ["recover", ""],
    ],
)
def test_what_holds_nothing_but_commas_is_empty_too(arguments: list[str]) -> None:
    ran = CliRunner().invoke(irsa, arguments)
    assert ran.exit_code == 2
    assert "it is empty" in ran.output


def test_help_lists_every_command() -> None:
    said = CliRunner().invoke(irsa, ["--help"]).output
    assert all(name in said and text.split()[0] in said for name, text in COMMANDS.items())


PROGRAM = """
import sys
from irsa_cli.cli.main import run
code = run(sys.argv[1:])
print("\\n".join(["", "LOADED", *sorted({name.partition(".")[0] for name in sys.modules})]))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["create-sa", "--help"],
        ["associate-oidc", "--help"],
        ["create-sa", "--nonsense"],
        ["help", "create-sa"],
        ["version"],
        ["docs"],
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    said, _, loaded = done.stdout.partition("\nLOADED\n")
    assert done.returncode == (2 if "--nonsense" in arguments else 0)
    assert "click" in loaded.split()
    assert HEAVY & set(loaded.split()) == set()
    if arguments == ["--version"]:
        assert __version__ in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["policies", "list"], ["history", "-o", "json"]])
@pytest.mark.parametrize("both", [False, True])
def test_an_output_that_can_not_be_written_is_told_in_one_line(
    arguments: list[str], both: bool, tmp_path: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "irsa_cli", *arguments],
            stdout=full,
            stderr=full if both else subprocess.PIPE,
            env={**os.environ, "IRSA_STATE_DIR": str(tmp_path)},
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    if not both:
        assert done.stderr == "Error: cannot write the output: No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["no-such-command"], 2),
        (["--no-such-flag"], 2),
        (["create-sa"], 2),
    ],
)
def test_exit_codes_of_the_command_line(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    said = capsys.readouterr()
    assert bool(said.out) == (code == 0)
    assert bool(said.err) == (code != 0)
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["create-sa", "x\n::error::all is lost"],
        ["create-sa", "x", "-n", "a\r\n::warning::x"],
        ["create-sa", "x", "-c", "demo", "--timeout", "\n::error::x\x1b[2K"],
        ["create-sa", "x", "-c", "demo", "-o", "\n::error::x"],
        ["create-sa", "x", "-c", "demo", "--tags", "\n  ::error::x"],
        ["create-sa", "x", "-c", "demo", "\n::error::x"],
        ["apply", "-f", "no\n::error::x"],
        ["no\n::error::such"],
        ["create-sa", "x", "--no\n::error::such"],
        ["exec", "a", "b\n::error::x"],
    ],
)
def test_a_value_prints_no_line_of_its_own(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """CI systems take a line that begins with `::` for a command."""
    assert run(arguments) == 2
    told = capsys.readouterr().err
    assert "Error: " in told
    for line in told.split("\n"):
        assert line.isprintable()
        assert not line.lstrip().startswith("::")
