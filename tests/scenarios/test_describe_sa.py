"""`irsa describe-sa`: all of one binding, whoever made it, down to the pods that must be restarted."""

import json

from tests.scenarios.breaking import NAME, Binding
from tests.scenarios.reading import zoo
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

INLINE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}


def describe(stage: Stage, namespace: str, name: str, *arguments: str, user: str = "admin") -> Ran:
    """Run `irsa describe-sa`."""
    common = (name, "-n", namespace, "-c", stage.cluster, "-o", "json")
    return stage.irsa("describe-sa", *common, *arguments, user=user)


def test_all_of_a_binding(stage: Stage, namespace: str) -> None:
    assert stage.associate("-q").code == 0
    (stage.folder / "queue.json").write_text(json.dumps(INLINE))
    policies = ("--attach-policy-arn", READ_ONLY, "--inline-policy", "queue.json")
    options = ("--permissions-boundary", READ_ONLY, "--max-session-duration", "7200", "--tags", "team=data")
    assert stage.create_sa("app", namespace, *policies, *options, "-q").code == 0
    role = stage.role_of(namespace, "app")
    before = stage.world()
    ran = describe(stage, namespace, "app")
    found = ran.item
    assert (ran.code, found["status"], found["owner"], ran.json["kind"]) == (0, "ok", "irsa", "BindingList")
    assert found["role"]["arn"] == role["arn"]
    assert found["role"]["maxSessionDuration"] == 7200
    assert found["role"]["tags"]["team"] == "data"
    assert found["role"]["permissionsBoundary"]["arn"] == READ_ONLY
    assert [(p["name"], p["arn"], p["document"]) for p in found["role"]["policies"]] == [
        ("AmazonS3ReadOnlyAccess", READ_ONLY, None),
        ("queue", None, None),
    ]
    (statement,) = found["trust"]
    assert (statement["applies"], statement["failure"]) == (True, None)
    assert found["serviceAccount"]["annotations"][ROLE_ARN] == role["arn"]
    assert (found["pods"], found["restart"], ran.metadata["notes"]) == ([], [], [])
    assert stage.world() == before
    documents = describe(stage, namespace, "app", "--policies").item["role"]
    managed, inline = documents["policies"]
    assert inline["document"] == INLINE
    assert managed["document"]["Statement"]
    assert documents["permissionsBoundary"]["document"] == managed["document"]


def test_a_binding_that_does_not_work_says_why(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    for name, status in (("stranger", "not-admitted"), ("junk", "bad-arn"), ("gone", "no-role")):
        ran = describe(stage, namespace, name)
        assert (ran.code, ran.item["status"]) == (0, status), ran.err
        assert ran.item["reason"]
    stranger = describe(stage, namespace, "stranger").item
    assert stranger["trust"][0]["failure"]["key"].endswith(":sub")
    foreign = describe(stage, namespace, "foreign").item
    assert (foreign["status"], foreign["role"]["exists"], foreign["role"]["policies"]) == (
        "uncertain",
        None,
        None,
    )
    text = stage.irsa("describe-sa", "stranger", "-n", namespace, "-c", stage.cluster)
    assert (text.code, "statement 1" in text.out, "StringEquals sub:" in text.out) == (0, True, True)


def pods(found: Json) -> dict[str, tuple[str, bool | None]]:
    """What each pod has, and whether it needs a restart."""
    return {pod["name"]: (pod["identity"], pod["needsRestart"]) for pod in found["pods"]}


def test_pods_that_have_the_role(stage: Stage, binding: Binding) -> None:
    found = describe(stage, binding.namespace, NAME).item
    assert pods(found) == {f"{NAME}-0": ("current", False)}
    assert found["restart"] == []


def test_pods_that_started_before_the_annotation(stage: Stage, binding: Binding) -> None:
    binding.annotate(None)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f", "uid": "u"}
    labels = {"pod-template-hash": "5d4f"}
    binding.new_pod(metadata={"ownerReferences": [owner], "labels": labels})
    binding.next_second()
    binding.annotate(binding.role_arn)
    found = describe(stage, binding.namespace, NAME).item
    assert pods(found) == {f"{NAME}-0": ("none", True)}
    assert found["restart"] == [f"kubectl -n {binding.namespace} rollout restart deployment/web"]


def test_pods_that_have_the_role_of_before(stage: Stage, binding: Binding) -> None:
    binding.annotate(f"{binding.role_arn}2")
    found = describe(stage, binding.namespace, NAME).item
    assert (found["status"], pods(found)) == ("no-role", {f"{NAME}-0": ("other-role", True)})


def test_when_the_role_was_used(stage: Stage, binding: Binding) -> None:
    assert describe(stage, binding.namespace, NAME).item["role"]["lastUsed"] is None
    binding.exchange()
    role = describe(stage, binding.namespace, NAME).item["role"]
    assert role["lastUsed"]
    assert role["lastUsedRegion"] == stage.region


def test_what_can_not_be_read_is_said(stage: Stage, binding: Binding) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    denied = {"Effect": "Deny", "Action": ["iam:ListRolePolicies", "iam:GetPolicyVersion"], "Resource": "*"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [everything, denied]}
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=json.dumps(policy))
    ran = describe(stage, binding.namespace, NAME, "--policies", user=user)
    assert (ran.code, ran.item["status"], ran.item["pods"]) == (1, "ok", None)
    assert not ran.metadata["scope"]["complete"]
    assert describe(stage, binding.namespace, NAME, "--allow-partial", user=user).code == 0
    assert ran.item["role"]["policies"] is None
    assert any("list pods" in note for note in ran.metadata["notes"])
    assert any("iam:ListRolePolicies" in note for note in ran.metadata["notes"])


def test_a_name_that_is_not_there(stage: Stage, namespace: str) -> None:
    stage.make_namespace(f"{namespace}-2")
    stage.make_account(f"{namespace}-2", "lost", annotations={ROLE_ARN: "x"})
    ran = describe(stage, namespace, "lost")
    assert (ran.code, ran.error["code"]) == (4, "Refused")
    assert f"{namespace}-2" in " ".join(ran.error["details"])
    ignored = describe(stage, namespace, "lost", "--ignore-not-found")
    assert (ignored.code, ignored.items) == (0, [])
    stage.make_account(namespace, "plain")
    assert describe(stage, namespace, "plain").code == 4


def test_a_role_without_a_service_account_is_named_with_the_ways_out(stage: Stage, namespace: str) -> None:
    """Of `create-sa --role-only`, which get-sa lists; update-sa starts from the ServiceAccount, too."""
    assert stage.associate("-q").code == 0
    for name, more in (("later", ("--role-only",)), ("gone", ())):
        assert stage.create_sa(name, namespace, "--attach-policy-arn", READ_ONLY, "-q", *more).code == 0
    stage.kube.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/gone")
    before = stage.world()
    for name in ("later", "gone", "neither"):
        for ran in (
            describe(stage, namespace, name),
            stage.irsa("update-sa", name, "-n", namespace, "-c", stage.cluster, "--tags", "a=b"),
        ):
            assert ran.code == 4
            assert f"there is no ServiceAccount {namespace}/{name}" in ran.err
            assert (f":role/irsa/{stage.cluster}/" in ran.err) == (name != "neither")
            assert ("--role-only" in ran.err) == (name == "later")
    stage.make_account(namespace, "later")
    assert "--role-only" in describe(stage, namespace, "later").err
    assert stage.world()["roles"] == before["roles"]
