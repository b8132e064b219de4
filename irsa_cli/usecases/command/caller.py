"""Who calls: errors that a permission is missing name the caller; each other account has a caller of its own.

Which account is for what (the roles, the target of a chain) is `irsa_cli.usecases.command.connect`'s matter.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from irsa_cli.aws.session import AwsSession, WireLog
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, ServiceError


@contextmanager
def naming_caller(caller: Callable[[str], str]) -> Iterator[None]:
    """Add the caller's identity to errors that say that a permission is missing.

    `caller` tells who calls, by the account that an error names.
    """
    try:
        yield
    except ServiceError as error:
        named = _named(error, caller)
        if named is error:
            raise
        raise named from error


def with_caller(error: Exception | None, caller: Callable[[str], str]) -> Exception | None:
    """The error; one of AWS that says that a permission is missing, with the caller's identity."""
    return _named(error, caller) if isinstance(error, ServiceError) else error


def _named(error: ServiceError, caller: Callable[[str], str]) -> ServiceError:
    if error.status != 403 or error.service == "kubernetes":
        return error
    identity = caller(error.account)
    if not identity or f"caller: {identity}" in error.details:
        return error
    return error.but(details=(*error.details, f"caller: {identity}"))


def check_partitions(arns: Iterable[str], aws: AwsSession) -> None:
    """Raise `InvalidInput` for an ARN of another partition: the region tells it before any call."""
    for text in arns:
        if text and Arn.parse(text).partition != aws.partition:
            raise InvalidInput(
                f"{text} belongs to another partition than the cluster",
                reason=f"region {aws.region} is in partition {aws.partition}",
            )


@dataclass(frozen=True)
class AccountAccess:
    """How another account is reached; `flag` is the word that its options begin with.

    A role is assumed by the profile's credentials, or else by those that irsa was started with: never by the
    role of another account. Without `account`, it is that of the credentials.
    """

    flag: str
    account: str
    assume_role: str = ""
    profile: str = ""

    @property
    def options(self) -> str:
        """The options that name it, to be pasted."""
        flags = {f"--{self.flag}-assume-role": self.assume_role, f"--{self.flag}-profile": self.profile}
        return " ".join(f"{flag} {shlex.quote(value)}" for flag, value in flags.items() if value)

    def check(self, aws: AwsSession) -> None:
        """Raise `InvalidInput` for what can't be that account's, as far as that is known before any call."""
        check_partitions([self.assume_role], aws)
        account = Arn.parse(self.assume_role).account if self.assume_role else self.account
        if account != self.account:
            raise InvalidInput(
                f"--{self.flag}-assume-role names a role of account {account}",
                reason=f"the account to be worked in is {self.account}",
            )

    def open(self, aws: AwsSession, profile: str | None, log: WireLog) -> AwsSession:
        """The session; raises where it is not one of that account. `aws` and `profile` are the cluster's."""
        with self._named():
            session = AwsSession(
                profile=self.profile or profile, region=aws.region, log=log, account=self.account
            )
            named = session.configured_region if self.profile else ""
            if named and session.partition_of(named) != aws.partition:
                raise InvalidInput(
                    f"profile {self.profile} belongs to another partition than the cluster",
                    reason=f"it names region {named}, and the cluster is in partition {aws.partition}",
                )
            if self.assume_role:
                session.become(self.assume_role)
            identity = session.identity()
        found = Arn.parse(identity).account
        session.account = self.account or found
        if self.account not in ("", found):
            raise Refused(
                f"the credentials for account {self.account} are those of account {found}",
                reason=f"they are {identity}'s, by {self.options or 'the credentials of this run'}",
                next_steps=(
                    f"give credentials of account {self.account}: --{self.flag}-assume-role"
                    f" or --{self.flag}-profile",
                ),
            )
        return session

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors while it is opened tell which account it was for."""
        try:
            yield
        except IrsaError as error:
            told = f"credentials for account {self.account}: {self.options or 'those of this run'}"
            told = told if self.account else f"credentials: {self.options}"
            raise error.but(details=(*error.details, told)) from error
