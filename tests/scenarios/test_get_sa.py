"""`irsa get-sa`: every binding in the cluster, whoever made it; what is wrong with one hides no other."""

import json
from typing import Any

from tests.scenarios.reading import get_sa, items, role_like, statuses, zoo
from tests.support.sandbox_clients import administrator
from tests.support.stage import EVERYTHING, READ_ONLY, ROLE_ARN, Stage

OK = {"reader": "ok", "eksctl": "ok", "terraform": "ok", "ours": "ok"}
BAD = {
    "stranger": "not-admitted",
    "junk": "bad-arn",
    "gone": "no-role",
    "path": "no-role",
    "foreign": "uncertain",
}


def test_every_binding_by_whoever_made_it(stage: Stage, namespace: str) -> None:
    arn = zoo(stage, namespace)
    before = stage.world()
    ran = get_sa(stage, namespace)
    assert statuses(ran) == {**OK, **BAD}
    found = items(ran)
    owners = {name: found[name]["owner"] for name in OK}
    assert owners == {"reader": "unknown", "eksctl": "eksctl", "terraform": "Terraform", "ours": "irsa"}
    assert found["terraform"]["serviceAccount"]["madeBy"] == "Helm"
    assert found["reader"]["role"]["arn"] == arn
    assert [item["arn"] for item in found["reader"]["role"]["policies"]] == [READ_ONLY]
    assert found["gone"]["role"]["exists"] is False
    assert found["foreign"]["role"]["exists"] is None
    assert all(found[name]["reason"] for name in BAD)
    failing = [statement["failure"]["key"] for statement in found["stranger"]["trust"]]
    assert [key.rpartition(":")[2] for key in failing] == ["sub"]
    assert ran.metadata["summary"]["ok"] == len(OK)
    assert stage.world() == before


def test_the_table_has_a_line_for_each(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    for form in ("text", "wide"):
        ran = stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster, "-o", form)
        head, *rows = ran.out.splitlines()
        assert head.split()[:2] == ["NAMESPACE", "NAME"]
        assert [row.split()[1] for row in rows] == sorted([*OK, *BAD])
        where = head.index("STATUS")
        assert {row.split()[1]: row[where:].partition(":")[0] for row in rows} == {**OK, **BAD}


def test_all_namespaces_are_listed_without_a_namespace(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    stage.make_namespace(f"{namespace}-2")
    stage.make_account(f"{namespace}-2", "junk", annotations={ROLE_ARN: "x"})
    for arguments in ((), ("-A",)):
        ran = stage.irsa("get-sa", "-c", stage.cluster, "-o", "json", *arguments)
        assert ran.code == 1, "a role of another account was not read"
        names = [
            (item["serviceAccount"]["namespace"], item["serviceAccount"]["name"])
            for item in ran.items
            if item["serviceAccount"]["namespace"].startswith(namespace)
        ]
        assert names == [*((namespace, name) for name in sorted([*OK, *BAD])), (f"{namespace}-2", "junk")]


def test_an_audience_that_the_provider_does_not_accept(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    stage.annotate(namespace, "reader", **{"eks.amazonaws.com/audience": "other"})
    assert statuses(get_sa(stage, namespace))["reader"] == "no-provider"


def test_a_role_that_the_caller_may_not_read(stage: Stage, namespace: str) -> None:
    arn = zoo(stage, namespace)
    user = _user(stage, {"iam:GetRole": arn, "iam:GetAccountAuthorizationDetails": "*"})
    found = items(get_sa(stage, namespace, user=user))
    assert {name: item["status"] for name, item in found.items()} == {
        **OK,
        **BAD,
        "reader": "uncertain",
        "stranger": "uncertain",
        "path": "uncertain",
    }
    assert "iam:GetRole" in found["reader"]["reason"]


def test_policies_that_the_caller_may_not_read(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    denied = ("iam:ListRolePolicies", "iam:ListRoles", "iam:GetAccountAuthorizationDetails")
    ran = get_sa(stage, namespace, user=_user(stage, dict.fromkeys(denied, "*")))
    assert statuses(ran) == {**OK, **BAD}
    assert items(ran)["reader"]["role"]["policies"] is None
    assert "iam:ListRoles" in ran.metadata["notes"][0]


def _user(stage: Stage, denied: dict[str, str]) -> str:
    """A user who may do all in AWS but these actions on resources; and read ServiceAccounts."""
    user = stage.restricted((("get", "list"), ("serviceaccounts",)))
    statements = [{"Effect": "Deny", "Action": action, "Resource": where} for action, where in denied.items()]
    policy = {"Version": "2012-10-17", "Statement": [EVERYTHING["Statement"], *statements]}
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=json.dumps(policy))
    return user


def test_other_accounts_are_read_by_a_role_there(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    other = _account(stage, "444455556666")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{stage.account_id}:root"}}
    document = {"Version": "2012-10-17", "Statement": {**trust, "Action": "sts:AssumeRole"}}
    arn = other.create_role(RoleName="audit", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    other.put_role_policy(RoleName="audit", PolicyName="p", PolicyDocument=json.dumps(EVERYTHING))
    assert statuses(get_sa(stage, namespace, "--iam-assume-role", arn)) == {**OK, **BAD, "foreign": "no-role"}


def _account(stage: Stage, account: str) -> Any:
    return administrator(stage.sandbox, "iam", account, stage.region)


def test_roles_of_ours_without_a_service_account(stage: Stage, namespace: str) -> None:
    assert stage.associate("-q").code == 0
    for name in ("gone", "bare"):
        assert stage.create_sa(name, namespace, "--attach-policy-arn", READ_ONLY, "-q").code == 0
    only = ("--role-only", "--attach-policy-arn", READ_ONLY, "-q")
    assert stage.create_sa("only", namespace, *only).code == 0
    elsewhere = (*only[:1], "--role-path", "/own/", *only[1:])
    assert stage.create_sa("elsewhere", namespace, *elsewhere).code == 0
    stage.kube.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/gone")
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/bare"
    assert stage.kube.patch(path, {"metadata": {"annotations": {ROLE_ARN: None}}}).status == 200
    _strangers(stage, namespace)
    ran = get_sa(stage, namespace)
    expected = {"gone": "no-service-account", "bare": "annotation-changed", "only": "role-only"}
    assert statuses(ran) == expected
    there = [item["serviceAccount"]["name"] for item in ran.items if item["serviceAccount"]["exists"]]
    assert there == ["bare"]
    assert statuses(get_sa(stage, namespace, "--all-paths")) == {**expected, "elsewhere": "role-only"}
    assert statuses(get_sa(stage, namespace, "gone")) == {"gone": "no-service-account"}


def _strangers(stage: Stage, namespace: str) -> None:
    """Roles in the cluster's path that are none of this cluster's: without tags, and of another region."""
    (ours,) = [r for r in stage.iam().list_roles()["Roles"] if f"{namespace}-gone" in r["RoleName"]]
    path = f"/irsa/{stage.cluster}/"
    role_like(stage, namespace, "other", ours["Arn"], Path=path)
    tag = {
        "Key": "irsa/cluster",
        "Value": f"arn:aws:eks:us-east-1:{stage.account_id}:cluster/{stage.cluster}",
    }
    role_like(stage, namespace, "region", ours["Arn"], Path=path, Tags=[tag])


def test_nothing_there(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "plain")
    ran = get_sa(stage, namespace)
    assert (ran.code, ran.items) == (7, [])
    # Kubernetes itself creates one, the API server alone none.
    count = next(it["count"] for it in ran.metadata["scope"]["examined"] if it["what"] == "ServiceAccount")
    assert count in (1, 2)
    text = stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster)
    assert (text.code, text.out) == (7, "")
    assert f"0 roles. No ServiceAccount in namespace {namespace} of " in text.err
    assert stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster, "--allow-empty").code == 0


def test_of_a_selector_no_more_is_said_than_was_asked(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    text = stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster, "-l", "team=none")
    assert text.code == 7
    said = (
        f"No ServiceAccount with the labels team=none in namespace {namespace} of {stage.cluster} has an IAM"
    )
    assert f"{said} role." in text.err
    assert "Not checked: roles without a ServiceAccount, pods, " in text.err
    verified = stage.irsa("verify", "-l", "team=none", "-n", namespace, "-c", stage.cluster)
    assert verified.code == 7
    assert f"No ServiceAccount with the labels team=none in namespace {namespace} of " in verified.out


def test_a_namespace_that_is_not_there_is_named_and_so_is_a_near_one(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "plain")
    ran = stage.irsa("get-sa", "-n", f"{namespace}x", "-c", stage.cluster)
    assert ran.code == 4
    assert f"namespaces with a similar name: {namespace}" in ran.err


def test_one_by_its_name(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    assert statuses(get_sa(stage, namespace, "reader")) == {"reader": "ok"}
    everywhere = stage.irsa("get-sa", "reader", "-A", "-c", stage.cluster, "-o", "json")
    assert namespace in [item["serviceAccount"]["namespace"] for item in everywhere.items]


def test_a_name_that_is_not_there(stage: Stage, namespace: str) -> None:
    stage.make_namespace(f"{namespace}-2")
    stage.make_account(f"{namespace}-2", "lost", annotations={ROLE_ARN: "x"})
    ran = get_sa(stage, namespace, "lost")
    assert (ran.code, ran.error["code"], ran.items) == (4, "Refused", [])
    assert f"{namespace}-2" in " ".join(ran.error["details"])
    ignored = get_sa(stage, namespace, "lost", "--ignore-not-found")
    assert (ignored.code, ignored.items) == (0, [])
    stage.make_account(namespace, "plain")
    assert get_sa(stage, namespace, "plain").code == 4


def test_who_may_not_list_is_told(stage: Stage, namespace: str) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    ran = get_sa(stage, namespace, user=user)
    assert (ran.code, ran.metadata["cluster"]) == (1, None)
    assert "missing RBAC permission: list serviceaccounts" in ran.error["details"]
