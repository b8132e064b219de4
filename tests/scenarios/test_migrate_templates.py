"""`irsa migrate` and what pods are made by: templates are judged before anything is written.

Judged afterwards by a pod that is created from the template: whether it gets credentials, by its variables
and the files that are mounted. And restarts, which are a part of the plan: what dry run and saved plan do not
name does not happen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate_clients import Client, sts_of
from tests.support.associated import association, eks
from tests.support.documents import doc
from tests.support.eks_states import add_fargate_profile
from tests.support.migrated import ALSO, BACK, CREATE, FINISH, MIGRATE, moved, pod, proposed, with_agent
from tests.support.stage import Json, Stage, made

FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
THE_ROLE = {"name": "AWS_ROLE_ARN", "value": "(of the test)"}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
NO_CREDENTIALS = "a new pod of Deployment apps/web would get no credentials by"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    return with_agent(sandbox_stage(sandbox, "demo", tmp_path))


def path_of(kind: str, namespace: str = "apps") -> str:
    return f"/apis/{'batch/v1' if 'Job' in kind else 'apps/v1'}/namespaces/{namespace}/{kind.lower()}s"


def template(stage: Stage, namespace: str, container: Json, kind: str = "Deployment", **spec: Any) -> Json:
    """A workload at zero replicas; returns its pod template."""
    main = {"name": "main", "image": "app:1", **container}
    if THE_ROLE in main.get("env", []):
        own = {**THE_ROLE, "value": stage.role_of(namespace, "app")["arn"]}
        main["env"] = [own if item == THE_ROLE else item for item in main["env"]]
    inside = {"serviceAccountName": "app", "containers": [main], **spec}
    inner = {"template": {"metadata": {"labels": {"app": "web"}}, "spec": inside}}
    whole = {"jobTemplate": {"spec": inner}, "schedule": "0 3 * * *"} if kind == "CronJob" else inner
    made(
        stage.kube.create(
            path_of(kind, namespace), {"metadata": {"name": "web"}, "spec": {"replicas": 0, **whole}}
        )
    )
    return inner["template"]


def relying(stage: Stage, kind: str = "Deployment", path: str = FOLDER, **container: Any) -> Json:
    """A workload whose template sets IRSA's variables itself, by default with the webhook's volume."""
    env = [THE_ROLE, {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": f"{path}/token"}]
    volumes = container.pop("volumes", [])
    return template(stage, "apps", {"env": env, **container}, kind, volumes=volumes)


def credentials(stage: Stage, given: Json) -> str:
    """Create a pod of the template, and ask for credentials as an SDK in it does; '' if it gets them."""
    pods = "/api/v1/namespaces/apps/pods"
    body = made(stage.kube.create(pods, {**given, "metadata": {"name": "probe", **given["metadata"]}})).body
    client = Client(stage, body)
    assert stage.kube.delete(f"{pods}/probe", {"gracePeriodSeconds": 0}).status == 200
    mounted = [mount["mountPath"] for mount in body["spec"]["containers"][0].get("volumeMounts", [])]
    path = client.env.get("AWS_WEB_IDENTITY_TOKEN_FILE", "").rpartition("/")[0]
    return client.fetch(sts_of(stage)) if not path or path in mounted else f"no file {path}"


def test_a_template_that_relies_on_the_webhooks_volume_is_refused_before_the_first_write(
    stage: Stage,
) -> None:
    stage.run(CREATE)
    why = f"AWS_WEB_IDENTITY_TOKEN_FILE is {FOLDER}/token, and no volume mounts a token there"
    for kind in KINDS:
        assert credentials(stage, relying(stage, kind)) == ""
        said = f"a new pod of {kind} apps/web would get no credentials by Pod Identity"
        for line in (MIGRATE, ALSO):
            stage.run(line, code=4, says=(said, why), changes="")
        assert stage.kube.delete(f"{path_of(kind)}/web").status == 200


WINDOWS = '{"key": "kubernetes.io/os", "operator": "In", "values": ["windows"]}'
OBSTACLES = (
    ("{}", '{"nodeSelector": {"kubernetes.io/os": "windows"}}', "it runs on Windows"),
    (
        "{}",
        """{"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        {"nodeSelectorTerms": [{"matchExpressions": ["""
        + WINDOWS
        + "]}]}}}}",
        "it runs on Windows",
    ),
    ('{"env": [{"name": "HTTP_PROXY", "value": "http://p"}]}', "{}", "container main has a proxy"),
    ('{"image": "amazon/aws-cli:2.11.0"}', "{}", "does not support it"),
)


def test_a_workload_without_pods_that_pod_identity_can_not_serve(stage: Stage) -> None:
    stage.run(CREATE)
    no_credentials = "a new pod of Deployment apps/web would get no credentials by EKS Pod Identity"
    for container, spec, why in OBSTACLES:
        template(stage, "apps", doc(container), **doc(spec))
        stage.run(MIGRATE, code=4, says=(no_credentials, why), changes="")
        assert stage.kube.delete(f"{path_of('Deployment')}/web").status == 200
    stage.run(MIGRATE)
    template(stage, "apps", {})
    add_fargate_profile(stage.sandbox, "demo", "batch", {"namespace": "apps", "labels": {"app": "w*"}})
    said = (no_credentials, "it runs on Fargate (profile batch)")
    stage.run(FINISH, code=4, says=said, changes="")
    stage.run("delete-sa app -n apps --force")
    stage.make_account("apps", "app")
    stage.run("create-sa app -n apps --pod-identity --no-policy", code=4, says=said, changes="")


def test_finish_and_restart_judge_a_pod_of_the_template_by_its_mounted_file(stage: Stage) -> None:
    """Added after the first step; each of them creates one pod as a dry run."""
    moved(stage)
    assert "no file" in credentials(stage, relying(stage))
    for line in (FINISH, "migrate app -n apps --to pod-identity --restart"):
        stage.sandbox.calls.clear()
        stage.run(line, code=4, says=f"{NO_CREDENTIALS} Pod Identity", changes="")
        tried = [call for call in stage.sandbox.calls if call.operation == "POST pods"]
        assert len([call for call in tried if "irsa-doctor" not in call.subject]) == 1


def test_status_names_pods_without_credentials(stage: Stage) -> None:
    moved(stage)
    given = relying(stage)
    made(stage.kube.create("/api/v1/namespaces/apps/pods", {**given, "metadata": {"name": "web-0"}}))
    stage.run(f"{MIGRATE} --status", says="1 without credentials", silent="by IRSA")
    shown = stage.run("migrate app -n apps --to pod-identity --status -o json").item["migration"]
    assert shown["pods"] == {"irsa": [], "pod-identity": []}
    assert shown["podsWithoutCredentials"] == ["web-0"]


def test_a_template_with_a_token_of_its_own_moves_but_is_not_finished(stage: Stage) -> None:
    stage.run(CREATE)
    token = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "token"}}
    volumes = [{"name": "own", "projected": {"sources": [token]}}]
    mounts = [{"name": "own", "mountPath": "/own"}]
    relying(stage, path="/own", volumeMounts=mounts, volumes=volumes)
    stage.run(MIGRATE)
    said = "new pods of Deployment apps/web use IRSA with a token of their own"
    stage.run("migrate app -n apps --to pod-identity --finish --unused-for 0s", code=4, says=said, changes="")


def test_back_to_irsa_a_template_that_relies_on_the_agents_volume(stage: Stage) -> None:
    stage.run(CREATE)
    template(stage, "apps", {"volumeMounts": [{"name": "eks-pod-identity-token", "mountPath": "/x"}]})
    stage.run(MIGRATE)
    said = "mounts the volume eks-pod-identity-token, which the pod does not have"
    stage.run("migrate app -n apps --to irsa --finish", code=4, says=said, changes="")


def test_what_a_template_hides_is_named_and_the_rest_moves(stage: Stage) -> None:
    stage.run(CREATE)
    given = template(stage, "apps", {"envFrom": [{"configMapRef": {"name": "settings"}}]})
    said = (
        "not known if new pods of Deployment/web get Pod Identity",
        "envFrom configmap/settings of container main",
    )
    stage.run(MIGRATE, says=said)
    stage.run(FINISH, says=said)
    assert credentials(stage, given) == ""


def test_the_first_step_needs_no_new_right(stage: Stage) -> None:
    """Who may not list workloads is told what was not checked."""
    stage.run(CREATE)
    relying(stage)
    user = stage.restricted((("get", "list"), ("serviceaccounts", "pods", "namespaces")))
    said = "not checked: the pod templates of cronjobs, daemonsets, deployments"
    stage.run(MIGRATE, says=said, user=user)


def test_a_refused_dry_run_is_not_known_and_the_text_decides(stage: Stage) -> None:
    """By a quota, for example; the pod of the ServiceAccount alone is created before."""
    moved(stage)
    template(stage, "apps", {})
    quota = 'pods "web-" is forbidden: exceeded quota: small'
    stage.sandbox.faults.add(
        Fault("kubernetes", "POST pods", "error", skip=1, code="Forbidden", message=quota)
    )
    unknown = "not known by a dry run if new pods of Deployment/web get Pod Identity"
    stage.run(FINISH, says=(unknown, "exceeded quota: small"))


# Restarts.

SAVED = "--dry-run --out plan.json"
SET = "/apis/apps/v1/namespaces/apps/statefulsets/web"


def workload(stage: Stage) -> None:
    """A StatefulSet with one pod that uses the ServiceAccount."""
    template(stage, "apps", {}, "StatefulSet")
    pod(stage, "web-0", "StatefulSet")


def is_restarted(stage: Stage) -> bool:
    return "annotations" in stage.kube.get(SET).body["spec"]["template"]["metadata"]


def flipped(stage: Stage, **request: Any) -> None:
    """Write another request into the saved plan, with the digest that belongs to it."""
    path = stage.folder / "plan.json"
    document: Json = json.loads(path.read_text())
    document["request"] |= request
    document["digest"] = digest_of(document)
    path.write_text(json.dumps(document))


def test_the_dry_run_and_the_saved_plan_name_the_restart(stage: Stage) -> None:
    """In the order in which it happens: `place` is where."""
    stage.run(CREATE)
    workload(stage)
    said = "pods of apps/app: StatefulSet web"
    for line, place, way in (
        (MIGRATE, -1, "pod-identity"),
        (FINISH, 0, "pod-identity"),
        (f"{BACK} --finish", -1, "irsa"),
    ):
        stage.run(f"{line} --restart {SAVED}", says=f"~ Restart          {said}", changes="")
        assert said in stage.irsa("show", "plan.json").out
        stage.run(f"{line} --restart --dry-run -o markdown", says="StatefulSet web")
        changes = stage.run(f"{line} --restart --dry-run -o json", changes="").item["changes"]
        assert [change["kind"] for change in changes].count("Restart") == 1
        assert changes[place]["after"] == {"way": way, "workloads": ["StatefulSet/web"]}
        if line == MIGRATE:
            stage.run(MIGRATE)
        elif line == FINISH:
            stage.kube.delete("/api/v1/namespaces/apps/pods/web-0", {"gracePeriodSeconds": 0})
            pod(stage, "web-0", "StatefulSet")
    assert not is_restarted(stage)


def test_a_restart_that_was_not_reviewed_or_is_not_asked_for_is_refused(stage: Stage) -> None:
    stage.run(CREATE)
    for has_pods in (False, True):
        if has_pods:
            workload(stage)
        stage.run("migrate app -n apps --to pod-identity --dry-run --out plan.json")
        flipped(stage, restart=True)
        stage.run("apply plan.json", code=4, says="not planned: update Restart", changes="")
    stage.run("migrate app -n apps --to pod-identity --restart --dry-run --out plan.json")
    flipped(stage, restart=False)
    stage.run("apply plan.json", code=4, changes="")
    assert not is_restarted(stage)


def test_a_saved_plan_with_a_restart_is_carried_out_unless_there_is_a_new_workload(stage: Stage) -> None:
    """No pod uses the old way, so nothing restarts; the result has the change all the same."""
    stage.run(CREATE)
    stage.run("migrate app -n apps --to pod-identity --restart --dry-run --out plan.json")
    assert "pods of apps/app: no workload" in stage.irsa("show", "plan.json").out
    workload(stage)
    stage.run("apply plan.json", code=4, changes="")
    assert not is_restarted(stage)
    stage.kube.delete(SET)
    stage.kube.delete("/api/v1/namespaces/apps/pods/web-0", {"gracePeriodSeconds": 0})
    last = stage.run("apply plan.json -o json").item["changes"][-1]
    assert (last["kind"], last["state"]) == ("Restart", "done")
    assert association(stage, "apps", "app")


def test_pods_that_irsa_does_not_restart_are_named_before(stage: Stage) -> None:
    stage.run(CREATE)
    pod(stage)
    said = "irsa does not restart Pod app-1: restart or delete them yourself"
    stage.run("migrate app -n apps --to pod-identity --restart --dry-run", says=said)


def test_the_association_of_others_is_refused_at_once(stage: Stage) -> None:
    """With it, new pods get Pod Identity: to wait for IRSA would last until the time limit."""
    stage.run(CREATE)
    workload(stage)
    stage.run(MIGRATE)
    arn = f"arn:aws:eks:eu-west-1:{stage.account_id}:podidentityassociation/demo"
    tags = ["irsa/cluster", "irsa/service-account"]
    number = association(stage, "apps", "app")
    eks(stage).untag_resource(resourceArn=f"{arn}/{number}", tagKeys=tags)
    ran = stage.run(f"{BACK} --finish --restart", code=4, says="irsa did not create it", changes="")
    assert not is_restarted(stage)
    ran = proposed(stage, ran.err, "migrate .* --include-managed", "--dry-run")
    assert "- PodIdentity" in ran.out
