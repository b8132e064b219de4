"""Who may do what: 401, 403, and SelfSubjectAccessReview."""

import pytest

from irsa_cli.sandbox.model import Rule
from tests.contract.clusters import Cluster, token_of
from tests.contract.statuses import assert_refused, causes
from tests.support.kubeclient import Answer, KubeClient

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def may(client: KubeClient, **attributes: str) -> bool:
    """Ask the server whether this client may do something."""
    answer = client.create(REVIEWS, {"spec": {"resourceAttributes": attributes}})
    assert answer.status == 201, answer.text
    return bool(answer.body["status"]["allowed"])


def assert_forbidden(answer: Answer, start: str, who: str, what: str) -> None:
    message = f'{start} is forbidden: User "{who}" cannot {what}'
    assert_refused(answer, 403, "Forbidden", message)


@pytest.mark.parametrize("path", ["/api/v1/namespaces", "/version", "/healthz"])
def test_unknown_token(cluster: Cluster, path: str) -> None:
    answer = cluster.connect("nobody").get(path)
    assert_refused(answer, 401, "Unauthorized", "Unauthorized")


def test_without_token(cluster: Cluster) -> None:
    answer = cluster.connect(None).get("/api/v1/namespaces")
    what = 'list resource "namespaces" in API group "" at the cluster scope'
    assert_forbidden(answer, "namespaces", "system:anonymous", what)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/openid/v1/jwks"])
def test_issuer_documents_are_not_for_everyone(cluster: Cluster, unique: str, path: str) -> None:
    anonymous = cluster.connect(None).get(path)
    message = f'forbidden: User "system:anonymous" cannot get path "{path}"'
    assert_refused(anonymous, 403, "Forbidden", message)
    assert_refused(cluster.user(unique).get(path), 403, "Forbidden")


def test_version_is_for_everyone(cluster: Cluster) -> None:
    body = cluster.connect(None).get("/version").body
    assert (body["major"], body["minor"]) == ("1", "36")
    assert body["gitVersion"].startswith("v1.36.")
    # Client libraries want all of them, though most of them may be empty.
    rest = {"gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"}
    assert rest <= set(body)


def test_get_namespace(cluster: Cluster, namespace: str) -> None:
    answer = cluster.user(namespace).get(f"/api/v1/namespaces/{namespace}")
    what = f'get resource "namespaces" in API group "" in the namespace "{namespace}"'
    assert_forbidden(answer, f'namespaces "{namespace}"', namespace, what)
    details = answer.body["details"]
    assert details == {"name": namespace, "kind": "namespaces"}


def test_create_namespace(cluster: Cluster, unique: str) -> None:
    answer = cluster.user(unique).create("/api/v1/namespaces", {"metadata": {"name": unique}})
    what = 'create resource "namespaces" in API group "" at the cluster scope'
    assert_forbidden(answer, "namespaces", unique, what)
    assert answer.body["details"] == {"kind": "namespaces"}


def test_create_account(cluster: Cluster, namespace: str, accounts: str) -> None:
    answer = cluster.user(namespace).create(accounts, {"metadata": {"name": "app"}})
    what = f'create resource "serviceaccounts" in API group "" in the namespace "{namespace}"'
    assert_forbidden(answer, "serviceaccounts", namespace, what)


def test_patch_account(cluster: Cluster, namespace: str, account: str) -> None:
    answer = cluster.user(namespace).patch(account, {"metadata": {"labels": {"a": "b"}}})
    what = f'patch resource "serviceaccounts" in API group "" in the namespace "{namespace}"'
    assert_forbidden(answer, 'serviceaccounts "app"', namespace, what)


def test_delete_account(cluster: Cluster, namespace: str, account: str) -> None:
    answer = cluster.user(namespace).delete(account)
    what = f'delete resource "serviceaccounts" in API group "" in the namespace "{namespace}"'
    assert_forbidden(answer, 'serviceaccounts "app"', namespace, what)
    assert cluster.admin.get(account).status == 200


def test_create_token(cluster: Cluster, namespace: str, account: str) -> None:
    rules = [Rule(("*",), ("serviceaccounts",))]
    answer = cluster.user(namespace, rules).create(f"{account}/token", {"spec": {}})
    what = f'create resource "serviceaccounts/token" in API group "" in the namespace "{namespace}"'
    assert_forbidden(answer, 'serviceaccounts "app"', namespace, what)


def test_list_everywhere(cluster: Cluster, namespace: str) -> None:
    rules = [Rule(("list",), ("serviceaccounts",), namespace)]
    client = cluster.user(namespace, rules)
    assert client.get(f"/api/v1/namespaces/{namespace}/serviceaccounts").status == 200
    answer = client.get("/api/v1/serviceaccounts")
    what = 'list resource "serviceaccounts" in API group "" at the cluster scope'
    assert_forbidden(answer, "serviceaccounts", namespace, what)


def test_unserved_resource(cluster: Cluster, namespace: str) -> None:
    answer = cluster.user(namespace).get(f"/api/v1/namespaces/{namespace}/widgets/x")
    what = f'get resource "widgets" in API group "" in the namespace "{namespace}"'
    assert_forbidden(answer, 'widgets "x"', namespace, what)


def test_forbidden_before_not_found(cluster: Cluster, unique: str) -> None:
    path = f"/api/v1/namespaces/{unique}/serviceaccounts"
    client = cluster.user(unique)
    assert_refused(client.get(f"{path}/app"), 403, "Forbidden")
    assert_refused(client.create(path, {"metadata": {"name": "app"}}), 403, "Forbidden")


def test_forbidden_before_bad_body(cluster: Cluster, namespace: str, account: str) -> None:
    client = cluster.user(namespace)
    assert_refused(client.patch(account, b"{", content_type="text/plain"), 403, "Forbidden")


def test_dry_run_is_authorized_too(cluster: Cluster, namespace: str, accounts: str) -> None:
    answer = cluster.user(namespace).create(accounts, {"metadata": {"name": "app"}}, dryRun="All")
    assert_refused(answer, 403, "Forbidden")


def test_a_role_in_one_namespace(cluster: Cluster, namespace: str, accounts: str) -> None:
    rules = [Rule(("get", "create", "patch"), ("serviceaccounts", "namespaces"), namespace)]
    client = cluster.user(namespace, rules)
    assert client.create(accounts, {"metadata": {"name": "app"}}).status == 201
    assert client.patch(f"{accounts}/app", {"metadata": {"labels": {"a": "b"}}}).status == 200
    assert client.get(f"/api/v1/namespaces/{namespace}").status == 200
    assert client.get("/api/v1/namespaces/default").status == 403
    assert client.delete(f"{accounts}/app").status == 403
    elsewhere = client.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": namespace}})
    assert elsewhere.status == 403


def test_a_role_everywhere(cluster: Cluster, namespace: str, account: str) -> None:
    client = cluster.user(namespace, [Rule(("get",), ("serviceaccounts",)), Rule(("create",), ("*",))])
    assert client.get(account).status == 200
    assert client.create(f"{account}/token", {"spec": {}}).status == 201
    assert client.create("/api/v1/namespaces", {"metadata": {"name": f"{namespace}-2"}}).status == 201
    assert client.delete(account).status == 403


def test_review_of_an_admin(cluster: Cluster) -> None:
    assert may(cluster.admin, verb="delete", resource="namespaces", name="x")
    assert may(cluster.admin, verb="create", resource="serviceaccounts", subresource="token")


def test_review_of_a_user(cluster: Cluster, namespace: str) -> None:
    rules = [
        Rule(("create", "patch"), ("serviceaccounts",), namespace),
        Rule(("create",), ("serviceaccounts/token",)),
    ]
    client = cluster.user(namespace, rules)
    here = {"namespace": namespace, "resource": "serviceaccounts"}
    assert may(client, verb="create", **here)
    assert may(client, verb="patch", name="app", **here)
    assert may(client, verb="create", subresource="token", namespace="default", resource="serviceaccounts")
    assert not may(client, verb="delete", **here)
    assert not may(client, verb="create", resource="serviceaccounts")
    assert not may(client, verb="create", resource="serviceaccounts", namespace="default")
    assert not may(client, verb="create", resource="namespaces")
    assert not may(client, verb="create", resource="serviceaccounts", namespace=namespace, group="apps")


def test_review_answers_what_was_asked(cluster: Cluster, unique: str) -> None:
    spec = {"resourceAttributes": {"verb": "get", "resource": "namespaces", "name": unique}}
    body = cluster.user(unique).create(REVIEWS, {"spec": spec}).body
    assert (body["kind"], body["apiVersion"]) == ("SelfSubjectAccessReview", "authorization.k8s.io/v1")
    assert body["spec"] == spec
    assert body["status"]["allowed"] is False


def test_review_of_a_path(cluster: Cluster, unique: str) -> None:
    def allowed(path: str) -> object:
        spec = {"nonResourceAttributes": {"verb": "get", "path": path}}
        return cluster.user(unique).create(REVIEWS, {"spec": spec}).body["status"]["allowed"]

    assert allowed("/version") is True
    assert allowed("/openid/v1/jwks") is False


def test_review_without_token(cluster: Cluster) -> None:
    answer = cluster.connect(None).create(REVIEWS, {"spec": {}})
    assert_refused(answer, 403, "Forbidden")
    details = answer.body["details"]
    assert details == {"group": "authorization.k8s.io", "kind": "selfsubjectaccessreviews"}


def test_review_of_nothing(cluster: Cluster) -> None:
    answer = cluster.admin.create(REVIEWS, {"spec": {}})
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("spec.resourceAttributes", "FieldValueInvalid")}


def test_members_of_system_masters(cluster: Cluster, unique: str) -> None:
    client = cluster.connect(token_of(unique, ["other", "system:masters"]))
    assert client.create("/api/v1/namespaces", {"metadata": {"name": unique}}).status == 201
