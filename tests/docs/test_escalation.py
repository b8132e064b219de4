"""Who has the documented IAM policies, all of them together, tries to become more than he is.

Each attempt is made, against a sandbox that enforces identity policies and boundaries: what is not refused
for want of a permission has been a success, whatever came of it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.worlds import put_other_account
from tests.docs import escalation, staging
from tests.docs.escalation import ACCOUNT, CLUSTER_ARN, OWN_TAGS, Attempt, Aws, Credentials

Json = dict[str, Any]
NOT_OURS = ("Admin", "ci-irsa", "team-b", "other-cluster")
"""Roles that no documented policy may reach. (`shared` is what foreign-roles-policy.json lists.)"""


def _together(*names: str) -> Json:
    """Several documented policies in one."""
    texts = [staging.policy_text(staging.PERMISSIONS / f"{name}.json") for name in names]
    documents = [json.loads(text.replace(staging.OTHER, ACCOUNT)) for text in texts]
    statements = [
        {**statement, "Sid": f"{statement['Sid']}{number}"}
        for number, document in enumerate(documents)
        for statement in document["Statement"]
    ]
    return {"Version": "2012-10-17", "Statement": statements}


BOTH = "pod-identity-policy foreign-roles-policy reading-policy audit-policy cluster-account-policy"
MADE_OF = {
    "unbounded": f"iam-policy change-policy {BOTH}",
    "bounded": f"iam-policy-bounded change-policy-bounded {BOTH}",
    "other-account": "role-account-policy target-policy",
    "acceptance": "acceptance-policy",
    "moves": "migrate-policy repoint-policy retire-policy",
    "beside Terraform": "beside-terraform-policy",
}
ALL = {name: _together(*files.split()) for name, files in MADE_OF.items()}
"""All that is documented, each for one caller; what is for the other account is tried in this one.

That of the acceptance run has no business with irsa's path; moves are about roles of all clusters.
"""
UNBOUNDED, BOUNDED = ALL["unbounded"], ALL["bounded"]


@pytest.fixture
def account(sandbox: Sandbox) -> Sandbox:
    escalation.prepare(sandbox)
    return sandbox


def _own(sandbox: Sandbox, user: str = "", account: str = ACCOUNT) -> Aws:
    """A user of the sandbox, by his keys."""
    env = sandbox.env(user=user or "admin", account=account)
    return Aws(sandbox, Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]))


def _user(sandbox: Sandbox, policy: Json) -> Aws:
    sandbox.add_user("ci", policy=policy)
    return _own(sandbox, "ci")


def _runner(sandbox: Sandbox, policy: Json) -> Aws:
    """A caller whose own role is one of irsa's: a pod of the cluster that runs irsa."""
    tags = {"irsa/cluster": CLUSTER_ARN, "irsa/service-account": "ci/runner"}
    escalation.role(sandbox, "runner", "/irsa/demo/", tags)
    iam = staging.iam(sandbox)
    iam.put_role_policy(RoleName="runner", PolicyName="irsa", PolicyDocument=json.dumps(policy))
    return _become(sandbox, _own(sandbox), "irsa/demo/runner")


def _become(sandbox: Sandbox, caller: Aws, role: str) -> Aws:
    credentials = caller.assume(role)
    assert credentials is not None
    return Aws(sandbox, credentials)


def _successes(caller: Aws, attempts: Iterable[Attempt]) -> list[str]:
    codes = [(str(attempt), caller.code(attempt)) for attempt in attempts]
    assert len(codes) > 100
    return [f"{attempt}: {code or 'done'}" for attempt, code in codes if code != "AccessDenied"]


def _more_tags() -> Iterator[Attempt]:
    """Tags by which a foreign role could come into reach."""
    for role in NOT_OURS:
        for tags in ({"irsa/cluster": CLUSTER_ARN}, {"a": "b"}):
            yield Attempt("TagRole", {"RoleName": role, "Tags": escalation.tag_list(tags)})


@pytest.mark.parametrize("variant", [name for name in ALL if name != "moves"])
def test_no_write_reaches_what_is_not_irsas(variant: str, account: Sandbox) -> None:
    caller = _user(account, ALL[variant])
    before = account.world()
    assert _successes(caller, [*escalation.attempts(*NOT_OURS), *_more_tags()]) == []
    assert account.world() == before
    assert [role for role in ("Admin", "ci-irsa", "irsa/other/team-b") if caller.assume(role)] == []


@pytest.mark.parametrize("variant", ALL)
def test_a_caller_whose_role_is_irsas_does_not_reach_it(variant: str, account: Sandbox) -> None:
    assert _successes(_runner(account, ALL[variant]), escalation.attempts("runner")) == []


def test_every_write_of_iam_is_tried() -> None:
    tried = {attempt.operation for attempt in escalation.attempts("Admin")}
    assert tried == set(escalation.writes())
    assert len(tried) > 80


def test_bounded_a_role_made_for_oneself_is_no_way_up(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    caller.denied("CreateRole evil", "CreateRole evil ADMIN")
    caller.allowed("CreateRole evil BOUNDARY", "AttachRolePolicy evil S3", "PutRolePolicy evil")
    caller.denied(
        *(f"AttachRolePolicy evil {policy}" for policy in ("ADMIN", "COMPANY", "BOUNDARY")),
        "DeleteRolePermissionsBoundary evil",
        "PutRolePermissionsBoundary evil ADMIN",
    )
    evil = _become(account, caller, "irsa/demo/evil")
    assert _successes(evil, escalation.attempts("evil", *NOT_OURS, "shared", "untagged")) == []
    assert evil.assume("Admin") is None


def test_unbounded_a_role_made_for_oneself_is_an_administrator(account: Sandbox) -> None:
    # This is what permissions.md says that this variant leaves open.
    caller = _user(account, UNBOUNDED)
    # Only with irsa's tag for this cluster, though.
    other = {**OWN_TAGS, "irsa/cluster": escalation.OTHER_CLUSTER_ARN}
    assert [caller.make(Tags=escalation.tag_list(tags)) for tags in ({}, other)] == ["AccessDenied"] * 2
    caller.allowed("CreateRole evil", "AttachRolePolicy evil ADMIN")
    assert _become(account, caller, "irsa/demo/evil").ends("DeleteRole team-b") == "DeleteConflict"


def test_only_irsas_own_tag_can_be_put_on_an_untagged_role_of_its_path(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    caller.denied("TagRole untagged a")
    # IAM does not tell this from tagging a role that is being made.
    caller.allowed("TagRole untagged")
    caller.denied(
        "AttachRolePolicy untagged S3",
        "PutRolePolicy untagged",
        "DetachRolePolicy untagged ADMIN",
        "UpdateAssumeRolePolicy untagged",
    )
    assert caller.assume("irsa/demo/untagged") is None


def test_bounded_roles_of_irsas_that_have_no_boundary_are_not_changed(account: Sandbox) -> None:
    escalation.role(account, "old", "/irsa/demo/", OWN_TAGS, escalation.NAMES["ADMIN"])
    _user(account, BOUNDED).denied("UpdateAssumeRolePolicy old", "AttachRolePolicy old S3")


def test_bounded_no_boundary_is_put_in_place_of_another(account: Sandbox) -> None:
    strict = {"PermissionsBoundary": escalation.STRICTER}
    escalation.role(account, "strict", "/irsa/demo/", OWN_TAGS, escalation.NAMES["S3"], **strict)
    caller = _user(account, BOUNDED)
    before = account.world()["roles"]["strict"]
    tried = [item for item in escalation.attempts("strict") if "'strict'" in str(item)]
    # By UntagRole it would be out of reach for those that come after.
    tried = [item for item in tried if item.operation != "UntagRole"]
    done = {item.operation for item in tried if caller.code(item) != "AccessDenied"}
    # It has a policy, so it can't be deleted; and none can be taken from it.
    assert done == {"DeleteRole", "TagRole", "UpdateRole"}
    assert caller.ends("DeleteRole strict") == "DeleteConflict"
    after = account.world()["roles"]["strict"]
    assert (after["boundary"], after["attached"]) == (escalation.STRICTER, before["attached"])


def test_bounded_a_role_without_policies_is_made_again_with_the_workloads_boundary(account: Sandbox) -> None:
    # IAM has no condition on the boundary for DeleteRole: permissions.md says so.
    escalation.role(account, "evil", "/irsa/demo/", OWN_TAGS, PermissionsBoundary=escalation.STRICTER)
    _user(account, BOUNDED).allowed("DeleteRole evil", "CreateRole evil BOUNDARY")


def test_no_policy_is_forgotten() -> None:
    files = {path.stem for path in staging.PERMISSIONS.glob("*.json")} - {"workload-boundary"}
    assert files == {name for names in MADE_OF.values() for name in names.split()}
    # The rules' page shows what is dangerous.
    for page in staging.PERMISSIONS.parents[1].rglob("*.md"):
        text = page.read_text("utf-8") if page.name != "audit-rules.md" else ""
        for action in ("CreateRole", "PutRolePolicy", "UpdateAssumeRolePolicy", "TagRole"):
            assert f'"iam:{action}"' not in text, f"{page.name} has a policy that no test tries"


@pytest.mark.parametrize("variant", ["unbounded", "bounded", "other-account"])
def test_only_listed_tag_keys_are_put_and_taken(variant: str, account: Sandbox) -> None:
    bounded = {"PermissionsBoundary": escalation.NAMES["BOUNDARY"]}
    escalation.role(account, "bounded", "/irsa/demo/", OWN_TAGS, **bounded)
    caller = _user(account, ALL[variant])
    for key in ("team", "irsa/x", "access-level", "Team"):
        code = "" if key in ("team", "irsa/x") else "AccessDenied"
        foreign = "" if key == "irsa/x" and variant != "other-account" else "AccessDenied"
        tags = escalation.tag_list({**OWN_TAGS, key: "x"})
        made = caller.make(RoleName=f"new-{code or key[:4]}", Tags=tags, **bounded)
        ends = [f"TagRole bounded {key}", f"UntagRole bounded {key}", f"TagRole shared {key}"]
        assert [made, *map(caller.ends, ends)] == [code, code, code, foreign], key


def test_new_providers_have_listed_tag_keys_only(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    arn = f"{escalation.OIDC}/{staging.issuer(account).removeprefix('https://')}"
    for key, code in (("team", ""), ("access-level", "AccessDenied")):
        tags = escalation.tag_list({key: "x"})
        tagging = Attempt("TagOpenIDConnectProvider", {"OpenIDConnectProviderArn": arn, "Tags": tags})
        assert caller.code(tagging) == code


OUTSIDE = {
    f"arn:aws:iam::{staging.OTHER}:root": staging.OTHER,
    "*": staging.OTHER,
    f"arn:aws:iam::{ACCOUNT}:root": ACCOUNT,
}
"""Whom a trust policy admits, and the account from which the role is taken then."""


@pytest.mark.parametrize("principal", OUTSIDE)
def test_bounded_who_is_admitted_from_outside_of_the_cluster_may_do_nothing(
    principal: str, account: Sandbox
) -> None:
    # IAM has no condition on what a trust policy says: the role is made. The boundary is what holds.
    caller = _user(account, BOUNDED)
    bounded = {"PermissionsBoundary": escalation.NAMES["BOUNDARY"]}
    assert caller.make(AssumeRolePolicyDocument=escalation.trust(principal), **bounded) == ""
    caller.allowed("PutRolePolicy evil")
    put_other_account(account, ACCOUNT)
    evil = _become(account, _own(account, account=OUTSIDE[principal]), "irsa/demo/evil")
    with pytest.raises(ClientError, match="no permissions boundary allows"):
        evil.client("s3").list_buckets()
    assert _successes(evil, escalation.attempts("evil", *NOT_OURS, "shared", "untagged")) == []


def test_bounded_a_pod_may_do_what_the_boundary_allows(account: Sandbox) -> None:
    caller = _user(account, BOUNDED)
    provider = f"{escalation.OIDC}/{staging.issuer(account).removeprefix('https://')}"
    trusted = json.dumps(staging.trust_of(provider, "default", "app"))
    bounded = {"PermissionsBoundary": escalation.NAMES["BOUNDARY"]}
    assert caller.make(AssumeRolePolicyDocument=trusted, **bounded) == ""
    caller.allowed("PutRolePolicy evil")
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    with staging.kube(account) as admin:
        assert admin.create(accounts, {"metadata": {"name": "app"}}).status == 201
        asked = {"spec": {"audiences": ["sts.amazonaws.com"]}}
        token = admin.create(f"{accounts}/app/token", asked).body["status"]["token"]
    pod = Aws(account, caller.assume_by_token("irsa/demo/evil", token))
    assert pod.client("s3").list_buckets()["Buckets"]
    assert pod.code(Attempt("ListRoles", {})) == "AccessDenied"
    assert pod.assume("Admin") is None


def test_acceptance_a_role_made_for_oneself_is_no_way_up(account: Sandbox) -> None:
    caller, name = _user(account, ALL["acceptance"]), "irsa-acceptance-0a1b2c3d-evil"
    assert caller.make(RoleName=name, Path="/") == ""
    policies = ("ADMIN", "COMPANY", "BOUNDARY", "S3")
    caller.denied(*(f"AttachRolePolicy {name} {policy}" for policy in policies), f"PutRolePolicy {name}")
    evil = _become(account, caller, name)
    assert _successes(evil, escalation.attempts(name, *NOT_OURS, "shared")) == []


def _wider(statement: Json, resource: str) -> None:
    if resource in str(statement["Resource"]):
        eks = "oidc.eks.eu-west-1.amazonaws.com/id/" if resource == "oidc-provider/" else ""
        statement["Resource"] = f"arn:aws:iam::{ACCOUNT}:{resource}{eks}*"


def _all_roles(statement: Json) -> None:
    _wider(statement, "role/")


def _no_conditions(statement: Json) -> None:
    if statement["Effect"] == "Allow":
        statement.pop("Condition", None)


def _all_providers(statement: Json) -> None:
    _wider(statement, "oidc-provider/")


@pytest.mark.parametrize(
    ("loosen", "expected"),
    [
        (_all_roles, "TagRole {'RoleName': 'Admin'}: done"),
        (_no_conditions, "AttachRolePolicy {'RoleName': 'other-cluster', "),
        (_all_providers, "DeleteOpenIDConnectProvider {'OpenIDConnectProviderArn': "),
    ],
)
def test_a_loose_policy_is_found_out(loosen: Callable[[Json], None], expected: str, account: Sandbox) -> None:
    loose = copy.deepcopy(UNBOUNDED)
    for statement in loose["Statement"]:
        loosen(statement)
    successes = _successes(_user(account, loose), escalation.attempts(*NOT_OURS))
    assert any(item.startswith(expected) for item in successes), successes


def test_a_policy_without_the_denial_lets_a_runner_reach_itself(account: Sandbox) -> None:
    allowing = [item for item in UNBOUNDED["Statement"] if item["Effect"] == "Allow"]
    _runner(account, {**UNBOUNDED, "Statement": allowing}).allowed("AttachRolePolicy runner ADMIN")
