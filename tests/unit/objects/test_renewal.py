"""When a token is renewed: kubelet's rule, and days of it simulated with a clock that is set by hand."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.trust.jwt import JITTER, OLDEST, Lifetime
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.usecases.exec.identity import Token
from irsa_cli.usecases.exec.run import LOOK_SECONDS, RETRY_SECONDS, Renewal

START = 1_700_000_000.0
seconds = st.floats(600, 10 * 86400)
jitters = st.floats(0, JITTER)


@given(seconds, jitters)
def test_a_token_is_renewed_at_four_fifths_of_its_life_or_after_a_day(lasts: float, jitter: float) -> None:
    at = Lifetime(START, START + lasts).renew_at(jitter) - START
    assert at <= 0.8 * lasts + 1e-3
    assert at <= OLDEST
    assert at >= min(0.8 * lasts, OLDEST) - JITTER - 1e-3


@given(seconds, jitters, st.floats(-86400, 20 * 86400))
def test_it_is_due_from_then_on_and_when_the_clock_was_put_back(
    lasts: float, jitter: float, age: float
) -> None:
    lifetime = Lifetime(START, START + lasts)
    now = START + age
    assert lifetime.is_due(now, jitter) is (now < START or now >= lifetime.renew_at(jitter))


@given(seconds, jitters)
def test_there_is_time_for_more_than_one_try(lasts: float, jitter: float) -> None:
    lifetime = Lifetime(START, START + lasts)
    assert lifetime.expires - lifetime.renew_at(jitter) >= 0.2 * 600 - 1e-3


@dataclass
class World:
    """A cluster that gives tokens (or does not), a file, and a clock."""

    lasts: float
    now: float = START
    down: bool = False
    count: int = 0
    file: str = ""
    said: list[str] = field(default_factory=list)

    def issue(self) -> Token:
        if self.down:
            raise IrsaError("the cluster is away")
        self.count += 1
        return Token(f"token {self.count}", Lifetime(self.now, self.now + self.lasts))

    def write(self, text: str) -> None:
        self.file = text

    def start(self, jitter: float) -> Renewal:
        token = self.issue()
        self.write(token.text)
        return Renewal(
            token,
            self.issue,
            self.write,
            self.said.append,
            clock=lambda: self.now,
            jitter=lambda: jitter,
        )


@given(st.floats(600, 2 * 86400), jitters, st.integers(1, 5))
def test_the_file_never_holds_an_expired_token(lasts: float, jitter: float, lives: int) -> None:
    world = World(lasts)
    renewal = world.start(jitter)
    given, steps = world.now, 0
    while world.now < START + lives * lasts:
        before = world.count
        pause = renewal.step()
        if world.count > before:
            given = world.now
        assert world.file == f"token {world.count}"
        assert world.now < given + lasts
        assert 0 < pause <= LOOK_SECONDS
        world.now += pause
        steps += 1
    # Renewed about every four fifths of a life, and the clock is not looked at all the time.
    assert world.count <= 1 + lives * lasts / (min(0.8 * lasts, OLDEST) - JITTER)
    assert steps <= (lives * lasts) / LOOK_SECONDS + 2 * world.count + 2
    assert world.said == []


@given(st.floats(600, 86400), jitters, st.floats(0, 86400))
def test_what_fails_is_tried_again_and_told_once(lasts: float, jitter: float, away: float) -> None:
    world = World(lasts)
    renewal = world.start(jitter)
    due = Lifetime(START, START + lasts).renew_at(jitter)
    world.now, world.down = due, True
    pauses = []
    while world.now < due + away:
        pauses.append(renewal.step())
        world.now += pauses[-1]
    assert world.file == "token 1"
    assert pauses == [RETRY_SECONDS[min(n, len(RETRY_SECONDS) - 1)] for n in range(len(pauses))]
    world.down = False
    renewal.step()
    assert world.file == "token 2"
    expired = bool(pauses) and any(due + sum(pauses[:n]) >= START + lasts for n in range(len(pauses)))
    assert len(world.said) == (0 if not pauses else 3 if expired else 2)
    assert not any("token 1" in text or "token 2" in text for text in world.said)


def test_a_machine_that_slept_through_the_end_renews_at_once() -> None:
    world = World(3600)
    renewal = world.start(0)
    renewal.step()
    world.now += 10 * 3600
    renewal.step()
    assert world.file == "token 2"


def test_what_is_no_error_of_ours_does_not_end_the_renewals() -> None:
    world = World(3600)
    renewal = world.start(0)
    world.now += 3500
    broken = Renewal(
        Token("old", Lifetime(START, START + 3600)),
        lambda: 1 / 0,  # type: ignore[arg-type,return-value]
        world.write,
        world.said.append,
        clock=lambda: world.now,
    )
    assert broken.step() == RETRY_SECONDS[0]
    assert "ZeroDivisionError" in world.said[0]
    assert renewal.step() > 0
