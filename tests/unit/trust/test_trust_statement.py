"""The statement that irsa writes: it admits one token and no other, and comes and goes without a trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from irsa_cli.core.policies import policy
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.trust_policy import admits, contains, statement, with_statement, without_statement
from irsa_cli.core.values.arn import host_path
from tests.support.documents import Json
from tests.support.trusts import trust_of
from tests.unit.plan import strategies as some
from tests.unit.policies.test_policy import shuffled

FIELDS = ("provider_arn", "issuer", "subject", "audience")


@given(some.identities(), some.identities(), st.sets(st.sampled_from(FIELDS), min_size=1))
def test_the_policy_admits_exactly_its_token(
    identity: WebIdentity, other: WebIdentity, fields: set[str]
) -> None:
    document = trust_of(identity)
    assert admits(document, identity)
    stranger = replace(identity, **{field: getattr(other, field) for field in fields})
    assert admits(document, stranger) == (stranger == identity)


@given(some.identities(), st.sampled_from(["x", "*", "?", ":", "-", ""]))
def test_a_subject_that_only_begins_or_ends_alike_is_refused(identity: WebIdentity, extra: str) -> None:
    document = trust_of(identity)
    for subject in (identity.subject + extra, extra + identity.subject, identity.subject.upper()):
        stranger = replace(identity, subject=subject)
        assert admits(document, stranger) == (subject == identity.subject)


@given(some.identities())
def test_the_statement_is_the_documented_one(identity: WebIdentity) -> None:
    prefix = identity.issuer.removeprefix("https://")
    assert statement(identity) == {
        "Effect": "Allow",
        "Principal": {"Federated": identity.provider_arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{prefix}:aud": identity.audience, f"{prefix}:sub": identity.subject}
        },
    }
    assert trust_of(identity)["Version"] == "2012-10-17"


@given(some.identities(), some.labels, some.labels)
def test_a_pattern_admits_what_it_matches(identity: WebIdentity, prefix: str, rest: str) -> None:
    namespace = identity.subject.split(":")[2]
    pattern = replace(identity, subject=f"system:serviceaccount:{namespace}:{prefix}-*")
    document = trust_of(pattern, pattern=True)
    admitted = replace(identity, subject=f"system:serviceaccount:{namespace}:{prefix}-{rest}")
    assert admits(document, admitted)
    for other in (
        replace(admitted, subject=f"system:serviceaccount:{namespace}:{prefix}"),
        replace(admitted, subject=f"system:serviceaccount:{namespace}x:{prefix}-{rest}"),
        replace(admitted, audience="other"),
    ):
        assert not admits(document, other)


def test_an_audience_is_never_a_pattern() -> None:
    identity = WebIdentity("arn:p", "https://i", "system:serviceaccount:a:b", "*")
    document = trust_of(identity, pattern=True)
    assert not admits(document, replace(identity, audience="sts.amazonaws.com"))


def statements_around() -> st.SearchStrategy[list[Json]]:
    foreign = st.builds(statement, some.identities()) | some.statements()
    return st.lists(foreign, max_size=3)


@given(some.identities(), statements_around(), st.data())
def test_adding_and_taking_away_leaves_no_trace(
    identity: WebIdentity, others: list[Json], data: st.DataObject
) -> None:
    wanted = statement(identity)
    before = {"Version": "2008-10-17", "Id": "theirs", "Statement": others}
    assume(not contains(before, wanted))
    after = with_statement(before, wanted)
    assert contains(after, wanted)
    assert after == {**before, "Statement": [*others, wanted]}
    assert before["Statement"] == others
    assert without_statement(after, wanted) == before
    # IAM may give it back in another form.
    reshaped = {**after, "Statement": [*others, {"Sid": "Their1", **shuffled(data, wanted)}]}
    assert contains(reshaped, wanted)
    assert without_statement(reshaped, wanted) == before


@given(some.identities(), some.statements())
def test_a_policy_of_one_bare_statement_keeps_it(identity: WebIdentity, other: Json) -> None:
    wanted = statement(identity)
    before = {"Version": "2012-10-17", "Statement": other}
    after = with_statement(before, wanted)
    assert after["Statement"] == [other, wanted]
    assert policy.equal(without_statement(after, wanted), before)
    assert with_statement({}, wanted) == {"Statement": [wanted]}


@given(some.identities(), some.identities())
def test_the_statement_of_another_is_not_ours(identity: WebIdentity, other: WebIdentity) -> None:
    document = trust_of(other)
    assert contains(document, statement(identity)) == (identity == other)
    if identity != other:
        assert without_statement(document, statement(identity)) == document


@pytest.mark.parametrize("element", ["Effect", "Principal", "Action", "Condition"])
def test_a_statement_that_differs_in_one_element_is_another(element: str) -> None:
    identity = WebIdentity("arn:p", "https://i", "s", "a")
    wanted = statement(identity)
    assert not contains({"Statement": [{**wanted, element: "other"}, "junk", None]}, wanted)
    assert not contains({"Statement": {**wanted, "Resource": "*"}}, wanted)


@given(some.identities())
def test_adding_the_statement_admits_the_token(identity: WebIdentity) -> None:
    node = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    before = {"Statement": node}
    assert not admits(before, identity)
    assert admits(with_statement(before, statement(identity)), identity)
    assert host_path(identity.issuer) in policy.dump(statement(identity))
