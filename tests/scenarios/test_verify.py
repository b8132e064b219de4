"""`irsa verify` of one ServiceAccount: a binding that works, and each step broken in turn."""

import json
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, server
from tests.scenarios.binding import make_binding
from tests.scenarios.verifying import all_ok, change_trust, open_checks, statuses, step, verify
from tests.support.stage import EVERYTHING, READ_ONLY, Json, Stage, made

DESCRIBE_ONLY = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": "*"},
}


@pytest.fixture
def role(stage: Stage, namespace: str) -> str:
    """A ServiceAccount `reader` with a role that works; the role's ARN."""
    return make_binding(stage, namespace)


def test_a_working_binding(stage: Stage, namespace: str, role: str) -> None:
    before = stage.world()
    ran = verify(stage, namespace)
    assert ran.code == 0, ran.err
    document = ran.item
    assert (ran.json["kind"], document["outcome"]) == ("VerificationList", "verified")
    assert statuses(document) == all_ok()
    assert not [check for name in all_ok() for check in open_checks(document, name)]
    claims = {check["what"]: check["text"] for check in step(document, "claims")["checks"]}
    assert claims["sub"] == f"system:serviceaccount:{namespace}:reader"
    assert claims["iss"] == ran.metadata["cluster"]["issuer"]
    (statement,) = step(document, "trust")["statements"]
    assert (statement["index"], statement["applies"], statement["failure"]) == (0, True, None)
    caller = step(document, "identity")["checks"][0]["text"]
    assert caller == f"arn:aws:sts::{stage.account_id}:assumed-role/{namespace}-reader/irsa-verify"
    assert stage.world() == before


def test_the_text_shows_all_six_steps(stage: Stage, namespace: str, role: str) -> None:
    ran = stage.irsa("verify", "reader", "-n", namespace, "-c", stage.cluster, PYTHONIOENCODING="utf-8")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert [line[4] for line in lines if line.startswith("  ✓ ")] == list("123456")
    assert f"Verified: a token of {namespace}/reader is exchanged for {role}" in lines[-1]


def test_the_condition_that_fails_is_named_with_both_values(stage: Stage, namespace: str, role: str) -> None:
    def other(statement: Json) -> None:
        (key,) = [key for key in statement["Condition"]["StringEquals"] if key.endswith(":sub")]
        statement["Condition"]["StringEquals"][key] = f"system:serviceaccount:{namespace}:other"

    change_trust(stage, role, other)
    ran = verify(stage, namespace)
    assert ran.code == 5, ran.err
    assert statuses(ran.item) == all_ok(trust="failed", exchange="failed", identity="not-checked")
    (statement,) = step(ran.item, "trust")["statements"]
    issuer = ran.metadata["cluster"]["issuer"].removeprefix("https://")
    assert statement["failure"] == {
        "part": "Condition",
        "operator": "StringEquals",
        "key": f"{issuer}:sub",
        "wanted": [f"system:serviceaccount:{namespace}:other"],
        "got": [f"system:serviceaccount:{namespace}:reader"],
        "unknown": False,
        "excluding": False,
    }
    assert statement["because"] == []


def test_a_second_statement_that_admits_is_the_one_that_is_named(
    stage: Stage, namespace: str, role: str
) -> None:
    change_trust(stage, role, lambda one: [{**one, "Action": "sts:TagSession"}, {**one, "Sid": "Mine"}])
    document = verify(stage, namespace).item
    assert document["outcome"] == "verified"
    applying = [item["sid"] for item in step(document, "trust")["statements"] if item["applies"]]
    assert applying == ["Mine"]
    (text,) = [
        check["text"] for check in step(document, "trust")["checks"] if check["what"] == "trust policy"
    ]
    assert "Mine" in text


def test_a_deny_is_named(stage: Stage, namespace: str, role: str) -> None:
    stop = {"Effect": "Deny", "Action": "sts:*", "Condition": {}, "Sid": "Stop"}
    change_trust(stage, role, lambda one: [one, {**one, **stop}])
    ran = verify(stage, namespace)
    assert ran.code == 5
    assert statuses(ran.item)["trust"] == "failed"
    assert "Stop" in step(ran.item, "trust")["checks"][-1]["text"]


def test_what_can_not_be_known_is_left_to_sts(stage: Stage, namespace: str, role: str) -> None:
    def from_anywhere_but(statement: Json) -> None:
        statement["Condition"]["NotIpAddress"] = {"aws:SourceIp": "203.0.113.0/24"}

    change_trust(stage, role, from_anywhere_but)
    ran = verify(stage, namespace)
    assert ran.code == 0, ran.err
    assert statuses(ran.item) == all_ok(trust="not-checked")
    assert step(ran.item, "trust")["statements"][0]["failure"]["unknown"] is True


@pytest.mark.parametrize(("wanted", "refused"), [("irsa-*", False), ("app-*", True)])
def test_the_session_name_of_the_pods_is_not_that_of_verify(
    stage: Stage, namespace: str, role: str, wanted: str, refused: bool
) -> None:
    def of_session(statement: Json) -> None:
        statement["Condition"]["StringLike"] = {"sts:RoleSessionName": wanted}

    change_trust(stage, role, of_session)
    ran = verify(stage, namespace)
    assert (ran.code, ran.metadata["outcome"]) == (1, "undetermined"), ran.err
    assert statuses(ran.item)["trust"] == statuses(ran.item)["exchange"] == "not-checked"
    check = step(ran.item, "exchange")["checks"][-1]
    assert ("it rejects" in check["text"]) is refused
    assert "pods use another one" in check["text"]


def test_a_window_of_time_is_judged_by_the_clock(stage: Stage, namespace: str, role: str) -> None:
    def until(year: int) -> None:
        def change(statement: Json) -> None:
            statement["Condition"]["DateLessThan"] = {"aws:CurrentTime": f"{year}-01-01T00:00:00Z"}

        change_trust(stage, role, change)

    until(2999)
    ran = verify(stage, namespace)
    assert statuses(ran.item)["trust"] == "ok", ran.err
    assert "until 2999-01-01 00:00:00 UTC" in step(ran.item, "trust")["checks"][-1]["text"]
    until(2020)
    assert statuses(verify(stage, namespace).item)["trust"] == "failed"


def test_a_role_that_is_not_there(stage: Stage, namespace: str, role: str) -> None:
    stage.annotate(namespace, "reader", **{"eks.amazonaws.com/role-arn": role + "x"})
    ran = verify(stage, namespace)
    assert ran.code == 5
    assert statuses(ran.item) == all_ok(trust="failed", exchange="failed", identity="not-checked")


def test_an_arn_without_the_path_is_another_role(stage: Stage, namespace: str, role: str) -> None:
    stage.annotate(namespace, "reader", **{"eks.amazonaws.com/role-arn": role.replace("/own/", "/")})
    ran = verify(stage, namespace)
    assert ran.code == 5
    assert open_checks(ran.item, "trust") == ["role"]
    assert role in step(ran.item, "trust")["checks"][0]["text"]


def test_a_missing_provider(stage: Stage, namespace: str, role: str) -> None:
    iam = stage.iam()
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    ran = verify(stage, namespace)
    assert ran.code == 5
    assert statuses(ran.item) == all_ok(provider="failed", exchange="failed", identity="not-checked")
    (advice,) = step(ran.item, "provider")["advice"]
    assert stage.irsa(*advice.split()[1:]).code == 0
    assert verify(stage, namespace).code == 0


@pytest.mark.parametrize("given", ["annotation", "flag"])
def test_an_audience_that_is_not_accepted(stage: Stage, namespace: str, role: str, given: str) -> None:
    arguments = []
    if given == "annotation":
        stage.annotate(namespace, "reader", **{"eks.amazonaws.com/audience": "example.com"})
    else:
        arguments = ["--audience", "example.com"]
    ran = verify(stage, namespace, *arguments)
    assert ran.code == 5
    assert ran.item["audience"] == "example.com"
    failing = {"provider": "failed", "trust": "failed", "exchange": "failed", "identity": "not-checked"}
    assert statuses(ran.item) == all_ok(**failing)
    assert open_checks(ran.item, "provider") == ["audiences"]


def test_without_the_permission_for_tokens_the_rest_is_checked(
    stage: Stage, namespace: str, role: str
) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    ran = verify(stage, namespace, user=user)
    assert ran.code == 1, ran.err
    assert ran.metadata["outcome"] == "undetermined"
    untried = dict.fromkeys(("token", "claims", "exchange", "identity"), "not-checked")
    assert statuses(ran.item) == all_ok(**untried)
    assert "create serviceaccounts/token" in step(ran.item, "token")["checks"][0]["text"]


def test_without_the_permission_for_tokens_a_wrong_trust_policy_is_still_wrong(
    stage: Stage, namespace: str, role: str
) -> None:
    change_trust(stage, role, lambda statement: [{**statement, "Action": "sts:AssumeRole"}])
    user = stage.restricted((("get",), ("serviceaccounts",)))
    ran = verify(stage, namespace, user=user)
    assert ran.code == 5
    assert step(ran.item, "trust")["statements"][0]["failure"]["part"] == "Action"


def test_without_permissions_in_iam_the_exchange_proves_it(stage: Stage, namespace: str, role: str) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)), (("create",), ("serviceaccounts/token",)))
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=json.dumps(DESCRIBE_ONLY))
    ran = verify(stage, namespace, user=user)
    assert ran.code == 0, ran.err
    assert statuses(ran.item) == all_ok(provider="not-checked", trust="not-checked")
    # The cluster's keys take a role of their own.
    assert open_checks(ran.item, "claims") == ["cluster's keys"]
    arguments = ("-n", namespace, "-c", stage.cluster, "--action", "s3:ListAllMyBuckets")
    ran = stage.irsa("verify", "reader", *arguments, user=user)
    assert ran.code == 1, ran.err
    (verdict,) = [line for line in ran.out.splitlines() if line.startswith("Undetermined: ")]
    assert "iam:SimulatePrincipalPolicy" in verdict
    assert "iam:GetOpenIDConnectProvider" not in verdict


def test_an_issuer_that_is_out_of_reach_is_said(stage: Stage, namespace: str, role: str) -> None:
    stage.sandbox.faults.add(Fault("issuer", "*", "error", status=403, times=None))
    ran = verify(stage, namespace)
    assert ran.code == 0, ran.err
    assert open_checks(ran.item, "claims") == ["signature"]


def test_keys_of_another_cluster_are_noticed(
    stage: Stage, namespace: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = server._json

    def rotated(body: Json, *rest: Any) -> Any:
        keys = [{**key, "kid": "another"} for key in body.get("keys", [])]
        return original({**body, "keys": keys} if keys else body, *rest)

    monkeypatch.setattr(server, "_json", rotated)
    ran = verify(stage, namespace)
    assert ran.code == 5
    assert open_checks(ran.item, "claims") == ["signature"]
    texts = {check["what"]: check["text"] for check in step(ran.item, "claims")["checks"]}
    assert "another" in texts["signature"]
    assert "another" in texts["keys"]


def test_a_token_bound_to_a_pod(stage: Stage, namespace: str, role: str) -> None:
    stage.make_account(namespace, "other")
    containers = [{"name": "app", "image": "example.com/app:1"}]
    for name, account in (("web-0", "reader"), ("web-1", "other")):
        spec = {"serviceAccountName": account, "containers": containers}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        made(stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body))
    ran = verify(stage, namespace, "--pod", "web-0")
    assert ran.code == 0, ran.err
    assert "pod web-0" in step(ran.item, "token")["sent"]
    assert verify(stage, namespace, "--pod", "web-1").code == 4
    ran = verify(stage, namespace, "--pod", "web-2")
    assert (ran.code, ran.metadata["cluster"]["name"]) == (4, stage.cluster)


def test_what_the_role_may_do(stage: Stage, namespace: str, role: str) -> None:
    before = stage.world()
    ran = verify(
        stage,
        namespace,
        *("--action", "s3:ListAllMyBuckets,s3:DeleteBucket"),
        *("--call", "s3 list-buckets", "--call", "iam list-roles"),
    )
    assert ran.code == 5
    found = [(item["kind"], item["what"], item["status"]) for item in ran.item["permissions"]]
    assert found == [
        ("simulation", "s3:ListAllMyBuckets", "ok"),
        ("simulation", "s3:DeleteBucket", "failed"),
        ("call", "s3 list-buckets", "ok"),
        ("call", "iam list-roles", "failed"),
    ]
    assert "2 Buckets" in ran.item["permissions"][2]["text"]
    assert stage.world() == before


def deny_listing(stage: Stage, role: str, **condition: Any) -> None:
    """Deny the role the listing of buckets under a condition."""
    statement = {"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*", "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    stage.iam().put_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyName="deny", PolicyDocument=document)


def test_a_denial_by_what_is_known_of_the_call_is_found(stage: Stage, namespace: str, role: str) -> None:
    deny_listing(stage, role, StringEquals={"aws:RequestedRegion": stage.region})
    ran = verify(stage, namespace, "--action", "s3:ListAllMyBuckets", "--call", "s3 list-buckets")
    assert ran.code == 5, ran.err
    assert [item["status"] for item in ran.item["permissions"]] == ["failed", "failed"]


@pytest.mark.parametrize("resource", [(), ("--resource", "arn:aws:s3:::bucket")])
def test_a_simulation_that_depends_on_what_is_not_known_tells_nothing(
    stage: Stage, namespace: str, role: str, resource: tuple[str, ...]
) -> None:
    deny_listing(stage, role, StringEquals={"aws:SourceVpce": "vpce-1"})
    ran = verify(stage, namespace, "--action", "s3:ListAllMyBuckets", *resource)
    assert ran.code == 1, ran.err
    (found,) = ran.item["permissions"]
    assert found["status"] == "not-checked"
    assert "aws:SourceVpce" in found["text"]


def test_a_simulation_that_is_not_permitted_tells_nothing(stage: Stage, namespace: str, role: str) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)), (("create",), ("serviceaccounts/token",)))
    deny = {"Effect": "Deny", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}
    document = {**EVERYTHING, "Statement": [EVERYTHING["Statement"], deny]}
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=json.dumps(document))
    ran = verify(stage, namespace, "--action", "s3:ListAllMyBuckets", user=user)
    assert ran.code == 1
    assert [item["status"] for item in ran.item["permissions"]] == ["not-checked"]


def test_errors_that_keep_it_from_beginning(stage: Stage, namespace: str, role: str) -> None:
    assert verify(stage, namespace, name="nobody").code == 4
    stage.make_account(namespace, "bare")
    ran = verify(stage, namespace, name="bare")
    assert (ran.code, ran.error["code"]) == (4, "Refused")
    assert stage.irsa("verify", "reader", "-n", namespace, "-c", "nowhere").code == 4


def test_create_sa_explains_a_refusal_by_the_trust_policy(stage: Stage, namespace: str) -> None:
    """Somebody changes the new role before STS is asked: the same evaluation tells what is wrong."""
    assert stage.associate().code == 0

    def meddle() -> None:
        iam = stage.iam()
        (name,) = [role["RoleName"] for role in iam.list_roles()["Roles"] if namespace in role["RoleName"]]
        change_trust(stage, f"x/{name}", lambda statement: [{**statement, "Action": "sts:TagSession"}])

    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "callback", run=meddle))
    arguments = ("--attach-policy-arn", READ_ONLY, "--verify", "--timeout", "10s", "-o", "json")
    ran = stage.create_sa("app", namespace, *arguments)
    assert ran.error["code"] == "AccessDenied"
    (line,) = [line for line in ran.error["details"] if line.startswith("trust: ")]
    assert "statement 1 does not apply: Action" in line
