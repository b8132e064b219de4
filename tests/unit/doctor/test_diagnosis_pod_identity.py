"""What trust policies say to EKS Pod Identity, on conditions; what can't be known is neither yes nor no."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import Unreadable
from tests.support.documents import doc
from tests.unit.current import ACCOUNT, CLUSTER, NOW, ROLE, around, bare_pod, both, role
from tests.unit.doctor.diagnosis_cases import (
    ASSUMING,
    FOREIGN,
    POD_IDENTITY,
    SKIPPING,
    agent,
    asking,
    finding,
    for_role,
    for_service,
    pod_identity,
    targeting,
    trusted,
)

UNPLACED = replace(POD_IDENTITY, node="")


def young(**fields: Any) -> Pod:
    """A pod without anything that was started some seconds ago."""
    return bare_pod(created=NOW - timedelta(seconds=10), **fields)


TAGS = doc(
    """{"aws:SourceAccount": "<account>", "aws:SourceArn": "<arn>", "aws:RequestTag/eks-cluster-arn": "<arn>",
    "aws:RequestTag/eks-cluster-name": "demo", "aws:RequestTag/kubernetes-namespace": "backend",
    "aws:RequestTag/kubernetes-service-account": "reader"}""",
    account=ACCOUNT,
    arn=CLUSTER.arn,
)

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
)
def test_conditions_on_pod_identity(trust: Document, verdict: Verdict) -> None:
    assert finding(trusted(trust), "pod-identity-trust").verdict is verdict


def test_without_session_tags_none_are_asked_for_and_none_are_there() -> None:
    bare = around(association=Association("a-1", ROLE, NOW, without_tags=True))
    for trust, verdict in ((for_service("sts:AssumeRole"), Verdict.OK), (asking(**TAGS), Verdict.PROBLEM)):
        assert finding(both(trusted(trust), bare), "pod-identity-trust").verdict is verdict


def test_the_statement_that_is_proposed_is_enough_and_admits_nobody_else() -> None:
    broken = trusted({"Version": "2012-10-17", "Statement": []})
    words = shlex.split(finding(broken, "pod-identity-trust").judgement.fix)
    cured = trusted(json.loads(words[words.index("--policy-document") + 1]))
    for change, verdict in (
        (cured, Verdict.OK),
        (both(cured, around(name="other", account=None)), Verdict.PROBLEM),
    ):
        assert finding(change, "pod-identity-trust").verdict is verdict


def test_the_target_role() -> None:
    for trust, external, verdict in (
        (for_role(*ASSUMING), "", Verdict.OK),
        (for_role(*ASSUMING, external="x"), "x", Verdict.OK),
        (for_role(*ASSUMING, external="x"), "y", Verdict.PROBLEM),
        (for_role("sts:AssumeRole"), "", Verdict.PROBLEM),
    ):
        change = targeting(role(arn=FOREIGN, trust=trust), external)
        assert finding(change, "pod-identity-target").verdict is verdict
    # An association for nobody asks nothing.
    assert finding(around(), "pod-identity-target").verdict is Verdict.OK


@pytest.mark.parametrize(
    ("seconds", "pods", "probe", "verdict", "decides"),
    [
        (30, (young(),), bare_pod(), Verdict.UNKNOWN, True),
        (120, (young(),), bare_pod(), Verdict.UNKNOWN, False),
        (120, (young(),), Unreadable("not permitted"), Verdict.UNKNOWN, True),
        (120, (young(labels=SKIPPING), POD_IDENTITY), None, Verdict.UNKNOWN, False),
        (120, (bare_pod(),), None, Verdict.OK, False),
        (120, (young(os="windows"),), None, Verdict.OK, False),
        (None, (young(),), None, Verdict.UNKNOWN, False),
    ],
)
def test_pods_that_the_webhook_missed(
    seconds: int | None, pods: Any, probe: Any, verdict: Verdict, decides: bool
) -> None:
    made = None if seconds is None else NOW - timedelta(seconds=seconds)
    change = pod_identity(association=Association("a-1", ROLE, made), pods=pods, probe=probe or POD_IDENTITY)
    item = finding(change, "pod-identity-missed")
    assert (item.verdict, item.judgement.decides) == (verdict, decides)


def test_a_restart_is_not_proposed_where_the_pods_ask_to_be_passed_over() -> None:
    old = bare_pod(created=NOW - timedelta(days=3), labels=SKIPPING)
    assert finding(pod_identity(pods=(old,)), "pod-older-than-association").verdict is Verdict.OK


DOWN, ELSEWHERE = agent(ready=False), agent(node="other", ready=False)


@pytest.mark.parametrize(
    ("agents", "user", "verdict", "decides"),
    [
        ((agent(),), POD_IDENTITY, Verdict.OK, False),
        ((agent(ready=None),), POD_IDENTITY, Verdict.OK, False),
        ((DOWN, agent(name="again")), POD_IDENTITY, Verdict.OK, False),
        ((agent(), ELSEWHERE), POD_IDENTITY, Verdict.OK, False),
        ((DOWN, agent(node="other")), POD_IDENTITY, Verdict.PROBLEM, False),
        ((DOWN,), UNPLACED, Verdict.PROBLEM, False),
        ((agent(), ELSEWHERE), UNPLACED, Verdict.UNKNOWN, False),
        ((), POD_IDENTITY, Verdict.UNKNOWN, True),
        ((), UNPLACED, Verdict.UNKNOWN, False),
        ((DOWN,), replace(POD_IDENTITY, os="windows"), Verdict.OK, False),
        (None, POD_IDENTITY, Verdict.OK, False),
        (Unreadable("not permitted"), POD_IDENTITY, Verdict.UNKNOWN, False),
    ],
)
def test_where_the_agent_runs(agents: Any, user: Pod, verdict: Verdict, decides: bool) -> None:
    item = finding(pod_identity(agents=agents, pods=(user,)), "pod-identity-agent-down")
    assert (item.verdict, item.judgement.decides) == (verdict, decides)
