"""Late reads: every command, on an IAM whose reads are of any age up to a lag, in any order.

    python -m tests.faults.replicas --seeds 200 --lag 0.3 --lag 1 --lag 3 --lag 10 --seed 1 -j 2

Nothing is broken, so every command has to end with 0 and the desired world, must not speak of others who
are not there, and the same command again finds nothing to do. With --broken one call fails in addition.
"""

import argparse
import multiprocessing
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.faults import zygote
from tests.faults.aftermath import PATIENCE, Aftermath, tell
from tests.faults.bench import CALM, PATIENT_CALL_SECONDS, Bench
from tests.faults.cases import Recording, number
from tests.faults.commands import COMMANDS, Command, is_write
from tests.faults.injections import Call
from tests.faults.judge import BAD, Ending, essence, judge

BLAMES = re.compile(
    r"somebody else|another run|other run|another write|meanwhile|at the same time|came between",
    re.IGNORECASE,
)
"""Words for others, of whom there are none here."""
BREAKING = ("denied", "reset-after", "kill-after")


@dataclass(frozen=True)
class Late:
    """One run: the command, the greatest age of a read, which reads are late, and what is broken."""

    stage: str
    command: str
    lag: float
    seed: int
    broken: Call | None = None
    breaking: str = ""

    @property
    def id(self) -> str:
        """Its name in a report."""
        rest = f":{self.broken}:{self.breaking}" if self.broken else ""
        return f"{self.stage}:{self.command}:{self.lag:g}s:{self.seed}{rest}"


def problems_of(bench: Bench, late: Late, recording: Recording) -> tuple[list[str], str]:
    """What is wrong with one run and what follows it, and the story."""
    command = COMMANDS[late.command]
    stage = bench._fresh(command)
    before = stage.world()
    words = (*command.words(stage), *PATIENCE)
    bench._sandbox.replicate(late.lag, late.seed)
    if late.broken is not None:
        bench._arm(late.breaking, late.broken, 0)
    ending, process = bench._irsa(stage, words, PATIENT_CALL_SECONDS, {**CALM, **command.env})
    stage.settle()
    bench._sandbox.faults.clear()
    world = stage.world()
    said = bytes(process.err).decode() + bytes(process.out).decode()
    story = tell(before, world, ending, process)
    found = [f"speaks of others: {match[0]}" for match in BLAMES.finditer(said)][:1]
    if late.broken is None:
        found += _of_unbroken(command, recording, essence(world, before), ending)
    else:
        verdict = judge(before, recording.desired, world, ending, killed=late.breaking.startswith("kill"))
        found += [f"verdict: {verdict.value}"] if verdict in BAD else []
        found += ["the rollback is not complete"] if ending.code == 3 else []
    found += [f"foreign, and not as it was: {kind} {name}" for kind, name in stage.harmed()]
    # The same again, while reads are still late.
    good, more = Aftermath(bench._again, stage, command, before, recording.desired).play("again")
    found += [] if good else ["the same again does not end well"]
    bench._sandbox.lag = 0.0
    return found, story + more


def _of_unbroken(command: Command, recording: Recording, world: object, ending: Ending) -> Iterator[str]:
    if ending.code != 0:
        yield f"exit {ending.code}"
    if world != recording.desired:
        yield "the world is not as desired"


def _cases(args: argparse.Namespace) -> list[Late]:
    seeds = range(args.seed, args.seed + args.seeds)
    names = args.command or list(COMMANDS)
    found = [Late(args.stage, name, lag, seed) for name in names for lag in args.lag for seed in seeds]
    random.Random(args.seed).shuffle(found)
    return found


def _broken(late: Late, recording: Recording) -> Late:
    """The same with one of its writes broken."""
    calls = number([(call.service, call.operation) for call in recording.calls])
    draw = random.Random(late.id)
    broken = draw.choice([call for call in calls if is_write(call)])
    return replace(late, broken=broken, breaking=draw.choice(BREAKING))


def _work(job: tuple[argparse.Namespace, int]) -> tuple[Counter[str], list[str]]:
    from tests.faults.recorder import record

    args, number_ = job
    counts: Counter[str] = Counter()
    failed: list[str] = []
    with Bench(args.stage) as bench:
        recordings: dict[str, Recording] = {}
        until = time.monotonic() + args.sample if args.sample else float("inf")
        for late in _cases(args)[number_ :: args.jobs]:
            if time.monotonic() > until:
                break
            if late.command not in recordings:
                recordings[late.command] = replace_rollbacks(record, bench, COMMANDS[late.command])
            if args.broken:
                late = _broken(late, recordings[late.command])
            problems, story = problems_of(bench, late, recordings[late.command])
            counts[late.command] += 1
            if problems:
                counts[f"{late.command} failed"] += 1
                failed.append(f"{late.id}: {'; '.join(problems)}\n{story if args.verbose else ''}")
                print(failed[-1], flush=True)
    return counts, failed


def replace_rollbacks(record: object, bench: Bench, command: Command) -> Recording:
    """The calls and the world of a clean run; its rollbacks are not recorded."""
    return record(bench, replace(command, failing=""))  # type: ignore[operator,no-any-return]


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print a table, and return how many failed (at most 1)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", default="sandbox", choices=["sandbox", "real"])
    parser.add_argument("--command", action="append", choices=list(COMMANDS))
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--lag", type=float, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=float, default=0, help="seconds")
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--verbose", "-v", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    args = parser.parse_args(arguments)
    args.lag = args.lag or [0.3, 1.0, 3.0, 10.0]
    # irsa's own patience: as many times the lag that is played as is true of 30 and 10 s.
    os.environ[zygote.PROPAGATION] = f"{max(1.5, 3 * max(args.lag)):g}"
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        done = pool.map(_work, [(args, number_) for number_ in range(args.jobs)])
    counts: Counter[str] = sum((counted for counted, _ in done), Counter())
    failed = [text for _, texts in done for text in texts]
    for name in sorted({key.removesuffix(" failed") for key in counts}):
        print(f"{name:32} {counts[name]:5} runs {counts[f'{name} failed']:5} failed")
    total = sum(value for key, value in counts.items() if not key.endswith(" failed"))
    print(f"late reads: {total} runs, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
