"""The risks of objects in files, and the parts that are known only after deployment."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from irsa_cli.core.lint.found import (
    Found,
    Gaps,
    LintedAccount,
    LintedObject,
    LintedTrust,
    Unjudged,
    as_dict,
    as_text,
    has_gap,
    is_gap,
    is_known,
    part_of,
)
from irsa_cli.core.lint.from_aws import PROVIDER_HEAD
from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import as_list, size
from irsa_cli.core.policies.statements import (
    Statement,
    comparing,
    does,
    is_positive,
    name_of,
    place_of,
    principals,
    statements,
    tests_of,
)
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust.correction import Meant, corrected
from irsa_cli.core.trust.rules.accounts import (
    DeclaredAccount,
    DeclaredPods,
    annotation_on_pods,
    placeholder_left,
    shared_name,
    wrong_annotation,
)
from irsa_cli.core.trust.rules.judge import LARGEST, judge
from irsa_cli.core.trust.rules.providers import AccountContext, cluster_providers
from irsa_cli.core.trust.rules.rule import Risk, Severity
from irsa_cli.core.trust.rules.width import SERVICE_ACCOUNT, Look
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.placeholders import placeholder

_LATER = "is known only after deployment"
_ARN = re.compile(r"arn:[^:]*:iam::[^:]*:oidc-provider/")
_ROLE = re.compile(r"(aws_iam_role|module)\..*arn$")
_PARTS = ("Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition")


def judged(found: Found, *, with_fixes: bool = False) -> Iterator[Risk | Unjudged | InvalidInput]:
    """The risks of an object with their places, its unknown parts, and errors of invalid policies."""
    if isinstance(found, Unjudged):
        yield found
    elif isinstance(found, LintedAccount):
        yield from _of_account(found)
    elif isinstance(found, LintedObject):
        yield from _of_object(found)
    elif isinstance(found, LintedTrust):
        yield from _of_trust(found, with_fixes=with_fixes)


def _of_trust(trust: LintedTrust, *, with_fixes: bool) -> Iterator[Risk | Unjudged | InvalidInput]:
    document = trust.document
    if is_gap(document):
        yield _unjudged(trust, (), f"the trust policy {_LATER}: {trust.gaps.shown(document)}")
        return
    if not isinstance(document, dict) or "Statement" not in document:
        yield _malformed(trust, (), "the trust policy is not a valid policy")
        return
    if size(document) > LARGEST:
        yield _unjudged(trust, (), "the trust policy is larger than IAM allows, so it was not checked")
        return
    yield from _malformed_parts(trust, document)
    yield from _unknown_parts(trust, document)
    known = _readable(document, trust.gaps)
    if known is None:
        return
    context = _context(trust, _providers(known))
    reported: set[tuple[str, str, str]] = set()
    for risk in judge(known, context):
        path = _written(trust, risk.path)
        placed = replace(risk, account=trust.account, path=path, place=trust.placed.place(path))
        if trust.refined is not None:
            placed = trust.refined(placed)
            identity = (placed.rule.id, placed.reason, str(placed.place))
            if identity in reported:
                continue  # One entry of a file leads to a statement for each cluster.
            reported.add(identity)
        elif with_fixes and is_known(document):
            placed = replace(placed, corrected=corrected(document, risk, context, Meant()))
        yield _shown(placed, trust.gaps)


def _context(trust: LintedTrust, providers: tuple[str, ...]) -> AccountContext:
    """The context of a policy: of a plan, with the audiences of its providers and without deleted ones."""
    existing = None
    if trust.audiences or trust.gone:
        kept = (arn for arn in providers if arn not in trust.gone)
        existing = {arn: trust.audiences.get(arn) for arn in kept}
    return AccountContext(providers, power=trust.power, existing=existing, clusters=trust.clusters or None)


def _shown(risk: Risk, gaps: Gaps) -> Risk:
    """The risk with expressions instead of gaps."""
    return replace(
        risk,
        statement=gaps.shown(risk.statement),
        reason=gaps.shown(risk.reason),
        evidence=tuple(map(gaps.shown, risk.evidence)),
        suggestion=gaps.shown(risk.suggestion),
    )


def _readable(document: Mapping[str, Any], gaps: Gaps) -> dict[str, Any] | None:
    """The known statements; None if an unknown part might be a Deny, which could prevent all risks.

    An Allow with an unknown part is left empty.
    """
    known: list[Statement] = []
    for statement in as_list(document["Statement"]):
        if not _unknown_part(statement):
            known.append(_with_provider(as_dict(statement), gaps))
        elif isinstance(statement, dict) and statement.get("Effect") == "Allow":
            known.append({})
        else:
            return None
    return {**document, "Statement": known}


def refuses(trust: LintedTrust, subject: str) -> bool:
    """Whether it surely allows no token of the subject."""
    document = trust.document
    if not isinstance(document, dict) or "Statement" not in document or size(document) > LARGEST:
        return False
    if any(map(_unknown_part, as_list(document["Statement"]))):
        return False
    for statement in statements(document):
        for _, _, values in tests_of(statement):
            if any(map(has_gap, values)):
                return False
    known = _readable(document, trust.gaps)
    if known is None:
        return False
    looks = (Look(known, provider, DEFAULT_AUDIENCE) for provider in _providers(known))
    return not any(look.allowing(subject) for look in looks)


def _malformed_parts(trust: LintedTrust, document: Mapping[str, Any]) -> Iterator[InvalidInput]:
    for index, statement in enumerate(as_list(document["Statement"])):
        if isinstance(statement, dict):
            yield from _malformed_statement(trust, index, statement)
        elif not has_gap(statement):
            yield _malformed(trust, place_of(index), f"{name_of(index, {})} is not an object")


def _malformed_statement(trust: LintedTrust, index: int, statement: Statement) -> Iterator[InvalidInput]:
    name = name_of(index, statement)
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny") and not has_gap(effect):
        yield _malformed(trust, place_of(index, "Effect"), f"Effect of {name} is neither Allow nor Deny")
    block = statement.get("Condition", {})
    if not isinstance(block, dict) and not has_gap(block):
        yield _malformed(trust, place_of(index, "Condition"), f"Condition of {name} is not an object")
    for operator, keys in as_dict(block).items():
        if not isinstance(keys, dict) and not has_gap(keys):
            path = place_of(index, "Condition", operator)
            yield _malformed(trust, path, f"{operator} of {name} has no condition keys")


def _malformed(trust: LintedTrust, path: tuple[str | int, ...], text: str) -> InvalidInput:
    return InvalidInput(str(_unjudged(trust, path, trust.gaps.shown(text))))


def _unknown_part(statement: Any) -> str:
    """The part of a statement that is a gap instead of a structure; '' for none."""
    if not isinstance(statement, dict):
        return "it" if has_gap(statement) else ""
    for part in _PARTS:
        if part not in statement:
            continue
        value = statement[part]
        if any(map(is_gap, as_list(value))):
            return part
        if part == "Condition" and _has_unknown_test(as_dict(value)):
            return part
    return ""


def _has_unknown_test(block: Mapping[str, Any]) -> bool:
    for operator, keys in block.items():
        if has_gap(operator) or has_gap(keys) or any(map(is_gap, as_dict(keys))):
            return True
    return False


def _unknown_parts(trust: LintedTrust, document: Mapping[str, Any]) -> Iterator[Unjudged]:
    for index, statement in enumerate(as_list(document["Statement"])):
        unknown = _unknown_part(statement)
        if unknown:
            name = name_of(index, as_dict(statement))
            subject = name if unknown == "it" else f"{unknown} of {name}"
            yield _unjudged(trust, place_of(index), f"{subject} {_LATER}, so it was not checked")
        elif isinstance(statement, dict) and statement.get("Effect") == "Allow":
            yield from _unknown_values(trust, index, statement)


def _unknown_values(trust: LintedTrust, index: int, statement: Statement) -> Iterator[Unjudged]:
    """Subjects and audiences with gaps, with the severity that they can hide."""
    for operator, key, values in tests_of(statement):
        claim = key.rpartition(":")[2].lower()
        if claim not in ("sub", "aud"):
            continue
        for value in filter(has_gap, values):
            worst = _worst(operator, value) if claim == "sub" else Severity.LOW
            if worst is not None:
                text = f"{claim} '{trust.gaps.shown(value)}' of {name_of(index, statement)} {_LATER}"
                yield _unjudged(trust, place_of(index, "Condition", operator, key), text, worst)


def _worst(operator: str, value: str) -> Severity | None:
    """The severity that an unknown subject can hide; None if it is a single ServiceAccount."""
    beginning = re.split(r"[*?]|unknown-", value)[0]
    if not SERVICE_ACCOUNT.startswith(beginning) and not beginning.startswith(SERVICE_ACCOUNT):
        return Severity.LOW  # Not a ServiceAccount: a subject of GitHub, for example.
    comparison = comparing(operator)
    if comparison is None or comparison.wild or not is_positive(operator):
        return Severity.HIGH
    return Severity.MEDIUM if has_gap(value.rpartition(":")[2]) else None


def _with_provider(statement: Statement, gaps: Gaps) -> Statement:
    """The statement with complete provider ARNs; an unknown issuer is the one whose keys it tests."""
    federated = principals(statement, "Federated")
    if not does(statement, ACTION) or not any(map(has_gap, federated)):
        return statement
    claims = (key for _, key, _ in tests_of(statement) if key.lower().endswith((":sub", ":aud")))
    tested = {key.rpartition(":")[0] for key in claims}
    if len(federated) == 1 and len(tested) > 1 and all(map(has_gap, tested)):
        return _with_provider(_of_one_issuer(statement, tested), gaps)
    only = tested.pop() if len(tested) == 1 else ""
    arns = [_with_issuer(arn, only, gaps) for arn in federated]
    return {**statement, "Principal": {**statement["Principal"], "Federated": arns}}


def _with_issuer(arn: str, tested: str, gaps: Gaps) -> str:
    """A provider's ARN; instead of an unknown issuer, the one that is `tested` ('' for several)."""
    if not has_gap(arn):
        return arn
    issuer = _ARN.sub("", arn) if _ARN.match(arn) else ""
    if tested and (not issuer or has_gap(issuer) or has_gap(tested)):
        return PROVIDER_HEAD + tested
    return PROVIDER_HEAD + (issuer or gaps.gap(f"{gaps.name(arn)} issuer"))


def _of_one_issuer(statement: Statement, tested: Collection[str]) -> Statement:
    """The statement with the same gap for its only issuer in all keys."""
    block: dict[str, Any] = {}
    for operator, keys in statement["Condition"].items():
        block[operator] = {}
        for key, values in keys.items():
            issuer, _, claim = key.rpartition(":")
            if issuer in tested:
                key = f"{min(tested)}:{claim}"
            block[operator][key] = values
    return {**statement, "Condition": block}


def _providers(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The providers that belong, or might belong, to a cluster."""
    gaps: dict[str, None] = {}
    for statement in statements(document):
        if not _is_others(statement):
            gaps.update(dict.fromkeys(filter(has_gap, principals(statement, "Federated"))))
    return cluster_providers(document, gaps)


def _is_others(statement: Statement) -> bool:
    """Whether its subjects are plainly not ServiceAccounts."""
    subjects: list[str] = []
    for _, key, values in tests_of(statement):
        if key.lower().endswith(":sub"):
            subjects += values
    plain = [value for value in subjects if not has_gap(value) and value[:1] not in ("*", "?")]
    return bool(plain) and not any(value.startswith(SERVICE_ACCOUNT[:7]) for value in plain)


def _unjudged(
    trust: LintedTrust, path: tuple[str | int, ...], text: str, at_most: Severity = Severity.CRITICAL
) -> Unjudged:
    return Unjudged(trust.placed.place(_written(trust, path)), trust.gaps.shown(text), at_most)


def _written(trust: LintedTrust, path: Sequence[str | int]) -> tuple[str | int, ...]:
    """A path with the keys of the file."""
    return tuple(trust.gaps.shown(step) if isinstance(step, str) else step for step in path)


def declared(account: LintedAccount) -> DeclaredAccount:
    """A ServiceAccount of a file as the subject of rules."""
    return DeclaredAccount(
        account.namespace,
        account.name,
        as_text(account.role),
        place=account.placed.place(account.path),
        name_place=account.placed.place(account.name_path),
    )


def _of_account(account: LintedAccount) -> Iterator[Risk | Unjudged]:
    subject = declared(account)
    role = subject.role
    placeholders = list(placeholder_left(subject))
    if is_gap(role) and _ROLE.match(account.gaps.name(role)):
        pass  # A reference to a role's ARN is valid.
    elif placeholders:
        yield from placeholders
    elif has_gap(role) or placeholder(role):
        text = f"the role of ServiceAccount {subject.full_name} {_LATER}: {account.gaps.shown(role)}"
        yield Unjudged(account.placed.place(account.path), text, Severity.MEDIUM)
    else:
        yield from wrong_annotation(subject)
    yield from shared_name(subject)


_TEMPLATES = ((), ("spec", "template"), ("spec", "jobTemplate", "spec", "template"))


def _of_object(written: LintedObject) -> Iterator[Risk]:
    """Annotations that the webhook ignores, on pods and templates."""
    if written.kind not in ("Pod", *KINDS.values()):
        return
    for template in _TEMPLATES:
        path = (*template, "metadata", "annotations")
        if ROLE_ARN_ANNOTATION in as_dict(part_of(written.value, path)):
            place = written.placed.place((*path, ROLE_ARN_ANNOTATION))
            yield from annotation_on_pods(DeclaredPods(str(written), annotated=place))
