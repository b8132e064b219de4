"""What a stream can show, and the colours of lines."""

from __future__ import annotations

import io
import sys

import click
import pytest
from rich.console import Console

from irsa_cli.cli.terminal.screen import fitted, has_colour, is_live, is_unicode, mark, painted, wrapped


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


@pytest.mark.parametrize(("encoding", "unicode"), [("utf-8", True), ("ascii", False), ("latin-1", False)])
def test_marks_are_the_same_while_a_spinner_runs(
    monkeypatch: pytest.MonkeyPatch, encoding: str, unicode: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal(encoding))
    before = mark("ok"), mark("failed")
    assert before == (("✓", "✗") if unicode else ("=", "x"))
    with Console(stderr=True).status(""):
        assert sys.stderr.encoding is None
        assert is_unicode(sys.stderr) == unicode
        assert (mark("ok"), mark("failed")) == before


@pytest.mark.parametrize(
    ("env", "colour", "live"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, False, True),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, False),
        ({"CI": "true"}, True, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, True),
    ],
)
def test_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], colour: bool, live: bool
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert (has_colour(Terminal()), is_live(Terminal())) == (colour, live)


def test_a_pipe_has_colours_on_demand_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert not has_colour(pipe)
    assert not is_live(pipe)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert has_colour(pipe)
    assert not is_live(pipe)


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
    ("line", "lines"),
    [
        (
            "not checked: irsa doctor s3-reader -n backend -c demo",
            ["not checked:", "irsa doctor s3-reader -n backend -c demo"],
        ),
        (
            "  kubectl get pods -n backend  # shows the pods of the namespace",
            ["  kubectl get pods -n backend  # shows", "    # the pods of the namespace"],
        ),
        (
            "  irsa made the role for somebody else, long ago",
            ["  irsa made the role for somebody else,", "    long ago"],
        ),
    ],
)
def test_a_command_to_copy_stays_on_one_line(line: str, lines: list[str]) -> None:
    assert wrapped(line, 40) == lines


@pytest.mark.parametrize("room", [60, 80, 110, 200])
@pytest.mark.parametrize("sign", ["·", "-"])
@pytest.mark.parametrize(
    "parts",
    [
        ["demo", "eu-west-1", "account 111122223333", "2026-11-29 09:30 UTC"],
        ["account 111122223333", "cluster demo", "user/admin", "2026-11-29 09:30 UTC"],
        [
            *("shop-production-blue", "eu-west-1", "account 111122223333"),
            *("roles in account 444455556666 as role/deployer/irsa", "user/admin", "2026-11-29 09:30 UTC"),
        ],
    ],
)
def test_a_head_is_broken_between_its_parts_only(parts: list[str], sign: str, room: int) -> None:
    lines = wrapped(f" {sign} ".join(parts), room)
    assert [
        part for line in lines for part in line.strip().removesuffix(f" {sign}").split(f" {sign} ")
    ] == parts
    assert all(len(line) <= room for line in lines)
    assert all(line.endswith(sign) for line in lines[:-1])


def test_a_pipe_has_whole_lines() -> None:
    assert wrapped("word " * 100, None) == ["word " * 100]
