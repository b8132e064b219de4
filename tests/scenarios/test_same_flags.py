"""One flag means the same in all commands: names, namespaces, selectors, forms of output, durations."""

import re

from tests.scenarios.binding import make_binding
from tests.support.rows import arguments_of
from tests.support.stage import ROLE_ARN, Stage

ONE = {
    "create-sa": "--attach-policy-arn $S3 --dry-run",
    "update-sa": "--tags a=b --dry-run",
    "delete-sa": "--dry-run --force",
    "adopt": "--dry-run",
    "get-sa": "",
    "describe-sa": "",
    "verify": "",
    "doctor": "",
    "token": "--decode",
    "credentials": "-o json",
    "exec": "-- true",
}


def test_a_name_is_given_either_way(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc -q")
    stage.run("create-sa reader -n $ns --attach-policy-arn $S3 -q")
    before = stage.world()
    for command, more in ONE.items():
        codes = {
            stage.irsa(*arguments_of(stage, f"{command} {name} -n $ns -c $cluster {more}")).code
            for name in ("reader", "--name reader", "reader --name reader")
        }
        assert (len(codes), 2 in codes) == (1, False), command
        line = f"{command} reader --name other -n $ns -c $cluster {more}"
        stage.run(line, code=2, says="--name")
    assert stage.world() == before


def labelled(stage: Stage, namespace: str) -> None:
    """`reader`, which has a role, with a label; and `other` with another."""
    arn = make_binding(stage, namespace)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/reader"
    assert stage.kube.patch(path, {"metadata": {"labels": {"tier": "web"}}}).status == 200
    stage.make_account(namespace, "other", annotations={ROLE_ARN: arn}, labels={"tier": "db"})


def names(stage: Stage, line: str) -> list[str]:
    """What is printed, without the namespace; some of it fails."""
    out = stage.irsa(*arguments_of(stage, f"{line} -n $ns -q -o name")).out
    return [name.removeprefix(f"{stage.words['ns']}/") for name in out.split()]


def test_a_selector_is_the_api_servers_business(stage: Stage, namespace: str) -> None:
    labelled(stage, namespace)
    for selector, expected in {
        "tier=web": ["reader"],
        "tier!=web": ["other"],
        "tier in (web, db)": ["other", "reader"],
    }.items():
        for command in ("get-sa", "verify", "doctor"):
            assert sorted(names(stage, f"{command} -l '{selector}'")) == expected, command


def test_names(stage: Stage, namespace: str) -> None:
    labelled(stage, namespace)
    assert names(stage, "get-sa") == names(stage, "verify --all") == ["other", "reader"]
    assert names(stage, "describe-sa reader") == ["reader"]
    wide, policies, plain = (
        re.sub(r"\d\d:\d\d UTC", "", stage.run(f"describe-sa reader -n $ns -q {more}").out)
        for more in ("-o wide", "--policies", "")
    )
    assert wide == policies != plain
    assert stage.run("get-sa lost -n $ns -o name", code=4, says="lost").out == ""


def test_durations_of_roles(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc -q")
    for number, (given, seconds) in enumerate({"1h": 3600, "90m": 5400, "7200": 7200}.items()):
        durations = f"--max-session-duration {given} --token-expiration {given}"
        stage.run(f"create-sa reader-{number} -n $ns --no-policy {durations}")
        assert stage.role_of(namespace, f"reader-{number}")["max_session_duration"] == seconds
        account = stage.account(namespace, f"reader-{number}") or {}
        assert account["annotations"]["eks.amazonaws.com/token-expiration"] == str(seconds)


def test_durations_beyond_what_iam_takes(stage: Stage, namespace: str) -> None:
    for given in ("59m", "13h", "1.5s", "3600.5", "1d", "-1"):
        line = f"create-sa reader -n $ns --no-policy --max-session-duration {given}"
        stage.run(line, code=2, says="--max-session-duration", changes="")
