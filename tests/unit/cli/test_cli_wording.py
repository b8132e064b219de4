"""What others have written on the terminal: one line, and nothing that the terminal acts on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.output.result import messages
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import IrsaError

ANY = st.text(st.characters(exclude_categories=()))


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
