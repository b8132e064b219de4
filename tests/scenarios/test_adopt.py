"""`irsa adopt`: a role that others made gets two tags, its annotation a mark; nothing else changes."""

import copy
import json
import re
from typing import Any

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.binding import make_binding
from tests.scenarios.test_apply import apply, bindings, config, entry
from tests.scenarios.updating import QUEUE, SNS, update
from tests.support.ran import full_name
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

NAME = "reader"


@pytest.fixture
def arn(stage: Stage, namespace: str) -> str:
    return make_binding(stage, namespace, NAME)


def adopt(stage: Stage, *arguments: str, **how: Any) -> Ran:
    return stage.irsa("adopt", *arguments, "-c", stage.cluster, **how)


def _adopted(stage: Stage, world: Json, arn: str, namespace: str, name: str = NAME) -> Json:
    desired = copy.deepcopy(world)
    cluster = f"arn:aws:eks:{stage.region}:{stage.account_id}:cluster/{stage.cluster}"
    tags = desired["roles"][arn.rsplit("/", 1)[-1]]["tags"]
    tags.update({"irsa/cluster": cluster, "irsa/service-account": f"{namespace}/{name}"})
    account = desired["kubernetes"]["serviceaccounts"][f"{namespace}/{name}"]
    account["annotations"]["irsa/role-arn"] = arn
    return desired


def test_a_hand_made_role_gets_two_tags(stage: Stage, namespace: str, arn: str) -> None:
    before = stage.world()
    planned = adopt(stage, NAME, "-n", namespace, "--dry-run", "--detailed-exitcode")
    assert planned.code == 6, planned.err
    assert stage.world() == before
    ran = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert ran.code == 0, ran.err
    assert stage.world() == _adopted(stage, before, arn, namespace)
    assert ran.item["adoption"]["roleMadeBy"] == "unknown"
    assert any("/own/" in item for item in ran.item["adoption"]["kept"])
    again = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged")


def test_what_was_adopted_can_be_changed(stage: Stage, namespace: str, arn: str) -> None:
    assert update(stage, namespace, "--attach-policy-arn", SNS, name=NAME).code == 4
    assert adopt(stage, NAME, "-n", namespace).code == 0
    assert update(stage, namespace, "--attach-policy-arn", SNS, name=NAME).code == 0
    assert stage.role_of(namespace, NAME)["attached"] == [READ_ONLY, SNS]


def test_what_was_adopted_is_no_half_made_work(stage: Stage, namespace: str, arn: str) -> None:
    assert adopt(stage, NAME, "-n", namespace).code == 0
    stage.annotate(namespace, NAME, **{ROLE_ARN: arn + "-other"})
    found = stage.irsa("recover", "-c", stage.cluster, "-o", "json")
    assert found.code == 0, found.err
    assert not [
        item for item in found.items if {"namespace": namespace, "name": NAME} in item["serviceAccounts"]
    ]


def test_of_a_stack_of_eksctl_it_says_how_to_release_it(stage: Stage, namespace: str, arn: str) -> None:
    role = arn.rsplit("/", 1)[-1]
    tags = {
        "alpha.eksctl.io/cluster-name": stage.cluster,
        "alpha.eksctl.io/iamserviceaccount-name": f"{namespace}/{NAME}",
    }
    stage.iam().tag_role(RoleName=role, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    stage.iam().put_role_policy(RoleName=role, PolicyName="x-Policy1", PolicyDocument=json.dumps(QUEUE))
    ran = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert ran.code == 0, ran.err
    found = ran.item["adoption"]
    assert found["roleMadeBy"] == "eksctl"
    assert any("x-Policy1" in item for item in found["kept"])
    stack = f"eksctl-{stage.cluster}-addon-iamserviceaccount-{namespace}-{NAME}"
    assert all(f"--stack-name {stack} " in command for command in found["release"])
    assert "Retain" in found["release"][0]
    assert found["release"][-1].startswith("aws cloudformation delete-stack")
    assert found["release"][-1] in ran.err


def test_statements_of_others_in_the_trust_policy_are_told(stage: Stage, namespace: str, arn: str) -> None:
    trust = stage.role_of(namespace, NAME)["trust"]
    theirs = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {**trust, "Statement": [theirs, *trust["Statement"]]}
    stage.iam().update_assume_role_policy(RoleName=arn.rsplit("/")[-1], PolicyDocument=json.dumps(document))
    ran = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert ran.code == 0, ran.err
    assert any("1 statement besides" in item for item in ran.item["adoption"]["kept"])


def test_a_role_that_does_not_admit_it_is_refused(stage: Stage, namespace: str, arn: str) -> None:
    stage.make_account(namespace, "guest", annotations={ROLE_ARN: arn})
    before = stage.world()
    ran = adopt(stage, "guest", "-n", namespace)
    assert ran.code == 4, ran.err
    assert stage.world() == before


def test_a_shared_role_is_refused(stage: Stage, namespace: str, arn: str) -> None:
    stage.make_account(namespace, "guest", annotations={ROLE_ARN: arn})
    before = stage.world()
    ran = adopt(stage, NAME, "-n", namespace)
    assert ran.code == 4, ran.err
    assert f"{namespace}/guest" in ran.err
    assert stage.world() == before


@pytest.mark.parametrize("key", ["irsa/cluster", "irsa/service-account"])
def test_a_role_that_is_irsas_for_something_else_is_refused(
    stage: Stage, namespace: str, arn: str, key: str
) -> None:
    stage.iam().tag_role(RoleName=arn.rsplit("/", 1)[-1], Tags=[{"Key": key, "Value": "other"}])
    before = stage.world()
    assert adopt(stage, NAME, "-n", namespace).code == 4
    assert stage.world() == before


def test_a_role_without_room_for_tags_is_refused(stage: Stage, namespace: str, arn: str) -> None:
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(49)]
    stage.iam().tag_role(RoleName=arn.rsplit("/", 1)[-1], Tags=tags)
    before = stage.world()
    assert adopt(stage, NAME, "-n", namespace).code == 4
    assert stage.world() == before


@pytest.mark.parametrize("arguments", [(), (NAME, "--all"), (NAME, "--issuer-url", "https://a.b")])
def test_what_makes_no_sense_is_told_before_any_call(stage: Stage, arguments: tuple[str, ...]) -> None:
    stage.sandbox.calls.clear()
    assert adopt(stage, *arguments).code == 2
    assert not stage.sandbox.calls


def test_all_goes_on_with_what_an_interrupted_run_has_adopted_in_part(
    stage: Stage, namespace: str, arn: str
) -> None:
    stage.sandbox.faults.add(Fault("iam", "TagRole", "callback", run=stage.kill))
    adopt = ("adopt", "--all", "-n", namespace, "-c", stage.cluster)
    assert stage.irsa(*adopt).code == -9
    stage.sandbox.settle()
    assert "irsa/role-arn" not in (stage.account(namespace, NAME) or {})["annotations"]
    elsewhere = stage.irsa(*adopt, IRSA_STATE_DIR="other")
    assert elsewhere.code == 0, elsewhere.err
    assert (stage.account(namespace, NAME) or {})["annotations"]["irsa/role-arn"] == arn


def test_all_that_are_nobodys_are_taken_each_by_itself(stage: Stage, namespace: str, arn: str) -> None:
    own = stage.create_sa("own", namespace, "--attach-policy-arn", READ_ONLY)
    assert own.code == 0, own.err
    stage.make_account(namespace, "far", annotations={ROLE_ARN: "arn:aws:iam::444455556666:role/far"})
    stage.make_account(namespace, "lost", annotations={ROLE_ARN: "arn:aws:iam::111122223333:role/none"})
    before = stage.world()
    planned = adopt(stage, "--all", "-n", namespace, "--dry-run", "-o", "json")
    assert planned.code == 4, planned.err
    assert stage.world() == before
    ran = adopt(stage, "--all", "-n", namespace, "-o", "json")
    assert ran.code == 1, ran.err  # Something was done, so that "nothing was attempted" is not true.
    ended = {item["serviceAccount"]["name"]: item["outcome"] for item in ran.items}
    assert ended == {NAME: "committed", "lost": "refused"}
    assert {*map(full_name, ran.metadata["skipped"])} == {
        f"{namespace}/far",
        f"{namespace}/own",
    }
    assert stage.world() == _adopted(stage, before, arn, namespace)
    text = adopt(stage, "--all", "-n", namespace)
    assert re.search(f"{namespace}/lost +refused", text.out)


@pytest.mark.parametrize("kind", ["reset-after", "half-body"])
def test_a_lost_answer_is_settled_by_reading(stage: Stage, namespace: str, arn: str, kind: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "TagRole", kind, times=None))  # type: ignore[arg-type]
    ran = adopt(stage, NAME, "-n", namespace)
    assert ran.code == 0, ran.err
    assert stage.world() == _adopted(stage, before, arn, namespace)


def test_a_caller_who_may_not_tag_changes_nothing(stage: Stage, namespace: str, arn: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "TagRole", "error", times=None))
    ran = adopt(stage, NAME, "-n", namespace)
    assert ran.code == 1, ran.err
    assert "iam:TagRole" in ran.err
    assert stage.world() == before


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("mode", [(), ("--atomic",), ("--override-existing-serviceaccounts",)])
def test_what_was_adopted_is_changed_by_a_file_of_eksctl(
    stage: Stage, namespace: str, arn: str, named: bool, mode: tuple[str, ...]
) -> None:
    """A ClusterConfig can't say the path of a role."""
    role = {"roleName": arn.rsplit("/", 1)[-1]} if named else {}
    text = config(stage, entry(NAME, namespace, attachPolicyARNs=[SNS], **role))
    before = stage.world()
    refused = apply(stage, text)
    assert refused.code == 4, refused.err
    assert f"irsa adopt {NAME}" in refused.err
    assert stage.world() == before
    assert adopt(stage, NAME, "-n", namespace).code == 0
    account = stage.account(namespace, NAME)
    ran = apply(stage, text, *mode, "-o", "json")
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 1}), ran.err
    assert stage.role_of(namespace, NAME)["arn"] == arn
    assert stage.role_of(namespace, NAME)["attached"] == [SNS]
    assert stage.account(namespace, NAME) == account
    again = apply(stage, text, *mode, "-o", "json")
    assert (again.code, again.metadata["summary"]) == (0, {"unchanged": 1})


def test_a_file_that_names_another_role_than_the_adopted_one_is_refused(
    stage: Stage, namespace: str, arn: str
) -> None:
    assert adopt(stage, NAME, "-n", namespace).code == 0
    before = stage.world()
    ran = apply(
        stage, config(stage, entry(NAME, namespace, roleName=f"{namespace}-other", attachPolicyARNs=[SNS]))
    )
    assert ran.code == 4, ran.err
    assert "name no other role in the entry" in ran.err
    assert stage.world() == before


@pytest.mark.parametrize("kind", ["ClusterConfig", "Bindings"])
def test_what_a_file_does_not_say_of_an_adopted_role_stays(
    stage: Stage, namespace: str, arn: str, kind: str
) -> None:
    """Neither says a description or a session duration; a ClusterConfig has no word for inline policies."""
    name = arn.rsplit("/", 1)[-1]
    stage.iam().update_role(RoleName=name, Description="theirs", MaxSessionDuration=43200)
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    stage.iam().put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=json.dumps(document))
    assert adopt(stage, NAME, "-n", namespace).code == 0
    write = config if kind == "ClusterConfig" else bindings
    text = write(stage, entry(NAME, namespace, attachPolicyARNs=[SNS]))
    ran = apply(stage, text, "-o", "json")
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 1}), ran.err
    role = stage.role_of(namespace, NAME)
    assert (role["description"], role["max_session_duration"]) == ("theirs", 43200)
    assert (role["attached"], list(role["inline"])) == ([SNS], ["theirs"] if kind == "ClusterConfig" else [])
