"""docs/how-to/permissions: what is documented suffices for every operation, and nothing of it is too much.

Both variants are tried: with `bounded`, every role has the permissions boundary that the policy demands.

A caller who has exactly the documented permissions carries out each operation; then, for each permission,
a caller who lacks only that one fails at the operation that needs it. Operations are judged by the exit
code and the world, and by the answer of `-o json` where a permission only makes errors better.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.sandbox import Fault, Rule, Sandbox
from tests.docs import staging
from tests.support.eks import bearer
from tests.support.kubeclient import KubeClient

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}],
}
VARIANTS = ("iam-policy", "iam-policy-bounded")
RULES = tuple(
    Rule((verb,), (resource,), groups=rule.groups)
    for rule in staging.rules()
    for verb in rule.verbs
    for resource in rule.resources
)


class Caller:
    """Runs irsa as the limited caller, in this process."""

    def __init__(self, sandbox: Sandbox, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox = sandbox
        self._capsys = capsys
        self._document = folder / "queue.json"
        self._document.write_text(json.dumps(DOCUMENT), encoding="utf-8")

    def create(self, *arguments: str, namespace: str = "backend") -> int:
        """create-sa with a managed and an inline policy."""
        policies = ("--attach-policy-arn", READ_ONLY, "--inline-policy", str(self._document))
        return run(["create-sa", "app", "-n", namespace, "-c", staging.CLUSTER, "-q", *policies, *arguments])

    def run(self, *arguments: str) -> int:
        """Any command."""
        return run([*arguments, "-c", staging.CLUSTER, "-q"])

    def details(self, *arguments: str) -> list[str]:
        """The details of the error that a command ends with."""
        found: list[str] = self.shown(*arguments)["errors"][0]["details"]
        return found

    def shown(self, *arguments: str) -> dict[str, Any]:
        """The document of a command."""
        self._capsys.readouterr()
        where = () if "-c" in arguments else ("-c", staging.CLUSTER)
        run([*arguments, *where, "-q", "-o", "json"])
        found: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return found

    def taken_back(self, *, code: int, work: Callable[[], int]) -> bool:
        """Whether the work ends with this code and leaves the world as it was."""
        before = self.sandbox.world()
        return work() == code and self.sandbox.world() == before


Operation = Callable[[Caller], bool]


def create(caller: Caller) -> bool:
    """Role, policies, namespace, ServiceAccount."""
    staging.associate(caller.sandbox)
    return caller.create() == 0


def create_again(caller: Caller) -> bool:
    """A second run finds everything as wished."""
    staging.associate(caller.sandbox)
    assert caller.create() == 0
    after = caller.sandbox.world()
    return caller.create() == 0 and caller.sandbox.world() == after


def verify(caller: Caller) -> bool:
    """With --verify."""
    staging.associate(caller.sandbox)
    return caller.create("--verify") == 0


def roll_back(caller: Caller) -> bool:
    """The ServiceAccount can't be made: namespace, role and policies are taken back."""
    staging.associate(caller.sandbox)
    caller.sandbox.faults.add(Fault("kubernetes", "POST serviceaccounts", "error", skip=1, times=None))
    return caller.taken_back(code=1, work=caller.create)


def roll_back_the_service_account(caller: Caller) -> bool:
    """STS refuses for good: the ServiceAccount is taken back, too."""
    staging.associate(caller.sandbox)
    refusal = Fault("sts", "AssumeRoleWithWebIdentity", "error", times=None, code="RegionDisabledException")
    caller.sandbox.faults.add(refusal)
    return caller.taken_back(code=5, work=lambda: caller.create("--verify", namespace="default"))


def keep_what_others_made(caller: Caller) -> bool:
    """Somebody puts a ServiceAccount into the new namespace: the rollback leaves it alone and says so."""
    sandbox = caller.sandbox
    staging.associate(sandbox)
    theirs = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "theirs"}}

    def put() -> None:
        admin = _administrator(sandbox)
        with admin:
            assert admin.create("/api/v1/namespaces/backend/serviceaccounts", theirs).status == 201

    sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=put))
    sandbox.faults.add(Fault("iam", "PutRolePolicy", "error", times=None))
    code = caller.create()
    accounts = sandbox.world()["kubernetes"][staging.CLUSTER]["serviceaccounts"]
    return code == 3 and "backend/theirs" in accounts


def delete(caller: Caller) -> bool:
    """delete-sa takes everything away again."""
    staging.associate(caller.sandbox)
    _make(caller, "create-sa", "app", "--attach-policy-arn", READ_ONLY)
    return caller.run("delete-sa", "app") == 0


def take_a_deletion_back(caller: Caller) -> bool:
    """delete-sa fails at the role: marks and policies come back."""
    staging.associate(caller.sandbox)
    _make(caller, "create-sa", "app", "--attach-policy-arn", READ_ONLY)
    caller.sandbox.faults.add(Fault("iam", "DeleteRole", "error", times=None))
    return caller.taken_back(code=1, work=lambda: caller.run("delete-sa", "app"))


def delete_a_role_of_another_name(caller: Caller) -> bool:
    """delete-sa finds a role that nothing but its tags tell of."""
    staging.associate(caller.sandbox)
    _make(caller, "create-sa", "app", "--role-only", "--role-name", "own", "--no-policy")
    return caller.run("delete-sa", "app") == 0


def disassociate(caller: Caller) -> bool:
    """disassociate-oidc deletes the provider."""
    staging.associate(caller.sandbox)
    return caller.run("disassociate-oidc") == 0


def _make(caller: Caller, *arguments: str) -> None:
    """Make something as the administrator."""
    with mock.patch.dict(os.environ, caller.sandbox.env()):
        assert caller.run(*arguments) == 0


def associate(caller: Caller) -> bool:
    """associate-oidc makes the provider."""
    return caller.run("associate-oidc") == 0


def add_an_audience(caller: Caller) -> bool:
    """associate-oidc adds an audience."""
    staging.associate(caller.sandbox)
    return caller.run("associate-oidc", "--audience", "other") == 0


def roll_back_the_provider(caller: Caller) -> bool:
    """create-sa --associate-oidc fails after the provider was made."""
    caller.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    return caller.taken_back(code=1, work=lambda: caller.create("--associate-oidc"))


def roll_back_the_audience(caller: Caller) -> bool:
    """create-sa --associate-oidc fails after the audience was added."""
    staging.associate(caller.sandbox)
    caller.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    return caller.taken_back(code=1, work=lambda: caller.create("--associate-oidc", "--audience", "other"))


def update_trust(caller: Caller) -> bool:
    """create-sa --attach-role-arn --update-trust."""
    staging.shared_role(caller.sandbox)
    role = "arn:aws:iam::111122223333:role/shared"
    return caller.run("create-sa", "app", "--attach-role-arn", role, "--update-trust") == 0


def find_a_missing_policy_early(caller: Caller) -> bool:
    """A policy that does not exist is found before the first write."""
    staging.associate(caller.sandbox)
    return caller.run("create-sa", "app", "--attach-policy-arn", f"{READ_ONLY}x", "--dry-run") == 1


def name_similar_policies(caller: Caller) -> bool:
    """A policy that does not exist: the error names those with a similar name."""
    staging.associate(caller.sandbox)
    desired = ("create-sa", "app", "-c", staging.CLUSTER, "--attach-policy-arn", f"{READ_ONLY}x")
    return any(READ_ONLY in detail for detail in caller.details(*desired))


def name_the_clusters(caller: Caller) -> bool:
    """A cluster that does not exist: the error names those that do."""
    return any(staging.CLUSTER in detail for detail in caller.details("associate-oidc", "-c", "missing"))


def know_what_takes_over(caller: Caller) -> bool:
    """With --verify it is known whether EKS Pod Identity takes the ServiceAccount over."""
    staging.associate(caller.sandbox)
    found = caller.shown("create-sa", "app", "--attach-policy-arn", READ_ONLY, "--verify")
    return "podIdentity" in found["items"][0]


OPERATIONS: Sequence[Operation] = (
    create,
    create_again,
    verify,
    roll_back,
    roll_back_the_service_account,
    keep_what_others_made,
    delete,
    take_a_deletion_back,
    delete_a_role_of_another_name,
    associate,
    disassociate,
    add_an_audience,
    roll_back_the_provider,
    roll_back_the_audience,
    find_a_missing_policy_early,
    name_similar_policies,
    name_the_clusters,
    know_what_takes_over,
)

ACTIONS: dict[str, Operation] = {
    "eks:DescribeCluster": create,
    "iam:GetOpenIDConnectProvider": create,
    "iam:GetRole": create,
    "iam:GetRolePolicy": create_again,
    "iam:ListAttachedRolePolicies": create_again,
    "iam:ListRolePolicies": create_again,
    "iam:AttachRolePolicy": create,
    "iam:CreateRole": create,
    "iam:TagRole": create,
    "iam:TagOpenIDConnectProvider": associate,
    "iam:PutRolePolicy": create,
    "iam:DeleteRole": roll_back,
    "iam:DeleteRolePolicy": roll_back,
    "iam:DetachRolePolicy": roll_back,
    "iam:ListRoles": disassociate,
    "iam:UntagRole": take_a_deletion_back,
    "iam:AddClientIDToOpenIDConnectProvider": add_an_audience,
    "iam:CreateOpenIDConnectProvider": associate,
    "iam:DeleteOpenIDConnectProvider": roll_back_the_provider,
    "iam:RemoveClientIDFromOpenIDConnectProvider": roll_back_the_audience,
    "eks:ListClusters": name_the_clusters,
    "eks:ListPodIdentityAssociations": know_what_takes_over,
    "iam:GetPolicy": find_a_missing_policy_early,
    "iam:ListPolicies": name_similar_policies,
}
"""Which operation fails without an action."""

VERBS: dict[tuple[str, str], Operation] = {
    ("get", "serviceaccounts"): create,
    ("create", "serviceaccounts"): create,
    ("patch", "serviceaccounts"): verify,
    ("delete", "serviceaccounts"): roll_back_the_service_account,
    ("create", "serviceaccounts/token"): verify,
    ("list", "pods"): delete,
    **{("list", resource): delete for resource in KINDS},
    ("get", "namespaces"): roll_back,
    ("create", "namespaces"): create,
    ("delete", "namespaces"): roll_back,
    ("list", "*"): roll_back,
}
"""Which operation fails without a verb."""


@pytest.fixture(params=VARIANTS)
def policy(request: pytest.FixtureRequest, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A variant of the documented policy; what it demands is there."""
    if request.param.endswith("bounded"):
        monkeypatch.setenv("IRSA_PERMISSIONS_BOUNDARY", staging.boundary(sandbox))
    return staging.joined(request.param)


@pytest.fixture
def caller(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Caller:
    for name, value in {**sandbox.env(user="ci"), "IRSA_STATE_DIR": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    return Caller(sandbox, tmp_path, capsys)


def _admit(sandbox: Sandbox, policy: dict[str, Any], rules: Sequence[Rule]) -> None:
    sandbox.add_user("ci", policy=policy)
    sandbox.grant(staging.CLUSTER, "ci", rules=[*rules, *staging.lock_rules()])


def _administrator(sandbox: Sandbox) -> KubeClient:
    cluster = staging.client(sandbox, "eks").describe_cluster(name=staging.CLUSTER)["cluster"]
    authority = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
    return KubeClient(cluster["endpoint"], authority, bearer(sandbox.env(), staging.CLUSTER))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_the_documented_permissions_suffice(
    operation: Operation, sandbox: Sandbox, policy: dict[str, Any], caller: Caller
) -> None:
    _admit(sandbox, policy, RULES)
    assert operation(caller)


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_is_needed(action: str, sandbox: Sandbox, policy: dict[str, Any], caller: Caller) -> None:
    _admit(sandbox, staging.without(policy, action), RULES)
    assert not ACTIONS[action](caller)


def test_a_listed_role_of_others_can_be_used(sandbox: Sandbox, caller: Caller) -> None:
    _admit(sandbox, staging.joined("iam-policy", "foreign-roles-policy"), RULES)
    assert update_trust(caller)


def test_a_role_of_others_that_is_not_listed_cannot(sandbox: Sandbox, caller: Caller) -> None:
    _admit(sandbox, staging.joined("iam-policy"), RULES)
    assert not update_trust(caller)


def test_without_a_boundary_the_bounded_policy_makes_no_role(sandbox: Sandbox, caller: Caller) -> None:
    _admit(sandbox, staging.joined("iam-policy-bounded"), RULES)
    staging.associate(sandbox)
    assert caller.taken_back(code=1, work=caller.create)


@pytest.mark.parametrize("permission", VERBS, ids=" ".join)
def test_each_verb_is_needed(permission: tuple[str, str], sandbox: Sandbox, caller: Caller) -> None:
    verb, resource = permission
    # Who may list everything may list pods: it is left out, too, as those do who must not read Secrets.
    gone = {(verb, resource), *([(verb, "*")] if verb == "list" else [])}
    _admit(
        sandbox,
        staging.joined("iam-policy"),
        [rule for rule in RULES if (rule.verbs[0], rule.resources[0]) not in gone],
    )
    assert not VERBS[permission](caller)


def test_every_documented_permission_is_tried() -> None:
    for variant in VARIANTS:
        assert set(staging.actions(staging.joined(variant))) == set(ACTIONS)
    documented = [(rule.verbs[0], rule.resources[0]) for rule in RULES]
    assert sorted(documented) == sorted(VERBS)


def test_every_role_is_bound_to_the_documented_group() -> None:
    objects = [*staging.rbac(), *staging.rbac(staging.PERMISSIONS / "rbac-namespaces.yaml")]
    roles = {item["metadata"]["name"] for item in objects if item["kind"].endswith("Role")}
    bindings = [item for item in objects if item["kind"].endswith("RoleBinding")]
    assert {binding["roleRef"]["name"] for binding in bindings} == roles
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "irsa"}
    assert all(binding["subjects"] == [group] for binding in bindings)
