"""Well-known policies: each is one that IAM takes, in every partition, and parameters narrow them."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies import grammar, policy, wellknown, wellknown_uses
from irsa_cli.core.policies.policy import WellKnown, check_limits
from irsa_cli.core.policies.wellknown import Resolved, Scope
from irsa_cli.core.values import arn
from irsa_cli.core.values.errors import InvalidInput

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")
SCOPE = Scope("aws", "eu-west-1", "111122223333", "prod")
SAMPLES = {
    "hostedZones": ("Z0123456789ABCDEF", "Z9"),
    "buckets": ("one-bucket", "other.bucket"),
    "kmsKeys": ("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",),
    "secrets": ("dev-*", "shop/db"),
    "ssmParameters": ("dev-*",),
    "autoScalingGroups": ("eks-ng-*",),
    "workspaces": ("ws-01234567-89ab-cdef-0123-456789abcdef",),
    "nodeRole": ("nodes",),
    "interruptionQueue": ("interruptions",),
    "clusterName": ("blue",),
    "region": ("us-east-1",),
    "account": ("444455556666",),
}


def _use(name: str, *, full: bool) -> WellKnown:
    """The policy with what it needs, or with everything that it takes."""
    known = wellknown.get(name)
    wanted = known.parameters if full else known.required
    return WellKnown(name, {key: SAMPLES[key] for key in wanted})


@pytest.mark.parametrize("name", wellknown.names())
@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("full", [True, False])
def test_every_policy_is_one_that_iam_takes(name: str, partition: str, full: bool) -> None:
    use = wellknown_uses.check(_use(name, full=full))
    found = wellknown.resolve([use], Scope(partition, "eu-west-1", "111122223333", "prod"))
    assert found.policies or found.inline
    assert all(arn.policy_arn(item).partition == partition for item in found.policies)
    for key, document in found.inline.items():
        assert grammar.check_identity_policy(document, key) is document
        assert policy.size(document) <= policy.INLINE_LIMIT
        text = json.dumps(document)
        assert not re.search(r"\$\{(?!aws:)", text)
        assert set(re.findall(r"\barn:(aws[a-z-]*):(?!kms)", text)) <= {partition}


@pytest.mark.parametrize("name", wellknown.names())
def test_every_policy_says_where_it_is_from(name: str) -> None:
    known = wellknown.get(name)
    assert known.title
    assert known.version
    assert re.fullmatch(r"https://\S+", known.source)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", known.date)
    assert set(known.parameters) <= set(SAMPLES)
    for parameter in known.parameters.values():
        assert parameter.description
        for value in parameter.default:
            assert "${" in value or re.fullmatch(parameter.pattern, value)


def test_eksctls_seven_come_first() -> None:
    assert wellknown.names()[:7] == wellknown.EKSCTL


def test_parameters_narrow() -> None:
    wide = wellknown.resolve([WellKnown("externalDNS")], SCOPE).inline["externalDNS"]
    use = WellKnown("externalDNS", {"hostedZones": ("Z1", "Z2")})
    narrow = wellknown.resolve([use], SCOPE).inline["externalDNS"]
    assert wide["Statement"][0]["Resource"] == ["arn:aws:route53:::hostedzone/*"]
    assert narrow["Statement"][0]["Resource"] == [
        "arn:aws:route53:::hostedzone/Z1",
        "arn:aws:route53:::hostedzone/Z2",
    ]
    assert narrow["Statement"][1:] == wide["Statement"][1:]


def test_the_cluster_fills_what_it_knows() -> None:
    (document,) = wellknown.resolve([WellKnown("karpenter")], SCOPE).inline.values()
    text = json.dumps(document)
    assert "arn:aws:iam::111122223333:role/KarpenterNodeRole-prod" in text
    assert "arn:aws:sqs:eu-west-1:111122223333:prod" in text
    assert '"aws:ResourceTag/kubernetes.io/cluster/prod": "owned"' in text
    with pytest.raises(InvalidInput, match="needs the parameter account"):
        wellknown.resolve([WellKnown("karpenter")], Scope("aws", "eu-west-1", cluster="prod"))


def test_statements_that_are_there_only_with_their_parameter() -> None:
    without = wellknown.resolve([WellKnown("externalSecrets")], SCOPE).inline["externalSecrets"]
    use = WellKnown("externalSecrets", {"ssmParameters": ("dev-*",)})
    with_it = wellknown.resolve([use], SCOPE).inline["externalSecrets"]
    assert len(with_it["Statement"]) == len(without["Statement"]) + 1
    assert with_it["Statement"][-1]["Resource"] == ["arn:aws:ssm:*:*:parameter/dev-*"]
    assert "when" not in json.dumps(with_it)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (WellKnown("externaldns"), "did you mean 'externalDNS'?"),
        (WellKnown("x"), "there are imageBuilder"),
        (WellKnown("velero"), "needs the parameter buckets"),
        (WellKnown("externalDNS", {"zones": ("Z1",)}), "no parameter 'zones'"),
        (WellKnown("externalDNS", {"hostedZones": ()}), "0 values"),
        (WellKnown("externalDNS", {"hostedZones": ("example.com",)}), "not valid for hostedZones"),
        (WellKnown("velero", {"buckets": ("b1",)}), "names of the buckets, of the form [a-z0-9]"),
        (WellKnown("karpenter", {"nodeRole": ("a", "b")}), "2 values"),
        (WellKnown("vpcCNI", {"a": ("b",)}), "its parameters: none"),
    ],
)
def test_wrong_uses(use: WellKnown, words: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(words)):
        wellknown_uses.check(use)


def test_joined_with_the_roles_own() -> None:
    own = Resolved(("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",), {"mine": {"Statement": []}})
    found = wellknown.joined(own, [WellKnown("vpcCNI"), WellKnown("certManager")], SCOPE)
    assert found.policies == own.policies
    assert list(found.inline) == ["mine", "certManager"]
    with pytest.raises(InvalidInput, match="has the same name as"):
        wellknown.joined(Resolved((), {"certManager": {}}), [WellKnown("certManager")], SCOPE)


def checked(found: Resolved) -> None:
    check_limits(found.policies, found.inline)


def test_iams_limits() -> None:
    large = [WellKnown("karpenter"), WellKnown("awsLoadBalancerController")]
    with pytest.raises(InvalidInput, match="IAM takes 10240 per role in total"):
        checked(wellknown.joined(Resolved(), large, SCOPE))
    own = tuple(f"arn:aws:iam::111122223333:policy/p{number}" for number in range(20))
    with pytest.raises(InvalidInput, match="21 managed policies"):
        checked(wellknown.joined(Resolved(own), [WellKnown("vpcCNI")], SCOPE))


@given(st.lists(st.from_regex(r"Z[A-Z0-9]{1,31}", fullmatch=True), min_size=1, max_size=20, unique=True))
def test_each_value_stands_once_in_its_order(zones: list[str]) -> None:
    use = wellknown_uses.check(WellKnown("certManager", {"hostedZones": tuple(zones)}))
    document = wellknown.resolve([use], SCOPE).inline["certManager"]
    assert document["Statement"][1]["Resource"] == [f"arn:aws:route53:::hostedzone/{zone}" for zone in zones]
