"""PUT, JSON and strategic merge patches of ServiceAccounts on both APIs, and the words for wrong names."""

from typing import Any

from tests.contract.asking import Asking, Row, alike, rows

MISSING = 'serviceaccounts "free" not found'
REJECTED = "the server rejected our request due to an error in our request"
JSON_PATCH = {"content_type": "application/json-patch+json"}
KEYS = "/metadata/annotations/eks.amazonaws.com~1role-arn"


def patch(sentence: str, operations: str, answer: str = "200", says: str = "", **more: Any) -> Row:
    """A JSON patch of the ServiceAccount."""
    return Row(sentence, f"PATCH $app [{operations}]", answer, says, options=JSON_PATCH, **more)


@rows(
    Row(
        "a PUT replaces all of it, also without a version",
        "PUT $app {metadata: {name: app}, secrets: [{name: other}]}",
        "200",
        shows="{kind: ServiceAccount, secrets: [{name: other}], imagePullSecrets: null,"
        " automountServiceAccountToken: null, metadata: {uid: $uid, labels: null, annotations: null}}",
    ),
    *alike(
        "a PUT that names no version",
        "PUT $app {metadata: {name: app, resourceVersion: '<>'}}",
        "200",
        *("", "0"),
    ),
    Row(
        "a PUT of an old version",
        "PUT $app {metadata: {name: app, resourceVersion: '1'}}",
        "409 Conflict",
        'Operation cannot be fulfilled on serviceaccounts "app": the object has been modified; please apply'
        " your changes to the latest version and try again",
    ),
    Row(
        "a PUT of another object",
        "PUT $app {metadata: {name: app, uid: another}}",
        "409 Conflict",
        "...Precondition failed: UID in precondition: another, UID in object meta: $uid",
    ),
    *alike(
        "a PUT creates none",
        "PUT $accounts/free {metadata: {name: free<>}}",
        "404 NotFound",
        *("", ", resourceVersion: '1'"),
        says=MISSING,
    ),
    Row(
        "a PUT with a wrong label",
        "PUT $app {metadata: {name: app, labels: {a: b c}}}",
        "422 Invalid",
        causes="metadata.labels FieldValueInvalid",
    ),
    Row("a PUT without a name", "PUT $app {metadata: {}}", "400 BadRequest"),
    Row(
        "a rehearsed PUT",
        "PUT $app?dryRun=All {metadata: {name: app}}",
        "200",
        shows="{metadata: {labels: null}}",
    ),
    Row(
        "a PUT needs the right to",
        "PUT $app {metadata: {name: app}}",
        "403 Forbidden",
        by="user patch,create serviceaccounts in $ns",
    ),
)
def test_puts(asking: Asking, row: Row) -> None:
    row.play(asking)


@rows(
    patch(
        "an annotation is added beside the others",
        f"{{op: add, path: {KEYS}, value: arn}}",
        shows="{metadata: {annotations: {eks.amazonaws.com/role-arn: arn, meta.helm.sh/release-name: app}}}",
    ),
    patch(
        "all operations, in order",
        "{op: test, path: /metadata/name, value: app}, {op: remove, path: /automountServiceAccountToken},"
        " {op: replace, path: /secrets/0/name, value: new}, {op: add, path: /imagePullSecrets/-, value:"
        " {name: second}}, {op: copy, from: /secrets/0, path: /secrets/0},"
        " {op: move, from: /metadata/labels/app.kubernetes.io~1managed-by, path: /metadata/labels/by}",
        shows="{automountServiceAccountToken: null, secrets: [{name: new}, {name: new}],"
        " imagePullSecrets: [{name: registry}, {name: second}], metadata: {labels: {by: Helm}}}",
    ),
    patch(
        "of an object's members, one that isn't there can be replaced",
        "{op: replace, path: /metadata/annotations/none, value: x}",
        shows="{metadata: {annotations: {none: x}}}",
    ),
    patch("no operation changes nothing", "", shows="{metadata: {resourceVersion: $version}}"),
    *(
        patch(f"it does not apply: {operation}", f"{{{operation}}}", "422 Invalid", REJECTED)
        for operation in (
            "op: test, path: /metadata/name, value: other",
            "op: test, path: /metadata/uid, value: mine",
            "op: remove, path: /metadata/annotations/none",
            "op: replace, path: /secrets/9, value: {name: x}",
            "op: add, path: /none/below, value: x",
            "op: add, path: /secrets/9, value: {name: x}",
            "op: move, from: /none, path: /secrets",
            "op: no-such-operation, path: /secrets",
        )
    ),
    patch(
        "none of them, if one fails",
        "{op: remove, path: /secrets}, {op: test, path: /metadata/name, value: other}",
        "422 Invalid",
        REJECTED,
    ),
    patch("a wrong type", "{op: add, path: /secrets, value: x}", "422 Invalid"),
    patch(
        "a key with a blank",
        "{op: add, path: /metadata/annotations/a b, value: x}",
        "422 Invalid",
        causes="metadata.annotations FieldValueInvalid",
    ),
    patch("another name", "{op: replace, path: /metadata/name, value: other}", "400 BadRequest"),
    *(
        Row(f"a JSON patch of {body!r}", "PATCH $app", "400 BadRequest", options={"raw": body, **JSON_PATCH})
        for body in (b"{", b"{}", b'"x"', b"[1]")
    ),
)
def test_json_patches(asking: Asking, row: Row) -> None:
    row.play(asking)


STRATEGIC = {"content_type": "application/strategic-merge-patch+json"}


@rows(
    *(
        Row(
            f"a strategic patch {sentence}",
            f"PATCH $app {patched}",
            "200",
            shows=shows,
            options=STRATEGIC,
        )
        for sentence, patched, shows in (
            (
                "merges objects",
                "{metadata: {annotations: {a: b}, labels: null}}",
                "{metadata: {labels: null, annotations: {a: b, meta.helm.sh/release-name: app}}}",
            ),
            (
                "adds to lists that have keys",
                "{secrets: [{name: new}]}",
                "{secrets: [{name: new}, {name: app-token}]}",
            ),
            (
                "keeps their elements, with names only",
                "{secrets: [{name: app-token, namespace: x}]}",
                "{secrets: [{name: app-token, namespace: null}]}",
            ),
            ("removes what is null", "{secrets: null}", "{secrets: null}"),
            (
                "replaces values",
                "{automountServiceAccountToken: true}",
                "{automountServiceAccountToken: true}",
            ),
            (
                "replaces other lists",
                "{imagePullSecrets: [{name: new}]}",
                "{imagePullSecrets: [{name: new}]}",
            ),
        )
    ),
    Row("one that is no JSON", "PATCH $app", "400 BadRequest", options={"raw": b"{", **STRATEGIC}),
    Row("one of a wrong type", "PATCH $app {secrets: x}", "422 Invalid", options=STRATEGIC),
)
def test_strategic_merge_patches(asking: Asking, row: Row) -> None:
    row.play(asking)


NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must"
    " start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used"
    " for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must"
    " start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NAMESPACE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and"
    " end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
MARKED = "PUT $app {metadata: {name: app, <>}}"


@rows(
    *(
        Row(f"the words of {marks}", MARKED.replace("<>", marks), "422 Invalid", f"...{words}")
        for marks, words in (
            ("annotations: {a b: x}", f'metadata.annotations: Invalid value: "a b": name part {NAME}'),
            ("labels: {a: b c}", f'metadata.labels: Invalid value: "b c": {LABEL}'),
            (
                "annotations: {a/b/c: x}",
                f'Invalid value: "a/b/c": a valid label key {NAME} with an optional DNS subdomain prefix'
                " and '/' (e.g. 'example.com/MyName')",
            ),
            ("annotations: {$x64: x}", "name part must be no more than 63 bytes"),
            ("labels: {a: $x64}", "must be no more than 63 bytes"),
            ("annotations: {a_b/c: x}", f'Invalid value: "a_b/c": prefix part {SUBDOMAIN}'),
        )
    ),
    Row("of a name", "POST $accounts {metadata: {name: A}}", "422 Invalid", f"...{SUBDOMAIN}"),
    Row("of a namespace", "POST $spaces {metadata: {name: A}}", "422 Invalid", f"...{NAMESPACE}"),
    Row("of a long name", "POST $accounts {metadata: {name: $x254}}", "422 Invalid", "...253 characters"),
)
def test_words_of_wrong_names(asking: Asking, row: Row) -> None:
    row.play(asking)
