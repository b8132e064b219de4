"""ConfigMaps, Secrets, Leases and MutatingWebhookConfigurations, as far as the sandbox has them."""

import base64

import pytest

from irsa_cli.sandbox.model import Rule
from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused, causes
from tests.support.kubeclient import Json

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


@pytest.fixture
def maps(namespace: str) -> str:
    """The path of the ConfigMaps in this test's namespace."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.fixture
def secrets(namespace: str) -> str:
    """The path of the Secrets in this test's namespace."""
    return f"/api/v1/namespaces/{namespace}/secrets"


def test_config_map(cluster: Cluster, maps: str) -> None:
    assert cluster.admin.create(maps, {"metadata": {"name": "m"}, "data": {"a": "b"}}).status == 201
    assert cluster.admin.patch(f"{maps}/m", {"data": {"c": "d"}}).status == 200
    assert cluster.admin.get(f"{maps}/m").body["data"] == {"a": "b", "c": "d"}


def test_deleting_a_config_map_answers_a_status(cluster: Cluster, maps: str) -> None:
    uid = cluster.admin.create(maps, {"metadata": {"name": "m"}}).body["metadata"]["uid"]
    answer = cluster.admin.delete(f"{maps}/m")
    assert answer.status == 200
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "m", "kind": "configmaps", "uid": uid},
    }
    assert_refused(cluster.admin.get(f"{maps}/m"), 404, "NotFound", 'configmaps "m" not found')


def test_data_are_strings_under_file_names(cluster: Cluster, maps: str) -> None:
    answer = cluster.admin.create(maps, {"metadata": {"name": "m"}, "data": {"a": 1}})
    assert_refused(answer, 400, "BadRequest")
    answer = cluster.admin.create(maps, {"metadata": {"name": "m"}, "data": {"a/b": "x"}})
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("data[a/b]", "FieldValueInvalid")}


def test_secret(cluster: Cluster, secrets: str) -> None:
    data = {"key": base64.b64encode(b"value").decode()}
    made = cluster.admin.create(secrets, {"metadata": {"name": "s"}, "data": data})
    assert (made.status, made.body["type"], made.body["data"]) == (201, "Opaque", data)
    answer = cluster.admin.patch(f"{secrets}/s", {"type": "other"})
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("type", "FieldValueInvalid")}
    assert cluster.admin.delete(f"{secrets}/s").body["status"] == "Success"


def test_secrets_are_base64(cluster: Cluster, secrets: str) -> None:
    answer = cluster.admin.create(secrets, {"metadata": {"name": "s"}, "data": {"key": "***"}})
    assert_refused(answer, 400, "BadRequest")


def test_lease_is_of_another_group(cluster: Cluster, namespace: str) -> None:
    path = LEASES.format(namespace)
    made = cluster.admin.create(path, {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}})
    assert (made.status, made.body["apiVersion"]) == (201, "coordination.k8s.io/v1")
    message = 'leases.coordination.k8s.io "other" not found'
    details = assert_refused(cluster.admin.get(f"{path}/other"), 404, "NotFound", message)
    assert details == {"name": "other", "group": "coordination.k8s.io", "kind": "leases"}
    again = cluster.admin.create(path, {"metadata": {"name": "l"}})
    assert_refused(again, 409, "AlreadyExists", 'leases.coordination.k8s.io "l" already exists')


def test_body_of_another_group(cluster: Cluster, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Lease", "metadata": {"name": "l"}}
    assert_refused(cluster.admin.create(LEASES.format(namespace), body), 400, "BadRequest")


def test_rules_are_about_groups(cluster: Cluster, namespace: str) -> None:
    path = LEASES.format(namespace)
    of_the_core = cluster.user(f"{namespace}-core", [Rule(("list",), ("leases",), namespace)])
    details = assert_refused(of_the_core.get(path), 403, "Forbidden")
    assert details == {"group": "coordination.k8s.io", "kind": "leases"}
    rule = Rule(("list",), ("leases",), namespace, groups=("coordination.k8s.io",))
    assert cluster.user(f"{namespace}-group", [rule]).get(path).status == 200
    everything = Rule(("list",), ("*",), namespace, groups=("*",))
    assert cluster.user(f"{namespace}-all", [everything]).get(path).status == 200


def webhook(name: str, **fields: object) -> Json:
    """A configuration that is shown nothing."""
    one = {
        "name": "show.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "objectSelector": {"matchLabels": {"nobody": "has-this"}},
        **fields,
    }
    return {"metadata": {"name": name}, "webhooks": [one]}


def test_webhooks(cluster: Cluster, unique: str) -> None:
    made = cluster.admin.create(WEBHOOKS, webhook(unique))
    assert made.status == 201, made.text
    listed = cluster.admin.get(WEBHOOKS).body["items"]
    (found,) = [item for item in listed if item["metadata"]["name"] == unique]
    (one,) = found["webhooks"]
    defaults = {
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "timeoutSeconds": 10,
        "reinvocationPolicy": "Never",
    }
    assert {key: one[key] for key in defaults} == defaults
    gone = cluster.admin.delete(f"{WEBHOOKS}/{unique}").body
    assert gone["details"]["group"] == "admissionregistration.k8s.io"
    assert cluster.admin.get(f"{WEBHOOKS}/{unique}").status == 404


RBAC = "/apis/rbac.authorization.k8s.io/v1"


def test_roles_and_bindings(cluster: Cluster, namespace: str, unique: str) -> None:
    roles, bindings = f"{RBAC}/namespaces/{namespace}/roles", f"{RBAC}/namespaces/{namespace}/rolebindings"
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
    made = cluster.admin.create(roles, {"metadata": {"name": "a:b C"}, "rules": rules})
    assert (made.status, made.body["rules"]) == (201, rules)
    binding: Json = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gone"},
        "subjects": [
            {"kind": "User", "name": "eve"},
            {"kind": "ServiceAccount", "name": "app", "namespace": namespace},
        ],
    }
    made = cluster.admin.create(bindings, binding)
    assert made.status == 201, made.text
    named = {"apiGroup": "rbac.authorization.k8s.io", **binding["subjects"][0]}
    assert made.body["subjects"] == [named, binding["subjects"][1]]
    other = {"roleRef": {**binding["roleRef"], "name": "r"}}
    answer = cluster.admin.patch(f"{bindings}/b", other)
    assert_refused(answer, 422, "Invalid")
    listed = cluster.admin.get(f"{RBAC}/rolebindings").body
    assert listed["kind"] == "RoleBindingList"
    assert [item["metadata"]["name"] for item in listed["items"] if item["subjects"] == made.body["subjects"]]
    everywhere = {**binding, "metadata": {"name": f"system:{unique}"}}
    everywhere["roleRef"] = {**binding["roleRef"], "kind": "ClusterRole"}
    assert cluster.admin.create(f"{RBAC}/clusterrolebindings", everywhere).status == 201
