"""What the tests are and cost: nodes, functions, cases and seconds of each folder, and the slowest tests.

    IRSA_COSTS=FILE PYTHONPATH=tools/house python -m pytest -p costs -n 8    writes FILE
    python tools/house/suite.py FILE                                        reads it

Seconds are those of each test with what it sets up, added; processor is that of its worker alone.
"""

from __future__ import annotations

import ast
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_WITHOUT = (ast.Load, ast.Store, ast.Del)
_IMPORTS = (ast.Import, ast.ImportFrom)
SLOWEST = 10


def nodes_of(tree: ast.AST) -> int:
    """Nodes of a syntax tree, without those of imports."""
    if isinstance(tree, _IMPORTS):
        return 0
    return (not isinstance(tree, _WITHOUT)) + sum(map(nodes_of, ast.iter_child_nodes(tree)))


def folder_of(name: str) -> str:
    """The folder under which a test is counted: one below tests, two below tests/unit."""
    parts = Path(name.partition("::")[0]).parent.parts[1:]
    return "/".join(parts[: 2 if parts[:1] == ("unit",) else 1]) or "."


def main() -> int:
    """Print the table."""
    nodes: defaultdict[str, int] = defaultdict(int)
    functions: defaultdict[str, int] = defaultdict(int)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        tree, folder = ast.parse(path.read_bytes()), folder_of(str(path.relative_to(ROOT)))
        nodes[folder] += nodes_of(tree)
        functions[folder] += sum(isinstance(node, ast.FunctionDef) for node in ast.walk(tree))
    costs: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in Path(sys.argv[1]).read_text("utf-8").splitlines() if sys.argv[1:] else ():
        record = json.loads(line)
        costs[folder_of(record["test"])].append(record)
    print(f"{'folder':24} {'nodes':>8} {'functions':>9} {'cases':>7} {'seconds':>8} {'processor':>9}")
    total = [0, 0, 0, 0.0, 0.0]
    for folder in sorted(nodes.keys() | costs.keys()):
        used = [sum(record[key] for record in costs[folder]) for key in ("seconds", "processor")]
        row = [nodes[folder], functions[folder], len(costs[folder]), *used]
        total = [before + more for before, more in zip(total, row, strict=True)]
        print("{:24} {:8} {:9} {:7} {:8.0f} {:9.0f}".format(folder, *row))
    print("{:24} {:8} {:9} {:7} {:8.0f} {:9.0f}".format("all", *total))
    records = [record for here in costs.values() for record in here]
    for record in sorted(records, key=lambda record: -record["seconds"])[:SLOWEST]:
        print(f"{record['seconds']:8.1f} s  {record['test']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
