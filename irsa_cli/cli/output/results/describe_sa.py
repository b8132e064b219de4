"""Describe one binding: its status, the ServiceAccount, its role, trust, pods.

A page of its own: `describe-sa` has no report, because it describes and finds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from irsa_cli.cli.output.results.kubernetes import may_lines, taker_lines
from irsa_cli.cli.terminal.screen import mark
from irsa_cli.core.inventory.bindings import BindingStatus
from irsa_cli.core.inventory.describe_document import Description, Identity, Policy
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.errors import Unreadable

_WIDTH = 13
_NONE = "none"
_UNREAD = "not readable"
Rows = Iterator[tuple[str, str | list[str]]]
"""Names and their values: a row for each value, the name before the first."""


def lines(page: Description) -> Iterator[str]:
    binding = page.binding
    yield page.cluster.head
    is_good = binding.status is BindingStatus.OK
    wide = ", but its trust policy is too broad" if binding.wide else ""
    yield f"{mark('ok' if is_good else 'failed')} {binding.full_name}: {binding.status.value}{wide}"
    if binding.reason:
        yield f"  {binding.reason}"
    yield from (f"  next: {step}" for step in binding.next_steps)
    yield from _block("ServiceAccount", _account(page))
    yield from _block("Role", _role(page))
    yield from _block("Trust", _trust(page))
    yield from _block("Warnings", _warnings(binding.wide))
    yield from _block("Target", _target(page))
    yield from _block("EKS Pod Identity", _pod_identity(page))
    yield from _pods(page)
    yield "In Kubernetes"
    yield from (f"  {line}" for line in may_lines(page.kubernetes))
    yield "Principals that can use it"
    roles = [binding.role_arn] if is_good else []
    yield from (f"  {line}" for line in taker_lines(page.kubernetes, binding.full_name, roles))


def _block(title: str, rows: Iterable[tuple[str, str | list[str]]]) -> Iterator[str]:
    """Rows under a title; `none` for a name without values, nothing without rows."""
    for number, (name, values) in enumerate(rows):
        if number == 0:
            yield title
        label = name
        for value in [values] if isinstance(values, str) else values or [_NONE]:
            yield f"  {label:<{_WIDTH}}  {value}".rstrip()
            label = ""


def _warnings(risks: Iterable[Risk]) -> Rows:
    for risk in risks:
        yield risk.severity.value, [risk.sentence, risk.suggestion, risk.explained_by]


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(values.items())]


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "not known"


def _account(page: Description) -> Rows:
    account = page.account
    injection = page.injection
    yield "created by", f"{page.binding.binding.account_maker}, {_time(account.created)}"
    yield "annotated", _time(account.annotated)
    yield "annotations", _pairs(account.annotations)
    yield "labels", _pairs(account.labels)
    if page.binding.by != "pod-identity":
        yield "token", f"for {injection.audience}, {injection.token_seconds} s"


def _role(page: Description) -> Rows:
    yield "arn", page.binding.role_arn
    role = page.role
    if role is None:
        return
    yield "created by", f"{page.binding.binding.role_maker}, {_time(role.created)}"
    yield "description", role.state.description or _NONE
    last = f"{_time(role.last_used)} {role.used_in}" if role.last_used else f"not {role.unused(page.now)}"
    yield "last used", last
    yield "session", f"{role.max_session_duration} s at most"
    yield "tags", _pairs(role.tags)
    yield "boundary", _policies((page.boundary,) if page.boundary else ())
    yield "policies", _UNREAD if isinstance(page.policies, Unreadable) else _policies(page.policies)


def _target(page: Description) -> Rows:
    target = page.target
    if target is None:
        return
    yield "arn", target.role_arn or _NONE
    yield "external id", target.external_id or _NONE
    yield from ((check, text) for check, _, text in target.checks)
    yield "ConfigMap", target.config_map or _NONE
    yield "AWS config", target.config.splitlines()


_AGENT = {True: "runs", False: "missing"}
_NEW = {"web-identity": "IRSA", "pod-identity": "EKS Pod Identity"}


def _pod_identity(page: Description) -> Rows:
    binding = page.binding
    association = page.binding.association
    if not isinstance(association, Association):
        return
    yield "association", association.id
    yield "role", association.role_arn or _UNREAD
    if association.target_role_arn:
        yield "target role", f"{association.target_role_arn}, external ID {association.external_id}"
    limited = ["limited by a session policy"] if association.session_policy else []
    yield "session", [f"tags {'off' if association.without_tags else 'on'}", *limited]
    if association.owner:
        yield "owner", association.owner
    yield "tags", _pairs(association.tags)
    yield "agent", _UNREAD if isinstance(binding.agent, Unreadable) else _AGENT[bool(binding.agent)]
    yield "new pods", f"use {_NEW[binding.new_pods]}"


def _policies(policies: Iterable[Policy]) -> list[str]:
    rows: list[str] = []
    for policy in policies:
        rows.append(policy.arn or f"{policy.name} (inline)")
        if isinstance(policy.document, Unreadable):
            rows.append(f"  {_UNREAD}")
        elif policy.document is not None:
            rows += [f"  {line}" for line in json.dumps(policy.document, indent=2).splitlines()]
    return rows


def _trust(page: Description) -> Rows:
    if page.binding.by == "pod-identity":
        return
    provider = page.provider
    explanation = page.binding.explanation
    role = page.binding.role
    if isinstance(provider, ProviderState):
        yield "provider", f"accepts {', '.join(provider.audiences) or 'no audience'}"
    else:
        yield "provider", _NONE if provider is None else _UNREAD
    if explanation is None or not isinstance(role, Role):
        return
    statements = as_list(role.trust.get("Statement", []))
    for verdict in explanation.verdicts:
        conditions = [] if verdict.failure else _conditions(statements[verdict.index])
        yield verdict.name, [verdict.means, *(f"  {line}" for line in conditions)]


def _conditions(statement: Mapping[str, Any]) -> Iterator[str]:
    for element in ("Principal", "NotPrincipal"):
        principal = statement.get(element)
        for kind, names in principal.items() if isinstance(principal, dict) else ():
            yield f"{element} {kind}: {_listed(names)}"
    for operator, keys in (statement.get("Condition") or {}).items():
        yield from (f"{operator} {key}: {_listed(values)}" for key, values in keys.items())


def _listed(values: Any) -> str:
    return ", ".join(map(str, as_list(values)))


def _pods(page: Description) -> Iterator[str]:
    yield "Pods"
    if isinstance(page.pods, Unreadable):
        yield f"  {_UNREAD}"
        return
    if not page.pods:
        yield "  none uses it"
    width = max((len(user.pod.name) for user in page.pods), default=0)
    for user in page.pods:
        state = user.reason
        if user.identity is Identity.CURRENT:
            state = "has the role by IRSA" if page.binding.by == "both" else "has the role"
        yield f"  {user.pod.name:<{width}}  {state}"
    if page.restart:
        yield "To restart the pods:"
        yield from (f"  {command}" for command in page.restart)
