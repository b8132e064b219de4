"""Variables of roles for shells and dotenv files: one name for one ServiceAccount."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

ROLE_ARN = "ROLE_ARN"
"""The variable of a role that was asked for alone."""
_DIGEST = 6
"""Characters that tell two ServiceAccounts apart whose names differ only in punctuation."""


def role_variables(arns: Mapping[str, str], *, alone: bool) -> dict[str, str]:
    """The ARNs of roles by their variables: `BACKEND_S3_READER_ROLE_ARN` of `backend/s3-reader`.

    `alone`: a single ServiceAccount was asked for; its variable is `ROLE_ARN`, whatever its name.

    `a-b/c` and `a/b-c` would share a variable: each has a digest in it then, which stays the same.
    """
    if alone:
        return dict(zip([ROLE_ARN], arns.values(), strict=False))
    used = Counter(map(_plain, arns))
    variables = {}
    for full_name, arn in arns.items():
        name = _plain(full_name)
        if used[name] > 1:
            name += "_" + hashlib.sha256(full_name.encode()).hexdigest()[:_DIGEST].upper()
        variables[f"{name}_{ROLE_ARN}"] = arn
    return variables


def dotenv(variables: Mapping[str, str]) -> str:
    """A line for each variable; ARNs need no quotes."""
    return "".join(f"{name}={arn}\n" for name, arn in variables.items())


def _plain(full_name: str) -> str:
    name = "".join(character if character.isalnum() else "_" for character in full_name).upper()
    return f"_{name}" if name[:1].isdecimal() else name  # No shell has a variable that begins with a digit.
