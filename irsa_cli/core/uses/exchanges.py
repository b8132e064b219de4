"""Whether somebody still exchanges tokens of IRSA, as far as CloudTrail tells. Pure.

Not only pods do: External Secrets, Argo CD and CSI drivers request a ServiceAccount's token themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.trail import DELAY, TrailEvent
from irsa_cli.core.values.errors import Refused

UNUSED_FOR = timedelta(hours=2)
"""Time without an exchange after which nobody uses IRSA: SDKs renew credentials once an hour."""


@dataclass(frozen=True)
class Use:
    """Whether tokens were exchanged since a moment; None if it is not known before `known_from`.

    `last` is the last known exchange.
    """

    is_used: bool | None
    last: datetime | None = None
    known_from: datetime | None = None


def exchanges_for(role: str, events: Iterable[TrailEvent]) -> list[datetime]:
    """The times of successful exchanges for a role, by its ARN, without those of irsa."""
    return [event.time for event in events if not (event.own or event.error) and event.role_arn in ("", role)]


def use_since(since: datetime, exchanges: Iterable[datetime], now: datetime) -> Use:
    """Whether tokens were exchanged since a moment, by the exchanges that CloudTrail shows now."""
    last = max(exchanges, default=None)
    if last is not None and last > since:
        return Use(True, last)
    if now - since < DELAY:
        return Use(None, last, since + DELAY)
    return Use(False, last)


@dataclass(frozen=True)
class OldWayEnd:
    """The moment since which nobody should use the old way.

    `window` is its distance from now, None if the youngest pod that replaced an older one tells the moment.
    """

    moment: datetime
    window: timedelta | None = None

    @classmethod
    def of(cls, pods: Iterable[Pod], now: datetime, unused_for: float | None = None) -> OldWayEnd:
        """The moment by the pods that have the new way; without any, some time before now.

        `unused_for`: seconds that the user requests; older exchanges do not count then.
        """
        replaced = [pod.created for pod in pods if pod.created and not pod.owner.startswith("Job/")]
        window = UNUSED_FOR if unused_for is None else timedelta(seconds=unused_for)
        if replaced and (unused_for is None or max(replaced) > now - window):
            return cls(max(replaced))
        return cls(now - window, window)


def check_unused(full_name: str, use: Use, end: OldWayEnd, place: str, command: str) -> None:
    """Raise `Refused` if tokens of IRSA are exchanged, or if that is not known yet.

    `place` says where CloudTrail was asked; `command` is that of the user.
    """
    by_pods = f"no pod has used IRSA since {_shown(end.moment)}"
    anyway = f"to remove IRSA without this check: {command} --unused-for 0s"
    if use.is_used and use.last is not None:
        reason = f"{place} shows an exchange of its token at {_shown(use.last)}"
        if end.window is None:
            reason += f", and {by_pods}"
            step = (
                "find who requests its token (External Secrets, Argo CD, a CSI driver), and change that first"
            )
        else:
            step = f"if that was a pod that is gone: run this again after {_shown(use.last + end.window)}"
        raise Refused(
            f"{full_name} still uses IRSA",
            reason=reason,
            next_steps=(step, anyway),
            rests_on=(),
        )
    if use.is_used is None and use.known_from is not None:
        raise Refused(
            f"not known yet if anything but pods uses IRSA of {full_name}",
            reason=f"{by_pods}, and CloudTrail can be {DELAY.seconds // 60} minutes late",
            next_steps=(f"run this again after {_shown(use.known_from)}", anyway),
            rests_on=(),
        )


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
