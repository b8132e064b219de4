"""TokenRequest, and the issuer's documents that the tokens are verified with."""

import time
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from tests.contract.asking import Asking, Row, alike, rows
from tests.contract.clusters import Cluster

SHORT = "spec.expirationSeconds FieldValueInvalid"
POD = (
    "POST $pods {metadata: {name: web-0}, spec: {serviceAccountName: app, containers: [{name: a, image: a}]}}"
)
SECRET = "POST $secrets {metadata: {name: s}}"


def token(spec: str = "", account: str = "$app") -> str:
    """A request for a token."""
    return (
        f"POST {account}/token {{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {{{spec}}}}}"
    )


def bound(kind: str, name: str, more: str = "") -> str:
    """A token that is bound to an object."""
    return f"audiences: [a], boundObjectRef: {{kind: {kind}, apiVersion: v1, name: {name}{more}}}"


def claims_of(asking: Asking, line: str) -> dict[str, Any]:
    """The claims of a token, its signature checked with the cluster's published keys."""
    answer = asking.cluster.admin.get("/openid/v1/jwks", accept="application/jwk-set+json")
    keys = KeySet.import_key_set(answer.body)  # type: ignore[arg-type]
    token = asking.ask(line).body["status"]["token"]
    header = jws.extract_compact(token.encode()).headers()
    assert (set(header), header["alg"]) == ({"alg", "kid"}, "RS256")
    assert header["kid"] in {key["kid"] for key in answer.body["keys"]}
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


@rows(
    *alike(
        "too short",
        token("expirationSeconds: <>"),
        "422 Invalid",
        *("599", "0", "-5"),
        says='TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: <>:'
        " may"
        " not specify a duration less than 10 minutes",
        causes=SHORT,
        shows="details: {group: authentication.k8s.io, kind: TokenRequest}",
    ),
    Row("the shortest", token("expirationSeconds: 600"), "201", shows="spec: {expirationSeconds: 600}"),
    Row("absurdly long", token("expirationSeconds: 4294967297"), "422 Invalid", causes=SHORT),
    *alike(
        "wrong types",
        token("<>"),
        "400 BadRequest",
        *("expirationSeconds: '600'", "expirationSeconds: 600.5", "audiences: a"),
    ),
    Row(
        "of no account", token(account="$accounts/other"), "404 NotFound", 'serviceaccounts "other" not found'
    ),
    Row(
        "in no namespace",
        token(account="$spaces/$free/serviceaccounts/app"),
        "404 NotFound",
        'namespaces "$free" not found',
    ),
    Row(
        "for another uid",
        "POST $app/token {metadata: {uid: another}, spec: {}}",
        "409 Conflict",
        details="{name: app, group: authentication.k8s.io, kind: TokenRequest}",
    ),
    Row(
        "for another name",
        "POST $app/token {metadata: {name: another}, spec: {}}",
        "422 Invalid",
        causes="metadata.name FieldValueInvalid",
    ),
    Row("bound to no pod", token(bound("Pod", "web-0")), "404 NotFound", 'pods "web-0" not found'),
    Row(
        "bound to a pod that was made again",
        token(bound("Pod", "web-0", ", uid: another")),
        "409 Conflict",
        'Operation cannot be fulfilled on Pod "web-0": the UID in the bound object reference (another)'
        " does not"
        " match the UID in record. The object might have been deleted and then recreated",
        given=POD,
    ),
    Row(
        "bound to a pod of another account",
        token(bound("Pod", "web-0"), "$accounts/other"),
        "400 BadRequest",
        'cannot bind token for serviceaccount "other" to pod running with different serviceaccount name.',
        given=(POD, "POST $accounts {metadata: {name: other}}"),
    ),
    Row(
        "bound to something else",
        token(bound("ConfigMap", "x")),
        "400 BadRequest",
        "cannot bind token to object of type /v1, Kind=ConfigMap",
    ),
    Row("read", "GET $app/token", "405 MethodNotAllowed"),
    Row(
        "an answer",
        token("audiences: [a, b]"),
        "201",
        given="GET $app",
        shows="{kind: TokenRequest, apiVersion: authentication.k8s.io/v1, metadata: {name: app, namespace:"
        " $ns,"
        " uid: $uid}, spec: {audiences: [a, b], expirationSeconds: 3600, boundObjectRef: null}}",
    ),
    Row("keys as plain JSON", "GET /openid/v1/jwks", "406 NotAcceptable"),
)
def test_tokens(asking: Asking, row: Row) -> None:
    row.play(asking)


def test_claims(asking: Asking) -> None:
    uid = asking.ask("GET $app").body["metadata"]["uid"]
    line = token("audiences: [sts.amazonaws.com], expirationSeconds: 900")
    claims = claims_of(asking, line)
    issued, number = claims.pop("iat"), claims.pop("jti")
    # The server's own clock is this machine's, at most minutes ago.
    assert time.time() - 600 < issued <= time.time()
    assert (claims.pop("nbf"), claims.pop("exp"), len(number)) == (issued, issued + 900, 36)
    place = asking.words["ns"]
    assert claims == {
        "aud": ["sts.amazonaws.com"],
        "iss": asking.cluster.issuer,
        "sub": f"system:serviceaccount:{place}:app",
        "kubernetes.io": {"namespace": place, "serviceaccount": {"name": "app", "uid": uid}},
    }
    assert claims_of(asking, line)["jti"] != number


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("{}", 3600),
        ("{spec: {}}", 3600),
        ("{spec: {audiences: []}}", 3600),
        ("{spec: {expirationSeconds: 604800}}", 86400),
    ],
)
def test_what_is_not_said_or_too_long(asking: Asking, body: str, seconds: int) -> None:
    line = f"POST $app/token {body}"
    claims = claims_of(asking, line)
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["https://kubernetes.default.svc"], seconds)
    assert asking.ask(line).body["spec"]["expirationSeconds"] == seconds


@pytest.mark.parametrize(
    ("given", "reference", "claim"),
    [
        (POD, bound("Pod", "web-0"), "pod"),
        (POD, bound("Pod", "web-0", ", uid: $uid"), "pod"),
        (SECRET, bound("Secret", "s"), "secret"),
    ],
)
def test_bound_to_an_object(asking: Asking, given: str, reference: str, claim: str) -> None:
    made = asking.ask(given).body["metadata"]
    answer = asking.send(asking.cluster.admin, token(reference)).body
    assert answer["spec"]["boundObjectRef"] == asking.read(f"{{{reference}}}")["boundObjectRef"]
    claims = claims_of(asking, token(reference))
    assert claims["kubernetes.io"][claim] == {"name": made["name"], "uid": made["uid"]}


def test_documents_of_the_issuer(cluster: Cluster) -> None:
    assert cluster.admin.get("/.well-known/openid-configuration").body == {
        "issuer": cluster.issuer,
        "jwks_uri": f"{cluster.issuer}/keys",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    (key,) = cluster.admin.get("/openid/v1/jwks", accept="*/*").body["keys"]
    assert set(key) == {"use", "kty", "alg", "e", "n", "kid"}
    assert (key["use"], key["kty"], key["alg"], key["e"]) == ("sig", "RSA", "RS256", "AQAB")
