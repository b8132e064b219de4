"""The EKS pod identity webhook: what pods get, in the sandbox's API and through a real API server.

Judged by https://github.com/aws/amazon-eks-pod-identity-webhook (README) and the EKS user guide.
"""

import pytest
import yaml

from tests.contract.asking import Asking, contains
from tests.contract.clusters import ASSOCIATED, REGION
from tests.support.kubeclient import Json

ROLE = "role-arn: 'arn:aws:iam::111122223333:role/reader'"
FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
REGIONS = {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
ENDPOINTS = {"AWS_STS_REGIONAL_ENDPOINTS": "regional", **REGIONS}
FULL = {
    **ENDPOINTS,
    "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/reader",
    "AWS_WEB_IDENTITY_TOKEN_FILE": f"{FOLDER}/token",
}
LEGACY = {name: value for name, value in FULL.items() if not name.endswith("ENDPOINTS")}
BARE = {name: value for name, value in FULL.items() if name not in REGIONS}
WINDOWS = {
    **FULL,
    "AWS_WEB_IDENTITY_TOKEN_FILE": r"C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token",
}
PODS = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
ASSOCIATION = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{PODS}/eks-pod-identity-token",
}
MOUNT = f"containers: [{{volumeMounts: [{{name: aws-iam-token, readOnly: true, mountPath: {FOLDER}}}]}}]"
NOTHING = "{volumes: null, containers: [{volumeMounts: null}]}"
OWN = dict.fromkeys(FULL, "mine")
HAS_ALL = ", ".join(f"{{name: {key}, value: mine}}" for key in FULL)


def token(audience: str = "sts.amazonaws.com", seconds: int = 86400, name: str = "aws-iam-token") -> str:
    """The only volume, with a token."""
    path = ", path: token" if name == "aws-iam-token" else ""
    inside = f"{{audience: {audience}, expirationSeconds: {seconds}{path}}}"
    sources = f"{{sources: [{{serviceAccountToken: {inside}}}], defaultMode: 420}}"
    return f"volumes: [{{name: {name}, projected: {sources}}}]"


def container(name: str, value: str = "mine") -> str:
    """A container that has a variable already."""
    return f"spec: {{containers: [{{name: app, image: a, env: [{{name: {name}, value: {value}}}]}}]}}"


def pod(annotation: str) -> str:
    """A pod with an annotation."""
    return f"metadata: {{annotations: {{{annotation}}}}}"


def show(asking: Asking, annotations: str, of_pod: str = "", name: str = "web") -> Json:
    """A ServiceAccount with annotations below eks.amazonaws.com/, and a pod of it; `env` by names."""
    keys = {
        f"eks.amazonaws.com/{key}": value for key, value in (yaml.safe_load(f"{{{annotations}}}")).items()
    }
    account = {"metadata": {"name": name, "annotations": keys}, "automountServiceAccountToken": False}
    place = f"/api/v1/namespaces/{asking.words['ns']}"
    assert asking.cluster.admin.create(f"{place}/serviceaccounts", account).status == 201
    own = yaml.safe_load(of_pod) or {}
    spec = {
        "serviceAccountName": name,
        "containers": [{"name": "app", "image": "app"}],
        **own.get("spec", {}),
    }
    body = {"metadata": {"name": "web-0", **own.get("metadata", {})}, "spec": spec}
    answer = asking.cluster.admin.create(f"{place}/pods", body, dryRun="All")
    assert answer.status == 201, answer.text
    found: Json = answer.body["spec"]
    return found


def env(container: Json) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container.get("env", [])}


@pytest.mark.parametrize(
    ("annotations", "of_pod", "variables", "spec"),
    [
        (ROLE, "", FULL, MOUNT),
        (ROLE, "", FULL, token()),
        ("", "", {}, NOTHING),
        ("audience: sts.amazonaws.com", "", {}, NOTHING),
        ("role-arn: ''", "", {}, NOTHING),
        (f"{ROLE}, audience: other", "", FULL, token("other")),
        # How long a token lasts.
        (f"{ROLE}, token-expiration: '3600'", "", FULL, token(seconds=3600)),
        (
            f"{ROLE}, token-expiration: '3600'",
            pod("eks.amazonaws.com/token-expiration: '7200'"),
            FULL,
            token(seconds=7200),
        ),
        (ROLE, pod("eks.amazonaws.com/token-expiration: '7200'"), FULL, token(seconds=7200)),
        (f"{ROLE}, token-expiration: '60'", "", FULL, token(seconds=600)),
        (
            f"{ROLE}, token-expiration: '3600'",
            pod("eks.amazonaws.com/token-expiration: '60'"),
            FULL,
            token(seconds=600),
        ),
        (f"{ROLE}, token-expiration: an hour", "", FULL, token()),
        (
            f"{ROLE}, token-expiration: '3600'",
            pod("eks.amazonaws.com/token-expiration: an hour"),
            FULL,
            token(seconds=3600),
        ),
        (f"{ROLE}, sts-regional-endpoints: 'true'", "", FULL, MOUNT),
        (f"{ROLE}, sts-regional-endpoints: 'false'", "", LEGACY, MOUNT),
        (f"{ROLE}, sts-regional-endpoints: perhaps", "", FULL, MOUNT),
        # One of the two variables keeps both away, and a region that is there is kept.
        (ROLE, container("AWS_ROLE_ARN"), {"AWS_ROLE_ARN": "mine", **ENDPOINTS}, MOUNT),
        (
            ROLE,
            container("AWS_WEB_IDENTITY_TOKEN_FILE"),
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "mine", **ENDPOINTS},
            MOUNT,
        ),
        (
            ROLE,
            container("AWS_REGION", "us-east-1"),
            {**BARE, "AWS_REGION": "us-east-1"},
            MOUNT,
        ),
        (
            ROLE,
            container("AWS_DEFAULT_REGION", "us-east-1"),
            {**BARE, "AWS_DEFAULT_REGION": "us-east-1"},
            MOUNT,
        ),
        (
            ROLE,
            f"spec: {{containers: [{{name: a, image: a, env: [{HAS_ALL}]}}]}}",
            OWN,
            "containers: [{volumeMounts: null}]",
        ),
        (
            ROLE,
            "spec: {volumes: [{name: aws-iam-token, emptyDir: {}}]}",
            FULL,
            "volumes: [{name: aws-iam-token, emptyDir: {}, projected: null}]",
        ),
        (ROLE, "spec: {nodeSelector: {kubernetes.io/os: windows}}", WINDOWS, token()),
        (ROLE, "metadata: {labels: {eks.amazonaws.com/skip-pod-identity-webhook: anything}}", {}, NOTHING),
    ],
)
def test_what_a_pod_gets(
    asking: Asking, annotations: str, of_pod: str, variables: dict[str, str], spec: str
) -> None:
    found = show(asking, annotations, of_pod)
    assert env(found["containers"][0]) == variables
    contains(yaml.safe_load(spec), found)


def test_a_real_pod_gets_the_same(asking: Asking) -> None:
    expected = show(asking, ROLE)
    spec = "{serviceAccountName: web, containers: [{name: app, image: app}]}"
    asking.ask(f"POST $pods {{metadata: {{name: web-0}}, spec: {spec}}}")
    found = asking.ask("GET $pods/web-0").body["spec"]
    assert (found["containers"], found["volumes"]) == (expected["containers"], expected["volumes"])


def test_all_containers_but_those_that_are_skipped(asking: Asking) -> None:
    skip = "annotations: {eks.amazonaws.com/skip-containers: 'sidecar,first'}"
    containers = "containers: [{name: app, image: a}, {name: sidecar, image: a}]"
    before = "initContainers: [{name: first, image: a}, {name: second, image: a}]"
    spec = show(asking, ROLE, f"{{metadata: {{{skip}}}, spec: {{{containers}, {before}}}}}")
    equipped = [item["name"] for item in [*spec["initContainers"], *spec["containers"]] if env(item) == FULL]
    assert equipped == ["second", "app"]


def test_an_association_comes_first(asking: Asking) -> None:
    spec = show(asking, ROLE, name=ASSOCIATED)
    found = env(spec["containers"][0])
    assert ASSOCIATION.items() <= found.items()
    assert "AWS_ROLE_ARN" not in found
    contains(yaml.safe_load(token("pods.eks.amazonaws.com", 86400, "eks-pod-identity-token")), spec)


def test_its_configuration(asking: Asking) -> None:
    (webhook,) = asking.ask("GET $webhooks/pod-identity-webhook").body["webhooks"]
    assert (webhook["failurePolicy"], webhook["namespaceSelector"]) == ("Ignore", {})
    (expression,) = webhook["objectSelector"]["matchExpressions"]
    assert expression == {"key": "eks.amazonaws.com/skip-pod-identity-webhook", "operator": "DoesNotExist"}
