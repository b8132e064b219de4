"""A cluster that EKS does not know any more: what irsa marked for it goes, and nothing by a wrong name."""

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import config, entry
from tests.support.sandbox_clients import client
from tests.support.stage import ACCOUNT, READ_ONLY, Ran, Stage

NAME = "doomed"
ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{NAME}"
CREATE = ("--attach-policy-arn", READ_ONLY)
POLICIES = {"attachPolicyARNs": [READ_ONLY]}


@pytest.fixture
def doomed(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with its provider and one binding, and another cluster's beside it."""
    sandbox.add_cluster(ClusterSpec(NAME))
    for name in ("demo", NAME):
        folder = tmp_path / name
        folder.mkdir()
        stage = sandbox_stage(sandbox, name, folder)
        assert stage.associate().code == 0
        assert stage.create_sa("app", "apps", *CREATE).code == 0
    return stage


def roles(stage: Stage, cluster: str = NAME) -> list[str]:
    paths = ((role["path"], name) for name, role in stage.aws_world()["roles"].items())
    return sorted(name for path, name in paths if path == f"/irsa/{cluster}/")


def providers(stage: Stage) -> list[str]:
    return sorted(str(arn) for arn in stage.aws_world()["oidc_providers"])


def gone(stage: Stage) -> Stage:
    stage.sandbox.remove_cluster(NAME)
    return stage


def delete_sa(stage: Stage, *arguments: str, cluster: str = NAME) -> Ran:
    return stage.irsa("delete-sa", "app", "-n", "apps", "-c", cluster, *arguments)


def trust(stage: Stage, name: str, **more: Any) -> None:
    """Let a role trust one more principal."""
    found = stage.iam().get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    found["Statement"].append({"Effect": "Allow", "Action": "sts:AssumeRole", **more})
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(found))


def test_what_irsa_marked_is_deleted(doomed: Stage) -> None:
    stage = gone(doomed)
    before = stage.aws_world()
    planned = delete_sa(stage, "--dry-run", "-o", "json")
    assert (planned.code, planned.metadata["outcome"]) == (0, "planned"), planned.err
    assert stage.aws_world() == before
    ran = delete_sa(stage)
    assert ran.code == 0, ran.err
    assert ARN in ran.err
    assert "can't check pods" in ran.err
    assert (roles(stage), len(roles(stage, "demo"))) == ([], 1)
    again = delete_sa(stage)
    assert (again.code, "irsa manages no role for apps/app" in again.err) == (4, True)
    assert delete_sa(stage, "--ignore-not-found").code == 0
    ran = stage.irsa("disassociate-oidc", "-c", NAME, "-o", "json")
    assert (ran.code, ran.item["provider"]["deleted"]) == (0, True), ran.err
    assert len(providers(stage)) == 1
    # Nothing tells by now that there was such a cluster.
    assert stage.irsa("disassociate-oidc", "-c", NAME).code == 4


def test_a_provider_stays_while_roles_trust_it(doomed: Stage) -> None:
    stage = gone(doomed)
    ran = stage.irsa("disassociate-oidc", "-c", NAME)
    assert (ran.code, roles(stage)[0] in ran.err) == (4, True), ran.err


def test_files_name_what_goes(doomed: Stage) -> None:
    stage = gone(doomed)
    text = config(stage, entry("app", "apps", **POLICIES), entry("never", "apps", **POLICIES))
    ran = stage.irsa("delete", "-f", "-", "--yes", "-o", "json", stdin=text)
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 1, "unchanged": 1}), ran.err
    assert (roles(stage), len(roles(stage, "demo"))) == ([], 1)


WRONG = [
    pytest.param(("-c", "dooomed"), id="name"),
    pytest.param(("-c", NAME, "-r", "us-east-1"), id="region"),
    pytest.param(("-c", NAME, "--any-region"), id="any region"),
]


@pytest.mark.parametrize("place", WRONG)
def test_what_is_not_found_elsewhere_is_not_gone(doomed: Stage, place: tuple[str, ...]) -> None:
    stage = gone(doomed)
    before = stage.aws_world()
    for command in (("delete-sa", "app", "-n", "apps", "--force"), ("disassociate-oidc", "--force")):
        ran = stage.irsa(*command, *place)
        assert ran.code == 4, ran.err
        assert "there is no cluster" in ran.err
    ran = stage.irsa("recover", "--all", "--min-age", "0s", *place)
    assert (ran.code, stage.aws_world() == before) == (4, True), ran.err


def test_what_may_not_be_read_is_not_gone(doomed: Stage) -> None:
    before = doomed.aws_world()
    denied = Fault("eks", "DescribeCluster", "error", code="AccessDeniedException", times=None)
    doomed.sandbox.faults.add(denied)
    assert delete_sa(doomed, "--force").code == 1
    assert doomed.irsa("disassociate-oidc", "-c", NAME, "--force").code == 1
    assert doomed.aws_world() == before


def test_others_whom_its_role_trusts_keep_it(doomed: Stage) -> None:
    stage = gone(doomed)
    (name,) = roles(stage)
    trust(stage, name, Principal={"Service": "ec2.amazonaws.com"})
    ran = delete_sa(stage)
    assert (ran.code, roles(stage)) == (4, [name]), ran.err
    assert "ec2.amazonaws.com" in ran.err
    assert delete_sa(stage, "--force").code == 0


def test_a_living_cluster_whose_provider_is_missing_keeps_it(doomed: Stage) -> None:
    issuer = client(doomed.sandbox, "eks").describe_cluster(name="demo")["cluster"]["identity"]["oidc"][
        "issuer"
    ]
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.removeprefix('https://')}"
    stage = gone(doomed)
    (name,) = roles(stage)
    trust(stage, name, Principal={"Federated": arn}, Action="sts:AssumeRoleWithWebIdentity")
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    ran = delete_sa(stage)
    assert (ran.code, roles(stage)) == (4, [name]), ran.err
    assert arn in ran.err
    assert delete_sa(stage, "--force").code == 0


@pytest.mark.parametrize("marked", ["marked", "unmarked", "deleted"])
def test_only_the_mark_tells_which_provider_was_the_clusters(doomed: Stage, marked: str) -> None:
    issuer = client(doomed.sandbox, "eks").describe_cluster(name=NAME)["cluster"]["identity"]["oidc"][
        "issuer"
    ]
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.removeprefix('https://')}"
    stage = gone(doomed)
    if marked == "unmarked":
        stage.iam().untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["irsa/cluster"])
    if marked == "deleted":
        stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    ran = delete_sa(stage)
    assert ran.code == (4 if marked == "unmarked" else 0), ran.err
    assert (arn in ran.err) == (marked == "unmarked")


def test_of_several_providers_one_has_to_be_named(doomed: Stage) -> None:
    stage = gone(doomed)
    former = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    stage.iam().create_open_id_connect_provider(
        Url=former, ClientIDList=["sts.amazonaws.com"], Tags=[{"Key": "irsa/cluster", "Value": ARN}]
    )
    ran = stage.irsa("disassociate-oidc", "-c", NAME)
    assert ran.code == 4, ran.err
    command = next(line for line in ran.err.splitlines() if former in line).split()
    assert stage.irsa(*command[1:]).code == 0
    assert former[8:] not in str(providers(stage))
    assert delete_sa(stage).code == 0


def test_a_role_of_another_name_is_told_by_its_tags(doomed: Stage) -> None:
    stage = gone(doomed)
    (name,) = roles(stage)
    url = ("--issuer-url", "https://example.com", "--account", ACCOUNT, "--role-only", "--role-name", name)
    ran = delete_sa(stage, *url)
    assert ran.code == 4
    assert "has no tags" not in ran.err
    assert f"its tags name apps/app in {ARN}" in ran.err
    assert delete_sa(stage, "--role-name", name).code == 0


def test_what_a_killed_run_left_is_recovered(doomed: Stage) -> None:
    stage = doomed
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    assert stage.create_sa("late", "apps", *CREATE).code == -9
    stage.sandbox.settle()
    (journal,) = stage.irsa("recover", "-o", "json").items
    stage = gone(stage)
    ran = stage.irsa("recover", journal["transaction"], "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "rolled-back"), ran.err
    assert ["-late-" in name for name in roles(stage)] == [False]


def test_it_is_recovered_without_a_journal(doomed: Stage) -> None:
    stage = doomed
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    assert stage.create_sa("late", "apps", *CREATE).code == -9
    stage.sandbox.settle()
    for path in (stage.folder / "state").glob("*.jsonl"):
        path.unlink()
    stage = gone(stage)
    ran = stage.irsa("recover", "-c", NAME, "--all", "--min-age", "0s")
    assert ran.code == 0, ran.err
    assert ARN in ran.err
    assert not [name for name in roles(stage) if "-late-" in name]
    assert len(roles(stage, "demo")) == 1


def test_a_deletion_that_was_cut_off_is_finished(doomed: Stage) -> None:
    """By the same command, or by its journal: what was in the cluster is not to be brought back."""
    stage = doomed
    stage.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", run=stage.kill))
    assert delete_sa(stage).code == -9
    stage.sandbox.settle()
    (journal,) = stage.irsa("recover", "-o", "json").items
    stage = gone(stage)
    ran = stage.irsa("recover", journal["transaction"], "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "rolled-back"), ran.err
    assert "is gone with its cluster" in str(ran.item["notes"])
    assert len(roles(stage)) == 1
    assert delete_sa(stage).code == 0
    assert not roles(stage)
    assert not stage.irsa("recover", "-o", "json").items
