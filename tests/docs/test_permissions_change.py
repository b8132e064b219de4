"""docs/how-to/permissions: what is documented for update-sa and adopt suffices, and all of it is needed.

Both variants are tried; the bounded one changes only roles that have its boundary.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Fault, Rule, Sandbox
from tests.docs import staging

READ_ONLY, SQS, SNS = (f"arn:aws:iam::aws:policy/Amazon{name}ReadOnlyAccess" for name in ("S3", "SQS", "SNS"))
POLICY = staging.joined("change-policy")
BOUNDED = staging.joined("change-policy-bounded")
BOUNDARY = "arn:aws:iam::111122223333:policy/workload-boundary"
RULES = tuple(
    Rule((verb,), rule.resources, groups=rule.groups)
    for rule in staging.rules(staging.PERMISSIONS / "change-rbac.yaml")
    for verb in rule.verbs
)
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}],
}


class Caller:
    """Runs irsa in this process: as the administrator, then as the limited caller."""

    def __init__(
        self,
        sandbox: Sandbox,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.sandbox = sandbox
        self._capsys = capsys
        self._folder, self._monkeypatch = folder, monkeypatch
        self.become("admin")

    def become(self, user: str) -> None:
        """Call as this user from now on."""
        state = str(self._folder / "state")
        for name, value in {**self.sandbox.env(user=user), "IRSA_STATE_DIR": state}.items():
            self._monkeypatch.setenv(name, value)

    def document(self, action: str, name: str = "queue.json") -> str:
        """A file with a policy."""
        path = self._folder / name
        path.write_text(json.dumps(DOCUMENT).replace("sqs:ReceiveMessage", action), encoding="utf-8")
        return str(path)

    def run(self, command: str, *arguments: str) -> int:
        """Any command about backend/app."""
        where = ("-n", "backend", "-c", staging.CLUSTER)
        return run([command, *arguments, *where])

    def told(self) -> str:
        """What was said by the commands so far."""
        found = self._capsys.readouterr()
        return found.out + found.err

    def prepare(self) -> None:
        """A binding of irsa's with something on it."""
        staging.associate(self.sandbox)
        file = self.document("sqs:ReceiveMessage")
        arguments = (
            "--attach-policy-arn",
            f"{READ_ONLY},{SQS}",
            "--inline-policy",
            file,
            "--tags",
            "team=b,cost-center=d",
        )
        assert self.run("create-sa", "app", *arguments, "--permissions-boundary", READ_ONLY) == 0
        self.document("sqs:*")

    def bind(self) -> None:
        """Let the role have the boundary of the bounded variant."""
        arn = staging.boundary(self.sandbox)
        assert self.run("update-sa", "app", "--permissions-boundary", arn) == 0

    @property
    def role(self) -> str:
        """The name of the binding's role."""
        (name,) = self.sandbox.world()["roles"]
        return str(name)

    def everything(self, *arguments: str) -> int:
        """update-sa with one of each."""
        return self.run(
            "update-sa",
            "app",
            *("--attach-policy-arn", SNS, "--detach-policy-arn", SQS),
            *("--inline-policy", str(self._folder / "queue.json"), "--permissions-boundary", SQS),
            *("--tags", "team=c", "--remove-tag", "cost-center", "--description", "new", "--label", "a=b"),
            *("--audience", "vault", "--associate-oidc"),
            *arguments,
        )


Operation = Callable[[Caller], bool]


def change(caller: Caller) -> bool:
    """update-sa with one of each."""
    return caller.everything() == 0


def remove(caller: Caller) -> bool:
    """update-sa that removes the boundary and the inline policy."""
    gone = ("--no-permissions-boundary", "--allow-boundary-removal", "--remove-inline-policy", "queue")
    return caller.run("update-sa", "app", *gone) == 0


def change_within(caller: Caller) -> bool:
    """update-sa with what changes no boundary and no trust policy."""
    return (
        caller.run(
            "update-sa",
            "app",
            *("--attach-policy-arn", SNS, "--detach-policy-arn", SQS, "--remove-inline-policy", "queue"),
            *("--inline-policy", caller.document("sns:*", "topic.json")),
            *("--tags", "team=c", "--remove-tag", "cost-center", "--description", "new", "--label", "a=b"),
        )
        == 0
    )


def replace_the_boundary(caller: Caller) -> bool:
    """update-sa that gives the boundary to a role that has another."""
    iam = staging.iam(caller.sandbox)
    iam.put_role_permissions_boundary(RoleName=caller.role, PermissionsBoundary=READ_ONLY)
    return caller.run("update-sa", "app", "--permissions-boundary", BOUNDARY) == 0


def tag_otherwise(caller: Caller) -> bool:
    """update-sa with a tag that is not listed."""
    return caller.run("update-sa", "app", "--tags", "access-level=high") == 0


def verify(caller: Caller) -> bool:
    """With --verify."""
    return caller.everything("--verify") == 0


def roll_back(caller: Caller) -> bool:
    """The ServiceAccount can't be written: all is taken back."""
    before = caller.sandbox.world()
    caller.sandbox.faults.add(Fault("kubernetes", "PATCH serviceaccounts", "error", times=None))
    return caller.everything() == 1 and caller.sandbox.world() == before


def refuse_a_shared_role(caller: Caller) -> bool:
    """Another ServiceAccount that names the role is found."""
    world = caller.sandbox.world()["kubernetes"][staging.CLUSTER]["serviceaccounts"]
    role = world["backend/app"]["annotations"]["eks.amazonaws.com/role-arn"]
    staging.account(caller.sandbox, "default", "guest", role)
    return caller.run("update-sa", "app", "--description", "new") == 4


def adopt(caller: Caller) -> bool:
    """adopt of one that is irsa's no more."""
    tags = ["irsa/cluster", "irsa/service-account"]
    staging.iam(caller.sandbox).untag_role(RoleName=caller.role, TagKeys=tags)
    return caller.run("adopt", "app") == 0


def adopt_all(caller: Caller) -> bool:
    """adopt --all."""
    return caller.run("adopt", "--all") == 0


def know_what_takes_over(caller: Caller) -> bool:
    """adopt knows whether EKS Pod Identity takes the ServiceAccount over."""
    return caller.run("adopt", "app") == 0 and "did not check" not in caller.told()


def find_a_missing_policy_early(caller: Caller) -> bool:
    """A policy that does not exist is found before the first write."""
    return caller.run("update-sa", "app", "--attach-policy-arn", f"{READ_ONLY}x", "--dry-run") == 1


def find_too_many_policies_early(caller: Caller) -> bool:
    """More policies than the account's quota are found before the first write."""
    made = [
        staging.iam(caller.sandbox).create_policy(PolicyName=f"p{n}", PolicyDocument=json.dumps(DOCUMENT))
        for n in range(11)
    ]
    arns = ",".join(item["Policy"]["Arn"] for item in made)
    return caller.run("update-sa", "app", "--set-policy-arns", arns, "--dry-run") == 4


ACTIONS: dict[str, Operation] = {
    "eks:DescribeCluster": change,
    "iam:GetOpenIDConnectProvider": change,
    "iam:GetRole": change,
    "iam:GetRolePolicy": change,
    "iam:ListAttachedRolePolicies": change,
    "iam:ListRolePolicies": change,
    "iam:AttachRolePolicy": change,
    "iam:DeleteRolePolicy": remove,
    "iam:DetachRolePolicy": change,
    "iam:PutRolePolicy": change,
    "iam:TagRole": change,
    "iam:UntagRole": change,
    "iam:UpdateRole": change,
    "iam:DeleteRolePermissionsBoundary": remove,
    "iam:PutRolePermissionsBoundary": change,
    "iam:AddClientIDToOpenIDConnectProvider": change,
    "iam:RemoveClientIDFromOpenIDConnectProvider": roll_back,
    "iam:ListRoles": roll_back,
    "iam:UpdateAssumeRolePolicy": change,
    "iam:GetAccountSummary": find_too_many_policies_early,
    "iam:GetPolicy": find_a_missing_policy_early,
    "eks:ListPodIdentityAssociations": know_what_takes_over,
}
"""Which operation fails without an action."""

BOUNDED_ACTIONS: dict[str, Operation] = {
    **dict.fromkeys(
        (
            "eks:DescribeCluster",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:AttachRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateRole",
        ),
        change_within,
    ),
    "iam:GetAccountSummary": find_too_many_policies_early,
    "iam:GetPolicy": find_a_missing_policy_early,
    "eks:ListPodIdentityAssociations": know_what_takes_over,
}
"""The same in the bounded variant. Audiences are for who has ChangeTrust, too: see permissions.md."""

VERBS: dict[tuple[str, str], Operation] = {
    ("get", "serviceaccounts"): change,
    ("patch", "serviceaccounts"): change,
    ("list", "serviceaccounts"): refuse_a_shared_role,
    ("create", "serviceaccounts/token"): verify,
}
"""Which operation fails without a verb."""

OPERATIONS = (*dict.fromkeys((*ACTIONS.values(), *VERBS.values())), adopt_all)
AUDIENCES = {
    "iam:GetOpenIDConnectProvider",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:RemoveClientIDFromOpenIDConnectProvider",
    "iam:ListRoles",
}


@pytest.fixture
def caller(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Caller:
    found = Caller(sandbox, tmp_path, monkeypatch, capsys)
    found.prepare()
    return found


def _try(caller: Caller, operation: Operation, policy: object, rules: tuple[Rule, ...]) -> bool:
    assert isinstance(policy, dict)
    caller.sandbox.add_user("ci", policy=policy)
    locks = staging.lock_rules(staging.PERMISSIONS / "change-rbac.yaml")
    caller.sandbox.grant(staging.CLUSTER, "ci", rules=[*rules, *locks])
    caller.become("ci")
    return operation(caller)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_the_documented_permissions_suffice(operation: Operation, caller: Caller) -> None:
    assert _try(caller, operation, POLICY, RULES)


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_is_needed(action: str, caller: Caller) -> None:
    assert not _try(caller, ACTIONS[action], staging.without(POLICY, action), RULES)


@pytest.mark.parametrize("permission", VERBS, ids=" ".join)
def test_each_verb_is_needed(permission: tuple[str, str], caller: Caller) -> None:
    verb, resource = permission
    rules = tuple(rule for rule in RULES if (rule.verbs, rule.resources) != ((verb,), (resource,)))
    assert not _try(caller, VERBS[permission], POLICY, rules)


@pytest.mark.parametrize(
    "operation", dict.fromkeys(BOUNDED_ACTIONS.values()), ids=lambda operation: operation.__name__
)
def test_the_bounded_permissions_suffice(operation: Operation, caller: Caller) -> None:
    caller.bind()
    assert _try(caller, operation, BOUNDED, RULES)


@pytest.mark.parametrize("action", BOUNDED_ACTIONS)
def test_each_bounded_action_is_needed(action: str, caller: Caller) -> None:
    caller.bind()
    assert not _try(caller, BOUNDED_ACTIONS[action], staging.without(BOUNDED, action), RULES)


@pytest.mark.parametrize(
    "operation",
    [change_within, remove, change, replace_the_boundary, tag_otherwise],
    ids=["bare", "removal", "trust", "boundary", "tags"],
)
def test_the_bounded_permissions_do_not_reach_further(operation: Operation, caller: Caller) -> None:
    if operation is not change_within:
        caller.bind()
    before = caller.sandbox.world()["roles"]
    assert not _try(caller, operation, BOUNDED, RULES)
    after = caller.sandbox.world()["roles"]
    if operation is replace_the_boundary:
        assert after[caller.role].pop("boundary") == READ_ONLY
        before[caller.role].pop("boundary")
    assert after == before


@pytest.mark.parametrize("listed", [True, False])
def test_adopt_needs_the_role_to_be_listed(listed: bool, caller: Caller) -> None:
    policy = staging.joined("change-policy", "foreign-roles-policy")
    if listed:
        text = json.dumps(policy).replace("role/shared", f"role/irsa/demo/{caller.role}")
        policy = json.loads(text)
    assert _try(caller, adopt, policy, RULES) == listed


def test_every_documented_permission_is_tried() -> None:
    assert set(staging.actions(BOUNDED)) == {*BOUNDED_ACTIONS, *AUDIENCES}
    assert sorted(staging.actions(POLICY)) == sorted(ACTIONS)
    assert sorted((rule.verbs[0], rule.resources[0]) for rule in RULES) == sorted(VERBS)
