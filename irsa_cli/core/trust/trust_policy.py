"""Trust policies for IRSA: the statement that irsa writes, where it is in a policy, and how it changes.

Whether a policy admits a token, and why, is `irsa_cli.core.trust.evaluation`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from irsa_cli.core.policies.operators import Truth
from irsa_cli.core.policies.policy import Document, as_list, normalized, size
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import shared_statement
from irsa_cli.core.trust.evaluation import Explanation, explain
from irsa_cli.core.trust.restrictions import voided
from irsa_cli.core.values.errors import Refused


def statement(identity: WebIdentity, *, pattern: bool = False) -> Document:
    """The statement that admits exactly this subject and audience.

    With `pattern`, the subject may hold the wildcards `*` and `?` (StringLike); the audience stays exact.
    """
    operator = shared_statement.LIKE if pattern else shared_statement.EXACT
    return shared_statement.Shared(
        identity.provider_arn, identity.audience, operator, (identity.subject,)
    ).document


def marked_statement(identity: WebIdentity) -> Document:
    """The same for a role that is somebody else's: with the Sid by which irsa knows it again."""
    exact = shared_statement.EXACT
    return shared_statement.Shared(
        identity.provider_arn, identity.audience, exact, (identity.subject,)
    ).marked.document


def marked_for(document: Mapping[str, Any], identity: WebIdentity) -> Document | None:
    """The statement for this subject alone that irsa has added to somebody else's policy, None without one.

    It may stand together with others' subjects there. One for another audience counts where there is none for
    this one: the ServiceAccount may have lost its annotation, or changed it.
    """
    found = [
        replace(item, subjects=(identity.subject,), sid=item.mark)
        for item in map(shared_statement.read, as_list(document.get("Statement", [])))
        if item is not None
        and item.sid
        and item.provider == identity.provider_arn
        and identity.subject in item.subjects
    ]
    found.sort(key=lambda item: item.audience != identity.audience)
    return found[0].document if found else None


def policy(identity: WebIdentity, *, pattern: bool = False) -> Document:
    """A trust policy of that one statement."""
    return {"Version": "2012-10-17", "Statement": [statement(identity, pattern=pattern)]}


def policy_of(
    providers: Sequence[str],
    audience: str,
    subjects: Iterable[str],
    conditions: Mapping[str, Mapping[str, Any]],
) -> Document:
    """A trust policy for these subjects (which may hold wildcards) of each provider: one statement each.

    `conditions` are demanded besides, in every statement.
    """
    names = list(subjects)
    statements = []
    for provider in providers:
        item = shared_statement.shared(provider, audience, names).document
        for operator, pairs in conditions.items():
            item["Condition"][operator] = {**item["Condition"].get(operator, {}), **pairs}
        statements.append(item)
    return {"Version": "2012-10-17", "Statement": statements}


def contains(document: Mapping[str, Any], wanted: Document) -> bool:
    """Whether the policy has this statement, in any of the forms that mean the same (its Sid aside).

    It may have it together with others: one statement in irsa's form for several subjects. A statement with
    irsa's mark is there only with the mark: one that means the same without is somebody else's.
    """
    subjects = shared_statement.read(wanted)
    return any(
        _same(item, wanted) or (subjects is not None and shared_statement.holds(item, subjects))
        for item in as_list(document.get("Statement", []))
    )


def found(document: Mapping[str, Any], wanted: Document) -> Document | None:
    """The statement in the form in which the policy has it, None where it doesn't."""
    return next((item for item in as_list(document.get("Statement", [])) if _same(item, wanted)), None)


def _same(one: Any, other: Document) -> bool:
    wanted = shared_statement.read(other)
    if wanted is not None and wanted.sid:
        there = shared_statement.read(one)
        return there is not None and there.fits(wanted) and set(there.subjects) == set(wanted.subjects)
    return isinstance(one, dict) and normalized({**one, "Sid": ""}) == normalized({**other, "Sid": ""})


def with_statement(document: Mapping[str, Any], wanted: Document) -> Document:
    """The policy with this statement: its subject joined to a statement of irsa's form, or at the end.

    Every other byte stays as it is.
    """
    statements, subjects = as_list(document.get("Statement", [])), shared_statement.read(wanted)
    joined = [*statements, wanted] if subjects is None else shared_statement.join(statements, subjects)
    return {**document, "Statement": joined}


def without_statement(document: Mapping[str, Any], unwanted: Document) -> Document:
    """The policy without this statement, or without its subject where several share one."""
    kept = [item for item in as_list(document.get("Statement", [])) if not _same(item, unwanted)]
    subjects = shared_statement.read(unwanted)
    return {**document, "Statement": kept if subjects is None else shared_statement.part(kept, subjects)}


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


def check_size(role: str, document: Document, quota: int) -> None:
    """Raise `Refused` for a trust policy that is larger than the account's quota (ACLSizePerRole)."""
    length = size(document)
    if length > quota:
        raise Refused(
            f"the trust policy of {role} would be too large",
            reason=f"{length} characters without white space; the account's quota is {quota}",
            next_steps=(
                "give some ServiceAccounts a role of their own, or use a --subject-pattern",
                "or have the quota raised: Service Quotas, IAM, role trust policy length",
            ),
        )


def admits(document: Mapping[str, Any], identity: WebIdentity) -> bool:
    """Whether STS would let this token assume a role with this trust policy.

    Denies come first. A statement that can't be understood doesn't admit, and does deny. Why, tells
    `irsa_cli.core.trust.evaluation.explain`.
    """
    return explain(document, identity).admitted


def allowed(explanation: Explanation) -> Truth:
    """Whether a statement allows it; None when that can't be known."""
    if explanation.allowed_by:
        return True
    possible = any(item.possible for item in explanation.verdicts if item.effect == "Allow")
    return None if possible else False


def denied(explanation: Explanation) -> Truth:
    """Whether a statement denies it; None when that can't be known."""
    against = [item for item in explanation.verdicts if item.applies and item.effect != "Allow"]
    if any(item.failure is None for item in against):
        return True
    return None if against else False


def audience_replacement(
    document: Mapping[str, Any], before: WebIdentity, after: WebIdentity
) -> tuple[Document, Document] | None:
    """The statement for `before`, and what takes its place so that `after`, of another audience, is admitted.

    None when `after` is admitted already. Raises `Refused` when no statement admits exactly `before`: one
    that admits others, too, is theirs as well.
    """
    if allowed(explain(document, after)):
        return None
    old, new = statement(before), statement(after)
    item = next((item for item in as_list(document.get("Statement", [])) if _same(item, old)), None)
    if item is None:
        raise Refused(
            f"the trust policy has no statement for exactly {before.subject} and {before.audience}",
            reason=_why_not_changed(document, before),
            details=tuple(explain(document, before).text),
            next_steps=("change the trust policy by hand first: aws iam update-assume-role-policy",),
        )
    replaced = {**item, "Condition": new["Condition"]}
    if (marked := shared_statement.read(item)) is not None and marked.sid:
        del replaced["Sid"]  # The mark is for the audience that was. On a role of irsa's own it needs none.
    if denied(explain(with_replaced(document, item, replaced), after)):
        raise Refused(
            f"the trust policy denies {after.subject} with the audience {after.audience}",
            reason="a statement with the effect Deny applies to it, and no other one outweighs that",
        )
    return item, replaced


def _why_not_changed(document: Mapping[str, Any], before: WebIdentity) -> str:
    if voided(document, before):
        return "the one that admits it has further conditions, and a statement of irsa would void them"
    return "to change the audience of one that admits others, too, would lock them out"
