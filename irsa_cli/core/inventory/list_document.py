"""The document of `irsa get-sa`: a list of bindings. docs/reference/output.schema.json describes the JSON.

Also in it are ServiceAccounts without an annotation that get their role by an EKS Pod Identity association.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from irsa_cli.core.inventory.bindings import Bindings, BindingStatus, ListedBinding
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.results.envelope import DocumentKind, Envelope
from irsa_cli.core.results.result_document import warning_json
from irsa_cli.core.results.scope import AnswerScope, Reading, accounts_asked, by_design, not_read, unanswered
from irsa_cli.core.results.verification import statement_json
from irsa_cli.core.values.errors import Unreadable


@dataclass(frozen=True)
class BindingList(Reading):
    """The bindings, or the error."""

    found: Bindings | None = None

    @property
    def items(self) -> tuple[ListedBinding, ...]:
        return self.found.items if self.found else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The parts that could not be read."""
        return self.found.notes if self.found else ()

    @property
    def own_scope(self) -> AnswerScope:
        question = "Which ServiceAccounts have an IAM role, and what is its status?"
        bindings = self.found
        if bindings is None:
            return unanswered(question, self.error)
        hidden = [
            f"{listed.full_name or listed.role_arn}: {listed.unread}"
            for listed in bindings.items
            if listed.unread
        ]
        place = accounts_asked(bindings.namespace, bindings.selector)
        cluster = bindings.cluster.name
        more = "" if bindings.selector else ", and irsa manages no role for one"
        alone = ("roles without a ServiceAccount",) if bindings.selector else ()
        nothing = f"No ServiceAccount{place} of {cluster} has an IAM role{more}."
        return AnswerScope(
            question,
            {"ServiceAccount": bindings.accounts, "role": bindings.roles},
            (*not_read([*bindings.notes, *hidden]), *by_design(*alone, "pods", "the webhook", "token files")),
            "" if bindings.items else nothing,
        )

    def count(self, status: BindingStatus) -> int:
        return sum(listed.status is status for listed in self.items)

    def envelope(self) -> Envelope:
        return self.document(
            DocumentKind.BINDINGS,
            cluster=self.found.cluster if self.found else None,
            items=[binding_json(listed) for listed in self.items],
            summary=summary_of(self.items),
            notes=(*self.notes, *self.recorded_notes),
        )


def summary_of(bindings: Iterable[ListedBinding]) -> dict[str, int]:
    counts = Counter(listed.status for listed in bindings)
    return {status.value: counts[status] for status in BindingStatus}


def binding_json(listed: ListedBinding) -> dict[str, Any]:
    pod_identity: dict[str, Any] = {}
    if not isinstance(listed.association, Unreadable):
        # As in results: null for none, and missing if it could not be read.
        pod_identity["podIdentity"] = listed.association and {
            **listed.association.to_json(),
            # Null if it is not known whether the EKS Pod Identity agent runs.
            "agent": listed.agent if isinstance(listed.agent, bool) else None,
        }
    return {
        "serviceAccount": account_json(listed),
        "role": role_json(listed),
        "owner": listed.owner,
        "status": listed.status.value,
        "waitsFor": "git" if listed.waits_for_git else None,
        "reason": listed.reason or None,
        "next": list(listed.next_steps),
        "warnings": [warning_json(risk) for risk in listed.wide],
        "trust": [statement_json(verdict) for verdict in listed.explanation.verdicts]
        if listed.explanation
        else [],
        **pod_identity,
        "newPods": listed.new_pods or None,
    }


def account_json(listed: ListedBinding) -> dict[str, Any]:
    """The ServiceAccount of a binding, or the intended one of a role without any."""
    account = listed.binding.existing
    return {
        "namespace": listed.namespace,
        "name": listed.name,
        "exists": account is not None,
        "madeBy": listed.binding.account_maker,
        "created": time_json(account.created if account else None),
    }


def role_json(listed: ListedBinding) -> dict[str, Any]:
    """The role of a binding; unreadable fields are null."""
    role = listed.role
    if not isinstance(role, Role):
        missing = False if role is None else None
        return {"arn": listed.role_arn, "exists": missing, "madeBy": listed.binding.role_maker, **_NOTHING}
    policies = [policy_json(arn.rsplit("/", 1)[-1], arn) for arn in sorted(role.attached)]
    policies += [policy_json(name) for name in role.inline_names]
    return {
        # The annotation can differ from the real ARN.
        "arn": role.arn,
        "exists": True,
        "madeBy": listed.binding.role_maker,
        "created": time_json(role.created),
        "lastUsed": time_json(role.last_used),
        "policies": None if role.unread else policies,
        "permissionsBoundary": policy_json(role.boundary.rsplit("/", 1)[-1], role.boundary)
        if role.boundary
        else None,
        "tags": dict(role.tags),
    }


def policy_json(name: str, arn: str = "", document: Document | Unreadable | None = None) -> dict[str, Any]:
    """A policy of a role as `-o json` shows it; `arn` is '' for inline ones."""
    known = None if isinstance(document, Unreadable) else document
    why = document.why if isinstance(document, Unreadable) else None
    return {"name": name, "arn": arn or None, "document": known, "unreadable": why}


_NOTHING = dict.fromkeys(("created", "lastUsed", "policies", "permissionsBoundary", "tags"))


def time_json(moment: datetime | None) -> str | None:
    """A time in Kubernetes' format: UTC, whole seconds."""
    return None if moment is None else moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
