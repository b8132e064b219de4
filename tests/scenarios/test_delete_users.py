"""`irsa delete-sa` and users of the role: by EKS Pod Identity, or by its name in a pod template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import write_trust
from tests.scenarios.test_migrate import NAME, associations, create, pod, trust, world
from tests.scenarios.test_migrate_templates import THE_ROLE, template
from tests.support.acts import EKSCTL, after, put, refused, role
from tests.support.documents import doc
from tests.support.eks_states import add_addon
from tests.support.rows import Row, rows
from tests.support.stage import Json, Stage

DELETE = f"delete-sa {NAME} -n $ns --yes"
CREATE = f"create-sa {NAME} -n $ns --pod-identity"
IN_USE = "is in use by 1 pod"
PODS = """{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"]}"""


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path, unique: str) -> Stage:
    """A cluster with the agent, and a ServiceAccount of somebody else's."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def with_pod(stage: Stage) -> None:
    pod(stage, stage.words["ns"])


OTHERS = f"{CREATE} --attach-role-arn arn:aws:iam::$account:role/$ns-r"


@rows(
    # The pod has no variable with the role.
    Row(
        "a role", DELETE, 4, (IN_USE, "pod app-1"), given=after(f"{CREATE} --attach-policy-arn $S3", with_pod)
    ),
    # No statement of it goes: pods lose it with the association.
    Row("a role of others", DELETE, 4, IN_USE, given=after(role(doc(PODS)), OTHERS, with_pod)),
)
def test_a_pod_with_pod_identity_uses_the_role(row: Row, stage: Stage, namespace: str) -> None:
    """Its ServiceAccount is somebody else's, and stays."""
    stage.make_account(namespace, NAME)
    row.play(stage)
    stage.run(f"{DELETE} --force")
    assert not associations(stage)


@pytest.mark.parametrize("kind", ["pod", "CronJob"])
def test_a_pod_of_another_service_account_that_names_the_role(
    stage: Stage, namespace: str, kind: str
) -> None:
    """With a token of its own: the role trusts that ServiceAccount, too."""
    create(stage, namespace)
    stage.make_account(namespace, "other")
    arn = stage.role_of(namespace, NAME)["arn"]
    (own,) = trust(stage, namespace)
    others = json.loads(json.dumps(own).replace(f":{namespace}:{NAME}", f":{namespace}:other"))
    write_trust(stage, arn.rpartition("/")[2], own, others)
    container: Json = {"name": "main", "image": "app:1", "env": [{**THE_ROLE, "value": arn}]}
    if kind == "pod":
        pod(stage, namespace, serviceAccountName="other", containers=[container])
    else:
        template(stage, namespace, {}, kind, serviceAccountName="other", containers=[container])
    said = "pod app-1" if kind == "pod" else "CronJob/web creates pods with it"
    refused(stage, DELETE, said)
    stage.run(f"{DELETE} --force")


def written(stage: Stage, name: str = NAME) -> None:
    entry = f"{{namespace: $ns, serviceAccountName: {name}, permissionPolicyARNs: [$S3]}}"
    put(stage, "f.yaml", f"{EKSCTL}iam: {{podIdentityAssociations: [{entry}]}}")


def test_files_and_prune_ask_the_same(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, NAME)
    written(stage)
    stage.run("apply -f f.yaml")
    pod(stage, namespace)
    before = world(stage)
    refused(stage, "delete -f f.yaml --yes", IN_USE)
    written(stage, "next")
    stage.run("apply -f f.yaml --prune --yes", code=1, says=IN_USE)
    after = world(stage)
    assert before["roles"].items() <= after["roles"].items()
    assert before["associations"].items() <= after["associations"].items()
    written(stage)
    stage.run("delete -f f.yaml --yes --force")
