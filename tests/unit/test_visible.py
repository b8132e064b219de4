"""Texts of others do nothing where they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with é and ✓", "plain, with é and ✓"),
        ("a::b ## [x] #1", "a::b ## [x] #1"),
        ("a\n::error::x", "a\\u000a::error::x"),
        ("::error::x", "\\u003a:error::x"),
        ("  ::error::x", "  \\u003a:error::x"),
        ("x ##vso[task.complete]", "x \\u0023#vso[task.complete]"),
        ("##[error]x", "\\u0023#[error]x"),
        ("\x1b[2K", "\\u001b[2K"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(text=st.text())
def test_it_is_one_line_and_no_command(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert not shown.lstrip().startswith("::")
    assert "##vso[" not in shown
