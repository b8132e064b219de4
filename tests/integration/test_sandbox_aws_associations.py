"""EKS Pod Identity associations, that the pod webhook heeds them, and what tests let EKS say.

Judged by the EKS API reference: https://docs.aws.amazon.com/eks/latest/APIReference/
"""

import json
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.docs.staging import CLUSTER
from tests.support.aws_lines import do, refused
from tests.support.eks_states import add_addon, describe_cluster_as, note_exchange
from tests.support.sandbox_clients import ACCOUNT, client, policy, trust
from tests.support.sandbox_kube import kube_as

ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
PODS = trust({"Service": "pods.eks.amazonaws.com"}, action=["sts:AssumeRole", "sts:TagSession"])
CREATE = (
    f"CreatePodIdentityAssociation {{clusterName: {CLUSTER}, namespace: shop, serviceAccount: cart,"
    " roleArn: $HERE:role/reader}"
)
LIST = f"ListPodIdentityAssociations {{clusterName: {CLUSTER}}}"
IN_USE, MISSING = "ResourceInUseException 409", "ResourceNotFoundException 404"
INVALID, DENIED = "InvalidParameterException 400", "AccessDeniedException 403"


@pytest.fixture
def eks(sandbox: Sandbox) -> Any:
    do(client(sandbox, "iam"), "CreateRole {RoleName: reader, AssumeRolePolicyDocument: $PODS}", PODS=PODS)
    return client(sandbox, "eks")


def which(association: dict[str, Any], operation: str) -> str:
    """A call about an association."""
    of = f"{{clusterName: {CLUSTER}, associationId: {association['associationId']}}}"
    return f"{operation}PodIdentityAssociation {of}"


def listed(eks: Any, more: str = "") -> set[str]:
    found = do(eks, LIST.replace("}", f"{more}}}"))["associations"]
    assert all("roleArn" not in item for item in found)
    return {f"{item['namespace']}/{item['serviceAccount']}" for item in found}


def test_lists(sandbox: Sandbox, eks: Any) -> None:
    for place in ("shop, serviceAccount: cart", "shop, serviceAccount: pay", "other, serviceAccount: cart"):
        do(eks, CREATE.replace("shop, serviceAccount: cart", place))
    everything = {"shop/cart", "shop/pay", "other/cart"}
    assert listed(eks) == everything
    assert listed(eks, ", namespace: shop") == {"shop/cart", "shop/pay"}
    assert listed(eks, ", namespace: shop, serviceAccount: cart") == {"shop/cart"}
    assert listed(eks, ", namespace: nowhere") == set()
    paginator = eks.get_paginator("list_pod_identity_associations")
    pages = list(paginator.paginate(clusterName=CLUSTER, PaginationConfig={"PageSize": 2}))
    assert [len(page["associations"]) for page in pages] == [2, 1]
    names = {
        f"{item['namespace']}/{item['serviceAccount']}" for page in pages for item in page["associations"]
    }
    assert names == everything
    sandbox.add_cluster(ClusterSpec("second"))
    assert eks.list_pod_identity_associations(clusterName="second")["associations"] == []


def test_permissions_are_about_clusters_and_associations(sandbox: Sandbox, eks: Any) -> None:
    made = do(eks, CREATE)["association"]
    base = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster"
    actions = ("eks:ListPodIdentityAssociations", "eks:DescribePodIdentityAssociation")
    allowed = policy(*actions, resource=[f"{base}/{CLUSTER}", made["associationArn"]])
    sandbox.add_user("reader", policy=allowed)
    sandbox.add_user("other", policy=policy("eks:*", resource=f"{base}/another"))
    reader, other = (client(sandbox, "eks", user=user) for user in ("reader", "other"))
    assert listed(reader) == {"shop/cart"}
    assert do(reader, which(made, "Describe"))["association"] == made
    assert refused(reader, which(made, "Delete")) == refused(other, LIST) == DENIED


def test_the_webhook_gives_pods_the_association(sandbox: Sandbox, eks: Any) -> None:
    admin = kube_as(sandbox)
    path = "/api/v1/namespaces/default"
    metadata = {"name": "cart", "annotations": {"eks.amazonaws.com/role-arn": ROLE}}
    admin.create(f"{path}/serviceaccounts", {"metadata": metadata})
    spec = {"serviceAccountName": "cart", "containers": [{"name": "a", "image": "a"}]}

    def shown() -> tuple[bool, bool]:
        text = admin.create(f"{path}/pods", {"metadata": {"name": "web"}, "spec": spec}, dryRun="All").text
        return "AWS_ROLE_ARN" in text, "AWS_CONTAINER_CREDENTIALS_FULL_URI" in text

    assert shown() == (True, False)
    do(eks, CREATE.replace("shop", "default"))
    assert sandbox.associated(CLUSTER, "default", "cart")
    assert shown() == (False, True)
    sandbox.reset()
    assert not sandbox.associated(CLUSTER, "default", "cart")


def test_late_as_iam_is(sandbox: Sandbox, eks: Any) -> None:
    """What is new is not known at once, and what is deleted is in the way for a while."""
    made = do(eks, CREATE)["association"]
    sandbox.lag = 60.0
    do(eks, which(made, "Delete"))
    assert (refused(eks, CREATE), listed(eks)) == (IN_USE, set())
    do(client(sandbox, "iam"), "CreateRole {RoleName: new, AssumeRolePolicyDocument: $PODS}", PODS=PODS)
    of_new = CREATE.replace("cart", "other").replace("reader", "new")
    assert refused(eks, of_new) == INVALID
    sandbox.lag = 0.0
    do(eks, of_new)
    do(eks, CREATE)
    assert listed(eks) == {"shop/cart", "shop/other"}


def test_an_access_entry_is_not_for_a_role_made_again(sandbox: Sandbox, eks: Any) -> None:
    iam = client(sandbox, "iam")

    def status() -> int:
        line = "AssumeRole {RoleArn: $HERE:role/dev, RoleSessionName: me}"
        given = do(client(sandbox, "sts"), line)["Credentials"]
        names = {"ACCESS_KEY_ID": "AccessKeyId", "SECRET_ACCESS_KEY": "SecretAccessKey"}
        names["SESSION_TOKEN"] = "SessionToken"
        env = {**sandbox.env(), **{f"AWS_{name}": given[key] for name, key in names.items()}}
        return kube_as(sandbox, env).get("/api/v1/namespaces/default/serviceaccounts").status

    do(iam, "CreateRole {RoleName: dev, AssumeRolePolicyDocument: $ROOT}")
    do(eks, f"CreateAccessEntry {{clusterName: {CLUSTER}, principalArn: $HERE:role/dev}}")
    assert status() == 403
    do(iam, "DeleteRole {RoleName: dev}")
    do(iam, "CreateRole {RoleName: dev, AssumeRolePolicyDocument: $ROOT}")
    assert status() == 401


def test_another_description_of_a_cluster(sandbox: Sandbox, eks: Any) -> None:
    before = eks.describe_cluster(name=CLUSTER)["cluster"]
    describe_cluster_as(sandbox, CLUSTER, version="1.18")
    assert eks.describe_cluster(name=CLUSTER)["cluster"] == {**before, "version": "1.18"}
    sandbox.reset()
    assert eks.describe_cluster(name=CLUSTER)["cluster"] == before
    with pytest.raises(KeyError):
        describe_cluster_as(sandbox, "nowhere", version="1.18")


def test_addons_are_of_one_cluster(sandbox: Sandbox, eks: Any) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    for name in ("vpc-cni", "eks-pod-identity-agent"):
        add_addon(sandbox, CLUSTER, name)
    assert eks.list_addons(clusterName=CLUSTER)["addons"] == ["eks-pod-identity-agent", "vpc-cni"]
    assert eks.list_addons(clusterName="second")["addons"] == []
    assert refused(eks, "ListAddons {clusterName: nowhere}") == MISSING
    sandbox.reset()
    assert eks.list_addons(clusterName=CLUSTER)["addons"] == []


def test_an_exchange_that_was_made_elsewhere(sandbox: Sandbox) -> None:
    cart, trail = "system:serviceaccount:shop:cart", client(sandbox, "cloudtrail")
    note_exchange(sandbox, CLUSTER, cart, ROLE, "ExpiredTokenException")
    line = f"LookupEvents {{LookupAttributes: [{{AttributeKey: Username, AttributeValue: '{cart}'}}]}}"
    (event,) = do(trail, line)["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert (record["errorCode"], record["requestParameters"]["roleArn"]) == ("ExpiredTokenException", ROLE)
    assert record["userIdentity"]["userName"] == cart
    sandbox.reset()
    assert do(trail, line)["Events"] == []


def test_access_entries_need_a_mode_that_knows_them(sandbox: Sandbox, eks: Any) -> None:
    line = f"ListAccessEntries {{clusterName: {CLUSTER}}}"
    for mode in ("API", "API_AND_CONFIG_MAP"):
        describe_cluster_as(sandbox, CLUSTER, accessConfig={"authenticationMode": mode})
        assert do(eks, line)["accessEntries"] == []
    describe_cluster_as(sandbox, CLUSTER, accessConfig={"authenticationMode": "CONFIG_MAP"})
    assert refused(eks, line) == "InvalidRequestException 400"
    assert listed(eks) == set()


def test_a_repeated_create_is_the_same_until_its_object_is_gone(eks: Any) -> None:
    """Other parameters, or another ServiceAccount, are another call."""
    repeated = CREATE.replace("cart,", "cart, clientRequestToken: t,")
    first = do(eks, repeated)["association"]
    assert do(eks, repeated)["association"] == first
    assert refused(eks, repeated.replace("shop", "other")) == INVALID
    assert refused(eks, CREATE) == IN_USE
    do(eks, which(first, "Delete"))
    assert do(eks, repeated)["association"]["associationId"] != first["associationId"]


def test_tags_are_of_the_own_account(sandbox: Sandbox, eks: Any) -> None:
    arn = do(eks, CREATE)["association"]["associationArn"]
    cluster = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{CLUSTER}"
    for tagged in (arn, cluster):
        do(eks, f"TagResource {{resourceArn: '{tagged}', tags: {{a: '1', b: '2'}}}}")
        do(eks, f"UntagResource {{resourceArn: '{tagged}', tagKeys: [a, c]}}")
        assert do(eks, f"ListTagsForResource {{resourceArn: '{tagged}'}}")["tags"] == {"b": "2"}
        other = client(sandbox, "eks", account="222233334444")
        assert refused(other, f"ListTagsForResource {{resourceArn: '{tagged}'}}") == "NotFoundException 404"
    assert eks.describe_cluster(name=CLUSTER)["cluster"]["tags"] == {"b": "2"}


def test_an_addon_takes_its_associations_with_it(sandbox: Sandbox, eks: Any) -> None:
    own = "podIdentityAssociations: [{serviceAccount: aws-node, roleArn: '$HERE:role/reader'}]"
    do(eks, CREATE)
    do(eks, f"CreateAddon {{clusterName: {CLUSTER}, addonName: vpc-cni, {own}}}")
    assert listed(eks) == {"shop/cart", "kube-system/aws-node"}
    do(eks, f"DeleteAddon {{clusterName: {CLUSTER}, addonName: vpc-cni}}")
    assert listed(eks) == {"shop/cart"}
    assert do(eks, f"ListAddons {{clusterName: {CLUSTER}}}")["addons"] == []
