"""The table of rules, and that each is broken by its example, and by none of the tight trusts of others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irsa_cli
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust.rules.judge import TrustContext, judge
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.providers import AccountContext, KnownCluster, can_be_had, cluster_providers
from irsa_cli.core.trust.rules.rule import EXAMPLES, RULES, TRUST_RULES, Area, Rule, after, before
from tests.support.documents import Json, doc
from tests.support.documents import policy as permissions
from tests.support.ran import schema
from tests.support.thoroughness import examples

SA = "system:serviceaccount:prod:app"
STS = "sts.amazonaws.com"
ISSUER, PROVIDER, OTHER_PROVIDER, BUCKET_PROVIDER = (
    EXAMPLES[name] for name in ("issuer", "provider", "other-provider", "bucket-provider")
)
SUB, AUD = f"{ISSUER}:sub", f"{ISSUER}:aud"
AUDIENCES = (STS, "https://vault.example.com")
CLUSTERS = {
    PROVIDER: KnownCluster("shop-prod"),
    OTHER_PROVIDER: KnownCluster("shop-dev"),
}


def context(**more: Any) -> AccountContext:
    """An account with two clusters and their providers, as an audit knows it."""
    known = {
        "providers": (PROVIDER, OTHER_PROVIDER, BUCKET_PROVIDER),
        "existing": {PROVIDER: AUDIENCES, OTHER_PROVIDER: AUDIENCES, BUCKET_PROVIDER: AUDIENCES},
        "clusters": CLUSTERS,
    }
    return AccountContext(**{**known, **more})


def around(rule: Rule) -> TrustContext:
    """The account in which the rule's example is judged."""
    if rule is RULES["provider-gone"]:
        one = {PROVIDER: CLUSTERS[PROVIDER]}
        return context(existing={PROVIDER: AUDIENCES}, clusters=one)
    return context()


def broken(document: Any, known: TrustContext | None = None) -> list[str]:
    return [item.rule.id for item in judge(document, known or context())]


def test_a_rules_example_breaks_it_and_what_follows_breaks_none() -> None:
    beside = {"wrong-issuer-key": {"no-subject"}, "loose-beside-tight": {"no-subject"}}
    for rule in TRUST_RULES:
        found = judge(before(rule), around(rule))
        assert {item.rule.id for item in found} == {rule.id} | beside.get(rule.id, set())
        assert broken(after(rule), around(rule)) == [], rule.id
        for item in found:
            place: Any = before(rule)
            for step in item.path:
                place = place[step]
            assert place, rule.id
            assert item.path[0] == "Statement", rule.id


def test_a_rule_says_why_what_to_do_and_who_says_so() -> None:
    for name, rule in RULES.items():
        assert rule.id == name
        assert rule.source.startswith("https://"), name
        assert all(text.endswith(".") and "\n" not in text for text in (rule.title, rule.reason)), name
        assert rule.fix, name
        assert not rule.fix.endswith("."), name
        assert json.dumps(before(rule)) != json.dumps(after(rule)), name


def test_the_schema_of_warnings_knows_the_rules_about_trust_policies() -> None:
    known = schema()["$defs"]["warnings"]["items"]["properties"]["id"]["enum"]
    assert known == [rule.id for rule in TRUST_RULES]


def web(condition: Any, **more: Any) -> Json:
    base = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ACTION}
    return {**base, "Condition": condition, **more}


def policy(*statements: Any) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


EXACT = {"StringEquals": {SUB: SA, AUD: STS}}
PODS = doc(
    """{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "prod"}}}"""
)
CONDITIONS = {
    "eksctl, CDK": '{"StringEquals": {"<sub>": "<SA>", "<aud>": "<STS>"}}',
    "terraform-aws-modules": '{"StringEquals": {"<sub>": ["<SA>", "<SA>-2"], "<aud>": "<STS>"}}',
    "Terraform, by a pattern without a sign": '{"StringLike": {"<sub>": "<SA>", "<aud>": "<STS>"}}',
    "CDK, with a literal audience": '{"StringEquals": {"<aud>": ["<STS>"], "<sub>": ["<SA>"]}}',
    "rosa": '{"StringEquals": {"<sub>": ["system:serviceaccount:openshift:router"], "<aud>": "openshift"}}',
    "if it exists, of the own issuer": (
        '{"StringEquals": {"<aud>": "<STS>"}, "StringEqualsIfExists": {"<sub>": "<SA>"}}'
    ),
}
OTHER = json.loads(json.dumps(EXACT).replace(ISSUER, EXAMPLES["other"]))
BESIDE = {
    "irsa, two clusters of a stage": [web(OTHER, Principal={"Federated": OTHER_PROVIDER})],
    "both ways to the same pods": [PODS],
    "an administrator beside": [{**PODS, "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"}}],
    "no pod's": [{**PODS, "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"}],
    "GitHub's": [
        web(
            {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:a/b:*"}},
            Principal={"Federated": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"},
        )
    ],
}


def test_the_account_does_not_say_which_pods() -> None:
    block = {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert broken(policy({**PODS, "Condition": block})) == ["pod-identity-no-condition"]


SAME_STAGE = context(clusters={PROVIDER: KnownCluster("shop-prod"), OTHER_PROVIDER: KnownCluster("prod-2")})


def test_the_tight_trusts_of_tools_break_no_rule() -> None:
    for tool, text in CONDITIONS.items():
        condition = doc(text, sub=SUB, aud=AUD, SA=SA, STS=STS)
        for more in ({}, {"Sid": "Irsa1", "Action": [ACTION]}):
            assert broken(policy(web(condition, **more)), SAME_STAGE) == [], tool
    for tool, statements in BESIDE.items():
        own = [] if tool in ("no pod's", "GitHub's") else [web(EXACT)]
        assert broken(policy(*own, *statements), SAME_STAGE) == [], tool


def test_what_was_not_read_breaks_nothing() -> None:
    unread = TrustContext((PROVIDER, OTHER_PROVIDER, BUCKET_PROVIDER))
    for rule in (RULES["provider-gone"], RULES["several-stages"], RULES["issuer-can-be-had"]):
        assert broken(before(rule), unread) == []


def test_an_audience_that_the_provider_does_not_take_is_no_risk() -> None:
    one = context(existing={PROVIDER: (STS,)})
    for rule in (RULES["no-audience"], RULES["extra-audience"]):
        assert broken(before(rule), one) == []


def test_a_statement_that_demands_less_stands_beside_a_tight_one() -> None:
    network = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    document = policy(web({**EXACT, **network}), web(EXACT))
    (found,) = judge(document, context())
    assert found.rule.id == "loose-beside-tight"
    assert found.path == ("Statement", 1)
    assert "the stricter statement 1 excludes nobody" in found.reason


def test_the_providers_of_clusters_are_found() -> None:
    known, google, kops = (
        f"arn:aws:iam::1:oidc-provider/{host}"
        for host in ("api.example.com", "accounts.google.com", "kops.example")
    )
    by_key = {"StringLike": {"Kops.example:SUB": "system:serviceaccount:*"}}
    document = policy(
        web(EXACT),
        web({}, Principal={"Federated": [known, google]}),
        web(by_key, Principal={"Federated": kops}),
    )
    assert cluster_providers(document, {known: None}) == (PROVIDER, known, kops)


def test_the_stage_that_a_name_says() -> None:
    for names, stage in (
        ("prod shop-prd-eu", "production"),
        ("Shop_Staging pre-prod", "pre-production"),
        ("non-prod dev2", "development"),
        ("product main prod-test", ""),
    ):
        for name in names.split():
            assert KnownCluster(name).stage == stage, name


HAD = """my-oidc.s3.eu-west-1.amazonaws.com/x s3.us-west-2.amazonaws.com/my-oidc storage.googleapis.com/b
s3-eu-west-1.amazonaws.com/my-oidc me.github.io"""
OWNED = """rh-oidc.s3.us-east-1.amazonaws.com/1 d111.cloudfront.net/1
container.googleapis.com/v1/projects/p"""


def test_hosts_that_can_be_had() -> None:
    assert [host for host in (*HAD.split(), *OWNED.split(), ISSUER) if can_be_had(host)] == HAD.split()


ATTACH = "Allow iam:AttachRolePolicy on *"


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ((ATTACH,), "iam:AttachRolePolicy (by attaching"),
        (("Allow iam:Put* on *",), "iam:PutRolePolicy"),
        (("Allow iam:PassRole on *", "Allow ec2:* on *"), "iam:PassRole with ec2:RunInstances"),
        (("Allow iam:PassRole on *",), ""),
        (("Allow ec2:RunInstances,s3:* on *",), ""),
        (("Allow iam:AttachRolePolicy on arn:aws:iam::1:role/x",), ""),
        ((ATTACH, "Deny iam:*Role* on *"), ""),
        (("Allow * on *", "Deny * on *"), ""),
    ],
)
def test_ways_to_become_administrator(statements: tuple[str, ...], words: str) -> None:
    """In policies of their own."""
    found = power((), {text: permissions(text) for text in statements})
    assert words in found
    assert bool(found) is bool(words)


def test_policies_that_are_said_otherwise() -> None:
    for text, words in (
        ('{"Statement": {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}}', "more ways"),
        ("3", ""),
        ('{"Statement": ["x", null]}', ""),
    ):
        found = power((), {"p": doc(text)})
        assert words in found
        assert bool(found) is bool(words)
    (statement,) = permissions(ATTACH)["Statement"]
    assert power((), {"p": {"Statement": {**statement, "Condition": {"Bool": {"a": "b"}}}}}) == ""


def test_what_the_boundary_does_not_allow_is_not_much() -> None:
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    everything = permissions("Allow * on *")
    assert power([admin], {}, "arn:b", permissions("Allow s3:* on *")) == ""
    assert "boundary" in power([admin], {}, "arn:b", everything)
    assert "boundary" in power((), {"p": permissions("Allow iam:* on *")}, "arn:b", permissions(ATTACH))


WORDS = (
    "Statement Effect Principal Federated AWS Service Action Condition Sid NotAction StringLike NotPrincipal"
    f" ForAllValues:StringEquals {SUB} {AUD}"
).split()
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([PROVIDER, SA, "*", STS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=examples(200))
@given(st.dictionaries(st.sampled_from(["Statement", "Version", "Id"]), ANY, max_size=3))
def test_whatever_a_document_is_judging_it_does_not_fail(document: Json) -> None:
    for item in judge(document, context()):
        assert item.rule.id in RULES
        assert item.rule.area is Area.TRUST
    power((), {"p": document})


def test_a_pattern_with_many_meanings_is_told_once() -> None:
    subject = f"system:serviceaccount:{'?' * 20}"
    (found,) = judge(policy(web({"StringEquals": {AUD: STS}, "StringLike": {SUB: subject}})), context())
    assert found.rule.id == "pattern-crosses-colon"


def test_the_program_names_rules_that_exist() -> None:
    texts = [path.read_text() for path in Path(irsa_cli.__file__).parent.rglob("*.py")]
    named = {found for text in texts for found in re.findall(r'\bRULES\["([^"]+)"\]', text)}
    assert len(named) > 30
    assert named <= set(RULES)
