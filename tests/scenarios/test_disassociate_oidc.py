"""`irsa disassociate-oidc`: the provider goes when no role trusts it, and comes back as it was."""

from typing import Any

from tests.scenarios.foreign import issuer_of
from tests.support.acts import after, fault, killed, named, refused
from tests.support.rows import Row, play_all, rows
from tests.support.stage import Stage

GO = "disassociate-oidc"
MADE = "associate-oidc --audience vault --tags a=b"
AT = "iam DeleteOpenIDConnectProvider"


LOST = """
- provider $id
- provider $id audiences vault
- provider $id tags a b
- provider $id tags irsa/cluster $cluster
"""
BOUND = "create-sa app -n $ns --attach-policy-arn $S3 --associate-oidc"
IN_USE = LOST.replace("vault", "sts.amazonaws.com").replace("tags a b", "tags irsa/service-account $ns/app")
PLANNED, GONE = {"items.0.changes.0.action": "delete"}, {"items.0.provider.deleted": True}
UNREAD = fault("iam ListRoles error", times=None)


@rows(
    Row("an error", GO, 1, given=after(MADE, fault(f"{AT} error"))),
    Row("a lost answer", GO, 0, (), LOST, given=after(MADE, fault(f"{AT} reset-after", times=None))),
)
def test_how_it_ends(row: Row, stage: Stage, namespace: str) -> None:
    stage.words["id"] = issuer_of(stage).rpartition("/")[2]
    row.play(stage)


def test_what_goes_and_what_is_refused(stage: Stage, namespace: str) -> None:
    named(stage, "app")
    stage.words["id"] = issuer_of(stage).rpartition("/")[2]
    played = (
        Row("a plan", f"{GO} --dry-run --detailed-exitcode -o json", 6, given=MADE, document=PLANNED),
        Row("what is there", f"{GO} -o json", 0, "vault", LOST, document=GONE),
        Row("nothing", f"{GO} -o json", 0, '"unchanged"'),
        Row("a role that trusts it", GO, 4, "$arn", given=BOUND),
        Row("roles that can't be read", GO, 1, given=UNREAD),
        Row("force", f"{GO} --force", 0, (), IN_USE),
    )
    play_all(stage, played)


def test_one_that_irsa_did_not_make_stays(stage: Stage) -> None:
    for tags in ({}, {"alpha.eksctl.io/cluster-name": "demo"}, {"managed-by": "terraform"}):
        pairs: Any = [{"Key": key, "Value": value} for key, value in tags.items()]
        stage.iam().create_open_id_connect_provider(
            Url=f"https://{issuer_of(stage)}", ClientIDList=["sts.amazonaws.com"], Tags=pairs
        )
        refused(stage, GO, "--force")
        # An audience that irsa has added does not make it irsa's.
        stage.run("associate-oidc --audience vault")
        refused(stage, GO)
        stage.run(f"{GO} --force")
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
