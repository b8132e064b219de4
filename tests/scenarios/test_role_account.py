"""`--role-account`: OIDC provider and role in another account, the ServiceAccount in this one's cluster."""

from irsa_cli.sandbox import Fault
from tests.scenarios.other_account import OTHER, Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import foreign_iam as foreign_iam
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
    assert "--role-assume-role or --role-profile" in ran.err
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
