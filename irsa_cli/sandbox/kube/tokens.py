"""ServiceAccount tokens: signing them, and the issuer's discovery documents.

Claims as a real kube-apiserver writes them; nothing here knows HTTP or who may ask.
https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.jwk import RSAKey

from irsa_cli.sandbox.kube.objects.schema import JsonObject

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
        """Sign a token of `account` (a ServiceAccount object) and when it expires, in Unix seconds.

        `bound` are the claims about the object that it is bound to.
        """
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
        """Return the JSON Web Key Set with the public key."""
        return {"keys": [dict(self._key.as_dict(private=False))]}

    def discovery(self) -> JsonObject:
        """Return the OpenID provider's metadata."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
