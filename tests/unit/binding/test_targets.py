"""What irsa takes out of the trust policy of a target role."""

from irsa_cli.core.binding.targets import statement_removals
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import RoleState
from irsa_cli.core.trust.chain import mark
from tests.unit.trust.test_chain import ALLOW, CHAIN, ROLE


def test_irsas_statement_is_removed_from_a_former_target_unless_it_is_the_only_one() -> None:
    marked = {**ALLOW, "Sid": mark(ROLE)}
    other = {**ALLOW, "Principal": {"AWS": "333333333333"}}
    for statements, removed, noted in (
        ([other], 0, ""),
        ([other, marked], 1, ""),
        ([marked], 0, "it is the only statement"),
    ):
        trust = {"Version": "2012-10-17", "Statement": statements}
        target = Role(CHAIN.target_arn, RoleState("/", trust))
        changes, notes = statement_removals([(CHAIN, target)])
        assert (len(changes), noted in " ".join(notes), bool(notes)) == (removed, True, bool(noted))
