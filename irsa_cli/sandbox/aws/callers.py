"""The signer of a call: users by their access keys, roles by the temporary credentials of STS.

Also whether the signature (Version 4) is good, by botocore's own canonical forms, and what policies bound the
caller. Their permissions are decided in `enforce`.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from irsa_cli.sandbox.aws.cloud import Cloud
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest, Signature, validation_error
from irsa_cli.sandbox.enforce import Act, Powers
from irsa_cli.sandbox.model import partition_of, table

_ROLE_ARN = re.compile(r"arn:(aws[\w-]*):iam::(\d{12}):role/((?:[\x21-\x7e]+/)?)([\w+=,.@-]+)")
_UPPER = string.ascii_uppercase + string.digits
_CODES = table("refusals")
"""Each service's own codes for why a caller is refused; '' has those that a service has no other for."""


@dataclass(frozen=True)
class Caller:
    """An authenticated caller. `role_arn` and `session` are set for temporary credentials of a role."""

    account: str
    partition: str
    arn: str
    user_id: str
    name: str
    role_arn: str = ""
    session: Session | None = None

    @property
    def federation(self) -> dict[str, list[str]]:
        """`aws:FederatedProvider`, which is lost by chaining, and `aws:SourceIdentity`; if there are any."""
        terms = self.session.terms if self.session else Terms()
        keys = {"aws:federatedprovider": terms.provider, "aws:sourceidentity": terms.source_identity}
        return {key: [value] for key, value in keys.items() if value}


@dataclass(frozen=True)
class Terms:
    """Properties of a session from its beginning.

    `policy` bounds it; `provider` is that of the token, by its ARN. The first caller of a chain
    of roles sets `source_identity`, and no later one can change it. `packed` is the share of the room for
    session policies and session tags, in percent.
    """

    policy: Mapping[str, Any] | None = None
    provider: str = ""
    source_identity: str = ""
    packed: int = 0


@dataclass(frozen=True)
class Session:
    """Temporary credentials of a role, until `expires`."""

    access_key: str
    secret: str
    token: str
    account: str
    partition: str
    role_id: str
    role_arn: str
    name: str
    expires: datetime
    terms: Terms
    tags: dict[str, str] = field(default_factory=dict)
    transitive: set[str] = field(default_factory=set)

    @property
    def role_name(self) -> str:
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:sts::{self.account}:assumed-role/{self.role_name}/{self.name}"

    @property
    def caller(self) -> Caller:
        place = (self.account, self.partition)
        user_id = f"{self.role_id}:{self.name}"
        return Caller(*place, self.arn, user_id, self.name, self.role_arn, self)


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


def parse_role_arn(arn: str, otherwise: str = "") -> re.Match[str]:
    """Partition, account, path and name of a role's ARN; raises AwsError, with `otherwise`, if it is none."""
    match = _ROLE_ARN.fullmatch(arn)
    if not match:
        raise validation_error(otherwise or f"{arn} is invalid")
    return match


class Callers:
    """Knows all credentials."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._sessions: dict[str, Session] = {}

    def reset(self) -> None:
        self._sessions.clear()

    def open_session(self, role: Any, name: str, seconds: int, terms: Terms = Terms()) -> Session:
        session = Session(
            access_key="ASIA" + "".join(secrets.choice(_UPPER) for _ in range(16)),
            secret=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(180),
            account=role.account_id,
            partition=role.partition,
            role_id=role.id,
            role_arn=role.arn,
            name=name,
            expires=datetime.now(timezone.utc) + timedelta(seconds=seconds),
            terms=terms,
        )
        self._sessions[session.access_key] = session
        return session

    def authenticate(self, request: AwsRequest) -> Caller:
        """The caller of a signed request; raises AwsError as AWS refuses bad credentials."""
        signature = request.signature
        if signature is None:
            raise _refused("unsigned", request.service, "Request is missing Authentication Token")
        session = self._sessions.get(signature.access_key)
        if session:
            caller, secret = self._of_session(session, request)
        else:
            caller, secret = self._of_user(signature.access_key, request)
        if caller.partition != partition_of(signature.region).name:
            # Credentials are good in one partition.
            raise _unknown(request.service)
        verify(request, signature, secret)
        return caller

    def _of_session(self, session: Session, request: AwsRequest) -> tuple[Caller, str]:
        assert request.signature
        role = self._cloud.iam(session.account, session.partition).roles.get(session.role_id)
        if role is None or not secrets.compare_digest(
            session.token.encode(), request.signature.token.encode()
        ):
            raise _unknown(request.service)
        if datetime.now(timezone.utc) >= session.expires:
            raise _refused(
                "expired", request.service, "The security token included in the request is expired"
            )
        return session.caller, session.secret

    def _of_user(self, access_key: str, request: AwsRequest) -> tuple[Caller, str]:
        for account, partition in self._cloud.accounts():
            iam = self._cloud.iam(account, partition)
            key = iam.access_keys.get(access_key)
            if key and key.status == "Active" and key.user_name in iam.users:
                user = iam.users[key.user_name]
                return Caller(account, partition, user.arn, user.id, user.name), key.secret_access_key
        raise _unknown(request.service)

    def account_of(self, access_key: str) -> str | None:
        """The account that an access key belongs to; None for one that nobody has."""
        if access_key in self._sessions:
            return self._sessions[access_key].account
        for account, partition in self._cloud.accounts():
            if access_key in self._cloud.iam(account, partition).access_keys:
                return account
        return None

    def powers(self, caller: Caller) -> Powers:
        iam = self._cloud.iam(caller.account, caller.partition)
        if not caller.session:
            user = iam.users[caller.name]
            holders = [user, *iam.get_groups_for_user(user.name)]
            return Powers(list(chain.from_iterable(map(_documents, holders))))
        return powers_of(iam, iam.roles[caller.session.role_id], caller.session.terms.policy)

    def is_admin(self, caller: Caller) -> bool:
        iam = self._cloud.iam(caller.account, caller.partition)
        holder = iam.roles[caller.session.role_id] if caller.session else iam.users[caller.name]
        return f"arn:{caller.partition}:iam::aws:policy/AdministratorAccess" in holder.managed_policies


def denied(caller: Caller, act: Act, why: str, service: str) -> AwsError:
    message = f"User: {caller.arn} is not authorized to perform: {act.action} on resource: {act.resource}"
    return _refused("denied", service, f"{message} {why}".strip())


def powers_of(iam: Any, role: Any, session: Mapping[str, Any] | None = None) -> Powers:
    boundary = iam.managed_policies.get(role.permissions_boundary_arn)
    return Powers(_documents(role), default_document(boundary) if boundary else None, session)


def default_document(policy: Any) -> dict[str, Any]:
    """The default version of a managed policy."""
    text = next(v.document for v in policy.versions if v.version_id == policy.default_version_id)
    document: dict[str, Any] = json.loads(text)
    return document


def _documents(holder: Any) -> list[dict[str, Any]]:
    inline = [json.loads(text) for text in holder.policies.values()]
    return inline + [default_document(policy) for policy in holder.managed_policies.values()]


def _unknown(service: str) -> AwsError:
    return _refused("unknown", service, "The security token included in the request is invalid.")


def _refused(why: str, service: str, message: str) -> AwsError:
    return AwsError(_CODES.get(service, {}).get(why, _CODES[""][why]), message, 403)


WINDOW = timedelta(minutes=15)
"""How old, or how far ahead, a signature may be; STS also takes presigned calls for as long."""


def verify(request: AwsRequest, signature: Signature, secret: str) -> None:
    """Refuses, with AWS's own code for the service, a signature that `secret` did not make or an old one."""
    try:
        signed = datetime.strptime(signature.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise AwsError("IncompleteSignature", "The request has no valid date.", 400) from None
    if abs(datetime.now(timezone.utc) - signed) > WINDOW:
        message = f"Signature expired: {signature.date} is outside of the allowed 15 minutes"
        raise _refused("signature", request.service, message)
    if not hmac.compare_digest(_expected(request, signature, secret), signature.value):
        message = "The request signature we calculated does not match the signature you provided."
        raise _refused("signature", request.service, message)


def _expected(request: AwsRequest, signature: Signature, secret: str) -> str:
    from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    kinds = (SigV4Auth, SigV4QueryAuth, S3SigV4Auth, S3SigV4QueryAuth)
    kind = kinds[2 * (request.service == "s3") + signature.presigned]
    auth = kind(Credentials(signature.access_key, secret), signature.service, signature.region)
    headers = {name: request.headers.get(name, "") for name in signature.signed_headers}
    parts = urlsplit(f"http://{request.headers.get('host', '')}{request.target}")
    query = [item for item in parts.query.split("&") if not item.startswith("X-Amz-Signature=")]
    url = parts._replace(query="&".join(query)).geturl()
    mirror = AWSRequest(method=request.method, url=url, headers=headers, data=request.body)
    mirror.context["timestamp"] = signature.date
    text = auth.string_to_sign(mirror, auth.canonical_request(mirror))
    return str(auth.signature(text, mirror))
