"""Well-known policies: each is one that IAM takes, in every partition, and parameters narrow them."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.policies import grammar, policy, wellknown, wellknown_uses
from irsa_cli.core.policies.policy import WellKnown, check_limits
from irsa_cli.core.policies.wellknown import Resolved, Scope
from irsa_cli.core.values import arn
from irsa_cli.core.values.errors import InvalidInput

PARTITIONS = "aws aws-cn aws-us-gov aws-iso aws-iso-b aws-iso-e aws-iso-f aws-eusc"
SCOPE = Scope("aws", "eu-west-1", "111122223333", "prod")
SAMPLES = {
    "hostedZones": "Z0123456789ABCDEF Z9",
    "buckets": "one-bucket other.bucket",
    "kmsKeys": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "secrets": "dev-* shop/db",
    "ssmParameters": "dev-*",
    "autoScalingGroups": "eks-ng-*",
    "workspaces": "ws-01234567-89ab-cdef-0123-456789abcdef",
    "nodeRole": "nodes",
    "interruptionQueue": "interruptions",
    "clusterName": "blue",
    "region": "us-east-1",
    "account": "444455556666",
}


def _use(name: str, *, full: bool) -> WellKnown:
    """The policy with what it needs, or with everything that it takes."""
    known = wellknown.get(name)
    wanted = known.parameters if full else known.required
    return WellKnown(name, {key: tuple(SAMPLES[key].split()) for key in wanted})


@pytest.mark.parametrize("name", wellknown.names())
def test_every_policy_is_one_that_iam_takes(name: str) -> None:
    for partition, full in product(PARTITIONS.split(), (True, False)):
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


def test_every_policy_says_where_it_is_from() -> None:
    for known in map(wellknown.get, wellknown.names()):
        assert all((known.title, known.version)), known
        assert re.fullmatch(r"https://\S+", known.source), known
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", known.date), known
        assert set(known.parameters) <= set(SAMPLES), known
        for parameter in known.parameters.values():
            assert parameter.description, known
            assert all("${" in value or re.fullmatch(parameter.pattern, value) for value in parameter.default)


def test_eksctls_seven_come_first() -> None:
    assert wellknown.names()[:7] == wellknown.EKSCTL


def inline(name: str, **parameters: str) -> list[Any]:
    """The statements of a policy with these values."""
    use = WellKnown(name, {key: tuple(text.split()) for key, text in parameters.items()})
    statements: list[Any] = wellknown.resolve([use], SCOPE).inline[name]["Statement"]
    return statements


def test_parameters_narrow() -> None:
    wide, narrow = inline("externalDNS"), inline("externalDNS", hostedZones="Z1 Z2")
    assert wide[0]["Resource"] == ["arn:aws:route53:::hostedzone/*"]
    assert narrow[0]["Resource"] == ["arn:aws:route53:::hostedzone/Z1", "arn:aws:route53:::hostedzone/Z2"]
    assert narrow[1:] == wide[1:]
    # A statement may be there only with its parameter.
    *others, last = inline("externalSecrets", ssmParameters="dev-*")
    assert len(others) == len(inline("externalSecrets"))
    assert last["Resource"] == ["arn:aws:ssm:*:*:parameter/dev-*"]
    assert "when" not in last


def test_the_cluster_fills_what_it_knows() -> None:
    text = json.dumps(inline("karpenter"))
    assert "arn:aws:iam::111122223333:role/KarpenterNodeRole-prod" in text
    assert "arn:aws:sqs:eu-west-1:111122223333:prod" in text
    assert '"aws:ResourceTag/kubernetes.io/cluster/prod": "owned"' in text
    with pytest.raises(InvalidInput, match="needs the parameter account"):
        wellknown.resolve([WellKnown("karpenter")], Scope("aws", "eu-west-1", cluster="prod"))


def test_wrong_uses() -> None:
    for name, values, words in (
        ("externaldns", {}, "did you mean 'externalDNS'?"),
        ("x", {}, "there are imageBuilder"),
        ("velero", {}, "needs the parameter buckets"),
        ("externalDNS", {"zones": ("Z1",)}, "no parameter 'zones'"),
        ("externalDNS", {"hostedZones": ()}, "0 values"),
        ("externalDNS", {"hostedZones": ("example.com",)}, "not valid for hostedZones"),
        ("velero", {"buckets": ("b1",)}, "names of the buckets, of the form [a-z0-9]"),
        ("karpenter", {"nodeRole": ("a", "b")}, "2 values"),
        ("vpcCNI", {"a": ("b",)}, "its parameters: none"),
    ):
        with pytest.raises(InvalidInput, match=re.escape(words)):
            wellknown_uses.check(WellKnown(name, values))


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
    wellknown_uses.check(WellKnown("certManager", {"hostedZones": tuple(zones)}))
    resources = inline("certManager", hostedZones=" ".join(zones))[1]["Resource"]
    assert resources == [f"arn:aws:route53:::hostedzone/{zone}" for zone in zones]
