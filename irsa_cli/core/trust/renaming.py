"""A statement of a trust policy for the tokens of another OIDC provider; all else is as it was. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from irsa_cli.core.policies.policy import Document, normalized
from irsa_cli.core.policies.statements import PROVIDER, principals
from irsa_cli.core.values.issuer import issuer_of


def renamed(statement: Mapping[str, Any], old: str, new: str) -> Document:
    """The statement that says of `new`'s tokens what this one says of `old`'s; both are ARNs.

    Of the principals only `new` is left. Condition keys have the prefix of `new`, whatever the operator, and
    variables (`${PREFIX:sub}`) too. The rest of a key is as it was written.
    """
    one, other = issuer_of(old), issuer_of(new)

    def value(item: Any) -> Any:
        if isinstance(item, list):
            return [value(each) for each in item]
        return item.replace(f"${{{one}:", f"${{{other}:") if isinstance(item, str) else item

    def key(text: str) -> str:
        named = text.lower().startswith(f"{one.lower()}:")
        return f"{other}{text[len(one) :]}" if named else text

    found = {**statement, "Principal": {"Federated": new}}
    if isinstance(block := statement.get("Condition"), dict):
        found["Condition"] = {
            operator: {key(name): value(item) for name, item in keys.items()}
            if isinstance(keys, dict)
            else keys
            for operator, keys in block.items()
        }
    return found


def sid_for(sid: str, old: str, new: str, taken: Iterable[str]) -> str:
    """The Sid of such a statement: IAM takes each once. There and back it is the same again.

    The Sids of two providers differ by their ends, which follow from the provider.
    """
    there = set(taken)
    base = sid.removesuffix(_end(old)) or sid
    numbers = (f"{base}{_end(new)}{number}" for number in range(2, len(there) + 3))
    return next(name for name in (base, f"{base}{_end(new)}", *numbers) if name not in there)


def _end(provider: str) -> str:
    return hashlib.sha256(provider.encode()).hexdigest()[:8]


def alike(one: Any, other: Mapping[str, Any]) -> bool:
    """Whether two statements say the same, their Sids and the case of condition keys aside."""
    return isinstance(one, dict) and _plain(one) == _plain(other)


def next_to_its_like(statements: Sequence[Any], new: Document) -> list[Any]:
    """The statements with a new one: next to those that say the same of other providers, else at the end.

    Those are in the order of their providers. So one that goes and comes back has the same place again.
    """
    likes = [
        (index, other)
        for index, item in enumerate(statements)
        for provider in principals(new, "Federated")[:1]
        if isinstance(item, dict)
        for other in principals(item, "Federated")
        if PROVIDER.fullmatch(other) and alike(renamed(item, other, provider), new)
    ]
    before = [index for index, other in likes if other > principals(new, "Federated")[0]]
    after = [index + 1 for index, _ in likes]
    place = min(before, default=max(after, default=len(statements)))
    return [*statements[:place], new, *statements[place:]]


def _plain(statement: Mapping[str, Any]) -> Any:
    found = {**statement, "Sid": ""}
    if isinstance(block := statement.get("Condition"), dict):
        found["Condition"] = {
            operator: {key.lower(): value for key, value in keys.items()} if isinstance(keys, dict) else keys
            for operator, keys in block.items()
        }
    return normalized(found)
