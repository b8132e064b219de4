"""Worlds to judge: the one before a schedule, and those to which its runs lead when all goes well."""

import copy
from typing import Any

from tests.faults.commands import DOCUMENT, THEIRS
from tests.faults.judge import TRANSACTION, Json
from tests.faults.stages import SID
from tests.faults.wishes import (
    AUDIENCE,
    ISSUER,
    LABELS,
    OWNER_TAG,
    PROVIDER,
    ROLE_MARK,
    SHARED,
    SHARED_ARN,
    Wish,
)
from tests.support.stage import ACCOUNT, ROLE_ARN

SETTINGS: Json = {"description": "", "max_session_duration": 3600, "boundary": None}
"""What a role has besides, when nobody has wished anything."""


def _role(arn: str, *attached: str) -> Json:
    trust = {"Version": "2012-10-17", "Statement": [THEIRS]}
    return {**SETTINGS, "arn": arn, "trust": trust, "tags": {}, "attached": list(attached), "inline": {}}


BEFORE: Json = {
    "roles": {SHARED: _role(SHARED_ARN), "theirs": _role("theirs", "arn")},
    "policies": {},
    "oidc_providers": {PROVIDER: {"url": ISSUER, "audiences": [AUDIENCE], "thumbprints": [], "tags": {}}},
    "kubernetes": {
        "namespaces": {"theirs": {"labels": {}, "annotations": {}, "phase": "Active"}},
        "serviceaccounts": {"theirs/app": {"uid": "u0", "labels": {}, "annotations": {ROLE_ARN: "theirs"}}},
    },
}


def role_name(account: str) -> str:
    """The name of an account's own role, as it happens to be in these worlds."""
    return f"role-{account.replace('/', '-')}"


def with_namespace(world: Json, name: str, mark: str) -> Json:
    """A world with one namespace more."""
    found = copy.deepcopy(world)
    found["kubernetes"]["namespaces"][name] = {
        "labels": {},
        "annotations": {TRANSACTION: mark},
        "phase": "Active",
    }
    return found


def with_role(world: Json, wish: Wish, mark: str) -> Json:
    """A world with the role that a wish is about, or with its statement on the shared one."""
    found = copy.deepcopy(world)
    if wish.shared:
        found["roles"][SHARED]["trust"]["Statement"].append({"Sid": SID, **statement(wish)})
        return found
    name = role_name(wish.account)
    found["roles"][name] = {
        "arn": f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/{name}",
        "trust": {"Version": "2012-10-17", "Statement": [statement(wish)]},
        "tags": {OWNER_TAG: wish.account, TRANSACTION: mark},
        **SETTINGS,
        "attached": sorted(wish.policies),
        "inline": dict.fromkeys(wish.inline, DOCUMENT),
    }
    return found


def with_account(world: Json, wish: Wish, mark: str, *, uid: str = "new") -> Json:
    """A world with the ServiceAccount as wished; one that is there is annotated."""
    found = copy.deepcopy(world)
    accounts = found["kubernetes"]["serviceaccounts"]
    fresh = {"uid": uid, "labels": dict(LABELS), "annotations": {TRANSACTION: mark}}
    account = accounts.setdefault(wish.account, fresh)
    arn = SHARED_ARN if wish.shared else found["roles"][role_name(wish.account)]["arn"]
    account["annotations"].update({ROLE_ARN: arn, ROLE_MARK: arn, **dict(wish.annotations)})
    return found


def bound(world: Json, wish: Wish, mark: str = "mark") -> Json:
    """A world in which the wish is true as well."""
    found = with_role(world, wish, mark)
    if wish.role_only:
        return found
    if wish.namespace not in found["kubernetes"]["namespaces"]:
        found = with_namespace(found, wish.namespace, mark)
    return with_account(found, wish, mark)


def statement(wish: Wish) -> Json:
    """The statement that admits a wish's ServiceAccount."""
    return {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{ISSUER}:sub": wish.subject, f"{ISSUER}:aud": AUDIENCE}},
    }


def changed(world: Json, *path: str, to: Any) -> Json:
    """A world with one value replaced; None takes it away."""
    found = copy.deepcopy(world)
    place = found
    for key in path[:-1]:
        place = place[key]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return found
