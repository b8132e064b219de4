"""The head of plans, questions, reports and pages: where, as whom and when."""

from __future__ import annotations

from datetime import datetime

from irsa_cli.core.values.shown import visible


def head(*places: str, caller: str = "", at: datetime | None = None) -> str:
    """The head in one line, without its unknown parts; `caller` is an ARN."""
    return visible(" · ".join(filter(None, (*places, caller_name(caller), moment(at)))))


def caller_name(arn: str) -> str:
    """A caller without its account: `user/NAME`, or `role/NAME/SESSION` for an assumed role."""
    return arn.rpartition(":")[2].replace("assumed-role/", "role/", 1)


def moment(at: datetime | None) -> str:
    """A time to the minute; '' if it is unknown."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
