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


def where(text: str) -> list[str]:
    return [named(path) for path in PROGRAM if text in path.read_text(encoding="utf-8")]


def test_commands_write_by_one_way() -> None:
    assert [it for it in where("Transaction(") if it.startswith("usecases")] == [
        "usecases/command/execute.py"
    ]
    assert [it for it in where("Journal.open(") if it.startswith("usecases")] == [
        "usecases/command/execute.py"
    ]
    assert [it for it in where("Ended.PLANNED, cluster") if it.startswith("usecases")] == [
        "usecases/command/execute.py"
    ]


def test_the_cluster_is_announced_and_the_context_written_in_one_place() -> None:
    assert where('f"account {self.account}"') == ["core/values/cluster.py"]
    assert where('" · ".join') == ["cli/output/views/markdown.py", "core/values/shown.py"]
    assert where("%H:%M} UTC") == ["core/values/shown.py"]
    assert [it for it in where('"serviceAccount": ') if it.startswith("usecases/command")] == [
        "usecases/command/execute.py"
    ]
    assert where("vars(request.target)") == []


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
    found: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        found = [*node.targets]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        found = [node.target]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
        yield ast.Attribute(node.args[0], "...", ast.Store(), lineno=node.lineno)
    for item in found:
        yield from (it for it in ast.walk(item) if isinstance(it, ast.Attribute) and is_store(it))


def is_store(found: ast.Attribute) -> bool:
    return isinstance(found.ctx, ast.Store)


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
