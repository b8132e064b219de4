"""`irsa adopt`: a role that others made gets two tags, its annotation a mark; nothing else changes."""

import re
from typing import Any

import pytest

from tests.scenarios.binding import make_binding
from tests.scenarios.foreign import trust_of, write_trust
from tests.support.acts import (
    SERVICE,
    Deed,
    account,
    after,
    fault,
    killed,
    refused,
    unchanged,
    wish,
    wished,
    wished_own,
)
from tests.support.ran import full_name
from tests.support.rows import Row, in_words, rows
from tests.support.stage import ROLE_ARN, Ran, Stage

NAME = "reader"
ADOPT = "adopt reader -n $ns"
ALL = "adopt --all -n $ns"
UPDATE = "update-sa reader -n $ns --attach-policy-arn $SNS"
ADOPTED = """
+ role $ns-reader tags irsa/cluster $cluster
+ role $ns-reader tags irsa/service-account $ns/reader
+ sa $ns/reader annotations irsa/role-arn $ns-reader
"""


@pytest.fixture(autouse=True)
def arn(stage: Stage, namespace: str) -> str:
    return make_binding(stage, namespace, NAME)


def adopt(stage: Stage, *arguments: str, **how: Any) -> Ran:
    return stage.irsa("adopt", *arguments, "-c", stage.cluster, **how)


def tagged(**tags: str) -> Deed:
    """Somebody tags the role."""
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    return lambda stage: stage.iam().tag_role(RoleName=f"{stage.words['ns']}-reader", Tags=pairs)


KEPT = ("/own/", '"unknown"')


@rows(
    Row("a hand-made role", f"{ADOPT} -o json", 0, KEPT, ADOPTED),
    Row("an answer that is lost", ADOPT, changes=ADOPTED, given=fault("iam TagRole reset-after", times=None)),
    Row("a caller who may not tag", ADOPT, 1, "iam:TagRole", given=fault("iam TagRole error", times=None)),
    Row("update-sa after", UPDATE, changes="+ role $ns-reader attached AmazonSNSReadOnlyAccess", given=ADOPT),
)
def test_how_it_ends(row: Row, stage: Stage) -> None:
    row.play(stage)


def test_what_is_not_adopted(stage: Stage, namespace: str) -> None:
    refused(stage, UPDATE)
    stage.run(f"{ADOPT} --dry-run --detailed-exitcode", code=6, changes="")
    for tags in (["irsa/cluster"], ["irsa/service-account"], [f"k{number}" for number in range(49)]):
        tagged(**dict.fromkeys(tags, "x"))(stage)
        refused(stage, ADOPT)
        stage.iam().untag_role(RoleName=f"{namespace}-reader", TagKeys=tags)
    account("guest", "arn:aws:iam::$account:role/own/$ns-reader")(stage)
    refused(stage, "adopt guest -n $ns")
    refused(stage, ADOPT, "$ns/guest")


def test_what_was_adopted_is_adopted_once_and_under_its_name(stage: Stage) -> None:
    stage.run(ADOPT)
    unchanged(stage, f"{ADOPT} -o json", '"unchanged"')
    wish(stage, NAMED.replace("$ns-reader", "$ns-other"))
    refused(stage, "apply -f f.yaml", "name no other role in the entry")


def test_what_makes_no_sense_is_told_before_any_call(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    for line in ("adopt", "adopt reader --all", "adopt reader --issuer-url https://a.b"):
        stage.run(line, code=2)
    assert not stage.sandbox.calls


def test_what_was_adopted_is_no_half_made_work(stage: Stage, namespace: str, arn: str) -> None:
    stage.run(ADOPT)
    stage.annotate(namespace, NAME, **{ROLE_ARN: arn + "-other"})
    items = stage.run("recover -o json").items
    assert not [item for item in items if {"namespace": namespace, "name": NAME} in item["serviceAccounts"]]


THEIRS = '{"Effect":"Allow","Action":"s3:*","Resource":"*"}'


def with_policy(stage: Stage) -> None:
    """Somebody puts a policy into the role."""
    document = f'{{"Version": "2012-10-17", "Statement": {THEIRS}}}'
    role = f"{stage.words['ns']}-reader"
    stage.iam().put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=document)


STACK = "--stack-name eksctl-$cluster-addon-iamserviceaccount-$ns-reader "


def test_of_a_stack_of_eksctl_it_says_how_to_release_it(stage: Stage, namespace: str) -> None:
    tags = {"cluster-name": stage.cluster, "iamserviceaccount-name": f"{namespace}/{NAME}"}
    after(tagged(**{f"alpha.eksctl.io/{key}": value for key, value in tags.items()}), with_policy)(stage)
    ran = stage.run(f"{ADOPT} -o json", says=('"roleMadeBy": "eksctl"', "theirs", "Retain"), changes=ADOPTED)
    release = ran.item["adoption"]["release"]
    assert all(in_words(stage, STACK) in command for command in release)
    assert release[-1].startswith("aws cloudformation delete-stack")
    assert release[-1] in ran.err


def test_statements_of_others_in_the_trust_policy_are_told(stage: Stage, namespace: str) -> None:
    (own,) = trust_of(stage, f"{namespace}-reader")["Statement"]
    write_trust(stage, f"{namespace}-reader", SERVICE, own)
    assert "1 statement besides" in str(stage.run(f"{ADOPT} -o json").item["adoption"]["kept"])


def test_all_goes_on_with_what_an_interrupted_run_has_adopted_in_part(stage: Stage, namespace: str) -> None:
    killed(stage, ALL, "iam TagRole callback")
    assert "irsa/role-arn" not in (stage.account(namespace, NAME) or {})["annotations"]
    stage.run(ALL, changes="+ sa $ns/reader annotations irsa/role-arn $ns-reader", IRSA_STATE_DIR="other")


def test_all_that_are_nobodys_are_taken_each_by_itself(stage: Stage, namespace: str) -> None:
    stage.run("create-sa own -n $ns --attach-policy-arn $S3")
    for name, owner in (("far", "444455556666"), ("lost", stage.account_id)):
        account(name, f"arn:aws:iam::{owner}:role/{name}")(stage)
    refused(stage, f"{ALL} --dry-run")
    # Something was done, so that "nothing was attempted" is not true.
    ran = stage.run(f"{ALL} -o json", code=1, changes=ADOPTED)
    ended = {item["serviceAccount"]["name"]: item["outcome"] for item in ran.items}
    assert ended == {NAME: "committed", "lost": "refused"}
    assert {*map(full_name, ran.metadata["skipped"])} == {f"{namespace}/far", f"{namespace}/own"}
    assert re.search(f"{namespace}/lost +refused", stage.run(ALL, code=4).out)


ENTRY = "{metadata: {name: reader, namespace: $ns}, attachPolicyARNs: [$SNS]}"
NAMED = ENTRY.replace("attachPolicyARNs", "roleName: $ns-reader, attachPolicyARNs")
REPLACED = """
- role $ns-reader attached AmazonS3ReadOnlyAccess
+ role $ns-reader attached AmazonSNSReadOnlyAccess
"""


@pytest.mark.parametrize(
    ("entry", "mode"), [(ENTRY, ""), (NAMED, "--atomic"), (ENTRY, "--override-existing-serviceaccounts")]
)
def test_what_was_adopted_is_changed_by_a_file_of_eksctl(stage: Stage, entry: str, mode: str) -> None:
    """A ClusterConfig can't say the path of a role."""
    wish(stage, entry)
    refused(stage, "apply -f f.yaml", "irsa adopt reader")
    stage.run(ADOPT)
    stage.run(f"apply -f f.yaml {mode}", changes=REPLACED)
    unchanged(stage, f"apply -f f.yaml {mode}")


GONE = f"- role $ns-reader inline theirs {THEIRS}"


@pytest.mark.parametrize(("kind", "gone"), [(wished, ""), (wished_own, GONE)])
def test_what_a_file_does_not_say_of_an_adopted_role_stays(
    stage: Stage, namespace: str, kind: Any, gone: str
) -> None:
    """Neither says a description or a session duration; a ClusterConfig has no word for inline policies."""
    stage.iam().update_role(RoleName=f"{namespace}-reader", Description="theirs", MaxSessionDuration=43200)
    after(with_policy, ADOPT, kind(ENTRY))(stage)
    stage.run("apply -f f.yaml", changes=[REPLACED, gone])
