"""The judge: a trust policy, with what is known around it, and the risks that are in it.

Pure, and the only way in: what single rules ask is in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from irsa_cli.core.trust.rules.claims import of_claims
from irsa_cli.core.trust.rules.context import TrustContext
from irsa_cli.core.trust.rules.look import Look
from irsa_cli.core.trust.rules.principals import of_everybody, of_principals
from irsa_cli.core.trust.rules.providers import of_providers
from irsa_cli.core.trust.rules.rule import Risk, worst_first
from irsa_cli.core.trust.rules.width import of_subjects
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE

LARGEST = 8192
"""Characters of a trust policy that can be one: IAM takes 4,096 at most, without white space."""


def judge(document: Mapping[str, Any], context: TrustContext) -> tuple[Risk, ...]:
    """The risks of a trust policy for tokens of the context's providers, the worst first.

    Time grows with the square of the document at worst: who reads documents that IAM has not taken leaves out
    those that are larger than `LARGEST`.
    """
    found = [*of_everybody(document)]
    open_ones = {item.statement for item in found}
    for provider in context.providers:
        look = Look(document, provider, context.audience)
        accepted = None if context.existing is None else context.existing.get(provider)
        wide = list(of_subjects(look))
        each = [*(item for _, item in wide), *of_claims(look, wide, accepted)]
        found += [item for item in each if item.statement not in open_ones]
    found += [*of_principals(document, context.providers), *of_providers(document, context)]
    # What two clusters' providers have in common is said once.
    once = {(item.rule.id, item.statement, item.reason): item for item in reversed(found)}
    told = [replace(item, role=context.role).behind(context.power) for item in reversed(once.values())]
    return worst_first(told)


def wide_trusts(
    document: Mapping[str, Any],
    providers: Iterable[str],
    audience: str = DEFAULT_AUDIENCE,
    *,
    role: str = "",
    power: str = "",
) -> tuple[Risk, ...]:
    """The same where nothing is known of the account but these providers (ARNs): for warnings of one role."""
    return judge(document, TrustContext(tuple(providers), audience, role, power))
