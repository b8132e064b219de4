"""What an explanation names: the statement, and in it the first thing that fails, with both values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import Answer, Failure, explain, takes_audience
from tests.support.trusts import trust_of
from tests.unit.plan import strategies as some
from tests.unit.trust.certainty import is_certain
from tests.unit.trust.policies import cases
from tests.unit.trust.written import AUD, PROVIDER, SUB, TOKEN, P, allow, on, policy, written

FAILURES = {
    '{"Action": "sts:AssumeRole"}': (
        '["Action", "", "", ["sts:AssumeRole"], ["sts:AssumeRoleWithWebIdentity"]]'
    ),
    '{"Action": "sts:AssumeRole", "Condition": {"StringEquals": {"<P>:sub": "other"}}}': (
        '["Action", "", "", ["sts:AssumeRole"], ["sts:AssumeRoleWithWebIdentity"]]'
    ),
    '{"Principal": {"Federated": "arn:x", "AWS": ["1", "2"]}}': (
        '["Principal", "", "", ["Federated arn:x", "AWS 1", "AWS 2"], ["Federated <PROVIDER>"]]'
    ),
    '{"Condition": {"StringEquals": {"<P>:aud": "sts.amazonaws.com", "<P>:sub": ["other", "x"]}}}': (
        '["Condition", "StringEquals", "<P>:sub", ["other", "x"], ["<SUB>"]]'
    ),
    '{"Condition": {"StringEquals": {"<P>:aud": "sts.amazonaws.com"},'
    ' "StringLike": {"<P>:sub": "a*"}, "StringNotEquals": {"<P>:sub": "<SUB>"}}}': (
        '["Condition", "StringLike", "<P>:sub", ["a*"], ["<SUB>"]]'
    ),
    '{"Condition": {"StringEquals": {"https://<P>:sub": "<SUB>"}}}': (
        '["Condition", "StringEquals", "https://<P>:sub", ["<SUB>"]]'
    ),
    '{"Condition": {"StringNotEquals": {"<P>:sub": "<SUB>"}}}': (
        '["Condition", "StringNotEquals", "<P>:sub", ["<SUB>"], ["<SUB>"]]'
    ),
    '{"Condition": {"Null": {"<P>:sub": true}}}': '["Condition", "Null", "<P>:sub", ["true"], ["<SUB>"]]',
    '{"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}': (
        '["Condition", "IpAddress", "aws:SourceIp", ["10.0.0.0/8"], null, true]'
    ),
    '{"Condition": {"IpAddress": {"aws:SourceIp": "::1/8"}, "StringEquals": {"<P>:sub": "other"}}}': (
        '["Condition", "StringEquals", "<P>:sub", ["other"], ["<SUB>"]]'
    ),
    '{"Condition": "junk"}': '["Condition", "", "", [], null, true]',
    '{"Condition": {"StringEquals": "junk"}}': '["Condition", "StringEquals", "", [], null, true]',
    '{"Effect": "allow"}': '["Effect", "", "", ["allow"], null, true]',
}
"""Elements of a statement; the failure's part, operator, key, what is wanted, what is got, and if unknown."""


def test_the_first_thing_that_fails() -> None:
    for text, failure in FAILURES.items():
        (verdict,) = explain(policy(allow(text)), TOKEN).verdicts
        parts: list[Any] = [tuple(part) if isinstance(part, list) else part for part in written(failure)]
        assert verdict.failure == Failure(*parts), text


NOT_IT = '{"StringEquals": {"<P>:sub": "other"}}'


def test_each_statement_has_its_verdict() -> None:
    last = on('{"StringEquals": {"<P>:sub": "<SUB>"}}')
    found = explain(
        policy(on(NOT_IT, Sid="Other"), "junk", allow(Effect="Deny", Action="sts:TagSession"), last), TOKEN
    )
    assert [(item.index, item.sid, item.effect, item.applies) for item in found.verdicts] == [
        (0, "Other", "Allow", False),
        (2, "", "Deny", False),
        (3, "", "Allow", True),
    ]
    assert (found.admitted, found.allowed_by, found.denied_by) == (True, (3,), ())


def test_the_text_names_statement_condition_and_both_values() -> None:
    (line,) = explain(policy(on(NOT_IT, Sid="Other")), TOKEN).text
    assert all(part in line for part in ("statement 1 (Other)", "StringEquals sub: ", "'other'", SUB))


def test_a_statement_for_another_cluster_is_not_blamed_first() -> None:
    elsewhere = allow(Principal={"Federated": PROVIDER.replace("/ABC", "/DEF")})
    first, second = explain(policy(elsewhere, on(NOT_IT)), TOKEN).text
    assert first.startswith("statement 2 does not apply: StringEquals")
    assert second.startswith("statement 1 does not apply: Principal")


def test_the_text_tells_what_denies() -> None:
    denying = policy(allow(), allow(Effect="Deny", Principal="*"))
    assert explain(denying, TOKEN).text == ("statement 2 denies it: it has no condition",)
    assert explain(policy(), TOKEN).text == ("no statement allows anything",)


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
        ('{"StringEquals": {"<P>:aud": "sts.amazonaws.com", "<P>:sub": "other"}}', True),
        (
            '{"StringEquals": {"OIDC.EKS.EU-WEST-1.AMAZONAWS.COM/ID/ABC:AUD": ["x", "sts.amazonaws.com"]},'
            ' "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}',
            True,
        ),
        ('{"StringLike": {"<P>:aud": "*"}}', True),
        ('{"StringEquals": {"<P>:sub": "<SUB>"}}', True),
        ("null", True),
        ('{"StringSomething": {"<P>:aud": "x"}}', True),
        ('{"StringEquals": {"<P>:aud": "x", "<P>:sub": "<SUB>"}}', False),
        ('{"StringNotEquals": {"<P>:aud": "sts.amazonaws.com"}}', False),
    ],
)
def test_which_audiences_a_policy_takes_of_whomever(condition: str, takes: bool) -> None:
    for other in ([], [on('{"StringEquals": {"<P>:aud": "x"}}'), "none"]):
        document = policy(*other, on(condition))
        assert takes_audience(document, PROVIDER, AUD) is takes
        assert not takes_audience(document, f"{PROVIDER}D", AUD)


@given(some.identities())
def test_who_admits_a_token_takes_its_audience(identity: WebIdentity) -> None:
    document = trust_of(identity)
    assert takes_audience(document, identity.provider_arn, identity.audience)
    assert not takes_audience(document, identity.provider_arn, f"{identity.audience}x")


def test_the_answer_is_one_of_three() -> None:
    vpc = '{"StringEquals": {"aws:SourceVpc": "vpc-1"}}'
    for conditions, answer in (
        (["{}"], Answer.YES),
        ([NOT_IT], Answer.NO),
        ([vpc], Answer.UNKNOWN),
        ([vpc, "{}"], Answer.YES),
    ):
        explanation = explain(policy(*map(on, conditions)), TOKEN)
        assert explanation.answer is answer
        assert bool(explanation.conditions) is (answer is Answer.UNKNOWN)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            '{"Effect": "Deny", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}',
            "denies it: StringNotEquals aws:PrincipalOrgID: the unsigned request has no such key, so"
            " a negated test matches",
        ),
        (
            '{"Effect": "Deny", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}',
            "denies it: BoolIfExists aws:MultiFactorAuthPresent: the request has no such key, so"
            " IfExists matches",
        ),
        (
            '{"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "1"},'
            ' "Action": null, "NotAction": "sts:TagSession"}',
            "denies it: NotPrincipal excludes only 'AWS 1'; NotAction excludes only 'sts:TagSession'; it has"
            " no condition",
        ),
        (
            '{"Principal": "*", "Action": null, "NotAction": "sts:*"}',
            "does not apply: NotAction: the policy excludes 'sts:*', the token has"
            " 'sts:AssumeRoleWithWebIdentity', which is one of them",
        ),
        (
            '{"Condition": {"StringEquals": {"sts:RoleSessionName": "app"}}}',
            "may allow it: StringEquals sts:RoleSessionName: the policy has 'app'; irsa"
            " can't tell whether that matches: the pod's SDK chooses the session name",
        ),
    ],
)
def test_the_words_say_why(statement: str, said: str) -> None:
    assert explain(policy(allow(statement)), TOKEN).verdicts[0].means == said


def test_an_answer_that_is_not_known_depends_on_what_is_not_known() -> None:
    found = explain(policy(allow('{"Condition": {"StringEquals": {"sts:RoleSessionName": "app"}}}')), TOKEN)
    assert [found.depends_on(key) for key in ("STS:rolesessionname", "aws:SourceIp")] == [True, False]
    assert not explain(policy(allow("{}")), TOKEN).depends_on("sts:RoleSessionName")


def test_an_issuer_that_ends_in_a_slash_keeps_it_in_its_keys() -> None:
    token = replace(TOKEN, provider_arn=f"{PROVIDER}/", issuer=f"https://{P}/")
    for key, answer in (("<P>/:sub", Answer.YES), ("<P>:sub", Answer.NO)):
        text = f'{{"StringEquals": {{"{key}": "<SUB>"}}}}'
        assert explain(policy(on(text, Principal={"Federated": f"{PROVIDER}/"})), token).answer is answer
