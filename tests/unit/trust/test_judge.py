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


@pytest.mark.parametrize("rule", TRUST_RULES, ids=lambda rule: rule.id)
def test_a_rules_example_breaks_it_and_what_follows_breaks_none(rule: Rule) -> None:
    found = judge(before(rule), around(rule))
    assert rule.id in [item.rule.id for item in found]
    beside = {"wrong-issuer-key": {"no-subject"}, "loose-beside-tight": {"no-subject"}}
    assert {item.rule.id for item in found} == {rule.id} | beside.get(rule.id, set())
    assert broken(after(rule), around(rule)) == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_says_why_what_to_do_and_who_says_so(rule: Rule) -> None:
    assert RULES[rule.id] is rule
    assert rule.source.startswith("https://")
    for text in (rule.title, rule.reason):
        assert text.endswith(".")
        assert "\n" not in text
    assert rule.fix
    assert not rule.fix.endswith(".")
    assert json.dumps(before(rule)) != json.dumps(after(rule))


def test_the_schema_of_warnings_knows_the_rules_about_trust_policies() -> None:
    known = schema()["$defs"]["warnings"]["items"]["properties"]["id"]["enum"]
    assert known == [rule.id for rule in TRUST_RULES]


@pytest.mark.parametrize("rule", TRUST_RULES, ids=lambda rule: rule.id)
def test_a_risks_path_leads_to_what_breaks_the_rule(rule: Rule) -> None:
    for item in judge(before(rule), around(rule)):
        place: Any = before(rule)
        for step in item.path:
            place = place[step]
        assert place
        assert item.path[0] == "Statement"


def web(condition: Any, **more: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ACTION,
        "Condition": condition,
        **more,
    }


def policy(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


EXACT = {"StringEquals": {SUB: SA, AUD: STS}}
PODS = {
    "Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "prod"}},
}
TIGHT = {
    "eksctl": policy(web(EXACT, Action=[ACTION])),
    "terraform-aws-modules": policy(
        web({"StringEquals": {SUB: [SA, "system:serviceaccount:prod:web"], AUD: STS}}, Sid="")
    ),
    "terraform-aws-modules, by a pattern without a sign": policy(
        web({"StringLike": {SUB: SA, AUD: STS}}),
    ),
    "CDK": policy(web(EXACT)),
    "CDK, with a literal audience": policy(web({"StringEquals": {AUD: [STS], SUB: [SA]}})),
    "rosa": policy(
        web(
            {
                "StringEquals": {
                    SUB: ["system:serviceaccount:openshift-ingress:router"],
                    AUD: "openshift",
                }
            }
        )
    ),
    "irsa": policy(web(EXACT, Sid="Irsa1")),
    "irsa, two clusters of a stage": policy(
        web(EXACT),
        web(
            {
                "StringEquals": {
                    key.replace(ISSUER, EXAMPLES["other"]): value
                    for key, value in EXACT["StringEquals"].items()
                }
            },
            Principal={"Federated": OTHER_PROVIDER},
        ),
    ),
    "both ways to the same pods": policy(web(EXACT), PODS),
    "an administrator beside": policy(
        web(EXACT),
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"},
            "Action": "sts:AssumeRole",
        },
    ),
    "no pod's": policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"}),
    "GitHub's": policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"},
            "Action": ACTION,
            "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:a/b:*"}},
        }
    ),
    "if it exists, of the own issuer": policy(
        web({"StringEquals": {AUD: STS}, "StringEqualsIfExists": {SUB: SA}})
    ),
}


def test_the_account_does_not_say_which_pods() -> None:
    block = {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert broken(policy({**PODS, "Condition": block})) == ["pod-identity-no-condition"]


SAME_STAGE = context(clusters={PROVIDER: KnownCluster("shop-prod"), OTHER_PROVIDER: KnownCluster("prod-2")})


@pytest.mark.parametrize("document", TIGHT.values(), ids=TIGHT)
def test_the_tight_trusts_of_tools_break_no_rule(document: Any) -> None:
    assert broken(document, SAME_STAGE) == []


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
    known = "arn:aws:iam::1:oidc-provider/api.example.com"
    document = policy(
        web(EXACT),
        web({}, Principal={"Federated": [known, "arn:aws:iam::1:oidc-provider/accounts.google.com"]}),
        web(
            {"StringLike": {"Kops.example:SUB": "system:serviceaccount:*"}},
            Principal={"Federated": "arn:aws:iam::1:oidc-provider/kops.example"},
        ),
    )
    found = cluster_providers(document, {known: None})
    assert found == (PROVIDER, known, "arn:aws:iam::1:oidc-provider/kops.example")


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("prod", "production"),
        ("shop-prd-eu", "production"),
        ("Shop_Staging", "pre-production"),
        ("pre-prod", "pre-production"),
        ("non-prod", "development"),
        ("dev2", "development"),
        ("product", ""),
        ("main", ""),
        ("prod-test", ""),
    ],
)
def test_the_stage_that_a_name_says(name: str, stage: str) -> None:
    assert KnownCluster(name).stage == stage


@pytest.mark.parametrize(
    ("issuer", "had"),
    [
        ("my-oidc.s3.eu-west-1.amazonaws.com/x", True),
        ("s3.us-west-2.amazonaws.com/my-oidc", True),
        ("s3-eu-west-1.amazonaws.com/my-oidc", True),
        ("storage.googleapis.com/b", True),
        ("me.github.io", True),
        ("rh-oidc.s3.us-east-1.amazonaws.com/1", False),
        ("d111.cloudfront.net/1", False),
        (ISSUER, False),
        ("container.googleapis.com/v1/projects/p", False),
    ],
)
def test_hosts_that_can_be_had(issuer: str, had: bool) -> None:
    assert can_be_had(issuer) is had


def allows(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}]}


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        ({"p": allows("iam:AttachRolePolicy")}, "iam:AttachRolePolicy (by attaching"),
        ({"p": allows("iam:Put*")}, "iam:PutRolePolicy"),
        ({"p": allows("iam:PassRole"), "q": allows("ec2:*")}, "iam:PassRole with ec2:RunInstances"),
        ({"p": {"Statement": {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}}}, "more ways"),
        ({"p": allows("iam:PassRole")}, ""),
        ({"p": allows("ec2:RunInstances", "s3:*")}, ""),
        ({"p": allows("iam:AttachRolePolicy", Resource="arn:aws:iam::1:role/x")}, ""),
        ({"p": allows("iam:AttachRolePolicy", Condition={"Bool": {"a": "b"}})}, ""),
        ({"p": allows("iam:AttachRolePolicy"), "q": allows("iam:*Role*", Effect="Deny")}, ""),
        ({"p": allows("*"), "q": allows("*", Effect="Deny")}, ""),
        ({"p": 3, "q": {"Statement": ["x", None]}}, ""),
    ],
)
def test_ways_to_become_administrator(policies: dict[str, Any], words: str) -> None:
    found = power((), policies)
    assert words in found
    assert bool(found) is bool(words)


def test_what_the_boundary_does_not_allow_is_not_much() -> None:
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert power([admin], {}, "arn:b", allows("s3:*")) == ""
    assert "boundary" in power([admin], {}, "arn:b", allows("*"))
    assert "boundary" in power((), {"p": allows("iam:*")}, "arn:b", allows("iam:AttachRolePolicy"))


def test_the_policies_of_aws_are_known_by_their_names() -> None:
    for name in ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess"):
        assert power([f"arn:aws-cn:iam::aws:policy/{name}"])


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([PROVIDER, SA, "*", STS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    "Statement Effect Principal Federated AWS Service Action Condition Sid NotAction"
                    f" StringLike NotPrincipal ForAllValues:StringEquals {SUB} {AUD}"
                ).split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=examples(200))
@given(st.dictionaries(st.sampled_from(["Statement", "Version", "Id"]), ANY, max_size=3))
def test_whatever_a_document_is_judging_it_does_not_fail(document: dict[str, Any]) -> None:
    for item in judge(document, context()):
        assert item.rule.id in RULES
        assert item.rule.area is Area.TRUST
    power((), {"p": document})


def test_a_pattern_with_many_meanings_is_told_once() -> None:
    subject = f"system:serviceaccount:{'?' * 20}"
    (found,) = judge(policy(web({"StringEquals": {AUD: STS}, "StringLike": {SUB: subject}})), context())
    assert found.rule.id == "pattern-crosses-colon"


def test_the_program_names_rules_that_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in Path(irsa_cli.__file__).parent.rglob("*.py")]
    named = {found for text in texts for found in re.findall(r'\bRULES\["([^"]+)"\]', text)}
    assert len(named) > 30
    assert named <= set(RULES)
