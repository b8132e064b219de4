"""Asking beside a command's work whether its pods will get their credentials from EKS Pod Identity.

The work neither waits for the answer nor fails by it. What an answer means is in
`irsa_cli.usecases.read.associations`, which is imported only where somebody asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from irsa_cli.core.values.shown import redacted

if TYPE_CHECKING:
    from irsa_cli.core.objects.aws import Association
    from irsa_cli.core.objects.unreadable import Unreadable
    from irsa_cli.core.results.result import Result
    from irsa_cli.usecases.command.connect import Connection
    from irsa_cli.usecases.read.associations import Associations

LATE_SECONDS = 2.0
"""For how long an answer is waited for when all else is done; once for a command, also for one about many."""

_NO_ANSWER = "EKS has not answered yet"


class Question:
    """What EKS was asked of one ServiceAccount, or (without `name`) of all in the cluster.

    That is one call, and more only where there is an association: which role it gives.
    """

    def __init__(self, connection: Connection, namespace: str = "", name: str = "") -> None:
        self._connection = connection
        self._one = (namespace, name) if name else None
        self._lock, self._said = threading.Lock(), False
        self._late = threading.Event()
        """Set when an answer was waited for in vain: of many, that is done once."""
        self._found = self._begin(self._ask)

    def tell(self, result: Result, namespace: str, name: str, role_arn: str) -> None:
        """Put what is known by now of a ServiceAccount, which was given this role, into a result that stands.

        `podIdentity` is null where no association takes it over, and missing where that is not known.
        """
        from irsa_cli.core.objects.aws import Association
        from irsa_cli.core.objects.unreadable import Unreadable
        from irsa_cli.usecases.read.associations import note_of

        if result.error is not None:
            return
        found = self._of(namespace, name)
        if not isinstance(found, Unreadable) or self._is_first():
            result.notes += note_of(found, role_arn)
        if isinstance(found, Association):
            role = found.target_role_arn or found.role_arn
            fact = {"association": found.id, "role": {"arn": role} if role else None}
            result.facts = {**result.facts, "podIdentity": fact}
        elif not isinstance(found, Unreadable):
            result.facts = {**result.facts, "podIdentity": None}

    def _is_first(self) -> bool:
        """Whether that nothing could be read is still to be said; of many it is said once."""
        with self._lock:
            said, self._said = self._said, True
        return not said

    def _of(self, namespace: str, name: str) -> Association | Unreadable | None:
        from irsa_cli.core.objects.unreadable import Unreadable
        from irsa_cli.usecases.read.associations import association

        found: Association | Associations | Unreadable | None = self._found()
        if not isinstance(found, dict):
            return found
        if (namespace, name) not in found:
            return None
        if self._late.is_set():
            return Unreadable(_NO_ANSWER)
        one: Association | Unreadable | None
        one = self._begin(lambda: association(self._connection, namespace, name))()
        return one

    def _ask(self) -> Association | Associations | Unreadable | None:
        from irsa_cli.usecases.read.associations import association, associations

        if self._one is None:
            return associations(self._connection)
        return association(self._connection, *self._one)

    def _begin(self, ask: Callable[[], Any]) -> Callable[[], Any]:
        """Ask in a thread that does not keep the process alive; returns what waits for the answer."""
        done = threading.Event()
        found: list[Any] = []

        def work() -> None:
            from irsa_cli.core.objects.unreadable import Unreadable

            try:
                found.append(ask())
            except Exception as error:  # The command has done its part: no traceback into its output.
                found.append(Unreadable(redacted(f"{type(error).__name__}: {error}")))
            finally:
                done.set()

        threading.Thread(target=work, daemon=True).start()

        def answer() -> Any:
            from irsa_cli.core.objects.unreadable import Unreadable

            if not done.wait(0.0 if self._late.is_set() else LATE_SECONDS):
                self._late.set()
            return found[0] if found else Unreadable(_NO_ANSWER)

        return answer
