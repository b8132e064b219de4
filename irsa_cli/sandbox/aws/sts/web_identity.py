"""AssumeRoleWithWebIdentity as STS decides it: the token, its issuer's provider, and the role's trust policy.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
Getting the keys and checking the signature touch no IAM state and may take a while; the rest is quick.
"""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.aws.answer import AwsError, validation_error
from irsa_cli.sandbox.trust import Who, admits, of_every_request

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.clusters import Clusters

ACTION = "sts:AssumeRoleWithWebIdentity"
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
"""botocore's model of STS, WebIdentityToken."""
ROLE_ARN = re.compile(r"arn:(aws[\w-]*):iam::(\d{12}):role/((?:[\x21-\x7e]+/)?)([\w+=,.@-]+)")


@dataclass(frozen=True)
class Token:
    """A JSON Web Token whose signature is good."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]

    @property
    def issuer_path(self) -> str:
        """The issuer as in ARNs and condition keys: without https://."""
        return self.issuer.removeprefix("https://")


def parse_role_arn(arn: str) -> re.Match[str]:
    """Partition, account, path and name of a role's ARN; raises AwsError when it is none."""
    match = ROLE_ARN.fullmatch(arn)
    if not match:
        raise validation_error(f"{arn} is invalid")
    return match


def read_token(text: str, clusters: Clusters) -> Token:
    """The token, verified with the keys of the cluster that issued it; raises AwsError as STS does."""
    claims = _claims(text)
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not isinstance(claims.get("sub"), str):
        raise _invalid("The ID Token provided is not a valid JWT: a required claim is missing")
    expires = claims.get("exp", 0)
    if not isinstance(expires, (int, float)) or expires <= time.time():
        message = (
            f"Token expired: current date/time {int(time.time())} must be before the expiration {expires}"
        )
        raise AwsError("ExpiredTokenException", message)
    _check_signature(text, issuer, clusters)
    audience = claims.get("aud", [])
    audiences = (audience,) if isinstance(audience, str) else tuple(audience)
    return Token(issuer, claims["sub"], audiences)


def _claims(text: str) -> dict[str, Any]:
    try:
        payload = text.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        claims = None
    if not isinstance(claims, dict):
        raise _invalid(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        )
    return claims


def _check_signature(text: str, issuer: str, clusters: Clusters) -> None:
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    cluster = clusters.with_issuer(issuer)
    if cluster is None:
        # Whether a provider is registered for it is said first; without one nobody would ask for keys.
        return
    try:
        keys = cluster.jwks()
    except Exception as error:
        message = f"Couldn't retrieve verification key from your identity provider: {error}"
        raise AwsError("IDPCommunicationError", message) from None
    try:
        jws.deserialize_compact(text, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)  # type: ignore[arg-type]
    except (JoseError, ValueError) as error:
        raise _invalid(f"The token's signature can't be verified: {error}") from None


def provider_for(token: Token, iam: Any, role_arn: str, clusters: Clusters) -> Any:
    """The provider of the token's issuer in the role's account; `iam` is moto's backend of that account."""
    partition, account = parse_role_arn(role_arn).group(1, 2)
    arn = f"arn:{partition}:iam::{account}:oidc-provider/{token.issuer_path}"
    provider = iam.open_id_providers.get(arn)
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {token.issuer}")
    if clusters.with_issuer(token.issuer) is None:
        message = "Couldn't retrieve verification key from your identity provider"
        raise AwsError("IDPCommunicationError", message)
    if not set(token.audiences) & set(provider.client_id_list):
        raise _invalid("Incorrect token audience")
    return provider


def check_trust(role: Any, token: Token, provider: Any, session_name: str) -> None:
    """Raises AccessDenied unless the role is there and its trust policy admits the token."""
    issuer = token.issuer_path.lower()
    context = {
        **of_every_request(),
        f"{issuer}:sub": [token.subject],
        f"{issuer}:aud": list(token.audiences),
        "aws:federatedprovider": [provider.arn],
        "sts:rolesessionname": [session_name],
    }
    document = role.assume_role_policy_document if role else None
    if not document or not admits(document, ACTION, Who(federated=provider.arn), context):
        raise AwsError("AccessDenied", f"Not authorized to perform {ACTION}", 403)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
