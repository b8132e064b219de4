"""Causes in the OIDC provider of the cluster's issuer: whether it is there, for this URL and audience."""

from __future__ import annotations

import re
import shlex

from irsa_cli.core.doctor.clues.injection import is_injected
from irsa_cli.core.doctor.commands import in_account, proposed
from irsa_cli.core.doctor.facts import Facts, known
from irsa_cli.core.doctor.finding import Judgement, check_of, ok, problem
from irsa_cli.core.doctor.subjects import (
    annotations_of,
    audience_of,
    listed,
    provider_of,
    provider_there,
    quota_of,
    role_account,
)
from irsa_cli.core.objects.kinds import ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, host_path
from irsa_cli.core.values.shown import shown, unspaced

_DUAL_STACK = ".api.aws"
_ROLE = re.compile(r"\s*arn:[\w-]+:iam::(\d{12}):role/.*", re.ASCII | re.DOTALL)
_UNNEEDED = "no checked ServiceAccount needs a provider in the cluster's account"


def _own_account(facts: Facts) -> None:
    account = role_account(facts)
    if account != facts.cluster.home:
        raise CannotTell(f"the role is in account {account}; see provider-account")


def _provider(facts: Facts) -> ProviderState:
    found = provider_there(facts)
    if found is None:
        raise CannotTell("the cluster's issuer has no OIDC provider in the role's account")
    return found


def _lookalikes(facts: Facts) -> list[str]:
    """Providers that were meant for this issuer and bear another URL: alias, case, trailing slash, port."""
    issuer = host_path(facts.cluster.issuer)
    number = issuer.rsplit("/", 1)[-1].lower()
    urls = {arn: arn.partition(":oidc-provider/")[2] for arn in have(facts.providers)}
    return [arn for arn, url in urls.items() if url != issuer and number and number in url.lower()]


def _named(facts: Facts) -> tuple[ServiceAccount, ...] | None:
    if not isinstance(facts.accounts, tuple):
        return None
    values = ((item, item.annotations.get(ROLE_ARN_ANNOTATION)) for item in facts.accounts)
    found = [(item, _ROLE.fullmatch(value)) for item, value in values if value]
    return tuple(item for item, role in found if role is None or role[1] == facts.cluster.home)


def _is_needed(facts: Facts) -> bool:
    """Whether a ServiceAccount may need the provider in the cluster's account: Pod Identity does not."""
    subject = facts.subject
    if subject is None:
        return _named(facts) != ()
    if isinstance(subject.account, Unreadable) or subject.association is None:
        return True
    annotations = annotations_of(subject)
    # A pod may bring a token of its own, besides.
    pods = (pod for pod in known(subject.pods) if pod.service_account == subject.name)
    needed = ROLE_ARN_ANNOTATION in annotations or any(map(is_injected, pods))
    # An association needs no provider.
    return needed or have(subject.association) is None


@check_of("provider-missing")
def _missing(facts: Facts) -> Judgement:
    _own_account(facts)
    if have(facts.provider) is not None:
        return ok("the issuer has an OIDC provider in IAM", issuer=facts.cluster.issuer)
    if not _is_needed(facts):
        return ok(_UNNEEDED)
    if not isinstance(facts.providers, tuple):
        others = "irsa could not list the account's other providers"
    elif _lookalikes(facts):
        raise CannotTell("a provider with another URL exists; see provider-url")
    else:
        others = listed(arn.partition(":oidc-provider/")[2] for arn in facts.providers) or "none"
    return problem(
        "IAM does not trust the issuer of the cluster's tokens",
        fix=facts.reach.for_irsa("associate-oidc"),
        issuer=facts.cluster.issuer,
        expected=provider_of(facts, None),
        existing_providers=others,
    )


@check_of("provider-account")
def _other_account(facts: Facts) -> Judgement:
    account = facts.named.role_arn().account
    if account == facts.cluster.home:
        return ok("the role and the provider are in the cluster's account", account=account)
    if have(facts.named.provider) is not None:
        return ok("the issuer has an OIDC provider in the role's account", account=account)
    command = (
        f"iam create-open-id-connect-provider --url {shlex.quote(facts.cluster.issuer)}"
        f" --client-id-list {shlex.quote(audience_of(facts, facts.subject))}"
    )
    why = "the administrators of its account decide if it trusts this cluster"
    role = str(facts.named.role_arn())
    return problem(
        "STS looks for the provider in the role's account",
        fix=proposed(why, role, in_account(facts, account, command)),
        role=f"account {account}",
        cluster=f"account {facts.cluster.home}",
    )


@check_of("provider-url")
def _url(facts: Facts) -> Judgement:
    _own_account(facts)
    if have(facts.provider) is not None:
        return ok("a provider has exactly this URL")
    found = _lookalikes(facts)
    if not found:
        raise CannotTell("no provider has a similar URL; see provider-missing")
    alias = any(_DUAL_STACK in arn for arn in found)
    return problem(
        "a provider has a similar URL, but IAM compares the whole URL"
        + ("; tokens never use the dual-stack alias" if alias else ""),
        fix=facts.reach.for_irsa("associate-oidc"),
        issuer=facts.cluster.issuer,
        provider=listed(found),
    )


@check_of("provider-audience")
def _audience(facts: Facts) -> Judgement:
    if not _is_needed(facts):
        return ok(_UNNEEDED)
    accepted = _provider(facts).audiences
    wanted = audience_of(facts, facts.subject)
    asked = {item.annotations.get(AUDIENCE_ANNOTATION, wanted) for item in _named(facts) or ()}
    if facts.subject is None and asked and wanted not in asked and asked <= set(accepted):
        return ok("the provider accepts the audiences of all ServiceAccounts", audiences=listed(asked))
    if wanted in accepted:
        return ok("the provider accepts the audience", audience=wanted)
    trust = getattr(facts.subject and facts.subject.role, "trust", "")
    if wanted != DEFAULT_AUDIENCE and _is_annotated(facts) and wanted not in str(trust):
        raise CannotTell("the annotation asks for another audience; see annotation-audience")
    near = [item for item in accepted if unspaced(item).lower() == wanted.lower()]
    return problem(
        "the provider does not have the tokens' audience" + (" (the spelling differs)" if near else ""),
        fix=_add_audience(facts, wanted),
        tokens=shown(wanted),
        provider=listed(map(shown, accepted)) or "none",
    )


def _add_audience(facts: Facts, audience: str) -> str:
    arn = provider_of(facts, facts.subject)
    if audience == DEFAULT_AUDIENCE and arn == provider_of(facts, None):
        return facts.reach.for_irsa("associate-oidc")
    what = f"--open-id-connect-provider-arn {shlex.quote(arn)} --client-id {shlex.quote(audience)}"
    line = in_account(facts, role_account(facts), f"iam add-client-id-to-open-id-connect-provider {what}")
    # The annotation's writer chose the audience: AWS would also accept other tokens with it.
    why = "AWS would then accept tokens that were issued for other services" if _is_annotated(facts) else ""
    return proposed(why, audience, line)


def _is_annotated(facts: Facts) -> bool:
    return AUDIENCE_ANNOTATION in annotations_of(facts.subject)


@check_of("provider-quota")
def _quota(facts: Facts) -> Judgement:
    _own_account(facts)
    if have(facts.provider) is not None:
        return ok("the provider exists")
    count = len(have(facts.providers))
    # GetAccountSummary does not document this one; the default is 100.
    quota = quota_of(facts, "OpenIDConnectProvidersQuota", 100)
    if count < quota:
        return ok("the quota allows another provider", providers=str(count), quota=str(quota))
    return problem(
        "the provider is missing, and the quota does not allow another one",
        fix=facts.reach.aws("iam list-open-id-connect-providers"),
        providers=str(count),
        quota=str(quota),
    )


@check_of("provider-thumbprint")
def _thumbprint(facts: Facts) -> Judgement:
    found = _provider(facts)
    if host_path(facts.cluster.issuer).startswith("oidc.eks."):
        return ok("IAM does not check the thumbprint of an EKS issuer")
    if not found.thumbprints:
        return ok("the provider has no thumbprint: IAM uses its own certificate authorities")
    raise CannotTell(
        "IAM checks the thumbprint only for some certificate authorities; irsa cannot see which certificate"
        " IAM receives"
    )
