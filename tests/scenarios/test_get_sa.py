"""`irsa get-sa`: every binding in the cluster, whoever made it; what is wrong with one hides no other."""

import json

from tests.scenarios.reading import get_sa, items, role_like, statuses, zoo
from tests.support.sandbox_clients import administrator, trust
from tests.support.stage import EVERYTHING, READ_ONLY, ROLE_ARN, Stage

OK = {"reader": "ok", "eksctl": "ok", "terraform": "ok", "ours": "ok"}
BAD = {
    "stranger": "not-admitted",
    "junk": "bad-arn",
    "gone": "no-role",
    "path": "no-role",
    "foreign": "uncertain",
}
GET = "get-sa -n $ns"


def test_every_binding_by_whoever_made_it(stage: Stage, namespace: str) -> None:
    arn = zoo(stage, namespace)
    before = stage.world()
    ran = get_sa(stage, namespace)
    assert statuses(ran) == {**OK, **BAD}
    found = items(ran)
    owners = {name: found[name]["owner"] for name in OK}
    assert owners == {"reader": "unknown", "eksctl": "eksctl", "terraform": "Terraform", "ours": "irsa"}
    assert found["terraform"]["serviceAccount"]["madeBy"] == "Helm"
    reader = found["reader"]["role"]
    assert (reader["arn"], [item["arn"] for item in reader["policies"]]) == (arn, [READ_ONLY])
    assert [found[name]["role"]["exists"] for name in ("gone", "foreign")] == [False, None]
    assert all(found[name]["reason"] for name in BAD)
    failing = [statement["failure"]["key"] for statement in found["stranger"]["trust"]]
    assert [key.rpartition(":")[2] for key in failing] == ["sub"]
    assert ran.metadata["summary"]["ok"] == len(OK)
    for form in ("text", "wide"):
        head, *rows = stage.run(f"{GET} -o {form}", code=1).out.splitlines()
        assert head.split()[:2] == ["NAMESPACE", "NAME"]
        where = head.index("STATUS")
        shown = [(row.split()[1], row[where:].partition(":")[0]) for row in rows]
        assert shown == sorted({**OK, **BAD}.items())
    # Of a selector no more is said than was asked.
    none = "No ServiceAccount with the labels team=none in namespace $ns of "
    checked = "Not checked: roles without a ServiceAccount, pods, "
    stage.run(f"{GET} -l team=none", code=7, says=(f"{none}$cluster has an IAM role.", checked))
    stage.run("verify -l team=none -n $ns", code=7, says=none)
    assert stage.world() == before


def test_one_by_its_name_and_all_namespaces(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    assert statuses(get_sa(stage, namespace, "reader")) == {"reader": "ok"}
    everywhere = stage.run("get-sa reader -A -o json").items
    assert namespace in [item["serviceAccount"]["namespace"] for item in everywhere]
    stage.run("get-sa -n ${ns}x", code=4, says="namespaces with a similar name: $ns")
    stage.make_namespace(f"{namespace}-2")
    stage.make_account(f"{namespace}-2", "lost", annotations={ROLE_ARN: "x"})
    ran = get_sa(stage, namespace, "lost")
    assert (ran.code, ran.error["code"], ran.items) == (4, "Refused", [])
    assert f"{namespace}-2" in " ".join(ran.error["details"])
    assert stage.run("get-sa lost -n $ns --ignore-not-found -o json").items == []
    stage.run("get-sa plain -n $ns", code=4)
    # All namespaces are listed without a namespace.
    for line in ("get-sa -o json", "get-sa -A -o json"):
        accounts = [item["serviceAccount"] for item in stage.run(line, code=1).items]
        names = [(item["namespace"], item["name"]) for item in accounts]
        assert [pair for pair in names if pair[0].startswith(namespace)] == [
            *((namespace, name) for name in sorted([*OK, *BAD])),
            (f"{namespace}-2", "lost"),
        ]


def test_what_the_caller_may_not_read(stage: Stage, namespace: str) -> None:
    arn = zoo(stage, namespace)
    user = _user(stage, {"iam:GetRole": arn, "iam:GetAccountAuthorizationDetails": "*"})
    found = items(get_sa(stage, namespace, user=user))
    hidden = dict.fromkeys(("reader", "stranger", "path"), "uncertain")
    assert {name: item["status"] for name, item in found.items()} == {**OK, **BAD, **hidden}
    assert "iam:GetRole" in found["reader"]["reason"]
    denied = ("iam:ListRolePolicies", "iam:ListRoles", "iam:GetAccountAuthorizationDetails")
    ran = get_sa(stage, namespace, user=_user(stage, dict.fromkeys(denied, "*")))
    assert statuses(ran) == {**OK, **BAD}
    assert items(ran)["reader"]["role"]["policies"] is None
    assert "iam:ListRoles" in ran.metadata["notes"][0]
    # Another account is read by a role there.
    other = administrator(stage.sandbox, "iam", "444455556666", stage.region)
    by = trust({"AWS": f"arn:aws:iam::{stage.account_id}:root"})
    audit = other.create_role(RoleName="audit", AssumeRolePolicyDocument=by)["Role"]["Arn"]
    other.put_role_policy(RoleName="audit", PolicyName="p", PolicyDocument=json.dumps(EVERYTHING))
    read = get_sa(stage, namespace, "--iam-assume-role", audit)
    assert statuses(read) == {**OK, **BAD, "foreign": "no-role"}


def _user(stage: Stage, denied: dict[str, str]) -> str:
    """A user who may do all in AWS but these actions on resources; and read ServiceAccounts."""
    user = stage.restricted((("get", "list"), ("serviceaccounts",)))
    statements = [{"Effect": "Deny", "Action": action, "Resource": where} for action, where in denied.items()]
    policy = {"Version": "2012-10-17", "Statement": [EVERYTHING["Statement"], *statements]}
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=json.dumps(policy))
    return user


def test_roles_of_ours_without_a_service_account(stage: Stage, namespace: str) -> None:
    stage.associate("-q")
    for words in ("gone", "bare", "only --role-only", "elsewhere --role-only --role-path /own/"):
        stage.run(f"create-sa {words} -n $ns --attach-policy-arn $S3 -q")
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    stage.kube.delete(f"{path}/gone")
    bare = {"metadata": {"annotations": {ROLE_ARN: None}}}
    assert stage.kube.patch(f"{path}/bare", bare).status == 200
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
    elsewhere = f"arn:aws:eks:us-east-1:{stage.account_id}:cluster/{stage.cluster}"
    tags = [{"Key": "irsa/cluster", "Value": elsewhere}]
    role_like(stage, namespace, "region", ours["Arn"], Path=path, Tags=tags)


def test_nothing_there(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "plain")
    ran = stage.run(f"{GET} -o json", code=7)
    # Kubernetes itself creates one, the API server alone none.
    count = next(it["count"] for it in ran.metadata["scope"]["examined"] if it["what"] == "ServiceAccount")
    assert (ran.items, count in (1, 2)) == ([], True)
    said = "0 roles. No ServiceAccount in namespace $ns of "
    assert stage.run(GET, code=7, says=said).out == ""
    stage.run(f"{GET} --allow-empty")


def test_who_may_not_list_is_told(stage: Stage, namespace: str) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    ran = get_sa(stage, namespace, user=user)
    assert (ran.code, ran.metadata["cluster"]) == (1, None)
    assert "missing RBAC permission: list serviceaccounts" in ran.error["details"]
