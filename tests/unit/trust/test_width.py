"""What is wide in a trust policy, and that nothing is where it names whom it lets in."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.web_identity import ACTION, WebIdentity
from irsa_cli.core.results.result_document import warning_json
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.correction import wide_trusts
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import RULES, Risk, Severity, in_one_line
from tests.support.trusts import trust_of
from tests.unit.trust.test_trust_corpus import CORPUS, KUBERNETES, provider_of

PROVIDER = provider_of("eks")
ISSUER = PROVIDER.partition("oidc-provider/")[2]
SUB, AUD = f"{ISSUER}:sub", f"{ISSUER}:aud"
STS = "sts.amazonaws.com"
SA = "system:serviceaccount:"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
NAMED = f"{SA}prod:app"


def allow(condition: Any = None, **more: Any) -> dict[str, Any]:
    """A statement for the cluster's provider."""
    item = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ACTION, **more}
    return item if condition is None else {**item, "Condition": condition}


def deny(condition: Any) -> dict[str, Any]:
    return {**allow(condition), "Effect": "Deny"}


def exact(subject: Any = NAMED) -> dict[str, Any]:
    return {"StringEquals": {SUB: subject, AUD: STS}}


def pattern(subject: Any) -> dict[str, Any]:
    return {"StringEquals": {AUD: STS}, "StringLike": {SUB: subject}}


def wide(*statements: Any, **more: Any) -> tuple[Risk, ...]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    before = json.dumps(document)
    found = wide_trusts(document, (PROVIDER,), **more)
    assert json.dumps(document) == before
    return found


def rules(*statements: Any) -> list[str]:
    return [item.rule.id for item in wide(*statements)]


EVERYBODY_IF = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}

WIDE: list[tuple[str, tuple[Any, ...], list[str]]] = [
    ("no condition", (allow(),), ["no-condition"]),
    ("an empty condition", (allow({}),), ["no-condition"]),
    ("no sub", (allow({"StringEquals": {AUD: STS}}),), ["no-subject"]),
    (
        "neither, but another",
        (allow({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),),
        ["no-subject", "no-audience"],
    ),
    ("no aud", (allow({"StringEquals": {SUB: NAMED}}),), ["no-audience"]),
    ("aud by a pattern", (allow({"StringEquals": {SUB: NAMED}, "StringLike": {AUD: "*"}}),), ["no-audience"]),
    (
        "aud by what it is not",
        (allow({"StringEquals": {SUB: NAMED}, "StringNotEquals": {AUD: "x"}}),),
        ["no-audience"],
    ),
    ("aud if it exists", (allow({"StringEquals": {SUB: NAMED}, "Null": {AUD: "false"}}),), ["no-audience"]),
    (
        "only negative",
        (allow({"StringEquals": {AUD: STS}, "StringNotEquals": {SUB: NAMED}}),),
        ["only-negative"],
    ),
    (
        "only negative by a pattern",
        (allow({"StringEquals": {AUD: STS}, "StringNotLike": {SUB: f"{SA}kube-*"}}),),
        ["only-negative"],
    ),
    ("the star", (allow(pattern("*")),), ["every-subject"]),
    ("the star with its prefix", (allow(pattern(f"{SA}*")),), ["every-subject"]),
    ("both stars", (allow(pattern(f"{SA}*:*")),), ["every-subject"]),
    ("the star of all", (allow(pattern("system:*")),), ["every-subject"]),
    ("all namespaces", (allow(pattern(f"{SA}*:app")),), ["every-namespace"]),
    ("all namespaces, some names", (allow(pattern(f"{SA}*:app-*")),), ["every-namespace"]),
    ("namespaces by a prefix", (allow(pattern(f"{SA}prod*:app")),), ["namespace-pattern"]),
    ("namespaces by an end", (allow(pattern(f"{SA}*-prod:app")),), ["namespace-pattern"]),
    ("a star over the colon", (allow(pattern(f"{SA}prod*")),), ["pattern-crosses-colon"]),
    (
        "a star over the colon, with a name's end",
        (allow(pattern(f"{SA}prod*app")),),
        ["pattern-crosses-colon"],
    ),
    ("one sign of a namespace", (allow(pattern(f"{SA}prod-?:app")),), ["namespace-pattern"]),
    ("all names", (allow(pattern(f"{SA}prod:*")),), ["every-name"]),
    ("all names, with a star for the rest", (allow(pattern("*:prod:*")),), ["every-name"]),
    ("names by a prefix", (allow(pattern(f"{SA}prod:app*")),), ["name-pattern"]),
    ("names by a prefix with a hyphen", (allow(pattern(f"{SA}prod:app-*")),), ["name-pattern"]),
    ("one sign of a name", (allow(pattern(f"{SA}prod:app-?")),), ["name-pattern"]),
    ("among names", (allow(pattern([NAMED, f"{SA}*:app"])),), ["every-namespace"]),
    ("by another statement", (allow(exact()), allow(pattern("*"))), ["every-subject", "loose-beside-tight"]),
    (
        "with a quantifier",
        (allow({"StringEquals": {AUD: STS}, "ForAllValues:StringLike": {SUB: f"{SA}a:*"}}),),
        ["every-name", "for-all-values"],
    ),
    (
        "in another case of the key",
        (allow({"StringEquals": {AUD.upper(): STS}, "StringLike": {SUB.upper(): "*"}}),),
        ["every-subject"],
    ),
    (
        "kept in by a Deny for others",
        (allow({"StringEquals": {AUD: STS}}), deny({"StringNotLike": {SUB: f"{SA}prod:*"}})),
        ["every-name"],
    ),
    ("all actions", (allow(pattern("*"), Action="sts:*"),), ["every-subject", "all-sts-actions"]),
    (
        "all but an action",
        ({**allow(pattern("*")), "NotAction": "sts:AssumeRole"},),
        ["every-subject", "all-sts-actions"],
    ),
    (
        "among providers",
        (allow(pattern("*"), Principal={"Federated": ["arn:aws:iam::1:oidc-provider/x", PROVIDER]}),),
        ["every-subject"],
    ),
    ("everybody", (allow(Principal="*"),), ["everybody"]),
    ("everybody of AWS", (allow(Principal={"AWS": "*"}, Action="sts:AssumeRole"),), ["everybody"]),
    ("everybody, by conditions", (allow(exact(), Principal="*"),), ["everybody"]),
    (
        "all but one",
        ({"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}, "Action": ACTION},),
        ["everybody"],
    ),
]

TIGHT: list[tuple[str, tuple[Any, ...]]] = [
    ("one subject", (allow(exact()),)),
    ("two subjects by name", (allow(exact([NAMED, f"{SA}prod:web"])),)),
    ("a pattern without a sign", (allow(pattern(NAMED)),)),
    ("a pattern that leaves one", (allow(pattern("*:prod:app")),)),
    ("a star that is a star", (allow(exact(f"{SA}prod:*")),)),
    ("a star by a variable", (allow(pattern(f"{SA}prod:${{*}}")),)),
    (
        "a pattern and a name",
        (allow({"StringEquals": {SUB: NAMED, AUD: STS}, "StringLike": {SUB: f"{SA}*"}}),),
    ),
    (
        "a Deny for others",
        (allow({"StringEquals": {AUD: STS}}), deny({"StringNotEquals": {SUB: NAMED}})),
    ),
    ("another provider", (allow(Principal={"Federated": provider_of("gh")}),)),
    ("another action", (allow(Action="sts:TagSession"),)),
    ("all actions but this", ({**allow(), "NotAction": ACTION},)),
    ("a Deny alone", (deny({"StringLike": {SUB: "*"}}),)),
    ("an organization", (allow(EVERYBODY_IF, Principal={"AWS": "*"}, Action="sts:AssumeRole"),)),
    ("another issuer's key", (allow({"StringLike": {"other:sub": "*"}}),)),
    ("a pattern that nobody fits", (allow(pattern("repo:*")),)),
    ("no statement", ()),
    ("what is no statement", ("x",)),
]


@pytest.mark.parametrize(("statements", "expected"), [row[1:] for row in WIDE], ids=[row[0] for row in WIDE])
def test_what_is_wide(statements: tuple[Any, ...], expected: list[str]) -> None:
    assert rules(*statements) == expected


@pytest.mark.parametrize("statements", [row[1] for row in TIGHT], ids=[row[0] for row in TIGHT])
def test_what_is_tight(statements: tuple[Any, ...]) -> None:
    assert rules(*statements) == []


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
    (found,) = wide(allow(pattern(subject), Sid="Mine"))
    assert words in found.reason
    assert subject in found.pattern
    assert found.statement == "statement 1 (Mine)"
    assert SUB in found.suggestion
    assert "\n" not in found.warning


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True),
    st.sampled_from([STS, "other", "https://api.example"]),
    st.booleans(),
)
def test_a_trust_for_one_subject_and_audience_is_never_wide(
    namespace: str, name: str, audience: str, by_like: bool
) -> None:
    identity = WebIdentity(PROVIDER, f"https://{ISSUER}", f"{SA}{namespace}:{name}", audience)
    for document in (
        trust_of(identity, pattern=by_like),
        {"Statement": trust_policy.marked_statement(identity)},
    ):
        assert wide_trusts(document, (PROVIDER,)) == ()


SUBJECTS = [f"{SA}{one}:{two}" for one, two in product(["a", "b", "aa", "ab", "ba", "bb"], repeat=2)]


@given(st.text("ab*?:", max_size=6), st.booleans())
def test_a_pattern_is_told_exactly_when_it_admits_more_than_one(text: str, whole: bool) -> None:
    subject = text if whole else SA + text
    admitted = [item for item in SUBJECTS if like(item, subject)]
    found = rules(allow(pattern(subject)))
    if len(admitted) > 1:
        assert found, admitted
    if found == []:
        assert len(admitted) <= 1
    else:
        assert set(found) <= {
            "every-subject",
            "every-namespace",
            "namespace-pattern",
            "every-name",
            "name-pattern",
            "pattern-crosses-colon",
        }


def test_what_the_role_may_do_makes_it_worse() -> None:
    for statement, before, after in (
        (allow(pattern(f"{SA}prod:app*")), Severity.LOW, Severity.MEDIUM),
        (allow(pattern(f"{SA}prod:*")), Severity.MEDIUM, Severity.HIGH),
        (allow(), Severity.HIGH, Severity.CRITICAL),
    ):
        assert [item.severity for item in wide(statement)] == [before]
        (found,) = wide(statement, power=power([ADMIN]), role="arn:r")
        assert found.severity is after
        assert found.reason.endswith("; this grants AdministratorAccess")
        assert warning_json(found)["role"] == {"arn": "arn:r"}


def test_the_worst_comes_first_and_each_provider_is_looked_at() -> None:
    other = provider_of("old")
    found = wide_trusts(
        {
            "Statement": [
                allow({"StringEquals": {SUB: NAMED}}),
                {**allow(), "Principal": {"Federated": [other, PROVIDER]}},
            ]
        },
        (PROVIDER, other),
    )
    assert [item.rule.id for item in found] == ["no-condition", "loose-beside-tight", "no-audience"]


def test_a_line_of_a_list_has_the_worst_of_many() -> None:
    found = wide(allow(), *(allow(pattern(f"{SA}n:{letter}*")) for letter in "abcde"))
    line = in_one_line(found)
    assert line.startswith("high no-condition: statement 1 has no condition")
    assert line.endswith("; and 3 more")
    assert in_one_line(()) == ""


@pytest.mark.parametrize(
    ("attached", "inline", "said"),
    [
        ([ADMIN], {}, "AdministratorAccess"),
        (["arn:aws-cn:iam::aws:policy/PowerUserAccess"], {}, "PowerUserAccess"),
        (["arn:aws:iam::aws:policy/IAMFullAccess", ADMIN], {}, "AdministratorAccess and IAMFullAccess"),
        (["arn:aws:iam::111122223333:policy/AdministratorAccess"], {}, ""),
        (["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"], {}, ""),
        ([], {"p": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}, "* in policy p"),
        (
            [],
            {"p": {"Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "IAM:*"], "Resource": ["*"]}]}},
            "IAM:* in policy p",
        ),
        (
            [],
            {"p": {"Statement": [{"Effect": "Allow", "Action": "*:*", "Resource": "*"}]}},
            "*:* in policy p",
        ),
        ([], {"p": {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}}, ""),
        ([], {"p": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b"}]}}, ""),
        ([], {"p": {"Statement": "x"}, "q": {}, "r": None}, ""),
    ],
)
def test_what_is_much(attached: list[str], inline: dict[str, Any], said: str) -> None:
    assert power(attached, inline) == said
    assert power(attached, inline, "arn:b") == (
        f"{said} (limited by its permissions boundary)" if said else ""
    )


COUNTS = {
    "no-audience": 36,
    "no-subject": 5,
    "name-pattern": 4,
    "every-namespace": 3,
    "no-condition": 2,
    "namespace-pattern": 1,
    "every-subject": 1,
    "every-name": 1,
    "default-service-account": 1,
    "for-all-values": 1,
    "other-services": 2,
}


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
    assert dict(counts) == COUNTS


def test_what_tools_write_for_one_service_account_is_tight() -> None:
    makers = ("eksctl-io/eksctl", "terraform-aws-modules", "pulumi/", "aws/eks-anywhere", "rh-mobb")
    tight = [
        found
        for origin, document, found in of_clusters()
        if any(maker in origin for maker in makers) and ":sub" in document and ":aud" in document
    ]
    assert len(tight) >= 8
    assert [item.rule for found in tight for item in found if item.rule is not RULES["name-pattern"]] == []
