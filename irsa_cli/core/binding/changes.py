"""The changes from one state of a role, or of a ServiceAccount, to another. Pure; permits nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from irsa_cli.core.binding.current import CurrentServiceAccount
from irsa_cli.core.marks.lifecycle import with_marks
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind


@dataclass(frozen=True)
class RoleChanges:
    """The changes from one role to another: additions first, so that no pod lacks anything in between."""

    gains: tuple[Change, ...] = ()
    losses: tuple[Change, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter((*self.gains, *self.losses))


def account_changes(
    target: tuple[str, str],
    account: CurrentServiceAccount,
    annotations: Mapping[str, str | None],
    labels: Mapping[str, str | None],
    *,
    own: bool = True,
) -> list[Change]:
    """Sets the keys that have another value, removes those whose value is None; empty when all agree.

    Bound to the object that was read, by uid and resourceVersion. The webhook's
    annotations that irsa writes are marked as irsa's; one that has the desired value keeps its owner.
    Not `own`: they are again what somebody else had written, without a mark.
    """
    differing = {key: value for key, value in annotations.items() if account.annotations.get(key) != value}
    marked = with_marks(differing) if own else differing
    annotated = {key: value for key, value in marked.items() if account.annotations.get(key) != value}
    labelled = {key: value for key, value in labels.items() if account.labels.get(key) != value}
    if not annotated and not labelled:
        return []
    before = states.ServiceAccountState(
        annotations={key: account.annotations.get(key) for key in annotated},
        labels={key: account.labels.get(key) for key in labelled},
        uid=account.uid,
        resource_version=account.resource_version,
    )
    after = states.ServiceAccountState(annotations=annotated, labels=labelled, uid=account.uid)
    return [Change(Kind.SERVICE_ACCOUNT, target, before, after)]
