"""Which of the webhook's annotations of a ServiceAccount irsa has written: a mark of the same value tells.

The mark of `eks.amazonaws.com/role-arn` is `irsa/role-arn`, and so for the others. It is written in the same
patch. Where it is not there, somebody else has written the annotation (a chart, eksctl, a hand); where it has
another value, somebody else has changed it since. Either way it is theirs. Whether irsa made the
ServiceAccount itself is told by `irsa_cli.core.binding.current.is_made`.
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


def marks_there(annotations: Mapping[str, str]) -> list[str]:
    """The marks that a ServiceAccount bears, also of annotations that are somebody else's by now."""
    return [mark for mark in MARKS.values() if mark in annotations]
