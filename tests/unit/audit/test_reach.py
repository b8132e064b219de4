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
from tests.support.documents import Json
from tests.support.estates import (
    ACCOUNT,
    PODS,
    READ,
    SA,
    STS,
    account,
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
OPERATOR = st.sampled_from(
    [
        "StringEquals",
        "StringLike",
        "StringNotEquals",
        "StringNotLike",
        "StringEqualsIgnoreCase",
        "Null",
        "ArnLike",
        "ForAnyValue:StringLike",
        "ForAllValues:StringNotLike",
        "StringLikeIfExists",
    ]
)


@settings(max_examples=examples(400), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["Allow", "Allow", "Deny"]), OPERATOR, st.lists(VALUE, max_size=3)),
        max_size=3,
    )
)
def test_classes_of_subjects_are_judged_as_each_of_them_is(rows: list[tuple[str, str, list[str]]]) -> None:
    key = f"{issuer_of('c')}:sub"
    statements = [
        {**admits("c", None), "Effect": effect, "Condition": {operator: {key: values}}}
        for effect, operator, values in rows
    ]
    document = trust(*statements)

    def answer(subject: str) -> Answer:
        return explain(
            document, WebIdentity(provider_of("c"), f"https://{issuer_of('c')}", subject, STS)
        ).answer

    index = SubjectIndex.of(ACCOUNTS)
    seen: list[str] = []
    for one, members in index.classes(document, issuer_of("c")):
        assert {answer(item) for item in members} == {answer(one)}
        seen += members
    assert sorted(seen) == sorted(item.subject for item in ACCOUNTS)


def reach_of(*roles: Any, accounts: Any = ACCOUNTS, **more: Any) -> Reachable:
    return Reachable(estate(roles, [cluster("c", *accounts, **more)]))


def test_the_ways_into_a_role_tell_who_and_by_which_statement() -> None:
    reach = reach_of(
        role("r", admits("c", f"{SA}dev:web"), admits("c", f"{SA}prod:a*", operator="StringLike", Sid="Wide"))
    )
    ways = {way.statement: way for way in reach.ways[arn_of("r")]}
    assert ways["statement 1"].accounts == {"dev/web"}
    assert ways["statement 1"].named
    assert ways["statement 2 (Wide)"].accounts == {"prod/app", "prod/app-2"}
    assert not ways["statement 2 (Wide)"].named
    assert {way.by for way in ways.values()} == {By.WEB_IDENTITY}


def test_what_can_not_be_known_is_a_condition() -> None:
    block = {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
    ((way,),) = reach_of(role("r", {**admits("c", None), **block})).ways.values()
    assert "aws:SourceIp" in way.conditions[0]


def test_without_its_provider_nobody_is_admitted() -> None:
    reach = Reachable(estate([role("r", admits("c", None))], [cluster("c", *ACCOUNTS)], {}))
    assert reach.ways == {}


def test_an_audience_that_the_provider_does_not_take_admits_nobody() -> None:
    reach = reach_of(role("r", admits("c", None, audience="https://other")))
    assert reach.ways == {}


def test_pod_identity_gives_the_role_of_the_association_if_its_trust_admits_it() -> None:
    pods = [
        AuditedAssociation("prod", name, f"a-{name}", arn_of(name)) for name in ("yes", "no", "maybe", "gone")
    ]
    own = {**PODS, "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "prod"}}}
    other = {**PODS, "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "dev"}}}
    unknown = {**PODS, "Condition": {"StringEquals": {"aws:SourceOrgID": "o-1"}}}
    reach = reach_of(role("yes", own), role("no", other), role("maybe", unknown), associations=tuple(pods))
    assert set(reach.ways) == {arn_of("yes"), arn_of("maybe")}
    ((way,),) = (reach.ways[arn_of("yes")],)
    assert (way.by, way.accounts, way.statement) == (
        By.POD_IDENTITY,
        frozenset(("prod/yes",)),
        "association a-yes",
    )
    assert reach.ways[arn_of("maybe")][0].conditions


def test_pod_identity_is_asked_by_aws_over_tls_with_the_name_that_eks_knows() -> None:
    tests = {
        "StringEquals": {"aws:RequestTag/eks-cluster-name": "c"},
        "Bool": {"aws:PrincipalIsAWSService": "true", "aws:SecureTransport": "true"},
    }
    pods = (AuditedAssociation("prod", "app", "a-1", arn_of("r")),)
    same_name_elsewhere = replace(cluster("c", *ACCOUNTS, associations=pods), name="eu-west-1/c")
    reach = Reachable(estate([role("r", {**PODS, "Condition": tests})], [same_name_elsewhere]))
    ((way,),) = reach.ways.values()
    assert (way.by, way.conditions) == (By.POD_IDENTITY, ())


def for_role(principal: str, **more: Any) -> Document:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more}


def may_assume(resource: str, **more: Any) -> Json:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": resource, **more}
    return {"attached": (), "inline": ("p",), "documents": {"p": {"Statement": [statement]}}}


ALLOW_ALL = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.parametrize(
    ("principal", "policies", "reached"),
    [
        (ROOT, may_assume("*"), True),
        (ACCOUNT, may_assume(arn_of("b")), True),
        ("*", may_assume(arn_of("b*")), True),
        (arn_of("a"), {}, True),
        (arn_of("a"), may_assume("*", Effect="Deny"), False),
        (ROOT, {}, False),
        (ROOT, may_assume(arn_of("c")), False),
        (arn_of("x"), may_assume("*"), False),
        ("arn:aws:iam::999999999999:root", may_assume("*"), False),
    ],
)
def test_both_sides_have_to_allow_a_chain(principal: str, policies: Json, reached: bool) -> None:
    reach = reach_of(role("a", admits("c", f"{SA}prod:app"), **policies), role("b", for_role(principal)))
    paths = list(reach.paths(arn_of("b")))
    assert [path.roles for path in paths] == ([(arn_of("a"), arn_of("b"))] if reached else [])
    forward = [path.role for path in reach.all_paths("prod/app")]
    assert forward == [arn_of("a"), *([arn_of("b")] if reached else [])]


def test_a_chain_says_what_allows_it_and_what_has_to_hold() -> None:
    external = {"Condition": {"StringEquals": {"sts:ExternalId": "x"}}}
    reach = reach_of(
        role("a", admits("c", f"{SA}prod:app"), **may_assume("*", Condition={"Bool": {"aws:x": "true"}})),
        role("b", for_role(ROOT, Sid="In", **external)),
    )
    (path,) = reach.paths(arn_of("b"))
    (hop,) = path.hops
    assert (hop.allowed_by, hop.admitted_by) == ("p, statement 1", "statement 1 (In)")
    assert "sts:ExternalId" in path.conditions[0]
    assert "aws:x" in path.conditions[1]


def test_a_cycle_ends_and_is_no_further_way() -> None:
    reach = reach_of(
        role("a", admits("c", f"{SA}prod:app"), for_role(arn_of("b"))),
        role("b", for_role(arn_of("a"))),
    )
    assert [path.roles for path in reach.all_paths("prod/app")] == [
        (arn_of("a"),),
        (arn_of("a"), arn_of("b")),
    ]
    assert [path.roles for path in reach.paths(arn_of("a"))] == [(arn_of("a"),)]


def test_only_the_shortest_way_of_each_service_account_to_each_role() -> None:
    names = [f"r{number}" for number in range(5)]
    roots = [for_role(ROOT)]
    roles = [role(name, admits("c", f"{SA}prod:{name}"), *roots, **may_assume("*")) for name in names]
    goal = role("goal", for_role(ROOT), attached=(), inline=("p",), documents={"p": ALLOW_ALL})
    accounts = [AuditedAccount("prod", name, arn_of(name)) for name in names]
    reach = reach_of(*roles, goal, accounts=accounts)
    pairs = [(path.role, name) for path in reach.all_paths() for name in path.way.accounts]
    assert len(pairs) == len(set(pairs)) == 30
    assert sorted(len(path.hops) for path in reach.all_paths()) == [0] * 5 + [1] * 25
    assert len(list(who_can(reach, "s3:DeleteBucket"))) == 5


def test_a_sure_way_goes_before_a_shorter_one_that_depends_on_something() -> None:
    office = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    reach = reach_of(
        role("a", admits("c", f"{SA}prod:app")),
        role("b", for_role(arn_of("a"))),
        role("c", for_role(arn_of("a"), Condition=office), for_role(arn_of("b"))),
        role("d", for_role(arn_of("a"), Condition=office)),
    )
    (sure,) = reach.paths(arn_of("c"))
    assert (sure.roles, sure.conditions) == ((arn_of("a"), arn_of("b"), arn_of("c")), ())
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
    reach = reach_of(role("r0", admits("c", f"{SA}prod:app")), *chain)
    assert max(len(path.hops) for path in reach.all_paths("prod/app")) == DEPTH
    assert list(reach.paths(arn_of("r9"))) == []


def test_who_can_do_something_by_the_effective_permissions() -> None:
    app = admits("c", f"{SA}prod:app")
    delete = {"Statement": {"Effect": "Allow", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::mine*"}}
    policies = {"attached": (), "inline": ("p",), "documents": {"p": delete}}
    denied = {"p": {"Statement": [delete["Statement"], {"Effect": "Deny", "Action": "*", "Resource": "*"}]}}
    reach = reach_of(
        role("yes", app, **policies),
        role("reads", app),
        role("bounded", app, **policies, boundary=READ),
        role("unread", app, **policies, boundary="arn:aws:iam::1:policy/unknown"),
        role("denied", app, **{**policies, "documents": denied}),
        role("nobody", PODS, **policies),
        role("chained", for_role(arn_of("reads")), **policies),
    )

    def found(*asked: str) -> list[tuple[str, bool]]:
        return [(item.path.role.rpartition("/")[2], bool(item.conditions)) for item in who_can(reach, *asked)]

    everybody = [("chained", False), ("yes", False), ("unread", True)]
    assert found("s3:DeleteBucket") == everybody
    assert found("S3:deletebucket", "arn:aws:s3:::mine-1") == everybody
    assert found("s3:DeleteBucket", "arn:aws:s3:::other") == []
    names = [name for name, _ in found("sqs:GetQueueUrl")]
    assert names == ["reads"]
    (first, *_) = who_can(reach, "s3:DeleteBucket")
    assert first.accounts == ("prod/app",)
    assert first.allowed.by == "p, statement 1"
    assert first.allowed.resources == ("arn:aws:s3:::mine*",)


def test_a_policy_that_was_not_read_is_an_if() -> None:
    unread = replace(role("r", admits("c", f"{SA}prod:app")), attached=("arn:aws:iam::1:policy/unknown",))
    (found,) = who_can(reach_of(unread), "s3:DeleteBucket")
    assert "was not read" in found.conditions[0]
    assert json.dumps(found.allowed.conditions)


def test_the_same_name_in_two_clusters_is_two_service_accounts() -> None:
    roles = [role("r", admits("c", f"{SA}prod:app"))]
    reach = Reachable(estate(roles, [cluster("c", account("app")), cluster("d", account("app"))]))
    assert [path.role for path in reach.all_paths("prod/app")] == [arn_of("r")]
