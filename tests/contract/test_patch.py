"""JSON merge patches of ServiceAccounts: the only way in which irsa changes one."""

import pytest

from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused, causes

ROLE = "eks.amazonaws.com/role-arn"
ARN = "arn:aws:iam::111122223333:role/irsa/app"


def annotate(value: object, **metadata: object) -> dict[str, object]:
    """A patch that sets (or with None removes) the role annotation."""
    return {"metadata": {"annotations": {ROLE: value}, **metadata}}


def test_annotation_is_added_and_all_else_stays(cluster: Cluster, account: str) -> None:
    before = cluster.admin.get(account).body
    answer = cluster.admin.patch(account, annotate(ARN))
    assert answer.status == 200
    assert answer.body["metadata"]["annotations"] == {"meta.helm.sh/release-name": "app", ROLE: ARN}
    kept = ("uid", "creationTimestamp", "labels", "name", "namespace")
    assert {key: answer.body["metadata"][key] for key in kept} == {
        key: before["metadata"][key] for key in kept
    }
    assert {key: value for key, value in answer.body.items() if key != "metadata"} == {
        key: value for key, value in before.items() if key != "metadata"
    }


def test_null_removes_one_annotation(cluster: Cluster, account: str) -> None:
    cluster.admin.patch(account, annotate(ARN))
    answer = cluster.admin.patch(account, annotate(None))
    assert answer.body["metadata"]["annotations"] == {"meta.helm.sh/release-name": "app"}


def test_removing_the_last_annotation_removes_the_field(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, {"metadata": {"annotations": {"meta.helm.sh/release-name": None}}})
    assert answer.status == 200
    assert "annotations" not in answer.body["metadata"]


def test_annotate_one_that_has_none(cluster: Cluster, accounts: str) -> None:
    cluster.admin.create(accounts, {"metadata": {"name": "bare"}})
    answer = cluster.admin.patch(f"{accounts}/bare", annotate(ARN))
    assert answer.body["metadata"]["annotations"] == {ROLE: ARN}


def test_a_change_gives_a_new_version(cluster: Cluster, account: str) -> None:
    before = int(cluster.admin.get(account).body["metadata"]["resourceVersion"])
    after = int(cluster.admin.patch(account, annotate(ARN)).body["metadata"]["resourceVersion"])
    assert after > before
    assert cluster.admin.get(account).body["metadata"]["resourceVersion"] == str(after)


@pytest.mark.parametrize("patch", [{}, annotate(None), {"metadata": {"labels": {"gone": None}}}])
def test_no_change_keeps_the_version(cluster: Cluster, account: str, patch: object) -> None:
    before = cluster.admin.get(account).body
    answer = cluster.admin.patch(account, patch)
    assert (answer.status, answer.body) == (200, before)


def test_fitting_version_and_uid(cluster: Cluster, account: str) -> None:
    metadata = cluster.admin.get(account).body["metadata"]
    patch = annotate(ARN, uid=metadata["uid"], resourceVersion=metadata["resourceVersion"])
    assert cluster.admin.patch(account, patch).status == 200


def test_stale_version_is_a_conflict(cluster: Cluster, account: str) -> None:
    stale = cluster.admin.get(account).body["metadata"]["resourceVersion"]
    cluster.admin.patch(account, {"metadata": {"annotations": {"other": "writer"}}})
    answer = cluster.admin.patch(account, annotate(ARN, resourceVersion=stale))
    message = (
        'Operation cannot be fulfilled on serviceaccounts "app": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    details = assert_refused(answer, 409, "Conflict", message)
    assert details == {"name": "app", "kind": "serviceaccounts"}
    assert ROLE not in cluster.admin.get(account).body["metadata"]["annotations"]


def test_stale_version_is_a_conflict_in_a_dry_run(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, annotate(ARN, resourceVersion="1"), dryRun="All")
    assert_refused(answer, 409, "Conflict")


def test_null_version_is_no_lock(cluster: Cluster, account: str) -> None:
    assert cluster.admin.patch(account, annotate(ARN, resourceVersion=None)).status == 200


def test_version_that_is_no_number(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, annotate(ARN, resourceVersion="abc"))
    assert answer.status == 500


def test_uid_of_another_object(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, annotate(ARN, uid="another"))
    message = 'ServiceAccount "app" is invalid: metadata.uid: Invalid value: "another": field is immutable'
    assert_refused(answer, 422, "Invalid", message)
    assert causes(answer) == {("metadata.uid", "FieldValueInvalid")}


def test_null_uid_changes_nothing(cluster: Cluster, account: str) -> None:
    uid = cluster.admin.get(account).body["metadata"]["uid"]
    assert cluster.admin.patch(account, annotate(ARN, uid=None)).body["metadata"]["uid"] == uid


def test_dry_run_shows_but_does_not_write(cluster: Cluster, account: str) -> None:
    before = cluster.admin.get(account).body
    answer = cluster.admin.patch(account, annotate(ARN), dryRun="All")
    assert answer.status == 200
    assert answer.body["metadata"]["annotations"][ROLE] == ARN
    assert answer.body["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert cluster.admin.get(account).body == before


def test_missing(cluster: Cluster, accounts: str) -> None:
    answer = cluster.admin.patch(f"{accounts}/other", annotate(ARN))
    assert_refused(answer, 404, "NotFound", 'serviceaccounts "other" not found')


def test_missing_namespace_names_the_account(cluster: Cluster, unique: str) -> None:
    path = f"/api/v1/namespaces/{unique}/serviceaccounts/app"
    answer = cluster.admin.patch(path, annotate(ARN))
    assert_refused(answer, 404, "NotFound", 'serviceaccounts "app" not found')


@pytest.mark.parametrize("value", [1, True, 1.5, ["a"], {"a": "b"}])
def test_annotation_that_is_no_string(cluster: Cluster, account: str, value: object) -> None:
    answer = cluster.admin.patch(account, annotate(value))
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("patch", "FieldValueInvalid")}
    assert answer.body["message"].startswith(' "" is invalid: patch: Invalid value: ')


def test_bad_annotation_key(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, {"metadata": {"annotations": {"/a": "b"}}})
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("metadata.annotations", "FieldValueInvalid")}


def test_bad_label(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, {"metadata": {"labels": {"a": "b c"}}})
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("metadata.labels", "FieldValueInvalid")}


def test_annotations_over_256_kib_together(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, annotate("v" * (256 * 1024 - len(ROLE))))
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("metadata.annotations", "FieldValueTooLong")}


def test_another_name(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, {"metadata": {"name": "other"}})
    message = "the name of the object (other) does not match the name on the URL (app)"
    assert_refused(answer, 400, "BadRequest", message)


def test_another_namespace(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, {"metadata": {"namespace": "default"}})
    assert_refused(answer, 400, "BadRequest")


def test_another_kind(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, {"kind": "Pod"})
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("patch", "FieldValueInvalid")}


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b'"x"'])
def test_no_json_object(cluster: Cluster, account: str, body: bytes) -> None:
    assert_refused(cluster.admin.patch(account, body), 400, "BadRequest")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_no_kind_of_patch(cluster: Cluster, account: str, content_type: str) -> None:
    answer = cluster.admin.patch(account, {}, content_type=content_type)
    assert_refused(answer, 415, "UnsupportedMediaType", "415: Unsupported Media Type")


def test_lists_are_replaced(cluster: Cluster, account: str) -> None:
    answer = cluster.admin.patch(account, {"imagePullSecrets": [{"name": "new"}], "secrets": None})
    assert answer.body["imagePullSecrets"] == [{"name": "new"}]
    assert "secrets" not in answer.body
