"""`--verify` after a change that takes something away proves the new state: STS honours the old one."""

from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.faults.zygote import PROPAGATION_SECONDS
from tests.scenarios.conftest import sandbox_stage
from tests.support.short_files import file_of
from tests.support.stage import Ran, Stage

NOBODY = "{StringEquals: {sts:RoleSessionName: nobody}}"
LAG = PROPAGATION_SECONDS * 0.15
"""For how long STS honours what was replaced: less than irsa waits."""


@pytest.fixture
def tight(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A binding that works."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.words["ns"] = "apps"
    stage.run("associate-oidc")
    apply(stage)
    return stage


def apply(stage: Stage, arguments: str = "", conditions: str = "{}", **expected: Any) -> Ran:
    text = file_of(stage, f"app: attachPolicyARNs: [$S3], trustConditions: {conditions}")
    return stage.run(f"apply -f - {arguments}", stdin=text, **expected)


@pytest.mark.parametrize("way", ["", "--atomic"])
def test_a_trust_policy_that_refuses_is_found_out(tight: Stage, way: str) -> None:
    before = tight.role_of("apps", "app")["trust"]
    tight.sandbox.lag = LAG
    apply(tight, f"--verify --timeout 8s {way}", NOBODY, code=5)
    tight.sandbox.lag = 0
    assert tight.role_of("apps", "app")["trust"] == before


def test_one_that_accepts_is_proven_after_a_while(tight: Stage) -> None:
    tight.sandbox.lag = LAG
    narrower = "{StringLike: {sts:RoleSessionName: irsa-*}}"
    assert apply(tight, "--verify -o json", narrower).item["verifications"][0]["newTrust"] is True
    assert "newTrust" not in apply(tight, "--verify -o json", narrower).item["verifications"][0]


BODY = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
    <AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>system:serviceaccount:apps:app
    </SubjectFromWebIdentityToken><Audience>sts.amazonaws.com</Audience><Provider>p</Provider>
    <AssumedRoleUser><AssumedRoleId>AROAEXAMPLEOLDOLDOLDX:irsa-verify</AssumedRoleId>
    <Arn>arn:aws:sts::111122223333:assumed-role/x/irsa-verify</Arn></AssumedRoleUser>
    <Credentials><AccessKeyId>ASIAEXAMPLEEXAMPLE00</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
    <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
    </AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
    </AssumeRoleWithWebIdentityResponse>"""

CALL = "AssumeRoleWithWebIdentity"


def test_credentials_of_a_deleted_role_prove_nothing_of_the_new_one(tight: Stage) -> None:
    """As IAM's answer names the role's unique id, so does STS: one that it no longer has is not taken."""
    tight.run("delete-sa app -n apps")
    tight.sandbox.faults.add(
        Fault("sts", CALL, "answer", times=2, status=200, body=BODY, content_type="text/xml")
    )
    ran = tight.run("create-sa app -n apps --attach-policy-arn $S3 --verify -o json")
    assert [call.operation for call in tight.sandbox.calls].count(CALL) == 3
    assert ran.item["verifications"][0]["provider"] != "p"
