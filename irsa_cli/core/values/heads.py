"""Parts of texts: the head of a plan or report (where, as whom and when), and numbers of things."""

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


def plural(number: int, what: str) -> str:
    """Count a noun: `1 policy`, `2 policies`, `2 ServiceAccounts with a role`."""
    if number == 1:
        return f"1 {what}"
    noun, apart, rest = what.partition(" with ")
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number} {many}{apart}{rest}"
