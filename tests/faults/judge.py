"""What a run is worth, judged by nothing but its exit code, what it named as left, and the world.

Pure functions over the JSON of `Stage.world()`. How the worlds come about is in `bench`.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

Json = dict[str, Any]
Object = tuple[str, str]
"""Kind and name, as irsa names an object in `left`."""

TRANSACTION = "irsa/transaction"
DONE = (0,)
TAKEN_BACK = (1, 4, 5, 130, 143)
INCOMPLETE = 3


class Verdict(Enum):
    """What a run did to the world, measured by what it promised."""

    DONE = "done"
    """Exit 0, and the world is the desired one."""
    CLEAN = "clean"
    """A failure, and the world is the one before."""
    NAMED = "named leftovers"
    """Exit 3, and every difference is named."""
    CUT = "cut off"
    """The process was killed: only what comes after can be judged."""
    LEAK = "silent leak"
    """The world differs from the one before, and the run didn't say so."""
    LIE = "lie"
    """Exit 0 without the desired world, or an ending that promises nothing."""
    STUCK = "stuck"
    """The run did not end."""


BAD = (Verdict.LEAK, Verdict.LIE, Verdict.STUCK)


@dataclass(frozen=True)
class Ending:
    """How a run ended: exit code (negative for a signal, None when it had to be ended), what it named.

    `crashed`: it ended by a bug, or without the document that it was asked for.
    """

    code: int | None
    left: Sequence[str] = ()
    repairs: Sequence[str] = ()
    crashed: bool = False


def judge(before: Json, desired: Json, after: Json, ending: Ending, *, killed: bool = False) -> Verdict:
    """The verdict on a run; `desired` is in the form of `essence`, `killed` says that it was by us."""
    if ending.code is None:
        return Verdict.STUCK
    if killed and ending.code < 0:
        return Verdict.CUT
    if ending.crashed:
        return Verdict.LEAK if differences(before, after) else Verdict.LIE
    if ending.code in DONE:
        return Verdict.DONE if essence(after, before) == desired else Verdict.LIE
    changed = differences(before, after)
    if ending.code in TAKEN_BACK or (ending.code in (-2, -15) and not changed):
        return Verdict.LEAK if changed else Verdict.CLEAN
    if ending.code == INCOMPLETE:
        named = len(ending.left) == len(ending.repairs) > 0 and all(ending.repairs)
        return Verdict.NAMED if named and not unnamed(changed, ending.left) else Verdict.LEAK
    return Verdict.LEAK if changed else Verdict.LIE


def unnamed(changed: Sequence[Object], left: Sequence[str]) -> list[Object]:
    """The differences that nobody named."""
    return [(kind, name) for kind, name in changed if not _is_named(kind, name, left)]


def _is_named(kind: str, name: str, left: Sequence[str]) -> bool:
    text = f"{kind} {name}"
    # A statement is named with its subject, of which the world as a whole knows nothing.
    return any(item == text or (kind == "TrustStatement" and item.startswith(f"{text}/")) for item in left)


def differences(before: Json, after: Json) -> list[Object]:
    """The objects that are not as they were, in irsa's own words."""
    one, other = dict(_objects(before, after)), dict(_objects(after, before))
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def essence(world: Json, before: Json) -> Json:
    """The world without what differs from run to run: transaction ids, and uids but for their being old."""
    found = copy.deepcopy(world)
    for thing in (*found["roles"].values(), *found["oidc_providers"].values()):
        _blank(thing["tags"])
    for namespace in found["kubernetes"]["namespaces"].values():
        _blank(namespace["annotations"])
    old = before["kubernetes"]["serviceaccounts"]
    for name, account in found["kubernetes"]["serviceaccounts"].items():
        _blank(account["annotations"])
        account["uid"] = "old" if name in old and old[name]["uid"] == account["uid"] else "new"
    return found


def _blank(values: dict[str, str]) -> None:
    if TRANSACTION in values:
        values[TRANSACTION] = "some"


def _objects(world: Json, other: Json) -> Iterator[tuple[Object, Any]]:
    """Everything in `world` piece by piece; parts of what is whole in both worlds are pieces of their own."""
    for name, role in world["roles"].items():
        yield from _role(name, role, whole=name not in other["roles"])
    for arn, provider in world["oidc_providers"].items():
        yield from _provider(arn, provider, whole=arn not in other["oidc_providers"])
    for arn, policy in world["policies"].items():
        yield ("Policy", arn), policy
    kubernetes, others = world["kubernetes"], other["kubernetes"]
    for name, namespace in kubernetes["namespaces"].items():
        yield ("Namespace", name), namespace
    for name, account in kubernetes["serviceaccounts"].items():
        namespace_name, _, short = name.partition("/")
        # Kubernetes' own, which comes and goes with its namespace.
        if short != "default" or namespace_name in others["namespaces"]:
            yield ("ServiceAccount", name), account


def _role(name: str, role: Mapping[str, Any], *, whole: bool) -> Iterator[tuple[Object, Any]]:
    parts = {"attached", "inline"} if whole else {"attached", "inline", "trust"}
    yield ("Role", name), {key: value for key, value in role.items() if key not in parts}
    if not whole:
        yield ("TrustStatement", name), role["trust"]
    for arn in role["attached"]:
        yield ("PolicyAttachment", f"{name}/{arn}"), True
    for policy, document in role["inline"].items():
        yield ("InlinePolicy", f"{name}/{policy}"), document


def _provider(arn: str, provider: Mapping[str, Any], *, whole: bool) -> Iterator[tuple[Object, Any]]:
    if whole:
        yield ("OIDCProvider", arn), provider
        return
    yield ("OIDCProvider", arn), {key: value for key, value in provider.items() if key != "audiences"}
    for audience in provider["audiences"]:
        yield ("OIDCProviderAudience", f"{arn}/{audience}"), True
