"""What a file costs to delete: `irsa delete -f` beside `irsa apply` of the same new ServiceAccounts.

Also on its own: `python -m benchmarks.deleting`, with other numbers of ServiceAccounts as arguments.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.applying import config
from benchmarks.measuring import alone, irsa, measure, report
from irsa_cli.sandbox import Sandbox

SIZES = (200, 800)
RATIO = 2.5
CALLS = 17
"""For each ServiceAccount: two locks, and every object compared before it is changed."""


def results(sandbox: Sandbox, env: Mapping[str, str], sizes: Sequence[int] = SIZES) -> list[bool]:
    """Measure each size; whether its limits hold."""
    return [holds for size in sizes for holds in _compared(sandbox, env, size)]


def _compared(sandbox: Sandbox, env: Mapping[str, str], size: int) -> list[bool]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.yaml"
        path.write_text(json.dumps(config(size, "bench")), encoding="utf-8")
        sandbox.calls.clear()
        apply = measure([irsa(), "apply", "-f", str(path), "-q"], env)
        apply_calls = len(sandbox.calls) / size
        sandbox.calls.clear()
        delete = measure([irsa(), "delete", "-f", str(path), "--yes", "-q"], env)
        delete_calls = len(sandbox.calls) / size
    for name, measured, calls in (("apply", apply, apply_calls), ("delete -f", delete, delete_calls)):
        print(
            f"      {name} of {size}: {measured.seconds:.1f} s, {measured.processor:.1f} s of processor,"
            f" {calls:.1f} calls each"
        )
    seconds, processor = delete.seconds / apply.seconds, delete.processor / apply.processor
    limit = f"{RATIO}x"
    return [
        report(f"delete -f / apply of {size}", f"{seconds:.2f}x", limit, holds=seconds <= RATIO),
        report(f"processor of the same, {size}", f"{processor:.2f}x", limit, holds=processor <= RATIO),
        report(
            f"calls of delete -f each, {size}", f"{delete_calls:.1f}", f"{CALLS}", holds=delete_calls <= CALLS
        ),
    ]


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(alone(lambda sandbox, env: results(sandbox, env, numbers or SIZES)))
