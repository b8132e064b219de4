"""Temporary credentials of a role as a value. Getting them is in `irsa_cli.aws`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class RoleCredentials:
    """Temporary credentials and whose they are; `expires` is in UTC. No secret is shown by repr."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires: datetime
    role_session: str
    """The ARN of the role's session: what AWS knows their user by."""
