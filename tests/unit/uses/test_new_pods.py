"""New pods by the text of their templates: by a table of rules, and by the sandbox's own webhook."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.mounted import why_rejected
from irsa_cli.core.objects.workloads import Workload, workload
from irsa_cli.core.uses.credentials import Credentials, credentials_of, is_without, ways_of
from irsa_cli.core.uses.new_pods import Templates, doubts_of, of_template
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.core.uses.webhook import SKIPPED_CONTAINERS, SKIPPED_PODS, injected
from irsa_cli.sandbox.kube.admission import PodWebhook
from tests.support.thoroughness import examples

Json = dict[str, Any]
IRSA, POD_IDENTITY = IdentitySource.IRSA, IdentitySource.POD_IDENTITY
ROLE = "arn:aws:iam::111122223333:role/app"
FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
TOKEN = f"{FOLDER}/token"


def env(**values: str | None) -> list[Json]:
    """Variables; None for one whose value is elsewhere."""
    elsewhere = {"valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}}
    return [
        {"name": name, **(elsewhere if text is None else {"value": text})} for name, text in values.items()
    ]


BY_HAND = env(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=TOKEN)
OWN_VOLUME = {"name": "own", "projected": {"sources": [
    {"serviceAccountToken": {"audience": "vault", "path": "vault"}},
    {"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "token"}},
]}}  # fmt: skip
OWN = env(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="/own/token")


def deployment(
    container: Json, annotations: Json | None = None, labels: Json | None = None, **spec: Any
) -> Workload:
    main = {"name": "main", "image": "app:1", **container}
    template = {
        "metadata": {"labels": labels or {}, "annotations": annotations or {}},
        "spec": {"serviceAccountName": "app", "containers": [main], **spec},
    }
    body = {
        "metadata": {"name": "web", "namespace": "backend"},
        "spec": {"replicas": 0, "template": template},
    }
    return workload("Deployment", body)


LOST = f"container main: AWS_WEB_IDENTITY_TOKEN_FILE is {TOKEN}, and no volume mounts a token there"
TABLE: dict[str, tuple[Workload, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # the template: what is lost, what is kept, what is not known
    "nothing of its own": (deployment({}), (), (), ()),
    "relies on the webhook's volume": (deployment({"env": BY_HAND}), (LOST,), (), ()),
    "only the file": (deployment({"env": BY_HAND[1:]}), (LOST,), (), ()),
    "an init container": (
        deployment({}, initContainers=[{"name": "init", "env": BY_HAND, "restartPolicy": "Always"}]),
        (LOST.replace("main", "init"),), (), (),
    ),
    "a file elsewhere in the webhook's folder": (
        deployment({"env": BY_HAND, "volumeMounts": [{"name": "aws-iam-token", "mountPath": FOLDER}]}),
        ("container main mounts the volume aws-iam-token, which the pod does not have",), (), (),
    ),
    "a token of its own": (
        deployment(
            {"env": OWN, "volumeMounts": [{"name": "own", "mountPath": "/own"}]}, volumes=[OWN_VOLUME]
        ),
        (), ("main",), (),
    ),
    "a token of its own for another role": (
        deployment(
            {"env": env(AWS_ROLE_ARN=f"{ROLE}2", AWS_WEB_IDENTITY_TOKEN_FILE="/own/token"),
             "volumeMounts": [{"name": "own", "mountPath": "/own"}]},
            volumes=[OWN_VOLUME],
        ),
        (), (), (),
    ),
    "a file that a sidecar writes": (
        deployment(
            {"env": OWN, "volumeMounts": [{"name": "shared", "mountPath": "/own"}]},
            volumes=[{"name": "shared", "emptyDir": {}}],
        ),
        (), (), ("volume shared of container main",),
    ),
    "a file from elsewhere": (
        deployment({"env": env(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=None)}),
        (), (), ("env AWS_WEB_IDENTITY_TOKEN_FILE of container main",),
    ),
    "a file by another variable": (
        deployment({"env": env(D=FOLDER, AWS_WEB_IDENTITY_TOKEN_FILE="$(D)/token")}),
        (LOST,), (), (),
    ),
    "variables of a ConfigMap": (
        deployment({"envFrom": [{"configMapRef": {"name": "settings"}}]}),
        (), (), ("envFrom configmap/settings of container main",),
    ),
    "variables of a Secret with a prefix": (
        deployment({"envFrom": [{"prefix": "AWS_", "secretRef": {"name": "s"}}]}),
        (), (), ("envFrom secret/s (prefix AWS_) of container main",),
    ),
    "variables with a prefix that is none of AWS's": (
        deployment({"envFrom": [{"prefix": "APP_", "configMapRef": {"name": "settings"}}]}), (), (), (),
    ),
    "variables of the new way set to nothing": (
        deployment({"env": env(AWS_CONTAINER_CREDENTIALS_FULL_URI="")}),
        ("container main: it sets AWS_CONTAINER_CREDENTIALS_FULL_URI to nothing",), (), (),
    ),
    "a credential server of its own": (
        deployment({"env": env(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1/")}),
        ("container main: it sets AWS_CONTAINER_CREDENTIALS_FULL_URI"
         " without AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",),
        (), (),
    ),
    "the file set to nothing": (deployment({"env": env(AWS_WEB_IDENTITY_TOKEN_FILE="")}), (), (), ()),
    "skipped, and nothing of its own": (deployment({}, {SKIPPED_CONTAINERS: "x,main"}), (), (), ()),
    "not for the webhook": (deployment({"env": BY_HAND}, labels={SKIPPED_PODS: ""}), (), (), ()),
    "all variables of its own: the webhook mounts nothing": (
        deployment({"env": [*BY_HAND, *env(AWS_REGION="x", AWS_STS_REGIONAL_ENDPOINTS="regional")]}),
        (), (), (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_templates(name: str) -> None:
    template, lost, kept, doubts = TABLE[name]
    found = of_template(template, POD_IDENTITY, ROLE)
    assert (found.lost, found.kept, found.doubts) == (lost, kept, doubts)


def test_the_claims_of_a_stateful_set_are_volumes() -> None:
    template = {
        "spec": {"containers": [{"name": "main", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}]}
    }
    spec = {"template": template, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    found = workload("StatefulSet", {"metadata": {"name": "db", "namespace": "x"}, "spec": spec})
    assert why_rejected(kinds.pod(found.new_pod)) == ""
    assert of_template(found, POD_IDENTITY).lost == ()


def test_each_workload_is_judged_once_and_a_former_revision_never() -> None:
    def owned(kind: str, name: str, owner: str, replicas: int) -> Workload:
        references = [{"kind": owner, "name": "o", "controller": True}] if owner else []
        spec = {"replicas": replicas, "template": {"spec": {"serviceAccountName": "app", "containers": []}}}
        return workload(kind, {"metadata": {"name": name, "ownerReferences": references}, "spec": spec})

    found = Templates((
        owned("Deployment", "zero", "", 0),
        owned("ReplicaSet", "of-deployment", "Deployment", 1),
        owned("ReplicaSet", "former", "Rollout", 0),
        owned("ReplicaSet", "now", "Rollout", 2),
        owned("CronJob", "other", "", 0),
    ))  # fmt: skip
    assert [item.name for item in found.of("app")] == ["zero", "now"]
    assert found.of("other") == []


def test_unknown_fields_are_one_line() -> None:
    doubtful = [of_template(TABLE["variables of a ConfigMap"][0], POD_IDENTITY)] * 3
    (line,) = doubts_of(doubtful, POD_IDENTITY)
    assert line == (
        "not known if new pods of Deployment/web (and 2 more) get Pod Identity:"
        " irsa does not see into envFrom configmap/settings of container main"
    )
    assert not [*doubts_of([], POD_IDENTITY)]


def test_a_running_pod_by_variable_and_mounted_file() -> None:
    """The pod of a template that relies on the webhook's volume, after the association."""
    whole = kinds.pod(injected(deployment({"env": BY_HAND}).new_pod, POD_IDENTITY))
    assert ways_of(whole) == set()
    assert is_without(whole)
    assert ways_of(kinds.pod(injected(deployment({"env": BY_HAND}).new_pod, IRSA))) == {IRSA}
    bare = kinds.pod(deployment({}).new_pod)
    assert not is_without(bare)
    assert credentials_of(bare, bare.containers[0]) == Credentials(None)


NAMES = st.sampled_from([
    "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_REGION",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS", "OTHER",
])  # fmt: skip
PODS_TOKEN = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"
VALUES = st.sampled_from(["", ROLE, TOKEN, PODS_TOKEN, "/own/token", "http://169.254.170.23/v1/credentials"])
VOLUMES = ("own", "aws-iam-token", "eks-pod-identity-token")
MOUNTS = st.fixed_dictionaries(
    {"name": st.sampled_from(VOLUMES), "mountPath": st.sampled_from(["/own", FOLDER, f"{FOLDER}/"])}
)


@st.composite
def containers(draw: st.DrawFn, name: str) -> Json:
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    return {
        "name": name,
        "env": [{"name": item, "value": draw(VALUES)} for item in names],
        "volumeMounts": draw(st.lists(MOUNTS, max_size=2, unique_by=lambda item: item["name"])),
    }


@st.composite
def templates(draw: st.DrawFn) -> Workload:
    skipped = draw(st.sampled_from(["", "main", "main,init", '"', 'a"b,main', " main"]))
    selector = draw(st.sampled_from([{}, {"kubernetes.io/os": "windows"}, {"kubernetes.io/os": "linux"}]))
    spec: Json = {
        "initContainers": [draw(containers("init"))],
        "nodeSelector": selector,
        "volumes": [{**OWN_VOLUME, "name": name} for name in draw(st.sets(st.sampled_from(VOLUMES)))],
    }
    return deployment(draw(containers("main")), {SKIPPED_CONTAINERS: skipped} if skipped else {}, **spec)


def by_sandbox(pod: Mapping[str, Any], way: IdentitySource) -> Json:
    """The pod as the sandbox's webhook returns it, which shares no code with irsa."""
    webhook = PodWebhook(
        "eu-west-1", lambda *_: {"eks.amazonaws.com/role-arn": ROLE}, lambda *_: way is POD_IDENTITY
    )
    return webhook.mutate(copy.deepcopy(dict(pod)), "backend")


@given(templates(), st.sampled_from(IdentitySource))
@settings(max_examples=examples(200))
def test_the_rules_are_those_of_the_sandboxs_webhook(template: Workload, way: IdentitySource) -> None:
    mine, theirs = kinds.pod(injected(template.new_pod, way)), kinds.pod(by_sandbox(template.new_pod, way))
    assert why_rejected(mine) == why_rejected(theirs)
    for one, other in zip(mine.containers, theirs.containers, strict=True):
        assert credentials_of(mine, one) == credentials_of(theirs, other)
        assert one.every_mount == other.every_mount
