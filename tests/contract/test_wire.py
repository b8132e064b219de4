"""Requests that are wrong before anything is looked up: bodies, media types, paths, methods."""

from tests.contract.asking import Asking, Row, alike, rows

NO_METHOD = "the server does not allow this method on the requested resource"


@rows(
    *(
        Row(f"a body {body!r}", "POST $spaces", "400 BadRequest", options={"raw": body})
        for body in (b"", b"{", b"[]", b'"text"')
    ),
    Row(
        "a body that is no JSON",
        "POST $spaces {}",
        "415 UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include:"
        " application/json...",
        options={"content_type": "text/plain"},
    ),
    Row(
        "a body over three MiB",
        "POST $spaces",
        "413 RequestEntityTooLarge",
        "Request entity too large: limit is 3145728",
        options={"raw": b'{"metadata": {"name": "%b"}}' % (b"v" * 3 * 2**20)},
    ),
    *alike(
        "what is not served",
        "GET <>",
        "404 NotFound",
        *("/api/v1/widgets", "$spaces/default/widgets/x"),
        says="the server could not find the requested resource",
    ),
    *alike(
        "a method of one object, on all",
        "PATCH <> {}",
        "405 MethodNotAllowed",
        *("$spaces", "$accounts"),
        says=NO_METHOD,
    ),
    *alike(
        "a method of all objects, on one",
        "POST <> {}",
        "405 MethodNotAllowed",
        *("$spaces/default", "$accounts/x", "/api/v1/serviceaccounts"),
        says=NO_METHOD,
    ),
    Row("a deletion of all", "DELETE $spaces {}", "405 MethodNotAllowed", NO_METHOD),
)
def test_wrong_requests(asking: Asking, row: Row) -> None:
    row.play(asking)


@rows(
    *alike("no path", "GET <>", "404", "/nowhere", "/apis/example.com/v1/widgets", by="admin"),
    *alike("health", "GET <>", "200", "/healthz", "/livez", "/readyz", by="nobody"),
)
def test_plain_text(asking: Asking, row: Row) -> None:
    assert row.play(asking).text == ("ok" if row.by == "nobody" else "404 page not found\n")
