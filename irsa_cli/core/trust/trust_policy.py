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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
        condition: dict[str, dict[str, Any]] = {EXACT: {f"{prefix}:aud": self.audience}}
        tests = condition.setdefault(self.operator, {})
        tests[f"{prefix}:sub"] = ordered[0] if len(ordered) == 1 else ordered
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": ACTION,
            "Condition": condition,
        }
        return {"Sid": self.sid, **statement} if self.sid else statement

    def fits(self, other: Shared) -> bool:
        """Whether both could be one statement: one with irsa's mark, and one without, never are."""
        return self._without_subjects == other._without_subjects

    @property
    def _without_subjects(self) -> Shared:
        return replace(self, subjects=(), sid=self.mark if self.sid else "")


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
        form = Shared(provider, audience, operator, subjects, statement.get("Sid", ""))
        if form.sid and not re.fullmatch(rf"{form.mark}[0-9]*", form.sid, re.ASCII):
            return None
        return form if subjects and form.document == statement else None
    except (AttributeError, KeyError, TypeError):
        return None


def join(statements: list[Any], joining: Shared, text: Document | None = None) -> list[Any]:
    """The statements with these subjects in the first one that they fit into, or in a new one (as `text`)."""
    for index, statement in enumerate(statements):
        form = read_statement(statement)
        if form is not None and form.fits(joining):
            together = replace(form, subjects=(*form.subjects, *joining.subjects)).document
            return [*statements[:index], together, *statements[index + 1 :]]
    if not joining.sid:
        return next_to_its_like(statements, text or joining.document)
    # Its Sid is taken where somebody has changed the statement that bears it.
    taken = {str(statement.get("Sid", "")) for statement in statements if isinstance(statement, dict)}
    return next_to_its_like(statements, replace(joining, sid=free_sid((joining.sid,), taken)).document)


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
    for statement in statements:
        for operator, pairs in conditions.items():
            statement["Condition"].setdefault(operator, {}).update(pairs)
    return {"Version": "2012-10-17", "Statement": statements}


def contains(document: Mapping[str, Any], sought: Document) -> bool:
    """Whether the policy has this statement, in any of the forms that mean the same (its Sid aside).

    It may have it together with others: one statement in irsa's form for several subjects. A statement with
    irsa's mark is there only with the mark: one that means the same without is somebody else's.
    """
    if found(document, sought) is not None:
        return True
    form = read_statement(sought)
    if form is None:
        return False
    for several in map(read_statement, as_list(document.get("Statement", []))):
        if several is not None and several.fits(form) and {*form.subjects} <= {*several.subjects}:
            return True
    return False


def found(document: Mapping[str, Any], sought: Document) -> Document | None:
    """The statement in the form of the policy, None if it has none."""
    for statement in as_list(document.get("Statement", [])):
        if isinstance(statement, dict) and _same(statement, sought):
            return statement
    return None


MARK = "IrsaPodIdentity"
"""The Sids of irsa's statements for EKS Pod Identity in policies of others begin so."""


def _same(statement: Any, sought: Document) -> bool:
    sought_form = read_statement(sought)
    if sought_form is not None and sought_form.sid:
        form = read_statement(statement)
        if form is None or not form.fits(sought_form):
            return False
        return set(form.subjects) == set(sought_form.subjects)
    if str(sought.get("Sid", "")).startswith(MARK):
        return bool(normalized(statement) == normalized(sought))
    if not isinstance(statement, dict):
        return False
    return bool(normalized({**statement, "Sid": ""}) == normalized({**sought, "Sid": ""}))


def with_statement(document: Mapping[str, Any], new: Document) -> Document:
    """The policy with this subject in a statement of irsa's form, or a new one: see `next_to_its_like`."""
    statements = as_list(document.get("Statement", []))
    form = read_statement(new)
    if form is None:
        return {**document, "Statement": next_to_its_like(statements, new)}
    return {**document, "Statement": join(statements, form, new)}


def without_statement(document: Mapping[str, Any], unwanted: Document) -> Document:
    """The policy without this statement, or without its subject where several share one."""
    staying: list[Any] = []
    leaving = read_statement(unwanted)
    for statement in as_list(document.get("Statement", [])):
        form = read_statement(statement)
        if leaving is None or form is None or not form.fits(leaving):
            if not _same(statement, unwanted):
                staying.append(statement)
            continue
        others = tuple(subject for subject in form.subjects if subject not in leaving.subjects)
        if others == form.subjects:
            staying.append(statement)
        elif others:
            staying.append(replace(form, subjects=others).document)
    return {**document, "Statement": staying}


def with_replaced(document: Mapping[str, Any], old: Document, new: Document) -> Document:
    """The policy with the statement `new` in the place of `old`, or at its end if it has no `old`."""
    if not contains(document, old):
        return with_statement(document, new)
    statements: list[Any] = []
    for statement in as_list(document.get("Statement", [])):
        if not _same(statement, old):
            statements.append(statement)
        elif new not in statements:
            statements.append(new)
    return {**document, "Statement": statements}


def edited(document: Mapping[str, Any], old: Document | None, new: Document | None) -> Document:
    """The policy with the statement `new` in the place of `old`; None stands for no statement."""
    if old is None:
        return dict(document) if new is None else with_statement(document, new)
    if new is None:
        return without_statement(document, old)
    return with_replaced(document, old, new)


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
    old_issuer = issuer_of(old)
    new_issuer = issuer_of(new)

    def renamed_value(value: Any) -> Any:
        if isinstance(value, list):
            return list(map(renamed_value, value))
        if not isinstance(value, str):
            return value
        return value.replace(f"${{{old_issuer}:", f"${{{new_issuer}:")

    def renamed_key(key: str) -> str:
        if not key.lower().startswith(f"{old_issuer.lower()}:"):
            return key
        return f"{new_issuer}{key[len(old_issuer) :]}"

    is_list = statement["Principal"]["Federated"] == [old]
    document = {**statement, "Principal": {"Federated": [new] if is_list else new}}
    return _with_tests(document, lambda key, value: (renamed_key(key), renamed_value(value)))


def _with_tests(statement: Document, change: Callable[[str, Any], tuple[str, Any]]) -> Document:
    """The statement with each condition key and its value changed; what is no object stays."""
    block = statement.get("Condition")
    if not isinstance(block, dict):
        return statement
    condition: dict[str, Any] = {}
    for operator, keys in block.items():
        if isinstance(keys, dict):
            keys = dict(change(key, value) for key, value in keys.items())
        condition[operator] = keys
    return {**statement, "Condition": condition}


def alike(first: Any, second: Mapping[str, Any]) -> bool:
    """Whether two statements say the same, their Sids and the case of condition keys aside."""
    return isinstance(first, dict) and _plain(first) == _plain(second)


def next_to_its_like(statements: Sequence[Any], new: Document) -> list[Any]:
    """The statements with a new one: next to those that say the same of other providers, else at the end.

    Those are in the order of their providers. So one that goes and comes back has the same place again.
    """
    providers = principals(new, "Federated")
    if not providers:
        return [*statements, new]
    place = len(statements)
    for index, statement in enumerate(statements):
        for other in _providers_alike(statement, new, providers[0]):
            if other > providers[0]:
                return [*statements[:index], new, *statements[index:]]
            place = index + 1
    return [*statements[:place], new, *statements[place:]]


def _providers_alike(statement: Any, new: Document, provider: str) -> Iterator[str]:
    """The providers of which a statement says the same as a new one says of its provider."""
    if not isinstance(statement, dict):
        return
    for other in principals(statement, "Federated"):
        if PROVIDER.fullmatch(other) and alike(renamed(statement, other, provider), new):
            yield other


def _plain(statement: Mapping[str, Any]) -> Any:
    return normalized(_with_tests({**statement, "Sid": ""}, lambda key, value: (key.lower(), value)))


def trusts_service(document: Mapping[str, Any], service: str) -> bool:
    """Whether a statement names a service of AWS, with whatever conditions."""
    return any(service in principals(statement, "Service") for statement in statements_of(document))
