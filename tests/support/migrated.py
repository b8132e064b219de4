"""Bindings that `irsa migrate` moves: those that irsa made, and those that somebody made by hand."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

from tests.support.associated import ACTIONS, AGENT, SERVICE, eks
from tests.support.eks_states import add_addon
from tests.support.stage import ACCOUNT, ROLE_ARN, Json, Ran, Stage, made

CREATE = "create-sa app -n apps --associate-oidc --attach-policy-arn $S3"
MIGRATE = "migrate app -n apps --to pod-identity"
BACK = "migrate app -n apps --to irsa"
FINISH = f"{MIGRATE} --finish"
ALSO = "update-sa app -n apps --also pod-identity"
ROLE = "demo-apps-app-25a786ab"
THEIRS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
PODS = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": ACTIONS}
FINISHED = f"""- role {ROLE} trusts apps/app for sts.amazonaws.com
- sa apps/app annotations eks.amazonaws.com/role-arn {ROLE}
- sa apps/app annotations irsa/role-arn {ROLE}
+ role {ROLE} tags irsa/commit done"""


def with_agent(stage: Stage) -> Stage:
    """The stage with the agent and the namespace `apps`."""
    add_addon(stage.sandbox, "demo", AGENT)
    stage.make_namespace("apps")
    return stage


def moved(stage: Stage) -> None:
    """The first step is done."""
    stage.run(CREATE)
    stage.run(MIGRATE)


def set_trust(stage: Stage, *statements: Json, name: str = ROLE) -> None:
    """Let somebody else write the trust policy of a role."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [*statements]})
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=document)


def statements(stage: Stage, name: str = ROLE) -> list[Json]:
    """The statements of a role's trust policy."""
    document: list[Json] = stage.iam().get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"][
        "Statement"
    ]
    return document


def allow(stage: Stage, *given: Json, role: str = ROLE, name: str = "own") -> None:
    """Let somebody else write a policy of a role."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [*given]})
    stage.iam().put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)


def by_hand(stage: Stage, *trusted: Json, tags: dict[str, str] | None = None, **condition: Any) -> str:
    """A role `hand` that trusts these, and by the annotation is that of the ServiceAccount; its ARN.

    With a condition (or `trusted` empty), it first trusts the ServiceAccount's own tokens.
    """
    stage.run("associate-oidc", says="")
    issuer = eks(stage).describe_cluster(name="demo")["cluster"]["identity"]["oidc"]["issuer"][8:]
    equals = {f"{issuer}:sub": "system:serviceaccount:apps:app", f"{issuer}:aud": "sts.amazonaws.com"}
    own = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": equals, **condition},
    }
    kept = [own, *trusted] if condition or not trusted else [*trusted]
    document = json.dumps({"Version": "2012-10-17", "Statement": kept})
    given = [{"Key": key, "Value": text} for key, text in (tags or {}).items()]
    role = stage.iam().create_role(RoleName="hand", AssumeRolePolicyDocument=document, Tags=given)["Role"]
    stage.make_account("apps", "app", annotations={ROLE_ARN: role["Arn"]})
    return str(role["Arn"])


def proposed(stage: Stage, said: str, pattern: str, *more: str, code: int = 0) -> Ran:
    """Run the only command that is proposed and begins so, as it is printed."""
    (line,) = re.findall(f"irsa ({pattern}[^#\n]*)", said)
    return stage.run(" ".join([line, *more]), code=code, changes="" if code else None)


def pod(stage: Stage, name: str = "app-1", owner: str = "", **spec: Any) -> None:
    """A pod of the ServiceAccount; `owner`: the kind of what made it, which is called `web`."""
    metadata: Json = {"name": name, "labels": {"app": "web"}}
    if owner:
        group = "batch/v1" if owner == "Job" else "apps/v1"
        reference = {"apiVersion": group, "kind": owner, "name": "web", "uid": "1", "controller": True}
        metadata["ownerReferences"] = [reference]
    containers = [{"name": "main", "image": "app:1"}]
    whole = {"metadata": metadata, "spec": {"serviceAccountName": "app", "containers": containers, **spec}}
    made(stage.kube.create("/api/v1/namespaces/apps/pods", whole))


def ask_agent(stage: Stage, account: str = "app") -> Ran:
    """What the agent answers to a token of the ServiceAccount: `code` is 0 if these are credentials."""
    path = f"/api/v1/namespaces/apps/serviceaccounts/{account}/token"
    spec = {"audiences": [SERVICE], "expirationSeconds": 600}
    token = stage.kube.create(path, {"metadata": {}, "spec": spec}).body["status"]["token"]
    request = urllib.request.Request(stage.sandbox.agent_url, headers={"Authorization": token})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return Ran(0, answer.read().decode(), "")
    except urllib.error.HTTPError as error:
        with error:
            return Ran(error.code, "", error.read().decode())
