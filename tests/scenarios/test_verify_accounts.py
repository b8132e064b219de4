"""`irsa verify` across accounts: the provider in the role's account, and roles that become other roles."""

import json
from typing import Any

import pytest

from tests.scenarios.binding import make_binding
from tests.scenarios.other_account import OTHER, other_account_iam
from tests.scenarios.verifying import all_ok, statuses, step, verify
from tests.support.documents import policy
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage

__all__ = ["other_account_iam"]  # A fixture.

TRUST = """{"Version": "2012-10-17", "Statement":
    {"Effect": "Allow", "Principal": {"AWS": "<who>"}, "Action": "sts:AssumeRole"}}"""


def make_role(iam: Any, name: str, trust: str, policy: str = READ_ONLY) -> str:
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return arn


@pytest.fixture
def abroad(stage: Stage, namespace: str, other_iam: Any) -> str:
    """The ServiceAccount's role, in the other account, which has the cluster's provider, too."""
    own = make_binding(stage, namespace)
    document = stage.iam().get_role(RoleName=own.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
    (provider,) = stage.aws_world()["oidc_providers"]
    url = "https://" + provider.partition("oidc-provider/")[2]
    other_iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
    trust = json.dumps(document).replace(stage.account_id, OTHER)
    arn = make_role(other_iam, f"{namespace}-abroad", trust)
    stage.annotate(namespace, "reader", **{ROLE_ARN: arn})
    return str(provider).replace(stage.account_id, OTHER)


def test_an_account_that_nobody_reads_is_proven_by_the_exchange(stage: Stage, abroad: str) -> None:
    document = verify(stage).item
    assert statuses(document) == all_ok(provider="not-checked", trust="not-checked")
    assert OTHER in document["notes"][0]


def test_a_role_there_reads_it(stage: Stage, abroad: str, other_iam: Any) -> None:
    own_account = TRUST.replace("<who>", f"arn:aws:iam::{stage.account_id}:root")
    reader = make_role(other_iam, "auditor", own_account, "arn:aws:iam::aws:policy/AdministratorAccess")
    document = verify(stage, f"reader -n $ns --iam-assume-role {reader}").item
    assert statuses(document) == all_ok()
    assert OTHER in step(document, "provider")["sent"]
    other_iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=abroad)
    document = verify(stage, f"reader -n $ns --iam-assume-role {reader}", code=5).item
    assert statuses(document)["provider"] == "failed"
    assert OTHER in step(document, "provider")["advice"][0]


def test_a_chain_of_roles(stage: Stage, namespace: str, other_iam: Any) -> None:
    """The application of the pod becomes a role of another account (role chaining)."""
    first = make_binding(stage, namespace)
    hop = json.dumps(policy(f"Allow sts:AssumeRole on arn:aws:iam::{OTHER}:role/*"))
    stage.iam().put_role_policy(RoleName=first.rsplit("/", 1)[-1], PolicyName="hop", PolicyDocument=hop)
    second = make_role(other_iam, "target", TRUST.replace("<who>", first))
    closed = make_role(other_iam, "closed", TRUST.replace("<who>", f"arn:aws:iam::{OTHER}:root"))
    line = "reader -n $ns --call 's3 list-buckets' --chain"
    document = verify(stage, f"{line} {second}").item
    assert statuses(document) == all_ok(chain="ok")
    assert ":assumed-role/target/" in step(document, "chain")["checks"][0]["text"]
    document = verify(stage, f"{line} {closed}", code=5).item
    assert statuses(document)["chain"] == "failed"
    assert [item["status"] for item in document["permissions"]] == ["not-checked"]
