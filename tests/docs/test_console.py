"""Every `console` block of the documentation is run, and prints what the page shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.docs import staging
from tests.docs.console import ROOT, Command, Shell, before, commands, matches, pages

MINIMUM = 20
"""Commands in the documentation that are run; fewer mean that blocks have lost their mark."""

PAGES = [page for page in pages() if commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_its_commands_print(page: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    prepare: Callable[[Sandbox], dict[str, str]] = staging.STAGES.get(
        page.relative_to(ROOT).as_posix(), staging.plain
    )
    env = prepare(sandbox)
    shell = Shell.make(tmp_path, sandbox.env())
    for text in before(page):
        output, code = shell.run(text)
        assert code == 0, f"{text}\n{output}"
    shell = Shell(shell.folder, {**shell.env, **env})
    failures = [failure for failure in _run(shell, commands(page)) if failure]
    assert not failures, "\n\n".join(failures)


def _run(shell: Shell, found: list[Command]) -> list[str]:
    failures, code = [], 0
    for command, following in zip(found, [*found[1:], None], strict=True):
        output, code = shell.run(command.text, last=code)
        where = f"line {command.line}: $ {command.text}"
        if not matches(command.output, output):
            failures.append(f"{where}\n--- shown\n{command.output}--- printed\n{output}")
        told = following is not None and following.text == "echo $?"
        if code != 0 and not told:
            failures.append(f"{where}\nended with {code}, and the page does not say so\n{output}")
    return failures


def test_there_are_commands_to_run() -> None:
    assert sum(len(commands(page)) for page in PAGES) >= MINIMUM


def test_no_console_block_is_overlooked() -> None:
    for page in pages():
        marks = re.findall(r"^ *```console\b", page.read_text(encoding="utf-8"), re.MULTILINE)
        blocks = page.read_text(encoding="utf-8").count("```console\n")
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


def test_a_wrong_page_is_noticed(tmp_path: Path) -> None:
    shell = Shell.make(tmp_path, {})
    assert _run(shell, [Command("echo yes", "no\n", 1)])
    assert _run(shell, [Command("exit 3", "", 1)])
    assert not _run(shell, [Command("echo yes; exit 3", "yes\n", 1), Command("echo $?", "3\n", 2)])
