"""`irsa verify` across accounts: the provider in the role's account, and roles that become other roles."""

import json
from typing import Any

import pytest

from tests.scenarios.binding import make_binding
from tests.scenarios.other_account import OTHER, other_account_iam
from tests.scenarios.verifying import all_ok, statuses, step, verify
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage

__all__ = ["other_account_iam"]  # A fixture.


def trusting(principal: str) -> str:
    """A trust policy for an AWS principal."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_role(iam: Any, name: str, trust: str, policy: str = READ_ONLY) -> str:
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return arn


@pytest.fixture
def abroad(stage: Stage, namespace: str, other_iam: Any) -> str:
    """The ServiceAccount's role, in the other account, which has the cluster's provider, too."""
    own = make_binding(stage, namespace)
    iam = stage.iam()
    document = iam.get_role(RoleName=own.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    url = "https://" + provider["Arn"].partition("oidc-provider/")[2]
    other_iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
    trust = json.dumps(document).replace(stage.account_id, OTHER)
    arn = make_role(other_iam, f"{namespace}-abroad", trust)
    stage.annotate(namespace, "reader", **{ROLE_ARN: arn})
    return arn


def test_an_account_that_nobody_reads_is_proven_by_the_exchange(
    stage: Stage, namespace: str, abroad: str
) -> None:
    ran = verify(stage, namespace)
    assert ran.code == 0, ran.err
    assert statuses(ran.item) == all_ok(provider="not-checked", trust="not-checked")
    assert OTHER in ran.item["notes"][0]


def test_a_role_there_reads_it(stage: Stage, namespace: str, abroad: str, other_iam: Any) -> None:
    own_account = f"arn:aws:iam::{stage.account_id}:root"
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    reader = make_role(other_iam, "auditor", trusting(own_account), administrator)
    ran = verify(stage, namespace, "--iam-assume-role", reader)
    assert ran.code == 0, ran.err
    assert statuses(ran.item) == all_ok()
    assert OTHER in step(ran.item, "provider")["sent"]


def test_a_missing_provider_there_is_found(stage: Stage, namespace: str, abroad: str, other_iam: Any) -> None:
    (provider,) = other_iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    other_iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    own_account = f"arn:aws:iam::{stage.account_id}:root"
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    reader = make_role(other_iam, "auditor", trusting(own_account), administrator)
    ran = verify(stage, namespace, "--iam-assume-role", reader)
    assert ran.code == 5
    assert statuses(ran.item)["provider"] == "failed"
    assert OTHER in step(ran.item, "provider")["advice"][0]


def test_a_chain_of_roles(stage: Stage, namespace: str, other_iam: Any) -> None:
    """The application of the pod becomes a role of another account (role chaining)."""
    first = make_binding(stage, namespace)
    iam = stage.iam()
    hop = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{OTHER}:role/*"}
    iam.put_role_policy(
        RoleName=first.rsplit("/", 1)[-1],
        PolicyName="hop",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [hop]}),
    )
    second = make_role(other_iam, "target", trusting(first))
    closed = make_role(other_iam, "closed", trusting(f"arn:aws:iam::{OTHER}:root"))
    ran = verify(stage, namespace, "--chain", second, "--call", "s3 list-buckets")
    assert ran.code == 0, ran.err
    assert statuses(ran.item) == all_ok(chain="ok")
    assert ":assumed-role/target/" in step(ran.item, "chain")["checks"][0]["text"]
    ran = verify(stage, namespace, "--chain", closed, "--call", "s3 list-buckets")
    assert ran.code == 5
    assert statuses(ran.item)["chain"] == "failed"
    assert [item["status"] for item in ran.item["permissions"]] == ["not-checked"]
