"""What somebody has written over irsa's own notes goes into no policy, and into no configuration of pods."""

import json
from pathlib import Path

import pytest

from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.scenarios.other_account import Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.scenarios.test_chaining import about, target, way
from tests.support.stage import Stage

EXTERNAL_ID, TARGET, CONFIG_MAP = "irsa/target-external-id", "irsa/target-role-arn", "irsa/aws-config-map"
COMMAND = "x1\ncredential_process = sh -c 'touch /tmp/pwned'"


@pytest.fixture(autouse=True)
def chained(stage: Stage, namespace: str, elsewhere: Elsewhere) -> str:
    """A ServiceAccount whose role goes on to another account's; the target's ARN."""
    assert stage.associate().code == 0
    arn = target(elsewhere)
    flags = ("--target-role", arn, "--external-id", "tenant-7", "--aws-config-map", "app-aws")
    ran = stage.create_sa("app", namespace, *flags, *way(elsewhere), "--update-target-trust")
    assert ran.code == 0, ran.err
    return arn


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        (("--aws-config-map", "other-aws"), EXTERNAL_ID),
        (("--update-target-trust",), EXTERNAL_ID),
        (("--target-tag-session",), CONFIG_MAP),
    ],
)
def test_an_update_that_needs_an_unreadable_note_is_refused(
    stage: Stage, namespace: str, elsewhere: Elsewhere, flags: tuple[str, ...], key: str
) -> None:
    stage.annotate(namespace, "app", **{key: COMMAND})
    before, there = stage.world(), elsewhere.world()
    ran = stage.irsa("update-sa", *about(stage, namespace), *flags, *way(elsewhere), "-o", "json")
    assert ran.code == 4, ran.err
    assert key in ran.error["message"]
    assert (stage.world(), elsewhere.world()) == (before, there)


def test_a_flag_in_its_place_makes_it_right(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    before = stage.account(namespace, "app")
    stage.annotate(namespace, "app", **{EXTERNAL_ID: COMMAND, CONFIG_MAP: COMMAND})
    flags = ("--external-id", "tenant-7", "--aws-config-map", "app-aws")
    ran = stage.irsa("update-sa", *about(stage, namespace), *flags, *way(elsewhere))
    assert ran.code == 0, ran.err
    assert stage.account(namespace, "app") == before


def test_what_does_not_need_it_goes_on(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    for key in (EXTERNAL_ID, TARGET, CONFIG_MAP):
        stage.annotate(namespace, "app", **{key: COMMAND})
    which = about(stage, namespace)
    assert stage.irsa("update-sa", *which, "--description", "x").code == 0
    verified = stage.irsa("verify", *which, *way(elsewhere))
    assert "not checked: the annotation irsa/target-role-arn can't be read" in verified.out + verified.err
    assert verified.code != 0
    described = stage.irsa("describe-sa", *which, *way(elsewhere), "-o", "json")
    assert described.item["target"]["awsConfig"] == ""
    assert "can't be read" in described.item["target"]["checks"][0]["text"]
    diagnosed = stage.irsa("doctor", *which, *way(elsewhere), "-o", "json")
    assert "credential_process" not in " ".join(item.get("fix") or "" for item in diagnosed.json["items"])
    deleted = stage.irsa("delete-sa", *which, *way(elsewhere), "--yes", "-o", "json")
    assert deleted.code == 0, deleted.err
    assert "can't be read" in deleted.out
    assert len(elsewhere.world()["roles"]["data"]["trust"]["Statement"]) == 1


def test_a_saved_plan_says_nothing_that_no_flag_takes(
    stage: Stage, namespace: str, elsewhere: Elsewhere, tmp_path: Path, chained: str
) -> None:
    path = tmp_path / "plan.json"
    flags = ("--target-role", chained, "--external-id", "tenant-8", "--dry-run", "--out", str(path))
    planned = stage.irsa("create-sa", "two", *about(stage, namespace)[1:], *flags)
    assert planned.code in (0, 6), planned.err
    document = json.loads(path.read_text())
    document["request"]["spec"]["external_id"] = COMMAND
    path.write_text(json.dumps({**document, "digest": digest_of(document)}))
    before = stage.world()
    ran = stage.irsa("apply", str(path))
    assert ran.code == 2, ran.err
    assert "external id" in ran.err
    assert stage.world() == before
