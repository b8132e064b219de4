"""The fields about other accounts: where the role is, and which role of another account it may become.

A document says them for all its entries, an entry for itself. What contradicts what is checked when the
cluster is known, in `irsa_cli.usecases.files.targets` and `irsa_cli.core.binding.spec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from irsa_cli.core.config.reader import Fields, Reader
from irsa_cli.core.plan.rules import RULES

_TEXTS: dict[str, str] = {
    "roleAccount": "role_account",
    "roleAssumeRole": "role_assume_role",
    "roleProfile": "role_profile",
    "targetRole": "target_role",
    "externalID": "external_id",
    "targetAssumeRole": "target_assume_role",
    "targetProfile": "target_profile",
    "awsConfigMap": "aws_config_map",
}
_FLAGS = {"targetTagSession": "target_tag_session"}
FIELDS = (*_TEXTS, *_FLAGS)
OF_DOCUMENTS = tuple(field for field in FIELDS if field != "awsConfigMap")
"""Those that a document may say for all its entries; a ConfigMap is for one of them."""
OF_A_CHAIN = tuple(field for field in FIELDS if not field.startswith("role"))
"""Those that are about the role of another account that a role of irsa's may become."""
OF_A_TARGET = ("target_role", "external_id", "target_assume_role", "target_profile", "target_tag_session")
"""What one word for another target makes meaningless, as attributes."""


def account_fields(reader: Reader, fields: Fields) -> dict[str, Any]:
    """What is said of other accounts, by attribute; nothing for what is not said."""
    found: dict[str, Any] = {}
    for field, attribute in _TEXTS.items():
        if field in fields:
            found[attribute] = reader.text(fields[field], RULES[attribute]) or ""
    for field, attribute in _FLAGS.items():
        if field in fields:
            found[attribute] = bool(reader.boolean(fields[field]))
    return found


def with_defaults(own: Mapping[str, Any], defaults: Mapping[str, Any], *, chains: bool) -> dict[str, Any]:
    """What an entry says, and of what the document says what goes with it; `chains`: it may have a target.

    An entry that names an account, or a target, says how that is reached: the document's way is another's.
    """
    left = dict(defaults)
    role_account = own.get("role_account") or _account_of(own.get("role_assume_role"))
    if role_account and role_account != (
        defaults.get("role_account") or _account_of(defaults.get("role_assume_role"))
    ):
        left = {key: value for key, value in left.items() if not key.startswith("role_")}
    if not chains or own.get("target_role", defaults.get("target_role")) != defaults.get("target_role"):
        left = {key: value for key, value in left.items() if key not in OF_A_TARGET}
    return {**left, **own}


def _account_of(role: Any) -> str:
    return str(role).split(":")[4] if role else ""
