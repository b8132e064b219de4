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
from irsa_cli.core.values.errors import Unreadable

_WIDTH = 13
_NONE = "none"
_UNREAD = "not readable"
Rows = Iterator[tuple[str, str | list[str]]]
"""Names and their values: a row for each value, the name before the first."""


def lines(found: Description) -> Iterator[str]:
    binding = found.binding
    yield found.cluster.head
    good = binding.status is BindingStatus.OK
    wide = ", but its trust policy is too broad" if binding.wide else ""
    yield f"{mark('ok' if good else 'failed')} {binding.full_name}: {binding.status.value}{wide}"
    if binding.reason:
        yield f"  {binding.reason}"
    yield from (f"  next: {step}" for step in binding.next_steps)
    yield from _block("ServiceAccount", _account(found))
    yield from _block("Role", _role(found))
    yield from _block("Trust", _trust(found))
    warnings = ((it.severity.value, [it.sentence, it.suggestion, it.explained_by]) for it in binding.wide)
    yield from _block("Warnings", warnings)
    yield from _block("Target", _target(found))
    yield from _block("EKS Pod Identity", _pod_identity(found))
    yield from _pods(found)
    yield "In Kubernetes"
    yield from (f"  {line}" for line in may_lines(found.kubernetes))
    yield "Principals that can use it"
    roles = [binding.role_arn] if good else []
    yield from (f"  {line}" for line in taker_lines(found.kubernetes, binding.full_name, roles))


def _block(title: str, rows: Iterable[tuple[str, str | list[str]]]) -> Iterator[str]:
    """Rows under a title; `none` for a name without values, nothing without rows."""
    for number, (name, values) in enumerate(rows):
        if number == 0:
            yield title
        for place, value in enumerate([values] if isinstance(values, str) else values or [_NONE]):
            yield f"  {'' if place else name:<{_WIDTH}}  {value}".rstrip()


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(values.items())]


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "not known"


def _account(found: Description) -> Rows:
    account, injection = found.account, found.injection
    yield "created by", f"{found.binding.binding.account_maker}, {_time(account.created)}"
    yield "annotated", _time(account.annotated)
    yield "annotations", _pairs(account.annotations)
    yield "labels", _pairs(account.labels)
    if found.binding.by != "pod-identity":
        yield "token", f"for {injection.audience}, {injection.token_seconds} s"


def _role(found: Description) -> Rows:
    yield "arn", found.binding.role_arn
    role = found.role
    if role is None:
        return
    yield "created by", f"{found.binding.binding.role_maker}, {_time(role.created)}"
    yield "description", role.state.description or _NONE
    yield "last used", f"{_time(role.last_used)} {role.used_in}" if role.last_used else "not in 400 days"
    yield "session", f"{role.max_session_duration} s at most"
    yield "tags", _pairs(role.tags)
    yield "boundary", _policies((found.boundary,) if found.boundary else ())
    yield "policies", _UNREAD if isinstance(found.policies, Unreadable) else _policies(found.policies)


def _target(found: Description) -> Rows:
    target = found.target
    if target is None:
        return
    yield "arn", target.role_arn or _NONE
    yield "external id", target.external_id or _NONE
    yield from ((what, text) for what, _, text in target.checks)
    yield "ConfigMap", target.config_map or _NONE
    yield "AWS config", target.config.splitlines()


_AGENT = {True: "runs", False: "missing"}
_NEW = {"web-identity": "IRSA", "pod-identity": "EKS Pod Identity"}


def _pod_identity(found: Description) -> Rows:
    binding, given = found.binding, found.binding.association
    if not isinstance(given, Association):
        return
    yield "association", given.id
    yield "role", given.role_arn or _UNREAD
    if given.target_role_arn:
        yield "target role", f"{given.target_role_arn}, external ID {given.external_id}"
    limited = ["limited by a session policy"] if given.session_policy else []
    yield "session", [f"tags {'off' if given.without_tags else 'on'}", *limited]
    if given.owner:
        yield "owner", given.owner
    yield "tags", _pairs(given.tags)
    yield "agent", _UNREAD if isinstance(binding.agent, Unreadable) else _AGENT[bool(binding.agent)]
    yield "new pods", f"use {_NEW[binding.new_pods]}"


def _policies(policies: Iterable[Policy]) -> list[str]:
    found = []
    for policy in policies:
        found.append(policy.arn or f"{policy.name} (inline)")
        if isinstance(policy.document, Unreadable):
            found.append(f"  {_UNREAD}")
        elif policy.document is not None:
            found += [f"  {line}" for line in json.dumps(policy.document, indent=2).splitlines()]
    return found


def _trust(found: Description) -> Rows:
    if found.binding.by == "pod-identity":
        return
    provider, explanation, role = found.provider, found.binding.explanation, found.binding.role
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


def _pods(found: Description) -> Iterator[str]:
    yield "Pods"
    if isinstance(found.pods, Unreadable):
        yield f"  {_UNREAD}"
        return
    if not found.pods:
        yield "  none uses it"
    width = max((len(item.pod.name) for item in found.pods), default=0)
    for item in found.pods:
        state = "has the role" if item.identity is Identity.CURRENT else item.reason
        if found.binding.by == "both" and item.identity is Identity.CURRENT:
            state = "has the role by IRSA"
        yield f"  {item.pod.name:<{width}}  {state}"
    if found.restart:
        yield "To restart the pods:"
        yield from (f"  {command}" for command in found.restart)
