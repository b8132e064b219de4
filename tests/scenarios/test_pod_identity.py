"""Roles that pods get by EKS Pod Identity alone: created, changed, adopted, deleted, and recovered."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.associated import AGENT, associate, association, dissociate, make_role
from tests.support.documents import policy
from tests.support.eks_states import add_addon
from tests.support.rows import Row, play_all, rows
from tests.support.stage import ACCOUNT, Stage

TARGET = "arn:aws:iam::444455556666:role/data"
CREATE = "create-sa app -n apps --pod-identity --attach-policy-arn $S3"
TO_TARGET = "create-sa app -n apps --pod-identity --attach-policy-arn $S3 --target-role $TARGET"
WITHOUT_TAGS = "create-sa app -n apps --pod-identity --attach-policy-arn $S3 --disable-session-tags"
UPDATE = "update-sa app -n apps"
DELETE = "delete-sa app -n apps"
ROLE = "demo-apps-app-25a786ab"
UNCHANGED = {"metadata.outcome": "unchanged"}
BINDING = f"""association demo/apps/app
association demo/apps/app disableSessionTags false
association demo/apps/app roleArn {ROLE}
association demo/apps/app tags irsa/cluster demo
association demo/apps/app tags irsa/service-account apps/app
role {ROLE}
role {ROLE} attached AmazonS3ReadOnlyAccess
role {ROLE} max_session_duration 3600
role {ROLE} path /irsa/demo/
role {ROLE} tags irsa/cluster demo
role {ROLE} tags irsa/commit done
role {ROLE} tags irsa/service-account apps/app
role {ROLE} trust {{"Effect":"Allow","Principal":{{"Service":"pods.eks.amazonaws.com"}},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{{"StringEquals":{{"aws:SourceAccount":"111122223333","aws:RequestTag/eks-cluster-arn":"arn:aws:eks:eu-west-1:111122223333:cluster/demo","aws:RequestTag/kubernetes-namespace":"apps","aws:RequestTag/kubernetes-service-account":"app"}},"ArnEquals":{{"aws:SourceArn":"arn:aws:eks:eu-west-1:111122223333:cluster/demo"}}}}}}"""  # noqa: E501
TARGETED = f"""association demo/apps/app targetRoleArn data
role {ROLE} inline irsa-assume-target-role {{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"{TARGET}"}}"""  # noqa: E501
LESS = policy("Allow s3:Get* on *")


def new(lines: str) -> str:
    return re.sub("^", "+ ", lines, flags=re.MULTILINE)


def gone(lines: str) -> str:
    return re.sub("^", "- ", lines, flags=re.MULTILINE)


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A cluster with the agent; the sandbox's API is enough: associations are EKS' business."""
    add_addon(sandbox, "demo", AGENT)
    world = Stage.world  # Its associations change with those of the sandbox.
    monkeypatch.setattr(Stage, "world", lambda self: copy.deepcopy(world(self)))
    made = sandbox_stage(sandbox, "demo", tmp_path)
    made.make_namespace("apps")
    made.words |= {"TARGET": TARGET, "SHARED": f"arn:aws:iam::{ACCOUNT}:role/shared"}
    (tmp_path / "less.json").write_text(json.dumps(LESS))
    return made


def with_account(stage: Stage) -> None:
    stage.make_account("apps", "app", labels={"app": "x"})


def with_shared_role(stage: Stage) -> None:
    make_role(stage, "shared", "ec2.amazonaws.com", action="sts:AssumeRole")


def with_role_of_pods(stage: Stage) -> None:
    make_role(stage, "shared")


def with_both_roles(stage: Stage) -> None:
    with_shared_role(stage)
    stage.run(CREATE)


def bound_account(stage: Stage) -> None:
    with_account(stage)
    stage.run(CREATE)


def associated_by_others(stage: Stage) -> None:
    associate(stage, "apps", "app", make_role(stage, "shared"), tags={"team": "shop"})


def replaced_by_others(stage: Stage) -> None:
    """Somebody else made the association anew."""
    stage.run(CREATE)
    dissociate(stage, "apps", "app")
    associate(stage, "apps", "app", f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/{ROLE}")


def known_late(stage: Stage) -> None:
    """EKS doesn't know a new role at once."""
    why = "Role provided in the request does not exist."
    code = "InvalidParameterException"
    stage.sandbox.faults.add(
        Fault("eks", "CreatePodIdentityAssociation", "error", status=400, times=3, code=code, message=why)
    )


@rows(
    Row("one that exists", f"{CREATE} --create-service-account", given=with_account, changes=new(BINDING)),
    Row("a role that EKS does not know yet", CREATE, given=known_late, changes=new(BINDING)),
    Row("a target role", TO_TARGET, says="EKS sends the external ID", changes=new(f"{BINDING}\n{TARGETED}")),
    Row(
        "a role that trusts the service",
        "create-sa app -n apps --pod-identity --attach-role-arn $SHARED --update-trust",
        given=with_role_of_pods,
        changes=new("\n".join(BINDING.splitlines()[:5]).replace(ROLE, "shared")),
    ),
    Row("a deletion", DELETE, given=CREATE, changes=gone(BINDING)),
    Row("a deletion of an association of others", DELETE, 4, "a-", given=replaced_by_others),
)
def test_a_role_and_its_association(stage: Stage, row: Row) -> None:
    row.play(stage)


def test_a_service_account_and_its_namespace_are_created_if_asked(stage: Stage) -> None:
    line = "create-sa app -n new --pod-identity --no-policy --create-service-account --label team=a"
    stage.run(line)
    account = stage.account("new", "app")
    assert account is not None
    assert account["labels"]["team"] == "a"
    assert "eks.amazonaws.com/role-arn" not in account["annotations"]
    assert association(stage, "new", "app")
    stage.run(line, says="Nothing to do", changes="")


def test_an_association_with_another_role_gets_this_one_if_asked(stage: Stage) -> None:
    with_shared_role(stage)
    more = "--attach-role-arn $SHARED --update-trust --target-role $TARGET --tags team=a"
    stage.run(f"create-sa app -n apps --pod-identity {more}")
    number = association(stage, "apps", "app")
    stage.run(CREATE, code=4, changes="")
    stage.run(f"{CREATE} --override-existing-serviceaccounts")
    assert association(stage, "apps", "app") == number
    (given,) = stage.world()["associations"].values()
    assert given["roleArn"].endswith(ROLE)
    assert not given.get("targetRoleArn")


def test_an_existing_role_gets_the_statement_and_loses_it(stage: Stage) -> None:
    with_shared_role(stage)
    before = stage.world()
    line = "create-sa app -n apps --pod-identity --attach-role-arn $SHARED --update-trust"
    stage.run(line)
    theirs, ours = stage.world()["roles"]["shared"]["trust"]["Statement"]
    assert theirs["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert ours["Condition"]["StringEquals"]["aws:RequestTag/kubernetes-namespace"] == "apps"
    stage.run(line, says="Nothing to do", changes="")
    stage.run(DELETE)
    assert stage.world() == before


@pytest.mark.parametrize("tags", ["", " --disable-session-tags"])
def test_a_role_whose_association_is_gone_is_listed_and_completed(stage: Stage, tags: str) -> None:
    stage.run(f"{CREATE} --create-service-account{tags}")
    dissociate(stage, "apps", "app")
    stage.run("get-sa -n apps", says=("role-only", "no association gives it to apps/app"))
    stage.sandbox.faults.add(Fault("eks", "ListPodIdentityAssociations", "error"))
    stage.run("get-sa -n apps", code=1, says="role-only", silent="no association")
    stage.run("get-sa -n default", code=7)
    shown = stage.run("describe-sa app -n apps", code=4)
    (step,) = re.findall(r"irsa (create-sa .*--pod-identity --attach-policy-arn) ARN", shown.err)
    stage.run(f"{step} $S3{tags}")
    assert stage.run("get-sa -n apps").out.split()[-1] == "ok"


def test_a_saved_plan_is_carried_out_once(stage: Stage) -> None:
    stage.run(f"{CREATE} --dry-run --out plan.json", changes="")
    stage.run("apply plan.json --yes", changes=new(BINDING))
    stage.run("apply plan.json --yes", changes="")
    stage.run("update-sa app -n apps --target-role $TARGET --dry-run --out later.json", changes="")
    stage.run("apply later.json", changes=new(TARGETED))


# Changes.


CAN_NOT_BE_USED = tuple(
    Row(
        options,
        f"{UPDATE} {options}",
        4,
        ("can't be used with EKS Pod Identity", "irsa migrate --to irsa app"),
    )
    for options in (
        "--audience vault",
        "--token-expiration 1h",
        "--no-sts-regional-endpoints",
        "--target-role $TARGET --external-id xx",
        "--target-role $TARGET --aws-config-map x",
        "--attach-policy-arn $SQS --verify",
    )
)


def test_what_changes_nothing(stage: Stage) -> None:
    with_both_roles(stage)
    rows_of_one_world = (
        Row("again", f"{CREATE} -o json", document=UNCHANGED),
        Row("another one", TO_TARGET, 4, ", target role: none"),
        Row("tags", f"{CREATE} --session-policy less.json", 2, "only with --disable-session"),
        Row("abroad", "create-sa x -n apps --pod-identity --attach-role-arn $TARGET", 2, "--target-role"),
        Row(
            "a role without the statement",
            "create-sa x -n apps --pod-identity --attach-role-arn $SHARED",
            4,
            ("this statement is missing", "--update-trust"),
        ),
        Row(
            "a target that does not trust the role",
            "update-sa app -n apps --target-role $SHARED",
            4,
            "the trust policy of $SHARED does not allow",
        ),
        Row(
            "a session policy with tags",
            "update-sa app -n apps --session-policy less.json",
            4,
            ("has session tags", "irsa docs how-to/pod-identity"),
        ),
        Row("a label of none", f"{UPDATE} --label team=a", 4, "create it first, or leave out labels"),
        Row(
            "a dry run",
            "update-sa app -n apps --target-role $TARGET --dry-run",
            says=("~ PodIdentity      ", ", target role data"),
        ),
        *CAN_NOT_BE_USED,
    )
    play_all(stage, rows_of_one_world)


def test_changes_one_after_the_other(stage: Stage) -> None:
    bound_account(stage)
    stage.run("update-sa app -n apps --label team=a", changes="+ sa apps/app labels team a")
    stage.run(
        "update-sa app -n apps --attach-policy-arn $SQS --detach-policy-arn $S3 --tags team=a",
        silent="annotation",
        changes=f"""- role {ROLE} attached AmazonS3ReadOnlyAccess
        + role {ROLE} attached AmazonSQSReadOnlyAccess
        + role {ROLE} tags team a""",
    )
    line = "update-sa app -n apps --target-role $TARGET"
    stage.run(line, says="to $TARGET: its trust policy may require it", changes=new(TARGETED))
    stage.run(line, says="Nothing to do", changes="")
    stage.run("update-sa app -n apps --remove-target-role", changes=gone(TARGETED))


def test_without_an_association_of_irsas_nothing_is_changed(stage: Stage) -> None:
    stage.run("create-sa app -n apps --associate-oidc --no-policy")
    also = "update-sa app -n apps -c demo -r eu-west-1 --also pod-identity"
    said = ("has no EKS Pod Identity association", also)
    stage.run("update-sa app -n apps --session-policy less.json", code=4, says=said, changes="")


def test_the_association_of_others_is_not_changed(stage: Stage) -> None:
    replaced_by_others(stage)
    said = ("is not managed by irsa", "irsa adopt app -n apps")
    stage.run("update-sa app -n apps --target-role $TARGET", code=4, says=said, changes="")


def test_a_session_policy_comes_and_goes(stage: Stage) -> None:
    line = f"{WITHOUT_TAGS} --session-policy less.json"
    stage.run(line)
    (given,) = stage.world()["associations"].values()
    assert (json.loads(given["policy"]), given["disableSessionTags"]) == (LESS, True)
    (trusted,) = stage.world()["roles"][ROLE]["trust"]["Statement"]
    assert list(trusted["Condition"]["StringEquals"]) == ["aws:SourceAccount"]
    stage.run(line, says="Nothing to do", changes="")
    kept = stage.world()
    stage.run("update-sa app -n apps --remove-session-policy")
    (given,) = stage.world()["associations"].values()
    assert not given.get("policy")
    stage.run("update-sa app -n apps --session-policy less.json")
    assert stage.world() == kept


# Adoption.

ADOPT = "adopt app -n apps"


def test_both_ends_get_two_tags(stage: Stage) -> None:
    associated_by_others(stage)
    number = association(stage, "apps", "app")
    stage.sandbox.calls.clear()
    stage.run(
        "adopt app -n apps --dry-run",
        says=("RoleTags         shared", "~ PodIdentity      apps/app uses shared"),
        changes="",
    )
    ran = stage.run(
        "adopt app -n apps -o json",
        changes="""+ association demo/apps/app tags irsa/cluster demo
        + association demo/apps/app tags irsa/service-account apps/app
        + role shared tags irsa/cluster demo
        + role shared tags irsa/commit done
        + role shared tags irsa/service-account apps/app""",
    )
    assert ran.item["podIdentity"]["association"] == number
    assert any(number in note for note in ran.item["adoption"]["kept"])
    assert ran.item["adoption"]["others"] == []
    # EKS' answer has no fields, and is an answer all the same.
    assert [call.operation for call in stage.sandbox.calls].count("TagResource") == 1
    stage.run("adopt app -n apps", says="Nothing to do", changes="")


def test_what_was_adopted_can_be_changed_and_deleted(stage: Stage) -> None:
    before = stage.world()
    associated_by_others(stage)
    stage.run("update-sa app -n apps --detach-policy-arn $S3", code=4, changes="")
    stage.run(ADOPT)
    stage.run(f"{UPDATE} --detach-policy-arn $S3", changes="- role shared attached AmazonS3ReadOnlyAccess")
    stage.run(DELETE, code=4, says="others may also use", changes="")
    stage.run("delete-sa app -n apps --force")
    assert stage.world() == before


def owned_by_an_add_on(stage: Stage) -> None:
    associated_by_others(stage)
    where = f"arn:aws:eks:{stage.region}:{ACCOUNT}"
    (given,) = stage.sandbox._front.clusters.associations._of[f"{where}:cluster/demo"].values()
    given["ownerArn"] = f"{where}:addon/demo/vpc-cni/x"


def trusting_another(stage: Stage) -> None:
    associated_by_others(stage)
    text = (
        '{"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"}}'
    )
    stage.iam().update_assume_role_policy(RoleName="shared", PolicyDocument=text)


def used_by_two(stage: Stage) -> None:
    associated_by_others(stage)
    associate(stage, "apps", "other", stage.words["SHARED"])


def tagged_at_one_end(stage: Stage) -> None:
    associated_by_others(stage)
    marks = {
        "irsa/cluster": f"arn:aws:eks:{stage.region}:{ACCOUNT}:cluster/demo",
        "irsa/service-account": "apps/app",
        "irsa/commit": "done",
    }
    stage.iam().tag_role(RoleName="shared", Tags=[{"Key": key, "Value": mark} for key, mark in marks.items()])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (owned_by_an_add_on, ("vpc-cni/x owns it", "aws eks update-addon")),
        (trusting_another, "does not allow EKS Pod Identity for"),
        (used_by_two, "also used by other ServiceAccounts: apps/other"),
    ],
)
def test_what_can_not_be_adopted(stage: Stage, given: Any, said: Any) -> None:
    given(stage)
    stage.run(ADOPT, code=4, says=said, changes="")


def test_an_adoption_that_was_cut_off_is_finished(stage: Stage) -> None:
    tagged_at_one_end(stage)
    stage.run(
        ADOPT,
        changes="""+ association demo/apps/app tags irsa/cluster demo
        + association demo/apps/app tags irsa/service-account apps/app""",
    )


# Recovery on a machine that does not have the journal of the creation.

ELSEWHERE: dict[str, Any] = {"IRSA_STATE_DIR": "other"}
RECOVER = "recover --all --min-age 0s"


def test_recover_without_the_journal_of_a_deletion_leaves_role_and_association(stage: Stage) -> None:
    """It does not read associations: one whose role it deletes would stay for ever."""
    stage.run(f"{CREATE} --create-service-account", **ELSEWHERE)
    stage.sandbox.faults.add(Fault("eks", "DeletePodIdentityAssociation", "error", run=stage.kill))
    stage.run(DELETE, code=-9)
    stage.sandbox.settle()
    said = ("skipped: irsa keeps all that is left of it", "irsa delete-sa deletes both")
    stage.run(RECOVER, says=said, changes="", **ELSEWHERE)
    stage.run(DELETE)
    assert not stage.world()["associations"]
    assert not stage.world()["roles"]


def test_recover_restores_a_deletion_and_keeps_its_service_account(stage: Stage) -> None:
    """The run that created the ServiceAccount is not known here, and nothing shows that it has ended."""
    stage.run(f"{CREATE} --create-service-account", **ELSEWHERE)
    before = stage.world()
    stage.sandbox.faults.add(Fault("kubernetes", "DELETE serviceaccounts", "error", skip=2))
    stage.sandbox.faults.add(Fault("iam", "TagRole", "error", skip=2, times=None))
    stage.run(DELETE, code=3)
    stage.sandbox.faults.clear()
    stage.run(RECOVER)
    assert stage.world() == before
