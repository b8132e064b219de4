"""Which roles may be of a ServiceAccount, by the text of their trust policies."""

from irsa_cli.core.policies.policy import dump
from irsa_cli.core.trust import assuming
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.usecases.read.bindings import BindingsScope, _may_be_in
from tests.unit.planning.desired_states import CLUSTER

UNTAGGED = dump({"Statement": {"Effect": "Allow", "Principal": {"Service": SERVICE}}})
TAGGED = dump(assuming.statement(CLUSTER, "web", "app"))
TOKEN = '{"sub": "system:serviceaccount:web:app"}'


def test_a_role_is_looked_at_if_either_way_may_lead_to_the_scope() -> None:
    for namespace, name, tagged, token in (
        ("web", "app", True, True),
        ("web", "", True, True),
        ("", "app", True, True),
        ("web", "other", False, False),
        ("other", "app", False, False),
        ("", "other", False, False),
    ):
        scope = BindingsScope(namespace, name)
        answers = [_may_be_in(scope, trust) for trust in (UNTAGGED, TAGGED, TOKEN)]
        assert answers == [True, tagged, token], scope
