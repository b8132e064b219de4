"""One rule for each text that somebody may give, whatever brings it: a flag, a file, a saved plan, a note.

A value has the name of its attribute, which is its option's name. A value read back from a place
that others can write to is no better than a command line: it goes through the same rule, and a value
that its flag would refuse is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any

from irsa_cli.core.plan import states
from irsa_cli.core.values import arn, names, texts
from irsa_cli.core.values.errors import InvalidInput, Refused
from irsa_cli.core.values.shown import visible

Rule = Callable[[Any], Any]


def _attributes(pairs: Mapping[str, Any]) -> None:
    """Check values under the names of their attributes."""
    for name, value in pairs.items():
        if not isinstance(value, bool):
            rule = RULES.get(name)
            if rule is None:
                raise InvalidInput(f"{visible(name)} is not valid", reason="irsa has no rule for this text")
            rule(value)


_NAMES: Mapping[Rule, str] = {
    names.namespace: "namespace lock_namespace",
    names.service_account: "name names",
    names.full_name: "accounts",
    names.cluster: "cluster OtherCluster.name",
    names.region: "region",
    names.profile: "profile role_profile target_profile",
    arn.check_issuer: "issuer_url issuers OtherCluster.issuer",
    arn.check_account: "account role_account target_account expect_account",
    arn.check_role: "assume_role role_assume_role target_assume_role attach_role_arn",
    arn.check_cluster: "expect_cluster_arn",
    arn.check_cluster_or_issuer: "old canary retire.Request.names",
    names.role: "role_name",
    names.role_path: "role_path",
    names.role_id: "role_id",
    names.role_pattern: "patterns",
    names.namespace_pattern: "pattern",
    names.subject_pattern: "subject_pattern",
    names.subject_of_many: "subjects",
    arn.check_policy_or_name: "policies attach detach",
    arn.check_policy: "permissions_boundary boundary default",
    names.description: "description",
    names.audience: "audience audiences",
    names.regional_endpoints: "sts_regional_endpoints",
    names.token_seconds: "token_expiration",
    names.thumbprint: "thumbprints",
    arn.check_target: "target_role target_arn role_arn",
    names.external_id: "external_id",
    names.config_map: "aws_config_map",
    names.tags: "tags",
    names.labels: "labels",
    names.service_account_annotations: "annotations",
    names.well_known: "WellKnown.name",
    names.attribute: "unsaid",
    texts.parameters: "parameters",
    texts.inline_policies: "inline",
    texts.document: "conditions session_policy",
    _attributes: "Config.accounts",
    texts.free: "where notices include exclude",
}
RULES: Mapping[str, Rule] = {name: rule for rule, named in _NAMES.items() for name in named.split()}
"""By attribute, and by class, or module and class, with another meaning of it. For pairs of texts the
rule is that of all of them."""
_NUMBERS: Mapping[str, Rule] = {
    "parallel": texts.number(1, 64),
    "most": texts.number(1, 10**9),
    "total": texts.number(1, 9_999),
    "max_session_duration": names.session_duration,
    "token_expiration": names.token_expiration,
}
_ANY_NUMBER = texts.number(0, 10**9)
_MAY_BE_EMPTY = ("Target.cluster",)
"""Texts without a default that may be empty: files or an issuer name the cluster."""


def check(owner: Any) -> None:
    """Check all texts and numbers of a value made of dataclasses; raises `InvalidInput`.

    A default needs no check, nor an empty text in place of None. A text without a rule is refused.
    """
    for field in fields(owner):
        value = getattr(owner, field.name)
        if value == field.default or (value == "" and _may_be_empty(type(owner), field)):
            continue
        if isinstance(value, Mapping):
            if value:
                pairs = {key: "" if text is None else text for key, text in value.items()}
                rule_of(type(owner), field.name)(pairs)
        elif isinstance(value, tuple):
            for part in value:
                _check_value(type(owner), field.name, part)
        else:
            _check_value(type(owner), field.name, value)


def _check_value(owner: type, name: str, value: Any) -> None:
    if is_dataclass(value):
        check(value)
    elif isinstance(value, str):
        rule_of(owner, name)(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _NUMBERS.get(name, _ANY_NUMBER)(value)


def rule_of(owner: type, name: str) -> Rule:
    """The rule for the texts of an attribute; raises `InvalidInput` if there is none."""
    whole = f"{owner.__module__.rpartition('.')[2]}.{owner.__name__}.{name}"
    for known in (whole, f"{owner.__name__}.{name}", name):
        if known in RULES:
            return RULES[known]
    raise InvalidInput(f"{whole} is not valid", reason="irsa has no rule for this text")


def _may_be_empty(owner: type, field: Field[Any]) -> bool:
    return field.default is None or f"{owner.__name__}.{field.name}" in _MAY_BE_EMPTY


FLAGS: Mapping[str, str] = {
    states.ROLE_ARN_ANNOTATION: "attach_role_arn",
    states.AUDIENCE_ANNOTATION: "audience",
    states.STS_REGIONAL_ANNOTATION: "sts_regional_endpoints",
    states.TOKEN_EXPIRATION_ANNOTATION: "token_expiration",
    states.TARGET_ANNOTATION: "target_role",
    states.EXTERNAL_ID_ANNOTATION: "external_id",
    states.CONFIG_MAP_ANNOTATION: "aws_config_map",
}
"""By key: the option whose value it holds."""


class UnreadableNote(Refused):
    """The noted value is not one that irsa writes."""


def noted(there: Mapping[str, str], key: str) -> str:
    """The value of a key, '' for none; raises `UnreadableNote`."""
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


def noted_or_none(there: Mapping[str, str], key: str) -> str:
    """The same; '' also for an unreadable value, if irsa can own nothing under such a name."""
    try:
        return noted(there, key)
    except UnreadableNote:
        return ""
