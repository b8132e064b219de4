"""One rule for each text that somebody may give, whatever brings it: a flag, a file, a saved plan, a note.

A value has the name of its attribute, which is its option's name. A value read back from a place
that others can write to is no better than a command line: it goes through the same rule, and a value
that its flag would refuse is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from irsa_cli.core.plan import states
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput, Refused

Rule = Callable[[Any], Any]

_NAMES: Mapping[Rule, str] = {
    names.namespace: "namespace lock_namespace",
    names.service_account: "name",
    names.cluster: "cluster OtherCluster.name",
    names.region: "region",
    names.profile: "profile role_profile target_profile",
    arn.check_issuer: "issuer_url issuers OtherCluster.issuer",
    arn.check_account: "account role_account target_account expect_account",
    arn.check_role: "assume_role role_assume_role target_assume_role attach_role_arn",
    arn.check_cluster: "expect_cluster_arn",
    names.role: "role_name",
    names.role_path: "role_path",
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
    str: "WellKnown.name",
}
RULES: Mapping[str, Rule] = {name: rule for rule, named in _NAMES.items() for name in named.split()}
"""By attribute, and by class and attribute where the class means something else by it. For pairs of texts the
rule is that of all of them."""


def check(value: Any) -> None:
    """Check all texts of a value made of dataclasses, except empty ones; raises `InvalidInput`."""
    for item in fields(value):
        found = getattr(value, item.name)
        rule = RULES.get(f"{type(value).__name__}.{item.name}") or RULES.get(item.name)
        if isinstance(found, Mapping):
            if rule is not None and found:
                rule({key: text or "" for key, text in found.items()})
            continue
        for one in found if isinstance(found, tuple) else (found,):
            if is_dataclass(one):
                check(one)
            elif isinstance(one, str) and one and rule is not None:
                rule(one)


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
