"""The corrected trust policy for a risk: without the part that breaks the rule, for the intended subjects.

Pure. A correction is a proposal that was tried: what does not pass the rule, or shuts out somebody who is
known to be meant, is none. `irsa_cli.core.trust.rules` decides what is unsafe.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping
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
    there = as_list(document.get("Statement", []))
    if not isinstance(index, int) or index >= len(there) or not _has_form(there[index]):
        return None
    for make in CORRECTIONS.get(risk.rule, ()):
        found = make(_Place(copy.deepcopy(there), index, risk, context, meant))
        proposal = {**document, "Statement": found}
        if found and found != there and _is_good(document, proposal, risk, context, meant):
            return proposal
    return None


def corrected_together(
    document: Mapping[str, Any], risks: Collection[Risk], context: TrustContext, meant: Meant
) -> Document | None:
    """The document without all of these risks that can be corrected, one after another; None for none."""
    found = dict(document)
    wanted = {item.rule for item in risks}
    others = [item for item in risks if item.rule not in TRUST_RULES]
    for _ in range(MOST_STEPS):
        places = range(len(as_list(found.get("Statement", []))))
        todo = [item for item in judge(found, context) if item.rule in wanted]
        todo += [replace(item, path=("Statement", place)) for item in others for place in places]
        proposals = (corrected(found, item, context, meant) for item in todo)
        better = next((item for item in proposals if item is not None), None)
        if better is None:
            break
        found = better
    return None if found == document else found


def _has_form(item: Any) -> bool:
    """Whether conditions can be added to a statement, or removed from it."""
    block = item.get("Condition", {}) if isinstance(item, dict) else None
    return isinstance(block, dict) and all(isinstance(keys, dict) for keys in block.values())


def _is_good(
    before: Mapping[str, Any], after: Document, risk: Risk, context: TrustContext, meant: Meant
) -> bool:
    """Whether the rule and all others are kept now, and everybody who was allowed before still is."""
    found = judge(before, context)
    left = judge(after, context)
    was = {item.rule.id for item in found}
    if any(item.rule.id not in was for item in left):
        return False
    count = sum(item.rule is risk.rule for item in left)
    if risk.rule in TRUST_RULES and count >= sum(item.rule is risk.rule for item in found):
        return False
    return all(
        explain(after, token).answer is explain(before, token).answer
        for token in meant.tokens
        if explain(before, token).answer is not Answer.NO
    )


@dataclass(frozen=True)
class _Place:
    """A statement to correct, among the others of a copy."""

    items: list[Document]
    index: int
    risk: Risk
    context: TrustContext
    meant: Meant

    @property
    def item(self) -> Document:
        return self.items[self.index]

    def without(self) -> list[Any]:
        return [item for place, item in enumerate(self.items) if place != self.index]

    def providers(self) -> list[str]:
        """The clusters' providers that the statement names."""
        return [arn for arn in principals(self.item, "Federated") if arn in self.context.providers]

    def tokens(self, provider: str) -> list[WebIdentity]:
        """The intended subjects of a provider that the statement allows."""
        alone = {"Version": "2012-10-17", "Statement": [self.item]}
        return [
            token
            for token in self.meant.tokens
            if token.provider_arn == provider and explain(alone, token).answer is not Answer.NO
        ]


def _drop(item: Document, unwanted: Callable[[str, str], bool]) -> None:
    """Remove the tests whose operator and key are unwanted."""
    block = item.get("Condition", {})
    for operator, keys in list(block.items()):
        for key in [key for key in keys if unwanted(operator, key)]:
            del keys[key]
        if not keys:
            del block[operator]


def _demand(item: Document, key: str, values: Collection[str]) -> None:
    """Test a key by StringEquals, and by nothing else."""
    _drop(item, lambda _, name: name.lower() == key.lower())
    block = item.setdefault("Condition", {})
    named = list(dict.fromkeys(values))
    block.setdefault("StringEquals", {})[key] = named[0] if len(named) == 1 else named


def _named(place: _Place) -> list[Any]:
    """The statement for those alone who are meant: one for each provider, as keys are an issuer's own."""
    if not place.meant.complete:
        return []
    providers = place.providers()
    found = _without_principals(place, "Federated", providers)
    for provider in providers:
        tokens = place.tokens(provider)
        if not tokens:
            continue
        item = copy.deepcopy(place.item)
        item["Principal"] = {"Federated": provider}
        _demand(item, f"{issuer_of(provider)}:sub", [token.subject for token in tokens])
        audience = f"{issuer_of(provider)}:aud"
        if not any(key.lower() == audience.lower() for _, key, _ in tests_of(item)):
            _demand(item, audience, [token.audience for token in tokens])
        found.insert(min(place.index, len(found)), item)
    return found


def _without_principals(place: _Place, kind: str, unwanted: Collection[str]) -> list[Any]:
    """The statement without these principals; without the statement if it has no others."""
    found = place.without()
    named = place.item.get("Principal")
    if isinstance(named, dict):
        kept = [name for name in as_list(named.get(kind, [])) if name not in unwanted]
        left = {other: names for other, names in named.items() if other != kind}
        left |= {kind: kept if len(kept) > 1 else kept[0]} if kept else {}
        found[place.index : place.index] = [{**place.item, "Principal": left}] if left else []
    return found


def _without_risky_test(place: _Place) -> list[Any]:
    """The same without the test at the risk's place, which means nothing."""
    operator, key = map(str, place.risk.path[3:5])
    _drop(place.item, lambda name, of: (name, of) == (operator, key))
    return _named(place)


def _with_audience(place: _Place) -> list[Any]:
    for provider in place.providers():
        wanted = {token.audience for token in place.tokens(provider)}
        if len(wanted) > 1 or (not wanted and len(place.providers()) > 1):
            return []
        _demand(place.item, f"{issuer_of(provider)}:aud", wanted or {place.context.audience})
    return place.items


def _plain_operator(place: _Place) -> list[Any]:
    """The operator without ForAllValues, at the risk's place."""
    operator, key = map(str, place.risk.path[3:5])
    values = place.item["Condition"][operator][key]
    _drop(place.item, lambda name, of: (name, of) == (operator, key))
    plain = operator.removeprefix("ForAllValues:")
    place.item.setdefault("Condition", {}).setdefault(plain, {})[key] = values
    return place.items


def _own_key(place: _Place) -> list[Any]:
    """The test on the key of the statement's own issuer."""
    operator, key = map(str, place.risk.path[3:5])
    known = operator_of(operator)
    providers = place.providers()
    if known is None or known.negated or len(providers) != 1:
        return []
    values = as_list(place.item["Condition"][operator][key])
    _drop(place.item, lambda name, of: (name, of) == (operator, key))
    if any(sign in str(value) for value in values for sign in "*?"):
        return []
    _demand(place.item, f"{issuer_of(providers[0])}:{key.rpartition(':')[2]}", list(map(str, values)))
    return place.items


def _own_actions(place: _Place) -> list[Any]:
    place.item.pop("NotAction", None)
    place.item["Action"] = ACTION if principals(place.item, "Federated") else list(POD_ACTIONS)
    return place.items


def _without_services(place: _Place) -> list[Any]:
    others = [name for name in principals(place.item, "Service") if name != SERVICE]
    return _without_principals(place, "Service", others)


def _without_provider(place: _Place) -> list[Any]:
    """The statement without the provider that is gone: the one that the reason names."""
    gone = [arn for arn in principals(place.item, "Federated") if f" {issuer_of(arn)}" in place.risk.reason]
    return _without_principals(place, "Federated", gone) if gone else []


MOST_PODS = 4
"""ServiceAccounts that get a statement each: IAM takes short trust policies only."""


def _for_its_pods(place: _Place) -> list[Any]:
    """One statement for each ServiceAccount: its account alone would keep no pod of it out."""
    found = place.without()
    for arn, namespace, name in place.meant.pods if len(place.meant.pods) <= MOST_PODS else ():
        item = copy.deepcopy(place.item)
        item.setdefault("Condition", {}).setdefault("ArnEquals", {})["aws:SourceArn"] = arn
        for key, value in (("namespace", namespace), ("service-account", name)):
            _demand(item, f"aws:RequestTag/kubernetes-{key}", [value])
        found.insert(min(place.index, len(found)), item)
    return found if len(found) >= len(place.items) else []


def _without_subject(place: _Place) -> list[Any]:
    """The statement without one of its subjects; none if that is its only one."""
    namespace, _, name = place.risk.account.partition("/")
    unwanted = f"system:serviceaccount:{namespace}:{name}" if place.risk.account else ""
    for operator, keys in place.item.get("Condition", {}).items():
        for key, values in keys.items():
            named = as_list(values)
            if unwanted in named and operator in ("StringEquals", "StringLike"):
                kept = [value for value in named if value != unwanted]
                if not kept:
                    return place.without()
                keys[key] = kept if len(kept) > 1 else kept[0]
                return place.items
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
