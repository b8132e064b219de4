"""Who irsa is and how it gets there: profiles, assumed roles, web identity, kubeconfigs, proxies."""

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.integration.test_errors import kubeconfig
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import ACCOUNT, EVERYTHING, READ_ONLY, Stage

NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    made = sandbox_stage(sandbox, "demo", tmp_path)
    assert made.associate().code == 0
    return made


def role_for(stage: Stage, name: str, principal: dict[str, Any], action: str = "sts:AssumeRole") -> str:
    """A role that may do everything in AWS and is an administrator of the cluster."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam = stage.iam()
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    stage.sandbox.grant(stage.cluster, arn, groups=["system:masters"])
    return arn


def profile(stage: Stage, text: str) -> dict[str, str]:
    """An AWS configuration file."""
    path = stage.folder / "config"
    path.write_text(text)
    return {"AWS_CONFIG_FILE": str(path)}


def keys(stage: Stage) -> str:
    env = stage.env()
    names = ("aws_access_key_id", "aws_secret_access_key")
    return "".join(f"{name}={env[name.upper()]}\n" for name in names)


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_a_profile(stage: Stage, how: str) -> None:
    config = profile(stage, f"[profile work]\nregion=eu-west-1\n{keys(stage)}")
    flag, env = (["--profile", "work"], {}) if how == "flag" else ([], {"AWS_PROFILE": "work"})
    ran = stage.create_sa("reader", "default", *flag, **NO_KEYS, **config, **env)
    assert ran.code == 0, ran.err


def test_a_profile_that_assumes_a_role(stage: Stage) -> None:
    arn = role_for(stage, "deployer", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    text = f"[profile base]\n{keys(stage)}\n[profile work]\nregion=eu-west-1\nrole_arn={arn}\n"
    text += "source_profile=base\n"
    ran = stage.create_sa("reader", "default", "-p", "work", "--verify", **NO_KEYS, **profile(stage, text))
    assert ran.code == 0, ran.err


def test_the_caller_becomes_another_role_first(stage: Stage) -> None:
    arn = role_for(stage, "deployer", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    only = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn},
    }
    stage.sandbox.add_user("pipeline", policy=only)
    refused = stage.create_sa("reader", "default", user="pipeline")
    assert refused.code == 1
    ran = stage.create_sa("reader", "default", "--assume-role", arn, "--verify", user="pipeline")
    assert ran.code == 0, ran.err


def test_a_role_that_may_not_be_assumed(stage: Stage) -> None:
    ran = stage.create_sa(
        "reader", "default", "--assume-role", f"arn:aws:iam::{ACCOUNT}:role/no", "-o", "json"
    )
    assert ran.code == 1
    assert ran.error["code"] == "AccessDenied"


def test_a_pipeline_with_a_web_identity(stage: Stage) -> None:
    """irsa runs in a pod of the cluster, with the ServiceAccount's own token and role."""
    assert (
        stage.create_sa(
            "ci", "default", "--attach-policy-arn", "arn:aws:iam::aws:policy/AdministratorAccess"
        ).code
        == 0
    )
    role = stage.role_of("default", "ci")["arn"]
    stage.sandbox.grant(stage.cluster, role, groups=["system:masters"])
    path = "/api/v1/namespaces/default/serviceaccounts/ci/token"
    answer = stage.kube.create(
        path, {"spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 3600}}
    )
    (stage.folder / "token").write_text(answer.body["status"]["token"])
    identity = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(stage.folder / "token")}
    ran = stage.create_sa("reader", "default", "--attach-policy-arn", READ_ONLY, **NO_KEYS, **identity)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("how", ["kubeconfig", "context"])
def test_a_kubeconfig(stage: Stage, how: str) -> None:
    path = kubeconfig(stage)
    flags, env = (
        (["--kubeconfig", path], {}) if how == "kubeconfig" else (["--context", "here"], {"KUBECONFIG": path})
    )
    ran = stage.create_sa("reader", "default", *flags, **env)
    assert ran.code == 0, ran.err
    assert stage.role_of("default", "reader")


def test_a_cluster_that_is_not_eks(stage: Stage) -> None:
    url = "https://issuer.example.com/one"
    place = ("--issuer-url", url, "--account", ACCOUNT, "--kubeconfig", kubeconfig(stage))
    assert stage.irsa("associate-oidc", "--issuer-url", url, "--account", ACCOUNT).code == 0
    ran = stage.irsa("create-sa", "reader", *place, "--no-policy")
    assert ran.code == 0, ran.err
    (statement,) = stage.role_of("default", "reader")["trust"]["Statement"]
    assert (
        statement["Condition"]["StringEquals"]["issuer.example.com/one:sub"]
        == "system:serviceaccount:default:reader"
    )


def test_a_proxy_that_is_not_there_is_named_and_no_proxy_goes_past_it(stage: Stage) -> None:
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    lower = {name.lower(): value for name, value in proxy.items()}
    through = stage.create_sa("reader", "default", NO_PROXY="", no_proxy="", **proxy, **lower)
    assert through.code == 1
    assert "NO_PROXY" in through.err
    past = stage.create_sa("reader", "default", **proxy, **lower)
    assert past.code == 0, past.err
