"""Reports for pipelines: what others have written forges nothing, and what has no room is named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from irsa_cli.cli.output.report import Document, Entry, Level, Line, Rank, Report
from irsa_cli.cli.output.views.annotations import as_annotations
from irsa_cli.cli.output.views.escaping import code, command, fence, plain, shortened
from irsa_cli.cli.output.views.markdown import LENGTH, as_markdown
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.trust.rules.rule import FilePlace
from irsa_cli.core.values.errors import ExitCode
from tests.support.thoroughness import examples

HOSTILE = (
    "`", "```", "~~~~", "</details>", "<script>", "<img src=x>", "![a](http://b)", "[a](b)", "@org/team",
    "@me", "#12", "!34", "GH-7", "https://evil.example/x", "www.evil.example", "a@evil.example", "| x |",
    "\n",
    "\r\n", "\n\n# A heading", "\n- ", "\\", "**bold**", "&lt;", "<!-- irsa -->", "::error::x",
    "##vso[a]", "%0A::error::",
    "\u202e", "\x1b[31m", "$x$", "-----", "\n===", "{{x}}", "${{ x }}", "\t", "a_b_c", "/close", "<b>", "e",
)  # fmt: skip
texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=4).map("".join)
names = texts.filter(lambda text: bool(text.strip()))
places = st.none() | st.builds(FilePlace, names, st.integers(0, 99), st.integers(0, 99))
documents = st.builds(
    Document, texts, st.lists(texts, max_size=4).map(tuple), st.sampled_from(["diff", "json"])
)
levels = st.none() | st.sampled_from(Level)
lines = st.builds(
    Line,
    texts,
    st.sampled_from(Rank),
    *[texts] * 3,
    st.lists(documents, max_size=2).map(tuple),
    levels,
    places,
)
entries = st.builds(
    Entry,
    names,
    st.sampled_from(["refused", "to change"]),
    st.sampled_from(Rank),
    *(st.lists(some, max_size=3).map(tuple) for some in (lines, texts)),
    levels,
    places,
)
some_texts = st.lists(texts, max_size=2).map(tuple)
reports = st.builds(
    Report,
    st.integers(0, 6).map(lambda code: Envelope(DocumentKind.RESULTS, ReadOutcome.OK, code)),
    command=names,
    verdict=texts,
    is_good=st.sampled_from([True, False, None]),
    facts=st.lists(st.tuples(names, names), max_size=2).map(tuple),
    entries=st.lists(entries, max_size=4).map(tuple),
    **dict.fromkeys(("uneventful", "notes", "unchecked"), some_texts),
)


def report_of(command: str, verdict: str, found: Sequence[Entry]) -> Report:
    document = Envelope(DocumentKind.RESULTS, ReadOutcome.REFUSED, ExitCode.REFUSED)
    return Report(document, verdict=verdict, is_good=False, entries=found, command=command)


PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(text: str) -> Iterator[Token]:
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def check_forged(text: str) -> None:
    """Fail where anything is in it that no report makes."""
    for token in tokens(text):
        forged = ("link_open", "image", "html_inline", "s_open", "em_open", "table_open")
        assert token.type not in forged, token
        if token.type == "html_block":
            folds = r"(<details><summary>[^<>]*</summary>|</details>)\n?"
            assert re.fullmatch(folds, token.content), token.content
        if token.type in ("html_block", "text"):
            seen(token.content)
        assert token.type != "heading_open" or token.tag in ("h2", "h3")
    for line in text.splitlines():
        assert not line.startswith("::")
        assert not re.search(r"##\w*\[", line)


def seen(text: str) -> None:
    """Fail for what a site would link in a text."""
    text = unescape(text)
    assert not re.search(r"@[\w-]", text), text
    assert not re.search(r"https?://|www\.\w|\bGH-\d|[#!]\d", text, re.I), text


@settings(max_examples=examples(300))
@given(reports)
def test_nothing_is_forged(report: Report) -> None:
    found = as_markdown(report)
    check_forged(found)
    html = [token.content for token in tokens(found) if token.type == "html_block"]
    opened, closed = (sum(text.startswith(tag) for text in html) for tag in ("<details>", "</details>"))
    assert opened == closed == sum(len(line.documents) for it in report.entries for line in it.lines)
    assert as_markdown(report) == found


@settings(max_examples=examples(60))
@given(texts, texts)
def test_texts_are_shown_as_they_are(text: str, other: str) -> None:
    from irsa_cli.core.values.shown import visible

    (block,) = [token for token in tokens(fence([text, other])) if token.type == "fence"]
    assert block.content.splitlines() == [
        visible(line) for it in (text, other) for line in it.splitlines() or [""]
    ]
    if text.strip():
        inline = "".join(it.content for it in tokens(f"x {plain(text)} x") if it.type == "text")
        assert inline.replace("\u200b", "") == f"x {visible(text)} x".strip() or "\u200b" in text
        spans = [it.content for it in tokens(f"x {code(text)} x") if it.type == "code_inline"]
        assert spans in ([], [visible(text)])


@settings(max_examples=examples(60))
@given(texts, names)
def test_a_workflow_command_is_one_line_and_no_other(text: str, title: str) -> None:
    said = command("error", [text], file=title, line=3, title=title)
    assert len(said.splitlines()) == 1
    found = re.fullmatch(r"::error file=([^,:]*),line=3,title=([^,:]*)::(.*)", said)
    assert found is not None
    assert found[1] == found[2]
    assert not re.search(r"%(?!25|0D|0A|3A|2C)", said)


def large(number: int, *, lines_each: int = 3, document: int = 0) -> Report:
    ranks = (Rank.CREATED, Rank.DELETED, Rank.TRUST, Rank.UPDATED)
    made = []
    for index in range(number):
        folded = (Document(f"policy-{index}", ("x" * 50,) * document, "json"),) if document else ()
        rank = ranks[index % 4]
        said = (Line(f"(Role) {index}", rank, "create", f"role-{index}", documents=folded),) * lines_each
        made.append(Entry(f"backend/app-{index:04}", "to change", rank, said))
    made.append(Entry("backend/broken", "refused", Rank.REFUSED, message=("Error: no",), level=Level.ERROR))
    return report_of("diff", f"{number} to change", made)


@pytest.mark.parametrize(("number", "most"), [(200, LENGTH), (300, 20_000), (1500, 65_000), (40, 4_000)])
def test_what_is_cut_is_named_and_the_most_important_is_kept(number: int, most: int) -> None:
    report = large(number, document=10)
    assert len(as_markdown(report, 10**9)) > max(most, 70_000)
    printed = as_markdown(report, most)
    assert most * 0.8 < len(printed) <= most, "there was room for more"
    assert [entry.title for entry in report.entries if entry.title not in printed] == []
    for text in ("### refused: `backend/broken`", "Error: no", "**Cut, as there is no room for it**"):
        assert text in printed
    shown = [entry.rank for entry in report.entries if f"### to change: `{entry.title}`" in printed]
    missing = [entry.rank for entry in report.entries if f"`{entry.title}`" not in printed]
    assert max(shown, default=Rank.FAILED) <= min(missing, default=Rank.GOOD)
    check_forged(printed)


def test_each_document_that_is_cut_is_named() -> None:
    printed = as_markdown(large(60, lines_each=1, document=40), 30_000)
    unfolded = re.findall(r"<summary>policy-(\d+)", printed)
    named = re.findall(r"policy-(\d+)", printed.partition("**Cut")[2])
    assert sorted(map(int, unfolded + named)) == list(range(60))
    assert min(len(unfolded), len(named)) > 0


@pytest.mark.parametrize("number", [2000, 3000, 20_000])
def test_one_large_entry_is_cut_in_itself(number: int) -> None:
    said = tuple(Line("(Role)", Rank.CREATED, "create", f"role-{it}") for it in range(number))
    report = report_of("", "x", [Entry("(all)", "to change", Rank.CREATED, said)])
    found = as_markdown(report, 60_000)
    assert 48_000 < len(found) <= 60_000
    named = set(map(int, re.findall(r"role-(\d+)", found)))
    for first, last in re.findall(r"\((\d+) to (\d+) of \d+\)", found):
        named |= set(range(int(first) - 1, int(last)))
    assert named == set(range(number))


@settings(max_examples=examples(40))
@given(reports, st.integers(4_000, 9_000))
def test_any_report_stays_within_its_length(report: Report, most: int) -> None:
    assert len(as_markdown(report, most)) <= most


def test_a_monstrous_error_leaves_room_for_others() -> None:
    monster = Entry(
        "a/a", "failed", Rank.FAILED, message=("x" * 100_000, *["y" * 500] * 500), level=Level.ERROR
    )
    others = tuple(Entry(f"a/b{it}", "to change", Rank.CREATED) for it in range(20))
    found = as_markdown(report_of("", "x", [*others, monster]), 20_000)
    assert "lines more" in found
    assert all(f"`a/b{number}`" in found for number in range(20))
    assert shortened("x" * 50, 40).endswith("characters more)")


def annotated(errors: int, warnings: int) -> Report:
    place = FilePlace("a.yaml", 3)
    said = [
        Entry(f"a/{number}", "refused", rank, message=(f"no {number}",), level=level, place=place)
        for rank, level, most in ((Rank(0), Level.ERROR, errors), (Rank(1), Level.WARNING, warnings))
        for number in range(most)
    ]
    return report_of("apply", "bad", said)


def test_annotations_end_where_the_site_stops_showing_them() -> None:
    said = as_annotations(annotated(14, 11)).splitlines()
    assert [line.split(" ")[0] for line in said] == ["::error"] * 10 + ["::warning"] * 10 + ["::notice"]
    assert said[0] == "::error file=a.yaml,line=3,title=irsa apply%3A refused a/0::no 0"
    assert "4 more errors, 1 more warning not shown" in said[-1]
    assert as_annotations(annotated(1, 0)).splitlines()[-1] == (
        "::notice title=irsa apply::bad (exit code 4)"
    )
