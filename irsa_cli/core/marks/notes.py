"""irsa's notes of the tags, labels and annotations it has set: it removes only these.

Tags of a role that a file has set are noted by a tag, labels and annotations of a ServiceAccount that a file
has set by an annotation. All others are somebody else's (its maker, its stack, its cost centre) and stay.

The webhook's annotations have marks of the same value: the mark of `eks.amazonaws.com/role-arn` is
`irsa/role-arn`, written in the same patch. Without it, somebody else has written the annotation (a chart,
eksctl, a hand); if it has another value, somebody else has changed it since. Either way it is theirs.
`irsa_cli.core.binding.current.is_made` decides whether irsa created the ServiceAccount itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from irsa_cli.core.plan.states import MARKS


def with_marks(annotations: Mapping[str, str | None]) -> dict[str, str | None]:
    """Annotations that irsa is about to write, with their marks; one that goes takes its mark with it."""
    marks = {MARKS[key]: value for key, value in annotations.items() if key in MARKS}
    return {**annotations, **marks}


def wrote(annotations: Mapping[str, str], key: str) -> bool:
    """Whether one of the webhook's annotations is there, and has the value that irsa wrote."""
    return key in annotations and annotations.get(MARKS[key]) == annotations[key]


def written(annotations: Mapping[str, str]) -> list[str]:
    """Those of the webhook's annotations that are as irsa wrote them."""
    return [key for key in MARKS if wrote(annotations, key)]
