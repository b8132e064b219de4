"""docs/how-to/permissions/audit-*: what is documented for auditing suffices, and none of it is too much."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Rule, Sandbox
from irsa_cli.sandbox.model import RoleSpec
from tests.docs import staging

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
POLICY = staging.iam_policy(staging.PERMISSIONS / "audit-policy.json")
RULES = staging.single_rules(staging.PERMISSIONS / "audit-rbac.yaml")
Audit = Callable[[], bool]


@pytest.fixture
def audit(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Audit:
    """Whether audits as the limited caller read all there is: no note says that something was not."""
    staging.look_at_aws_auth(sandbox)
    staging.bind(sandbox, "backend", ["app"], READ_ONLY)
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    sandbox.put_roles([RoleSpec("served", {"Version": "2012-10-17", "Statement": [trust]})])
    staging.client(sandbox, "eks").create_pod_identity_association(
        clusterName=staging.CLUSTER,
        namespace="backend",
        serviceAccount="app",
        roleArn="arn:aws:iam::111122223333:role/served",
    )
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.env(user="viewer").items():
        monkeypatch.setenv(name, value)

    def complete() -> bool:
        whole = ["audit", "-q", "-o", "json"]
        return all(without_notes(*whole, *more) for more in ((), ("--service-account", "backend/app")))

    def without_notes(*arguments: str) -> bool:
        capsys.readouterr()
        code = run([*arguments])
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code == 0 and found["metadata"]["notes"] == []

    return complete


def _admit(sandbox: Sandbox, policy: dict[str, Any], rules: Sequence[Rule]) -> None:
    sandbox.add_user("viewer", policy=policy)
    sandbox.grant(staging.CLUSTER, "viewer", rules=rules)


def test_the_documented_permissions_suffice(sandbox: Sandbox, audit: Audit) -> None:
    _admit(sandbox, POLICY, RULES)
    assert audit()


@pytest.mark.parametrize("action", staging.actions(POLICY))
def test_each_action_is_needed(action: str, sandbox: Sandbox, audit: Audit) -> None:
    _admit(sandbox, staging.without(POLICY, action), RULES)
    assert not audit()


@pytest.mark.parametrize("left_out", range(len(RULES)))
def test_each_verb_is_needed(left_out: int, sandbox: Sandbox, audit: Audit) -> None:
    _admit(sandbox, POLICY, [rule for place, rule in enumerate(RULES) if place != left_out])
    assert not audit()
