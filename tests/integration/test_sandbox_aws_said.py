"""What tests let the sandbox say: another description of a cluster, add-ons, exchanges made elsewhere.

All of it is gone after a reset.
"""

import json
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.docs.staging import CLUSTER
from tests.support.eks_states import add_addon, describe_cluster_as, note_exchange
from tests.support.sandbox_clients import ACCOUNT, client, policy, refusal

ROLE = f"arn:aws:iam::{ACCOUNT}:role/cart"
CART = "system:serviceaccount:shop:cart"


@pytest.fixture
def eks(sandbox: Sandbox) -> Any:
    return client(sandbox, "eks")


def test_another_description_of_a_cluster(sandbox: Sandbox, eks: Any) -> None:
    before = eks.describe_cluster(name=CLUSTER)["cluster"]
    describe_cluster_as(sandbox, CLUSTER, version="1.18")
    after = eks.describe_cluster(name=CLUSTER)["cluster"]
    assert after == {**before, "version": "1.18"}
    sandbox.reset()
    assert eks.describe_cluster(name=CLUSTER)["cluster"] == before
    with pytest.raises(KeyError):
        describe_cluster_as(sandbox, "nowhere", version="1.18")


def test_addons_are_of_one_cluster(sandbox: Sandbox, eks: Any) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    add_addon(sandbox, CLUSTER, "vpc-cni")
    add_addon(sandbox, CLUSTER, "eks-pod-identity-agent")
    assert eks.list_addons(clusterName=CLUSTER)["addons"] == ["eks-pod-identity-agent", "vpc-cni"]
    assert eks.list_addons(clusterName="second")["addons"] == []
    assert refusal(lambda: eks.list_addons(clusterName="nowhere")) == ("ResourceNotFoundException", 404)
    sandbox.reset()
    assert eks.list_addons(clusterName=CLUSTER)["addons"] == []


def test_listing_addons_takes_a_permission(sandbox: Sandbox) -> None:
    sandbox.add_user("guest", policy=policy("eks:DescribeCluster"))
    guest = client(sandbox, "eks", user="guest")
    assert refusal(lambda: guest.list_addons(clusterName=CLUSTER)) == ("AccessDeniedException", 403)


def test_an_exchange_that_was_made_elsewhere(sandbox: Sandbox) -> None:
    note_exchange(sandbox, CLUSTER, CART, ROLE, "ExpiredTokenException")
    wanted = [{"AttributeKey": "Username", "AttributeValue": CART}]
    trail = client(sandbox, "cloudtrail")
    (event,) = trail.lookup_events(LookupAttributes=wanted)["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert (record["errorCode"], record["requestParameters"]["roleArn"]) == ("ExpiredTokenException", ROLE)
    assert record["userIdentity"]["userName"] == CART
    sandbox.reset()
    assert trail.lookup_events(LookupAttributes=wanted)["Events"] == []
