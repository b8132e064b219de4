"""Whom a trust policy lets in beside one ServiceAccount, in words: subjects, patterns, providers, principals.

Pure. Whether it lets a given token in is `irsa_cli.core.trust.evaluation`'s business; statements that deny
are passed over here, and so are further conditions: they only make it fewer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import allowing, name_of, tests_of_key, words_of
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.values.issuer import issuer_of

SHOWN = 10


def others(document: Mapping[str, Any], identity: WebIdentity) -> tuple[str, ...]:
    """Everybody whom a statement allows, but exactly this subject by its own provider; each once."""
    found: dict[str, None] = {}
    for index, item in allowing(document):
        found.update(dict.fromkeys(f"{who} by {name_of(index, item)}" for who in _named(item, identity)))
    return tuple(found)


def shortened(texts: tuple[str, ...]) -> str:
    """The texts in one line, the first ones only where they are many."""
    more = [f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return ", ".join([*texts[:SHOWN], *more])


def _named(item: Mapping[str, Any], identity: WebIdentity) -> Iterator[str]:
    if "NotPrincipal" in item:
        yield f"all but {', '.join(words_of(item['NotPrincipal']))}"
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
    issuer = issuer_of(provider)
    own = provider == identity.provider_arn
    where = "" if own else f" of {issuer}"
    tests = [test for test in tests_of_key([item], f"{issuer}:sub") if test[0] != "Null"]
    if not tests:
        yield "every ServiceAccount of the cluster" if own else f"every token{where}"
    for operator, subjects in tests:
        negated = "Not" in operator
        for subject in subjects:
            if negated:
                yield f"all but {subject}{where}"
            elif not (own and subject == identity.subject):
                yield f"{subject}{where}"
