"""`irsa exec`: a command that is the pod, on both Kubernetes APIs; nothing of it is left at the end."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.binding import make_binding
from tests.support.rows import arguments_of
from tests.support.stage import Ran, Stage
from tests.support.terminal import Terminal

JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")

# The six steps: the SDK finds token and role by itself, asks STS, and then S3.
POD = """
import boto3, botocore.exceptions, json
s3 = boto3.client("s3")
buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
try:
    s3.delete_bucket(Bucket=buckets[0])
    refused = ""
except botocore.exceptions.ClientError as error:
    refused = error.response["Error"]["Code"]
print(json.dumps([boto3.client("sts").get_caller_identity()["Arn"], len(buckets), refused]))
"""
# What the command sees of irsa's doings.
LOOK = """
import json, os, pathlib, stat
token = pathlib.Path(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
parent = pathlib.Path(f"/proc/{os.getppid()}/cmdline")
print(json.dumps({
    "env": dict(os.environ),
    "token": token.read_text(),
    "modes": [stat.S_IMODE(path.stat().st_mode) for path in (token.parent, token)],
    "irsa": parent.read_text() if parent.exists() else "",
}))
"""
WAIT = """
import os, signal, sys
if sys.argv[1] == "catch":
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(5))
print(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"], os.getpid(), flush=True)
signal.pause()
"""


EXEC = "exec reader -n $ns"


@pytest.fixture
def role(stage: Stage, namespace: str) -> str:
    """A working binding, `reader`; the ARN of its role."""
    return make_binding(stage, namespace)


def line(stage: Stage, *command: str) -> list[str]:
    """The words of a command that is run as the pod."""
    return [*arguments_of(stage, EXEC), "--", *command]


def python(stage: Stage, script: str, flags: str = "", **env: str) -> Ran:
    """Run a script as the pod; what irsa puts aside is put into the stage's folder."""
    words = [*arguments_of(stage, f"{EXEC} {flags}"), "--", sys.executable, "-c", script]
    ran = stage.irsa(*words, TMPDIR=str(stage.folder), **env)
    assert list(stage.folder.glob("irsa-exec-*")) == []
    assert ran.code == 0, ran.err
    return ran


def test_the_command_does_what_the_pod_may_do(stage: Stage, role: str) -> None:
    ran = python(stage, POD, KUBECONFIG="")
    identity, buckets, refused = json.loads(ran.out)
    assert f"assumed-role/{role.rsplit('/', 1)[-1]}/irsa-" in identity
    assert (ran.err, buckets > 0, refused) == ("", True, "AccessDenied")


SECRETS = ("VAULT_ID_TOKEN", "ID_TOKEN", "KUBECONFIG", "aws_access_key_id")


STAYS = {"FTP_PROXY": "http://me:pr0xy@proxy:3128", "PACKAGES": "https://packages.example.org/simple"}


BY_VALUE = {"REPORTS_DB": "postgres://app:pa55@db:5432/app"}
"""Which names and values are secrets the unit tests of the environment say; a proxy is needed, and stays."""


def test_secrets_are_kept_from_the_command_and_named_unless_asked_for(stage: Stage, role: str) -> None:
    secrets = {**{name: f"the caller's {number}" for number, name in enumerate(SECRETS)}, **BY_VALUE}
    ran = python(stage, LOOK, **secrets, **STAYS, IRSA_PASS_ENV="ID_TOKEN")
    env = json.loads(ran.out)["env"]
    assert not set(secrets) & set(env)
    assert STAYS.items() <= env.items()
    assert [text for text in ("the caller's", "pa55") if text in ran.out + ran.err] == []
    assert [name for name in (*secrets, "--pass-env") if name not in ran.err] == []
    asked = python(stage, LOOK, "--pass-env ID_TOKEN --pass-env=KUBECONFIG", **secrets)
    env = json.loads(asked.out)["env"]
    assert {name: env[name] for name in secrets if name in env} == {
        name: secrets[name] for name in ("ID_TOKEN", "KUBECONFIG")
    }
    assert not {"ID_TOKEN", "KUBECONFIG"} & set(re.findall(r"\w+", asked.err))
    assert python(stage, LOOK, "-q", **secrets).err == ""


def claims_of(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_the_environment_follows_the_annotations(stage: Stage, namespace: str, role: str) -> None:
    for annotations, audience, seconds, regional in (
        ({}, "sts.amazonaws.com", 86400, "regional"),
        ({"audience": "example.com", "token-expiration": "1200", "sts-regional-endpoints": "false"},
         "example.com", 1200, None),
    ):  # fmt: skip
        written = {f"eks.amazonaws.com/{key}": text for key, text in annotations.items()}
        stage.annotate(namespace, "reader", **written)
        seen = json.loads(python(stage, LOOK).out)
        env, claims = seen["env"], claims_of(seen["token"])
        assert env["AWS_ROLE_ARN"] == role
        assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == stage.region
        assert env.get("AWS_STS_REGIONAL_ENDPOINTS") == regional
        assert env["IRSA_EXEC"] == f"{namespace}/reader@{stage.cluster}"
        assert (claims["aud"], claims["exp"] - claims["iat"]) == ([audience], seconds)
        assert claims["sub"] == f"system:serviceaccount:{namespace}:reader"


def test_the_token_is_in_its_file_and_nowhere_else(stage: Stage, role: str) -> None:
    ran = python(stage, LOOK, "-v")
    seen = json.loads(ran.out)
    assert JWT.fullmatch(seen["token"])
    assert seen["modes"] == [0o700, 0o600]
    assert "create serviceaccounts/token  201" in ran.err
    for text in (json.dumps(seen["env"]), seen["irsa"], ran.err):
        assert not JWT.search(text)


def test_the_exit_code_and_the_arguments_pass_through(stage: Stage, role: str) -> None:
    script = 'printf "%s|" "$@"; cat; exit 42'
    ran = stage.irsa(*line(stage, "sh", "-c", script, "sh", "-v", "--help", "--", "a b", ""), stdin="in")
    assert (ran.code, ran.out) == (42, "-v|--help|--|a b||in")


@pytest.mark.parametrize(
    ("behaviour", "to_child", "number", "code"),
    [
        ("catch", False, signal.SIGTERM, 5),
        ("die", False, signal.SIGINT, 130),
        ("die", True, signal.SIGKILL, 137),
    ],
)
def test_nothing_is_left_after_a_signal(
    stage: Stage, role: str, behaviour: str, to_child: bool, number: int, code: int
) -> None:
    command = line(stage, sys.executable, "-c", WAIT, behaviour)
    with subprocess.Popen(
        [sys.executable, "-m", "irsa_cli", *command],
        env={**stage.env(), "TMPDIR": str(stage.folder)},
        cwd=stage.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        token, pid = process.stdout.readline().split()
        assert Path(token).is_file()
        os.kill(int(pid) if to_child else process.pid, number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert not Path(token).parent.exists()
    assert "Traceback" not in err or behaviour == "die"


def test_a_shell_says_whose_identity_it_has(stage: Stage, namespace: str, role: str) -> None:
    (stage.folder / ".bashrc").write_text("PS1='own> '\n")
    command = [sys.executable, "-m", "irsa_cli", *line(stage, "bash")]
    env = {**stage.env(), "HOME": str(stage.folder), "TMPDIR": str(stage.folder)}
    with Terminal(command, env, stage.folder) as terminal:
        terminal.read(rf"\[{namespace}/reader@{stage.cluster}\] own> ")
        terminal.type("echo role $AWS_ROLE_ARN.; exit 7\n")
        assert terminal.read(r"role (arn\S+)\.\n").group(1) == role
        assert terminal.end() == 7
    assert list(stage.folder.glob("irsa-exec-*")) == []
