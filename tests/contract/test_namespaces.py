"""Namespaces: reading, creating, deleting, and what happens in one that is ending."""

from tests.contract.asking import Asking, Row, alike, rows

ACTIVE = "{spec: {finalizers: [kubernetes]}, status: {phase: Active}}"
ENDS = "DELETE $spaces/$ns"
ENDING = "metadata.namespace NamespaceTerminating"
AGAIN = "POST $spaces {metadata: {name: $ns}}"
MISSING = 'namespaces "$free" not found'


@rows(
    Row(
        "one",
        "GET $spaces/$ns",
        "200",
        shows="{kind: Namespace, metadata: {name: $ns, labels: {kubernetes.io/metadata.name: $ns}}, "
        + ACTIVE[1:],
    ),
    Row("none", "GET $spaces/$free", "404 NotFound", MISSING, "{name: $free, kind: namespaces}"),
    *alike(
        "a new cluster's",
        "GET $spaces/<>",
        "200",
        *("default", "kube-system", "kube-public", "kube-node-lease"),
        shows="status: {phase: Active}",
    ),
    Row(
        "made twice",
        AGAIN,
        "409 AlreadyExists",
        'namespaces "$ns" already exists',
        "{name: $ns, kind: namespaces}",
    ),
    Row("rehearsed twice", AGAIN.replace(" {m", "?dryRun=All {m"), "409 AlreadyExists"),
    Row(
        "rehearsed",
        "POST $spaces?dryRun=All {metadata: {name: $free}}",
        "201",
        shows="metadata: {resourceVersion: null}",
        then="$spaces/$free 404",
    ),
    *alike(
        "a bad name",
        "POST $spaces {metadata: {name: <>}}",
        "422 Invalid",
        *("Upper", "under_score", "a.b", "-a", "a-", "$a64", "ä"),
        says='Namespace "<>" is invalid: ...',
        cause="metadata.name FieldValueInvalid",
        shows="details: {name: <>, kind: Namespace}",
    ),
    *alike(
        "no name",
        "POST $spaces {<>}",
        "422 Invalid",
        *("", "metadata: {}", "metadata: {name: ''}"),
        cause="metadata.name FieldValueRequired",
    ),
    Row(
        "a patch keeps what is the server's",
        "PATCH $spaces/$ns {metadata: {labels: {team: a}}, spec: null, status: {phase: Terminating}}",
        "200",
        shows=ACTIVE,
        then="$spaces/$ns metadata: {labels: {team: a}}",
    ),
    Row(
        "a deletion makes it end",
        ENDS,
        "200",
        shows="{kind: Namespace, status: {phase: Terminating}}",
        then="$spaces/$ns status: {phase: Terminating}",
    ),
    Row("a rehearsed deletion", f"{ENDS}?dryRun=All", "200", shows="status: {phase: Terminating}"),
    Row(
        "a deletion of another uid",
        f"{ENDS} {{preconditions: {{uid: another}}}}",
        "409 Conflict",
        'Operation cannot be fulfilled on namespaces "$ns": Precondition failed: UID in precondition:'
        " another,"
        " UID in object meta: $uid",
        given="GET $spaces/$ns",
    ),
    *alike(
        "a deletion of the system's own",
        "DELETE $spaces/<>",
        "403 Forbidden",
        *("default", "kube-system", "kube-public"),
        says='namespaces "<>" is forbidden: this namespace may not be deleted',
    ),
    Row("a deletion of none", "DELETE $spaces/$free", "404 NotFound", MISSING),
    Row(
        "nothing new in one that ends",
        "POST $accounts {metadata: {name: late}}",
        "403 Forbidden",
        'serviceaccounts "late" is forbidden: unable to create new content in namespace $ns because it is'
        " being"
        " terminated",
        causes=ENDING,
        given=ENDS,
    ),
    Row(
        "no token in one that ends", "POST $app/token {spec: {}}", "403 Forbidden", causes=ENDING, given=ENDS
    ),
    Row("a change in one that ends", "PATCH $app {metadata: {annotations: {a: b}}}", "200", given=ENDS),
    Row("a deletion in one that ends", "DELETE $app", "200", given=ENDS, then="$app 404"),
    Row(
        "one that ends is made",
        AGAIN,
        "409 AlreadyExists",
        'object is being deleted: namespaces "$ns" already exists',
        given=ENDS,
    ),
    Row(
        "one that ends is deleted",
        ENDS,
        "200",
        given=(ENDS, "GET $spaces/$ns"),
        shows="metadata: {resourceVersion: $version}",
    ),
)
def test_namespaces(asking: Asking, row: Row) -> None:
    row.play(asking)


def test_a_list_has_it_without_kind(asking: Asking) -> None:
    body = asking.ask("GET $spaces").body
    assert (body["kind"], body["apiVersion"]) == ("NamespaceList", "v1")
    assert body["metadata"]["resourceVersion"].isdecimal()
    (namespace,) = [item for item in body["items"] if item["metadata"]["name"] == asking.words["ns"]]
    assert not {"kind", "apiVersion"} & set(namespace)


def test_one_that_ends_says_since_when(asking: Asking) -> None:
    assert asking.ask(ENDS).body["metadata"]["deletionTimestamp"]
