"""What the kinds of change have in common: settling lost answers, waiting out IAM's propagation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from irsa_cli.core.errors import Conflict, Outcome, ServiceError
from irsa_cli.core.plan import Change
from irsa_cli.core.states import TRANSACTION_TAG
from irsa_cli.transaction.protocol import Applied, Claim, Run

S = TypeVar("S")

PROPAGATION_SECONDS = 30.0
"""For how long IAM may not yet know, in one place, what it has confirmed in another."""


class Unclaimed:
    """What most kinds have in common: the object doesn't tell whether somebody else counts on it."""

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        """See `Handler.claimed`."""
        return ""


def expect(kind: type[S], state: object) -> S:
    """The state as its type; a change of another kind here is a bug."""
    if not isinstance(state, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(state).__name__}")
    return state


def settle(write: Callable[[], Applied], look: Callable[[], Applied | None]) -> Applied:
    """Do a write; when nobody knows whether it happened, look: what is found there decides."""
    try:
        return write()
    except ServiceError as error:
        if error.outcome is not Outcome.UNKNOWN:
            raise
        try:
            found = look()
        except ServiceError:
            found = None  # The outage that ate the answer is still going on: the first error tells more.
        if found is None:
            raise
        return found


def gone(error: ServiceError) -> Applied:
    """What a delete did that heard that the object is not there: it was ours if an answer before was lost."""
    return Applied(changed=error.outcome is Outcome.UNKNOWN)


@contextmanager
def telling(outcome: Outcome) -> Iterator[None]:
    """A reading that fails in here tells nothing of the write it is about: of that, `outcome` is known."""
    try:
        yield
    except ServiceError as error:
        error.outcome = outcome
        raise


def until_spread(write: Callable[[], Applied], run: Run, *, fresh: bool, codes: frozenset[str]) -> Applied:
    """Repeat a write while IAM does not know an object that this run has just made (`fresh`)."""
    waited, wait = 0.0, 0.25
    while True:
        try:
            return write()
        except ServiceError as error:
            if not fresh or error.code not in codes or waited >= PROPAGATION_SECONDS:
                raise
        run.pause(wait)
        waited, wait = waited + wait, min(wait * 2, 4.0)


def conflict(change: Change, present: str) -> Conflict:
    """Neither `before` nor `after` is there."""
    return Conflict(
        f"{change.kind.value} {change.name} was changed by somebody else meanwhile", reason=present
    )


def not_ours(change: Change, claim: Claim, present: str) -> Conflict:
    """What is there was not made by the run that is being taken back."""
    return Conflict(
        f"{change.kind.value} {change.name} was left alone",
        reason=f"it is not what transaction {claim.transaction} made: {present}",
    )


def check_object_claim(change: Change, metadata: Mapping[str, Any], claim: Claim) -> None:
    """Raise unless this object of Kubernetes is the one that the claim is about, and bears its run's mark."""
    owner = metadata.get("annotations", {}).get(TRANSACTION_TAG, "none")
    if claim.identity.get("uid", metadata["uid"]) != metadata["uid"] or owner != claim.transaction:
        raise not_ours(change, claim, f"uid {metadata['uid']}, annotation {TRANSACTION_TAG}={owner}")
