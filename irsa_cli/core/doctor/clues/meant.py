"""The intended role of a ServiceAccount: one whose trust policy has exactly this subject.

A role that trusts it by a pattern may have broad permissions: it is evidence and never proposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from irsa_cli.core.doctor.commands import annotate, annotate_and_restart, attach, commented, make
from irsa_cli.core.doctor.facts import Facts, RoleSummary, Subject, known
from irsa_cli.core.doctor.subjects import home_identity, listed
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import tests_of_key
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.values.issuer import host_path

_MARKS = ("*", "?", "${")
_COMPARING = ("stringequals", "stringlike")


def admitting(subject: Subject) -> tuple[RoleSummary, ...]:
    """The roles that trust the ServiceAccount by any condition."""
    return known(subject.candidates)


def naming(facts: Facts) -> tuple[RoleSummary, ...]:
    """Those of them whose trust policy names exactly this subject."""
    identity = home_identity(facts, facts.named)
    return tuple(item for item in admitting(facts.named) if names_exactly(item.trust, identity, facts.now))


def only_one(facts: Facts) -> RoleSummary | None:
    found = naming(facts)
    return found[0] if len(found) == 1 else None


def names_exactly(document: Mapping[str, Any], identity: WebIdentity, now: datetime | None = None) -> bool:
    """Whether each statement that allows the token has its subject without a pattern."""
    explanation = explain(document, identity, now=now)
    statements = as_list(document.get("Statement", []))
    found = [statements[index] for index in explanation.allowed_by]
    return bool(found) and all(_is_exact(item, identity) for item in found)


def _is_exact(statement: Mapping[str, Any], identity: WebIdentity) -> bool:
    key = f"{host_path(identity.issuer).rstrip('/')}:sub"
    return any(
        operator.lower().rpartition(":")[2].removesuffix("ifexists") in _COMPARING
        and identity.subject in values
        and not any(mark in value for value in values for mark in _MARKS)
        for operator, values in tests_of_key([statement], key)
    )


def evidence(facts: Facts) -> dict[str, str]:
    """The roles that trust the ServiceAccount: by name with their policies, and by a pattern."""
    subject, named = facts.named, naming(facts)
    others = [item.arn for item in admitting(subject) if item not in named]
    none = "not known" if isinstance(subject.candidates, Unreadable) else "none"
    found = {"roles_that_trust_it": listed(map(_with_policies, named)) or none}
    if others:
        found["roles_that_trust_it_by_a_pattern"] = listed(others)
    return found


def _with_policies(role: RoleSummary) -> str:
    if not isinstance(role.role, Role) or isinstance(role.role.policies, Unreadable):
        return role.arn
    names = listed(name.rsplit("/", 1)[-1] for name in sorted(role.role.policies))
    return f"{role.arn} (policies: {names or 'none'})"


def choose(facts: Facts, otherwise: str) -> str:
    """The command that annotates with the intended role, `otherwise` without one; several are comments."""
    found = naming(facts)
    if not found:
        return otherwise
    if len(found) == 1:
        return annotate_and_restart(facts, found[0].arn)
    return commented(annotate(facts, item.arn) for item in found[:5])


def make_or_attach(facts: Facts) -> str:
    """The command that creates the ServiceAccount with the role that trusts it, else with a new one."""
    found = [attach(facts, facts.named, item.arn) for item in naming(facts)]
    return (found[0] if len(found) == 1 else commented(found[:5])) if found else make(facts, facts.named)
