"""`irsa credentials`: they are the role's, in each form, and an AWS profile lives on them."""

import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import boto3
import pytest

from tests.scenarios.binding import make_binding
from tests.support import forks
from tests.support.stage import ROLE_ARN, Ran, Stage
from tests.support.terminal import Terminal

LIST = """
import boto3, sys
session = boto3.Session(profile_name=sys.argv[1] if len(sys.argv) > 1 else None)
print(len(session.client("s3").list_buckets()["Buckets"]), session.client("sts").get_caller_identity()["Arn"])
"""


@pytest.fixture
def role(stage: Stage, namespace: str) -> str:
    """A working binding, `reader`; the name of its role."""
    return make_binding(stage, namespace).rsplit("/", 1)[-1]


def line(stage: Stage, namespace: str, *flags: str) -> list[str]:
    return ["credentials", "reader", "-n", namespace, "-c", stage.cluster, *flags]


def python(stage: Stage, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the environment of a caller, changed."""
    return subprocess.run(
        [sys.executable, "-c", LIST, *arguments],
        env={key: value for key, value in {**stage.env(), **env}.items() if value},
        cwd=stage.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_export_lines_make_a_shell_the_role(stage: Stage, namespace: str, role: str) -> None:
    ran = stage.irsa(*line(stage, namespace))
    assert (ran.code, ran.err) == (0, "")
    script = f"{ran.out}exec {sys.executable} -c '{LIST}'"
    told = subprocess.run(
        ["sh", "-eu", "-c", script], env=stage.env(), capture_output=True, text=True, check=True, timeout=60
    )
    count, identity = told.stdout.split()
    assert int(count) > 0
    assert f"assumed-role/{role}/irsa-" in identity


def test_the_document_names_whose_credentials_they_are(stage: Stage, namespace: str, role: str) -> None:
    ran = stage.irsa(*line(stage, namespace, "-o", "json", "--duration", "15m", "-v"))
    found = ran.item
    assert ran.json["kind"] == "CredentialsList"
    assert found["serviceAccount"] == {"namespace": namespace, "name": "reader"}
    assert found["role"]["arn"].endswith(f"/{role}")
    expires = datetime.strptime(found["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert 800 < (expires - datetime.now(timezone.utc)).total_seconds() <= 900
    for secret in ("accessKeyId", "secretAccessKey", "sessionToken"):
        assert found[secret]
        assert found[secret] not in ran.err
    s3 = boto3.client(
        "s3",
        region_name=stage.region,
        endpoint_url=stage.sandbox.url,
        aws_access_key_id=found["accessKeyId"],
        aws_secret_access_key=found["secretAccessKey"],
        aws_session_token=found["sessionToken"],
    )
    assert s3.list_buckets()["Buckets"]


def profile(stage: Stage, namespace: str, *flags: str) -> Path:
    """An AWS configuration with a profile that gets its credentials from irsa."""
    command = [forks.irsa(), *line(stage, namespace, "-o", "credential-process")]
    path = stage.folder / "config"
    path.write_text(f"[profile pod]\ncredential_process = {' '.join([*command, *flags])}\n")
    return path


def test_a_profile_of_an_sdk_lives_on_it(stage: Stage, namespace: str, role: str) -> None:
    ran = python(stage, "pod", AWS_CONFIG_FILE=str(profile(stage, namespace)))
    assert ran.returncode == 0, ran.stderr
    count, identity = ran.stdout.split()
    assert int(count) > 0
    assert f"assumed-role/{role}/irsa-" in identity
    printed = stage.irsa(*line(stage, namespace, "-o", "credential-process"))
    assert printed.out.count("\n") == 1
    assert printed.json["Version"] == 1
    assert set(printed.json) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}


def test_a_profile_that_is_its_own_caller_ends_in_an_error(stage: Stage, namespace: str, role: str) -> None:
    """Without a stop each run would start the next."""
    config = profile(stage, namespace)
    stage.sandbox.calls.clear()
    ran = python(
        stage, AWS_CONFIG_FILE=str(config), AWS_PROFILE="pod", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""
    )
    assert ran.returncode == 1
    assert "started by itself" in ran.stderr
    assert [call for call in stage.sandbox.calls if call.operation == "AssumeRoleWithWebIdentity"] == []


def test_a_profile_names_the_callers_own(stage: Stage, namespace: str, role: str) -> None:
    env = stage.env()
    config = profile(stage, namespace, "-p", "mine")
    shared = stage.folder / "credentials"
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    shared.write_text("[mine]\n" + "".join(f"{name.lower()} = {env[name]}\n" for name in names))
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(shared)}
    ran = python(stage, AWS_PROFILE="pod", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", **files)
    assert ran.returncode == 0, ran.stderr
    assert f"assumed-role/{role}/irsa-" in ran.stdout


def refused(stage: Stage, namespace: str, *flags: str) -> Ran:
    ran = stage.irsa(*line(stage, namespace, *flags))
    assert (ran.code, ran.out) == (5, "")
    assert f"irsa doctor reader -n {namespace} -c {stage.cluster}" in ran.err
    assert f"irsa verify reader -n {namespace} -c {stage.cluster}" in ran.err
    assert not re.search(r"eyJ[\w-]+\.[\w-]+", ran.err)
    return ran


def test_what_sts_refuses_is_told_in_its_words(stage: Stage, namespace: str, role: str) -> None:
    account = stage.account(namespace, "reader")
    assert account is not None
    stage.annotate(namespace, "reader", **{ROLE_ARN: account["annotations"][ROLE_ARN] + "-gone"})
    ran = refused(stage, namespace)
    assert "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity" in ran.err
    stage.annotate(namespace, "reader", **{"eks.amazonaws.com/audience": "example.com"})
    assert "Incorrect token audience" in refused(stage, namespace).err


def test_more_time_than_the_role_gives_is_told(stage: Stage, namespace: str, role: str) -> None:
    ran = stage.irsa(*line(stage, namespace, "--duration", "2h"))
    assert ran.code == 5
    assert "MaxSessionDuration" in ran.err
    assert f"irsa update-sa reader -n {namespace} -c {stage.cluster} --max-session-duration 7200" in ran.err
    assert "irsa doctor" not in ran.err


def test_a_terminal_is_warned_about(stage: Stage, namespace: str, role: str) -> None:
    command = [sys.executable, "-m", "irsa_cli", *line(stage, namespace)]
    with Terminal(command, stage.env(), stage.folder) as terminal:
        terminal.read("irsa: these are secrets")
        terminal.read("export AWS_SESSION_TOKEN=")
        assert terminal.end() == 0
