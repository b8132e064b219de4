"""docs/how-to/permissions: what is documented for EKS Pod Identity suffices, and all of it is needed."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Fault, Sandbox
from tests.docs import staging
from tests.support.eks_states import describe_cluster_as

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
FILE = "pod-identity-policy"
ABOUT = ("app", "-n", "backend", "-c", staging.CLUSTER, "-q")
CREATE = ("create-sa", *ABOUT, "--pod-identity", "--attach-policy-arn", READ_ONLY)


def create(sandbox: Sandbox) -> bool:
    """Role and association."""
    return run([*CREATE]) == 0 and bool(sandbox.world()["associations"])


def create_again(sandbox: Sandbox) -> bool:
    """A second run finds everything as desired."""
    return run([*CREATE]) == 0 and run([*CREATE]) == 0


def roll_back(sandbox: Sandbox) -> bool:
    """The role says at last that it is complete: if that fails, the association goes."""
    sandbox.faults.add(Fault("iam", "TagRole", "error", times=None))
    before = sandbox.world()
    return run([*CREATE]) == 1 and sandbox.world() == before


def delete(sandbox: Sandbox) -> bool:
    """delete-sa deletes both."""
    before = sandbox.world()
    return run([*CREATE]) == 0 and run(["delete-sa", *ABOUT]) == 0 and sandbox.world() == before


def change(sandbox: Sandbox) -> bool:
    """A file changes the association."""
    entry = {"namespace": "backend", "serviceAccountName": "app", "permissionPolicyARNs": [READ_ONLY]}
    file = Path(os.environ["IRSA_STATE_DIR"]).parent / "cluster.json"

    def apply(**more: Any) -> bool:
        document = {
            "apiVersion": "eksctl.io/v1alpha5",
            "kind": "ClusterConfig",
            "metadata": {"name": staging.CLUSTER},
            "iam": {"podIdentityAssociations": [{**entry, **more}]},
        }
        file.write_text(json.dumps(document), encoding="utf-8")
        return run(["apply", "-f", str(file), "-q"]) == 0

    policy = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    return apply(disableSessionTags=True) and apply(
        policy=json.dumps({"Version": "2012-10-17", **policy}), disableSessionTags=True
    )


def update(sandbox: Sandbox) -> bool:
    """update-sa changes the association."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        json.dump({"Version": "2012-10-17", "Statement": [statement]}, file)
        file.flush()
        words = ("--session-policy", file.name, "--disable-session-tags")
        made = run([*CREATE, *words]) == 0
    return made and run(["update-sa", *ABOUT, "--remove-session-policy"]) == 0


def adopt_and_roll_back(sandbox: Sandbox) -> bool:
    """adopt removes the tags of an association again if the role does not get its own."""
    run([*CREATE])
    name = next(iter(sandbox.world()["associations"].values()))["roleArn"].rsplit("/", 1)[-1]
    staging.iam(sandbox).untag_role(RoleName=name, TagKeys=["irsa/service-account"])
    (there,) = sandbox._front.clusters.associations._of.values()
    (found,) = there.values()
    found["tags"] = {}
    before = copy.deepcopy(sandbox.world())
    sandbox.faults.add(Fault("iam", "TagRole", "error", status=403, code="AccessDenied"))
    return run(["adopt", *ABOUT]) == 1 and sandbox.world() == before


OPERATIONS = (create, create_again, roll_back, delete, change, update, adopt_and_roll_back)
ACTIONS: dict[str, Callable[[Sandbox], bool]] = {
    "eks:CreatePodIdentityAssociation": create,
    "eks:ListPodIdentityAssociations": create,
    "eks:DescribePodIdentityAssociation": create_again,
    "eks:DeletePodIdentityAssociation": delete,
    "eks:TagResource": create,
    "eks:UntagResource": adopt_and_roll_back,
    "eks:UpdatePodIdentityAssociation": update,
    "iam:PassRole": create,
}
"""Which operation fails without an action."""


@pytest.fixture
def caller(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    for name, value in {**sandbox.env(user="ci"), "IRSA_STATE_DIR": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    return sandbox


def _admit(sandbox: Sandbox, policy: dict[str, Any]) -> None:
    describe_cluster_as(sandbox, staging.CLUSTER, computeConfig={"enabled": True})
    sandbox.add_user("ci", policy=policy)
    sandbox.grant(staging.CLUSTER, "ci", rules=[*staging.rules(), *staging.lock_rules()])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("variant", ["iam-policy", "iam-policy-bounded"])
def test_the_documented_permissions_suffice(
    variant: str, operation: Callable[[Sandbox], bool], caller: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variant.endswith("bounded"):
        monkeypatch.setenv("IRSA_PERMISSIONS_BOUNDARY", staging.boundary(caller))
    _admit(caller, staging.joined(variant, FILE))
    assert operation(caller)


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_is_needed(action: str, caller: Sandbox) -> None:
    _admit(caller, staging.without(staging.joined("iam-policy", FILE), action))
    assert not ACTIONS[action](caller)


def test_every_documented_permission_is_tried() -> None:
    assert set(staging.actions(staging.joined(FILE))) == set(ACTIONS)
