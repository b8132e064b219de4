"""What adds takes nothing and gives nothing to others; what removes takes nothing from who uses it."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.guard import Guard, PlannedAccess, adds
from irsa_cli.core.access.who import Who
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.planning import repoint
from irsa_cli.core.planning.repoint import Move
from irsa_cli.core.values.errors import Refused
from tests.unit.access.states import (
    APP,
    BLUE,
    GREEN,
    allow,
    annotation,
    association,
    provider,
    role,
    statement,
    trust,
)

APP_ROLE = role("app")
ANNOTATED = {APP: {states.ROLE_ARN_ANNOTATION: APP_ROLE}}


def refusal(there: Documents, *changes: Change, guard: Guard | None = None) -> list[str]:
    """What the plan is refused for; empty if it is not."""
    try:
        PlannedAccess(there, changes, BLUE).check(guard or Guard(frozenset({APP})))
    except Refused as error:
        return [error.message, *error.details]
    return []


def test_an_association_that_takes_the_role_is_refused() -> None:
    """As migrate's first step did, where the trust policy does not say yes to EKS Pod Identity."""
    there = Documents(trusts={APP_ROLE: trust(allow(BLUE, "backend/app"))}, accounts=ANNOTATED)
    assert refusal(there, association(APP_ROLE)) == [
        "the plan would take a role from others",
        f"pods of backend/app no longer get app ({APP_ROLE})",
    ]
    assert refusal(there, association(APP_ROLE), guard=Guard(frozenset({APP}), losses=True)) == []


def test_a_deny_that_is_copied_for_another_cluster_is_refused() -> None:
    """`repoint --add`: running pods of NEW had the role before, and would not have it afterwards."""
    deny = {**allow(BLUE, "backend/app"), "Effect": "Deny"}
    document = trust(allow(BLUE, "backend/*"), deny, allow(GREEN, "backend/*"), allow(GREEN, "backend/app"))
    move = Move(provider(BLUE), provider(GREEN))
    copies, _ = repoint.additions(document, move)
    plan = repoint.add_plan("app", document, move, [])
    there = Documents((BLUE, GREEN), trusts={APP_ROLE: document})
    guard = Guard(trusts=({"Statement": copies},))
    with pytest.raises(Refused, match="would take a role") as refused:
        PlannedAccess(there, [*plan], GREEN).check(guard)
    assert refused.value.details[0].startswith("backend/app can no longer assume app")
    back = repoint.retire_plan("app", repoint.without(document, provider(GREEN)), Move("x", provider(BLUE)))
    assert back is not None


def test_others_than_it_names_gain_nothing() -> None:
    there = Documents(trusts={APP_ROLE: trust(allow(BLUE, "backend/app"))})
    wide = statement("app", None, allow(BLUE, "*/*"))
    assert refusal(there, wide) == [
        "the plan would give a role to others than the command names",
        f"every ServiceAccount like */* can assume app ({APP_ROLE})",
    ]
    assert refusal(there, wide, guard=Guard(gains=True)) == []
    assert refusal(there, wide, guard=Guard(trusts=(trust(allow(BLUE, "*/*")),))) == []
    assert refusal(there, statement("app", None, allow(BLUE, "backend/other")))
    bare = Documents(trusts={APP_ROLE: trust(allow(GREEN, "x/y"))})
    assert refusal(bare, statement("app", None, allow(BLUE, "backend/app"))) == []


def test_a_provider_is_for_all_tokens_of_its_cluster() -> None:
    state = states.ProviderState(BLUE.issuer, ["sts.amazonaws.com"])
    there = Documents(
        (BLUE,), trusts={APP_ROLE: trust(allow(BLUE, "backend/other"))}, providers={provider(BLUE): None}
    )
    made = Change(Kind.PROVIDER, (provider(BLUE),), None, state)
    assert refusal(there, made, guard=Guard()) == []


def test_who_uses_what_is_removed() -> None:
    there = Documents(trusts={APP_ROLE: trust(allow(BLUE, "backend/app"))}, accounts=ANNOTATED)
    gone = [annotation(None, APP_ROLE), statement("app", allow(BLUE, "backend/app"), None)]
    assert refusal(there, *gone) == []

    def uses(who: Who, arn: str) -> str:
        return "Deployment/app" if who == Who.account(*APP) and arn == APP_ROLE else ""

    guard = Guard(uses=uses)
    assert refusal(there, *gone, guard=guard) == [
        "the plan would take a role from someone who uses it",
        f"backend/app can no longer assume app ({APP_ROLE}): Deployment/app",
    ]


def test_what_removes_may_also_add() -> None:
    """A loss by the added part alone is refused, whatever else goes."""
    other = role("other")
    there = Documents(
        trusts={APP_ROLE: trust(allow(BLUE, "backend/app")), other: trust(allow(BLUE, "backend/old"))},
        accounts=ANNOTATED,
    )
    removed = statement("other", allow(BLUE, "backend/old"), None)
    assert refusal(there, removed) == []
    assert refusal(there, removed, association(APP_ROLE))[0] == "the plan would take a role from others"


@pytest.mark.parametrize(
    ("change", "is_addition"),
    [
        (annotation(APP_ROLE), True),
        (annotation(APP_ROLE, role("other")), False),
        (annotation(None, APP_ROLE), False),
        (association(APP_ROLE), True),
        (association(APP_ROLE, role("other")), False),
        (statement("app", None, {}), True),
        (statement("app", {}, None), False),
    ],
)
def test_a_change_says_whether_it_adds(change: Change, is_addition: bool) -> None:
    assert adds(change) == is_addition


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_says_what_it_decides(kind: Kind) -> None:
    """Only what no trust policy, ServiceAccount, association or provider is about decides nothing."""
    of_role = {"RoleOwner", "RoleCommit", "RoleSettings", "RoleBoundary", "RoleTags"}
    nothing = of_role | {"Namespace", "ConfigMap", "Restart"}
    decides: Any = kind.traits.decides
    assert (decides.name == "NOTHING") == (kind.value in nothing)
