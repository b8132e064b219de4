"""What others have written on the terminal: one line, and nothing that the terminal acts on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.output.result import messages
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.core.values.shown import visible

ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_a_text_stays_on_its_line_and_is_printable(text: str) -> None:
    found = visible(text)
    assert found.isprintable()
    assert visible(found) == found
    assert text.isprintable() == (found == text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("role/x\x1b[31m", "role/x\\u001b[31m"),
        ("x\n  ✓ prod/api", "x\\u000a  ✓ prod/api"),
        ("a\u200bb", "a\\u200bb"),
        ("rôle ✓", "rôle ✓"),
    ],
)
def test_what_is_not_visible_is_shown_as_its_code_point(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY)
def test_an_error_forges_no_line(text: str) -> None:
    error = IrsaError("failed", reason=text, details=(text,), next_steps=(text,))
    found = list(messages(Result(Ended.FAILED, error=error)))
    assert all(line.isprintable() for line in found)
    assert [line.split(maxsplit=1)[0] for line in found if not line.startswith("  ")] == [
        "Error:",
        "Nothing",
        "Next:",
    ]


def test_commands_that_release_a_role_have_lines_of_their_own() -> None:
    facts = {"adoption": {"release": ["first", "sec\nond"]}}
    head, *commands = messages(Result(Ended.COMMITTED, facts=facts, notes=["a\n  b"]))
    assert head == "Note: a\\u000a  b"
    assert commands[0].startswith("Note: to release the role")
    assert commands[1:] == ["  first", "  sec\\u000aond"]
