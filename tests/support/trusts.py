"""Trust policies of one statement in irsa's form."""

from __future__ import annotations

from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy


def trust_of(identity: WebIdentity, *, pattern: bool = False) -> Document:
    """A trust policy that allows exactly this subject (a `pattern` with wildcards) and audience."""
    statement = trust_policy.statement(identity, pattern=pattern)
    return {"Version": "2012-10-17", "Statement": [statement]}
