"""`python -m tests.faults`: play the matrix or a sample of it, print the account; exit 1: a promise broke."""

import argparse
import sys
import time

from tests.faults.bench import Result
from tests.faults.cases import matrix, shuffled
from tests.faults.commands import COMMANDS
from tests.faults.mutants import MUTANTS
from tests.faults.table import render
from tests.faults.workers import Workers


def main() -> int:
    """Play what the command line asks for; returns the exit code."""
    options = _options()
    names = ("sandbox", "real") if options.stage == "both" else (options.stage,)
    results: list[Result] = []
    planned = 0
    for name in names:
        played, size = _play(name, options, options.sample / len(names) if options.sample else float("inf"))
        results += played
        planned += size
    if options.list:
        return 0
    print("\n".join(render(results, planned)))
    failed = [result for result in results if result.failed]
    print("\n".join(f"--case '{result.case.id}'" for result in failed))
    return 1 if failed or not results else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--sample", type=float, metavar="SECONDS", help="stop to begin cases after this time")
    parser.add_argument("--seed", type=int, default=0, help="order of the cases, and what follows each")
    parser.add_argument("--stage", choices=["sandbox", "real", "both"], default="sandbox")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--case", action="append", metavar="ID", help="play only this case (repeat)")
    parser.add_argument("--match", metavar="TEXT", default="", help="only cases with this in their id")
    parser.add_argument("--command", action="append", choices=[*COMMANDS], help="only this command (repeat)")
    parser.add_argument("--mutant", choices=[*MUTANTS], default="", help="play with an irsa that is broken")
    parser.add_argument("--list", action="store_true", help="print the ids of the cases and play none")
    return parser.parse_args()


def _play(stage: str, options: argparse.Namespace, seconds: float) -> tuple[list[Result], int]:
    results: list[Result] = []
    with Workers(stage, options.jobs) as workers:
        recordings = workers.record(options.command or list(COMMANDS))
        cases = [case for recording in recordings.values() for case in matrix(stage, recording)]
        if options.list:
            print("\n".join(case.id for case in cases))
            return [], len(cases)
        chosen = [
            case
            for case in cases
            if options.match in case.id and (not options.case or case.id in options.case)
        ]
        chosen = shuffled(chosen, options.seed)
        until = time.monotonic() + seconds
        for result in workers.play(chosen, recordings, options.seed, until, mutant=options.mutant):
            results.append(result)
            _tell(result, len(results), len(chosen))
    return results, len(cases)


def _tell(result: Result, count: int, total: int) -> None:
    if result.failed:
        verdict = (
            f"{result.verdict.value}, then {result.after}, {'' if result.recovered else 'not '}recovered"
        )
        print(f"\n{result.case.id}: {verdict}\n{result.story}", file=sys.stderr)
    if result.failed or count % 50 == 0:
        print(f"{count}/{total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
