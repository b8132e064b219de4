"""How late IAM's reads are: after a write, the last moment at which a read showed the old state."""

import time
from collections.abc import Callable
from typing import Any

from tests.acceptance.place import IN_A_ROW, MARK, Place
from tests.aws_facts.fact import trust

BUCKETS = (("0", 0.0), ("<0.3", 0.3), ("<1", 1.0), ("<3", 3.0), ("<10", 10.0), (">=10", float("inf")))
LONGEST = 30.0
Delays = dict[str, list[float]]


def bucket(seconds: float) -> str:
    """The column of the histogram."""
    if seconds == 0:
        return BUCKETS[0][0]
    return next(name for name, limit in BUCKETS if seconds < limit)


def histogram(delays: list[float]) -> dict[str, int]:
    """How many delays are in each column."""
    names = [bucket(seconds) for seconds in delays]
    return {name: names.count(name) for name, _ in BUCKETS}


def measure(place: Place, delays: Delays) -> None:
    """Create, change and delete a role as often as `--repeat` says."""
    for number in range(place.args.repeat):
        _measure(place, f"{place.name}-late{number}", delays)


def _measure(place: Place, name: str, delays: Delays) -> None:
    iam, role, policy = place.iam, {"RoleName": name}, place.policy(0)

    def after(what: str, write: Callable[..., Any], is_new: Callable[[], bool], **parameters: Any) -> None:
        write(**role, **parameters)
        delays.setdefault(what, []).append(_delay(is_new))

    def is_there() -> bool:
        return place.try_iam("get_role", **role) is not None

    after(
        "CreateRole to GetRole",
        iam.create_role,
        is_there,
        Path=place.path,
        AssumeRolePolicyDocument=trust(),
        Tags=[{"Key": MARK, "Value": place.id}],
    )
    after(
        "TagRole to ListRoleTags",
        iam.tag_role,
        lambda: "late" in place.tags(name),
        Tags=[{"Key": "late", "Value": "1"}],
    )
    after(
        "AttachRolePolicy to ListAttachedRolePolicies",
        iam.attach_role_policy,
        lambda: policy in place.attached(name),
        PolicyArn=policy,
    )
    after(
        "DetachRolePolicy to ListAttachedRolePolicies",
        iam.detach_role_policy,
        lambda: policy not in place.attached(name),
        PolicyArn=policy,
    )
    after("DeleteRole to GetRole", iam.delete_role, lambda: not is_there())


def _delay(is_new: Callable[[], bool]) -> float:
    began, seen, late = time.monotonic(), 0, 0.0
    while seen < IN_A_ROW and time.monotonic() - began < LONGEST:
        asked = time.monotonic() - began
        seen, late = (seen + 1, late) if is_new() else (0, max(asked, 0.001))
        time.sleep(0.05)
    return late
