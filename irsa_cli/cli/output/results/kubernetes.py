"""A ServiceAccount's Kubernetes permissions, and who can act as it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from irsa_cli.core.rbac.becoming import AccountTaker, InKubernetes
from irsa_cli.core.rbac.evaluation import Grant
from irsa_cli.core.rbac.objects import RbacRule
from irsa_cli.core.trust.rules.rule import some
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.shown import plural, visible


def may_lines(found: InKubernetes) -> Iterator[str]:
    """Its permissions in Kubernetes, a line for each binding."""
    own = [item for item in found.permissions if not item.binding.own]
    yield from (visible(_permission(item)) for item in own)
    others = len(found.permissions) - len(own)
    if others:
        yield f"the permissions of every ServiceAccount ({plural(others, 'binding')} of Kubernetes itself)"
    if found.unread:
        yield "not all is known"
    elif not found.permissions:
        yield "nothing"


def _permission(item: Grant) -> str:
    rules = item.rules
    binding = item.binding
    if rules is None:
        what = "nothing, as the role is not there"
    elif isinstance(rules, Unreadable):
        what = "not known"
    else:
        what = some([_rule(rule) for rule in rules], "; ") or "nothing, as the role has no rules"
    through = "" if item.subject.account else f", as {item.subject}"
    where = f"in {binding.namespace}" if binding.namespace else "everywhere"
    return f"{where}: {what} ({binding}, {binding.role}{through})"


def _rule(rule: RbacRule) -> str:
    if "*" in rule.verbs and "*" in rule.groups and "*" in rule.resources and not rule.names:
        return "everything"
    verbs = "all verbs" if "*" in rule.verbs else ", ".join(rule.verbs)
    what = ", ".join("all resources" if item == "*" else item for item in rule.resources or rule.urls)
    groups = f" of {', '.join(rule.groups)}" if "*" in rule.resources and "*" not in rule.groups else ""
    named = f" named {', '.join(rule.names)}" if rule.names else ""
    return f"{verbs} {what}{groups}{named}"


def taker_lines(found: InKubernetes, account: str, roles: Sequence[str] = ()) -> Iterator[str]:
    """List the principals that can act as it: from IAM, if known, to its roles (ARNs)."""
    takers = [item for item in found.takers if not item[0].is_part]
    named = some([arn.rsplit("/", 1)[-1] for arn in roles])
    end = f" -> {'role' if len(roles) == 1 else 'roles'} {named}" if roles else ""
    for taker, principals in takers:
        chain = str(taker.subject)
        given = [f"{item.arn} ({item.by})" for item in principals]
        if taker.subject.kind == "IAM":
            chain = taker.subject.name
        elif given:
            chain = f"{some(given)} -> {chain}"
        conditions = dict.fromkeys("; ".join(act.conditions) for act in taker.acts)
        unsure = "" if taker.is_sure else f", if {some(list(conditions), ', or if ')}"
        yield visible(f"{chain} -> {account}{end}: {_acts(taker)}{unsure}")
    parts = len({taker.subject for taker, _ in found.takers}) - len({taker.subject for taker, _ in takers})
    if parts > 0:
        yield f"and {plural(parts, 'part')} of Kubernetes itself"
    if found.unread:
        yield "not all is known"
    elif not found.takers:
        yield "nobody"


def _acts(taker: AccountTaker) -> str:
    # Those that hang on nothing else, or all where each of them does.
    acts = [act for act in taker.acts if not act.conditions] or taker.acts
    rules = sorted({act.rule for act in acts})
    numbers = f"{'rule' if len(rules) == 1 else 'rules'} {some(list(map(str, rules)))}"
    rights = [
        "everything" if act.id == "everything" else f"{' and '.join(act.right.verbs)} {act.right.resource}"
        for act in acts
    ]
    binding = taker.binding
    by = f"{binding}," if binding.kind == binding.role.kind else f"{binding}, {binding.role}"
    by = "built into the API server," if binding.kind == "Built-in" else by
    return f"{some(rights)} ({by} {numbers})"
