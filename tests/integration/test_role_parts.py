"""Changes of roles that stay, against the sandbox: done, taken back, in conflict, and with answers lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from irsa_cli.changes import handlers
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import BoundaryState, DocumentState, Present, SettingsState, State, TagsState
from irsa_cli.core.values.errors import Conflict, Outcome, ServiceError
from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.transaction.protocol import Applied, Claim, Run
from tests.support.sandbox_clients import EC2_TRUST, S3_READ, client, policy, trust

pytestmark = pytest.mark.usefixtures("short_pauses")

ROLE = "r"
SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
LAMBDA_TRUST = trust({"Service": "lambda.amazonaws.com"})
GET, PUT = policy("s3:GetObject"), policy("s3:PutObject")
OTHER = policy("s3:DeleteObject")
SUBJECT = "system:serviceaccount:a:b"

Meddle = Callable[[Any], Any]


def document(text: str) -> DocumentState:
    return DocumentState(json.loads(text))


def statement(text: str) -> DocumentState:
    return DocumentState(json.loads(text)["Statement"][0])


def changed(kind: Kind, *target: str, before: State | None, after: State | None) -> Change:
    return Change(kind, (ROLE, *target), before, after)


TAGS = changed(
    Kind.ROLE_TAGS,
    before=TagsState({"team": "a", "old": "1", "new": None}),
    after=TagsState({"team": "b", "old": None, "new": "2"}),
)
CASES: dict[str, tuple[Change, tuple[str, ...], Meddle]] = {
    "settings": (
        changed(Kind.ROLE_SETTINGS, before=SettingsState("d", 3600), after=SettingsState("e", 7200)),
        ("UpdateRole",),
        lambda iam: iam.update_role(RoleName=ROLE, Description="theirs"),
    ),
    "another boundary": (
        changed(Kind.BOUNDARY, before=BoundaryState(S3_READ), after=BoundaryState(SQS)),
        ("PutRolePermissionsBoundary",),
        lambda iam: iam.delete_role_permissions_boundary(RoleName=ROLE),
    ),
    "no boundary": (
        changed(Kind.BOUNDARY, before=BoundaryState(S3_READ), after=None),
        ("DeleteRolePermissionsBoundary",),
        lambda iam: iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=SQS),
    ),
    "tags": (
        TAGS,
        ("TagRole", "UntagRole"),
        lambda iam: iam.tag_role(RoleName=ROLE, Tags=[{"Key": "team", "Value": "theirs"}]),
    ),
    "case of a tag's key": (
        changed(
            Kind.ROLE_TAGS,
            before=TagsState({"team": "a", "Team": None}),
            after=TagsState({"team": None, "Team": "a"}),
        ),
        ("TagRole",),
        lambda iam: iam.tag_role(RoleName=ROLE, Tags=[{"Key": "TEAM", "Value": "theirs"}]),
    ),
    "trust policy": (
        changed(Kind.TRUST_POLICY, before=document(EC2_TRUST), after=document(LAMBDA_TRUST)),
        ("UpdateAssumeRolePolicy",),
        lambda iam: iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=_trusts("ecs")),
    ),
    "trust statement": (
        changed(Kind.TRUST_STATEMENT, SUBJECT, before=statement(EC2_TRUST), after=statement(LAMBDA_TRUST)),
        ("UpdateAssumeRolePolicy",),
        lambda iam: iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=_trusts("ecs")),
    ),
    "replaced inline policy": (
        changed(Kind.INLINE_POLICY, "p", before=DocumentState(GET), after=DocumentState(PUT)),
        ("PutRolePolicy",),
        lambda iam: _put(iam, "p", OTHER),
    ),
    "new inline policy": (
        changed(Kind.INLINE_POLICY, "q", before=None, after=DocumentState(PUT)),
        ("PutRolePolicy",),
        lambda iam: _put(iam, "q", OTHER),
    ),
    "removed inline policy": (
        changed(Kind.INLINE_POLICY, "p", before=DocumentState(GET), after=None),
        ("DeleteRolePolicy",),
        lambda iam: _put(iam, "p", OTHER),
    ),
    "attached": (
        changed(Kind.ATTACHMENT, SQS, before=None, after=Present()),
        ("AttachRolePolicy",),
        lambda iam: None,
    ),
    "detached": (
        changed(Kind.ATTACHMENT, S3_READ, before=Present(), after=None),
        ("DetachRolePolicy",),
        lambda iam: None,
    ),
}
COMPARED = [name for name, (change, _, _) in CASES.items() if change.kind is not Kind.ATTACHMENT]


def _trusts(service: str) -> str:
    return trust({"Service": f"{service}.amazonaws.com"})


def _put(iam: Any, name: str, text: dict[str, Any]) -> None:
    iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=json.dumps(text))


class Scene:
    """A role with everything on it, and the handlers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.iam = client(sandbox, "iam")
        self.iam.create_role(
            RoleName=ROLE,
            AssumeRolePolicyDocument=EC2_TRUST,
            Description="d",
            PermissionsBoundary=S3_READ,
            Tags=[{"Key": key, "Value": value} for key, value in {"team": "a", "old": "1", "x": "y"}.items()],
        )
        self.iam.attach_role_policy(RoleName=ROLE, PolicyArn=S3_READ)
        _put(self.iam, "p", GET)
        _put(self.iam, "kept", OTHER)
        self.run = Run("t1", 60)
        sandbox.calls.clear()

    def apply(self, change: Change, claim: Claim | None = None) -> Applied:
        return handlers(self.iam, None)[change.kind].apply(change, self.run, claim)

    def undo(self, change: Change) -> Applied:
        return self.apply(change.inverse, Claim("t1"))

    @property
    def role(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sandbox.world()["roles"][ROLE]
        return found

    @property
    def writes(self) -> list[str]:
        return [
            call.operation for call in self.sandbox.calls if not call.operation.startswith(("Get", "List"))
        ]

    def break_(self, operations: tuple[str, ...], kind: str, **more: Any) -> None:
        for operation in operations:
            self.sandbox.faults.add(Fault("iam", operation, kind, times=None, **more))  # type: ignore[arg-type]


@pytest.fixture
def scene(sandbox: Sandbox) -> Scene:
    return Scene(sandbox)


@pytest.mark.parametrize("name", CASES)
def test_done_and_taken_back(scene: Scene, name: str) -> None:
    change, operations, _ = CASES[name]
    before = scene.role
    assert scene.apply(change).changed
    assert scene.writes == list(operations)
    there = scene.role
    assert there != before
    assert {key for key in there if there[key] != before[key]} <= _parts(change.kind)
    handler = handlers(scene.iam, None)[change.kind]
    assert handler.look(change, "t1")
    assert not handler.look(change.inverse, "t1")
    assert scene.undo(change).changed
    assert scene.role == before


def _parts(kind: Kind) -> set[str]:
    return {
        Kind.ROLE_SETTINGS: {"description", "max_session_duration"},
        Kind.BOUNDARY: {"boundary"},
        Kind.ROLE_TAGS: {"tags"},
        Kind.TRUST_POLICY: {"trust"},
        Kind.TRUST_STATEMENT: {"trust"},
        Kind.INLINE_POLICY: {"inline"},
        Kind.ATTACHMENT: {"attached"},
    }[kind]


@pytest.mark.parametrize("name", COMPARED)
def test_what_is_there_already_is_not_written(scene: Scene, name: str) -> None:
    change = CASES[name][0]
    scene.apply(change)
    scene.sandbox.calls.clear()
    assert not scene.apply(change).changed
    assert scene.writes == []


@pytest.mark.parametrize("name", COMPARED)
def test_what_somebody_else_changed_is_not_overwritten(scene: Scene, name: str) -> None:
    change, _, meddle = CASES[name]
    meddle(scene.iam)
    theirs = scene.role
    if name == "another boundary":  # Gone is neither the old nor the new one.
        assert theirs["boundary"] in (None, "")
    with pytest.raises(Conflict):
        scene.apply(change)
    assert scene.role == theirs


@pytest.mark.parametrize("name", COMPARED)
def test_a_rollback_leaves_alone_what_somebody_else_changed_since(scene: Scene, name: str) -> None:
    change, _, meddle = CASES[name]
    scene.apply(change)
    meddle(scene.iam)
    theirs = scene.role
    if name == "trust statement":  # Ours is gone: nothing of it is left to take back.
        return
    with pytest.raises(Conflict):
        scene.undo(change)
    assert scene.role == theirs


@pytest.mark.parametrize("kind", ["reset-after", "half-body"])
@pytest.mark.parametrize("name", CASES)
def test_a_lost_answer_is_settled_by_reading(scene: Scene, name: str, kind: str) -> None:
    change, operations, _ = CASES[name]
    before = scene.role
    scene.break_(operations, kind)
    assert scene.apply(change).changed
    scene.sandbox.faults.clear()
    assert handlers(scene.iam, None)[change.kind].look(change, "t1")
    assert scene.undo(change).changed
    assert scene.role == before


@pytest.mark.parametrize("name", CASES)
def test_a_write_that_never_came_through_is_unknown_and_changes_nothing(scene: Scene, name: str) -> None:
    change, operations, _ = CASES[name]
    before = scene.role
    scene.break_(operations, "reset-before")
    with pytest.raises((ServiceError, Conflict)) as caught:
        scene.apply(change)
    if isinstance(caught.value, ServiceError):
        assert caught.value.outcome is Outcome.UNKNOWN
    assert scene.role == before
    scene.sandbox.faults.clear()
    assert not scene.undo(change).changed
    assert scene.role == before


@pytest.mark.parametrize("name", CASES)
def test_a_refused_write_did_not_act(scene: Scene, name: str) -> None:
    change, operations, _ = CASES[name]
    before = scene.role
    scene.break_(operations, "error")
    with pytest.raises(ServiceError) as caught:
        scene.apply(change)
    assert caught.value.outcome is Outcome.REFUSED
    assert scene.role == before


def test_half_of_the_tags_are_not_called_nothing(scene: Scene) -> None:
    """Setting was executed, removing was refused: the change has acted, and can be taken back."""
    before = scene.role
    scene.break_(("UntagRole",), "error")
    with pytest.raises(ServiceError) as caught:
        scene.apply(TAGS)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert scene.role != before
    scene.sandbox.faults.clear()
    assert scene.undo(TAGS).changed
    assert scene.role == before


def test_a_change_of_tags_that_was_cut_off_can_be_gone_on_with(scene: Scene) -> None:
    scene.break_(("UntagRole",), "reset-before")
    with pytest.raises(ServiceError):
        scene.apply(TAGS)
    scene.sandbox.faults.clear()
    assert scene.apply(TAGS).changed
    assert scene.role["tags"] == {"team": "b", "new": "2", "x": "y"}


def test_tags_are_replaced_where_all_fifty_are_taken(scene: Scene) -> None:
    more = [{"Key": f"k{number}", "Value": "v"} for number in range(47)]
    scene.iam.tag_role(RoleName=ROLE, Tags=more)
    before = scene.role
    assert len(before["tags"]) == 50
    assert scene.apply(TAGS).changed
    assert scene.undo(TAGS).changed
    assert scene.role["tags"] == before["tags"]


@pytest.mark.parametrize("name", [name for name in COMPARED if CASES[name][0].kind is not Kind.INLINE_POLICY])
def test_with_the_role_gone_nothing_is_left_to_take_back(scene: Scene, name: str) -> None:
    change = CASES[name][0]
    scene.apply(change)
    _delete_role(scene.iam)
    with pytest.raises(Conflict):
        scene.apply(change)
    assert not scene.undo(change).changed


def _delete_role(iam: Any) -> None:
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=S3_READ)
    for name in ("p", "kept"):
        iam.delete_role_policy(RoleName=ROLE, PolicyName=name)
    iam.delete_role(RoleName=ROLE)
