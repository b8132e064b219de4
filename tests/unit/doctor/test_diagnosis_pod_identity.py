"""What trust policies say to EKS Pod Identity, on conditions; what can't be known is neither yes nor no."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from irsa_cli.core.doctor.diagnosis import judge
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import ACCOUNT, CLUSTER, NOW, ROLE, Change, around, bare_pod, role, working
from tests.unit.doctor.diagnosis_cases import (
    ASSUMING,
    FOREIGN,
    POD_IDENTITY,
    SKIPPING,
    agent,
    asking,
    for_role,
    for_service,
    pod_identity,
    targeting,
)

UNPLACED = replace(POD_IDENTITY, node="")


def young(**fields: Any) -> Pod:
    """A pod without anything that was started some seconds ago."""
    return bare_pod(created=NOW - timedelta(seconds=10), **fields)


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
    lean = pod_identity(association=bare, association_role=role(trust=for_service("sts:AssumeRole")))
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


@pytest.mark.parametrize(
    ("made", "pods", "probe", "verdict", "decides"),
    [
        (NOW - timedelta(seconds=30), (young(),), bare_pod(), Verdict.UNKNOWN, True),
        (NOW - timedelta(minutes=2), (young(),), bare_pod(), Verdict.UNKNOWN, False),
        (NOW - timedelta(minutes=2), (young(),), Unreadable("not permitted"), Verdict.UNKNOWN, True),
        (NOW - timedelta(minutes=2), (young(labels=SKIPPING), POD_IDENTITY), None, Verdict.UNKNOWN, False),
        (NOW - timedelta(minutes=2), (bare_pod(),), None, Verdict.OK, False),
        (NOW - timedelta(minutes=2), (young(os="windows"),), None, Verdict.OK, False),
        (None, (young(),), None, Verdict.UNKNOWN, False),
    ],
)
def test_pods_that_the_webhook_missed(
    made: datetime | None, pods: tuple[Pod, ...], probe: Any, verdict: Verdict, decides: bool
) -> None:
    association = Association("a-1", ROLE, made)
    change = pod_identity(association=association, pods=pods, probe=probe or POD_IDENTITY)
    item = found(change, "pod-identity-missed")
    assert (item.verdict, item.judgement.decides) == (verdict, decides)


def test_a_restart_is_not_proposed_where_the_pods_ask_to_be_passed_over() -> None:
    old = bare_pod(created=NOW - timedelta(days=3), labels=SKIPPING)
    assert found(pod_identity(pods=(old,)), "pod-older-than-association").verdict is Verdict.OK


@pytest.mark.parametrize(
    ("agents", "users", "verdict", "decides"),
    [
        ((agent(),), (POD_IDENTITY,), Verdict.OK, False),
        ((agent(ready=None),), (POD_IDENTITY,), Verdict.OK, False),
        ((agent(ready=False), agent(name="again")), (POD_IDENTITY,), Verdict.OK, False),
        ((agent(), agent(node="other", ready=False)), (POD_IDENTITY,), Verdict.OK, False),
        ((agent(ready=False), agent(node="other")), (POD_IDENTITY,), Verdict.PROBLEM, False),
        ((agent(ready=False),), (UNPLACED,), Verdict.PROBLEM, False),
        (
            (agent(), agent(node="other", ready=False)),
            (UNPLACED,),
            Verdict.UNKNOWN,
            False,
        ),
        ((), (POD_IDENTITY,), Verdict.UNKNOWN, True),
        ((), (UNPLACED,), Verdict.UNKNOWN, False),
        ((agent(ready=False),), (replace(POD_IDENTITY, os="windows"),), Verdict.OK, False),
        (None, (POD_IDENTITY,), Verdict.OK, False),
        (Unreadable("not permitted"), (POD_IDENTITY,), Verdict.UNKNOWN, False),
    ],
)
def test_where_the_agent_runs(agents: Any, users: tuple[Pod, ...], verdict: Verdict, decides: bool) -> None:
    item = found(pod_identity(agents=agents, pods=users), "pod-identity-agent-down")
    assert (item.verdict, item.judgement.decides) == (verdict, decides)


def test_an_association_for_nobody_asks_nothing() -> None:
    assert found(around(), "pod-identity-target").verdict is Verdict.OK
