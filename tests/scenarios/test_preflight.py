"""`irsa preflight` in a pod: it reports each cause that a pod can see, and accepts each healthy pod.

Tokens are those that the cluster issues, STS is the sandbox's; what the SDK takes is in tests/unit/preflight.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.docs.console import ROOT
from tests.support.stage import Stage

READER = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def preflight(
    env: Mapping[str, str], *flags: str, program: tuple[str, ...] = ()
) -> tuple[int, dict[str, Any]]:
    """The exit code and the item of `-o json` of preflight in this environment alone."""
    program = program or (sys.executable, "-m", "irsa_cli.preflight")
    own = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": "/nonexistent", **env}
    ended = subprocess.run(
        [*program, "-o", "json", "--timeout", "10s", *flags],
        env=own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    document = json.loads(ended.stdout)
    assert document["metadata"]["exitCode"] == ended.returncode
    assert "ASIA" not in ended.stdout
    return ended.returncode, document["items"][0]


@pytest.fixture
def pod(stage: Stage, namespace: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a pod of a ServiceAccount with a role."""
    words = ("create-sa", "reader", "-n", namespace, "-c", stage.cluster, "--attach-policy-arn", READER)
    made = stage.irsa(*words, "--associate-oidc", "-o", "json")
    assert made.code == 0, made.err
    token = stage.irsa("token", "reader", "-n", namespace, "-c", stage.cluster)
    assert token.code == 0, token.err
    file = tmp_path / "token"
    file.write_text(token.out.strip())
    return {
        "AWS_ROLE_ARN": made.item["role"]["arn"],
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_REGION": stage.region,
        "AWS_ENDPOINT_URL_STS": stage.sandbox.url,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
    }


def test_a_healthy_pod_is_its_role(pod: dict[str, str], stage: Stage, namespace: str) -> None:
    code, item = preflight(pod)
    assert (code, item["verdict"]) == (0, "expected"), item
    assert item["evidence"]["identity"].split("/")[1] == pod["AWS_ROLE_ARN"].rsplit("/", 1)[-1]
    assert item["evidence"]["token"]["sub"] == f"system:serviceaccount:{namespace}:reader"
    assert preflight(pod, "--expect-account", "111122223333", "--expect-role", pod["AWS_ROLE_ARN"])[0] == 0


def test_another_expected_role_or_account_is_wrong(pod: dict[str, str]) -> None:
    code, item = preflight(pod, "--expect-role", "arn:aws:iam::111122223333:role/other")
    assert (code, item["verdict"]) == (5, "wrong")
    assert "instead of other" in item["sentence"]
    assert preflight(pod, "--expect-account", "999988887777")[0] == 5


def _without(*names: str) -> Any:
    return lambda env: {key: value for key, value in env.items() if key not in names}


def _with(**more: str) -> Any:
    return lambda env: {**env, **more}


@pytest.mark.parametrize(
    ("change", "code", "cause"),
    [
        (_without("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"), 5, "neither the variables"),
        (_without("AWS_WEB_IDENTITY_TOKEN_FILE"), 5, "only AWS_ROLE_ARN is set"),
        (_with(AWS_WEB_IDENTITY_TOKEN_FILE="/nope/token"), 5, "does not exist"),
        (_with(AWS_WEB_IDENTITY_TOKEN_FILE="/etc/hostname"), 5, "no JWT"),
        (_with(AWS_ROLE_ARN="arn:aws:iam::111122223333:role/gone"), 5, "trust policy does not allow"),
        (_with(AWS_ENDPOINT_URL_STS="http://127.0.0.1:9"), 1, "refuses connections"),
        (_with(AWS_ENDPOINT_URL_STS="https://sts.invalid"), 1, "can't be resolved"),
        (
            _with(HTTP_PROXY="http://127.0.0.1:9", HTTPS_PROXY="http://127.0.0.1:9"),
            1,
            "the proxy 127.0.0.1 refuses",
        ),
        (_with(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="no"), 5, "AWS refuses|keys"),
        (_with(AWS_PROFILE="missing"), 1, "orders"),
    ],
)
def test_the_cause_is_named(pod: dict[str, str], change: Any, code: int, cause: str) -> None:
    found, item = preflight(change(pod))
    assert (found, bool(re.search(cause, f"{item['sentence']} {item['cause']}"))) == (code, True), item


def test_a_role_that_no_longer_trusts_the_pod(pod: dict[str, str], stage: Stage) -> None:
    name = pod["AWS_ROLE_ARN"].rsplit("/", 1)[-1]
    trust = {"Version": "2012-10-17", "Statement": []}
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    stage.iam().update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps({**trust, "Statement": [statement]})
    )
    code, item = preflight(pod)
    assert code == 5
    assert "trust policy does not allow" in item["cause"]
    assert item["next"][0].startswith("AWS administrator: irsa verify reader -n ")


PYTHONS = [
    found
    for number in range(8, 14)
    for found in (
        shutil.which(f"python3.{number}"),
        *map(str, Path.home().glob(f".pyenv/versions/3.{number}.*/bin/python3")),
    )
    if found and "/shims/" not in found
]


@pytest.mark.parametrize("python", PYTHONS or [sys.executable])
def test_one_file_runs_on_each_python_that_is_here(pod: dict[str, str], tmp_path: Path, python: str) -> None:
    archive = tmp_path / "preflight.pyz"
    written = subprocess.run(
        [sys.executable, "-m", "irsa_cli.preflight", "--self"], cwd=ROOT, capture_output=True, check=True
    )
    archive.write_bytes(written.stdout)
    assert archive.stat().st_size < 100_000
    assert zipfile.is_zipfile(archive)
    code, item = preflight(pod, program=(python, "-I", "-S", str(archive)))
    assert (code, item["verdict"]) == (0, "expected")


WAYS = {
    "healthy": {},
    "refused": {"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/gone"},
    "not reached": {"AWS_ENDPOINT_URL_STS": "http://user:pass-word@127.0.0.1:9"},
    "keys": {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG"},
    "the agent fails": {
        "AWS_ROLE_ARN": "",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "agents-token-of-this-pod",
    },
}


@pytest.mark.parametrize("change", WAYS.values(), ids=WAYS)
def test_each_form_answers_the_same_without_a_secret(
    pod: dict[str, str], tmp_path: Path, change: dict[str, str]
) -> None:
    module = [sys.executable, "-m", "irsa_cli.preflight"]
    archive = tmp_path / "preflight.pyz"
    written = subprocess.run([*module, "--self"], cwd=ROOT, capture_output=True, check=True)
    archive.write_bytes(written.stdout)
    forms = [module, [sys.executable, "-I", str(archive)], [sys.executable, "-m", "irsa_cli", "preflight"]]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": "/nonexistent", **pod, **change}
    token = Path(pod["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text(encoding="utf-8")
    secrets = [*token.split("."), "pass-word", "wJalrXUtnFEMI", "agents-token"]
    for output in ("text", "json"):
        answers = set()
        for form in forms:
            ended = subprocess.run(
                [*form, "-o", output], env=env, capture_output=True, text=True, timeout=60, check=False
            )
            assert not [secret for secret in secrets if secret in ended.stdout + ended.stderr]
            shown = re.sub(r"irsa-preflight-\d+|\b\d+ s\b|\"(?:age|expiresIn)\": \d+", "…", ended.stdout)
            answers.add((ended.returncode, shown))
        assert len(answers) == 1, answers


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("sts get-caller-identity", 0, "The pod is"),
        ("iam list-users", 5, "AWS refuses 'iam list-users'"),
        ("s3 no-such-call", 1, "'s3 no-such-call': "),
    ],
)
def test_a_call_of_the_application_is_sent_too(pod: dict[str, str], call: str, code: int, words: str) -> None:
    env = {**pod, "AWS_ENDPOINT_URL": pod["AWS_ENDPOINT_URL_STS"]}
    found, item = preflight(env, "--call", call)
    assert (found, item["evidence"]["call"]) == (code, call), item
    assert words in f"{item['sentence']} {item['cause']}"
