"""`irsa delete -f` and `irsa apply --prune`: what irsa made goes, what others made stays."""

import pytest

from tests.scenarios.test_apply import APPLY, DELETE, READER, WORKER, with_more
from tests.support.acts import account, after, changed, named, role, strike, unchanged, wish, wished
from tests.support.stage import READ_ONLY, Stage

ALONE = "{metadata: {name: role, namespace: $ns}, roleOnly: true, attachPolicyARNs: [$S3]}"
# Other tests' bindings on the same API server are not this test's to prune.
PRUNE = f"{APPLY} --prune --yes --include $ns/*"


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    named(stage, "worker", "reader")


def applied(stage: Stage, *left: str) -> None:
    """Both are applied; the file is then one of what is `left`."""
    wish(stage, READER, WORKER)
    stage.run(APPLY)
    wish(stage, *(left or [READER]))


def test_what_was_applied_is_deleted(stage: Stage) -> None:
    account("worker", labels={"chart": "x"})(stage)
    before = stage.world()
    marked = WORKER.replace("namespace: $ns", "namespace: $ns, labels: {team: a}, annotations: {note: b}")
    wish(stage, READER, marked, ALONE)
    stage.run(APPLY)
    stage.run(f"{DELETE} --dry-run --detailed-exitcode -o json", code=6, says='"planned": 3', changes="")
    stage.run(DELETE)
    assert stage.world() == before
    unchanged(stage, f"{DELETE} -o json", '"unchanged": 3')


THEIRS = after(
    role(),
    account("theirs", "arn:aws:iam::$account:role/$ns-r"),
    account("far", "arn:aws:iam::999988887777:role/$ns-far"),
)


def test_prune_takes_what_no_file_wishes_and_irsa_made(stage: Stage) -> None:
    after(THEIRS, wished(READER), APPLY)(stage)
    kept = stage.world()
    applied(stage)
    unchanged(stage, APPLY)
    unchanged(stage, f"{PRUNE} --dry-run -o json", ('"unchanged": 1', '"planned": 1'))
    stage.run(PRUNE, says="$ns/worker")
    changed(stage, kept, "")


DENIED = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Deny", "Action": "iam:GetRole", "Resource": "$worker_arn"},
    {"Effect": "Deny", "Action": "iam:GetAccountAuthorizationDetails", "Resource": "*"}]}"""


def test_what_can_not_be_read_is_not_taken_for_nothing_to_prune(stage: Stage, namespace: str) -> None:
    applied(stage)
    denied = DENIED.replace("$worker_arn", stage.role_of(namespace, "worker")["arn"])
    user = stage.restricted((("*",), ("*",)))
    stage.iam().put_user_policy(UserName=user, PolicyName="deny", PolicyDocument=denied)
    says = ("Nothing was pruned", "the role of $ns/worker")
    for mode in ("", " --atomic"):
        stage.run(PRUNE + mode, code=1, says=says, changes="", user=user)
    stage.run(PRUNE)
    assert stage.account(namespace, "worker") is None


def test_prune_is_part_of_an_atomic_apply(stage: Stage, namespace: str) -> None:
    applied(stage, with_more(READER, "tags: {a: b}"))
    strike(stage, "iam DeleteRole error")
    stage.run(f"{PRUNE} --atomic", code=1, changes="")
    stage.run(f"{PRUNE} --atomic")
    assert stage.account(namespace, "worker") is None
    assert stage.role_of(namespace, "reader")["tags"]["a"] == "b"


def test_the_network_is_never_pruned(stage: Stage) -> None:
    network = ALONE.replace("$ns", "kube-system")
    wish(stage, network.replace("name: role", "name: aws-node"))
    stage.run(APPLY)
    roles = stage.world()["roles"]
    wish(stage, network)
    stage.run(PRUNE.replace("$ns", "kube-system"))
    assert roles.items() <= stage.world()["roles"].items()


def test_what_was_done_is_told_when_pruning_can_not_be_begun(stage: Stage, namespace: str) -> None:
    """The fault strikes on the sandbox's own API only; on a real one, pruning finds nothing."""
    strike(stage, "kubernetes GET serviceaccounts error", times=None, skip=1)
    wish(stage, READER)
    own = stage.cluster == "demo"
    summary = stage.run(f"{PRUNE} -o json", code=1 if own else 0).metadata["summary"]
    assert (summary["committed"], "failed" in summary) == (1, own)
    assert stage.role_of(namespace, "reader")["attached"] == [READ_ONLY]
