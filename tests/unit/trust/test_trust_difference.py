"""What a change adds to a trust policy and removes from it, in a policy that others have written since."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies.policy import normalized
from irsa_cli.core.trust.trust_difference import TrustDifference
from irsa_cli.core.trust.trust_policy import contains, shared
from tests.support.documents import Json

PROVIDERS = [f"arn:aws:iam::111122223333:oidc-provider/oidc.example/id/{name}" for name in "AB"]
SUBJECTS = [f"system:serviceaccount:shop:{name}" for name in ("cart", "pay", "ship")]
GITHUB = {"Effect": "Allow", "Principal": {"Federated": "github"}, "Action": "sts:AssumeRoleWithWebIdentity"}
DENY = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:TagSession"}
OTHERS = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"Service": "ec2"}, "Action": "sts:AssumeRole"}


def policy(*statements: Any) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def ours(provider: str, *subjects: str) -> Json:
    return shared(provider, "sts.amazonaws.com", subjects).marked.document


STATEMENTS = st.one_of(
    st.sampled_from([GITHUB, DENY]),
    st.builds(
        lambda provider, subjects: ours(provider, *subjects),
        st.sampled_from(PROVIDERS),
        st.lists(st.sampled_from(SUBJECTS), min_size=1, unique=True),
    ),
)
POLICIES = st.lists(STATEMENTS, max_size=4, unique_by=lambda item: str(item.get("Sid", item))).map(
    lambda statements: policy(*statements)
)


@given(POLICIES, POLICIES)
def test_it_stands_where_the_change_was_made(before: Json, after: Json) -> None:
    difference = TrustDifference.between(before, after)
    assert difference.stands_in(after)
    assert difference.stands_in(difference.made_in(before))
    # Where it stands, making it again changes nothing.
    assert normalized(difference.made_in(after)) == normalized(after)


@given(POLICIES, POLICIES)
def test_what_others_have_added_stays(before: Json, after: Json) -> None:
    difference = TrustDifference.between(before, after)
    made = difference.made_in(policy(*before["Statement"], OTHERS))
    assert OTHERS in made["Statement"]
    assert difference.stands_in(made)
    # And it is no reason to write anything again.
    assert difference.stands_in(policy(OTHERS, *after["Statement"]))


def test_of_a_statement_that_several_share_only_its_own_subject_counts() -> None:
    before, after = policy(ours(PROVIDERS[0], *SUBJECTS[:2])), policy(ours(PROVIDERS[0], SUBJECTS[1]))
    difference = TrustDifference.between(before, after)
    newest = policy(ours(PROVIDERS[0], *SUBJECTS), GITHUB)
    assert not difference.stands_in(newest)
    assert difference.made_in(newest) == policy(ours(PROVIDERS[0], *SUBJECTS[1:]), GITHUB)


def test_one_statement_that_is_replaced() -> None:
    old, new = ours(PROVIDERS[0], SUBJECTS[0]), ours(PROVIDERS[1], SUBJECTS[0])
    difference = TrustDifference.of_statement(old, new)
    assert not difference.stands_in(policy(old, new))
    assert difference.made_in(policy(old, OTHERS)) == policy(OTHERS, new)
    assert TrustDifference.of_statement(None, new).stands_in(policy(old, new))
    assert not contains(TrustDifference.of_statement(old, None).made_in(policy(old, new)), old)
