"""`irsa associate-oidc`: made, there already, another audience, and each way it can fail."""

import hashlib

import pytest

from irsa_cli.sandbox import Fault
from tests.support.stage import Stage


def provider(stage: Stage) -> dict[str, object]:
    (found,) = stage.world()["oidc_providers"].values()
    assert isinstance(found, dict)
    return found


def test_the_issuer_becomes_a_provider_without_a_thumbprint(stage: Stage) -> None:
    ran = stage.associate("--tags", "team=a", "-o", "json", "--approve")
    assert ran.code == 0, ran.err
    assert ran.metadata["outcome"] == "committed"
    found = provider(stage)
    assert found["audiences"] == ["sts.amazonaws.com"]
    host = str(found["url"]).split("/")[0]
    # IAM has filled it in, which the sandbox plays.
    assert found["thumbprints"] == [hashlib.sha1(host.encode()).hexdigest()]
    assert "https://" + str(found["url"]).removeprefix("https://") == ran.metadata["cluster"]["issuer"]
    tags = found["tags"]
    assert isinstance(tags, dict)
    assert tags["team"] == "a"


def test_again_nothing_is_written(stage: Stage) -> None:
    assert stage.associate().code == 0
    before = stage.world()
    ran = stage.associate("-o", "json")
    assert ran.code == 0
    assert ran.metadata["outcome"] == "unchanged"
    assert "sts.amazonaws.com" in ran.item["notes"][0]
    assert stage.world() == before


def test_a_missing_audience_is_added_and_the_others_stay(stage: Stage) -> None:
    assert stage.associate("--audience", "one.example.com").code == 0
    ran = stage.associate("--audience", "two.example.com")
    assert ran.code == 0, ran.err
    assert provider(stage)["audiences"] == ["one.example.com", "two.example.com"]


@pytest.mark.parametrize("kind", ["reset-after", "half-body", "truncate-after"])
@pytest.mark.parametrize("operation", ["CreateOpenIDConnectProvider", "AddClientIDToOpenIDConnectProvider"])
def test_a_lost_answer_is_settled(stage: Stage, operation: str, kind: str) -> None:
    assert stage.associate("--audience", "one.example.com").code == 0
    if operation.startswith("Create"):
        (arn,) = stage.world()["oidc_providers"]
        stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    stage.sandbox.faults.add(Fault("iam", operation, kind, times=1))  # type: ignore[arg-type]
    ran = stage.associate("--audience", "two.example.com")
    assert ran.code == 0, ran.err
    assert "two.example.com" in str(provider(stage)["audiences"])


@pytest.mark.parametrize("asked", [("--thumbprint", "ab" * 20), ("--tags", "team=b")])
def test_what_is_there_and_differs_is_refused(stage: Stage, asked: tuple[str, ...]) -> None:
    assert stage.associate("--tags", "team=a").code == 0
    before = stage.world()
    assert stage.associate(*asked).code == 4
    assert stage.world() == before


def test_dry_run_does_nothing(stage: Stage) -> None:
    before = stage.world()
    assert stage.associate("--dry-run").code == 0
    assert stage.associate("--dry-run", "--detailed-exitcode").code == 6
    assert stage.world() == before


def test_a_cluster_that_is_not_eks_is_named_by_its_issuer(stage: Stage) -> None:
    issuer = "https://issuer.example.com/clusters/one"
    ran = stage.irsa("associate-oidc", "--issuer-url", issuer, "--account", "111122223333")
    assert ran.code == 0, ran.err
    assert [arn.partition("oidc-provider/")[2] for arn in stage.world()["oidc_providers"]] == [
        "issuer.example.com/clusters/one"
    ]


def test_the_quota_is_explained(stage: Stage) -> None:
    fault = Fault("iam", "CreateOpenIDConnectProvider", "error", code="LimitExceeded", status=409)
    stage.sandbox.faults.add(fault)
    before = stage.world()
    ran = stage.associate("-o", "json")
    assert ran.code == 1
    assert ran.error["code"] == "LimitExceeded"
    assert "list-open-id-connect-providers" in ran.err
    assert stage.world() == before


def test_one_that_was_cut_off_is_gone_on_with_and_not_taken_back(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault("iam", "CreateOpenIDConnectProvider", "callback", run=stage.kill))
    assert stage.associate("--audience", "vault").code == -9
    stage.sandbox.settle()
    # This one wishes less: the other may still be taken back.
    assert "was interrupted" in stage.associate().err
    assert len(stage.irsa("recover", "-o", "json").items) == 1
    assert stage.associate("--audience", "vault").code == 0
    made = stage.world()
    assert stage.irsa("recover", "--all", "-o", "json").items == []
    assert stage.world() == made
