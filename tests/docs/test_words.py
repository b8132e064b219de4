"""The glossary and the words that it has replaced: every page and every help text keeps to them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from irsa_cli.cli.main import irsa
from tests.docs.console import ROOT

WORDS: Any = importlib.import_module("tools.docs.words")
PAGE = WORDS.GLOSSARY.read_text("utf-8")
REFERENCE = "\n".join(
    path.read_text("utf-8")
    for path in sorted((ROOT / "docs" / "reference").iterdir())
    if path.is_file() and path != WORDS.GLOSSARY
)


def test_no_text_that_is_done_has_an_old_word() -> None:
    assert WORDS.problems() == []


def test_an_old_word_in_a_text_that_is_done_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WORDS, "texts", lambda: iter([("new.md", "It was\ntaken\nback.")]))
    monkeypatch.setattr(WORDS, "NOT_YET", frozenset[str]())
    assert WORDS.problems() == ["new.md:2: 'taken back': say roll back, rolled back"]
    assert WORDS.main(["--check"]) == 1


def test_the_glossary_lists_what_stands_for_an_old_word_and_no_other() -> None:
    for old in WORDS.OLD:
        words = ", ".join(f"`{word}`" for word in old.word.split(", "))
        assert f"| {words} | {old.instead} |" in PAGE
        assert all(old.found_by.search(f"it {word}, then") for word in old.word.split(", ")), old.word
        assert WORDS.old_words("instead", old.instead) == []
    rows = PAGE.partition("## Words that are not used any more")[2].count("\n| `")
    assert rows == len(WORDS.OLD)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We wish.", ["wish"]),
        ("`wish` and\n```text\nwish\n```\n", []),
        ("<!-- wish --> [done](wish.md#wish)", []),
        ("takes its own changes back", ["takes its own changes back"]),
        ("take it. Then go back", []),
        ("it takes a while until it comes back", []),
        ("let it in to the house", []),
        ("rolled back, adopted, interrupted", []),
    ],
)
def test_old_words_are_found_in_prose_only(text: str, expected: list[str]) -> None:
    assert [found.words for found in WORDS.old_words("a.md", text)] == expected


def _terms() -> Iterator[tuple[str, str, str]]:
    table = PAGE.partition("## Words that are not used any more")[0]
    for row in re.findall(r"^\| (?!term|---)(.*) \|$", table, re.MULTILINE):
        term, meaning, shown = (cell.strip() for cell in row.split(" | "))
        yield term, meaning, shown


TERMS = list(_terms())


def test_each_term_means_one_thing() -> None:
    terms = [term for term, _, _ in TERMS]
    assert len(terms) == len(set(terms)) > 40
    assert [term for term, meaning, _ in TERMS if not meaning.endswith(".")] == []


def test_what_shows_a_term_is_there() -> None:
    """A flag is one of a command, a command is one, all else is on another page of the reference."""
    context = click.Context(irsa)
    commands = {name: irsa.get_command(context, name) for name in irsa.list_commands(context)}
    params = [param for command in commands.values() if command for param in command.params]
    known = {flag for param in params for flag in param.opts} | {f"irsa {name}" for name in commands}
    shown = [name for _, _, cell in TERMS for name in re.findall(r"`([^`]+)`", cell)]
    elsewhere = [name for name in shown if name.split(" --")[0] not in known]
    assert [name for name in elsewhere if name.startswith(("-", "irsa "))] == []
    parts = {part for name in elsewhere for part in ([name] if "/" in name else re.split(r"[.]", name))}
    assert {part for part in parts if part.removesuffix(": done") not in REFERENCE} == set()
