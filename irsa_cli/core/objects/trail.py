"""Exchanges of tokens as CloudTrail records them, and which of them are irsa's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from irsa_cli.core.objects.aws import AGENT, SESSION_PREFIX, VERIFY_SESSION
from irsa_cli.core.values.shown import moment

DELAY = timedelta(minutes=15)
"""For how long an event may not be in CloudTrail yet, by its documentation."""


@dataclass(frozen=True)
class TrailEvent:
    """An AssumeRoleWithWebIdentity in CloudTrail. `error` is empty on success; `seconds` were requested.

    `own`: by irsa or under `irsa exec`, not by the application. `region` is where STS was called.
    """

    time: datetime
    role_arn: str
    error: str = ""
    message: str = ""
    seconds: int | None = None
    own: bool = False
    region: str = ""


LATE = timedelta(minutes=15)
"""How late an event can be in CloudTrail: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/"""


def not_known_yet(since: datetime, now: datetime) -> str:
    """Why CloudTrail can't show yet whether tokens were exchanged after a moment; '' if it can."""
    known_from = since + LATE
    if now >= known_from:
        return ""
    return (
        f"CloudTrail can be 15 minutes late: what happened after {moment(since)} is known from"
        f" {moment(known_from)} on"
    )


def session_name(user: str, at: int) -> str:
    r"""The session name in CloudTrail: the user and the time, so that no AWS CLI cache is reused.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """
    plain = re.sub(r"[^\w+=,.@-]+", "-", user, flags=re.ASCII).strip("-")
    tail = f"-{at}"
    return f"{SESSION_PREFIX}-{plain}"[: 64 - len(tail)].rstrip("-") + tail


# The second form is that of `session_name`: user and Unix seconds.
_SESSION = re.compile(rf"{VERIFY_SESSION}|{SESSION_PREFIX}-(.+-)?\d{{10,}}")


_AGENT = re.compile(rf"(?<![\w/.-]){AGENT}/\d")


def is_own(session: str, agent: str) -> bool:
    """Whether an exchange with this session name and user agent was irsa's, or made under `irsa exec`."""
    return bool(_SESSION.fullmatch(session) or _AGENT.search(agent))
