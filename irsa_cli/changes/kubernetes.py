"""Kubernetes objects of any kind: created by name, deleted by uid and resourceVersion, only as read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from irsa_cli.changes.common import Settled, check_object_claim, conflict, telling
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values.errors import Conflict, Outcome, ServiceError
from irsa_cli.kube.client import Json, Kube
from irsa_cli.kube.errors import CONFLICT, EXISTS, NOT_FOUND
from irsa_cli.transaction.protocol import Applied, Claim

ROUNDS = 5
"""How often a change is tried while somebody else keeps writing the object."""


class ObjectHandler(Settled):
    """Creates and deletes an object; the target is its name, after its namespace if it has one."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    @abstractmethod
    def _read(self, change: Change) -> Json | None:
        """The object, None if there is none."""

    def _gone(self, change: Change) -> Applied | None:
        """Whether the object is deleted, or is being deleted."""
        present = self._read(change)
        going = present is None or "deletionTimestamp" in present["metadata"]
        return Applied(changed=True) if going else None

    def _create(
        self, change: Change, create: Callable[[], Json], transaction: str, taken: Conflict | None
    ) -> Applied:
        """Create it; if one of that name exists, it must be this run's or as good. Raises `taken`."""
        try:
            created = create()
        except ServiceError as error:
            if error.code != EXISTS:
                raise
            with telling(error.outcome):
                found = self._found(change, transaction)
            if found is None:
                raise (taken or error) from error
            return found
        return Applied(changed=True, identity={"uid": created["metadata"]["uid"]})

    def _delete(
        self,
        change: Change,
        delete: Callable[..., None],
        claim: Claim | None,
        check: Callable[[Json], None],
    ) -> Applied:
        """Delete it as it was read. `check` raises if what is there must not be deleted."""
        lost = False
        for _ in range(ROUNDS):
            with telling(Outcome.UNKNOWN if lost else Outcome.REFUSED):
                present = self._read(change)
            if present is None or present["metadata"].get("deletionTimestamp"):
                return Applied(changed=lost)
            metadata = present["metadata"]
            if claim is not None:
                check_object_claim(change, metadata, claim)
            check(present)
            try:
                delete(*change.target, uid=metadata["uid"], resource_version=metadata["resourceVersion"])
            except ServiceError as error:
                if error.code == NOT_FOUND:
                    # It was this run's doing if an answer before was lost.
                    return Applied(changed=lost or error.outcome is Outcome.UNKNOWN)
                if error.code == CONFLICT:
                    lost = lost or error.outcome is Outcome.UNKNOWN
                    continue
                raise
            return Applied(changed=True)
        raise conflict(change, f"somebody else keeps changing it ({ROUNDS} attempts)")
