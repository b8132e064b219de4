"""`irsa describe-sa`: all of one binding, whoever made it, down to the pods that must be restarted."""

import pytest

from tests.scenarios.breaking import NAME, Binding
from tests.scenarios.reading import zoo
from tests.support.acts import after, forget, named, refused, written
from tests.support.documents import doc
from tests.support.rows import Row, rows
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Stage

INLINE = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}'
DENIED = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "*", "Resource": "*"},
    {"Effect": "Deny", "Action": ["iam:ListRolePolicies", "iam:GetPolicyVersion"], "Resource": "*"}]}"""


CREATE = (
    "create-sa app -n $ns --attach-policy-arn $S3 --inline-policy queue.json --permissions-boundary $S3 "
    "--max-session-duration 7200 --tags team=data --associate-oidc"
)
WHOLE = after(written("queue.json", INLINE), CREATE)
ROLE = "items.0.role"
TOLD = {
    "kind": "BindingList",
    "metadata.notes": [],
    "items.0.status": "ok",
    "items.0.owner": "irsa",
    "items.0.pods": [],
    "items.0.restart": [],
    "items.0.trust.0.applies": True,
    "items.0.trust.0.failure": None,
    f"{ROLE}.maxSessionDuration": 7200,
    f"{ROLE}.tags.team": "data",
    f"{ROLE}.permissionsBoundary.arn": READ_ONLY,
    f"{ROLE}.policies.0.name": "AmazonS3ReadOnlyAccess",
    f"{ROLE}.policies.0.arn": READ_ONLY,
    f"{ROLE}.policies.0.document": None,
    f"{ROLE}.policies.1.name": "queue",
    f"{ROLE}.policies.1.arn": None,
    f"{ROLE}.policies.1.document": None,
}
POLICIES = {f"{ROLE}.policies.1.document": doc(INLINE)}
READ = {f"{ROLE}.permissionsBoundary.document.Statement.0.Effect": "Allow"}
READ[f"{ROLE}.policies.0.document.Statement.0.Effect"] = "Allow"
ARN = '"eks.amazonaws.com/role-arn": "$arn"'
FOREIGN = {"items.0.status": "uncertain", f"{ROLE}.exists": None, f"{ROLE}.policies": None}


STRANGER = "describe-sa stranger -n $ns -o json"


def in_zoo(stage: Stage) -> None:
    zoo(stage, stage.words["ns"])


@rows(
    Row("all", "describe-sa app -n $ns -o json", 0, ARN, given=WHOLE, document=TOLD),
    Row("policies", "describe-sa app -n $ns -o json --policies", given=WHOLE, document={**POLICIES, **READ}),
    Row("a stranger", STRANGER, 0, ':sub"', given=in_zoo, document={"items.0.status": "not-admitted"}),
    Row("another account", "describe-sa foreign -n $ns -o json", 1, given=in_zoo, document=FOREIGN),
    Row("as text", "describe-sa stranger -n $ns", 0, ("statement 1", "StringEquals sub:"), given=in_zoo),
)
def test_all_of_a_binding(row: Row, stage: Stage, namespace: str) -> None:
    named(stage, "app")
    ran = row.play(stage)
    if "-o json" in row.line:
        assert bool(ran.item["reason"]) == (row.given is in_zoo)


def described(binding: Binding) -> Json:
    """Its item, with what each pod has, and whether it needs a restart."""
    item = binding.stage.run(f"describe-sa {NAME} -n {binding.namespace} -o json").item
    (pod,) = item["pods"]
    return {**item, "pod": (pod["name"], pod["identity"], pod["needsRestart"])}


def test_pods_that_have_the_role(binding: Binding) -> None:
    item = described(binding)
    assert (item["pod"], item["restart"]) == ((f"{NAME}-0", "current", False), [])


def test_pods_that_started_before_the_annotation(binding: Binding) -> None:
    binding.annotate(None)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f", "uid": "u"}
    binding.new_pod(metadata={"ownerReferences": [owner], "labels": {"pod-template-hash": "5d4f"}})
    binding.next_second()
    binding.annotate(binding.role_arn)
    item = described(binding)
    assert item["pod"] == (f"{NAME}-0", "none", True)
    assert item["restart"] == [f"kubectl -n {binding.namespace} rollout restart deployment/web"]


def test_pods_that_have_the_role_of_before(binding: Binding) -> None:
    binding.annotate(f"{binding.role_arn}2")
    item = described(binding)
    assert (item["status"], item["pod"]) == ("no-role", (f"{NAME}-0", "other-role", True))


def test_when_the_role_was_used(binding: Binding) -> None:
    assert described(binding)["role"]["lastUsed"] is None
    binding.exchange()
    role = described(binding)["role"]
    assert (bool(role["lastUsed"]), role["lastUsedRegion"]) == (True, binding.stage.region)


def test_what_can_not_be_read_is_said(stage: Stage, binding: Binding) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=DENIED)
    line = f"describe-sa {NAME} -n {binding.namespace} -o json"
    ran = stage.run(f"{line} --policies", code=1, user=user)
    assert (ran.item["status"], ran.item["pods"], ran.item["role"]["policies"]) == ("ok", None, None)
    assert not ran.metadata["scope"]["complete"]
    assert all(text in str(ran.metadata["notes"]) for text in ("list pods", "iam:ListRolePolicies"))
    stage.run(f"{line} --allow-partial", user=user)


def test_a_name_that_is_not_there(stage: Stage, namespace: str) -> None:
    stage.make_namespace(f"{namespace}-2")
    stage.make_account(f"{namespace}-2", "lost", annotations={ROLE_ARN: "x"})
    ran = stage.run("describe-sa lost -n $ns -o json", code=4)
    assert ran.error["code"] == "Refused"
    assert f"{namespace}-2" in " ".join(ran.error["details"])
    assert stage.run("describe-sa lost -n $ns -o json --ignore-not-found").items == []
    stage.make_account(namespace, "plain")
    stage.run("describe-sa plain -n $ns", code=4)


@pytest.mark.parametrize("line", ["describe-sa NAME -n $ns", "update-sa NAME -n $ns --tags a=b"])
def test_a_role_without_a_service_account_is_named_with_the_ways_out(
    stage: Stage, namespace: str, line: str
) -> None:
    """Of `create-sa --role-only`, which get-sa lists; update-sa starts from the ServiceAccount, too."""
    stage.run("associate-oidc")
    stage.run("create-sa later -n $ns --attach-policy-arn $S3 --role-only")
    stage.run("create-sa gone -n $ns --attach-policy-arn $S3")
    forget(stage, "gone")
    arn, only = ":role/irsa/$cluster/", "--role-only"
    for name, says, silent in (
        ("later", [arn, only], []),
        ("gone", [arn], [only]),
        ("neither", [], [arn, only]),
    ):
        missing = f"there is no ServiceAccount $ns/{name}"
        refused(stage, line.replace("NAME", name), [missing, *says], silent=silent)
    stage.make_account(namespace, "later")
    refused(stage, "describe-sa later -n $ns", "--role-only")
