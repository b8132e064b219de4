"""The roles that pods switch to, with transitive session tags."""

from __future__ import annotations

import pytest

from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.uses.switching import Switching, Trust, targets_of, with_tags
from irsa_cli.core.values.errors import Unreadable

ROLE = "arn:aws:iam::111122223333:role/app"
OTHER = "arn:aws:iam::444455556666:role/other"


def policy(*actions: str, resource: object = OTHER, effect: str = "Allow", **more: object) -> Document:
    return {"Statement": [{"Effect": effect, "Action": list(actions), "Resource": resource, **more}]}


def trust(*actions: str, **more: object) -> Document:
    return {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": list(actions), **more}]}


def judged(*policies: Document, other: Trust, limit: Document | None = None) -> Switching:
    inline = {str(number): item for number, item in enumerate(policies)}
    state = RoleState("/", {}, permissions_boundary="arn:x" if limit else "")
    role = Role(ROLE, state, inline=inline, documents={"arn:x": limit} if limit else {})
    return with_tags(role, {OTHER: other})


ASSUME, TAG = "sts:AssumeRole", "sts:TagSession"
OWN = f"the policies of the role allow {ASSUME} on {OTHER}, but not {TAG}"
THEIRS = f"the trust policy of {OTHER} does not allow {TAG}"
CONDITION = {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}}


@pytest.mark.parametrize(
    ("policies", "other", "lost", "doubts"),
    [
        ([policy(ASSUME)], trust(ASSUME, TAG), [OWN], []),
        ([policy("sts:*")], trust(ASSUME), [THEIRS], []),
        ([policy("*", resource="*")], trust(ASSUME), [],
         ["the trust policies of * may not allow sts:TagSession"]),
        ([policy(ASSUME, TAG)], trust("sts:*"), [], []),
        ([policy(ASSUME), policy(TAG, resource="*")], trust(ASSUME, TAG), [], []),
        ([policy(ASSUME, TAG), policy(TAG, effect="Deny")], trust(ASSUME, TAG), [OWN], []),
        ([policy(ASSUME), policy(ASSUME, effect="Deny", resource="*")], trust(ASSUME), [], []),
        ([policy(ASSUME)], None, [], []),  # There is no such role.
        ([policy(ASSUME)], trust("sts:AssumeRoleWithSAML"), [], []),  # It does not trust the role.
        ([policy(ASSUME)], Unreadable("denied"), [OWN], []),
        ([policy(ASSUME, TAG)], Unreadable("denied"), [],
         [f"the trust policy of {OTHER} was not read (denied)"]),
        ([policy(ASSUME, TAG)], trust(ASSUME, TAG, **CONDITION), [],
         [f"the trust policy of {OTHER} allows {TAG} under conditions"]),
        ([policy(ASSUME, TAG)], trust(ASSUME, TAG, Condition={"StringEquals": {"sts:ExternalId": "x"}}), [],
         [f"the trust policy of {OTHER} allows {TAG} under conditions"]),
        ([policy("s3:*", resource="*")], trust(ASSUME), [], []),
    ],
)  # fmt: skip
def test_what_is_lost_with_session_tags(
    policies: list[Document], other: Trust, lost: list[str], doubts: list[str]
) -> None:
    assert judged(*policies, other=other) == Switching(tuple(lost), tuple(doubts))


def test_a_boundary_limits_what_pods_can_assume() -> None:
    limit = policy("s3:*", resource="*")
    assert judged(policy(ASSUME), other=trust(ASSUME), limit=limit) == Switching()
    limit = policy(ASSUME, resource="*")
    assert judged(policy(ASSUME, TAG), other=trust(ASSUME, TAG), limit=limit).lost == (OWN,)


def test_policies_that_were_not_read_name_no_roles() -> None:
    assert targets_of(Role(ROLE, RoleState("/", {}), unread="denied")) == ()
