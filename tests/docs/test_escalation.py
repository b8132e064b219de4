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
from botocore.exceptions import ClientError

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.worlds import put_other_account
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
    texts = [staging.policy_text(staging.PERMISSIONS / f"{name}.json") for name in names]
    documents = [json.loads(text.replace(staging.OTHER, ACCOUNT)) for text in texts]
    statements = [
        {**statement, "Sid": f"{statement['Sid']}{number}"}
        for number, document in enumerate(documents)
        for statement in document["Statement"]
    ]
    return {"Version": "2012-10-17", "Statement": statements}


BOTH = ("foreign-roles-policy", "reading-policy", "audit-policy", "cluster-account-policy")
MADE_OF = {
    "unbounded": ("iam-policy", "change-policy", "pod-identity-policy", *BOTH),
    "bounded": ("iam-policy-bounded", "change-policy-bounded", "pod-identity-policy", *BOTH),
    "other-account": ("role-account-policy", "target-policy"),
}
VARIANTS = {name: _together(*files) for name, files in MADE_OF.items()}
"""All that is documented, each for one caller; what is for the other account is tried in this one."""
ALL = {**VARIANTS, "acceptance": _together("acceptance-policy")}
"""Also the policy of the acceptance run, which has no business with irsa's path."""
MOVES_FILES = ("migrate-policy", "repoint-policy", "retire-policy")
MOVES = _together(*MOVES_FILES)
"""For roles of all clusters, as a move of clusters is about all of them."""
UNBOUNDED, BOUNDED = VARIANTS["unbounded"], VARIANTS["bounded"]


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


@pytest.mark.parametrize("variant", ALL)
def test_no_write_reaches_what_is_not_irsas(variant: str, account: Sandbox) -> None:
    caller = _user(account, ALL[variant])
    before = account.world()
    assert _successes(caller, escalation.attempts(*NOT_OURS)) == []
    assert account.world() == before
    for role in ("Admin", "ci-irsa", "irsa/other/team-b"):
        assert caller.assume(f"arn:aws:iam::{ACCOUNT}:role/{role}") is None


@pytest.mark.parametrize("variant", [*ALL, "moves"])
def test_a_caller_whose_role_is_irsas_does_not_reach_it(variant: str, account: Sandbox) -> None:
    caller = _runner(account, {**ALL, "moves": MOVES}[variant])
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


@pytest.mark.parametrize("variant", ALL)
@pytest.mark.parametrize("role", NOT_OURS)
def test_a_foreign_role_cannot_be_tagged_into_reach(variant: str, role: str, account: Sandbox) -> None:
    caller = _user(account, ALL[variant])
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


BOUNDED_ROLE = {"Path": "/irsa/demo/", "Tags": escalation.tag_list(OWN_TAGS), "RoleName": "bounded"}


def _bounded_role(sandbox: Sandbox, boundary: str, name: str = "bounded", *policies: str) -> None:
    """A role of irsa's, as the administrator makes it."""
    admin_only = escalation.trust(f"arn:aws:iam::{ACCOUNT}:user/admin")
    iam: Any = staging.iam(sandbox)
    iam.create_role(
        **{**BOUNDED_ROLE, "RoleName": name},
        AssumeRolePolicyDocument=admin_only,
        PermissionsBoundary=boundary,
    )
    for arn in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def test_bounded_no_boundary_is_put_in_place_of_another(account: Sandbox) -> None:
    _bounded_role(account, escalation.STRICTER, "strict", READ_ONLY)
    caller = _user(account, BOUNDED)
    before = account.world()["roles"]
    tried = [item for item in escalation.attempts("strict") if "'strict'" in str(item)]
    # By UntagRole it would be out of reach for those that come after.
    tried = [item for item in tried if item.operation != "UntagRole"]
    done = {item.operation for item in tried if caller.code(item) != "AccessDenied"}
    # It has a policy, so it can't be deleted; and none can be taken from it.
    assert done == {"DeleteRole", "TagRole", "UpdateRole"}
    assert _on(caller, "DeleteRole", "strict") == "DeleteConflict"
    role = account.world()["roles"]["strict"]
    assert role["boundary"] == escalation.STRICTER
    assert role["attached"] == before["strict"]["attached"]


def test_bounded_a_role_without_policies_is_made_again_with_the_workloads_boundary(account: Sandbox) -> None:
    # IAM has no condition on the boundary for DeleteRole: permissions.md says so.
    _bounded_role(account, escalation.STRICTER, "evil")
    caller = _user(account, BOUNDED)
    assert _on(caller, "DeleteRole") == ""
    assert _make(caller, PermissionsBoundary=BOUNDARY) == ""
    assert "A role that has no policies can be deleted and made again" in _page()


def test_no_policy_is_forgotten() -> None:
    files = {path.stem for path in staging.PERMISSIONS.glob("*.json")} - {"workload-boundary"}
    tried = (*MADE_OF.values(), ("acceptance-policy",), MOVES_FILES)
    assert files == {name for names in tried for name in names}
    pages = sorted((staging.PERMISSIONS.parents[1]).rglob("*.md"))
    # The rules' page shows what is dangerous.
    for page in (page for page in pages if page.name != "audit-rules.md"):
        text = page.read_text(encoding="utf-8")
        for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:TagRole"):
            assert f'"{action}"' not in text, f"{page.name} has a policy that no test tries"


def _page() -> str:
    text = (staging.PERMISSIONS.parent / "permissions.md").read_text(encoding="utf-8")
    return " ".join(text.split())


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_listed_tag_keys_are_put_and_taken(variant: str, account: Sandbox) -> None:
    _bounded_role(account, BOUNDARY)
    caller = _user(account, VARIANTS[variant])
    for key, code in (
        ("team", ""),
        ("irsa/x", ""),
        ("access-level", "AccessDenied"),
        ("Team", "AccessDenied"),
    ):
        tags = {key: "x"}
        assert _on(caller, "TagRole", "bounded", Tags=escalation.tag_list(tags)) == code
        both = {**OWN_TAGS, **tags}
        made = {"RoleName": f"new-{code or key[:4]}", "PermissionsBoundary": BOUNDARY}
        assert _make(caller, **made, Tags=escalation.tag_list(both)) == code
        foreign = "" if key.startswith("irsa/") and variant != "other-account" else "AccessDenied"
        assert _on(caller, "TagRole", "shared", Tags=escalation.tag_list(tags)) == foreign
        assert _on(caller, "UntagRole", "bounded", TagKeys=["team", key]) == code


def test_new_providers_have_listed_tag_keys_only(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    arn = f"{escalation.OIDC}/{staging.issuer(account).removeprefix('https://')}"
    for key, code in (("team", ""), ("access-level", "AccessDenied")):
        tags = escalation.tag_list({key: "x"})
        tagging = Attempt("TagOpenIDConnectProvider", {"OpenIDConnectProviderArn": arn, "Tags": tags})
        assert caller.code(tagging) == code


@pytest.mark.parametrize("variant", ALL)
@pytest.mark.parametrize("provider", [escalation.NEIGHBOUR, escalation.ELSEWHERE, escalation.GITHUB])
def test_providers_of_other_clusters_are_out_of_reach(variant: str, provider: str, account: Sandbox) -> None:
    caller = _user(account, ALL[variant])
    arn = {"OpenIDConnectProviderArn": f"{escalation.OIDC}/{provider}"}
    tags = {"Tags": escalation.tag_list(OWN_TAGS)}
    for operation, more in (
        ("DeleteOpenIDConnectProvider", {}),
        ("AddClientIDToOpenIDConnectProvider", {"ClientID": "evil"}),
        ("RemoveClientIDFromOpenIDConnectProvider", {"ClientID": "sts.amazonaws.com"}),
        ("TagOpenIDConnectProvider", tags),
    ):
        assert caller.code(Attempt(operation, {**arn, **more})) == "AccessDenied"


OUTSIDE = {
    "another account": f"arn:aws:iam::{staging.OTHER}:root",
    "everybody": "*",
    "this account": f"arn:aws:iam::{ACCOUNT}:root",
}


@pytest.mark.parametrize("principal", OUTSIDE.values(), ids=OUTSIDE)
def test_bounded_who_is_admitted_from_outside_of_the_cluster_may_do_nothing(
    principal: str, account: Sandbox
) -> None:
    # IAM has no condition on what a trust policy says: the role is made. The boundary is what holds.
    caller = _user(account, BOUNDED)
    trusted = escalation.trust(principal)
    assert _make(caller, PermissionsBoundary=BOUNDARY, AssumeRolePolicyDocument=trusted) == ""
    assert _on(caller, "PutRolePolicy", PolicyName="all", PolicyDocument=EVERYTHING) == ""
    number = staging.OTHER if principal != OUTSIDE["this account"] else ACCOUNT
    put_other_account(account, ACCOUNT)
    env = account.env(account=number)
    outsider = Aws(account, Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]))
    credentials = outsider.assume(EVIL)
    assert credentials is not None
    evil = Aws(account, credentials)
    with pytest.raises(ClientError, match="no permissions boundary allows"):
        evil.client("s3").list_buckets()
    assert _successes(evil, escalation.attempts("evil", *NOT_OURS, "shared", "untagged")) == []


def test_bounded_a_pod_may_do_what_the_boundary_allows(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    provider = f"{escalation.OIDC}/{staging.issuer(account).removeprefix('https://')}"
    trusted = json.dumps(staging.trust_of(provider, "default", "app"))
    assert _make(caller, PermissionsBoundary=BOUNDARY, AssumeRolePolicyDocument=trusted) == ""
    assert _on(caller, "PutRolePolicy", PolicyName="all", PolicyDocument=EVERYTHING) == ""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    with staging.kube(account) as admin:
        assert admin.create(accounts, {"metadata": {"name": "app"}}).status == 201
        asked = {"spec": {"audiences": ["sts.amazonaws.com"]}}
        token = admin.create(f"{accounts}/app/token", asked).body["status"]["token"]
    pod = Aws(account, caller.assume_by_token(EVIL, token))
    assert pod.client("s3").list_buckets()["Buckets"]
    assert pod.code(Attempt("ListRoles", {})) == "AccessDenied"
    assert pod.assume(f"arn:aws:iam::{ACCOUNT}:role/Admin") is None


def test_the_page_says_what_the_bounded_policies_leave_open() -> None:
    for words in (
        "IAM has no condition on what a trust policy says",
        "`aws:FederatedProvider`",
        "another account or everybody (`*`)",
        "list no key by which access is decided",
        "with a wildcard, the caller can delete the providers of other clusters",
        "an administrator gives a role another boundary",
    ):
        assert words in _page(), words


def test_acceptance_a_role_made_for_oneself_is_no_way_up(account: Sandbox) -> None:
    caller = _user(account, ALL["acceptance"])
    name = "irsa-acceptance-0a1b2c3d-evil"
    assert _make(caller, RoleName=name, Path="/", AssumeRolePolicyDocument=escalation.trust(ME)) == ""
    for arn in (ADMINISTRATOR, escalation.COMPANY_POLICY, BOUNDARY, READ_ONLY):
        assert _on(caller, "AttachRolePolicy", name, PolicyArn=arn) == "AccessDenied"
    document = {"PolicyName": "all", "PolicyDocument": EVERYTHING}
    assert _on(caller, "PutRolePolicy", name, **document) == "AccessDenied"
    credentials = caller.assume(f"arn:aws:iam::{ACCOUNT}:role/{name}")
    assert credentials is not None
    assert _successes(Aws(account, credentials), escalation.attempts(name, *NOT_OURS, "shared")) == []


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
        statement["Resource"] = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/*"


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
        (_all_providers, "DeleteOpenIDConnectProvider {'OpenIDConnectProviderArn': "),
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
