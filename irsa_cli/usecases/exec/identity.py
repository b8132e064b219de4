"""The identity that a ServiceAccount's pods have, on this machine: a token, and credentials for it.

`token` prints the one, `credentials` the other, and `exec` gives both to a command. They are handed to the
caller and to nobody else: they are not logged, and no error holds one.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from irsa_cli.aws.sts import assume_by_token, exchange_for_pod
from irsa_cli.core.objects.aws import Association, RoleCredentials
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.trail import session_name
from irsa_cli.core.trust import jwt
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.jwt import Lifetime
from irsa_cli.core.values.errors import Refused, ServiceError, Unreadable, Unverified
from irsa_cli.usecases.read.associations import association, unread
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount

SHORTEST = 600
"""The least lifetime that Kubernetes gives a token, in seconds: enough for one call."""


@dataclass(frozen=True)
class Token:
    """A token of a ServiceAccount; not shown by repr. `lifetime` is by this machine's clock."""

    text: str = field(repr=False)
    lifetime: Lifetime

    @property
    def expiration(self) -> str:
        """Its end in the format of RFC 3339."""
        return datetime.fromtimestamp(self.lifetime.expires, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def issue_token(
    account: NamedServiceAccount, audience: str, seconds: int, clock: Callable[[], float] = time.time
) -> Token:
    """Ask the cluster for a token (TokenRequest), as the kubelet does for a pod.

    `seconds` is the lifetime to ask for, the cluster may give less. Raises `ServiceError`, or `Refused`
    if the ServiceAccount doesn't exist.
    """
    kube = account.connection.kube
    try:
        answer = kube.token_request(account.namespace, account.name, audience, seconds=seconds)
    except ServiceError as error:
        if error.status == 404:
            raise account.missing() from error
        raise account.with_rule(error, "create", "serviceaccounts/token") from error
    now = clock()
    # The issuer's clock may differ from ours, the difference of two of its times does not.
    lasts = jwt.read(answer.token).seconds
    expires = answer.expires.timestamp() if lasts is None else now + lasts
    return Token(answer.token, Lifetime(now, expires))


def audience_of(account: NamedServiceAccount, note: Callable[[str], None]) -> str:
    """The audience of the pods' tokens, also without a role; `note` hears if EKS does not tell."""
    settings = account.settings()
    if settings.role_arn:
        return settings.audience
    pod_identity = association(account.connection, account.namespace, account.name)
    if isinstance(pod_identity, Unreadable):
        note(unread(pod_identity))
    return SERVICE if isinstance(pod_identity, Association) else settings.audience


@dataclass(frozen=True)
class WorkloadIdentity:
    """A ServiceAccount with a role; `association` is that of EKS Pod Identity, None with the annotation."""

    account: NamedServiceAccount
    settings: Injection
    association: Association | None

    @classmethod
    def of(cls, account: NamedServiceAccount) -> WorkloadIdentity:
        """Read it; raises `Refused` if it has no role (with one that waits for Git), and `ServiceError`."""
        try:
            settings, pod_identity = account.identity()
        except Refused as error:
            raise naming_roles(error, account.connection, account.namespace, account.name) from error
        return cls(account, settings, pod_identity)

    @property
    def role_arn(self) -> str:
        return self.settings.role_arn

    def token(self, seconds: int | None = None) -> Token:
        """A new token, with a pod's lifetime or another one; see `issue_token`."""
        return issue_token(self.account, self.settings.audience, seconds or self.settings.token_seconds)

    def exchange(self, token: str, *, seconds: int | None = None) -> RoleCredentials:
        """The credentials for a token, as a pod's SDK or the agent gets them; raises `ServiceError`.

        `seconds` is the lifetime to ask STS for; EKS chooses its own.
        """
        connection = self.account.connection
        if self.association is not None:
            return exchange_for_pod(connection.aws, connection.cluster.name, token).credentials
        name = own_session_name()
        return assume_by_token(connection.aws, self.role_arn, token, session_name=name, seconds=seconds)

    def credentials(self, *, seconds: int | None = None) -> RoleCredentials:
        """The credentials for a new token; raises `Unverified` if AWS refuses them."""
        if self.association is not None and seconds is not None:
            raise Refused(
                f"{self.account.full_name} has its role by EKS Pod Identity ({self.association.id})",
                reason="EKS chooses the lifetime of these credentials",
                next_steps=("run this again without --duration",),
            )
        token = self.token(SHORTEST)
        try:
            return self.exchange(token.text, seconds=seconds)
        except ServiceError as error:
            if not self._is_about_role(error):
                raise
            service = "STS" if self.association is None else "EKS"
            raise Unverified(
                f"{service} denies {self.account.full_name} the credentials of {self.role_arn}",
                reason=error.reason,
                next_steps=self._cures(error, seconds),
                code=error.code,
            ) from error

    def _is_about_role(self, error: ServiceError) -> bool:
        """Whether AWS answered about the role: EKS Auth answers 403 to the caller, and 400 about the role."""
        if error.transient or not error.status:
            return False
        return self.association is None or error.status != 403

    def _cures(self, error: ServiceError, seconds: int | None) -> tuple[str, ...]:
        """The remedies for a refusal; the lifetime is the caller's own choice, and no fault of the role."""
        command = self.account.command
        if seconds is not None and error.code == "ValidationError" and "DurationSeconds" in error.reason:
            return (
                "use a shorter --duration; the default is one hour",
                command("update-sa") + f" --max-session-duration {seconds}  # allows longer sessions",
            )
        return (command("verify") + "  # which condition fails", command("doctor") + "  # why")


def own_session_name() -> str:
    """The name of this process's role sessions: the user of this machine, and the time."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # No such user, as in containers that run under any number.
        user = ""
    return session_name(user, int(time.time()))
