"""EKS Pod Identity associations, and that the pod webhook heeds them.

Judged by the EKS API reference: https://docs.aws.amazon.com/eks/latest/APIReference/
"""

import base64
import re
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.docs.staging import CLUSTER
from tests.support.eks import bearer
from tests.support.kubeclient import KubeClient
from tests.support.sandbox_clients import ACCOUNT, client, policy, refusal, trust

ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
CART: dict[str, Any] = {"clusterName": CLUSTER, "namespace": "shop", "serviceAccount": "cart"}


@pytest.fixture
def eks(sandbox: Sandbox) -> Any:
    trusted = trust({"Service": "pods.eks.amazonaws.com"}, action=["sts:AssumeRole", "sts:TagSession"])
    client(sandbox, "iam").create_role(RoleName="reader", AssumeRolePolicyDocument=trusted)
    return client(sandbox, "eks")


def test_create_and_describe(eks: Any) -> None:
    made = eks.create_pod_identity_association(**CART, roleArn=ROLE, tags={"a": "b"})["association"]
    number = made["associationId"]
    assert re.fullmatch("a-[a-z0-9]{17}", number)
    assert made["associationArn"] == (
        f"arn:aws:eks:eu-west-1:{ACCOUNT}:podidentityassociation/{CLUSTER}/{number}"
    )
    assert {**CART, "roleArn": ROLE, "tags": {"a": "b"}}.items() <= made.items()
    found = eks.describe_pod_identity_association(clusterName=CLUSTER, associationId=number)
    assert found["association"] == made


def test_list_has_no_roles_and_filters(eks: Any) -> None:
    for namespace, name in (("shop", "cart"), ("shop", "pay"), ("other", "cart")):
        place = {"clusterName": CLUSTER, "namespace": namespace, "serviceAccount": name}
        eks.create_pod_identity_association(**place, roleArn=ROLE)

    def listed(**query: str) -> set[tuple[str, str]]:
        found = eks.list_pod_identity_associations(clusterName=CLUSTER, **query)["associations"]
        assert all("roleArn" not in item for item in found)
        return {(item["namespace"], item["serviceAccount"]) for item in found}

    assert listed() == {("shop", "cart"), ("shop", "pay"), ("other", "cart")}
    assert listed(namespace="shop") == {("shop", "cart"), ("shop", "pay")}
    assert listed(namespace="shop", serviceAccount="cart") == {("shop", "cart")}
    assert listed(namespace="nowhere") == set()


def test_pages(eks: Any) -> None:
    for number in range(5):
        place = {"clusterName": CLUSTER, "namespace": "shop", "serviceAccount": f"cart-{number}"}
        eks.create_pod_identity_association(**place, roleArn=ROLE)
    paginator = eks.get_paginator("list_pod_identity_associations")
    pages = list(paginator.paginate(clusterName=CLUSTER, PaginationConfig={"PageSize": 2}))
    names = {item["serviceAccount"] for page in pages for item in page["associations"]}
    assert (len(pages), len(names)) == (3, 5)


def test_one_for_each_service_account(eks: Any) -> None:
    eks.create_pod_identity_association(**CART, roleArn=ROLE)
    again = refusal(lambda: eks.create_pod_identity_association(**CART, roleArn=ROLE))
    assert again == ("ResourceInUseException", 409)


def test_delete(eks: Any) -> None:
    made = eks.create_pod_identity_association(**CART, roleArn=ROLE)["association"]
    which = {"clusterName": CLUSTER, "associationId": made["associationId"]}
    assert eks.delete_pod_identity_association(**which)["association"] == made
    assert eks.list_pod_identity_associations(clusterName=CLUSTER)["associations"] == []
    for call in (eks.describe_pod_identity_association, eks.delete_pod_identity_association):
        assert refusal(lambda call=call: call(**which)) == ("ResourceNotFoundException", 404)  # type: ignore[misc]


def test_clusters_are_apart(sandbox: Sandbox, eks: Any) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    eks.create_pod_identity_association(**CART, roleArn=ROLE)
    assert eks.list_pod_identity_associations(clusterName="second")["associations"] == []
    missing = refusal(lambda: eks.list_pod_identity_associations(clusterName="third"))
    assert missing == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize("role", ["reader", "arn:aws:iam::222233334444:role/reader"])
def test_role_of_the_account(eks: Any, role: str) -> None:
    refused = refusal(lambda: eks.create_pod_identity_association(**CART, roleArn=role))
    assert refused == ("InvalidParameterException", 400)


def test_permissions_are_about_clusters_and_associations(sandbox: Sandbox, eks: Any) -> None:
    made = eks.create_pod_identity_association(**CART, roleArn=ROLE)["association"]
    base = f"arn:aws:eks:eu-west-1:{ACCOUNT}"
    allowed = policy(
        "eks:ListPodIdentityAssociations",
        "eks:DescribePodIdentityAssociation",
        resource=[f"{base}:cluster/{CLUSTER}", made["associationArn"]],
    )
    sandbox.add_user("reader", policy=allowed)
    sandbox.add_user("other", policy=policy("eks:*", resource=f"{base}:cluster/another"))
    which = {"clusterName": CLUSTER, "associationId": made["associationId"]}
    reader, other = (client(sandbox, "eks", user=user) for user in ("reader", "other"))
    assert reader.list_pod_identity_associations(clusterName=CLUSTER)["associations"]
    assert reader.describe_pod_identity_association(**which)["association"] == made
    denied = ("AccessDeniedException", 403)
    assert refusal(lambda: reader.delete_pod_identity_association(**which)) == denied
    assert refusal(lambda: other.list_pod_identity_associations(clusterName=CLUSTER)) == denied


def test_the_webhook_gives_pods_the_association(sandbox: Sandbox, eks: Any) -> None:
    found = eks.describe_cluster(name=CLUSTER)["cluster"]
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    admin = KubeClient(found["endpoint"], ca, bearer(sandbox.env(), CLUSTER))
    path = "/api/v1/namespaces/default"
    annotations = {"eks.amazonaws.com/role-arn": ROLE}
    admin.create(f"{path}/serviceaccounts", {"metadata": {"name": "cart", "annotations": annotations}})
    spec = {"serviceAccountName": "cart", "containers": [{"name": "a", "image": "a"}]}
    pod = {"metadata": {"name": "web"}, "spec": spec}

    def shown() -> str:
        return admin.create(f"{path}/pods", pod, dryRun="All").text

    assert "AWS_ROLE_ARN" in shown()
    eks.create_pod_identity_association(
        clusterName=CLUSTER, namespace="default", serviceAccount="cart", roleArn=ROLE
    )
    assert sandbox.associated(CLUSTER, "default", "cart")
    assert "AWS_ROLE_ARN" not in shown()
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in shown()
    sandbox.reset()
    assert not sandbox.associated(CLUSTER, "default", "cart")


def test_late_as_iam_is(sandbox: Sandbox, eks: Any) -> None:
    """What is new is not known at once, and what is deleted is in the way for a while."""
    made = eks.create_pod_identity_association(**CART, roleArn=ROLE)["association"]
    sandbox.lag = 60.0
    eks.delete_pod_identity_association(clusterName=CLUSTER, associationId=made["associationId"])
    again = refusal(lambda: eks.create_pod_identity_association(**CART, roleArn=ROLE))
    assert again == ("ResourceInUseException", 409)
    assert eks.list_pod_identity_associations(clusterName=CLUSTER)["associations"] == []
    trusted = trust({"Service": "pods.eks.amazonaws.com"}, action=["sts:AssumeRole", "sts:TagSession"])
    client(sandbox, "iam").create_role(RoleName="new", AssumeRolePolicyDocument=trusted)
    place = {**CART, "serviceAccount": "other"}
    new = refusal(lambda: eks.create_pod_identity_association(**place, roleArn=ROLE.replace("reader", "new")))
    assert new == ("InvalidParameterException", 400)
    sandbox.lag = 0.0
    assert eks.create_pod_identity_association(**place, roleArn=ROLE.replace("reader", "new"))
    assert eks.create_pod_identity_association(**CART, roleArn=ROLE)


def test_an_access_entry_is_not_for_a_role_made_again(sandbox: Sandbox, eks: Any) -> None:
    iam, sts = client(sandbox, "iam"), client(sandbox, "sts")
    found = eks.describe_cluster(name=CLUSTER)["cluster"]
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    arn = ROLE.replace("reader", "dev")

    def status() -> int:
        given = sts.assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
        names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
        names["AWS_SESSION_TOKEN"] = "SessionToken"
        env = {**sandbox.env(), **{name: given[key] for name, key in names.items()}}
        kube = KubeClient(found["endpoint"], ca, bearer(env, CLUSTER))
        return kube.request("GET", "/api/v1/namespaces/default/serviceaccounts").status

    iam.create_role(RoleName="dev", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
    eks.create_access_entry(clusterName=CLUSTER, principalArn=arn)
    assert status() == 403
    iam.delete_role(RoleName="dev")
    iam.create_role(RoleName="dev", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
    assert status() == 401
