"""A reading that fails says why, and hides no other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.values.errors import IrsaError, ServiceError

T = TypeVar("T")


def read(work: Callable[[], T]) -> T | Unreadable:
    """The result of `work`, or why it could not be read."""
    try:
        return work()
    except ServiceError as error:
        why = error.details[0] if error.details else f"{error.message}: {error.reason}"
        # An issuer's documents are public: a refusal or a wrong document is also what STS gets.
        answered = error.code == "BadDocument" or 400 <= error.status < 500
        return Unreadable(why, answered=error.service == "issuer" and answered)
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


def needed(future: Future[T | Unreadable]) -> T:
    """The result of an earlier started read, which has its own thread; raises `IrsaError` if it failed."""
    found = future.result()
    if isinstance(found, Unreadable):
        raise IrsaError(found.why)
    return found
