"""Associations of EKS Pod Identity as somebody else makes them, and what they are about."""

from typing import Any

from tests.support.sandbox_clients import administrator, trust
from tests.support.stage import ACCOUNT, READ_ONLY, Stage

AGENT = "eks-pod-identity-agent"
SERVICE = "pods.eks.amazonaws.com"
ACTIONS = ["sts:AssumeRole", "sts:TagSession"]


def eks(stage: Stage) -> Any:
    """EKS of the stage's account, as its administrator."""
    return administrator(stage.sandbox, "eks", stage.account_id, stage.region)


def make_role(stage: Stage, name: str, service: str = SERVICE, **changes: Any) -> str:
    """A role that trusts EKS Pod Identity, or another service; its ARN."""
    document = trust({"Service": service}, **{"action": ACTIONS, **changes})
    stage.iam().create_role(RoleName=name, AssumeRolePolicyDocument=document)
    stage.iam().attach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def associate(stage: Stage, namespace: str, name: str, role: str, **more: Any) -> str:
    """An association; its id."""
    place = {"clusterName": stage.cluster, "namespace": namespace, "serviceAccount": name}
    made = eks(stage).create_pod_identity_association(**place, roleArn=role, **more)
    return str(made["association"]["associationId"])


def association(stage: Stage, namespace: str, name: str) -> str:
    """The id of the association of a ServiceAccount."""
    place = {"clusterName": stage.cluster, "namespace": namespace, "serviceAccount": name}
    (listed,) = eks(stage).list_pod_identity_associations(**place)["associations"]
    return str(listed["associationId"])


def dissociate(stage: Stage, namespace: str, name: str) -> None:
    """Delete an association."""
    number = association(stage, namespace, name)
    eks(stage).delete_pod_identity_association(clusterName=stage.cluster, associationId=number)
