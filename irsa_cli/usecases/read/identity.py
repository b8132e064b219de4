"""A ServiceAccount by its name: the settings that give its pods a role, and the errors if it has none.

The pods' tokens and credentials are in `irsa_cli.usecases.exec.identity`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.values import arn
from irsa_cli.core.values.errors import InvalidInput, Refused, ServiceError, Unreadable
from irsa_cli.core.values.names import Namespaced
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.absence import missing_account
from irsa_cli.usecases.read.associations import association, unread


@dataclass(frozen=True)
class NamedServiceAccount(Namespaced):
    """A ServiceAccount of one cluster, as one caller reaches it; it may or may not exist."""

    connection: Connection
    namespace: str
    name: str

    def settings(self) -> Injection:
        """The settings in its annotations; raises `Refused` (not found), or `ServiceError`."""
        try:
            found = self.connection.kube.service_account(self.namespace, self.name)
        except ServiceError as error:
            raise self.with_rule(error, "get", "serviceaccounts") from error
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

    def with_role(self, found: Injection) -> Injection:
        """Its settings; raises `Refused` when there is no role in them, or something that is none."""
        if not found.role_arn:
            raise Refused(
                f"ServiceAccount {self.full_name} has no role",
                reason=f"its annotation {ROLE_ARN_ANNOTATION} is empty"
                if found.annotated
                else f"it has no annotation {ROLE_ARN_ANNOTATION}",
                next_steps=(self.command("create-sa") + " --attach-policy-arn ARN  # creates one",),
                rests_on=(),
            )
        try:
            arn.role_arn(found.role_arn)
        except InvalidInput as error:
            raise Refused(
                f"the annotation {ROLE_ARN_ANNOTATION} of {self.full_name} is not valid",
                reason=str(error),
                next_steps=(self.command("doctor"),),
                rests_on=(),
            ) from error
        return found

    def command(self, command: str) -> str:
        """A command of irsa about it, with the options of the caller."""
        name = shlex.quote(self.name)
        namespace = shlex.quote(self.namespace)
        return reach_of(self.connection.target).for_irsa(f"{command} {name} -n {namespace}")

    def missing(self, *, deletes: bool = False) -> Refused:
        """The error for one that doesn't exist, with what the caller may see of others.

        A command that `deletes` is not proposed for another namespace.
        """
        return missing_account(self.connection, self.namespace, self.name, deletes=deletes)

    def with_rule(self, error: ServiceError, verb: str, resource: str) -> ServiceError:
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
