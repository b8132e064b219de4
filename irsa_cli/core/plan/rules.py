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
from irsa_cli.core.values import arn, issuer, names
from irsa_cli.core.values.errors import InvalidInput, Refused

Rule = Callable[[Any], Any]

RULES: Mapping[str, Rule] = {
    "namespace": names.namespace,
    "name": names.service_account,
    "cluster": names.cluster,
    "region": names.region,
    "profile": names.profile,
    "issuer_url": issuer.check_issuer,
    "account": arn.check_account,
    "role_account": arn.check_account,
    "target_account": arn.check_account,
    "role_profile": names.profile,
    "target_profile": names.profile,
    "role_assume_role": arn.check_role,
    "target_assume_role": arn.check_role,
    "expect_account": arn.check_account,
    "expect_cluster_arn": arn.check_cluster,
    "lock_namespace": names.namespace,
    "attach_role_arn": arn.check_role,
    "role_name": names.role,
    "role_path": names.role_path,
    "subject_pattern": names.subject_pattern,
    "subjects": names.subject_of_many,
    "issuers": issuer.check_issuer,
    "policies": arn.check_policy_or_name,
    "attach": arn.check_policy_or_name,
    "detach": arn.check_policy_or_name,
    "permissions_boundary": arn.check_policy,
    "boundary": arn.check_policy,
    "default": arn.check_policy,
    "description": names.description,
    "audience": names.audience,
    "sts_regional_endpoints": names.regional_endpoints,
    "token_expiration": names.token_seconds,
    "audiences": names.audience,
    "thumbprints": names.thumbprint,
    "target_role": arn.check_target,
    "external_id": names.external_id,
    "aws_config_map": names.config_map,
    "tags": names.tags,
    "labels": names.labels,
    "annotations": names.service_account_annotations,
    "target_arn": arn.check_target,
    "role_arn": arn.check_target,
    "OtherCluster.name": names.cluster,
    "WellKnown.name": str,
    "OtherCluster.issuer": issuer.check_issuer,
}
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
        else:
            _check_each(found if isinstance(found, tuple) else (found,), rule)


def _check_each(found: tuple[Any, ...], rule: Rule | None) -> None:
    for one in found:
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


def unreadable(there: Mapping[str, str]) -> list[str]:
    """Notes on annotations that can't be read."""
    return [
        f"the annotation {key} can't be read"
        for key in states.CHAIN_ANNOTATIONS
        if there.get(key, "") != noted_or_none(there, key)
    ]


def noted_or_none(there: Mapping[str, str], key: str) -> str:
    """The same; '' also for an unreadable value, if irsa can own nothing under such a name."""
    try:
        return noted(there, key)
    except UnreadableNote:
        return ""
