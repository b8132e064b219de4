"""ConfigMaps, Secrets, webhooks, roles, and the groups of kinds, as far as the sandbox has them."""

from tests.contract.asking import Asking, Row, rows

WEBHOOK = (
    "POST $webhooks {metadata: {name: $free}, webhooks: [{name: show.example.com, clientConfig: {url:"
    " 'https://127.0.0.1:9/'}, sideEffects: None, admissionReviewVersions: [v1], objectSelector:"
    " {matchLabels:"
    " {nobody: has-this}}}]}"
)
RULES = "rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]"
BINDING = (
    "{metadata: {name: <>}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: <kind>, name: gone},"
    " subjects:"
    " [{kind: User, name: eve}, {kind: ServiceAccount, name: app, namespace: $ns}]}"
)
NAMED = BINDING.replace("<>", "b").replace("<kind>", "Role")
BOUND = f"POST $rbac/namespaces/$ns/rolebindings {NAMED}"


@rows(
    Row(
        "a ConfigMap",
        "PATCH $maps/m {data: {c: d}}",
        "200",
        given="POST $maps {metadata: {name: m}, data: {a: b}}",
        then="$maps/m data: {a: b, c: d}",
    ),
    Row(
        "a ConfigMap's deletion answers a status",
        "DELETE $maps/m",
        "200",
        given="POST $maps {metadata: {name: m}}",
        shows="{kind: Status, apiVersion: v1, metadata: {}, status: Success, details: {name: m, kind:"
        " configmaps,"
        " uid: $uid}}",
        then="$maps/m 404",
    ),
    Row("a ConfigMap that is not there", "GET $maps/m", "404 NotFound", 'configmaps "m" not found'),
    Row("data that are no text", "POST $maps {metadata: {name: m}, data: {a: 1}}", "400 BadRequest"),
    Row(
        "data under a path",
        "POST $maps {metadata: {name: m}, data: {a/b: x}}",
        "422 Invalid",
        causes="data[a/b] FieldValueInvalid",
    ),
    Row(
        "a Secret",
        "POST $secrets {metadata: {name: s}, data: {key: dmFsdWU=}}",
        "201",
        shows="{type: Opaque, data: {key: dmFsdWU=}}",
    ),
    Row(
        "a Secret's type stays",
        "PATCH $secrets/s {type: other}",
        "422 Invalid",
        given="POST $secrets {metadata: {name: s}}",
        causes="type FieldValueInvalid",
    ),
    Row(
        "a Secret's deletion",
        "DELETE $secrets/s",
        "200",
        given="POST $secrets {metadata: {name: s}}",
        shows="status: Success",
    ),
    Row(
        "a Secret that is not in base64",
        "POST $secrets {metadata: {name: s}, data: {key: '***'}}",
        "400 BadRequest",
    ),
    Row(
        "a Lease is of another group",
        "POST $leases {metadata: {name: l}, spec: {holderIdentity: me}}",
        "201",
        shows="apiVersion: coordination.k8s.io/v1",
    ),
    Row(
        "a body of another group",
        "POST $leases {apiVersion: v1, kind: Lease, metadata: {name: l}}",
        "400 BadRequest",
    ),
    Row(
        "a rule about the core group",
        "GET $leases",
        "403 Forbidden",
        details="{group: coordination.k8s.io, kind: leases}",
        by="user list leases in $ns",
    ),
    Row("a rule about its group", "GET $leases", "200", by="user list leases.coordination.k8s.io in $ns"),
    Row("a rule about everything", "GET $leases", "200", by="user list *.* in $ns"),
    Row(
        "a webhook",
        WEBHOOK,
        "201",
        then="$webhooks/$free webhooks: [{failurePolicy: Fail, matchPolicy: Equivalent, namespaceSelector:"
        " {},"
        " timeoutSeconds: 10, reinvocationPolicy: Never}]",
    ),
    Row(
        "a webhook's deletion",
        "DELETE $webhooks/$free",
        "200",
        given=WEBHOOK,
        shows="details: {group: admissionregistration.k8s.io}",
        then="$webhooks/$free 404",
    ),
    Row(
        "a role's name is free",
        f"POST $rbac/namespaces/$ns/roles {{metadata: {{name: 'a:b C'}}, {RULES}}}",
        "201",
        shows=RULES,
    ),
    Row(
        "a binding",
        BOUND,
        "201",
        shows="subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}, {kind:"
        " ServiceAccount,"
        " name: app, namespace: $ns}]",
    ),
    Row(
        "a binding keeps its role",
        f"PATCH $rbac/namespaces/$ns/rolebindings/b {NAMED.replace('gone', 'r')}",
        "422 Invalid",
        given=BOUND,
    ),
    Row(
        "a binding of all namespaces",
        "POST $rbac/clusterrolebindings "
        + BINDING.replace("<>", "'system:$free'").replace("<kind>", "ClusterRole"),
        "201",
    ),
)
def test_other_kinds(asking: Asking, row: Row) -> None:
    row.play(asking)


def test_lists_have_what_was_made(asking: Asking) -> None:
    for line, path, name in (
        (WEBHOOK, "$webhooks", asking.words["free"]),
        (BOUND, "$rbac/rolebindings", "b"),
    ):
        asking.ask(line)
        uid = asking.words["uid"]
        listed = asking.ask(f"GET {path}").body
        assert (uid, name) in [
            (item["metadata"]["uid"], item["metadata"]["name"]) for item in listed["items"]
        ]
    assert listed["kind"] == "RoleBindingList"
