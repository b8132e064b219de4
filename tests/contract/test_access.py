"""Who may do what: 401, 403, and SelfSubjectAccessReview."""

from tests.contract.asking import Asking, Row, alike, rows
from tests.contract.clusters import Cluster, token_of

ANONYMOUS = 'forbidden: User "system:anonymous" cannot get path "<>"'
DOCUMENTS = ("/.well-known/openid-configuration", "/openid/v1/jwks")


def allowed(attributes: str, by: str, answer: bool) -> Row:
    """What a review says to a user."""
    line = f"POST $reviews {{spec: {{resourceAttributes: {{{attributes}}}}}}}"
    return Row(f"{attributes}: {answer}", line, "201", by=by, shows=f"status: {{allowed: {answer}}}")


HERE = "namespace: $ns, resource: serviceaccounts"
LIMITED = "user create,patch serviceaccounts in $ns; create serviceaccounts/token"
IN_ONE = "user get,create,patch serviceaccounts,namespaces in $ns"
EVERYWHERE = "user get serviceaccounts; create *"
NEW = "{metadata: {name: new}}"
LABEL = "{metadata: {labels: {a: b}}}"


@rows(
    *alike(
        "an unknown token",
        "GET <>",
        "401 Unauthorized",
        *("/api/v1/namespaces", "/version", "/healthz"),
        says="Unauthorized",
        by="rubbish",
    ),
    Row(
        "no token",
        "GET $spaces",
        "403 Forbidden",
        'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group ""'
        " at the cluster scope",
        by="nobody",
    ),
    *alike("the issuer's documents", "GET <>", "403 Forbidden", *DOCUMENTS, says=ANONYMOUS, by="nobody"),
    *alike("the issuer's documents for a user", "GET <>", "403 Forbidden", *DOCUMENTS, by="user"),
    Row(
        "a namespace",
        "GET $spaces/$ns",
        "403 Forbidden",
        'namespaces "$ns" is forbidden: User "$user" cannot get resource "namespaces" in API group "" in the'
        ' namespace "$ns"',
        details="{name: $ns, kind: namespaces}",
        by="user",
    ),
    Row(
        "a new namespace",
        "POST $spaces {metadata: {name: $free}}",
        "403 Forbidden",
        'namespaces is forbidden: User "$user" cannot create resource "namespaces" in API group "" at the'
        " cluster scope",
        details="{kind: namespaces}",
        by="user",
    ),
    Row(
        "a new account",
        f"POST $accounts {NEW}",
        "403 Forbidden",
        'serviceaccounts is forbidden: User "$user" cannot create resource "serviceaccounts" in API group ""'
        ' in the namespace "$ns"',
        by="user",
    ),
    Row(
        "a patch",
        f"PATCH $app {LABEL}",
        "403 Forbidden",
        'serviceaccounts "app" is forbidden: User "$user" cannot patch resource "serviceaccounts" in API'
        ' group "" in the namespace "$ns"',
        by="user",
    ),
    Row(
        "a deletion",
        "DELETE $app",
        "403 Forbidden",
        'serviceaccounts "app" is forbidden: User "$user" cannot delete...',
        by="user",
    ),
    Row(
        "a token",
        "POST $app/token {spec: {}}",
        "403 Forbidden",
        'serviceaccounts "app" is forbidden: User "$user" cannot create resource "serviceaccounts/token" in'
        ' API group "" in the namespace "$ns"',
        by="user * serviceaccounts",
    ),
    Row("a list", "GET $accounts", "200", by="user list serviceaccounts in $ns"),
    Row(
        "a list of all namespaces",
        "GET /api/v1/serviceaccounts",
        "403 Forbidden",
        'serviceaccounts is forbidden: User "$user" cannot list resource "serviceaccounts" in API group ""'
        " at the cluster scope",
        by="user list serviceaccounts in $ns",
    ),
    Row(
        "what is not served",
        "GET $spaces/$ns/widgets/x",
        "403 Forbidden",
        'widgets "x" is forbidden: User "$user" cannot get resource "widgets" in API group "" in the'
        ' namespace "$ns"',
        by="user",
    ),
    Row("before it is missed", "GET $spaces/$free/serviceaccounts/app", "403 Forbidden", by="user"),
    Row("before its namespace is", f"POST $spaces/$free/serviceaccounts {NEW}", "403 Forbidden", by="user"),
    Row(
        "before the body is read",
        "PATCH $app",
        "403 Forbidden",
        by="user",
        options={"raw": b"{", "content_type": "text/plain"},
    ),
    Row("a rehearsal", f"POST $accounts?dryRun=All {NEW}", "403 Forbidden", by="user"),
    Row("in one namespace: create", f"POST $accounts {NEW}", "201", by=IN_ONE),
    Row("in one namespace: patch", f"PATCH $app {LABEL}", "200", by=IN_ONE),
    Row("in one namespace: itself", "GET $spaces/$ns", "200", by=IN_ONE),
    Row("in one namespace: another", "GET $spaces/default", "403 Forbidden", by=IN_ONE),
    Row("in one namespace: another verb", "DELETE $app", "403 Forbidden", by=IN_ONE),
    Row(
        "in one namespace: elsewhere",
        f"POST $spaces/default/serviceaccounts {NEW}",
        "403 Forbidden",
        by=IN_ONE,
    ),
    Row("everywhere: get", "GET $app", "200", by=EVERYWHERE),
    Row("everywhere: a token", "POST $app/token {spec: {}}", "201", by=EVERYWHERE),
    Row("everywhere: a namespace", "POST $spaces {metadata: {name: $free}}", "201", by=EVERYWHERE),
    Row("everywhere: another verb", "DELETE $app", "403 Forbidden", by=EVERYWHERE),
    allowed("verb: delete, resource: namespaces, name: x", "admin", True),
    allowed("verb: create, resource: serviceaccounts, subresource: token", "admin", True),
    allowed(f"verb: create, {HERE}", LIMITED, True),
    allowed(f"verb: patch, name: app, {HERE}", LIMITED, True),
    allowed("verb: create, subresource: token, namespace: default, resource: serviceaccounts", LIMITED, True),
    allowed(f"verb: delete, {HERE}", LIMITED, False),
    allowed("verb: create, resource: serviceaccounts", LIMITED, False),
    allowed("verb: create, resource: serviceaccounts, namespace: default", LIMITED, False),
    allowed("verb: create, resource: namespaces", LIMITED, False),
    allowed(f"verb: create, group: apps, {HERE}", LIMITED, False),
    Row(
        "a review answers what was asked",
        "POST $reviews {spec: {resourceAttributes: {verb: get, resource: namespaces, name: $free}}}",
        "201",
        by="user",
        shows="{kind: SelfSubjectAccessReview, apiVersion: authorization.k8s.io/v1, status: {allowed: false},"
        " spec: {resourceAttributes: {verb: get, resource: namespaces, name: $free}}}",
    ),
    Row(
        "a review of a path that is for everybody",
        "POST $reviews {spec: {nonResourceAttributes: {verb: get, path: /version}}}",
        "201",
        by="user",
        shows="status: {allowed: true}",
    ),
    Row(
        "a review of a path that is not",
        "POST $reviews {spec: {nonResourceAttributes: {verb: get, path: /openid/v1/jwks}}}",
        "201",
        by="user",
        shows="status: {allowed: false}",
    ),
    Row(
        "a review without a token",
        "POST $reviews {spec: {}}",
        "403 Forbidden",
        details="{group: authorization.k8s.io, kind: selfsubjectaccessreviews}",
        by="nobody",
    ),
    Row(
        "a review of nothing",
        "POST $reviews {spec: {}}",
        "422 Invalid",
        causes="spec.resourceAttributes FieldValueInvalid",
    ),
)
def test_access(asking: Asking, row: Row) -> None:
    row.play(asking)


def test_version_is_for_everyone(cluster: Cluster) -> None:
    body = cluster.connect(None).get("/version").body
    assert (body["major"], body["minor"]) == ("1", "36")
    assert body["gitVersion"].startswith("v1.36.")
    # Client libraries want all of them, though most of them may be empty.
    assert {"gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"} <= set(body)


def test_members_of_system_masters(cluster: Cluster, unique: str) -> None:
    client = cluster.connect(token_of(unique, ["other", "system:masters"]))
    assert client.create("/api/v1/namespaces", {"metadata": {"name": unique}}).status == 201
