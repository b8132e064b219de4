"""What of an earlier run's changes a wish is about, now that it is true."""

from dataclasses import replace

import pytest

from irsa_cli.core.binding.spec import Wish
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState, Present, RoleState
from irsa_cli.core.planning.satisfies import covers
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.cluster import Cluster

ROLE = "arn:aws:iam::111122223333:role/r"
CLUSTER = Cluster("demo", "arn:c", "eu-west-1", "aws", "111122223333", "https://oidc.example/id/A")
USING = Wish(CLUSTER, "n", "app", ROLE, "sts.amazonaws.com")
MAKING = replace(USING, role=RoleState("/", {}))


def admitting(wish: Wish, role: str = "r") -> Change:
    statement = DocumentState(trust_policy.statement(wish.identity))
    return Change(Kind.TRUST_STATEMENT, (role, wish.identity.subject), None, statement)


@pytest.mark.parametrize("wish", [USING, MAKING])
def test_what_a_serviceaccount_builds_on_is_covered_and_another_ones_is_not(wish: Wish) -> None:
    provider = wish.identity.provider_arn
    for kind, mine, other in (
        (Kind.SERVICE_ACCOUNT, ("n", "app"), ("n", "two")),
        (Kind.NAMESPACE, ("n",), ("m",)),
        (Kind.PROVIDER, (provider,), ("other",)),
        (Kind.AUDIENCE, (provider, wish.audience), (provider, "other")),
    ):
        assert covers(wish, Change(kind, mine, None, Present()))
        assert not covers(wish, Change(kind, other, None, Present()))
    assert not covers(replace(wish, role_only=True), Change(Kind.NAMESPACE, ("n",), None, Present()))


def test_a_role_is_covered_with_its_parts_by_who_makes_it() -> None:
    parts = [
        Change(Kind.ROLE, ("r",), None, MAKING.role),
        Change(Kind.ATTACHMENT, ("r", "p"), None, Present()),
    ]
    assert [covers(MAKING, part) for part in parts] == [True, True]
    assert [covers(USING, part) for part in parts] == [False, False]
    assert not covers(MAKING, Change(Kind.ATTACHMENT, ("s", "p"), None, Present()))


def test_of_a_role_that_is_used_the_statement_for_this_very_token_is_covered() -> None:
    assert covers(USING, admitting(USING))
    assert covers(USING, admitting(USING).inverse)
    for other in (replace(USING, audience="other"), replace(USING, name="two")):
        assert not covers(USING, admitting(other))
    assert not covers(USING, admitting(USING, role="s"))
