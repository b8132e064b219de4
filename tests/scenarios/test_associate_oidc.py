"""`irsa associate-oidc`: made, there already, another audience, and each way it can fail.

That any answer of it may be lost, the matrix shows.
"""

import hashlib

import pytest

from tests.scenarios.foreign import issuer_of
from tests.support.acts import killed, strike
from tests.support.rows import Row, play_all
from tests.support.stage import Stage

ASSOCIATE = "associate-oidc"
TAGGED = f"{ASSOCIATE} --tags team=a"
ISSUER = "https://issuer.example.com/clusters/one"
MADE = """
+ provider $id
+ provider $id audiences sts.amazonaws.com
+ provider $id tags irsa/cluster $cluster
"""


@pytest.fixture(autouse=True)
def named(stage: Stage) -> None:
    stage.words["id"] = issuer_of(stage).rpartition("/")[2]


def full(stage: Stage) -> None:
    strike(stage, "iam CreateOpenIDConnectProvider error", code="LimitExceeded", status=409)


TWO = f"{ASSOCIATE} --audience two.example.com"


def test_how_it_ends(stage: Stage) -> None:
    full(stage)
    said = ('"LimitExceeded"', "list-open-id-connect-providers")
    played = (
        Row("no room", f"{ASSOCIATE} -o json", 1, said),
        Row("a dry run", f"{ASSOCIATE} --dry-run"),
        Row("a dry run in detail", f"{ASSOCIATE} --dry-run --detailed-exitcode", 6),
        Row("fresh", f"{TAGGED} --approve", 0, (), [MADE, "+ provider $id tags team a"]),
        Row("again", f"{ASSOCIATE} -o json", 0, ('"unchanged"', "sts.amazonaws.com")),
        Row("another thumbprint", f"{ASSOCIATE} --thumbprint {'ab' * 20}", 4),
        Row("another tag", f"{ASSOCIATE} --tags team=b", 4),
        Row("another audience", TWO, 0, (), "+ provider $id audiences two.example.com"),
    )
    play_all(stage, played)


def test_the_issuer_becomes_a_provider_without_a_thumbprint(stage: Stage) -> None:
    issuer = stage.run(f"{ASSOCIATE} -o json", says='"committed"').metadata["cluster"]["issuer"]
    (provider,) = stage.world()["oidc_providers"].values()
    assert "https://" + provider["url"].removeprefix("https://") == issuer
    # IAM has filled it in, which the sandbox plays.
    assert provider["thumbprints"] == [hashlib.sha1(provider["url"].split("/")[0].encode()).hexdigest()]


@pytest.mark.parametrize("kind", ["reset-after", "half-body"])
def test_a_lost_answer_is_settled(stage: Stage, kind: str) -> None:
    strike(stage, f"iam CreateOpenIDConnectProvider {kind}")
    stage.run(ASSOCIATE, changes=MADE)
    strike(stage, f"iam AddClientIDToOpenIDConnectProvider {kind}")
    stage.run(TWO, changes="+ provider $id audiences two.example.com")


def test_a_cluster_that_is_not_eks_is_named_by_its_issuer(stage: Stage) -> None:
    stage.run(f"{ASSOCIATE} --issuer-url {ISSUER} --account 111122223333")
    providers = [arn.partition("oidc-provider/")[2] for arn in stage.world()["oidc_providers"]]
    assert providers == ["issuer.example.com/clusters/one"]


def test_one_that_was_cut_off_is_gone_on_with_and_not_taken_back(stage: Stage) -> None:
    killed(stage, TWO, "iam CreateOpenIDConnectProvider callback")
    # This one wishes less: the other may still be taken back.
    stage.run(ASSOCIATE, says="was interrupted")
    assert len(stage.irsa("recover", "-o", "json").items) == 1
    stage.run(TWO)
    made = stage.world()
    assert stage.irsa("recover", "--all", "-o", "json").items == []
    assert stage.world() == made
