"""Roles of pods that are administrators, become ones, or read all data: planted, with what has to be said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.estate import AuditedAccount, AuditedAssociation
from irsa_cli.core.trust.rules.power import ESCALATIONS, check_power, power
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.errors import Refused
from tests.support.estates import (
    ACCOUNT,
    ADMIN,
    PODS,
    POLICIES,
    SA,
    account,
    admits,
    arn_of,
    cluster,
    estate,
    role,
)
from tests.support.thoroughness import examples

OTHER = "999999999999"
IAM = f"arn:aws:iam::{ACCOUNT}"
BOUNDARY = f"{IAM}:policy/boundary"


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def when(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


def may(*statements: Any, **more: Any) -> dict[str, Any]:
    return {"attached": (), "inline": ("p",), "documents": {"p": {"Statement": list(statements)}}, **more}


OFFICE = when("IpAddress", "aws:SourceIp", "10.0.0.0/8")
INSECURE = when("Bool", "aws:SecureTransport", "false")
UNTAGGED = when("Null", "aws:RequestTag/x", "true")


def passes_to(service: str) -> dict[str, Any]:
    functions = allow(["lambda:CreateFunction", "lambda:InvokeFunction"])
    return may(functions, allow("iam:PassRole", **when("StringEquals", "iam:PassedToService", service)))


def trusts(principal: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more}


def tight(name: str = "app", *statements: Any, **more: Any) -> Any:
    return role(name, admits("c", f"{SA}prod:app"), *statements, **more)


def audit(*roles: Any, **more: Any) -> Audit:
    return Audit(estate(roles, [cluster("c", account("app", roles[0].name))], **more))


def found(*roles: Any, **more: Any) -> list[tuple[str, str]]:
    """Rule and severity of what is said of the first role."""
    risks = audit(*roles, **more).risks
    return [(item.rule.id, item.severity.value) for item in risks if item.role == roles[0].arn]


def said(*roles: Any, **more: Any) -> Risk:
    (risk,) = (item for item in audit(*roles, **more).risks if item.role == roles[0].arn)
    return risk


IS, CAN, MAY = (
    ("administrator-role", "high"),
    ("can-become-administrator", "high"),
    ("can-become-administrator", "medium"),
)
READS, MAY_READ = ("reads-all-data", "medium"), ("reads-all-data", "low")


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ({"attached": (ADMIN,)}, [IS]),
        (may(allow("*")), [IS]),
        (may(allow("iam:*", f"{IAM}:*")), [IS]),
        (may(allow("iam:*", "arn:aws:iam::*:*")), [IS]),
        (may(allow("iam:*", f"{IAM}:role/*")), [IS]),
        (may(allow("iam:*", "arn:aws:iam::${aws:PrincipalAccount}:*")), [IS]),
        (may({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}), [CAN, READS]),
        (may({"Effect": "Allow", "Action": "iam:*", "NotResource": f"{IAM}:role/x"}), [IS]),
        (may(allow("*", **when("Bool", "aws:SecureTransport", "true"))), [IS]),
        (may(allow("*", **when("StringEquals", "aws:PrincipalAccount", ACCOUNT))), [IS]),
        (may(allow("*", **when("Bool", "aws:SecureTransport", "false"))), []),
        (may(allow("*", **when("StringEquals", "aws:PrincipalAccount", OTHER))), []),
        (may(allow("*", **OFFICE)), [MAY, MAY_READ]),
        (may(allow("iam:PutRolePolicy", arn_of("app"))), [CAN]),
        (may(allow("iam:PutRolePolicy", arn_of("other"))), []),
        (may(allow("iam:PutRolePolicy", arn_of("app")), boundary=BOUNDARY), []),
        (
            may(allow("*", **OFFICE), allow("iam:PutRolePolicy")),
            [CAN, MAY_READ],
        ),
        (may(allow("*", **when("StringEquals", "aws:ResourceAccount", ACCOUNT))), [IS]),
        (may(allow("*", **when("StringEquals", "aws:PrincipalTag/team", "a")), tags={"team": "a"}), [IS]),
        (may(allow("*", **when("StringEquals", "aws:PrincipalTag/team", "a")), tags={"team": "b"}), []),
        (may(allow("*", **when("StringEquals", "aws:PrincipalTag/team", "a"))), [MAY, MAY_READ]),
        (may(allow("*", **when("ForAllValues:Null", "aws:x", "true"))), [IS]),
        (may(allow("iam:AttachRolePolicy", f"arn:aws:iam::{OTHER}:role/*")), []),
        (may(allow("iam:AttachRolePolicy", **when("ArnEquals", "iam:PolicyARN", f"{IAM}:policy/safe"))), []),
        (may(allow("iam:AttachRolePolicy", **when("ArnLike", "iam:PolicyARN", f"{IAM}:policy/*"))), [MAY]),
        (passes_to("lambda.amazonaws.com"), [CAN]),
        (passes_to("ec2.amazonaws.com"), []),
        (may(allow("*"), deny("*")), []),
        (may(allow("iam:AttachRolePolicy"), deny("iam:*Role*")), []),
        (
            may(allow("iam:AttachRolePolicy"), deny("iam:*", **when("Bool", "aws:SecureTransport", "false"))),
            [CAN],
        ),
        (
            may(allow("iam:AttachRolePolicy"), deny("iam:*", **when("Null", "aws:RequestTag/x", "true"))),
            [MAY],
        ),
        (may(allow("iam:AttachRolePolicy"), deny("iam:*", arn_of("boss"))), [CAN]),
        (may(allow("lambda:UpdateFunctionCode")), [MAY]),
        (may(allow("lambda:UpdateFunctionCode", f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:mine")), []),
        (may(allow("sts:AssumeRole")), [MAY]),
        (may(allow("iam:PassRole")), []),
        (may(allow(["s3:Get*", "kms:Decrypt"])), [READS]),
        (may(allow("s3:GetObject", "arn:aws:s3:::*/*")), [READS]),
        (may(allow("s3:GetObject", "arn:aws:s3:::mine/*")), []),
        (may(allow("ssm:GetParameter", f"arn:aws:ssm:*:{ACCOUNT}:parameter/*")), [READS]),
        (may(allow("ssm:GetParameter", "arn:aws:ssm:*:*:parameter/aws/service/*")), []),
        (may(allow("secretsmanager:*", "*", **when("StringEquals", "aws:ResourceTag/a", "b"))), [MAY_READ]),
        (may(allow("ec2:Describe*")), []),
        (may(allow("*"), boundary=BOUNDARY), [IS]),
        (may(allow("iam:*"), boundary=f"{IAM}:policy/unread"), [MAY]),
        (may(allow("lambda:*"), boundary=BOUNDARY), []),
    ],
)
def test_the_power_of_a_role_that_only_its_service_account_gets(
    policies: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    limit = {"Statement": [allow("iam:*")]}
    assert found(tight(**policies), policies={**POLICIES, BOUNDARY: limit}) == expected


PATHS = [(way, scope) for way in ESCALATIONS for scope in ("*", "account")]


@pytest.mark.parametrize(("way", "scope"), PATHS, ids=[f"{way.id} on {scope}" for way, scope in PATHS])
def test_each_way_of_the_list_is_found_on_all_resources_and_on_those_of_the_account(
    way: Any, scope: str
) -> None:
    def resource(action: str) -> str:
        service = action.partition(":")[0]
        where = "iam:" if service in ("iam", "sts") else f"{service}:*"
        return "*" if scope == "*" else f"arn:aws:{where}:{ACCOUNT}:*"

    risk = said(tight(**may(*(allow(action, resource(action)) for action in way.actions))))
    assert risk.rule.id == "can-become-administrator"
    for left in way.actions:
        rest = [action for action in way.actions if action != left]
        if not any(set(other.actions) <= set(rest) for other in ESCALATIONS):
            assert found(tight(**may(allow(rest)))) == [], left


def test_everything_under_a_condition_is_much_and_nobody_is_given_it_unasked() -> None:
    much = power([], {"p": {"Statement": allow("*", **OFFICE)}})
    assert much.startswith("* in policy p, if ")
    with pytest.raises(Refused, match="is too powerful for"):
        check_power(arn_of("p"), "prod/app", much, ["p"])


def test_of_a_policy_of_aws_that_was_not_read_the_arn_tells_enough() -> None:
    assert power([ADMIN], {ADMIN: {}}) == power([ADMIN], {}) == "AdministratorAccess"


def test_a_role_that_is_passed_by_name_counts_if_it_is_an_administrator_of_that_service() -> None:
    passes = may(
        allow("iam:PassRole", arn_of("target")), allow(["lambda:CreateFunction", "lambda:InvokeFunction"])
    )
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    assert found(tight(**passes), role("target", service, attached=(ADMIN,))) == [CAN]
    assert found(tight(**passes), role("target", service)) == []
    assert found(tight(**passes), role("target", service, **may(allow("iam:PutRolePolicy")))) == [CAN]
    assert found(tight(**passes), role("target", PODS, attached=(ADMIN,))) == []


@pytest.mark.parametrize(
    ("actions", "kind", "expected"),
    [
        (["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"], "role", [CAN]),
        (["iam:AttachRolePolicy", "sts:AssumeRole"], "role", [MAY]),
        (["iam:PutUserPolicy", "iam:CreateAccessKey"], "user", [CAN]),
    ],
)
def test_two_rights_on_the_same_user_or_role(actions: list[str], kind: str, expected: Any) -> None:
    one, other = f"{IAM}:{kind}/one", f"{IAM}:{kind}/other"
    assert found(tight(**may(allow(actions, one)))) == expected
    assert found(tight(**may(allow(actions[0], one), allow(actions[1], other)))) == []


def test_a_policy_of_its_own_that_it_may_write() -> None:
    own = f"{IAM}:policy/own"
    policies = {**POLICIES, own: {"Statement": [allow("iam:CreatePolicyVersion", own)]}}
    assert found(tight(attached=(own,)), policies=policies) == [CAN]
    assert found(tight(**may(allow("iam:CreatePolicyVersion", own))), policies=policies) == []


def test_an_administrator_behind_other_roles() -> None:
    boss = role("boss", trusts(arn_of("mid")), attached=(ADMIN,))
    risk = said(tight(), role("mid", trusts(arn_of("app"))), boss)
    assert (risk.rule.id, risk.severity.value) == CAN
    assert f"by assuming {arn_of('mid')} -> {arn_of('boss')}" in risk.sentence
    assert len([line for line in risk.evidence if "->" in line]) == 2
    maybe = role("boss", trusts(arn_of("app"), **OFFICE), attached=(ADMIN,))
    assert (said(tight(), maybe).rule.id, said(tight(), maybe).severity.value) == MAY
    assert found(tight(), role("boss", trusts(arn_of("other")), attached=(ADMIN,))) == []


def test_who_gets_a_powerful_role_is_evidence() -> None:
    assert any("prod/app of cluster c" in line for line in said(tight(attached=(ADMIN,))).evidence)


def test_a_hop_into_an_account_that_was_not_read_is_named() -> None:
    foreign = f"arn:aws:iam::{OTHER}:role/x"
    line = f"roles of account {OTHER} that pods can assume were not read: {arn_of('app')} -> {foreign}"
    assert audit(tight(**may(allow("sts:AssumeRole", foreign)))).unread == (line,)
    assert audit(tight(**may(allow("sts:AssumeRole", foreign), deny("sts:*")))).unread == ()
    assert audit(tight(**may(allow("sts:AssumeRole", arn_of("gone"))))).unread == ()
    both = frozenset((ACCOUNT, OTHER))
    assert audit(tight(**may(allow("sts:AssumeRole", foreign))), accounts=both).unread == ()
    any_account = "arn:aws:iam::*:role/deploy"
    line = f"roles of other accounts that pods can assume were not read: {arn_of('app')} -> {any_account}"
    assert audit(tight(**may(allow("sts:AssumeRole", any_account)))).unread == (line,)
    mid = role("mid", trusts(arn_of("app")), **may(allow("sts:AssumeRole", foreign)))
    assert f"{arn_of('mid')} -> {foreign}" in audit(tight(), mid).unread[0]


def test_a_role_of_an_account_that_was_not_read_is_named_with_who_has_it() -> None:
    foreign = f"arn:aws:iam::{OTHER}:role/x"
    own = AuditedAccount("prod", "app", foreign)
    pods = AuditedAssociation("prod", "web", "a-1", foreign)
    unread = Audit(estate((), [cluster("c", own, associations=(pods,))])).unread
    assert (
        f"roles of account {OTHER} that pods can assume were not read:"
        f" prod/app of c -> {foreign}, prod/web of c -> {foreign}"
    ) in unread


def test_policies_that_were_not_read_are_named() -> None:
    unread = f"{IAM}:policy/unread"
    (line,) = audit(tight(attached=(unread,))).unread
    assert line.endswith(arn_of("app"))
    assert (
        audit(
            role("nobodys", PODS | {"Principal": {"Service": "ec2.amazonaws.com"}}, attached=(unread,))
        ).unread
        == ()
    )


def test_a_role_of_no_pod_is_not_told() -> None:
    assert found(role("boss", trusts(f"{IAM}:root"), attached=(ADMIN,))) == [("annotated-refused", "low")]


def test_roles_can_be_compared_and_the_worst_is_named() -> None:
    roles = [
        tight("none"),
        tight("reads", **may(allow("s3:GetObject"))),
        tight("depends", **may(allow("ssm:SendCommand"))),
        tight("maybe", **may(allow("*", **OFFICE))),
        tight("can", **may(allow("iam:PutRolePolicy"))),
        tight("is", attached=(ADMIN,)),
    ]
    trusts_of = audit(*roles).trusts
    powers = [trusts_of.powers(item) for item in roles]
    assert powers == sorted(powers)
    assert len(set(powers)) == len(roles)
    assert (
        trusts_of.worst([arn_of("can"), arn_of("is"), arn_of("none")])
        == f"AdministratorAccess ({arn_of('is')})"
    )
    assert trusts_of.worst([arn_of("maybe"), arn_of("none")]).startswith("* in policy p, if IpAddress")


def test_what_lets_somebody_get_a_powerful_role_is_worse() -> None:
    gone = role("gone", admits("c", f"{SA}prod:gone"), attached=(ADMIN,))
    silent = role("silent", admits("c", f"{SA}prod:app"), attached=(ADMIN,))
    risks = audit(tight(), gone, silent).risks
    severities = {item.rule.id: item.severity.value for item in risks if item.role in (gone.arn, silent.arn)}
    assert severities == {
        "administrator-role": "high",
        "subject-gone": "high",
        "admitted-not-annotated": "high",
    }
    assert all("AdministratorAccess" in item.reason for item in risks)


WORDS = st.sampled_from(["StringEquals", "Null", "aws:x", "iam:PolicyARN"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["*", "iam:*", "arn:aws:iam::*:role/*", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=6,
)
KEYS = ("Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5), max_size=3), JSON)
def test_whatever_policies_are_judging_them_does_not_fail(items: list[Any], limit: Any) -> None:
    document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", **item} for item in items]}
    policies = {BOUNDARY: {"Statement": limit}}
    audit(tight(inline=("p",), documents={"p": document}, boundary=BOUNDARY), policies=policies).risks  # noqa: B018


ACTION = st.sampled_from(["*", "iam:*", "iam:Put*", "iam:PassRole", "lambda:*", "s3:*", "sts:AssumeRole"])
RESOURCE = st.sampled_from(["*", f"{IAM}:*", f"{IAM}:role/*", arn_of("app"), arn_of("boss"), "x"])
CONDITION = st.sampled_from([{}, {}, OFFICE, INSECURE, when("Bool", "aws:SecureTransport", "true")])
PARTS = st.tuples(ACTION, RESOURCE, CONDITION)
STATEMENT = PARTS.map(lambda parts: allow(parts[0], parts[1], **parts[2]))


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(STATEMENT, max_size=3), STATEMENT)
def test_more_is_allowed_by_an_allow_and_less_by_a_deny_or_a_boundary(before: list[Any], one: Any) -> None:
    def level(*statements: Any, **more: Any) -> int:
        policies = {BOUNDARY: {"Statement": [one]}}
        roles = (tight(**may(*statements, **more)), role("boss", attached=(ADMIN,)))
        return audit(*roles, policies=policies).trusts.powers(roles[0]).level

    first = level(*before)
    assert level(*before, one) >= first
    assert level(*before, {**one, "Effect": "Deny"}) <= first
    assert level(*before, boundary=BOUNDARY) <= first
