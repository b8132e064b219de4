"""The corrected trust policy of a risk passes the rule, and admits who is meant as before."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.correction import CORRECTIONS, Meant, corrected, corrected_together
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.trust.rules.judge import judge
from irsa_cli.core.trust.rules.rule import EXAMPLES, TRUST_RULES, before
from irsa_cli.core.trust.trust_policy import admits
from tests.support.documents import Json, doc
from tests.support.thoroughness import examples
from tests.unit.trust.test_judge import AUD, STS, SUB, around, context, policy, web

ROLE = "arn:aws:iam::111122223333:role/app"

ISSUER, OTHER_ISSUER, PROVIDER, OTHER_PROVIDER = (
    EXAMPLES[name] for name in ("issuer", "other", "provider", "other-provider")
)


def token(name: str, provider: str = PROVIDER, audience: str = STS) -> WebIdentity:
    issuer = ISSUER if provider == PROVIDER else OTHER_ISSUER
    return WebIdentity(provider, f"https://{issuer}", f"system:serviceaccount:{name}", audience)


NAMED = ("prod:app", "prod:web", "prod:app-1", "prod-eu:app")
PROD = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
MEANT = Meant(tuple(map(token, NAMED)), complete=True, pods=((PROD, "prod", "app"),))


def test_the_example_of_each_rule_is_corrected() -> None:
    for rule in TRUST_RULES:
        known = context(**{**vars(around(rule)), "role": ROLE})
        (risk, *_) = (item for item in judge(before(rule), known) if item.rule is rule)
        found = corrected(before(rule), risk, known, MEANT)
        assert (found is None) is rule.by_hand, rule.id
        if found is not None:
            assert rule.id not in [item.rule.id for item in judge(found, known)]
            for each in MEANT.tokens:
                admitted = admits(dict(before(rule)), each)
                assert admits(found, each) is admitted, rule.id


def test_only_where_all_who_are_meant_are_known_is_a_pattern_replaced() -> None:
    document = policy(web({"StringEquals": {AUD: STS}, "StringLike": {SUB: "system:*:prod:?*"}}))
    (risk,) = judge(document, context())
    assert corrected(document, risk, context(), Meant(MEANT.tokens)) is None
    assert corrected(document, risk, context(), Meant((), complete=True)) is None
    names = [f"system:serviceaccount:{name}" for name in NAMED[:3]]
    wanted = policy(web({"StringEquals": {AUD: STS, SUB: names}}))
    assert corrected(document, risk, context(), MEANT) == wanted


def test_two_clusters_in_one_statement_get_one_each_and_other_principals_keep_theirs() -> None:
    both = {"Federated": [PROVIDER, OTHER_PROVIDER], "AWS": "arn:aws:iam::1:role/ci"}
    document = policy(web({}, Principal=both, Action="*"))
    meant = Meant((token("prod:app"), token("dev:app", OTHER_PROVIDER)), complete=True)
    risk = next(item for item in judge(document, context()) if item.rule.id == "no-condition")
    found = corrected(document, risk, context(), meant)
    assert found is not None
    assert all(admits(found, each) for each in meant.tokens)
    assert not admits(found, token("prod:other"))
    assert {"AWS": "arn:aws:iam::1:role/ci"} in [item["Principal"] for item in found["Statement"]]


def test_an_audience_of_their_own_is_kept() -> None:
    document = policy(web({"StringEquals": {SUB: "system:serviceaccount:prod:app"}}))
    (risk,) = judge(document, context())
    own = token("prod:app", audience="https://vault.example.com")
    found = corrected(document, risk, context(), Meant((own,), complete=True))
    assert found is not None
    assert admits(found, own)
    both = Meant((own, token("prod:app")), complete=True)
    assert corrected(document, risk, context(), both) is None


NAMES = ["prod:app", "prod:web", "prod:default", "dev:app"]
SUBJECTS = [
    f"system:serviceaccount:{name}" for name in [*NAMES, "prod:*", "*:app", "prod*", "*", "*:*", "p?od:app"]
]


OPERATORS = (
    "StringEquals StringLike StringNotEquals StringNotLike ForAllValues:StringLike StringEqualsIfExists"
    " ForAnyValue:StringEquals"
)
CLAIMS = {"sub": SUBJECTS, "aud": [STS, "https://vault.example.com"]}


@st.composite
def conditions(draw: st.DrawFn) -> Json:
    block: Json = {}
    for _ in range(draw(st.integers(0, 3))):
        operator, issuer = (
            draw(st.sampled_from(OPERATORS.split())),
            draw(st.sampled_from([ISSUER, ISSUER, OTHER_ISSUER])),
        )
        claim = draw(st.sampled_from(["sub", "sub", "aud"]))
        named = draw(st.lists(st.sampled_from(CLAIMS[claim]), min_size=1, max_size=2))
        block.setdefault(operator, {})[f"{issuer}:{claim}"] = named if len(named) > 1 else named[0]
    return block


PRINCIPALS = doc(
    """[{"Federated": "<one>"}, {"Federated": "<one>"}, {"Federated": ["<one>", "<other>"]}, "*",
    {"Federated": "<one>", "Service": "ec2.amazonaws.com"},
    {"Service": ["pods.eks.amazonaws.com", "ec2.amazonaws.com"]}]""",
    one=PROVIDER,
    other=OTHER_PROVIDER,
)
ELEMENTS = {
    "Effect": st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
    "Principal": st.sampled_from(list(PRINCIPALS)),
    "Action": st.sampled_from(["sts:AssumeRoleWithWebIdentity", "sts:*", ["sts:AssumeRole"]]),
}


@st.composite
def documents(draw: st.DrawFn) -> Json:
    found = []
    for _ in range(draw(st.integers(1, 3))):
        item, block = draw(st.fixed_dictionaries(ELEMENTS)), draw(conditions())
        found.append({**item, "Condition": block} if block else item)
    return policy(*found)


@settings(max_examples=examples(600), deadline=None)
@given(documents(), st.lists(st.sampled_from(NAMES), unique=True), st.booleans())
def test_what_is_corrected_passes_and_admits_who_is_meant(
    document: Json, names: list[str], complete: bool
) -> None:
    known = context(role=ROLE)
    meant = Meant(tuple(token(name) for name in names), complete)
    before = json.dumps(document)
    for risk in judge(document, known):
        found = corrected(document, risk, known, meant)
        assert json.dumps(document) == before
        if found is None:
            continue
        same = [item for item in judge(document, known) if item.rule is risk.rule]
        assert len([item for item in judge(found, known) if item.rule is risk.rule]) < len(same)
        for each in meant.tokens:
            was = explain(document, each).answer
            assert was is Answer.NO or explain(found, each).answer is was
        # Nobody is let in who was not.
        for name in NAMES:
            each = token(name)
            if explain(document, each).answer is Answer.NO:
                assert explain(found, each).answer is Answer.NO


OPEN = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": "sts:AssumeRole"}


def test_a_trust_for_pod_identity_is_corrected_for_the_pods_that_are_known_only() -> None:
    (risk,) = judge(policy(OPEN), context(role=ROLE))
    assert corrected(policy(OPEN), risk, context(role=ROLE), Meant()) is None
    two = Meant(pods=((PROD, "prod", "app"), (PROD, "dev", "web")))
    found = corrected(policy(OPEN), risk, context(role=ROLE), two)
    assert found is not None
    tags = [item["Condition"]["StringEquals"] for item in found["Statement"]]
    assert sorted(map(list, map(dict.values, tags))) == [["dev", "web"], ["prod", "app"]]
    assert {item["Condition"]["ArnEquals"]["aws:SourceArn"] for item in found["Statement"]} == {PROD}


@settings(max_examples=examples(200), deadline=None)
@given(documents(), st.lists(st.sampled_from(NAMES), unique=True), st.booleans())
def test_what_is_corrected_together_has_less_of_each_and_admits_who_is_meant(
    document: Json, names: list[str], complete: bool
) -> None:
    known, meant = context(role=ROLE), Meant(tuple(token(name) for name in names), complete)
    risks = judge(document, known)
    found = corrected_together(document, risks, known, meant)
    if found is None:
        return
    left = judge(found, known)
    assert {item.rule for item in left} <= {item.rule for item in risks}
    assert all(corrected(found, item, known, meant) is None for item in left)
    for each in meant.tokens:
        was = explain(document, each).answer
        assert was is Answer.NO or explain(found, each).answer is was


def test_the_rules_that_are_corrected_are_rules() -> None:
    assert {rule.id for rule in TRUST_RULES if rule not in CORRECTIONS} == {
        rule.id for rule in TRUST_RULES if rule.by_hand
    }
