"""Whom a step of `irsa repoint` gives a role, or takes it from, against its purpose; pure.

`--add` gives NEW what OLD has, and takes nothing from anybody; `--retire` gives nobody anything. irsa's own
evaluator judges tokens of both clusters before and after the step: those whose subjects and audiences a trust
policy's conditions tell apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from irsa_cli.core.binding.role_power import power_of
from irsa_cli.core.objects.role import Role
from irsa_cli.core.planning import repoint as planning
from irsa_cli.core.planning.repoint import Move
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import name_of, statements, tests_of_key
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.trust.restrictions import Restriction, demands, voided
from irsa_cli.core.trust.rules.power import check_power
from irsa_cli.core.trust.trust_policy import alike, renamed
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, issuer_of
from irsa_cli.core.values.errors import Refused

_PREFIX = "system:serviceaccount:"
_ANY_NAME = "x9q7z-k3w8v"
"""A text in the place of `*` in a tried subject: only wildcards match it."""
_ANYBODY = f"{_PREFIX}{_ANY_NAME}:{_ANY_NAME}"
_LIKELIHOOD = {Answer.NO: 0, Answer.UNKNOWN: 1, Answer.YES: 2}


FORCE = "--force"
WIDE = "--allow-wide-trust"


@dataclass(frozen=True)
class Objection:
    """A reason not to do a step, and the flag with which the user wants it nevertheless."""

    flag: str
    refusal: Refused


def _objection(
    flag: str, message: str, reason: str, details: Sequence[str] = (), first: str = ""
) -> Objection:
    either = "or, if" if first else "if"
    steps = [*filter(None, [first]), f"{either} this is intended, run this again with {flag}"]
    return Objection(flag, Refused(message, reason=reason, details=details, next_steps=steps))


@dataclass(frozen=True)
class _Tried:
    """The subject and the audience of a tried token; `title` is the subject for people."""

    subject: str
    audience: str
    title: str

    def of(self, provider: str) -> WebIdentity:
        return WebIdentity(provider, f"https://{issuer_of(provider)}", self.subject, self.audience)


@dataclass(frozen=True)
class Addition:
    """`--add` for one role: its trust policy `before` and `after`, with the `copies` of OLD's statements.

    `audiences` are those of NEW's OIDC provider.
    """

    before: Document
    after: Document
    copies: Sequence[Document]
    move: Move
    audiences: Collection[str] = ()

    @classmethod
    def of(cls, trust: Document, move: Move, audiences: Collection[str] = ()) -> Addition:
        copies, after = planning.additions(trust, move)
        return cls(trust, after, copies, move, audiences)

    def objections(self, role: Role) -> Iterator[Objection]:
        """Why it is not done: NEW's tokens lose the role, get more than OLD's, or a powerful role.

        Of a role whose policies were not read, nothing says that it is powerful.
        """
        if losses := self.losses:
            denies = [item for item in self.copies if item.get("Effect") != "Allow"]
            yield _objection(
                FORCE,
                f"{role.name} would be denied to {', '.join(losses)} of the new cluster",
                "these tokens can assume it, and the new cluster would also get this Deny of the old one",
                [f"Deny: {planning.title_of(item)}" for item in denies],
            )
        if bypassed := self.bypassed:
            yield _objection(
                FORCE,
                f"a statement for the new cluster would bypass a condition of {role.name}'s trust policy",
                "one matching statement is enough, and the new one does not have this condition",
                [item.text for item in bypassed],
            )
        if more := self.more_than_old:
            yield _objection(
                WIDE,
                f"{', '.join(more)} of the new cluster could assume {role.name}",
                "tokens of the old cluster can't: a Deny for everybody is about the old issuer only",
                first=f"aws iam get-role --role-name {role.name}  # add such a Deny for the new issuer first",
            )
        power = power_of(role)
        if power and self.gains:
            try:
                check_power(role.arn, ", ".join(self.gains), power, role.policies)
            except Refused as refusal:
                yield Objection(WIDE, refusal)

    @cached_property
    def gains(self) -> list[str]:
        """The subjects of NEW that can, or may, assume the role only afterwards."""
        new = self.move.new
        return _titles(
            tried for tried in self._tried if _more(_answer(self.after, new, tried), self.before, new, tried)
        )

    @property
    def losses(self) -> list[str]:
        """The subjects of NEW that can, or may, assume the role, and that a copied Deny denies, or may."""
        new = self.move.new
        denies = [item for item in self.copies if item.get("Effect") != "Allow"]
        only_denies = {**self.before, "Statement": denies}
        return _titles(
            tried
            for tried in self._tried
            if _answer(self.before, new, tried) is not Answer.NO
            and explain(only_denies, tried.of(new)).denied is not False
        )

    @property
    def more_than_old(self) -> list[str]:
        """The subjects of NEW that can assume the role afterwards, as neither they nor OLD's can today."""
        old = self.move.old
        new = self.move.new
        return _titles(
            tried
            for tried in self._tried
            for answer in [_answer(self.after, new, tried)]
            if _more(answer, self.before, new, tried) and _more(answer, self.before, old, tried)
        )

    @property
    def bypassed(self) -> list[Restriction]:
        """The conditions of NEW's own statements that the copies of OLD's do not have."""
        new = self.move.new
        theirs = {
            name_of(index, item)
            for index, item in enumerate(statements(self.before))
            if not self._is_copy(item)
        }
        found = (
            restriction
            for copy in self.copies
            if copy.get("Effect") == "Allow"
            for tried in self._tried
            if explain({**self.before, "Statement": [copy]}, tried.of(new)).allowed is not False
            for restriction in voided(self.before, tried.of(new), demands(copy))
        )
        return [item for item in dict.fromkeys(found) if item.statement in theirs]

    def _is_copy(self, item: Mapping[str, Any]) -> bool:
        """Whether a statement says of NEW's tokens what another says of OLD's: an earlier run wrote it."""
        old = self.move.old
        new = self.move.new
        if item not in planning.of_provider({"Statement": [item]}, new):
            return False
        mine = renamed(item, new, new)
        return any(alike(mine, renamed(each, old, new)) for each in planning.of_provider(self.before, old))

    @cached_property
    def _tried(self) -> list[_Tried]:
        return tokens_to_try(self.before, (self.move.old, self.move.new), self.audiences)


def objections_to_removal(
    role: str, trust: Document, move: Move, audiences: Collection[str] = ()
) -> Iterator[Objection]:
    """Why OLD's statements are not removed: tokens of OLD could assume the role only afterwards.

    `audiences` are those of OLD's OIDC provider.
    """
    after = planning.without(trust, move.old)
    gains = _titles(
        tried
        for tried in tokens_to_try(trust, (move.old,), audiences)
        if _more(_answer(after, move.old, tried), trust, move.old, tried)
    )
    if gains:
        yield _objection(
            WIDE,
            f"{', '.join(gains)} of the old cluster could assume {role} afterwards",
            "a Deny of the old cluster would be removed, and another statement allows everybody",
            first=f"aws iam get-role --role-name {role}  # change that statement first",
        )


def tokens_to_try(
    trust: Mapping[str, Any], providers: Sequence[str], audiences: Collection[str] = ()
) -> list[_Tried]:
    """Tokens that a trust policy's conditions on the providers' subjects and audiences tell apart.

    Each subject, one for each pattern, for each two patterns that have one in common, and one of nobody.
    """
    keys = [issuer_of(provider) for provider in providers]
    found = list(statements(trust))
    named = {text for key in keys for _, texts in tests_of_key(found, f"{key}:sub") for text in texts}
    said = {text for key in keys for _, texts in tests_of_key(found, f"{key}:aud") for text in texts}
    patterns = sorted(text for text in named if _is_pattern(text))
    titles = {text: _title(text) for text in sorted(named - {*patterns})}
    for text in patterns:
        titles.setdefault(_example(text), text)
    for index, one in enumerate(patterns):
        for other in patterns[index + 1 :]:
            common = in_common(one, other)
            if common is not None:
                titles.setdefault(common, f"{one} and {other}")
    titles.setdefault(_ANYBODY, "any other ServiceAccount")
    wanted = dict.fromkeys((DEFAULT_AUDIENCE, *audiences, *(map(_example, sorted(said)))))
    return [_Tried(subject, audience, title) for subject, title in titles.items() for audience in wanted]


def in_common(one: str, other: str) -> str | None:
    """A text that two patterns of `*` and `?` match, None if there is none."""
    todo: deque[tuple[int, int, str]] = deque([(0, 0, "")])
    seen: set[tuple[int, int]] = set()
    while todo:
        i, j, text = todo.popleft()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        mine = one[i : i + 1]
        theirs = other[j : j + 1]
        if not mine and not theirs:
            return text
        if mine == theirs == "*":
            text += _ANY_NAME
        if mine == "*":
            todo.append((i + 1, j, text))
            if theirs not in ("", "*"):
                todo.append((i, j + 1, text + _example(theirs)))
        if theirs == "*":
            todo.append((i, j + 1, text))
            if mine not in ("", "*"):
                todo.append((i + 1, j, text + _example(mine)))
        if mine and theirs and "*" not in (mine, theirs) and (mine == theirs or "?" in (mine, theirs)):
            todo.append((i + 1, j + 1, text + _example(theirs if mine == "?" else mine)))
    return None


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _example(pattern: str) -> str:
    """A text that a pattern matches, and as few others as possible do."""
    return pattern.replace("*", _ANY_NAME).replace("?", "x")


def _title(subject: str) -> str:
    namespace, colon, name = subject.removeprefix(_PREFIX).partition(":")
    return f"{namespace}/{name}" if colon and subject.startswith(_PREFIX) else subject


def _titles(tokens: Iterable[_Tried]) -> list[str]:
    return list(dict.fromkeys(tried.title for tried in tokens))


def _answer(document: Mapping[str, Any], provider: str, tried: _Tried) -> Answer:
    return explain(document, tried.of(provider)).answer


def _more(answer: Answer, before: Mapping[str, Any], provider: str, tried: _Tried) -> bool:
    """Whether an answer is nearer to yes than that of a policy before."""
    return _LIKELIHOOD[answer] > _LIKELIHOOD[_answer(before, provider, tried)]
