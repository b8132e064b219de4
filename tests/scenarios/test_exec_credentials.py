"""`irsa credentials`: they are the role's, in each form, and an AWS profile lives on them."""

import subprocess
import sys
import time
from datetime import datetime, timezone

import pytest

from tests.scenarios.binding import make_binding
from tests.support import forks
from tests.support.rows import arguments_of
from tests.support.stage import ROLE_ARN, Stage
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


LINE = "credentials reader -n $ns"


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


def test_the_export_lines_make_a_shell_the_role(stage: Stage, role: str) -> None:
    ran = stage.run(LINE)
    script = f"{ran.out}exec {sys.executable} -c '{LIST}'"
    told = subprocess.run(
        ["sh", "-eu", "-c", script], env=stage.env(), capture_output=True, text=True, check=True, timeout=60
    )
    count, identity = told.stdout.split()
    assert (ran.err, int(count) > 0, f"assumed-role/{role}/irsa-" in identity) == ("", True, True)


def test_the_document_names_whose_credentials_they_are(stage: Stage, namespace: str, role: str) -> None:
    start = int(time.time())
    ran = stage.run(f"{LINE} -o json --duration 15m -v")
    found = ran.item
    assert ran.json["kind"] == "CredentialsList"
    assert found["serviceAccount"] == {"namespace": namespace, "name": "reader"}
    assert found["role"]["arn"].endswith(f"/{role}")
    expires = datetime.strptime(found["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert start <= expires.timestamp() - 900 <= time.time()
    for secret in ("accessKeyId", "secretAccessKey", "sessionToken"):
        assert found[secret]
        assert found[secret] not in ran.err


def profile(stage: Stage, flags: str = "") -> str:
    """An AWS configuration with a profile that gets its credentials from irsa; its path."""
    words = arguments_of(stage, f"{LINE} -o credential-process {flags}")
    path = stage.folder / "config"
    path.write_text(f"[profile pod]\ncredential_process = {' '.join([str(forks.irsa()), *words])}\n")
    return str(path)


NO_KEYS = {"AWS_PROFILE": "pod", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


def test_a_profile_of_an_sdk_lives_on_it(stage: Stage, role: str) -> None:
    ran = python(stage, "pod", AWS_CONFIG_FILE=profile(stage))
    assert ran.returncode == 0, ran.stderr
    count, identity = ran.stdout.split()
    assert (int(count) > 0, f"assumed-role/{role}/irsa-" in identity) == (True, True)
    printed = stage.run(f"{LINE} -o credential-process")
    assert (printed.out.count("\n"), printed.json["Version"]) == (1, 1)
    assert " ".join(sorted(printed.json)) == "AccessKeyId Expiration SecretAccessKey SessionToken Version"


def test_a_profile_that_is_its_own_caller_ends_in_an_error(stage: Stage, role: str) -> None:
    """Without a stop each run would start the next."""
    stage.sandbox.calls.clear()
    ran = python(stage, AWS_CONFIG_FILE=profile(stage), **NO_KEYS)
    assert (ran.returncode, "started by itself" in ran.stderr) == (1, True)
    assert [call for call in stage.sandbox.calls if call.operation == "AssumeRoleWithWebIdentity"] == []


def test_a_profile_names_the_callers_own(stage: Stage, role: str) -> None:
    env, shared = stage.env(), stage.folder / "credentials"
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    shared.write_text("[mine]\n" + "".join(f"{name.lower()} = {env[name]}\n" for name in names))
    files = {"AWS_CONFIG_FILE": profile(stage, "-p mine"), "AWS_SHARED_CREDENTIALS_FILE": str(shared)}
    ran = python(stage, **NO_KEYS, **files)
    assert ran.returncode == 0, ran.stderr
    assert f"assumed-role/{role}/irsa-" in ran.stdout


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (ROLE_ARN, "$role-gone", "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        ("eks.amazonaws.com/audience", "example.com", "Incorrect token audience"),
    ],
)
def test_what_sts_refuses_is_told_in_its_words(
    stage: Stage, namespace: str, role: str, key: str, value: str, said: str
) -> None:
    arn = f"arn:aws:iam::{stage.account_id}:role/own/{role}"
    stage.annotate(namespace, "reader", **{key: value.replace("$role", arn)})
    proposed = ("irsa doctor reader -n $ns -c $cluster", "irsa verify reader -n $ns -c $cluster")
    ran = stage.run(LINE, code=5, says=(said, *proposed), silent="eyJ")
    assert ran.out == ""


def test_more_time_than_the_role_gives_is_told(stage: Stage, role: str) -> None:
    proposed = "irsa update-sa reader -n $ns -c $cluster --max-session-duration 7200"
    stage.run(f"{LINE} --duration 2h", code=5, says=("MaxSessionDuration", proposed), silent="irsa doctor")


def test_a_terminal_is_warned_about(stage: Stage, role: str) -> None:
    command = [sys.executable, "-m", "irsa_cli", *arguments_of(stage, LINE)]
    with Terminal(command, stage.env(), stage.folder) as terminal:
        terminal.read("irsa: these are secrets")
        terminal.read("export AWS_SESSION_TOKEN=")
        assert terminal.end() == 0
