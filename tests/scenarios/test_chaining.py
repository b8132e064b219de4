"""`--target-role`: a role of the cluster's account that may assume one of another account."""

import json
import shlex
from typing import Any

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.other_account import OTHER, Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Stage

POLICY = "irsa-assume-target-role"
LONG = {"IRSA_LOCK_DURATION": "45"}
"""Locks hold as long as those of users: many runs at once are slow on a busy machine."""
SERVICE = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


def target(elsewhere: Elsewhere, *statements: Json, name: str = "data") -> str:
    """The ARN of a role of the other account with this trust policy."""
    document = {"Version": "2012-10-17", "Statement": list(statements or (SERVICE,))}
    made = elsewhere.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
    arn: str = made["Role"]["Arn"]
    return arn


def admitting(principal: str, **conditions: Any) -> Json:
    found: Json = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {**found, "Condition": conditions} if conditions else found


def way(elsewhere: Elsewhere) -> tuple[str, ...]:
    return ("--target-assume-role", elsewhere.deployer)


def about(stage: Stage, namespace: str, name: str = "app") -> tuple[str, ...]:
    return (name, "-n", namespace, "-c", stage.cluster)


def inline_of(stage: Stage, namespace: str) -> Json:
    found: Json = stage.role_of(namespace, "app")["inline"][POLICY]
    return found


def test_the_permission_is_exactly_the_target(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    arn = target(elsewhere, admitting(f"arn:aws:iam::{stage.account_id}:root"))
    before, there = stage.world(), elsewhere.world()
    flags = ("--target-role", arn, *way(elsewhere), "--attach-policy-arn", READ_ONLY)
    ran = stage.create_sa("app", namespace, *flags, "--verify", "-o", "json")
    assert ran.code == 0, ran.err
    assert inline_of(stage, namespace)["Statement"] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn}
    ]
    assert "web_identity_token_file" in ran.item["target"]["awsConfig"]
    again = stage.create_sa("app", namespace, *flags, "-o", "json")
    assert again.metadata["outcome"] == "unchanged", again.err
    assert elsewhere.world() == there
    gone = stage.irsa("delete-sa", *about(stage, namespace), *way(elsewhere), "--yes")
    assert gone.code == 0, gone.err
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_a_target_that_does_not_admit_the_role_is_refused_with_the_missing_statement(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    arn = target(elsewhere)
    before, there = stage.world(), elsewhere.world()
    ran = stage.create_sa("app", namespace, "--target-role", arn, *way(elsewhere), "-o", "json")
    assert ran.code == 4, ran.err
    details = "\n".join(ran.error["details"])
    statement = json.loads(details[details.index("{") :])
    assert statement["Action"] == "sts:AssumeRole"
    assert "--update-target-trust" in " ".join(ran.error["next"])
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_the_statement_is_added_and_taken_back_again(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    arn = target(elsewhere)
    before, there = stage.world(), elsewhere.world()
    flags = ("--target-role", arn, "--external-id", "tenant-7", *way(elsewhere), "--update-target-trust")
    ran = stage.create_sa("app", namespace, *flags, "--verify", "--aws-config-map", "app-aws")
    assert ran.code == 0, ran.err
    theirs, ours = elsewhere.world()["roles"]["data"]["trust"]["Statement"]
    assert theirs == SERVICE
    assert ours["Condition"]["StringEquals"] == {"sts:ExternalId": "tenant-7"}
    config = stage.kube.get(f"/api/v1/namespaces/{namespace}/configmaps/app-aws").body["data"]["config"]
    assert f"role_arn = {arn}" in config
    assert "external_id = tenant-7" in config
    account = stage.account(namespace, "app")
    assert account is not None
    assert f"role_arn = {account['annotations'][ROLE_ARN]}" in config
    again = stage.create_sa("app", namespace, *flags, "--aws-config-map", "app-aws", "-o", "json")
    assert again.metadata["outcome"] == "unchanged", again.err
    gone = stage.irsa("delete-sa", *about(stage, namespace), *way(elsewhere), "--yes")
    assert gone.code == 0, gone.err
    assert stage.kube.get(f"/api/v1/namespaces/{namespace}/configmaps/app-aws").status == 404
    assert (stage.world(), elsewhere.world()) == (before, there)


@pytest.mark.parametrize(
    "trust",
    [
        pytest.param({"StringEquals": {"sts:ExternalId": "another"}}, id="another external id"),
        pytest.param({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/others/*"}}, id="another role"),
    ],
)
def test_a_condition_that_keeps_the_role_out_is_found(
    stage: Stage, namespace: str, elsewhere: Elsewhere, trust: Json
) -> None:
    arn = target(elsewhere, admitting(stage.account_id, **trust))
    there = elsewhere.world()
    flags = ("--target-role", arn, "--external-id", "mine", *way(elsewhere))
    ran = stage.create_sa("app", namespace, *flags)
    assert ran.code == 4, ran.err
    assert elsewhere.world() == there


def test_a_target_that_is_not_looked_at_is_said_and_proven_by_sts(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    arn = target(elsewhere)
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--target-role", arn, "--verify", "--timeout", "6s")
    assert ran.code == 5, ran.err
    assert "AssumeRole" in ran.err
    assert stage.world() == before
    ran = stage.create_sa("app", namespace, "--target-role", arn)
    assert ran.code == 0, ran.err
    assert f"no credentials for account {OTHER}" in ran.err


def test_what_needs_a_target_is_refused_without_one(stage: Stage, namespace: str) -> None:
    for flag in (("--external-id", "abc"), ("--update-target-trust",), ("--aws-config-map", "x")):
        assert stage.create_sa("app", namespace, *flag).code == 2
    china = ("--target-role", f"arn:aws-cn:iam::{OTHER}:role/data")
    assert stage.create_sa("app", namespace, *china).code == 2


def test_it_is_verified_and_what_keeps_it_out_is_named(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    arn = target(elsewhere)
    flags = ("--target-role", arn, "--external-id", "tenant-7", *way(elsewhere), "--update-target-trust")
    assert stage.create_sa("app", namespace, *flags).code == 0
    where = about(stage, namespace)
    ran = stage.irsa("verify", *where, *way(elsewhere))
    assert ran.code == 0, ran.out
    assert f"AssumeRole {arn}" in ran.out
    name = stage.role_of(namespace, "app")["arn"].rsplit("/", 1)[-1]
    stage.iam().delete_role_policy(RoleName=name, PolicyName=POLICY)
    ran = stage.irsa("verify", *where, *way(elsewhere))
    assert ran.code == 5, ran.out
    assert "no policy of the role" in ran.out
    document = {"Version": "2012-10-17", "Statement": [SERVICE]}
    elsewhere.iam.update_assume_role_policy(RoleName="data", PolicyDocument=json.dumps(document))
    ran = stage.irsa("verify", *where, *way(elsewhere))
    assert ran.code == 5, ran.out
    assert "no statement allows it" in ran.out


def test_update_sa_changes_the_target_and_takes_the_statement_from_the_former(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    one, other = target(elsewhere, name="one"), target(elsewhere, name="other")
    there = elsewhere.world()
    assert stage.create_sa("app", namespace).code == 0
    before = stage.world()
    where, more = about(stage, namespace), (*way(elsewhere), "--update-target-trust", "--verify")
    ran = stage.irsa("update-sa", *where, "--target-role", one, "--aws-config-map", "aws", *more)
    assert ran.code == 0, ran.err
    assert inline_of(stage, namespace)["Statement"][0]["Resource"] == one
    ran = stage.irsa("update-sa", *where, "--external-id", "abc", *more)
    assert ran.code == 0, ran.err
    whole = elsewhere.world()
    ran = stage.irsa("update-sa", *where, "--remove-external-id", "--remove-aws-config-map", *more)
    assert ran.code == 0, ran.err
    assert stage.kube.get(f"/api/v1/namespaces/{namespace}/configmaps/aws").status == 404
    assert "ExternalId" not in json.dumps(elsewhere.world()["roles"]["one"]["trust"])
    ran = stage.irsa("update-sa", *where, "--external-id", "abc", "--aws-config-map", "aws", *more)
    assert elsewhere.world() == whole, ran.err
    for both in (("--remove-external-id", "--external-id", "abc"), ("--remove-target-role", *more)):
        assert stage.irsa("update-sa", *where, *both).code == 2
    ran = stage.irsa("update-sa", *where, "--target-role", other, *more)
    assert ran.code == 0, ran.err
    assert elsewhere.world()["roles"]["one"] == there["roles"]["one"]
    config = stage.kube.get(f"/api/v1/namespaces/{namespace}/configmaps/aws").body["data"]["config"]
    assert other in config
    assert "external_id" not in config
    ran = stage.irsa("update-sa", *where, "--remove-target-role", *way(elsewhere))
    assert ran.code == 0, ran.err
    assert elsewhere.world() == there
    assert stage.world() == before
    assert stage.irsa("update-sa", *where, "--external-id", "abc").code == 4


THIRD = f"arn:aws:iam::{OTHER}:role/third"


@pytest.mark.parametrize(
    ("command", "flags", "left"),
    [
        ("update-sa", ("--target-role", THIRD.replace("third", "more"), "--update-target-trust"), ["more"]),
        ("update-sa", ("--target-role", THIRD, "--update-target-trust"), ["third"]),
        ("apply", ("--update-target-trust", "-f", "-"), ["third"]),
        ("update-sa", ("--remove-target-role",), []),
        ("delete-sa", ("--yes",), []),
    ],
    ids=["again", "third", "apply", "none", "delete"],
)
def test_after_an_update_that_was_cut_off_nothing_is_left_at_former_targets(
    stage: Stage, namespace: str, elsewhere: Elsewhere, command: str, flags: tuple[str, ...], left: list[str]
) -> None:
    names = ("data", "more", "third")
    first, second, _ = (target(elsewhere, name=name) for name in names)
    more = (*way(elsewhere), "--update-target-trust")
    assert stage.create_sa("app", namespace, "--target-role", first, *more).code == 0
    stage.sandbox.faults.add(
        Fault("iam", "UpdateAssumeRolePolicy", "reset-before", match="RoleName=data", run=stage.kill)
    )
    again = ("update-sa", *about(stage, namespace), "--target-role", second, *more)
    assert stage.irsa(*again).code == -9
    # The role's policy has the new target by now, and the ServiceAccount notes the former one.
    assert inline_of(stage, namespace)["Statement"][0]["Resource"] == second
    stage.sandbox.faults.clear()
    entry = {"metadata": {"name": "app", "namespace": namespace}, "targetRole": THIRD}
    document = {"apiVersion": "irsa/v1", "kind": "Bindings", "metadata": {"name": stage.cluster}}
    which = () if command == "apply" else about(stage, namespace)
    file = json.dumps({**document, "serviceAccounts": [entry]})
    ran = stage.irsa(command, *which, *flags, *way(elsewhere), stdin=file)
    assert ran.code == 0, ran.err
    roles = stage.sandbox.world(OTHER)["roles"]
    admitted = [name for name in names if len(roles[name]["trust"]["Statement"]) > 1]
    assert admitted == left


@pytest.mark.parametrize("edited", ["data", f"arn:aws:iam::{OTHER}:user/data", "arn:aws:iam::x:role/data"])
def test_what_was_edited_into_the_note_of_a_target_keeps_nothing_from_being_done(
    stage: Stage, namespace: str, elsewhere: Elsewhere, edited: str
) -> None:
    before, there = stage.world(), elsewhere.world()
    arn = target(elsewhere)
    chain = ("--target-role", arn, *way(elsewhere), "--update-target-trust")
    assert stage.create_sa("app", namespace, *chain).code == 0
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/app"
    patch = {"metadata": {"annotations": {"irsa/target-role-arn": edited}}}
    assert stage.kube.patch(path, patch).status == 200
    assert stage.irsa("describe-sa", *about(stage, namespace), *way(elsewhere)).code in (0, 1)
    gone = stage.irsa("delete-sa", *about(stage, namespace), *way(elsewhere), "--yes")
    assert gone.code == 0, gone.err
    elsewhere.iam.delete_role(RoleName="data")
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_a_failure_takes_back_what_was_added_to_the_target(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    arn = target(elsewhere)
    before, there = stage.world(), elsewhere.world()
    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "error", times=None))
    flags = ("--target-role", arn, *way(elsewhere), "--update-target-trust", "--aws-config-map", "aws")
    ran = stage.create_sa("app", namespace, *flags, "--verify", "--timeout", "4s")
    assert ran.code == 5, ran.err
    assert (stage.world(), elsewhere.world()) == (before, there)
    assert stage.kube.get(f"/api/v1/namespaces/{namespace}/configmaps/aws").status == 404


def test_an_interrupted_run_is_recovered_in_both(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    arn = target(elsewhere)
    before, there = stage.world(), elsewhere.world()
    stage.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "callback", run=stage.kill))
    flags = ("--target-role", arn, *way(elsewhere), "--update-target-trust", "--aws-config-map", "aws")
    stage.create_sa("app", namespace, *flags)
    path = max((stage.folder / "state").glob("*Z-*.jsonl"))
    bare = stage.irsa("recover", path.stem)
    assert bare.code == 4, bare.err
    assert "--target-assume-role" in bare.err
    ran = stage.irsa("recover", path.stem, *way(elsewhere))
    assert ran.code == 0, ran.err
    assert (stage.world(), elsewhere.world()) == (before, there)
    assert stage.kube.get(f"/api/v1/namespaces/{namespace}/configmaps/aws").status == 404


def test_what_may_stay_at_the_target_is_told_by_its_sid(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    arn = target(elsewhere)
    flags = ("--target-role", arn, *way(elsewhere), "--update-target-trust")
    assert stage.create_sa("app", namespace, *flags).code == 0
    ran = stage.irsa("delete-sa", *about(stage, namespace), "--yes")
    assert ran.code == 0, ran.err
    _, ours = elsewhere.world()["roles"]["data"]["trust"]["Statement"]
    assert f"its Sid would be {ours['Sid']}" in ran.err


def test_files_say_it_for_all_and_for_one(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    one, other = target(elsewhere, name="one"), target(elsewhere, name="other")
    before, there = stage.world(), elsewhere.world()
    entries = [
        {"metadata": {"name": f"a-{number}", "namespace": namespace}, "awsConfigMap": f"a-{number}"}
        for number in range(4)
    ]
    own = {"targetRole": other, "externalID": "own", "targetAssumeRole": elsewhere.deployer}
    document = {
        "apiVersion": "irsa/v1",
        "kind": "Bindings",
        "metadata": {"name": stage.cluster},
        "targetRole": one,
        "externalID": "all",
        "targetAssumeRole": elsewhere.deployer,
        "serviceAccounts": [*entries, {"metadata": {"name": "own", "namespace": namespace}, **own}],
    }
    path = stage.folder / "chains.json"
    path.write_text(json.dumps(document))
    refused = stage.irsa("apply", "-f", str(path))
    assert refused.code == 4, refused.err
    assert (stage.world(), elsewhere.world()) == (before, there)
    ran = stage.irsa("apply", "-f", str(path), "--update-target-trust", "--verify", **LONG)
    assert ran.code == 0, ran.err
    roles = elsewhere.world()["roles"]
    assert len(roles["one"]["trust"]["Statement"]) == 5
    assert len(roles["other"]["trust"]["Statement"]) == 2
    assert stage.irsa("diff", "-f", str(path), "--update-target-trust").code == 0
    gone = stage.irsa("delete", "-f", str(path), "--yes", **LONG)
    assert gone.code == 0, gone.err
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_files_that_name_another_target_take_the_statement_from_the_former(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    """All at the same time: each statement that goes is one that irsa added, and none of the others."""
    one, other = target(elsewhere, name="one"), target(elsewhere, name="other")
    before, there = stage.world(), elsewhere.world()
    path = stage.folder / "chains.json"

    def written(*targets: str) -> None:
        entries = [
            {
                "metadata": {"name": f"a-{number}", "namespace": namespace},
                **({"targetRole": arn, "targetAssumeRole": elsewhere.deployer} if arn else {}),
            }
            for number, arn in enumerate(targets)
        ]
        document = {"apiVersion": "irsa/v1", "kind": "Bindings", "metadata": {"name": stage.cluster}}
        path.write_text(json.dumps({**document, "serviceAccounts": entries}))

    def admitted() -> list[int]:
        roles = elsewhere.world()["roles"]
        return [len(roles[name]["trust"]["Statement"]) - 1 for name in ("one", "other")]

    written(one, one, one, other)
    flags = ("-f", str(path), "--update-target-trust", *way(elsewhere))
    assert stage.irsa("apply", *flags, **LONG).code == 0
    assert admitted() == [3, 1]
    written(other, one, "", one)
    ran = stage.irsa("apply", *flags, **LONG)
    assert ran.code == 0, ran.err
    assert admitted() == [2, 1]
    assert stage.irsa("diff", *flags).code == 0
    gone = stage.irsa("delete", "-f", str(path), "--yes", **LONG)
    assert gone.code == 0, gone.err
    assert (stage.world(), elsewhere.world()) == (before, there)


@pytest.mark.parametrize("command", ["update-sa", "apply"])
def test_a_statement_that_is_the_only_one_stays_and_is_told(
    stage: Stage, namespace: str, elsewhere: Elsewhere, command: str
) -> None:
    """IAM takes no trust policy without any."""
    one, other = target(elsewhere, name="one"), target(elsewhere, name="other")
    flags = (*way(elsewhere), "--update-target-trust")
    assert stage.create_sa("app", namespace, "--target-role", one, *flags).code == 0
    (statement,) = [
        item for item in elsewhere.world()["roles"]["one"]["trust"]["Statement"] if item != SERVICE
    ]
    document = {"Version": "2012-10-17", "Statement": [statement]}
    elsewhere.iam.update_assume_role_policy(RoleName="one", PolicyDocument=json.dumps(document))
    if command == "update-sa":
        ran = stage.irsa("update-sa", *about(stage, namespace), "--target-role", other, *flags)
    else:
        entry = {"metadata": {"name": "app", "namespace": namespace}, "targetRole": other}
        head = {"apiVersion": "irsa/v1", "kind": "Bindings", "metadata": {"name": stage.cluster}}
        ran = stage.irsa("apply", "-f", "-", *flags, stdin=json.dumps({**head, "serviceAccounts": [entry]}))
    assert ran.code == 0, ran.err
    assert f"stays in the trust policy of {one}" in ran.err
    assert elsewhere.world()["roles"]["one"]["trust"]["Statement"] == [statement]


def test_what_is_proposed_for_another_configuration_writes_over_it(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    arn = target(elsewhere)
    flags = ("--target-role", arn, "--aws-config-map", "aws")
    assert stage.create_sa("app", namespace, *flags).code == 0
    path = f"/api/v1/namespaces/{namespace}/configmaps/aws"
    made = stage.kube.get(path).body["data"]
    assert stage.kube.patch(path, {"data": {"config": "other"}}).status == 200
    ran = stage.create_sa("app", namespace, *flags, "-o", "json")
    assert ran.code == 4, ran.err
    (step,) = ran.error["next"]
    done = stage.irsa(*shlex.split(step.partition(": irsa ")[2]))
    assert done.code == 0, done.err
    assert stage.kube.get(path).body["data"] == made


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "created again"])
def test_a_configuration_goes_where_the_serviceaccount_forgot_it(
    stage: Stage, namespace: str, elsewhere: Elsewhere, *, again: bool
) -> None:
    arn = target(elsewhere)
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--target-role", arn, "--aws-config-map", "aws")
    assert ran.code == 0, ran.err
    stage.kube.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/app")
    if again:
        stage.make_account(namespace, "app")
    gone = stage.irsa("delete-sa", *about(stage, namespace), "--yes")
    assert gone.code == 0, gone.err
    if again:
        stage.kube.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/app")
    assert stage.kube.get(f"/api/v1/namespaces/{namespace}/configmaps/aws").status == 404
    assert stage.world() == before


def test_it_is_described_and_diagnosed(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    arn = target(elsewhere)
    flags = ("--target-role", arn, "--external-id", "tenant-7", *way(elsewhere), "--update-target-trust")
    assert stage.create_sa("app", namespace, *flags, "--aws-config-map", "aws").code == 0
    where = (*about(stage, namespace), *way(elsewhere))
    shown = stage.irsa("describe-sa", *where, "-o", "json")
    assert shown.code == 0, shown.err
    described = shown.item["target"]
    assert (described["roleARN"], described["externalID"]) == (arn, "tenant-7")
    assert {check["status"] for check in described["checks"]} == {"ok"}
    assert "web_identity_token_file" in stage.irsa("describe-sa", *where).out
    assert "chain-" not in stage.irsa("doctor", *where).out
    role = stage.role_of(namespace, "app")["arn"]
    other = admitting(elsewhere.deployer)
    wrong = admitting(role, StringEquals={"sts:ExternalId": "other"})
    for statement, cause in ((wrong, "chain-external-id"), (other, "chain-trust")):
        document = {"Version": "2012-10-17", "Statement": [SERVICE, statement]}
        elsewhere.iam.update_assume_role_policy(RoleName="data", PolicyDocument=json.dumps(document))
        ran = stage.irsa("doctor", *where)
        assert ran.code == 5, ran.out
        assert cause in ran.out, ran.out
    unseen = stage.irsa("describe-sa", *about(stage, namespace))
    assert f"no credentials for account {OTHER}" in unseen.out
    path = f"/api/v1/namespaces/{namespace}/configmaps/aws"
    config = (
        stage.kube.get(path)
        .body["data"]["config"]
        .replace("source_profile", "duration_seconds = 7200\nsource_profile")
    )
    assert stage.kube.patch(path, {"data": {"config": config}}).status == 200
    assert "chain-session" in stage.irsa("doctor", *where).out
    stage.iam().delete_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyName=POLICY)
    assert "chain-permission" in stage.irsa("doctor", *where).out


def test_a_file_of_eksctl_leaves_what_it_has_no_word_for(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    """The target role and the further subjects that a file of irsa's own kind has asked for."""
    arn = target(elsewhere)
    metadata = {"name": "app", "namespace": namespace}
    policies = {"attachPolicyARNs": [READ_ONLY]}
    ours = {
        "apiVersion": "irsa/v1",
        "kind": "Bindings",
        "metadata": {"name": stage.cluster},
        "serviceAccounts": [
            {
                "metadata": metadata,
                **policies,
                "subjects": [{"name": "second"}],
                "targetRole": arn,
                "externalID": "tenant-7",
                "awsConfigMap": "app-aws",
            }
        ],
    }
    flags = ("--update-target-trust", *way(elsewhere), "-o", "json")
    made = stage.irsa("apply", "-f", "-", *flags, stdin=json.dumps(ours))
    assert made.code == 0, made.err
    before, there = stage.world(), elsewhere.world()
    file = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": stage.cluster, "region": stage.region},
        "iam": {"withOIDC": True, "serviceAccounts": [{"metadata": metadata, **policies}]},
    }
    ran = stage.irsa("apply", "-f", "-", *way(elsewhere), "-o", "json", stdin=json.dumps(file))
    assert ran.code == 0, ran.err
    assert ran.metadata["summary"] == {"unchanged": 1}
    assert (stage.world(), elsewhere.world()) == (before, there)
    again = stage.irsa("apply", "-f", "-", *flags, stdin=json.dumps(ours))
    assert again.metadata["summary"] == {"unchanged": 1}, again.err
