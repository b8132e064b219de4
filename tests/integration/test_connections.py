"""Who irsa is and how it gets there: profiles, assumed roles, web identity, kubeconfigs, proxies."""

import json
from typing import Any

import pytest

from tests.integration.test_errors import NO_KEYS, kubeconfig
from tests.support.sandbox_clients import policy, trust
from tests.support.stage import ACCOUNT, Json, Stage

CREATE = "create-sa reader -n default --no-policy"
DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/deployer"
NOWHERE: dict[str, Any] = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
)


def made(stage: Stage) -> bool:
    """Whether the role was made that admits the ServiceAccount."""
    return bool(stage.role_of("default", "reader"))


def deployer(stage: Stage) -> None:
    """A role that may do everything in AWS, is an administrator of the cluster, and trusts the account."""
    iam = stage.iam()
    document = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=document)
    iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=json.dumps(policy("*")))
    stage.sandbox.grant(stage.cluster, DEPLOYER, groups=["system:masters"])


def profiles(stage: Stage, more: str = "") -> Json:
    """An environment with an AWS configuration file whose profile `base` has the administrator's keys."""
    names = ("aws_access_key_id", "aws_secret_access_key")
    keys = "".join(f"{name}={stage.env()[name.upper()]}\n" for name in names)
    path = stage.folder / "config"
    path.write_text(f"[profile base]\nregion=eu-west-1\n{keys}\n{more}")
    return {"AWS_CONFIG_FILE": str(path), **NO_KEYS}


@pytest.mark.parametrize(("flag", "env"), [("--profile base", {}), ("", {"AWS_PROFILE": "base"})])
def test_a_profile(stage: Stage, flag: str, env: Json) -> None:
    stage.run(f"{CREATE} {flag}", **profiles(stage), **env)
    assert made(stage)


def test_a_profile_that_assumes_a_role(stage: Stage) -> None:
    deployer(stage)
    more = f"[profile work]\nregion=eu-west-1\nrole_arn={DEPLOYER}\nsource_profile=base\n"
    stage.run(f"{CREATE} -p work --verify", **profiles(stage, more))
    assert made(stage)


def test_the_caller_becomes_another_role_first(stage: Stage) -> None:
    deployer(stage)
    stage.sandbox.add_user("pipeline", policy=policy("sts:AssumeRole", resource=DEPLOYER))
    stage.run(CREATE, code=1, changes="", user="pipeline")
    stage.run(f"{CREATE} --assume-role {DEPLOYER} --verify", user="pipeline")
    assert made(stage)
    none = stage.run(f"{CREATE} --assume-role {DEPLOYER}x -o json", code=1, changes="")
    assert none.error["code"] == "AccessDenied"


def test_a_pipeline_with_a_web_identity(stage: Stage) -> None:
    """irsa runs in a pod of the cluster, with the ServiceAccount's own token and role."""
    stage.run("create-sa ci -n default --attach-policy-arn $ADMIN")
    role = stage.role_of("default", "ci")["arn"]
    stage.sandbox.grant(stage.cluster, role, groups=["system:masters"])
    spec = {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 3600}
    answer = stage.kube.create("/api/v1/namespaces/default/serviceaccounts/ci/token", {"spec": spec})
    token = stage.folder / "token"
    token.write_text(answer.body["status"]["token"])
    stage.run(CREATE, **NO_KEYS, AWS_ROLE_ARN=role, AWS_WEB_IDENTITY_TOKEN_FILE=str(token))
    assert made(stage)


@pytest.mark.parametrize(
    ("flag", "env"), [("--kubeconfig kubeconfig", {}), ("--context here", {"KUBECONFIG": "kubeconfig"})]
)
def test_a_kubeconfig(stage: Stage, flag: str, env: Json) -> None:
    kubeconfig(stage)
    stage.run(f"{CREATE} {flag}", **env)
    assert made(stage)


def test_a_cluster_that_is_not_eks(stage: Stage) -> None:
    place = f"--issuer-url https://issuer.example.com/one --account {ACCOUNT}"
    kubeconfig(stage)
    stage.run(f"associate-oidc {place}")
    stage.run(f"create-sa reader {place} --kubeconfig kubeconfig --no-policy")
    (statement,) = stage.role_of("default", "reader")["trust"]["Statement"]
    subject = statement["Condition"]["StringEquals"]["issuer.example.com/one:sub"]
    assert subject == "system:serviceaccount:default:reader"


def test_a_proxy_that_is_not_there_is_named_and_no_proxy_goes_past_it(stage: Stage) -> None:
    through = {**NOWHERE, "NO_PROXY": "", "no_proxy": ""}
    stage.run(CREATE, code=1, says="NO_PROXY", changes="", **through)
    stage.run(CREATE, **NOWHERE)
    assert made(stage)
