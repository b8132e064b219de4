"""Locks that are left behind: what a run may leave, and whether that ends by itself.

Pure functions over Leases as the API server gives them.
"""

import math
from collections.abc import Sequence

from tests.faults.judge import Json

GIVEN_UP = b"could not be released"
"""What a run says of a lock that it leaves."""


def name_of(lease: Json) -> str:
    """Its name."""
    return str(lease["metadata"]["name"])


def lasting(leases: Sequence[Json], seconds: float) -> list[str]:
    """Those that would not end by themselves `seconds` after they were written last, and why.

    All runs have ended, so nobody renews them. Others take one over by the server's own clock, which is told
    by the time of its last write, and by how long it holds.
    """
    found = []
    for lease in leases:
        spec = lease.get("spec", {})
        holds = spec.get("leaseDurationSeconds")
        if not holds or holds > math.ceil(seconds):
            found.append(f"{name_of(lease)} holds for {holds} s")
        if spec.get("holderIdentity") and not any(
            item.get("time") for item in lease["metadata"].get("managedFields", [])
        ):
            found.append(f"nobody knows when {name_of(lease)} was written last")
    return found


def left_in_silence(
    leases: Sequence[Json], before: Sequence[Json] = (), *, may_stay: bool, said: bytes
) -> list[str]:
    """The Leases that a run has left and should not: it was not killed, its calls were answered, no word.

    `may_stay`: it was killed, or it does not know whether it has taken a lock. `said` is what it said of it.
    Those that were there `before` and are as they were are another run's.
    """
    if may_stay or GIVEN_UP in said:
        return []
    return [f"{name_of(lease)} is left" for lease in _written(leases, before)]


def left_by_all(leases: Sequence[Json], before: Sequence[Json]) -> list[str]:
    """The Leases that are there when all was made good, but for those that a run had left `before`.

    Of these, each is as it was: whoever took one over has given it back.
    """
    return [f"{name_of(lease)} is left in the end" for lease in _written(leases, before)]


def _written(leases: Sequence[Json], before: Sequence[Json]) -> list[Json]:
    """Those that are not as they were."""
    old = {(name_of(lease), lease["metadata"]["resourceVersion"]) for lease in before}
    return [lease for lease in leases if (name_of(lease), lease["metadata"]["resourceVersion"]) not in old]
