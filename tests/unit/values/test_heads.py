"""The head of plans, questions and reports: place, caller and time."""

from datetime import datetime, timezone

import pytest

from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.shown import caller_name, head

DEPLOYER = "arn:aws:sts::444455556666:assumed-role/deployer/irsa"
ADMIN = "arn:aws:iam::111122223333:user/admin"
PLACE = "demo · eu-west-1 · account 111122223333"


def cluster(*, role_account: str = "", caller: str = "", role_caller: str = "", hour: int = 0) -> Cluster:
    return Cluster(
        *("demo", "arn:c", "eu-west-1", "aws", "111122223333", "https://i"),
        role_account=role_account,
        caller=caller,
        role_caller=role_caller,
        seen=datetime(2026, 11, 29, hour, 30, 59, tzinfo=timezone.utc) if hour else None,
    )


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (ADMIN, "user/admin"),
        ("arn:aws:iam::111122223333:user/ops/admin", "user/ops/admin"),
        ("arn:aws:iam::111122223333:root", "root"),
        (DEPLOYER, "role/deployer/irsa"),
        ("arn:aws-cn:sts::111122223333:federated-user/ci", "federated-user/ci"),
        ("", ""),
    ],
)
def test_a_caller_is_named_without_its_account(arn: str, name: str) -> None:
    assert caller_name(arn) == name


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (cluster(), PLACE),
        (cluster(hour=9), f"{PLACE} · 2026-11-29 09:30 UTC"),
        (cluster(caller=ADMIN, hour=9), f"{PLACE} · user/admin · 2026-11-29 09:30 UTC"),
        (
            cluster(role_account="444455556666", role_caller=DEPLOYER, caller=ADMIN),
            f"{PLACE} · roles in account 444455556666 as role/deployer/irsa · user/admin",
        ),
        (
            cluster(role_account="444455556666", role_caller=DEPLOYER, caller=DEPLOYER),
            f"{PLACE} · roles in account 444455556666 · role/deployer/irsa",
        ),
        (cluster(role_account="444455556666"), f"{PLACE} · roles in account 444455556666"),
        (cluster(role_account="111122223333"), PLACE),
    ],
)
def test_a_head_has_what_is_known(found: Cluster, shown: str) -> None:
    assert found.head == shown


def test_a_question_names_the_place_only() -> None:
    assert cluster(caller=ADMIN, hour=9).place == PLACE


def test_a_head_is_one_line_of_visible_characters() -> None:
    assert "\x1b" not in head("demo\x1b[2J", caller="arn:aws:sts::1:assumed-role/a/\nb")
    assert "\n" not in head("demo", caller="arn:aws:sts::1:assumed-role/a/\nb")


def test_who_and_when_make_no_other_cluster() -> None:
    assert cluster(caller=ADMIN, hour=9) == cluster(caller=DEPLOYER, hour=10) == cluster()
