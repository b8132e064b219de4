"""A ServiceAccount's Kubernetes permissions, and who can act as it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized

from irsa_cli.core.rbac.becoming import AccountTaker, InKubernetes
from irsa_cli.core.rbac.evaluation import Grant
from irsa_cli.core.rbac.objects import RbacRule
from irsa_cli.core.trust.rules.rule import some
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.shown import plural, visible


def may_lines(rights: InKubernetes) -> Iterator[str]:
    """Its permissions in Kubernetes, a line for each binding."""
    own = [grant for grant in rights.permissions if not grant.binding.own]
    yield from (visible(_permission(grant)) for grant in own)
    shared = len(rights.permissions) - len(own)
    if shared:
        yield f"the permissions of every ServiceAccount ({plural(shared, 'binding')} of Kubernetes itself)"
    if rights.unread:
        yield "not all is known"
    elif not rights.permissions:
        yield "nothing"


def _permission(grant: Grant) -> str:
    rules = grant.rules
    binding = grant.binding
    if rules is None:
        allowed = "nothing, as the role is not there"
    elif isinstance(rules, Unreadable):
        allowed = "not known"
    else:
        allowed = some([_rule(rule) for rule in rules], "; ") or "nothing, as the role has no rules"
    through = "" if grant.subject.account else f", as {grant.subject}"
    where = f"in {binding.namespace}" if binding.namespace else "everywhere"
    return f"{where}: {allowed} ({binding}, {binding.role}{through})"


def _rule(rule: RbacRule) -> str:
    all_verbs = "*" in rule.verbs
    all_groups = "*" in rule.groups
    all_resources = "*" in rule.resources
    if all_verbs and all_groups and all_resources and not rule.names:
        return "everything"
    verbs = "all verbs" if all_verbs else ", ".join(rule.verbs)
    resources = ", ".join("all resources" if name == "*" else name for name in rule.resources or rule.urls)
    groups = f" of {', '.join(rule.groups)}" if all_resources and not all_groups else ""
    only = f" named {', '.join(rule.names)}" if rule.names else ""
    return f"{verbs} {resources}{groups}{only}"


def taker_lines(rights: InKubernetes, account: str, roles: Sequence[str] = ()) -> Iterator[str]:
    """List the principals that can act as it: from IAM, if known, to its roles (ARNs)."""
    end = ""
    if roles:
        short_names = some([arn.rsplit("/", 1)[-1] for arn in roles])
        end = f" -> {_word('role', roles)} {short_names}"
    subjects = set()
    own = set()
    for taker, principals in rights.takers:
        if taker.is_part:
            own.add(taker.subject)
            continue
        subjects.add(taker.subject)
        chain = _chain(taker, [f"{principal.arn} ({principal.by})" for principal in principals])
        yield visible(f"{chain} -> {account}{end}: {_acts(taker)}{_conditions(taker)}")
    own -= subjects
    if own:
        yield f"and {plural(len(own), 'part')} of Kubernetes itself"
    if rights.unread:
        yield "not all is known"
    elif not rights.takers:
        yield "nobody"


def _word(word: str, counted: Sized) -> str:
    return word if len(counted) == 1 else f"{word}s"


def _chain(taker: AccountTaker, principals: Sequence[str]) -> str:
    """The one who can act as it, after the principals of IAM behind."""
    if taker.subject.kind == "IAM":
        return taker.subject.name
    return f"{some(principals)} -> {taker.subject}" if principals else str(taker.subject)


def _conditions(taker: AccountTaker) -> str:
    if taker.is_sure:
        return ""
    conditions = dict.fromkeys("; ".join(act.conditions) for act in taker.acts)
    return f", if {some(list(conditions), ', or if ')}"


def _acts(taker: AccountTaker) -> str:
    """Rights by which it can act as the ServiceAccount: those without conditions, or all if each has one."""
    acts = [act for act in taker.acts if not act.conditions] or taker.acts
    rules = sorted({act.rule for act in acts})
    numbers = f"{_word('rule', rules)} {some(list(map(str, rules)))}"
    rights: list[str] = []
    for act in acts:
        right = f"{' and '.join(act.right.verbs)} {act.right.resource}"
        rights.append(act.id if act.id == "everything" else right)
    binding = taker.binding
    if binding.kind == "Built-in":
        rule = f"built into the API server, {numbers}"
    elif binding.kind == binding.role.kind:
        rule = f"{binding}, {numbers}"
    else:
        rule = f"{binding}, {binding.role} {numbers}"
    return f"{some(rights)} ({rule})"
