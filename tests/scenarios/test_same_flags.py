"""One flag means the same in all commands: names, namespaces, selectors, forms of output, durations."""

import re

import pytest

from tests.scenarios.binding import make_binding
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage

ONE = {
    "create-sa": ("--attach-policy-arn", READ_ONLY, "--dry-run"),
    "update-sa": ("--tags", "a=b", "--dry-run"),
    "delete-sa": ("--dry-run", "--force"),
    "adopt": ("--dry-run",),
    "get-sa": (),
    "describe-sa": (),
    "verify": (),
    "doctor": (),
    "token": ("--decode",),
    "credentials": ("-o", "json"),
    "exec": ("--", "true"),
}


@pytest.mark.parametrize("command", ONE)
def test_a_name_is_given_either_way(command: str, stage: Stage, namespace: str) -> None:
    assert stage.associate("-q").code == 0
    assert stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "-q").code == 0
    before = stage.world()
    where = ("-n", namespace, "-c", stage.cluster)
    by_place = stage.irsa(command, "reader", *where, *ONE[command])
    by_option = stage.irsa(command, "--name", "reader", *where, *ONE[command])
    both = stage.irsa(command, "reader", "--name", "reader", *where, *ONE[command])
    assert by_place.code == by_option.code == both.code != 2
    different = stage.irsa(command, "reader", "--name", "other", *where, *ONE[command])
    assert different.code == 2
    assert "--name" in different.err
    assert stage.world() == before


def labelled(stage: Stage, namespace: str) -> None:
    """`reader`, which has a role, with a label; and `other` with another."""
    arn = make_binding(stage, namespace)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/reader"
    assert stage.kube.patch(path, {"metadata": {"labels": {"tier": "web"}}}).status == 200
    stage.make_account(namespace, "other", annotations={ROLE_ARN: arn}, labels={"tier": "db"})


def test_a_selector_is_the_api_servers_business(stage: Stage, namespace: str) -> None:
    labelled(stage, namespace)
    where = ("-n", namespace, "-c", stage.cluster)
    selected = {"tier=web": {"reader"}, "tier!=web": {"other"}, "tier in (web, db)": {"reader", "other"}}
    for selector, expected in selected.items():
        for command in ("get-sa", "verify", "doctor"):
            found = stage.irsa(command, *where, "-l", selector, "-q", "-o", "name")
            assert set(found.out.split()) == {f"{namespace}/{name}" for name in expected}, command


def test_names(stage: Stage, namespace: str) -> None:
    labelled(stage, namespace)
    where = ("-n", namespace, "-c", stage.cluster, "-q")
    assert stage.irsa("get-sa", *where, "-o", "name").out.split() == [
        f"{namespace}/other",
        f"{namespace}/reader",
    ]
    assert stage.irsa("describe-sa", "reader", *where, "-o", "name").out == f"{namespace}/reader\n"
    assert stage.irsa("verify", "--all", *where, "-o", "name").out.split() == [
        f"{namespace}/other",
        f"{namespace}/reader",
    ]
    wide, policies, plain = (
        re.sub(r"\d\d:\d\d UTC", "", stage.irsa("describe-sa", "reader", *where, *more).out)
        for more in (("-o", "wide"), ("--policies",), ())
    )
    assert wide == policies != plain


def test_a_form_hides_no_error(stage: Stage, namespace: str) -> None:
    ran = stage.irsa("get-sa", "lost", "-n", namespace, "-c", stage.cluster, "-o", "name")
    assert (ran.code, ran.out) == (4, "")
    assert "lost" in ran.err


@pytest.mark.parametrize(("given", "seconds"), [("1h", 3600), ("90m", 5400), ("7200", 7200)])
def test_durations_of_roles(given: str, seconds: int, stage: Stage, namespace: str) -> None:
    assert stage.associate("-q").code == 0
    options = ("--attach-policy-arn", READ_ONLY, "--max-session-duration", given, "--token-expiration", given)
    assert stage.create_sa("reader", namespace, *options, "-q").code == 0
    assert stage.role_of(namespace, "reader")["max_session_duration"] == seconds
    account = stage.account(namespace, "reader")
    assert account is not None
    assert account["annotations"]["eks.amazonaws.com/token-expiration"] == str(seconds)


@pytest.mark.parametrize("given", ["59m", "13h", "1.5s", "3600.5", "1d", "-1"])
def test_durations_beyond_what_iam_takes(given: str, stage: Stage, namespace: str) -> None:
    ran = stage.create_sa("reader", namespace, "--max-session-duration", given)
    assert ran.code == 2
    assert "--max-session-duration" in ran.err
