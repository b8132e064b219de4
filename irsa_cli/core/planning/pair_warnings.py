"""How wide the trust policy of a role becomes that is there already, with its ServiceAccount; pure.

For one that is desired, see `irsa_cli.core.planning.trust_warnings`.
"""

from __future__ import annotations

from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.planning.trust_warnings import Trusted, check, risks_left
from irsa_cli.core.trust.rules.rule import Risk


def risks_of(pair: Pairing, plan: Plan) -> tuple[Risk, ...]:
    """What is wide in the trust policy as a plan leaves it; nothing where the role was not read."""
    return () if pair.role is None else risks_left(pair.role, pair.role_name, plan, _trusted(pair))


def check_pair(pair: Pairing, plan: Plan) -> None:
    """Raise `Refused` where a plan makes the trust policy too wide; what was so before, it may leave so."""
    if pair.role is not None:
        check(pair.role, pair.role_name, plan, _trusted(pair))


def _trusted(pair: Pairing) -> Trusted:
    return Trusted(pair.role_arn, (pair.identity(pair.audience).provider_arn,), pair.audience)
