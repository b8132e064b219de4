"""Whether a trust policy admits a token, and why: for each statement the first thing in it that fails.

Pure: IAM's documented rules over what is known of the token (`irsa_cli.core.web_identity`). The Condition
block is `irsa_cli.core.conditions`' business. What can't be known never admits, and does deny.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from irsa_cli.core.comparing import Truth, like
from irsa_cli.core.conditions import Tested, first_failing
from irsa_cli.core.policy import as_list
from irsa_cli.core.web_identity import ACTION, Context, WebIdentity

VARIABLES_SINCE = "2012-10-17"
"""The version of the policy language that knows `${...}`; in older ones, or without one, it is plain text."""


@dataclass(frozen=True)
class Failure:
    """The first thing of a statement that keeps it from applying (or may, when it can't be known).

    `part` is Effect, Action, Principal or Condition; `operator` and `key` are set for a Condition.
    `wanted` is what the policy has there, `got` what the token has: None when it has no such key.
    """

    part: str
    operator: str = ""
    key: str = ""
    wanted: tuple[str, ...] = ()
    got: tuple[str, ...] | None = None
    unknown: bool = False
    """Whether it can't be known from outside if this fails. `got` is None where the value is unknown."""

    @property
    def text(self) -> str:
        """The failure for people."""
        wanted = ", ".join(f"'{item}'" for item in self.wanted) or "nothing"
        got = " and ".join(f"'{item}'" for item in self.got or ())
        if self.part == "Effect":
            return f"Effect: the policy has {wanted}, which is neither Allow nor Deny"
        if self.part != "Condition":
            tail = "; it can't be known whether that includes the token's" if self.unknown else ""
            return f"{self.part}: the policy has {wanted}, the token's is {got}{tail}"
        name = f"{self.operator} {self.key}".rstrip()
        if self.unknown:
            return f"{name}: the policy has {wanted}; it can't be known from here whether that holds"
        if self.got is None:
            return f"{name}: the policy has {wanted}, the token has no such key"
        return f"{name}: the policy has {wanted}, the token has {got}"


@dataclass(frozen=True)
class StatementVerdict:
    """What one statement means for the token.

    `applies`: whether its Effect takes place. `failure` is None when everything in it was found to hold. A
    Deny with a failure that is `unknown` applies: it may.
    """

    index: int
    sid: str
    effect: str
    applies: bool
    failure: Failure | None

    @property
    def possible(self) -> bool:
        """Whether it applies, or may: what fails in it can't be known."""
        return self.failure is None or self.failure.unknown

    @property
    def name(self) -> str:
        """The statement for people: its place, counted from 1, and its Sid."""
        return f"statement {self.index + 1}" + (f" ({self.sid})" if self.sid else "")


class Answer(Enum):
    """Whether a trust policy admits a token. UNKNOWN: that depends on what can't be known from here."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Explanation:
    """What a trust policy says to a token, statement by statement."""

    verdicts: tuple[StatementVerdict, ...]

    @property
    def allowed_by(self) -> tuple[int, ...]:
        """The statements (by index, from 0) that allow it."""
        return tuple(item.index for item in self.verdicts if item.applies and item.effect == "Allow")

    @property
    def denied_by(self) -> tuple[int, ...]:
        """The statements that deny it, or may. They go before those that allow it."""
        return tuple(item.index for item in self.verdicts if item.applies and item.effect != "Allow")

    @property
    def admitted(self) -> bool:
        """Whether STS lets the token assume the role."""
        return bool(self.allowed_by) and not self.denied_by

    @property
    def certain(self) -> bool:
        """Whether the answer stays the same whatever the values are that can't be known."""
        if self.admitted:
            return True
        denied = any(item.applies and item.failure is None for item in self._denying)
        return denied or not any(item.possible for item in self.verdicts if item.effect == "Allow")

    @property
    def answer(self) -> Answer:
        """Whether STS lets the token assume the role: yes, no, or it can't be known."""
        if self.admitted:
            return Answer.YES
        return Answer.NO if self.certain else Answer.UNKNOWN

    @property
    def conditions(self) -> tuple[str, ...]:
        """What decides, in words, when the answer is UNKNOWN: each thing that can't be known."""
        if self.answer is not Answer.UNKNOWN:
            return ()
        # Where one statement allows it for sure, only those that may deny it decide.
        open_ones = [
            item
            for item in self.verdicts
            if item.failure and item.failure.unknown and not (item.effect == "Allow" and self.allowed_by)
        ]
        return tuple(f"{item.name}: {item.failure.text}" for item in open_ones if item.failure)

    @property
    def _denying(self) -> Iterable[StatementVerdict]:
        return (item for item in self.verdicts if item.effect != "Allow")

    @property
    def text(self) -> tuple[str, ...]:
        """The explanation for people: the statements that decide, else why none of them allows it."""
        decisive = self.denied_by or self.allowed_by
        lines = [_line(item) for item in self.verdicts if item.index in decisive]
        lines = lines or [_line(item) for item in self.verdicts if item.effect == "Allow"]
        return tuple(lines) or ("no statement allows anything",)


def _line(verdict: StatementVerdict) -> str:
    if verdict.failure is None:
        return f"{verdict.name} {'admits' if verdict.effect == 'Allow' else 'denies'} it"
    if verdict.applies:
        return f"{verdict.name} may deny it: {verdict.failure.text}"
    return f"{verdict.name} does not apply: {verdict.failure.text}"


def explain(document: Mapping[str, Any], identity: WebIdentity, action: str = ACTION) -> Explanation:
    """Evaluate a trust policy for a token.

    Statements that are no objects are passed over; IAM would not have taken them.
    """
    context = identity.context()
    variables = document.get("Version") == VARIABLES_SINCE
    statements = as_list(document.get("Statement", []))
    return Explanation(
        tuple(
            _judge(index, item, identity.provider_arn, context, action, variables=variables)
            for index, item in enumerate(statements)
            if isinstance(item, dict)
        )
    )


def takes_audience(document: Mapping[str, Any], provider: str, audience: str) -> bool:
    """Whether a trust policy may admit tokens of the provider for that audience, whoever they are for."""
    key = f"{provider.partition('oidc-provider/')[2]}:aud".lower()
    variables = document.get("Version") == VARIABLES_SINCE
    for item in as_list(document.get("Statement", [])):
        if not isinstance(item, dict) or item.get("Effect") != "Allow" or _principal_failure(item, provider):
            continue
        block = item.get("Condition") or {}
        tests = {
            operator: {name: value for name, value in keys.items() if name.lower() == key}
            for operator, keys in block.items()
            if isinstance(keys, dict)
        }
        tested = first_failing(tests, {key: (audience,)}, variables=variables)
        if tested is None or tested.truth is None:
            return True
    return False


def _judge(
    index: int, item: Mapping[str, Any], provider: str, context: Context, action: str, *, variables: bool
) -> StatementVerdict:
    effect = str(item.get("Effect", ""))
    failure = _action_failure(item, action)
    if failure is None:
        principal = _principal_failure(item, provider)
        failure = principal
        if principal is None or principal.unknown:
            condition = _condition_failure(item, context, variables=variables)
            # What fails for sure goes before what can't be known.
            failure = condition if principal is None or (condition and not condition.unknown) else principal
    applies = failure is None or (effect != "Allow" and failure.unknown)
    if effect not in ("Allow", "Deny") and applies:
        # Not in the grammar: whatever it was meant to be, it allows nothing.
        failure = Failure("Effect", wanted=(effect,), unknown=True)
    return StatementVerdict(index, str(item.get("Sid", "")), effect, applies, failure)


def _action_failure(item: Mapping[str, Any], action: str) -> Failure | None:
    excluding = "NotAction" in item
    patterns = tuple(map(str, as_list(item["NotAction"] if excluding else item.get("Action", []))))
    if covers(patterns, action) != excluding:
        return None
    return Failure("Action", wanted=patterns, got=(action,))


@lru_cache(maxsize=1024)
def covers(patterns: tuple[str, ...], action: str) -> bool:
    """Whether one of the patterns matches the action; case is ignored."""
    return any(like(action.lower(), pattern.lower()) for pattern in patterns)


def _principal_failure(item: Mapping[str, Any], provider: str) -> Failure | None:
    excluding = "NotPrincipal" in item
    principal = item["NotPrincipal"] if excluding else item.get("Principal", {})
    named = _is_named(principal, provider)
    if named is not None and named != excluding:
        return None
    return Failure(
        "Principal", wanted=_shown(principal), got=(f"Federated {provider}",), unknown=named is None
    )


def _is_named(principal: Any, provider: str) -> Truth:
    if not isinstance(principal, dict):
        return bool(principal == "*")
    federated = as_list(principal.get("Federated", []))
    if provider in federated:
        return True
    # `"*"` under a kind of principals is documented for anonymous callers only, and no pattern elsewhere.
    everybody = "*" in federated or "*" in as_list(principal.get("AWS", []))
    return None if everybody else False


def _shown(principal: Any) -> tuple[str, ...]:
    if not isinstance(principal, dict):
        return (str(principal),)
    return tuple(f"{kind} {name}" for kind, names in principal.items() for name in as_list(names))


def _condition_failure(item: Mapping[str, Any], context: Context, *, variables: bool) -> Failure | None:
    block = item.get("Condition")
    if block is None or block == {}:
        return None
    tested = first_failing(block, context, variables=variables)
    return None if tested is None else _failed(tested)


def _failed(tested: Tested) -> Failure:
    got = tested.got if isinstance(tested.got, tuple) else None
    return Failure("Condition", tested.operator, tested.key, tested.wanted, got, tested.truth is None)
