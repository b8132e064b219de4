"""What the trust policy of the annotation's role says to the token, for all causes that ask.

What is wrong in a policy is found by `irsa_cli.core.doctor.clues.trust_flaws`; here it is told which
provider is an old one, and what is rather the fault of the ServiceAccount's annotations.
"""

from __future__ import annotations

from irsa_cli.core.doctor.clues.meant import naming
from irsa_cli.core.doctor.clues.principal_flaws import Flaw
from irsa_cli.core.doctor.clues.trust_flaws import flaws
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.subjects import audience_of, identity_of, provider_there, role_of
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.kinds import ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, CLUSTER_TAG, SERVICE_ACCOUNT_TAG, ProviderState
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, host_path

EKSCTL_ACCOUNT_TAG = "alpha.eksctl.io/iamserviceaccount-name"
EKSCTL_CLUSTER_TAG = "alpha.eksctl.io/cluster-name"


def _old(facts: Facts, role: Role) -> frozenset[str]:
    """Providers in the policy that are gone, or that tags say belong to an earlier cluster of this name."""
    own = identity_of(facts, facts.named).provider_arn
    known = facts.named.providers
    named = trusted_providers(role.trust) - {own}
    return frozenset(arn for arn in named if arn in known and _is_old(facts, arn, known[arn]))


def _is_old(facts: Facts, arn: str, provider: object) -> bool:
    if not isinstance(provider, ProviderState):
        return provider is None
    cluster, tags = facts.cluster, provider.tags
    if cluster.arn == tags.get(CLUSTER_TAG):
        return True
    # eksctl notes the name alone, which a cluster of another region may have, too.
    return cluster.name == tags.get(EKSCTL_CLUSTER_TAG) and _host(arn) == _host(cluster.issuer)


def _host(provider: str) -> str:
    """The host of an issuer, of its URL or its provider's ARN; EKS has one for each region."""
    return host_path(provider.rpartition("oidc-provider/")[2]).partition("/")[0].lower()


def flaws_of(facts: Facts) -> tuple[Flaw, ...]:
    """What keeps the token out of the role; nothing when it is admitted."""
    role = role_of(facts.named)
    found = flaws(role.trust, identity_of(facts, facts.named), _old(facts, role), facts.now)
    return tuple(item for item in found if not _is_annotations(facts, item))


def _is_annotations(facts: Facts, flaw: Flaw) -> bool:
    """Whether it is the ServiceAccount's annotation that is wrong: see the cause annotation-audience."""
    account = facts.named.account
    return (
        flaw.cause == "trust-audience"
        and isinstance(account, ServiceAccount)
        and account.annotations.get(AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE) != DEFAULT_AUDIENCE
        and _is_refused(facts)
    )


def _is_refused(facts: Facts) -> bool:
    """Whether the provider, too, does not know the audience."""
    try:
        provider = provider_there(facts)
    except CannotTell:
        return False
    return provider is not None and audience_of(facts, facts.named) not in provider.audiences


def other_roles(facts: Facts) -> tuple[str, ...]:
    """Roles that were rather meant: they admit the ServiceAccount by name, and the one it names does not.

    When its tags tell that it was made for this very ServiceAccount, it is its trust policy that is wrong. A
    role that admits it by a pattern was hardly made for it.
    """
    subject, role = facts.named, role_of(facts.named)
    if all(flaw.unknown for flaw in flaws_of(facts)):
        return ()
    if subject.full_name in (role.tags.get(SERVICE_ACCOUNT_TAG), role.tags.get(EKSCTL_ACCOUNT_TAG)):
        return ()
    return tuple(item.arn for item in naming(facts) if item.arn != role.arn)


def require_admitted(facts: Facts) -> None:
    """Raise `CannotTell` when the trust policy keeps the token out: what comes later can't be judged."""
    if flaws_of(facts):
        raise CannotTell("the trust policy does not admit the token in the first place")
