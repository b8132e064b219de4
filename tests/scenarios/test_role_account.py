"""`--role-account`: OIDC provider and role in another account, the ServiceAccount in this one's cluster."""

import json

from irsa_cli.sandbox import Fault
from tests.scenarios.conftest import recovered
from tests.scenarios.other_account import OTHER, Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage

POLICY = ("--attach-policy-arn", READ_ONLY)


def test_provider_and_role_are_made_in_the_other_account(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    before, there = stage.world(), elsewhere.world()
    flags = (*elsewhere.by_role, *POLICY, "--associate-oidc", "--verify")
    ran = stage.create_sa("app", namespace, *flags, "-o", "json")
    assert ran.code == 0, ran.err
    (role,) = elsewhere.roles().values()
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"][ROLE_ARN] == role["arn"]
    assert f":{OTHER}:" in role["arn"]
    assert {**stage.world(), "kubernetes": before["kubernetes"]} == before
    again = stage.create_sa("app", namespace, *flags, "-o", "json")
    assert again.metadata["outcome"] == "unchanged"
    gone = stage.irsa("delete-sa", "app", "-n", namespace, "-c", stage.cluster, *elsewhere.by_role, "--yes")
    assert gone.code == 0, gone.err
    assert elsewhere.roles() == {}
    assert stage.world() == before
    dissolved = stage.irsa("disassociate-oidc", "-c", stage.cluster, *elsewhere.by_role, "--yes")
    assert dissolved.code == 0, dissolved.err
    assert elsewhere.world() == there


def test_a_failure_takes_back_what_is_in_both(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    before, there = stage.world(), elsewhere.world()
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    ran = stage.create_sa(
        "app", namespace, *elsewhere.by_role, *POLICY, "--associate-oidc", "--timeout", "5s"
    )
    assert ran.code == 1, ran.err
    assert OTHER in ran.err
    assert elsewhere.world() == there
    assert stage.world() == before


def test_a_profile_of_the_other_account(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    flags = ("--role-account", OTHER, "--role-profile", "there", *POLICY, "--associate-oidc")
    ran = stage.create_sa("app", namespace, *flags, **elsewhere.profile())
    assert ran.code == 0, ran.err
    assert len(elsewhere.roles()) == 1


def test_credentials_of_another_account_are_refused_before_anything_is_written(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    before, there = stage.world(), elsewhere.world()
    flags = ("--role-account", OTHER, *POLICY, "--associate-oidc")
    wrong = elsewhere.profile("wrong", account="333333333333")
    ran = stage.create_sa("app", namespace, *flags, "--role-profile", "wrong", **wrong)
    assert ran.code == 4, ran.err
    assert "333333333333" in ran.err
    ran = stage.create_sa("app", namespace, *flags)
    assert ran.code == 4, ran.err
    assert f"--role-profile PROFILE, or --role-assume-role arn:aws:iam::{OTHER}:role/ROLE" in ran.err
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_credentials_that_are_no_good_are_found_before_anything_is_written(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    before, there = stage.world(), elsewhere.world()
    flags = (*elsewhere.by_role, *POLICY, "--associate-oidc")
    stage.sandbox.faults.add(Fault("sts", "AssumeRole", "error", code="ExpiredToken", status=403, times=None))
    ran = stage.create_sa("app", namespace, *flags)
    assert ran.code == 1, ran.err
    assert f"account {OTHER}" in ran.err
    missing = stage.create_sa("app", namespace, "--role-account", OTHER, "--role-profile", "nowhere", *POLICY)
    assert missing.code == 1, missing.err
    assert f"account {OTHER}" in missing.err
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_another_partition_is_refused_before_the_first_call(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    stage.sandbox.calls.clear()
    china = f"arn:aws-cn:iam::{OTHER}:role/deployer"
    ran = stage.create_sa("app", namespace, "--role-assume-role", china, *POLICY)
    assert ran.code == 2, ran.err
    there = elsewhere.profile(region="cn-north-1")
    ran = stage.create_sa(
        "app", namespace, "--role-account", OTHER, "--role-profile", "there", *POLICY, **there
    )
    assert ran.code == 2, ran.err
    ran = stage.create_sa("app", namespace, *elsewhere.by_role, "--role-account", "333333333333")
    assert ran.code == 2, ran.err


def test_an_error_names_the_account_and_its_caller(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    stage.sandbox.faults.add(Fault("iam", "GetRole", "error", code="AccessDenied", status=403))
    ran = stage.create_sa("app", namespace, *elsewhere.by_role, *POLICY, "-v")
    assert ran.code == 1, ran.err
    assert "assumed-role/deployer" in ran.err
    assert f"iam GetRole ({OTHER})" in ran.err
    assert "eks DescribeCluster  200" in ran.err


def made(stage: Stage, namespace: str, elsewhere: Elsewhere, name: str = "app") -> None:
    """A ServiceAccount with its role in the other account."""
    ran = stage.create_sa(name, namespace, *elsewhere.by_role, *POLICY, "--associate-oidc")
    assert ran.code == 0, ran.err


def about(stage: Stage, namespace: str, name: str = "app") -> tuple[str, ...]:
    return (name, "-n", namespace, "-c", stage.cluster)


def test_it_is_updated_there(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    made(stage, namespace, elsewhere)
    more = ("--attach-policy-arn", "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess", "--tags", "team=a")
    entry = {"metadata": {"name": "app", "namespace": namespace}}
    document = {"apiVersion": "irsa/v1", "kind": "Bindings", "metadata": {"name": stage.cluster}}
    file = json.dumps({**document, "withOIDC": True, "serviceAccounts": [entry]})
    for refused in (
        stage.irsa("update-sa", *about(stage, namespace), *more),
        stage.create_sa("app", namespace, *POLICY, "--associate-oidc"),
        stage.irsa("apply", "-f", "-", stdin=file),
    ):
        assert refused.code in (1, 4), refused.err
        assert f"--role-account {OTHER}" in refused.err
    ran = stage.irsa("update-sa", *about(stage, namespace), *more, *elsewhere.by_role)
    assert ran.code == 0, ran.err
    (role,) = elsewhere.roles().values()
    assert len(role["attached"]) == 2
    assert role["tags"]["team"] == "a"


def test_it_is_shown_and_judged_with_the_same_flags(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    made(stage, namespace, elsewhere)
    where = about(stage, namespace)
    listed = stage.irsa(
        "get-sa", "-A", "-c", stage.cluster, *elsewhere.by_role, "--allow-partial", "-o", "json"
    )
    assert listed.code == 0, listed.err
    (item,) = [item for item in listed.json["items"] if item["serviceAccount"]["namespace"] == namespace]
    assert item["status"] == "ok", item
    unseen = stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster)
    assert "--iam-assume-role" in unseen.err
    shown = stage.irsa("describe-sa", *where, *elsewhere.by_role)
    assert shown.code == 0, shown.err
    assert READ_ONLY in shown.out
    proven = stage.irsa("verify", *where, *elsewhere.by_role)
    assert proven.code == 0, proven.out + proven.err
    found = stage.irsa("doctor", *where, *elsewhere.by_role)
    assert "No problem was found" in found.out, found.out


def test_an_interrupted_run_is_recovered_with_credentials_for_the_other_account(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    before, there = stage.world(), elsewhere.world()
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    stage.create_sa("app", namespace, *elsewhere.by_role, *POLICY, "--associate-oidc")
    assert elsewhere.roles()
    (path,) = (stage.folder / "state").glob("*Z-*.jsonl")
    transaction = path.name.partition(".")[0]
    bare = stage.irsa("recover", transaction)
    assert bare.code == 4, bare.err
    assert f"--role-assume-role {elsewhere.deployer}" in bare.err
    wrong = stage.irsa("recover", transaction, "--role-account", stage.account_id)
    assert wrong.code == 4, wrong.err
    ran = stage.irsa("recover", transaction, "--role-assume-role", elsewhere.deployer)
    assert ran.code == 0, ran.err
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_what_a_lost_machine_has_left_there_is_found_without_its_journal(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    recovered(stage)
    made(stage, namespace, elsewhere, "one")
    before, there = stage.world(), elsewhere.world()
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    stage.create_sa("app", namespace, *elsewhere.by_role, *POLICY)
    listed = stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster, *elsewhere.by_role, "-o", "json")
    (left,) = [item for item in listed.json["items"] if item["serviceAccount"]["name"] == "app"]
    assert any(f"--role-assume-role {elsewhere.deployer}" in step for step in left["next"])
    more = ("--cluster", stage.cluster, *elsewhere.by_role, "--min-age", "0", "--state-dir", "other")
    ran = stage.irsa("recover", *more, "--all", "--yes")
    assert ran.code == 0, ran.err
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_it_is_not_deleted_by_halves(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    before = stage.world()
    made(stage, namespace, elsewhere)
    whole = stage.world(), elsewhere.world()
    refused = stage.irsa("delete-sa", *about(stage, namespace), "--yes")
    assert refused.code == 4, refused.err
    assert f"--role-account {OTHER}" in refused.err
    assert (stage.world(), elsewhere.world()) == whole
    kept = stage.irsa("delete-sa", *about(stage, namespace), "--yes", "--keep-role")
    assert kept.code == 0, kept.err
    assert stage.world() == before
    assert len(elsewhere.roles()) == 1


def test_a_profile_alone_is_enough_where_the_annotation_names_the_account(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    there = elsewhere.profile()
    flags = ("--role-account", OTHER, "--role-profile", "there", *POLICY, "--associate-oidc")
    assert stage.create_sa("app", namespace, *flags, **there).code == 0
    place = ("app", "-n", namespace, "-c", stage.cluster, "--role-profile", "there")
    assert stage.create_sa("new", namespace, "--role-profile", "there", *POLICY, **there).code == 2
    before = (stage.world(), elsewhere.world())
    for command in (("adopt",), ("update-sa", "--tags", "a=b"), ("delete-sa",)):
        wrong = elsewhere.profile(account="333333333333")
        assert stage.irsa(command[0], *place, *command[1:], **wrong).code == 4
        assert (stage.world(), elsewhere.world()) == before
    there = elsewhere.profile()
    assert stage.irsa("adopt", *place, **there).code == 0
    assert stage.irsa("update-sa", *place, "--tags", "a=b", **there).code == 0
    (role,) = elsewhere.roles().values()
    assert role["tags"]["a"] == "b"
    assert stage.irsa("delete-sa", *place, **there).code == 0
    assert not elsewhere.roles()
