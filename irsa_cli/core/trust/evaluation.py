"""Whether a trust policy allows a token, and why: for each statement the first part that fails.

Pure: IAM's documented rules over what is known of the token (`irsa_cli.core.policies.web_identity`). The
Condition block is `irsa_cli.core.policies.operators`' business. There are three answers: yes, no, and what
can't be known, with the conditions that decide. The time counts when it is given; without it, what hangs on
it can't be known. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from irsa_cli.core.policies.operators import Tested, Truth, first_failing, instant, tests
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import Statement, allowing, conditions_of, covers, tests_of, words_of
from irsa_cli.core.policies.web_identity import ACTION, TIMES, Context, WebIdentity, shown_values, why_unknown
from irsa_cli.core.values.arn import issuer_of

VARIABLES_SINCE = "2012-10-17"
"""The version of the policy language that knows `${...}`; in older ones, or without one, it is plain text."""


@dataclass(frozen=True)
class Failure:
    """The first thing of a statement that keeps it from applying (or may, when it can't be known).

    `part` is Effect, Action, Principal or Condition; `operator` and `key` are set for a Condition.
    `wanted` is what the policy has there, `got` what the exchange has: None when it has no such key.
    `excluding`: it is NotAction or NotPrincipal, and `wanted` is what that leaves out.
    """

    part: str
    operator: str = ""
    key: str = ""
    wanted: tuple[str, ...] = ()
    got: tuple[str, ...] | None = None
    unknown: bool = False
    """Whether it can't be known from outside if this fails. `got` is None where the value is unknown."""
    excluding: bool = False

    @property
    def text(self) -> str:
        if self.part == "Effect":
            return f"Effect: the policy has {_listed(self.wanted)}, which is neither Allow nor Deny"
        if self.part == "Condition":
            return self._text_of_condition
        return self._text_of_element

    @property
    def _text_of_element(self) -> str:
        got = " and ".join(f"'{value}'" for value in self.got or ())
        text = f"{self.part}: the policy has {_listed(self.wanted)}, the token has {got}"
        if self.excluding:
            text = f"Not{self.part}: the policy excludes {_listed(self.wanted)}, the token has {got}"
        if self.unknown:
            return f"{text}; irsa can't tell whether that includes the token's"
        if self.excluding:
            return f"{text}, which is one of them"
        return text

    @property
    def _text_of_condition(self) -> str:
        key = self.key
        if self.got is not None and "." in key:
            # The token has the key, so its issuer is the cluster's: only `sub` or `aud` matters.
            key = key.rpartition(":")[2]
        test = f"{self.operator} {key}".rstrip()
        head = f"{test}: the policy has {_listed(self.wanted)}"
        if not self.unknown:
            return f"{head}, {shown_values(self.key, self.got)}"
        why = why_unknown(self.key) if self.got is None else shown_values(self.key, self.got)
        return f"{head}; irsa can't tell whether that matches: {why or 'the IAM documentation does not say'}"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values) or "nothing"


@dataclass(frozen=True)
class StatementVerdict:
    """The verdict of one statement for the token.

    `applies`: whether its Effect takes place. `failure` is None when everything in it was found to hold. A
    Deny with a failure that is `unknown` applies: it may. `undecided` is all in it that can't be known, if
    nothing fails for sure. `because` is why a Deny applies.
    """

    index: int
    sid: str
    effect: str
    applies: bool
    failure: Failure | None
    undecided: tuple[Failure, ...] = ()
    because: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether it applies, or may: what fails in it can't be known."""
        return self.failure is None or self.failure.unknown

    @property
    def name(self) -> str:
        """The statement for people: its place, counted from 1, and its Sid."""
        name = f"statement {self.index + 1}"
        return f"{name} ({self.sid})" if self.sid else name

    @property
    def fails_by_condition(self) -> bool:
        """Whether it was meant for such a token: it is not for another provider or action."""
        return self.failure is not None and self.failure.part == "Condition"

    @property
    def means(self) -> str:
        """Whether it allows or denies the token, and why, for people."""
        if self.failure is None:
            means = "allows it" if self.effect == "Allow" else "denies it"
            return f"{means}: {'; '.join(self.because)}" if self.because else means
        undecided = "; ".join(failure.text for failure in self.undecided) or self.failure.text
        if self.applies:
            return f"may deny it: {undecided}"
        if self.failure.unknown:
            return f"may allow it: {undecided}"
        return f"does not apply: {self.failure.text}"


class Answer(Enum):
    """Whether a trust policy allows a token. UNKNOWN: that depends on something irsa can't know."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Explanation:
    """How a trust policy treats a token, statement by statement."""

    verdicts: tuple[StatementVerdict, ...]
    until: datetime | None = None
    """When the answer changes, where the policy asks for the time; None when it stays, or isn't known."""

    @property
    def allowed_by(self) -> tuple[int, ...]:
        """The statements (by index, from 0) that allow it."""
        return tuple(verdict.index for verdict in self._allowing if verdict.applies)

    @property
    def denied_by(self) -> tuple[int, ...]:
        """The statements that deny it, or may. They go before those that allow it."""
        return tuple(verdict.index for verdict in self._denying)

    @property
    def _allowing(self) -> list[StatementVerdict]:
        return [verdict for verdict in self.verdicts if verdict.effect == "Allow"]

    @property
    def _denying(self) -> list[StatementVerdict]:
        return [verdict for verdict in self.verdicts if verdict.applies and verdict.effect != "Allow"]

    @property
    def allowed(self) -> Truth:
        """Whether a statement allows it; None if that can't be known."""
        if self.allowed_by:
            return True
        if any(verdict.possible for verdict in self._allowing):
            return None
        return False

    @property
    def denied(self) -> Truth:
        """Whether a statement denies it; None if that can't be known."""
        if any(verdict.failure is None for verdict in self._denying):
            return True
        return None if self._denying else False

    @property
    def admitted(self) -> bool:
        """Whether STS lets the token assume the role."""
        return self.answer is Answer.YES

    @property
    def answer(self) -> Answer:
        """Whether STS lets the token assume the role: yes, no, or it can't be known."""
        if self.denied or self.allowed is False:
            return Answer.NO
        if self.allowed and self.denied is False:
            return Answer.YES
        return Answer.UNKNOWN

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that decide if the answer is UNKNOWN, in words."""
        if self.answer is not Answer.UNKNOWN:
            return ()
        return tuple(f"{name}: {failure.text}" for name, failure in self._deciding)

    def depends_on(self, key: str) -> bool:
        """Whether the answer is UNKNOWN, and this condition key is among those that decide."""
        undecided = self.answer is Answer.UNKNOWN
        return undecided and any(failure.key.lower() == key.lower() for _, failure in self._deciding)

    @property
    def _deciding(self) -> Iterator[tuple[str, Failure]]:
        # If one statement allows it for sure, only those that may deny it decide.
        for verdict in self.verdicts:
            if not (verdict.effect == "Allow" and self.allowed_by):
                yield from ((verdict.name, failure) for failure in verdict.undecided)

    @property
    def text(self) -> tuple[str, ...]:
        """The explanation for people: the statements that decide, else why none of them allows it."""
        decisive = self.denied_by or self.allowed_by
        shown = [verdict for verdict in self.verdicts if verdict.index in decisive]
        if not shown:
            shown = sorted(self._allowing, key=lambda verdict: not verdict.fails_by_condition)
        lines = [f"{verdict.name} {verdict.means}" for verdict in shown]
        if self.until is not None:
            lines.append(
                f"the policy has a time condition: this is valid until {self.until:%Y-%m-%d %H:%M:%S} UTC"
            )
        return tuple(lines) or ("no statement allows anything",)


def explain(
    document: Mapping[str, Any], identity: WebIdentity, action: str = ACTION, *, now: datetime | None = None
) -> Explanation:
    """Evaluate a trust policy for a token at the time `now`; statements that are no objects are ignored."""
    context = identity.context(now)
    variables = document.get("Version") == VARIABLES_SINCE
    statements = as_list(document.get("Statement", []))
    explanation = Explanation(
        tuple(
            _judge(index, statement, identity.provider_arn, context, action, variables=variables)
            for index, statement in enumerate(statements)
            if isinstance(statement, dict)
        )
    )
    if now is None:
        return explanation
    for turn in _turns(statements, now):
        # Here the time is a fact of the request like another: it is not asked how long it stays so.
        times = {key: value for key, value in identity.context(turn).items() if key in TIMES}
        then = replace(identity, request={**identity.request, **times})
        if explain(document, then, action).answer is not explanation.answer:
            return replace(explanation, until=turn)
    return explanation


MOST_TURNS = 100
"""Times in a policy that are looked at; one of 2,048 characters has room for some fifty."""


def _turns(statements: Iterable[Any], now: datetime) -> list[datetime]:
    """The moments after `now` at which what a policy says of the time may change, in their order."""
    began = now.timestamp()
    turns: set[float] = set()
    for text in _times(statements):
        try:
            moment = instant(text)
        except ValueError:
            continue
        # One moment is before or at the time in the policy, the next second after it.
        turns |= {second for second in (moment, moment + 1) if began < second < _LAST}
    return [datetime.fromtimestamp(second, timezone.utc) for second in sorted(turns)[:MOST_TURNS]]


def _times(statements: Iterable[Any]) -> Iterator[str]:
    """All times in the conditions of a policy."""
    for statement in statements:
        if isinstance(statement, dict):
            for _, key, values in tests_of(statement):
                if key.lower() in TIMES:
                    yield from values


_LAST = datetime(9999, 1, 1, tzinfo=timezone.utc).timestamp()


def takes_audience(document: Mapping[str, Any], provider: str, audience: str) -> bool:
    """Whether a trust policy may allow tokens of the provider for that audience, for any subject."""
    key = f"{issuer_of(provider)}:aud".lower()
    variables = document.get("Version") == VARIABLES_SINCE
    for _, statement in allowing(document):
        if _principal_failure(statement, provider):
            continue
        of_audience: dict[str, dict[str, Any]] = {}
        for operator, name, value in conditions_of(statement):
            if name.lower() == key:
                of_audience.setdefault(operator, {})[name] = value
        tested = first_failing(of_audience, {key: (audience,)}, variables=variables)
        if tested is None or tested.truth is None:
            return True
    return False


def _judge(
    index: int, statement: Statement, provider: str, context: Context, action: str, *, variables: bool
) -> StatementVerdict:
    effect = str(statement.get("Effect", ""))
    failing, undecided, holding = _parts(statement, provider, context, action, variables=variables)
    failure = failing or next(iter(undecided), None)
    applies = failure is None or (effect != "Allow" and failure.unknown)
    if effect not in ("Allow", "Deny") and applies:
        # Not in the grammar: whatever it was meant to be, it allows nothing.
        failure = Failure("Effect", wanted=(effect,), unknown=True)
        undecided.insert(0, failure)
    because: tuple[str, ...] = ()
    if failure is None and effect != "Allow":
        because = tuple(_reasons(statement, holding))
    sid = str(statement.get("Sid", ""))
    return StatementVerdict(index, sid, effect, applies, failure, tuple(undecided), because)


def _parts(
    statement: Statement, provider: str, context: Context, action: str, *, variables: bool
) -> tuple[Failure | None, list[Failure], list[Tested]]:
    """The part that fails for sure; if there is none, those that can't be known, and the tests that hold."""
    action_failure = _action_failure(statement, action)
    if action_failure is not None:
        return action_failure, [], []
    undecided: list[Failure] = []
    holding: list[Tested] = []
    principal_failure = _principal_failure(statement, provider)
    if principal_failure is not None:
        if not principal_failure.unknown:
            return principal_failure, [], []
        undecided.append(principal_failure)
    block = statement.get("Condition")
    if block in (None, {}):
        return None, undecided, holding
    for tested in tests(block, context, variables=variables):
        if tested.truth is False:
            # A certain failure comes before an unknown one.
            return _failed(tested), [], []
        if tested.truth is None:
            undecided.append(_failed(tested))
        else:
            holding.append(tested)
    return None, undecided, holding


def _reasons(statement: Statement, holding: Iterable[Tested]) -> Iterator[str]:
    """Why a statement applies if nothing in it fails."""
    if "NotPrincipal" in statement:
        yield f"NotPrincipal excludes only {_listed(words_of(statement['NotPrincipal']))}"
    if "NotAction" in statement:
        yield f"NotAction excludes only {_listed(map(str, as_list(statement['NotAction'])))}"
    reasons = [_reason(tested) for tested in holding]
    yield from reasons or ["it has no condition"]


def _reason(tested: Tested) -> str:
    got = tested.got if isinstance(tested.got, tuple) else None
    name = f"{tested.operator} {tested.key}"
    has = shown_values(tested.key, got)
    if tested.for_lack:
        return f"{name}: {has}, so {tested.for_lack} matches"
    if got is None and tested.got is not None:
        has = "which matches any value"
    return f"{name}: the policy has {_listed(tested.wanted)}, {has}"


def _action_failure(statement: Statement, action: str) -> Failure | None:
    excluding = "NotAction" in statement
    element = statement["NotAction"] if excluding else statement.get("Action", [])
    patterns = tuple(map(str, as_list(element)))
    if covers(patterns, action) != excluding:
        return None
    return Failure("Action", wanted=patterns, got=(action,), excluding=excluding)


def _principal_failure(statement: Statement, provider: str) -> Failure | None:
    excluding = "NotPrincipal" in statement
    principal = statement["NotPrincipal"] if excluding else statement.get("Principal", {})
    is_named = _is_named(principal, provider)
    if is_named is not None and is_named != excluding:
        return None
    words = words_of(principal)
    got = (f"Federated {provider}",)
    return Failure("Principal", wanted=words, got=got, unknown=is_named is None, excluding=excluding)


def _is_named(principal: Any, provider: str) -> Truth:
    if not isinstance(principal, dict):
        return bool(principal == "*")
    federated = as_list(principal.get("Federated", []))
    if provider in federated:
        return True
    # `"*"` under a kind of principals is documented for anonymous callers only, and no pattern elsewhere.
    if "*" in federated or "*" in as_list(principal.get("AWS", [])):
        return None
    return False


def _failed(tested: Tested) -> Failure:
    got = tested.got if isinstance(tested.got, tuple) else None
    return Failure("Condition", tested.operator, tested.key, tested.wanted, got, tested.truth is None)
