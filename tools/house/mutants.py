"""Plant faults in the program, and count those that the tests find.

    python tools/house/mutants.py draw --count 200 --seed 1 > FILE   draw faults over all rooms
    python tools/house/mutants.py plant FILE [--results FILE]        plant them one by one
    python tools/house/mutants.py compare BEFORE AFTER               what two results have found

A fault is one change of one expression or statement: a condition negated, `and` for `or`, another
comparison, a call or `raise` left out. All are written into one copy of the checkout, each behind a switch.
The whole suite runs there once, with all of them off, and tells which tests reach which fault. Then each is
switched on, and the tests that reach it run, the quick ones first and of as many files as there are, until
one fails or they have run for `SECONDS`. One that no test finds is printed: a person decides whether it
changes what irsa does.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from planting import FOLDER, NUMBER, PRELUDE

ROOT = Path(__file__).resolve().parents[2]

SECONDS = 60.0
"""For so long, as measured with all faults off, the tests that reach a fault are run."""
FIRST_SECONDS = 6.0
"""For so long those run that are tried first."""
AT_MOST = 300
"""So many tests are run for a fault."""
_OTHER = {
    ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A place in a file (line from 1, column in bytes from 0), its text, and what stands there instead."""

    path: str
    line: int
    column: int
    old: str
    new: str

    @property
    def room(self) -> str:
        """The folder of its file, without the package's name."""
        return str(Path(self.path).parent.relative_to("irsa_cli"))

    def span(self, source: bytes) -> tuple[int, int]:
        """Where it is in its file, in bytes; raises `SystemExit` if something else is there."""
        start = sum(map(len, source.splitlines(keepends=True)[: self.line - 1])) + self.column
        old = self.old.encode()
        if source[start : start + len(old)] != old:
            raise SystemExit(f"{self.path}:{self.line} has changed: draw new faults")
        return start, start + len(old)

    def switched(self, number: int) -> str:
        """Its text and the other, behind a switch."""
        off = f'vars(__import__("builtins")).get("planted", lambda fault: False)({number})'
        if self.new != "pass":
            return f"(({self.new}) if {off} else ({self.old}))"
        return f"if not {off}: {self.old}"


def faults_of(path: Path) -> Iterator[Fault]:
    """All faults that can be planted in the functions of a file."""
    source = path.read_bytes()
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    name = path.relative_to(ROOT).as_posix()

    def part(node: ast.expr | ast.stmt) -> str:
        begin = starts[node.lineno - 1] + node.col_offset
        return source[begin : starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)].decode()

    def fault(node: ast.expr | ast.stmt, new: str) -> Fault:
        return Fault(name, node.lineno, node.col_offset, part(node), new)

    def can_go(node: ast.Raise | ast.Expr) -> bool:
        alone = not lines[node.lineno - 1][: node.col_offset].strip()
        return alone and (isinstance(node, ast.Raise) or isinstance(node.value, ast.Call))

    # In Python 3.11 a part of an f-string has the place of another text.
    unplaced: set[int] = set()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            unplaced |= {id(inner) for inner in ast.walk(node)}
    seen: set[int] = set()
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if id(node) in seen or id(node) in unplaced:
                continue
            seen.add(id(node))
            if isinstance(node, ast.If | ast.IfExp | ast.While):
                if id(node.test) not in unplaced:
                    yield fault(node.test, f"not ({part(node.test)})")
            elif isinstance(node, ast.BoolOp):
                word = " or " if isinstance(node.op, ast.And) else " and "
                yield fault(node, word.join(f"({part(value)})" for value in node.values))
            elif isinstance(node, ast.Compare) and len(node.ops) == 1:
                other = _OTHER[type(node.ops[0])]
                yield fault(node, f"{part(node.left)} {other} {part(node.comparators[0])}")
            elif isinstance(node, ast.Raise | ast.Expr) and can_go(node):
                yield fault(node, "pass")


def draw(count: int, seed: int) -> list[Fault]:
    """Faults over all rooms: two in each, the others anywhere; none within another one."""
    rooms: dict[str, list[Fault]] = defaultdict(list)
    for path in sorted((ROOT / "irsa_cli").rglob("*.py")):
        if path != ROOT / "irsa_cli" / "__init__.py":
            for fault in faults_of(path):
                rooms[fault.room].append(fault)
    drawn: list[Fault] = []
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def take(possible: Sequence[Fault], most: int) -> None:
        for fault in possible:
            if most == 0 or len(drawn) == count:
                return
            start, end = fault.span((ROOT / fault.path).read_bytes())
            if all(end <= low or start >= high for low, high in spans[fault.path]):
                spans[fault.path].append((start, end))
                drawn.append(fault)
                most -= 1

    for room, possible in sorted(rooms.items()):
        take(random.Random(f"{seed} {room}").sample(possible, len(possible)), 2)
    everywhere = [fault for _, possible in sorted(rooms.items()) for fault in possible]
    take(random.Random(f"{seed}").sample(everywhere, len(everywhere)), count)
    return sorted(drawn, key=lambda fault: (fault.path, fault.line, fault.column))


def planted_copy(folder: Path, faults: Sequence[Fault]) -> Path:
    """A clone of the checkout, with what is not committed, and with all faults behind their switches."""
    copy = folder / "checkout"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    names = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for path in copy.rglob("*"):
        if path.is_file() and ".git" not in path.parts and path.relative_to(copy).as_posix() not in names:
            path.unlink()
    for name in names:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    for built in ROOT.glob("tools/*/bin"):
        shutil.copytree(built, copy / built.relative_to(ROOT), dirs_exist_ok=True)
    sources: dict[str, list[tuple[int, Fault]]] = defaultdict(list)
    for number, fault in enumerate(faults, 1):
        sources[fault.path].append((number, fault))
    for name, here in sources.items():
        source = (copy / name).read_bytes()
        text = source
        # From the last to the first, so that the places before stay what they are.
        for number, fault in sorted(here, key=lambda item: item[1].span(source), reverse=True):
            start, end = fault.span(source)
            text = text[:start] + fault.switched(number).encode() + text[end:]
        ast.parse(text)
        (copy / name).write_bytes(text)
    package = copy / "irsa_cli" / "__init__.py"
    package.write_text(package.read_text("utf-8") + PRELUDE, "utf-8")
    own_environment(copy)
    return copy


def own_environment(copy: Path) -> None:
    """A virtual environment in the copy that imports irsa from there, and all else from this one."""
    here, there = Path(sys.prefix), copy / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(there)], check=True)
    packages = Path(sysconfig.get_path("purelib"))
    own = there / packages.relative_to(here)
    # A folder that is named in such a file is searched, but its own files of this kind are not read.
    (own / "copy.pth").write_text(f"{copy}\n{packages}\n", "utf-8")
    for program in (here / "bin").iterdir():
        target = there / "bin" / program.name
        if not program.is_file() or target.exists():
            continue
        content = program.read_bytes()
        if content.startswith(f"#!{here}".encode()):
            target.write_bytes(content.replace(str(here).encode(), str(there).encode()))
            target.chmod(0o755)
        else:
            target.symlink_to(program)


def run_tests(copy: Path, place: Path, number: int, options: Sequence[str], **more: Any) -> Any:
    """Run tests in the copy with one fault on (0: none); what they tell of themselves is in `place`."""
    place.mkdir(parents=True, exist_ok=True)
    (place / NUMBER).write_text(str(number), encoding="utf-8")
    env = {
        **os.environ,
        "PYTHONPATH": f"{copy}/tools/house",
        FOLDER: str(place),
        "IRSA_COSTS": str(place / "costs"),
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    plugins = ("-p", "planting", "-p", "costs", "-p", "no:cacheprovider")
    python = str(copy / ".venv" / "bin" / "python")
    command = [python, "-m", "pytest", "-q", "--tb=no", *plugins, *options]
    env |= more.pop("env", {})
    return subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, check=False, **more)


@dataclass
class Reach:
    """What each test costs, and which tests reach a fault, of those that pass while all are off."""

    seconds: dict[str, float]
    tests: dict[int, set[str]]
    broken: list[str]

    @classmethod
    def of(cls, place: Path) -> Reach:
        """Read what a run of the whole suite has told."""
        costs = [json.loads(line) for line in (place / "costs").read_text("utf-8").splitlines()]
        usable = {item["test"]: item["seconds"] for item in costs if not item["e2e"]}
        broken = [item["test"] for item in costs if item["outcome"] == "failed"]
        usable = {name: seconds for name, seconds in usable.items() if name not in broken}
        tests: dict[int, set[str]] = defaultdict(set)
        for path in place.glob("*/reached"):
            for line in path.read_text("utf-8").splitlines():
                number, _, name = line.partition("\t")
                if name in usable:
                    tests[int(number)].add(name)
        return cls(usable, tests, broken)

    def chosen(self, number: int) -> list[list[str]]:
        """The tests to run for a fault, in two parts: the quick ones of each file first."""
        files: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self.tests[number], key=lambda name: (self.seconds[name], name)):
            files[name.partition("::")[0]].append(name)
        quick_first = sorted(files.values(), key=lambda names: self.seconds[names[0]])
        parts: list[list[str]] = [[], []]
        spent = 0.0
        for name in (name for row in zip_longest(*quick_first) for name in row if name):
            spent += self.seconds[name]
            if parts[0] and (spent > SECONDS or len(parts[0]) + len(parts[1]) == AT_MOST):
                break
            parts[int(spent > FIRST_SECONDS and bool(parts[0]))].append(name)
        return parts


def find(copy: Path, place: Path, number: int, reach: Reach) -> str:
    """The test that finds a fault, '' if none does."""
    for part in filter(None, reach.chosen(number)):
        allowed = 60 + 5 * sum(reach.seconds[name] for name in part)
        try:
            ran = run_tests(copy, place, number, ["-x", *part], timeout=allowed, env={"IRSA_E2E": "no"})
        except subprocess.TimeoutExpired:
            return "a time limit"
        if ran.returncode:
            failed = [
                line.split(" ", 1)[1]
                for line in ran.stdout.splitlines()
                if line.startswith(("FAILED ", "ERROR "))
            ]
            return (
                failed[0].partition(" - ")[0]
                if failed
                else f"exit {ran.returncode}: {(ran.stdout + ran.stderr)[-300:]}"
            )
    return ""


def plant(faults: Sequence[Fault], workers: int, jobs: int) -> list[dict[str, Any]]:
    """Plant faults one after the other; prints each with the test that found it."""
    with tempfile.TemporaryDirectory(prefix="irsa-planting-") as name:
        folder = Path(name)
        copy = planted_copy(folder, faults)
        # As in `make test`: what pytest makes of the modules is kept for the workers.
        run_tests(copy, folder / "collect", 0, ["--collect-only"])
        ran = run_tests(copy, folder / "all", 0, ["-n", str(workers), "--dist", "worksteal"])
        print(ran.stdout[-2000:])
        reach = Reach.of(folder / "all")
        print(f"{len(reach.broken)} tests fail in the copy and are not used:", *reach.broken, sep="\n  ")

        def one(number: int) -> dict[str, Any]:
            fault, reached = faults[number - 1], len(reach.tests[number])
            by = find(copy, folder / f"fault-{number}", number, reach)
            end = f"found by {by}" if by else f"NOT FOUND by {reached} tests that reach it"
            print(f"{number} {fault.path}:{fault.line}  {end}", flush=True)
            return {**asdict(fault), "reached": reached, "found": by}

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, range(1, len(faults) + 1)))


def table(results: Sequence[dict[str, Any]]) -> str:
    """Caught of planted for each room, and what nothing caught."""
    planted = Counter(Fault(**{key: item[key] for key in Fault.__annotations__}).room for item in results)
    caught = Counter(
        Fault(**{key: item[key] for key in Fault.__annotations__}).room for item in results if item["found"]
    )
    rows = [f"  {room:32} {caught[room]} of {count}" for room, count in sorted(planted.items())]
    missed = [item for item in results if not item["found"]]
    texts = [
        f"{item['path']}:{item['line']}  ({item['reached']} tests reach it)"
        f"\n  - {item['old']}\n  + {item['new']}"
        for item in missed
    ]
    return "\n".join([*rows, f"{sum(caught.values())} of {len(results)} found", *texts])


def compare(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> str:
    """What only one of two results has found."""
    earlier, later = (
        {(item["path"], item["line"], item["column"]): item for item in side} for side in (before, after)
    )
    lines = []
    for key in sorted(earlier.keys() & later.keys()):
        if bool(earlier[key]["found"]) != bool(later[key]["found"]):
            side = "only before" if earlier[key]["found"] else "only after"
            by = earlier[key]["found"] or later[key]["found"]
            lines.append(
                f"{key[0]}:{key[1]}  {side}: {by}\n  - {earlier[key]['old']}\n  + {earlier[key]['new']}"
            )
    counts = [sum(bool(item["found"]) for item in side) for side in (before, after)]
    return "\n".join(
        [*lines, f"found before {counts[0]} of {len(before)}, after {counts[1]} of {len(after)}"]
    )


def main() -> int:
    """Draw, plant or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw")
    drawing.add_argument("--count", type=int, default=100)
    drawing.add_argument("--seed", type=int, default=1)
    planting = commands.add_parser("plant")
    planting.add_argument("file", type=Path)
    planting.add_argument("--results", type=Path)
    planting.add_argument("--workers", type=int, default=3 * (os.cpu_count() or 1) + 1)
    planting.add_argument("--jobs", type=int, default=2)
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    asked = parser.parse_args()
    if asked.command == "draw":
        print(json.dumps([asdict(fault) for fault in draw(asked.count, asked.seed)], indent=1))
    elif asked.command == "compare":
        print(compare(*(json.loads(path.read_text("utf-8")) for path in (asked.before, asked.after))))
    else:
        faults = [Fault(**item) for item in json.loads(asked.file.read_text("utf-8"))]
        results = plant(faults, asked.workers, asked.jobs)
        print(table(results))
        if asked.results:
            asked.results.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
