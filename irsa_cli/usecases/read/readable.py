"""A reading that fails says why, and hides no other. The namespace of `-n` is checked as far as it may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from irsa_cli.core.values.errors import IrsaError, ServiceError, Unreadable
from irsa_cli.core.values.slips import near
from irsa_cli.usecases.command.connect import Connection

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


def similar_namespaces(connection: Connection, name: str) -> tuple[str, ...]:
    """Namespaces with similar names; () if they can't be listed."""
    try:
        found = connection.kube.namespaces()
    except ServiceError:
        return ()
    return near(name, [str(item["metadata"]["name"]) for item in found])
