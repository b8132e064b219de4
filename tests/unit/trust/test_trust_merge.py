"""Several subjects in one statement: what joins parts again, what isn't irsa's stays byte for byte."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import owned_statements, trust_policy
from irsa_cli.core.trust.trust_policy import Shared
from tests.support.documents import Json
from tests.support.trusts import trust_of
from tests.unit.plan import strategies as some

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/A"
PROVIDERS = [f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}", f"arn:aws:iam::4:oidc-provider/{ISSUER}B"]
THEIRS: list[Json] = [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    {**trust_policy.shared(PROVIDERS[0], "sts.amazonaws.com", ["s:a"]).document, "Sid": "ByHand"},
    {"Effect": "Deny", "Principal": "*", "Action": "*"},
]
subjects = st.sampled_from([f"system:serviceaccount:ns:{name}" for name in "abcdef"])
shared = st.builds(
    trust_policy.shared,
    st.sampled_from(PROVIDERS),
    st.sampled_from(["sts.amazonaws.com", "vault"]),
    st.sets(subjects | subjects.map("{}-*".format), min_size=1, max_size=4),
)


@st.composite
def documents(draw: st.DrawFn) -> Json:
    own = draw(st.lists(shared, max_size=3, unique_by=lambda item: (item.provider, item.audience)))
    statements = draw(
        st.permutations([*draw(st.lists(st.sampled_from(THEIRS), max_size=2)), *(o.document for o in own)])
    )
    return {"Version": "2012-10-17", "Statement": copy.deepcopy(statements)}


def of_others(document: Json) -> list[str]:
    return [json.dumps(item) for item in document["Statement"] if not trust_policy.read_statement(item)]


@given(documents(), shared)
def test_what_joins_is_there_and_parts_without_a_trace(document: Json, wanted: Shared) -> None:
    there = trust_policy.with_statement(document, wanted.document)
    assert trust_policy.contains(there, wanted.document)
    assert of_others(there) == of_others(document)
    assert trust_policy.with_statement(there, wanted.document) == there or trust_policy.contains(
        document, wanted.document
    )
    back = trust_policy.without_statement(there, wanted.document)
    assert not trust_policy.contains(back, wanted.document)
    present = {
        subject
        for item in document["Statement"]
        if (found := trust_policy.read_statement(item)) and found.fits(wanted)
        for subject in found.subjects
    }
    if not present & set(wanted.subjects):
        assert back == document


@given(documents(), shared)
def test_there_is_one_statement_for_what_fits_together(document: Json, wanted: Shared) -> None:
    found = [
        trust_policy.read_statement(item)
        for item in trust_policy.with_statement(document, wanted.document)["Statement"]
    ]
    assert sum(item is not None and item.fits(wanted) for item in found) == 1


@given(shared)
def test_a_statement_is_read_as_it_was_written(item: Shared) -> None:
    assert trust_policy.read_statement(item.document) == item
    assert trust_policy.read_statement({**item.document, "Sid": "X"}) is None
    assert trust_policy.read_statement(json.loads(json.dumps(item.document).replace("Allow", "Deny"))) is None


@given(some.json_scalars | some.documents | st.lists(some.json_scalars))
def test_nothing_else_is_read_as_one(value: Any) -> None:
    assert trust_policy.read_statement(value) is None


@given(some.identities(), some.labels)
def test_two_subjects_of_one_statement_are_both_admitted(identity: WebIdentity, name: str) -> None:
    from dataclasses import replace

    other = replace(identity, subject=f"system:serviceaccount:other:{name}")
    document = trust_policy.with_statement(trust_of(identity), trust_policy.statement(other))
    assert len(document["Statement"]) == 1
    assert trust_policy.admits(document, identity)
    assert trust_policy.admits(document, other)
    assert not trust_policy.admits(document, replace(identity, subject="system:serviceaccount:third:x"))


@given(documents(), shared, shared)
def test_only_what_bears_the_mark_is_joined_and_parted(document: Json, one: Shared, other: Shared) -> None:
    """Statements without irsa's Sid stay byte for byte, and in their order, whatever they say."""
    theirs = document["Statement"]
    there = trust_policy.with_statement(document, one.marked.document)
    assert there["Statement"][: len(theirs)] == theirs
    both = trust_policy.with_statement(there, other.marked.document)
    assert both["Statement"][: len(theirs)] == theirs
    sids = [item["Sid"] for item in both["Statement"][len(theirs) :]]
    assert all(sid.startswith("Irsa") for sid in sids)
    assert len(sids) == len(set(sids))
    assert trust_policy.contains(both, one.marked.document)
    assert trust_policy.contains(both, other.marked.document)
    left = trust_policy.without_statement(both, other.marked.document)
    assert left["Statement"][: len(theirs)] == theirs
    if not one.fits(other):
        assert trust_policy.without_statement(left, one.marked.document) == document
    assert trust_policy.without_statement(document, one.marked.document) == document


@given(documents(), shared)
def test_a_changed_statement_is_not_irsas(document: Json, item: Shared) -> None:
    """Somebody has restricted it: it stays as it is, and the next one gets a Sid of its own."""
    ours = item.marked.document
    theirs = {**ours, "Condition": {**ours["Condition"], "Bool": {"aws:SecureTransport": "true"}}}
    restricted = {**document, "Statement": [*document["Statement"], theirs]}
    assert not trust_policy.contains({"Statement": [theirs]}, ours)
    assert trust_policy.without_statement(restricted, ours) == restricted
    both = trust_policy.with_statement(restricted, ours)["Statement"]
    assert both[-2] == theirs
    assert both[-1]["Sid"] == f"{theirs['Sid']}2"
    assert trust_policy.read_statement(both[-1]) is not None
    assert trust_policy.without_statement({**document, "Statement": both}, ours) == restricted


@given(some.identities(), some.labels)
def test_the_marked_statement_for_a_subject_is_found_among_others(identity: WebIdentity, name: str) -> None:
    from dataclasses import replace

    other = replace(identity, subject=f"system:serviceaccount:other:{name}")
    plain = {"Statement": [trust_policy.statement(identity)]}
    assert owned_statements.marked_for(plain, identity) is None
    there = trust_policy.with_statement(
        trust_policy.with_statement(plain, trust_policy.marked_statement(identity)),
        trust_policy.marked_statement(other),
    )
    assert owned_statements.marked_for(there, identity) == trust_policy.marked_statement(identity)
    of_another_audience = replace(identity, audience=f"{identity.audience}x")
    assert owned_statements.marked_for(there, of_another_audience) == trust_policy.marked_statement(identity)
