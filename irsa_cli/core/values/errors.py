"""Errors as values that carry their cause, their remedy and their exit code.

And what could not be read, as a value: never the same as something that does not exist. A reading that fails
says why, and hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeVar

from irsa_cli.core.values.shown import without_secrets


class ExitCode(IntEnum):
    """The process's exit codes; a promise to scripts (docs/reference/exit-codes.md)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    REFUSED = 4
    UNVERIFIED = 5
    PENDING = 6
    EMPTY = 7
    INTERRUPTED = 130


E = TypeVar("E", bound="IrsaError")


class IrsaError(Exception):
    """A failure: what failed (`message`), why (`reason`), further facts, and what to do (`next_steps`)."""

    exit_code = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        details: Sequence[str] = (),
        next_steps: Sequence[str] = (),
        code: str = "",
    ) -> None:
        # Whatever they contain of others' texts, or of what was sent: errors show no secret.
        message = without_secrets(message)
        super().__init__(message)
        self.message = message
        self.reason = without_secrets(reason)
        self.details = tuple(map(without_secrets, details))
        self.next_steps = tuple(map(without_secrets, next_steps))
        self.code = code or type(self).__name__

    def __str__(self) -> str:
        return f"{self.message}: {self.reason}" if self.reason else self.message

    def but(
        self: E,
        *,
        reason: str | None = None,
        details: Sequence[str] | None = None,
        next_steps: Sequence[str] | None = None,
    ) -> E:
        """The same failure in other words. An error that was raised is never changed: others may hold it."""
        same = type(self).__new__(type(self), *self.args)
        same.__dict__.update(self.__dict__)
        same.reason = self.reason if reason is None else without_secrets(reason)
        same.details = self.details if details is None else tuple(map(without_secrets, details))
        same.next_steps = self.next_steps if next_steps is None else tuple(map(without_secrets, next_steps))
        return same


class InvalidInput(IrsaError):
    """The input breaks a rule that is known before the first call."""

    exit_code = ExitCode.USAGE


class Refused(IrsaError):
    """An existing object differs from the desired one, or a precondition fails; nothing was attempted.

    `rests_on`: the objects of IAM, by ARN, name or issuer, whose reads it rests on; () if it rests on EKS,
    Kubernetes, files or flags alone, whose answers are never late; None for all that the run has read.
    """

    exit_code = ExitCode.REFUSED

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        details: Sequence[str] = (),
        next_steps: Sequence[str] = (),
        code: str = "",
        rests_on: Sequence[str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, details=details, next_steps=next_steps, code=code)
        self.rests_on = rests_on


class UnexpectedCluster(Refused):
    """The cluster, or its account, is not the one that is expected: nothing is done at all, nor in others."""


class NotSeenYet(Refused):
    """A recent addition of another run may be missing: IAM may still show an older state."""


class NotConfirmed(Refused):
    """The user answered no: final, whatever another look would find."""


class BrokenOff(NotConfirmed):
    """The user pressed Ctrl-C at a question."""

    exit_code = ExitCode.INTERRUPTED


class Unverified(IrsaError):
    """The token of the ServiceAccount was not accepted for the role."""

    exit_code = ExitCode.UNVERIFIED


class Conflict(IrsaError):
    """Somebody else changed the object: it has neither state of the change, and nothing was overwritten."""


class NotVisible(IrsaError):
    """A write was answered, but its result is not visible yet: it may be missing."""


class Overwritten(IrsaError):
    """A change was written and is gone again: others overwrite it, also after irsa wrote it again."""


class Claimed(Conflict):
    """Somebody else, whose run may be over (`ended`), relies on an object of the rollback: it stays."""

    def __init__(self, message: str, *, reason: str = "", ended: bool = False) -> None:
        super().__init__(message, reason=reason)
        self.ended = ended


class MadeAgain(Conflict):
    """It was recreated as another object: nothing is left to roll back, but irsa reports it."""


class Gone(IrsaError):
    """It can't be restored: what it was on is gone, by another hand. Nothing is left to roll back."""


class Waits(IrsaError):
    """It can be rolled back only together with something else that could not be: by the journal."""


class DeadlineExceeded(IrsaError):
    """The run's `--timeout` was reached before its next call."""


class LockLost(IrsaError):
    """The run must not write: it may have lost its lock, or another run has it (`taken_over`)."""

    def __init__(self, message: str, *, reason: str = "", taken_over: bool = False) -> None:
        super().__init__(message, reason=reason)
        self.taken_over = taken_over


class Outcome(Enum):
    """The result of a failed call for the write that it carried."""

    REFUSED = "refused"
    """The service answered, and did not act."""
    NOT_SENT = "not sent"
    """The request never reached the service."""
    UNKNOWN = "unknown"
    """The request may have been executed, or may still be."""


@dataclass(frozen=True)
class FailedCall:
    """A call that AWS or Kubernetes refused or failed, and what that means for the caller.

    `code` is AWS's error code or the Kubernetes reason, `status` the HTTP status (0 without an answer).
    `transient`: the same call may succeed later, after `retry_after` seconds. `account` is the calling
    session's, if not the cluster's.
    """

    service: str
    operation: str
    code: str
    status: int = 0
    outcome: Outcome = Outcome.REFUSED
    transient: bool = False
    retry_after: float | None = None
    account: str = ""


class ServiceError(IrsaError):
    """A `FailedCall` as an error; it has the call's facts as its own.

    `permitted`: whether RBAC allows what got a 403, if known. `is_of_policy`: the managed policy is missing,
    not the role.
    """

    permitted: bool | None = None
    is_of_policy = False

    def __init__(
        self,
        message: str,
        call: FailedCall,
        *,
        reason: str = "",
        details: Sequence[str] = (),
        next_steps: Sequence[str] = (),
    ) -> None:
        super().__init__(message, reason=reason, details=details, next_steps=next_steps, code=call.code)
        self.account = call.account
        self.retry_after = call.retry_after
        self.service = call.service
        self.operation = call.operation
        self.status = call.status
        self.outcome = call.outcome
        self.transient = call.transient

    def knowing(
        self,
        *,
        outcome: Outcome | None = None,
        transient: bool | None = None,
        permitted: bool | None = None,
        is_of_policy: bool | None = None,
    ) -> ServiceError:
        """The same failure, of which something else is known: who has seen more of the write knows better."""
        same = self.but()
        same.outcome = self.outcome if outcome is None else outcome
        same.transient = self.transient if transient is None else transient
        same.permitted = self.permitted if permitted is None else permitted
        same.is_of_policy = self.is_of_policy if is_of_policy is None else is_of_policy
        return same


def exit_code_of(error: Exception | None, signal: int = 0) -> int:
    """The exit code for a signal, else for an error, else 0."""
    if signal:
        return 128 + signal
    if error is None:
        return ExitCode.DONE
    return error.exit_code if isinstance(error, IrsaError) else ExitCode.FAILED


T = TypeVar("T")


@dataclass(frozen=True)
class Unreadable:
    """Something that could not be read. `answered`: everybody gets this answer.

    `follows`: it depends on something that is missing or wrong.
    """

    why: str
    answered: bool = False
    follows: bool = False


class CannotTell(Exception):
    """A check that is impossible because something is missing or unreadable; `follows`: missing."""

    def __init__(self, why: str, *, follows: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.follows = follows


def have(value: T | Unreadable) -> T:
    """The value; raises `CannotTell` if it could not be read."""
    if isinstance(value, Unreadable):
        raise CannotTell(value.why, follows=value.follows)
    return value


def is_answered(error: ServiceError) -> bool:
    """Whether everybody gets this answer from an issuer, whose documents are public."""
    return error.code == "BadDocument" or 400 <= error.status < 500


def read(work: Callable[[], T]) -> T | Unreadable:
    """The result of `work`, or why it could not be read."""
    try:
        return work()
    except ServiceError as error:
        # Of a write that RBAC allows, the words of the policy that refuses it.
        explained = error.details and not error.permitted
        why = error.details[0] if explained else f"{error.message}: {error.reason}"
        return Unreadable(why, answered=error.service == "issuer" and is_answered(error))
    except IrsaError as error:
        return Unreadable(str(error))


def unless_denied(work: Callable[[], T]) -> T | Unreadable:
    """The result of `work`, or why the caller may not read it; raises any other `ServiceError`."""
    try:
        return work()
    except ServiceError as error:
        if error.status != 403:
            raise
        return Unreadable(error.reason)
