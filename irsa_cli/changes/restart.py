"""A restart of pods: its command carries it out outside of the transaction, and nothing takes it back.

So no journal of irsa has one. This is what `irsa recover` makes of a journal that does.
"""

from __future__ import annotations

from irsa_cli.changes.common import Unclaimed
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values.errors import Gone, Refused
from irsa_cli.transaction.protocol import Applied, Claim, Run


class RestartHandler(Unclaimed):
    """Restarts nothing, and says so."""

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        if claim is not None:
            raise Gone(f"a restart can't be rolled back: {change.description}")
        raise Refused(
            f"irsa does not restart pods here: {change.description}",
            reason="only irsa migrate does, which checks the new pods",
        )

    def look(self, change: Change, transaction: str) -> bool:
        return False
