"""ServiceAccounts: reading, creating, deleting."""

import pytest

from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused, causes

KIB = 1024


def test_get_returns_all_of_it(cluster: Cluster, namespace: str, account: str) -> None:
    body = cluster.admin.get(account).body
    assert (body["kind"], body["apiVersion"]) == ("ServiceAccount", "v1")
    metadata = body["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("app", namespace)
    assert metadata["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
    assert metadata["annotations"] == {"meta.helm.sh/release-name": "app"}
    assert body["secrets"] == [{"name": "app-token"}]
    assert body["imagePullSecrets"] == [{"name": "registry"}]
    assert body["automountServiceAccountToken"] is False


def test_a_plain_one_has_no_empty_fields(cluster: Cluster, accounts: str) -> None:
    body = cluster.admin.create(accounts, {"metadata": {"name": "plain"}}).body
    assert set(body) == {"kind", "apiVersion", "metadata"}
    fields = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}
    assert set(body["metadata"]) - {"managedFields"} == fields


def test_both_worlds_have_the_same_shape(cluster: Cluster, namespace: str, account: str) -> None:
    uid = cluster.admin.get(account).body["metadata"]["uid"]
    assert cluster.world()["serviceaccounts"][f"{namespace}/app"] == {
        "uid": uid,
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "app"},
        "secrets": [{"name": "app-token"}],
        "imagePullSecrets": [{"name": "registry"}],
        "automount": False,
    }
    state = cluster.world()["namespaces"][namespace]
    assert state == {
        "labels": {"kubernetes.io/metadata.name": namespace},
        "annotations": {},
        "phase": "Active",
    }


def test_get_missing(cluster: Cluster, accounts: str) -> None:
    answer = cluster.admin.get(f"{accounts}/other")
    details = assert_refused(answer, 404, "NotFound", 'serviceaccounts "other" not found')
    assert details == {"name": "other", "kind": "serviceaccounts"}


def test_get_in_missing_namespace_names_the_account(cluster: Cluster, unique: str) -> None:
    answer = cluster.admin.get(f"/api/v1/namespaces/{unique}/serviceaccounts/app")
    assert_refused(answer, 404, "NotFound", 'serviceaccounts "app" not found')


def test_create_in_missing_namespace_names_the_namespace(cluster: Cluster, unique: str) -> None:
    path = f"/api/v1/namespaces/{unique}/serviceaccounts"
    answer = cluster.admin.create(path, {"metadata": {"name": "app"}})
    details = assert_refused(answer, 404, "NotFound", f'namespaces "{unique}" not found')
    assert details == {"name": unique, "kind": "namespaces"}


def test_create_again(cluster: Cluster, accounts: str, account: str) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": "app"}})
    details = assert_refused(answer, 409, "AlreadyExists", 'serviceaccounts "app" already exists')
    assert details == {"name": "app", "kind": "serviceaccounts"}


def test_list_of_one_namespace(cluster: Cluster, accounts: str, account: str) -> None:
    body = cluster.admin.get(accounts).body
    assert body["kind"] == "ServiceAccountList"
    assert [item["metadata"]["name"] for item in body["items"]] == ["app"]
    assert body["items"][0]["imagePullSecrets"] == [{"name": "registry"}]


def test_list_of_missing_namespace_is_empty(cluster: Cluster, unique: str) -> None:
    answer = cluster.admin.get(f"/api/v1/namespaces/{unique}/serviceaccounts")
    assert answer.status == 200
    assert answer.body["items"] == []


def test_list_of_all_namespaces(cluster: Cluster, namespace: str, account: str) -> None:
    items = cluster.admin.get("/api/v1/serviceaccounts").body["items"]
    places = [item["metadata"]["namespace"] for item in items]
    assert places == sorted(places, key=lambda place: f"{place}/")
    assert namespace in places


def test_create_dry_run_leaves_nothing(cluster: Cluster, accounts: str) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": "app"}}, dryRun="All")
    assert answer.status == 201
    assert cluster.admin.get(f"{accounts}/app").status == 404


def test_create_dry_run_in_missing_namespace(cluster: Cluster, unique: str) -> None:
    path = f"/api/v1/namespaces/{unique}/serviceaccounts"
    answer = cluster.admin.create(path, {"metadata": {"name": "app"}}, dryRun="All")
    assert_refused(answer, 404, "NotFound", f'namespaces "{unique}" not found')


def test_create_with_other_dry_run(cluster: Cluster, accounts: str) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": "app"}}, dryRun="Some")
    message = (
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: '
        'supported values: "All"'
    )
    details = assert_refused(answer, 422, "Invalid", message)
    assert (details["group"], details["kind"]) == ("meta.k8s.io", "CreateOptions")


@pytest.mark.parametrize("name", ["Upper", "under_score", "a..b", "-a", "a-", ".a", "a" * 254])
def test_create_bad_name(cluster: Cluster, accounts: str, name: str) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": name}})
    details = assert_refused(answer, 422, "Invalid")
    assert (details["name"], details["kind"]) == (name, "ServiceAccount")
    assert ("metadata.name", "FieldValueInvalid") in causes(answer)


@pytest.mark.parametrize("name", ["a", "a.b", "0", "a" * 253])
def test_create_good_name(cluster: Cluster, accounts: str, name: str) -> None:
    assert cluster.admin.create(accounts, {"metadata": {"name": name}}).status == 201


@pytest.mark.parametrize("labels", [{"a": "b c"}, {"a": "x" * 64}, {"a/b/c": "d"}, {"/a": "b"}, {"": "b"}])
def test_create_bad_labels(cluster: Cluster, accounts: str, labels: dict[str, str]) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": "app", "labels": labels}})
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("metadata.labels", "FieldValueInvalid")}


@pytest.mark.parametrize("labels", [{"a": ""}, {"A.b_c-d": "A.b_c-d"}, {"example.com/a": "x" * 63}])
def test_create_good_labels(cluster: Cluster, accounts: str, labels: dict[str, str]) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": "app", "labels": labels}})
    assert answer.status == 201
    assert answer.body["metadata"]["labels"] == labels


@pytest.mark.parametrize("key", ["/a", "a b", "a/b/c", "ex_ample.com/a", "example.com/" + "x" * 64])
def test_create_bad_annotation_key(cluster: Cluster, accounts: str, key: str) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": "app", "annotations": {key: "v"}}})
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("metadata.annotations", "FieldValueInvalid")}


def test_case_of_annotation_prefix_does_not_matter(cluster: Cluster, accounts: str) -> None:
    body = {"metadata": {"name": "app", "annotations": {"Example.COM/Role": "Any text, even ünicode\n"}}}
    answer = cluster.admin.create(accounts, body)
    assert answer.status == 201
    assert answer.body["metadata"]["annotations"] == body["metadata"]["annotations"]


def test_annotations_up_to_256_kib(cluster: Cluster, accounts: str) -> None:
    full = {"k": "v" * (256 * KIB - 1)}
    answer = cluster.admin.create(accounts, {"metadata": {"name": "full", "annotations": full}})
    assert answer.status == 201
    over = {"k": "v" * (256 * KIB - 1), "l": ""}
    answer = cluster.admin.create(accounts, {"metadata": {"name": "over", "annotations": over}})
    message = (
        'ServiceAccount "over" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes'
    )
    assert_refused(answer, 422, "Invalid", message)
    assert causes(answer) == {("metadata.annotations", "FieldValueTooLong")}


def test_several_errors_are_listed_together(cluster: Cluster, accounts: str) -> None:
    body = {"metadata": {"name": "Upper", "labels": {"a": "b c"}}}
    answer = cluster.admin.create(accounts, body)
    assert_refused(answer, 422, "Invalid")
    assert {field for field, _ in causes(answer)} == {"metadata.name", "metadata.labels"}
    assert answer.body["message"].startswith('ServiceAccount "Upper" is invalid: [metadata.name: ')


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"name": "app", "annotations": {"a": 1}}},
        {"metadata": {"name": "app", "annotations": {"a": True}}},
        {"metadata": {"name": "app", "labels": {"a": 1.5}}},
        {"metadata": {"name": "app", "labels": ["a"]}},
        {"metadata": {"name": 7}},
        {"metadata": {"name": "app"}, "automountServiceAccountToken": "yes"},
        {"metadata": {"name": "app"}, "imagePullSecrets": ["registry"]},
    ],
)
def test_create_with_wrong_types(cluster: Cluster, accounts: str, fields: object) -> None:
    answer = cluster.admin.create(accounts, fields)
    assert_refused(answer, 400, "BadRequest")
    start = 'ServiceAccount in version "v1" cannot be handled as a ServiceAccount: '
    assert answer.body["message"].startswith(start)


def test_unknown_fields_vanish(cluster: Cluster, accounts: str) -> None:
    body = {"metadata": {"name": "app", "colour": "red"}, "spec": {"replicas": 3}}
    answer = cluster.admin.create(accounts, body)
    assert answer.status == 201
    assert "spec" not in answer.body
    assert "colour" not in answer.body["metadata"]


def test_null_annotation_becomes_empty(cluster: Cluster, accounts: str) -> None:
    body = {"metadata": {"name": "app", "annotations": {"a": None}}}
    assert cluster.admin.create(accounts, body).body["metadata"]["annotations"] == {"a": ""}


def test_uid_and_times_are_the_servers(cluster: Cluster, accounts: str) -> None:
    old = "2000-01-01T00:00:00Z"
    body = {"metadata": {"name": "app", "uid": "mine", "creationTimestamp": old, "deletionTimestamp": old}}
    metadata = cluster.admin.create(accounts, body).body["metadata"]
    assert metadata["uid"] != "mine"
    assert metadata["creationTimestamp"] > old
    assert "deletionTimestamp" not in metadata


def test_create_of_another_namespaces(cluster: Cluster, accounts: str) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": "app", "namespace": "default"}})
    message = "the namespace of the provided object does not match the namespace sent on the request"
    assert_refused(answer, 400, "BadRequest", message)


def test_create_with_resource_version(cluster: Cluster, accounts: str) -> None:
    answer = cluster.admin.create(accounts, {"metadata": {"name": "app", "resourceVersion": "5"}})
    assert answer.status == 500
    assert answer.body["message"] == "resourceVersion should not be set on objects to be created"
    assert "reason" not in answer.body


def test_create_of_another_kind(cluster: Cluster, accounts: str) -> None:
    body = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "app"}}
    answer = cluster.admin.create(accounts, body)
    assert_refused(answer, 400, "BadRequest")
    assert answer.body["message"].startswith('Pod in version "v1" cannot be handled as a ServiceAccount')


def test_delete_returns_what_was_there(cluster: Cluster, account: str) -> None:
    before = cluster.admin.get(account).body
    answer = cluster.admin.delete(account)
    assert answer.status == 200
    # The version is that of the deletion.
    versions = [body["metadata"].pop("resourceVersion") for body in (before, answer.body)]
    assert int(versions[0]) < int(versions[1])
    assert answer.body == before
    assert cluster.admin.get(account).status == 404


def test_delete_missing(cluster: Cluster, accounts: str) -> None:
    answer = cluster.admin.delete(f"{accounts}/app")
    assert_refused(answer, 404, "NotFound", 'serviceaccounts "app" not found')


def test_delete_missing_with_preconditions(cluster: Cluster, accounts: str) -> None:
    answer = cluster.admin.delete(f"{accounts}/app", {"preconditions": {"uid": "x"}})
    assert_refused(answer, 404, "NotFound")


def test_delete_with_fitting_preconditions(cluster: Cluster, account: str) -> None:
    metadata = cluster.admin.get(account).body["metadata"]
    wanted = {key: metadata[key] for key in ("uid", "resourceVersion")}
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": wanted}
    assert cluster.admin.delete(account, options).status == 200


def test_delete_with_another_uid(cluster: Cluster, account: str) -> None:
    uid = cluster.admin.get(account).body["metadata"]["uid"]
    answer = cluster.admin.delete(account, {"preconditions": {"uid": "another"}})
    message = (
        'Operation cannot be fulfilled on ServiceAccount "app": the UID in the precondition (another) does '
        f"not match the UID in record ({uid}). The object might have been deleted and then recreated"
    )
    details = assert_refused(answer, 409, "Conflict", message)
    assert details == {"name": "app", "kind": "ServiceAccount"}
    assert cluster.admin.get(account).status == 200


def test_delete_with_stale_version(cluster: Cluster, account: str) -> None:
    stale = cluster.admin.get(account).body["metadata"]["resourceVersion"]
    cluster.admin.patch(account, {"metadata": {"annotations": {"a": "b"}}})
    answer = cluster.admin.delete(account, {"preconditions": {"resourceVersion": stale}})
    assert_refused(answer, 409, "Conflict")
    assert cluster.admin.get(account).status == 200


def test_delete_dry_run_leaves_it(cluster: Cluster, account: str) -> None:
    assert cluster.admin.delete(account, dryRun="All").status == 200
    assert cluster.admin.delete(account, {"dryRun": ["All"]}).status == 200
    assert cluster.admin.get(account).status == 200


def test_delete_dry_run_checks_preconditions(cluster: Cluster, account: str) -> None:
    options = {"dryRun": ["All"], "preconditions": {"uid": "another"}}
    assert_refused(cluster.admin.delete(account, options), 409, "Conflict")
