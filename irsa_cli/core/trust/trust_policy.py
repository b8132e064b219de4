"""Trust policies for IRSA: irsa's statements, their place in a policy, and how they change.

Several subjects may share a statement. Only statements in the very form that irsa writes are touched, and on
the roles of others only those that bear irsa's mark: a Sid that follows from provider, audience and operator.
All others stay byte for byte, and so does the order. Several values of a key are alternatives:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
`irsa_cli.core.trust.evaluation` decides whether a policy allows a token, and why.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from irsa_cli.core.policies.policy import Document, as_list, normalized, size
from irsa_cli.core.policies.statements import PROVIDER, principals
from irsa_cli.core.policies.statements import statements as statements_of
from irsa_cli.core.policies.web_identity import ACTION, WebIdentity
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.values.arn import issuer_of
from irsa_cli.core.values.errors import Refused

EXACT = "StringEquals"
LIKE = "StringLike"


@dataclass(frozen=True)
class Shared:
    """A statement in irsa's form: these subjects of one provider's issuer, for one audience.

    `operator` compares the subjects: StringEquals, or StringLike if one has wildcards. `sid` is the mark
    of one that irsa has added to a role that is somebody else's; '' on irsa's own roles.
    """

    provider: str
    audience: str
    operator: str
    subjects: tuple[str, ...]
    sid: str = ""

    @property
    def mark(self) -> str:
        """The Sid of such a statement on a role that is somebody else's, so that irsa knows it again."""
        text = "\0".join((self.provider, self.audience, self.operator))
        return f"Irsa{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @property
    def marked(self) -> Shared:
        return replace(self, sid=self.mark)

    @property
    def document(self) -> Document:
        """The statement as it is written: subjects sorted, one of them without a list."""
        prefix = issuer_of(self.provider)
        ordered = sorted(set(self.subjects))
        aud = {f"{prefix}:aud": self.audience}
        sub: dict[str, Any] = {f"{prefix}:sub": ordered if ordered[1:] else ordered[0]}
        condition = {EXACT: {**aud, **sub}} if self.operator == EXACT else {EXACT: aud, LIKE: sub}
        return {
            **({"Sid": self.sid} if self.sid else {}),
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": ACTION,
            "Condition": condition,
        }

    def fits(self, other: Shared) -> bool:
        """Whether both could be one statement: one with irsa's mark, and one without, never are."""
        one, two = (replace(item, subjects=(), sid=item.mark if item.sid else "") for item in (self, other))
        return one == two


def shared(provider: str, audience: str, subjects: Iterable[str]) -> Shared:
    """The statement that allows these subjects, which may have wildcards."""
    names = tuple(sorted(set(subjects)))
    wild = any("*" in name or "?" in name for name in names)
    return Shared(provider, audience, LIKE if wild else EXACT, names)


def read_statement(statement: Any) -> Shared | None:
    """A statement exactly as irsa writes it, without a Sid or with irsa's; None for any other."""
    try:
        provider = statement["Principal"]["Federated"]
        condition = statement["Condition"]
        prefix = issuer_of(provider)
        audience = condition[EXACT][f"{prefix}:aud"]
        operator = LIKE if LIKE in condition else EXACT
        subjects = tuple(as_list(condition[operator][f"{prefix}:sub"]))
        found = Shared(provider, audience, operator, subjects, statement.get("Sid", ""))
        marked = not found.sid or re.fullmatch(rf"{found.mark}[0-9]*", found.sid, re.ASCII)
        return found if subjects and marked and found.document == statement else None
    except (AttributeError, KeyError, TypeError):
        return None


def join(statements: list[Any], wanted: Shared, text: Document | None = None) -> list[Any]:
    """The statements with these subjects in the first one that they fit into, or in a new one (as `text`)."""
    for index, item in enumerate(statements):
        found = read_statement(item)
        if found is not None and found.fits(wanted):
            together = replace(found, subjects=(*found.subjects, *wanted.subjects)).document
            return [*statements[:index], together, *statements[index + 1 :]]
    if not wanted.sid:
        return next_to_its_like(statements, text or wanted.document)
    # Its Sid is taken where somebody has changed the statement that bears it.
    taken = {str(item.get("Sid", "")) for item in statements if isinstance(item, dict)}
    return next_to_its_like(statements, replace(wanted, sid=free_sid((wanted.sid,), taken)).document)


def free_sid(names: Sequence[str], taken: Collection[str]) -> str:
    """The first of these Sids, or the last one with a number: IAM takes each only once."""
    numbered = (f"{names[-1]}{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (*names, *numbered) if name not in taken)


def statement(identity: WebIdentity, *, pattern: bool = False) -> Document:
    """The statement for exactly this subject (a `pattern` with wildcards: StringLike), and audience."""
    operator = LIKE if pattern else EXACT
    return Shared(identity.provider_arn, identity.audience, operator, (identity.subject,)).document


def marked_statement(identity: WebIdentity) -> Document:
    """The same for a role that is somebody else's: with the Sid by which irsa knows it again."""
    return Shared(identity.provider_arn, identity.audience, EXACT, (identity.subject,)).marked.document


def policy_of(
    providers: Sequence[str],
    audience: str,
    subjects: Iterable[str],
    conditions: Mapping[str, Mapping[str, Any]],
) -> Document:
    """A trust policy for these subjects (or patterns) of each provider, each with these `conditions`."""
    names = list(subjects)
    statements = [shared(provider, audience, names).document for provider in providers]
    for block in (item["Condition"] for item in statements):
        for operator, pairs in conditions.items():
            block[operator] = {**block.get(operator, {}), **pairs}
    return {"Version": "2012-10-17", "Statement": statements}


def contains(document: Mapping[str, Any], wanted: Document) -> bool:
    """Whether the policy has this statement, in any of the forms that mean the same (its Sid aside).

    It may have it together with others: one statement in irsa's form for several subjects. A statement with
    irsa's mark is there only with the mark: one that means the same without is somebody else's.
    """
    subjects = read_statement(wanted)
    items = as_list(document.get("Statement", []))
    forms = filter(None, map(read_statement, items if subjects else ()))
    return any(_same(item, wanted) for item in items) or any(
        item.fits(subjects) and {*subjects.subjects} <= {*item.subjects} for item in forms if subjects
    )


def found(document: Mapping[str, Any], wanted: Document) -> Document | None:
    """The statement in the form of the policy, None if it has none."""
    return next((item for item in as_list(document.get("Statement", [])) if _same(item, wanted)), None)


MARK = "IrsaPodIdentity"
"""The Sids of irsa's statements for EKS Pod Identity in policies of others begin so."""


def _same(one: Any, other: Document) -> bool:
    wanted = read_statement(other)
    if wanted is not None and wanted.sid:
        there = read_statement(one)
        return there is not None and there.fits(wanted) and set(there.subjects) == set(wanted.subjects)
    if str(other.get("Sid", "")).startswith(MARK):
        return bool(normalized(one) == normalized(other))
    return isinstance(one, dict) and normalized({**one, "Sid": ""}) == normalized({**other, "Sid": ""})


def with_statement(document: Mapping[str, Any], wanted: Document) -> Document:
    """The policy with this subject in a statement of irsa's form, or a new one: see `next_to_its_like`."""
    statements = as_list(document.get("Statement", []))
    subjects = read_statement(wanted)
    joined = next_to_its_like(statements, wanted) if subjects is None else join(statements, subjects, wanted)
    return {**document, "Statement": joined}


def without_statement(document: Mapping[str, Any], unwanted: Document) -> Document:
    """The policy without this statement, or without its subject where several share one."""
    kept = []
    without = read_statement(unwanted)
    for item in as_list(document.get("Statement", [])):
        found = read_statement(item)
        if without is None or found is None or not found.fits(without):
            kept += [] if _same(item, unwanted) else [item]
        elif rest := tuple(subject for subject in found.subjects if subject not in without.subjects):
            kept.append(item if rest == found.subjects else replace(found, subjects=rest).document)
    return {**document, "Statement": kept}


def with_replaced(document: Mapping[str, Any], old: Document, new: Document) -> Document:
    """The policy with the statement `new` in the place of `old`, or at its end if it has no `old`."""
    if not contains(document, old):
        return with_statement(document, new)
    statements: list[Any] = []
    for item in as_list(document.get("Statement", [])):
        if not _same(item, old):
            statements.append(item)
        elif new not in statements:
            statements.append(new)
    return {**document, "Statement": statements}


def edited(document: Mapping[str, Any], old: Document | None, new: Document | None) -> Document:
    """The policy with the statement `new` in the place of `old`; None stands for no statement."""
    if old is None:
        return dict(document) if new is None else with_statement(document, new)
    return without_statement(document, old) if new is None else with_replaced(document, old, new)


def check_size(role: str, document: Document, quota: int) -> None:
    """Raise `Refused` for a trust policy that is larger than the account's quota (ACLSizePerRole)."""
    length = size(document)
    if length > quota:
        raise Refused(
            f"the trust policy of {role} would be too large",
            reason=f"{length} characters without white space; the account's quota is {quota}",
            next_steps=(
                "create separate roles for some ServiceAccounts, or use --subject-pattern",
                "or raise the quota: Service Quotas, IAM, role trust policy length",
            ),
        )


def admits(document: Mapping[str, Any], identity: WebIdentity) -> bool:
    """Whether STS would let this token assume a role with this trust policy; a Deny it can't read denies."""
    return explain(document, identity).admitted


def renamed(statement: Mapping[str, Any], old: str, new: str) -> Document:
    """The statement that says of `new`'s tokens what this one says of `old`'s; both are ARNs.

    Of the principals only `new` is left. Condition keys have the prefix of `new`, whatever the operator, and
    variables (`${PREFIX:sub}`) too. The rest of a key is as it was written.
    """
    one = issuer_of(old)
    other = issuer_of(new)

    def value(item: Any) -> Any:
        if isinstance(item, list):
            return [value(each) for each in item]
        return item.replace(f"${{{one}:", f"${{{other}:") if isinstance(item, str) else item

    def key(text: str) -> str:
        named = text.lower().startswith(f"{one.lower()}:")
        return f"{other}{text[len(one) :]}" if named else text

    listed = statement["Principal"]["Federated"] == [old]
    found = {**statement, "Principal": {"Federated": [new] if listed else new}}
    if isinstance(block := statement.get("Condition"), dict):
        found["Condition"] = {
            operator: {key(name): value(item) for name, item in keys.items()}
            if isinstance(keys, dict)
            else keys
            for operator, keys in block.items()
        }
    return found


def alike(one: Any, other: Mapping[str, Any]) -> bool:
    """Whether two statements say the same, their Sids and the case of condition keys aside."""
    return isinstance(one, dict) and _plain(one) == _plain(other)


def next_to_its_like(statements: Sequence[Any], new: Document) -> list[Any]:
    """The statements with a new one: next to those that say the same of other providers, else at the end.

    Those are in the order of their providers. So one that goes and comes back has the same place again.
    """
    likes = [
        (index, other)
        for index, item in enumerate(statements)
        for provider in principals(new, "Federated")[:1]
        if isinstance(item, dict)
        for other in principals(item, "Federated")
        if PROVIDER.fullmatch(other) and alike(renamed(item, other, provider), new)
    ]
    before = [index for index, other in likes if other > principals(new, "Federated")[0]]
    after = [index + 1 for index, _ in likes]
    place = min(before, default=max(after, default=len(statements)))
    return [*statements[:place], new, *statements[place:]]


def _plain(statement: Mapping[str, Any]) -> Any:
    found = {**statement, "Sid": ""}
    if isinstance(block := statement.get("Condition"), dict):
        found["Condition"] = {
            operator: {key.lower(): value for key, value in keys.items()} if isinstance(keys, dict) else keys
            for operator, keys in block.items()
        }
    return normalized(found)


def trusts_service(document: Mapping[str, Any], service: str) -> bool:
    """Whether a statement names a service of AWS, with whatever conditions."""
    return any(service in principals(item, "Service") for item in statements_of(document))
