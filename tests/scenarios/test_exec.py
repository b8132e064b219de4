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

import boto3
import botocore
import pytest
from botocore.config import Config

from irsa_cli.usecases.command.connect import Target, connect
from irsa_cli.usecases.exec.run import PrivateFolder, Renewal
from irsa_cli.usecases.read.identity import NamedServiceAccount
from tests.scenarios.binding import make_binding
from tests.support.stage import ROLE_ARN, Ran, Stage
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


@pytest.fixture
def role(stage: Stage, namespace: str) -> str:
    """A working binding, `reader`; the ARN of its role."""
    return make_binding(stage, namespace)


def line(stage: Stage, namespace: str, *command: str) -> list[str]:
    return ["exec", "reader", "-n", namespace, "-c", stage.cluster, *command]


def python(stage: Stage, namespace: str, script: str, *flags: str, **env: str) -> Ran:
    """Run a script as the pod; what irsa puts aside is put into the stage's folder."""
    command = line(stage, namespace, *flags, "--", sys.executable, "-c", script)
    ran = stage.irsa(*command, TMPDIR=str(stage.folder), **env)
    assert list(stage.folder.glob("irsa-exec-*")) == []
    return ran


def look(stage: Stage, namespace: str, *flags: str) -> Any:
    ran = python(stage, namespace, LOOK, *flags)
    assert ran.code == 0, ran.err
    return {**json.loads(ran.out), "err": ran.err}


def test_the_command_does_what_the_pod_may_do(stage: Stage, namespace: str, role: str) -> None:
    ran = python(stage, namespace, POD, KUBECONFIG="")
    assert (ran.code, ran.err) == (0, "")
    identity, buckets, refused = json.loads(ran.out)
    assert f"assumed-role/{role.rsplit('/', 1)[-1]}/irsa-" in identity
    assert buckets > 0
    assert refused == "AccessDenied"


def callers(stage: Stage) -> dict[str, str]:
    """Ways in which a caller has an identity that an SDK would take before the pod's, or after it.

    A default profile that becomes another role goes before a web identity, static keys go after it.
    """
    env = stage.env()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    keys = "".join(f"{name.lower()} = {env[name]}\n" for name in names)
    other = "role_arn = arn:aws:iam::111122223333:role/other\nsource_profile = mine\n"
    folder = stage.folder / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(f"[default]\n{other}[profile mine]\n{keys}")
    (folder / "credentials").write_text(f"[mine]\n{keys}")
    return {
        "HOME": str(stage.folder),
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_PROFILE": "mine",
        "AWS_DEFAULT_PROFILE": "mine",
        "AWS_ROLE_SESSION_NAME": "somebody",
        "AWS_CREDENTIAL_EXPIRATION": "2100-01-01T00:00:00Z",
    }


def test_the_callers_own_identity_is_not_taken_instead(stage: Stage, namespace: str, role: str) -> None:
    ran = python(stage, namespace, POD, **callers(stage))
    assert ran.code == 0, ran.err
    assert f"assumed-role/{role.rsplit('/', 1)[-1]}/irsa-" in ran.out


def test_the_callers_own_identity_is_no_way_out(stage: Stage, namespace: str, role: str) -> None:
    stage.annotate(namespace, "reader", **{ROLE_ARN: f"{role}-gone"})
    ran = subprocess.run(
        [sys.executable, "-m", "irsa_cli", *line(stage, namespace, "--", sys.executable, "-c", POD)],
        env={**stage.env(), **callers(stage)},
        cwd=stage.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 1
    assert "AccessDenied" in ran.stderr
    assert "AssumeRoleWithWebIdentity" in ran.stderr
    assert ran.stdout == ""


SECRETS = (
    "VAULT_ID_TOKEN",
    "ID_TOKEN",
    "TFC_WORKLOAD_IDENTITY_TOKEN",
    "AZURE_FEDERATED_TOKEN",
    "AZURE_FEDERATED_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KUBECONFIG",
    "aws_access_key_id",
    "aws_secret_access_key",
)


def test_secrets_are_kept_from_the_command_and_named_unless_asked_for(
    stage: Stage, namespace: str, role: str
) -> None:
    secrets = {name: f"the caller's {number}" for number, name in enumerate(SECRETS)}
    ran = python(stage, namespace, LOOK, **secrets)
    assert ran.code == 0, ran.err
    assert not set(SECRETS) & set(json.loads(ran.out)["env"])
    assert "the caller's" not in ran.out + ran.err
    assert all(name in ran.err for name in SECRETS)
    assert "--pass-env" in ran.err
    asked = python(stage, namespace, LOOK, "--pass-env", "ID_TOKEN", "--pass-env=KUBECONFIG", **secrets)
    made = json.loads(asked.out)["env"]
    assert set(SECRETS) & set(made) == {"ID_TOKEN", "KUBECONFIG"}
    assert made["ID_TOKEN"] == secrets["ID_TOKEN"]
    assert not {"ID_TOKEN", "KUBECONFIG"} & set(re.findall(r"\w+", asked.err))
    assert python(stage, namespace, LOOK, "-q", **secrets).err == ""


def test_a_secret_in_a_value_or_behind_a_setting_is_kept_from_the_command(
    stage: Stage, namespace: str, role: str
) -> None:
    """Of package indexes, webhooks, databases and tools' own folders; a proxy is needed, and stays."""
    secrets = {
        "PIP_INDEX_URL": "https://me:pa55@packages.example.org/simple",
        "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/pa55",
        "HF_HOME": "/home/me/pa55",
        "REPORTS_DB": "postgres://app:pa55@db:5432/app",
    }
    stays = {"FTP_PROXY": "http://me:pr0xy@proxy:3128", "PACKAGES": "https://packages.example.org/simple"}
    ran = python(stage, namespace, LOOK, **secrets, **stays)
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)["env"]
    assert not set(secrets) & set(made)
    assert stays.items() <= made.items()
    assert "pa55" not in ran.out + ran.err
    assert all(name in ran.err for name in secrets)


def test_a_variable_that_was_left_set_passes_no_secret_on(stage: Stage, namespace: str, role: str) -> None:
    ran = python(stage, namespace, LOOK, ID_TOKEN="secret", IRSA_PASS_ENV="ID_TOKEN")
    assert "ID_TOKEN" not in json.loads(ran.out or '{"env": {}}')["env"]


def test_the_environment_follows_the_annotations(stage: Stage, namespace: str, role: str) -> None:
    stage.annotate(
        namespace,
        "reader",
        **{
            "eks.amazonaws.com/audience": "example.com",
            "eks.amazonaws.com/token-expiration": "1200",
            "eks.amazonaws.com/sts-regional-endpoints": "false",
        },
    )
    seen = look(stage, namespace)
    env = seen["env"]
    assert env["AWS_ROLE_ARN"] == role
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == stage.region
    assert "AWS_STS_REGIONAL_ENDPOINTS" not in env
    assert env["IRSA_EXEC"] == f"{namespace}/reader@{stage.cluster}"
    claims = claims_of(seen["token"])
    assert claims["aud"] == ["example.com"]
    assert claims["exp"] - claims["iat"] == 1200


def claims_of(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_pods_token_lives_for_a_day_unless_told_otherwise(stage: Stage, namespace: str, role: str) -> None:
    seen = look(stage, namespace)
    claims = claims_of(seen["token"])
    assert claims["exp"] - claims["iat"] == 86400
    assert claims["sub"] == f"system:serviceaccount:{namespace}:reader"
    assert seen["env"]["AWS_STS_REGIONAL_ENDPOINTS"] == "regional"


def test_the_token_is_in_its_file_and_nowhere_else(stage: Stage, namespace: str, role: str) -> None:
    seen = look(stage, namespace, "-v")
    assert JWT.fullmatch(seen["token"])
    assert seen["modes"] == [0o700, 0o600]
    assert "create serviceaccounts/token  201" in seen["err"]
    for text in (json.dumps(seen["env"]), seen["irsa"], seen["err"]):
        assert not JWT.search(text)


def test_the_exit_code_and_the_arguments_pass_through(stage: Stage, namespace: str, role: str) -> None:
    script = 'printf "%s|" "$@"; cat; exit 42'
    ran = stage.irsa(
        *line(stage, namespace, "--", "sh", "-c", script, "sh", "-v", "--help", "--", "a b", ""), stdin="in"
    )
    assert (ran.code, ran.out) == (42, "-v|--help|--|a b||in")


@pytest.mark.parametrize(
    ("behaviour", "to_child", "number", "code"),
    [
        ("catch", False, signal.SIGTERM, 5),
        ("die", False, signal.SIGTERM, 143),
        ("die", False, signal.SIGINT, 130),
        ("die", True, signal.SIGKILL, 137),
    ],
)
def test_nothing_is_left_after_a_signal(
    stage: Stage, namespace: str, role: str, behaviour: str, to_child: bool, number: int, code: int
) -> None:
    command = line(stage, namespace, "--", sys.executable, "-c", WAIT, behaviour)
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
    command = [sys.executable, "-m", "irsa_cli", *line(stage, namespace, "--", "bash")]
    env = {**stage.env(), "HOME": str(stage.folder), "TMPDIR": str(stage.folder)}
    with Terminal(command, env, stage.folder) as terminal:
        terminal.read(rf"\[{namespace}/reader@{stage.cluster}\] own> ")
        terminal.type("echo role $AWS_ROLE_ARN.; exit 7\n")
        assert terminal.read(r"role (arn\S+)\.\n").group(1) == role
        assert terminal.end() == 7
    assert list(stage.folder.glob("irsa-exec-*")) == []


def assume(stage: Stage, role: str, token: str) -> str:
    config = Config(signature_version=botocore.UNSIGNED)
    sts = boto3.client("sts", region_name=stage.region, endpoint_url=stage.sandbox.url, config=config)
    answer = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="pod", WebIdentityToken=token)
    return str(answer["SubjectFromWebIdentityToken"])


def test_the_token_is_renewed_as_kubelet_renews_it(
    stage: Stage, namespace: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stage.env().items():
        monkeypatch.setenv(name, value)
    connection = connect(Target(stage.cluster), kube=True, log=lambda call: None, check=lambda aws: None)
    account = NamedServiceAccount(connection, namespace, "reader")
    clock = {"now": 1_000_000.0}
    said: list[str] = []

    def issue() -> Any:
        return account.token("sts.amazonaws.com", 600, lambda: clock["now"])

    with PrivateFolder() as folder:
        first = issue()
        file = folder.write("token", first.text)
        renewal = Renewal(
            first,
            issue,
            lambda text: folder.write("token", text),
            said.append,
            clock=lambda: clock["now"],
            jitter=lambda: 0.0,
        )
        clock["now"] += 479
        renewal.step()
        assert file.read_text() == first.text
        clock["now"] += 1
        renewal.step()
        second = file.read_text()
        assert second != first.text
        assert assume(stage, role, second) == f"system:serviceaccount:{namespace}:reader"
        assert said == []
        # While the ServiceAccount is away there is no token; the one at hand stays.
        stage.kube.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/reader")
        clock["now"] += 500
        renewal.step()
        assert file.read_text() == second
        assert len(said) == 1
        assert not JWT.search(said[0])
        stage.make_account(namespace, "reader", annotations={ROLE_ARN: role})
        clock["now"] += 5
        renewal.step()
        assert file.read_text() != second
        assert assume(stage, role, file.read_text()) == f"system:serviceaccount:{namespace}:reader"
