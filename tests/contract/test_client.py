"""irsa's own client on both APIs: what it reads of a cluster, and tokens with their end."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.kube import calls
from irsa_cli.kube.client import Contents, Kube
from irsa_cli.sandbox.model import Rule
from tests.contract.clusters import Cluster
from tests.support.kubeclient import Json
from tests.support.kubes import kube_of

POD = {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


@pytest.fixture
def kube(cluster: Cluster) -> Kube:
    """irsa's client, as an administrator."""
    return kube_of(cluster.admin)


def names(found: list[Json]) -> list[str]:
    return [item["metadata"]["name"] for item in found]


def places(found: list[Json]) -> list[tuple[str, str]]:
    return [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found]


@pytest.mark.parametrize("page", [2, 500])
def test_lists(
    cluster: Cluster, kube: Kube, namespace: str, accounts: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PAGE", page)
    expected = [f"app-{number}" for number in range(5)]
    for name in expected:
        cluster.admin.create(accounts, {"metadata": {"name": name}})
        body = {"metadata": {"name": name}, "spec": {**POD, "serviceAccountName": name}}
        cluster.admin.create(f"/api/v1/namespaces/{namespace}/pods", body)
    assert names(kube.service_accounts(namespace)) == names(kube.pods(namespace)) == expected
    wanted = {(namespace, name) for name in expected}
    for everywhere in (places(kube.service_accounts()), places(kube.pods())):
        assert wanted <= set(everywhere)
        assert len(set(everywhere)) == len(everywhere)
    assert namespace in names(kube.namespaces())


def test_pods(kube: Kube, namespace: str, account: str) -> None:
    body = {"metadata": {"name": "web-0"}, "spec": POD}
    assert kube.create_pod(namespace, body)["spec"]["serviceAccountName"] == "app"
    assert kube.one("pods", namespace, "web-0") is None
    made = kube.create_pod(namespace, body, dry_run=False)
    found = kube.one("pods", namespace, "web-0")
    assert found is not None
    assert found["metadata"]["uid"] == made["metadata"]["uid"]


def test_webhooks(kube: Kube) -> None:
    assert "pod-identity-webhook" in names(kube.all("mutatingwebhookconfigurations"))


def test_token(cluster: Cluster, kube: Kube, namespace: str, account: str) -> None:
    pod = kube.create_pod(namespace, {"metadata": {"name": "web-0"}, "spec": POD}, dry_run=False)
    uid = pod["metadata"]["uid"]
    answer = kube.token_request(namespace, "app", "sts.amazonaws.com", seconds=900, pod=("web-0", uid))
    claims = jwt.decode(answer.token, KeySet.import_key_set(kube.jwks()), algorithms=["RS256"]).claims  # type: ignore[arg-type]
    path = "/.well-known/openid-configuration"
    assert claims["iss"] == cluster.issuer == kube.get(f"get {path}", path)["issuer"]
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["kubernetes.io"]["pod"] == {"name": "web-0", "uid": uid}
    assert answer.expires == datetime.fromtimestamp(claims["exp"], timezone.utc)
    left = answer.expires - datetime.now(timezone.utc)
    assert timedelta(seconds=840) < left <= timedelta(seconds=900)
    assert answer.token not in repr(answer)


def test_token_of_nothing(kube: Kube, namespace: str, account: str) -> None:
    claims = jwt.decode(
        kube.token(namespace, "app", "a"),
        KeySet.import_key_set(kube.jwks()),  # type: ignore[arg-type]
        algorithms=["RS256"],
    ).claims
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["a"], 600)
    assert "pod" not in claims["kubernetes.io"]


def test_what_is_not_allowed(cluster: Cluster, namespace: str) -> None:
    kube = kube_of(cluster.user(namespace))
    reads: list[tuple[str, Callable[[], object]]] = [
        ("list serviceaccounts", kube.service_accounts),
        ("list namespaces", kube.namespaces),
        ("list pods", lambda: kube.pods(namespace)),
        ("list mutatingwebhookconfigurations", lambda: kube.all("mutatingwebhookconfigurations")),
        ("get /openid/v1/jwks", kube.jwks),
    ]
    for operation, read in reads:
        with pytest.raises(ServiceError) as caught:
            read()
        assert (caught.value.status, caught.value.outcome) == (403, Outcome.REFUSED)
        assert caught.value.details == (f"missing RBAC permission: {operation}",)


def test_a_rehearsed_delete_deletes_nothing(kube: Kube, namespace: str, account: str) -> None:
    """Beside a body, an API server takes no options of the query."""
    found = kube.service_account(namespace, "app")
    assert found is not None
    uid, version = found["metadata"]["uid"], found["metadata"]["resourceVersion"]
    kube.delete("serviceaccounts", namespace, "app", uid=uid, resource_version=version, dry_run=True)
    assert kube.service_account(namespace, "app") == found
    kube.delete("serviceaccounts", namespace, "app", uid=uid, resource_version=version)
    assert kube.service_account(namespace, "app") is None


def test_an_empty_namespace(cluster: Cluster, kube: Kube, namespace: str, accounts: str) -> None:
    assert kube.contents(namespace) == Contents()
    cluster.admin.create(accounts, {"metadata": {"name": "default"}})
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    cluster.admin.create(path, {"metadata": {"name": "kube-root-ca.crt"}})
    assert kube.contents(namespace) == Contents()


@pytest.mark.parametrize(
    ("path", "name", "item"),
    [
        ("/api/v1/namespaces/{}/serviceaccounts", "theirs", "serviceaccount/theirs"),
        ("/api/v1/namespaces/{}/configmaps", "theirs", "configmap/theirs"),
        ("/api/v1/namespaces/{}/configmaps", "default", "configmap/default"),
        ("/api/v1/namespaces/{}/secrets", "default", "secret/default"),
        (LEASES, "theirs", "lease.coordination.k8s.io/theirs"),
    ],
)
def test_contents(cluster: Cluster, kube: Kube, namespace: str, path: str, name: str, item: str) -> None:
    answer = cluster.admin.create(path.format(namespace), {"metadata": {"name": name}})
    assert answer.status == 201, answer.text
    assert kube.contents(namespace) == Contents((item,))
    assert cluster.admin.delete(f"{path.format(namespace)}/{name}").status == 200
    assert kube.contents(namespace) == Contents()


def test_contents_of_which_some_may_not_be_listed(cluster: Cluster, namespace: str) -> None:
    cluster.admin.create(LEASES.format(namespace), {"metadata": {"name": "theirs"}})
    cluster.admin.create(f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "theirs"}})
    everything = Rule(("list",), ("*",), namespace, groups=("coordination.k8s.io",))
    kube = kube_of(cluster.user(f"{namespace}-leases", [everything]))
    contents = kube.contents(namespace)
    assert contents.items == ("lease.coordination.k8s.io/theirs",)
    assert {"secrets (Forbidden)", "pods (Forbidden)", "serviceaccounts (Forbidden)"} <= set(
        contents.unreadable
    )


def test_contents_for_a_caller_who_may_list_everything(cluster: Cluster, namespace: str) -> None:
    everything = Rule(("list",), ("*",), groups=("*",))
    assert kube_of(cluster.user(namespace, [everything])).contents(namespace) == Contents()
