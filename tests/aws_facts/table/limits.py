"""Rules for single parameters that irsa sends: lengths, patterns, ranges, each asked one step beyond."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.aws_facts.fact import Call, Fact, Refusal, Success, iam, role, sts, trust
from tests.aws_facts.sources import model

_LONGER = "Member must have length less than or equal to {0}"
_SHORTER = "Member must have length greater than or equal to {0}"
_PATTERN = "Member must satisfy regular expression pattern: {0}"
_ROLE = "arn:aws:iam::<account>:role/cart"
_WORDS = "1 validation error detected: Value at '{0}' failed to satisfy constraint: {1}"


def _create(**parameters: Any) -> Call:
    return iam("CreateRole", **{"RoleName": "cart", "AssumeRolePolicyDocument": trust(), **parameters})


def _assume(**parameters: Any) -> Call:
    return sts("AssumeRole", **{"RoleArn": _ROLE, "RoleSessionName": "me", **parameters})


_OWN = {"CreateRole": {"RoleName": "cart", "AssumeRolePolicyDocument": trust()}}
_OWN["PutRolePolicy"] = {"RoleName": "cart", "PolicyName": "in", "PolicyDocument": trust()}


def _call(line: str) -> Call:
    """A call with its parameters in YAML, besides those that it needs; `$a65` is 65 times a."""
    service, operation, text = line.split(" ", 2)
    given = yaml.safe_load(re.sub(r"\$([a-z])(\d+)", lambda found: found[1] * int(found[2]), text))
    given = {key: trust() if value == "$EC2" else value for key, value in given.items()}
    return Call(service, operation, {**_OWN.get(operation, {}), **given})


_BEYOND: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "role-name-65",
        "RoleName of 65 characters",
        "iam CreateRole {RoleName: $a65}",
        "roleName",
        "Member must have length less than or equal to 64",
    ),
    (
        "role-name-blank",
        "RoleName with a blank",
        "iam CreateRole {RoleName: a b}",
        "roleName",
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+",
    ),
    (
        "role-name-slash",
        "RoleName with a slash",
        "iam CreateRole {RoleName: a/b}",
        "roleName",
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+",
    ),
    (
        "description-1001",
        "Description of 1,001 characters",
        "iam CreateRole {Description: $a1001}",
        "description",
        "Member must have length less than or equal to 1000",
    ),
    (
        "description-character",
        "Description with a character above U+00FF",
        "iam CreateRole {Description: \u2013}",
        "description",
        r"Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*",
    ),
    (
        "session-3599",
        "MaxSessionDuration of 3,599 seconds",
        "iam CreateRole {MaxSessionDuration: 3599}",
        "maxSessionDuration",
        "Member must have value greater than or equal to 3600",
    ),
    (
        "session-43201",
        "MaxSessionDuration of 43,201 seconds",
        "iam CreateRole {MaxSessionDuration: 43201}",
        "maxSessionDuration",
        "Member must have value less than or equal to 43200",
    ),
    (
        "path-512",
        "Path of 513 characters",
        "iam CreateRole {Path: /$a511/}",
        "path",
        "Member must have length less than or equal to 512",
    ),
    (
        "path-no-end",
        "Path without a slash at its end",
        "iam CreateRole {Path: /a}",
        "path",
        r"Member must satisfy regular expression pattern: (\u002F)|(\u002F[\u0021-\u007E]+\u002F)",
    ),
    (
        "path-no-start",
        "Path without a slash at its start",
        "iam CreateRole {Path: a/}",
        "path",
        r"Member must satisfy regular expression pattern: (\u002F)|(\u002F[\u0021-\u007E]+\u002F)",
    ),
    (
        "boundary-19",
        "PermissionsBoundary of 19 characters",
        "iam CreateRole {PermissionsBoundary: $a19}",
        "permissionsBoundary",
        "Member must have length greater than or equal to 20",
    ),
    (
        "boundary-2049",
        "PermissionsBoundary of 2,049 characters",
        "iam CreateRole {PermissionsBoundary: $a2049}",
        "permissionsBoundary",
        "Member must have length less than or equal to 2048",
    ),
    (
        "update-session",
        "UpdateRole with MaxSessionDuration of 43,201 seconds",
        "iam UpdateRole {RoleName: cart, MaxSessionDuration: 43201}",
        "maxSessionDuration",
        "Member must have value less than or equal to 43200",
    ),
    (
        "update-description",
        "UpdateRole with a Description of 1,001 characters",
        "iam UpdateRole {RoleName: cart, Description: $a1001}",
        "description",
        "Member must have length less than or equal to 1000",
    ),
    (
        "inline-name-129",
        "PolicyName of 129 characters",
        "iam PutRolePolicy {PolicyName: $a129}",
        "policyName",
        "Member must have length less than or equal to 128",
    ),
    (
        "inline-name-star",
        "PolicyName with a star",
        "iam PutRolePolicy {PolicyName: a*}",
        "policyName",
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+",
    ),
    (
        "attach-19",
        "PolicyArn of 19 characters",
        "iam AttachRolePolicy {RoleName: cart, PolicyArn: $a19}",
        "policyArn",
        "Member must have length greater than or equal to 20",
    ),
    (
        "attach-2049",
        "PolicyArn of 2,049 characters",
        "iam AttachRolePolicy {RoleName: cart, PolicyArn: $a2049}",
        "policyArn",
        "Member must have length less than or equal to 2048",
    ),
    (
        "policy-name-129",
        "CreatePolicy with a name of 129 characters",
        "iam CreatePolicy {PolicyName: $a129, PolicyDocument: $EC2}",
        "policyName",
        "Member must have length less than or equal to 128",
    ),
    (
        "provider-arn-19",
        "OpenIDConnectProviderArn of 19 characters",
        "iam GetOpenIDConnectProvider {OpenIDConnectProviderArn: $a19}",
        "openIDConnectProviderArn",
        "Member must have length greater than or equal to 20",
    ),
    (
        "client-256",
        "AddClientIDToOpenIDConnectProvider with 256 characters",
        "iam AddClientIDToOpenIDConnectProvider {OpenIDConnectProviderArn: "
        "'arn:aws:iam::<account>:oidc-provider/a.example.org', ClientID: $a256}",
        "clientID",
        "Member must have length less than or equal to 255",
    ),
    (
        "list-0",
        "MaxItems of 0",
        "iam ListRoles {MaxItems: 0}",
        "maxItems",
        "Member must have value greater than or equal to 1",
    ),
    (
        "list-1001",
        "MaxItems of 1,001",
        "iam ListRoles {MaxItems: 1001}",
        "maxItems",
        "Member must have value less than or equal to 1000",
    ),
    (
        "list-prefix",
        "PathPrefix without a slash at its start",
        "iam ListRoles {PathPrefix: shop/}",
        "pathPrefix",
        r"Member must satisfy regular expression pattern: \u002F[\u0021-\u007F]*",
    ),
    (
        "tag-key-empty",
        "TagRole with an empty key",
        "iam TagRole {RoleName: cart, Tags: [{Key: '', Value: v}]}",
        "tags.1.member.key",
        "",
    ),
)

_ALLOWED: tuple[tuple[str, str, str], ...] = (
    ("role-name-64", "RoleName of 64 characters", "iam CreateRole {RoleName: $a64}"),
    ("role-name-signs", "RoleName with all signs that it may have", "iam CreateRole {RoleName: 'a+=,.@-_z'}"),
    ("session-43200", "MaxSessionDuration of 43,200 seconds", "iam CreateRole {MaxSessionDuration: 43200}"),
    ("description-1000", "Description of 1,000 characters", "iam CreateRole {Description: $a1000}"),
    ("description-empty", "an empty Description", "iam CreateRole {Description: ''}"),
    ("description-umlaut", "Description with letters up to U+00FF", "iam CreateRole {Description: Käse}"),
    ("tag-128", "a tag's key of 128 characters", "iam CreateRole {Tags: [{Key: $k128, Value: $v256}]}"),
    ("tag-letters", "letters of any alphabet in a tag", "iam CreateRole {Tags: [{Key: ключ, Value: 値}]}"),
    ("tag-blank", "a blank in a tag's value", "iam CreateRole {Tags: [{Key: a, Value: b c}]}"),
)

_STS_BEYOND: tuple[tuple[str, str, Call, str], ...] = (
    (
        "name-65",
        "RoleSessionName of 65 characters",
        _assume(RoleSessionName="s" * 65),
        f"Value '{'s' * 65}' at 'roleSessionName' failed to satisfy constraint: {_LONGER.format(64)}",
    ),
    (
        "name-1",
        "RoleSessionName of one character",
        _assume(RoleSessionName="s"),
        f"Value 's' at 'roleSessionName' failed to satisfy constraint: {_SHORTER.format(2)}",
    ),
    (
        "name-colon",
        "RoleSessionName with a colon",
        _assume(RoleSessionName="Session1:2"),
        "Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: "
        + _PATTERN.format(r"[\w+=,.@-]*"),
    ),
    (
        "seconds-899",
        "DurationSeconds of 899",
        _assume(DurationSeconds=899),
        "Value '899' at 'durationSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 900",
    ),
    (
        "seconds-43201",
        "DurationSeconds of 43,201",
        _assume(DurationSeconds=43201),
        "Value '43201' at 'durationSeconds' failed to satisfy constraint: "
        "Member must have value less than or equal to 43200",
    ),
    (
        "external-id-1",
        "ExternalId of one character",
        _assume(ExternalId="e"),
        f"Value 'e' at 'externalId' failed to satisfy constraint: {_SHORTER.format(2)}",
    ),
)


def _facts() -> Iterator[Fact]:
    for name, what, line, field, rule in _BEYOND:
        message = _WORDS.format(field, rule) if rule else ""
        refusal = Refusal("ValidationError", 400, message)
        yield Fact(f"limit-{name}", f"{what}.", model("iam", what), (role(), _call(line)), refusal)
    for name, what, line in _ALLOWED:
        yield Fact(f"limit-{name}", f"{what} is taken.", model("iam", what), (_call(line),), Success())
    for name, what, call, words in _STS_BEYOND:
        refusal = Refusal("ValidationError", 400, f"1 validation error detected: {words}")
        yield Fact(f"limit-sts-{name}", f"{what}.", model("sts", what), (role(), call), refusal)


FACTS = (
    *_facts(),
    Fact(
        "limit-signin",
        "A role can have a MaxSigninSessionDuration.",
        model("iam", "CreateRole, MaxSigninSessionDuration"),
        (_create(MaxSigninSessionDuration=7200), iam("GetRole", RoleName="cart")),
        Success({"Role.MaxSigninSessionDuration": 7200}),
        not_simulated="moto does not keep it, and irsa does not set it",
    ),
)
