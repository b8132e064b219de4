"""The grammar of what is written to IAM: policy documents, and tags that go together.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
Where public implementations disagree about IAM, the milder reading is taken: `sts:*` is a fine action of a
trust policy. `enforce` evaluates policies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from irsa_cli.sandbox.aws.messages import AwsError, malformed_policy
from irsa_cli.sandbox.enforce import is_operator, like, listed
from irsa_cli.sandbox.model import table

VERSIONS = ("2008-10-17", "2012-10-17")
_SID = re.compile(r"[A-Za-z0-9]*")
_STS_ACTIONS = table("actions of sts")
_KEY = re.compile(r"[^:]+:[^:]+|[A-Za-z0-9-]+:[A-Za-z]*Tag/.+|kms:EncryptionContext:.+", re.IGNORECASE)
"""Condition keys. The keys of tags, and of encryption contexts, may hold colons themselves: so they do in
policies that AWS manages. IAM's answers to others: terraform-aws-modules/terraform-aws-eks issue 1084."""
_PRINCIPALS = {
    "AWS": re.compile(
        r"\*|\d{12}|arn:(?P<partition>aws[\w-]*):(?:iam::\d{12}:(?:root|(?:user|role)/[\x21-\x7e]+)|"
        r"sts::\d{12}:(?:assumed-role|federated-user)/[\x21-\x7e]+)"
    ),
    "Federated": re.compile(
        "|".join([*map(re.escape, table("web providers")), ""])
        + r"arn:(?P<partition>aws[\w-]*):iam::\d{12}:(?:oidc|saml)-provider/[\x21-\x7e]+"
    ),
    "Service": re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|amazon\.com)"),
}
"""The forms of principals, by their kinds; one with a partition is good in that one only."""
_WHOLE_ACCOUNT = re.compile(r"arn:[^:]*:iam:[^:]*:[^:]*:(?:\*|root)")
_ROLE_OR_USER = re.compile(":iam::[^:]*:(?:user|role)/")


def without_space(text: str) -> int:
    """The length that quotas count: characters other than white space."""
    return sum(1 for char in text if not char.isspace())


def check_trust_policy(text: str, partition: str, find: Callable[[str], object]) -> None:
    """Refuses what can't be a role's trust policy in `partition`.

    `find` returns the user or role of an ARN, None if there is none. Raises AwsError,
    MalformedPolicyDocument.
    """
    statements = _statements(text)
    for statement in statements:
        _check_common(statement)
        for name in ("Resource", "NotResource"):
            if name in statement:
                raise malformed_policy(f"Has prohibited field {name}")
        actions = _strings(statement.get("Action", statement.get("NotAction")))
        if not actions or not all(map(_is_of_sts, actions)):
            raise malformed_policy("AssumeRole policy may only specify STS AssumeRole actions.")
        _check_principal(statement, partition, find)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(sids)) < len(sids):
        raise malformed_policy("Statement IDs (SID) in a single policy must be unique.")


def _is_of_sts(pattern: str) -> bool:
    return any(like(pattern, known, ignore_case=True) for known in _STS_ACTIONS)


def check_identity_policy(text: str, *, managed: bool = False) -> None:
    """Refuses what can't be an inline policy, or a managed one. Raises AwsError, MalformedPolicyDocument.

    It is moto's check, which says what IAM was recorded to say of 128 of 129 documents on 2026-02-18
    (localstack/localstack, tests/aws/services/iam/test_iam_policies.snapshot.json). Only managed policies
    must be of the newest version. IAM also takes the paths `*` and `root`, as its message says.
    """
    from moto.iam.exceptions import MalformedPolicyDocument
    from moto.iam.policy_validation import IAMPolicyDocumentValidator

    document = _parsed(text, _syntax_error())
    if not managed and isinstance(document, dict) and document.get("Version", VERSIONS[0]) == VERSIONS[0]:
        document["Version"] = VERSIONS[1]
    try:
        IAMPolicyDocumentValidator(json.dumps(_with_paths(document))).validate()
    except MalformedPolicyDocument as error:
        raise malformed_policy(error.message.replace('"*" or', '"*", root, or')) from None
    for statement in listed(document["Statement"]):
        if {"Principal", "NotPrincipal"} & statement.keys():
            raise malformed_policy("Policy document should not specify a principal.")
        for keys in statement.get("Condition", {}).values():
            _check_keys(keys)


def _with_paths(element: Any) -> Any:
    """A policy, or a part of one, whose IAM resources of the path `*` or `root` have one that moto knows."""
    if isinstance(element, dict):
        return {key: _with_paths(value) for key, value in element.items()}
    if isinstance(element, list):
        return [_with_paths(value) for value in element]
    if isinstance(element, str) and _WHOLE_ACCOUNT.fullmatch(element):
        return f"{element.rpartition(':')[0]}:role/*"
    return element


def _parsed(text: str, otherwise: AwsError) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise _syntax_error()
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise otherwise from None


def _statements(text: str) -> list[dict[str, Any]]:
    document = _parsed(text, malformed_policy("This policy contains invalid Json"))
    if not isinstance(document, dict) or not set(document) <= {"Version", "Id", "Statement"}:
        raise _syntax_error()
    if document.get("Version", VERSIONS[0]) not in VERSIONS:
        raise malformed_policy("The policy must contain a valid version string")
    statements = document.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements or not all(isinstance(s, dict) for s in statements):
        raise _syntax_error()
    return statements


_ELEMENTS = frozenset(
    (
        "Sid",
        "Effect",
        "Condition",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
    )
)


def _check_common(statement: Mapping[str, Any]) -> None:
    if not set(statement) <= _ELEMENTS:
        raise _syntax_error()
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed_policy(
            "Missing required field Effect" if "Effect" not in statement else "Invalid effect"
        )
    if ("Action" in statement) == ("NotAction" in statement):
        raise malformed_policy("Policy statement must contain actions.")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise malformed_policy("Statement IDs (SID) must be alpha-numeric.")
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement and not _strings(statement[name]):
            raise _syntax_error()
    _check_condition(statement.get("Condition", {}))


def _check_condition(block: Any) -> None:
    if not isinstance(block, dict):
        raise _syntax_error()
    for operator, keys in block.items():
        if not is_operator(operator):
            raise malformed_policy(f"Invalid Condition type : {operator}.")
        if not isinstance(keys, dict):
            raise _syntax_error()
        _check_keys(keys)
        for key, value in keys.items():
            if ":" not in key:
                message = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
                raise malformed_policy(message)
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(v, (str, int, float, bool)) for v in values):
                raise _syntax_error()


def _check_keys(keys: Mapping[str, Any]) -> None:
    # IAM compares them without regard to case: two that differ in nothing else are one.
    if len({key.lower() for key in keys}) < len(keys):
        raise _syntax_error()
    if any(":" in key and not _KEY.fullmatch(key) for key in keys):
        raise malformed_policy("Actions/Condition can contain only one colon.")


def _check_principal(statement: Mapping[str, Any], partition: str, find: Callable[[str], object]) -> None:
    if "NotPrincipal" in statement:
        raise malformed_policy("Has prohibited field NotPrincipal")
    if "Principal" not in statement:
        raise malformed_policy("Missing required field Principal")
    principal = statement["Principal"]
    if principal == "*":
        # The documentation calls it the same as {"AWS": "*"}; in a trust policy IAM refuses it all the same
        # (aws/aws-cdk issue 5732).
        raise malformed_policy('AssumeRolepolicy contained an invalid principal: "STAR":"*".')
    if not isinstance(principal, dict) or not principal:
        raise malformed_policy("Invalid principal in policy.")
    for kind, value in principal.items():
        names = _strings(value)
        if not names:
            raise malformed_policy("Invalid principal in policy.")
        for name in names:
            form = _PRINCIPALS[kind].fullmatch(name) if kind in _PRINCIPALS else None
            known = form is not None and form.groupdict().get("partition") in (None, partition)
            if not known or (_ROLE_OR_USER.search(name) and not find(name)):
                raise malformed_policy(f'Invalid principal in policy: "{kind}":"{name}"')


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return values if all(isinstance(v, str) and v for v in values) else []


def _syntax_error() -> AwsError:
    return malformed_policy("Syntax errors in policy.")


def check_tags(tags: Sequence[tuple[str, str]], *, any_case: bool = True) -> None:
    """Raises AwsError, InvalidInput, for tags that don't go together.

    Keys are the same in `any_case` for roles and users, not for what else has tags:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    if any(key.lower().startswith("aws:") for key, _ in tags):
        raise AwsError("InvalidInput", "Tag keys that begin with aws: are reserved for AWS.")
    if len({key.lower() if any_case else key for key, _ in tags}) < len(tags):
        more = " Please note that Tag keys are case insensitive." if any_case else ""
        raise AwsError("InvalidInput", f"Duplicate tag keys found.{more}")
