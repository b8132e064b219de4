"""The corrected trust policy for a risk: without the part that breaks the rule, for the intended subjects.

Pure. A correction is a proposal that was tried: what does not pass the rule, or shuts out somebody who is
known to be meant, is none. `irsa_cli.core.trust.rules` decides what is unsafe.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from irsa_cli.core.policies.operators import operator_of
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.statements import principals, tests_of
from irsa_cli.core.policies.web_identity import ACTION, WebIdentity
from irsa_cli.core.trust.assuming import ACTIONS as POD_ACTIONS
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.trust.rules.judge import TrustContext, judge
from irsa_cli.core.trust.rules.rule import NAME_THEM, RULES, TRUST_RULES, Risk, Rule
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, issuer_of

MOST_STEPS = 20
"""Corrections of one document."""


@dataclass(frozen=True)
class Meant:
    """The tokens that a role is meant for, as annotations tell; `complete`: there are no others.

    The intended subjects of a pattern are known only from a complete list. `pods` are the ServiceAccounts of
    EKS Pod Identity associations: the cluster's ARN, namespace and name.
    """

    tokens: tuple[WebIdentity, ...] = ()
    complete: bool = False
    pods: tuple[tuple[str, str, str], ...] = ()


def corrected(
    document: Mapping[str, Any], risk: Risk, context: TrustContext, meant: Meant
) -> Document | None:
    """The document without the risk; None where no correction is known, or where a person has to decide."""
    index = risk.path[1] if len(risk.path) > 1 else None
    statements = as_list(document.get("Statement", []))
    if not isinstance(index, int) or index >= len(statements) or not _has_form(statements[index]):
        return None
    for correct in CORRECTIONS.get(risk.rule, ()):
        proposed = correct(_Place(copy.deepcopy(statements), index, risk, context, meant))
        proposal = {**document, "Statement": proposed}
        if proposed and proposed != statements and _is_good(document, proposal, risk, context, meant):
            return proposal
    return None


def corrected_together(
    document: Mapping[str, Any], risks: Collection[Risk], context: TrustContext, meant: Meant
) -> Document | None:
    """The document without all of these risks that can be corrected, one after another; None for none."""
    best = dict(document)
    for _ in range(MOST_STEPS):
        proposals = (corrected(best, risk, context, meant) for risk in _still_there(best, risks, context))
        better = next((proposal for proposal in proposals if proposal is not None), None)
        if better is None:
            break
        best = better
    return None if best == document else best


def _still_there(document: Document, risks: Collection[Risk], context: TrustContext) -> Iterator[Risk]:
    """The risks of these rules in a document; those of other subjects may be about each statement."""
    rules = {risk.rule for risk in risks}
    yield from (risk for risk in judge(document, context) if risk.rule in rules)
    for risk in risks:
        if risk.rule not in TRUST_RULES:
            for index, _ in enumerate(as_list(document.get("Statement", []))):
                yield replace(risk, path=("Statement", index))


def _has_form(statement: Any) -> bool:
    """Whether conditions can be added to a statement, or removed from it."""
    if not isinstance(statement, dict):
        return False
    block = statement.get("Condition", {})
    return isinstance(block, dict) and all(isinstance(keys, dict) for keys in block.values())


def _is_good(
    before: Mapping[str, Any], after: Document, risk: Risk, context: TrustContext, meant: Meant
) -> bool:
    """Whether the rule and all others are kept now, and everybody who was allowed before still is."""
    broken_before = Counter(violation.rule.id for violation in judge(before, context))
    broken_after = Counter(violation.rule.id for violation in judge(after, context))
    if not broken_after.keys() <= broken_before.keys():
        return False
    if risk.rule in TRUST_RULES and broken_after[risk.rule.id] >= broken_before[risk.rule.id]:
        return False
    for token in meant.tokens:
        answer = explain(before, token).answer
        if answer is not Answer.NO and explain(after, token).answer is not answer:
            return False
    return True


@dataclass(frozen=True)
class _Place:
    """A statement to correct, among the others of a copy."""

    statements: list[Document]
    index: int
    risk: Risk
    context: TrustContext
    meant: Meant

    @property
    def statement(self) -> Document:
        return self.statements[self.index]

    def without(self) -> list[Any]:
        return [*self.statements[: self.index], *self.statements[self.index + 1 :]]

    def providers(self) -> list[str]:
        """The clusters' providers that the statement names."""
        return [arn for arn in principals(self.statement, "Federated") if arn in self.context.providers]

    def tokens(self, provider: str) -> list[WebIdentity]:
        """The intended subjects of a provider that the statement allows."""
        alone = {"Version": "2012-10-17", "Statement": [self.statement]}
        return [
            token
            for token in self.meant.tokens
            if token.provider_arn == provider and explain(alone, token).answer is not Answer.NO
        ]


def _drop(statement: Document, unwanted: Callable[[str, str], bool]) -> None:
    """Remove the tests whose operator and key are unwanted."""
    block = statement.get("Condition", {})
    for operator, keys in list(block.items()):
        for key in [key for key in keys if unwanted(operator, key)]:
            del keys[key]
        if not keys:
            del block[operator]


def _demand(statement: Document, key: str, values: Collection[str]) -> None:
    """Test a key by StringEquals, and by nothing else."""
    _drop(statement, lambda _, name: name.lower() == key.lower())
    block = statement.setdefault("Condition", {})
    block.setdefault("StringEquals", {})[key] = _single(list(dict.fromkeys(values)))


def _single(values: list[Any]) -> Any:
    """Values as they are written: one of them without a list."""
    return values[0] if len(values) == 1 else values


def _named(place: _Place) -> list[Any]:
    """The statement for those alone who are meant: one for each provider, as keys are an issuer's own."""
    if not place.meant.complete:
        return []
    providers = place.providers()
    statements = _without_principals(place, "Federated", providers)
    for provider in providers:
        tokens = place.tokens(provider)
        if not tokens:
            continue
        statement = copy.deepcopy(place.statement)
        statement["Principal"] = {"Federated": provider}
        _demand(statement, f"{issuer_of(provider)}:sub", [token.subject for token in tokens])
        audience = f"{issuer_of(provider)}:aud"
        if not any(key.lower() == audience.lower() for _, key, _ in tests_of(statement)):
            _demand(statement, audience, [token.audience for token in tokens])
        statements.insert(place.index, statement)
    return statements


def _without_principals(place: _Place, kind: str, unwanted: Collection[str]) -> list[Any]:
    """The statement without these principals; without the statement if it has no others."""
    statements = place.without()
    principal = place.statement.get("Principal")
    if not isinstance(principal, dict):
        return statements
    of_other_kinds = {name: names for name, names in principal.items() if name != kind}
    names = [name for name in as_list(principal.get(kind, [])) if name not in unwanted]
    narrower = {**of_other_kinds, kind: _single(names)} if names else of_other_kinds
    if narrower:
        statements.insert(place.index, {**place.statement, "Principal": narrower})
    return statements


def _without_risky_test(place: _Place) -> list[Any]:
    """The same without the test at the risk's place, which means nothing."""
    _drop_risky_test(place)
    return _named(place)


def _drop_risky_test(place: _Place) -> tuple[str, str, Any]:
    """Remove the test at the risk's place: its operator, key and values."""
    operator, key = map(str, place.risk.path[3:5])
    values = place.statement["Condition"][operator][key]
    _drop(place.statement, lambda name, tested: (name, tested) == (operator, key))
    return operator, key, values


def _with_audience(place: _Place) -> list[Any]:
    for provider in place.providers():
        audiences = {token.audience for token in place.tokens(provider)}
        if len(audiences) > 1 or (not audiences and len(place.providers()) > 1):
            return []
        _demand(place.statement, f"{issuer_of(provider)}:aud", audiences or {place.context.audience})
    return place.statements


def _plain_operator(place: _Place) -> list[Any]:
    """The operator without ForAllValues, at the risk's place."""
    operator, key, values = _drop_risky_test(place)
    plain = operator.removeprefix("ForAllValues:")
    place.statement.setdefault("Condition", {}).setdefault(plain, {})[key] = values
    return place.statements


def _own_key(place: _Place) -> list[Any]:
    """The test on the key of the statement's own issuer."""
    operator, key, value = _drop_risky_test(place)
    known = operator_of(operator)
    providers = place.providers()
    if known is None or known.negated or len(providers) != 1:
        return []
    values = list(map(str, as_list(value)))
    if not {"*", "?"}.isdisjoint("".join(values)):
        return []
    claim = key.rpartition(":")[2]
    _demand(place.statement, f"{issuer_of(providers[0])}:{claim}", values)
    return place.statements


def _own_actions(place: _Place) -> list[Any]:
    place.statement.pop("NotAction", None)
    is_for_tokens = principals(place.statement, "Federated")
    place.statement["Action"] = ACTION if is_for_tokens else list(POD_ACTIONS)
    return place.statements


def _without_services(place: _Place) -> list[Any]:
    other_services = [name for name in principals(place.statement, "Service") if name != SERVICE]
    return _without_principals(place, "Service", other_services)


def _without_provider(place: _Place) -> list[Any]:
    """The statement without the provider that is gone: the one that the reason names."""
    providers = principals(place.statement, "Federated")
    gone = [arn for arn in providers if f" {issuer_of(arn)}" in place.risk.reason]
    return _without_principals(place, "Federated", gone) if gone else []


MOST_PODS = 4
"""ServiceAccounts that get a statement each: IAM takes short trust policies only."""


def _for_its_pods(place: _Place) -> list[Any]:
    """One statement for each ServiceAccount: its account alone would keep no pod of it out."""
    if not 1 <= len(place.meant.pods) <= MOST_PODS:
        return []
    statements = place.without()
    for arn, namespace, name in place.meant.pods:
        statement = copy.deepcopy(place.statement)
        statement.setdefault("Condition", {}).setdefault("ArnEquals", {})["aws:SourceArn"] = arn
        _demand(statement, "aws:RequestTag/kubernetes-namespace", [namespace])
        _demand(statement, "aws:RequestTag/kubernetes-service-account", [name])
        statements.insert(place.index, statement)
    return statements


def _without_subject(place: _Place) -> list[Any]:
    """The statement without one of its subjects; none if that is its only one."""
    namespace, _, name = place.risk.account.partition("/")
    unwanted = f"system:serviceaccount:{namespace}:{name}" if place.risk.account else ""
    if unwanted in {token.subject for token in place.meant.tokens}:
        return []  # The role is meant for it, although it does not exist yet.
    for operator, keys in place.statement.get("Condition", {}).items():
        for key, value in keys.items():
            values = as_list(value)
            if unwanted in values and operator in ("StringEquals", "StringLike"):
                others = [subject for subject in values if subject != unwanted]
                if not others:
                    return place.without()
                keys[key] = _single(others)
                return place.statements
    return []


CORRECTIONS: Mapping[Rule, tuple[Callable[[_Place], list[Any]], ...]] = {
    **dict.fromkeys((rule for rule in TRUST_RULES if rule.fix == NAME_THEM), (_named,)),
    RULES["no-audience"]: (_with_audience,),
    # Which of several audiences is meant is known only where all tokens are.
    RULES["extra-audience"]: (lambda place: _with_audience(place) if place.meant.complete else [],),
    RULES["for-all-values"]: (_plain_operator,),
    RULES["wrong-issuer-key"]: (_own_key, _without_risky_test),
    RULES["loose-beside-tight"]: (lambda place: place.without() if place.meant.complete else [], _named),
    RULES["all-sts-actions"]: (_own_actions,),
    RULES["other-services"]: (_without_services,),
    RULES["pod-identity-no-condition"]: (_for_its_pods,),
    RULES["provider-gone"]: (_without_provider,),
    RULES["subject-gone"]: (_without_subject,),
    RULES["dead-issuer"]: (_without_provider,),
}
"""The corrections to try for a rule, in this order."""


def wide_trusts(
    document: Mapping[str, Any],
    providers: Iterable[str],
    audience: str = DEFAULT_AUDIENCE,
    *,
    role: str = "",
    power: str = "",
) -> tuple[Risk, ...]:
    """The risks of one role if only these providers (ARNs) of the account are known."""
    return judge(document, TrustContext(tuple(providers), audience, role, power))
