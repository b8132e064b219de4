"""Preflight beside boto3 in the same environment: generated variables, files and endpoints.

boto3 does what it does; preflight has to have said so: the same identity, the node's role, or no credentials.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
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

KEYS: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "pair": {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "x"},
    "session": {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "t"},
    "id only": {"AWS_ACCESS_KEY_ID": "AKIAENV"},
    "secret only": {"AWS_SECRET_ACCESS_KEY": "x"},
    "empty": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
}
WEB: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "both": {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/token"},
    "token only": {"AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/token"},
    "role only": {"AWS_ROLE_ARN": ROLE},
    "no file": {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/missing"},
    "empty": {"AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": ""},
}
CONTAINER: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "full": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws}/v1/credentials"},
    "file": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{folder}/token",
    },
    "no file": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{folder}/missing",
    },
    "value": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret",
    },
    # The agent is at 127.0.0.1, and STS is at localhost.
    "proxy": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws}/v1/credentials",
        "AWS_ENDPOINT_URL_STS": "{localhost}",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "localhost",
    },
    "refused": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws}/nowhere"},
}
PROFILE: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "other": {"AWS_PROFILE": "other"},
    "default": {"AWS_PROFILE": "default"},
    "older name": {"AWS_DEFAULT_PROFILE": "other"},
    "missing": {"AWS_PROFILE": "missing"},
    "both names": {"AWS_PROFILE": "other", "AWS_DEFAULT_PROFILE": "third"},
    "empty": {"AWS_PROFILE": ""},
}
KEYS_OF = "aws_access_key_id = {}\naws_secret_access_key = y\n"
FILES: Mapping[str, tuple[str, str]] = {
    "none": ("", ""),
    "credentials": ("", "[default]\n" + KEYS_OF.format("AKIADEFAULT")),
    "config": ("[default]\n" + KEYS_OF.format("AKIACONFIG"), ""),
    "both": ("[default]\n" + KEYS_OF.format("AKIACONFIG"), "[default]\n" + KEYS_OF.format("AKIADEFAULT")),
    "region": ("[default]\nregion = eu-west-1\n", ""),
    "role": (
        f"[default]\nrole_arn = {ROLE}-of-profile\nsource_profile = base\n"
        "[profile base]\n" + KEYS_OF.format("AKIABASE"),
        "",
    ),
    "web": (
        f"[default]\nrole_arn = {ROLE}-of-profile\nweb_identity_token_file = {{folder}}/token\n"
        f"[profile other]\nrole_arn = {ROLE}-of-other\nweb_identity_token_file = {{folder}}/token\n",
        "",
    ),
    "others": (
        "[profile other]\nregion = eu-west-1\n[profile third]\n" + KEYS_OF.format("AKIATHIRD"),
        "[other]\n" + KEYS_OF.format("AKIAOTHER"),
    ),
    "malformed": ("this is no configuration\n", ""),
    "twice": (f"[default]\n{KEYS_OF.format('AKIAONE')}[default]\n{KEYS_OF.format('AKIATWO')}", ""),
    "process": (
        "[default]\ncredential_process = /bin/echo "
        '\'{"Version": 1, "AccessKeyId": "ASIA-process", "SecretAccessKey": "s", "SessionToken": "t"}\'\n',
        "",
    ),
}
NODE: Mapping[str, Mapping[str, str]] = {
    "none": {"AWS_EC2_METADATA_DISABLED": "true"},
    "there": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "{aws}"},
}
COUNT = 64
LOADER = botocore.loaders.create_loader()
"""Reads botocore's description of STS once for all sessions."""


def ways() -> list[tuple[str, ...]]:
    """Set-ups, always the same: each value of each part occurs, and common ones often."""
    generator = random.Random(31)
    parts = [list(part) for part in (KEYS, WEB, CONTAINER, PROFILE, FILES, NODE)]
    found: dict[tuple[str, ...], None] = {}
    for index, part in enumerate(parts):
        for value in part:
            whole = ["none", "both", "none", "none", "none", "there"]
            whole[index] = value
            found[tuple(whole)] = None
    while len(found) < int(os.environ.get("IRSA_TEST_PREFLIGHTS", COUNT)):
        chosen = (generator.choice(part if generator.random() < 0.6 else part[:1]) for part in parts)
        found[tuple(chosen)] = None
    return list(found)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


def only(env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have these variables of AWS, and no others."""
    for name in os.environ:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def environment(way: tuple[str, ...], aws: LocalAws, folder: Path) -> dict[str, str]:
    keys, web, container, profile, files, node = way
    (folder / "token").write_text(TOKEN)
    for name, text in zip(("config", "credentials"), FILES[files], strict=True):
        (folder / name).write_text(text.replace("{folder}", str(folder)))
    chosen = (KEYS[keys], WEB[web], CONTAINER[container], PROFILE[profile], NODE[node])
    variables = {name: value for part in chosen for name, value in part.items()}
    localhost = aws.url.replace("127.0.0.1", "localhost")
    places = {"aws": aws.url, "localhost": localhost, "folder": str(folder)}
    return {
        "HOME": str(folder),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_ENDPOINT_URL_STS": aws.url,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1",
        **{name: value.format(**places) for name, value in variables.items()},
    }


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
    env = environment(way, aws, tmp_path)
    only(env, monkeypatch)
    identity, how = by_boto3()
    report = judge(ThisPod(env, 5, "python"), "", "")
    if report.verdict == UNKNOWN:
        # Only the SDK itself can do that: run a program, or assume a role with another profile.
        assert "only the SDK itself" in report.sentence, vars(report)
        assert how in ("assume-role", "custom-process"), (identity, how, vars(report))
        return
    assert by_preflight(report) == identity, (how, vars(report))
    assert report.verdict == WRONG or identity, (how, vars(report))


OWN = {"AWS_ENDPOINT_URL_STS": "https://vpce-0.sts.example/"}


def _legacy(region: str) -> dict[str, str]:
    return {"AWS_DEFAULT_REGION": region, "AWS_STS_REGIONAL_ENDPOINTS": "legacy"}


ENDPOINTS: Mapping[str, Mapping[str, str]] = {
    "regional": {},
    "legacy": {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
    "FIPS": {"AWS_USE_FIPS_ENDPOINT": "true"},
    "dual stack": {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    "FIPS and dual stack": {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
}
REGIONS = ("eu-west-1", "ap-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1")
PLACES: Mapping[str, Mapping[str, str]] = {
    **{
        f"{kind} in {region}": {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, **ENDPOINTS[kind]}
        for region, kind in itertools.product(REGIONS, ENDPOINTS)
    },
    **{f"legacy in {region}": _legacy(region) for region in ("us-east-1", "ap-northeast-2", "ca-central-1")},
    "legacy and FIPS": {**_legacy("us-east-2"), "AWS_USE_FIPS_ENDPOINT": "true"},
    "no region": {"AWS_DEFAULT_REGION": "aws-global"},
    "only AWS_REGION": {"AWS_REGION": "eu-west-1"},
    "a file": {"AWS_CONFIG_FILE": "{config}"},
    "a file and AWS_REGION": {"AWS_CONFIG_FILE": "{config}", "AWS_REGION": "eu-west-1"},
    "a profile": {"AWS_CONFIG_FILE": "{config}", "AWS_PROFILE": "other"},
    "a variable before a file": {"AWS_CONFIG_FILE": "{config}", "AWS_DEFAULT_REGION": "eu-west-2"},
    "older variable": {"AWS_DEFAULT_REGION": "eu-central-1"},
    "its own": {**_legacy("eu-west-1"), **OWN, "AWS_ENDPOINT_URL": "https://all.example"},
    "of all": {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "https://all.example"},
    "ignored": {"AWS_DEFAULT_REGION": "eu-west-1", **OWN, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
}


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
    files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    env = {name: value.format(config=config) for name, value in {**files, **PLACES[place]}.items()}
    only(env, monkeypatch)
    assert ThisPod(env, 5, "python").sts == endpoint_of_boto3()
