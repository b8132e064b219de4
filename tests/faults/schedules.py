"""`python -m tests.faults.schedules`: play concurrent runs, print the account; exit 1: a promise broke."""

import argparse
import multiprocessing
import multiprocessing.util
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.faults.arena import Arena, Result
from tests.faults.mutants import MUTANTS
from tests.faults.ran import Fate
from tests.faults.schedule import Schedule, schedule
from tests.faults.workers import leave_with_parent

_ARENA: list[Arena] = []
HEAD = (
    *("schedules", "won", "clean", "named", "cut off", "waited"),
    *("windows", "leaks", "lies", "unfair", "harm", "not recovered", "seconds each"),
)


def main() -> int:
    """Play what the command line asks for; returns the exit code."""
    options = _options()
    plans = [schedule(options.seed, number) for number in options.only or range(options.count)]
    results: list[Result] = []
    for result in play(options.stage, plans, options.jobs, mutant=options.mutant):
        results.append(result)
        tell(result, verbose=options.verbose)
    print("\n".join(render(results)))
    failed = sorted(result.schedule.number for result in results if result.failed)
    print("\n".join(f"--stage {options.stage} --seed {options.seed} --only {number}" for number in failed))
    return 1 if failed or not results else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.schedules", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many schedules")
    parser.add_argument("--seed", type=int, default=1, help="which series of schedules")
    parser.add_argument("--stage", choices=["sandbox", "real"], default="sandbox")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--only", type=int, action="append", metavar="N", help="only this one (repeat)")
    parser.add_argument("--mutant", choices=[*MUTANTS], default="", help="play with an irsa that is broken")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell of each schedule")
    return parser.parse_args()


def play(stage: str, plans: Sequence[Schedule], jobs: int = 1, *, mutant: str = "") -> Iterator[Result]:
    """Results of these schedules as they come in; each job is a process with an arena of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _open, (stage, mutant)) as pool:
        futures = [pool.submit(_play, plan) for plan in plans]
        yield from (future.result() for future in as_completed(futures))


def _open(stage: str, mutant: str) -> None:
    leave_with_parent()
    arena = Arena(stage, mutant).__enter__()
    _ARENA.append(arena)
    # The processes of a pool don't run atexit's functions, but multiprocessing's.
    multiprocessing.util.Finalize(arena, arena.__exit__, (None, None, None), exitpriority=10)


def _play(plan: Schedule) -> Result:
    return _ARENA[0].play(plan)


def tell(result: Result, *, verbose: bool = False) -> None:
    """Say on standard error what is worth saying of a result."""
    judgement, number = result.judgement, result.schedule.number
    if result.failed:
        kinds = {
            "lie": judgement.lies,
            "leak": judgement.leaks,
            "unfair": judgement.unfair,
            "lasting": result.lasting,
            "foreign harm": [f"{kind} {name}" for kind, name in result.harmed],
        }
        problems = [f"  {kind}: {text}" for kind, texts in kinds.items() for text in texts]
        head = f"\n--only {number}:\n{result.schedule}\n"
        print(head + "\n".join(problems) + f"\n{result.story}\n", file=sys.stderr)
    if verbose:
        fates = ", ".join(f"{count} {fate.value}" for fate, count in judgement.fates.items())
        print(
            f"{number} {result.schedule.scenario}: {fates} ({result.seconds:.1f} s)",
            file=sys.stderr,
            flush=True,
        )


def render(results: Sequence[Result]) -> Iterator[str]:
    """The account as a table."""
    yield f"{'':<20}" + "".join(f"{title:>14}" for title in HEAD)
    yield _line("all", results)
    for scenario in sorted({result.schedule.scenario for result in results}):
        yield _line(scenario, [result for result in results if result.schedule.scenario == scenario])


def _line(name: str, results: Sequence[Result]) -> str:
    judged = [result.judgement for result in results]
    fates = [sum(judgement.fates[fate] for judgement in judged) for fate in COUNTED]
    counts = [
        sum(judgement.waited for judgement in judged),
        *(
            sum(bool(getattr(judgement, kind)) for judgement in judged)
            for kind in ("windows", "leaks", "lies")
        ),
        sum(bool(judgement.unfair) for judgement in judged),
        sum(bool(result.harmed) for result in results),
        sum(bool(result.lasting) or result.judgement.fates[Fate.STUCK] > 0 for result in results),
        round(sum(result.seconds for result in results) / max(len(results), 1), 1),
    ]
    return f"{name:<20}" + "".join(f"{count:>14}" for count in (len(results), *fates, *counts))


COUNTED = (Fate.WON, Fate.CLEAN, Fate.NAMED, Fate.CUT)


if __name__ == "__main__":
    sys.exit(main())
