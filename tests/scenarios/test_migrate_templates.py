"""`irsa migrate` and pods that don't run yet: what their templates say is judged before anything is written.

Judged afterwards by a pod that is created from the template: whether it gets credentials, by its variables
and the files that are mounted.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate import NAME, create, migrate, refused, world
from tests.scenarios.test_migrate_clients import sts_of
from tests.support.eks_states import add_addon, add_fargate_profile
from tests.support.stage import READ_ONLY, Json, Stage

FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
THE_ROLE = {"name": "AWS_ROLE_ARN", "value": "(of the test)"}
BY_HAND = [
    THE_ROLE,
    {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": f"{FOLDER}/token"},
]
KINDS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with the agent."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def template(stage: Stage, namespace: str, container: Json, kind: str = "Deployment", **spec: Any) -> Json:
    """A workload at zero replicas; returns its pod template."""
    body = {"name": "main", "image": "app:1", **container}
    if THE_ROLE in body.get("env", []):
        own = {**THE_ROLE, "value": stage.role_of(namespace, NAME)["arn"]}
        body["env"] = [own if item == THE_ROLE else item for item in body["env"]]
    inside = {"serviceAccountName": NAME, "containers": [body], **spec}
    made = {"metadata": {"labels": {"app": "web"}}, "spec": inside}
    inner = {"template": made}
    whole = {"jobTemplate": {"spec": inner}, "schedule": "0 3 * * *"} if kind == "CronJob" else inner
    version = KINDS[kind]
    answer = stage.kube.create(
        f"/apis/{version}/namespaces/{namespace}/{kind.lower()}s",
        {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": {"replicas": 0, **whole}},
    )
    assert answer.status == 201, answer.text
    return made


def credentials(stage: Stage, namespace: str, made: Json) -> str:
    """Create a pod of the template, and ask for credentials as an SDK in it does; '' if it gets them."""
    body = {"apiVersion": "v1", "kind": "Pod", **made, "metadata": {"name": "probe", **made["metadata"]}}
    answer = stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body)
    if answer.status != 201:
        return str(answer.text)
    assert stage.kube.delete(f"/api/v1/namespaces/{namespace}/pods/probe").status == 200
    spec = answer.body["spec"]
    main = spec["containers"][0]
    env = {item["name"]: item.get("value", "") for item in main.get("env", [])}
    by_token = env.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    path = by_token or env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
    mounted = {
        f"{mount['mountPath']}/{token['path']}": token["audience"]
        for mount in main.get("volumeMounts", [])
        for volume in spec["volumes"]
        if volume["name"] == mount["name"]
        for source in volume.get("projected", {}).get("sources", [])
        if "audience" in (token := source.get("serviceAccountToken", {}))
    }
    if path not in mounted:
        return f"no file {path}"
    url = f"/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}/token"
    wanted = {"audiences": [mounted[path]], "expirationSeconds": 600}
    token = stage.kube.create(url, {"metadata": {}, "spec": wanted}).body["status"]["token"]
    try:
        if by_token:
            sts_of(stage).assume_role_with_web_identity(
                RoleArn=env["AWS_ROLE_ARN"], RoleSessionName="app", WebIdentityToken=token
            )
        else:
            request = urllib.request.Request(stage.sandbox.agent_url, headers={"Authorization": token})
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except (ClientError, BotoCoreError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_that_relies_on_the_webhooks_volume_is_refused_before_the_first_write(
    stage: Stage, namespace: str, kind: str
) -> None:
    create(stage, namespace)
    made = template(stage, namespace, {"env": BY_HAND}, kind)
    assert credentials(stage, namespace, made) == ""
    said = refused(stage, namespace, "pod-identity")
    assert f"a new pod of {kind} {namespace}/web would get no credentials by Pod Identity" in said
    assert f"AWS_WEB_IDENTITY_TOKEN_FILE is {FOLDER}/token, and no volume mounts a token there" in said
    assert credentials(stage, namespace, made) == ""


@pytest.mark.parametrize(
    "command", [("update-sa", "--also", "pod-identity"), ("migrate", "--to", "pod-identity")]
)
def test_each_command_that_adds_an_association_judges_templates(
    stage: Stage, namespace: str, command: tuple[str, ...]
) -> None:
    create(stage, namespace)
    template(stage, namespace, {"env": BY_HAND})
    before = world(stage)
    ran = stage.irsa(*command, NAME, "-n", namespace, "-c", stage.cluster)
    assert ran.code == 4, ran.err
    assert "would get no credentials by Pod Identity" in ran.err
    assert world(stage) == before


ON_WINDOWS = {
    "nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["windows"]}]}
    ]
}
OBSTACLES: dict[str, tuple[Json, Json, str]] = {
    "windows": ({}, {"nodeSelector": {"kubernetes.io/os": "windows"}}, "it runs on Windows"),
    "windows by affinity": (
        {},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": ON_WINDOWS}}},
        "it runs on Windows",
    ),
    "proxy": ({"env": [{"name": "HTTP_PROXY", "value": "http://proxy"}]}, {}, "container main has a proxy"),
    "old CLI": ({"image": "amazon/aws-cli:2.11.0"}, {}, "does not support it"),
    "fargate": ({}, {}, "it runs on Fargate (profile batch)"),
}  # fmt: skip


@pytest.mark.parametrize("step", ["migrate", "finish", "create-sa"])
@pytest.mark.parametrize("name", OBSTACLES)
def test_a_workload_without_pods_that_pod_identity_can_not_serve(
    stage: Stage, namespace: str, name: str, step: str
) -> None:
    container, spec, why = OBSTACLES[name]
    if step == "create-sa":
        stage.make_account(namespace, NAME)
    else:
        create(stage, namespace)
    if step == "finish":
        assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    template(stage, namespace, container, **spec)
    if name == "fargate":
        add_fargate_profile(stage.sandbox, "demo", "batch", {"namespace": namespace, "labels": {"app": "w*"}})
    if step == "create-sa":
        before = world(stage)
        where = ("-n", namespace, "-c", stage.cluster)
        ran = stage.irsa("create-sa", NAME, *where, "--pod-identity", "--attach-policy-arn", READ_ONLY)
        assert ran.code == 4, ran.err
        assert world(stage) == before
        said = ran.err
    else:
        said = refused(stage, namespace, "pod-identity", *(("--finish",) if step == "finish" else ()))
    assert f"a new pod of Deployment {namespace}/web would get no credentials by EKS Pod Identity" in said
    assert why in said


@pytest.mark.parametrize("more", [("--finish",), ("--restart",)])
def test_finish_and_restart_judge_a_pod_of_the_template_by_its_mounted_file(
    stage: Stage, namespace: str, more: tuple[str, ...]
) -> None:
    """Added after the first step; each of them creates one pod as a dry run."""
    create(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    made = template(stage, namespace, {"env": BY_HAND})
    assert "no file" in credentials(stage, namespace, made)
    stage.sandbox.calls.clear()
    said = refused(stage, namespace, "pod-identity", *more)
    assert f"a new pod of Deployment {namespace}/web would get no credentials by Pod Identity" in said
    tried = [call for call in stage.sandbox.calls if call.operation == "POST pods"]
    assert len([call for call in tried if "irsa-doctor" not in call.subject]) == 1


def test_status_names_pods_without_credentials(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    made = template(stage, namespace, {"env": BY_HAND})
    body = {"apiVersion": "v1", "kind": "Pod", **made, "metadata": {"name": "web-0"}}
    assert stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body).status == 201
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--status")
    assert "1 without credentials" in ran.out
    assert "by IRSA" not in ran.out
    shown = migrate(stage, "pod-identity", NAME, "-n", namespace, "--status", "-o", "json").item["migration"]
    assert shown["pods"] == {"irsa": [], "pod-identity": []}
    assert shown["podsWithoutCredentials"] == ["web-0"]


def test_a_template_with_a_token_of_its_own_moves_but_is_not_finished(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    token = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "token"}}
    env = [THE_ROLE, {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/own/token"}]
    made = template(
        stage,
        namespace,
        {"env": env, "volumeMounts": [{"name": "own", "mountPath": "/own"}]},
        volumes=[{"name": "own", "projected": {"sources": [token]}}],
    )
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    assert credentials(stage, namespace, made) == ""
    said = refused(stage, namespace, "pod-identity", "--finish", "--unused-for", "0s")
    assert f"new pods of Deployment {namespace}/web use IRSA with a token of their own" in said
    assert credentials(stage, namespace, made) == ""


def test_back_to_irsa_a_template_that_relies_on_the_agents_volume(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    mount = {"name": "eks-pod-identity-token", "mountPath": "/x"}
    template(stage, namespace, {"volumeMounts": [mount]})
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    said = refused(stage, namespace, "irsa", "--finish")
    assert "mounts the volume eks-pod-identity-token, which the pod does not have" in said


def test_what_a_template_hides_is_named_and_the_rest_moves(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    made = template(stage, namespace, {"envFrom": [{"configMapRef": {"name": "settings"}}]})
    for more in ((), ("--finish",)):
        ran = migrate(stage, "pod-identity", NAME, "-n", namespace, *more)
        assert ran.code == 0, ran.err
        assert "not known if new pods of Deployment/web get Pod Identity" in ran.err
        assert "envFrom configmap/settings of container main" in ran.err
    assert credentials(stage, namespace, made) == ""


def test_the_first_step_needs_no_new_right(stage: Stage, namespace: str) -> None:
    """Who may not list workloads is told what was not checked."""
    create(stage, namespace)
    template(stage, namespace, {"env": BY_HAND})
    user = stage.restricted((("get", "list"), ("serviceaccounts", "pods", "namespaces")))
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, user=user)
    assert ran.code == 0, ran.err
    assert "not checked: the pod templates of cronjobs, daemonsets, deployments" in ran.err


def test_a_refused_dry_run_is_not_known_and_the_text_decides(stage: Stage, namespace: str) -> None:
    """By a quota, for example; the pod of the ServiceAccount alone is created before."""
    create(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    made = template(stage, namespace, {})
    quota = 'pods "web-" is forbidden: exceeded quota: small'
    stage.sandbox.faults.add(
        Fault("kubernetes", "POST pods", "error", skip=1, code="Forbidden", message=quota)
    )
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--finish")
    assert ran.code == 0, ran.err
    assert "not known by a dry run if new pods of Deployment/web get Pod Identity" in ran.err
    assert "exceeded quota: small" in ran.err
    assert credentials(stage, namespace, made) == ""
