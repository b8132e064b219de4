"""Who can become which role: web identity, Pod Identity, chains; and who may do something by it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.audit.estate import AuditedAccount, AuditedAssociation
from irsa_cli.core.audit.reach import DEPTH, Reachable, SubjectIndex, who_can
from irsa_cli.core.audit.ways import By
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import Answer, explain
from tests.support.documents import Json, doc, statement
from tests.support.estates import (
    ACCOUNT,
    PODS,
    READ,
    SA,
    STS,
    admits,
    arn_of,
    cluster,
    estate,
    issuer_of,
    provider_of,
    role,
    trust,
)
from tests.support.thoroughness import examples

NAMES = ("app", "app-2", "web", "default")
SPACES = ("prod", "prod-evil", "dev")
ACCOUNTS = [AuditedAccount(space, name) for space in SPACES for name in NAMES]
VALUES = ["*", "?", "a", "app", "prod", "prod*", "*:app", f"{SA}*", f"{SA}prod*", f"{SA}prod:app"]
VALUE = st.one_of(
    st.sampled_from([*VALUES, f"{SA}prod:*", f"{SA}*:*", f"{SA}dev:web", f"{SA}PROD:app", "${*}"]),
    st.sampled_from(ACCOUNTS).map(lambda item: item.subject),
)
OPERATORS = """StringEquals StringLike StringNotEquals StringNotLike StringEqualsIgnoreCase Null ArnLike
ForAnyValue:StringLike ForAllValues:StringNotLike StringLikeIfExists"""
ROWS = st.tuples(
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(OPERATORS.split()),
    st.lists(VALUE, max_size=3),
)


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(ROWS, max_size=3))
def test_classes_of_subjects_are_judged_as_each_of_them_is(rows: list[tuple[str, str, list[str]]]) -> None:
    issuer = issuer_of("c")
    blocks = [(effect, {operator: {f"{issuer}:sub": values}}) for effect, operator, values in rows]
    document = trust(
        *({**admits("c", None), "Effect": effect, "Condition": block} for effect, block in blocks)
    )

    def answer(subject: str) -> Answer:
        return explain(document, WebIdentity(provider_of("c"), f"https://{issuer}", subject, STS)).answer

    seen: list[str] = []
    for one, members in SubjectIndex.of(ACCOUNTS).classes(document, issuer):
        assert {answer(item) for item in members} == {answer(one)}
        seen += members
    assert sorted(seen) == sorted(item.subject for item in ACCOUNTS)


def reach_of(*roles: Any, accounts: Any = ACCOUNTS, **more: Any) -> Reachable:
    return Reachable(estate(roles, [cluster("c", *accounts, **more)]))


def test_who_is_not_admitted_has_no_way() -> None:
    """Without the provider nobody is, and by an audience that it does not take."""
    assert Reachable(estate([role("r", admits("c", None))], [cluster("c", *ACCOUNTS)], {})).ways == {}
    assert reach_of(role("r", admits("c", None, audience="https://other"))).ways == {}


def test_pod_identity_gives_the_role_of_the_association_if_its_trust_admits_it() -> None:
    names = ("yes", "no", "maybe", "gone")
    pods = tuple(AuditedAssociation("prod", name, f"a-{name}", arn_of(name)) for name in names)
    keys = {
        "yes": {"aws:RequestTag/kubernetes-namespace": "prod"},
        "no": {"aws:RequestTag/kubernetes-namespace": "dev"},
        "maybe": {"aws:SourceOrgID": "o-1"},
    }
    roles = [role(name, {**PODS, "Condition": {"StringEquals": key}}) for name, key in keys.items()]
    ways = reach_of(*roles, associations=pods).ways
    assert set(ways) == {arn_of("yes"), arn_of("maybe")}
    (way,) = ways[arn_of("yes")]
    assert (way.by, way.accounts, way.statement) == (
        By.POD_IDENTITY,
        frozenset(("prod/yes",)),
        "association a-yes",
    )
    assert ways[arn_of("maybe")][0].conditions


def test_pod_identity_is_asked_by_aws_over_tls_with_the_name_that_eks_knows() -> None:
    tests = doc(
        """{"StringEquals": {"aws:RequestTag/eks-cluster-name": "c"},
        "Bool": {"aws:PrincipalIsAWSService": "true", "aws:SecureTransport": "true"}}"""
    )
    pods = (AuditedAssociation("prod", "app", "a-1", arn_of("r")),)
    same_name_elsewhere = replace(cluster("c", *ACCOUNTS, associations=pods), name="eu-west-1/c")
    reach = Reachable(estate([role("r", {**PODS, "Condition": tests})], [same_name_elsewhere]))
    ((way,),) = reach.ways.values()
    assert (way.by, way.conditions) == (By.POD_IDENTITY, ())


def for_role(principal: str, **more: Any) -> Document:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more}


def policies(*texts: str, **more: Any) -> Json:
    """The settings of a role with these statements, and elements of the last one."""
    statements = [statement(text) for text in texts]
    statements[-1] |= more
    return {"attached": (), "inline": {"p": {"Statement": statements}}}


def may_assume(resource: str, **more: Any) -> Json:
    return policies(f"Allow sts:AssumeRole on {resource}", **more)


APP = admits("c", f"{SA}prod:app")
OFFICE = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}


ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.parametrize(
    ("principal", "settings", "reached"),
    [
        (ROOT, may_assume("*"), True),
        (ACCOUNT, may_assume(arn_of("b")), True),
        ("*", may_assume(arn_of("b*")), True),
        (arn_of("a"), {}, True),
        (arn_of("a"), policies("Deny sts:AssumeRole on *"), False),
        (ROOT, {}, False),
        (ROOT, may_assume(arn_of("c")), False),
        (arn_of("x"), may_assume("*"), False),
        ("arn:aws:iam::999999999999:root", may_assume("*"), False),
    ],
)
def test_both_sides_have_to_allow_a_chain(principal: str, settings: Json, reached: bool) -> None:
    reach = reach_of(role("a", APP, **settings), role("b", for_role(principal)))
    one, other = arn_of("a"), arn_of("b")
    assert [path.roles for path in reach.paths(other)] == ([(one, other)] if reached else [])
    assert [path.role for path in reach.all_paths("prod/app")] == ([one, other] if reached else [one])


def test_a_cycle_ends_and_is_no_further_way() -> None:
    one, other = arn_of("a"), arn_of("b")
    reach = reach_of(role("a", APP, for_role(other)), role("b", for_role(one)))
    assert [path.roles for path in reach.all_paths("prod/app")] == [(one,), (one, other)]
    assert [path.roles for path in reach.paths(one)] == [(one,)]


def test_only_the_shortest_way_of_each_service_account_to_each_role() -> None:
    names = [f"r{number}" for number in range(5)]
    roles = [role(name, admits("c", f"{SA}prod:{name}"), for_role(ROOT), **may_assume("*")) for name in names]
    goal = role("goal", for_role(ROOT), **policies("Allow * on *"))
    accounts = [AuditedAccount("prod", name, arn_of(name)) for name in names]
    reach = reach_of(*roles, goal, accounts=accounts)
    pairs = [(path.role, name) for path in reach.all_paths() for name in path.way.accounts]
    assert len(pairs) == len(set(pairs)) == 30
    assert sorted(len(path.hops) for path in reach.all_paths()) == [0] * 5 + [1] * 25
    assert len(list(who_can(reach, "s3:DeleteBucket"))) == 5


def test_a_sure_way_goes_before_a_shorter_one_that_depends_on_something() -> None:
    one, other, last = map(arn_of, "abc")
    reach = reach_of(
        role("a", APP),
        role("b", for_role(one)),
        role("c", for_role(one, Condition=OFFICE), for_role(other)),
        role("d", for_role(one, Condition=OFFICE)),
    )
    (sure,) = reach.paths(last)
    assert (sure.roles, sure.conditions) == ((one, other, last), ())
    (maybe,) = reach.paths(arn_of("d"))
    assert len(maybe.conditions) == 1


def test_what_one_way_has_already_another_one_does_not_repeat() -> None:
    reach = reach_of(
        role("r", admits("c", f"{SA}prod:a*", operator="StringLike"), for_role(arn_of("x"))),
        role("x", admits("c", f"{SA}prod:*", operator="StringLike")),
    )
    direct, chained = reach.paths(arn_of("r"))
    assert direct.way.accounts == {"prod/app", "prod/app-2"}
    assert chained.way.accounts == {"prod/web", "prod/default"}


def test_chains_end_at_their_depth() -> None:
    chain = [role(f"r{number}", for_role(arn_of(f"r{number - 1}"))) for number in range(1, 10)]
    reach = reach_of(role("r0", APP), *chain)
    assert max(len(path.hops) for path in reach.all_paths("prod/app")) == DEPTH
    assert list(reach.paths(arn_of("r9"))) == []


def test_who_can_do_something_by_the_effective_permissions() -> None:
    delete = "Allow s3:Delete* on arn:aws:s3:::mine*"
    reach = reach_of(
        role("yes", APP, **policies(delete)),
        role("reads", APP),
        role("bounded", APP, **policies(delete), boundary=READ),
        role("unread", APP, **policies(delete), boundary="arn:aws:iam::1:policy/unknown"),
        role("denied", APP, **policies(delete, "Deny * on *")),
        role("nobody", PODS, **policies(delete)),
        role("chained", for_role(arn_of("reads")), **policies(delete)),
    )
    everybody = {"chained": False, "yes": False, "unread": True}
    for asked, expected in (
        (("s3:DeleteBucket",), everybody),
        (("S3:deletebucket", "arn:aws:s3:::mine-1"), everybody),
        (("s3:DeleteBucket", "arn:aws:s3:::other"), {}),
    ):
        found = [
            (item.path.role.rpartition("/")[2], bool(item.conditions)) for item in who_can(reach, *asked)
        ]
        assert found == list(expected.items())
    assert [item.path.role for item in who_can(reach, "sqs:GetQueueUrl")] == [arn_of("reads")]
    (first, *_) = who_can(reach, "s3:DeleteBucket")
    assert (first.accounts, first.allowed.by) == (("prod/app",), "p, statement 1")
    assert first.allowed.resources == ("arn:aws:s3:::mine*",)


def test_a_policy_that_was_not_read_is_an_if() -> None:
    unread = replace(role("r", APP), attached=frozenset({"arn:aws:iam::1:policy/unknown"}))
    (found,) = who_can(reach_of(unread), "s3:DeleteBucket")
    assert "was not read" in found.conditions[0]
    assert json.dumps(found.allowed.conditions)
