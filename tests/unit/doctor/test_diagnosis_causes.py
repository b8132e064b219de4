"""Each cause: a working binding broken in that way, and nothing else is named."""

from __future__ import annotations

import shlex

import pytest

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.diagnosis import judge
from irsa_cli.core.doctor.facts import VpcEndpoint
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.webhooks import NetworkPolicy, network_policy
from tests.support.documents import Json, doc
from tests.unit.current import (
    CHINESE_ROLE,
    ROLE,
    TRUST,
    Change,
    account,
    around,
    both,
    china,
    condition,
    container,
    env,
    listed,
    of_cluster,
    pod,
    role,
    trusting,
    working,
)
from tests.unit.doctor.diagnosis_cases import (
    ADMITTING,
    BESIDE,
    CASES,
    FOR_ANOTHER,
    PROVIDERS,
    finding,
    full_trust,
    noted,
    pod_identity,
    problems,
    verdicts,
)

AUDIENCE = "sts.amazonaws.com"

NEVER_A_PROBLEM = """chain-pod pod-sts-proxy pod-unseen pod-profile pod-credentials-file pod-old-annotation
pod-identity-endpoint provider-thumbprint role-new role-without-permissions role-wide-trust
organization-policy pod-region sts-global-endpoint pod-host-network node-hop-limit pod-role-twice
token-malformed pod-mesh pod-container-missed pod-network-policy sts-never-asked sts-refused run-at-work"""
"""Causes that can be hinted at from outside, and not proven."""


def test_nothing_is_wrong_with_a_working_binding() -> None:
    assert problems(around()) == []


@pytest.mark.parametrize("cause", sorted({cause for cause, _ in CASES}))
def test_exactly_that_cause_is_named(cause: str) -> None:
    for number, (named, change) in enumerate(CASES):
        if named == cause:
            assert problems(change) == [cause], number


def test_every_cause_is_tried() -> None:
    beside = {cause for causes, _ in BESIDE for cause in causes}
    assert {cause for cause, _ in CASES} | beside | {*NEVER_A_PROBLEM.split()} == set(CAUSES)


@pytest.mark.parametrize(("causes", "change"), BESIDE, ids=[str(causes) for causes, _ in BESIDE])
def test_a_cause_that_keeps_another_from_being_cured(causes: tuple[str, ...], change: Change) -> None:
    assert problems(change) == list(causes)


def test_quotas_count_only_when_they_are_full() -> None:
    assert problems(of_cluster(provider=None, providers=PROVIDERS[1:])) == ["provider-missing"]
    raised = both(trusting(full_trust()), of_cluster(quotas={"AssumeRolePolicySizeQuota": 4096}))
    assert problems(raised) == ["trust-subject"]


def test_a_private_vpc_without_the_endpoint_of_pod_identity_is_a_hint() -> None:
    there, theirs = (VpcEndpoint("vpce-2", {}),), working().sts_endpoints
    for of_sts, own, verdict in (
        (theirs, (), Verdict.UNKNOWN),
        (theirs, there, Verdict.OK),
        ((), (), Verdict.OK),
    ):
        change = both(pod_identity(auth_endpoints=own), of_cluster(sts_endpoints=of_sts))
        assert verdicts(change)["pod-identity-endpoint"] is verdict


def test_a_role_that_was_made_for_the_service_account_is_the_one_that_is_meant() -> None:
    admitting = around(candidates=(listed(f"{ROLE}-2", TRUST),))
    for tag in ("irsa/service-account", "alpha.eksctl.io/iamserviceaccount-name"):
        tagged = around(role=role(trust=FOR_ANOTHER, tags={tag: "backend/reader"}))
        assert problems(both(tagged, admitting)) == ["trust-subject"]
    assert problems(admitting) == []


def test_a_role_for_everybody_is_not_the_one_that_is_meant() -> None:
    everybody = condition(StringLike={"sub": "system:serviceaccount:*"}, StringEquals={"aud": AUDIENCE})
    change = both(trusting(FOR_ANOTHER), around(candidates=(listed(f"{ROLE}-2", everybody),)))
    assert problems(change) == ["trust-subject"]


def limit(selector: str, *rules: str) -> NetworkPolicy:
    """A NetworkPolicy for calls of these pods."""
    found = network_policy(
        doc(
            f"""{{"metadata": {{"name": "limit"}}, "spec": {{"podSelector": {{"matchLabels": {selector}}},
            "policyTypes": ["Egress"], "egress": [{", ".join(rules)}]}}}}"""
        )
    )
    assert found is not None
    return found


DNS = '{"ports": [{"port": 53, "protocol": "UDP"}]}'


@pytest.mark.parametrize(
    ("policies", "verdict"),
    [
        ((), Verdict.OK),
        ((limit('{"app": "other"}'),), Verdict.OK),
        ((limit("{}", DNS, '{"ports": [{"port": 443}]}'),), Verdict.OK),
        ((limit("{}", DNS, '{"ports": [{"port": 400, "endPort": 500}]}'),), Verdict.OK),
        ((limit("{}"), limit("{}", "{}")), Verdict.OK),
        ((limit("{}"),), Verdict.UNKNOWN),
        ((limit('{"app": "reader"}', DNS),), Verdict.UNKNOWN),
        ((limit("{}", '{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}'),), Verdict.UNKNOWN),
    ],
)
def test_network_policies_are_hints(policies: tuple[NetworkPolicy, ...], verdict: Verdict) -> None:
    assert verdicts(around(network_policies=policies, events=()))["pod-network-policy"] is verdict


def test_a_policy_for_callers_limits_no_calls() -> None:
    spec: Json = {"podSelector": {}, "ingress": []}
    assert network_policy({"metadata": {"name": "in"}, "spec": spec}) is None
    assert network_policy({"metadata": {"name": "out"}, "spec": {**spec, "egress": []}}) is not None


def test_china_with_a_region_works() -> None:
    here = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "cn-north-1")
    assert problems(china(env(CHINESE_ROLE, **here))) == []


def test_what_others_wrote_is_no_command_of_a_fix() -> None:
    for text in ("arn:aws:iam::aws:policy/$(touch x)", "a\nrm -rf x", "arn:aws:iam::aws:policy/a;id"):
        other = around(association=Association("a-1", f"{ROLE}-2"))
        for change in (noted(text), both(noted(text), other)):
            fixes = "\n".join(item.judgement.fix for item in judge(change(working())))
            for line in fixes.splitlines():
                words = shlex.split(line, comments=True)
                assert not words or words[0] in ("irsa", "kubectl", "aws")
                assert not {"rm", "id", "x"} & set(words)
                assert "$(" not in line or "'" in line


def test_a_variable_of_the_template_is_the_cause_and_not_an_annotation() -> None:
    """The annotation was never there, and writing one changes nothing of such a pod."""
    alone = {"AWS_ROLE_ARN": ROLE, "AWS_REGION": "eu-west-1"}
    by_hand: list[tuple[str, Json]] = [
        ("pod-token-volume", {"env": env(), "mounts": {}}),
        ("pod-env-partial", {"env": alone, "mounts": {}}),
        ("pod-token-volume", {"env": env(), "mounts": {"data": "/data"}}),
    ]
    for cause, fields in by_hand:
        change = around(
            account=account(annotations={}),
            pods=(pod(containers=(container(**fields),), volumes=()),),
            candidates=ADMITTING,
        )
        found = problems(change)
        assert found[0] == cause
        assert finding(change, cause).judgement.fix == "kubectl -n backend edit deployment reader"
        assert not {"annotation-removed", "annotation-missing"} & set(found)
