"""Whom a trust policy lets in beside one ServiceAccount, in words: subjects, patterns, providers, principals.

Pure. Whether it lets a given token in is `irsa_cli.core.trust.evaluation`'s business; statements that deny
are passed over here, and so are further conditions: they only make it fewer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.web_identity import WebIdentity

SHOWN = 10


def others(document: Mapping[str, Any], identity: WebIdentity) -> tuple[str, ...]:
    """Everybody whom a statement allows, but exactly this subject by its own provider; each once."""
    found: dict[str, None] = {}
    for index, item in enumerate(as_list(document.get("Statement", []))):
        if isinstance(item, dict) and item.get("Effect") == "Allow":
            where = f"statement {index + 1}" + (f" ({item['Sid']})" if item.get("Sid") else "")
            found.update(dict.fromkeys(f"{who} by {where}" for who in _named(item, identity)))
    return tuple(found)


def shortened(texts: tuple[str, ...]) -> str:
    """The texts in one line, the first ones only where they are many."""
    more = [f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return ", ".join([*texts[:SHOWN], *more])


def _named(item: Mapping[str, Any], identity: WebIdentity) -> Iterator[str]:
    if "NotPrincipal" in item:
        yield f"all but {_flat(item['NotPrincipal'])}"
        return
    principal = item.get("Principal", {})
    if not isinstance(principal, dict):
        yield "everybody" if principal == "*" else str(principal)
        return
    for kind, values in principal.items():
        for value in map(str, as_list(values)):
            if kind == "Federated" and "oidc-provider/" in value:
                yield from _subjects(item, value, identity)
            else:
                yield f"{kind} {value}"


def _subjects(item: Mapping[str, Any], provider: str, identity: WebIdentity) -> Iterator[str]:
    """The subjects of a provider's tokens that a statement is about."""
    issuer = provider.partition("oidc-provider/")[2]
    own = provider == identity.provider_arn
    where = "" if own else f" of {issuer}"
    tests = list(_tests(item, f"{issuer}:sub"))
    if not tests:
        yield "every ServiceAccount of the cluster" if own else f"every token{where}"
    for operator, subjects in tests:
        negated = "Not" in operator
        for subject in subjects:
            if negated:
                yield f"all but {subject}{where}"
            elif not (own and subject == identity.subject):
                yield f"{subject}{where}"


def _tests(item: Mapping[str, Any], key: str) -> Iterator[tuple[str, list[str]]]:
    block = item.get("Condition")
    for operator, keys in block.items() if isinstance(block, dict) else ():
        for name, values in keys.items() if isinstance(keys, dict) else ():
            if name.lower() == key.lower() and operator != "Null":
                yield operator, [str(value) for value in as_list(values)]


def _flat(principal: Any) -> str:
    if not isinstance(principal, dict):
        return str(principal)
    return ", ".join(f"{kind} {value}" for kind, values in principal.items() for value in as_list(values))
