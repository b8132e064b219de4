"""Who gets a second way: whom the role's trust policy allows the first one, and nobody by an annotation."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate import (
    NAME,
    PODS,
    SERVICE,
    THEIRS,
    associations,
    by_hand,
    create,
    eks,
    migrate,
    provider_of,
    refused,
    trust,
    world,
)
from tests.support.eks_states import add_addon
from tests.support.stage import ROLE_ARN, Json, Stage

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """With the agent. The sandbox's API is enough: associations are EKS' business."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def role_without_it(stage: Stage, namespace: str, *statements: Json, policy: str = "") -> str:
    """A role that does not trust the ServiceAccount, which names it all the same; the role's ARN."""
    assert stage.associate().code in (0, 1)
    document = {"Version": "2012-10-17", "Statement": [*statements] or [THEIRS]}
    role: str = stage.iam().create_role(
        RoleName=f"{namespace}-hand", AssumeRolePolicyDocument=json.dumps(document)
    )["Role"]["Arn"]
    if policy:
        stage.iam().attach_role_policy(RoleName=f"{namespace}-hand", PolicyArn=policy)
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: role})
    return role


def associate(stage: Stage, namespace: str, role: str, **settings: object) -> None:
    eks(stage).create_pod_identity_association(
        clusterName=stage.cluster, namespace=namespace, serviceAccount=NAME, roleArn=role, **settings
    )


def follow(stage: Stage, said: str) -> str:
    """Run the proposed line, which has to name the role and the ServiceAccount; returns it."""
    (line,) = re.findall(r"irsa (create-sa .*)", said)
    ran = stage.irsa(*shlex.split(line))
    assert ran.code == 0, ran.err
    return str(line)


def statements(stage: Stage, namespace: str) -> list[Json]:
    role = stage.iam().get_role(RoleName=f"{namespace}-hand")["Role"]
    found: list[Json] = role["AssumeRolePolicyDocument"]["Statement"]
    return found


def set_trust(stage: Stage, role: str, *kept: Json) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [*kept]})
    stage.iam().update_assume_role_policy(RoleName=role.rpartition("/")[2], PolicyDocument=document)


@pytest.mark.parametrize("names", [(NAME,), ()], ids=["named", "all of the namespace"])
def test_an_annotation_gives_no_role(stage: Stage, namespace: str, names: tuple[str, ...]) -> None:
    """Whoever may annotate a ServiceAccount does not become administrator by it."""
    role = role_without_it(stage, namespace, policy=ADMINISTRATOR)
    before = world(stage)
    ran = migrate(stage, "pod-identity", *names, "-n", namespace)
    assert (ran.code, world(stage)) == (4, before), ran.err
    (line,) = re.findall(r"irsa (create-sa .*)", ran.err)
    assert line.startswith(f"create-sa {NAME} -n {namespace} ")
    assert line.endswith(f" --pod-identity --attach-role-arn {role} --update-trust")
    # Pasted, it gives nothing: create-sa says what the role is, and which flag that needs.
    pasted = stage.irsa(*shlex.split(line))
    assert (pasted.code, world(stage)) == (4, before), pasted.err
    assert "too powerful" in pasted.err
    assert stage.irsa(*shlex.split(line), "--allow-wide-trust").code == 0
    assert associations(stage)[f"{namespace}/{NAME}"]["roleArn"] == role
    assert [item["Principal"].get("Service") for item in statements(stage, namespace)][1:] == [PODS]
    assert migrate(stage, "pod-identity", *names, "-n", namespace).code == 0


def test_a_bare_statement_for_pod_identity_gives_no_role_to_whoever_is_annotated(
    stage: Stage, namespace: str
) -> None:
    role_without_it(stage, namespace, SERVICE)
    follow(stage, refused(stage, namespace, "pod-identity"))
    assert associations(stage)


@pytest.mark.parametrize("to", ["pod-identity", "irsa"])
def test_a_mark_of_irsa_is_no_consent(stage: Stage, namespace: str, to: str) -> None:
    """A statement that is gone may have been revoked by the role's owner."""
    create(stage, namespace)
    set_trust(stage, stage.role_of(namespace, NAME)["arn"], THEIRS)
    follow(stage, refused(stage, namespace, to))
    assert len(trust(stage, namespace)) == 2
    assert bool(associations(stage)) == (to == "pod-identity")


@pytest.mark.parametrize("also", [False, True])
def test_what_is_not_known_is_refused_with_its_condition(stage: Stage, namespace: str, also: bool) -> None:
    """The proposed line is refused as well, without --force: its statement has no such condition."""
    network = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    if also:
        create(stage, namespace)
        restricted = {**trust(stage, namespace)[0]}
        restricted["Condition"] = {**restricted["Condition"], **network}
        set_trust(stage, stage.role_of(namespace, NAME)["arn"], restricted)
        before = world(stage)
        ran = stage.irsa("update-sa", NAME, "-n", namespace, "-c", stage.cluster, "--also", "pod-identity")
        assert (ran.code, world(stage)) == (4, before)
        said = ran.err
    else:
        by_hand(stage, namespace, conditions=network)
        said = refused(stage, namespace, "pod-identity")
    assert "irsa can't tell whether" in said
    assert "aws:SourceIp" in said
    (line,) = re.findall(r"irsa (create-sa .*)", said)
    before = world(stage)
    assert stage.irsa(*shlex.split(line)).code == 4
    assert world(stage) == before
    assert stage.irsa(*shlex.split(line), "--force").code == 0
    assert associations(stage)


def test_neither_provider_nor_agent_counts_for_consent(stage: Stage, namespace: str) -> None:
    by_hand(stage, namespace)
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=provider_of(stage))
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert ran.code == 0, ran.err
    assert associations(stage)


def test_an_annotation_gives_no_irsa(stage: Stage, namespace: str) -> None:
    """Also where the role trusts Pod Identity: without an association nobody gave it to this one."""
    role = role_without_it(stage, namespace, SERVICE)
    line = follow(stage, refused(stage, namespace, "irsa"))
    assert line.endswith(f" --attach-role-arn {role} --update-trust")
    assert migrate(stage, "irsa", NAME, "-n", namespace).code == 0


def test_an_association_is_consent_as_long_as_the_trust_policy_says_yes(stage: Stage, namespace: str) -> None:
    role = role_without_it(stage, namespace, SERVICE)
    patch = {"metadata": {"annotations": {ROLE_ARN: None, "eks.amazonaws.com/audience": None}}}
    assert stage.kube.patch(f"/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}", patch).status == 200
    associate(stage, namespace, role)
    set_trust(stage, role, THEIRS)
    said = refused(stage, namespace, "irsa")
    assert "no statement allows it" in said
    set_trust(stage, role, SERVICE)
    ran = migrate(stage, "irsa", NAME, "-n", namespace)
    assert ran.code == 0, ran.err
    set_trust(stage, role, THEIRS)
    follow(stage, refused(stage, namespace, "irsa"))


def test_the_line_for_an_association_without_session_tags_works(stage: Stage, namespace: str) -> None:
    role = role_without_it(stage, namespace, SERVICE)
    associate(stage, namespace, role, disableSessionTags=True)
    set_trust(stage, role, THEIRS)
    assert "--disable-session-tags" in follow(stage, refused(stage, namespace, "pod-identity"))


@pytest.mark.parametrize("also", [False, True])
def test_a_powerful_role_gets_a_statement_only_if_that_is_allowed(
    stage: Stage, namespace: str, also: bool
) -> None:
    if also:
        create(stage, namespace, NAME, "--attach-policy-arn", ADMINISTRATOR)
        command = ("update-sa", NAME, "--also", "pod-identity")
    else:
        role = by_hand(stage, namespace)
        stage.iam().attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=ADMINISTRATOR)
        command = ("migrate", NAME, "--to", "pod-identity")
    before = world(stage)
    ran = stage.irsa(*command, "-n", namespace, "-c", stage.cluster)
    assert (ran.code, world(stage)) == (4, before), ran.err
    assert "too powerful" in ran.err
    ran = stage.irsa(*command, "-n", namespace, "-c", stage.cluster, "--allow-wide-trust")
    assert ran.code == 0, ran.err
    assert associations(stage)


def test_a_condition_is_bypassed_only_with_force(stage: Stage, namespace: str) -> None:
    """One that holds for each token of today: irsa's statement would be without it."""
    by_hand(stage, namespace, conditions={"Null": {"aws:SourceIdentity": "true"}})
    said = refused(stage, namespace, "pod-identity")
    assert "would bypass a condition" in said
    assert migrate(stage, "pod-identity", NAME, "-n", namespace, "--force").code == 0


def test_the_way_back_to_a_restricted_statement_can_be_forced(stage: Stage, namespace: str) -> None:
    """Without --force no statement is added, and the note says why."""
    role = by_hand(stage, namespace, SERVICE, conditions={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    associate(stage, namespace, role)
    ran = migrate(stage, "irsa", NAME, "-n", namespace)
    assert ran.code == 0, ran.err
    assert "irsa can't tell whether the trust policy allows IRSA" in ran.err
    assert len(statements(stage, namespace)) == 2
    assert migrate(stage, "irsa", NAME, "-n", namespace, "--force").code == 0
    assert len(statements(stage, namespace)) == 3


@pytest.mark.parametrize(
    ("tags", "maker"),
    [({"Terraform": "true"}, "Terraform"), ({"crossplane-name": "x"}, "Crossplane"),
     ({"services.k8s.aws/namespace": "x"}, "ACK")],
)  # fmt: skip
def test_a_role_that_its_tool_writes_back_is_changed_only_by_request(
    stage: Stage, namespace: str, tags: dict[str, str], maker: str
) -> None:
    role = by_hand(stage, namespace)
    given = [{"Key": key, "Value": text} for key, text in tags.items()]
    stage.iam().tag_role(RoleName=role.rpartition("/")[2], Tags=given)
    said = refused(stage, namespace, "pod-identity")
    assert f"is managed by {maker}" in said
    (line,) = re.findall(r"irsa (migrate .* --include-managed)", said)
    ran = stage.irsa(*shlex.split(line))
    assert ran.code == 0, ran.err
    assert f"is managed by {maker}" in ran.err
    assert associations(stage)


def test_a_statement_of_the_tool_itself_needs_no_request(stage: Stage, namespace: str) -> None:
    role = by_hand(stage, namespace, SERVICE)
    stage.iam().tag_role(RoleName=role.rpartition("/")[2], Tags=[{"Key": "Terraform", "Value": "true"}])
    before = statements(stage, namespace)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert ran.code == 0, ran.err
    assert statements(stage, namespace) == before


@pytest.mark.parametrize(
    "tag", ["alpha.eksctl.io/iamserviceaccount-name", "eksctl.cluster.k8s.io/v1alpha1/cluster-name"]
)
def test_of_a_role_in_a_stack_a_note_says_so(stage: Stage, namespace: str, tag: str) -> None:
    role = by_hand(stage, namespace)
    stage.iam().tag_role(RoleName=role.rpartition("/")[2], Tags=[{"Key": tag, "Value": "x"}])
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert ran.code == 0, ran.err
    assert "belongs to a stack of eksctl" in ran.err
