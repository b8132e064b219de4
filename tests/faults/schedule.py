"""Schedules: a few concurrent runs, when each starts, where calls are held, and what goes wrong for whom.

Pure: a schedule is made from a seed and a number, and nothing else. How it is played is in `arena`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.faults.commands import MANAGED, NAMESPACE
from tests.faults.desired_states import DesiredState
from tests.faults.injections import INJECTIONS

ACCOUNTS = tuple(f"{NAMESPACE}/{name}" for name in ("app", "web", "job", "mail"))
AFTER = ("again", "elsewhere", "recover", "remains")
"""What makes good what the runs left; see `mending`."""
PAUSES = ("paused", "paused-answered")
"""The run stands still for longer than its locks hold, or until all others have ended; see `conductor`."""
HASTY, HASTY_SECONDS = 0.15, 0.7
"""How many runs do not wait for long enough for the others' locks, and how long they wait."""
STRIKES = (*INJECTIONS, *PAUSES, *PAUSES)
TO_THE_END = 99
"""A number of calls that no run makes."""


@dataclass(frozen=True)
class Start:
    """A run starts when the run `after` has made `calls` calls or has ended."""

    after: int
    calls: int


@dataclass(frozen=True)
class Strike:
    """An injection, or a pause, at a run's `at`-th call (from 0)."""

    injection: str
    at: int


@dataclass(frozen=True)
class Hold:
    """The `at`-th call of `run` is held until the run `other` has made `calls` more calls or has ended."""

    run: int
    at: int
    other: int
    calls: int
    operation: str = ""
    """Where it is given, the call is the `at`-th of this operation."""


@dataclass(frozen=True)
class Part:
    """One run of a schedule; the first starts at once."""

    desired: DesiredState
    start: Start | None = None
    strikes: tuple[Strike, ...] = ()
    lock_timeout: float | None = None
    """Seconds for which it waits for a lock, where that is not for long enough."""

    @property
    def stands_still(self) -> bool:
        """Whether it does, and nothing else is done to it."""
        return bool(self.strikes) and all(strike.injection in PAUSES for strike in self.strikes)


@dataclass(frozen=True)
class Schedule:
    """What is there before, the runs, the holds, and what comes after.

    `existing`: the accounts are there and have another role. `together`: the runs share a machine and so a
    folder of journals. `after` is of `AFTER`.
    """

    seed: int
    number: int
    scenario: str
    parts: tuple[Part, ...]
    holds: tuple[Hold, ...]
    provider: bool = True
    namespace: bool = True
    existing: bool = False
    together: bool = False
    after: str = "again"

    @property
    def accounts(self) -> list[str]:
        """The ServiceAccounts that it is about."""
        return list(dict.fromkeys(part.desired.account for part in self.parts))


def schedule(seed: int, number: int) -> Schedule:
    """The schedule with this number in the series of the seed."""
    random = Random(f"{seed} {number}")
    scenario = random.choice(list(SCENARIOS))
    draft = SCENARIOS[scenario](random, random.randint(2, 4))
    if draft.existing:
        draft = replace(
            draft,
            desired_states=[
                replace(desired, override=not desired.role_only) for desired in draft.desired_states
            ],
        )
    if not draft.provider:
        draft = replace(
            draft, desired_states=[replace(desired, associate=True) for desired in draft.desired_states]
        )
    quiet = random.random() < 0.3
    parts = [
        _part(random, number, desired, quiet=quiet) for number, desired in enumerate(draft.desired_states)
    ]
    return Schedule(
        seed,
        number,
        scenario,
        tuple(parts),
        tuple(_holds(random, len(parts))),
        draft.provider,
        draft.namespace,
        draft.existing,
        together=random.random() < 0.3,
        after=random.choice(AFTER),
    )


@dataclass(frozen=True)
class _Draft:
    desired_states: list[DesiredState]
    provider: bool = True
    namespace: bool = True
    existing: bool = False


def _part(random: Random, number: int, desired: DesiredState, *, quiet: bool) -> Part:
    start = (
        Start(random.randrange(number), random.choice([0, 0, *range(1, 16), TO_THE_END])) if number else None
    )
    count = 0 if quiet else random.choices([0, 1, 2], [5, 3, 1])[0]
    strikes = [Strike(random.choice(STRIKES), _call(random)) for _ in range(count)]
    hasty = random.random() < HASTY and not strikes
    return Part(desired, start, tuple(strikes), HASTY_SECONDS if hasty else None)


def _call(random: Random) -> int:
    """The number of a call: mostly one on the way forward, sometimes one that only a rollback reaches."""
    return random.randrange(16) if random.random() < 0.7 else random.randrange(8, 32)


def _holds(random: Random, runs: int) -> Sequence[Hold]:
    holds = []
    for _ in range(random.choice([0, 1, 1, 2, 2, 3, 4])):
        run, other = random.sample(range(runs), 2)
        holds.append(Hold(run, _call(random), other, random.choice([*range(1, 12), TO_THE_END])))
    return holds


def _desired(random: Random, account: str) -> DesiredState:
    """A wish for a role of its own."""
    return DesiredState(
        account,
        policies=tuple(random.sample(MANAGED, random.choice([1, 1, 2, 3]))),
        inline=("queue",) if random.random() < 0.3 else (),
        annotations=(("team", "a"),) if random.random() < 0.2 else (),
        verify=random.random() < 0.3,
    )


def _shared(random: Random, account: str) -> DesiredState:
    return DesiredState(account, shared=True, verify=random.random() < 0.3)


def _same(random: Random, runs: int) -> _Draft:
    desired = _desired(random, ACCOUNTS[0])
    if random.random() < 0.15:
        desired = replace(desired, role_only=True, verify=False, annotations=())
    if random.random() < 0.15:
        desired = _shared(random, ACCOUNTS[0])
    return _around(
        random, [replace(desired, verify=desired.verify and random.random() < 0.7) for _ in range(runs)]
    )


def _different(random: Random, runs: int) -> _Draft:
    first = _desired(random, ACCOUNTS[0])
    desired_states = [first, _other(random, first)]
    desired_states += [random.choice([first, _other(random, first)]) for _ in range(runs - 2)]
    random.shuffle(desired_states)
    override = random.random() < 0.3
    return _around(
        random, [replace(desired, override=override and random.random() < 0.6) for desired in desired_states]
    )


def _other(random: Random, desired: DesiredState) -> DesiredState:
    """Another wish for the same account."""
    return random.choice(
        [
            replace(desired, policies=desired.policies[1:] or MANAGED[-2:]),
            replace(desired, policies=MANAGED if len(desired.policies) < len(MANAGED) else MANAGED[:1]),
            replace(desired, annotations=(("team", "b"),)),
            replace(desired, inline=() if desired.inline else ("queue",)),
            _shared(random, desired.account),
        ]
    )


def _one_namespace(random: Random, runs: int) -> _Draft:
    desired_states = [_desired(random, account) for account in ACCOUNTS[:runs]]
    return replace(_around(random, desired_states), namespace=False, existing=False)


def _one_provider(random: Random, runs: int) -> _Draft:
    desired_states = [_desired(random, account) for account in ACCOUNTS[:runs]]
    return replace(_around(random, desired_states), provider=False)


def _one_role(random: Random, runs: int) -> _Draft:
    return _around(random, [_shared(random, account) for account in ACCOUNTS[:runs]])


def _mixed(random: Random, runs: int) -> _Draft:
    desired_states = []
    for _ in range(runs):
        desired = _desired(random, random.choice(ACCOUNTS[:2]))
        if random.random() < 0.25:
            desired = replace(desired, role_only=True, verify=False, annotations=())
        elif random.random() < 0.3:
            desired = _shared(random, desired.account)
        desired_states.append(desired)
    return _around(random, desired_states)


def _around(random: Random, desired_states: list[DesiredState]) -> _Draft:
    namespace = random.random() < 0.6
    return _Draft(desired_states, random.random() < 0.7, namespace, namespace and random.random() < 0.2)


SCENARIOS = {
    "same wish": _same,
    "different wishes": _different,
    "one namespace": _one_namespace,
    "one provider": _one_provider,
    "one role": _one_role,
    "mixed": _mixed,
}
