"""What comes after a broken run, without a fault: it has to make the world good again.

`again`: the same command; `elsewhere`: the same on another machine, which has no journals; `recover`:
`irsa recover` for each unfinished journal; `printed`: the commands that a run with exit 3 names, as printed,
then the same command; `leftovers`: on an empty disk, `irsa recover --cluster`. Else a
command of `followers`, which is judged, too; after it, the same command again.
"""

import difflib
import json
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from irsa_cli.transaction.journal import JournalError
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.story import way_of
from tests.faults.commands import Command
from tests.faults.followers import FOLLOWERS, Follower, Scene, leftovers, problems
from tests.faults.judge import TRANSACTION, Ending, Json, Object, differences, essence, half_done, objects
from tests.faults.stages import FaultStage
from tests.faults.zygote import Process
from tests.support.stage import ROLE_ARN

STALE = 4
"""How irsa ends where a saved plan can't be carried out any more."""
PATIENCE = ("--timeout", "60s", "--rollback-timeout", "30s", "-o", "json")


class Irsa(Protocol):
    """Runs irsa on the stage to its end, patiently or with the time limits of the matrix."""

    def __call__(self, stage: FaultStage, words: Sequence[str], *, patient: bool) -> tuple[Ending, Process]:
        """How it ended."""


@dataclass(frozen=True)
class Aftermath:
    """One broken run, and the worlds that it is measured by: `desired` is in the form of `essence`."""

    irsa: Irsa
    stage: FaultStage
    command: Command
    before: Json
    desired: Json
    repairs: Sequence[str] = ()
    """The commands that the broken run names."""

    def play(self, after: str) -> tuple[bool, str]:
        """Do what has to make it good; whether it did, and the story."""
        if after in ("elsewhere", "remains"):
            shutil.rmtree(self.stage.state, ignore_errors=True)
        if after in FOLLOWERS:
            return self._another(FOLLOWERS[after])
        ways = {"recover": self._recover, "remains": self._remains, "printed": self._printed}
        return ways.get(after, self._again)()

    def _another(self, follower: Follower) -> tuple[bool, str]:
        """Run another command, which must do no harm and tell no lie; then the same one as before again."""
        before = self.stage.world()
        scene, story = self._follow(follower.words(self.stage, self.command), before)
        found = problems(follower, scene)
        good, rest = True, ""
        if not found and scene.ending.code == 0 and follower.taken_back:
            words = (*follower.taken_back, "-c", self.stage.cluster)
            back, more = self._follow(words, scene.after)
            story += more
            found += [] if back.ending.code == 0 else [f"{follower.taken_back} ended with {back.ending.code}"]
        if follower.deletes and scene.ending.code == 0 and not self.command.makes:
            found += [f"{what} is left" for what in leftovers(scene.after, self.before)]
        elif not found:
            good, rest = self._again()
        return good and not found, "\n".join([story + rest, *found])

    def _follow(self, words: Sequence[str], before: Json) -> tuple[Scene, str]:
        ending, process = self.irsa(self.stage, (*words, "-o", "json"), patient=True)
        after = self._settled()
        try:
            output = json.loads(self.stage.neutral(bytes(process.out).decode()))
        except ValueError:
            output = {}
        scene = Scene(self.command, self.before, self.desired, before, after, ending, output)
        return scene, f"\n{' '.join(words)}: {tell(before, after, ending, process)}"

    def _again(self) -> tuple[bool, str]:
        ending, process = self._run(self.command.words(self.stage))
        world = self._settled()
        story = f"\nthe same again: {tell(self.before, world, ending, process)}"
        if ending.code == STALE and self.command.plans:
            ending, more = self._as_a_stale_plan_says(process)
            story, world = story + more, self._settled()
        found = essence(world, self.before)
        good = ending.code == 0 and found == self.desired
        return good, story if good else f"{story}\n{against(self.desired, found)}"

    def _run(self, words: Sequence[str]) -> tuple[Ending, Process]:
        return self.irsa(self.stage, (*words, *PATIENCE), patient=True)

    def _as_a_stale_plan_says(self, process: Process) -> tuple[Ending, str]:
        """Recover the runs that the refusal names, and apply the plan; if it names none, plan again."""
        (error,) = json.loads(bytes(process.out).decode())["errors"]
        steps = [shlex.split(line, comments=True) for line in error["next"] if line.startswith("irsa ")]
        story, words = "", self.command.words(self.stage)
        for step in steps:
            # Without a journal only the age of a run tells whether it lives.
            age = ("--min-age", "0s") if "-c" in step else ()
            ending, ran = self.irsa(self.stage, (*step[1:], *age, "-o", "json"), patient=True)
            story += f"\n{' '.join(step)}: {tell(self.before, self._settled(), ending, ran)}"
        if not steps:
            words = (*self.command.plans, "-c", self.stage.cluster)
        ending, ran = self._run(words)
        return ending, f"{story}\n{' '.join(words)}: {tell(self.before, self._settled(), ending, ran)}"

    def _recover(self) -> tuple[bool, str]:
        story, codes = "", []
        for path in unfinished(self.stage):
            ending, process = self.irsa(self.stage, self._recovering(path), patient=False)
            codes.append(ending.code)
            story += f"\nrecover: {tell(self.before, self.stage.world(), ending, process)}"
        world = self._settled()
        # A deletion that had come to its end is not taken back.
        ended = self.command.deletes and essence(world, self.before) == self.desired
        missing = differences(self.desired, essence(world, self.before))
        back = not half_done(differences(self.before, world), missing, self.command.parts)
        return not any(codes) and (ended or back), story

    def _printed(self) -> tuple[bool, str]:
        story, codes = "", []
        for line in dict.fromkeys(line for line in self.repairs if line.startswith("irsa ")):
            words = (*shlex.split(line, comments=True)[1:], "-o", "json")
            ending, process = self.irsa(self.stage, words, patient=True)
            codes.append(ending.code)
            story += f"\n{line}: {tell(self.before, self._settled(), ending, process)}"
        left = [path.stem for path in unfinished(self.stage)]
        good, rest = self._again()
        story += f"{rest}\nunfinished after what was printed: {left}"
        return good and not any(codes) and not left, story

    def _recovering(self, path: Path) -> tuple[str, ...]:
        # Each run of several has reached another account, or none, in a way of its own: irsa tells it.
        way = way_of(read(path).to_paste)
        return ("recover", path.stem, *shlex.split(way), "-o", "json")

    def recover_all(self) -> tuple[list[str], str]:
        """Recover each unfinished run when the world is as desired: it has to stay so."""
        story = ""
        for path in unfinished(self.stage):
            ending, process = self.irsa(self.stage, self._recovering(path), patient=True)
            story += f"\nrecover: {tell(self.before, self._settled(), ending, process)}"
        spoilt = essence(self.stage.world(), self.before) != self.desired
        return ["recovering took away what another run has made"] if spoilt else [], story

    def end_all(self, problems: list[str]) -> str:
        """Recover each unfinished run whose work another one has deleted: it ends, and restores nothing."""
        story, before = "", self._settled()
        for path in unfinished(self.stage):
            ending, process = self.irsa(self.stage, self._recovering(path), patient=True)
            story += f"\nrecover: {tell(before, self._settled(), ending, process)}"
            if ending.code == 4 and self.command.several:
                if self.command.deletes:
                    continue  # With --yes it would restore what the other one deleted: up to a person.
                # What the deletion was not about may be another run's by now: it is up to a person.
                ending, process = self.irsa(self.stage, (*self._recovering(path), "--yes"), patient=True)
                story += f"\nrecover --yes: {tell(before, self._settled(), ending, process)}"
            if ending.code != 0 or not _finished(path):
                problems.append(f"recover ended with {ending.code}, the journal is open")
        now = self.stage.world()
        there = dict(objects(now, before))
        if any(item in there for item in differences(before, now)):
            problems.append("recovering restored what another run had deleted")
        return story

    def _remains(self) -> tuple[bool, str]:
        """What was complete stays; everything else is as before the first run that left something."""
        complete = essence(self.stage.world(), self.before) == self.desired
        origin = getattr(self.stage, "origin", self.before)
        story, codes = "", []
        for name in ("--all", *self._lonely(origin)):
            words = ("recover", name, "--cluster", self.stage.cluster, "--min-age", "0s", *self.command.way)
            words = (*words, "-o", "json")
            ending, process = self.irsa(self.stage, words, patient=False)
            codes.append(ending.code)
            story += f"\nrecover {name} --cluster: {tell(origin, self._settled(), ending, process)}"
        world = self.stage.world()
        as_desired = complete and essence(world, self.before) == self.desired
        as_before = not [item for item in differences(origin, world) if not self._is_mark(item)]
        # Where nothing tells any more what was taken away, a deletion is gone on with.
        ended = self.command.deletes and essence(world, self.before) == self.desired
        return not any(codes) and (as_desired or as_before or ended), story

    def _is_mark(self, item: Object) -> bool:
        """Whether it is but the mark of a deletion that had taken nothing away yet."""
        return self.command.deletes and item[0] in ("RoleOwner", "RoleCommit")

    def _lonely(self, origin: Json) -> Iterator[str]:
        """The runs that made a ServiceAccount that has no role at all: nobody knows whether it had one.

        It is taken back by whoever names its run. A deletion leaves one that was there before.
        """
        old = {} if self.command.deletes else origin["kubernetes"]["serviceaccounts"]
        world = self.stage.world()
        roles = {role["arn"] for role in world["roles"].values()}
        for name, account in world["kubernetes"]["serviceaccounts"].items():
            mark, role = (account["annotations"].get(key) for key in (TRANSACTION, ROLE_ARN))
            if mark and role not in roles and name not in old:
                yield mark

    def _settled(self) -> Json:
        self.stage.settle()
        return self.stage.world()


def journals(stage: FaultStage) -> list[Path]:
    """The journals of the runs on a stage."""
    return sorted(stage.state.glob("*.jsonl"))


def unfinished(stage: FaultStage) -> list[Path]:
    """Those that say that something is left to do."""
    return [path for path in journals(stage) if not _finished(path)]


def _finished(path: Path) -> bool:
    try:
        return read(path).finished
    except JournalError:
        return True  # Its header is torn: it never began.


def against(desired: Json, found: Json) -> str:
    """Line by line, what was found where something else was desired."""
    one, other = (json.dumps(world, indent=1, sort_keys=True).splitlines() for world in (desired, found))
    return "\n".join(difflib.unified_diff(one, other, "desired", "found", n=2, lineterm=""))


def tell(before: Json, world: Json, ending: Ending, process: Process) -> str:
    """The story of a run."""
    lines = [f"exit {ending.code}, left: {list(ending.left)}"]
    lines += [f"  differs: {kind} {name}" for kind, name in differences(before, world)]
    lines += [f"  | {line}" for line in bytes(process.err).decode(errors="replace").splitlines()[-25:]]
    return "\n".join(lines)
