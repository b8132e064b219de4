"""STS: AssumeRoleWithWebIdentity, AssumeRole and GetCallerIdentity, decided as STS does; moto checks nothing.

A web identity needs a good token, its issuer's provider, and a trust policy that allows it:
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
Getting the keys and checking the signature touch no IAM state and may take a while; the rest is quick. The
credentials are explained in `callers`, their record in CloudTrail in `trail`.

How AWS packs session policies and session tags is not documented: `_packed` estimates it by what others have
measured. Outbound web identity federation is off in all accounts.
"""

from __future__ import annotations

import json
import math
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from irsa_cli.sandbox.aws.callers import (
    Caller,
    Callers,
    Session,
    Terms,
    Token,
    default_document,
    denied,
    parse_role_arn,
)
from irsa_cli.sandbox.aws.cloud import Cloud
from irsa_cli.sandbox.aws.clusters import Clusters
from irsa_cli.sandbox.aws.iam.account import Lag
from irsa_cli.sandbox.aws.iam.grammar import check_identity_policy
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest, malformed_policy, result_of, validation_error
from irsa_cli.sandbox.aws.parameters import check_parameters
from irsa_cli.sandbox.aws.trail import TokenExchange, Trail
from irsa_cli.sandbox.enforce import Act, Who, admits, admitting, listed, of_every_request, refusal
from irsa_cli.sandbox.model import BY_NAME, Answer

_CHAINED_MAXIMUM = 3600
"""Seconds that a session assumed from another role's session may last."""
_OLDEST_TOKEN = 24 * 3600
"""Seconds since a token was issued; older ones are refused also if they have not expired."""
_ROOM = 463
"""Bytes for packed session tags. Nine tags of 252 characters took 498 %, the six of EKS Pod Identity 74 %.

aws-actions/configure-aws-credentials issue 1898, aws/containers-roadmap issue 2413
"""
_PER_TAG = 4
_ROOM_FOR_POLICY = 2048
"""Characters of a session policy that fill all of the room."""


@dataclass(frozen=True)
class Sts:
    """Gives out and identifies credentials."""

    _cloud: Cloud
    _callers: Callers
    _clusters: Clusters
    _lag: Lag
    _trail: Trail

    def assume_role_with_web_identity(self, request: AwsRequest) -> Answer:
        check_parameters(request)
        role_arn = request.params["RoleArn"]
        name = request.params["RoleSessionName"]
        partition, account = parse_role_arn(role_arn, "Request ARN is invalid").group(1, 2)
        if "ProviderId" in request.params:
            # It is for OAuth 2.0 access tokens of two providers only; here, all tokens are of OpenID Connect.
            raise _invalid("A ProviderId does not go with an OpenID Connect token.")
        token = read_token(request.params["WebIdentityToken"], self._clusters)
        cluster = self._clusters.with_issuer(token.issuer)
        region = cluster.spec.region if cluster else BY_NAME[partition].home
        seconds = int(request.params.get("DurationSeconds") or 3600)
        agent = request.headers.get("user-agent", "")
        exchange = TokenExchange(token, role_arn, region, name, seconds, agent)
        try:
            with self._cloud.lock, self._lag.stale_view(account, partition):
                iam = self._iam(account, partition, ACTION)
                provider = provider_for(token, iam, role_arn, self._clusters)
                role = self._cloud.principal(role_arn)
                check_trust(role, token, provider, name)
                longest = int(role.max_session_duration or 3600)
                session = self._open(request, role, name, longest, provider=provider.arn)
                note_use(role, region)
                audience = next(a for a in token.audiences if a in provider.client_id_list)
        except AwsError as error:
            self._trail.record(replace(exchange, code=error.code))
            raise
        self._trail.record(replace(exchange, session=session))
        result = {
            "SubjectFromWebIdentityToken": token.subject,
            "Audience": audience,
            "Provider": provider.arn,
            **_assumed(session),
        }
        return result_of(request, result)

    def answer(self, request: AwsRequest, caller: Caller) -> Answer:
        if request.operation == "GetCallerIdentity":
            identity = {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}
            return result_of(request, identity)
        if request.operation == "AssumeRole":
            return result_of(request, _assumed(self.assume_role(request, caller)))
        if request.operation in ("GetAccessKeyInfo", "GetWebIdentityToken"):
            act = Act(f"sts:{request.operation}", "*", caller.federation)
            why = refusal(self._callers.powers(caller), act)
            if why:
                raise denied(caller, act, why, "sts")
            if request.operation == "GetWebIdentityToken":
                message = "Outbound web identity federation is disabled for your account"
                raise AwsError("OutboundWebIdentityFederationDisabledException", message, 403)
            account = self._callers.account_of(request.params["AccessKeyId"])
            if account is None:
                raise validation_error("The access key is not valid.")
            return result_of(request, {"Account": account})
        message = f"Could not find operation {request.operation}: the sandbox does not serve it."
        raise AwsError("InvalidAction", message)

    def assume_role(self, request: AwsRequest, caller: Caller) -> Session:
        role_arn = request.params["RoleArn"]
        name = request.params["RoleSessionName"]
        tags, _ = _session_tags(request, caller)
        source = _source_identity(request, caller)
        partition, account = parse_role_arn(role_arn).group(1, 2)
        if {"SerialNumber", "TokenCode"} & request.params.keys():
            # Nobody has a device here.
            why = "MultiFactorAuthentication failed with invalid MFA one time pass code."
            raise AwsError("AccessDenied", why, 403)
        with self._cloud.lock, self._lag.stale_view(account, partition):
            self._iam(account, partition, "sts:AssumeRole")
            role = self._cloud.principal(role_arn)
            context = {"sts:rolesessionname": [name], "aws:principalarn": [caller.role_arn or caller.arn]}
            context |= caller.federation
            if "ExternalId" in request.params:
                context["sts:externalid"] = [request.params["ExternalId"]]
            context |= {f"aws:requesttag/{key.lower()}": [value] for key, value in tags.items()}
            context |= {"aws:tagkeys": list(tags)} if tags else {}
            context |= {"sts:sourceidentity": [source]} if source else {}
            actions = ["sts:AssumeRole"]
            actions += ["sts:TagSession"] if tags else []
            actions += ["sts:SetSourceIdentity"] if source else []
            for action in actions:
                self._check_admission(role, caller, Act(action, role_arn, context))
            longest = int(role.max_session_duration or 3600)
            session = self._open(request, role, name, longest, caller=caller)
            note_use(role, request.region)
        return session

    def _check_admission(self, role: Any, caller: Caller, act: Act) -> None:
        root = f"arn:{caller.partition}:iam::{caller.account}:root"
        who = Who(aws=tuple(filter(None, (caller.arn, caller.role_arn, caller.account, root))))
        document = role.assume_role_policy_document if role else None
        by = admitting(document, act.action, who, act.context) if document else None
        own = (caller.arn, caller.role_arn)
        named_itself = by is not None and caller.account == role.account_id and bool(by & set(own))
        why = "" if named_itself else refusal(self._callers.powers(caller), act)
        if by is None or why:
            raise denied(caller, act, why, "sts")

    def _iam(self, account: str, partition: str, action: str) -> Any:
        if (account, partition) not in self._cloud.accounts():
            raise AwsError("AccessDenied", f"Not authorized to perform {action}", 403)
        return self._cloud.iam(account, partition)

    def _open(
        self,
        request: AwsRequest,
        role: Any,
        name: str,
        maximum: int,
        *,
        provider: str = "",
        caller: Caller | None = None,
    ) -> Session:
        seconds = request.params.get("DurationSeconds", "3600")
        if caller and caller.session and int(seconds) > _CHAINED_MAXIMUM:
            why = "exceeds the 1 hour session limit for roles assumed by role chaining"
            raise validation_error(f"The requested DurationSeconds {why}")
        if int(seconds) > maximum:
            message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise validation_error(message)
        tags, transitive = _session_tags(request, caller)
        terms = Terms(
            self._session_policy(request, role),
            provider,
            _source_identity(request, caller),
            _packed(tags, request.params.get("Policy", "")),
        )
        session = self._callers.open_session(role, name, int(seconds), terms)
        session.tags.update(tags)
        session.transitive.update(transitive)
        return session

    def _session_policy(self, request: AwsRequest, role: Any) -> dict[str, Any] | None:
        """The bounds of the session: a policy of the call, managed policies of the account, or both."""
        statements: list[Any] = []
        if "Policy" in request.params:
            check_identity_policy(request.params["Policy"])
            statements += listed(json.loads(request.params["Policy"])["Statement"])
        policies = self._cloud.iam(role.account_id, role.partition).managed_policies
        arns = [entry.get("arn", "") for entry in request.parameters.get("PolicyArns", [])]
        for arn in arns:
            if arn not in policies:
                raise malformed_policy(f"Policy {arn} does not exist or is not attachable.")
            statements += listed(default_document(policies[arn])["Statement"])
        if "Policy" not in request.params and not arns:
            return None
        return {"Version": "2012-10-17", "Statement": statements}


def _packed(tags: Mapping[str, str], policy: str) -> int:
    """Percent of the room that session tags and a session policy take, estimated; refuses more than 100."""
    bytes_of_tags = sum(len(f"{key}{value}".encode()) + _PER_TAG for key, value in tags.items())
    packed = math.ceil(100 * (bytes_of_tags / _ROOM + len(policy) / _ROOM_FOR_POLICY))
    if packed > 100 and policy:
        message = f"Packed policy consumes {packed}% of allotted space, please use smaller policy."
        raise AwsError("PackedPolicyTooLarge", message)
    if packed > 100:
        message = f"Packed size of session tags consumes {packed}% of allotted space."
        raise AwsError("PackedPolicyTooLarge", message)
    return packed


def _source_identity(request: AwsRequest, caller: Caller | None) -> str:
    """The source identity of the call, or of the session that calls: it stays for all of a chain of roles."""
    own = request.params.get("SourceIdentity", "")
    inherited = caller.session.terms.source_identity if caller and caller.session else ""
    if own.lower().startswith("aws:"):
        raise validation_error("A SourceIdentity can't begin with aws:.")
    if inherited and own not in ("", inherited):
        raise AwsError("AccessDenied", "The source identity of a session can't be changed.", 403)
    return own or inherited


def note_use(role: Any, region: str) -> None:
    """Update GetRole's RoleLastUsed. IAM itself does so hours later, for calls, not for credentials."""
    role.last_used = datetime.now(timezone.utc)
    role.last_used_region = region


def _session_tags(request: AwsRequest, caller: Caller | None) -> tuple[dict[str, str], set[str]]:
    """A session's tags, with those that it inherits, and the keys of those that it hands on.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
    """
    pairs = request.tags()
    handed_on = request.parameters.get("TransitiveTagKeys", [])
    keys = {key.lower() for key, _ in pairs}
    session = caller.session if caller else None
    inherited = session.transitive if session else set()
    why = ""
    if any(key.startswith("aws:") for key in keys):
        why = "Tag keys that begin with aws: are reserved for AWS."
    elif len(keys) < len(pairs):
        why = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    elif keys & {key.lower() for key in inherited}:
        why = (
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive "
            "tag key from the calling session."
        )
    elif not {key.lower() for key in handed_on} <= keys:
        why = "The specified transitive tag key must be included in the requested tags."
    if why:
        raise AwsError("InvalidParameterValue", why)
    own = {key: session.tags[key] for key in inherited} if session else {}
    return {**own, **dict(pairs)}, {*inherited, *handed_on}


def _assumed(session: Session) -> dict[str, Any]:
    return {
        "PackedPolicySize": session.terms.packed or None,
        "SourceIdentity": session.terms.source_identity or None,
        "AssumedRoleUser": {"AssumedRoleId": session.caller.user_id, "Arn": session.arn},
        "Credentials": {
            "AccessKeyId": session.access_key,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
            "Expiration": session.expires,
        },
    }


ACTION = "sts:AssumeRoleWithWebIdentity"
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
"""botocore's model of STS, WebIdentityToken."""
_NO_KEYS = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
"""Quoted in openshift/cloud-credential-operator (pkg/cmd/provisioning) and in GitLab's documentation."""


def read_token(text: str, clusters: Clusters) -> Token:
    """The token, verified with the keys of the cluster that issued it; raises AwsError as STS does."""
    claims = claims_of(text)
    for name in ("iss", "sub", "aud"):
        if not claims.get(name):
            raise _invalid(f"Missing a required claim: {name}")
    issuer = str(claims["iss"])
    now = int(time.time())
    expires = claims.get("exp", 0)
    if not isinstance(expires, (int, float)) or expires <= now:
        message = f"Token expired: current date/time {now} must be before the expiration date/time {expires}"
        raise AwsError("ExpiredTokenException", message)
    issued = claims.get("iat", now)
    if isinstance(issued, (int, float)) and issued < now - _OLDEST_TOKEN:
        raise AwsError("ExpiredTokenException", f"Token too old: {now - int(issued)}")
    _check_signature(text, issuer, clusters)
    audience = claims["aud"]
    audiences = (audience,) if isinstance(audience, str) else tuple(audience)
    return Token(issuer, str(claims["sub"]), audiences)


def claims_of(text: str) -> dict[str, Any]:
    """The claims of a token, unverified; raises AwsError for what is none."""
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
        message = f"The identity provider could not be reached: {error}"
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
        raise _invalid(_NO_KEYS)
    if not set(token.audiences) & set(provider.client_id_list):
        raise _invalid("Incorrect token audience")
    return provider


def check_trust(role: Any, token: Token, provider: Any, session_name: str) -> None:
    """Raises AccessDenied unless the role exists and its trust policy allows the token."""
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
