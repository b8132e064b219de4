"""Admission refuses the ServiceAccount at the very last step: everything before it is taken back.

The rehearsal (dryRun) passes, since the policy lets it through: no preflight can see this coming.
"""

import time
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import real_stage
from tests.support.fixtures import RealCluster
from tests.support.kubeclient import Json
from tests.support.stage import READ_ONLY, Stage, made

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
ENFORCED_SECONDS = 30


@pytest.fixture
def stage(sandbox: Sandbox, real: RealCluster, tmp_path: Path) -> Stage:
    found = real_stage(sandbox, real, tmp_path)
    assert found.associate().code == 0
    return found


def refuse(stage: Stage, name: str, operation: str, *, namespace: str) -> None:
    """From now on this operation on ServiceAccounts of the namespace is refused, rehearsals aside."""
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["serviceaccounts"],
        "operations": [operation],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy: Json = {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
            "validations": [{"expression": "request.dryRun", "message": "the platform team says no"}],
        },
    }
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    made(stage.kube.create(f"{ADMISSION}/validatingadmissionpolicies", policy))
    made(stage.kube.create(f"{ADMISSION}/validatingadmissionpolicybindings", binding))


def wait_until_refused(stage: Stage, namespace: str) -> None:
    """Policies come into force with a delay: try as somebody else until one try is refused."""
    deadline = time.monotonic() + ENFORCED_SECONDS
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    number = 0
    while time.monotonic() < deadline:
        number += 1
        if stage.kube.create(path, {"metadata": {"name": f"probe-{number}"}}).status == 422:
            return
    raise AssertionError("the admission policy did not come into force")


def test_a_service_account_that_admission_refuses(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)
    refuse(stage, unique, "CREATE", namespace=unique)
    wait_until_refused(stage, unique)
    before = stage.world()
    ran = stage.create_sa("reader", unique, "--attach-policy-arn", READ_ONLY, "-o", "json")
    assert ran.code == 1, ran.err
    assert "the platform team says no" in ran.error["reason"]
    assert [change["state"] for change in ran.item["changes"]] == ["undone", "undone", "failed"]
    assert stage.world() == before


def test_a_namespace_that_is_being_deleted_is_no_missing_permission(stage: Stage, unique: str) -> None:
    assert stage.associate().code == 0
    stage.make_namespace(unique)
    stage.kube.delete(f"/api/v1/namespaces/{unique}")
    before = stage.world()
    ran = stage.create_sa("reader", unique, "--attach-policy-arn", READ_ONLY)
    assert ran.code == 1
    assert "the namespace is being deleted" in ran.err
    assert "RBAC" not in ran.err
    assert stage.world() == before
