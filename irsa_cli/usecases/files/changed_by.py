"""Who has changed what `irsa diff` would change back: asked of CloudTrail, for the items of one cluster."""

from __future__ import annotations

from collections.abc import Sequence

from irsa_cli.aws.trail import writes_to
from irsa_cli.core.results.applied import Item, objects_of
from irsa_cli.core.results.result import Ended
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.usecases.command.connect import Connection

MOST_OBJECTS = 30
"""CloudTrail answers two questions a second: so many are asked at most."""


def told(connection: Connection, items: Sequence[Item]) -> list[str]:
    """Put into each planned item who has changed its objects; returns what is to be said of the reading."""
    asked = 0
    for item in items:
        if item.result.ended is not Ended.PLANNED:
            continue
        found = []
        for name in objects_of(change.change for change in item.result.changes):
            if asked == MOST_OBJECTS:
                return [f"who changed more than {MOST_OBJECTS} objects was not asked of CloudTrail"]
            asked += 1
            try:
                found += writes_to(connection.home, name)
            except IrsaError as error:
                return [f"who changed it is not known: {error}"]
        item.result.facts = {**item.result.facts, "changedBy": [one.to_json() for one in found]}
    return []
