"""Who has the documented IAM policies, all of them together, tries to become more than he is.

Each attempt is made, against a sandbox that enforces identity policies and boundaries: what is not refused
for want of a permission has been a success, whatever came of it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.docs import escalation, staging
from tests.docs.escalation import (
    ACCOUNT,
    ADMINISTRATOR,
    BOUNDARY,
    CLUSTER_ARN,
    EVERYTHING,
    OWN_TAGS,
    READ_ONLY,
    Attempt,
    Aws,
    Credentials,
)

ME = f"arn:aws:iam::{ACCOUNT}:user/ci"
NOT_OURS = ("Admin", "ci-irsa", "team-b", "other-cluster")
"""Roles that no documented policy may reach. (`shared` is what foreign-roles-policy.json lists.)"""
RUNNER = {"irsa/cluster": CLUSTER_ARN, "irsa/service-account": "ci/runner"}


def _together(*names: str) -> dict[str, Any]:
    """Several documented policies in one."""
    documents = [staging.iam_policy(staging.PERMISSIONS / f"{name}.json") for name in names]
    statements = [
        {**statement, "Sid": f"{statement['Sid']}{number}"}
        for number, document in enumerate(documents)
        for statement in document["Statement"]
    ]
    return {"Version": "2012-10-17", "Statement": statements}


UNBOUNDED = _together("iam-policy", "change-policy", "foreign-roles-policy", "reading-policy")
BOUNDED = _together("iam-policy-bounded", "change-policy-bounded", "foreign-roles-policy", "reading-policy")
VARIANTS = {"unbounded": UNBOUNDED, "bounded": BOUNDED}


@pytest.fixture
def account(sandbox: Sandbox) -> Sandbox:
    escalation.prepare(sandbox)
    return sandbox


def _user(sandbox: Sandbox, policy: dict[str, Any]) -> Aws:
    sandbox.add_user("ci", policy=policy)
    env = sandbox.env(user="ci")
    return Aws(sandbox, Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]))


def _runner(sandbox: Sandbox, policy: dict[str, Any]) -> Aws:
    """A caller whose own role is one of irsa's: a pod of the cluster that runs irsa."""
    staging_iam = staging.iam(sandbox)
    staging_iam.create_role(
        RoleName="runner",
        Path="/irsa/demo/",
        AssumeRolePolicyDocument=escalation.trust(f"arn:aws:iam::{ACCOUNT}:user/admin"),
        Tags=escalation.tag_list(RUNNER),  # type: ignore[arg-type]
    )
    staging_iam.put_role_policy(RoleName="runner", PolicyName="irsa", PolicyDocument=json.dumps(policy))
    env = sandbox.env()
    admin = Aws(sandbox, Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]))
    credentials = admin.assume(f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/runner")
    assert credentials is not None
    return Aws(sandbox, credentials)


def _successes(caller: Aws, attempts: Iterable[Attempt]) -> list[str]:
    codes = [(str(attempt), caller.code(attempt)) for attempt in attempts]
    assert len(codes) > 100
    return [f"{attempt}: {code or 'done'}" for attempt, code in codes if code != "AccessDenied"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_write_reaches_what_is_not_irsas(variant: str, account: Sandbox) -> None:
    caller = _user(account, VARIANTS[variant])
    before = account.world()
    assert _successes(caller, escalation.attempts(*NOT_OURS)) == []
    assert account.world() == before
    for role in ("Admin", "ci-irsa", "irsa/other/team-b"):
        assert caller.assume(f"arn:aws:iam::{ACCOUNT}:role/{role}") is None


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_caller_whose_role_is_irsas_does_not_reach_it(variant: str, account: Sandbox) -> None:
    caller = _runner(account, VARIANTS[variant])
    assert _successes(caller, escalation.attempts("runner")) == []


def test_every_write_of_iam_is_tried() -> None:
    tried = {attempt.operation for attempt in escalation.attempts("Admin")}
    assert tried == set(escalation.writes())
    assert len(tried) > 80


def _make(caller: Aws, **parameters: Any) -> str:
    role = {
        "RoleName": "evil",
        "Path": "/irsa/demo/",
        "AssumeRolePolicyDocument": escalation.trust(ME),
        "Tags": escalation.tag_list(OWN_TAGS),
    }
    return caller.code(Attempt("CreateRole", {**role, **parameters}))


def _on(caller: Aws, operation: str, role: str = "evil", **parameters: Any) -> str:
    return caller.code(Attempt(operation, {"RoleName": role, **parameters}))


EVIL = f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/evil"


def test_no_role_is_made_without_the_tag_or_with_another_clusters(account: Sandbox) -> None:
    caller = _user(account, UNBOUNDED)
    other = escalation.tag_list({**OWN_TAGS, "irsa/cluster": escalation.OTHER_CLUSTER_ARN})
    for tags in ([], escalation.tag_list({"owner": "me"}), other):
        assert _make(caller, Tags=tags) == "AccessDenied"


def test_bounded_no_role_is_made_without_the_boundary(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    assert _make(caller) == "AccessDenied"
    assert _make(caller, PermissionsBoundary=ADMINISTRATOR) == "AccessDenied"


def test_bounded_a_role_made_for_oneself_is_no_way_up(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    assert _make(caller, PermissionsBoundary=BOUNDARY) == ""
    assert _on(caller, "AttachRolePolicy", PolicyArn=READ_ONLY) == ""
    assert _on(caller, "PutRolePolicy", PolicyName="all", PolicyDocument=EVERYTHING) == ""
    for arn in (ADMINISTRATOR, escalation.COMPANY_POLICY, BOUNDARY):
        assert _on(caller, "AttachRolePolicy", PolicyArn=arn) == "AccessDenied"
    assert _on(caller, "DeleteRolePermissionsBoundary") == "AccessDenied"
    assert _on(caller, "PutRolePermissionsBoundary", PermissionsBoundary=ADMINISTRATOR) == "AccessDenied"
    credentials = caller.assume(EVIL)
    assert credentials is not None
    evil = Aws(account, credentials)
    assert evil.client("s3").list_buckets()["Buckets"]  # what the boundary allows, it may
    assert _successes(evil, escalation.attempts("evil", *NOT_OURS, "shared", "untagged")) == []
    assert evil.assume(f"arn:aws:iam::{ACCOUNT}:role/Admin") is None


def test_unbounded_a_role_made_for_oneself_is_an_administrator(account: Sandbox) -> None:
    # This is what permissions.md says that this variant leaves open.
    caller = _user(account, UNBOUNDED)
    assert _make(caller) == ""
    assert _on(caller, "AttachRolePolicy", PolicyArn=ADMINISTRATOR) == ""
    credentials = caller.assume(EVIL)
    assert credentials is not None
    assert _on(Aws(account, credentials), "DeleteRole", "team-b") == "DeleteConflict"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("role", NOT_OURS)
def test_a_foreign_role_cannot_be_tagged_into_reach(variant: str, role: str, account: Sandbox) -> None:
    caller = _user(account, VARIANTS[variant])
    for tags in (OWN_TAGS, {"irsa/cluster": CLUSTER_ARN}, {"a": "b"}):
        assert _on(caller, "TagRole", role, Tags=escalation.tag_list(tags)) == "AccessDenied"
    assert _on(caller, "UntagRole", role, TagKeys=["irsa/cluster"]) == "AccessDenied"


def test_only_irsas_own_tag_can_be_put_on_an_untagged_role_of_its_path(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    assert _on(caller, "TagRole", "untagged", Tags=escalation.tag_list({"a": "b"})) == "AccessDenied"
    # IAM does not tell this from tagging a role that is being made.
    assert _on(caller, "TagRole", "untagged", Tags=escalation.tag_list(OWN_TAGS)) == ""
    document = {"PolicyName": "all", "PolicyDocument": EVERYTHING}
    assert _on(caller, "AttachRolePolicy", "untagged", PolicyArn=READ_ONLY) == "AccessDenied"
    assert _on(caller, "PutRolePolicy", "untagged", **document) == "AccessDenied"
    assert _on(caller, "DetachRolePolicy", "untagged", PolicyArn=ADMINISTRATOR) == "AccessDenied"
    trust = escalation.trust(ME)
    assert _on(caller, "UpdateAssumeRolePolicy", "untagged", PolicyDocument=trust) == "AccessDenied"
    assert caller.assume(f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/untagged") is None


def test_bounded_roles_of_irsas_that_have_no_boundary_are_not_changed(account: Sandbox) -> None:
    iam = staging.iam(account)
    iam.create_role(
        RoleName="old",
        Path="/irsa/demo/",
        AssumeRolePolicyDocument=escalation.trust(f"arn:aws:iam::{ACCOUNT}:user/admin"),
        Tags=escalation.tag_list(OWN_TAGS),  # type: ignore[arg-type]
    )
    iam.attach_role_policy(RoleName="old", PolicyArn=ADMINISTRATOR)
    caller = _user(account, BOUNDED)
    trust = escalation.trust(ME)
    assert _on(caller, "UpdateAssumeRolePolicy", "old", PolicyDocument=trust) == "AccessDenied"
    assert _on(caller, "AttachRolePolicy", "old", PolicyArn=READ_ONLY) == "AccessDenied"


Loosening = Callable[[dict[str, Any]], None]


def _all_roles(statement: dict[str, Any]) -> None:
    if "role/" in str(statement["Resource"]):
        statement["Resource"] = f"arn:aws:iam::{ACCOUNT}:role/*"


def _no_conditions(statement: dict[str, Any]) -> None:
    if statement["Effect"] == "Allow":
        statement.pop("Condition", None)


def _all_roles_unconditionally(statement: dict[str, Any]) -> None:
    _all_roles(statement)
    _no_conditions(statement)


def _all_providers(statement: dict[str, Any]) -> None:
    if "oidc-provider/" in str(statement["Resource"]):
        statement["Resource"] = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.*"


def _everything(statement: dict[str, Any]) -> None:
    if statement["Effect"] == "Allow":
        statement["Action"] = "*"


def _loosened(policy: dict[str, Any], loosening: Loosening) -> dict[str, Any]:
    found = copy.deepcopy(policy)
    for statement in found["Statement"]:
        loosening(statement)
    return found


@pytest.mark.parametrize(
    ("loosening", "expected"),
    [
        (_all_roles, "TagRole {'RoleName': 'Admin'}: done"),
        (_no_conditions, "AttachRolePolicy {'RoleName': 'other-cluster', "),
        (_all_roles_unconditionally, "UpdateAssumeRolePolicy {'RoleName': 'Admin'}: done"),
        (_all_providers, "CreateOpenIDConnectProvider {}: done"),
        (_everything, "CreateAccessKey {'UserName': 'admin'}: done"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_loose_policy_is_found_out(loosening: Loosening, expected: str, account: Sandbox) -> None:
    caller = _user(account, _loosened(UNBOUNDED, loosening))
    found = _successes(caller, escalation.attempts(*NOT_OURS))
    assert any(item.startswith(expected) for item in found), found


def test_a_policy_without_the_denial_lets_a_runner_reach_itself(account: Sandbox) -> None:
    statements = [item for item in UNBOUNDED["Statement"] if item["Effect"] == "Allow"]
    caller = _runner(account, {**UNBOUNDED, "Statement": statements})
    assert _on(caller, "AttachRolePolicy", "runner", PolicyArn=ADMINISTRATOR) == ""
