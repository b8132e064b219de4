"""TokenRequest, and the issuer's documents that the tokens are verified with."""

import time
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused, causes
from tests.support.kubeclient import Answer

API_AUDIENCE = "https://kubernetes.default.svc"
EXPIRATION = ("spec.expirationSeconds", "FieldValueInvalid")


def request_token(cluster: Cluster, account: str, **spec: object) -> Answer:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return cluster.admin.create(f"{account}/token", body)


def verified_claims(cluster: Cluster, token: str) -> dict[str, Any]:
    """The claims of a token, its signature checked with the cluster's published keys."""
    answer = cluster.admin.get("/openid/v1/jwks", accept="application/jwk-set+json")
    keys = KeySet.import_key_set(answer.body)  # type: ignore[arg-type]
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


def test_claims(cluster: Cluster, namespace: str, account: str) -> None:
    uid = cluster.admin.get(account).body["metadata"]["uid"]
    answer = request_token(cluster, account, audiences=["sts.amazonaws.com"], expirationSeconds=900)
    assert answer.status == 201
    claims = verified_claims(cluster, answer.body["status"]["token"])
    issued = claims.pop("iat")
    assert abs(issued - time.time()) < 60
    assert (claims.pop("nbf"), claims.pop("exp")) == (issued, issued + 900)
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "aud": ["sts.amazonaws.com"],
        "iss": cluster.issuer,
        "sub": f"system:serviceaccount:{namespace}:app",
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": "app", "uid": uid}},
    }


def test_header_names_a_published_key(cluster: Cluster, account: str) -> None:
    token = request_token(cluster, account).body["status"]["token"]
    header = jws.extract_compact(token.encode()).headers()
    jwks = cluster.admin.get("/openid/v1/jwks", accept="application/jwk-set+json").body
    assert set(header) == {"alg", "kid"}
    assert header["alg"] == "RS256"
    assert header["kid"] in {key["kid"] for key in jwks["keys"]}


def test_each_token_has_an_id_of_its_own(cluster: Cluster, account: str) -> None:
    tokens = [request_token(cluster, account).body["status"]["token"] for _ in range(2)]
    assert len({verified_claims(cluster, token)["jti"] for token in tokens}) == 2


def test_answer(cluster: Cluster, namespace: str, account: str) -> None:
    uid = cluster.admin.get(account).body["metadata"]["uid"]
    body = request_token(cluster, account, audiences=["a", "b"]).body
    assert (body["kind"], body["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    assert body["metadata"].pop("creationTimestamp").endswith("Z")
    body["metadata"].pop("managedFields", None)
    assert body["metadata"] == {"name": "app", "namespace": namespace, "uid": uid}
    assert body["spec"] == {"audiences": ["a", "b"], "expirationSeconds": 3600, "boundObjectRef": None}
    assert set(body["status"]) == {"token", "expirationTimestamp"}


@pytest.mark.parametrize("body", [{}, {"spec": {}}, {"spec": {"audiences": []}}])
def test_defaults(cluster: Cluster, account: str, body: object) -> None:
    answer = cluster.admin.create(f"{account}/token", body)
    assert answer.status == 201
    claims = verified_claims(cluster, answer.body["status"]["token"])
    assert claims["aud"] == [API_AUDIENCE]
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("seconds", [599, 0, -5])
def test_too_short(cluster: Cluster, account: str, seconds: int) -> None:
    answer = request_token(cluster, account, expirationSeconds=seconds)
    message = (
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: '
        f"{seconds}: may not specify a duration less than 10 minutes"
    )
    details = assert_refused(answer, 422, "Invalid", message)
    assert (details["group"], details["kind"]) == ("authentication.k8s.io", "TokenRequest")
    assert causes(answer) == {EXPIRATION}


def test_shortest(cluster: Cluster, account: str) -> None:
    assert request_token(cluster, account, expirationSeconds=600).status == 201


def test_longer_than_a_day_is_cut(cluster: Cluster, account: str) -> None:
    body = request_token(cluster, account, expirationSeconds=7 * 86400).body
    assert body["spec"]["expirationSeconds"] == 86400
    claims = verified_claims(cluster, body["status"]["token"])
    assert claims["exp"] - claims["iat"] == 86400


def test_absurdly_long(cluster: Cluster, account: str) -> None:
    answer = request_token(cluster, account, expirationSeconds=2**32 + 1)
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {EXPIRATION}


@pytest.mark.parametrize(
    "spec", [{"expirationSeconds": "600"}, {"expirationSeconds": 600.5}, {"audiences": "a"}]
)
def test_wrong_types(cluster: Cluster, account: str, spec: dict[str, object]) -> None:
    answer = cluster.admin.create(f"{account}/token", {"spec": spec})
    assert_refused(answer, 400, "BadRequest")


def test_of_missing_account(cluster: Cluster, accounts: str) -> None:
    answer = request_token(cluster, f"{accounts}/other")
    assert_refused(answer, 404, "NotFound", 'serviceaccounts "other" not found')


def test_in_missing_namespace_names_the_namespace(cluster: Cluster, unique: str) -> None:
    answer = request_token(cluster, f"/api/v1/namespaces/{unique}/serviceaccounts/app")
    assert_refused(answer, 404, "NotFound", f'namespaces "{unique}" not found')


def test_for_another_uid(cluster: Cluster, account: str) -> None:
    body = {"metadata": {"uid": "another"}, "spec": {}}
    answer = cluster.admin.create(f"{account}/token", body)
    details = assert_refused(answer, 409, "Conflict")
    assert details == {"name": "app", "group": "authentication.k8s.io", "kind": "TokenRequest"}


def test_for_another_name(cluster: Cluster, account: str) -> None:
    body = {"metadata": {"name": "another"}, "spec": {}}
    answer = cluster.admin.create(f"{account}/token", body)
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {("metadata.name", "FieldValueInvalid")}


def test_bound_to_a_pod_that_is_not_there(cluster: Cluster, account: str) -> None:
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "web-0"}
    answer = request_token(cluster, account, boundObjectRef=bound)
    assert_refused(answer, 404, "NotFound", 'pods "web-0" not found')


@pytest.fixture
def pod_uid(cluster: Cluster, namespace: str, account: str) -> str:
    """The uid of a pod `web-0` of the ServiceAccount `app`."""
    spec = {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]}
    body = {"metadata": {"name": "web-0"}, "spec": spec}
    answer = cluster.admin.create(f"/api/v1/namespaces/{namespace}/pods", body)
    assert answer.status == 201, answer.text
    return str(answer.body["metadata"]["uid"])


@pytest.mark.parametrize("with_uid", [True, False])
def test_bound_to_a_pod(cluster: Cluster, account: str, pod_uid: str, with_uid: bool) -> None:
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "web-0"} | ({"uid": pod_uid} if with_uid else {})
    answer = request_token(cluster, account, audiences=["sts.amazonaws.com"], boundObjectRef=bound)
    assert answer.status == 201, answer.text
    assert answer.body["spec"]["boundObjectRef"] == bound
    claims = verified_claims(cluster, answer.body["status"]["token"])
    assert claims["kubernetes.io"]["pod"] == {"name": "web-0", "uid": pod_uid}


def test_bound_to_a_pod_that_was_made_again(cluster: Cluster, account: str, pod_uid: str) -> None:
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "web-0", "uid": "another"}
    answer = request_token(cluster, account, boundObjectRef=bound)
    message = (
        'Operation cannot be fulfilled on Pod "web-0": the UID in the bound object reference (another) does '
        "not match the UID in record. The object might have been deleted and then recreated"
    )
    assert_refused(answer, 409, "Conflict", message)


def test_bound_to_a_pod_of_another_account(cluster: Cluster, accounts: str, pod_uid: str) -> None:
    cluster.admin.create(accounts, {"metadata": {"name": "other"}})
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "web-0"}
    answer = request_token(cluster, f"{accounts}/other", boundObjectRef=bound)
    message = (
        'cannot bind token for serviceaccount "other" to pod running with different serviceaccount name.'
    )
    assert_refused(answer, 400, "BadRequest", message)


def test_bound_to_a_secret(cluster: Cluster, namespace: str, account: str) -> None:
    made = cluster.admin.create(f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "s"}})
    bound = {"kind": "Secret", "apiVersion": "v1", "name": "s"}
    answer = request_token(cluster, account, boundObjectRef=bound)
    claims = verified_claims(cluster, answer.body["status"]["token"])
    assert claims["kubernetes.io"]["secret"] == {"name": "s", "uid": made.body["metadata"]["uid"]}


def test_bound_to_something_else(cluster: Cluster, account: str) -> None:
    bound = {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}
    answer = request_token(cluster, account, boundObjectRef=bound)
    message = "cannot bind token to object of type /v1, Kind=ConfigMap"
    assert_refused(answer, 400, "BadRequest", message)


def test_get_is_not_allowed(cluster: Cluster, account: str) -> None:
    assert_refused(cluster.admin.get(f"{account}/token"), 405, "MethodNotAllowed")


def test_discovery(cluster: Cluster) -> None:
    answer = cluster.admin.get("/.well-known/openid-configuration")
    assert answer.status == 200
    assert answer.body == {
        "issuer": cluster.issuer,
        "jwks_uri": f"{cluster.issuer}/keys",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def test_keys(cluster: Cluster) -> None:
    answer = cluster.admin.get("/openid/v1/jwks", accept="*/*")
    (key,) = answer.body["keys"]
    assert {field: key[field] for field in ("use", "kty", "alg", "e")} == {
        "use": "sig",
        "kty": "RSA",
        "alg": "RS256",
        "e": "AQAB",
    }
    assert set(key) == {"use", "kty", "alg", "e", "n", "kid"}


def test_keys_are_not_plain_json(cluster: Cluster) -> None:
    answer = cluster.admin.get("/openid/v1/jwks", accept="application/json")
    assert_refused(answer, 406, "NotAcceptable")
