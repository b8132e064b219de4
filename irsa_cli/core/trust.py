"""Trust policies for IRSA: the statement that irsa writes, and whether a policy admits a token.

The evaluation follows the documented grammar of IAM policies over the two claims that a
ServiceAccount's token is judged by; it is pure and needs no call. Permissions policies are not
evaluated here.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.issuer import host_path
from irsa_cli.core.policy import Document, as_list, normalized

ACTION = "sts:AssumeRoleWithWebIdentity"


@dataclass(frozen=True)
class WebIdentity:
    """What STS knows of a token when it asks the trust policy."""

    provider_arn: str
    issuer: str
    subject: str
    audience: str

    def context(self) -> dict[str, str]:
        """The condition keys that the token gives values to, in lower case as keys ignore case."""
        prefix = host_path(self.issuer)
        return {f"{prefix}:sub".lower(): self.subject, f"{prefix}:aud".lower(): self.audience}


def statement(identity: WebIdentity, *, pattern: bool = False) -> Document:
    """The statement that admits exactly this subject and audience.

    With `pattern`, the subject may hold the wildcards `*` and `?` (StringLike); the audience stays exact.
    """
    prefix = host_path(identity.issuer)
    aud, sub = {f"{prefix}:aud": identity.audience}, {f"{prefix}:sub": identity.subject}
    condition = {"StringEquals": aud, "StringLike": sub} if pattern else {"StringEquals": {**aud, **sub}}
    return {
        "Effect": "Allow",
        "Principal": {"Federated": identity.provider_arn},
        "Action": ACTION,
        "Condition": condition,
    }


def policy(identity: WebIdentity, *, pattern: bool = False) -> Document:
    """A trust policy of that one statement."""
    return {"Version": "2012-10-17", "Statement": [statement(identity, pattern=pattern)]}


def contains(document: Mapping[str, Any], wanted: Document) -> bool:
    """Whether the policy has this statement, in any of the forms that mean the same (its Sid aside)."""
    return any(_same(item, wanted) for item in as_list(document.get("Statement", [])))


def _same(one: Any, other: Document) -> bool:
    return isinstance(one, dict) and normalized({**one, "Sid": ""}) == normalized({**other, "Sid": ""})


def with_statement(document: Mapping[str, Any], wanted: Document) -> Document:
    """The policy with this statement at its end; every other byte stays as it is."""
    return {**document, "Statement": [*as_list(document.get("Statement", [])), wanted]}


def without_statement(document: Mapping[str, Any], unwanted: Document) -> Document:
    """The policy without this statement."""
    kept = [item for item in as_list(document.get("Statement", [])) if not _same(item, unwanted)]
    return {**document, "Statement": kept}


def admits(document: Mapping[str, Any], identity: WebIdentity) -> bool:
    """Whether STS would let this token assume a role with this trust policy.

    Denies come first. A statement that can't be understood doesn't admit, and does deny.
    """
    statements = [item for item in as_list(document.get("Statement", [])) if isinstance(item, dict)]
    matching = [item for item in statements if _applies(item, identity)]
    denied = any(item.get("Effect") != "Allow" for item in matching)
    return not denied and any(item.get("Effect") == "Allow" for item in matching)


def _applies(item: Document, identity: WebIdentity) -> bool:
    unknown = item.get("Effect") != "Allow"
    return (
        _matches_action(item)
        and _matches_principal(item, identity)
        and _matches_condition(item.get("Condition", {}), identity.context(), unknown=unknown)
    )


def _matches_action(item: Document) -> bool:
    if "NotAction" in item:
        return not _any_like(ACTION, item["NotAction"])
    return _any_like(ACTION, item.get("Action", []))


def _any_like(text: str, patterns: Any) -> bool:
    return any(_like(text.lower(), str(pattern).lower()) for pattern in as_list(patterns))


def _like(text: str, pattern: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _matches_principal(item: Document, identity: WebIdentity) -> bool:
    if "NotPrincipal" in item:
        return not _names(item["NotPrincipal"], identity)
    return _names(item.get("Principal"), identity)


def _names(principal: Any, identity: WebIdentity) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    federated = as_list(principal.get("Federated", []))
    # `{"AWS": "*"}` is the same as `"*"`: everybody, federated principals included.
    return identity.provider_arn in federated or "*" in federated or "*" in as_list(principal.get("AWS", []))


_Test = Callable[[str, str], bool]
_TESTS: dict[str, tuple[_Test, bool]] = {
    "stringequals": (lambda value, wanted: value == wanted, False),
    "stringnotequals": (lambda value, wanted: value == wanted, True),
    "stringequalsignorecase": (lambda value, wanted: value.lower() == wanted.lower(), False),
    "stringnotequalsignorecase": (lambda value, wanted: value.lower() == wanted.lower(), True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
}


def _matches_condition(condition: Any, context: Mapping[str, str], *, unknown: bool) -> bool:
    if not isinstance(condition, dict):
        return unknown
    return all(
        _matches_operator(operator, keys, context, unknown=unknown) if isinstance(keys, dict) else unknown
        for operator, keys in condition.items()
    )


def _matches_operator(
    operator: str, keys: Mapping[str, Any], context: Mapping[str, str], *, unknown: bool
) -> bool:
    name = operator.lower()
    for_all, name = name.startswith("forallvalues:"), name.removeprefix("forallvalues:")
    any_value, name = name.startswith("foranyvalue:"), name.removeprefix("foranyvalue:")
    if_exists, name = name.endswith("ifexists"), name.removesuffix("ifexists")
    if name == "null":
        return all(_is_null(context.get(key.lower()), wanted) for key, wanted in keys.items())
    if name not in _TESTS:
        return unknown
    test, negated = _TESTS[name]
    for key, wanted in keys.items():
        value = context.get(key.lower())
        if value is None:
            # An absent key satisfies negated operators, ...IfExists and ForAllValues, and nothing else.
            if (negated and not any_value) or if_exists or for_all:
                continue
            return False
        hit = any(test(value, _expand(str(item), context)) for item in as_list(wanted))
        if hit == negated:
            return False
    return True


def _is_null(value: str | None, wanted: Any) -> bool:
    return any((value is None) == (str(item).lower() == "true") for item in as_list(wanted))


def _expand(text: str, context: Mapping[str, str]) -> str:
    """Replace policy variables such as `${issuer:sub}`; one without a value matches nothing."""
    return re.sub(r"\$\{([^}]+)\}", lambda match: context.get(match[1].lower(), "\0"), text)
