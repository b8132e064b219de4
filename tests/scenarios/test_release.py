"""`irsa release`: irsa's marks go, and everything else stays: pods keep their role."""

from __future__ import annotations

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.binding import make_binding
from tests.scenarios.foreign import make_role
from tests.support.acts import SERVICE
from tests.support.stage import ROLE_ARN, Stage
from tests.support.worlds import difference

RELEASE = "release app -n $ns"
CREATE = "create-sa app -n $ns --attach-policy-arn $S3 --associate-oidc"
MARKS = ("irsa/", "managed-by")


def test_release_is_the_inverse_of_adopt(stage: Stage, namespace: str) -> None:
    make_binding(stage, namespace, "app")
    before = stage.world()
    stage.run("adopt app -n $ns")
    adopted = stage.world()
    stage.run(f"{RELEASE} --dry-run", says="irsa/service-account", changes="")
    assert stage.world() == adopted
    stage.run(RELEASE, says="irsa does not manage the role of")
    assert stage.world() == before
    stage.run(RELEASE, says="Nothing to do", changes="")


def test_only_marks_of_irsa_go_and_pods_keep_their_role(stage: Stage, namespace: str) -> None:
    stage.run(f"{CREATE} --tags team=web --label app=web")
    before = stage.world()
    stage.run(RELEASE)
    lines = [line for line in difference(before, stage.world()).splitlines() if line.strip()]
    assert lines
    assert [line for line in lines if not any(mark in line for mark in MARKS)] == []
    role, account = stage.role_of(namespace, "app"), stage.account(namespace, "app")
    assert account is not None
    assert role["tags"] == {"team": "web"}
    assert account["annotations"] == {ROLE_ARN: role["arn"]}
    stage.run("verify app -n $ns", says="is exchanged for")
    # What irsa has released, it does not delete; and it can have it again.
    stage.run("delete-sa app -n $ns --yes", code=4, says="irsa adopt", changes="")
    stage.run("adopt app -n $ns")
    stage.run("delete-sa app -n $ns --yes", says="Deleted: role")


def test_a_key_of_somebody_else_stays_whatever_it_begins_with(stage: Stage, namespace: str) -> None:
    """irsa knows its own keys: the prefix alone is nobody's mark."""
    stage.run(CREATE)
    name = stage.role_of(namespace, "app")["arn"].rpartition("/")[2]
    theirs = {"irsa/owner": "web", "irsa/trusted": "yes", "irsa/trust-no": "x"}
    stage.iam().tag_role(RoleName=name, Tags=[{"Key": key, "Value": value} for key, value in theirs.items()])
    stage.annotate(namespace, "app", **{"irsa/note": "ours"})
    stage.run(RELEASE)
    account = stage.account(namespace, "app")
    assert account is not None
    assert stage.role_of(namespace, "app")["tags"] == theirs
    assert {*account["annotations"]} == {ROLE_ARN, "irsa/note"}


def test_a_role_without_its_service_account_is_released_by_its_name(stage: Stage, namespace: str) -> None:
    stage.run(f"{CREATE} --role-only --role-name $ns-r")
    stage.run(RELEASE, code=4, changes="")
    stage.run(f"{RELEASE} --role-name $ns-r")
    assert stage.aws_world()["roles"][f"{namespace}-r"]["tags"] == {}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("release other -n $ns", "there is no ServiceAccount"),
        ("release other -n $ns --role-name $ns-r", "for another ServiceAccount"),
    ],
)
def test_what_belongs_to_others_is_not_released(stage: Stage, namespace: str, line: str, says: str) -> None:
    stage.run(f"{CREATE} --role-name $ns-r")
    stage.run(line, code=4, says=says, changes="")


def test_a_target_role_is_removed_before(stage: Stage, namespace: str) -> None:
    make_role(stage, f"{namespace}-target", SERVICE)
    stage.run(f"{CREATE} --target-role arn:aws:iam::$account:role/$ns-target --update-target-trust")
    stage.run(RELEASE, code=4, says="update-sa", changes="")
    stage.run("update-sa app -n $ns --remove-target-role")
    stage.run(RELEASE)


def test_a_role_of_an_interrupted_run_is_completed_first(stage: Stage, namespace: str) -> None:
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    stage.run(CREATE, code=-9)
    stage.sandbox.settle()
    stage.run(f"{RELEASE}", code=4, changes="")
