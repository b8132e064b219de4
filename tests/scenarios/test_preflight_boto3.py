"""Preflight beside boto3 in the same environment: generated variables, files and endpoints.

boto3 does what it does; preflight has to have said so: the same identity, the node's role, or no credentials.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import boto3
import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from irsa_cli.preflight.judge import UNKNOWN, WRONG, Conclusion, judge
from irsa_cli.preflight.sdk import ThisPod
from tests.scenarios.preflighting import LocalAws, arn_of, local_aws

ROLE = "arn:aws:iam::111122223333:role/app"
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzIiwiZXhwIjo0MTAyNDQ0ODAwfQ.c2ln"
"""A JWT that ends in 2100."""

PAIR = "AWS_ACCESS_KEY_ID=AKIAENV AWS_SECRET_ACCESS_KEY=x"
KEYS = {
    "none": "",
    "pair": PAIR,
    "session": "AWS_ACCESS_KEY_ID=AKIAENV AWS_SECRET_ACCESS_KEY=x AWS_SESSION_TOKEN=t",
    "id only": "AWS_ACCESS_KEY_ID=AKIAENV",
    "secret only": "AWS_SECRET_ACCESS_KEY=x",
    "empty": "AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=",
}
WEB = {
    "none": "",
    "both": "AWS_ROLE_ARN=arn:aws:iam::111122223333:role/app AWS_WEB_IDENTITY_TOKEN_FILE=$folder/token",
    "token only": "AWS_WEB_IDENTITY_TOKEN_FILE=$folder/token",
    "role only": "AWS_ROLE_ARN=arn:aws:iam::111122223333:role/app",
    "no file": "AWS_ROLE_ARN=arn:aws:iam::111122223333:role/app AWS_WEB_IDENTITY_TOKEN_FILE=$folder/missing",
    "empty": "AWS_ROLE_ARN= AWS_WEB_IDENTITY_TOKEN_FILE=",
}
FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI=$aws/v1/credentials"
CONTAINER = {
    "none": "",
    "full": FULL,
    "file": f"{FULL} AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$folder/token",
    "no file": f"{FULL} AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$folder/missing",
    "value": f"{FULL} AWS_CONTAINER_AUTHORIZATION_TOKEN=secret",
    # The agent is at 127.0.0.1, and STS is at localhost.
    "proxy": f"{FULL} AWS_ENDPOINT_URL_STS=$localhost HTTP_PROXY=http://127.0.0.1:9 NO_PROXY=localhost",
    "refused": "AWS_CONTAINER_CREDENTIALS_FULL_URI=$aws/nowhere",
}
PROFILE = {
    "none": "",
    "other": "AWS_PROFILE=other",
    "default": "AWS_PROFILE=default",
    "older name": "AWS_DEFAULT_PROFILE=other",
    "missing": "AWS_PROFILE=missing",
    "both names": "AWS_PROFILE=other AWS_DEFAULT_PROFILE=third",
    "empty": "AWS_PROFILE=",
}
KEYS_OF = "aws_access_key_id = {}\naws_secret_access_key = y\n"
CONFIG = f"[default]\n{KEYS_OF.format('AKIACONFIG')}"
CREDENTIALS = f"[default]\n{KEYS_OF.format('AKIADEFAULT')}"
FILES = {
    "none": ("", ""),
    "credentials": ("", CREDENTIALS),
    "config": (CONFIG, ""),
    "both": (CONFIG, CREDENTIALS),
    "region": ("[default]\nregion = eu-west-1\n", ""),
    "role": (
        f"[default]\nrole_arn = {ROLE}-of-profile\nsource_profile = base\n"
        f"[profile base]\n{KEYS_OF.format('AKIABASE')}",
        "",
    ),
    "web": (
        f"[default]\nrole_arn = {ROLE}-of-profile\nweb_identity_token_file = $folder/token\n"
        f"[profile other]\nrole_arn = {ROLE}-of-other\nweb_identity_token_file = $folder/token\n",
        "",
    ),
    "others": (
        f"[profile other]\nregion = eu-west-1\n[profile third]\n{KEYS_OF.format('AKIATHIRD')}",
        f"[other]\n{KEYS_OF.format('AKIAOTHER')}",
    ),
    "malformed": ("this is no configuration\n", ""),
    "twice": (f"{CONFIG}{CREDENTIALS}", ""),
    "process": (
        "[default]\ncredential_process = /bin/echo "
        '\'{"Version": 1, "AccessKeyId": "ASIA-process", "SecretAccessKey": "s", "SessionToken": "t"}\'\n',
        "",
    ),
}
NODE = {"none": "AWS_EC2_METADATA_DISABLED=true", "there": "AWS_EC2_METADATA_SERVICE_ENDPOINT=$aws"}
COMMON = """HOME=$folder AWS_REGION=eu-west-1 AWS_DEFAULT_REGION=eu-west-1 AWS_CONFIG_FILE=$folder/config
AWS_SHARED_CREDENTIALS_FILE=$folder/credentials AWS_ENDPOINT_URL_STS=$aws AWS_MAX_ATTEMPTS=1
AWS_METADATA_SERVICE_NUM_ATTEMPTS=1"""
COUNT = 64
LOADER = botocore.loaders.create_loader()
"""Reads botocore's description of STS once for all sessions."""


def ways() -> list[tuple[str, ...]]:
    """Set-ups, always the same: each value of each part occurs, and common ones often."""
    generator = random.Random(31)
    parts = [list(part) for part in (KEYS, WEB, CONTAINER, PROFILE, FILES, NODE)]
    drawn: dict[tuple[str, ...], None] = {}
    for index, part in enumerate(parts):
        for value in part:
            whole = ["none", "both", "none", "none", "none", "there"]
            whole[index] = value
            drawn[tuple(whole)] = None
    while len(drawn) < int(os.environ.get("IRSA_TEST_PREFLIGHTS", COUNT)):
        chosen = (generator.choice(part if generator.random() < 0.6 else part[:1]) for part in parts)
        drawn[tuple(chosen)] = None
    return list(drawn)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


def only(monkeypatch: pytest.MonkeyPatch, text: str, **places: str) -> dict[str, str]:
    """Let this process have these variables of AWS, which are returned, and no others."""
    for name in os.environ:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    env = dict(word.split("=", 1) for word in Template(text).substitute(places).split())
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return env


def by_boto3() -> tuple[str, str]:
    """The identity that boto3 has, and how it got it; '' and the error's name if it has none."""
    try:
        core = botocore.session.Session()
        core.register_component("data_loader", LOADER)
        session = boto3.Session(botocore_session=core)
        credentials = session.get_credentials()
        client: Any = session.client("sts")
        return str(client.get_caller_identity()["Arn"]), str(credentials.method if credentials else "")
    except botocore.exceptions.ClientError as error:
        return "", str(error.response["Error"]["Code"])
    except (botocore.exceptions.BotoCoreError, OSError) as error:
        return "", type(error).__name__


def by_preflight(report: Conclusion) -> str:
    """The identity that preflight says the SDK has."""
    if report.evidence.get("instanceRole") == "node":
        return arn_of("ASIA-node")
    return str(report.evidence.get("identity", ""))


@pytest.mark.parametrize("way", ways(), ids=" / ".join)
def test_preflight_says_what_boto3_does(
    way: tuple[str, ...], aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, web, container, profile, files, node = way
    (tmp_path / "token").write_text(TOKEN)
    for name, text in zip(("config", "credentials"), FILES[files], strict=True):
        (tmp_path / name).write_text(text.replace("$folder", str(tmp_path)))
    chosen = (COMMON, KEYS[keys], WEB[web], CONTAINER[container], PROFILE[profile], NODE[node])
    localhost = aws.url.replace("127.0.0.1", "localhost")
    env = only(monkeypatch, " ".join(chosen), aws=aws.url, localhost=localhost, folder=str(tmp_path))
    identity, how = by_boto3()
    report = judge(ThisPod(env, 5, "python"), "", "")
    if report.verdict == UNKNOWN:
        # Only the SDK itself can do that: run a program, or assume a role with another profile.
        assert "only the SDK itself" in report.sentence, vars(report)
        assert how in ("assume-role", "custom-process"), (identity, how, vars(report))
        return
    assert by_preflight(report) == identity, (how, vars(report))
    assert report.verdict == WRONG or identity, (how, vars(report))


LEGACY = "AWS_STS_REGIONAL_ENDPOINTS=legacy AWS_DEFAULT_REGION="
OWN = "AWS_ENDPOINT_URL_STS=https://vpce-0.sts.example/"
FIPS, DUAL = "AWS_USE_FIPS_ENDPOINT=true", "AWS_USE_DUALSTACK_ENDPOINT=true"
REGIONS = ("eu-west-1", "ap-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1")
PLACES = [
    *(
        f"AWS_REGION={region} AWS_DEFAULT_REGION={region} {kind}"
        for region, kind in itertools.product(
            REGIONS, ("", "AWS_STS_REGIONAL_ENDPOINTS=legacy", FIPS, DUAL, f"{FIPS} {DUAL}")
        )
    ),
    *(f"{LEGACY}{region}" for region in ("us-east-1", "ap-northeast-2", "ca-central-1")),
    f"{LEGACY}us-east-2 {FIPS}",
    "AWS_DEFAULT_REGION=aws-global",
    "AWS_REGION=eu-west-1",
    "AWS_CONFIG_FILE=$config",
    "AWS_CONFIG_FILE=$config AWS_REGION=eu-west-1",
    "AWS_CONFIG_FILE=$config AWS_PROFILE=other",
    "AWS_CONFIG_FILE=$config AWS_DEFAULT_REGION=eu-west-2",
    "AWS_DEFAULT_REGION=eu-central-1",
    f"{LEGACY}eu-west-1 {OWN} AWS_ENDPOINT_URL=https://all.example",
    "AWS_DEFAULT_REGION=eu-west-1 AWS_ENDPOINT_URL=https://all.example",
    f"AWS_DEFAULT_REGION=eu-west-1 {OWN} AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
]


def endpoint_of_boto3() -> str:
    """The endpoint of AssumeRoleWithWebIdentity that boto3 sends to; '' if it refuses to."""
    sent: list[str] = []

    def answer(request: AWSRequest, **_: Any) -> AWSResponse:
        sent.append(str(request.url))
        return AWSResponse(str(request.url), 403, HTTPHeaders(), None)

    core = botocore.session.Session()
    core.register_component("data_loader", LOADER)
    core.get_component("event_emitter").register("before-send.sts", answer)
    try:
        client: Any = core.create_client("sts", config=Config(signature_version=UNSIGNED))
        client.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="x" * 9, WebIdentityToken=TOKEN)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, AttributeError) as error:
        if not sent:
            return type(error).__name__
    return sent[0].rstrip("/")


@pytest.mark.parametrize("place", PLACES)
def test_the_endpoint_of_sts_is_that_of_boto3(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-north-1\n[profile other]\nregion = eu-south-1\n")
    files = f"AWS_CONFIG_FILE={os.devnull} AWS_SHARED_CREDENTIALS_FILE={os.devnull}"
    env = only(monkeypatch, f"{files} {place}", config=str(config))
    assert ThisPod(env, 5, "python").sts == endpoint_of_boto3()
