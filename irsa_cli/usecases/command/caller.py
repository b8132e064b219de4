"""Who asked, where AWS says that a permission is missing: an error then names the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from irsa_cli.core.values.errors import ServiceError


@contextmanager
def naming_caller(caller: Callable[[], str]) -> Iterator[None]:
    """Add the caller's identity to errors that say that a permission is missing."""
    try:
        yield
    except ServiceError as error:
        named = _named(error, caller)
        if named is error:
            raise
        raise named from error


def with_caller(error: Exception | None, caller: Callable[[], str]) -> Exception | None:
    """The error; one of AWS that says that a permission is missing, with the caller's identity."""
    return _named(error, caller) if isinstance(error, ServiceError) else error


def _named(error: ServiceError, caller: Callable[[], str]) -> ServiceError:
    if error.status != 403 or error.service == "kubernetes":
        return error
    identity = caller()
    if not identity or f"caller: {identity}" in error.details:
        return error
    return error.but(details=(*error.details, f"caller: {identity}"))
