"""What an explanation names: the statement, and in it the first thing that fails, with both values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.web_identity import ACTION, WebIdentity
from irsa_cli.core.trust.evaluation import Answer, Failure, explain, takes_audience
from tests.support.trusts import trust_of
from tests.unit.plan import strategies as some
from tests.unit.trust.certainty import is_certain
from tests.unit.trust.policies import cases

P = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{P}"
SUB, AUD = "system:serviceaccount:backend:reader", "sts.amazonaws.com"
TOKEN = WebIdentity(PROVIDER, f"https://{P}", SUB, AUD)
S, A = f"{P}:sub", f"{P}:aud"
OTHER = "system:serviceaccount:backend:other"


def allow(condition: Any = None, **elements: Any) -> dict[str, Any]:
    whole = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ACTION}
    return {**whole, **({} if condition is None else {"Condition": condition}), **elements}


FAILURES: list[tuple[dict[str, Any], Failure]] = [
    (allow(Action="sts:AssumeRole"), Failure("Action", wanted=("sts:AssumeRole",), got=(ACTION,))),
    (
        allow({"StringEquals": {S: OTHER}}, Action="sts:AssumeRole"),
        Failure("Action", wanted=("sts:AssumeRole",), got=(ACTION,)),
    ),
    (
        allow(Principal={"Federated": "arn:x", "AWS": ["1", "2"]}),
        Failure("Principal", wanted=("Federated arn:x", "AWS 1", "AWS 2"), got=(f"Federated {PROVIDER}",)),
    ),
    (
        allow({"StringEquals": {A: AUD, S: [OTHER, "x"]}}),
        Failure("Condition", "StringEquals", S, (OTHER, "x"), (SUB,)),
    ),
    (
        allow({"StringEquals": {A: AUD}, "StringLike": {S: "a*"}, "StringNotEquals": {S: SUB}}),
        Failure("Condition", "StringLike", S, ("a*",), (SUB,)),
    ),
    (
        allow({"StringEquals": {f"https://{S}": SUB}}),
        Failure("Condition", "StringEquals", f"https://{S}", (SUB,), None),
    ),
    (
        allow({"StringNotEquals": {S: SUB}}),
        Failure("Condition", "StringNotEquals", S, (SUB,), (SUB,)),
    ),
    (allow({"Null": {S: True}}), Failure("Condition", "Null", S, ("true",), (SUB,))),
    (
        allow({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        Failure("Condition", "IpAddress", "aws:SourceIp", ("10.0.0.0/8",), None, unknown=True),
    ),
    (
        allow({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringEquals": {S: OTHER}}),
        Failure("Condition", "StringEquals", S, (OTHER,), (SUB,)),
    ),
    (allow("junk"), Failure("Condition", unknown=True)),
    (allow({"StringEquals": "junk"}), Failure("Condition", "StringEquals", unknown=True)),
    (allow(Effect="allow"), Failure("Effect", wanted=("allow",), unknown=True)),
]


@pytest.mark.parametrize(("statement", "failure"), FAILURES)
def test_the_first_thing_that_fails(statement: dict[str, Any], failure: Failure) -> None:
    (verdict,) = explain({"Version": "2012-10-17", "Statement": statement}, TOKEN).verdicts
    assert verdict.failure == failure


def test_each_statement_has_its_verdict() -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [
            allow({"StringEquals": {S: OTHER}}, Sid="Other"),
            "junk",
            allow(Effect="Deny", Action="sts:TagSession"),
            allow({"StringEquals": {S: SUB}}),
        ],
    }
    found = explain(document, TOKEN)
    assert [(item.index, item.sid, item.effect, item.applies) for item in found.verdicts] == [
        (0, "Other", "Allow", False),
        (2, "", "Deny", False),
        (3, "", "Allow", True),
    ]
    assert (found.admitted, found.allowed_by, found.denied_by) == (True, (3,), ())


def test_the_text_names_statement_condition_and_both_values() -> None:
    document = {"Version": "2012-10-17", "Statement": [allow({"StringEquals": {S: OTHER}}, Sid="Other")]}
    (line,) = explain(document, TOKEN).text
    assert all(part in line for part in ("statement 1 (Other)", "StringEquals sub: ", OTHER, SUB))


def test_a_statement_for_another_cluster_is_not_blamed_first() -> None:
    elsewhere = allow(Principal={"Federated": PROVIDER.replace("/ABC", "/DEF")})
    first, second = explain({"Statement": [elsewhere, allow({"StringEquals": {S: OTHER}})]}, TOKEN).text
    assert first.startswith("statement 2 does not apply: StringEquals")
    assert second.startswith("statement 1 does not apply: Principal")


def test_the_text_tells_what_denies() -> None:
    document = {"Version": "2012-10-17", "Statement": [allow(), allow(Effect="Deny", Principal="*")]}
    assert explain(document, TOKEN).text == ("statement 2 denies it: it has no condition",)
    assert explain({"Statement": []}, TOKEN).text == ("no statement allows anything",)


def test_another_action_can_be_asked_for() -> None:
    document = trust_of(TOKEN)
    assert not explain(document, TOKEN, "sts:TagSession").admitted
    document["Statement"][0]["Action"] = ["sts:TagSession"]
    assert explain(document, TOKEN, "sts:TagSession").admitted


@given(some.identities(), some.identities())
def test_a_failing_condition_shows_what_the_token_has(identity: WebIdentity, other: WebIdentity) -> None:
    stranger = replace(other, provider_arn=identity.provider_arn, issuer=identity.issuer)
    (verdict,) = explain(trust_of(identity), stranger).verdicts
    if verdict.failure is None:
        assert (stranger.subject, stranger.audience) == (identity.subject, identity.audience)
    else:
        own = {"sub": stranger.subject, "aud": stranger.audience}
        assert verdict.failure.got == (own[verdict.failure.key.rpartition(":")[2]],)
        assert verdict.failure.wanted != verdict.failure.got


SEEDS = st.integers(0, 2**32)


@given(SEEDS)
def test_a_denying_statement_never_admits_more(seed: int) -> None:
    case, other = cases(2, seed)
    statements = as_list(case.document["Statement"])
    deny = {**as_list(other.document["Statement"])[0], "Effect": "Deny"}
    more = {**case.document, "Statement": [*statements, deny]}
    if not explain(case.document, case.identity).admitted:
        assert not explain(more, case.identity).admitted


@given(SEEDS, st.randoms())
def test_the_order_of_statements_and_of_values_means_nothing(seed: int, random: Any) -> None:
    (case,) = cases(1, seed)
    statements = list(as_list(case.document["Statement"]))
    random.shuffle(statements)
    before, after = (
        explain(document, case.identity)
        for document in (case.document, {**case.document, "Statement": statements})
    )
    assert (before.admitted, is_certain(before)) == (after.admitted, is_certain(after))
    assert len(before.allowed_by) == len(after.allowed_by)


@given(SEEDS)
def test_knowing_more_never_turns_a_certain_answer(seed: int) -> None:
    (case,) = cases(1, seed)
    all_keys = {
        key: tuple(values) for key, values in case.context.items() if key.startswith(("aws:", "sts:"))
    }
    before = explain(case.document, case.identity)
    after = explain(case.document, replace(case.identity, request=all_keys))
    assert not is_certain(before) or before.admitted == after.admitted


@given(SEEDS)
def test_a_verdict_and_its_failure_agree(seed: int) -> None:
    (case,) = cases(1, seed)
    found = explain(case.document, case.identity)
    for verdict in found.verdicts:
        if verdict.effect == "Allow":
            assert verdict.applies == (verdict.failure is None)
        assert verdict.applies or verdict.failure is not None
    assert found.admitted == (bool(found.allowed_by) and not found.denied_by)
    assert found.text


@pytest.mark.parametrize(
    ("condition", "takes"),
    [
        ({"StringEquals": {A: AUD, S: OTHER}}, True),
        ({"StringEquals": {A.upper(): ["x", AUD]}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"StringLike": {A: "*"}}, True),
        ({"StringEquals": {S: SUB}}, True),
        (None, True),
        ({"StringSomething": {A: "x"}}, True),
        ({"StringEquals": {A: "x", S: SUB}}, False),
        ({"StringNotEquals": {A: AUD}}, False),
    ],
)
def test_which_audiences_a_policy_takes_of_whomever(condition: Any, takes: bool) -> None:
    for other in ([], [allow({"StringEquals": {A: "x"}}), "none"]):
        document = {"Version": "2012-10-17", "Statement": [*other, allow(condition)]}
        assert takes_audience(document, PROVIDER, AUD) is takes
        assert not takes_audience(document, f"{PROVIDER}D", AUD)


@given(some.identities())
def test_who_admits_a_token_takes_its_audience(identity: WebIdentity) -> None:
    document = trust_of(identity)
    assert takes_audience(document, identity.provider_arn, identity.audience)
    assert not takes_audience(document, identity.provider_arn, f"{identity.audience}x")


@pytest.mark.parametrize(
    ("conditions", "answer"),
    [
        ([{}], Answer.YES),
        ([{"StringEquals": {S: OTHER}}], Answer.NO),
        ([{"StringEquals": {"aws:SourceVpc": "vpc-1"}}], Answer.UNKNOWN),
        ([{"StringEquals": {"aws:SourceVpc": "vpc-1"}}, {}], Answer.YES),
    ],
)
def test_the_answer_is_one_of_three(conditions: list[Any], answer: Answer) -> None:
    document = {"Version": "2012-10-17", "Statement": [allow(item) for item in conditions]}
    explanation = explain(document, TOKEN)
    assert explanation.answer is answer
    assert bool(explanation.conditions) is (answer is Answer.UNKNOWN)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            allow({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, Effect="Deny"),
            "denies it: StringNotEquals aws:PrincipalOrgID: the unsigned request has no such key, so"
            " a negated test matches",
        ),
        (
            allow({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, Effect="Deny"),
            "denies it: BoolIfExists aws:MultiFactorAuthPresent: the request has no such key, so"
            " IfExists matches",
        ),
        (
            {"Effect": "Deny", "NotPrincipal": {"AWS": "1"}, "NotAction": "sts:TagSession"},
            "denies it: NotPrincipal excludes only 'AWS 1'; NotAction excludes only 'sts:TagSession'; it has"
            " no condition",
        ),
        (
            {"Effect": "Allow", "Principal": "*", "NotAction": "sts:*"},
            f"does not apply: NotAction: the policy excludes 'sts:*', the token has '{ACTION}', which is"
            " one of them",
        ),
        (
            allow({"StringEquals": {"sts:RoleSessionName": "app"}}),
            "may allow it: StringEquals sts:RoleSessionName: the policy has 'app'; irsa"
            " can't tell whether that matches: the pod's SDK chooses the session name",
        ),
    ],
)
def test_the_words_say_why(statement: dict[str, Any], said: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [statement]}
    assert explain(document, TOKEN).verdicts[0].means == said


def test_an_issuer_that_ends_in_a_slash_keeps_it_in_its_keys() -> None:
    token = replace(TOKEN, provider_arn=f"{PROVIDER}/", issuer=f"https://{P}/")
    with_slash = allow({"StringEquals": {f"{P}/:sub": SUB}}, Principal={"Federated": f"{PROVIDER}/"})
    assert explain({"Statement": [with_slash]}, token).answer is Answer.YES
    assert explain({"Statement": [allow({"StringEquals": {S: SUB}})]}, token).answer is Answer.NO
