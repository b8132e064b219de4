"""`irsa disassociate-oidc`: the provider goes when no role trusts it, and comes back as it was."""

import pytest

from irsa_cli.sandbox import Fault
from tests.support.sandbox_clients import client
from tests.support.stage import READ_ONLY, Ran, Stage


def disassociate(stage: Stage, *arguments: str) -> Ran:
    return stage.irsa("disassociate-oidc", "-c", stage.cluster, *arguments)


def test_it_goes_and_then_there_is_nothing_to_do(stage: Stage) -> None:
    before = stage.world()
    assert stage.associate("--audience", "vault", "--tags", "a=b").code == 0
    made = stage.world()
    planned = disassociate(stage, "--dry-run", "--detailed-exitcode", "-o", "json")
    assert (planned.code, planned.item["changes"][0]["action"]) == (6, "delete")
    assert stage.world() == made
    ran = disassociate(stage, "-o", "json")
    assert (ran.code, ran.item["provider"]["deleted"]) == (0, True), ran.err
    assert "vault" in ran.item["notes"][0]
    assert stage.world() == before
    again = disassociate(stage, "-o", "json")
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged")


def test_while_roles_trust_it_it_stays(stage: Stage, namespace: str) -> None:
    assert stage.associate().code == 0
    assert stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    before = stage.world()
    ran = disassociate(stage)
    assert (ran.code, stage.role_of(namespace, "app")["arn"] in ran.err) == (4, True)
    assert stage.world() == before
    stage.sandbox.faults.add(Fault("iam", "ListRoles", "error", times=None))
    assert disassociate(stage).code == 1
    assert stage.world() == before
    assert disassociate(stage, "--force").code == 0
    assert not stage.aws_world()["oidc_providers"]


@pytest.mark.parametrize("tags", [{}, {"alpha.eksctl.io/cluster-name": "demo"}, {"managed-by": "terraform"}])
def test_one_that_irsa_did_not_make_stays(stage: Stage, tags: dict[str, str]) -> None:
    cluster = client(stage.sandbox, "eks").describe_cluster(name=stage.cluster)["cluster"]
    client(stage.sandbox, "iam").create_open_id_connect_provider(
        Url=cluster["identity"]["oidc"]["issuer"],
        ClientIDList=["sts.amazonaws.com"],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    before = stage.world()
    ran = disassociate(stage)
    assert (ran.code, "--force" in ran.err) == (4, True), ran.err
    assert stage.world() == before
    # An audience that irsa has added does not make it irsa's.
    assert stage.associate("--audience", "vault").code == 0
    assert disassociate(stage).code == 4
    assert disassociate(stage, "--force").code == 0
    assert not stage.aws_world()["oidc_providers"]


def test_a_lost_answer_is_settled_and_a_refusal_changes_nothing(stage: Stage) -> None:
    assert stage.associate("--audience", "vault", "--tags", "a=b").code == 0
    before = stage.world()
    operation = "DeleteOpenIDConnectProvider"
    stage.sandbox.faults.add(Fault("iam", operation, "error", times=1))
    assert disassociate(stage).code == 1
    assert stage.world() == before
    stage.sandbox.faults.add(Fault("iam", operation, "reset-after", times=None))
    assert disassociate(stage).code == 0
    assert not stage.aws_world()["oidc_providers"]


def test_one_that_was_cut_off_comes_back_as_it_was(stage: Stage) -> None:
    assert stage.associate("--audience", "vault", "--tags", "a=b").code == 0
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "DeleteOpenIDConnectProvider", "callback", run=stage.kill))
    assert disassociate(stage).code == -9
    stage.sandbox.settle()
    assert not stage.aws_world()["oidc_providers"]
    ran = stage.irsa("recover", "--all")
    assert ran.code == 0, ran.err
    assert stage.world() == before


def test_one_that_was_cut_off_and_run_again_does_not_come_back(stage: Stage) -> None:
    assert stage.associate().code == 0
    stage.sandbox.faults.add(
        Fault("iam", "DeleteOpenIDConnectProvider", "reset-before", times=None, run=stage.kill)
    )
    assert disassociate(stage).code == -9
    stage.sandbox.settle()
    stage.sandbox.faults.clear()
    assert disassociate(stage).code == 0
    assert stage.irsa("recover", "--all", "-o", "json").items == []
    assert not stage.aws_world()["oidc_providers"]
