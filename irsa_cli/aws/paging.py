"""A list of AWS, page by page, to its end: and it has one, whatever is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from irsa_cli.aws.errors import call
from irsa_cli.core.values.errors import DeadlineExceeded, Outcome, ServiceError
from irsa_cli.core.values.patience import current

MOST = 10_000
"""Pages of one list; an account has 5,000 roles at most, and a page one at least."""


def pages(method: Callable[..., Any], token: str, **parameters: Any) -> Iterator[Any]:
    """The answers of a call that lists; `token` is the field for the next page, in answers and requests.

    Raises `ServiceError` if the list does not end, `DeadlineExceeded` if time does first.
    """
    seen: set[str] = set()
    more: dict[str, Any] = {}
    while True:
        page = call(method, **parameters, **more)
        yield page
        marker = page.get(token)
        if page.get("IsTruncated") is False or not (marker or page.get("IsTruncated")):
            return
        if not marker:
            raise _endless(method.__name__, "the answer is truncated, but has no marker")
        if marker in seen or len(seen) >= MOST:
            why = "the answer repeats the marker of an earlier page" if marker in seen else "too many pages"
            raise _endless(method.__name__, why)
        if current().remaining <= 0:
            raise DeadlineExceeded(f"{method.__name__} timed out")
        seen.add(marker)
        more = {token: marker}


def _endless(operation: str, reason: str) -> ServiceError:
    return ServiceError(
        f"can't read all pages of {operation}",
        code="EndlessList",
        service="aws",
        operation=operation,
        outcome=Outcome.REFUSED,
        reason=reason,
    )
