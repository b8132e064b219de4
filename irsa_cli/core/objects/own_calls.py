"""How irsa's own exchanges at STS are told from those of pods: by their session, or by their user agent.

What runs under `irsa exec` is not irsa, and no pod either: it has a session of irsa's naming.
"""

from __future__ import annotations

import re

from irsa_cli.core.objects.environment import SESSION_PREFIX

AGENT = "irsa"
"""The product in the user agent of irsa's calls, before its version."""
VERIFY_SESSION = f"{SESSION_PREFIX}-verify"
"""The role sessions that irsa opens for looking; CloudTrail shows it."""

# The second form is that of `irsa_cli.core.objects.environment.session_name`: user and Unix seconds.
_SESSION = re.compile(rf"{VERIFY_SESSION}|{SESSION_PREFIX}-(.+-)?\d{{10,}}")
_AGENT = re.compile(rf"(?<![\w/.-]){AGENT}/\d")


def is_own(session: str, agent: str) -> bool:
    """Whether an exchange with this session name and user agent was irsa's, or made under `irsa exec`."""
    return bool(_SESSION.fullmatch(session) or _AGENT.search(agent))
