"""ServiceAccounts: reading, creating, deleting, and merge patches, the only way in which irsa changes one."""

from tests.contract.asking import Asking, Row, alike, rows
from tests.contract.clusters import Cluster

FULL = (
    "{kind: ServiceAccount, apiVersion: v1, metadata: {name: app, namespace: $ns, labels:"
    " {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: app}},"
    " secrets: [{name: app-token}], imagePullSecrets: [{name: registry}],"
    " automountServiceAccountToken: false}"
)
MISSING = 'serviceaccounts "other" not found'
NO_NAMESPACE = 'namespaces "$free" not found'
NEW = "{metadata: {name: new}}"
BAD_LABELS = "metadata.labels FieldValueInvalid"
BAD_KEYS = "metadata.annotations FieldValueInvalid"
BIND = "{metadata: {annotations: {role: x}}}"
WRONG_PATCH = "patch FieldValueInvalid"
KIB_256 = "v" * 256 * 1024


def with_annotations(text: str) -> dict[str, object]:
    """Options of a request whose body is an account with these annotations, and no YAML: it is large."""
    return {"raw": f'{{"metadata": {{"name": "new", "annotations": {{{text}}}}}}}'.encode()}


@rows(
    Row("all of it", "GET $app", "200", shows=FULL),
    Row(
        "one that is not there",
        "GET $accounts/other",
        "404 NotFound",
        MISSING,
        "{name: other, kind: serviceaccounts}",
    ),
    Row(
        "of a namespace that is not there", "GET $spaces/$free/serviceaccounts/other", "404 NotFound", MISSING
    ),
    Row(
        "made in a namespace that is not there",
        f"POST $spaces/$free/serviceaccounts {NEW}",
        "404 NotFound",
        NO_NAMESPACE,
        "{name: $free, kind: namespaces}",
    ),
    Row(
        "rehearsed in a namespace that is not there",
        f"POST $spaces/$free/serviceaccounts?dryRun=All {NEW}",
        "404 NotFound",
        NO_NAMESPACE,
    ),
    Row(
        "made twice",
        "POST $accounts {metadata: {name: app}}",
        "409 AlreadyExists",
        'serviceaccounts "app" already exists',
        "{name: app, kind: serviceaccounts}",
    ),
    Row(
        "a list",
        "GET $accounts",
        "200",
        shows="{kind: ServiceAccountList, items: [{metadata: {name: app}, imagePullSecrets: [{name:"
        " registry}]}]}",
    ),
    Row(
        "a list of a namespace that is not there",
        "GET $spaces/$free/serviceaccounts",
        "200",
        shows="items: []",
    ),
    Row("a rehearsal leaves nothing", f"POST $accounts?dryRun=All {NEW}", "201", then="$accounts/new 404"),
    Row(
        "a rehearsal of another name",
        f"POST $accounts?dryRun=Some {NEW}",
        "422 Invalid",
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values:'
        ' "All"',
        shows="details: {group: meta.k8s.io, kind: CreateOptions}",
    ),
    *alike(
        "a bad name",
        "POST $accounts {metadata: {name: <>}}",
        "422 Invalid",
        *("Upper", "under_score", "a..b", "-a", "a-", ".a", "$a254"),
        cause="metadata.name FieldValueInvalid",
        shows="details: {name: <>, kind: ServiceAccount}",
    ),
    *alike("a good name", "POST $accounts {metadata: {name: <>}}", "201", "a", "a.b", "'0'", "$a253"),
    *alike(
        "bad labels",
        "POST $accounts {metadata: {name: new, labels: {<>}}}",
        "422 Invalid",
        *("a: b c", "a: $x64", "a/b/c: d", "/a: b", "'': b"),
        causes=BAD_LABELS,
    ),
    *alike(
        "good labels",
        "POST $accounts {metadata: {name: new, labels: {<>}}}",
        "201",
        *("a: ''", "A.b_c-d: A.b_c-d", "example.com/a: $x63"),
        shows="metadata: {labels: {<>}}",
    ),
    *alike(
        "a bad key of an annotation",
        "POST $accounts {metadata: {name: new, annotations: {<>: v}}}",
        "422 Invalid",
        *("/a", "a b", "a/b/c", "ex_ample.com/a", "example.com/$x64"),
        causes=BAD_KEYS,
    ),
    Row(
        "the case of a key's prefix does not matter",
        r'POST $accounts {metadata: {name: new, annotations: {Example.COM/Role: "Any text, even'
        r' ünicode\n"}}}',
        "201",
        shows=r'metadata: {annotations: {Example.COM/Role: "Any text, even ünicode\n"}}',
    ),
    Row("annotations of 256 KiB", "POST $accounts", "201", options=with_annotations(f'"k": "{KIB_256[1:]}"')),
    Row(
        "annotations of more",
        "POST $accounts",
        "422 Invalid",
        'ServiceAccount "new" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
        causes="metadata.annotations FieldValueTooLong",
        options=with_annotations(f'"k": "{KIB_256[1:]}", "l": ""'),
    ),
    Row(
        "several errors at once",
        "POST $accounts {metadata: {name: Upper, labels: {a: b c}}}",
        "422 Invalid",
        'ServiceAccount "Upper" is invalid: [metadata.name: ...',
        causes=f"metadata.name FieldValueInvalid, {BAD_LABELS}",
    ),
    *alike(
        "wrong types",
        "POST $accounts {<>}",
        "400 BadRequest",
        "metadata: {name: new, annotations: {a: 1}}",
        "metadata: {name: new, annotations: {a: true}}",
        "metadata: {name: new, labels: {a: 1.5}}",
        "metadata: {name: new, labels: [a]}",
        "metadata: {name: 7}",
        "metadata: {name: new}, automountServiceAccountToken: 'yes'",
        "metadata: {name: new}, imagePullSecrets: [registry]",
        says='ServiceAccount in version "v1" cannot be handled as a ServiceAccount: ...',
    ),
    Row(
        "unknown fields vanish",
        "POST $accounts {metadata: {name: new, colour: red}, spec: {replicas: 3}}",
        "201",
        shows="{spec: null, metadata: {colour: null}}",
    ),
    Row(
        "an annotation of null is empty",
        "POST $accounts {metadata: {name: new, annotations: {a: null}}}",
        "201",
        shows="metadata: {annotations: {a: ''}}",
    ),
    Row(
        "another namespace's",
        "POST $accounts {metadata: {name: new, namespace: default}}",
        "400 BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request",
    ),
    Row(
        "a version of its own",
        "POST $accounts {metadata: {name: new, resourceVersion: '5'}}",
        "500",
        "resourceVersion should not be set on objects to be created",
        shows="reason: null",
    ),
    Row(
        "another kind",
        "POST $accounts {kind: Pod, apiVersion: v1, metadata: {name: new}}",
        "400 BadRequest",
        'Pod in version "v1" cannot be handled as a ServiceAccount...',
    ),
    Row("a deletion", "DELETE $app", "200", shows=FULL, then="$app 404"),
    Row("a deletion of none", "DELETE $accounts/other", "404 NotFound", MISSING),
    Row("a deletion of one uid of none", "DELETE $accounts/other {preconditions: {uid: x}}", "404 NotFound"),
    Row(
        "a deletion of one uid and version",
        "DELETE $app {apiVersion: v1, kind: DeleteOptions, preconditions: {uid: $uid, resourceVersion:"
        " $version}}",
        "200",
    ),
    Row(
        "a deletion of another uid",
        "DELETE $app {preconditions: {uid: another}}",
        "409 Conflict",
        'Operation cannot be fulfilled on ServiceAccount "app": the UID in the precondition (another) does'
        " not"
        " match the UID in record ($uid). The object might have been deleted and then recreated",
        "{name: app, kind: ServiceAccount}",
    ),
    Row(
        "a deletion of an old version", "DELETE $app {preconditions: {resourceVersion: '1'}}", "409 Conflict"
    ),
    Row("a rehearsed deletion", "DELETE $app?dryRun=All", "200", then=f"$app {FULL}"),
    Row(
        "a deletion that is rehearsed by its body", "DELETE $app {dryRun: [All]}", "200", then=f"$app {FULL}"
    ),
    Row(
        "a rehearsed deletion of another uid",
        "DELETE $app {dryRun: [All], preconditions: {uid: another}}",
        "409 Conflict",
    ),
    Row(
        "a patch",
        f"PATCH $app {BIND}",
        "200",
        shows="{metadata: {uid: $uid, labels: {app.kubernetes.io/managed-by: Helm}, annotations:"
        " {meta.helm.sh/release-name: app, role: x}}, secrets: [{name: app-token}],"
        " imagePullSecrets: [{name: registry}], automountServiceAccountToken: false}",
        then=f"$app {BIND}",
    ),
    Row(
        "null removes an annotation",
        "PATCH $app {metadata: {annotations: {role: null}}}",
        "200",
        given=f"PATCH $app {BIND}",
        shows="metadata: {annotations: {meta.helm.sh/release-name: app, role: null}}",
    ),
    Row(
        "the last annotation takes the field with it",
        "PATCH $app {metadata: {annotations: {meta.helm.sh/release-name: null}}}",
        "200",
        shows="metadata: {annotations: null}",
    ),
    Row(
        "one that has none is annotated",
        f"PATCH $accounts/new {BIND}",
        "200",
        given=f"POST $accounts {NEW}",
        shows="metadata: {annotations: {role: x}}",
    ),
    *alike(
        "a patch without a change",
        "PATCH $app {<>}",
        "200",
        *("", "metadata: {annotations: {role: null}}", "metadata: {labels: {gone: null}}"),
        shows="metadata: {resourceVersion: $version}",
    ),
    Row(
        "a patch of this uid and version",
        "PATCH $app {metadata: {uid: $uid, resourceVersion: $version}}",
        "200",
    ),
    Row(
        "a patch of an old version",
        "PATCH $app {metadata: {annotations: {role: x}, resourceVersion: '1'}}",
        "409 Conflict",
        'Operation cannot be fulfilled on serviceaccounts "app": the object has been modified; please apply'
        " your changes to the latest version and try again",
        "{name: app, kind: serviceaccounts}",
    ),
    Row(
        "a rehearsed patch of an old version",
        "PATCH $app?dryRun=All {metadata: {resourceVersion: '1'}}",
        "409 Conflict",
    ),
    Row(
        "a patch of version null",
        "PATCH $app {metadata: {annotations: {role: x}, resourceVersion: null}}",
        "200",
    ),
    Row("a patch of a version that is no number", "PATCH $app {metadata: {resourceVersion: abc}}", "500"),
    Row(
        "a patch of another uid",
        "PATCH $app {metadata: {annotations: {role: x}, uid: another}}",
        "422 Invalid",
        'ServiceAccount "app" is invalid: metadata.uid: Invalid value: "another": field is immutable',
        causes="metadata.uid FieldValueInvalid",
    ),
    Row("a patch of uid null", "PATCH $app {metadata: {uid: null}}", "200", shows="metadata: {uid: $uid}"),
    Row(
        "a rehearsed patch",
        f"PATCH $app?dryRun=All {BIND}",
        "200",
        shows="metadata: {annotations: {role: x}, resourceVersion: $version}",
    ),
    Row("a patch of none", f"PATCH $accounts/other {BIND}", "404 NotFound", MISSING),
    Row(
        "a patch in no namespace",
        f"PATCH $spaces/$free/serviceaccounts/other {BIND}",
        "404 NotFound",
        MISSING,
    ),
    *alike(
        "an annotation that is no text",
        "PATCH $app {metadata: {annotations: {role: <>}}}",
        "422 Invalid",
        *("1", "true", "1.5", "[a]", "{a: b}"),
        says=' "" is invalid: patch: Invalid value: ...',
        causes=WRONG_PATCH,
    ),
    Row(
        "a patch to a bad key",
        "PATCH $app {metadata: {annotations: {/a: b}}}",
        "422 Invalid",
        causes=BAD_KEYS,
    ),
    Row(
        "a patch to a bad label",
        "PATCH $app {metadata: {labels: {a: b c}}}",
        "422 Invalid",
        causes=BAD_LABELS,
    ),
    Row(
        "a patch to over 256 KiB together",
        "PATCH $accounts/new",
        "422 Invalid",
        causes="metadata.annotations FieldValueTooLong",
        given="POST $accounts {metadata: {name: new, annotations: {more: x}}}",
        options=with_annotations(f'"k": "{KIB_256[1:]}"'),
    ),
    Row(
        "a patch of the name",
        "PATCH $app {metadata: {name: other}}",
        "400 BadRequest",
        "the name of the object (other) does not match the name on the URL (app)",
    ),
    Row("a patch of the namespace", "PATCH $app {metadata: {namespace: default}}", "400 BadRequest"),
    Row("a patch of the kind", "PATCH $app {kind: Pod}", "422 Invalid", causes=WRONG_PATCH),
    *(
        Row(f"a patch of {body!r}", "PATCH $app", "400 BadRequest", options={"raw": body})
        for body in (b"{", b"[]", b"", b'"x"')
    ),
    *(
        Row(
            f"a patch as {kind}",
            "PATCH $app {}",
            "415 UnsupportedMediaType",
            "415: Unsupported Media Type",
            options={"content_type": kind},
        )
        for kind in ("application/json", "text/plain")
    ),
    Row(
        "lists are replaced",
        "PATCH $app {imagePullSecrets: [{name: new}], secrets: null}",
        "200",
        shows="{imagePullSecrets: [{name: new}], secrets: null}",
    ),
)
def test_service_accounts(asking: Asking, row: Row) -> None:
    row.play(asking)


def test_a_plain_one_has_no_empty_fields(cluster: Cluster, accounts: str) -> None:
    old = "2000-01-01T00:00:00Z"
    given = {"name": "plain", "uid": "mine", "creationTimestamp": old, "deletionTimestamp": old}
    body = cluster.admin.create(accounts, {"metadata": given}).body
    assert set(body) == {"kind", "apiVersion", "metadata"}
    fields = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}
    assert set(body["metadata"]) - {"managedFields"} == fields
    assert body["metadata"]["uid"] != "mine"
    assert body["metadata"]["creationTimestamp"] > old


def test_each_change_gives_a_new_version(asking: Asking) -> None:
    versions = [asking.words["version"]]
    for line in ("PATCH $app {metadata: {annotations: {a: b}}}", "GET $app", "DELETE $app"):
        asking.ask(line)
        versions.append(asking.words["version"])
    made, patched, read, deleted = map(int, versions)
    assert made < patched == read < deleted


def test_both_worlds_have_the_same_shape(asking: Asking) -> None:
    world, place = asking.cluster.world(), asking.words["ns"]
    assert world["serviceaccounts"][f"{place}/app"] == {
        "uid": asking.words["uid"],
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "app"},
        "secrets": [{"name": "app-token"}],
        "imagePullSecrets": [{"name": "registry"}],
        "automount": False,
    }
    labels = {"kubernetes.io/metadata.name": place}
    assert world["namespaces"][place] == {"labels": labels, "annotations": {}, "phase": "Active"}
