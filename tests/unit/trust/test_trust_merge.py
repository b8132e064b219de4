"""Several subjects in one statement: what joins parts again, what isn't irsa's stays byte for byte."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import owned_statements, trust_policy
from irsa_cli.core.trust.trust_policy import (
    Shared,
    admits,
    contains,
    marked_statement,
    read_statement,
    statement,
    with_statement,
    without_statement,
)
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
    return [json.dumps(item) for item in document["Statement"] if not read_statement(item)]


@given(documents(), shared)
def test_what_joins_is_there_and_parts_without_a_trace(document: Json, wanted: Shared) -> None:
    there = with_statement(document, wanted.document)
    assert contains(there, wanted.document)
    assert of_others(there) == of_others(document)
    assert with_statement(there, wanted.document) == there or contains(document, wanted.document)
    back = without_statement(there, wanted.document)
    assert not contains(back, wanted.document)
    present = {
        subject
        for item in document["Statement"]
        if (found := read_statement(item)) and found.fits(wanted)
        for subject in found.subjects
    }
    if not present & set(wanted.subjects):
        assert back == document


@given(documents(), shared)
def test_there_is_one_statement_for_what_fits_together(document: Json, wanted: Shared) -> None:
    found = [read_statement(item) for item in with_statement(document, wanted.document)["Statement"]]
    assert sum(item is not None and item.fits(wanted) for item in found) == 1


@given(shared)
def test_a_statement_is_read_as_it_was_written(item: Shared) -> None:
    assert read_statement(item.document) == item
    assert read_statement({**item.document, "Sid": "X"}) is None
    assert read_statement(json.loads(json.dumps(item.document).replace("Allow", "Deny"))) is None


@given(some.json_scalars | some.documents | st.lists(some.json_scalars))
def test_nothing_else_is_read_as_one(value: Any) -> None:
    assert read_statement(value) is None


@given(some.identities(), some.labels)
def test_two_subjects_of_one_statement_are_both_admitted(identity: WebIdentity, name: str) -> None:
    other = replace(identity, subject=f"system:serviceaccount:other:{name}")
    document = with_statement(trust_of(identity), statement(other))
    assert len(document["Statement"]) == 1
    assert admits(document, identity)
    assert admits(document, other)
    assert not admits(document, replace(identity, subject="system:serviceaccount:third:x"))


@given(documents(), shared, shared)
def test_only_what_bears_the_mark_is_joined_and_parted(document: Json, one: Shared, other: Shared) -> None:
    """Statements without irsa's Sid stay byte for byte, and in their order, whatever they say."""
    theirs = document["Statement"]

    def ours(changed: Json) -> list[str]:
        """The Sids of what is irsa's, after a look at the others."""
        assert [item for item in changed["Statement"] if item in theirs] == theirs
        return [item["Sid"] for item in changed["Statement"] if item not in theirs]

    there = with_statement(document, one.marked.document)
    assert len(ours(there)) == 1
    both = with_statement(there, other.marked.document)
    sids = ours(both)
    assert all(sid.startswith("Irsa") for sid in sids)
    assert len(sids) == len(set(sids))
    assert contains(both, one.marked.document)
    assert contains(both, other.marked.document)
    left = without_statement(both, other.marked.document)
    ours(left)
    if not one.fits(other):
        assert without_statement(left, one.marked.document) == document
    assert without_statement(document, one.marked.document) == document


@given(documents(), shared)
def test_a_changed_statement_is_not_irsas(document: Json, item: Shared) -> None:
    """Somebody has restricted it: it stays as it is, and the next one gets a Sid of its own."""
    ours = item.marked.document
    theirs = {**ours, "Condition": {**ours["Condition"], "Bool": {"aws:SecureTransport": "true"}}}
    restricted = {**document, "Statement": [*document["Statement"], theirs]}
    assert not contains({"Statement": [theirs]}, ours)
    assert without_statement(restricted, ours) == restricted
    both = with_statement(restricted, ours)["Statement"]
    assert both[-2] == theirs
    assert both[-1]["Sid"] == f"{theirs['Sid']}2"
    assert read_statement(both[-1]) is not None
    assert without_statement({**document, "Statement": both}, ours) == restricted


@given(some.identities(), some.labels)
def test_the_marked_statement_for_a_subject_is_found_among_others(identity: WebIdentity, name: str) -> None:
    other = replace(identity, subject=f"system:serviceaccount:other:{name}")
    plain = {"Statement": [statement(identity)]}
    assert owned_statements.marked_for(plain, identity) is None
    there = with_statement(
        with_statement(plain, marked_statement(identity)),
        marked_statement(other),
    )
    assert owned_statements.marked_for(there, identity) == marked_statement(identity)
    of_another_audience = replace(identity, audience=f"{identity.audience}x")
    assert owned_statements.marked_for(there, of_another_audience) == marked_statement(identity)
