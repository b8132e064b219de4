"""One stage on which schedules are played: the runs, the judgement, and what has to make the world good.

One in a process (moto's state is global). What a schedule is, is in `schedule`, who waits for whom in
`conductor`, what it is worth in `schedule_judge`.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from irsa_cli.sandbox import Sandbox
from tests.faults.bench import RUN_SECONDS
from tests.faults.commands import DOCUMENT, NAMESPACE, THEIRS
from tests.faults.conductor import Conductor
from tests.faults.desired_states import AUDIENCE, SHARED
from tests.faults.injections import kill
from tests.faults.judge import Ending, Json, Object
from tests.faults.leases import lasting, left_by_all
from tests.faults.mending import Mending
from tests.faults.places import CALM_SECONDS, Places
from tests.faults.ran import Ran
from tests.faults.schedule import Schedule
from tests.faults.schedule_judge import Judgement, judge
from tests.faults.stages import LOCK_SECONDS, FaultStage, stages
from tests.faults.story import tell_schedule
from tests.faults.zygote import Process, Zygote
from tests.support.stage import ACCOUNT, EVERYTHING, READ_ONLY, ROLE_ARN

MOST_RUNS = 4
CALM = ("--timeout", "45s", "--rollback-timeout", "15s", "-o", "json")
ENDING = "the namespace is being deleted"
WAITED = "another run is working on "
"""How the error begins of a run that has waited in vain for a lock."""
HASTE = ("--timeout", "10s", "--rollback-timeout", "3s", "-o", "json")


@dataclass(frozen=True)
class Result:
    """How a schedule ended; `lasting` is what was wrong after all was lifted and what won was run again."""

    schedule: Schedule
    judgement: Judgement
    lasting: Sequence[str]
    seconds: float
    story: str = ""
    """What happened, for a schedule that failed."""
    harmed: Sequence[Object] = ()
    """What is foreign and is not as it was."""

    @property
    def failed(self) -> bool:
        """Whether a promise was broken."""
        return self.judgement.failed or bool(self.lasting or self.harmed)


class Arena:
    """A sandbox, a zygote for each run, and the stage that was asked for; for a `with` block."""

    def __init__(self, stage: str, mutant: str = "") -> None:
        self._name = stage
        self._mutant = mutant
        self._stack = ExitStack()

    def __enter__(self) -> "Arena":
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="irsa-faults-")))
        self._sandbox = self._stack.enter_context(Sandbox())
        self._zygotes = [Zygote()]
        self._stack.callback(self._zygotes[0].close)
        for _ in range(1, MOST_RUNS):
            self._zygotes.append(self._zygotes[0].twin())
            self._stack.callback(self._zygotes[-1].close)
        self._setting = self._stack.enter_context(stages(self._name, self._sandbox))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, schedule: Schedule) -> Result:
        """Play one schedule to its end."""
        started = time.monotonic()
        places = Places(schedule, self._fresh(schedule))
        stage = places.stage
        self._prepare(places)
        before = stage.world()
        self._sandbox.calls.clear()
        processes, paused = self._perform(schedule, places)
        stage.settle()
        runs, calls = self._runs(places, processes, paused), list(self._sandbox.calls)
        self._sandbox.faults.clear()
        after = stage.world()
        leases = stage.leases()
        judgement = judge(before, after, runs, calls)
        judgement.leaks += lasting(leases, LOCK_SECONDS)
        if not any(run.struck for run in runs):
            judgement.leaks += [f"{lease['metadata']['name']} is left" for lease in leases]
        story = tell_schedule(schedule, runs, calls, before, after, [process.err for process in processes])
        harmed = stage.harmed()
        mending = self._mend(places, before, runs, judgement)
        mending.problems += left_by_all(stage.leases(), leases)
        harmed = sorted({*harmed, *stage.harmed()})
        shutil.rmtree(stage.folder)
        result = Result(schedule, judgement, mending.problems, time.monotonic() - started, harmed=harmed)
        return replace(result, story=story + mending.story) if result.failed else result

    def _fresh(self, schedule: Schedule) -> FaultStage:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        return self._setting.fresh(folder, trusting=schedule.provider)

    def _prepare(self, places: Places) -> None:
        schedule, stage = places.schedule, places.stage
        iam = stage.iam()
        if schedule.provider:
            iam.create_open_id_connect_provider(Url=stage.issuer, ClientIDList=[AUDIENCE], ThumbprintList=[])
        trust = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
        for name in (SHARED, "theirs"):
            iam.create_role(
                RoleName=name, AssumeRolePolicyDocument=trust, Tags=[{"Key": "of", "Value": "them"}]
            )
            iam.attach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
        stage.make_namespace("theirs")
        stage.make_account("theirs", "app", annotations={ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/theirs"})
        if schedule.namespace:
            stage.make_namespace(NAMESPACE)
            if stage.foreign is not None:
                stage.foreign.move_in(NAMESPACE)
        for account in schedule.accounts if schedule.existing else ():
            namespace, _, name = account.partition("/")
            old = {"note": "theirs", ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/theirs"}
            stage.make_account(namespace, name, labels={"of": "them"}, annotations=old)
        (stage.folder / "queue.json").write_text(json.dumps(DOCUMENT))
        for run in range(len(schedule.parts)):
            self._sandbox.add_user(places.user(run), policy=EVERYTHING)
            self._sandbox.grant(stage.cluster, places.user(run), groups=("system:masters",))

    def _perform(self, schedule: Schedule, places: Places) -> tuple[list[Process], Collection[int]]:
        """The runs, which have ended, and the numbers of those that stood still for a while."""
        runs = range(len(schedule.parts))
        holds = {run: 0.7 * min(places.call_seconds(run), CALM_SECONDS) for run in runs}
        callers = {places.key(run): run for run in runs}
        conductor = Conductor(schedule, self._sandbox.faults, callers, holds)
        self._sandbox.listen(conductor.listen)

        def perform(run: int) -> Process:
            part = schedule.parts[run]
            conductor.wait_to_start(run)
            limits: Sequence[str] = CALM if part.stands_still or not part.strikes else HASTE
            if part.lock_timeout is not None:
                limits = (*limits, "--lock-timeout", f"{part.lock_timeout:g}s")
            words = (*part.desired.arguments, "-c", places.stage.cluster, *limits)
            process = self._start(run, places, words, lossy=places.kills(run))
            conductor.began(run, process)
            _wait(process)
            conductor.ended(run)
            return process

        with ThreadPoolExecutor(len(runs)) as pool:
            processes = list(pool.map(perform, runs))
        conductor.close()
        return processes, conductor.paused

    def _start(
        self,
        run: int,
        places: Places,
        words: Sequence[str],
        call_seconds: float | None = None,
        *,
        lossy: bool = False,
    ) -> Process:
        env, folder = places.env(run, call_seconds), places.stage.folder
        return self._zygotes[run].start(words, env, folder, lossy=lossy, mutant=self._mutant)

    def _runs(self, places: Places, processes: Sequence[Process], paused: Collection[int]) -> list[Ran]:
        struck = {fault.caller for fault in self._sandbox.faults.struck}
        struck |= {places.key(run) for run in paused}
        calls = list(self._sandbox.calls)
        outputs = [_document(process) for process in processes]
        known = {name for output in outputs if (name := _transaction(output))}
        runs = []
        for run, part in enumerate(places.schedule.parts):
            transaction = _transaction(outputs[run])
            mine = [call for call in calls if call.caller == places.key(run)]
            unknown = set(places.transactions(run)) - known
            runs.append(
                Ran(
                    part.desired,
                    _ending(processes[run], places.stage, outputs[run]),
                    struck=places.key(run) in struck,
                    killed=places.kills(run),
                    marks=frozenset({transaction} if transaction else unknown),
                    caller=places.key(run),
                    began=min((call.started for call in mine), default=0.0),
                    ended=max((call.ended for call in mine), default=0.0),
                    waited=part.lock_timeout if _says_it_waited(outputs[run]) else None,
                    met_the_end=ENDING in _error(outputs[run], "details"),
                )
            )
        return runs

    def _mend(self, places: Places, before: Json, runs: Sequence[Ran], judgement: Judgement) -> Mending:
        def irsa(run: int, words: Sequence[str], call_seconds: float | None = None) -> Process:
            return _wait(self._start(run, places, words, call_seconds))

        mending = Mending(irsa, places, before, runs, judgement)
        mending.play()
        return mending


def _wait(process: Process) -> Process:
    """Wait for its end, or bring it about: whatever its code is then, it did not end by itself."""
    if not process.ended.wait(RUN_SECONDS):
        kill(process)
        process.told_twice = True
    return process


def _says_it_waited(output: Json) -> bool:
    return _error(output, "message").startswith(WAITED)


def _error(output: Json, key: str) -> str:
    return next((str(error.get(key, "")) for error in output.get("errors", [])), "")


def _transaction(output: Json) -> str | None:
    """The first transaction of a document, where it tells one."""
    return next((item["transaction"] for item in output.get("items", []) if item.get("transaction")), None)


def _document(process: Process) -> Json:
    try:
        found: Json = json.loads(bytes(process.out).decode())
    except ValueError:
        return {}
    return found


def _ending(process: Process, stage: FaultStage, output: Json) -> Ending:
    if process.told_twice and process.code >= 0:
        return Ending(None)
    every = [piece for item in output.get("items", []) for piece in item.get("left", [])]
    left = json.loads(stage.neutral(json.dumps(every)))
    crashed = process.code >= 0 and "metadata" not in output
    what, repairs = ([item[key] for item in left] for key in ("what", "repair"))
    return Ending(process.code, what, repairs, crashed=crashed)
