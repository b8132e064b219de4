"""`--verify` after a change that takes something away proves the new state: STS honours the old one."""

from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.faults.zygote import PROPAGATION_SECONDS
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import bindings, entry
from tests.support.stage import READ_ONLY, Ran, Stage

NOBODY = {"StringEquals": {"sts:RoleSessionName": "nobody"}}
LAG = PROPAGATION_SECONDS * 0.15
"""For how long STS honours what was replaced: less than irsa waits."""


@pytest.fixture
def tight(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A binding that works."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    assert apply(stage).code == 0
    return stage


def apply(stage: Stage, *arguments: str, **more: Any) -> Ran:
    text = bindings(stage, entry("app", "apps", attachPolicyARNs=[READ_ONLY], **more))
    (stage.folder / "irsa.yaml").write_text(text)
    return stage.irsa("apply", "-f", "irsa.yaml", *arguments)


def trust(stage: Stage) -> Any:
    name = stage.role_of("apps", "app")["arn"].rsplit("/", 1)[-1]
    return stage.iam().get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]


@pytest.mark.parametrize("way", [(), ("--atomic",)])
def test_a_trust_policy_that_refuses_is_found_out(tight: Stage, way: tuple[str, ...]) -> None:
    before = trust(tight)
    tight.sandbox.lag = LAG
    ran = apply(tight, "--verify", "--timeout", "8s", *way, trustConditions=NOBODY)
    assert ran.code == 5, ran.err
    tight.sandbox.lag = 0
    assert trust(tight) == before


def test_one_that_accepts_is_proven_after_a_while(tight: Stage) -> None:
    tight.sandbox.lag = LAG
    narrower = {"StringLike": {"sts:RoleSessionName": "irsa-*"}}
    ran = apply(tight, "--verify", "-o", "json", trustConditions=narrower)
    assert ran.code == 0, ran.err
    (found,) = ran.item["verifications"]
    assert found["newTrust"] is True
    again = apply(tight, "--verify", "-o", "json", trustConditions=narrower)
    assert "newTrust" not in again.item["verifications"][0]


def test_credentials_of_a_deleted_role_prove_nothing_of_the_new_one(tight: Stage) -> None:
    """As IAM's answer names the role's unique id, so does STS: one that it no longer has is not taken."""
    assert tight.irsa("delete-sa", "app", "-n", "apps", "-c", "demo").code == 0
    body = (
        '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        "<AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>system:serviceaccount:apps:app"
        "</SubjectFromWebIdentityToken><Audience>sts.amazonaws.com</Audience><Provider>p</Provider>"
        "<AssumedRoleUser><AssumedRoleId>AROAEXAMPLEOLDOLDOLDX:irsa-verify</AssumedRoleId>"
        "<Arn>arn:aws:sts::111122223333:assumed-role/x/irsa-verify</Arn></AssumedRoleUser>"
        "<Credentials><AccessKeyId>ASIAEXAMPLEEXAMPLE00</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        "</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
        "</AssumeRoleWithWebIdentityResponse>"
    )
    fault = Fault(
        *("sts", "AssumeRoleWithWebIdentity", "answer"),
        times=2,
        status=200,
        body=body,
        content_type="text/xml",
    )
    tight.sandbox.faults.add(fault)
    ran = tight.create_sa("app", "apps", "--attach-policy-arn", READ_ONLY, "--verify", "-o", "json")
    assert ran.code == 0, ran.err
    calls = [call for call in tight.sandbox.calls if call.operation == "AssumeRoleWithWebIdentity"]
    assert len(calls) == 3
    assert ran.item["verifications"][0]["provider"] != "p"
