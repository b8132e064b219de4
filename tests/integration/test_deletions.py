"""Deletions in IAM, against the sandbox: done, taken back to exactly what was there, refused, unanswered."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config

from irsa_cli.aws import iam as reading
from irsa_cli.changes import handlers
from irsa_cli.core.binding.role_changes import removal
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import DELETING, NOBODY, CommitState, OwnerState
from irsa_cli.core.values import limits
from irsa_cli.core.values.errors import Conflict, ServiceError
from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.transaction.protocol import Applied, Claim, Run, RunReport
from irsa_cli.transaction.runner import Transaction
from tests.support.aws_lines import do
from tests.support.sandbox_clients import ACCOUNT, S3_READ, client
from tests.unit.transaction.doubles import MemoryJournal

pytestmark = pytest.mark.usefixtures("short_pauses")

ROLE = "r"
SQS = "arn:aws:iam::aws:policy/AmazonSQSFullAccess"
URL = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{URL[8:]}"
OWNER = Change(Kind.ROLE_OWNER, (ROLE,), OwnerState(NOBODY), OwnerState(""))
COMMIT = Change(Kind.ROLE_COMMIT, (ROLE,), None, CommitState(DELETING))


class Scene:
    """A role with everything on it, a provider, and a run that deletes them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.iam = client(sandbox, "iam")
        tags = "Tags: [{Key: team, Value: a}, {Key: x, Value: 'y'}]"
        for line in (
            "CreateRole {RoleName: r, Path: /irsa/demo/, AssumeRolePolicyDocument: $EC2, Description: d,"
            f" MaxSessionDuration: 7200, PermissionsBoundary: $S3, {tags}}}",
            "AttachRolePolicy {RoleName: r, PolicyArn: $S3}",
            "PutRolePolicy {RoleName: r, PolicyName: p, PolicyDocument: $READS}",
            f"CreateOpenIDConnectProvider {{Url: '{URL}', ClientIDList: [sts.amazonaws.com, vault],"
            f" ThumbprintList: [{'a' * 40}], {tags}}}",
        ):
            do(self.iam, line)
        self.run = Run("t1", 60)

    def world(self) -> dict[str, Any]:
        world = self.sandbox.world()
        return {"roles": world["roles"], "providers": world["oidc_providers"]}

    @property
    def role(self) -> Change:
        found = reading.read_role(self.iam, ROLE)
        assert found is not None
        return Change(Kind.ROLE, (ROLE,), found.state, None)

    def plan(self) -> Plan:
        current = reading.current_role(self.iam, ROLE)
        assert current is not None
        provider = Change(Kind.PROVIDER, (ARN,), reading.provider(self.iam, ARN), None)
        return Plan.of([OWNER], [COMMIT], removal(current), [self.role], [provider])

    def execute(self, plan: Plan) -> RunReport:
        return Transaction(plan, handlers(self.iam, None), MemoryJournal(), self.run).execute()

    def apply(self, change: Change, claim: Claim | None = None) -> Applied:
        return handlers(self.iam, None)[change.kind].apply(change, self.run, claim)

    def undo(self, change: Change) -> Applied:
        return self.apply(change.inverse, Claim("t1"))

    def break_(self, operation: str, kind: str, **more: Any) -> None:
        fault = {"times": None, **more}
        self.sandbox.faults.add(Fault("iam", operation, kind, **fault))  # type: ignore[arg-type]


@pytest.fixture
def scene(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Scene:
    # A rollback looks for what may be late for one and a half times as long.
    monkeypatch.setenv("IRSA_CALL_TIMEOUT", "1")
    return Scene(sandbox)


WRITES = ["TagRole", "DetachRolePolicy", "DeleteRolePolicy", "DeleteRole", "DeleteOpenIDConnectProvider"]


def test_everything_goes(scene: Scene) -> None:
    assert scene.execute(scene.plan()).outcome == "committed"
    assert scene.world() == {"roles": {}, "providers": {}}


@pytest.mark.parametrize("operation", WRITES)
def test_whatever_fails_everything_comes_back(scene: Scene, operation: str) -> None:
    before, plan = scene.world(), scene.plan()
    scene.break_(operation, "error", skip=int(operation == "TagRole"), times=1)
    assert scene.execute(plan).outcome == "rolled-back"
    assert scene.world() == before


def hasty(sandbox: Sandbox) -> Any:
    """A client that gives up before a late call is executed."""
    env = sandbox.env()
    return boto3.client(
        "iam",
        endpoint_url=sandbox.url,
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=0.3),
    )


@pytest.mark.parametrize("operation", ["DeleteRole", "DetachRolePolicy", "DeleteRolePolicy"])
def test_what_is_executed_late_does_not_undo_the_rollback(scene: Scene, operation: str) -> None:
    before, plan = scene.world(), scene.plan()
    scene.iam = hasty(scene.sandbox)
    scene.break_(operation, "late", seconds=0.6)
    report = scene.execute(plan)
    scene.sandbox.settle(hurry=True)
    assert report.outcome == "rolled-back"
    assert scene.world() == before


def test_a_role_is_deleted_by_who_has_marked_it_only(scene: Scene) -> None:
    before = scene.world()
    with pytest.raises(Conflict):
        scene.apply(scene.role)
    assert scene.world() == before


def test_a_role_that_gets_a_policy_meanwhile_stays(scene: Scene) -> None:
    plan = scene.plan()

    attach = f"AttachRolePolicy {{RoleName: r, PolicyArn: '{SQS}'}}"
    scene.break_("DeleteRole", "callback", run=lambda: do(scene.iam, attach), times=1)
    report = scene.execute(plan)
    assert (report.outcome, isinstance(report.error, Conflict)) == ("rolled-back", True)
    assert set(scene.world()["roles"][ROLE]["attached"]) == {S3_READ, SQS}


def test_a_role_that_another_one_has_made_again_is_left_to_him(scene: Scene) -> None:
    plan = scene.plan()

    make = "CreateRole {RoleName: r, AssumeRolePolicyDocument: $EC2, Description: theirs}"
    scene.break_("DeleteOpenIDConnectProvider", "callback", run=lambda: do(scene.iam, make), times=1)
    scene.break_("DeleteOpenIDConnectProvider", "error", times=1)
    report = scene.execute(plan)
    role = scene.world()["roles"][ROLE]
    if report.outcome != "committed":
        assert {item.change.kind for item in report.leftovers} >= {Kind.ROLE}
    assert (role["description"], role["attached"], role["inline"]) == ("theirs", [], {})


def test_what_has_come_back_without_a_word_in_the_journal_is_there(scene: Scene) -> None:
    """The rollback was done, its journal could not be written, and the mark is the earlier one's again."""
    before = scene.world()
    change = scene.role
    assert not scene.undo(change).changed
    assert not scene.undo(COMMIT).changed
    assert not scene.undo(OWNER).changed
    found = handlers(scene.iam, None)[Kind.ROLE_OWNER]
    assert found.claimed(OWNER, "t1", ours=True) == ""
    assert scene.world() == before


def test_the_mark_of_a_deletion_is_its_owners(scene: Scene) -> None:
    before = scene.world()
    with pytest.raises(Conflict):
        scene.apply(COMMIT)
    scene.apply(OWNER)
    assert scene.apply(COMMIT).changed
    assert scene.world()["roles"][ROLE]["tags"]["irsa/commit"] == DELETING
    assert scene.undo(COMMIT).changed
    assert scene.undo(OWNER).changed
    assert scene.world() == before


def test_tags_of_aws_itself_are_not_written_again(scene: Scene) -> None:
    """Nobody but AWS may write them: a role of CloudFormation comes back without."""
    scene.apply(OWNER)
    change = scene.role
    assert change.before is not None
    tags = {**change.before.tags, "aws:cloudformation:stack-name": "s"}  # type: ignore[attr-defined]
    stacked = Change(Kind.ROLE, (ROLE,), type(change.before)(**{**vars(change.before), "tags": tags}), None)
    scene.iam.detach_role_policy(RoleName=ROLE, PolicyArn=S3_READ)
    scene.iam.delete_role_policy(RoleName=ROLE, PolicyName="p")
    before = scene.world()
    assert scene.apply(stacked).changed
    assert scene.undo(stacked).changed
    assert scene.world() == before


def test_policies_of_a_role_that_is_there_and_not_shown_yet_are_read_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROPAGATION_SECONDS", 3.0)
    whole = reading.current_role(scene.iam, ROLE)
    for operation in ("ListAttachedRolePolicies", "ListRolePolicies"):
        scene.break_(operation, "error", code="NoSuchEntity", status=404, times=3)
    assert reading.current_role(scene.iam, ROLE) == whole
    assert len(scene.sandbox.faults.struck) >= 3


def test_a_role_whose_policies_are_never_shown_is_not_said_to_be_gone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROPAGATION_SECONDS", 0.3)
    scene.break_("ListRolePolicies", "error", code="NoSuchEntity", status=404)
    with pytest.raises(ServiceError):
        reading.current_role(scene.iam, ROLE)
