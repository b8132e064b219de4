"""`make fuzz`: many inputs of each sort, and the figures. See CONTRIBUTING.md."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from irsa_cli.sandbox import Sandbox
from tests.fuzz import answers, inputs, journals, lines, pods, readback
from tests.fuzz.runs import Figures

SORTS = ("lines", "inputs", "journals", "answers", "readback", "pods")


def main() -> int:
    """Run the sorts that are asked for; 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--sort", choices=SORTS, action="append")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    bad = 0
    for sort in given.sort or SORTS:
        figures = _run(sort, given.count, given.seed)
        for case in figures.cases:
            print(case, flush=True)
        for line in figures.lines():
            print(line, flush=True)
        bad += sum(figures.found.values())
    return bool(bad)


def _run(sort: str, count: int, seed: int) -> Figures:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            if sort == "lines":
                return lines.fuzz(Path(name), count, seed)
            if sort == "pods":
                return pods.fuzz(Path(name), count, seed)
            with Sandbox() as sandbox:
                fuzz = {
                    "inputs": inputs.fuzz,
                    "journals": journals.fuzz,
                    "answers": answers.fuzz,
                    "readback": readback.fuzz,
                }[sort]
                return fuzz(sandbox, Path(name), count, seed)
        finally:
            os.chdir(before)


if __name__ == "__main__":
    sys.exit(main())
