"""Whose an object is: the mark of another run replaced by this run's, before this run builds on it.

A run that is interrupted, or fails, leaves objects with its mark; its rollback, or `irsa recover`, takes
back only what still bears it. So who goes on from such an object first makes it theirs. In Kubernetes
that is a compare-and-set. IAM has none: read, write, read again.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import Unclaimed, conflict, expect, settle, spreading, telling
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import NOBODY, TRANSACTION_TAG, OwnerState
from irsa_cli.core.values.errors import DeadlineExceeded, Outcome, ServiceError, Unseen
from irsa_cli.kube.client import Json, Kube
from irsa_cli.kube.errors import CONFLICT
from irsa_cli.transaction.protocol import Applied, Claim, Interrupted, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ROUNDS = 5


class _OwnerHandler(Unclaimed):
    """Changes the mark of one object from one owner to another; how it is read and written differs."""

    required = True
    """Whether a caller who may not write marks has to stop; else it goes on, as before there were any."""

    spreads = True
    """Whether a reading may be older than what was written before."""

    @abstractmethod
    def _owner(self, change: Change) -> str | None:
        """Who owns the object, None when it is gone."""

    @abstractmethod
    def _write(self, change: Change, owner: str) -> None:
        """Write the mark."""

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`. An object that a third run owns by now is nobody's to roll back."""
        before, after = (_owner_of(state, run.transaction) for state in (change.before, change.after))
        with telling(Outcome.REFUSED):
            owner = self._owner(change)
        if claim is not None and owner != before:
            return Applied(changed=False)
        if owner != before:
            raise conflict(change, f"its owner is {owner or 'gone'}, not {before}")

        def look() -> Applied | None:
            return Applied(changed=True) if self._owner(change) == after else None

        try:
            settle(lambda: self._set(change, after), look)
        except ServiceError as error:
            if self.required or claim is not None or error.status != 403:
                raise
            return Applied(changed=False)
        with telling(Outcome.UNKNOWN):
            owner = self._owner(change)
            if claim is not None or owner == after:
                return Applied(changed=True)
            waits = spreading(run)
            try:
                while owner == before and self.spreads and next(waits, False):
                    owner = self._owner(change)
            except (Interrupted, DeadlineExceeded):
                return Applied(changed=True)  # It was answered; who asked to stop asks again.
        if owner == before and self.spreads:
            raise Unseen(f"{change.kind.value} {change.name} does not show", reason=f"its owner is {before}")
        if owner != after:
            raise conflict(change, f"another run took it at the same time: {owner or 'it is gone'}")
        return Applied(changed=True)

    def _set(self, change: Change, owner: str) -> Applied:
        self._write(change, owner)
        return Applied(changed=True)

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        return self._owner(change) == _owner_of(change.after, transaction)

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        """See `Handler.claimed`."""
        if not ours:
            return ""
        owner = self._owner(change)
        # Who had it before has not taken it over: the change was begun and never made, or has been taken
        # back without a word in the journal.
        if owner in (None, transaction, _owner_of(change.before, transaction)):
            return ""
        return f"transaction {owner} has taken {change.name} over"


def _owner_of(state: object, transaction: str) -> str:
    return expect(OwnerState, state).transaction or transaction


class RoleOwnerHandler(_OwnerHandler):
    """The transaction's tag of a role; the target is `(role name,)`."""

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam

    def _owner(self, change: Change) -> str | None:
        found = reading.role_state(self._iam, change.target[0])
        return None if found is None else found[0].tags.get(TRANSACTION_TAG, NOBODY)

    def _write(self, change: Change, owner: str) -> None:
        name = change.target[0]
        if owner == NOBODY:
            call(self._iam.untag_role, RoleName=name, TagKeys=[TRANSACTION_TAG])
        else:
            call(self._iam.tag_role, RoleName=name, Tags=[{"Key": TRANSACTION_TAG, "Value": owner}])


class ProviderOwnerHandler(_OwnerHandler):
    """The transaction's tag of an OIDC provider; the target is `(provider ARN,)`."""

    required = False

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam

    def _owner(self, change: Change) -> str | None:
        state = reading.provider(self._iam, change.target[0])
        return None if state is None else state.tags.get(TRANSACTION_TAG, NOBODY)

    def _write(self, change: Change, owner: str) -> None:
        call(
            self._iam.tag_open_id_connect_provider,
            OpenIDConnectProviderArn=change.target[0],
            Tags=[{"Key": TRANSACTION_TAG, "Value": owner}],
        )


class NamespaceOwnerHandler(_OwnerHandler):
    """The transaction's annotation of a namespace; the target is `(name,)`."""

    required = False
    spreads = False

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def _owner(self, change: Change) -> str | None:
        metadata = self._metadata(change)
        return None if metadata is None else _mark(metadata)

    def _metadata(self, change: Change) -> Json | None:
        present = self._kube.namespace(change.target[0])
        if present is None or present["metadata"].get("deletionTimestamp"):
            return None
        metadata: Json = present["metadata"]
        return metadata

    def _write(self, change: Change, owner: str) -> None:
        # What is read here is the one that the new mark is written over, or the server refuses.
        for _ in range(ROUNDS):
            metadata = self._metadata(change)
            if metadata is None or _mark(metadata) == owner:
                return
            version = metadata["resourceVersion"]
            patch = {"metadata": {"resourceVersion": version, "annotations": {TRANSACTION_TAG: owner}}}
            try:
                self._kube.patch_namespace(change.target[0], patch)
            except ServiceError as error:
                if error.code != CONFLICT:
                    raise
            else:
                return
        raise conflict(change, f"somebody else keeps writing it ({ROUNDS} rounds)")


def _mark(metadata: Json) -> str:
    return str((metadata.get("annotations") or {}).get(TRANSACTION_TAG, NOBODY))
