"""What trust policies say to EKS Pod Identity, on conditions; what can't be known is neither yes nor no."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from irsa_cli.core.causes.facts import Association
from irsa_cli.core.causes.finding import Finding, Verdict
from irsa_cli.core.diagnosis import judge
from irsa_cli.core.policy import Document
from tests.unit.diagnosis_cases import (
    ASSUMING,
    FOREIGN,
    asking,
    for_pod_identity,
    for_role,
    pod_identity,
    targeting,
)
from tests.unit.observed import ACCOUNT, CLUSTER, NOW, ROLE, Change, around, role, working


def found(change: Change, identifier: str) -> Finding:
    return next(item for item in judge(change(working())) if item.cause.id == identifier)


TAGS = {
    "aws:SourceAccount": ACCOUNT,
    "aws:SourceArn": CLUSTER.arn,
    "aws:RequestTag/eks-cluster-arn": CLUSTER.arn,
    "aws:RequestTag/eks-cluster-name": "demo",
    "aws:RequestTag/kubernetes-namespace": "backend",
    "aws:RequestTag/kubernetes-service-account": "reader",
}

(ALLOW,) = asking(**TAGS)["Statement"]


@pytest.mark.parametrize(
    ("trust", "verdict"),
    [
        (asking(**TAGS), Verdict.OK),
        (asking(**{**TAGS, "aws:SourceArn": "x"}), Verdict.PROBLEM),
        (asking(**{"aws:SourceOrgID": "o-1"}), Verdict.UNKNOWN),
        (asking(**{"aws:RequestTag/kubernetes-pod-name": "web-0"}), Verdict.UNKNOWN),
        ({"Statement": [ALLOW, {**ALLOW, "Effect": "Deny"}]}, Verdict.PROBLEM),
        ({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}]}, Verdict.PROBLEM),
    ],
)  # fmt: skip
def test_conditions_on_pod_identity(trust: Document, verdict: Verdict) -> None:
    assert found(pod_identity(association_role=role(trust=trust)), "pod-identity-trust").verdict is verdict


def test_without_session_tags_none_are_asked_for_and_none_are_there() -> None:
    bare = Association("a-1", ROLE, NOW, without_tags=True)
    lean = pod_identity(association=bare, association_role=role(trust=for_pod_identity("sts:AssumeRole")))
    assert found(lean, "pod-identity-trust").verdict is Verdict.OK
    asked = pod_identity(association=bare, association_role=role(trust=asking(**TAGS)))
    assert found(asked, "pod-identity-trust").verdict is Verdict.PROBLEM


def test_the_statement_that_is_proposed_is_enough_and_admits_nobody_else() -> None:
    broken = pod_identity(association_role=role(trust={"Version": "2012-10-17", "Statement": []}))
    words = shlex.split(found(broken, "pod-identity-trust").judgement.fix)
    trust = json.loads(words[words.index("--policy-document") + 1])
    cured = pod_identity(association_role=role(trust=trust))
    assert found(cured, "pod-identity-trust").verdict is Verdict.OK
    other = replace(cured(working()).named, name="other", account=None)
    judged = judge(replace(working(), subject=other))
    assert next(i for i in judged if i.cause.id == "pod-identity-trust").verdict is Verdict.PROBLEM


@pytest.mark.parametrize(
    ("trust", "external", "verdict"),
    [
        (for_role(*ASSUMING), "", Verdict.OK),
        (for_role(*ASSUMING, external="x"), "x", Verdict.OK),
        (for_role(*ASSUMING, external="x"), "y", Verdict.PROBLEM),
        (for_role("sts:AssumeRole"), "", Verdict.PROBLEM),
    ],
)
def test_the_target_role(trust: Document, external: str, verdict: Verdict) -> None:
    change = targeting(role(arn=FOREIGN, trust=trust), external)
    assert found(change, "pod-identity-target").verdict is verdict


def test_an_association_for_nobody_asks_nothing() -> None:
    assert found(around(), "pod-identity-target").verdict is Verdict.OK
