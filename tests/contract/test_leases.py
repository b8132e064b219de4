"""Leases on both APIs: create, compare-and-set by PUT, delete by preconditions, times, refusals."""

from datetime import datetime, timedelta, timezone

import pytest

from irsa_cli.core.marks.locks import Holder, LeaseState, Lock, LockScope, Timing, Writer
from irsa_cli.core.results.locks import SeenLock
from irsa_cli.sandbox.model import Rule
from tests.contract.asking import Asking, Row, alike, rows
from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused
from tests.support.kubeclient import Json

GROUP = "coordination.k8s.io"
TIME = "2026-01-02T03:04:05.000000Z"
NUMBERS = "leaseDurationSeconds: 60, leaseTransitions: 0"
SPEC = f"holderIdentity: run-1, acquireTime: '{TIME}', renewTime: '{TIME}', {NUMBERS}"
HELD = (
    "POST $leases {metadata: {name: app, labels: {a/kind: binding}, annotations: {a/command: create-sa}},"
    f" spec: {{{SPEC}}}}}"
)
ALL = (
    f"{{kind: Lease, apiVersion: {GROUP}/v1, metadata: {{name: app, namespace: $ns, uid: $uid,"
    f" resourceVersion:"
    f" $version, labels: {{a/kind: binding}}, annotations: {{a/command: create-sa}}}}, spec: {{{SPEC}}}}}"
)
MISSING = 'leases.coordination.k8s.io "app" not found'
NO_NAMESPACE = 'namespaces "$free" not found'
ELSEWHERE = f"/apis/{GROUP}/v1/namespaces/$free/leases"
CONFLICT = (
    'Operation cannot be fulfilled on leases.coordination.k8s.io "app": the object has been modified; please'
    " apply your changes to the latest version and try again"
)
ABOUT = f"{{name: app, group: {GROUP}, kind: leases}}"
TIMES = (
    *("", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05.123456789Z"),
    *("2026-01-02T03:04:05.123456", "2026-01-02t03:04:05.123456z", "2026-13-02T03:04:05.123456Z"),
    *("2026-02-30T03:04:05.123456Z", "yesterday"),
)
NO_LEASES = (
    *("leaseDurationSeconds: 2147483648", "leaseDurationSeconds: '60'", "leaseTransitions: -2147483649"),
    *("holderIdentity: 1", "renewTime: 5"),
    *(f"{field}: '{time}'" for field in ("acquireTime", "renewTime") for time in TIMES),
)
NUMBERS_REFUSED = (
    ("leaseDurationSeconds: 0", "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
    ("leaseDurationSeconds: -1", "spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0"),
    (
        "leaseTransitions: -1",
        "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
    ),
)


def make(spec: str, name: str = "other") -> str:
    """A creation."""
    return f"POST $leases {{metadata: {{name: {name}}}, spec: {{{spec}}}}}"


def put(spec: str = SPEC, of: str = "resourceVersion: $version", name: str = "app") -> str:
    """A replacement, of the version that was read last unless told otherwise."""
    return f"PUT $leases/app {{metadata: {{name: {name}, {of}}}, spec: {{{spec}}}}}"


def change(spec: str) -> str:
    """A patch."""
    return f"PATCH $leases/app {{spec: {{{spec}}}}}"


def numbers(way: str, line: str) -> list[Row]:
    """Numbers that are refused, however they are written."""
    name = "other" if line.startswith("POST") else "app"
    return [
        Row(
            f"{way}, {field}",
            line.replace("<>", field),
            "422 Invalid",
            f'Lease.{GROUP} "{name}" is invalid: {why}',
            causes=f"{why.partition(':')[0]} FieldValueInvalid",
            given=HELD,
        )
        for field, why in NUMBERS_REFUSED
    ]


@rows(
    Row(
        "one is made",
        HELD,
        "201",
        then=f"$leases/app {ALL.replace(' uid: $uid, resourceVersion: $version,', '')}",
    ),
    Row(
        "a spec may be missing",
        "POST $leases {metadata: {name: bare}}",
        "201",
        shows="metadata: {managedFields: null}",
    ),
    Row(
        "a name is taken once",
        make(SPEC, "app"),
        "409 AlreadyExists",
        'leases.coordination.k8s.io "app" already exists',
        ABOUT,
        given=HELD,
    ),
    *alike(
        "a bad name",
        make(SPEC, "<>"),
        "422 Invalid",
        *("A", "a_b", "$a254"),
        says=f'Lease.{GROUP} "<>" is invalid: metadata.name: ...',
        causes="metadata.name FieldValueInvalid",
    ),
    Row("no name", make(SPEC, "''"), "422 Invalid", causes="metadata.name FieldValueRequired"),
    *numbers("made", make("<>")),
    *numbers("replaced", put("<>")),
    *numbers("patched", change("<>")),
    *alike(
        "no Lease is made",
        make("<>"),
        "400 BadRequest",
        *NO_LEASES,
        says='Lease in version "v1" cannot be handled as a Lease: ...',
    ),
    *alike(
        "no Lease replaces one",
        put("<>"),
        "400 BadRequest",
        *NO_LEASES,
        says='Lease in version "v1" cannot be handled as a Lease: ...',
        given=HELD,
    ),
    *alike("no Lease comes of a patch", change("<>"), "422 Invalid", *NO_LEASES, given=HELD),
    Row(
        "times are kept in UTC and may be missing",
        make("acquireTime: '2026-01-02T03:04:05.123456+02:00', renewTime: null"),
        "201",
        shows="spec: {acquireTime: '2026-01-02T01:04:05.123456Z', renewTime: null}",
    ),
    Row("an empty holder stays", make("holderIdentity: ''"), "201", shows="spec: {holderIdentity: ''}"),
    Row(
        "a PUT replaces all of it",
        put("holderIdentity: run-2"),
        "200",
        given=HELD,
        shows=f"{{kind: Lease, apiVersion: {GROUP}/v1, metadata: {{uid: $uid, labels: null, annotations:"
        f" null}}, spec:"
        " {holderIdentity: run-2, acquireTime: null, renewTime: null, leaseDurationSeconds: null}}",
        then="$leases/app spec: {holderIdentity: run-2, leaseTransitions: null}",
    ),
    Row(
        "a PUT of the same changes nothing",
        put(of="resourceVersion: $version, labels: {a/kind: binding}, annotations: {a/command: create-sa}"),
        "200",
        given=HELD,
        shows=ALL,
        then=f"$leases/app {ALL}",
    ),
    Row(
        "a rehearsed PUT",
        put("holderIdentity: run-2").replace("/app", "/app?dryRun=All"),
        "200",
        given=HELD,
        shows="{metadata: {resourceVersion: $version}, spec: {holderIdentity: run-2}}",
        then=f"$leases/app {ALL}",
    ),
    *alike(
        "a PUT of an old version",
        put("<>", "resourceVersion: '1'"),
        "409 Conflict",
        # The version is looked at before what is written.
        *(SPEC, "leaseDurationSeconds: 0"),
        says=CONFLICT,
        details=ABOUT,
        given=HELD,
    ),
    *alike(
        "a PUT without a version",
        put(of="<>"),
        "422 Invalid",
        *("uid: null", "resourceVersion: ''", "resourceVersion: '0'"),
        says='leases.coordination.k8s.io "app" is invalid: metadata.resourceVersion: Invalid value: 0:'
        " must be"
        " specified for an update",
        given=HELD,
    ),
    Row("a PUT with a version that is no number", put(of="resourceVersion: abc"), "500", given=HELD),
    *alike(
        "a PUT of another object",
        put(of="uid: another, resourceVersion: '<>'"),
        "409 Conflict",
        *("$version", "1"),
        says="...Precondition failed: UID in precondition: another, UID in object meta: $uid",
        given=HELD,
    ),
    *alike(
        "a PUT of another path",
        "PUT $leases/app {metadata: {<>resourceVersion: $version}, spec: {}}",
        "400 BadRequest",
        *("", "name: other, ", "name: app, namespace: default, "),
        given=HELD,
    ),
    Row("one in no namespace", make(SPEC).replace("$leases", ELSEWHERE), "404 NotFound", NO_NAMESPACE),
    Row(
        "a PUT in no namespace",
        put(of="uid: null").replace("$leases", ELSEWHERE),
        "404 NotFound",
        NO_NAMESPACE,
    ),
    Row(
        "a PUT of an object in no namespace",
        put(of="uid: a, resourceVersion: '1'").replace("$leases", ELSEWHERE),
        "409 Conflict",
    ),
    Row("none in no namespace", f"GET {ELSEWHERE}/app", "404 NotFound", MISSING),
    Row("a deletion of none", "DELETE $leases/app", "404 NotFound", MISSING, ABOUT),
    Row("a list of no namespace", f"GET {ELSEWHERE}", "200", shows="items: []"),
    *alike(
        "a deletion of another object",
        "DELETE $leases/app {preconditions: {<>}}",
        "409 Conflict",
        *("uid: another", "resourceVersion: '1'"),
        details=f"{{name: app, group: {GROUP}, kind: Lease}}",
        given=HELD,
    ),
    Row(
        "a deletion",
        "DELETE $leases/app {preconditions: {uid: $uid, resourceVersion: $version}}",
        "200",
        given=HELD,
        shows="{kind: Status, status: Success}",
        then="$leases/app 404",
    ),
    Row(
        "a PUT that creates needs to be allowed to",
        put(of="uid: null"),
        "403 Forbidden",
        'leases.coordination.k8s.io "app" is forbidden: User "$user" cannot create resource "leases" in'
        " API group"
        ' "coordination.k8s.io" in the namespace "$ns"',
        by="user update leases.coordination.k8s.io in $ns",
    ),
)
def test_leases(asking: Asking, row: Row) -> None:
    row.play(asking)


def test_a_put_of_one_that_is_gone_makes_it_anew(asking: Asking) -> None:
    """Unless it names the uid: who renews a lock has to, or it is taken again after its end."""
    asking.ask(HELD)
    uid = asking.words["uid"]
    version = asking.words["version"]
    asking.ask("DELETE $leases/app")
    own = f"resourceVersion: '{version}'"
    gone = "$leases/app 404"
    Row("named", put(of=f"uid: {uid}, {own}"), "409 Conflict", then=gone).play(asking)
    Row("rehearsed", put(of=own).replace("/app", "/app?dryRun=All"), "201", then=gone).play(asking)
    assert asking.ask(put(of=own)).body["metadata"]["uid"] != uid


def test_a_hostile_lease_is_taken_over(asking: Asking) -> None:
    """The server takes numbers that keep others out until 2094, and counts of takeovers that are full."""
    asking.ask(HELD)
    end = "2094-01-01T00:00:00.000000Z"
    numbers = "leaseDurationSeconds: 2147483647, leaseTransitions: 2147483647"
    hostile = f"{numbers}, acquireTime: '{end}', renewTime: '{end}'"
    found = asking.ask(put(hostile)).body
    assert found["spec"] == asking.read(f"{{{hostile}}}")
    now = datetime.now(timezone.utc)
    assert SeenLock(LeaseState.read(found), now + timedelta(seconds=60)).ended
    mine = Writer(Holder("r2", "alice", "ci"), Timing(), "demo", "irsa create-sa")
    body = mine.body(Lock(LockScope.BINDING, "ns/app"), now, found)
    body["metadata"]["name"] = "app"
    taken = asking.cluster.admin.request("PUT", asking.text("$leases/app"), body)
    assert taken.status == 200, taken.text
    assert LeaseState.read(taken.body).run == "r2"


def managed(lease: Json) -> dict[str, Json]:
    """The fields of each manager."""
    entries = lease["metadata"].get("managedFields", [])
    for entry in entries:
        assert (entry["operation"], entry["apiVersion"], entry["fieldsType"]) == (
            "Update",
            f"{GROUP}/v1",
            "FieldsV1",
        )
    return {entry["manager"]: entry["fieldsV1"] for entry in entries}


def test_who_has_written_what(asking: Asking) -> None:
    line = make(SPEC, "app").replace("$leases", "$leases?fieldManager=one")
    made = asking.ask(line.replace("name: app", "name: app, labels: {a/kind: x}")).body
    labels: Json = {"f:labels": {".": {}, "f:a/kind": {}}}
    fields: Json = {f"f:{key}": {} for key in made["spec"]}
    assert managed(made) == {"one": {"f:metadata": labels, "f:spec": fields}}
    again = put(
        f"holderIdentity: run-2, renewTime: '{TIME}', {NUMBERS}",
        "resourceVersion: $version, labels: {a/kind: x, b: 'y'}",
    )
    taken = asking.ask(again.replace("/app", "/app?fieldManager=two")).body
    del fields["f:acquireTime"], fields["f:holderIdentity"]
    assert managed(taken) == {
        "one": {"f:metadata": labels, "f:spec": fields},
        "two": {"f:metadata": {"f:labels": {"f:b": {}}}, "f:spec": {"f:holderIdentity": {}}},
    }


def test_the_time_of_the_last_write(asking: Asking) -> None:
    def time_of(lease: Json) -> str:
        (entry,) = lease["metadata"]["managedFields"]
        return str(entry["time"])

    lease = asking.ask(HELD).body
    created = lease["metadata"]["creationTimestamp"]
    assert time_of(lease) == created
    for number in range(100_000):  # Until the second is over.
        lease["spec"]["renewTime"] = f"2026-01-02T03:04:05.{number:06}Z"
        lease = asking.cluster.admin.request("PUT", asking.text("$leases/app"), lease).body
        if time_of(lease) != created:
            break
    assert time_of(lease) > created
    assert lease["metadata"]["creationTimestamp"] == created


@pytest.mark.parametrize(
    "request_line",
    [
        "get GET $leases/app",
        "list GET $leases",
        "create POST $leases",
        "update PUT $leases/app",
        "delete DELETE $leases/app",
    ],
)
def test_each_verb_is_needed(asking: Asking, cluster: Cluster, request_line: str) -> None:
    verb, method, path = asking.text(request_line).split()
    held, place = asking.ask(HELD).body, asking.words["ns"]
    verbs = {"get", "list", "create", "update", "delete", "patch"} - {verb}
    rule = Rule(tuple(sorted(verbs)), ("leases",), place, groups=(GROUP,))
    answer = cluster.user(f"{place}-{verb}", [rule]).request(method, path, held)
    assert_refused(answer, 403, "Forbidden")
    why = f'cannot {verb} resource "leases" in API group "{GROUP}" in the namespace "{place}"'
    assert answer.body["message"].endswith(why)
    assert_refused(cluster.connect(None).request(method, path, held), 403, "Forbidden")
    assert_refused(cluster.connect("rubbish").request(method, path, held), 401, "Unauthorized")
