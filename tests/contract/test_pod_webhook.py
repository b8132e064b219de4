"""The EKS pod identity webhook: what pods get, in the sandbox's API and through a real API server.

Judged by https://github.com/aws/amazon-eks-pod-identity-webhook (README) and the EKS user guide.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.contract.clusters import ASSOCIATED, REGION, Cluster
from tests.support.kubeclient import Json

ROLE = "arn:aws:iam::111122223333:role/reader"
FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
FULL = {
    "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ROLE_ARN": ROLE,
    "AWS_WEB_IDENTITY_TOKEN_FILE": f"{FOLDER}/token",
}
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/pod-identity-webhook"

Show = Callable[..., Json]


@pytest.fixture
def show(cluster: Cluster, namespace: str) -> Show:
    """Make a ServiceAccount with annotations below eks.amazonaws.com/, and show a pod of it."""

    def shown(
        annotations: Mapping[str, str], *, name: str = "app", metadata: Json | None = None, **spec: Any
    ) -> Json:
        place = f"/api/v1/namespaces/{namespace}"
        keys = {f"eks.amazonaws.com/{key}": value for key, value in annotations.items()}
        account = {"metadata": {"name": name, "annotations": keys}, "automountServiceAccountToken": False}
        assert cluster.admin.create(f"{place}/serviceaccounts", account).status == 201
        whole = {"serviceAccountName": name, "containers": [{"name": "app", "image": "app"}], **spec}
        pod = {"metadata": {"name": "web-0", **(metadata or {})}, "spec": whole}
        answer = cluster.admin.create(f"{place}/pods", pod, dryRun="All")
        assert answer.status == 201, answer.text
        found: Json = answer.body["spec"]
        return found

    return shown


def env(container: Json) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container.get("env", [])}


def token(spec: Json) -> Json:
    """The projected token of the only volume."""
    (volume,) = spec["volumes"]
    (source,) = volume["projected"]["sources"]
    found: Json = source["serviceAccountToken"]
    return found


def test_all_that_it_adds(show: Show) -> None:
    spec = show({"role-arn": ROLE})
    (container,) = spec["containers"]
    assert env(container) == FULL
    assert container["volumeMounts"] == [{"name": "aws-iam-token", "readOnly": True, "mountPath": FOLDER}]
    projected = {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}
    sources = {"sources": [{"serviceAccountToken": projected}], "defaultMode": 420}
    assert spec["volumes"] == [{"name": "aws-iam-token", "projected": sources}]


@pytest.mark.parametrize("annotations", [{}, {"audience": "sts.amazonaws.com"}, {"role-arn": ""}])
def test_nothing_without_a_role(show: Show, annotations: dict[str, str]) -> None:
    spec = show(annotations)
    assert env(spec["containers"][0]) == {}
    assert "volumes" not in spec


def test_a_real_pod_gets_the_same(cluster: Cluster, namespace: str, show: Show) -> None:
    expected = show({"role-arn": ROLE})
    path = f"/api/v1/namespaces/{namespace}/pods"
    pod = {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]}
    assert cluster.admin.create(path, {"metadata": {"name": "web-0"}, "spec": pod}).status == 201
    found = cluster.admin.get(f"{path}/web-0").body["spec"]
    assert (found["containers"], found["volumes"]) == (expected["containers"], expected["volumes"])


def test_audience(show: Show) -> None:
    assert token(show({"role-arn": ROLE, "audience": "other"}))["audience"] == "other"


@pytest.mark.parametrize(
    ("account", "pod", "seconds"),
    [
        ("3600", None, 3600),
        ("3600", "7200", 7200),
        (None, "7200", 7200),
        ("60", None, 600),
        ("3600", "60", 600),
        ("an hour", None, 86400),
        ("3600", "an hour", 3600),
    ],
)
def test_expiration(show: Show, account: str | None, pod: str | None, seconds: int) -> None:
    annotations = {"role-arn": ROLE} | ({"token-expiration": account} if account else {})
    own = {"annotations": {"eks.amazonaws.com/token-expiration": pod}} if pod else {}
    assert token(show(annotations, metadata=own))["expirationSeconds"] == seconds


@pytest.mark.parametrize(("value", "regional"), [("true", True), ("false", False), ("perhaps", True)])
def test_regional_endpoints(show: Show, value: str, regional: bool) -> None:
    spec = show({"role-arn": ROLE, "sts-regional-endpoints": value})
    assert ("AWS_STS_REGIONAL_ENDPOINTS" in env(spec["containers"][0])) == regional


def test_all_containers_but_those_that_are_skipped(show: Show) -> None:
    containers = [{"name": name, "image": "a"} for name in ("app", "sidecar")]
    skip = {"annotations": {"eks.amazonaws.com/skip-containers": "sidecar,first"}}
    before = [{"name": name, "image": "a"} for name in ("first", "second")]
    spec = show({"role-arn": ROLE}, metadata=skip, containers=containers, initContainers=before)
    equipped = {
        container["name"]: env(container) == FULL
        for container in [*spec["initContainers"], *spec["containers"]]
    }
    assert equipped == {"first": False, "second": True, "app": True, "sidecar": False}


@pytest.mark.parametrize("name", ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"])
def test_one_of_the_two_keeps_both_away(show: Show, name: str) -> None:
    containers = [{"name": "app", "image": "a", "env": [{"name": name, "value": "mine"}]}]
    (container,) = show({"role-arn": ROLE}, containers=containers)["containers"]
    rest = {key: value for key, value in FULL.items() if key.endswith(("REGION", "ENDPOINTS"))}
    assert env(container) == {name: "mine", **rest}
    assert container["volumeMounts"][0]["name"] == "aws-iam-token"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_a_region_that_is_there_is_kept(show: Show, name: str) -> None:
    containers = [{"name": "app", "image": "a", "env": [{"name": name, "value": "us-east-1"}]}]
    (container,) = show({"role-arn": ROLE}, containers=containers)["containers"]
    regions = {key: value for key, value in env(container).items() if key.endswith("REGION")}
    assert regions == {name: "us-east-1"}


def test_a_container_that_has_it_all_is_left_alone(show: Show) -> None:
    own = [{"name": key, "value": "mine"} for key in FULL]
    (container,) = show({"role-arn": ROLE}, containers=[{"name": "a", "image": "a", "env": own}])[
        "containers"
    ]
    assert set(env(container).values()) == {"mine"}
    assert "volumeMounts" not in container


def test_a_volume_of_that_name_is_kept(show: Show) -> None:
    spec = show({"role-arn": ROLE}, volumes=[{"name": "aws-iam-token", "emptyDir": {}}])
    assert spec["volumes"] == [{"name": "aws-iam-token", "emptyDir": {}}]


def test_windows(show: Show) -> None:
    spec = show({"role-arn": ROLE}, nodeSelector={"kubernetes.io/os": "windows"})
    path = r"C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token"
    assert env(spec["containers"][0])["AWS_WEB_IDENTITY_TOKEN_FILE"] == path


def test_a_label_opts_out(show: Show) -> None:
    labels = {"eks.amazonaws.com/skip-pod-identity-webhook": "anything"}
    assert env(show({"role-arn": ROLE}, metadata={"labels": labels})["containers"][0]) == {}


def test_an_association_comes_first(show: Show) -> None:
    spec = show({"role-arn": ROLE}, name=ASSOCIATED)
    found = env(spec["containers"][0])
    folder = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
    assert found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://169.254.170.23/v1/credentials"
    assert found["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] == f"{folder}/eks-pod-identity-token"
    assert "AWS_ROLE_ARN" not in found
    assert (token(spec)["audience"], spec["volumes"][0]["name"]) == (
        "pods.eks.amazonaws.com",
        "eks-pod-identity-token",
    )


def test_its_configuration(cluster: Cluster) -> None:
    body = cluster.admin.get(WEBHOOK).body
    (webhook,) = body["webhooks"]
    assert webhook["failurePolicy"] == "Ignore"
    assert webhook["namespaceSelector"] == {}
    (expression,) = webhook["objectSelector"]["matchExpressions"]
    assert expression == {"key": "eks.amazonaws.com/skip-pod-identity-webhook", "operator": "DoesNotExist"}
