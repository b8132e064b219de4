"""A large planted account: 40 risks and more among 1,000 roles as tools make them, 2 accounts, 3 clusters.

Those of `tests.support.estates` are in it, and variants of them: the same risk, written in another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from irsa_cli.core.audit.estate import AuditedAccount, Estate
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import ACTION
from tests.support import estates, makers
from tests.support.estates import (
    ACCOUNT,
    ADMIN,
    PODS,
    SA,
    VAULT,
    Planted,
    account_with_risks,
    admits,
    issuer_of,
    provider_of,
)

OTHER_ACCOUNT = "444455556666"
EKS_CLUSTERS = ("shop-prod", "shop-dev", "tools")
PAGES = "clusters.github.io/blue"
BUCKET = "blue-oidc-y4m2.s3.eu-west-1.amazonaws.com"
PEOPLE = {"Effect": "Allow", "Action": "sts:AssumeRole"}


OWN = {"v16": "v16", "v17": "v17", "v18": "v18", "default": "v19"}
"""ServiceAccounts of shop-prod that variants name, and their roles."""


def of_other(provider: str) -> str:
    """The provider of the same issuer in the other account."""
    return provider.replace(ACCOUNT, OTHER_ACCOUNT)


def provider_at(issuer: str) -> str:
    """The provider of an issuer that is not EKS'."""
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"


def elsewhere(issuer: str, subject: str, audience: str = makers.STS) -> Document:
    """A statement for an issuer that is not EKS'."""
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider_at(issuer)},
        "Action": ACTION,
        "Condition": {"StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": audience}},
    }


def variants() -> Iterator[Planted]:
    """What is unsafe, written in other ways than in `estates.planted`."""
    like, name = {"operator": "StringLike"}, _names()
    audience = {"StringEquals": {f"{issuer_of('shop-prod')}:aud": makers.STS}}
    key, other = f"{issuer_of('shop-prod')}:sub", f"{issuer_of('shop-dev')}:sub"

    def plant(breaks: str, *statements: Document, **more: Any) -> Planted:
        pairs = tuple((rule, severity) for rule, _, severity in (t.partition("=") for t in breaks.split()))
        return Planted(estates.role(next(name), *statements, **more), pairs)

    def tests(block: Any, **more: Any) -> Document:
        return {**admits("shop-prod", None), "Condition": block, **more}

    yield plant("no-condition=high", tests({}))
    yield plant(
        "administrator-role=high no-condition=critical",
        admits("tools", None, audience=None, Action=[ACTION]),
        attached=(ADMIN,),
    )
    yield plant("no-subject=high", tests({"StringLike": {f"{issuer_of('shop-prod')}:aud": makers.STS}}))
    yield plant("no-subject=high", admits("shop-dev", None, Sid="Loose"))
    yield plant("only-negative=high", tests({**audience, "StringNotLike": {key: f"{SA}kube-system:*"}}))
    yield plant("only-negative=high", tests({**audience, "StringNotEquals": {key: [f"{SA}a:b", f"{SA}c:d"]}}))
    yield plant("every-subject=high", admits("shop-prod", "*", **like))
    yield plant("every-subject=high", admits("shop-prod", f"{SA}*", **like))
    yield plant("every-namespace=high", admits("tools", f"{SA}*:deployer", **like))
    yield plant("pattern-crosses-colon=high", admits("shop-prod", f"{SA}payments*", **like))
    yield plant("namespace-pattern=medium", admits("shop-prod", f"{SA}pay-?:app", **like))
    yield plant("every-name=medium", admits("tools", f"{SA}ci:*", **like))
    yield plant(
        "administrator-role=high every-name=high",
        admits("tools", f"{SA}ci:*", **like),
        attached=(ADMIN,),
    )
    yield plant("name-pattern=low", admits("tools", f"{SA}ci:runner-?", **like))
    yield plant(
        "no-subject=high wrong-issuer-key=high", tests({**audience, "StringNotEquals": {other: f"{SA}a:b"}})
    )
    yield plant(
        "for-all-values=medium", tests({**audience, "ForAllValues:StringLike": {key: f"{SA}own:v16"}})
    )
    yield plant("extra-audience=low", admits("shop-prod", f"{SA}own:v17", audience=[makers.STS, VAULT]))
    yield plant("all-sts-actions=low", admits("shop-prod", f"{SA}own:v18", Action=["sts:AssumeRole*"]))
    yield plant("default-service-account=medium", admits("shop-prod", f"{SA}own:default", **like))
    yield plant("provider-gone=low", admits("unknown", f"{SA}prod:app"))
    yield plant("issuer-can-be-had=medium", elsewhere(BUCKET, f"{SA}openshift-ingress:router"))
    yield plant("issuer-can-be-had=medium", elsewhere(PAGES, f"{SA}prod:app"))
    other_service = {**PEOPLE, "Principal": {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}}
    yield plant("other-services=medium", PODS, other_service)
    yield plant("everybody=high", {**PEOPLE, "Principal": {"AWS": "*"}})
    eksctl_association = {key: value for key, value in PODS.items() if key != "Condition"}
    yield plant(
        "administrator-role=high pod-identity-no-condition=medium", eksctl_association, attached=(ADMIN,)
    )
    of_the_other = admits("shop-prod", None)
    of_the_other["Principal"] = {"Federated": of_other(provider_of("shop-prod"))}
    yield plant("no-subject=high", of_the_other)


def _names() -> Iterator[str]:
    """v1, v2, ..."""
    number = 0
    while True:
        number += 1
        yield f"v{number}"


def tight(number: int) -> Iterator[tuple[str, Role, AuditedAccount | None]]:
    """So many roles as tools make them, each with its cluster and its ServiceAccount where that is on EKS."""
    on_eks = list(makers.ON_EKS.values())
    for place in range(number):
        name, arn = f"t{place}", f"arn:aws:iam::{ACCOUNT}:role/t{place}"
        where = EKS_CLUSTERS[place % len(EKS_CLUSTERS)]
        if place % 10 == 8:
            issuer = makers.ROSA_ISSUERS[place % len(makers.ROSA_ISSUERS)]
            document = makers.rosa(provider_at(issuer), "openshift-ingress/router", arn)
            yield "", _role(name, document), None
        elif place % 10 == 9:
            document = makers.kops(provider_at(makers.KOPS_ISSUER), "prod/app", arn)
            yield "", _role(name, document), None
        else:
            provider = provider_of(where)
            if place % 7 == 6:
                provider, arn = of_other(provider), arn.replace(ACCOUNT, OTHER_ACCOUNT)
            made = _role(name, on_eks[place % len(on_eks)](provider, f"tight/{name}", arn))
            yield where, replace(made, arn=arn), AuditedAccount("tight", name, arn)


def _role(name: str, document: Document) -> Role:
    return estates.role(name, *document["Statement"])


def providers() -> Mapping[str, tuple[str, ...]]:
    """The audiences of all providers."""
    known: dict[str, tuple[str, ...]] = {provider_of(name): (makers.STS, VAULT) for name in EKS_CLUSTERS}
    known |= {of_other(arn): audiences for arn, audiences in known.items()}
    known |= {provider_at(issuer): (makers.OPENSHIFT, makers.STS) for issuer in makers.ROSA_ISSUERS}
    known |= {provider_at(issuer): (makers.STS,) for issuer in (BUCKET, PAGES)}
    return {**known, provider_at(makers.KOPS_ISSUER): (makers.KOPS,), provider_of("dead"): (makers.STS,)}


def large_account(number: int = 1000) -> Estate:
    """All of it."""
    planted = account_with_risks(0)
    found = list(tight(number))
    roles = [*planted.roles, *(item.role for item in variants()), *(role for _, role, _ in found)]
    clusters = tuple(
        replace(
            item,
            accounts=(
                *(item.accounts if isinstance(item.accounts, tuple) else ()),
                *(account for where, _, account in found if account is not None and where == item.name),
                *(estates.account(*pair, "own") for pair in OWN.items() if item.name == "shop-prod"),
            ),
        )
        for item in planted.clusters
    )
    accounts = frozenset((ACCOUNT, OTHER_ACCOUNT))
    return replace(planted, roles=tuple(roles), clusters=clusters, providers=providers(), accounts=accounts)
