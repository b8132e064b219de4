"""Several subjects in one statement of a trust policy: joining one, and parting with it.

Only statements in the very form that irsa writes are touched, and on the roles of others only those that bear
irsa's mark: a Sid that follows from provider, audience and operator. All others stay byte for byte, and so
does the order. Several values of a key are alternatives:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.web_identity import ACTION

EXACT, LIKE = "StringEquals", "StringLike"
_PROVIDER = "oidc-provider/"


def prefix_of(provider: str) -> str:
    """What the provider's condition keys begin with: its issuer without `https://`."""
    return provider.partition(_PROVIDER)[2]


@dataclass(frozen=True)
class Shared:
    """A statement in irsa's form: these subjects of one provider's issuer, for one audience.

    `operator` compares the subjects: StringEquals, or StringLike where one holds wildcards. `sid` is the mark
    of one that irsa has added to a role that is somebody else's; '' on irsa's own roles.
    """

    provider: str
    audience: str
    operator: str
    subjects: tuple[str, ...]
    sid: str = ""

    @property
    def mark(self) -> str:
        """The Sid of such a statement on a role that is somebody else's, so that irsa knows it again."""
        text = "\0".join((self.provider, self.audience, self.operator))
        return f"Irsa{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @property
    def marked(self) -> Shared:
        """The same with irsa's mark."""
        return replace(self, sid=self.mark)

    @property
    def document(self) -> Document:
        """The statement as it is written: subjects sorted, one of them without a list."""
        prefix = prefix_of(self.provider)
        ordered = sorted(set(self.subjects))
        aud = {f"{prefix}:aud": self.audience}
        sub: dict[str, Any] = {f"{prefix}:sub": ordered if ordered[1:] else ordered[0]}
        condition = {EXACT: {**aud, **sub}} if self.operator == EXACT else {EXACT: aud, LIKE: sub}
        return {
            **({"Sid": self.sid} if self.sid else {}),
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": ACTION,
            "Condition": condition,
        }

    def fits(self, other: Shared) -> bool:
        """Whether both could be one statement: one with irsa's mark, and one without, never are."""
        one, two = (replace(item, subjects=(), sid=item.mark if item.sid else "") for item in (self, other))
        return one == two


def shared(provider: str, audience: str, subjects: Iterable[str]) -> Shared:
    """The statement that admits these subjects, which may hold wildcards."""
    names = tuple(sorted(set(subjects)))
    wild = any("*" in name or "?" in name for name in names)
    return Shared(provider, audience, LIKE if wild else EXACT, names)


def read(statement: Any) -> Shared | None:
    """A statement exactly as irsa writes it, without a Sid or with irsa's; None for any other."""
    try:
        provider = statement["Principal"]["Federated"]
        condition, prefix = statement["Condition"], prefix_of(provider)
        audience = condition[EXACT][f"{prefix}:aud"]
        operator = LIKE if LIKE in condition else EXACT
        subjects = tuple(as_list(condition[operator][f"{prefix}:sub"]))
        found = Shared(provider, audience, operator, subjects, statement.get("Sid", ""))
        marked = not found.sid or re.fullmatch(rf"{found.mark}[0-9]*", found.sid, re.ASCII)
        return found if subjects and marked and found.document == statement else None
    except (AttributeError, KeyError, TypeError):
        return None


def holds(statement: Any, wanted: Shared) -> bool:
    """Whether a statement in irsa's form has all these subjects."""
    found = read(statement)
    return found is not None and found.fits(wanted) and set(wanted.subjects) <= set(found.subjects)


def join(statements: list[Any], wanted: Shared) -> list[Any]:
    """The statements with these subjects in the first one that they fit into, or in one of their own."""
    for index, item in enumerate(statements):
        found = read(item)
        if found is not None and found.fits(wanted):
            together = replace(found, subjects=(*found.subjects, *wanted.subjects)).document
            return [*statements[:index], together, *statements[index + 1 :]]
    return [*statements, replace(wanted, sid=_free_sid(statements, wanted.sid)).document]


def _free_sid(statements: list[Any], sid: str) -> str:
    """The Sid, numbered where somebody has changed the statement that bears it: IAM takes each only once."""
    taken = {str(item.get("Sid", "")) for item in statements if isinstance(item, dict)}
    numbered = (f"{sid}{number}" for number in range(2, len(taken) + 3))
    return sid if not sid or sid not in taken else next(name for name in numbered if name not in taken)


def part(statements: list[Any], unwanted: Shared) -> list[Any]:
    """The statements without these subjects, wherever they stand in irsa's form."""
    kept = []
    for item in statements:
        found = read(item)
        if found is None or not found.fits(unwanted):
            kept.append(item)
            continue
        rest = tuple(subject for subject in found.subjects if subject not in unwanted.subjects)
        if rest == found.subjects:
            kept.append(item)
        elif rest:
            kept.append(replace(found, subjects=rest).document)
    return kept
