"""`irsa migrate`: there and back between IRSA and EKS Pod Identity; everything else stays as it was."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon, note_exchange
from tests.support.sandbox_clients import administrator
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

NAME = "app"
PODS = "pods.eks.amazonaws.com"
THEIRS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
GITHUB = {
    "Effect": "Allow",
    "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:org/app:*"}},
}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with the agent; the sandbox's API is enough: associations are EKS' business."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def eks(stage: Stage) -> Any:
    return administrator(stage.sandbox, "eks", stage.account_id, stage.region)


def associations(stage: Stage) -> dict[str, Json]:
    """All associations, without what EKS chooses anew for each."""
    client, found = eks(stage), {}
    pages = client.get_paginator("list_pod_identity_associations").paginate(clusterName=stage.cluster)
    for item in (item for page in pages for item in page["associations"]):
        number = item["associationId"]
        answer = client.describe_pod_identity_association(clusterName=stage.cluster, associationId=number)
        whole = answer["association"]
        kept = ("roleArn", "targetRoleArn", "policy", "disableSessionTags", "tags")
        tags = {key: text for key, text in whole["tags"].items() if key != "irsa/transaction"}
        found[f"{item['namespace']}/{item['serviceAccount']}"] = {
            **{key: whole[key] for key in kept if key in whole},
            "tags": tags,
        }
    return found


def world(stage: Stage) -> Json:
    found = copy.deepcopy(stage.world())
    return {**found, "associations": associations(stage)}


def migrate(stage: Stage, to: str, *arguments: str, **how: Any) -> Ran:
    return stage.irsa("migrate", "--to", to, *arguments, "-c", stage.cluster, **how)


def create(stage: Stage, namespace: str, name: str = NAME, *more: str) -> None:
    policy = ("--associate-oidc", "--attach-policy-arn", READ_ONLY)
    ran = stage.irsa("create-sa", name, "-n", namespace, "-c", stage.cluster, *policy, *more)
    assert ran.code == 0, ran.err


def trust(stage: Stage, namespace: str, name: str = NAME) -> list[Json]:
    found: list[Json] = stage.role_of(namespace, name)["trust"]["Statement"]
    return found


def test_there_and_back_is_the_identity(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    added = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert added.code == 0, added.err
    both = world(stage)
    (given,) = both["associations"].values()
    assert given["roleArn"] == stage.role_of(namespace, NAME)["arn"]
    assert [item["Principal"].get("Service") for item in trust(stage, namespace)] == [None, PODS]
    assert both["kubernetes"] == before["kubernetes"]
    finished = migrate(stage, "pod-identity", NAME, "-n", namespace, "--finish")
    assert finished.code == 0, finished.err
    alone = world(stage)
    account = alone["kubernetes"]["serviceaccounts"][f"{namespace}/{NAME}"]
    assert not [key for key in account["annotations"] if "role-arn" in key]
    assert migrate(stage, "irsa", NAME, "-n", namespace).code == 0
    back = migrate(stage, "irsa", NAME, "-n", namespace, "--finish")
    assert back.code == 0, back.err
    assert world(stage) == before


_WRITES = {
    "pod-identity": [("iam", "UpdateAssumeRolePolicy"), ("eks", "CreatePodIdentityAssociation")],
    "pod-identity --finish": [
        ("iam", "TagRole"),
        ("kubernetes", "PATCH serviceaccounts"),
        ("iam", "UpdateAssumeRolePolicy"),
    ],
    "irsa": [("iam", "UpdateAssumeRolePolicy"), ("kubernetes", "PATCH serviceaccounts")],
    "irsa --finish": [
        ("eks", "DeletePodIdentityAssociation"),
        ("iam", "UpdateAssumeRolePolicy"),
        ("iam", "UntagRole"),
    ],
}
_ORDER = list(_WRITES)


def _step(stage: Stage, namespace: str, step: str, **how: Any) -> Ran:
    return migrate(stage, *step.split(" ")[:1], NAME, "-n", namespace, *step.split(" ")[1:], **how)


@pytest.mark.parametrize("kind", ["error", "callback"])
@pytest.mark.parametrize(
    ("step", "call"), [(step, call) for step, calls in _WRITES.items() for call in calls]
)
def test_a_run_killed_at_a_call_is_continued_or_taken_back(
    stage: Stage, namespace: str, step: str, call: tuple[str, str], kind: Any
) -> None:
    """Killed before or after the call is executed; then another machine, without the journal, goes on."""
    create(stage, namespace)
    before = world(stage)
    for earlier in _ORDER[: _ORDER.index(step)]:
        assert _step(stage, namespace, earlier).code == 0
    stage.sandbox.faults.add(Fault(*call, kind, run=stage.kill))
    assert _step(stage, namespace, step).code == -9
    stage.sandbox.settle()
    elsewhere = {"IRSA_STATE_DIR": "other"}
    back = step.startswith("pod-identity") and kind == "error"
    steps = _ORDER[2:] if back else _ORDER[_ORDER.index(step) :]
    for following in steps:
        ran = _step(stage, namespace, following, **elsewhere)
        assert ran.code == 0, (following, ran.err)
    assert world(stage) == before


MAKERS = ("irsa", "hand", "eksctl", "terraform")


def make(stage: Stage, namespace: str, number: int) -> str:
    """One of many bindings, each with something of others on it; returns its name."""
    name, maker = f"app-{number}", MAKERS[number % len(MAKERS)]
    if maker == "irsa":
        create(stage, namespace, name)
        stage.annotate(namespace, name, note="theirs")
        return name
    found = eks(stage).describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"]["issuer"]
    prefix = found.removeprefix("https://")
    provider = f"arn:aws:iam::{stage.account_id}:oidc-provider/{prefix}"
    subject = f"system:serviceaccount:{namespace}:{name}"
    keys = {f"{prefix}:sub": subject, f"{prefix}:aud": "sts.amazonaws.com"}
    own = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithWebIdentity"] if maker == "eksctl" else "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": keys},
    }
    elsewhere = json.loads(json.dumps(own).replace(prefix, "oidc.eks.eu-west-1.amazonaws.com/id/OTHER"))
    statements = [[own], [own, THEIRS], [GITHUB, own], [elsewhere, own]][number // 4 % 4]
    tags = {
        "hand": {},
        "eksctl": {"alpha.eksctl.io/iamserviceaccount-name": f"{namespace}/{name}"},
        "terraform": {"Terraform": "true"},
    }[maker]
    role = stage.iam().create_role(
        RoleName=f"{namespace}-{name}",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        Tags=[{"Key": key, "Value": text} for key, text in tags.items()],
    )["Role"]
    labels = {"app.kubernetes.io/managed-by": {"hand": "Helm"}.get(maker, maker)}
    notes = {
        ROLE_ARN: role["Arn"],
        "eks.amazonaws.com/token-expiration": "3600",
        "meta.helm.sh/release-name": "x",
    }
    stage.make_account(namespace, name, labels=labels, annotations=notes, secrets=("registry",))
    return name


def normal(found: Json) -> Json:
    """A world in which the order and the form of statements do not count."""
    result = copy.deepcopy(found)
    for role in result["roles"].values():
        statements = role["trust"]["Statement"]
        for item in statements:
            item["Action"] = item["Action"] if isinstance(item["Action"], list) else [item["Action"]]
        role["trust"]["Statement"] = sorted(json.dumps(item, sort_keys=True) for item in statements)
    return result


def foreign_statements(found: Json) -> dict[str, list[Json]]:
    """The statements that are not this cluster's, by role, to the byte and in their order."""
    return {
        name: [
            item
            for item in role["trust"]["Statement"]
            if "OTHER" in json.dumps(item) or item in (THEIRS, GITHUB)
        ]
        for name, role in found["roles"].items()
    }


@pytest.mark.parametrize(("more", "count"), [((), 12), (("--include-managed",), 40)], ids=["own", "all"])
def test_bindings_of_four_makers_go_there_and_back(
    stage: Stage, namespace: str, more: tuple[str, ...], count: int
) -> None:
    made = [make(stage, namespace, number) for number in range(count)]
    # Terraform would remove irsa's statement again: such a role is changed by request only.
    held = [] if more else [name for number, name in enumerate(made) if number % 4 == 3]
    names = [name for name in made if name not in held]
    before = world(stage)
    added = migrate(stage, "pod-identity", "-n", namespace, *more)
    assert added.code == (1 if held else 0), added.err
    assert added.err.count("is managed by Terraform") == (count // 4)
    both = world(stage)
    assert set(both["associations"]) == {f"{namespace}/{name}" for name in names}
    assert both["kubernetes"] == before["kubernetes"]
    assert migrate(stage, "pod-identity", *names, "-n", namespace, "--finish", *more).code == 0
    alone = world(stage)
    assert foreign_statements(alone) == foreign_statements(before)
    accounts = alone["kubernetes"]["serviceaccounts"]
    for name in names:
        account, was = (
            accounts[f"{namespace}/{name}"],
            before["kubernetes"]["serviceaccounts"][f"{namespace}/{name}"],
        )
        theirs = not was["annotations"].get("irsa/role-arn")
        assert (ROLE_ARN in account["annotations"]) == (theirs and not more)
        kept = {key: text for key, text in was["annotations"].items() if "role-arn" not in key}
        assert {key: text for key, text in account["annotations"].items() if "role-arn" not in key} == kept
        assert {**account, "annotations": {}} == {**was, "annotations": {}}
    assert migrate(stage, "irsa", *names, "-n", namespace, *more).code == 0
    back = migrate(stage, "irsa", *names, "-n", namespace, "--finish")
    assert back.code == 0, back.err
    assert normal(world(stage)) == normal(before)
    if not more:  # What others wrote was never touched.
        assert foreign_statements(world(stage)) == foreign_statements(before)


def test_what_others_wrote_stays_and_is_named(stage: Stage, namespace: str) -> None:
    create(stage, namespace, "first")
    name = make(stage, namespace, 1)
    assert migrate(stage, "pod-identity", name, "-n", namespace).code == 0
    before = world(stage)
    ran = migrate(stage, "pod-identity", name, "-n", namespace, "--finish")
    assert ran.code == 0, ran.err
    assert world(stage) == before
    assert "irsa did not write them (--include-managed)" in ran.err


def refused(stage: Stage, namespace: str, to: str, *more: str) -> str:
    before = world(stage)
    ran = migrate(stage, to, NAME, "-n", namespace, *more)
    assert ran.code == 4, ran.err
    assert world(stage) == before
    return ran.err


def test_an_association_with_another_role_is_refused(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    document = {"Version": "2012-10-17", "Statement": [{**THEIRS, "Principal": {"Service": PODS}}]}
    role = stage.iam().create_role(
        RoleName=f"{namespace}-other", AssumeRolePolicyDocument=json.dumps(document)
    )["Role"]["Arn"]
    eks(stage).create_pod_identity_association(
        clusterName=stage.cluster, namespace=namespace, serviceAccount=NAME, roleArn=role
    )
    said = refused(stage, namespace, "pod-identity")
    assert "irsa describe-sa" in said
    assert "delete" not in said
    refused(stage, namespace, "irsa")


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"policy": json.dumps({"Version": "2012-10-17", "Statement": []})}, "session policy")],
)
def test_an_association_that_limits_is_not_replaced_by_irsa(
    stage: Stage, namespace: str, setting: Json, said: str
) -> None:
    create(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    client = eks(stage)
    (item,) = client.list_pod_identity_associations(clusterName=stage.cluster)["associations"]
    client.update_pod_identity_association(
        clusterName=stage.cluster, associationId=item["associationId"], disableSessionTags=True, **setting
    )
    assert said in refused(stage, namespace, "irsa")


def provider_of(stage: Stage) -> str:
    found = eks(stage).describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"]["issuer"]
    return f"arn:aws:iam::{stage.account_id}:oidc-provider/{found.removeprefix('https://')}"


def by_hand(
    stage: Stage, namespace: str, *more: Json, conditions: Json | None = None, **association: Any
) -> str:
    """A role that trusts the ServiceAccount's tokens and `more`, and has its annotation; its ARN."""
    assert stage.associate().code in (0, 1)
    provider = provider_of(stage)
    prefix = provider.partition("/")[2]
    keys = {
        f"{prefix}:sub": f"system:serviceaccount:{namespace}:{NAME}",
        f"{prefix}:aud": "sts.amazonaws.com",
    }
    own = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": keys, **(conditions or {})},
    }
    role: str = stage.iam().create_role(
        RoleName=f"{namespace}-hand",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [own, *more]}),
    )["Role"]["Arn"]
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: role})
    if association:
        eks(stage).create_pod_identity_association(
            clusterName=stage.cluster, namespace=namespace, serviceAccount=NAME, roleArn=role, **association
        )
    return role


SERVICE = {"Effect": "Allow", "Principal": {"Service": PODS}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
ELSEWHERE = {"Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "other"}}}


@pytest.mark.parametrize("theirs", [{**SERVICE, **ELSEWHERE}, {**SERVICE, "Action": "sts:AssumeRole"}])
def test_a_role_that_trusts_pod_identity_but_not_this_one_is_not_finished(
    stage: Stage, namespace: str, theirs: Json
) -> None:
    """Of another namespace, or without sts:TagSession: pods would have lost the role with the annotation."""
    by_hand(stage, namespace, theirs, tags={"team": "a"})
    said = refused(stage, namespace, "pod-identity", "--finish", "--include-managed")
    assert "does not get its role by Pod Identity yet" in said
    shown = migrate(stage, "pod-identity", NAME, "-n", namespace, "--status", "-o", "json")
    assert shown.item["migration"]["ways"] == ["irsa"]
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    done = migrate(stage, "pod-identity", NAME, "-n", namespace, "--finish", "--include-managed")
    assert done.code == 0, done.err


def test_a_statement_of_others_that_is_enough_is_not_doubled(stage: Stage, namespace: str) -> None:
    """Terraform's bare one; and of an association without session tags, one without sts:TagSession."""
    by_hand(stage, namespace, {**SERVICE, "Action": "sts:AssumeRole"}, disableSessionTags=True)
    before = world(stage)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert ran.code == 0, ran.err
    assert world(stage) == before


def test_a_deny_that_no_statement_overcomes_is_refused(stage: Stage, namespace: str) -> None:
    by_hand(stage, namespace, {**SERVICE, "Effect": "Deny", "Action": "sts:AssumeRole"})
    said = refused(stage, namespace, "pod-identity")
    assert "does not allow Pod Identity, also with irsa's statement" in said
    assert "a Deny statement applies" in said


def test_a_condition_of_others_is_not_bypassed_on_the_way_back(stage: Stage, namespace: str) -> None:
    network = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    role = by_hand(stage, namespace, SERVICE, conditions=network, tags={"irsa/annotated-by": "others"})
    before = world(stage)
    for step in ("pod-identity --finish --include-managed", "irsa"):
        ran = _step(stage, namespace, step)
        assert ran.code == 0, ran.err
    assert "irsa can't tell whether the trust policy allows IRSA" in ran.err
    assert world(stage) == before
    assert before["associations"][f"{namespace}/{NAME}"]["roleArn"] == role


def test_irsa_without_a_provider_is_not_the_way_back(stage: Stage, namespace: str) -> None:
    """Whoever has deleted it: the association is the only way that works."""
    create(stage, namespace)
    for step in ("pod-identity", "pod-identity --finish", "irsa"):
        assert _step(stage, namespace, step).code == 0
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=provider_of(stage))
    said = refused(stage, namespace, "irsa", "--finish")
    assert "no IAM OIDC provider exists" in said
    assert "--associate-oidc" not in said  # It has no such option.


def test_a_role_of_another_account_is_refused_with_a_command_that_works(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: "arn:aws:iam::444455556666:role/x"})
    said = refused(stage, namespace, "pod-identity")
    assert "is not in the cluster's account" in said
    (step,) = re.findall(r"irsa (create-sa .*)", said)
    ran = stage.irsa(*step.split())
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("also", [False, True])
def test_a_trust_policy_without_room_is_refused_before(stage: Stage, namespace: str, also: bool) -> None:
    many = [{**THEIRS, "Sid": f"{'x' * 90}{number}"} for number in range(8)]
    create(stage, namespace)
    name = stage.role_of(namespace, NAME)["arn"].rpartition("/")[2]
    document = {"Version": "2012-10-17", "Statement": [*trust(stage, namespace), *many]}
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    before = world(stage)
    if also:
        ran = stage.irsa("update-sa", NAME, "-n", namespace, "-c", stage.cluster, "--also", "pod-identity")
    else:
        ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert (ran.code, world(stage)) == (4, before)
    assert "would be too large" in ran.err


def test_create_sa_over_irsa_names_the_command_that_moves(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    words = ("--pod-identity", "--attach-policy-arn", READ_ONLY)
    ran = stage.irsa("create-sa", NAME, "-n", namespace, "-c", stage.cluster, *words)
    assert ran.code == 4, ran.err
    (step,) = re.findall(r"irsa (migrate [^#]*)  #", ran.err)
    assert stage.irsa(*step.split()).code == 0


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ("arn:aws:iam::111122223333:role/x ", "is not the ARN of a role"),
        (None, "has no annotation eks.amazonaws.com/role-arn\n    irsa created the role"),
    ],
)
def test_a_role_that_the_annotation_does_not_name(
    stage: Stage, namespace: str, annotation: str | None, said: str
) -> None:
    create(stage, namespace)
    body = {"metadata": {"annotations": {ROLE_ARN: annotation}}}
    assert stage.kube.patch(f"/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}", body).status == 200
    assert said in refused(stage, namespace, "pod-identity")


def test_an_association_whose_role_is_gone(stage: Stage, namespace: str) -> None:
    words = ("--pod-identity", "--create-service-account", "--attach-policy-arn", READ_ONLY)
    assert stage.irsa("create-sa", NAME, "-n", namespace, "-c", stage.cluster, *words).code == 0
    name = next(iter(associations(stage).values()))["roleArn"].rpartition("/")[2]
    stage.iam().detach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    stage.iam().delete_role(RoleName=name)
    said = refused(stage, namespace, "irsa")
    assert f"the association of {namespace}/{NAME} refers to it" in said
    (step,) = re.findall(r"irsa (create-sa .*) ARN", said)
    assert stage.irsa(*step.split(), READ_ONLY).code == 0


def test_a_name_that_is_given_twice_is_moved_once(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    ran = migrate(stage, "pod-identity", NAME, NAME, "-n", namespace, "-o", "json")
    assert ran.item["outcome"] == "committed"


def test_a_policy_that_compares_session_tags_is_refused(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    assert migrate(stage, "pod-identity", NAME, "-n", namespace, "--finish").code == 0
    tag = {"StringEquals": {"aws:PrincipalTag/kubernetes-namespace": namespace}}
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": tag}
    (role,) = [name for name in world(stage)["roles"] if namespace in name]
    stage.iam().put_role_policy(
        RoleName=role,
        PolicyName="tags",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    assert "only EKS Pod Identity sets them" in refused(stage, namespace, "irsa")


def test_what_may_differ_is_told_before(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    role = stage.role_of(namespace, NAME)["arn"].rsplit("/", 1)[-1]
    condition = {"StringLike": {"aws:userid": "*:botocore-session-*"}}
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}
    stage.iam().put_role_policy(
        RoleName=role,
        PolicyName="sessions",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    pod(stage, namespace, volumes=[{"name": "s", "csi": {"driver": "secrets-store.csi.k8s.io"}}])
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--dry-run")
    assert ran.code == 0, ran.err
    assert "sessions compares the session's name (aws:userid)" in ran.err
    assert "secrets-store.csi.k8s.io: set usePodIdentity" in ran.err


def test_one_that_is_refused_stops_no_other(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    stage.make_account(namespace, "away", annotations={ROLE_ARN: "arn:aws:iam::999900001111:role/x"})
    ran = migrate(stage, "pod-identity", "-n", namespace, "-o", "json")
    assert ran.code == 1, ran.err
    assert [item["outcome"] for item in ran.items] == ["committed", "refused"]
    assert set(associations(stage)) == {f"{namespace}/{NAME}"}


def test_without_the_new_way_the_old_one_stays(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    said = refused(stage, namespace, "pod-identity", "--finish")
    assert f"irsa migrate --to pod-identity {NAME} -n {namespace}" in said


@pytest.mark.parametrize(
    ("kind", "spec", "why"),
    [
        ("Deployment", {"paused": True}, "paused"),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
        ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"partition": 1}}}, "with a partition"),
    ],
)
def test_workloads_that_keep_their_pods_are_named_and_not_waited_for(
    stage: Stage, namespace: str, kind: str, spec: Json, why: str
) -> None:
    create(stage, namespace)
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"serviceAccountName": NAME}}
    body = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}}
    url = f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s"
    assert stage.kube.create(url, {**body, "spec": {"template": template, **spec}}).status == 201
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "1", "controller": True}
    pod(stage, namespace, "x-0", owner)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--restart")
    assert ran.code == 1, ran.err
    assert f"not restarted: {kind} x ({why})" in ran.err


def pod(stage: Stage, namespace: str, name: str = "app-1", owner: Json | None = None, **spec: Any) -> Json:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            **({"ownerReferences": [owner], "labels": {"app": "x"}} if owner else {}),
        },
        "spec": {"serviceAccountName": NAME, "containers": [{"name": "main", "image": "app:1"}], **spec},
    }
    answer = stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body)
    assert answer.status == 201, answer.text
    return answer.body


@contextmanager
def controller(stage: Stage, namespace: str, *names: str, bare: bool = False) -> Iterator[Callable[[], int]]:
    """StatefulSets with a pod each, which is replaced when its template changes; returns the count of those.

    `bare`: new pods opt out of the webhook.
    """
    url = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    seen: dict[str, Any] = {}
    replaced: list[str] = []
    owners: dict[str, Json] = {}
    for name in names:
        template = {"metadata": {"labels": {"app": name}}, "spec": {"serviceAccountName": NAME}}
        body = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": name},
            "spec": {"template": template},
        }
        uid = stage.kube.create(url, body).body["metadata"]["uid"]
        owners[name] = {
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": uid, "controller": True,
        }  # fmt: skip
        pod(stage, namespace, f"{name}-0", owners[name])
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.1):
            for name in names:
                spec = stage.kube.get(f"{url}/{name}").body["spec"]
                now = spec["template"]["metadata"].get("annotations")
                if seen.setdefault(name, None) != now:
                    seen[name] = now
                    stage.kube.delete(f"/api/v1/namespaces/{namespace}/pods/{name}-0")
                    empty = [{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": ""}]
                    container = {"name": "main", "image": "app:1", "env": empty if bare else []}
                    pod(stage, namespace, f"{name}-0", owners[name], containers=[container])
                    replaced.append(name)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: len(replaced)
    finally:
        over.set()
        thread.join()


def test_pods_are_restarted_one_workload_at_a_time(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    with controller(stage, namespace, "one", "two") as count:
        assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
        said = refused(stage, namespace, "pod-identity", "--finish")
        assert "2 running pods" in said
        assert "one-0" in said
        assert count() == 0
        ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--restart", "-o", "json")
        assert ran.code == 0, ran.err
        assert count() == 2
        shown = migrate(stage, "pod-identity", NAME, "-n", namespace, "--status", "-o", "json")
        assert shown.item["migration"]["pods"] == {"irsa": [], "pod-identity": ["one-0", "two-0"]}
        finish = ("--finish", "--unused-for", "0s")  # CloudTrail shows only later what others do.
        assert migrate(stage, "pod-identity", NAME, "-n", namespace, *finish).code == 0
        assert migrate(stage, "irsa", NAME, "-n", namespace).code == 0
        refused(stage, namespace, "irsa", "--finish")
        back = migrate(stage, "irsa", NAME, "-n", namespace, "--finish", "--restart")
        assert back.code == 0, back.err
        assert count() == 4
        shown = migrate(stage, "irsa", NAME, "-n", namespace, "--status", "-o", "json")
        assert shown.item["migration"]["pods"] == {"irsa": ["one-0", "two-0"], "pod-identity": []}
    assert world(stage) == before


def test_a_new_pod_without_the_identity_stops_the_restarts(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    with controller(stage, namespace, "one", "two", bare=True) as count:
        ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--restart")
        assert ran.code == 1, ran.err
        assert "pod one-0 of StatefulSet one did not get Pod Identity" in ran.err
        assert count() == 1


def test_pods_that_nothing_recreates_are_named(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    pod(stage, namespace)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--restart")
    assert ran.code == 1, ran.err
    assert "not restarted: Pod app-1" in ran.err
    assert "Nothing was rolled back (exit 1)." in ran.err
    assert "--finish" not in ran.out + ran.err  # The old way is still used.


def test_status_writes_nothing_at_any_time(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    pod(stage, namespace)
    for step in ("pod-identity", "irsa", "irsa --finish"):
        before = world(stage)
        stage.sandbox.calls.clear()
        ran = migrate(stage, "pod-identity", "-n", namespace, "--status")
        assert ran.code == 0, ran.err
        assert f"{namespace}/{NAME}" in ran.out
        assert "1 by IRSA" in ran.out
        assert world(stage) == before
        assert not stage.leases()
        _step(stage, namespace, step)


@pytest.mark.parametrize("names", [(), (NAME, "broken")], ids=["all", "named"])
def test_a_broken_annotation_is_told_for_its_own_one(
    stage: Stage, namespace: str, names: tuple[str, ...]
) -> None:
    """The others have their answers, and exit code 0: what there is of it was read."""
    create(stage, namespace)
    stage.make_account(namespace, "broken", annotations={ROLE_ARN: "arn:aws:iam::111122223333:user/x"})
    ran = migrate(stage, "pod-identity", *names, "-n", namespace, "--status")
    assert ran.code == 0, ran.err
    assert re.search(rf"{namespace}/{NAME} +IRSA  +none", ran.out), ran.out
    assert re.search(rf"{namespace}/broken +not known +none", ran.out), ran.out
    assert f"the annotation {ROLE_ARN} of {namespace}/broken is not valid" in ran.err
    shown = migrate(stage, "pod-identity", *names, "-n", namespace, "--status", "-o", "json")
    problems = {item["serviceAccount"]["name"]: item["migration"].get("problem") for item in shown.items}
    assert problems[NAME] is None
    assert "is not valid" in str(problems["broken"])


def test_a_name_that_does_not_exist_is_refused_by_status_too(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "nobody", "-n", namespace, "--status").code == 4


def test_a_note_that_several_have_is_told_once_with_their_number(stage: Stage, namespace: str) -> None:
    names = [f"app-{number}" for number in range(4)]
    for name in names:
        create(stage, namespace, name)
    told = migrate(stage, "pod-identity", "-n", namespace, "--status").err
    assert told.count("last use of IRSA") == 1
    assert "Note: for all 4 ServiceAccounts: last use of IRSA" in told
    ran = migrate(stage, "pod-identity", "-n", namespace)
    (line,) = re.findall(r"for all 4 ServiceAccounts: to remove IRSA: irsa (.*)", ran.err)
    assert ran.err.count("to remove IRSA") == 1
    done = stage.irsa(*line.split())
    assert done.code == 0, done.err
    each = migrate(stage, "irsa", "-n", namespace, "--status", "-o", "json").items
    assert all(len(item["notes"]) == 1 for item in each)


def test_the_last_use_of_irsa_is_told(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    arn = stage.role_of(namespace, NAME)["arn"]
    subject = f"system:serviceaccount:{namespace}:{NAME}"
    note_exchange(stage.sandbox, stage.cluster, subject, arn, "AccessDenied")
    told = migrate(stage, "pod-identity", NAME, "-n", namespace, "--status").err
    assert "(some minutes late): none in the newest 50 events" in told
    note_exchange(stage.sandbox, stage.cluster, subject, arn, "")
    told = migrate(stage, "pod-identity", NAME, "-n", namespace, "--status").err
    assert re.search(r"\(some minutes late\): \d{4}-\d\d-\d\dT", told), told


def test_a_dry_run_shows_the_plan_and_changes_nothing(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    ran = migrate(stage, "pod-identity", "-n", namespace, "--dry-run", "--detailed-exitcode")
    assert ran.code == 6, ran.err
    assert "+ PodIdentity  " in ran.out
    assert world(stage) == before


def test_a_saved_plan_is_carried_out(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    planned = migrate(stage, "pod-identity", NAME, "-n", namespace, "--dry-run", "--out", "plan.json")
    assert planned.code == 0, planned.err
    ran = stage.irsa("apply", "plan.json")
    assert ran.code == 0, ran.err
    assert set(associations(stage)) == {f"{namespace}/{NAME}"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "irsa", "--restart"),
        ("--to", "irsa", "--status", "--finish"),
        ("--to", "elsewhere"),
        (),
    ],
)
def test_what_makes_no_sense_is_told_before_any_call(stage: Stage, arguments: tuple[str, ...]) -> None:
    stage.sandbox.calls.clear()
    assert stage.irsa("migrate", NAME, "-c", stage.cluster, *arguments).code == 2
    assert not stage.sandbox.calls


def test_update_sa_adds_pod_identity_beside_and_nothing_else(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    command = ("update-sa", NAME, "-n", namespace, "-c", stage.cluster, "--also", "pod-identity")
    ran = stage.irsa(*command)
    assert ran.code == 0, ran.err
    after = world(stage)
    assert after["kubernetes"] == before["kubernetes"]
    assert set(after["associations"]) == {f"{namespace}/{NAME}"}
    statements = trust(stage, namespace)
    assert [item["Principal"].get("Service") for item in statements] == [None, PODS]
    assert stage.irsa(*command, "-o", "json").metadata["outcome"] == "unchanged"
    assert migrate(stage, "irsa", NAME, "-n", namespace, "--finish").code == 0
    assert world(stage) == before
