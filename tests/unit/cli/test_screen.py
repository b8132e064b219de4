"""What a stream can show, and the colours of lines."""

from __future__ import annotations

import io
import re
import sys

import click
import pytest

from irsa_cli.cli.terminal.screen import fitted, has_colour, is_live, painted, wrapped


class Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="backslashreplace")

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of who runs the tests."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("env", "pipe", "colour", "live"),
    [
        ("", False, True, True),
        ("NO_COLOR=1", False, False, True),
        ("NO_COLOR=", False, True, True),
        ("TERM=dumb", False, False, False),
        ("TERM=dumb FORCE_COLOR=1", False, True, False),
        ("CI=true", False, True, False),
        ("FORCE_COLOR=1 NO_COLOR=1", False, False, True),
        ("", True, False, False),
        ("FORCE_COLOR=1", True, True, False),
    ],
)
def test_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, env: str, pipe: bool, colour: bool, live: bool
) -> None:
    for word in env.split():
        monkeypatch.setenv(*word.split("="))
    stream = io.TextIOWrapper(io.BytesIO()) if pipe else Terminal()
    assert (has_colour(stream), is_live(stream)) == (colour, live)


@pytest.mark.parametrize(
    ("line", "coloured"),
    [
        ("Error: it failed", True),
        ("  + Role  x", True),
        ("✗ backend/a: failed", True),
        ("    ✓ ok", True),
        ("backend  api  ok", False),
        ("x backend", False),
        ("  nothing", False),
        ("  -1 of them", False),
        ("Errors: none", False),
        ("", False),
    ],
)
def test_a_line_has_the_colour_of_what_it_begins_with(line: str, coloured: bool) -> None:
    assert click.unstyle(painted(line)) == line
    assert (painted(line) != line) == coloured


@pytest.mark.parametrize("room", [None, 40, 60, 200])
def test_a_row_is_padded_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch, room: int | None) -> None:
    monkeypatch.setattr("irsa_cli.cli.terminal.screen.columns", lambda stream: room)
    row = fitted("  + Role", "name", "0.1 s", sys.stderr, width=52)
    assert row.split() == ["+", "Role", "name", "0.1", "s"]
    assert len(row) == (8 + 1 + 52 + 2 + 5 if room is None or room >= 68 else room)


ARN = "arn:aws:iam::111122223333:role/irsa/demo/demo-backend-s3-reader-95e36729"


@pytest.mark.parametrize("room", [40, 60, 80, 110])
@pytest.mark.parametrize(
    "text", [f"the role {ARN} does not exist in the account of the cluster", "a b " * 60]
)
@pytest.mark.parametrize("head", ["Error: ", "      ✓ trust          ", "    ", ""])
def test_a_line_is_broken_between_words_only(head: str, text: str, room: int) -> None:
    lines = wrapped(head + text, room)
    assert " ".join(lines).split() == (head + text).split()
    assert all(len(line) <= room or " " not in line.strip() for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "not checked:|irsa doctor s3-reader -n backend -c demo",
        "  kubectl get pods -n backend  # shows|    # the pods of the namespace",
        "  irsa made the role for somebody else,|    long ago",
    ],
)
def test_a_command_to_copy_stays_on_one_line(line: str) -> None:
    whole = re.sub(r"\|\s*(# )?", " ", line)
    assert wrapped(whole, 40) == line.split("|")


@pytest.mark.parametrize("room", [60, 80, 110, 200])
@pytest.mark.parametrize("sign", ["·", "-"])
@pytest.mark.parametrize(
    "text",
    [
        "demo, eu-west-1, account 111122223333, 2026-11-29 09:30 UTC",
        "account 111122223333, cluster demo, user/admin, 2026-11-29 09:30 UTC",
        "shop-production-blue, eu-west-1, account 111122223333,"
        " roles in account 444455556666 as role/deployer/irsa, user/admin, 2026-11-29 09:30 UTC",
    ],
)
def test_a_head_is_broken_between_its_parts_only(text: str, sign: str, room: int) -> None:
    head = text.replace(",", f" {sign}")
    lines = wrapped(head, room)
    assert " ".join(line.strip() for line in lines) == head
    assert all(len(line) <= room for line in lines)
    assert all(line.endswith(sign) for line in lines[:-1])


def test_a_pipe_has_whole_lines() -> None:
    assert wrapped("word " * 100, None) == ["word " * 100]
