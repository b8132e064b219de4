"""What apply takes for its own in a trust policy: what it has wished, and nothing that others have put in."""

from __future__ import annotations

import copy
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.plan.states import TRANSACTION_TAG
from irsa_cli.core.policies.policy import Document, equal
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import owned_statements
from irsa_cli.core.trust.owned_statements import Own, with_own
from irsa_cli.core.trust.trust_policy import admits, contains, policy_of, statement, with_statement
from tests.support.documents import Json
from tests.support.thoroughness import examples
from tests.support.trusts import trust_of

HOST = "oidc.eks.eu-west-1.amazonaws.com/id"
PROVIDERS = [f"arn:aws:iam::111122223333:oidc-provider/{HOST}/{name}" for name in ("BLUE", "GREEN", "RED")]


def identity(name: str, number: int = 0) -> WebIdentity:
    provider = PROVIDERS[number]
    issuer = f"https://{provider.partition('oidc-provider/')[2]}"
    return WebIdentity(provider, issuer, f"system:serviceaccount:ns:{name}", "sts.amazonaws.com")


APP = identity("app")
GITHUB = "token.actions.githubusercontent.com"
GITHUB_ACTIONS = {
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{GITHUB}"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {
        "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{GITHUB}:sub": "repo:org/repo:*"},
    },
}
THEIRS: list[Document] = [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    GITHUB_ACTIONS,
    statement(identity("app", 2)),  # The same ServiceAccount of a cluster that no file names.
    statement(identity("everybody-*"), pattern=True),
    {"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"},
]
JOINED = identity("guest")
subjects = st.sets(st.sampled_from(["one", "two", "t*"]), max_size=2)


@st.composite
def desired_states(draw: st.DrawFn) -> Document:
    """What a file may wish of the trust policy of APP's role."""
    names = ["app" if draw(st.booleans()) else "a*", *draw(subjects)]
    conditions = draw(st.sampled_from([{}, {}, {"StringEquals": {"aws:SourceVpc": "vpc-1"}}]))
    return policy_of(
        PROVIDERS[: draw(st.sampled_from([1, 2]))],
        draw(st.sampled_from(["sts.amazonaws.com", "vault"])),
        [f"system:serviceaccount:ns:{name}" for name in names],
        conditions,
    )


def applied(document: Document, desired: Document, tags: dict[str, str]) -> tuple[Document, dict[str, str]]:
    """The trust policy and the tags that tell of it, once the wish is applied."""
    there = with_own(document, desired, Own.of(APP, desired, tags))
    return there, {TRANSACTION_TAG: "t1", **owned_statements.tags(APP, desired)}


@st.composite
def others(draw: st.DrawFn) -> list[Document]:
    return copy.deepcopy(draw(st.lists(st.sampled_from(THEIRS), unique_by=repr)))


@settings(max_examples=examples(300))
@given(desired_states(), desired_states(), others(), st.booleans())
def test_from_wish_to_wish_and_back_others_stay_byte_for_byte(
    one: Document, other: Document, theirs: list[Document], joined: bool
) -> None:
    made = {TRANSACTION_TAG: "t1"}
    first, tags = applied({**one, "Statement": theirs}, one, made)
    if joined:
        first = with_statement(first, statement(JOINED))
    second, later = applied(first, other, tags)
    third, last = applied(second, one, later)
    assert last == tags
    for document, desired in ((first, one), (second, other), (third, one)):
        assert [item for item in document["Statement"] if item in theirs] == theirs
        assert all(contains(document, item) for item in desired["Statement"])
        assert admits(document, JOINED) or not joined
    assert _meaning(third) == _meaning(first)
    assert equal(applied(third, one, last)[0], third)


def _meaning(document: Document) -> set[tuple[str, str, bool]]:
    """Whom the policy admits, of all that the test knows."""
    names = ("app", "one", "two", "three", "guest", "stranger", "everybody-x", "axe")
    return {
        (PROVIDERS[number], name, admitted)
        for number in range(3)
        for name in names
        for audience in ("sts.amazonaws.com", "vault")
        if (admitted := admits(document, replace(identity(name, number), audience=audience)))
    }


@given(desired_states(), desired_states())
def test_what_is_no_longer_wished_is_no_longer_admitted(one: Document, other: Document) -> None:
    first, tags = applied({**one, "Statement": []}, one, {TRANSACTION_TAG: "t1"})
    assert applied(first, other, tags)[0]["Statement"] == other["Statement"]


@given(desired_states())
def test_of_a_role_that_was_taken_over_only_its_own_statement_changes(desired: Document) -> None:
    wide = statement(identity("*"), pattern=True)
    document = {**desired, "Statement": [wide, statement(APP)]}
    there = with_own(document, desired, Own.of(APP, desired, {}))
    assert there["Statement"] == [wide, *desired["Statement"]]


@given(st.sets(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=90))
def test_however_many_were_wished_the_tags_can_hold_them(names: set[str]) -> None:
    desired = policy_of(PROVIDERS[:2], "sts.amazonaws.com", [APP.subject, *names], {})
    tags = owned_statements.tags(APP, desired)
    assert all(len(text) <= 256 for text in tags.values())
    assert Own.of(APP, {"Statement": []}, tags).marks == Own.of(APP, desired, {}).marks


def test_a_wish_for_the_own_service_account_alone_needs_no_tag() -> None:
    assert owned_statements.tags(APP, trust_of(APP)) == {}


def test_another_condition_of_a_shared_statement_stays_with_the_others() -> None:
    both: Json = policy_of(
        PROVIDERS[:1], "sts.amazonaws.com", [APP.subject, JOINED.subject], {"Bool": {"aws:x": "true"}}
    )
    desired = trust_of(APP)
    (ours, theirs) = with_own(both, desired, Own.of(APP, desired, {}))["Statement"]
    assert ours == statement(APP)
    assert theirs["Condition"]["Bool"] == {"aws:x": "true"}
    assert theirs["Condition"]["StringEquals"][f"{HOST}/BLUE:sub"] == JOINED.subject
