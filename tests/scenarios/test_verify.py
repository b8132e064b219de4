"""`irsa verify` of one ServiceAccount: a binding that works, and each step broken in turn."""

import json
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, server
from tests.scenarios.binding import make_binding
from tests.scenarios.verifying import all_but, all_ok, also, change_trust, open_checks, statuses, step, verify
from tests.support.documents import policy
from tests.support.stage import ROLE_ARN, Json, Stage, made

TOKENS = ((("get",), ("serviceaccounts",)), (("create",), ("serviceaccounts/token",)))


@pytest.fixture
def role(stage: Stage, namespace: str) -> str:
    """A ServiceAccount `reader` with a role that works; the role's ARN."""
    return make_binding(stage, namespace)


def test_a_working_binding(stage: Stage, namespace: str, role: str) -> None:
    ran = verify(stage)
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


def test_the_condition_that_fails_is_named_with_both_values(stage: Stage, namespace: str, role: str) -> None:
    subject = f"system:serviceaccount:{namespace}:"
    change_trust(
        stage, role, lambda one: [json.loads(json.dumps(one).replace(f"{subject}reader", f"{subject}other"))]
    )
    ran = verify(stage, code=5)
    assert statuses(ran.item) == all_but("trust")
    (statement,) = step(ran.item, "trust")["statements"]
    failure = dict(statement["failure"])
    assert failure.pop("key") == ran.metadata["cluster"]["issuer"].removeprefix("https://") + ":sub"
    assert (failure.pop("wanted"), failure.pop("got")) == ([f"{subject}other"], [f"{subject}reader"])
    flags = {"unknown": False, "excluding": False}
    assert failure == {"part": "Condition", "operator": "StringEquals", **flags}
    assert statement["because"] == []


def test_what_can_not_be_known_is_left_to_sts(stage: Stage, role: str) -> None:
    also(stage, role, Condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})
    document = verify(stage).item
    assert statuses(document) == all_ok(trust="not-checked")
    assert step(document, "trust")["statements"][0]["failure"]["unknown"] is True


def test_the_session_name_of_the_pods_is_not_that_of_verify(stage: Stage, role: str) -> None:
    for wanted, refused in {"irsa-*": False, "app-*": True}.items():
        also(stage, role, Condition={"StringLike": {"sts:RoleSessionName": wanted}})
        document = verify(stage, code=1).item
        assert document["outcome"] == "undetermined"
        assert statuses(document)["trust"] == statuses(document)["exchange"] == "not-checked"
        text = step(document, "exchange")["checks"][-1]["text"]
        assert (("it rejects" in text), ("pods use another one" in text)) == (refused, True)


def test_a_role_that_is_not_there(stage: Stage, namespace: str, role: str) -> None:
    stage.annotate(namespace, "reader", **{ROLE_ARN: f"{role}x"})
    assert statuses(verify(stage, code=5).item) == all_but("trust")


def test_an_arn_without_the_path_is_another_role(stage: Stage, namespace: str, role: str) -> None:
    stage.annotate(namespace, "reader", **{ROLE_ARN: role.replace("/own/", "/")})
    document = verify(stage, code=5).item
    assert open_checks(document, "trust") == ["role"]
    assert role in step(document, "trust")["checks"][0]["text"]


def test_a_missing_provider(stage: Stage, role: str) -> None:
    (provider,) = stage.aws_world()["oidc_providers"]
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    document = verify(stage, code=5).item
    assert statuses(document) == all_but("provider")
    (advice,) = step(document, "provider")["advice"]
    assert stage.irsa(*advice.split()[1:]).code == 0
    verify(stage)


def test_an_audience_that_is_not_accepted(stage: Stage, namespace: str, role: str) -> None:
    stage.annotate(namespace, "reader", **{"eks.amazonaws.com/audience": "example.com"})
    for flag, audience in {"": "example.com", "--audience example.org": "example.org"}.items():
        document = verify(stage, f"reader -n $ns {flag}", code=5).item
        assert document["audience"] == audience
        assert statuses(document) == all_but("provider", "trust")
        assert open_checks(document, "provider") == ["audiences"]


@pytest.mark.parametrize("wrong", [False, True], ids=["", "and a wrong trust policy"])
def test_without_the_permission_for_tokens_the_rest_is_checked(stage: Stage, role: str, wrong: bool) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    if wrong:
        also(stage, role, Action="sts:AssumeRole")
    ran = verify(stage, code=5 if wrong else 1, user=user)
    if wrong:
        assert step(ran.item, "trust")["statements"][0]["failure"]["part"] == "Action"
        return
    assert ran.metadata["outcome"] == "undetermined"
    untried = dict.fromkeys(("token", "claims", "exchange", "identity"), "not-checked")
    assert statuses(ran.item) == all_ok(**untried)
    assert "create serviceaccounts/token" in step(ran.item, "token")["checks"][0]["text"]


def allow(stage: Stage, user: str, *statements: str) -> None:
    """What a user may do in AWS."""
    document = json.dumps(policy(*statements))
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=document)


def test_without_permissions_in_iam_the_exchange_proves_it(stage: Stage, role: str) -> None:
    user = stage.restricted(*TOKENS)
    allow(stage, user, "Allow eks:DescribeCluster,eks:ListPodIdentityAssociations on *")
    document = verify(stage, user=user).item
    assert statuses(document) == all_ok(provider="not-checked", trust="not-checked")
    # The cluster's keys take a role of their own.
    assert open_checks(document, "claims") == ["cluster's keys"]
    ran = stage.run("verify reader -n $ns --action s3:ListAllMyBuckets", code=1, user=user)
    (verdict,) = [line for line in ran.out.splitlines() if line.startswith("Undetermined: ")]
    assert "iam:SimulatePrincipalPolicy" in verdict
    assert "iam:GetOpenIDConnectProvider" not in verdict


def test_an_issuer_that_is_out_of_reach_is_said(stage: Stage, role: str) -> None:
    stage.sandbox.faults.add(Fault("issuer", "*", "error", status=403, times=None))
    assert open_checks(verify(stage).item, "claims") == ["signature"]


def test_keys_of_another_cluster_are_noticed(
    stage: Stage, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = server._json

    def rotated(body: Json, *rest: Any) -> Any:
        keys = [{**key, "kid": "another"} for key in body.get("keys", [])]
        return original({**body, "keys": keys} if keys else body, *rest)

    monkeypatch.setattr(server, "_json", rotated)
    document = verify(stage, code=5).item
    assert open_checks(document, "claims") == ["signature"]
    texts = {check["what"]: check["text"] for check in step(document, "claims")["checks"]}
    assert all("another" in texts[what] for what in ("signature", "keys"))


def test_a_token_bound_to_a_pod(stage: Stage, namespace: str, role: str) -> None:
    stage.make_account(namespace, "other")
    for name, account in (("web-0", "reader"), ("web-1", "other")):
        spec = {"serviceAccountName": account, "containers": [{"name": "app", "image": "example.com/app:1"}]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        made(stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body))
    assert "pod web-0" in step(verify(stage, "reader -n $ns --pod web-0").item, "token")["sent"]
    for pod in ("web-1", "web-2"):
        ran = verify(stage, f"reader -n $ns --pod {pod}", code=4)
        assert ran.metadata["cluster"]["name"] == stage.cluster


def test_what_the_role_may_do(stage: Stage, role: str) -> None:
    line = "reader -n $ns --action s3:ListAllMyBuckets,s3:DeleteBucket"
    document = verify(stage, f"{line} --call 's3 list-buckets' --call 'iam list-roles'", code=5).item
    assert [(item["kind"], item["what"], item["status"]) for item in document["permissions"]] == [
        ("simulation", "s3:ListAllMyBuckets", "ok"),
        ("simulation", "s3:DeleteBucket", "failed"),
        ("call", "s3 list-buckets", "ok"),
        ("call", "iam list-roles", "failed"),
    ]
    assert "2 Buckets" in document["permissions"][2]["text"]


@pytest.mark.parametrize(
    ("key", "more", "code", "expected"),
    [
        ("aws:RequestedRegion", "--call 's3 list-buckets'", 5, ["failed", "failed"]),
        ("aws:SourceVpce", "", 1, ["not-checked"]),
    ],
)
def test_a_denial_is_found_by_what_is_known_of_the_call(
    stage: Stage, role: str, key: str, more: str, code: int, expected: list[str]
) -> None:
    document = policy("Deny s3:ListAllMyBuckets on *")
    document["Statement"][0]["Condition"] = {"StringEquals": {key: stage.region}}
    name = role.rsplit("/", 1)[-1]
    stage.iam().put_role_policy(RoleName=name, PolicyName="deny", PolicyDocument=json.dumps(document))
    ran = verify(stage, f"reader -n $ns --action s3:ListAllMyBuckets {more}", code=code)
    assert [item["status"] for item in ran.item["permissions"]] == expected
    assert (key in ran.item["permissions"][0]["text"]) is (code == 1)


def test_a_simulation_that_is_not_permitted_tells_nothing(stage: Stage, role: str) -> None:
    user = stage.restricted(*TOKENS)
    allow(stage, user, "Allow * on *", "Deny iam:SimulatePrincipalPolicy on *")
    ran = verify(stage, "reader -n $ns --action s3:ListAllMyBuckets", code=1, user=user)
    assert [item["status"] for item in ran.item["permissions"]] == ["not-checked"]


def test_errors_that_keep_it_from_beginning(stage: Stage, namespace: str, role: str) -> None:
    stage.make_account(namespace, "bare")
    for line in ("nobody -n $ns", "bare -n $ns", "reader -n $ns -c nowhere"):
        verify(stage, line, code=4)
    assert verify(stage, "bare -n $ns", code=4).error["code"] == "Refused"


def test_create_sa_explains_a_refusal_by_the_trust_policy(stage: Stage, namespace: str) -> None:
    """Somebody changes the new role before STS is asked: the same evaluation tells what is wrong."""
    stage.run("associate-oidc")

    def meddle() -> None:
        (name,) = [name for name in stage.aws_world()["roles"] if namespace in name]
        also(stage, name, Action="sts:TagSession")

    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "callback", run=meddle))
    ran = stage.run(
        "create-sa app -n $ns --attach-policy-arn $S3 --verify -o json",
        code=3,
        time_ends_at="sts AssumeRoleWithWebIdentity",
    )
    assert ran.error["code"] == "AccessDenied"
    (line,) = [line for line in ran.error["details"] if line.startswith("trust: ")]
    assert "statement 1 does not apply: Action" in line
