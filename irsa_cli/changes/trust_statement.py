"""One statement in a trust policy that others also write: added, replaced and removed, the rest kept.

IAM has no conditional write. So: read, write the whole policy with our statement, read again, and
repeat a bounded number of times when somebody else's write swallowed it. A policy that differs from the last
one that was read or written may be an older one: it is read again for some seconds. A window remains in which
our write can swallow theirs; docs/explanation/transaction.md tells it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.aws.recent_writes import recent_writes, text_of
from irsa_cli.changes.common import Unclaimed, conflict, read_until, telling
from irsa_cli.changes.trust_confirmation import TrustConfirmation, document_of
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import DocumentState, State
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values import limits
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import DeadlineExceeded, NotVisible, Outcome, ServiceError
from irsa_cli.core.values.patience import given_up
from irsa_cli.transaction.protocol import Applied, Claim, Interrupted, Run
from irsa_cli.transaction.steps import late_seconds

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


ROUNDS = 5
_LOCKS: dict[str, threading.Lock] = defaultdict(threading.Lock)
"""One for each role: of the many transactions of one process, one at a time writes a trust policy."""
_LATE: dict[str, float] = {}
"""Until when (monotonic seconds) a write of a role without an answer may be executed."""


class TrustStatementHandler(Unclaimed):
    """One statement by `(role name, subject)`; `account` identifies roles of one name in several accounts."""

    def __init__(self, iam: IAMClient, account: str = "") -> None:
        self._iam = iam
        self._account = account

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`. A statement has no owner: its content is compared instead."""
        role = f"{self._account}/{change.target[0]}"
        with _LOCKS[role]:
            # Such a write has the whole policy: executed after one of another statement, it would undo that.
            seconds = _LATE.get(role, 0.0) - time.monotonic()
            if seconds > 0:
                run.pause(seconds)
            before = given_up()
            try:
                return self._apply(change, run, claim)
            finally:
                _LATE[role] = time.monotonic() + late_seconds() if given_up() > before else 0.0

    def _apply(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        lost: ServiceError | None = None
        written = 0

        while True:
            try:
                with telling(Outcome.UNKNOWN if written else Outcome.REFUSED):
                    document = self._newest(change, run, claim, ours=written > 0)
            except (Interrupted, DeadlineExceeded):
                if claim is not None or not written or lost is not None:
                    raise
                return Applied(changed=True)  # It was answered; who asked to stop asks again.
            if document is None or _is_done(change, document):
                return Applied(changed=written > 0)
            if written == 0 and change.action == "update" and not _has(document, change.before):
                raise conflict(change, "the statement has neither the old nor the new state")
            if written == ROUNDS:
                # An earlier write may show yet: this is no conflict, but unknown.
                raise lost or NotVisible(
                    f"{change.kind.value} {change.name} is not visible yet",
                    reason=f"after {ROUNDS} attempts: somebody else keeps changing the trust policy,"
                    " or IAM is slow",
                    code="Unseen",
                )
            with telling(Outcome.UNKNOWN) if written else nullcontext():
                lost = self._write(change, document)
            written += 1

    def _newest(self, change: Change, run: Run, claim: Claim | None, *, ours: bool) -> Document | None:
        """The trust policy, read again while it may be older than what was read or written here before.

        If an older one were edited, what others have added since would be lost. `ours`: this change was
        written, so a policy that has it is a newer one.
        """
        known = recent_writes(self._iam).trust_of(change.target[0])
        statements = as_list(json.loads(known or "{}").get("Statement", []))

        def read() -> Document | None:
            return self._read(change, claim)

        def is_newest(found: Document | None) -> bool:
            return not known or found is None or text_of(found) == known or (ours and _is_done(change, found))

        def has_all(found: Document | None) -> bool:
            return is_newest(found) or all(
                trust_policy.contains(found or {}, statement) for statement in statements
            )

        def fits(found: Document | None) -> bool:
            if found is None or _is_done(change, found):
                return found is not None
            return change.action != "update" or _has(found, change.before)

        document = read_until(read, is_newest, run)
        if not has_all(document):
            document = read_until(read, has_all, run, limits.settled_seconds(young=True))
        return document if fits(document) else read_until(read, fits, run)

    def look(self, change: Change, transaction: str) -> bool:
        role = reading.read_role(self._iam, change.target[0])
        return change.after is None if role is None else _is_done(change, role.trust)

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        for state, operation in ((change.before, "RemoveStatement"), (change.after, "AddStatement")):
            if isinstance(state, DocumentState):
                parameters = {"RoleName": change.target[0], "Statement": state.document}
                recent_writes(self._iam).note(operation, parameters, parameters, ago=ago)

    def confirm(self, changes: Sequence[Change], run: Run, written: float) -> str:
        """See `Handler.confirm`."""
        role = changes[0].target[0]
        lock = _LOCKS[f"{self._account}/{role}"]
        return TrustConfirmation(self._iam, role, changes, run, lock).confirm(written)

    def _read(self, change: Change, claim: Claim | None) -> Document | None:
        """The trust policy; None if the role is gone and nothing needs to be done."""
        role = reading.read_role(self._iam, change.target[0])
        if role is not None:
            return role.trust
        if change.after is not None and claim is None:
            raise conflict(change, "the role is gone")
        return None

    def _write(self, change: Change, document: Document) -> ServiceError | None:
        """Write the policy; the error of a write that nobody answered, which the next reading settles."""
        edited = _edited(change, document)
        if not as_list(edited.get("Statement", [])):
            raise conflict(change, "it is now the only statement, and IAM requires one")
        text = policy.dump(edited)
        try:
            call(self._iam.update_assume_role_policy, RoleName=change.target[0], PolicyDocument=text)
        except ServiceError as error:
            if error.outcome is not Outcome.UNKNOWN:
                raise
            return error
        return None


def _has(document: Document, state: State | None) -> bool:
    return isinstance(state, DocumentState) and trust_policy.contains(document, state.document)


def _is_done(change: Change, document: Document) -> bool:
    return not _has(document, change.before) if change.after is None else _has(document, change.after)


def _edited(change: Change, document: Document) -> Document:
    """The policy with the change's statement in place of the one before; the rest as it is."""
    return trust_policy.edited(document, document_of(change.before), document_of(change.after))


IamOf = Callable[[str], "IAMClient"]
"""IAM of an account; raises `IrsaError` for one that this run has no credentials for."""


class TargetTrustHandler(Unclaimed):
    """Adds and removes one statement; the target is `(target role's ARN, role's ARN)`."""

    def __init__(self, iam_of: IamOf) -> None:
        self._iam_of = iam_of

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        handler, own = self._there(change)
        return handler.apply(own, run, claim)

    def look(self, change: Change, transaction: str) -> bool:
        handler, own = self._there(change)
        return handler.look(own, transaction)

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        handler, own = self._there(change)
        handler.recall(own, claim, ago)

    def confirm(self, changes: Sequence[Change], run: Run, written: float) -> str:
        handler, _ = self._there(changes[0])
        return handler.confirm([self._there(change)[1] for change in changes], run, written)

    def _there(self, change: Change) -> tuple[TrustStatementHandler, Change]:
        """The handler of its account, and the change in that handler's form: with the role's name."""
        arn = role_arn(change.target[0])
        own = replace(change, target=(arn.name, *change.target[1:]))
        return TrustStatementHandler(self._iam_of(arn.account), arn.account), own
