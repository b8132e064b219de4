"""What the sandbox's API does and a bare API server does not: the controllers' part, reset, refusals.

And what a real server does only after a while: a webhook's configuration that has changed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from werkzeug.test import Client, TestResponse

from irsa_cli.sandbox.kube.admission import Webhook
from irsa_cli.sandbox.kube.api import KubeApi
from irsa_cli.sandbox.model import Rule
from tests.contract.clusters import identify, token_of

NAMESPACES = "/api/v1/namespaces"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/pod-identity-webhook"
ADMIN = {"Authorization": f"Bearer {token_of('admin', ['system:masters'])}"}

Send = Callable[..., TestResponse]


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    """A key for all clusters here: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def api(signing_key: rsa.RSAPrivateKey) -> KubeApi:
    """A cluster of the sandbox, controllers and all."""
    return KubeApi("https://oidc.example/id/A", signing_key, identify, webhook=Webhook("eu-west-1"))


@pytest.fixture
def send(api: KubeApi) -> Send:
    """Send a request as an administrator, without a socket."""

    def request(method: str, path: str, body: object = None, **options: Any) -> TestResponse:
        if body is not None:
            options["json"] = body
        return Client(api).open(path, method=method, headers=ADMIN, **options)

    return request


def test_a_new_namespace_has_the_default_account(api: KubeApi, send: Send) -> None:
    assert send("POST", NAMESPACES, {"metadata": {"name": "team"}}).status_code == 201
    assert "team/default" in api.world()["serviceaccounts"]


def test_a_dry_run_has_no_default_account(api: KubeApi, send: Send) -> None:
    before = api.world()
    path = f"{NAMESPACES}?dryRun=All"
    assert send("POST", path, {"metadata": {"name": "team"}}).status_code == 201
    assert api.world() == before


def test_a_deleted_namespace_goes_with_all_that_is_in_it(api: KubeApi, send: Send) -> None:
    before = api.world()
    send("POST", NAMESPACES, {"metadata": {"name": "team"}})
    send("POST", f"{NAMESPACES}/team/serviceaccounts", {"metadata": {"name": "app"}})
    answer = send("DELETE", f"{NAMESPACES}/team")
    assert answer.json is not None
    assert answer.json["status"]["phase"] == "Terminating"
    assert api.world() == before
    assert send("GET", f"{NAMESPACES}/team").status_code == 404
    assert send("POST", NAMESPACES, {"metadata": {"name": "team"}}).status_code == 201


def test_reset_leaves_a_new_cluster(api: KubeApi, send: Send) -> None:
    def places(world: dict[str, Any]) -> tuple[list[str], list[str]]:
        return sorted(world["namespaces"]), sorted(world["serviceaccounts"])

    before = api.world()
    keys = api.jwks()
    user = {"Authorization": f"Bearer {token_of('user')}"}
    api.set_rules("user", [Rule(("*",), ("*",))])
    send("POST", NAMESPACES, {"metadata": {"name": "team"}})
    assert Client(api).get(NAMESPACES, headers=user).status_code == 200
    api.reset()
    assert places(api.world()) == places(before)
    assert Client(api).get(NAMESPACES, headers=user).status_code == 403
    assert api.jwks() == keys


def test_keys_are_public_only(api: KubeApi) -> None:
    (key,) = api.jwks()["keys"]
    assert not set(key) & {"d", "p", "q", "dp", "dq", "qi"}


def test_what_comes_out_is_not_the_store(api: KubeApi) -> None:
    api.world()["namespaces"]["default"]["labels"]["a"] = "b"
    assert "a" not in api.world()["namespaces"]["default"]["labels"]


@pytest.mark.parametrize("query", ["watch=true", "continue=a"])
def test_queries_that_would_be_ignored_are_refused(send: Send, query: str) -> None:
    assert send("GET", f"{NAMESPACES}?{query}").status_code == 400


def test_put_is_refused(api: KubeApi, send: Send) -> None:
    before = api.world()
    answer = send("PUT", f"{NAMESPACES}/default/serviceaccounts/default", {"metadata": {"name": "default"}})
    assert answer.status_code == 405
    assert api.world() == before


def test_one_of_many_creators_wins(send: Send) -> None:
    def create(_: int) -> int:
        return send(
            "POST", f"{NAMESPACES}/default/serviceaccounts", {"metadata": {"name": "app"}}
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(40)))
    assert sorted(set(answers)) == [201, 409]
    assert answers.count(201) == 1


def test_no_writer_is_lost(api: KubeApi, send: Send) -> None:
    path = f"{NAMESPACES}/default/serviceaccounts/default"

    def annotate(number: int) -> int:
        patch = {"metadata": {"annotations": {f"k{number}": "v"}}}
        return send("PATCH", path, patch, content_type="application/merge-patch+json").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(annotate, range(40))) == {200}
    assert len(api.world()["serviceaccounts"]["default/default"]["annotations"]) == 40


@pytest.fixture
def show(send: Send) -> Callable[[], TestResponse]:
    """Create a pod, for show, of an annotated ServiceAccount in the namespace `team`."""
    send("POST", NAMESPACES, {"metadata": {"name": "team", "labels": {"team": "a"}}})
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/reader"}
    account = {"metadata": {"name": "app", "annotations": annotations}}
    assert send("POST", f"{NAMESPACES}/team/serviceaccounts", account).status_code == 201
    spec = {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]}
    pod = {"metadata": {"name": "web"}, "spec": spec}
    return lambda: send("POST", f"{NAMESPACES}/team/pods?dryRun=All", pod)


def change(send: Send, **fields: object) -> None:
    """Change the webhook's configuration."""
    (old,) = send("GET", WEBHOOK).json["webhooks"]  # type: ignore[index]
    patch = {"webhooks": [{**old, **fields}]}
    assert send("PATCH", WEBHOOK, patch, content_type="application/merge-patch+json").status_code == 200


def test_the_webhook_can_be_removed_and_comes_back(
    api: KubeApi, send: Send, show: Callable[[], TestResponse]
) -> None:
    assert "AWS_ROLE_ARN" in show().text
    assert send("DELETE", WEBHOOK).status_code == 200
    assert "AWS_ROLE_ARN" not in show().text
    api.reset()
    assert send("GET", WEBHOOK).status_code == 200


def test_a_webhook_that_cannot_be_reached_is_ignored(send: Send, show: Callable[[], TestResponse]) -> None:
    change(send, clientConfig={"url": "https://127.0.0.1:23443/mutate", "caBundle": "b3RoZXI="})
    answer = show()
    assert answer.status_code == 201
    assert "AWS_ROLE_ARN" not in answer.text


def test_a_webhook_that_must_be_reached_refuses_the_pod(send: Send, show: Callable[[], TestResponse]) -> None:
    change(send, clientConfig={"url": "https://127.0.0.1:1/"}, failurePolicy="Fail")
    answer = show()
    assert answer.json is not None
    assert (answer.status_code, answer.json["reason"]) == (500, "InternalError")


@pytest.mark.parametrize(
    ("selector", "injected"),
    [
        ({"matchLabels": {"team": "a"}}, True),
        ({"matchLabels": {"team": "b"}}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_namespace_selector(
    send: Send, show: Callable[[], TestResponse], selector: dict[str, Any], injected: bool
) -> None:
    change(send, namespaceSelector=selector)
    assert ("AWS_ROLE_ARN" in show().text) == injected


def test_a_cluster_without_the_webhook(signing_key: rsa.RSAPrivateKey) -> None:
    bare = KubeApi("https://oidc.example/id/B", signing_key, identify)
    assert Client(bare).get(WEBHOOK, headers=ADMIN).status_code == 404


def test_a_pod_on_a_node_is_gone_at_once(send: Send, show: Callable[[], TestResponse]) -> None:
    spec = {"serviceAccountName": "app", "containers": [{"name": "a", "image": "a"}], "nodeName": "node-1"}
    send("POST", f"{NAMESPACES}/team/pods", {"metadata": {"name": "web"}, "spec": spec})
    assert send("DELETE", f"{NAMESPACES}/team/pods/web").status_code == 200
    assert send("GET", f"{NAMESPACES}/team/pods/web").status_code == 404
