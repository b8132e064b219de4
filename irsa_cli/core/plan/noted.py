"""What irsa has noted on an object, read back: each value by the rule of the flag that it comes from.

Whoever may annotate, tag or edit an object may write anything there. A value that its flag would refuse is
unreadable, and is used for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from irsa_cli.core.plan.rules import RULES
from irsa_cli.core.plan.states import (
    AUDIENCE_ANNOTATION,
    CHAIN_ANNOTATIONS,
    CONFIG_MAP_ANNOTATION,
    EXTERNAL_ID_ANNOTATION,
    ROLE_ARN_ANNOTATION,
    STS_REGIONAL_ANNOTATION,
    TARGET_ANNOTATION,
    TOKEN_EXPIRATION_ANNOTATION,
)
from irsa_cli.core.values.errors import InvalidInput, Refused

FLAGS: Mapping[str, str] = {
    ROLE_ARN_ANNOTATION: "attach_role_arn",
    AUDIENCE_ANNOTATION: "audience",
    STS_REGIONAL_ANNOTATION: "sts_regional_endpoints",
    TOKEN_EXPIRATION_ANNOTATION: "token_expiration",
    TARGET_ANNOTATION: "target_role",
    EXTERNAL_ID_ANNOTATION: "external_id",
    CONFIG_MAP_ANNOTATION: "aws_config_map",
}
"""By key: the option whose value it holds."""


class UnreadableNote(Refused):
    """What is noted is no value that irsa has written."""


def noted(there: Mapping[str, str], key: str) -> str:
    """The value of a key, '' where there is none; raises `UnreadableNote`."""
    text = there.get(key, "")
    try:
        if text:
            RULES[FLAGS[key]](text)
    except InvalidInput as error:
        flag = f"--{FLAGS[key].replace('_', '-')}"
        raise UnreadableNote(
            f"the annotation {key} can't be read",
            reason=f"{error}: {flag} would refuse it, so irsa did not write it",
        ) from error
    return text


def unreadable(there: Mapping[str, str]) -> list[str]:
    """What is noted and can't be read, as notes."""
    return [
        f"the annotation {key} can't be read"
        for key in CHAIN_ANNOTATIONS
        if there.get(key, "") != noted_or_none(there, key)
    ]


def noted_or_none(there: Mapping[str, str], key: str) -> str:
    """The same; '' also for what can't be read, where nothing of irsa's can be under such a name."""
    try:
        return noted(there, key)
    except UnreadableNote:
        return ""
