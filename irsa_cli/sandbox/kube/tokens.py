"""ServiceAccount tokens: the requests for them, signing them, and the issuer's discovery documents.

Claims as a real kube-apiserver writes them; nothing here knows HTTP or who may ask.
https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.jwk import RSAKey

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.store import timestamp

API_AUDIENCE = "https://kubernetes.default.svc"
MAX_SECONDS = 24 * 3600
"""The longest life of a token on EKS; longer ones are cut down to it."""


class TokenIssuer:
    """The issuer of one cluster: its URL and its only key."""

    def __init__(self, issuer: str, signing_key: RSAPrivateKey) -> None:
        self.issuer = issuer
        public = signing_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest = hashlib.sha256(public).digest()
        self.key_id = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        pem = signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key = RSAKey.import_key(pem, {"kid": self.key_id, "use": "sig", "alg": "RS256"})

    def sign(
        self,
        account: JsonObject,
        audiences: Sequence[str],
        seconds: int,
        bound: Mapping[str, JsonObject] | None = None,
    ) -> tuple[str, int]:
        """Sign a token of a ServiceAccount object, with claims of `bound`; returns it and its end (Unix)."""
        now = int(time.time())
        metadata = account["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        claims: dict[str, Any] = {
            "aud": list(audiences),
            "exp": now + seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                **(bound or {}),
                "serviceaccount": {"name": name, "uid": metadata["uid"]},
            },
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }
        # Not jwt.encode: it adds a `typ` to the header, which Kubernetes does not write.
        header = {"alg": "RS256", "kid": self.key_id}
        payload = json.dumps(claims, separators=(",", ":"))
        return jws.serialize_compact(header, payload, self._key, algorithms=["RS256"]), now + seconds

    def jwks(self) -> JsonObject:
        return {"keys": [dict(self._key.as_dict(private=False))]}

    def discovery(self) -> JsonObject:
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }


_GROUP = "authentication.k8s.io"
_MIN_SECONDS = 600


def request_token(
    issuer: TokenIssuer, account: JsonObject, wanted: JsonObject, find: Callable[[str, str], JsonObject]
) -> JsonObject:
    """Answer a TokenRequest; `find` gets the bound object by kind and name; raises 400, 404, 409, 422."""
    spec = wanted.get("spec", {})
    audiences = spec.get("audiences") or [API_AUDIENCE]
    seconds = spec.get("expirationSeconds", 3600)
    _check_request(account, wanted, seconds)
    reference = spec.get("boundObjectRef")
    bound = _bound_claims(account, reference, find) if reference else {}
    seconds = min(seconds, MAX_SECONDS)
    token, expires = issuer.sign(account, audiences, seconds, bound)
    metadata = {key: account["metadata"][key] for key in ("name", "namespace", "uid")}
    return {
        "kind": "TokenRequest",
        "apiVersion": f"{_GROUP}/v1",
        "metadata": {**metadata, "creationTimestamp": timestamp()},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
        "status": {
            "token": token,
            "expirationTimestamp": timestamp(datetime.fromtimestamp(expires, timezone.utc)),
        },
    }


def _check_request(account: JsonObject, wanted: JsonObject, seconds: int) -> None:
    sent, real = wanted["metadata"], account["metadata"]
    for key in ("name", "namespace"):
        if sent.get(key, real[key]) != real[key]:
            why = f"must match the service account {key} if specified"
            error = status.invalid_value(f"metadata.{key}", sent[key], why)
            raise status.invalid("TokenRequest", real["name"], [error], group=_GROUP)
    if sent.get("uid", real["uid"]) != real["uid"]:
        why = (
            f"the UID in the token request ({sent['uid']}) does not match "
            f"the UID of the service account ({real['uid']})"
        )
        raise status.conflict("TokenRequest", real["name"], why, group=_GROUP)
    if seconds < _MIN_SECONDS or seconds > 2**32:
        limit = "less than 10 minutes" if seconds < _MIN_SECONDS else "larger than 2^32 seconds"
        why = f"may not specify a duration {limit}"
        error = status.invalid_value("spec.expirationSeconds", seconds, why)
        raise status.invalid("TokenRequest", "", [error], group=_GROUP)


def _bound_claims(
    account: JsonObject, reference: dict[str, str], find: Callable[[str, str], JsonObject]
) -> dict[str, JsonObject]:
    kind, name, uid = (reference.get(key, "") for key in ("kind", "name", "uid"))
    if kind not in ("Pod", "Secret", "Node"):
        version = reference.get("apiVersion", "")
        raise status.bad_request(f"cannot bind token to object of type /{version}, Kind={kind}")
    found = find(kind, name)
    if kind == "Pod" and found["spec"].get("serviceAccountName") != account["metadata"]["name"]:
        raise status.bad_request(
            f'cannot bind token for serviceaccount "{account["metadata"]["name"]}" to pod running with '
            "different serviceaccount name."
        )
    if uid and uid != found["metadata"]["uid"]:
        why = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise status.conflict(kind, name, why)
    return {kind.lower(): {"name": name, "uid": found["metadata"]["uid"]}}
