"""What `irsa verify` says of a role that goes on to a target role."""

from irsa_cli.core.results.steps import StepStatus
from irsa_cli.core.trust.chain import Chain
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.usecases.verification.iam_steps import Link

CHAIN = Chain("arn:aws:iam::111122223333:role/app", "arn:aws:iam::222222222222:role/data")


def test_a_role_that_is_gone_fails_and_one_that_can_not_be_read_is_not_checked() -> None:
    for role, status, said in (
        (None, StepStatus.FAILED, "does not exist"),
        (Unreadable("denied"), StepStatus.NOT_CHECKED, "not checked: denied"),
    ):
        permission = Link(CHAIN, role, None).checks()[0]
        assert (permission.status, said in permission.text) == (status, True)
