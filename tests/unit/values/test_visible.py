"""Texts of others do nothing where they are shown."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from irsa_cli.cli.output.views.documents import json_text, yaml_text
from irsa_cli.core.values.shown import visible


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


@given(
    document=st.dictionaries(
        st.text(max_size=300),
        st.text(max_size=300) | st.lists(st.text(alphabet=st.sampled_from("a :#\n-'\""), max_size=90)),
        max_size=4,
    )
)
@example(document={"::error::x": "a\n\n  ::error::x", " :": ["::error::", "word " * 60 + "::error::x"]})
@example(document={"##vso[x]": "a ###[error]", "##": ["##", "#"]})
@example(document={"k": "::" * 200, "x" * 200: {"::": None}})
def test_a_document_says_the_same_and_is_no_command(document: dict[str, Any]) -> None:
    text = yaml_text(document)
    assert yaml.safe_load(text) == document
    for line in text.split("\n"):
        assert line.isprintable()
        assert not line.lstrip().startswith("::")
        assert "##" not in line
    assert json.loads(json_text(document)) == document
    assert "##" not in json_text(document)
