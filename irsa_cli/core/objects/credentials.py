"""A role's temporary credentials, the renewal of tokens (kubelet's rule), and irsa's session names."""

from __future__ import annotations

import re
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
        """The time of renewal: at 80 % of the lifetime or after a day, less the jitter (0 to 10 s).

        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#launch-a-pod-using-service-account-token-projection
        """
        age = min(SHARE * (self.expires - self.issued), OLDEST)
        return self.issued + max(age - jitter, 0.0)

    def is_due(self, now: float, jitter: float) -> bool:
        """Whether to renew now; also if the clock was set back."""
        return now >= self.renew_at(jitter) or now < self.issued


SESSION_PREFIX = "irsa"


def session_name(user: str, moment: int) -> str:
    r"""The session name in CloudTrail: the user and the time, so that no AWS CLI cache is reused.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """
    plain = re.sub(r"[^\w+=,.@-]+", "-", user, flags=re.ASCII).strip("-")
    tail = f"-{moment}"
    return f"{SESSION_PREFIX}-{plain}"[: 64 - len(tail)].rstrip("-") + tail


AGENT = "irsa"
"""The product in the user agent of irsa's calls, before its version."""
VERIFY_SESSION = f"{SESSION_PREFIX}-verify"
"""The role sessions that irsa opens for looking; CloudTrail shows it."""

# The second form is that of `session_name`: user and Unix seconds.
_SESSION = re.compile(rf"{VERIFY_SESSION}|{SESSION_PREFIX}-(.+-)?\d{{10,}}")
_AGENT = re.compile(rf"(?<![\w/.-]){AGENT}/\d")


def is_own(session: str, agent: str) -> bool:
    """Whether an exchange with this session name and user agent was irsa's, or made under `irsa exec`."""
    return bool(_SESSION.fullmatch(session) or _AGENT.search(agent))
