"""Worlds to judge: the one before a schedule, and those to which its runs lead when all goes well."""

import copy
from typing import Any

from tests.faults.commands import DOCUMENT, THEIRS
from tests.faults.desired_states import (
    AUDIENCE,
    ISSUER,
    LABELS,
    OWNER_TAG,
    PROVIDER,
    ROLE_MARK,
    SHARED,
    SHARED_ARN,
    DesiredState,
)
from tests.faults.judge import TRANSACTION, Json
from tests.faults.stages import SID
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


def with_role(world: Json, desired: DesiredState, mark: str) -> Json:
    """A world with the role that a wish is about, or with its statement on the shared one."""
    found = copy.deepcopy(world)
    if desired.shared:
        found["roles"][SHARED]["trust"]["Statement"].append({"Sid": SID, **statement(desired)})
        return found
    name = role_name(desired.account)
    found["roles"][name] = {
        "arn": f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/{name}",
        "trust": {"Version": "2012-10-17", "Statement": [statement(desired)]},
        "tags": {OWNER_TAG: desired.account, TRANSACTION: mark},
        **SETTINGS,
        "attached": sorted(desired.policies),
        "inline": dict.fromkeys(desired.inline, DOCUMENT),
    }
    return found


def with_account(world: Json, desired: DesiredState, mark: str, *, uid: str = "new") -> Json:
    """A world with the ServiceAccount as wished; one that is there is annotated."""
    found = copy.deepcopy(world)
    accounts = found["kubernetes"]["serviceaccounts"]
    fresh = {"uid": uid, "labels": dict(LABELS), "annotations": {TRANSACTION: mark}}
    account = accounts.setdefault(desired.account, fresh)
    arn = SHARED_ARN if desired.shared else found["roles"][role_name(desired.account)]["arn"]
    account["annotations"].update({ROLE_ARN: arn, ROLE_MARK: arn, **dict(desired.annotations)})
    return found


def bound(world: Json, desired: DesiredState, mark: str = "mark") -> Json:
    """A world in which the wish is true as well."""
    found = with_role(world, desired, mark)
    if desired.role_only:
        return found
    if desired.namespace not in found["kubernetes"]["namespaces"]:
        found = with_namespace(found, desired.namespace, mark)
    return with_account(found, desired, mark)


def statement(desired: DesiredState) -> Json:
    """The statement that admits a wish's ServiceAccount."""
    return {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{ISSUER}:sub": desired.subject, f"{ISSUER}:aud": AUDIENCE}},
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
