"""Leases on both APIs: create, compare-and-set by PUT, delete by preconditions, times, labels, refusals."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from irsa_cli.core.marks.locks import Holder, LeaseState, Lock, LockScope, Timing, Writer
from irsa_cli.core.results.locks import SeenLock
from irsa_cli.sandbox.model import Rule
from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused, causes
from tests.support.kubeclient import Answer, Json

GROUP = "coordination.k8s.io"
TIME = "2026-01-02T03:04:05.000000Z"
SPEC: Json = {
    "holderIdentity": "run-1",
    "leaseDurationSeconds": 60,
    "acquireTime": TIME,
    "renewTime": TIME,
    "leaseTransitions": 0,
}


@pytest.fixture
def leases(namespace: str) -> str:
    """The path of the Leases in this test's namespace."""
    return f"/apis/{GROUP}/v1/namespaces/{namespace}/leases"


@pytest.fixture
def held(cluster: Cluster, leases: str) -> Json:
    """A Lease `app` that somebody holds."""
    metadata = {"name": "app", "labels": {"a/kind": "binding"}, "annotations": {"a/command": "create-sa"}}
    answer = cluster.admin.create(leases, {"metadata": metadata, "spec": SPEC})
    assert answer.status == 201, answer.text
    return answer.body


def put(cluster: Cluster, leases: str, name: str, spec: Json, query: Json | None = None, **of: Any) -> Answer:
    body = {"metadata": {"name": name, **of}, "spec": spec}
    return cluster.admin.request("PUT", f"{leases}/{name}", body, **(query or {}))


def version(lease: Json) -> str:
    found = lease["metadata"]["resourceVersion"]
    assert isinstance(found, str)
    return found


def test_what_is_made_is_answered(cluster: Cluster, namespace: str, leases: str, held: Json) -> None:
    metadata = held["metadata"]
    assert (held["kind"], held["apiVersion"], held["spec"]) == ("Lease", f"{GROUP}/v1", SPEC)
    assert (metadata["name"], metadata["namespace"]) == ("app", namespace)
    assert metadata["labels"] == {"a/kind": "binding"}
    assert metadata["annotations"] == {"a/command": "create-sa"}
    assert cluster.admin.get(f"{leases}/app").body == held


def test_a_spec_may_be_missing(cluster: Cluster, leases: str) -> None:
    made = cluster.admin.create(leases, {"metadata": {"name": "bare"}}).body
    assert (made["spec"], "managedFields" in made["metadata"]) == ({}, False)


def test_a_name_is_taken_once(cluster: Cluster, leases: str, held: Json) -> None:
    answer = cluster.admin.create(leases, {"metadata": {"name": "app"}, "spec": SPEC})
    message = 'leases.coordination.k8s.io "app" already exists'
    details = assert_refused(answer, 409, "AlreadyExists", message)
    assert details == {"name": "app", "group": GROUP, "kind": "leases"}


@pytest.mark.parametrize("name", ["A", "a_b", "a" * 254, ""])
def test_names(cluster: Cluster, leases: str, name: str) -> None:
    answer = cluster.admin.create(leases, {"metadata": {"name": name}, "spec": SPEC})
    assert_refused(answer, 422, "Invalid")
    assert {field for field, _ in causes(answer)} == {"metadata.name"}


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("leaseDurationSeconds", 0, "must be greater than 0"),
        ("leaseDurationSeconds", -1, "must be greater than 0"),
        ("leaseTransitions", -1, "must be greater than or equal to 0"),
    ],
)
def test_numbers_that_are_refused(
    cluster: Cluster, leases: str, held: Json, field: str, value: int, why: str
) -> None:
    message = f'Lease.coordination.k8s.io "{{}}" is invalid: spec.{field}: Invalid value: {value}: {why}'
    spec = {**SPEC, field: value}
    made = cluster.admin.create(leases, {"metadata": {"name": "other"}, "spec": spec})
    assert_refused(made, 422, "Invalid", message.format("other"))
    assert causes(made) == {(f"spec.{field}", "FieldValueInvalid")}
    changed = put(cluster, leases, "app", spec, resourceVersion=version(held))
    assert_refused(changed, 422, "Invalid", message.format("app"))
    patched = cluster.admin.patch(f"{leases}/app", {"spec": {field: value}})
    assert_refused(patched, 422, "Invalid", message.format("app"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("leaseDurationSeconds", 2**31),
        ("leaseDurationSeconds", "60"),
        ("leaseTransitions", -(2**31) - 1),
        ("holderIdentity", 1),
        ("renewTime", 5),
        *[
            (field, time)
            for field in ("acquireTime", "renewTime")
            for time in (
                "",
                "2026-01-02T03:04:05Z",
                "2026-01-02T03:04:05.000Z",
                "2026-01-02T03:04:05.123456789Z",
                "2026-01-02T03:04:05.123456",
                "2026-01-02t03:04:05.123456z",
                "2026-13-02T03:04:05.123456Z",
                "2026-02-30T03:04:05.123456Z",
                "yesterday",
            )
        ],
    ],
)
def test_what_is_no_lease(cluster: Cluster, leases: str, held: Json, field: str, value: object) -> None:
    spec = {**SPEC, field: value}
    start = 'Lease in version "v1" cannot be handled as a Lease: '
    for answer in (
        cluster.admin.create(leases, {"metadata": {"name": "other"}, "spec": spec}),
        put(cluster, leases, "app", spec, resourceVersion=version(held)),
    ):
        assert_refused(answer, 400, "BadRequest")
        assert answer.body["message"].startswith(start)
    assert_refused(cluster.admin.patch(f"{leases}/app", {"spec": {field: value}}), 422, "Invalid")


def test_times_are_kept_in_utc_and_may_be_missing(cluster: Cluster, leases: str) -> None:
    spec = {**SPEC, "acquireTime": "2026-01-02T03:04:05.123456+02:00", "renewTime": None}
    made = cluster.admin.create(leases, {"metadata": {"name": "app"}, "spec": spec})
    assert made.body["spec"]["acquireTime"] == "2026-01-02T01:04:05.123456Z"
    assert "renewTime" not in made.body["spec"]


def test_a_hostile_lease_is_taken_over(cluster: Cluster, leases: str, held: Json) -> None:
    """The server takes numbers that keep others out until 2094, and counts of takeovers that are full."""
    hostile = {**SPEC, "leaseDurationSeconds": 2**31 - 1, "leaseTransitions": 2**31 - 1}
    hostile |= {"acquireTime": "2094-01-01T00:00:00.000000Z", "renewTime": "2094-01-01T00:00:00.000000Z"}
    found = put(cluster, leases, "app", hostile, resourceVersion=version(held))
    assert (found.status, found.body["spec"]) == (200, hostile)
    now = datetime.now(timezone.utc)
    state = LeaseState.read(found.body)
    assert SeenLock(state, now + timedelta(seconds=60)).ended
    mine = Writer(Holder("r2", "alice", "ci"), Timing(), "demo", "irsa create-sa")
    body = mine.body(Lock(LockScope.BINDING, "ns/app"), now, found.body)
    body["metadata"]["name"] = "app"
    taken = cluster.admin.request("PUT", f"{leases}/app", body)
    assert taken.status == 200, taken.text
    assert LeaseState.read(taken.body).run == "r2"


def test_an_empty_holder_stays(cluster: Cluster, leases: str) -> None:
    made = cluster.admin.create(leases, {"metadata": {"name": "a"}, "spec": {"holderIdentity": ""}})
    assert made.body["spec"] == {"holderIdentity": ""}


def test_a_put_replaces_all_of_it(cluster: Cluster, leases: str, held: Json) -> None:
    answer = put(cluster, leases, "app", {"holderIdentity": "run-2"}, resourceVersion=version(held))
    assert answer.status == 200
    new, old = answer.body["metadata"], held["metadata"]
    assert answer.body["spec"] == {"holderIdentity": "run-2"}
    assert not {"labels", "annotations"} & set(new)
    assert {key: new[key] for key in ("uid", "creationTimestamp", "namespace")} == {
        key: old[key] for key in ("uid", "creationTimestamp", "namespace")
    }
    assert int(new["resourceVersion"]) > int(old["resourceVersion"])
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("Lease", f"{GROUP}/v1")
    assert cluster.admin.get(f"{leases}/app").body == answer.body


def test_a_put_of_the_same_changes_nothing(cluster: Cluster, leases: str, held: Json) -> None:
    answer = cluster.admin.request("PUT", f"{leases}/app", held)
    assert (answer.status, answer.body) == (200, held)


def test_a_rehearsed_put_writes_nothing(cluster: Cluster, leases: str, held: Json) -> None:
    spec = {"holderIdentity": "run-2"}
    answer = put(cluster, leases, "app", spec, {"dryRun": "All"}, resourceVersion=version(held))
    assert (answer.status, answer.body["spec"], version(answer.body)) == (200, spec, version(held))
    assert cluster.admin.get(f"{leases}/app").body == held


def test_a_put_with_a_stale_version(cluster: Cluster, leases: str, held: Json) -> None:
    assert put(cluster, leases, "app", SPEC, resourceVersion=version(held)).status == 200
    # The version is looked at before what is written.
    for spec in (SPEC, {**SPEC, "leaseDurationSeconds": 0}):
        answer = put(cluster, leases, "app", spec, resourceVersion=version(held))
        message = (
            'Operation cannot be fulfilled on leases.coordination.k8s.io "app": the object has been '
            "modified; please apply your changes to the latest version and try again"
        )
        details = assert_refused(answer, 409, "Conflict", message)
        assert details == {"name": "app", "group": GROUP, "kind": "leases"}


@pytest.mark.parametrize("wanted", [{}, {"resourceVersion": ""}, {"resourceVersion": "0"}])
def test_a_put_without_a_version(cluster: Cluster, leases: str, held: Json, wanted: Json) -> None:
    answer = put(cluster, leases, "app", SPEC, **wanted)
    message = (
        'leases.coordination.k8s.io "app" is invalid: metadata.resourceVersion: Invalid value: 0: '
        "must be specified for an update"
    )
    assert_refused(answer, 422, "Invalid", message)


def test_a_put_with_a_version_that_is_no_number(cluster: Cluster, leases: str, held: Json) -> None:
    assert put(cluster, leases, "app", SPEC, resourceVersion="abc").status == 500


def test_a_put_of_another_object(cluster: Cluster, leases: str, held: Json) -> None:
    for wanted in (version(held), "1"):
        answer = put(cluster, leases, "app", SPEC, uid="another", resourceVersion=wanted)
        assert_refused(answer, 409, "Conflict")
        uid = held["metadata"]["uid"]
        assert answer.body["message"].endswith(
            f"Precondition failed: UID in precondition: another, UID in object meta: {uid}"
        )


def test_a_put_of_one_that_is_gone_makes_it_anew(cluster: Cluster, leases: str, held: Json) -> None:
    """Unless it names the uid: who renews a lock has to, or it is taken again after its end."""
    uid, old = held["metadata"]["uid"], version(held)
    assert cluster.admin.delete(f"{leases}/app").status == 200
    answer = put(cluster, leases, "app", SPEC, uid=uid, resourceVersion=old)
    assert_refused(answer, 409, "Conflict")
    assert cluster.admin.get(f"{leases}/app").status == 404
    rehearsed = put(cluster, leases, "app", SPEC, {"dryRun": "All"}, resourceVersion=old)
    assert rehearsed.status == 201
    assert cluster.admin.get(f"{leases}/app").status == 404
    answer = put(cluster, leases, "app", SPEC, resourceVersion=old)
    assert answer.status == 201
    assert answer.body["metadata"]["uid"] != uid


@pytest.mark.parametrize(
    "metadata", [{}, {"name": "other"}, {"name": "app", "namespace": "default"}], ids=str
)
def test_a_put_whose_body_is_of_another_path(
    cluster: Cluster, leases: str, held: Json, metadata: Json
) -> None:
    body = {"metadata": {**metadata, "resourceVersion": version(held)}, "spec": SPEC}
    assert_refused(cluster.admin.request("PUT", f"{leases}/app", body), 400, "BadRequest")


def test_a_namespace_that_is_not_there(cluster: Cluster, unique: str) -> None:
    leases = f"/apis/{GROUP}/v1/namespaces/{unique}/leases"
    message = f'namespaces "{unique}" not found'
    body = {"metadata": {"name": "app"}, "spec": SPEC}
    assert_refused(cluster.admin.create(leases, body), 404, "NotFound", message)
    assert_refused(put(cluster, leases, "app", SPEC), 404, "NotFound", message)
    assert_refused(put(cluster, leases, "app", SPEC, uid="a", resourceVersion="1"), 409, "Conflict")
    missing = 'leases.coordination.k8s.io "app" not found'
    assert_refused(cluster.admin.get(f"{leases}/app"), 404, "NotFound", missing)
    assert_refused(cluster.admin.delete(f"{leases}/app"), 404, "NotFound", missing)
    assert cluster.admin.get(leases).body["items"] == []


@pytest.mark.parametrize("wanted", [{"uid": "another"}, {"resourceVersion": "1"}], ids=str)
def test_a_delete_of_another_object(cluster: Cluster, leases: str, held: Json, wanted: Json) -> None:
    answer = cluster.admin.delete(f"{leases}/app", {"preconditions": wanted})
    details = assert_refused(answer, 409, "Conflict")
    assert details == {"name": "app", "group": GROUP, "kind": "Lease"}
    assert cluster.admin.get(f"{leases}/app").body == held


def test_a_delete(cluster: Cluster, leases: str, held: Json) -> None:
    wanted = {"uid": held["metadata"]["uid"], "resourceVersion": version(held)}
    answer = cluster.admin.delete(f"{leases}/app", {"preconditions": wanted})
    assert (answer.status, answer.body["kind"], answer.body["status"]) == (200, "Status", "Success")
    again = cluster.admin.delete(f"{leases}/app", {"preconditions": wanted})
    assert_refused(again, 404, "NotFound", 'leases.coordination.k8s.io "app" not found')


def managed(lease: Json) -> dict[str, Json]:
    """The fields of each manager."""
    entries = lease["metadata"].get("managedFields", [])
    for entry in entries:
        assert {key: entry[key] for key in ("operation", "apiVersion", "fieldsType")} == {
            "operation": "Update",
            "apiVersion": f"{GROUP}/v1",
            "fieldsType": "FieldsV1",
        }
    return {entry["manager"]: entry["fieldsV1"] for entry in entries}


def test_who_has_written_what(cluster: Cluster, leases: str) -> None:
    body = {"metadata": {"name": "app", "labels": {"a/kind": "x"}}, "spec": SPEC}
    made = cluster.admin.create(leases, body, fieldManager="one").body
    assert managed(made) == {
        "one": {
            "f:metadata": {"f:labels": {".": {}, "f:a/kind": {}}},
            "f:spec": {f"f:{key}": {} for key in SPEC},
        }
    }
    spec = {**SPEC, "holderIdentity": "run-2"}
    del spec["acquireTime"]
    labels = {"a/kind": "x", "b": "y"}
    query = {"fieldManager": "two"}
    taken = put(cluster, leases, "app", spec, query, labels=labels, resourceVersion=version(made)).body
    assert managed(taken) == {
        "one": {
            "f:metadata": {"f:labels": {".": {}, "f:a/kind": {}}},
            "f:spec": {f"f:{key}": {} for key in spec if key != "holderIdentity"},
        },
        "two": {"f:metadata": {"f:labels": {"f:b": {}}}, "f:spec": {"f:holderIdentity": {}}},
    }


def test_the_time_of_the_last_write(cluster: Cluster, leases: str, held: Json) -> None:
    def times(lease: Json) -> list[str]:
        return [entry["time"] for entry in lease["metadata"]["managedFields"]]

    (before,) = times(held)
    assert before == held["metadata"]["creationTimestamp"]
    renewed = held
    for number in range(100_000):  # Until the second is over.
        renewed = {**renewed, "spec": {**SPEC, "renewTime": f"2026-01-02T03:04:05.{number:06}Z"}}
        renewed = cluster.admin.request("PUT", f"{leases}/app", renewed).body
        if times(renewed) != [before]:
            break
    (after,) = times(renewed)
    assert after > before
    assert renewed["metadata"]["creationTimestamp"] == before


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("", ["a", "b", "c"]),
        ("kind=binding", ["a", "b"]),
        ("kind==binding", ["a", "b"]),
        ("kind!=binding", ["c"]),
        (" kind = binding , x/y = 1 ", ["a"]),
        ("kind=binding,x/y!=1", ["b"]),
        ("kind", ["a", "b"]),
        ("!kind", ["c"]),
        ("x/y in (1, 2)", ["a", "b"]),
        ("x/y notin (1)", ["b", "c"]),
        ("x/y in (1,2),kind", ["a", "b"]),
        ("x/y=", []),
        ("other", []),
        ("inn", []),
    ],
)
def test_lists_by_labels(cluster: Cluster, leases: str, selector: str, wanted: list[str]) -> None:
    for name, labels in {
        "a": {"kind": "binding", "x/y": "1"},
        "b": {"kind": "binding", "x/y": "2"},
        "c": {},
    }.items():
        cluster.admin.create(leases, {"metadata": {"name": name, "labels": labels}})
    body = cluster.admin.get(leases, labelSelector=selector).body
    assert [item["metadata"]["name"] for item in body["items"]] == wanted


@pytest.mark.parametrize("selector", ["a b", "z in", "=", ",", "z=2,", "z=2=3", "Z_!=a", "z=a b", "a//b"])
def test_what_is_no_selector(cluster: Cluster, leases: str, selector: str) -> None:
    assert_refused(cluster.admin.get(leases, labelSelector=selector), 400, "BadRequest")


def test_labels_go_with_pages(cluster: Cluster, leases: str) -> None:
    for number in range(5):
        metadata = {"name": f"app-{number}", "labels": {"odd": str(number % 2)}}
        cluster.admin.create(leases, {"metadata": metadata})
    first = cluster.admin.get(leases, labelSelector="odd=0", limit="2").body
    assert [item["metadata"]["name"] for item in first["items"]] == ["app-0", "app-2"]
    assert "remainingItemCount" not in first["metadata"]
    query = {"labelSelector": "odd=0", "limit": "2", "continue": first["metadata"]["continue"]}
    rest = cluster.admin.get(leases, **query).body
    assert [item["metadata"]["name"] for item in rest["items"]] == ["app-4"]
    assert "continue" not in rest["metadata"]


def test_discovery_names_the_verbs(cluster: Cluster) -> None:
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    groups = cluster.admin.get("/apis", accept=aggregated).body["items"]
    (version,) = [group["versions"][0] for group in groups if group["metadata"]["name"] == GROUP]
    (entry,) = [item for item in version["resources"] if item["resource"] == "leases"]
    assert set(entry["verbs"]) >= {"create", "delete", "get", "list", "patch", "update"}


@pytest.mark.parametrize(
    ("verb", "method", "named"),
    [
        ("get", "GET", True),
        ("list", "GET", False),
        ("create", "POST", False),
        ("update", "PUT", True),
        ("delete", "DELETE", True),
    ],
)
def test_each_verb_is_needed(
    cluster: Cluster, namespace: str, leases: str, held: Json, verb: str, method: str, named: bool
) -> None:
    path = f"{leases}/app" if named else leases
    verbs = {"get", "list", "create", "update", "delete", "patch"}
    rule = Rule(tuple(sorted(verbs - {verb})), ("leases",), namespace, groups=(GROUP,))
    answer = cluster.user(f"{namespace}-{verb}", [rule]).request(method, path, held)
    assert_refused(answer, 403, "Forbidden")
    why = f'cannot {verb} resource "leases" in API group "{GROUP}" in the namespace "{namespace}"'
    assert answer.body["message"].endswith(why)
    nobody = cluster.connect(None).request(method, path, held)
    assert_refused(nobody, 403, "Forbidden")
    assert_refused(cluster.connect("rubbish").request(method, path, held), 401, "Unauthorized")


def test_a_put_that_creates_needs_to_be_allowed_to(cluster: Cluster, namespace: str, leases: str) -> None:
    user = cluster.user(namespace, [Rule(("update",), ("leases",), namespace, groups=(GROUP,))])
    answer = user.request("PUT", f"{leases}/app", {"metadata": {"name": "app"}, "spec": SPEC})
    message = (
        f'leases.coordination.k8s.io "app" is forbidden: User "{namespace}" cannot create resource "leases" '
        f'in API group "{GROUP}" in the namespace "{namespace}"'
    )
    assert_refused(answer, 403, "Forbidden", message)
    assert cluster.admin.get(f"{leases}/app").status == 404
