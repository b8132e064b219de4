"""Every `console` block of the documentation is run as a reader runs it, and prints what the page shows.

`IRSA_WRITE_PAGES=1 pytest tests/docs/test_console.py` writes into the pages what is printed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox, worlds
from tests.docs import refreshing
from tests.docs.console import ROOT, Command, File, Session, Shell, before, blocks, commands, matches, pages

MINIMUM = 20
"""Commands in the documentation that are run; fewer mean that blocks have lost their mark."""

HOW_TO = ROOT / "docs" / "how-to"
_STARTS = re.compile(r"irsa sandbox run\b|irsa lint ")
"""irsa lint needs no sandbox."""

PAGES = [page for page in pages() if commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_its_commands_print(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def again(name: str) -> list[tuple[str, int]]:
        folder = tmp_path / name
        folder.mkdir()
        return _outputs(page, Shell.make(folder, _environment(page, request)))

    outputs = again("first")
    if "IRSA_WRITE_PAGES" in os.environ:
        text = page.read_text("utf-8")
        written = refreshing.page(text, outputs)
        if written != text:
            page.write_text(written, "utf-8")
            outputs = again("second")
            page.write_text(refreshing.page(written, outputs, again=True), "utf-8")
    failures = compared(commands(page), outputs)
    assert not failures, "\n\n".join(failures)


def _environment(page: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """A page starts its own sandbox; for one that does not, there is one."""
    if _STARTS.match(commands(page)[0].text):
        return {}
    sandbox: Sandbox = request.getfixturevalue("sandbox")
    sandbox.reset()
    return sandbox.env()


def _outputs(page: Path, shell: Shell) -> list[tuple[str, int]]:
    """What each command of the page prints, and its exit code, in one shell."""
    found: list[tuple[str, int]] = []
    with Session(shell) as session:
        for text in before(page):
            output, code = session.run(text)
            assert code == 0, f"{text}\n{output}"
        for block in blocks(page.read_text("utf-8")):
            if isinstance(block, File):
                path = session.folder / block.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, "utf-8")
            else:
                found += [session.run(command.text) for command in block.commands]
    return found


def compared(found: list[Command], outputs: list[tuple[str, int]]) -> list[str]:
    """The commands that print something else than their page shows, or end in another way."""
    failures = []
    for command, following, (output, code) in zip(found, [*found[1:], None], outputs, strict=True):
        where = f"line {command.line}: $ {command.text}"
        if not matches(command.output, output):
            failures.append(f"{where}\n--- shown\n{command.output}--- printed\n{output}")
        shown = following is not None and following.text == "echo $?"
        if code != 0 and not shown:
            failures.append(f"{where}\nended with {code}, and the page does not say so\n{output}")
    return failures


def test_a_how_to_shows_all_that_it_needs() -> None:
    for page in HOW_TO.glob("*.md"):
        assert before(page) == [], page
        found = commands(page)
        assert not found or _STARTS.match(found[0].text), f"{page}: the first command starts no sandbox"
        assert not found or page.stem not in worlds.names() or f"--world {page.stem}" in found[0].text


def test_the_name_of_a_file_is_in_the_text_before_it() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in blocks(text):
            if isinstance(block, File):
                before_it = text[: text.index(f'title="{block.name}"')].rpartition("```")[0]
                assert f"`{block.name}`" in before_it[-400:], f"{page}: {block.name}"


def test_worlds_are_those_of_pages_and_documented() -> None:
    page = (ROOT / "docs" / "explanation" / "sandbox.md").read_text("utf-8")
    assert [name for name in worlds.names() if not (HOW_TO / f"{name}.md").is_file()] == []
    assert [name for name in worlds.names() if f"`{name}`" not in page] == []


def test_there_are_commands_to_run() -> None:
    assert sum(len(commands(page)) for page in PAGES) >= MINIMUM


def test_no_console_block_is_overlooked() -> None:
    for page in pages():
        marks = re.findall(r"^ *```console\b", page.read_text("utf-8"), re.MULTILINE)
        blocks = page.read_text("utf-8").count("```console\n")
        assert len(marks) == blocks
        assert not marks or commands(page), page


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("a\n", "a\n", True),
        ("a\n", "b\n", False),
        ("a\n", "a\nb\n", False),
        ("a …\n", "a b c\n", True),
        ("a …\n", "a b\nc\n", False),
        ("a\n…\nz\n", "a\nb\nc\nz\n", True),
        ("a\n…\nz\n", "a\nz\n", True),
        ("a\n…\n", "b\na\n", False),
        ("took 0.4 s.\n", "took 12.0 s.\n", True),
        ("took 0.4 s.\n", "took 12.0 m.\n", False),
        ('"seconds": 0.011,\n', '"seconds": 2.0,\n', True),
        ('"Seconds": 0.011,\n', '"Seconds": 2.0,\n', False),
        ("(exit 1)\n", "(exit 2)\n", False),
        ("a.b\n", "axb\n", False),
        ("  + Role  a\n  - Namespace  b\n", "  - Namespace  b\n  + Role  a\n", True),
        ("  + Role  a\n  - Namespace  b\n", "  - Role  a\n  + Namespace  b\n", False),
    ],
)
def test_the_comparison_tells_right_from_wrong(shown: str, printed: str, expected: bool) -> None:
    assert matches(shown, printed) is expected


def test_a_wrong_page_is_noticed() -> None:
    assert compared([Command("echo yes", "no\n", 1)], [("yes\n", 0)])
    assert compared([Command("exit 3", "", 1)], [("", 3)])
    right = [Command("f", "yes\n", 1), Command("echo $?", "3\n", 2)]
    assert not compared(right, [("yes\n", 3), ("3\n", 0)])


def test_a_session_is_one_shell(tmp_path: Path) -> None:
    with Session(Shell.make(tmp_path, {})) as session:
        assert session.run("cd /; NAME=a; cat") == ("", 0)
        assert session.run("pwd; echo $NAME; false") == ("/\na\n", 1)
        assert session.run("echo $?; printf end") == ("1\nend", 0)


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("a\n", "b\n", "b\n"),
        ("a … c\nold\nend\n", "a 12 c\nnew\nend\n", "a … c\nnew\nend\n"),
        ("a\n…\nmade by irsa, …\n", "a\nb\nc\ncreated by irsa, 12 s ago\n", "a\n…\ncreated by irsa, …\n"),
        ("", "run 20261129T055335123Z-0a1b2c3d ended\n", "run … ended\n"),
        ("took 0.4 s.\n", "took 0.9 s.\n", "took 0.4 s.\n"),
    ],
)
def test_output_is_refreshed(shown: str, printed: str, expected: str) -> None:
    once = refreshing.refreshed(shown, printed)
    assert once == expected
    assert refreshing.refreshed(once, printed) == once
    assert matches(once, printed)


def test_what_two_runs_print_differently_is_left_open() -> None:
    once = refreshing.refreshed("", "key abcd of irsa\n")
    assert refreshing.refreshed(once, "key efgh of irsa\n", again=True) == "key … of irsa\n"


def test_a_page_is_refreshed() -> None:
    text = "Text\n\n  ```console\n  $ a \\\n  > b\n  old\n  $ c\n  ```\n\nEnd\n"
    wanted = "Text\n\n  ```console\n  $ a \\\n  > b\n  new\n  $ c\n  $ echo $?\n  4\n  ```\n\nEnd\n"
    assert refreshing.page(text, [("new\n", 0), ("", 4)]) == wanted
