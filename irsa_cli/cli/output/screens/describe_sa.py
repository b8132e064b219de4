"""Describe one binding: its status, the ServiceAccount, its role, trust, pods."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from irsa_cli.cli.output.screens.kubernetes import may_lines, taker_lines
from irsa_cli.cli.terminal.wording import mark
from irsa_cli.core.inventory.bindings import BindingStatus, BoundRole
from irsa_cli.core.inventory.describe_document import Description, Identity, Policy
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.policy import as_list

_WIDTH = 13
_NONE = "none"
_UNREAD = "not readable"


def lines(found: Description) -> Iterator[str]:
    binding = found.binding
    yield found.cluster.head
    good = binding.status is BindingStatus.OK
    wide = ", but its trust policy is too broad" if binding.wide else ""
    yield f"{mark('ok' if good else 'failed')} {binding.full_name}: {binding.status.value}{wide}"
    if binding.reason:
        yield f"  {binding.reason}"
    yield from (f"  next: {step}" for step in binding.next_steps)
    yield from _account(found)
    yield from _role(found)
    yield from _trust(found)
    for number, item in enumerate(binding.wide):
        if not number:
            yield "Warnings"
        yield from _rows(item.severity.value, (item.sentence, item.suggestion, item.explained_by))
    yield from _target(found)
    yield from _pod_identity(found)
    yield from _pods(found)
    yield "In Kubernetes"
    yield from (f"  {line}" for line in may_lines(found.kubernetes))
    yield "Principals that can use it"
    roles = [binding.role_arn] if good else []
    yield from (f"  {line}" for line in taker_lines(found.kubernetes, binding.full_name, roles))


def _row(name: str, value: str) -> str:
    return f"  {name:<{_WIDTH}}  {value}".rstrip()


def _rows(name: str, values: Iterable[str]) -> Iterator[str]:
    """A row for each value, the name before the first; `none` if there is none."""
    for number, value in enumerate(list(values) or [_NONE]):
        yield _row(name if number == 0 else "", value)


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(values.items())]


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "not known"


def _account(found: Description) -> Iterator[str]:
    account, injection = found.account, found.injection
    yield "ServiceAccount"
    yield _row("created by", f"{found.binding.account_maker}, {_time(account.created)}")
    yield _row("annotated", _time(account.annotated))
    yield from _rows("annotations", _pairs(account.annotations))
    yield from _rows("labels", _pairs(account.labels))
    if found.binding.by != "pod-identity":
        yield _row("token", f"for {injection.audience}, {injection.token_seconds} s")


def _role(found: Description) -> Iterator[str]:
    yield "Role"
    yield _row("arn", found.binding.role_arn)
    role, state = found.binding.role, found.state
    if not isinstance(role, BoundRole) or state is None:
        return
    yield _row("created by", f"{found.binding.role_maker}, {_time(role.created)}")
    yield _row("description", state.description or _NONE)
    yield _row(
        "last used", f"{_time(role.last_used)} {found.used_in}" if role.last_used else "not in 400 days"
    )
    yield _row("session", f"{state.max_session_duration} s at most")
    yield from _rows("tags", _pairs(state.tags))
    yield from _policies("boundary", (found.boundary,) if found.boundary else ())
    if isinstance(found.policies, Unreadable):
        yield _row("policies", _UNREAD)
    else:
        yield from _policies("policies", found.policies)


def _target(found: Description) -> Iterator[str]:
    target = found.target
    if target is None:
        return
    yield "Target"
    yield _row("arn", target.role_arn or _NONE)
    yield _row("external id", target.external_id or _NONE)
    for what, _, text in target.checks:
        yield _row(what, text)
    yield _row("ConfigMap", target.config_map or _NONE)
    yield from _rows("AWS config", target.config.splitlines())


_AGENT = {True: "runs", False: "missing"}
_NEW = {"web-identity": "IRSA", "pod-identity": "EKS Pod Identity"}


def _pod_identity(found: Description) -> Iterator[str]:
    binding, given = found.binding, found.binding.association
    if not isinstance(given, Association):
        return
    yield "EKS Pod Identity"
    yield _row("association", given.id)
    yield _row("role", given.role_arn or _UNREAD)
    if given.target_role_arn:
        yield _row("target role", f"{given.target_role_arn}, external ID {given.external_id}")
    yield _row("session", f"tags {'off' if given.without_tags else 'on'}")
    if given.session_policy:
        yield _row("", "limited by a session policy")
    if given.owner:
        yield _row("owner", given.owner)
    yield from _rows("tags", _pairs(given.tags))
    yield _row("agent", _UNREAD if isinstance(binding.agent, Unreadable) else _AGENT[bool(binding.agent)])
    yield _row("new pods", f"use {_NEW[binding.new_pods]}")


def _policies(name: str, policies: tuple[Policy, ...]) -> Iterator[str]:
    if not policies:
        yield _row(name, _NONE)
    for number, policy in enumerate(policies):
        yield _row(name if number == 0 else "", policy.arn or f"{policy.name} (inline)")
        if isinstance(policy.document, Unreadable):
            yield _row("", f"  {_UNREAD}")
        elif policy.document is not None:
            yield from (_row("", f"  {line}") for line in json.dumps(policy.document, indent=2).splitlines())


def _trust(found: Description) -> Iterator[str]:
    if found.binding.by == "pod-identity":
        return
    yield "Trust"
    provider = found.provider
    if isinstance(provider, ProviderState):
        yield _row("provider", f"accepts {', '.join(provider.audiences) or 'no audience'}")
    else:
        yield _row("provider", _NONE if provider is None else _UNREAD)
    explanation = found.binding.explanation
    role = found.binding.role
    if explanation is None or not isinstance(role, BoundRole):
        return
    statements = as_list(role.trust.get("Statement", []))
    for verdict in explanation.verdicts:
        yield _row(verdict.name, verdict.means)
        if verdict.failure is None:
            yield from (_row("", f"  {line}") for line in _conditions(statements[verdict.index]))


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
