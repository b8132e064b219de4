"""A ServiceAccount's identity, for whoever may ask the cluster for it: its settings, a token, credentials.

Running a command with it is in `irsa_cli.usecases.exec.run`. Tokens and credentials are handed to the caller
and to nobody else: they are not logged, and no error holds one.
"""

from __future__ import annotations

import getpass
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from irsa_cli.aws.sts import assume_by_token, exchange_for_pod
from irsa_cli.core.objects.aws import Association, RoleCredentials
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.trail import session_name
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.trust import jwt
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.jwt import Lifetime
from irsa_cli.core.values import arn
from irsa_cli.core.values.errors import InvalidInput, Refused, ServiceError, Unreadable, Unverified
from irsa_cli.core.values.names import Namespaced
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.absence import missing_account
from irsa_cli.usecases.read.associations import association, unread


@dataclass(frozen=True)
class Token:
    """A token of a ServiceAccount; not shown by repr. `lifetime` is by this machine's clock."""

    text: str = field(repr=False)
    lifetime: Lifetime


@dataclass(frozen=True)
class NamedServiceAccount(Namespaced):
    """A ServiceAccount of one cluster, as one caller reaches it; it may or may not exist."""

    connection: Connection
    namespace: str
    name: str

    @property
    def label(self) -> str:
        """Namespace, name and cluster, as prompts show it."""
        return f"{self.full_name}@{self.connection.cluster.name}"

    def settings(self) -> Injection:
        """The settings in its annotations; raises `Refused` (not found), or `ServiceError`."""
        try:
            found = self.connection.kube.service_account(self.namespace, self.name)
        except ServiceError as error:
            raise self._naming_rule(error, "get", "serviceaccounts") from error
        if found is None:
            raise self.missing()
        return Injection.read(found["metadata"].get("annotations") or {})

    def settings_with_role(self) -> Injection:
        """As `settings`; raises `Refused` when there is no role in them, or something that is none."""
        return self.with_role(self.settings())

    def identity(self) -> tuple[Injection, Association | None]:
        """The settings by its annotation, or else by its EKS Pod Identity association; raises `Refused`."""
        return self.given(self.settings())

    def given(self, found: Injection) -> tuple[Injection, Association | None]:
        """The same with known settings."""
        given = association(self.connection, self.namespace, self.name) if not found.role_arn else None
        if isinstance(given, Association) and given.role_arn:
            return replace(found, role_arn=given.last_role, audience=SERVICE), given
        try:
            return self.with_role(found), None
        except Refused as error:
            why = (unread(given),) if isinstance(given, Unreadable) else ()
            if isinstance(given, Association):
                why = (f"EKS did not return the role of its association {given.id}",)
            raise error.but(details=(*error.details, *why)) from error

    def audience(self, note: Callable[[str], None]) -> str:
        """The audience of its pods' tokens; `note` hears if EKS does not tell."""
        found = self.settings()
        given = None if found.role_arn else association(self.connection, self.namespace, self.name)
        if isinstance(given, Unreadable):
            note(unread(given))
        return SERVICE if isinstance(given, Association) else found.audience

    def with_role(self, found: Injection) -> Injection:
        """Its settings; raises `Refused` when there is no role in them, or something that is none."""
        if not found.role_arn:
            raise Refused(
                f"ServiceAccount {self.full_name} has no role",
                reason=f"its annotation {ROLE_ARN_ANNOTATION} is empty"
                if found.annotated
                else f"it has no annotation {ROLE_ARN_ANNOTATION}",
                next_steps=(self._command("create-sa") + " --attach-policy-arn ARN  # creates one",),
            )
        try:
            arn.role_arn(found.role_arn)
        except InvalidInput as error:
            raise Refused(
                f"the annotation {ROLE_ARN_ANNOTATION} of {self.full_name} is not valid",
                reason=str(error),
                next_steps=(self._command("doctor"),),
            ) from error
        return found

    def token(self, audience: str, seconds: int, clock: Callable[[], float] = time.time) -> Token:
        """Ask the cluster for a token (TokenRequest), as the kubelet does for a pod.

        `seconds` is the lifetime to ask for, the cluster may give less. Raises `ServiceError`, or `Refused`
        when the ServiceAccount doesn't exist.
        """
        try:
            answer = self.connection.kube.token_request(self.namespace, self.name, audience, seconds=seconds)
        except ServiceError as error:
            if error.status == 404:
                raise self.missing() from error
            raise self._naming_rule(error, "create", "serviceaccounts/token") from error
        now = clock()
        # The issuer's clock may differ from ours, the difference of two of its times does not.
        lasts = jwt.read(answer.token).seconds
        return Token(
            answer.token, Lifetime(now, answer.expires.timestamp() if lasts is None else now + lasts)
        )

    def credentials(self, *, seconds: int | None = None) -> tuple[str, RoleCredentials]:
        """The role, and its credentials for a fresh token; raises `Unverified` when AWS refuses."""
        injection, given = self.identity()
        if given is not None and seconds is not None:
            raise Refused(
                f"{self.full_name} has its role by EKS Pod Identity ({given.id})",
                reason="EKS chooses the lifetime of these credentials",
                next_steps=("run this again without --duration",),
            )
        # The token is needed for one call: the shortest lifetime there is.
        token = self.token(injection.audience, seconds=600)
        try:
            if given is not None:
                return injection.role_arn, self.credentials_of_pods(token.text)
            return injection.role_arn, assume_by_token(
                self.connection.aws,
                injection.role_arn,
                token.text,
                session_name=own_session_name(),
                seconds=seconds,
            )
        except ServiceError as error:
            # EKS Auth answers 403 to the caller, and 400 about the role.
            if error.transient or not error.status or (given is not None and error.status == 403):
                raise
            service = "STS" if given is None else "EKS"
            raise Unverified(
                f"{service} denies {self.full_name} the credentials of {injection.role_arn}",
                reason=error.reason,
                next_steps=self._cures(error, seconds),
                code=error.code,
            ) from error

    def credentials_of_pods(self, token: str) -> RoleCredentials:
        """The credentials that EKS gives for a token, as it does to the agent; raises `ServiceError`."""
        return exchange_for_pod(self.connection.aws, self.connection.cluster.name, token).credentials

    def _cures(self, error: ServiceError, seconds: int | None) -> tuple[str, ...]:
        """The remedies for a refusal; the lifetime is the caller's own choice, and no fault of the role."""
        if seconds is not None and error.code == "ValidationError" and "DurationSeconds" in error.reason:
            return (
                "use a shorter --duration; the default is one hour",
                self._command("update-sa") + f" --max-session-duration {seconds}  # allows longer sessions",
            )
        return (self._command("verify") + "  # which condition fails", self._command("doctor") + "  # why")

    def _command(self, command: str) -> str:
        name, namespace = shlex.quote(self.name), shlex.quote(self.namespace)
        return reach_of(self.connection.target).for_irsa(f"{command} {name} -n {namespace}")

    def missing(self, *, deletes: bool = False) -> Refused:
        """The error for one that doesn't exist, with what the caller may see of others.

        A command that `deletes` is not proposed for another namespace.
        """
        return missing_account(self.connection, self.namespace, self.name, deletes=deletes)

    def _naming_rule(self, error: ServiceError, verb: str, resource: str) -> ServiceError:
        """The error; for a missing permission with the rule that grants it, and how to create that rule."""
        if error.status != 403 or error.permitted:
            return error
        rule = reach_of(self.connection.target).kubectl(
            f"create role irsa-exec --verb={verb} --resource={resource}"
            f" --resource-name={shlex.quote(self.name)}  # and bind it to the caller",
            self.namespace,
        )
        return error.but(
            details=(*error.details, f"in namespace {self.namespace}, for {self.name}"),
            next_steps=(rule, *error.next_steps),
        )


def own_session_name() -> str:
    """The name of this process's role sessions: the user of this machine, and the time."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # No such user, as in containers that run under any number.
        user = ""
    return session_name(user, int(time.time()))
