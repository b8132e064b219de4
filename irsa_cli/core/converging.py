"""The plan that makes a wish true whatever is there: what is missing is made, what differs is changed.

`irsa apply` plans so; `create-sa`, which refuses what differs, by `irsa_cli.core.planning` alone. Changed is
only what is irsa's: a role that bears its tags, and on a ServiceAccount the keys that irsa has set.
"""

from __future__ import annotations

import json
from dataclasses import replace

from irsa_cli.core import trust_own
from irsa_cli.core.applied_keys import KEYS_ANNOTATION, applied_keys, check_note
from irsa_cli.core.binding import Observed, ObservedRole, ObservedServiceAccount, Wish, is_half_made
from irsa_cli.core.differences import check_trust_size
from irsa_cli.core.errors import Refused
from irsa_cli.core.names import default_role_path
from irsa_cli.core.plan import Plan
from irsa_cli.core.planning import plan
from irsa_cli.core.role_changes import RoleChanges, check_path, role_changes
from irsa_cli.core.states import (
    AUDIENCE_ANNOTATION,
    CLUSTER_TAG,
    MANAGED_BY_LABEL,
    ROLE_ARN_ANNOTATION,
    SERVICE_ACCOUNT_TAG,
    STS_REGIONAL_ANNOTATION,
    TOKEN_EXPIRATION_ANNOTATION,
    TRANSACTION_TAG,
    WISH_TAG,
)

_OWN_ANNOTATIONS = (AUDIENCE_ANNOTATION, STS_REGIONAL_ANNOTATION, TOKEN_EXPIRATION_ANNOTATION)


def converge(wish: Wish, observed: Observed, *, takes_over: bool = False) -> Plan:
    """The changes that make the wish true; empty when it is true already.

    Raises `Refused` for what is somebody else's, and for a role that is half made for other wishes, unless
    `takes_over`.
    """
    if observed.service_account is not None and not wish.role_only:
        check_note(observed.service_account.annotations, wish.namespace, wish.name)
    wish = _with_trust_tags(_with_keys(wish, observed.service_account))
    _check_account(wish, observed.service_account)
    wish = replace(wish, override=True)
    if wish.role is None or observed.role is None:
        return plan(wish, observed)
    _check_role(wish, observed, observed.role, takes_over=takes_over)
    return plan(wish, observed, _changes(wish, observed, observed.role))


def _changes(wish: Wish, observed: Observed, role: ObservedRole) -> RoleChanges:
    assert wish.role is not None
    own = trust_own.Own.of(wish.identity, wish.role.trust, role.state.tags)
    document = trust_own.with_own(role.state.trust, wish.role.trust, own)
    check_trust_size(wish.role_arn, document, observed.trust_quota)
    # IAM's own tags can't be changed.
    kept = {key: value for key, value in role.state.tags.items() if key.lower().startswith("aws:")}
    state = replace(wish.role, trust=document, tags={**wish.role.tags, **kept})
    return role_changes(
        wish.role_name, role, ObservedRole(state, frozenset(wish.policies), dict(wish.inline))
    )


def _check_role(wish: Wish, observed: Observed, role: ObservedRole, *, takes_over: bool) -> None:
    assert wish.role is not None
    tags = role.state.tags
    for key in (CLUSTER_TAG, SERVICE_ACCOUNT_TAG):
        if tags.get(key) != wish.role.tags[key]:
            raise Refused(
                f"role {wish.role_name} is not irsa's for {wish.namespace}/{wish.name}",
                reason=f"its tag {key} is {tags.get(key) or 'not there'}, expected {wish.role.tags[key]}",
                next_steps=_instead_of(wish, theirs=key in tags),
            )
    check_path(wish.role_name, role.state, wish.role)
    trust_own.check_marks(wish.role_name, tags)
    if is_half_made(wish, observed) and not takes_over and tags.get(WISH_TAG) != wish.role.tags.get(WISH_TAG):
        raise Refused(
            f"role {wish.role_name} is half made, for other wishes",
            reason=f"transaction {tags.get(TRANSACTION_TAG, '?')} has not ended",
            next_steps=(
                "wait for the run that is making it, and run this again",
                f"or, where that run is gone: irsa recover --cluster {wish.cluster.name}",
            ),
        )


def _instead_of(wish: Wish, *, theirs: bool) -> tuple[str, ...]:
    """What to do about a role that is not irsa's for the ServiceAccount; `theirs`: it is for another."""
    if theirs:
        return (
            "give the entry another roleName",
            "or, to use that role: attachRoleARN in place of roleName, and --update-trust",
        )
    return (
        f"to take the role over: irsa adopt {wish.name} -n {wish.namespace} -c {wish.cluster.name}",
        "or give the entry another roleName",
    )


def _check_account(wish: Wish, account: ObservedServiceAccount | None) -> None:
    """A ServiceAccount with a role that isn't irsa's changes only when the user says so."""
    present = account.annotations.get(ROLE_ARN_ANNOTATION) if account is not None else None
    if present in (None, wish.role_arn) or wish.override or wish.role_only:
        return
    own = f":iam::{wish.cluster.account}:role{default_role_path(wish.cluster.name)}"
    if own not in str(present):
        raise Refused(
            f"{wish.namespace}/{wish.name} has another role",
            reason=f"it is annotated with {present}, which irsa did not make",
            next_steps=(
                f"to keep that role: irsa adopt {wish.name} -n {wish.namespace} -c {wish.cluster.name},"
                " and name no other role in the entry",
                "to give it the new one: run this again with --override-existing-serviceaccounts",
            ),
        )


def _with_trust_tags(wish: Wish) -> Wish:
    if wish.role is None:
        return wish
    tags = {**wish.role.tags, **trust_own.tags(wish.identity, wish.role.trust)}
    return replace(wish, role=replace(wish.role, tags=tags))


def _with_keys(wish: Wish, account: ObservedServiceAccount | None) -> Wish:
    """The wish with the keys that are to go, and the note of those that are there."""
    if wish.role_only:
        return wish
    theirs = (ROLE_ARN_ANNOTATION, *_OWN_ANNOTATIONS)
    keys = {
        "annotations": sorted(key for key in wish.annotations if key not in theirs),
        "labels": sorted(wish.labels),
    }
    noted = json.dumps(keys, separators=(",", ":")) if any(keys.values()) else None
    before = applied_keys(account.annotations if account is not None else {})
    labels: dict[str, str | None] = dict.fromkeys(before["labels"])
    if MANAGED_BY_LABEL in labels:
        labels[MANAGED_BY_LABEL] = "irsa"  # As it was before it was wished to be something else.
    return replace(
        wish,
        annotations={
            **dict.fromkeys((*before["annotations"], *_OWN_ANNOTATIONS)),
            **wish.annotations,
            KEYS_ANNOTATION: noted,
        },
        labels={**labels, **wish.labels},
    )
