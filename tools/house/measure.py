"""Measure the program: how much its rooms say, how its functions branch, and what a command can reach.

    python tools/house/measure.py                       a table
    python tools/house/measure.py --json                the same as one document
    python tools/house/measure.py --coverage FILE       and how much of each room the tests reach
                                  --least ROOM=PERCENT  fails if it is less
    python tools/house/measure.py --reach MODULE ...    what of each room these modules can reach
    python tools/house/measure.py --write               writes the figures of SECURITY.md, and removes from
                                                        complex.txt the functions that are simple by now

FILE is what `coverage json` writes (`make coverage`). Nodes are those of the syntax tree without imports:
they count what is said, however it is broken into lines. No figure is a goal; it says where to read first.
`tests/unit/house/test_gates.py` holds the limits: the budgets of rooms in budgets.txt, and functions that are
hard to follow in complex.txt. Which room may import which is in import-linter's contracts (pyproject.toml).
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from complexipy import code_complexity

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "irsa_cli"
BUDGETS = Path(__file__).with_name("budgets.txt")
COMPLEX = Path(__file__).with_name("complex.txt")
SECURITY = "SECURITY.md"

MANY_BRANCHES = 10
MOST_COMPLEX = 15
"""Cognitive complexity, as complexipy counts it: branches, and how deep they are in each other."""
MARGIN = 1.1
"""By how much a room may outgrow its budget between two releases."""

START = f"{PACKAGE}.__main__"
COMMANDS = f"{PACKAGE}.cli.commands"
CREATING = ("associate_oidc", "create_sa")
WRITING = (
    *CREATING,
    "adopt",
    "release",
    "apply",
    "delete",
    "delete_sa",
    "disassociate_oidc",
    "migrate",
    "recover",
    "repoint",
    "retire",
    "unlock",
    "update_sa",
)
"""The modules of the commands that can change AWS or a cluster."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_IMPORTS = (ast.Import, ast.ImportFrom)
_CONTEXTS = (ast.Load, ast.Store, ast.Del)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.match_case)
_DOTTED = re.compile(rf"{PACKAGE}(?:\.\w+)+")


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, its text, its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether it is the `__init__` of a folder."""
        return self.path.name == "__init__.py"

    @property
    def room(self) -> str:
        """Its room: the folder, two levels deep at most, as `core/trust`; '.' for the package itself."""
        package = self.name if self.is_package else self.name.rpartition(".")[0]
        return "/".join(package.split(".")[1:3]) or "."

    @property
    def lines(self) -> int:
        """All lines of the file."""
        return len(self.text.splitlines())

    @cached_property
    def nodes(self) -> int:
        """What the file says, in nodes of its syntax tree."""
        return nodes_of(self.tree)

    @property
    def branches(self) -> list[int]:
        """The branches of each function."""
        return [branches_of(node) for node in ast.walk(self.tree) if isinstance(node, _Function)]


@dataclass(frozen=True)
class Room:
    """One room: what it says, in nodes, and what it may say; how many of its functions have many branches."""

    name: str
    nodes: int
    budget: int | None
    functions: int
    branching: int
    coverage: float | None = None


@dataclass(frozen=True)
class Reach:
    """The code that can run if some modules run."""

    nodes: int
    lines: int
    modules: int


@dataclass(frozen=True)
class House:
    """All that is measured."""

    rooms: list[Room]
    nodes: int
    complex: dict[str, int]
    creating: Reach
    writing: Reach
    coverage: float | None = None


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one document instead of a table")
    parser.add_argument("--coverage", type=Path, metavar="FILE", help="output of `coverage json`")
    parser.add_argument(
        "--least", nargs="+", default=[], metavar="ROOM=PERCENT", help="the least coverage of a folder"
    )
    parser.add_argument("--reach", nargs="+", metavar="MODULE", help="count the code that these can reach")
    parser.add_argument("--write", action="store_true", help="write SECURITY.md, and shorten complex.txt")
    options = parser.parse_args()
    modules = modules_of(ROOT)
    if options.reach:
        print(reach_table(modules, options.reach))
        return
    covered = _covered(options.coverage) if options.coverage else {}
    house = measure(modules, budgets(), covered)
    if options.write:
        write(house)
    print(json.dumps(asdict(house), indent=2) if options.json else table(house))
    below = list(_below(covered, options.least))
    if below:
        sys.exit("\n".join(below))


def modules_of(root: Path) -> dict[str, Module]:
    """All modules of the package in a folder, by name."""
    modules = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = Module(name, path, text, ast.parse(text))
    return modules


def measure(
    modules: Mapping[str, Module],
    budget: Mapping[str, int],
    covered: Mapping[str, tuple[int, int]] | None = None,
) -> House:
    """Measure these modules; `covered` has statements reached and statements in all, by file."""
    return House(
        rooms=rooms_of(modules, budget, covered or {}),
        nodes=sum(module.nodes for module in modules.values()),
        complex=complex_functions(modules),
        creating=reach_of(modules, reached_by_commands(modules, CREATING)),
        writing=reach_of(modules, reached_by_commands(modules, WRITING)),
        coverage=_share(covered or {}, PACKAGE),
    )


def nodes_of(tree: ast.AST) -> int:
    """The nodes of a syntax tree without imports, and without the contexts that Python adds to names."""
    count = 0
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, (*_IMPORTS, *_CONTEXTS)):
            count += 1
            waiting.extend(ast.iter_child_nodes(node))
    return count


def branches_of(function: _Function) -> int:
    """The ways through a function: `and`, `or`, `if`-else expressions and comprehensions count too."""
    count = 1
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, _SCOPES):
            continue
        if isinstance(node, _BRANCHES):
            count += 1
        elif isinstance(node, ast.comprehension):
            count += 1 + len(node.ifs)
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        waiting.extend(ast.iter_child_nodes(node))
    return count


def rooms_of(
    modules: Mapping[str, Module], budget: Mapping[str, int], covered: Mapping[str, tuple[int, int]]
) -> list[Room]:
    """The rooms, the largest first."""
    inside: dict[str, list[Module]] = defaultdict(list)
    for module in modules.values():
        inside[module.room].append(module)
    rooms = []
    for name, parts in inside.items():
        branches = [count for module in parts for count in module.branches]
        rooms.append(
            Room(
                name=name,
                nodes=sum(module.nodes for module in parts),
                budget=budget.get(name),
                functions=len(branches),
                branching=sum(count > MANY_BRANCHES for count in branches),
                coverage=_share(covered, f"{PACKAGE}/{name}"),
            )
        )
    return sorted(rooms, key=lambda room: -room.nodes)


def complex_functions(modules: Mapping[str, Module]) -> dict[str, int]:
    """The cognitive complexity of the functions that are hard to follow, by `module function`."""
    complexities = {}
    for module in modules.values():
        measured = code_complexity(module.text, no_ignore=True, with_plans=False)
        for function in measured.functions:
            if function.complexity > MOST_COMPLEX:
                name = function.name.replace("::", ".")
                complexities[f"{module.name} {name}"] = function.complexity
    return complexities


def budgets(file: Path = BUDGETS) -> dict[str, int]:
    """The budget of each room, in nodes."""
    rows = [line.split() for line in listed(file)]
    return {room: int(nodes.replace(",", "")) for room, nodes in rows}


def listed(file: Path) -> list[str]:
    """The lines of a list, without comments."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def outgrown(rooms: Iterable[Room], budget: Mapping[str, int]) -> list[str]:
    """What is wrong with the budgets; nothing if each room has one and keeps to it."""
    sizes = {room.name: room.nodes for room in rooms}
    faults = [f"{name}: there is no such room, remove its budget" for name in budget if name not in sizes]
    for name, nodes in sizes.items():
        if name not in budget:
            faults.append(f"{name}: it has {nodes:,} nodes and no budget")
        elif nodes > budget[name] * MARGIN:
            faults.append(f"{name}: it has {nodes:,} nodes, its budget is {budget[name]:,}")
    return faults


def reached_by_commands(modules: Mapping[str, Module], commands: Iterable[str]) -> set[str]:
    """The modules that runs of some commands can reach."""
    return reached(modules, [START, *(f"{COMMANDS}.{command}" for command in commands)])


def reached(modules: Mapping[str, Module], starts: Iterable[str]) -> set[str]:
    """The names of all modules that can be reached from these.

    All imports count: those for type checking, those inside of functions, and those by a name in a string. A
    module also leads to its packages, because Python runs them first. The command line finds the commands by
    their names: of these, `starts` has those that run.
    """
    names: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name in names or name not in modules:
            continue
        names.add(name)
        waiting.append(name.rpartition(".")[0])
        waiting.extend(imported(modules[name], modules))
        waiting.extend(other for other in named(modules[name], modules) if _package(other) != COMMANDS)
    return names


def reach_of(modules: Mapping[str, Module], names: Iterable[str]) -> Reach:
    """The size of these modules together."""
    inside = [modules[name] for name in names]
    return Reach(
        nodes=sum(module.nodes for module in inside),
        lines=sum(module.lines for module in inside),
        modules=len(inside),
    )


def imported(module: Module, names: Iterable[str]) -> Iterator[str]:
    """The modules that the import statements of one name."""
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


def named(module: Module, names: Iterable[str]) -> Iterator[str]:
    """The modules that strings of one name, as importlib loads them: `a.b`, `a.b:name`, f"{PACKAGE}.b".

    A part of an f-string that is not known stands for every name. A package that loads modules by names that
    it computes leads to all modules in it.
    """
    constants = _constants(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            pattern = re.escape(node.value)
        elif isinstance(node, ast.JoinedStr):
            pattern = "".join(_pattern(part, constants) for part in node.values)
        elif isinstance(node, ast.Name) and node.id == "import_module" and module.is_package:
            pattern = rf"{re.escape(module.name)}\.\w+"
        else:
            continue
        if pattern.startswith(PACKAGE):
            before_colon = re.compile(pattern.partition(":")[0])
            yield from (name for name in names if before_colon.fullmatch(name))


def _constants(tree: ast.Module) -> dict[str, str]:
    """The texts at the top of a module, by name."""
    constants = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    constants[target.id] = str(node.value.value)
    return constants


def _pattern(part: ast.expr, constants: Mapping[str, str]) -> str:
    """A part of an f-string as a regular expression."""
    if isinstance(part, ast.Constant):
        return re.escape(str(part.value))
    variable = part.value if isinstance(part, ast.FormattedValue) else None
    if isinstance(variable, ast.Name) and variable.id in constants:
        return re.escape(constants[variable.id])
    return r"\w*"


def _package(name: str) -> str:
    return name.rpartition(".")[0]


def reach_table(modules: Mapping[str, Module], starts: Sequence[str]) -> str:
    """What of each room can be reached, for people."""
    unknown = [name for name in starts if name not in modules]
    if unknown:
        sys.exit(f"there is no module {', '.join(unknown)}")
    inside: dict[str, list[str]] = defaultdict(list)
    for name in reached(modules, starts):
        inside[modules[name].room].append(name)
    rows = [(room, reach_of(modules, names)) for room, names in inside.items()]
    rows.sort(key=lambda row: -row[1].nodes)
    whole = reach_of(modules, [name for names in inside.values() for name in names])
    return "\n".join(
        f"{part.nodes:>8,} nodes {part.lines:>7,} lines {part.modules:>4} modules  {room}"
        for room, part in [("all", whole), *rows]
    )


def sentence(house: House) -> str:
    """What SECURITY.md says of how much code can write."""
    writing = house.writing
    creating = house.creating
    return (
        f"About {_rounded(writing.nodes)} syntax nodes ({_rounded(writing.lines)} lines) can write to your "
        "account or your cluster: everything that the commands that write can reach. `irsa create-sa` and "
        f"`irsa associate-oidc` reach about {_rounded(creating.nodes)} of them "
        f"({_rounded(creating.lines)} lines)."
    )


def _rounded(count: int) -> str:
    """A count in thousands."""
    return f"{round(count, -3):,}"


FIGURES = re.compile(r"About [\d,]+ syntax nodes .*?lines\)\.", re.DOTALL)
"""The sentences of SECURITY.md that `sentence` writes."""


def write(house: House, root: Path = ROOT, file: Path = COMPLEX) -> None:
    """Write the figures of SECURITY.md, and remove functions from the list that are simple by now."""
    page = root / SECURITY
    text = page.read_text(encoding="utf-8")
    page.write_text(FIGURES.sub(_wrapped(sentence(house)), text), encoding="utf-8")
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line in house.complex or line.startswith("#")]
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")


def _wrapped(text: str, width: int = 120) -> str:
    """A paragraph in lines as the pages have them."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _covered(file: Path) -> dict[str, tuple[int, int]]:
    """Statements reached, and all, by file."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {
        Path(name).as_posix(): (entry["summary"]["covered_lines"], entry["summary"]["num_statements"])
        for name, entry in document["files"].items()
    }


def _share(covered: Mapping[str, tuple[int, int]], room: str) -> float | None:
    """Percent of a folder's statements that were reached; None if nobody has looked."""
    folder = f"{room.replace('.', '/')}/"
    total: Counter[str] = Counter()
    for name, (reached, statements) in covered.items():
        if name.startswith(folder) or f"/{folder}" in name:
            total["reached"] += reached
            total["statements"] += statements
    return round(100 * total["reached"] / total["statements"], 1) if total["statements"] else None


def _below(covered: Mapping[str, tuple[int, int]], least: Iterable[str]) -> Iterator[str]:
    """The folders below their least coverage."""
    for name, _, percent in (limit.partition("=") for limit in least):
        share = _share(covered, name) or 0.0
        if share < float(percent):
            yield f"{name}: {share} % is covered, at least {percent} % is required"


def table(house: House) -> str:
    """What was measured, for people."""
    columns = f"{'nodes':>9}{'budget':>9}{'functions':>11}{'over 10 branches':>18}{'coverage':>10}"
    lines = [f"{'room':<24}{columns}"]
    for room in house.rooms:
        budget = "" if room.budget is None else f"{room.budget:,}"
        share = "" if room.coverage is None else f"{room.coverage:.1f} %"
        row = f"{room.name:<24}{room.nodes:>9,}{budget:>9}{room.functions:>11}{room.branching:>18}{share:>10}"
        lines.append(row.rstrip())
    functions = sum(room.functions for room in house.rooms)
    branching = sum(room.branching for room in house.rooms)
    lines += [
        "",
        f"{house.nodes:,} nodes; of 1,000 functions, {1000 * branching / functions:.0f} have over "
        f"{MANY_BRANCHES} branches; {len(house.complex)} have a cognitive complexity over {MOST_COMPLEX}",
        _reach_line("associate-oidc and create-sa", house.creating),
        _reach_line("all commands that write", house.writing),
    ]
    return "\n".join(lines)


def _reach_line(who: str, reach: Reach) -> str:
    return f"reached by {who}: {reach.nodes:,} nodes, {reach.lines:,} lines, {reach.modules} modules"


if __name__ == "__main__":
    main()
