"""Addresses tell the truth: a module that is named in a docstring or a comment is where it is said to be."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import irsa_cli

ROOT = Path(irsa_cli.__file__).parents[1]
FOLDERS = ("irsa_cli", "tests", "benchmarks", "tools", "ci")
DOTTED = re.compile(r"\birsa_cli(?:\.\w+)+")


def said(text: str) -> Iterator[str]:
    """Each dotted name in the docstrings and comments of a file."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield from DOTTED.findall(str(node.value.value))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield from DOTTED.findall(token.string)


def is_there(dotted: str) -> bool:
    """Whether it is a package, a module, or a name at the top of one (or of its class), by its file."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:count])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.exists():
            return count == len(parts) or _has(file, parts[count])
    return False


def _has(file: Path, name: str) -> bool:
    own = rf"^(?:(?:class|def) {name}\b|{name}\b.*=|.*\bimport\b.*\b{name}\b)"
    return re.search(own, file.read_text(encoding="utf-8"), re.MULTILINE) is not None


@pytest.mark.parametrize("folder", FOLDERS)
def test_modules_that_are_named_are_there(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*.py") if "bin" not in path.parts]
    found = [(str(path), name) for path in files for name in said(path.read_text(encoding="utf-8"))]
    assert [(path, name) for path, name in found if not is_there(name)] == []


@pytest.mark.parametrize(
    ("dotted", "there"),
    [
        ("irsa_cli.core", True),
        ("irsa_cli.core.values.arn", True),
        ("irsa_cli.core.values.arn.Arn", True),
        ("irsa_cli.core.values.nowhere", False),
        ("irsa_cli.core.values.arn.Nobody", False),
    ],
)
def test_an_address_is_looked_up_by_file(dotted: str, there: bool) -> None:
    assert is_there(dotted) is there


def test_docstrings_and_comments_are_read() -> None:
    text = '"""See `irsa_cli.a`."""\nx = 1  # irsa_cli.b.c\ndef f():\n    "irsa_cli.d"\n'
    assert [*said(text)] == ["irsa_cli.a", "irsa_cli.d", "irsa_cli.b.c"]
