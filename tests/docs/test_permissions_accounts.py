"""docs/how-to/permissions: of two accounts, each side's policy suffices, and nothing of it is too much.

The caller is a user of the cluster's account with exactly that policy, and in the other account the role
`deployer`, which has exactly the policy of that side.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Fault, Rule, Sandbox
from irsa_cli.sandbox.worlds import put_other_account
from irsa_cli.usecases.verification import iam_steps
from tests.docs import staging
from tests.docs.test_permissions import RULES

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
DEPLOYER, DATA = (f"arn:aws:iam::{staging.OTHER}:role/{name}" for name in ("deployer", "data"))
ROLES = ("--role-account", staging.OTHER, "--role-assume-role", DEPLOYER)
TARGET = ("--target-assume-role", DEPLOYER)
CHAIN = ("--target-role", DATA, "--update-target-trust", "--aws-config-map", "reports-aws", *TARGET)
APP = ("app", "-n", "backend")
FOLDER = staging.PERMISSIONS
CLUSTER_SIDE, ROLE_SIDE, TARGET_SIDE = (
    staging.iam_policy(FOLDER / f"{name}-policy.json")
    for name in ("cluster-account", "role-account", "target")
)
INLINE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}],
}
MAPS = tuple(
    Rule((verb,), (resource,), rule.namespace)
    for rule in staging.rules(FOLDER / "chaining-rbac.yaml", kind="Role")
    for verb in rule.verbs
    for resource in rule.resources
)


class TwoAccounts:
    """Runs irsa as the limited caller, in this process."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.elsewhere = sandbox, str(folder / "elsewhere")
        put_other_account(sandbox, "111122223333")
        staging.associate(sandbox)
        # From here on it may do what `admit` says, and nothing else.
        staging.other_iam(sandbox).detach_role_policy(RoleName="deployer", PolicyArn=ADMINISTRATOR)
        self._document = folder / "queue.json"
        self._document.write_text(json.dumps(INLINE), encoding="utf-8")

    def admit(
        self, here: dict[str, Any], there: dict[str, Any], rules: tuple[Rule, ...] = (*RULES, *MAPS)
    ) -> None:
        """Give both sides their policies."""
        self.sandbox.add_user("ci", policy=here)
        self.sandbox.grant(staging.CLUSTER, "ci", rules=[*rules, *staging.lock_rules()])
        iam = staging.other_iam(self.sandbox)
        iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=json.dumps(there))

    def run(self, *arguments: str) -> int:
        """Run a command about the cluster."""
        return run([*arguments, "-c", staging.CLUSTER, "-q"])

    def create(self, *more: str) -> int:
        """create-sa with a managed and an inline policy."""
        policies = ("--attach-policy-arn", READ_ONLY, "--inline-policy", str(self._document))
        return self.run("create-sa", *APP, *policies, *more)

    def world(self) -> Any:
        """Both accounts."""
        return self.sandbox.world(), self.sandbox.world(staging.OTHER)


@pytest.fixture(name="two")
def two_accounts(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TwoAccounts:
    for name, value in {**sandbox.env(user="ci"), "IRSA_STATE_DIR": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    # A refusal by STS that lasts is one after this time, too: here nobody's role appears later.
    monkeypatch.setattr(iam_steps, "PROPAGATION_SECONDS", 4.0)
    return TwoAccounts(sandbox, tmp_path)


def roles_there(two: TwoAccounts) -> bool:
    """Provider, role and policies there: made, proven, and gone again; a failure is rolled back."""
    before = two.world()
    two.sandbox.faults.add(Fault("kubernetes", "POST serviceaccounts", "error", skip=1))
    if two.create(*ROLES, "--associate-oidc") != 1 or two.world() != before:
        return False
    two.sandbox.faults.clear()
    codes = (
        two.create(*ROLES, "--associate-oidc", "--verify"),
        two.create(*ROLES),
        two.run("associate-oidc", "--audience", "vault", *ROLES),
        two.run("delete-sa", *APP, "--yes", *ROLES),
        two.run("disassociate-oidc", "--yes", *ROLES),
    )
    return codes == (0,) * 5


def rolled_back_there(two: TwoAccounts) -> bool:
    """A deletion is rolled back, its mark as well; an audience that was added goes with its role."""
    if two.create(*ROLES, "--associate-oidc") != 0:
        return False
    before = two.world()
    two.sandbox.faults.add(Fault("iam", "DeleteRole", "error", times=None))
    if two.run("delete-sa", *APP, "--yes", *ROLES) != 1 or not _is_as(two, before):
        return False
    two.sandbox.faults.clear()
    two.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    more = ("--attach-policy-arn", READ_ONLY, "--associate-oidc", "--audience", "vault")
    code = two.run("create-sa", "other", "-n", "backend", *more, *ROLES)
    return code == 1 and _is_as(two, before)


def _is_as(two: TwoAccounts, before: Any) -> bool:
    """Whether the other account is as it was; a role that was made again has another unique id."""

    def told(world: Any) -> Any:
        roles = {name: {**role, "role_id": ""} for name, role in world[1]["roles"].items()}
        return {**world[1], "roles": roles}

    return bool(told(two.world()) == told(before))


def chained(two: TwoAccounts) -> bool:
    """The target's trust policy is read, written and as it was again."""
    before = two.world()
    codes = [two.create(*CHAIN, "--verify"), two.run("update-sa", *APP, "--external-id", "abc", *CHAIN[2:])]
    codes.append(two.run("delete-sa", *APP, "--yes", *TARGET))
    # What could not be rolled back is found by the cluster.
    for service, operation in (("iam", "DeleteRole"), ("kubernetes", "DELETE configmaps")):
        two.sandbox.faults.add(Fault(service, operation, "error", times=None))
    two.sandbox.faults.add(
        Fault("sts", "AssumeRoleWithWebIdentity", "error", code="AccessDenied", status=403, times=None)
    )
    codes.append(two.create(*CHAIN, "--verify"))
    two.sandbox.faults.clear()
    codes.append(
        two.run("recover", "--all", "--min-age", "0s", "--yes", "--state-dir", two.elsewhere, *TARGET)
    )
    kubernetes = two.sandbox.world()["kubernetes"][staging.CLUSTER]
    return codes == [0, 0, 0, 3, 0] and two.world()[1] == before[1] and not kubernetes["configmaps"]


Operation = Callable[[TwoAccounts], bool]


def test_both_policies_suffice_for_roles_there(two: TwoAccounts) -> None:
    two.admit(CLUSTER_SIDE, ROLE_SIDE)
    assert roles_there(two)
    assert rolled_back_there(two)


@pytest.mark.parametrize("action", staging.actions(ROLE_SIDE))
def test_each_action_there_is_needed(action: str, two: TwoAccounts) -> None:
    two.admit(CLUSTER_SIDE, staging.without(ROLE_SIDE, action))
    assert not (roles_there(two) and rolled_back_there(two))


@pytest.mark.parametrize("action", staging.actions(CLUSTER_SIDE))
def test_each_action_here_is_needed(action: str, two: TwoAccounts) -> None:
    two.admit(staging.without(CLUSTER_SIDE, action), ROLE_SIDE)
    assert not roles_there(two)


def test_the_policy_of_the_target_suffices(two: TwoAccounts) -> None:
    two.admit(staging.joined("iam-policy", "cluster-account-policy"), TARGET_SIDE)
    assert chained(two)


POWER = {"iam:GetRolePolicy", "iam:GetPolicy", "iam:GetPolicyVersion"}
"""By these the target's policies are read, before its trust policy is changed: here it has none."""


@pytest.mark.parametrize("action", [item for item in staging.actions(TARGET_SIDE) if item not in POWER])
def test_each_action_on_the_target_is_needed(action: str, two: TwoAccounts) -> None:
    two.admit(staging.joined("iam-policy", "cluster-account-policy"), staging.without(TARGET_SIDE, action))
    assert not chained(two)


@pytest.mark.parametrize("verb", [rule.verbs[0] for rule in MAPS])
def test_each_verb_on_config_maps_is_needed(verb: str, two: TwoAccounts) -> None:
    rules = tuple(rule for rule in MAPS if rule.verbs[0] != verb)
    two.admit(staging.joined("iam-policy", "cluster-account-policy"), TARGET_SIDE, (*RULES, *rules))
    assert not chained(two)
