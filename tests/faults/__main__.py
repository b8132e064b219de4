"""`python -m tests.faults`: play the matrix or a sample of it, print the account; exit 1: a promise broke.

Also when not all of it was played in time, unless a sample was asked for.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.bench import Result
from tests.faults.cases import Case, check_ways, matrix, of_stage, shuffled
from tests.faults.commands import COMMANDS
from tests.faults.mutants import MUTANTS
from tests.faults.table import from_line, render, to_line
from tests.faults.workers import Workers

BOTH = ("sandbox", "real")
STAGES = {"sandbox": BOTH[:1], "real": BOTH[1:], "both": BOTH, "split": BOTH}


def main() -> int:
    """Play what the command line asks for; returns the exit code."""
    options = _options()
    names = STAGES[options.stage]
    until = time.monotonic() + (options.limit or float("inf"))
    # A sample is shared out among the stages; a limit is for all of them.
    share = options.sample / len(names) if options.sample else 0
    results: list[Result] = []
    planned = 0
    for name in names:
        played, size = _play(name, options, until, share)
        results += played
        planned += size
    if options.list:
        return 0
    print("\n".join(render(results, planned)))
    failed = [result for result in results if result.failed]
    print("\n".join(f"--case '{result.case.id}'" for result in failed))
    complete = bool(results) and (options.sample or len(results) >= planned)
    return 0 if complete and not failed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--sample", type=float, metavar="SECONDS", help="stop to begin cases after this time")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="the same; what is not played fails")
    parser.add_argument("--seed", type=int, default=0, help="order of the cases, and what follows each")
    parser.add_argument(
        "--stage",
        choices=[*STAGES],
        default="split",
        help="split: Kubernetes' calls on the real API server, all others on the sandbox",
    )
    parser.add_argument("-j", "--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--case", action="append", metavar="ID", help="play only this case (repeat)")
    parser.add_argument("--match", metavar="TEXT", default="", help="only cases with this in their id")
    parser.add_argument("--command", action="append", choices=[*COMMANDS], help="only this command (repeat)")
    parser.add_argument("--mutant", choices=[*MUTANTS], default="", help="play with an irsa that is broken")
    parser.add_argument(
        "--log", type=Path, help="write each result here; those that are there count as played"
    )
    parser.add_argument("--list", action="store_true", help="print the ids of the cases and play none")
    return parser.parse_args()


def _play(
    stage: str, options: argparse.Namespace, until: float, sample: float = 0
) -> tuple[list[Result], int]:
    """Results of a stage, and how many there should be.

    The seconds of a `sample` begin when the calls are recorded, so that each stage has its own.
    """
    with Workers(stage, options.jobs) as workers:
        names = options.command or list(COMMANDS)
        recordings = workers.record(
            [name for name in names if stage == "sandbox" or not COMMANDS[name].webhook]
        )
        cases = [case for recording in recordings.values() for case in matrix(stage, recording)]
        if stage == "sandbox":
            check_ways(cases)
        if options.stage == "split":
            cases = [case for case in cases if COMMANDS[case.command].webhook or of_stage(case) == stage]
        chosen = [case for case in cases if _is_wanted(case, options)]
        if options.list:
            print("\n".join(case.id for case in chosen))
            return [], len(chosen)
        results = list(_known(options.log, chosen))
        played = {result.case for result in results}
        waiting = [case for case in shuffled(chosen, options.seed) if case not in played]
        until = time.monotonic() + sample if sample else until
        for result in workers.play(waiting, recordings, options.seed, until, mutant=options.mutant):
            results.append(result)
            _tell(result, len(results), len(chosen))
            _write(options.log, result)
    return results, len(chosen)


def _is_wanted(case: Case, options: argparse.Namespace) -> bool:
    return options.match in case.id and (not options.case or case.id in options.case)


def _known(log: Path | None, cases: Sequence[Case]) -> Iterator[Result]:
    """What an earlier run has written of these cases."""
    known = {case.id: case for case in cases}
    lines = log.read_text().splitlines() if log is not None and log.exists() else []
    for line in map(json.loads, lines):
        if line["case"] in known:
            yield from_line(line, known.pop(line["case"]))


def _write(log: Path | None, result: Result) -> None:
    if log is not None:
        with log.open("a") as file:
            file.write(json.dumps(to_line(result)) + "\n")


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
