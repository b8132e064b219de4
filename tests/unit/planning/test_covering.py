"""What of an earlier run's changes a wish is about, now that it is true."""

from dataclasses import replace

import pytest

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState, Present, RoleState
from irsa_cli.core.planning.create import satisfies
from irsa_cli.core.trust import trust_policy
from tests.unit.planning.desired_states import CLUSTER

ROLE = "arn:aws:iam::111122223333:role/r"
USING = DesiredState(CLUSTER, "n", "app", ROLE, "sts.amazonaws.com")
MAKING = replace(USING, role=RoleState("/", {}))


def admitting(desired: DesiredState, role: str = "r") -> Change:
    statement = DocumentState(trust_policy.statement(desired.identity))
    return Change(Kind.TRUST_STATEMENT, (role, desired.identity.subject), None, statement)


@pytest.mark.parametrize("desired", [USING, MAKING])
def test_what_a_serviceaccount_builds_on_is_covered_and_another_ones_is_not(desired: DesiredState) -> None:
    provider = desired.identity.provider_arn
    for kind, mine, other in (
        (Kind.SERVICE_ACCOUNT, ("n", "app"), ("n", "two")),
        (Kind.NAMESPACE, ("n",), ("m",)),
        (Kind.PROVIDER, (provider,), ("other",)),
        (Kind.AUDIENCE, (provider, desired.audience), (provider, "other")),
    ):
        assert satisfies(desired, Change(kind, mine, None, Present()))
        assert not satisfies(desired, Change(kind, other, None, Present()))
    assert not satisfies(replace(desired, role_only=True), Change(Kind.NAMESPACE, ("n",), None, Present()))


def test_a_role_is_covered_with_its_parts_by_who_makes_it() -> None:
    parts = [
        Change(Kind.ROLE, ("r",), None, MAKING.role),
        Change(Kind.ATTACHMENT, ("r", "p"), None, Present()),
    ]
    assert [satisfies(MAKING, part) for part in parts] == [True, True]
    assert [satisfies(USING, part) for part in parts] == [False, False]
    assert not satisfies(MAKING, Change(Kind.ATTACHMENT, ("s", "p"), None, Present()))


def test_of_a_role_that_is_used_the_statement_for_this_very_token_is_covered() -> None:
    assert satisfies(USING, admitting(USING))
    assert satisfies(USING, admitting(USING).inverse)
    for other in (replace(USING, audience="other"), replace(USING, name="two")):
        assert not satisfies(USING, admitting(other))
    assert not satisfies(USING, admitting(USING, role="s"))
