"""The roles that pods switch to with their role, and what session tags change about that. Pure.

EKS Pod Identity's session tags are transitive: a role that is assumed with its credentials gets them too. So
`sts:TagSession` must be allowed besides `sts:AssumeRole`, by the role's own policies and by the other role's
trust policy. With IRSA there are no such tags.
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_operations
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.statements import Allowed, allowed, allowing, does
from irsa_cli.core.policies.web_identity import UNKNOWN, Context
from irsa_cli.core.trust.assuming import ASSUME, TAG, context_of_session, decide, names_role
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.values.arn import Arn, is_target
from irsa_cli.core.values.errors import Unreadable

Trust = Document | Unreadable | None
"""A trust policy, why it was not read, or None if there is no such role."""
_CHOSEN_BY_PODS = ("aws:requesttag/", "aws:tagkeys", "sts:transitivetagkeys", "sts:externalid")


@dataclass(frozen=True)
class Switching:
    """The losses by session tags: `lost` certainly, `doubts` perhaps; each says what is missing."""

    lost: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def targets_of(role: Role) -> tuple[str, ...]:
    """The roles that a role's own policies allow to assume: ARNs, or patterns of them."""
    if isinstance(role.policy_documents, Unreadable):
        return ()
    patterns: dict[str, None] = {}
    for document in role.policy_documents.values():
        for _, statement in allowing(document):
            if does(statement, ASSUME):
                patterns.update(dict.fromkeys(map(str, as_list(statement.get("Resource", "*")))))
    return tuple(pattern for pattern in patterns if _allows(role, ASSUME, pattern))


def _allows(role: Role, action: str, resource: str) -> Allowed | None:
    policies = {} if isinstance(role.policy_documents, Unreadable) else role.policy_documents
    boundary = None if isinstance(role.boundary_policy, Unreadable) else role.boundary_policy
    return allowed(policies, action, resource, boundary=boundary, has_boundary=bool(role.boundary))


def with_tags(role: Role, trusts: Mapping[str, Trust]) -> Switching:
    """The losses of a role's pods if their sessions have transitive tags.

    `trusts` are the trust policies of the single roles among `targets_of`.
    """
    lost: list[str] = []
    doubts: list[str] = []
    for target in targets_of(role):
        is_one_role = is_target(target)
        trust = trusts.get(target)
        if is_one_role and not _may(role, trust, ASSUME):
            continue  # It does not trust the role anyway.
        if _allows(role, TAG, target) is None:
            lost.append(f"the policies of the role allow {ASSUME} on {target}, but not {TAG}")
        elif not is_one_role:
            doubts.append(f"the trust policies of {target} may not allow {TAG}")
        elif not _may(role, trust, TAG):
            lost.append(f"the trust policy of {target} does not allow {TAG}")
        else:
            doubts += _doubts_of(role, target, trust)
    return Switching(tuple(lost), tuple(doubts))


def _may(role: Role, trust: Trust, action: str) -> bool:
    """Whether a trust policy allows an action to the role, or may; also if it was not read."""
    if trust is None:
        return False
    return isinstance(trust, Unreadable) or _answer(role, trust, action) is not Answer.NO


def _doubts_of(role: Role, target: str, trust: Trust) -> Iterator[str]:
    if isinstance(trust, Unreadable):
        yield f"the trust policy of {target} was not read ({trust.why})"
    elif trust is not None and _answer(role, trust, TAG) is Answer.UNKNOWN:
        yield f"the trust policy of {target} allows {TAG} under conditions"


def _answer(role: Role, trust: Document, action: str) -> Answer:
    chosen: Context = dict.fromkeys(_CHOSEN_BY_PODS, UNKNOWN)
    context = {**context_of_session(role.arn), **chosen}
    return decide(trust, names_role(Arn.parse(role.arn), role.arn), context, action).answer
