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
from irsa_cli.core.policies.statements import allowing, conditions_of, covers, tests_of, words_of
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
        wanted = _listed(self.wanted)
        if self.part == "Effect":
            return f"Effect: the policy has {wanted}, which is neither Allow nor Deny"
        if self.part != "Condition":
            got = " and ".join(f"'{item}'" for item in self.got or ())
            if self.excluding:
                included = ", which is one of them" if not self.unknown else ""
                text = f"Not{self.part}: the policy excludes {wanted}, the token has {got}{included}"
            else:
                text = f"{self.part}: the policy has {wanted}, the token has {got}"
            return text + ("; irsa can't tell whether that includes the token's" if self.unknown else "")
        # The token has the key, so its issuer is the cluster's: only `sub` or `aud` matters.
        key = self.key if self.got is None or "." not in self.key else self.key.rpartition(":")[2]
        head = f"{f'{self.operator} {key}'.rstrip()}: the policy has {wanted}"
        if not self.unknown:
            return f"{head}, {shown_values(self.key, self.got)}"
        why = why_unknown(self.key) if self.got is None else shown_values(self.key, self.got)
        said = why or "the IAM documentation does not say"
        return f"{head}; irsa can't tell whether that matches: {said}"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{item}'" for item in values) or "nothing"


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
        return f"statement {self.index + 1}" + (f" ({self.sid})" if self.sid else "")

    @property
    def means(self) -> str:
        """Whether it allows or denies the token, and why, for people."""
        does = "allows" if self.effect == "Allow" else "denies"
        if self.failure is None:
            return f"{does} it" + (f": {'; '.join(self.because)}" if self.because else "")
        open_ones = "; ".join(item.text for item in self.undecided)
        if self.applies:
            return f"may deny it: {open_ones or self.failure.text}"
        if self.failure.unknown:
            return f"may allow it: {open_ones or self.failure.text}"
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
        return tuple(item.index for item in self.verdicts if item.applies and item.effect == "Allow")

    @property
    def denied_by(self) -> tuple[int, ...]:
        """The statements that deny it, or may. They go before those that allow it."""
        return tuple(item.index for item in self.verdicts if item.applies and item.effect != "Allow")

    @property
    def allowed(self) -> Truth:
        """Whether a statement allows it; None if that can't be known."""
        if self.allowed_by:
            return True
        return None if any(item.possible for item in self.verdicts if item.effect == "Allow") else False

    @property
    def denied(self) -> Truth:
        """Whether a statement denies it; None if that can't be known."""
        against = [item for item in self.verdicts if item.applies and item.effect != "Allow"]
        if any(item.failure is None for item in against):
            return True
        return None if against else False

    @property
    def admitted(self) -> bool:
        """Whether STS lets the token assume the role."""
        return self.answer is Answer.YES

    @property
    def answer(self) -> Answer:
        """Whether STS lets the token assume the role: yes, no, or it can't be known."""
        if self.denied or self.allowed is False:
            return Answer.NO
        return Answer.YES if self.allowed and self.denied is False else Answer.UNKNOWN

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that decide if the answer is UNKNOWN, in words."""
        if self.answer is not Answer.UNKNOWN:
            return ()
        return tuple(f"{name}: {failure.text}" for name, failure in self._deciding)

    def depends_on(self, key: str) -> bool:
        """Whether the answer is UNKNOWN, and this condition key is among those that decide."""
        undecided = self.answer is Answer.UNKNOWN
        return undecided and any(item.key.lower() == key.lower() for _, item in self._deciding)

    @property
    def _deciding(self) -> Iterator[tuple[str, Failure]]:
        # If one statement allows it for sure, only those that may deny it decide.
        for item in self.verdicts:
            if not (item.effect == "Allow" and self.allowed_by):
                yield from ((item.name, failure) for failure in item.undecided)

    @property
    def text(self) -> tuple[str, ...]:
        """The explanation for people: the statements that decide, else why none of them allows it."""
        decisive = self.denied_by or self.allowed_by
        found = [item for item in self.verdicts if item.index in decisive]
        if not found:  # Those for another provider or action come last: they were not meant for the token.
            found = [item for item in self.verdicts if item.effect == "Allow"]
            found.sort(key=lambda item: not item.failure or item.failure.part != "Condition")
        lines = [f"{item.name} {item.means}" for item in found]
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
    found = Explanation(
        tuple(
            _judge(index, item, identity.provider_arn, context, action, variables=variables)
            for index, item in enumerate(statements)
            if isinstance(item, dict)
        )
    )
    for turn in _turns(statements, now) if now else ():
        # Here the time is a fact of the request like another: it is not asked how long it stays so.
        times = {key: value for key, value in identity.context(turn).items() if key in TIMES}
        then = replace(identity, request={**identity.request, **times})
        if explain(document, then, action).answer is not found.answer:
            return replace(found, until=turn)
    return found


MOST_TURNS = 100
"""Times in a policy that are looked at; one of 2,048 characters has room for some fifty."""


def _turns(statements: Iterable[Any], now: datetime) -> list[datetime]:
    """The moments after `now` at which what a policy says of the time may change, in their order."""
    began = now.timestamp()
    found: set[float] = set()
    tests = (test for item in statements if isinstance(item, dict) for test in tests_of(item))
    for text in (text for _, key, values in tests if key.lower() in TIMES for text in values):
        try:
            moment = instant(text)
        except ValueError:
            continue
        # One moment is before or at the time in the policy, the next second after it.
        found |= {second for second in (moment, moment + 1) if began < second < _LAST}
    return [datetime.fromtimestamp(second, timezone.utc) for second in sorted(found)[:MOST_TURNS]]


_LAST = datetime(9999, 1, 1, tzinfo=timezone.utc).timestamp()


def takes_audience(document: Mapping[str, Any], provider: str, audience: str) -> bool:
    """Whether a trust policy may allow tokens of the provider for that audience, for any subject."""
    key = f"{issuer_of(provider)}:aud".lower()
    variables = document.get("Version") == VARIABLES_SINCE
    for _, item in allowing(document):
        if _principal_failure(item, provider):
            continue
        of_audience: dict[str, dict[str, Any]] = {}
        for operator, name, value in conditions_of(item):
            if name.lower() == key:
                of_audience.setdefault(operator, {})[name] = value
        tested = first_failing(of_audience, {key: (audience,)}, variables=variables)
        if tested is None or tested.truth is None:
            return True
    return False


def _judge(
    index: int, item: Mapping[str, Any], provider: str, context: Context, action: str, *, variables: bool
) -> StatementVerdict:
    effect = str(item.get("Effect", ""))
    failing = _action_failure(item, action)
    undecided: list[Failure] = []
    holding: list[Tested] = []
    if failing is None:
        principal = _principal_failure(item, provider)
        if principal is not None and principal.unknown:
            undecided.append(principal)
        elif principal is not None:
            failing = principal
    if failing is None and (block := item.get("Condition")) not in (None, {}):
        for tested in tests(block, context, variables=variables):
            if tested.truth is False:
                # A certain failure comes before an unknown one.
                failing = _failed(tested)
                break
            if tested.truth is None:
                undecided.append(_failed(tested))
            else:
                holding.append(tested)
    failure = failing or (undecided[0] if undecided else None)
    applies = failure is None or (effect != "Allow" and failure.unknown)
    if effect not in ("Allow", "Deny") and applies:
        # Not in the grammar: whatever it was meant to be, it allows nothing.
        failure = Failure("Effect", wanted=(effect,), unknown=True)
        undecided.insert(0, failure)
    because = tuple(_reasons(item, holding)) if failure is None and effect != "Allow" else ()
    open_ones = () if failing is not None else tuple(undecided)
    return StatementVerdict(index, str(item.get("Sid", "")), effect, applies, failure, open_ones, because)


def _reasons(item: Mapping[str, Any], holding: Iterable[Tested]) -> Iterator[str]:
    """Why a statement applies if nothing in it fails."""
    if "NotPrincipal" in item:
        yield f"NotPrincipal excludes only {_listed(words_of(item['NotPrincipal']))}"
    if "NotAction" in item:
        yield f"NotAction excludes only {_listed(map(str, as_list(item['NotAction'])))}"
    reasons = [_reason(tested) for tested in holding]
    yield from reasons or ["it has no condition"]


def _reason(tested: Tested) -> str:
    got = tested.got if isinstance(tested.got, tuple) else None
    name = f"{tested.operator} {tested.key}"
    has = shown_values(tested.key, got)
    if tested.for_lack:
        return f"{name}: {has}, so {tested.for_lack} matches"
    has = "which matches any value" if got is None and tested.got is not None else has
    return f"{name}: the policy has {_listed(tested.wanted)}, {has}"


def _action_failure(item: Mapping[str, Any], action: str) -> Failure | None:
    excluding = "NotAction" in item
    patterns = tuple(map(str, as_list(item["NotAction"] if excluding else item.get("Action", []))))
    if covers(patterns, action) != excluding:
        return None
    return Failure("Action", wanted=patterns, got=(action,), excluding=excluding)


def _principal_failure(item: Mapping[str, Any], provider: str) -> Failure | None:
    excluding = "NotPrincipal" in item
    principal = item["NotPrincipal"] if excluding else item.get("Principal", {})
    named = _is_named(principal, provider)
    if named is not None and named != excluding:
        return None
    wanted = words_of(principal)
    got = (f"Federated {provider}",)
    return Failure("Principal", wanted=wanted, got=got, unknown=named is None, excluding=excluding)


def _is_named(principal: Any, provider: str) -> Truth:
    if not isinstance(principal, dict):
        return bool(principal == "*")
    federated = as_list(principal.get("Federated", []))
    if provider in federated:
        return True
    # `"*"` under a kind of principals is documented for anonymous callers only, and no pattern elsewhere.
    everybody = "*" in federated or "*" in as_list(principal.get("AWS", []))
    return None if everybody else False


def _failed(tested: Tested) -> Failure:
    got = tested.got if isinstance(tested.got, tuple) else None
    return Failure("Condition", tested.operator, tested.key, tested.wanted, got, tested.truth is None)
