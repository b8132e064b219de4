"""How powerful a role is, as far as its policies were read: their documents, or only their names."""

from __future__ import annotations

from irsa_cli.core.objects.role import Role
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.values.errors import Unreadable


def known_power(role: Role) -> str:
    """The powerful permissions of a role, '' for none; of AWS's own policies the ARN is enough."""
    documents = role.policy_documents
    limit = role.boundary_policy
    return power(
        sorted(role.attached),
        {} if isinstance(documents, Unreadable) else documents,
        role.boundary,
        None if isinstance(limit, Unreadable) else limit,
    )


def power_of(role: Role) -> str:
    """Why a role is powerful, or why that is not known, '' if it is not: one read with all documents."""
    if role.unread:
        return f"its permissions can't be read: {role.unread}"
    much = known_power(role)
    return f"it may do much: {much}" if much else ""
