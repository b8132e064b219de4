"""What IAM's documentation says about evaluating a policy, fact by fact, with a policy and a token for each.

The pages are those of the IAM User Guide: reference_policies_elements_* (ACTION, EFFECT, NOTACTION,
NOTPRINCIPAL, PRINCIPAL; OPERATORS: condition_operators), reference_policies_* (GRAMMAR, VARIABLES; KEYS:
condition-keys; OIDC: iam-condition-keys; SETS: condition-single-vs-multi-valued-context-keys; LOGIC:
condition-logic-multiple-context-keys-or-values).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from irsa_cli.core.policies.web_identity import WebIdentity, region_called
from irsa_cli.core.trust.evaluation import explain
from tests.unit.trust.certainty import is_certain
from tests.unit.trust.written import TOKEN, allow, on, policy

DAVID = replace(TOKEN, subject="David", request={"sts:RoleSessionName": ("David",)})
MANY = replace(TOKEN, claims={"amr": ("PostDateTime", "UserName")})
TWO = replace(TOKEN, claims={"amr": ("PostDateTime", "Message")})
EMPTY = replace(TOKEN, claims={"amr": ("",)})
AT = {"aws:CurrentTime": ("2020-05-01T00:00:00Z",), "aws:EpochTime": ("1588291200",)}
TIMED = replace(TOKEN, request={**AT, "aws:SourceIp": ("203.0.113.77",)})
EITHER = replace(TOKEN, request={"aws:RequestedRegion": region_called("eu-west-1", regional=False)})
FINANCE = "arn:aws:someservice:us-east-2:999999999999:store/abc:1:finance/d"
TAG = replace(TOKEN, request={"aws:PrincipalArn": (FINANCE,)})

CONDITIONS: list[tuple[WebIdentity, bool, dict[str, str]]] = [
    (
        TOKEN,
        True,
        {
            "OIDC: the EKS example": (
                '{"StringEquals": {"<P>:aud": "sts.amazonaws.com", "<P>:sub": "<SUB>"}}'
            ),
            "OPERATORS: StringEqualsIgnoreCase is not": (
                '{"StringEqualsIgnoreCase": {"<P>:sub": "SYSTEM:SERVICEACCOUNT:BACKEND:READER"}}'
            ),
            "OPERATORS: * anywhere": '{"StringLike": {"<P>:sub": "system:*:reader"}}',
            "OPERATORS: * may be nothing": '{"StringLike": {"<P>:sub": "<SUB>*"}}',
            "OPERATORS: ? is one character": (
                '{"StringLike": {"<P>:sub": "system:serviceaccount:backend:reade?"}}'
            ),
            "OPERATORS: a missing key satisfies a negation": '{"StringNotEquals": {"aws:TagKeys": "x"}}',
            "OPERATORS: so does it with ArnNotLike": '{"ArnNotLike": {"aws:SourceArn": "arn:*:*:*:*:*"}}',
            "OPERATORS: IfExists: missing is true": '{"StringLikeIfExists": {"<P>:email": "x"}}',
            "OPERATORS: Null true: the key isn't there": '{"Null": {"aws:TokenIssueTime": "true"}}',
            "OPERATORS: Bool": '{"Bool": {"aws:SecureTransport": "true"}}',
            "LOGIC: values are joined by OR": (
                '{"StringEquals": {"<P>:sub": ["x", "<SUB>"], "<P>:aud": ["y", "sts.amazonaws.com"]}}'
            ),
            "LOGIC: NOR, none of them": '{"StringNotEquals": {"<P>:sub": ["x", "y"]}}',
            "SETS: ForAllValues: no key is true": '{"ForAllValues:StringEquals": {"<P>:amr": "x"}}',
            "VARIABLES: a negation matches no value": '{"StringNotEquals": {"<P>:sub": "${aws:username}"}}',
            "KEYS: names ignore case": (
                '{"StringEquals": {"OIDC.EKS.EU-WEST-1.AMAZONAWS.COM/ID/ABC:SUB": "<SUB>"}}'
            ),
            "KEYS: SecureTransport is always there": '{"Null": {"aws:SecureTransport": "false"}}',
            "KEYS: username is not, without a user": '{"Null": {"aws:username": "true"}}',
            "KEYS: nor no organization": '{"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}',
            "KEYS: and is no service": '{"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}',
            "KEYS: or as if there": '{"NumericLessThanEqualsIfExists": {"sts:DurationSeconds": "3600"}}',
            "KEYS: a session has a name": '{"Null": {"sts:RoleSessionName": "false"}}',
            "KEYS: whatever it is": '{"StringLike": {"sts:RoleSessionName": "*"}}',
            "KEYS: there is a time": '{"Null": {"aws:CurrentTime": "false"}}',
            "KEYS: there or not": '{"Null": {"aws:SourceVpc": ["true", "false"]}}',
            "SETS: ForAllValues:Null, no key": '{"ForAllValues:Null": {"<P>:amr": "true"}}',
            "SETS: ForAllValues:Null, not null": '{"ForAllValues:Null": {"<P>:amr": "false"}}',
            "SETS: ForAllValues:Null, what is not known": '{"ForAllValues:Null": {"aws:SourceVpc": "true"}}',
            "OPERATORS: none of no values": '{"StringNotEquals": {"<P>:sub": []}}',
            "KEYS: nobody calls through a service": '{"Null": {"aws:CalledVia": "true"}}',
            "GRAMMAR: numbers and booleans need no quotes": '{"Null": {"<P>:sub": false}}',
            "GRAMMAR: brackets of one value are optional": '{"StringEquals": {"<P>:sub": ["<SUB>"]}}',
            "GRAMMAR: no condition is a true one": "{}",
        },
    ),
    (
        TOKEN,
        False,
        {
            "OIDC: another subject": (
                '{"StringEquals": {"<P>:aud": "sts.amazonaws.com", "<P>:sub": "<SUB>s"}}'
            ),
            "OPERATORS: StringEquals is exact": (
                '{"StringEquals": {"<P>:sub": "SYSTEM:SERVICEACCOUNT:BACKEND:READER"}}'
            ),
            "OPERATORS: StringLike distinguishes case": '{"StringLike": {"<P>:sub": "SYSTEM:*"}}',
            "OPERATORS: ? is not none": '{"StringLike": {"<P>:sub": "<SUB>?"}}',
            "OPERATORS: no wildcards in StringEquals": '{"StringEquals": {"<P>:sub": "system:*"}}',
            "OPERATORS: StringNotLike is the negation": '{"StringNotLike": {"<P>:sub": "system:*"}}',
            "OPERATORS: a missing key does not match": '{"StringEquals": {"aws:TagKeys": "x"}}',
            "OPERATORS: IfExists: there, it is tested": '{"StringLikeIfExists": {"<P>:sub": "x"}}',
            "OPERATORS: Null false: it is": '{"Null": {"aws:TokenIssueTime": "false"}}',
            "OPERATORS: Null of a key that is there": '{"Null": {"<P>:sub": "true"}}',
            "OPERATORS: Bool, the other value": '{"Bool": {"aws:SecureTransport": "false"}}',
            "LOGIC: operators are joined by AND": (
                '{"StringEquals": {"<P>:sub": "<SUB>"}, "StringLike": {"<P>:aud": "x*"}}'
            ),
            "LOGIC: keys are joined by AND": '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "x"}}',
            "LOGIC: values of a negation by NOR": '{"StringNotEquals": {"<P>:sub": ["x", "<SUB>"]}}',
            "SETS: ForAnyValue: no key is false": '{"ForAnyValue:StringEquals": {"<P>:amr": "x"}}',
            "VARIABLES: no value equals nothing": '{"StringEquals": {"<P>:sub": "${aws:username}"}}',
            "VARIABLES: no value is like nothing": '{"StringLike": {"<P>:sub": "*${aws:username}"}}',
            "KEYS: an unsigned request has no organization": (
                '{"StringEquals": {"aws:PrincipalOrgID": "o-1"}}'
            ),
            "KEYS: nor a principal's ARN": '{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1:role/*"}}',
            "KEYS: nor tags": '{"StringEquals": {"aws:PrincipalTag/team": "a"}}',
            "KEYS: nor an organization's path": (
                '{"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}'
            ),
            "KEYS: but an account: anonymous": '{"StringEquals": {"aws:PrincipalAccount": "111122223333"}}',
            "KEYS: and some id": '{"Null": {"aws:userid": "true"}}',
            "KEYS: seconds are for bearer tokens": (
                '{"NumericLessThanEquals": {"sts:DurationSeconds": "3600"}}'
            ),
            "KEYS: and not none": '{"StringNotLike": {"sts:RoleSessionName": "*"}}',
            "SETS: ForAnyValue:Null, null": '{"ForAnyValue:Null": {"<P>:amr": "true"}}',
            "SETS: ForAnyValue:Null, what is not known": '{"ForAnyValue:Null": {"aws:SourceVpc": "true"}}',
            "SETS: ForAnyValue:Null, no key": '{"ForAnyValue:Null": {"<P>:amr": "false"}}',
            "OPERATORS: no value at all": '{"StringEquals": {"<P>:sub": []}}',
        },
    ),
    (
        TIMED,
        True,
        {
            "OPERATORS: a date before": '{"DateLessThan": {"aws:CurrentTime": "2020-06-30T23:59:59Z"}}',
            "OPERATORS: a date in epoch time": '{"DateGreaterThan": {"aws:EpochTime": "1500000000"}}',
            "OPERATORS: an address in a range": '{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}',
            "OPERATORS: both families": (
                '{"IpAddress": {"aws:SourceIp": ["2001:DB8::/64", "203.0.113.0/24"]}}'
            ),
            "OPERATORS: a year is a date": '{"DateGreaterThan": {"aws:CurrentTime": "2020"}}',
            "OPERATORS: a date has a zone": '{"DateEquals": {"aws:CurrentTime": "2020-05-01T02:00+02:00"}}',
            "OPERATORS: epoch time is a number": '{"NumericEquals": {"aws:EpochTime": "1588291200.0"}}',
            "OPERATORS: a far future": '{"DateLessThan": {"aws:EpochTime": "999999999999999"}}',
        },
    ),
    (
        TIMED,
        False,
        {
            "OPERATORS: a date after": '{"DateGreaterThan": {"aws:CurrentTime": "2020-06-30T23:59:59Z"}}',
            "OPERATORS: DateNotEquals": '{"DateNotEquals": {"aws:CurrentTime": "2020-05-01T00:00:00Z"}}',
            "OPERATORS: an address without prefix is /32": '{"IpAddress": {"aws:SourceIp": "203.0.113.7"}}',
            "OPERATORS: NotIpAddress": '{"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}',
        },
    ),
    (
        TAG,
        False,
        {
            "OPERATORS: ARNs part by part": (
                '{"ArnLike": {"aws:PrincipalArn": "arn:aws:someservice:*:1:finance/*"}}'
            ),
            "OPERATORS: ArnNotEquals negates": (
                '{"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:*:us-*:*:*"}}'
            ),
        },
    ),
    (
        TAG,
        True,
        {
            "OPERATORS: strings across parts": (
                '{"StringLike": {"aws:PrincipalArn": "arn:aws:someservice:*:1:finance/*"}}'
            ),
            "OPERATORS: each part of an ARN": (
                '{"ArnEquals": {"aws:PrincipalArn": "arn:aws:*:us-*:999999999999:store/*"}}'
            ),
        },
    ),
    (
        TWO,
        True,
        {
            "SETS: ForAllValues: each one is listed": (
                '{"ForAllValues:StringEquals": {"<P>:amr": ["PostDateTime", "Message", "Tags"]}}'
            ),
        },
    ),
    (
        MANY,
        False,
        {
            "SETS: ForAllValues: one is not": (
                '{"ForAllValues:StringEquals": {"<P>:amr": ["PostDateTime", "Message", "Tags"]}}'
            ),
            "SETS: ForAnyValue: none of them": '{"ForAnyValue:StringEquals": {"<P>:amr": ["ID", "Tags"]}}',
            "SETS: ForAnyValue:Null, a key": '{"ForAnyValue:Null": {"<P>:amr": "false"}}',
        },
    ),
    (
        EMPTY,
        True,
        {
            "SETS: ForAllValues: an empty value is none": '{"ForAllValues:StringEquals": {"<P>:amr": "x"}}',
        },
    ),
    (
        MANY,
        True,
        {
            "SETS: ForAnyValue: one of them": (
                '{"ForAnyValue:StringEquals": {"<P>:amr": ["ID", "PostDateTime"]}}'
            ),
            "SETS: wildcards need StringLike": '{"ForAnyValue:StringLike": {"<P>:amr": "Post*"}}',
            "SETS: ForAllValues:Null, a key": '{"ForAllValues:Null": {"<P>:amr": "true"}}',
        },
    ),
    (
        EMPTY,
        False,
        {
            "SETS: ForAnyValue: an empty value is none": '{"ForAnyValue:StringLike": {"<P>:amr": "*"}}',
        },
    ),
    (
        DAVID,
        True,
        {
            "VARIABLES: a key's value": '{"StringEquals": {"sts:RoleSessionName": "${<P>:sub}"}}',
            "VARIABLES: a default": '{"StringEquals": {"<P>:sub": "${aws:username, \'David\'}"}}',
        },
    ),
    (
        DAVID,
        False,
        {
            "VARIABLES: within a text": '{"StringLike": {"<P>:sub": "Dav${*}"}}',
            "VARIABLES: a default is for missing keys": (
                '{"StringEquals": {"<P>:sub": "${<P>:aud, \'David\'}"}}'
            ),
        },
    ),
    (
        replace(TOKEN, subject="a*b"),
        True,
        {
            "VARIABLES: ${*} is a star": '{"StringLike": {"<P>:sub": "a${*}b"}}',
        },
    ),
    (
        replace(TOKEN, subject="axb"),
        False,
        {
            "VARIABLES: ${*} is no wildcard": '{"StringLike": {"<P>:sub": "a${*}b"}}',
        },
    ),
    (
        replace(TOKEN, subject="x"),
        False,
        {
            "VARIABLES: ${?} is a question mark": '{"StringLike": {"<P>:sub": "${?}"}}',
        },
    ),
    (
        replace(TOKEN, subject="${x}"),
        True,
        {
            "VARIABLES: ${$} is a dollar": '{"StringEquals": {"<P>:sub": "${$}{x}"}}',
        },
    ),
    (
        EITHER,
        True,
        {
            "KEYS: either region": '{"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}',
        },
    ),
    (
        EITHER,
        False,
        {
            "KEYS: neither region": '{"StringLike": {"aws:RequestedRegion": "ap-*"}}',
        },
    ),
]
"""The token, whether a statement admits it, and such conditions: the page and what it says, and the test."""


@pytest.mark.parametrize(("token", "expected", "conditions"), CONDITIONS)
def test_conditions(token: WebIdentity, expected: bool, conditions: dict[str, str]) -> None:
    """Of an Allow, and of a Deny beside another Allow."""
    for says, text in conditions.items():
        found = explain(policy(on(text)), token)
        assert (found.admitted, is_certain(found)) == (expected, True), says
        found = explain(policy(allow(), on(text, Effect="Deny")), token)
        assert (found.admitted, is_certain(found)) == (not expected, True), says


ELEMENTS: list[tuple[bool, dict[str, str]]] = [
    (
        True,
        {
            "PRINCIPAL: a provider": '{"Principal": {"Federated": "<PROVIDER>"}}',
            "PRINCIPAL: one of several": '{"Principal": {"Federated": ["www.amazon.com", "<PROVIDER>"]}}',
            "PRINCIPAL: of several kinds": (
                '{"Principal": {"AWS": "123456789012", "Federated": "<PROVIDER>"}}'
            ),
            "PRINCIPAL: everybody": '{"Principal": "*"}',
            "NOTPRINCIPAL: all but these": '{"Principal": null, "NotPrincipal": {"AWS": "1"}}',
            "ACTION: case is ignored": '{"Action": "STS:ASSUMEROLEWITHWEBIDENTITY"}',
            "ACTION: wildcards": '{"Action": "sts:AssumeRole*"}',
            "ACTION: ? is one": '{"Action": "sts:AssumeRoleWithWebIdentit?"}',
            "ACTION: all": '{"Action": "*"}',
            "NOTACTION: all but these": '{"Action": null, "NotAction": "sts:TagSession"}',
        },
    ),
    (
        False,
        {
            "PRINCIPAL: another provider": '{"Principal": {"Federated": "cognito-identity.amazonaws.com"}}',
            "PRINCIPAL: no wildcard in a name": (
                '{"Principal": {"Federated": '
                '"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A*"}}'
            ),
            "PRINCIPAL: an account is no provider": (
                '{"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}'
            ),
            "PRINCIPAL: a service is no provider": '{"Principal": {"Service": "ec2.amazonaws.com"}}',
            "NOTPRINCIPAL: but these": '{"Principal": null, "NotPrincipal": {"Federated": "<PROVIDER>"}}',
            "ACTION: another": '{"Action": ["sts:AssumeRole", "sts:TagSession"]}',
            "NOTACTION: but these": '{"Action": null, "NotAction": "sts:AssumeRole*"}',
            "EFFECT: Allow and Deny only": '{"Effect": "allow"}',
        },
    ),
]


@pytest.mark.parametrize(("expected", "elements"), ELEMENTS)
def test_elements(expected: bool, elements: dict[str, str]) -> None:
    for says, text in elements.items():
        assert explain(policy(allow(text)), TOKEN).admitted is expected, says


def test_an_explicit_deny_goes_first_wherever_it_stands() -> None:
    """reference_policies_evaluation-logic."""
    deny = allow(Effect="Deny", Action="sts:*", Principal="*")
    for document in (policy(deny, allow()), policy(allow(), deny)):
        found = explain(document, TOKEN)
        assert (found.admitted, is_certain(found)) == (False, True)


def test_what_nothing_allows_is_denied() -> None:
    """reference_policies_evaluation-logic: the implicit deny."""
    assert not explain(policy(allow(Effect="Deny", Action="sts:TagSession")), TOKEN).admitted
    assert not explain({"Version": "2012-10-17"}, TOKEN).admitted


@pytest.mark.parametrize(("version", "expected"), [("2012-10-17", True), ("2008-10-17", False), ("", False)])
def test_variables_came_with_a_version(version: str, expected: bool) -> None:
    """reference_policies_elements_version: before, and without a Version, they are plain text."""
    named = {"Version": version} if version else {}
    statement = on('{"StringEquals": {"<P>:sub": "${<P>:sub}"}}')
    assert explain({**named, "Statement": [statement]}, TOKEN).admitted is expected
    plain = on('{"StringEquals": {"<P>:sub": "${x}"}}')
    literal = replace(TOKEN, subject="${x}")
    assert explain({**named, "Statement": [plain]}, literal).admitted is not expected


OPEN: list[tuple[WebIdentity, dict[str, str]]] = [
    (
        TOKEN,
        {
            "where the pod is": '{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}',
            "through which VPC": '{"StringEquals": {"aws:SourceVpc": "vpc-1"}}',
            "not through which VPC": '{"StringNotEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}',
            "when": '{"DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"}}',
            "a window of time, at no time": '{"DateGreaterThan": {"aws:EpochTime": "1500000000"}}',
            "the SDK's session name": '{"StringLike": {"sts:RoleSessionName": "app-*"}}',
            "not that session name": '{"StringNotEqualsIfExists": {"sts:RoleSessionName": "app"}}',
            "the type of principal": '{"StringEquals": {"aws:PrincipalType": "Anonymous"}}',
            "the role's tags": (
                '{"StringEquals": {"aws:ResourceTag/team": "a", "iam:ResourceTag/team": "a"}}'
            ),
            "whether there is a VPC": '{"Null": {"aws:SourceVpc": "false"}}',
            "a variable of such a key": '{"StringEquals": {"<P>:sub": "${aws:userid}"}}',
            "ForAnyValue and IfExists": '{"ForAnyValue:StringEqualsIfExists": {"<P>:amr": "x"}}',
            "an ARN operator for what is none": '{"ArnNotLike": {"<P>:sub": "arn:aws:iam::1:role/x"}}',
            "a number operator for what is none": '{"NumericNotEquals": {"<P>:sub": "5"}}',
            "an operator in another case": '{"stringEquals": {"<P>:sub": "<SUB>"}}',
            "binary": '{"BinaryEquals": {"<P>:sub": "QUJD"}}',
        },
    ),
    (
        TIMED,
        {
            "a time as a text": '{"StringLike": {"aws:CurrentTime": "2020-*"}}',
            "not a number": '{"NumericLessThan": {"aws:EpochTime": "1e999999"}}',
            "a date of no calendar": '{"DateLessThan": {"aws:CurrentTime": "2020-02-31"}}',
            "an address with a zone": '{"IpAddress": {"aws:SourceIp": "fe80::1%eth0/64"}}',
        },
    ),
    (
        EITHER,
        {
            "a region of two": '{"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}',
            "not a region of two": '{"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}',
        },
    ),
    (
        TWO,
        {
            "several values without a quantifier": '{"StringEquals": {"<P>:amr": "Message"}}',
            "several values as a variable": '{"StringEquals": {"<P>:sub": "${<P>:amr}"}}',
        },
    ),
]
"""Keys whose value nobody outside can know, and tests that the documentation leaves open."""


@pytest.mark.parametrize(("token", "conditions"), OPEN)
def test_what_can_not_be_known_admits_nobody_and_says_so(
    token: WebIdentity, conditions: dict[str, str]
) -> None:
    for what, text in conditions.items():
        allowing = explain(policy(on(text)), token)
        assert (allowing.admitted, is_certain(allowing)) == (False, False), what
        failure = allowing.verdicts[0].failure
        assert failure, what
        assert (failure.part, failure.unknown) == ("Condition", True), what
        denying = explain(policy(allow(), on(text, Effect="Deny")), token)
        assert (denying.admitted, is_certain(denying), denying.denied_by) == (False, False, (1,)), what


@pytest.mark.parametrize("kind", ["Federated", "AWS"])
def test_a_star_under_a_kind_of_principals_is_not_documented(kind: str) -> None:
    found = explain(policy(allow(Principal={kind: "*"})), TOKEN)
    assert (found.admitted, is_certain(found)) == (False, False)
    # What fails for sure goes before it.
    found = explain(policy(on('{"StringEquals": {"<P>:sub": "x"}}', Principal={kind: "*"})), TOKEN)
    assert (found.admitted, is_certain(found)) == (False, True)
