"""Plant faults in the program, and count those that the tests of their room find.

    python tools/house/mutants.py                       three in each room of `TESTS`
    python tools/house/mutants.py --room ROOM --each N --seed N

A fault is one change of one expression or statement: a condition negated, `and` for `or`, another comparison,
a call or `raise` left out. Each is planted in a copy of the checkout, and the tests run until one fails. One
that no test finds is printed as a difference: a person decides whether it changes what irsa does at all.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 900
"""Tests that take longer are stopped: a program that hangs is found, too."""
UNIT, SCENARIOS = "tests/unit", "tests/scenarios/test_"
TESTS = {
    "core/trust": (f"{UNIT}/trust", f"{SCENARIOS}wide_trusts.py", f"{SCENARIOS}attach_role.py"),
    "core/planning": (f"{UNIT}/planning", f"{SCENARIOS}update_sa.py", f"{SCENARIOS}create_sa.py"),
    "core/binding": (f"{UNIT}/binding", f"{UNIT}/planning", f"{SCENARIOS}create_sa.py",
                     f"{SCENARIOS}pod_identity_refusals.py"),
    "core/config": (f"{UNIT}/config", f"{SCENARIOS}apply.py", f"{SCENARIOS}apply_files.py"),
    "core/doctor": (f"{UNIT}/doctor", f"{SCENARIOS}doctor.py", f"{SCENARIOS}doctor_fixes.py"),
    "core/lint": (f"{UNIT}/lint", "tests/integration/test_lint.py"),
    "core/audit": (f"{UNIT}/audit", f"{SCENARIOS}audit.py", f"{SCENARIOS}planted.py"),
    "core/recovery": (f"{UNIT}/recovery", f"{SCENARIOS}recover_cluster.py", f"{SCENARIOS}recover.py"),
    "transaction": (f"{UNIT}/transaction", f"{SCENARIOS}failures.py", f"{SCENARIOS}recover.py"),
    "changes": ("tests/contract", f"{SCENARIOS}failures.py", f"{SCENARIOS}delete_sa.py"),
    "usecases/write": (f"{UNIT}/usecases", f"{SCENARIOS}create_sa.py", f"{SCENARIOS}delete_sa.py",
                       f"{SCENARIOS}update_sa.py", f"{SCENARIOS}migrate.py", f"{SCENARIOS}repoint.py",
                       f"{SCENARIOS}retire.py", f"{SCENARIOS}adopt.py"),
    "usecases/locks": (f"{UNIT}/locks", f"{SCENARIOS}lock_limits.py", f"{SCENARIOS}two_runs.py"),
    "usecases/verification": (f"{UNIT}/verification", f"{SCENARIOS}verify.py", f"{SCENARIOS}verify_all.py"),
    "aws": (f"{UNIT}/aws", "tests/integration/test_errors.py", f"{SCENARIOS}create_sa.py"),
}  # fmt: skip
"""The tests of a room, the quick ones first."""
_OTHER = {
    ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A place in a file, as offsets in bytes, and what stands there instead."""

    path: Path
    start: int
    end: int
    text: str

    def planted(self, source: bytes) -> bytes:
        """The file with the fault."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def faults_of(path: Path) -> Iterator[Fault]:
    """All faults that can be planted in the functions of a file."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def place(node: ast.expr | ast.stmt) -> tuple[int, int]:
        end_line, end_column = node.end_lineno or 0, node.end_col_offset or 0
        return starts[node.lineno - 1] + node.col_offset, starts[end_line - 1] + end_column

    def part(node: ast.expr) -> str:
        start, end = place(node)
        return source[start:end].decode()

    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.If | ast.IfExp | ast.While):
                yield Fault(path, *place(node.test), f"(not ({part(node.test)}))")
            elif isinstance(node, ast.BoolOp):
                word = " or " if isinstance(node.op, ast.And) else " and "
                yield Fault(path, *place(node), f"({word.join(f'({part(value)})' for value in node.values)})")
            elif isinstance(node, ast.Compare) and len(node.ops) == 1:
                other = _OTHER[type(node.ops[0])]
                yield Fault(path, *place(node), f"({part(node.left)} {other} {part(node.comparators[0])})")
            elif isinstance(node, ast.Raise) or (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            ):
                yield Fault(path, *place(node), "pass")


def copy_of(folder: Path) -> None:
    """Copy the files of the checkout, and what was built for its tests."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, target)


def found_by(folder: Path, tests: tuple[str, ...], workers: int) -> str:
    """The first test that fails, '' if none does."""
    env = {**os.environ, "PYTHONPATH": str(folder), "IRSA_E2E": "no", "PYTHONDONTWRITEBYTECODE": "1"}
    there = [test for test in tests if (folder / test).exists()]
    options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=no", "-n", str(workers), "--dist", "load"]
    command = [sys.executable, "-m", "pytest", *options]
    for part in (there[:1], there[1:]):
        if not part:
            continue
        try:
            ran = subprocess.run(
                [*command, *part],
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "a time limit"
        if ran.returncode:
            failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.MULTILINE)
            return failed[0] if failed else f"exit {ran.returncode}: {(ran.stdout + ran.stderr)[-200:]}"
    return ""


def main() -> int:
    """Plant faults one after the other; prints each with the test that found it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--room", action="append", choices=sorted(TESTS), help="all by default")
    parser.add_argument("--each", type=int, default=3, help="faults in each room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    found = planted = 0
    with tempfile.TemporaryDirectory(prefix="irsa-mutants-") as name:
        folder = Path(name)
        copy_of(folder)
        for room in asked.room or TESTS:
            modules = sorted((folder / "irsa_cli" / room).rglob("*.py"))
            possible = [fault for module in modules for fault in faults_of(module)]
            for fault in random.Random(f"{asked.seed} {room}").sample(possible, asked.each):
                source, began = fault.path.read_bytes(), time.monotonic()
                changed = fault.planted(source)
                fault.path.write_bytes(changed)
                by = found_by(folder, TESTS[room], asked.workers)
                fault.path.write_bytes(source)
                planted, found = planted + 1, found + bool(by)
                line = source[: fault.start].count(b"\n") + 1
                end = f"found by {by}" if by else "NOT FOUND"
                print(f"{fault.path.relative_to(folder)}:{line}  {end}  ({time.monotonic() - began:.0f} s)")
                if not by:
                    old, new = source.decode().splitlines(), changed.decode().splitlines()
                    print("\n".join(unified_diff(old, new, lineterm="", n=2)))
                sys.stdout.flush()
    print(f"{found} of {planted} found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
