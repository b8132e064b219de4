"""The exchanges of a ServiceAccount's token that CloudTrail shows: who uses IRSA, besides pods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from irsa_cli.aws.trail import EVENTS, exchanged_since, web_identity_events
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.uses.exchanges import OldWayEnd, check_unused, exchanges_for, use_since
from irsa_cli.core.values.errors import Unreadable, read
from irsa_cli.core.values.names import subject

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Connection


@dataclass(frozen=True)
class Exchanges:
    """The newest exchanges, in the cluster's region; or why they are not known."""

    connection: Connection
    subject: str
    events: tuple[TrailEvent, ...] | Unreadable

    @classmethod
    def of(cls, connection: Connection, namespace: str, name: str) -> Exchanges:
        """Read those of a ServiceAccount."""
        about = subject(namespace, name)
        events = read(lambda: web_identity_events(connection.aws.client("cloudtrail"), about))
        return cls(connection, about, events)

    @property
    def notes(self) -> list[str]:
        """The last exchange: evidence that IRSA is used, or is not."""
        if isinstance(self.events, Unreadable):
            return [f"irsa did not check CloudTrail for the use of IRSA: {self.events.why}"]
        times = [event.time for event in self.events if not (event.own or event.error)]
        last = max(times).isoformat(timespec="seconds") if times else f"none in the newest {EVENTS} events"
        return [f"last use of IRSA, by {self._place} (some minutes late): {last}"]

    @property
    def _place(self) -> str:
        return f"CloudTrail in {self.connection.cluster.region}"

    def check_unused(
        self, binding: Binding, pods: Iterable[Pod], unused_for: float | None, command: str
    ) -> list[str]:
        """Raise `Refused` if somebody uses IRSA since no pod does, or if that is not known yet.

        `pods` are those with the new way; `unused_for` as in `OldWayEnd.of`. Returns what is not known.
        """
        if isinstance(self.events, Unreadable):
            return []  # `notes` says so.
        now = datetime.now(timezone.utc)
        end = OldWayEnd.of(pods, now, unused_for)
        known = exchanges_for(binding.role_arn, self.events)
        unread = list[str]()
        if len(self.events) >= EVENTS and not any(time > end.moment for time in known):
            provider = binding.identity.provider_arn
            aws = self.connection.aws
            older = read(lambda: exchanged_since(aws, self.subject, provider, end.moment))
            if isinstance(older, Unreadable):
                unread = [f"irsa did not read all exchanges of its token: {older.why}"]
            elif older is not None:
                known.append(older)
        check_unused(binding.full_name, use_since(end.moment, known, now), end, self._place, command)
        return unread
