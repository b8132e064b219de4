"""Whether anybody needs the OIDC provider of the cluster's account: without one nothing is wrong there."""

from __future__ import annotations

from typing import Any

from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import PROVIDER, ROLE, both, of_cluster, pod, working
from tests.unit.doctor.diagnosis_cases import (
    OTHER_AUDIENCE,
    POD_IDENTITY,
    accepting,
    conditional,
    finding,
    pod_identity,
    problems,
)

FOREIGN = "arn:aws:iam::444455556666:role/reader"
ABSENT = of_cluster(provider=None, providers=())


def named(*roles: str, **annotations: str) -> tuple[ServiceAccount, ...]:
    """ServiceAccounts whose annotation says so."""
    return tuple(
        ServiceAccount("backend", f"a{number}", {ROLE_ARN_ANNOTATION: role, **annotations})
        for number, role in enumerate(roles)
    )


def test_of_a_cluster_it_is_missing_where_a_role_of_its_account_is_named() -> None:
    cases: list[tuple[Any, bool]] = [
        (named(ROLE), True),
        (named(FOREIGN, ROLE), True),
        (named(f" {ROLE}"), True),
        (named("reader"), True),
        (Unreadable("not permitted"), True),
        (named(FOREIGN), False),
        (named(""), False),
        ((ServiceAccount("backend", "web"),), False),
        ((), False),
    ]
    for accounts, wrong in cases:
        change = both(ABSENT, of_cluster(subject=None, accounts=accounts))
        assert problems(change) == (["provider-missing"] if wrong else [])


def test_pod_identity_needs_none_but_a_token_of_a_pod_s_own_does() -> None:
    assert problems(both(pod_identity(), ABSENT)) == []
    for fields in ({"pods": (POD_IDENTITY, pod())}, {"account": working().named.account}):
        assert "provider-missing" in problems(both(pod_identity(**fields), ABSENT))


def test_of_a_cluster_the_audiences_count_that_are_asked_for() -> None:
    for audiences, accepted, wrong in (
        (("example.com",), "example.com", False),
        (("example.com", "sts.amazonaws.com"), "example.com", True),
        (("example.com",), "example.org", True),
        ((), "example.com", True),
    ):
        found = [named(ROLE, **{AUDIENCE_ANNOTATION: audience}) for audience in audiences] or [named(ROLE)]
        accounts = tuple(item for some in found for item in some)
        provider = ProviderState(PROVIDER, [accepted])
        change = of_cluster(subject=None, accounts=accounts, provider=provider)
        assert problems(change) == (["provider-audience"] if wrong else [])


def test_irsa_adds_the_usual_audience_and_a_person_decides_on_another() -> None:
    asked = conditional('{"StringEquals": {"sub": "<SUB>", "aud": "other"}}')
    cases = {"irsa associate-oidc": accepting([]), "--client-id other": both(OTHER_AUDIENCE, asked)}
    for line, change in cases.items():
        assert line in finding(change, "provider-audience").judgement.fix
