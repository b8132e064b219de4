"""`irsa adopt` of what tools made that go on writing, of roles that admit others, or that nobody names."""

import shlex
from typing import Any

import pytest

from tests.scenarios.foreign import TOOLS, Tool, admitting, make_role, write_trust
from tests.scenarios.test_attach_restricted import EXTERNAL, VPC, guard, subject
from tests.support.acts import SERVICE, account, after, changed, refused, unchanged, wish, wished
from tests.support.documents import doc
from tests.support.stage import Json, Stage

ADOPT = "adopt app -n $ns -o json"
BY_NAME = f"{ADOPT} --role-name $ns-r"
DELETE = "delete-sa app -n $ns --yes"
ENTRY = "{metadata: {name: app, namespace: $ns}, attachPolicyARNs: [$SNS]}"
TAGGED = ENTRY.replace("attachPolicyARNs", "tags: {team: a}, attachPolicyARNs")
APPLY = "apply -f f.yaml"
ADOPTED = """
+ role $ns-r tags irsa/cluster $cluster
+ role $ns-r tags irsa/service-account $ns/app
+ sa $ns/app annotations irsa/role-arn $ns-r
"""


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")


def bound(stage: Stage, *statements: Json, **metadata: Any) -> str:
    """A role of others that app is annotated with; without statements it admits app. Returns its ARN."""
    arn = make_role(stage, f"{stage.words['ns']}-r", *(statements or [own(stage)]))
    account(role=arn, **metadata)(stage)
    return arn


def own(stage: Stage, condition: Any = None, name: str = "app") -> Json:
    """A statement that admits a ServiceAccount of the namespace."""
    return admitting(stage, subject(stage.words["ns"], name), condition=condition)


def proposed(error: Json, command: str) -> str:
    """The command of irsa's that an error proposes."""
    (step,) = (step for step in error["next"] if f"irsa {command} " in step)
    words = step[step.index(f"irsa {command} ") :].partition(", and ")[0]
    return shlex.join(shlex.split(words, comments=True)[1:])


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_who_made_it_and_writes_it_again_is_said_and_its_marks_stay(
    stage: Stage, namespace: str, tool: Tool
) -> None:
    tool.make(stage, namespace, "app", f"{namespace}-r")
    adoption = stage.run(ADOPT).item["adoption"]
    assert (adoption["roleMadeBy"], bool(adoption["others"])) == (tool.maker, "*" in tool.subject)
    kept = {"eksctl": "stack", "CDK": "stack", "unknown": "/"}.get(tool.maker, tool.maker)
    assert kept in str(adoption["kept"])
    wish(stage, TAGGED)
    stage.run(APPLY)
    whole = stage.world()
    assert {**tool.tags, "team": "a"}.items() <= stage.role_of(namespace, "app")["tags"].items()
    unchanged(stage, APPLY)
    wish(stage, ENTRY)
    stage.run(APPLY)
    changed(stage, whole, "- role $ns-r tags team a\n- role $ns-r tags irsa/tags yosi")
    if tool.maker == "Terraform":
        stage.run(f"{DELETE} -o json", says="was created by Terraform")


BY_REQUEST = (
    (DELETE, 4),
    (ADOPT, 4),
    ("adopt --all -n $ns", 4),
    (f"{ADOPT} --ignore-maker", 0),
    (DELETE, 4),
    (f"{DELETE} --force", 4),
    (f"{DELETE} --ignore-maker", 0),
)


@pytest.mark.parametrize(
    ("form", "path", "description", "maker"),
    [
        ("{}-20240115123456789000000001", "/", "", "Terraform"),
        ("{}.default.sa.demo.example.com", "/", "", "kOps"),
        ("{}", "/", "Managed by Terraform", "Terraform"),
        ("{}", "/pulumi/", "", "Pulumi"),
    ],
)
def test_a_role_that_another_tool_may_manage_is_adopted_and_deleted_by_request_only(
    stage: Stage, namespace: str, form: str, path: str, description: str, maker: str
) -> None:
    role = form.format(namespace)
    account(role=make_role(stage, role, own(stage), path=path))(stage)
    stage.iam().update_role(RoleName=role, Description=description)
    for line, code in BY_REQUEST:
        ran = stage.run(line, code=code, says=f"may be managed by {maker}", changes="" if code else None)
        if "adopt" in line:
            assert ("--ignore-maker" in ran.err) == bool(code)
        if line == f"{ADOPT} --ignore-maker":
            assert ran.item["adoption"]["roleMadeBy"] == "unknown"
            assert ran.item["adoption"]["roleMayBeManagedBy"] == maker
            refused(stage, DELETE, IRSA_IGNORE_MAKER="true")
    assert role not in stage.aws_world()["roles"]


HELM = {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "app"},
}


@pytest.mark.parametrize(
    ("metadata", "maker"),
    [
        (HELM, "Helm"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "app:/ServiceAccount:x/app"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux"),
        ({"annotations": {"pulumi.com/autonamed": "true"}}, "Pulumi"),
        ({"labels": {"crossplane.io/composite": "x"}}, "Crossplane"),
    ],
)
def test_who_writes_the_service_account_again_is_said(stage: Stage, metadata: Json, maker: str) -> None:
    bound(stage, **metadata)
    says = (f'"serviceAccountMadeBy": "{maker}"', f"managed by {maker}", "may overwrite")
    stage.run(ADOPT, says=says)


GITHUB = """{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::<account>:oidc-provider/<github>"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringLike": {"<github>:sub": "repo:acme/app:*"}}}"""
OTHERS = (
    "system:serviceaccount:$ns:other by statement 1 (List)",
    "system:serviceaccount:*:app by statement 2",
    "every ServiceAccount of the cluster by statement 3",
    "repo:acme/app:* of token.actions.githubusercontent.com by statement 4",
    "Service ec2.amazonaws.com by statement 5",
)


def test_whom_the_trust_policy_lets_in_is_said(stage: Stage, namespace: str) -> None:
    bound(
        stage,
        admitting(stage, [subject(namespace), subject(namespace, "other")], Sid="List"),
        admitting(stage, "system:serviceaccount:*:app", "StringLike"),
        admitting(stage, None),
        doc(GITHUB, account=stage.account_id, github="token.actions.githubusercontent.com"),
        SERVICE,
    )
    assert len(stage.run(ADOPT, says=OTHERS, changes=ADOPTED).item["adoption"]["others"]) == 5


@pytest.mark.parametrize("restricted", ["guard", "vpc"])
def test_what_cant_be_known_is_taken_over_and_said(stage: Stage, restricted: str) -> None:
    statements = [own(stage), guard(stage)] if restricted == "guard" else [own(stage, VPC)]
    bound(stage, *statements)
    stage.run(ADOPT, says="irsa can't tell whether")


def test_what_is_not_admitted_is_let_in_as_proposed(stage: Stage) -> None:
    stage.words["arn"] = bound(stage, own(stage, name="else"))
    answer = refused(stage, ADOPT)
    assert stage.irsa(*shlex.split(proposed(answer.error, "doctor"))).code in (0, 4, 5)
    # The annotation alone does not say that the role is meant for it: that is a person's word.
    assert " create-sa " not in str(answer.error["next"])
    stage.run("create-sa app -n $ns --attach-role-arn $arn --update-trust")
    stage.run(ADOPT)


ATTACHED = "+ role $ns-r attached AmazonSNSReadOnlyAccess"
ANNOTATED = """
+ sa $ns/app annotations eks.amazonaws.com/role-arn $ns-r
+ sa $ns/app annotations irsa/role-arn $ns-r
"""
MADE = "+ sa $ns/app\n+ sa $ns/app labels app.kubernetes.io/managed-by irsa"


@pytest.mark.parametrize("mode", ["", " --atomic"])
@pytest.mark.parametrize(
    ("role_only", "given", "changes"),
    [
        ("true", (), [ATTACHED]),
        ("true", (account(),), [ATTACHED]),
        ("false", (), [ATTACHED, ANNOTATED, MADE]),
        ("false", (account(),), [ATTACHED, ANNOTATED]),
    ],
)
def test_a_role_whose_service_account_names_none_is_taken_over_as_proposed(
    stage: Stage, namespace: str, mode: str, role_only: str, given: Any, changes: list[str]
) -> None:
    make_role(stage, f"{namespace}-r", own(stage), tags={"cost": "42"})
    entry = ENTRY.replace("attach", f"roleName: $ns-r, roleOnly: {role_only}, attach")
    after(*given, wished(entry))(stage)
    answer = refused(stage, f"{APPLY}{mode} -o json")
    stage.run(f"{proposed(answer.error, 'adopt')} -o json", says="irsa does not change this")
    stage.run(APPLY + mode, changes=changes)
    unchanged(stage, APPLY + mode)


def test_a_role_that_is_taken_over_alone_is_complete(stage: Stage, namespace: str) -> None:
    make_role(stage, f"{namespace}-r", own(stage), path=f"/irsa/{stage.cluster}/")
    stage.run(BY_NAME)
    items = stage.run("get-sa -n $ns -o json").items
    assert [item["status"] for item in items if f"{namespace}-r" in str(item["role"])] == ["role-only"]
    unchanged(stage, BY_NAME, '"unchanged"')


OTHERS_TAG = {"irsa/service-account": "a/b"}


@pytest.mark.parametrize(("condition", "tags"), [(None, None), (None, OTHERS_TAG), (EXTERNAL, {})])
def test_a_role_that_is_named_is_refused_like_any_other(
    stage: Stage, namespace: str, condition: Any, tags: Any
) -> None:
    if tags is not None:
        make_role(stage, f"{namespace}-r", own(stage, condition), tags=tags)
    refused(stage, BY_NAME)


def test_all_and_a_role_are_wrong_usage(stage: Stage) -> None:
    stage.run("adopt --all --role-name x", code=2)


def test_each_note_of_many_says_what_it_is_about(stage: Stage, namespace: str) -> None:
    for tool in TOOLS:
        if tool.name in ("crossplane", "eksctl", "hand"):
            tool.make(stage, namespace, tool.name, f"{namespace}-{tool.name}")
    write_trust(stage, f"{namespace}-hand", admitting(stage, None))
    for flags in ("--dry-run", ""):
        for item in stage.run(f"adopt --all -n $ns -o json {flags}").items:
            about = f"{namespace}/{item['serviceAccount']['name']}: "
            assert item["notes"]
            assert all(note.startswith(about) for note in item["notes"]), item["notes"]


def test_a_role_that_a_file_uses_in_place_of_another_account(stage: Stage) -> None:
    """To adopt a role of another account is no way."""
    arn = "arn:aws:iam::444455556666:role/far"
    account(role=arn)(stage)
    wish(stage, ENTRY)
    stage.run(APPLY, code=4, silent="irsa adopt")
    wish(stage, ENTRY.replace("attachPolicyARNs: [$SNS]", f"attachRoleARN: '{arn}'"))
    unchanged(stage, APPLY)


def test_tags_of_others_stay_also_on_a_role_that_irsa_made(stage: Stage, namespace: str) -> None:
    wish(stage, TAGGED.replace("team: a", "team: a, env: test"))
    stage.run(APPLY)
    role = stage.role_of(namespace, "app")["arn"].rpartition("/")[2]
    stage.iam().tag_role(RoleName=role, Tags=[{"Key": "scanner", "Value": "seen"}])
    wish(stage, TAGGED)
    stage.run(APPLY)
    tags = stage.role_of(namespace, "app")["tags"]
    assert (tags["scanner"], tags["team"], "env" in tags) == ("seen", "a", False)
