"""What a run is worth, judged by nothing but its exit code, what it named as left, and the world.

Pure functions over the JSON of `Stage.world()`. How the worlds come about is in `bench`.
"""

import copy
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

Json = dict[str, Any]
Object = tuple[str, str]
"""Kind and name, as irsa names an object in `left`."""
Part = tuple[str, ...]
"""One of several things that a run does, each by itself: of which one of these is in the name, is of it."""

TRANSACTION, COMMIT = "irsa/transaction", "irsa/commit"
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
    HARM = "foreign harm"
    """Something that is none of the run's business is not as it was, whatever the run says."""


OWN = ("Role", "TrustStatement")
"""Kinds of which a run must have made its own: somebody else's will not do."""
BAD = (Verdict.LEAK, Verdict.LIE, Verdict.STUCK, Verdict.HARM)


@dataclass(frozen=True)
class Ending:
    """How a run ended: exit code (negative for a signal, None when it had to be ended), what it named.

    `crashed`: it ended by a bug, or without the document that it was asked for. `denies`: it says that
    nothing was changed, or that everything was rolled back.
    """

    code: int | None
    left: Sequence[str] = ()
    repairs: Sequence[str] = ()
    crashed: bool = False
    denies: bool = False


def judge(
    before: Json,
    desired: Json,
    after: Json,
    ending: Ending,
    *,
    killed: bool = False,
    recovers: bool = False,
    theirs: Collection[Object] = (),
    parts: Sequence[Part] = (),
) -> Verdict:
    """The verdict on a run; `desired` is in the form of `essence`, `killed` says that it was by us.

    `recovers`: the run was to bring about a world that another one should have left; what it has not done
    yet is then what has to be named. `theirs` is what somebody else did meanwhile, no merit and no fault of
    the run; that it is as they left it is not judged here. `parts` are what each is done, or not, by itself.
    """
    if ending.code is None:
        return Verdict.STUCK
    if killed and ending.code < 0:
        return Verdict.CUT
    changed = _except(differences(before, after), theirs)
    missing = _except(
        differences(desired, essence(after, before)), [item for item in theirs if item[0] not in OWN]
    )
    changed = half_done(changed, missing, parts)
    if ending.crashed:
        return Verdict.LEAK if changed else Verdict.LIE
    if ending.denies and changed and not recovers:
        return Verdict.LIE
    if ending.code in DONE:
        return Verdict.LIE if missing else Verdict.DONE
    if ending.code in TAKEN_BACK or (ending.code in (-2, -15) and not changed):
        return Verdict.LEAK if changed else Verdict.CLEAN
    if ending.code == INCOMPLETE:
        named = len(ending.left) == len(ending.repairs) > 0 and all(ending.repairs)
        return (
            Verdict.NAMED
            if named and not unnamed(missing if recovers else changed, ending.left)
            else Verdict.LEAK
        )
    return Verdict.LEAK if changed else Verdict.LIE


def half_done(changed: Sequence[Object], missing: Sequence[Object], parts: Sequence[Part]) -> list[Object]:
    """What was changed, without that of parts of which nothing is missing."""
    done = [part for part in parts if not any(_is_of(item, part) for item in missing)]
    return [item for item in changed if not any(_is_of(item, part) for part in done)]


def _is_of(item: Object, part: Part) -> bool:
    return any(text in item[1] for text in part)


def _except(found: Sequence[Object], theirs: Collection[Object]) -> list[Object]:
    return [item for item in found if item not in theirs]


def unnamed(changed: Sequence[Object], left: Sequence[str]) -> list[Object]:
    """The differences that nobody named."""
    return [(kind, name) for kind, name in changed if not _is_named(kind, name, left)]


def _is_named(kind: str, name: str, left: Sequence[str]) -> bool:
    text = f"{kind} {name}"
    # A statement is named with its subject, of which the world as a whole knows nothing.
    trust = kind == "TrustStatement"
    return any(
        item == text
        or (kind == "RoleCommit" and item == f"RoleTags {name}")
        or (trust and (item == f"TrustPolicy {name}" or item.startswith(f"{text}/")))
        or (trust and item.startswith("TargetTrustStatement ") and f":role/{name}/" in item)
        for item in left
    )


def differences(before: Json, after: Json) -> list[Object]:
    """The objects that are not as they were, in irsa's own words."""
    one, other = dict(objects(before, after)), dict(objects(after, before))
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def essence(world: Json, before: Json) -> Json:
    """The world without what differs from run to run: transaction ids, and uids but for their being old.

    That a role is complete is told by its tag or by the annotation of its ServiceAccount.
    """
    found = copy.deepcopy(world)
    for thing in (*found["roles"].values(), *found["oidc_providers"].values()):
        _blank(thing["tags"])
        if thing["tags"].get(COMMIT) == "done":
            del thing["tags"][COMMIT]
    for role in found["roles"].values():
        role["trust"] = _unordered(role["trust"])
    for association in found.get("associations", {}).values():
        _blank(association["tags"])
    for namespace in found["kubernetes"]["namespaces"].values():
        _blank(namespace["annotations"])
    for config_map in found["kubernetes"].get("configmaps", {}).values():
        _blank(config_map["annotations"])
    old = before["kubernetes"]["serviceaccounts"]
    for name, account in found["kubernetes"]["serviceaccounts"].items():
        _blank(account["annotations"])
        account["uid"] = "old" if name in old and old[name]["uid"] == account["uid"] else "new"
    return found


def _blank(values: dict[str, str]) -> None:
    if TRANSACTION in values:
        values[TRANSACTION] = "some"


def objects(world: Json, other: Json) -> Iterator[tuple[Object, Any]]:
    """Everything in `world` piece by piece; parts of what is whole in both worlds are pieces of their own."""
    for name, role in world["roles"].items():
        yield from _role(name, role, whole=name not in other["roles"])
    for arn, provider in world["oidc_providers"].items():
        yield from _provider(arn, provider, whole=arn not in other["oidc_providers"])
    for arn, policy in world["policies"].items():
        yield ("Policy", arn), policy
    for name, association in world.get("associations", {}).items():
        yield ("PodIdentityAssociation", name), association
    kubernetes, others = world["kubernetes"], other["kubernetes"]
    for name, namespace in kubernetes["namespaces"].items():
        yield from _namespace(name, namespace, whole=name not in others["namespaces"])
    for name, account in kubernetes["serviceaccounts"].items():
        namespace_name, _, short = name.partition("/")
        # Kubernetes' own, which comes and goes with its namespace.
        if short != "default" or namespace_name in others["namespaces"]:
            yield ("ServiceAccount", name), account
    for name, config_map in kubernetes.get("configmaps", {}).items():
        yield ("ConfigMap", name), config_map


def _role(name: str, role: Mapping[str, Any], *, whole: bool) -> Iterator[tuple[Object, Any]]:
    parts = {"attached", "inline"} if whole else {"attached", "inline", "trust"}
    rest = {key: value for key, value in role.items() if key not in parts}
    if not whole:
        yield ("TrustStatement", name), _unordered(role["trust"])
        yield ("RoleOwner", name), role["tags"].get(TRANSACTION)
        yield ("RoleCommit", name), role["tags"].get(COMMIT)
        yield ("RoleTags", name), _without(role["tags"], TRANSACTION, COMMIT)
        yield ("RoleSettings", name), (role["description"], role["max_session_duration"])
        yield ("RoleBoundary", name), role["boundary"]
        rest = _without(rest, "tags", "description", "max_session_duration", "boundary")
    yield ("Role", name), rest
    for arn in role["attached"]:
        yield ("PolicyAttachment", f"{name}/{arn}"), True
    for policy, document in role["inline"].items():
        yield ("InlinePolicy", f"{name}/{policy}"), document


def _unordered(trust: Json) -> Json:
    """A trust policy whose statements have no order: IAM asks all of them."""
    statements = trust.get("Statement")
    if not isinstance(statements, list):
        return trust
    return {**trust, "Statement": sorted(json.dumps(item, sort_keys=True) for item in statements)}


def _provider(arn: str, provider: Mapping[str, Any], *, whole: bool) -> Iterator[tuple[Object, Any]]:
    if whole:
        yield ("OIDCProvider", arn), provider
        return
    tags = _without(provider["tags"], TRANSACTION)
    yield ("OIDCProvider", arn), {**_without(provider, "audiences"), "tags": tags}
    yield ("ProviderOwner", arn), provider["tags"].get(TRANSACTION)
    for audience in provider["audiences"]:
        yield ("OIDCProviderAudience", f"{arn}/{audience}"), True


def _namespace(name: str, namespace: Mapping[str, Any], *, whole: bool) -> Iterator[tuple[Object, Any]]:
    if whole:
        yield ("Namespace", name), namespace
        return
    annotations = _without(namespace["annotations"], TRANSACTION)
    yield ("Namespace", name), {**namespace, "annotations": annotations}
    yield ("NamespaceOwner", name), namespace["annotations"].get(TRANSACTION)


def _without(values: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}
