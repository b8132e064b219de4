"""What IAM's documentation says about evaluating a policy, fact by fact, with a policy and a token for each.

The pages are those of the IAM User Guide, named as they are in its addresses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.core.policies.web_identity import WebIdentity, region_called
from irsa_cli.core.trust.evaluation import explain
from tests.unit.trust.certainty import is_certain

P = "oidc.eks.us-east-1.amazonaws.com/id/111122223333"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{P}"
SUB, AUD = "system:serviceaccount:default:assumer", "sts.amazonaws.com"
TOKEN = WebIdentity(PROVIDER, f"https://{P}", SUB, AUD)
ADMIN = WebIdentity(PROVIDER, f"https://{P}", "David", AUD, request={"sts:RoleSessionName": ("David",)})
MANY = replace(TOKEN, claims={"amr": ("PostDateTime", "UserName")})
TWO = replace(TOKEN, claims={"amr": ("PostDateTime", "Message")})
AT = {"aws:CurrentTime": ("2020-05-01T00:00:00Z",), "aws:EpochTime": ("1588291200",)}
TIMED = replace(TOKEN, request={**AT, "aws:SourceIp": ("203.0.113.77",)})
EITHER = replace(TOKEN, request={"aws:RequestedRegion": region_called("eu-west-1", regional=False)})
TAG = replace(
    TOKEN, request={"aws:PrincipalArn": ("arn:aws:someservice:us-east-2:999999999999:store/abc:1:finance/d",)}
)
S, A, AMR = f"{P}:sub", f"{P}:aud", f"{P}:amr"

OPERATORS = "reference_policies_elements_condition_operators"
SETS = "reference_policies_condition-single-vs-multi-valued-context-keys"
LOGIC = "reference_policies_condition-logic-multiple-context-keys-or-values"
VARIABLES = "reference_policies_variables"
KEYS = "reference_policies_condition-keys"
PRINCIPAL = "reference_policies_elements_principal"
GRAMMAR = "reference_policies_grammar"

# page, what it says, the Condition, the token, whether a statement with it admits the token
CONDITIONS: list[tuple[str, str, dict[str, Any], WebIdentity, bool]] = [
    (
        "reference_policies_iam-condition-keys",
        "the EKS example",
        {"StringEquals": {A: AUD, S: SUB}},
        TOKEN,
        True,
    ),
    (
        "reference_policies_iam-condition-keys",
        "another subject",
        {"StringEquals": {A: AUD, S: SUB + "s"}},
        TOKEN,
        False,
    ),
    (OPERATORS, "StringEquals is exact", {"StringEquals": {S: SUB.upper()}}, TOKEN, False),
    (OPERATORS, "StringEqualsIgnoreCase is not", {"StringEqualsIgnoreCase": {S: SUB.upper()}}, TOKEN, True),
    (OPERATORS, "StringLike distinguishes case", {"StringLike": {S: "SYSTEM:*"}}, TOKEN, False),
    (OPERATORS, "* anywhere", {"StringLike": {S: "system:*:assumer"}}, TOKEN, True),
    (OPERATORS, "* may be nothing", {"StringLike": {S: f"{SUB}*"}}, TOKEN, True),
    (
        OPERATORS,
        "? is one character",
        {"StringLike": {S: "system:serviceaccount:default:assume?"}},
        TOKEN,
        True,
    ),
    (OPERATORS, "? is not none", {"StringLike": {S: f"{SUB}?"}}, TOKEN, False),
    (OPERATORS, "no wildcards in StringEquals", {"StringEquals": {S: "system:*"}}, TOKEN, False),
    (OPERATORS, "StringNotLike is the negation", {"StringNotLike": {S: "system:*"}}, TOKEN, False),
    (OPERATORS, "a missing key does not match", {"StringEquals": {"aws:TagKeys": "x"}}, TOKEN, False),
    (OPERATORS, "a missing key satisfies a negation", {"StringNotEquals": {"aws:TagKeys": "x"}}, TOKEN, True),
    (
        OPERATORS,
        "so does it with ArnNotLike",
        {"ArnNotLike": {"aws:SourceArn": "arn:*:*:*:*:*"}},
        TOKEN,
        True,
    ),
    (OPERATORS, "IfExists: missing is true", {"StringLikeIfExists": {f"{P}:email": "x"}}, TOKEN, True),
    (OPERATORS, "IfExists: there, it is tested", {"StringLikeIfExists": {S: "x"}}, TOKEN, False),
    (OPERATORS, "Null true: the key isn't there", {"Null": {"aws:TokenIssueTime": "true"}}, TOKEN, True),
    (OPERATORS, "Null false: it is", {"Null": {"aws:TokenIssueTime": "false"}}, TOKEN, False),
    (OPERATORS, "Null of a key that is there", {"Null": {S: "true"}}, TOKEN, False),
    (OPERATORS, "Bool", {"Bool": {"aws:SecureTransport": "true"}}, TOKEN, True),
    (OPERATORS, "Bool, the other value", {"Bool": {"aws:SecureTransport": "false"}}, TOKEN, False),
    (OPERATORS, "a date before", {"DateLessThan": {"aws:CurrentTime": "2020-06-30T23:59:59Z"}}, TIMED, True),
    (
        OPERATORS,
        "a date after",
        {"DateGreaterThan": {"aws:CurrentTime": "2020-06-30T23:59:59Z"}},
        TIMED,
        False,
    ),
    (OPERATORS, "a date in epoch time", {"DateGreaterThan": {"aws:EpochTime": "1500000000"}}, TIMED, True),
    (
        OPERATORS,
        "DateNotEquals",
        {"DateNotEquals": {"aws:CurrentTime": "2020-05-01T00:00:00Z"}},
        TIMED,
        False,
    ),
    (OPERATORS, "an address in a range", {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, TIMED, True),
    (
        OPERATORS,
        "an address without prefix is /32",
        {"IpAddress": {"aws:SourceIp": "203.0.113.7"}},
        TIMED,
        False,
    ),
    (
        OPERATORS,
        "both families",
        {"IpAddress": {"aws:SourceIp": ["2001:DB8::/64", "203.0.113.0/24"]}},
        TIMED,
        True,
    ),
    (OPERATORS, "NotIpAddress", {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, TIMED, False),
    (
        OPERATORS,
        "ARNs part by part",
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:someservice:*:1:finance/*"}},
        TAG,
        False,
    ),
    (
        OPERATORS,
        "strings across parts",
        {"StringLike": {"aws:PrincipalArn": "arn:aws:someservice:*:1:finance/*"}},
        TAG,
        True,
    ),
    (
        OPERATORS,
        "each part of an ARN",
        {"ArnEquals": {"aws:PrincipalArn": "arn:aws:*:us-*:999999999999:store/*"}},
        TAG,
        True,
    ),
    (
        OPERATORS,
        "ArnNotEquals negates",
        {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:*:us-*:*:*"}},
        TAG,
        False,
    ),
    (LOGIC, "operators are joined by AND", {"StringEquals": {S: SUB}, "StringLike": {A: "x*"}}, TOKEN, False),
    (LOGIC, "keys are joined by AND", {"StringEquals": {S: SUB, A: "x"}}, TOKEN, False),
    (LOGIC, "values are joined by OR", {"StringEquals": {S: ["x", SUB], A: ["y", AUD]}}, TOKEN, True),
    (LOGIC, "values of a negation by NOR", {"StringNotEquals": {S: ["x", SUB]}}, TOKEN, False),
    (LOGIC, "NOR, none of them", {"StringNotEquals": {S: ["x", "y"]}}, TOKEN, True),
    (
        SETS,
        "ForAllValues: each one is listed",
        {"ForAllValues:StringEquals": {AMR: ["PostDateTime", "Message", "Tags"]}},
        TWO,
        True,
    ),
    (
        SETS,
        "ForAllValues: one is not",
        {"ForAllValues:StringEquals": {AMR: ["PostDateTime", "Message", "Tags"]}},
        MANY,
        False,
    ),
    (SETS, "ForAllValues: no key is true", {"ForAllValues:StringEquals": {AMR: "x"}}, TOKEN, True),
    (
        SETS,
        "ForAllValues: an empty value is none",
        {"ForAllValues:StringEquals": {AMR: "x"}},
        replace(TOKEN, claims={"amr": ("",)}),
        True,
    ),
    (
        SETS,
        "ForAnyValue: one of them",
        {"ForAnyValue:StringEquals": {AMR: ["ID", "PostDateTime"]}},
        MANY,
        True,
    ),
    (SETS, "ForAnyValue: none of them", {"ForAnyValue:StringEquals": {AMR: ["ID", "Tags"]}}, MANY, False),
    (SETS, "ForAnyValue: no key is false", {"ForAnyValue:StringEquals": {AMR: "x"}}, TOKEN, False),
    (
        SETS,
        "ForAnyValue: an empty value is none",
        {"ForAnyValue:StringLike": {AMR: "*"}},
        replace(TOKEN, claims={"amr": ("",)}),
        False,
    ),
    (SETS, "wildcards need StringLike", {"ForAnyValue:StringLike": {AMR: "Post*"}}, MANY, True),
    (VARIABLES, "a key's value", {"StringEquals": {"sts:RoleSessionName": "${" + S + "}"}}, ADMIN, True),
    (VARIABLES, "within a text", {"StringLike": {S: "Dav${*}"}}, ADMIN, False),
    (VARIABLES, "no value equals nothing", {"StringEquals": {S: "${aws:username}"}}, TOKEN, False),
    (VARIABLES, "no value is like nothing", {"StringLike": {S: "*${aws:username}"}}, TOKEN, False),
    (VARIABLES, "a negation matches no value", {"StringNotEquals": {S: "${aws:username}"}}, TOKEN, True),
    (VARIABLES, "a default", {"StringEquals": {S: "${aws:username, 'David'}"}}, ADMIN, True),
    (
        VARIABLES,
        "a default is for missing keys",
        {"StringEquals": {S: "${" + A + ", 'David'}"}},
        ADMIN,
        False,
    ),
    (VARIABLES, "${*} is a star", {"StringLike": {S: "a${*}b"}}, replace(TOKEN, subject="a*b"), True),
    (VARIABLES, "${*} is no wildcard", {"StringLike": {S: "a${*}b"}}, replace(TOKEN, subject="axb"), False),
    (VARIABLES, "${?} is a question mark", {"StringLike": {S: "${?}"}}, replace(TOKEN, subject="x"), False),
    (VARIABLES, "${$} is a dollar", {"StringEquals": {S: "${$}{x}"}}, replace(TOKEN, subject="${x}"), True),
    (KEYS, "names ignore case", {"StringEquals": {S.upper(): SUB}}, TOKEN, True),
    (KEYS, "SecureTransport is always there", {"Null": {"aws:SecureTransport": "false"}}, TOKEN, True),
    (KEYS, "username is not, without a user", {"Null": {"aws:username": "true"}}, TOKEN, True),
    (
        KEYS,
        "an unsigned request has no organization",
        {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        TOKEN,
        False,
    ),
    (KEYS, "nor no organization", {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, TOKEN, True),
    (KEYS, "nor a principal's ARN", {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1:role/*"}}, TOKEN, False),
    (KEYS, "nor tags", {"StringEquals": {"aws:PrincipalTag/team": "a"}}, TOKEN, False),
    (
        KEYS,
        "nor an organization's path",
        {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}},
        TOKEN,
        False,
    ),
    (KEYS, "and is no service", {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}, TOKEN, True),
    (
        KEYS,
        "but an account: anonymous",
        {"StringEquals": {"aws:PrincipalAccount": "111122223333"}},
        TOKEN,
        False,
    ),
    (KEYS, "and some id", {"Null": {"aws:userid": "true"}}, TOKEN, False),
    (
        KEYS,
        "seconds are for bearer tokens",
        {"NumericLessThanEquals": {"sts:DurationSeconds": "3600"}},
        TOKEN,
        False,
    ),
    (KEYS, "or as if there", {"NumericLessThanEqualsIfExists": {"sts:DurationSeconds": "3600"}}, TOKEN, True),
    (KEYS, "a session has a name", {"Null": {"sts:RoleSessionName": "false"}}, TOKEN, True),
    (KEYS, "whatever it is", {"StringLike": {"sts:RoleSessionName": "*"}}, TOKEN, True),
    (KEYS, "and not none", {"StringNotLike": {"sts:RoleSessionName": "*"}}, TOKEN, False),
    (KEYS, "there is a time", {"Null": {"aws:CurrentTime": "false"}}, TOKEN, True),
    (
        KEYS,
        "either region",
        {"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}},
        EITHER,
        True,
    ),
    (KEYS, "neither region", {"StringLike": {"aws:RequestedRegion": "ap-*"}}, EITHER, False),
    (KEYS, "there or not", {"Null": {"aws:SourceVpc": ["true", "false"]}}, TOKEN, True),
    (SETS, "ForAllValues:Null, no key", {"ForAllValues:Null": {AMR: "true"}}, TOKEN, True),
    (SETS, "ForAllValues:Null, not null", {"ForAllValues:Null": {AMR: "false"}}, TOKEN, True),
    (SETS, "ForAnyValue:Null, null", {"ForAnyValue:Null": {AMR: "true"}}, TOKEN, False),
    (
        SETS,
        "ForAllValues:Null, what is not known",
        {"ForAllValues:Null": {"aws:SourceVpc": "true"}},
        TOKEN,
        True,
    ),
    (
        SETS,
        "ForAnyValue:Null, what is not known",
        {"ForAnyValue:Null": {"aws:SourceVpc": "true"}},
        TOKEN,
        False,
    ),
    (SETS, "ForAllValues:Null, a key", {"ForAllValues:Null": {AMR: "true"}}, MANY, True),
    (SETS, "ForAnyValue:Null, no key", {"ForAnyValue:Null": {AMR: "false"}}, TOKEN, False),
    (SETS, "ForAnyValue:Null, a key", {"ForAnyValue:Null": {AMR: "false"}}, MANY, False),
    (OPERATORS, "no value at all", {"StringEquals": {S: []}}, TOKEN, False),
    (OPERATORS, "none of no values", {"StringNotEquals": {S: []}}, TOKEN, True),
    (OPERATORS, "a year is a date", {"DateGreaterThan": {"aws:CurrentTime": "2020"}}, TIMED, True),
    (
        OPERATORS,
        "a date has a zone",
        {"DateEquals": {"aws:CurrentTime": "2020-05-01T02:00+02:00"}},
        TIMED,
        True,
    ),
    (OPERATORS, "epoch time is a number", {"NumericEquals": {"aws:EpochTime": "1588291200.0"}}, TIMED, True),
    (OPERATORS, "a far future", {"DateLessThan": {"aws:EpochTime": "999999999999999"}}, TIMED, True),
    (KEYS, "nobody calls through a service", {"Null": {"aws:CalledVia": "true"}}, TOKEN, True),
    (GRAMMAR, "numbers and booleans need no quotes", {"Null": {S: False}}, TOKEN, True),
    (GRAMMAR, "brackets of one value are optional", {"StringEquals": {S: [SUB]}}, TOKEN, True),
    (GRAMMAR, "no condition is a true one", {}, TOKEN, True),
]


def _statement(**elements: Any) -> dict[str, Any]:
    whole = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
    }
    return {key: value for key, value in {**whole, **elements}.items() if value is not None}


def _policy(*statements: Any, version: str | None = "2012-10-17") -> dict[str, Any]:
    return {**({} if version is None else {"Version": version}), "Statement": list(statements)}


@pytest.mark.parametrize(
    ("page", "says", "condition", "token", "expected"),
    CONDITIONS,
    ids=[f"{row[0]}: {row[1]}" for row in CONDITIONS],
)
def test_conditions(
    page: str, says: str, condition: dict[str, Any], token: WebIdentity, expected: bool
) -> None:
    found = explain(_policy(_statement(Condition=condition)), token)
    assert (found.admitted, is_certain(found)) == (expected, True)


@pytest.mark.parametrize(
    ("page", "says", "condition", "token", "expected"),
    CONDITIONS,
    ids=[f"{row[0]}: {row[1]}" for row in CONDITIONS],
)
def test_the_same_conditions_of_a_deny(
    page: str, says: str, condition: dict[str, Any], token: WebIdentity, expected: bool
) -> None:
    found = explain(_policy(_statement(), _statement(Effect="Deny", Condition=condition)), token)
    assert (found.admitted, is_certain(found)) == (not expected, True)


# page, what it says, the statement's elements, whether it admits the token
ELEMENTS: list[tuple[str, str, dict[str, Any], bool]] = [
    (PRINCIPAL, "a provider", {"Principal": {"Federated": PROVIDER}}, True),
    (PRINCIPAL, "one of several", {"Principal": {"Federated": ["www.amazon.com", PROVIDER]}}, True),
    (PRINCIPAL, "of several kinds", {"Principal": {"AWS": "123456789012", "Federated": PROVIDER}}, True),
    (PRINCIPAL, "another provider", {"Principal": {"Federated": "cognito-identity.amazonaws.com"}}, False),
    (PRINCIPAL, "no wildcard in a name", {"Principal": {"Federated": PROVIDER[:-3] + "*"}}, False),
    (PRINCIPAL, "an account is no provider", {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}, False),
    (PRINCIPAL, "a service is no provider", {"Principal": {"Service": "ec2.amazonaws.com"}}, False),
    (PRINCIPAL, "everybody", {"Principal": "*"}, True),
    (
        "reference_policies_elements_notprincipal",
        "all but these",
        {"Principal": None, "NotPrincipal": {"AWS": "1"}},
        True,
    ),
    (
        "reference_policies_elements_notprincipal",
        "but these",
        {"Principal": None, "NotPrincipal": {"Federated": PROVIDER}},
        False,
    ),
    (
        "reference_policies_elements_action",
        "case is ignored",
        {"Action": "STS:ASSUMEROLEWITHWEBIDENTITY"},
        True,
    ),
    ("reference_policies_elements_action", "wildcards", {"Action": "sts:AssumeRole*"}, True),
    ("reference_policies_elements_action", "? is one", {"Action": "sts:AssumeRoleWithWebIdentit?"}, True),
    ("reference_policies_elements_action", "all", {"Action": "*"}, True),
    (
        "reference_policies_elements_action",
        "another",
        {"Action": ["sts:AssumeRole", "sts:TagSession"]},
        False,
    ),
    (
        "reference_policies_elements_notaction",
        "all but these",
        {"Action": None, "NotAction": "sts:TagSession"},
        True,
    ),
    (
        "reference_policies_elements_notaction",
        "but these",
        {"Action": None, "NotAction": "sts:AssumeRole*"},
        False,
    ),
    ("reference_policies_elements_effect", "Allow and Deny only", {"Effect": "allow"}, False),
]


@pytest.mark.parametrize(
    ("page", "says", "elements", "expected"), ELEMENTS, ids=[f"{row[0]}: {row[1]}" for row in ELEMENTS]
)
def test_elements(page: str, says: str, elements: dict[str, Any], expected: bool) -> None:
    assert explain(_policy(_statement(**elements)), TOKEN).admitted is expected


def test_an_explicit_deny_goes_first_wherever_it_stands() -> None:
    """reference_policies_evaluation-logic."""
    deny = _statement(Effect="Deny", Action="sts:*", Principal="*")
    for policy in (_policy(deny, _statement()), _policy(_statement(), deny)):
        found = explain(policy, TOKEN)
        assert not found.admitted
        assert is_certain(found)


def test_what_nothing_allows_is_denied() -> None:
    """reference_policies_evaluation-logic: the implicit deny."""
    assert not explain(_policy(_statement(Effect="Deny", Action="sts:TagSession")), TOKEN).admitted
    assert not explain({"Version": "2012-10-17"}, TOKEN).admitted


@pytest.mark.parametrize(
    ("version", "expected"), [("2012-10-17", True), ("2008-10-17", False), (None, False)]
)
def test_variables_came_with_a_version(version: str | None, expected: bool) -> None:
    """reference_policies_elements_version: before, and without a Version, they are plain text."""
    statement = _statement(Condition={"StringEquals": {S: "${" + S + "}"}})
    assert explain(_policy(statement, version=version), TOKEN).admitted is expected
    literal = replace(TOKEN, subject="${x}")
    plain = _statement(Condition={"StringEquals": {S: "${x}"}})
    assert explain(_policy(plain, version=version), literal).admitted is not expected


# Keys whose value nobody outside can know, and tests that the documentation leaves open.
OPEN: list[tuple[str, dict[str, Any], WebIdentity]] = [
    ("where the pod is", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, TOKEN),
    ("through which VPC", {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, TOKEN),
    ("not through which VPC", {"StringNotEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}, TOKEN),
    ("when", {"DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"}}, TOKEN),
    ("a window of time, at no time", {"DateGreaterThan": {"aws:EpochTime": "1500000000"}}, TOKEN),
    ("a time as a text", {"StringLike": {"aws:CurrentTime": "2020-*"}}, TIMED),
    ("the SDK's session name", {"StringLike": {"sts:RoleSessionName": "app-*"}}, TOKEN),
    ("not that session name", {"StringNotEqualsIfExists": {"sts:RoleSessionName": "app"}}, TOKEN),
    ("the type of principal", {"StringEquals": {"aws:PrincipalType": "Anonymous"}}, TOKEN),
    ("the role's tags", {"StringEquals": {"aws:ResourceTag/team": "a", "iam:ResourceTag/team": "a"}}, TOKEN),
    ("whether there is a VPC", {"Null": {"aws:SourceVpc": "false"}}, TOKEN),
    ("a region of two", {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, EITHER),
    ("not a region of two", {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, EITHER),
    ("not a number", {"NumericLessThan": {"aws:EpochTime": "1e999999"}}, TIMED),
    ("a date of no calendar", {"DateLessThan": {"aws:CurrentTime": "2020-02-31"}}, TIMED),
    ("an address with a zone", {"IpAddress": {"aws:SourceIp": "fe80::1%eth0/64"}}, TIMED),
    ("a variable of such a key", {"StringEquals": {S: "${aws:userid}"}}, TOKEN),
    ("several values without a quantifier", {"StringEquals": {AMR: "Message"}}, TWO),
    ("several values as a variable", {"StringEquals": {S: "${" + AMR + "}"}}, TWO),
    ("ForAnyValue and IfExists", {"ForAnyValue:StringEqualsIfExists": {AMR: "x"}}, TOKEN),
    ("an ARN operator for what is none", {"ArnNotLike": {S: "arn:aws:iam::1:role/x"}}, TOKEN),
    ("a number operator for what is none", {"NumericNotEquals": {S: "5"}}, TOKEN),
    ("an operator in another case", {"stringEquals": {S: SUB}}, TOKEN),
    ("binary", {"BinaryEquals": {S: "QUJD"}}, TOKEN),
]


@pytest.mark.parametrize(("what", "condition", "token"), OPEN, ids=[row[0] for row in OPEN])
def test_what_can_not_be_known_admits_nobody_and_says_so(
    what: str, condition: dict[str, Any], token: WebIdentity
) -> None:
    allowing = explain(_policy(_statement(Condition=condition)), token)
    assert (allowing.admitted, is_certain(allowing)) == (False, False)
    failure = allowing.verdicts[0].failure
    assert failure is not None
    assert (failure.part, failure.unknown) == ("Condition", True)
    denying = explain(_policy(_statement(), _statement(Effect="Deny", Condition=condition)), token)
    assert (denying.admitted, is_certain(denying), denying.denied_by) == (False, False, (1,))


@pytest.mark.parametrize("principal", [{"Federated": "*"}, {"AWS": "*"}])
def test_a_star_under_a_kind_of_principals_is_not_documented(principal: dict[str, str]) -> None:
    found = explain(_policy(_statement(Principal=principal)), TOKEN)
    assert (found.admitted, is_certain(found)) == (False, False)
    # What fails for sure goes before it.
    found = explain(_policy(_statement(Principal=principal, Condition={"StringEquals": {S: "x"}})), TOKEN)
    assert (found.admitted, is_certain(found)) == (False, True)
