"""Roles of pods that are administrators, become ones, or read all data: planted, with what has to be said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.estate import AuditedAccount, AuditedAssociation
from irsa_cli.core.trust.rules.escalations import ESCALATIONS
from irsa_cli.core.trust.rules.power import check_power, power
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.errors import Refused
from tests.support.documents import Json, statement
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


def allowing(texts: str, condition: str = "") -> list[Json]:
    """Statements with `; ` between them; the last one has the condition."""
    found = [statement(text) for text in texts.split("; ")]
    if condition:
        found[-1]["Condition"] = json.loads(condition)
    return found


def may(texts: str, condition: str = "", **more: Any) -> Json:
    """The settings of a role that has these statements and no other policy."""
    return {
        "attached": (),
        "inline": {"p": {"Statement": allowing(texts, condition)}},
        **more,
    }


OFFICE = '{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}'
INSECURE = '{"Bool": {"aws:SecureTransport": "false"}}'


PASSING = "Allow lambda:CreateFunction,lambda:InvokeFunction on *; Allow iam:PassRole on *"


def negated(elements: str) -> Json:
    """The settings of a role with an Allow of these elements."""
    document = {"Statement": [{"Effect": "Allow", **json.loads(elements)}]}
    return {"attached": (), "inline": {"p": document}}


def trusts(principal: str, **more: Any) -> Json:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more}


def tight(name: str = "app", *statements: Any, **more: Any) -> Any:
    return role(name, admits("c", f"{SA}prod:app"), *statements, **more)


def audit(*roles: Any, **more: Any) -> Audit:
    return Audit(estate(roles, [cluster("c", account("app", roles[0].name))], **more))


def found(*roles: Any, **more: Any) -> str:
    """What is said of the first role, in short."""
    risks = audit(*roles, **more).risks
    return ", ".join(map(in_short, (item for item in risks if item.role == roles[0].arn)))


def in_short(item: Risk) -> str:
    short = SHORT[item.rule.id, item.severity.value]
    return f"may {short.removesuffix('s')}" if short == "reads" and ", if " in item.extent else short


def said(*roles: Any, **more: Any) -> Risk:
    (risk,) = (item for item in audit(*roles, **more).risks if item.role == roles[0].arn)
    return risk


SHORT = {
    ("administrator-role", "high"): "is",
    ("can-become-administrator", "high"): "can",
    ("can-become-administrator", "medium"): "may",
    ("reads-all-data", "note"): "reads",
}
POWERS = [
    # Statements, the condition of the last one, and what is said.
    ("Allow * on *", "", "is"),
    ("Allow iam:* on arn:aws:iam::111122223333:*", "", "is"),
    ("Allow iam:* on arn:aws:iam::*:*", "", "is"),
    ("Allow iam:* on arn:aws:iam::111122223333:role/*", "", "is"),
    ("Allow iam:* on arn:aws:iam::${aws:PrincipalAccount}:*", "", "is"),
    ("Allow * on *", '{"Bool": {"aws:SecureTransport": "true"}}', "is"),
    ("Allow * on *", '{"StringEquals": {"aws:PrincipalAccount": "111122223333"}}', "is"),
    ("Allow * on *", '{"StringEquals": {"aws:ResourceAccount": "111122223333"}}', "is"),
    ("Allow * on *", '{"ForAllValues:Null": {"aws:x": "true"}}', "is"),
    ("Allow * on *", '{"StringEquals": {"aws:PrincipalAccount": "999999999999"}}', ""),
    ("Allow * on *", INSECURE, ""),
    ("Allow * on *", OFFICE, "may, may read"),
    ("Allow * on *", '{"StringEquals": {"aws:PrincipalTag/team": "a"}}', "may, may read"),
    ("Allow iam:PutRolePolicy on *; Allow * on *", OFFICE, "can, may read"),
    ("Allow iam:PutRolePolicy on arn:aws:iam::111122223333:role/app", "", "can"),
    ("Allow iam:PutRolePolicy on arn:aws:iam::111122223333:role/other", "", ""),
    ("Allow iam:AttachRolePolicy on arn:aws:iam::999999999999:role/*", "", ""),
    ("Allow iam:AttachRolePolicy on *", '{"ArnEquals": {"iam:PolicyARN": "<IAM>:policy/safe"}}', ""),
    ("Allow iam:AttachRolePolicy on *", '{"ArnLike": {"iam:PolicyARN": "<IAM>:policy/*"}}', "may"),
    (PASSING, '{"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}', "can"),
    (PASSING, '{"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}', ""),
    ("Allow * on *; Deny * on *", "", ""),
    ("Allow iam:AttachRolePolicy on *; Deny iam:*Role* on *", "", ""),
    ("Allow iam:AttachRolePolicy on *; Deny iam:* on *", INSECURE, "can"),
    ("Allow iam:AttachRolePolicy on *; Deny iam:* on *", '{"Null": {"aws:RequestTag/x": "true"}}', "may"),
    ("Allow iam:AttachRolePolicy on *; Deny iam:* on arn:aws:iam::111122223333:role/boss", "", "can"),
    ("Allow lambda:UpdateFunctionCode on *", "", "may"),
    ("Allow lambda:UpdateFunctionCode on arn:aws:lambda:eu-west-1:111122223333:function:mine", "", ""),
    ("Allow sts:AssumeRole on *", "", "may"),
    ("Allow iam:PassRole on *", "", ""),
    ("Allow s3:Get*,kms:Decrypt on *", "", "reads"),
    ("Allow s3:GetObject on arn:aws:s3:::*/*", "", "reads"),
    ("Allow s3:GetObject on arn:aws:s3:::mine/*", "", ""),
    ("Allow ssm:GetParameter on arn:aws:ssm:*:111122223333:parameter/*", "", "reads"),
    ("Allow ssm:GetParameter on arn:aws:ssm:*:*:parameter/aws/service/*", "", ""),
    ("Allow secretsmanager:* on *", '{"StringEquals": {"aws:ResourceTag/a": "b"}}', "may read"),
    ("Allow ec2:Describe* on *", "", ""),
]


@pytest.mark.parametrize(("texts", "condition", "expected"), POWERS)
def test_the_power_of_a_role_that_only_its_service_account_gets(
    texts: str, condition: str, expected: str
) -> None:
    assert found(tight(**may(texts, condition.replace("<IAM>", IAM)))) == expected


TEAM = '{"StringEquals": {"aws:PrincipalTag/team": "a"}}'


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"attached": (ADMIN,)}, "is"),
        (may("Allow iam:PutRolePolicy on arn:aws:iam::111122223333:role/app", boundary=BOUNDARY), ""),
        (may("Allow * on *", TEAM, tags={"team": "a"}), "is"),
        (may("Allow * on *", TEAM, tags={"team": "b"}), ""),
        (may("Allow * on *", boundary=BOUNDARY), "is"),
        (may("Allow iam:* on *", boundary=f"{IAM}:policy/unread"), "may"),
        (may("Allow lambda:* on *", boundary=BOUNDARY), ""),
        (negated('{"NotAction": "s3:*", "Resource": "*"}'), "can, reads"),
        (negated('{"Action": "iam:*", "NotResource": "arn:aws:iam::111122223333:role/x"}'), "is"),
    ],
)
def test_its_tags_and_its_boundary_count(settings: Json, expected: str) -> None:
    limit = {"Statement": allowing("Allow iam:* on *")}
    assert found(tight(**settings), policies={**POLICIES, BOUNDARY: limit}) == expected


PATHS = [(way, scope) for way in ESCALATIONS for scope in ("*", "account")]


@pytest.mark.parametrize(("way", "scope"), PATHS, ids=[f"{way.id} on {scope}" for way, scope in PATHS])
def test_each_way_of_the_list_is_found_on_all_resources_and_on_those_of_the_account(
    way: Any, scope: str
) -> None:
    def allowed(action: str) -> str:
        service = action.partition(":")[0]
        where = "iam:" if service in ("iam", "sts") else f"{service}:*"
        return f"Allow {action} on {'*' if scope == '*' else f'arn:aws:{where}:{ACCOUNT}:*'}"

    risk = said(tight(**may("; ".join(map(allowed, way.actions)))))
    assert risk.rule.id == "can-become-administrator"
    for left in way.actions:
        rest = [action for action in way.actions if action != left]
        if rest and not any(set(other.actions) <= set(rest) for other in ESCALATIONS):
            assert found(tight(**may(f"Allow {','.join(rest)} on *"))) == "", left


def test_everything_under_a_condition_is_much_and_nobody_is_given_it_unasked() -> None:
    much = power([], {"p": {"Statement": allowing("Allow * on *", OFFICE)}})
    assert much.startswith("* in policy p, if ")
    with pytest.raises(Refused, match="is too powerful for"):
        check_power(arn_of("p"), "prod/app", much, ["p"])


def test_a_role_that_is_passed_by_name_counts_if_it_is_an_administrator_of_that_service() -> None:
    passes = may(PASSING.replace("PassRole on *", f"PassRole on {arn_of('target')}"))
    service = {**PODS, "Principal": {"Service": "lambda.amazonaws.com"}, "Condition": {}}
    for target, expected in (
        (role("target", service, attached=(ADMIN,)), "can"),
        (role("target", service), ""),
        (role("target", service, **may("Allow iam:PutRolePolicy on *")), "can"),
        (role("target", PODS, attached=(ADMIN,)), ""),
    ):
        assert found(tight(**passes), target) == expected


@pytest.mark.parametrize(
    ("first", "second", "kind", "expected"),
    [
        ("iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "role", "can"),
        ("iam:AttachRolePolicy", "sts:AssumeRole", "role", "may"),
        ("iam:PutUserPolicy", "iam:CreateAccessKey", "user", "can"),
    ],
)
def test_two_rights_on_the_same_user_or_role(first: str, second: str, kind: str, expected: str) -> None:
    one, other = f"{IAM}:{kind}/one", f"{IAM}:{kind}/other"
    assert found(tight(**may(f"Allow {first},{second} on {one}"))) == expected
    assert found(tight(**may(f"Allow {first} on {one}; Allow {second} on {other}"))) == ""


def test_an_administrator_behind_other_roles() -> None:
    mid = role("mid", trusts(arn_of("app")))
    boss = role("boss", trusts(arn_of("mid")), attached=(ADMIN,))
    assert found(tight(), mid, boss) == "can"
    risk = said(tight(), mid, boss)
    assert f"by assuming {arn_of('mid')} -> {arn_of('boss')}" in risk.sentence
    assert len([line for line in risk.evidence if "->" in line]) == 2
    maybe = role("boss", trusts(arn_of("app"), Condition=json.loads(OFFICE)), attached=(ADMIN,))
    assert found(tight(), maybe) == "may"
    assert found(tight(), role("boss", trusts(arn_of("other")), attached=(ADMIN,))) == ""


def test_a_hop_into_an_account_that_was_not_read_is_named() -> None:
    foreign, anywhere = f"arn:aws:iam::{OTHER}:role/x", "arn:aws:iam::*:role/deploy"
    hop = f"Allow sts:AssumeRole on {foreign}"
    for texts, place, hops in (
        (hop, f"account {OTHER}", foreign),
        (f"{hop}; Deny sts:* on *", "", ""),
        (f"Allow sts:AssumeRole on {arn_of('gone')}", "", ""),
        (f"Allow sts:AssumeRole on {anywhere}", "other accounts", anywhere),
    ):
        line = f"roles of {place} that pods can assume were not read: {arn_of('app')} -> {hops}"
        assert audit(tight(**may(texts))).unread == ((line,) if place else ())
    assert audit(tight(**may(hop)), accounts=frozenset((ACCOUNT, OTHER))).unread == ()
    mid = role("mid", trusts(arn_of("app")), **may(hop))
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
    nobodys = {**PODS, "Principal": {"Service": "ec2.amazonaws.com"}}
    assert audit(role("nobodys", nobodys, attached=(unread,))).unread == ()


def test_roles_can_be_compared_and_the_worst_is_named() -> None:
    roles = [
        tight("none"),
        tight("reads", **may("Allow s3:GetObject on *")),
        tight("depends", **may("Allow ssm:SendCommand on *")),
        tight("maybe", **may("Allow * on *", OFFICE)),
        tight("can", **may("Allow iam:PutRolePolicy on *")),
        tight("is", attached=(ADMIN,)),
    ]
    trusts_of = audit(*roles).trusts
    powers = [trusts_of.powers(item) for item in roles]
    assert powers == sorted(powers)
    assert len(set(powers)) == len(roles)
    worst = trusts_of.worst([arn_of("can"), arn_of("is"), arn_of("none")])
    assert worst == f"AdministratorAccess ({arn_of('is')})"
    assert trusts_of.worst([arn_of("maybe"), arn_of("none")]).startswith("* in policy p, if IpAddress")


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
    audit(tight(inline={"p": document}, boundary=BOUNDARY), policies=policies).risks  # noqa: B018


ACTION = st.sampled_from(["*", "iam:*", "iam:Put*", "iam:PassRole", "lambda:*", "s3:*", "sts:AssumeRole"])
RESOURCE = st.sampled_from(["*", f"{IAM}:*", f"{IAM}:role/*", arn_of("app"), arn_of("boss"), "x"])
SECURE = '{"Bool": {"aws:SecureTransport": "true"}}'
CONDITION = st.sampled_from(["", "", OFFICE, INSECURE, SECURE])
STATEMENT = st.builds("Allow {} on {}".format, ACTION, RESOURCE)


PARTS = st.builds(lambda text, condition: allowing(text, condition)[0], STATEMENT, CONDITION)


@settings(max_examples=examples(200), deadline=None)
@example([allowing("Allow * on *", "")[0]], allowing("Allow * on *", OFFICE)[0])
@given(st.lists(PARTS, max_size=3), PARTS)
def test_more_is_allowed_by_an_allow_and_less_by_a_deny_or_a_boundary(before: list[Any], one: Any) -> None:
    def level(*statements: Any, **more: Any) -> int:
        settings = {**may("Allow x:y on x"), "inline": {"p": {"Statement": list(statements)}}, **more}
        roles = (tight(**settings), role("boss", attached=(ADMIN,)))
        return audit(*roles, policies={BOUNDARY: {"Statement": [one]}}).trusts.powers(roles[0]).level

    first = level(*before)
    assert level(*before, one) >= first
    assert level(*before, {**one, "Effect": "Deny"}) <= first
    assert level(*before, boundary=BOUNDARY) <= first
