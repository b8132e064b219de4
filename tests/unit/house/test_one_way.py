"""What has one place stays in it: writing, the journal's context, the banner; no error changes in flight."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from irsa_cli.core.values import errors

ROOT = Path(__file__).resolve().parents[3] / "irsa_cli"
PROGRAM = sorted(path for path in ROOT.rglob("*.py") if "sandbox" not in path.relative_to(ROOT).parts[:1])
ERRORS = {"Exception", *(name for name, found in vars(errors).items() if isinstance(found, type))}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


WRITING = ["usecases/command/execute.py"]


@pytest.mark.parametrize(
    ("text", "within", "places"),
    [
        ("Transaction(", "usecases", WRITING),
        ("Journal.open(", "usecases", WRITING),
        ("Ended.PLANNED, cluster", "usecases", ["usecases/command/loop.py"]),
        ('"serviceAccount": ', "usecases/command", WRITING),
        ('f"account {self.account}"', "", ["core/values/cluster.py"]),
        ('" · ".join', "", ["cli/output/views/markdown.py", "core/values/shown.py"]),
        ("%H:%M} UTC", "", ["core/values/shown.py"]),
        ("vars(request.target)", "", []),
    ],
)
def test_what_has_one_place_stays_in_it(text: str, within: str, places: list[str]) -> None:
    files = {named(path): path.read_text(encoding="utf-8") for path in PROGRAM}
    assert [name for name, content in files.items() if text in content and name.startswith(within)] == places


def changed_errors(tree: ast.AST) -> Iterator[str]:
    """Where an attribute of an error that came from elsewhere is set: by what is caught, or handed in."""
    for scope in ast.walk(tree):
        if isinstance(scope, ast.ExceptHandler) and scope.name:
            names = {scope.name}
        elif isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            asked = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
            names = {item.arg for item in asked if item.annotation and is_error(item.annotation)}
        else:
            continue
        for node in ast.walk(scope):
            for target in targets(node):
                owner = ast.unparse(target.value)
                if owner in {*names, "error"} or owner.endswith(".error"):
                    yield f"{target.lineno}: {owner}.{target.attr}"


def is_error(annotation: ast.AST) -> bool:
    return any(isinstance(node, ast.Name) and node.id in ERRORS for node in ast.walk(annotation))


def targets(node: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a statement sets."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
        yield ast.Attribute(node.args[0], "...", ast.Store(), lineno=node.lineno)
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        for item in ast.walk(node):
            if isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store):
                yield item


@pytest.mark.parametrize(
    "text",
    [
        "try: f()\nexcept E as it:\n    it.reason = ''",
        "try: f()\nexcept E as it:\n    it.details += ('a',)",
        "try: f()\nexcept E as it:\n    it.a, x = 1, 2",
        "try: f()\nexcept E as it:\n    setattr(it, 'code', '')",
        "def f(it: ServiceError | None): it.details = ()",
        "def f(): result.error.details = ()",
        "def f():\n    error = made()\n    error.details = ()",
    ],
)
def test_it_is_seen(text: str) -> None:
    assert list(changed_errors(ast.parse(text)))


def test_no_error_is_changed_in_flight() -> None:
    found = {named(path): [*changed_errors(ast.parse(path.read_text("utf-8")))] for path in PROGRAM}
    assert {name: places for name, places in found.items() if places} == {}
