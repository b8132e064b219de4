"""What the sandbox's API does and a bare API server does not: the controllers' part, reset, refusals.

And what a real server does only after a while: a webhook's configuration that has changed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from werkzeug.test import Client, TestResponse

from irsa_cli.sandbox.kube.admission import Webhook
from irsa_cli.sandbox.kube.api import KubeApi
from irsa_cli.sandbox.model import Rule
from tests.contract.clusters import identify, token_of

SPACES = "/api/v1/namespaces"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/pod-identity-webhook"
POD = "{metadata: {name: web}, spec: {serviceAccountName: app, containers: [{name: app, image: app}]}}"
TEAM = f"POST {SPACES} {{metadata: {{name: team, labels: {{team: a}}}}}}"
APP = f"POST {SPACES}/team/serviceaccounts {{metadata: {{name: app}}}}"

Send = Callable[..., TestResponse]


def as_user(name: str, *groups: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(name, groups)}"}


ADMIN = as_user("admin", "system:masters")


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
    """Send a request as an administrator, without a socket: a method, a path, and a body in YAML."""

    def request(line: str) -> TestResponse:
        method, path, body = f"{line}  ".split(" ", 2)
        options: Any = {"json": yaml.safe_load(body)} if body.strip() else {}
        if method == "PATCH":
            options["content_type"] = "application/merge-patch+json"
        return Client(api).open(path, method=method, headers=ADMIN, **options)

    return request


def test_a_new_namespace_has_the_default_account_and_goes_with_all_that_is_in_it(
    api: KubeApi, send: Send
) -> None:
    before = api.world()
    assert send(TEAM.replace(" {", "?dryRun=All {", 1)).status_code == 201
    assert api.world() == before
    for _ in range(2):
        assert [send(TEAM).status_code, send(APP).status_code] == [201, 201]
        assert {"team/default", "team/app"} <= set(api.world()["serviceaccounts"])
        answer = send(f"DELETE {SPACES}/team")
        assert answer.json is not None
        assert answer.json["status"]["phase"] == "Terminating"
        assert api.world() == before
        assert send(f"GET {SPACES}/team").status_code == 404


def test_reset_leaves_a_new_cluster(api: KubeApi, send: Send) -> None:
    def places() -> list[list[str]]:
        return [sorted(api.world()[kind]) for kind in ("namespaces", "serviceaccounts")]

    def status() -> int:
        return Client(api).get(SPACES, headers=as_user("user")).status_code

    before, keys = places(), api.jwks()
    api.set_rules("user", [Rule(("*",), ("*",))])
    send(TEAM)
    assert status() == 200
    api.reset()
    assert (places(), status(), api.jwks()) == (before, 403, keys)


def test_nothing_secret_and_nothing_shared_comes_out(api: KubeApi) -> None:
    (key,) = api.jwks()["keys"]
    assert not set(key) & {"d", "p", "q", "dp", "dq", "qi"}
    api.world()["namespaces"]["default"]["labels"]["a"] = "b"
    assert "a" not in api.world()["namespaces"]["default"]["labels"]


@pytest.mark.parametrize("line", [f"GET {SPACES}?watch=true", f"GET {SPACES}?continue=a"])
def test_what_would_be_ignored_is_refused(api: KubeApi, send: Send, line: str) -> None:
    before = api.world()
    assert send(line).status_code == 400
    assert api.world() == before


def test_one_of_many_creators_wins(send: Send) -> None:
    send(TEAM)
    with ThreadPoolExecutor(8) as pool:
        answers = [answer.status_code for answer in pool.map(send, [APP] * 40)]
    assert sorted(answers) == [201, *[409] * 39]


def test_no_writer_is_lost(api: KubeApi, send: Send) -> None:
    path = f"{SPACES}/default/serviceaccounts/default"
    lines = [f"PATCH {path} {{metadata: {{annotations: {{k{number}: v}}}}}}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert {answer.status_code for answer in pool.map(send, lines)} == {200}
    assert len(api.world()["serviceaccounts"]["default/default"]["annotations"]) == 40


@pytest.fixture
def show(send: Send) -> Callable[[], TestResponse]:
    """Create a pod, for show, of an annotated ServiceAccount in the namespace `team`."""
    send(TEAM)
    role = "annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::111122223333:role/reader'}"
    assert send(APP.replace("app}", f"app, {role}}}")).status_code == 201
    return lambda: send(f"POST {SPACES}/team/pods?dryRun=All {POD}")


def change(send: Send, fields: str) -> None:
    """Change the webhook's configuration."""
    (old,) = send(f"GET {WEBHOOK}").json["webhooks"]  # type: ignore[index]
    webhook = {**old, **yaml.safe_load(f"{{{fields}}}")}
    assert (
        send(
            f"PATCH {WEBHOOK} {yaml.safe_dump({'webhooks': [webhook]}, default_flow_style=True)}"
        ).status_code
        == 200
    )


def test_the_webhook_can_be_removed_and_comes_back(
    api: KubeApi, send: Send, show: Callable[[], TestResponse]
) -> None:
    assert "AWS_ROLE_ARN" in show().text
    assert send(f"DELETE {WEBHOOK}").status_code == 200
    assert "AWS_ROLE_ARN" not in show().text
    api.reset()
    assert send(f"GET {WEBHOOK}").status_code == 200


def test_a_webhook_that_cannot_be_reached(send: Send, show: Callable[[], TestResponse]) -> None:
    change(send, "clientConfig: {url: 'https://127.0.0.1:23443/mutate', caBundle: b3RoZXI=}")
    ignored = show()
    assert (ignored.status_code, "AWS_ROLE_ARN" in ignored.text) == (201, False)
    change(send, "clientConfig: {url: 'https://127.0.0.1:1/'}, failurePolicy: Fail")
    answer = show()
    assert answer.json is not None
    assert (answer.status_code, answer.json["reason"]) == (500, "InternalError")


@pytest.mark.parametrize(
    ("selector", "injected"),
    [
        ("matchLabels: {team: a}", True),
        ("matchLabels: {team: b}", False),
        ("matchExpressions: [{key: team, operator: In, values: [a, b]}]", True),
        ("matchExpressions: [{key: team, operator: NotIn, values: [a]}]", False),
        ("matchExpressions: [{key: other, operator: NotIn, values: [a]}]", True),
        ("matchExpressions: [{key: team, operator: Exists}]", True),
        ("matchExpressions: [{key: team, operator: DoesNotExist}]", False),
    ],
)
def test_namespace_selector(
    send: Send, show: Callable[[], TestResponse], selector: str, injected: bool
) -> None:
    change(send, f"namespaceSelector: {{{selector}}}")
    assert ("AWS_ROLE_ARN" in show().text) == injected


def test_a_cluster_without_the_webhook(signing_key: rsa.RSAPrivateKey) -> None:
    bare = KubeApi("https://oidc.example/id/B", signing_key, identify)
    assert Client(bare).get(WEBHOOK, headers=ADMIN).status_code == 404


@pytest.mark.usefixtures("show")
def test_a_pod_on_a_node_is_gone_at_once(send: Send) -> None:
    assert send(f"POST {SPACES}/team/pods {POD.replace('app,', 'app, nodeName: n,', 1)}").status_code == 201
    assert send(f"DELETE {SPACES}/team/pods/web").status_code == 200
    assert send(f"GET {SPACES}/team/pods/web").status_code == 404
