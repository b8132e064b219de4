"""`irsa adopt` of what tools made that go on writing, of roles that admit others, or that nobody names."""

import json
import shlex
from typing import Any

import pytest

from tests.scenarios.foreign import TOOLS, Tool, admitting, make_role, trust_of, write_trust
from tests.scenarios.test_adopt import adopt
from tests.scenarios.test_apply import apply, config, entry
from tests.scenarios.test_attach_restricted import EXTERNAL, VPC, guard, subject
from tests.scenarios.updating import SNS as SNS_ARN
from tests.support.stage import ROLE_ARN, Json, Stage

NAME = "app"


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


def proposed(error: Json, command: str) -> list[str]:
    """The words of the command of irsa's that an error proposes, without `irsa`."""
    for step in error["next"]:
        _, found, rest = step.partition(f"irsa {command} ")
        if found:
            return [command, *shlex.split(rest.partition(", and ")[0], comments=True)]
    raise AssertionError(error["next"])


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_who_made_it_and_writes_it_again_is_said_and_its_marks_stay(
    stage: Stage, namespace: str, unique: str, tool: Tool
) -> None:
    tool.make(stage, namespace, NAME, unique)
    trust = trust_of(stage, unique)
    ran = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert ran.code == 0, ran.err
    found = ran.item["adoption"]
    assert found["roleMadeBy"] == tool.maker
    if tool.maker != "unknown":
        names = {"eksctl": "stack", "CDK": "stack"}
        assert any(names.get(tool.maker, tool.maker) in text for text in found["kept"]), found["kept"]
    assert bool(found["others"]) == ("*" in tool.subject)
    text = config(stage, entry(NAME, namespace, attachPolicyARNs=[SNS_ARN], tags={"team": "a"}))
    applied = apply(stage, text)
    assert applied.code == 0, applied.err
    tags = stage.role_of(namespace, NAME)["tags"]
    assert tool.tags.items() <= tags.items()
    assert tags["team"] == "a"
    assert trust["Statement"][0] in trust_of(stage, unique)["Statement"]
    unchanged = apply(stage, text, "-o", "json")
    assert unchanged.metadata["summary"] == {"unchanged": 1}
    assert apply(stage, config(stage, entry(NAME, namespace, attachPolicyARNs=[SNS_ARN]))).code == 0
    left = stage.role_of(namespace, NAME)["tags"]
    assert "team" not in left
    assert tool.tags.items() <= left.items()


@pytest.mark.parametrize(
    ("form", "made", "maker"),
    [
        ("{}-20240115123456789000000001", {}, "Terraform"),
        ("{}.default.sa.demo.example.com", {}, "kOps"),
        ("{}", {"Description": "Managed by Terraform"}, "Terraform"),
        ("{}", {"Path": "/pulumi/"}, "Pulumi"),
    ],
)
def test_a_role_that_another_tool_may_manage_is_adopted_and_deleted_by_request_only(
    stage: Stage, namespace: str, unique: str, form: str, made: dict[str, str], maker: str
) -> None:
    role = form.format(unique)
    trust = {"Version": "2012-10-17", "Statement": [admitting(stage, subject(namespace))]}
    answer = stage.iam().create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust), **made)
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: answer["Role"]["Arn"]})
    before = stage.world()
    foreign = stage.irsa("delete-sa", NAME, "-n", namespace, "-c", stage.cluster, "--yes")
    assert foreign.code == 4
    assert f"may be managed by {maker}" in foreign.err
    assert "irsa adopt" not in foreign.err
    for refused in (adopt(stage, NAME, "-n", namespace), adopt(stage, "--all", "-n", namespace)):
        assert refused.code == 4
        assert f"may be managed by {maker}" in refused.err
        assert "--ignore-maker" in refused.err
    assert stage.world() == before
    ran = adopt(stage, NAME, "-n", namespace, "--ignore-maker", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["adoption"]["roleMadeBy"] == "unknown"
    assert ran.item["adoption"]["roleMayBeManagedBy"] == maker
    assert any(f"may be managed by {maker}" in note for note in ran.item["notes"])
    adopted = stage.world()
    delete = ("-n", namespace, "-c", stage.cluster, "--yes")
    for options in ((), ("--force",)):
        kept = stage.irsa("delete-sa", NAME, *delete, *options)
        assert kept.code == 4
        assert f"may be managed by {maker}" in kept.err
    by_variable = stage.irsa("delete-sa", NAME, *delete, IRSA_IGNORE_MAKER="true")
    assert by_variable.code == 4
    assert stage.world() == adopted
    gone = stage.irsa("delete-sa", NAME, *delete, "--ignore-maker", "-o", "json")
    assert gone.code == 0, gone.err
    assert any(f"may be managed by {maker}" in note for note in gone.item["notes"])
    assert role not in stage.aws_world()["roles"]


def test_who_created_a_role_is_said_once_more_when_it_is_deleted(
    stage: Stage, namespace: str, unique: str
) -> None:
    tool = next(item for item in TOOLS if item.maker == "Terraform")
    tool.make(stage, namespace, NAME, unique)
    assert adopt(stage, NAME, "-n", namespace).code == 0
    gone = stage.irsa("delete-sa", NAME, "-n", namespace, "-c", stage.cluster, "--yes", "-o", "json")
    assert gone.code == 0, gone.err
    assert any("was created by Terraform" in note for note in gone.item["notes"])


@pytest.mark.parametrize(
    ("labels", "annotations", "maker"),
    [
        ({"app.kubernetes.io/managed-by": "Helm"}, {"meta.helm.sh/release-name": "app"}, "Helm"),
        ({}, {"argocd.argoproj.io/tracking-id": "app:/ServiceAccount:x/app"}, "Argo CD"),
        ({"kustomize.toolkit.fluxcd.io/name": "apps"}, {}, "Flux"),
        ({}, {"pulumi.com/autonamed": "true"}, "Pulumi"),
        ({"crossplane.io/composite": "x"}, {}, "Crossplane"),
    ],
)
def test_who_writes_the_service_account_again_is_said(
    stage: Stage, namespace: str, unique: str, labels: Any, annotations: Any, maker: str
) -> None:
    arn = make_role(stage, unique, admitting(stage, subject(namespace)))
    stage.make_account(namespace, NAME, labels=labels, annotations={ROLE_ARN: arn, **annotations})
    ran = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["adoption"]["serviceAccountMadeBy"] == maker
    assert any(f"managed by {maker}" in note and "may overwrite" in note for note in ran.item["notes"])


def test_whom_the_trust_policy_lets_in_is_said(stage: Stage, namespace: str, unique: str) -> None:
    github = "token.actions.githubusercontent.com"
    statements = [
        admitting(stage, [subject(namespace), subject(namespace, "other")], Sid="List"),
        admitting(stage, "system:serviceaccount:*:app", "StringLike"),
        admitting(stage, None),
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{stage.account_id}:oidc-provider/{github}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringLike": {f"{github}:sub": "repo:acme/app:*"}},
        },
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]
    arn = make_role(stage, unique, *statements)
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: arn})
    trust = trust_of(stage, unique)
    ran = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert ran.code == 0, ran.err
    assert trust_of(stage, unique) == trust
    assert ran.item["adoption"]["others"] == [
        f"{subject(namespace, 'other')} by statement 1 (List)",
        "system:serviceaccount:*:app by statement 2",
        "every ServiceAccount of the cluster by statement 3",
        f"repo:acme/app:* of {github} by statement 4",
        "Service ec2.amazonaws.com by statement 5",
    ]
    assert "every ServiceAccount of the cluster" in ran.err


@pytest.mark.parametrize("restricted", ["guard", "vpc"])
def test_what_cant_be_known_is_taken_over_and_said(
    stage: Stage, namespace: str, unique: str, restricted: str
) -> None:
    statements = [admitting(stage, subject(namespace), condition=VPC if restricted == "vpc" else None)]
    statements += [guard(stage)] if restricted == "guard" else []
    arn = make_role(stage, unique, *statements)
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: arn})
    ran = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert ran.code == 0, ran.err
    assert any("irsa can't tell whether" in note for note in ran.item["notes"])


def test_what_is_not_admitted_is_let_in_as_proposed(stage: Stage, namespace: str, unique: str) -> None:
    arn = make_role(stage, unique, admitting(stage, subject(namespace, "else")))
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: arn})
    refused = adopt(stage, NAME, "-n", namespace, "-o", "json")
    assert refused.code == 4, refused.err
    doctor = stage.irsa(*proposed(refused.error, "doctor"))
    assert doctor.code in (0, 4, 5), doctor.err
    # The annotation alone does not say that the role is meant for it: that is a person's word.
    assert not any(" create-sa " in step for step in refused.error["next"])
    allowed = stage.create_sa(NAME, namespace, "--attach-role-arn", arn, "--update-trust")
    assert allowed.code == 0, allowed.err
    assert adopt(stage, NAME, "-n", namespace).code == 0


@pytest.mark.parametrize("mode", [(), ("--atomic",)])
@pytest.mark.parametrize("role_only", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_a_role_whose_service_account_names_none_is_taken_over_as_proposed(
    stage: Stage, namespace: str, unique: str, role_only: bool, there: bool, mode: tuple[str, ...]
) -> None:
    make_role(stage, unique, admitting(stage, subject(namespace)), tags={"cost": "42"})
    if there:
        stage.make_account(namespace, NAME)
    item = entry(NAME, namespace, roleName=unique, attachPolicyARNs=[SNS_ARN], roleOnly=role_only)
    text = config(stage, item)
    before = stage.world()
    refused = apply(stage, text, *mode, "-o", "json")
    assert refused.code == 4, refused.err
    assert stage.world() == before
    (result,) = refused.items
    ran = stage.irsa(*proposed(refused.error_of(result), "adopt"), "-o", "json")
    assert ran.code == 0, ran.err
    assert any("irsa does not change this" in note for note in ran.item["notes"])
    account = stage.account(namespace, NAME)
    done = apply(stage, text, *mode)
    assert done.code == 0, done.err
    role = stage.aws_world()["roles"][unique]
    assert role["attached"] == [SNS_ARN]
    assert role["tags"]["cost"] == "42"
    if role_only:
        assert stage.account(namespace, NAME) == account
    else:
        assert stage.role_of(namespace, NAME)["arn"] == role["arn"]
    again = apply(stage, text, *mode, "-o", "json")
    assert (again.code, again.metadata["summary"]) == (0, {"unchanged": 1})


def test_a_role_that_is_taken_over_alone_is_complete(stage: Stage, namespace: str, unique: str) -> None:
    make_role(stage, unique, admitting(stage, subject(namespace)), path=f"/irsa/{stage.cluster}/")
    assert adopt(stage, NAME, "-n", namespace, "--role-name", unique).code == 0
    shown = stage.irsa("get-sa", "-c", stage.cluster, "-n", namespace, "-o", "json")
    (item,) = [item for item in shown.items if item["role"]["arn"].endswith(unique)]
    assert item["status"] == "role-only"
    again = adopt(stage, NAME, "-n", namespace, "--role-name", unique, "-o", "json")
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged")


@pytest.mark.parametrize("reason", ["missing", "others", "not-admitted"])
def test_a_role_that_is_named_is_refused_like_any_other(
    stage: Stage, namespace: str, unique: str, reason: str
) -> None:
    if reason == "others":
        make_role(stage, unique, admitting(stage, subject(namespace)), tags={"irsa/service-account": "a/b"})
    elif reason == "not-admitted":
        make_role(stage, unique, admitting(stage, subject(namespace), condition=EXTERNAL))
    before = stage.world()
    assert adopt(stage, NAME, "-n", namespace, "--role-name", unique).code == 4
    assert stage.world() == before


def test_all_and_a_role_are_wrong_usage(stage: Stage) -> None:
    assert adopt(stage, "--all", "--role-name", "x").code == 2


def test_each_note_of_many_says_what_it_is_about(stage: Stage, namespace: str, unique: str) -> None:
    tools = [tool for tool in TOOLS if tool.name in ("crossplane", "eksctl", "hand")]
    for tool in tools:
        tool.make(stage, namespace, tool.name, f"{unique}-{tool.name}")
    write_trust(stage, f"{unique}-hand", admitting(stage, None))
    planned = adopt(stage, "--all", "-n", namespace, "--dry-run", "-o", "json")
    ran = adopt(stage, "--all", "-n", namespace, "-o", "json")
    assert (planned.code, ran.code) == (0, 0), ran.err
    for item in (*planned.items, *ran.items):
        name = item["serviceAccount"]["name"]
        assert item["notes"]
        assert all(note.startswith(f"{namespace}/{name}: ") for note in item["notes"]), item["notes"]


def test_a_role_that_a_file_uses_in_place_of_another_account(stage: Stage, namespace: str) -> None:
    """To adopt a role of another account is no way."""
    arn = "arn:aws:iam::444455556666:role/far"
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: arn})
    refused = apply(stage, config(stage, entry(NAME, namespace, attachPolicyARNs=[SNS_ARN])))
    assert refused.code == 4, refused.err
    assert "irsa adopt" not in refused.err
    kept = apply(stage, config(stage, entry(NAME, namespace, attachRoleARN=arn)))
    assert kept.code == 0, kept.err


def test_tags_of_others_stay_also_on_a_role_that_irsa_made(stage: Stage, namespace: str) -> None:
    def text(**tags: str) -> str:
        return config(stage, entry(NAME, namespace, attachPolicyARNs=[SNS_ARN], tags=tags))

    assert apply(stage, text(team="a", env="test")).code == 0
    role = stage.role_of(namespace, NAME)["arn"].rsplit("/", 1)[-1]
    stage.iam().tag_role(RoleName=role, Tags=[{"Key": "scanner", "Value": "seen"}])
    assert apply(stage, text(team="a")).code == 0
    tags = stage.role_of(namespace, NAME)["tags"]
    assert (tags["scanner"], tags["team"], tags.get("env")) == ("seen", "a", None)
