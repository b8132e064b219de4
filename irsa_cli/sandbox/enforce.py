"""Evaluate policies as IAM does: identity policies, with its words for a refusal, and trust policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
Written apart from irsa's own evaluation, which is tested against this one. Resource policies, service control
policies and session tags are not modelled. Of a condition key that the sandbox knows nothing of, and of what
is not documented, the worst is assumed: what allows by it allows nothing, what denies by it denies. A trust
policy is taken to be grammatical; `aws.iam.grammar` sees to that when it is written.
"""

from __future__ import annotations

import glob
import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from itertools import chain
from operator import eq, ge, gt, le, lt
from typing import Any, Literal

from irsa_cli.sandbox.model import table

Context = Mapping[str, Sequence[str]]
"""The values of condition keys in this request; names in lower case, absent where the request has none."""

_Test = Callable[[str, "_Wanted"], bool]
_VARIABLE = re.compile(r"\$\{(.*?)\}", re.DOTALL)


@dataclass(frozen=True)
class _Wanted:
    """A value in a policy. `variables`: where `${...}` takes its values from; None: it is plain text."""

    text: str
    variables: Context | None = None

    def filled(self, *, pattern: bool = False) -> str | None:
        """The text with the values of its variables, or such a pattern of `fnmatch`; None if one has none."""
        pieces: list[str] = _VARIABLE.split(self.text) if self.variables is not None else [self.text]
        values = [value for name in pieces[1::2] if (value := self._value(name)) is not None]
        if len(values) < len(pieces[1::2]):
            return None
        if pattern:
            pieces[::2] = [text.replace("[", "[[]") for text in pieces[::2]]
        pieces[1::2] = map(glob.escape, values) if pattern else values
        return "".join(pieces)

    def _value(self, name: str) -> str | None:
        if name in ("*", "?", "$"):
            return name
        key, comma, default = name.partition(",")
        values = (self.variables or {}).get(key.strip().lower())
        if values:
            return values[0] if len(values) == 1 else None
        return default.strip().removeprefix("'").removesuffix("'") if comma else None

    def parts(self) -> list[_Wanted]:
        """The six components of an ARN, none if it has fewer; a variable's name may hold colons."""
        form = r"(?:\$\{[^}]*\}|(?!\$\{)[^:])*" if self.variables is not None else "[^:]*"
        arn = re.fullmatch(":".join([*[f"({form})"] * 5, "(.*)"]), self.text, re.DOTALL)
        return [_Wanted(segment, self.variables) for segment in arn.groups()] if arn else []


def like(pattern: str, value: str, variables: Context | None = None, *, ignore_case: bool = False) -> bool:
    """Whether `value` matches a pattern of `*`, `?` and, for values of `variables`, `${...}`."""
    if ignore_case:
        pattern = pattern.lower()
        value = value.lower()
    return _string_like(value, _Wanted(pattern, variables))


def _string_like(value: str, pattern_of_policy: _Wanted) -> bool:
    pattern = pattern_of_policy.filled(pattern=True)
    return pattern is not None and fnmatchcase(value, pattern)


def _arn_like(value: str, pattern: _Wanted) -> bool:
    patterns = pattern.parts()
    fields = value.split(":", 5)
    return len(patterns) == len(fields) and all(map(_string_like, fields, patterns))


def _in_network(value: str, network: _Wanted) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network.text, strict=False)
    except ValueError:
        return False


def _instant(text: str) -> float:
    """Seconds since the epoch, of a date in ISO 8601 or of such a number."""
    for form in ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d"):
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    return float(text)


def _equals_in_any_case(value: str, wanted: _Wanted) -> bool:
    text = wanted.filled()
    return text is not None and value.lower() == text.lower()


def _ordered(read: Callable[[str], float], compare: Callable[[float, float], bool]) -> _Test:
    def test(value: str, wanted: _Wanted) -> bool:
        try:
            return compare(read(value), read(wanted.text))
        except ValueError:
            return False

    return test


_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "Equals": eq,
    "LessThan": lt,
    "LessThanEquals": le,
    "GreaterThan": gt,
    "GreaterThanEquals": ge,
}
_POSITIVE: dict[str, _Test] = {
    "StringEquals": lambda value, wanted: value == wanted.filled(),
    "StringEqualsIgnoreCase": _equals_in_any_case,
    "StringLike": _string_like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda value, wanted: value.lower() == wanted.text.lower() and value.lower() in ("true", "false"),
    "BinaryEquals": lambda *_: False,  # No key here is binary.
    "IpAddress": _in_network,
    **{f"Numeric{name}": _ordered(float, order) for name, order in _ORDERS.items()},
    **{f"Date{name}": _ordered(_instant, order) for name, order in _ORDERS.items()},
}
_NEGATIVE = {name: _POSITIVE[name.replace("Not", "", 1)] for name in table("negated operators")}
_OF_ARNS = frozenset({"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"})
"""Of these, it is not documented what they say to a value that is no ARN."""


def _taken_apart(operator: str) -> tuple[str, str, bool]:
    quantifier, colon, name = operator.rpartition(":")
    bare = name[: -len("IfExists")] if name.endswith("IfExists") else name
    return quantifier + colon, bare, bare != name


def is_operator(name: str) -> bool:
    """Whether IAM knows a condition operator of this name; it tells upper from lower case in them."""
    quantifier, bare, _ = _taken_apart(name)
    known = bare in _POSITIVE or bare in _NEGATIVE
    return name == "Null" or (known and quantifier in ("", "ForAnyValue:", "ForAllValues:"))


def holds(
    block: Mapping[str, Mapping[str, Any]], context: Context, *, variables: bool = False, denies: bool = False
) -> bool:
    """Whether every operator of a Condition block, for every key, is satisfied.

    `variables`: whether `${...}` in its values is replaced, as in policies of version 2012-10-17. `denies`:
    whether the statement is a Deny. Undocumented behaviour counts against the caller: it does not fulfil the
    condition of an Allow, and fulfils the one of a Deny.
    """
    source = context if variables else None
    for operator, keys in block.items():
        for key, value in keys.items():
            patterns = [_Wanted(_as_text(text), source) for text in listed(value)]
            if not _holds_for(operator, context.get(key.lower()), patterns, denies=denies):
                return False
    return True


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds_for(operator: str, values: Sequence[str] | None, patterns: list[_Wanted], *, denies: bool) -> bool:
    """Whether an operator is satisfied by the values of a key; None for a key that is not there."""
    if operator == "Null":
        return _as_text(values is None) in [pattern.text.lower() for pattern in patterns]
    if not is_operator(operator):
        return False
    quantifier, name, if_exists = _taken_apart(operator)
    if values is None and if_exists:
        # With ForAnyValue, the documentation says nothing of it.
        return denies or quantifier != "ForAnyValue:"
    values = values or ()
    if name in _OF_ARNS and not all(value.startswith("arn:") for value in values):
        return denies
    if quantifier == "ForAnyValue:":
        return any(_compares(name, value, patterns) for value in values if value)
    if quantifier == "ForAllValues:":
        return all(_compares(name, value, patterns) for value in values if value)
    if not values:
        return name in _NEGATIVE  # It is satisfied by a key that is not there.
    # That a key with several values needs a quantifier is documented; what happens without one isn't.
    return denies if len(values) > 1 else _compares(name, values[0], patterns)


def _compares(name: str, value: str, patterns: list[_Wanted]) -> bool:
    """The answer of a single comparison of a value."""
    if name in _NEGATIVE:
        return not any(_NEGATIVE[name](value, pattern) for pattern in patterns)
    return any(_POSITIVE[name](value, pattern) for pattern in patterns)


def listed(value: Any) -> list[Any]:
    """A value that may stand without a list, as one."""
    return value if isinstance(value, list) else [value]


Document = Mapping[str, Any]
Verdict = Literal["allow", "deny", "silent"]

# The keys that the sandbox gives values to; one of these without a value is one that the request lacks.
_KEYS = frozenset(table("known keys"))
_TAGS = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "iam:resourcetag/")


@dataclass(frozen=True)
class Act:
    """A call as policies see it: `iam:CreateRole` on a resource's ARN, with the values of condition keys."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Powers:
    """All that bounds a caller: identity policies, and what they are intersected with (None: not set)."""

    identity: Sequence[Document]
    boundary: Document | None = None
    session: Document | None = None


def refusal(powers: Powers, act: Act) -> str:
    """Why `act` is refused, as AWS words it; empty when it is allowed."""
    layers: list[tuple[str, Sequence[Document]]] = [("identity-based policy", powers.identity)]
    if powers.boundary is not None:
        layers.append(("permissions boundary", [powers.boundary]))
    if powers.session is not None:
        layers.append(("session policy", [powers.session]))
    verdicts = [(name, verdict(documents, act, wary=True)) for name, documents in layers]
    for name, effect in verdicts:
        if effect == "deny":
            article = "an" if name[0] in "aeiou" else "a"
            return f"with an explicit deny in {article} {name}"
    for name, effect in verdicts:
        if effect == "silent":
            return f"because no {name} allows the {act.action} action"
    return ""


def verdict(documents: Sequence[Document], act: Act, *, wary: bool = False) -> Verdict:
    """The verdict of these policies on `act`, a Deny wins; `wary`: unknown keys count against the caller."""
    effects: set[str] = set()
    for document in documents:
        variables = document.get("Version") == "2012-10-17"
        for statement in listed(document.get("Statement", [])):
            if _fits(statement, act, variables=variables, wary=wary):
                effects.add(statement["Effect"])
    if "Deny" in effects:
        return "deny"
    return "allow" if "Allow" in effects else "silent"


def _fits(statement: Mapping[str, Any], act: Act, *, variables: bool, wary: bool) -> bool:
    if not _acts(statement, act.action):
        return False
    source = act.context if variables else None
    if not _names(statement, "Resource", lambda pattern: like(pattern, act.resource, source)):
        return False
    conditions = statement.get("Condition", {})
    denies: bool = statement["Effect"] == "Deny"
    if wary and not all(_is_known(key.lower(), act) for key in chain.from_iterable(conditions.values())):
        return denies
    return holds(conditions, act.context, variables=variables, denies=denies)


def _is_known(key: str, act: Act) -> bool:
    """Whether it is known if the request has this condition key."""
    return key in _KEYS or key in act.context or key.startswith(_TAGS)


def _acts(statement: Mapping[str, Any], action: str) -> bool:
    return _names(statement, "Action", lambda pattern: like(pattern, action, ignore_case=True))


def _names(statement: Mapping[str, Any], element: str, fits: Callable[[str], bool]) -> bool:
    """Whether some pattern of an element fits, or there is none of its Not form that does."""
    if element in statement:
        return any(fits(pattern) for pattern in listed(statement[element]))
    excluded = listed(statement.get(f"Not{element}", []))
    return bool(excluded) and not any(fits(pattern) for pattern in excluded)


@dataclass(frozen=True)
class Who:
    """The caller that wants to assume the role, as the principals of a policy name it.

    `federated` is a provider's ARN, `service` a service of AWS. `aws` are all names of an AWS caller: its
    ARN, and those of its role and account.
    """

    federated: str = ""
    aws: tuple[str, ...] = ()
    service: str = ""


def of_every_request() -> dict[str, list[str]]:
    """The condition keys that every direct call to STS has, as far as the sandbox knows them.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    now = datetime.now(timezone.utc)
    return {
        "aws:currenttime": [now.strftime("%Y-%m-%dT%H:%M:%SZ")],
        "aws:epochtime": [f"{now.timestamp():.0f}"],
        "aws:securetransport": ["true"],  # STS has no other.
        "aws:sourceip": ["127.0.0.1"],
        "aws:viaawsservice": ["false"],
    }


def admits(document: str, action: str, who: Who, context: Context) -> bool:
    """Whether some statement allows `action` to `who`, and none denies it."""
    return admitting(document, action, who, context) is not None


def admitting(document: str, action: str, who: Who, context: Context) -> set[str] | None:
    """The principals by which `document` allows `action` to `who`; None when it does not."""
    policy = json.loads(document)
    # Older policies, and those that name no version, have no variables.
    variables = policy.get("Version") == "2012-10-17"
    allowed: set[str] = set()
    for statement in listed(policy.get("Statement", [])):
        denies = statement["Effect"] == "Deny"
        block = statement.get("Condition", {})
        if not _acts(statement, action) or not holds(block, context, variables=variables, denies=denies):
            continue
        names = _named(statement, who)
        if denies and names:
            return None
        allowed |= names
    return allowed or None


def _named(statement: Mapping[str, Any], who: Who) -> set[str]:
    denies = statement["Effect"] == "Deny"
    if "NotPrincipal" in statement:
        # Whoever an Allow may leave out is left out; whoever a Deny may leave out is denied.
        excluded = _principals(statement["NotPrincipal"], who, widely=not denies)
        return set() if excluded else {"*"}
    return _principals(statement.get("Principal", {}), who, widely=denies)


def _principals(principal: Any, who: Who, *, widely: bool) -> set[str]:
    """The principals that mean the caller.

    AWS documents what "*" means for callers of its own kind only; `widely`: also those of other kinds.
    """
    if principal == "*":
        return {"*"} if widely or not who.service else set()
    names = {kind: set(listed(principal.get(kind, []))) for kind in ("AWS", "Federated", "Service")}
    if widely and "*" in names["AWS"] | names["Federated"]:
        return {"*"}
    aws = names["AWS"] & {*who.aws, "*"} if who.aws else set()
    service = names["Service"] & {who.service, *("*" if widely else "")} if who.service else set()
    return aws | service | (names["Federated"] & {who.federated})
