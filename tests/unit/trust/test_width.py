"""What is wide in a trust policy, and that nothing is where it names whom it lets in."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies.operators import like as matches
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.results.result_document import warning_json
from irsa_cli.core.trust.correction import wide_trusts
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import RULES, Risk, Severity, in_one_line
from irsa_cli.core.trust.trust_policy import marked_statement
from tests.support.documents import Json
from tests.support.documents import policy as permissions
from tests.support.trusts import trust_of
from tests.unit.trust.test_trust_corpus import CORPUS, KUBERNETES, provider_of
from tests.unit.trust.written import PROVIDER, A, P, S, allow, on, policy

SA = "system:serviceaccount:"
TO_STS = '"StringEquals": {"<P>:aud": "sts.amazonaws.com"}'
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def like(subject: str, **more: Any) -> Json:
    """A statement for subjects by a pattern."""
    return on(f'{{{TO_STS}, "StringLike": {{"<P>:sub": "{subject}"}}}}', **more)


def wide(*statements: Any, **more: Any) -> tuple[Risk, ...]:
    document = policy(*statements)
    before = json.dumps(document)
    found = wide_trusts(document, (PROVIDER,), **more)
    assert json.dumps(document) == before
    return found


def rules(*statements: Any) -> str:
    return " ".join(item.rule.id for item in wide(*statements))


PATTERNS = {
    "*": "every-subject",
    f"{SA}*": "every-subject",
    f"{SA}*:*": "every-subject",
    "system:*": "every-subject",
    f"{SA}*:app": "every-namespace",
    f"{SA}*:app-*": "every-namespace",
    f"{SA}prod*:app": "namespace-pattern",
    f"{SA}*-prod:app": "namespace-pattern",
    f"{SA}prod-?:app": "namespace-pattern",
    f"{SA}prod*": "pattern-crosses-colon",
    f"{SA}prod*app": "pattern-crosses-colon",
    f"{SA}prod:*": "every-name",
    "*:prod:*": "every-name",
    f"{SA}prod:app*": "name-pattern",
    f"{SA}prod:app-*": "name-pattern",
    f"{SA}prod:app-?": "name-pattern",
    # Without a sign, or with one that leaves a single subject or nobody.
    f"{SA}prod:app": "",
    "*:prod:app": "",
    f"{SA}prod:${{*}}": "",
    "repo:*": "",
}
CONDITIONS = {
    "{}": "no-condition",
    f"{{{TO_STS}}}": "no-subject",
    '{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}': "no-subject no-audience",
    '{"StringEquals": {"<P>:sub": "<SUB>"}}': "no-audience",
    '{"StringEquals": {"<P>:sub": "<SUB>"}, "StringLike": {"<P>:aud": "*"}}': "no-audience",
    '{"StringEquals": {"<P>:sub": "<SUB>"}, "StringNotEquals": {"<P>:aud": "x"}}': "no-audience",
    '{"StringEquals": {"<P>:sub": "<SUB>"}, "Null": {"<P>:aud": "false"}}': "no-audience",
    f'{{{TO_STS}, "StringNotEquals": {{"<P>:sub": "<SUB>"}}}}': "only-negative",
    f'{{{TO_STS}, "StringNotLike": {{"<P>:sub": "system:serviceaccount:kube-*"}}}}': "only-negative",
    f'{{{TO_STS}, "StringLike": {{"<P>:sub": ["<SUB>", "{SA}*:app"]}}}}': "every-namespace",
    f'{{{TO_STS}, "ForAllValues:StringLike": {{"<P>:sub": "{SA}a:*"}}}}': "every-name for-all-values",
    f'{{"StringEquals": {{"{A.upper()}": "sts.amazonaws.com"}}, "StringLike": {{"{S.upper()}": "*"}}}}': (
        "every-subject"
    ),
    '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "sts.amazonaws.com"}}': "",
    f'{{"StringEquals": {{"<P>:sub": ["<SUB>", "{SA}prod:web"], "<P>:aud": "sts.amazonaws.com"}}}}': "",
    f'{{"StringEquals": {{"<P>:sub": "{SA}prod:*", "<P>:aud": "sts.amazonaws.com"}}}}': "literal-wildcard",
    f'{{{TO_STS}, "StringEqualsIgnoreCase": {{"<P>:sub": ["<SUB>", "{SA}a:b?"]}}}}': "literal-wildcard",
    f'{{{TO_STS}, "ForAnyValue:StringEquals": {{"<P>:sub": "{SA}a:*"}}}}': "literal-wildcard",
    '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "*"}}': "literal-wildcard",
    f'{{{TO_STS}, "StringEquals": {{"<P>:sub": "<SUB>", "<P>:aud": "sts.amazonaws.com",'
    ' "aws:PrincipalTag/x": "*"}}': "",
    f'{{{TO_STS[:-1]}, "<P>:sub": "{SA}prod:${{*}}"}}}}': "",
    '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "sts.amazonaws.com"},'
    ' "StringLike": {"<P>:sub": "*"}}': "",
    '{"StringLike": {"other:sub": "*"}}': "",
}
ELEMENTS = {
    "{}": "no-condition",
    '{"Principal": "*"}': "everybody",
    '{"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}': "everybody",
    '{"Principal": "*", "Condition": {"StringEquals": {"<P>:sub": "<SUB>"}}}': "everybody",
    '{"Principal": null, "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}}': "everybody",
    '{"Principal": {"Federated": ["arn:aws:iam::1:oidc-provider/x", "<PROVIDER>"]}}': "no-condition",
    '{"Action": "sts:*"}': "no-condition all-sts-actions",
    '{"NotAction": "sts:AssumeRole"}': "no-condition all-sts-actions",
    '{"NotAction": "sts:AssumeRoleWithWebIdentity"}': "",
    '{"Action": "sts:TagSession"}': "",
    '{"Effect": "Deny"}': "",
    '{"Principal": {"Federated": "arn:aws:iam::1:oidc-provider/x"}}': "",
    '{"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",'
    ' "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}': "",
}


def test_what_is_wide_and_what_is_tight() -> None:
    for made, table in ((like, PATTERNS), (on, CONDITIONS), (allow, ELEMENTS)):
        for text, expected in table.items():
            assert rules(made(text)) == expected, text


def test_what_is_wide_in_several_statements() -> None:
    exact = on('{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "sts.amazonaws.com"}}')
    assert rules(exact, like("*")) == "every-subject loose-beside-tight"
    assert rules() == rules("x") == ""
    # A Deny for others keeps in.
    for operator, subject, expected in (
        ("StringNotLike", f"{SA}prod:*", "every-name"),
        ("StringNotEquals", "<SUB>", ""),
    ):
        deny = on(f'{{"{operator}": {{"<P>:sub": "{subject}"}}}}', Effect="Deny")
        assert rules(on(f"{{{TO_STS}}}"), deny) == expected


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (f"{SA}prod*:app", "prod-evil"),
        (f"{SA}prod-*:app", "prod-evil"),
        (f"{SA}*-prod:app", "evil-prod"),
        (f"{SA}prod*", "every ServiceAccount of every namespace prod*"),
        (f"{SA}prod:app*", "ServiceAccount app* of namespace prod"),
        (f"{SA}*:app", "every namespace"),
    ],
)
def test_the_reason_names_who_gets_in(subject: str, words: str) -> None:
    (found,) = wide(like(subject, Sid="Mine"))
    assert words in found.reason
    assert subject in found.pattern
    assert found.statement == "statement 1 (Mine)"
    assert S in found.suggestion
    assert "\n" not in found.warning


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True),
    st.sampled_from(["sts.amazonaws.com", "other", "https://api.example"]),
    st.booleans(),
)
def test_a_trust_for_one_subject_and_audience_is_never_wide(
    namespace: str, name: str, audience: str, by_like: bool
) -> None:
    identity = WebIdentity(PROVIDER, f"https://{P}", f"{SA}{namespace}:{name}", audience)
    for document in (
        trust_of(identity, pattern=by_like),
        {"Statement": marked_statement(identity)},
    ):
        assert wide_trusts(document, (PROVIDER,)) == ()


SUBJECTS = [f"{SA}{one}:{two}" for one, two in product(["a", "b", "aa", "ab", "ba", "bb"], repeat=2)]


@given(st.text("ab*?:", max_size=6), st.booleans())
def test_a_pattern_is_told_exactly_when_it_admits_more_than_one(text: str, whole: bool) -> None:
    subject = text if whole else SA + text
    admitted = [item for item in SUBJECTS if matches(item, subject)]
    found = rules(like(subject))
    assert found or len(admitted) <= 1
    assert set(found.split()) <= set(PATTERNS.values())


def test_what_the_role_may_do_makes_it_worse() -> None:
    for statement, before, after in (
        (like(f"{SA}prod:app*"), Severity.LOW, Severity.MEDIUM),
        (like(f"{SA}prod:*"), Severity.MEDIUM, Severity.HIGH),
        (allow(), Severity.HIGH, Severity.CRITICAL),
    ):
        assert [item.severity for item in wide(statement)] == [before]
        (found,) = wide(statement, power=power([ADMIN]), role="arn:r")
        assert found.severity is after
        assert found.reason.endswith("; this grants AdministratorAccess")
        assert warning_json(found)["role"] == {"arn": "arn:r"}


def test_the_worst_comes_first_and_each_provider_is_looked_at() -> None:
    other = provider_of("old")
    document = policy(
        on('{"StringEquals": {"<P>:sub": "<SUB>"}}'), allow(Principal={"Federated": [other, PROVIDER]})
    )
    found = wide_trusts(document, (PROVIDER, other))
    assert [item.rule.id for item in found] == ["no-condition", "loose-beside-tight", "no-audience"]


def test_a_line_of_a_list_has_the_worst_of_many() -> None:
    found = wide(allow(), *(like(f"{SA}n:{letter}*") for letter in "abcde"))
    line = in_one_line(found)
    assert line.startswith("high no-condition: statement 1 has no condition")
    assert line.endswith("; and 3 more")
    assert in_one_line(()) == ""


INLINE = {
    "Allow * on *": "* in policy p",
    "Allow s3:Get*,IAM:* on *": "IAM:* in policy p",
    "Allow *:* on *": "*:* in policy p",
    "Deny * on *": "",
    "Allow * on arn:aws:s3:::b": "",
}
ATTACHED = {
    "aws:iam::aws:policy/AdministratorAccess": "AdministratorAccess",
    "aws-cn:iam::aws:policy/PowerUserAccess": "PowerUserAccess",
    "aws:iam::111122223333:policy/AdministratorAccess": "",
    "aws:iam::aws:policy/AmazonS3ReadOnlyAccess": "",
}


def test_what_is_much() -> None:
    both = ["arn:aws:iam::aws:policy/IAMFullAccess", ADMIN]
    cases: list[tuple[list[str], Any, str]] = [
        (both, {}, "AdministratorAccess and IAMFullAccess"),
        ([], {"p": {"Statement": "x"}, "q": {}, "r": None}, ""),
        *(([f"arn:{name}"], {}, said) for name, said in ATTACHED.items()),
        *(([], {"p": permissions(text)}, said) for text, said in INLINE.items()),
    ]
    for attached, inline, said in cases:
        assert power(attached, inline) == said
        limited = f"{said} (limited by its permissions boundary)" if said else ""
        assert power(attached, inline, "arn:b") == limited


COUNTS = (
    "no-audience=36 no-subject=5 name-pattern=4 every-namespace=3 no-condition=2 other-services=2"
    " namespace-pattern=1 every-subject=1 every-name=1 default-service-account=1 for-all-values=1"
    " literal-wildcard=1"
)


def of_clusters() -> list[tuple[str, str, tuple[Risk, ...]]]:
    """What is wide in each document of the corpus, for each cluster's provider in it."""
    return [
        (found.origin, json.dumps(found.document), wide_trusts(found.document, (provider_of(name),)))
        for found in CORPUS
        for name in sorted(KUBERNETES)
        if provider_of(name) in json.dumps(found.document)
    ]


def test_what_is_wide_in_the_trusts_of_others() -> None:
    """Each of them was looked at by a person once: what comes besides has to be, too."""
    counts = Counter(item.rule.id for _, _, found in of_clusters() for item in found)
    assert {f"{rule}={count}" for rule, count in counts.items()} == set(COUNTS.split())


def test_what_tools_write_for_one_service_account_is_tight() -> None:
    makers = ("eksctl-io/eksctl", "terraform-aws-modules", "pulumi/", "aws/eks-anywhere", "rh-mobb")
    tight = [
        found
        for origin, document, found in of_clusters()
        if any(maker in origin for maker in makers) and ":sub" in document and ":aud" in document
    ]
    assert len(tight) >= 8
    assert [item.rule for found in tight for item in found if item.rule is not RULES["name-pattern"]] == []
