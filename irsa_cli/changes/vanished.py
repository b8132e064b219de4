"""Objects of a cluster that no longer exists: gone with it, and impossible to restore."""

from __future__ import annotations

from collections.abc import Mapping

from irsa_cli.changes.common import Unclaimed
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.traits import Service
from irsa_cli.core.values.errors import Gone
from irsa_cli.transaction.protocol import Applied, Claim, Handler, Run


class VanishedHandler(Unclaimed):
    """Finds nothing there, whatever a change is about."""

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`."""
        if change.after is not None:
            raise Gone(f"{change.kind.value} {change.name} is gone with its cluster")
        return Applied(changed=False)

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        return change.after is None


def vanished() -> Mapping[Kind, Handler]:
    """The handlers of all kinds of change that are inside of a cluster."""
    return {kind: VanishedHandler() for kind in Kind if kind.traits.service is Service.KUBERNETES}
