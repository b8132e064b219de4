"""A hint in the role's trust policy: it lets in more than was named. That breaks nothing, and is no problem.

What is wide is decided in `irsa_cli.core.trust.rules.judge`; a whole account is looked at elsewhere.
"""

from __future__ import annotations

from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Group, Judgement, cause, ok, unknown
from irsa_cli.core.doctor.subjects import audience_of, provider_of, role_of
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.trust.rules.judge import wide_trusts
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import in_one_line

_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide"


@cause(
    "role-wide-trust",
    Group.ROLE,
    5,
    title="The trust policy admits more than the ServiceAccounts that it names.",
    symptom="none: others may get the role, too",
    looks_at="iam GetRole (trust policy, permissions boundary), the role's policies",
    remedy="Name the ServiceAccounts by StringEquals on ISSUER:sub, and the audience by StringEquals on"
    " ISSUER:aud.",
    source=f"{_IAM}/id_roles_create_for-idp_oidc.html",
)
def _wide(facts: Facts) -> Judgement:
    subject, role = facts.named, role_of(facts.named)
    # Whom the trust lets in is known without the policies; how much that matters is not.
    policies = {} if isinstance(role.policies, Unreadable) else role.policies
    much = power(policies, policies, role.boundary)
    found = wide_trusts(role.trust, (provider_of(facts, subject),), audience_of(facts, subject), power=much)
    if not found:
        return ok("the trust policy admits nobody whom it does not name")
    return unknown(
        f"nothing is broken, but the trust policy is wide: {in_one_line(found)}",
        role=role.arn,
        tighter="; ".join(dict.fromkeys(item.suggestion for item in found)),
        explained="; ".join(dict.fromkeys(item.explained_by for item in found)),
    )
