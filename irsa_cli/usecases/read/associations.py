"""The associations of EKS Pod Identity in a cluster: reads and notes.

With an association, the annotation does not count. An unreadable association is reported, not assumed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from irsa_cli.aws import bindings
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.values.errors import Unreadable, read
from irsa_cli.core.values.shown import redacted
from irsa_cli.usecases.command.connect import Connection

if TYPE_CHECKING:
    from irsa_cli.core.results.result import Result

T = TypeVar("T")
Associations = dict[tuple[str, str], Association]
Given = tuple[Associations | Unreadable, bool | Unreadable | None]
"""Associations with their roles, and whether the agent runs; None if there are no associations."""

LATE_SECONDS = 2.0
"""How long to wait for an answer when all else is done; once for a command, also for one about many."""

_NO_ANSWER = "EKS has not answered yet"


def associations(connection: Connection, namespace: str = "", name: str = "") -> Associations | Unreadable:
    """The associations of a cluster, or of one ServiceAccount, without their roles: one call."""
    if connection.target.issuer_url is not None:
        return {}  # Pod Identity is EKS' own.
    cluster = connection.cluster.name
    aws = connection.aws
    return read(lambda: bindings.associations(aws.client("eks"), cluster, namespace=namespace, name=name))


def association(connection: Connection, namespace: str, name: str) -> Association | Unreadable | None:
    """A ServiceAccount's association with its role, None without one; two calls if there is one."""
    if connection.target.issuer_url is not None:
        return None
    names = (connection.cluster.name, namespace, name)
    return read(lambda: bindings.association(connection.aws.client("eks"), *names))


def unread(why_unread: Unreadable) -> str:
    return f"irsa did not check whether EKS Pod Identity takes precedence: {why_unread.why}"


def note_of(association: Association | Unreadable | None, role_arn: str = "") -> list[str]:
    """The note of a command that is otherwise done; empty if there is nothing to report."""
    if association is None:
        return []
    if isinstance(association, Unreadable):
        return [unread(association)]
    if role_arn and role_arn == association.last_role:
        return [f"pods get this role by EKS Pod Identity ({association.id}); the annotation is not used"]
    return [association.effect]


class Question:
    """A question to EKS, during a command's work, about one ServiceAccount, or (without `name`) all.

    That is one call, and more only for an association: its role. The work neither waits
    for the answer nor fails by it.
    """

    def __init__(self, connection: Connection, namespace: str = "", name: str = "") -> None:
        self._connection = connection
        self._lock, self._said = threading.Lock(), False
        self._late = threading.Event()
        """Set when an answer was waited for in vain: of many, that is done once."""
        self._found = self._begin(
            lambda: association(connection, namespace, name) if name else associations(connection)
        )

    def tell(
        self, result: Result, namespace: str, name: str, role_arn: str, *, annotated: bool = True
    ) -> None:
        """Add the known association to a result; `podIdentity` is null for none, and missing if unknown."""
        if result.error is not None:
            return
        found = self._of(namespace, name)
        if annotated and isinstance(found, Unreadable):
            with self._lock:  # That nothing could be read is, of many, said once.
                annotated, self._said = not self._said, True
        if annotated:
            result.notes += note_of(found, role_arn)
        if isinstance(found, Association):
            role = {"arn": found.last_role} if found.last_role else None
            fact = {"association": found.id, "role": role}
            result.facts = {**result.facts, "podIdentity": fact}
        elif not isinstance(found, Unreadable):
            result.facts = {**result.facts, "podIdentity": None}

    def _of(self, namespace: str, name: str) -> Association | Unreadable | None:
        found = self._found()
        if not isinstance(found, dict):
            return found
        if (namespace, name) not in found:
            return None
        if self._late.is_set():
            return Unreadable(_NO_ANSWER)
        return self._begin(lambda: association(self._connection, namespace, name))()

    def _begin(self, ask: Callable[[], T]) -> Callable[[], T | Unreadable]:
        """Ask in a thread that does not keep the process alive; returns what waits for the answer."""
        done = threading.Event()
        found: list[T | Unreadable] = []

        def work() -> None:
            try:
                found.append(ask())
            except Exception as error:  # The command has done its part: no traceback into its output.
                found.append(Unreadable(redacted(f"{type(error).__name__}: {error}")))
            finally:
                done.set()

        threading.Thread(target=work, daemon=True).start()

        def answer() -> T | Unreadable:
            if not done.wait(0.0 if self._late.is_set() else LATE_SECONDS):
                self._late.set()
            return found[0] if found else Unreadable(_NO_ANSWER)

        return answer
