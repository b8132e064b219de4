"""Measure the program: the size of folders, their imports, and files that are too large.

    python tools/house/measure.py                       a table
    python tools/house/measure.py --json                the same as one document
    python tools/house/measure.py --coverage FILE       and how much of each room the tests reach
                                  --least ROOM=PERCENT  fails if it is less
    python tools/house/measure.py --time-units          and how long tests/unit takes (it is run)
    python tools/house/measure.py --reach MODULE ...    modules and lines of each room that these can reach

FILE is what `coverage json` writes (`make coverage`). All imports count: those for type checking, and those
inside of functions. Which of them may be is in import-linter's contracts (pyproject.toml).
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "irsa_cli"
MOST_IN_A_FOLDER = 16
LONG_MODULE, LONG_FUNCTION = 400, 50
WORKERS = "2"

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, its syntax tree, how many lines it has."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def is_package(self) -> bool:
        """Whether it is the `__init__` of a folder."""
        return self.path.name == "__init__.py"


@dataclass(frozen=True)
class Room:
    """One folder: its modules and their imports.

    `arrows` are imports from one part of the folder (a module or a sub-folder) to another; `floors` is how
    many of the parts stand on top of each other, those of one circle counted as one.
    """

    name: str
    modules: int
    rooms: int
    lines: int
    arrows: int
    floors: int
    circles: int
    coverage: float | None = None

    @property
    def parts(self) -> int:
        """Modules and sub-folders directly in it."""
        return self.modules + self.rooms


@dataclass(frozen=True)
class House:
    """All that is measured."""

    rooms: list[Room]
    crowded: dict[str, int]
    circles: list[list[str]]
    modules: int
    lines: int
    long_modules: dict[str, int]
    long_functions: dict[str, int]
    classes_twice: dict[str, list[str]]
    coverage: float | None = None
    unit_seconds: float | None = None
    unit_tests: str = field(default="")


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one document instead of a table")
    parser.add_argument("--coverage", type=Path, metavar="FILE", help="output of `coverage json`")
    parser.add_argument(
        "--least", nargs="+", default=[], metavar="ROOM=PERCENT", help="the least coverage of a room"
    )
    parser.add_argument("--time-units", action="store_true", help="run tests/unit and tell how long it takes")
    parser.add_argument(
        "--reach", nargs="+", metavar="MODULE", help="count the code that these modules can reach"
    )
    given = parser.parse_args()
    if given.reach:
        print(
            "\n".join(
                f"{n:>6} lines {m:>4} modules  {room}" for room, (n, m) in reach(ROOT, given.reach).items()
            )
        )
        return
    house = measure(ROOT, _covered(given.coverage) if given.coverage else None)
    if given.time_units:
        seconds, summary = _time_units()
        house = House(**{**vars(house), "unit_seconds": seconds, "unit_tests": summary})
    print(json.dumps(asdict(house), indent=2) if given.json else table(house))
    below = [*_below(house, given.least)]
    if below:
        sys.exit("\n".join(below))


def measure(root: Path, covered: Mapping[str, tuple[int, int]] | None = None) -> House:
    """Measure the package in a folder; `covered` has lines reached and lines in all, by file."""
    modules = list(_modules(root))
    graph = imports(modules)
    rooms = [_room(module, modules, graph, covered) for module in modules if module.is_package]
    return House(
        rooms=rooms,
        crowded={room.name: room.parts for room in rooms if room.parts > MOST_IN_A_FOLDER},
        circles=circles(graph),
        modules=len(modules),
        lines=sum(module.lines for module in modules),
        long_modules=_longest((m.name, m.lines) for m in modules if m.lines > LONG_MODULE),
        long_functions=_longest(_long_functions(modules)),
        classes_twice=_classes_twice(modules),
        coverage=_share(covered, PACKAGE),
    )


def _modules(root: Path) -> Iterator[Module]:
    for path in sorted((root / PACKAGE).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield Module(name, path, ast.parse(text), len(text.splitlines()))


def imports(modules: Sequence[Module]) -> Graph:
    """Which module imports which others of the package."""
    names = {module.name for module in modules}
    return {module.name: frozenset(_imported(module, names)) - {module.name} for module in modules}


def reach(root: Path, starts: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Lines and modules that can be reached from these, by room, the largest first; all of it first.

    A module also leads to its packages, because Python runs them first.
    """
    modules = {module.name: module for module in _modules(root)}
    graph = imports([*modules.values()])
    found: set[str] = set()
    waiting = [*starts]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [*graph[name], *([name.rpartition(".")[0]] if "." in name else [])]
    lines: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for name in found:
        for room in (PACKAGE, ".".join(name.split(".")[:3])) if name != PACKAGE else (PACKAGE,):
            lines[room] += modules[name].lines
            count[room] += 1
    return {room: (total, count[room]) for room, total in lines.most_common()}


def _imported(module: Module, names: Iterable[str]) -> Iterator[str]:
    known = set(names)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner in known:
                    yield inner
                elif base in known:
                    yield base


def _base(module: Module, node: ast.ImportFrom) -> str:
    """The module of a `from`; dots count from this module."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    package = parts if module.is_package else parts[:-1]
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def circles(graph: Graph) -> list[list[str]]:
    """Sets of modules of which each can be reached from each other one, the largest first."""
    return sorted((sorted(part) for part in _components(graph) if len(part) > 1), key=lambda c: (-len(c), c))


def _components(graph: Graph) -> list[frozenset[str]]:
    """Strongly connected parts, each after those that it leads to (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[frozenset[str]] = []
    inside: set[str] = set()
    for root in graph:
        if root in index:
            continue
        work = [(root, iter(sorted(graph[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        inside.add(root)
        while work:
            node, following = work[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    inside.add(other)
                    work.append((other, iter(sorted(graph[other]))))
                    break
                if other in inside:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    found.append(frozenset(stack[at:]))
                    inside.difference_update(stack[at:])
                    del stack[at:]
    return found


def _room(
    package: Module,
    modules: Sequence[Module],
    graph: Graph,
    covered: Mapping[str, tuple[int, int]] | None,
) -> Room:
    prefix = f"{package.name}."
    inside = [module for module in modules if module.name.startswith(prefix)]
    direct = [module for module in inside if "." not in module.name.removeprefix(prefix)]

    def part(name: str) -> str:
        return name.removeprefix(prefix).partition(".")[0] if name.startswith(prefix) else ""

    between: dict[str, set[str]] = {part(module.name): set() for module in inside}
    for module in inside:
        one = part(module.name)
        between[one] |= {part(other) for other in graph[module.name]} - {"", one}
    whole = {name: frozenset(others) for name, others in between.items()}
    return Room(
        name=package.name,
        modules=sum(not module.is_package for module in direct),
        rooms=sum(module.is_package for module in direct),
        lines=package.lines + sum(module.lines for module in inside),
        arrows=sum(map(len, whole.values())),
        floors=_floors(whole),
        circles=len(circles(whole)),
        coverage=_share(covered, package.name),
    )


def _floors(graph: Graph) -> int:
    height: dict[str, int] = {}
    for part in _components(graph):
        below = [height[other] for node in part for other in graph[node] if other not in part]
        height.update(dict.fromkeys(part, 1 + max(below, default=0)))
    return max(height.values(), default=0)


def _longest(items: Iterable[tuple[str, int]]) -> dict[str, int]:
    return dict(sorted(items, key=lambda item: -item[1]))


def _long_functions(modules: Iterable[Module]) -> Iterator[tuple[str, int]]:
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONG_FUNCTION:
                    yield f"{module.name}.{node.name}", lines


def _classes_twice(modules: Iterable[Module]) -> dict[str, list[str]]:
    where: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(module.name)
    return {name: sorted(places) for name, places in sorted(where.items()) if len(places) > 1}


def _covered(file: Path) -> dict[str, tuple[int, int]]:
    """Statements reached, and all, by file."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {
        Path(name).as_posix(): (entry["summary"]["covered_lines"], entry["summary"]["num_statements"])
        for name, entry in document["files"].items()
    }


def _share(covered: Mapping[str, tuple[int, int]] | None, room: str) -> float | None:
    """Percent of a room's statements that were reached; None where nobody has looked."""
    folder = f"{room.replace('.', '/')}/"
    total: Counter[str] = Counter()
    for name, (reached, statements) in (covered or {}).items():
        if name.startswith(folder) or f"/{folder}" in name:
            total["reached"] += reached
            total["statements"] += statements
    return round(100 * total["reached"] / total["statements"], 1) if total["statements"] else None


def _below(house: House, least: Sequence[str]) -> Iterator[str]:
    """The rooms below their least coverage."""
    found = {room.name: room.coverage or 0.0 for room in house.rooms}
    for name, _, percent in (item.partition("=") for item in least):
        if found.get(name, 0.0) < float(percent):
            yield f"{name}: {found.get(name, 0.0)} % is covered, at least {percent} % is required"


def _time_units() -> tuple[float, str]:
    """Seconds that the unit folder takes with two workers, and pytest's last line."""
    command = [sys.executable, "-m", "pytest", "tests/unit", "-q", "-n", WORKERS]
    started = time.monotonic()
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return round(time.monotonic() - started, 1), (ran.stdout.strip().splitlines() or [ran.stderr])[-1]


def table(house: House) -> str:
    """What was measured, for people."""
    lines = ["room                                parts  lines  arrows  floors  circles  coverage"]
    for room in house.rooms:
        share = "" if room.coverage is None else f"{room.coverage:.1f} %"
        parts = f"{room.parts}{'!' if room.parts > MOST_IN_A_FOLDER else ' '}"
        lines.append(
            f"{room.name:<36}{parts:>6} {room.lines:>6} {room.arrows:>7} {room.floors:>7} {room.circles:>8}"
            f" {share:>9}".rstrip()
        )
    lines += [
        "",
        f"{house.modules} modules, {house.lines} lines; ! has more than {MOST_IN_A_FOLDER} parts",
        *_listed("circles of files", [" ".join(circle) for circle in house.circles]),
        *_listed(f"modules over {LONG_MODULE} lines", _counted(house.long_modules)),
        *_listed(f"functions over {LONG_FUNCTION} lines", _counted(house.long_functions)),
        *_listed("class names used twice", [f"{k}: {' '.join(v)}" for k, v in house.classes_twice.items()]),
    ]
    if house.unit_seconds is not None:
        lines.append(f"tests/unit, {WORKERS} workers: {house.unit_seconds:.0f} s; {house.unit_tests}")
    return "\n".join(lines)


def _counted(found: Mapping[str, int]) -> list[str]:
    return [f"{count:>5}  {name}" for name, count in found.items()]


def _listed(title: str, items: Sequence[str]) -> list[str]:
    return [f"{title}: {len(items) or 'none'}", *(f"  {item}" for item in items)]


if __name__ == "__main__":
    main()
