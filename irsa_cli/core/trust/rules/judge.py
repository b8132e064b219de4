"""The judge: a trust policy with its context in, risks out, also those of its OIDC providers.

Pure, and the only entry point of this folder.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from irsa_cli.core.policies.operators import operator_of
from irsa_cli.core.policies.statements import (
    WAYS_IN,
    Statement,
    actions_of,
    allowing,
    comparing,
    covers,
    does,
    is_positive,
    name_of,
    names_everybody,
    place_of,
    principals,
    tests_of,
)
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust.assuming import SERVICE as POD_IDENTITY
from irsa_cli.core.trust.restrictions import ALWAYS, demands
from irsa_cli.core.trust.rules.rule import RULES, Risk, risk, some, worst_first
from irsa_cli.core.trust.rules.width import NO_AUDIENCE, SERVICE_ACCOUNT, Look, full_name_of, of_subjects
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, issuer_of

_FOR_AWS = frozenset((DEFAULT_AUDIENCE, "openshift"))
"""The audiences of tokens for AWS. OpenShift's providers accept both and test none."""


def of_claims(
    look: Look, wide: Collection[tuple[int, Risk]], accepted: Collection[str] | None
) -> Iterator[Risk]:
    """The risks of a policy's tests, with those of `of_subjects` and the provider's audiences."""
    loose = {index for index, _ in wide}
    bare = {index for index, risk in wide if risk.rule is RULES["no-condition"]}
    for index, statement in allowing(look.document):
        subject = look.example(index)
        if not subject:
            continue
        if index not in bare:
            yield from _audience(look, index, statement, subject, accepted)
        if index not in loose:
            yield from _default_account(look, index, statement)
        yield from _operators(look, index, statement)
        yield from _ineffective(look, index, statement, loose)


def of_literals(look: Look) -> Iterator[Risk]:
    """Values with wildcards that an operator compares literally: no token has them, so they allow nobody."""
    for index, statement in allowing(look.document):
        for operator, key, values in tests_of(statement):
            literals = [value for value in values if _has_wildcard(value)]
            if literals and _is_claim(look, key) and _is_literal(operator):
                yield _literal(index, statement, (operator, key), literals)


def _is_claim(look: Look, key: str) -> bool:
    issuer, _, claim = key.lower().rpartition(":")
    return issuer == look.issuer.lower() and claim in ("sub", "aud")


def _is_literal(operator: str) -> bool:
    """Whether an operator wants one of its values, in which wildcards are ordinary characters."""
    comparison = comparing(operator)
    return comparison is not None and not comparison.wild and is_positive(operator)


_LITERAL = re.compile(r"\$\{[^}]*\}")
"""IAM's variables, with `${*}` and `${?}` for the characters themselves."""


def _has_wildcard(value: str) -> bool:
    return not {"*", "?"}.isdisjoint(_LITERAL.sub("", value))


def _literal(index: int, statement: Statement, test: tuple[str, str], literals: list[str]) -> Risk:
    """The risk of a test; its place is the first of the values."""
    operator, key = test
    claim = key.rpartition(":")[2].lower()
    path = place_of(index, "Condition", operator, key)
    written = statement["Condition"][operator][key]
    if isinstance(written, list):
        path = (*path, written.index(literals[0]))
    shown = some([f"'{value}'" for value in literals])
    what = "ServiceAccount" if claim == "sub" else "token"
    reason = f"compares {claim} literally with {shown} ({operator} has no wildcards), which allows no {what}"
    return risk(RULES["literal-wildcard"], name_of(index, statement), reason, path=path)


def _default_account(look: Look, index: int, statement: Statement) -> Iterator[Risk]:
    for subject in dict.fromkeys(look.exact(index)):
        namespace, _, name = subject.removeprefix(SERVICE_ACCOUNT).partition(":")
        if name == "default":
            account = f"ServiceAccount default of namespace {namespace}"
            reason = f"allows {account}, used by every pod that sets no other"
            place = place_of(index, "Condition")
            yield risk(RULES["default-service-account"], name_of(index, statement), reason, path=place)


def _audience(
    look: Look, index: int, statement: Statement, subject: str, accepted: Collection[str] | None
) -> Iterator[Risk]:
    if accepted is not None and (len(accepted) < 2 or _FOR_AWS.issuperset(accepted)):
        return  # STS rejects all other audiences before it reads the policy.
    name = name_of(index, statement)
    place = place_of(index, "Condition")
    if index in look.allowing(subject, NO_AUDIENCE):
        reason = "accepts any audience of the OIDC provider, including tokens for other services"
        step = f"require StringEquals {look.issuer}:aud {DEFAULT_AUDIENCE}"
        yield risk(RULES["no-audience"], name, reason, step, path=place)
        return
    usable = [audience for audience in look.audiences if accepted is None or audience in accepted]
    allowed = [audience for audience in usable if index in look.allowing(subject, audience)]
    if len(allowed) > 1:
        audiences = " and ".join(f"'{audience}'" for audience in allowed)
        step = RULES["extra-audience"].fix.format(issuer=look.issuer)
        reason = f"accepts tokens for the audiences {audiences}"
        yield risk(RULES["extra-audience"], name, reason, step, path=place, pattern=audiences)


def _operators(look: Look, index: int, statement: Statement) -> Iterator[Risk]:
    """Operators that match if the key is missing."""
    own = {issuer_of(arn).lower() for arn in principals(statement, "Federated")}
    name = name_of(index, statement)
    tight = RULES["wrong-issuer-key"].fix.format(issuer=look.issuer)
    for text, key, _ in tests_of(statement):
        operator = operator_of(text)
        issuer, _, claim = key.rpartition(":")
        place = place_of(index, "Condition", text, key)
        if operator is None or operator.compare is None or claim.lower() not in ("sub", "aud"):
            continue
        is_for_all = operator.quantifier == "all"
        if issuer.lower() == look.issuer.lower() and is_for_all:
            reason = f"tests {claim} with {text}, which also matches if the key is missing"
            step = f"use {text.removeprefix('ForAllValues:')}"
            yield risk(RULES["for-all-values"], name, reason, step, path=place)
        if "." not in issuer or issuer.lower() in own:
            continue
        if operator.if_exists or operator.negated or is_for_all:
            reason = f"tests {claim} of another issuer (...{issuer[-8:]}) with {text}, which excludes nobody"
            yield risk(RULES["wrong-issuer-key"], name, reason, tight, path=place, evidence=(f"tests {key}",))


def _ineffective(look: Look, index: int, statement: Statement, loose: Collection[int]) -> Iterator[Risk]:
    """A statement that allows a subject that another one allows under more conditions."""
    own = set(demands(statement))
    for tight_index, tight in allowing(look.document):
        if tight_index == index or tight_index in loose:
            continue
        if index not in loose and not _is_stricter(set(demands(tight)), own):
            continue
        shared = next((subject for subject in look.exact(tight_index) if index in look.allowing(subject)), "")
        if shared:
            name = name_of(tight_index, tight)
            account = full_name_of(shared)
            reason = f"also allows {account}, so the stricter {name} excludes nobody"
            step = f"remove it, or add the conditions of {name}"
            rule = RULES["loose-beside-tight"]
            yield risk(rule, name_of(index, statement), reason, step, path=place_of(index))
            return


def _is_stricter(tests: set[str], others: set[str]) -> bool:
    """Whether tests (`Restriction.test`) include all the others, and one more that is not always true."""
    return others <= tests and any(test.split()[1] not in ALWAYS for test in tests - others)


_WHO = ("aws:principal", "aws:userid", "aws:username", "aws:sourceaccount", "aws:sourceorg")
"""Prefixes of condition keys that identify the caller."""
_WHICH_POD = ("aws:sourcearn", "aws:requesttag/")
"""Prefixes of condition keys that identify the cluster, namespace or ServiceAccount; the account does not."""


def of_everybody(document: Mapping[str, Any]) -> Iterator[Risk]:
    for index, statement in allowing(document):
        ways = [action for action in WAYS_IN if does(statement, action)]
        if not ways or not names_everybody(statement):
            continue
        required = _required_keys(statement)
        if ACTION not in ways and any(key.startswith(_WHO) for key in required):
            continue
        limit = "no condition limits it"
        if required:
            limit = "only its conditions limit it"
        elif any(tests_of(statement)):
            limit = "its conditions only exclude some"
        key = "Principal"
        principal = "everyone"
        if "NotPrincipal" in statement:
            key = "NotPrincipal"
            principal = "everyone except a few"
        reason = f"has {principal} as its principal, and {limit}"
        violation = risk(RULES["everybody"], name_of(index, statement), reason, path=place_of(index, key))
        if required:
            violation = violation.less_sure(required)
        yield violation


def _required_keys(statement: Statement) -> list[str]:
    """The condition keys (in lower case) that have to have a value, and not only must not have one."""
    return [key.lower() for operator, key, _ in tests_of(statement) if is_positive(operator)]


def is_for_pods(statement: Statement, providers: Collection[str]) -> bool:
    """Whether the statement is for pods: by a cluster's provider, or by EKS Pod Identity."""
    services = principals(statement, "Service")
    return POD_IDENTITY in services or any(arn in providers for arn in principals(statement, "Federated"))


def of_principals(document: Mapping[str, Any], providers: Collection[str]) -> Iterator[Risk]:
    """The risks of principals and actions of a role that pods can assume; `providers` belong to clusters."""
    statements = list(allowing(document))
    if not any(is_for_pods(statement, providers) for _, statement in statements):
        return
    for index, statement in statements:
        name = name_of(index, statement)
        services = principals(statement, "Service") if does(statement, "sts:AssumeRole") else ()
        others = [service for service in services if service != POD_IDENTITY]
        if others:
            reason = f"also allows {' and '.join(others)} to assume a role that pods use"
            yield risk(RULES["other-services"], name, reason, path=place_of(index, "Principal"))
        if is_for_pods(statement, providers):
            yield from _actions(index, statement)
        is_narrow = any(key.startswith(_WHICH_POD) for key in _required_keys(statement))
        if POD_IDENTITY in services and not is_narrow:
            reason = "allows EKS Pod Identity for any cluster, namespace and ServiceAccount of the account"
            yield risk(RULES["pod-identity-no-condition"], name, reason, path=place_of(index, "Principal"))


def _actions(index: int, statement: Statement) -> Iterator[Risk]:
    way = ACTION if principals(statement, "Federated") else "sts:AssumeRole"
    patterns = [pattern for pattern in actions_of(statement) if not {"*", "?"}.isdisjoint(pattern)]
    wide = [pattern for pattern in patterns if covers((pattern,), way)]
    rule = RULES["all-sts-actions"]
    if "NotAction" in statement and does(statement, way):
        reason = "allows all actions except those in NotAction"
        yield risk(rule, name_of(index, statement), reason, path=place_of(index, "NotAction"))
    elif wide:
        reason = f"allows {' and '.join(wide)}: every way to assume the role, with any session tags"
        yield risk(rule, name_of(index, statement), reason, path=place_of(index, "Action"))


LARGEST = 8192
"""The most characters of a trust policy that is checked; IAM allows 4,096 without white space."""


def judge(document: Mapping[str, Any], context: TrustContext) -> tuple[Risk, ...]:
    """The risks of a trust policy for tokens of the context's providers, the worst first.

    Time can grow with the square of the document: skip documents larger than `LARGEST`.
    """
    risks = [*of_everybody(document)]
    open_statements = {violation.statement for violation in risks}
    for provider in context.providers:
        look = Look(document, provider, context.audience)
        wide = list(of_subjects(look))
        of_provider = [violation for _, violation in wide]
        of_provider += of_claims(look, wide, (context.existing or {}).get(provider))
        of_provider += of_literals(look)
        risks += [violation for violation in of_provider if violation.statement not in open_statements]
    risks += [*of_principals(document, context.providers), *context.of_providers(document)]
    # Report a risk that two clusters' providers share once, in the place of the last one.
    once: dict[tuple[str, str, str], Risk] = {}
    for violation in risks:
        key = (violation.rule.id, violation.statement, violation.reason)
        once[key] = once.pop(key, violation)
    return worst_first(
        replace(violation, role=context.role).behind(context.power) for violation in once.values()
    )


@dataclass(frozen=True)
class TrustContext:
    """The context of a trust policy of which the account is not known: nothing follows from that.

    `providers` are the ARNs of the clusters' OIDC providers. `power` has the powerful permissions of the role
    in words. Of a known account, it is an `irsa_cli.core.trust.rules.providers.AccountContext`.
    """

    providers: tuple[str, ...] = ()
    audience: str = DEFAULT_AUDIENCE
    role: str = ""
    power: str = ""
    existing: Mapping[str, tuple[str, ...] | None] | None = None
    """The audiences of the account's OIDC providers; None if they were not read."""

    def of_providers(self, document: Mapping[str, Any]) -> Iterator[Risk]:
        """The risks of the providers in Allow statements."""
        return iter(())
