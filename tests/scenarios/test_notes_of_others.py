"""What somebody has written over irsa's own notes goes into no policy, and into no configuration of pods."""

import json

import pytest

from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.scenarios.other_account import Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.scenarios.test_chaining import target, way
from tests.support.stage import Stage

EXTERNAL_ID, TARGET, CONFIG_MAP = "irsa/target-external-id", "irsa/target-role-arn", "irsa/aws-config-map"
COMMAND = "x1\ncredential_process = sh -c 'touch /tmp/pwned'"


@pytest.fixture(autouse=True)
def _chained(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    """A ServiceAccount whose role goes on to another account's."""
    stage.words["target"] = target(elsewhere)
    stage.run("associate-oidc")
    flags = (
        "--target-role",
        stage.words["target"],
        "--external-id",
        "tenant-7",
        "--aws-config-map",
        "app-aws",
    )
    ran = stage.create_sa("app", namespace, *flags, *way(elsewhere), "--update-target-trust")
    assert ran.code == 0, ran.err


@pytest.fixture
def to_target(elsewhere: Elsewhere) -> str:
    """The options by which the other account is reached."""
    return " ".join(way(elsewhere))


def test_an_update_that_needs_an_unreadable_note_is_refused(
    stage: Stage, namespace: str, elsewhere: Elsewhere, to_target: str
) -> None:
    before = elsewhere.world()
    for flags, key, good in (
        ("--aws-config-map other-aws", EXTERNAL_ID, "tenant-7"),
        ("--update-target-trust", EXTERNAL_ID, "tenant-7"),
        ("--target-tag-session", CONFIG_MAP, "app-aws"),
    ):
        stage.annotate(namespace, "app", **{key: COMMAND})
        stage.run(f"update-sa app -n $ns {flags} {to_target}", code=4, says=key, changes="")
        stage.annotate(namespace, "app", **{key: good})
    assert elsewhere.world() == before


def test_a_flag_in_its_place_makes_it_right(stage: Stage, namespace: str, to_target: str) -> None:
    before = stage.account(namespace, "app")
    stage.annotate(namespace, "app", **{EXTERNAL_ID: COMMAND, CONFIG_MAP: COMMAND})
    stage.run(f"update-sa app -n $ns --external-id tenant-7 --aws-config-map app-aws {to_target}")
    assert stage.account(namespace, "app") == before


def test_what_does_not_need_it_goes_on(
    stage: Stage, namespace: str, elsewhere: Elsewhere, to_target: str
) -> None:
    stage.annotate(namespace, "app", **dict.fromkeys((EXTERNAL_ID, TARGET, CONFIG_MAP), COMMAND))
    stage.run("update-sa app -n $ns --description x")
    said = "not checked: the annotation irsa/target-role-arn can't be read"
    stage.run(f"verify app -n $ns {to_target}", code=1, says=said)
    described = stage.run(f"describe-sa app -n $ns {to_target} -o json", says="can't be read").item
    assert described["target"]["awsConfig"] == ""
    diagnosed = stage.irsa("doctor", "app", "-n", namespace, "-c", stage.cluster, "-o", "json")
    assert "credential_process" not in " ".join(item.get("fix") or "" for item in diagnosed.items)
    stage.run(f"delete-sa app -n $ns {to_target} --yes", says="can't be read")
    assert len(elsewhere.world()["roles"]["data"]["trust"]["Statement"]) == 1


def test_a_saved_plan_says_nothing_that_no_flag_takes(stage: Stage) -> None:
    line = "create-sa two -n $ns --target-role $target --external-id tenant-8"
    stage.run(f"{line} --dry-run --out plan.json")
    path = stage.folder / "plan.json"
    document = json.loads(path.read_text())
    document["request"]["spec"]["external_id"] = COMMAND
    path.write_text(json.dumps({**document, "digest": digest_of(document)}))
    stage.run("apply plan.json", code=2, says="external id", changes="")
