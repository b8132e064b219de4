"""A role's temporary credentials as a value, and when a token is to be renewed, by kubelet's rule.

Getting them is in `irsa_cli.aws`, getting and writing a token in `irsa_cli.usecases.exec.token_file`.
"""

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


OLDEST = 24 * 3600.0
"""Seconds after which a token is renewed however long it lives."""
SHARE = 0.8
"""The part of its lifetime after which a token is renewed."""
JITTER = 10.0
"""By up to so many seconds it is renewed earlier, so that many don't come at once."""


@dataclass(frozen=True)
class Lifetime:
    """When a token was given and when it expires, in Unix seconds by this machine's clock."""

    issued: float
    expires: float

    def renew_at(self, jitter: float) -> float:
        """When it is to be renewed: at 80 % of its lifetime or after a day, less the jitter (0 to 10 s).

        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#launch-a-pod-using-service-account-token-projection
        """
        age = min(SHARE * (self.expires - self.issued), OLDEST)
        return self.issued + max(age - jitter, 0.0)

    def is_due(self, now: float, jitter: float) -> bool:
        """Whether it is to be renewed now; also when the clock was put back to before it was given."""
        return now >= self.renew_at(jitter) or now < self.issued
