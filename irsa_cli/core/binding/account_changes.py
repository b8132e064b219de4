"""The change that leads from a ServiceAccount that is there to the keys that are desired for it.

Making one and deleting one are in `irsa_cli.core.planning.create` and `irsa_cli.core.planning.delete`.
"""

from __future__ import annotations

from collections.abc import Mapping

from irsa_cli.core.binding.spec import CurrentServiceAccount
from irsa_cli.core.marks.notes import with_marks
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import ServiceAccountState


def patch(
    target: tuple[str, str],
    account: CurrentServiceAccount,
    annotations: Mapping[str, str | None],
    labels: Mapping[str, str | None],
) -> list[Change]:
    """Sets the keys that have another value, removes those whose value is None; empty when all agree.

    Bound to the object that was read, by uid and resourceVersion. What is written of the webhook's
    annotations is marked as managed by irsa; one that has the desired value already is whose it was.
    """
    differing = {key: value for key, value in annotations.items() if account.annotations.get(key) != value}
    marked = with_marks(differing)
    annotated = {key: value for key, value in marked.items() if account.annotations.get(key) != value}
    labelled = {key: value for key, value in labels.items() if account.labels.get(key) != value}
    if not annotated and not labelled:
        return []
    before = ServiceAccountState(
        annotations={key: account.annotations.get(key) for key in annotated},
        labels={key: account.labels.get(key) for key in labelled},
        uid=account.uid,
        resource_version=account.resource_version,
    )
    after = ServiceAccountState(annotations=annotated, labels=labelled, uid=account.uid)
    return [Change(Kind.SERVICE_ACCOUNT, target, before, after)]
