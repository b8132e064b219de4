"""`irsa disassociate-oidc`: the provider goes when no role trusts it, and comes back as it was."""

from typing import Any

import pytest

from tests.scenarios.foreign import issuer_of
from tests.support.acts import killed, strike
from tests.support.stage import Stage

GO = "disassociate-oidc"
MADE = "associate-oidc --audience vault --tags a=b"
AT = "iam DeleteOpenIDConnectProvider"


def test_it_goes_and_then_there_is_nothing_to_do(stage: Stage) -> None:
    before = stage.world()
    stage.run(MADE)
    planned = stage.run(f"{GO} --dry-run --detailed-exitcode -o json", code=6, changes="")
    assert planned.item["changes"][0]["action"] == "delete"
    item = stage.run(f"{GO} -o json").item
    assert (item["provider"]["deleted"], "vault" in item["notes"][0]) == (True, True)
    assert stage.world() == before
    stage.run(f"{GO} -o json", says='"unchanged"', changes="")


def test_while_roles_trust_it_it_stays(stage: Stage, namespace: str) -> None:
    stage.run("create-sa app -n $ns --attach-policy-arn $S3 --associate-oidc")
    stage.run(GO, code=4, says=stage.role_of(namespace, "app")["arn"], changes="")
    strike(stage, "iam ListRoles error", times=None)
    stage.run(GO, code=1, changes="")
    stage.run(f"{GO} --force")
    assert not stage.aws_world()["oidc_providers"]


@pytest.mark.parametrize("tags", [{}, {"alpha.eksctl.io/cluster-name": "demo"}, {"managed-by": "terraform"}])
def test_one_that_irsa_did_not_make_stays(stage: Stage, tags: dict[str, str]) -> None:
    pairs: Any = [{"Key": key, "Value": value} for key, value in tags.items()]
    stage.iam().create_open_id_connect_provider(
        Url=f"https://{issuer_of(stage)}", ClientIDList=["sts.amazonaws.com"], Tags=pairs
    )
    stage.run(GO, code=4, says="--force", changes="")
    # An audience that irsa has added does not make it irsa's.
    stage.run("associate-oidc --audience vault")
    stage.run(GO, code=4, changes="")
    stage.run(f"{GO} --force")
    assert not stage.aws_world()["oidc_providers"]


def test_a_lost_answer_is_settled_and_a_refusal_changes_nothing(stage: Stage) -> None:
    stage.run(MADE)
    strike(stage, f"{AT} error")
    stage.run(GO, code=1, changes="")
    strike(stage, f"{AT} reset-after", times=None)
    stage.run(GO)
    assert not stage.aws_world()["oidc_providers"]


def test_one_that_was_cut_off_comes_back_as_it_was(stage: Stage) -> None:
    stage.run(MADE)
    before = stage.world()
    killed(stage, GO, f"{AT} callback")
    assert not stage.aws_world()["oidc_providers"]
    ran = stage.irsa("recover", "--all")
    assert ran.code == 0, ran.err
    assert stage.world() == before


def test_one_that_was_cut_off_and_run_again_does_not_come_back(stage: Stage) -> None:
    stage.run(MADE)
    killed(stage, GO, f"{AT} reset-before", times=None)
    stage.run(GO)
    assert stage.irsa("recover", "--all", "-o", "json").items == []
    assert not stage.aws_world()["oidc_providers"]
