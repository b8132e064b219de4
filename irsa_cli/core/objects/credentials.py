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
