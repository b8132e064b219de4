"""`--target-role`: a role of the cluster's account that may assume one of another account."""

import json
from typing import Any

import pytest

from tests.scenarios.other_account import OTHER, Both, Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.support.acts import (
    SERVICE,
    account,
    changed,
    gone,
    killed,
    named,
    refused,
    steps,
    strike,
    there_and_back,
    unchanged,
    wish,
    wish_own,
)
from tests.support.rows import Row, in_words
from tests.support.stage import Json, Stage

POLICY = "irsa-assume-target-role"
CREATE = "create-sa app -n $ns --target-role $data"
GO = f"{CREATE} $way --update-target-trust"
DELETE = "delete-sa app -n $ns --yes"
UPDATE = "update-sa app -n $ns"
APP = "{metadata: {name: app, namespace: $ns}, targetRole: TARGET}"
CONFIG = "/api/v1/namespaces/{}/configmaps/aws"


def target(elsewhere: Elsewhere, *statements: Json, name: str = "data") -> str:
    """The ARN of a role of the other account with this trust policy."""
    document = {"Version": "2012-10-17", "Statement": list(statements or (SERVICE,))}
    made = elsewhere.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
    elsewhere.stage.words[name] = arn = str(made["Role"]["Arn"])
    return arn


def admitting(principal: str, condition: Any = None) -> Json:
    statement: Json = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {**statement, "Condition": condition} if condition else statement


def way(elsewhere: Elsewhere) -> tuple[str, ...]:
    return ("--target-assume-role", elsewhere.deployer)


@pytest.fixture
def both(stage: Stage, namespace: str, elsewhere: Elsewhere) -> Both:
    """The cluster with its provider, and a target that admits nobody yet."""
    stage.run("associate-oidc")
    named(stage, "app")
    target(elsewhere)
    return Both(stage, elsewhere)


def permitted(both: Both) -> Any:
    """What the role may assume."""
    (statement,) = both.stage.role_of(both.words["ns"], "app")["inline"][POLICY]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    return statement["Resource"]


def config(both: Both) -> str:
    """The ConfigMap for pods."""
    answer = both.stage.kube.get(CONFIG.format(both.words["ns"]))
    return str(answer.body["data"]["config"]) if answer.status == 200 else ""


def configure(both: Both, text: str) -> None:
    """Somebody writes the ConfigMap."""
    both.stage.kube.patch(CONFIG.format(both.words["ns"]), {"data": {"config": text}})


def test_the_permission_is_exactly_the_target(both: Both) -> None:
    both.trust("data", admitting(f"arn:aws:iam::{both.stage.account_id}:root"))
    before, there = both.world(), both.there.world()
    go = f"{CREATE} $way --attach-policy-arn $S3"
    ran = both.run(f"{go} --verify -o json")
    assert permitted(both) == both.words["data"]
    assert "web_identity_token_file" in ran.item["target"]["awsConfig"]
    unchanged(both, go, "Nothing to do")
    assert both.there.world() == there
    both.run(f"{DELETE} $way")
    assert both.world() == before


def test_a_target_that_does_not_admit_the_role_is_refused_with_the_missing_statement(both: Both) -> None:
    refused(
        both,
        f"{CREATE} $way",
        ('"Action": "sts:AssumeRole"', '"aws:PrincipalArn": "$arn"', "--update-target-trust"),
    )
    for flags in SENSELESS:
        both.run(f"create-sa app -n $ns {flags}", code=2, changes="")
    both.trust("data", admitting(both.stage.account_id, WRONG_ID))
    refused(both, f"{CREATE} --external-id mine $way")


def test_the_statement_is_added_and_taken_back_again(both: Both) -> None:
    before = both.world()
    go = f"{GO} --external-id tenant-7 --aws-config-map aws"
    both.run(f"{go} --verify")
    theirs, ours = both.statements()
    assert theirs == SERVICE
    assert ours["Condition"]["StringEquals"] == {"sts:ExternalId": "tenant-7"}
    lines = ("role_arn = $data", "external_id = tenant-7", "role_arn = $arn")
    assert all(in_words(both, line) in config(both) for line in lines)
    unchanged(both, go, "Nothing to do")
    both.run(f"{DELETE} $way")
    assert both.world() == before


def test_a_target_that_is_not_looked_at_is_said_and_proven_by_sts(both: Both) -> None:
    both.run(f"{CREATE} --verify", code=5, says="AssumeRole", changes="", time_ends_at="sts AssumeRole")
    both.run(CREATE, says=f"no credentials for account {OTHER}")


def test_it_is_verified_and_what_keeps_it_out_is_named(both: Both) -> None:
    both.run(f"{GO} --external-id tenant-7")
    both.run("verify app -n $ns $way", says="AssumeRole $data")
    both.stage.iam().delete_role_policy(RoleName=both.words["role"], PolicyName=POLICY)
    both.run("verify app -n $ns $way", code=5, says="no policy of the role")
    both.trust("data", SERVICE)
    both.run("verify app -n $ns $way", code=5, says="no statement allows it")


MORE = "$way --update-target-trust --verify"


def test_update_sa_changes_the_target_and_takes_the_statement_from_the_former(both: Both) -> None:
    target(both.there, name="other")
    both.run("create-sa app -n $ns --no-policy")
    before = both.world()
    both.run(f"{UPDATE} --target-role $data --aws-config-map aws {MORE}")
    assert permitted(both) == both.words["data"]
    both.run(f"{UPDATE} --external-id abc {MORE}")
    whole = both.there.world()
    both.run(f"{UPDATE} --remove-external-id --remove-aws-config-map {MORE}")
    assert (config(both), "ExternalId" in str(both.statements())) == ("", False)
    both.run(f"{UPDATE} --external-id abc --aws-config-map aws {MORE}")
    assert both.there.world() == whole
    for wrong in ("--remove-external-id --external-id abc", f"--remove-target-role {MORE}"):
        both.run(f"{UPDATE} {wrong}", code=2, changes="")
    both.run(f"{UPDATE} --target-role $other {MORE}")
    assert both.statements() == [SERVICE]
    assert ("role/other" in config(both), "external_id" in config(both)) == (True, False)
    both.run(f"{UPDATE} --remove-target-role $way")
    changed(both, before, "")
    both.run(f"{UPDATE} --external-id abc", code=4)


def written(both: Both, arn: str) -> None:
    wish_own(both.stage, APP.replace("TARGET", arn))


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (f"{UPDATE} --target-role $more --update-target-trust", ["more"]),
        ("apply -f f.yaml --update-target-trust", ["third"]),
        (DELETE, []),
    ],
    ids=["again", "apply", "delete"],
)
def test_after_an_update_that_was_cut_off_nothing_is_left_at_former_targets(
    both: Both, line: str, left: list[str]
) -> None:
    for name in ("more", "third"):
        target(both.there, name=name)
    written(both, "$third")
    both.run(GO)
    at = "iam UpdateAssumeRolePolicy reset-before"
    killed(both.stage, f"{UPDATE} --target-role $more $way --update-target-trust", at, match="RoleName=data")
    # The role's policy has the new target by now, and the ServiceAccount notes the former one.
    assert permitted(both) == both.words["more"]
    both.run(f"{line} $way")
    assert [name for name in ("data", "more", "third") if len(both.statements(name)) > 1] == left


@pytest.mark.parametrize("edited", ["data", f"arn:aws:iam::{OTHER}:user/data"])
def test_what_was_edited_into_the_note_of_a_target_keeps_nothing_from_being_done(
    both: Both, edited: str
) -> None:
    before = both.stage.world()
    both.run(GO)
    both.stage.annotate(both.words["ns"], "app", **{"irsa/target-role-arn": edited})
    both.run("describe-sa app -n $ns $way")
    both.run(f"{DELETE} $way")
    assert both.stage.world() == before


def test_a_failure_takes_back_what_was_added_to_the_target(both: Both) -> None:
    strike(both.stage, "sts AssumeRoleWithWebIdentity error", times=None)
    both.run(
        f"{GO} --aws-config-map aws --verify",
        code=5,
        changes="",
        time_ends_at="sts AssumeRoleWithWebIdentity",
    )


def test_an_interrupted_run_is_recovered_in_both(both: Both) -> None:
    before = both.world()
    killed(both.stage, f"{GO} --aws-config-map aws", "iam UpdateAssumeRolePolicy callback")
    path = max((both.stage.folder / "state").glob("*Z-*.jsonl"))
    assert "--target-assume-role" in both.stage.irsa("recover", path.stem).err
    ran = both.stage.irsa("recover", path.stem, *way(both.there))
    assert ran.code == 0, ran.err
    assert both.world() == before


def test_what_may_stay_at_the_target_is_told_by_its_sid(both: Both) -> None:
    both.run(GO)
    both.run(DELETE, says=f"its Sid would be {both.statements()[1]['Sid']}")


def admitted(both: Both) -> list[int]:
    return [len(both.statements(name)) - 1 for name in ("data", "other")]


def entries(*fields: str) -> list[str]:
    """An entry for each, with these fields."""
    every = enumerate(fields)
    return [f"{{metadata: {{name: a-{number}, namespace: $ns}}, {text}}}" for number, text in every]


ALL = "targetRole: $data\nexternalID: all\ntargetAssumeRole: $deployer"
OWN = "targetRole: $other, externalID: own, targetAssumeRole: $deployer"


def test_files_say_it_for_all_and_for_one(both: Both) -> None:
    target(both.there, name="other")
    before = both.world()
    wish_own(both.stage, *entries("awsConfigMap: one", "awsConfigMap: two", OWN), top=ALL)
    refused(both, "apply -f f.yaml")
    both.run("apply -f f.yaml --update-target-trust --verify")
    assert admitted(both) == [2, 1]
    both.run("diff -f f.yaml --update-target-trust")
    both.run("delete -f f.yaml --yes")
    changed(both, before, "")


TO_DATA, TO_OTHER = "targetRole: $data", "targetRole: $other"
FORMER = ((TO_DATA, TO_DATA, TO_DATA, TO_OTHER), [3, 1])
LATER = ((TO_OTHER, TO_DATA, "attachPolicyARNs: [$S3]", TO_DATA), [2, 1])


def test_files_that_name_another_target_take_the_statement_from_the_former(both: Both) -> None:
    """All at the same time: each statement that goes is one that irsa added, and none of the others."""
    target(both.there, name="other")
    before = both.world()
    for targets, left in (FORMER, LATER):
        wish_own(both.stage, *entries(*targets))
        both.run("apply -f f.yaml --update-target-trust $way")
        assert admitted(both) == left
    both.run("diff -f f.yaml --update-target-trust $way")
    both.run("delete -f f.yaml --yes $way")
    changed(both, before, "")


@pytest.mark.parametrize("line", [f"{UPDATE} --target-role $other", "apply -f f.yaml"])
def test_a_statement_that_is_the_only_one_stays_and_is_told(both: Both, line: str) -> None:
    """IAM takes no trust policy without any."""
    target(both.there, name="other")
    written(both, "$other")
    both.run(GO)
    own = both.statements()[1]
    both.trust("data", own)
    both.run(f"{line} $way --update-target-trust", says="stays in the trust policy of $data")
    assert both.statements() == [own]


def test_what_is_proposed_for_another_configuration_writes_over_it(both: Both) -> None:
    both.run(f"{CREATE} --aws-config-map aws")
    before = both.world()
    configure(both, "other")
    both.run(*steps(refused(both, f"{CREATE} --aws-config-map aws -o json")))
    changed(both, before, "")


@pytest.mark.parametrize("again", [(), (account(),)], ids=["deleted", "created again"])
def test_a_configuration_goes_where_the_serviceaccount_forgot_it(both: Both, again: Any) -> None:
    create = f"{CREATE} --aws-config-map aws"
    there_and_back(both, create, gone(), *again, DELETE, *(again and [gone()]))


WRONG_ID = {"StringEquals": {"sts:ExternalId": "other"}}


SENSELESS = (
    "--no-policy --external-id abc",
    "--no-policy --update-target-trust",
    "--no-policy --aws-config-map x",
    f"--target-role arn:aws-cn:iam::{OTHER}:role/data",
)
SHOWN = {"items.0.target.externalID": "tenant-7", "items.0.target.checks.0.status": "ok"}
DOCTOR = "doctor app -n $ns $way"


def test_it_is_described_and_diagnosed(both: Both) -> None:
    both.run(f"{GO} --external-id tenant-7 --aws-config-map aws")
    line = "describe-sa app -n $ns $way"
    Row("JSON", f"{line} -o json", 0, '"roleARN": "$data"', document=SHOWN).play(both)
    both.run(line, says="web_identity_token_file")
    both.run("describe-sa app -n $ns", says=f"no credentials for account {OTHER}")
    both.run(DOCTOR, code=1, silent="chain-")
    for principal, condition, cause in (("arn", WRONG_ID, "external-id"), ("deployer", None, "trust")):
        both.trust("data", SERVICE, admitting(both.words[principal], condition))
        both.run(DOCTOR, code=5, says=f"chain-{cause}")
    configure(both, config(both).replace("source_profile", "duration_seconds = 7200\nsource_profile"))
    both.run(DOCTOR, code=5, says="chain-session")
    both.stage.iam().delete_role_policy(RoleName=both.words["role"], PolicyName=POLICY)
    both.run(DOCTOR, code=5, says="chain-permission")


def test_a_file_of_eksctl_leaves_what_it_has_no_word_for(both: Both) -> None:
    """The target role and the further subjects that a file of irsa's own kind has asked for."""
    entry = "{metadata: {name: app, namespace: $ns}, attachPolicyARNs: [$S3]MORE}"
    more = ", subjects: [{name: second}], targetRole: $data, externalID: t-7, awsConfigMap: app-aws"
    wish_own(both.stage, entry.replace("MORE", more))
    wish(both.stage, entry.replace("MORE", ""), name="eksctl.yaml")
    both.run("apply -f f.yaml --update-target-trust $way")
    unchanged(both, "apply -f eksctl.yaml $way", "1 ServiceAccount unchanged")
    unchanged(both, "apply -f f.yaml --update-target-trust $way", "1 ServiceAccount unchanged")
