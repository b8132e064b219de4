"""Changes of roles that stay, on the sandbox: what each of them writes, and tags that change by halves.

That each is done, taken back, refused, and left to others is in tests/contract/test_handlers.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from irsa_cli.core.plan.changes import Kind
from irsa_cli.core.plan.states import TagsState
from irsa_cli.core.values.errors import Conflict, Outcome, ServiceError
from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.transaction.protocol import Applied, Claim, Run
from tests.contract.handler_cases import CASES, Case, of_role, with_role
from tests.contract.handler_stages import InSandbox, impatient
from tests.support.aws_lines import do
from tests.support.sandbox_clients import client
from tests.unit.world import THIS_RUN, World

TAGS = CASES["tags change"]
CASE_OF_A_KEY = of_role(
    Kind.ROLE_TAGS,
    before=TagsState({"team": "a", "Team": None}),
    after=TagsState({"team": None, "Team": "a"}),
)
WRITES = {
    "a role's settings change": "UpdateRole",
    "a boundary is replaced": "PutRolePermissionsBoundary",
    "a boundary is removed": "DeleteRolePermissionsBoundary",
    "tags change": "TagRole UntagRole",
    "the trust policy changes": "UpdateAssumeRolePolicy",
    "a statement is replaced": "UpdateAssumeRolePolicy",
    "an inline policy is replaced": "PutRolePolicy",
    "an inline policy is put": "PutRolePolicy",
    "an inline policy is deleted": "DeleteRolePolicy",
    "a policy is attached": "AttachRolePolicy",
    "a policy is detached": "DetachRolePolicy",
}
ALONE = [name for name in WRITES if CASES[name].change.kind not in (Kind.ATTACHMENT, Kind.INLINE_POLICY)]


class Scene(InSandbox):
    """The sandbox, with a role with everything on it."""

    def apply(self, case: Case, *, back: bool = False) -> Applied:
        """Make the change, or take it back."""
        change = case.change.inverse if back else case.change
        return self.handlers[change.kind].apply(change, Run(THIS_RUN, 60), Claim(THIS_RUN) if back else None)

    def operations(self) -> str:
        """The writes since it was filled."""
        return " ".join(operation for _, operation in self.writes())

    def fail(self, case: Case, kind: str) -> Outcome:
        """Make the change while UntagRole fails."""
        self.sandbox.faults.add(Fault("iam", "UntagRole", kind, times=None))  # type: ignore[arg-type]
        with pytest.raises(ServiceError) as caught:
            self.apply(case)
        self.sandbox.faults.clear()
        return caught.value.outcome


@pytest.fixture
def scene(sandbox: Sandbox) -> Iterator[Scene]:
    with impatient():
        made = Scene(sandbox)
        made.fill(with_role())
        yield made


@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_once_and_not_again(scene: Scene, name: str) -> None:
    case = CASES[name]
    scene.fill(case.before)
    assert scene.apply(case).changed
    assert scene.operations() == WRITES[name]
    scene.sandbox.calls.clear()
    if case.change.kind is not Kind.ATTACHMENT:
        assert not scene.apply(case).changed
        assert scene.operations() == ""


@pytest.mark.parametrize("name", ALONE)
def test_with_the_role_gone_nothing_is_left_to_take_back(scene: Scene, name: str) -> None:
    case = CASES[name]
    scene.fill(case.before)
    scene.apply(case)
    scene.fill(World())
    with pytest.raises(Conflict):
        scene.apply(case)
    assert not scene.apply(case, back=True).changed


def test_the_case_of_a_tags_key_changes_in_one_call(scene: Scene) -> None:
    case, before = Case(CASE_OF_A_KEY, with_role(), None), scene.world()
    assert scene.apply(case).changed
    assert scene.operations() == "TagRole"
    assert scene.world().roles["r"].state.tags == {"Team": "a", "old": "1"}
    assert scene.apply(case, back=True).changed
    assert scene.world() == before


def test_half_of_the_tags_are_not_called_nothing(scene: Scene) -> None:
    """Setting was executed, removing was refused: the change has acted, and can be taken back."""
    before = scene.world()
    assert scene.fail(TAGS, "error") is Outcome.UNKNOWN
    assert scene.world() != before
    assert scene.apply(TAGS, back=True).changed
    assert scene.world() == before


def test_a_change_of_tags_that_was_cut_off_can_be_gone_on_with(scene: Scene) -> None:
    scene.fail(TAGS, "reset-before")
    assert scene.apply(TAGS).changed
    assert scene.world().roles["r"].state.tags == {"team": "b", "new": "2"}


def test_tags_are_replaced_where_all_fifty_are_taken(scene: Scene, sandbox: Sandbox) -> None:
    more = [{"Key": f"k{number}", "Value": "v"} for number in range(48)]
    do(client(sandbox, "iam"), "TagRole {RoleName: r, Tags: $MORE}", MORE=more)
    before = scene.world()
    assert len(before.roles["r"].state.tags) == 50
    assert scene.apply(TAGS).changed
    assert scene.apply(TAGS, back=True).changed
    assert scene.world() == before
