"""Trust policies for IRSA: the statement that irsa writes, where it is in a policy, and how it changes.

Whether a policy admits a token, and why, is `irsa_cli.core.evaluation`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from irsa_cli.core.errors import Refused
from irsa_cli.core.evaluation import explain
from irsa_cli.core.issuer import host_path
from irsa_cli.core.policy import Document, as_list, normalized
from irsa_cli.core.web_identity import ACTION, WebIdentity

__all__ = [
    "ACTION",
    "WebIdentity",
    "admits",
    "audience_replacement",
    "contains",
    "policy",
    "statement",
    "with_replaced",
    "with_statement",
    "without_statement",
]


def statement(identity: WebIdentity, *, pattern: bool = False) -> Document:
    """The statement that admits exactly this subject and audience.

    With `pattern`, the subject may hold the wildcards `*` and `?` (StringLike); the audience stays exact.
    """
    prefix = host_path(identity.issuer)
    aud, sub = {f"{prefix}:aud": identity.audience}, {f"{prefix}:sub": identity.subject}
    condition = {"StringEquals": aud, "StringLike": sub} if pattern else {"StringEquals": {**aud, **sub}}
    return {
        "Effect": "Allow",
        "Principal": {"Federated": identity.provider_arn},
        "Action": ACTION,
        "Condition": condition,
    }


def policy(identity: WebIdentity, *, pattern: bool = False) -> Document:
    """A trust policy of that one statement."""
    return {"Version": "2012-10-17", "Statement": [statement(identity, pattern=pattern)]}


def contains(document: Mapping[str, Any], wanted: Document) -> bool:
    """Whether the policy has this statement, in any of the forms that mean the same (its Sid aside)."""
    return any(_same(item, wanted) for item in as_list(document.get("Statement", [])))


def _same(one: Any, other: Document) -> bool:
    return isinstance(one, dict) and normalized({**one, "Sid": ""}) == normalized({**other, "Sid": ""})


def with_statement(document: Mapping[str, Any], wanted: Document) -> Document:
    """The policy with this statement at its end; every other byte stays as it is."""
    return {**document, "Statement": [*as_list(document.get("Statement", [])), wanted]}


def without_statement(document: Mapping[str, Any], unwanted: Document) -> Document:
    """The policy without this statement."""
    kept = [item for item in as_list(document.get("Statement", [])) if not _same(item, unwanted)]
    return {**document, "Statement": kept}


def with_replaced(document: Mapping[str, Any], old: Document, new: Document) -> Document:
    """The policy with the statement `new` in the place of `old`, or at its end where that isn't there."""
    if not contains(document, old):
        return with_statement(document, new)
    statements: list[Any] = []
    for item in as_list(document.get("Statement", [])):
        if not _same(item, old):
            statements.append(item)
        elif new not in statements:
            statements.append(new)
    return {**document, "Statement": statements}


def admits(document: Mapping[str, Any], identity: WebIdentity) -> bool:
    """Whether STS would let this token assume a role with this trust policy.

    Denies come first. A statement that can't be understood doesn't admit, and does deny. Why, tells
    `irsa_cli.core.evaluation.explain`.
    """
    return explain(document, identity).admitted


def audience_replacement(
    document: Mapping[str, Any], before: WebIdentity, after: WebIdentity
) -> tuple[Document, Document] | None:
    """The statement for `before`, and what takes its place so that `after`, of another audience, is admitted.

    None when `after` is admitted already. Raises `Refused` when no statement admits exactly `before`: one
    that admits others, too, is theirs as well.
    """
    if admits(document, after):
        return None
    old, new = statement(before), statement(after)
    item = next((item for item in as_list(document.get("Statement", [])) if _same(item, old)), None)
    if item is None:
        raise Refused(
            f"the trust policy has no statement for exactly {before.subject} and {before.audience}",
            reason="to change the audience of one that admits others, too, would lock them out",
            details=tuple(explain(document, before).text),
            next_steps=("change the trust policy by hand first: aws iam update-assume-role-policy",),
        )
    replaced = {**item, "Condition": new["Condition"]}
    if not admits(with_replaced(document, item, replaced), after):
        raise Refused(
            f"the trust policy denies {after.subject} with the audience {after.audience}",
            reason="a statement with the effect Deny applies to it, and no other one outweighs that",
        )
    return item, replaced
