"""`irsa adopt` of what tools made that go on writing, of roles that admit others, or that nobody names."""

import shlex
from typing import Any

import pytest

from tests.scenarios.foreign import TOOLS, admitting, make_role, write_trust
from tests.scenarios.test_attach_restricted import EXTERNAL, guard, subject
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


def test_who_made_it_is_said(stage: Stage, namespace: str) -> None:
    for tool in TOOLS:
        tool.make(stage, namespace, tool.name, f"{namespace}-{tool.name}")
        adoption = stage.run(ADOPT.replace("app", tool.name)).item["adoption"]
        assert (adoption["roleMadeBy"], bool(adoption["others"])) == (tool.maker, "*" in tool.subject)
        kept = {"eksctl": "stack", "CDK": "stack", "unknown": "/"}.get(tool.maker, tool.maker)
        assert kept in str(adoption["kept"])
    stage.run("delete-sa terraform-module -n $ns --yes", says="was created by Terraform")


def test_the_marks_of_who_made_it_stay(stage: Stage, namespace: str) -> None:
    tool = TOOLS[0]
    tool.make(stage, namespace, "app", f"{namespace}-r")
    stage.run(ADOPT)
    wish(stage, TAGGED)
    stage.run(APPLY)
    whole = stage.world()
    assert {**tool.tags, "team": "a"}.items() <= stage.role_of(namespace, "app")["tags"].items()
    unchanged(stage, APPLY)
    wish(stage, ENTRY)
    stage.run(APPLY)
    changed(stage, whole, "- role $ns-r tags team a\n- role $ns-r tags irsa/tags yosi")


def managed(stage: Stage, role: str, name: str, path: str = "/", description: str = "") -> None:
    """A binding whose role has marks of a tool."""
    account(name, make_role(stage, role, own(stage, name=name), path=path))(stage)
    stage.iam().update_role(RoleName=role, Description=description)


def proposed(error: Json, command: str) -> str:
    """The command of irsa's that an error proposes."""
    (step,) = (step for step in error["next"] if f"irsa {command} " in step)
    words = step[step.index(f"irsa {command} ") :].partition(", and ")[0]
    return shlex.join(shlex.split(words, comments=True)[1:])


BY_REQUEST = (
    (DELETE, 4),
    (ADOPT, 4),
    ("adopt --all -n $ns", 4),
    (f"{ADOPT} --ignore-maker", 0),
    (DELETE, 4),
    (f"{DELETE} --force", 4),
    (f"{DELETE} --ignore-maker", 0),
)


def test_a_role_that_another_tool_may_manage_is_adopted_and_deleted_by_request_only(
    stage: Stage, namespace: str
) -> None:
    role = f"{namespace}-20240115123456789000000001"
    managed(stage, role, "app")
    for line, code in BY_REQUEST:
        says = "may be managed by Terraform"
        ran = stage.run(line, code=code, says=says, changes="" if code else None)
        if "adopt" in line:
            assert ("--ignore-maker" in ran.err) == bool(code)
        if line == f"{ADOPT} --ignore-maker":
            assert ran.item["adoption"]["roleMadeBy"] == "unknown"
            assert ran.item["adoption"]["roleMayBeManagedBy"] == "Terraform"
            refused(stage, DELETE, IRSA_IGNORE_MAKER="true")
    assert role not in stage.aws_world()["roles"]
    managed(stage, f"{namespace}.default.sa.demo.example.com", "kops")
    managed(stage, f"{namespace}-t", "terraform", description="Managed by Terraform")
    managed(stage, f"{namespace}-p", "pulumi", path="/pulumi/")
    for name, maker in (("kops", "kOps"), ("terraform", "Terraform"), ("pulumi", "Pulumi")):
        refused(stage, ADOPT.replace("app", name), f"may be managed by {maker}")


WRITERS = {
    "Helm": {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "app"},
    },
    "Argo CD": {"annotations": {"argocd.argoproj.io/tracking-id": "app:/ServiceAccount:x/app"}},
    "Flux": {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
    "Pulumi": {"annotations": {"pulumi.com/autonamed": "true"}},
    "Crossplane": {"labels": {"crossplane.io/composite": "x"}},
}


def test_who_writes_the_service_account_again_is_said(stage: Stage, namespace: str) -> None:
    for maker, metadata in WRITERS.items():
        name = maker.lower().replace(" ", "-")
        account(name, make_role(stage, f"{namespace}-{name}", own(stage, name=name)), **metadata)(stage)
        says = (f'"serviceAccountMadeBy": "{maker}"', f"managed by {maker}", "may overwrite")
        stage.run(ADOPT.replace("app", name), says=says)


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


def test_what_cant_be_known_is_taken_over_and_said(stage: Stage) -> None:
    bound(stage, own(stage), guard(stage))
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


@pytest.mark.parametrize(
    ("mode", "role_only", "given", "changes"),
    [
        ("", "true", (), [ATTACHED]),
        (" --atomic", "true", (account(),), [ATTACHED]),
        (" --atomic", "false", (), [ATTACHED, ANNOTATED, MADE]),
        ("", "false", (account(),), [ATTACHED, ANNOTATED]),
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


def test_a_role_that_is_named_is_refused_like_any_other(stage: Stage, namespace: str) -> None:
    stage.run("adopt --all --role-name x", code=2)
    refused(stage, BY_NAME)
    make_role(stage, f"{namespace}-r", own(stage), tags={"irsa/service-account": "a/b"})
    refused(stage, BY_NAME)
    make_role(stage, f"{namespace}-2", own(stage, EXTERNAL))
    refused(stage, BY_NAME.replace("$ns-r", "$ns-2"))


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
