"""Flaws in the principal of a trust policy statement: its OIDC provider."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.statements import PROVIDER, words_of

_COMPARED = 200 * 200


@dataclass(frozen=True)
class Flaw:
    """A flaw of a statement, with the found and the expected value. `unknown`: it may be none."""

    cause: str
    text: str
    found: str
    expected: str
    statement: str = ""
    unknown: bool = False


def principal_flaw(item: Document, wanted: str, old: frozenset[str]) -> Flaw | None:
    """The flaw in a statement's principal; None if it has the provider `wanted`. For `old` see `flaws`."""
    principal = item.get("Principal", {})
    if principal == "*" or "NotPrincipal" in item:
        return None
    names = as_list(principal.get("Federated", [])) if isinstance(principal, dict) else []
    if wanted in names:
        return None
    providers = [str(name) for name in names if PROVIDER.fullmatch(str(name))]
    if not providers:
        everybody = isinstance(principal, dict) and "*" in (*names, *as_list(principal.get("AWS", [])))
        text = "irsa cannot tell if it includes this provider" if everybody else "it has no OIDC provider"
        expected = f"Federated {wanted}"
        return Flaw("trust-principal", text, ", ".join(words_of(principal)), expected, unknown=everybody)
    found = max(providers, key=lambda name: similarity(name, wanted))
    return _provider_flaw(found, wanted, old)


def _provider_flaw(found: str, wanted: str, old: frozenset[str]) -> Flaw:
    if _plain(found) == _plain(wanted):
        return Flaw("trust-provider-arn", "IAM compares the principal character by character", found, wanted)
    if found.rpartition("/")[2] == wanted.rpartition("/")[2]:
        return Flaw("trust-provider-arn", "it has another account, region or host", found, wanted)
    if found in old:
        text = "it is the provider of a cluster that was deleted or recreated"
        return Flaw("trust-old-cluster", text, found, wanted)
    return Flaw("trust-other-cluster", "it is another cluster's provider", found, wanted)


def _plain(arn: str) -> str:
    return arn.replace("https://", "").rstrip("/").lower()


def similarity(one: str, other: str) -> float:
    """How near two texts are, from 0 to 1. Of long ones only the letters are compared, not their order."""
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    # The exact ratio takes up to the third power of the length.
    return matcher.ratio() if len(one) * len(other) <= _COMPARED else matcher.quick_ratio()
