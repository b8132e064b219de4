"""Flaws of a trust policy that exclude a token, each with the identifier of its cause.

`irsa_cli.core.trust.evaluation` evaluates conditions; this module finds the intended statement and its flaws.
It judges a statement for another cluster as that cluster would see it, so that one mistake (an old issuer in
principal and keys) is one flaw.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from irsa_cli.core.doctor.commands import naming
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.subjects import annotations_of, audience_of, identity_of, provider_there
from irsa_cli.core.marks.makers import EKSCTL_ACCOUNT_TAG, EKSCTL_TAGS
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, CLUSTER_TAG, SERVICE_ACCOUNT_TAG, ProviderState
from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.policy import Document, as_list, dump
from irsa_cli.core.policies.statements import (
    PROVIDER,
    conditions_of,
    does,
    principals,
    trusted_providers,
    words_of,
)
from irsa_cli.core.policies.web_identity import ACTION, WebIdentity
from irsa_cli.core.trust.evaluation import Failure, StatementVerdict, explain
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, host_path
from irsa_cli.core.values.errors import CannotTell
from irsa_cli.core.values.shown import shown, unspaced

_COMPARED = 200 * 200


@dataclass(frozen=True)
class Flaw:
    """A flaw of a statement, with the found and the expected value. `unknown`: it may be none."""

    cause: str
    text: str
    found: str
    expected: str
    statement: str = ""
    unknown: bool = False


def principal_flaw(statement: Document, provider: str, old: frozenset[str]) -> Flaw | None:
    """The flaw in a statement's principal; None if it has the provider `wanted`. For `old` see `flaws`."""
    principal = statement.get("Principal", {})
    if principal == "*" or "NotPrincipal" in statement:
        return None
    federated = principals(statement, "Federated")
    if provider in federated:
        return None
    providers = list(filter(PROVIDER.fullmatch, federated))
    if not providers:
        everybody = "*" in (*federated, *principals(statement, "AWS"))
        text = "irsa cannot tell if it includes this provider" if everybody else "it has no OIDC provider"
        expected = f"Federated {provider}"
        return Flaw("trust-principal", text, ", ".join(words_of(principal)), expected, unknown=everybody)
    nearest = max(providers, key=lambda name: similarity(name, provider))
    if _plain(nearest) == _plain(provider):
        text = "IAM compares the principal character by character"
        return Flaw("trust-provider-arn", text, nearest, provider)
    if nearest.rpartition("/")[2] == provider.rpartition("/")[2]:
        return Flaw("trust-provider-arn", "it has another account, region or host", nearest, provider)
    if nearest in old:
        text = "it is the provider of a cluster that was deleted or recreated"
        return Flaw("trust-old-cluster", text, nearest, provider)
    return Flaw("trust-other-cluster", "it is another cluster's provider", nearest, provider)


def _plain(arn: str) -> str:
    return arn.replace("https://", "").rstrip("/").lower()


def similarity(first: str, second: str) -> float:
    """How near two texts are, from 0 to 1. Of long ones only the letters are compared, not their order."""
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    # The exact ratio takes up to the third power of the length.
    if len(first) * len(second) > _COMPARED:
        return matcher.quick_ratio()
    return matcher.ratio()


GENERATED = re.compile(r"(?P<stem>.+)-(?=[a-z0-9]*\d)[a-z0-9]{5,10}")
"""A name whose end was generated, with a digit in it at least."""
_CLAIMS = ("sub", "aud")


@dataclass(frozen=True)
class _Case:
    """The token, providers of deleted or recreated clusters, the policy's version, the time."""

    identity: WebIdentity
    old: frozenset[str]
    version: str
    now: datetime | None


def flaws(
    document: Mapping[str, Any],
    identity: WebIdentity,
    old: frozenset[str] = frozenset(),
    now: datetime | None = None,
) -> tuple[Flaw, ...]:
    """The flaws of the policy for this token. `old` are providers of deleted or recreated clusters."""
    explanation = explain(document, identity, now=now)
    if explanation.admitted:
        return ()
    statements = as_list(document.get("Statement", []))
    case = _Case(identity, old, str(document.get("Version", "")), now)
    denying = [
        _denial(verdict, statements[verdict.index])
        for verdict in explanation.verdicts
        if verdict.applies and verdict.effect != "Allow"
    ]
    if explanation.allowed_by:
        return tuple(denying)
    allowing: list[tuple[bool, list[Flaw]]] = []
    for verdict in explanation.verdicts:
        if verdict.effect == "Allow":
            named = [
                replace(flaw, statement=verdict.name) for flaw in _of_statement(verdict, statements, case)
            ]
            allowing.append((_is_for_others(statements[verdict.index], case), named))
    if not allowing:
        none = Flaw("trust-principal", "no statement allows anything", "nothing", identity.provider_arn)
        return (*denying, none)
    _, nearest = min(allowing, key=lambda ranked: (ranked[0], *_distance(ranked[1])))
    return (*denying, *nearest)


def _is_for_others(statement: Document, case: _Case) -> bool:
    """Whether a statement is for another cluster, which has its own statement in a shared role."""
    provider = case.identity.provider_arn
    if provider in trusted_providers({"Statement": [statement]}):
        return False
    flaw = principal_flaw(statement, provider, case.old)
    return flaw is None or flaw.cause not in ("trust-provider-arn", "trust-old-cluster")


def _of_statement(verdict: StatementVerdict, statements: list[Any], case: _Case) -> list[Flaw]:
    flaws = _statement_flaws(statements[verdict.index], case)
    failure = verdict.failure
    certain = any(not flaw.unknown for flaw in flaws)
    if failure is None or certain or (flaws and failure.unknown):
        return flaws
    # Something rare, such as NotPrincipal: what the evaluation says has to do.
    cause = {"Action": "trust-action", "Principal": "trust-principal"}.get(failure.part, "trust-condition")
    values = ", ".join(failure.wanted)
    rare = Flaw(cause, failure.text, values, "an element that matches the token", unknown=failure.unknown)
    return [*flaws, rare]


def _denial(verdict: StatementVerdict, statement: Any) -> Flaw:
    if verdict.failure is None:
        text = f"it applies to this token, and a Deny overrides every Allow: {'; '.join(verdict.because)}"
    else:
        text = verdict.failure.text
    unknown = verdict.failure is not None
    return Flaw("trust-deny", text, dump(statement), "no Deny that applies", verdict.name, unknown=unknown)


def _distance(flaws: list[Flaw]) -> tuple[int, float]:
    """How far a statement is from allowing the token: fewer flaws first, then closer values."""
    far = sum(5 if flaw.cause == "trust-principal" else 1 for flaw in flaws)
    return far, -sum(similarity(flaw.found, flaw.expected) for flaw in flaws)


def _statement_flaws(statement: Document, case: _Case) -> list[Flaw]:
    principal = principal_flaw(statement, case.identity.provider_arn, case.old)
    if principal is not None and principal.cause == "trust-principal" and not principal.unknown:
        return [principal]
    flaws = []
    if not does(statement, ACTION):
        actions = ", ".join(map(str, as_list(statement.get("NotAction", statement.get("Action", [])))))
        flaws.append(Flaw("trust-action", "the token exchange needs another action", actions, ACTION))
    conditions = list(_condition_flaws(statement, case))
    if principal is not None:
        flaws.append(principal)
        match = PROVIDER.fullmatch(principal.found)
        theirs = replace(case.identity, issuer=match["url"] if match else "")
        of_theirs = list(_condition_flaws(statement, replace(case, identity=theirs)))
        conditions = min(of_theirs, conditions, key=len)
    return flaws + conditions


def _condition_flaws(statement: Document, case: _Case) -> Iterator[Flaw]:
    for operator, key, values in conditions_of(statement):
        failure = _failing(operator, key, values, case)
        if failure is not None:
            yield from _classified(failure, values, case)


def _failing(operator: str, key: str, values: Any, case: _Case) -> Failure | None:
    """Why one test of a Condition block fails; None when it holds."""
    condition = {operator: {key: values}}
    alone = {"Effect": "Allow", "Principal": "*", "Action": ACTION, "Condition": condition}
    document = {"Version": case.version, "Statement": [alone]}
    return explain(document, case.identity, now=case.now).verdicts[0].failure


def _classified(failure: Failure, values: Any, case: _Case) -> Iterator[Flaw]:
    issuer = host_path(case.identity.issuer)
    head, _, claim = failure.key.lower().rpartition(":")
    place = f"{failure.operator} {failure.key}"
    if head == issuer.lower() and claim in _CLAIMS:
        yield _value_flaw(failure, claim, case.identity)
        return
    if claim not in _CLAIMS or head in ("aws", "sts"):
        text = failure.text
        expected = "a condition that the token exchange meets"
        yield Flaw("trust-condition", text, place, expected, unknown=failure.unknown)
        return
    right = f"{issuer}:{claim}"
    yield _key_flaw(head, issuer.lower(), place, f"{failure.operator} {right}")
    # With the right key, the value may be wrong all the same.
    failure_then = _failing(failure.operator, right, values, case)
    if failure_then is not None:
        yield _value_flaw(failure_then, claim, case.identity)


def _key_flaw(head: str, issuer: str, found: str, expected: str) -> Flaw:
    if "://" in head and head.partition("://")[2].rstrip("/") == issuer.rstrip("/"):
        return Flaw("trust-key-https", "condition keys do not start with https://", found, expected)
    text = "the token has no such key" if issuer in head else "the key has another issuer than the principal"
    if head.startswith("arn:"):
        text = "a condition key starts with the issuer, not with the provider's ARN"
    return Flaw("trust-key", text, found, expected)


def _value_flaw(failure: Failure, claim: str, identity: WebIdentity) -> Flaw:
    value = identity.subject if claim == "sub" else identity.audience
    of_other_claim = identity.audience if claim == "sub" else identity.subject
    values = failure.wanted
    tested = f"{failure.operator} {failure.key}: {', '.join(map(shown, values))}"

    def flaw(cause: str, text: str) -> Flaw:
        return Flaw(cause, text, tested, shown(value))

    if failure.unknown:
        return replace(flaw(_by_claim(claim), failure.text), unknown=True)
    if "Not" in failure.operator:
        return flaw(_by_claim(claim), "the condition excludes this token")
    if of_other_claim in values:
        return flaw("trust-key", "the values of sub and aud are swapped")
    with_spaces = [pattern for pattern in values if pattern != unspaced(pattern)]
    if any(like(value, unspaced(pattern)) for pattern in with_spaces):
        return flaw("trust-whitespace", "IAM treats spaces and line breaks as part of the value")
    if "Like" not in failure.operator and any(like(value, pattern) for pattern in values):
        return flaw("trust-wildcard", "StringEquals takes * and ? literally; StringLike supports wildcards")
    if claim == "sub" and any(_is_sibling(value, pattern) for pattern in values):
        return flaw("trust-generated-name", "the ServiceAccount's name changes with each release")
    return flaw(_by_claim(claim), "the policy allows another value")


def _by_claim(claim: str) -> str:
    return "trust-subject" if claim == "sub" else "trust-audience"


def _is_sibling(value: str, pattern: str) -> bool:
    match = GENERATED.fullmatch(value)
    match_of_pattern = GENERATED.fullmatch(pattern)
    if match is None or match_of_pattern is None:
        return False
    return match["stem"] == match_of_pattern["stem"]


def _old(facts: Facts, role: Role) -> frozenset[str]:
    """Providers in the policy that are gone, or that tags say belong to an earlier cluster of this name."""
    own = identity_of(facts, facts.named).provider_arn
    known = facts.named.providers
    providers = trusted_providers(role.trust) - {own}
    return frozenset(arn for arn in providers if arn in known and _is_old(facts, arn, known[arn]))


def _is_old(facts: Facts, arn: str, provider: object) -> bool:
    if not isinstance(provider, ProviderState):
        return provider is None
    cluster = facts.cluster
    tags = provider.tags
    # eksctl's tag has only the name, which may also exist in another region.
    same_name = cluster.name == tags.get(EKSCTL_TAGS[0]) and _host(arn) == _host(cluster.issuer)
    return cluster.arn == tags.get(CLUSTER_TAG) or same_name


def _host(provider: str) -> str:
    return host_path(provider.rpartition("oidc-provider/")[2]).partition("/")[0].lower()


def flaws_of(facts: Facts) -> tuple[Flaw, ...]:
    """The flaws that exclude the token from the role."""
    role = facts.named.annotated_role()
    all_flaws = flaws(role.trust, identity_of(facts, facts.named), _old(facts, role), facts.now)
    return tuple(flaw for flaw in all_flaws if not _is_annotations(facts, flaw))


def _is_annotations(facts: Facts, flaw: Flaw) -> bool:
    """Whether it is the ServiceAccount's annotation that is wrong: see the cause annotation-audience."""
    annotated = annotations_of(facts.named).get(AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE)
    if flaw.cause != "trust-audience" or annotated == DEFAULT_AUDIENCE:
        return False
    with suppress(CannotTell):  # The provider must also reject the audience.
        provider = provider_there(facts)
        return provider is not None and audience_of(facts, facts.named) not in provider.audiences
    return False


def other_roles(facts: Facts) -> tuple[str, ...]:
    """Other roles that trust the ServiceAccount by name, if the annotation's role does not.

    If that role was created for this ServiceAccount (see its tags), its trust policy is wrong instead.
    """
    subject = facts.named
    role = facts.named.annotated_role()
    if all(flaw.unknown for flaw in flaws_of(facts)):
        return ()
    if subject.full_name in (role.tags.get(SERVICE_ACCOUNT_TAG), role.tags.get(EKSCTL_ACCOUNT_TAG)):
        return ()
    return tuple(summary.arn for summary in naming(facts) if summary.arn != role.arn)


def require_admitted(facts: Facts) -> None:
    """Raise `CannotTell` when the trust policy keeps the token out: what comes later can't be judged."""
    if flaws_of(facts):
        raise CannotTell("the trust policy does not allow the token")
