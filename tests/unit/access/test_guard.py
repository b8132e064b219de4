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
from tests.support.named import named
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


MINE, EVERYBODY = allow(BLUE, "backend/app"), allow(BLUE, "*/*")
GONE = [annotation(None, APP_ROLE), statement("app", MINE, None)]
WIDE = statement("app", None, EVERYBODY)
MADE = Change(
    Kind.PROVIDER, (provider(BLUE),), None, states.ProviderState(BLUE.issuer, ["sts.amazonaws.com"])
)


def there(*statements: dict[str, Any], **more: Any) -> Documents:
    """The role `app` with these statements."""
    return Documents(trusts={APP_ROLE: trust(*statements), **more.pop("trusts", {})}, **more)


def uses(who: Who, arn: str) -> str:
    return "Deployment/app" if who == Who.account(*APP) and arn == APP_ROLE else ""


BOUND = there(MINE, accounts=ANNOTATED)
WITH_OTHER = there(MINE, accounts=ANNOTATED, trusts={role("other"): trust(allow(BLUE, "backend/old"))})
OLD_GOES = statement("other", allow(BLUE, "backend/old"), None)
FROM_OTHERS = "the plan would take a role from others"
LOST = f"pods of backend/app no longer get app ({APP_ROLE})"


@named(
    "before changes guard told",
    # As migrate's first step did, where the trust policy does not say yes to EKS Pod Identity.
    ("an association that takes the role", BOUND, [association(APP_ROLE)], {}, [FROM_OTHERS, LOST]),
    ("it may", BOUND, [association(APP_ROLE)], {"losses": True}, []),
    (
        "others than it names gain",
        there(MINE),
        [WIDE],
        {},
        [
            "the plan would give a role to others than the command names",
            f"every ServiceAccount like */* can assume app ({APP_ROLE})",
        ],
    ),
    ("they may", there(MINE), [WIDE], {"gains": True}, []),
    ("they are named", there(MINE), [WIDE], {"trusts": (trust(EVERYBODY),)}, []),
    (
        "another gains",
        there(MINE),
        [statement("app", None, allow(BLUE, "backend/other"))],
        {},
        [
            "the plan would give a role to others than the command names",
            f"backend/other can assume app ({APP_ROLE})",
        ],
    ),
    ("it gains itself", there(allow(GREEN, "x/y")), [statement("app", None, MINE)], {}, []),
    (
        "a provider is for all tokens of its cluster",
        there(allow(BLUE, "backend/other"), clusters=(BLUE,), providers={provider(BLUE): None}),
        [MADE],
        {"accounts": frozenset()},
        [],
    ),
    ("what is removed", BOUND, GONE, {}, []),
    (
        "what is removed and used",
        BOUND,
        GONE,
        {"uses": uses, "accounts": frozenset()},
        [
            "the plan would take a role from someone who uses it",
            f"backend/app can no longer assume app ({APP_ROLE}): Deployment/app",
        ],
    ),
    ("what removes", WITH_OTHER, [OLD_GOES], {}, []),
    (
        "what removes and takes by what it adds",
        WITH_OTHER,
        [OLD_GOES, association(APP_ROLE)],
        {},
        [FROM_OTHERS, LOST],
    ),
)
def test_what_a_plan_is_refused_for(
    before: Documents, changes: list[Change], guard: dict[str, Any], told: list[str]
) -> None:
    found: list[str] = []
    try:
        PlannedAccess(before, changes, BLUE).check(Guard(**{"accounts": frozenset({APP}), **guard}))
    except Refused as error:
        found = [error.message, *error.details]
    assert found == told


def test_a_deny_that_is_copied_for_another_cluster_is_refused() -> None:
    """`repoint --add`: running pods of NEW had the role before, and would not have it afterwards."""
    deny = {**allow(BLUE, "backend/app"), "Effect": "Deny"}
    document = trust(allow(BLUE, "backend/*"), deny, allow(GREEN, "backend/*"), allow(GREEN, "backend/app"))
    move = Move(provider(BLUE), provider(GREEN))
    copies, _ = repoint.additions(document, move)
    plan = repoint.add_plan("app", document, move, [])
    before = Documents((BLUE, GREEN), trusts={APP_ROLE: document})
    guard = Guard(trusts=({"Statement": copies},))
    with pytest.raises(Refused, match="would take a role") as refused:
        PlannedAccess(before, [*plan], GREEN).check(guard)
    assert refused.value.details[0].startswith("backend/app can no longer assume app")


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
