"""The source that each SDK takes, in generated environments, compared with what its own source says.

The table has each SDK's order as its code has it; tests/scenarios/test_preflight_boto3.py runs boto3 itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from irsa_cli.preflight import sdk
from irsa_cli.preflight.sdk import choose

GITHUB = "https://github.com"


@dataclass(frozen=True)
class Documented:
    """An SDK's order as its source has it.

    `role_needed`: a token file without a role is skipped; it stops the SDK otherwise. `missing`: when a named
    profile that no file has stops it: "always", "reached" (no source before it is there), "files"
    (reached, and a file has other profiles), or "" (never).
    """

    order: Sequence[str]
    sources: Sequence[str]
    role_needed: bool = True
    missing: str = ""
    names: Sequence[str] = ("AWS_PROFILE",)


JAVA = (
    f"{GITHUB}/aws/aws-sdk-java-v2/blob/master/core/auth/src/main/java"
    "/software/amazon/awssdk/auth/credentials"
)
NET = f"{GITHUB}/aws/aws-sdk-net/blob/main/sdk/src/Core/Amazon.Runtime/Credentials"
RUST = f"{GITHUB}/smithy-lang/smithy-rs/blob/main/aws/rust-runtime/aws-config/src"
NODE = f"{GITHUB}/aws/aws-sdk-js-v3/blob/main/packages"
DOCUMENTED: Mapping[str, Documented] = {
    "go": Documented(
        ("keys", "web", "profile", "container", "node"),
        (
            f"{GITHUB}/aws/aws-sdk-go-v2/blob/main/config/resolve_credentials.go",
            f"{GITHUB}/aws/aws-sdk-go-v2/blob/main/config/config.go",
        ),
        role_needed=False,
        missing="always",
    ),
    "java": Documented(
        ("keys", "web", "profile", "container", "node"),
        (
            f"{JAVA}/DefaultCredentialsProvider.java",
            f"{JAVA}/WebIdentityTokenFileCredentialsProvider.java",
            f"{JAVA}/AwsCredentialsProviderChain.java",
        ),
    ),
    "javascript": Documented(
        ("keys unless a profile is named", "profile", "web", "container", "node"),
        (
            f"{NODE}/credential-provider-node/src/defaultProvider.ts",
            f"{NODE}/credential-provider-ini/src/resolveProfileData.ts",
        ),
    ),
    "dotnet": Documented(
        ("keys", "web", "profile", "container", "node"),
        (
            f"{NET}/DefaultAWSCredentialsIdentityResolver.cs",
            "https://docs.aws.amazon.com/sdk-for-net/latest/developer-guide/creds-assign.html",
        ),
        missing="reached",
    ),
    "rust": Documented(
        ("keys", "profile", "web", "container", "node"),
        (
            f"{RUST}/default_provider/credentials.rs",
            f"{RUST}/profile/credentials/repr.rs",
            f"{RUST}/web_identity_token.rs",
        ),
        role_needed=False,
        missing="files",
    ),
}
ROLE = "arn:aws:iam::111122223333:role/app"
TOKEN, ARN = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, {"AWS_ROLE_ARN": ROLE}
KEYS: Mapping[str, str] = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "x"}
AGENT: Mapping[str, str] = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}
WEB: Sequence[Mapping[str, str]] = ({}, TOKEN | ARN, TOKEN, ARN)
NAMES = ("", "other", "default")
PAIR = "aws_access_key_id = AKIA2\naws_secret_access_key = y\n"
FILES: Mapping[str, str] = {
    "none": "",
    "keys": f"[default]\n{PAIR}",
    "region": "[default]\nregion = eu-west-1\n",
    "role": f"[default]\nrole_arn = {ROLE}\nsource_profile = base\n[profile base]\n{PAIR}",
    "named": f"[profile other]\n{PAIR}",
}
WITH_CREDENTIALS = {("keys", "default"), ("role", "default"), ("named", "other")}
"""The files and the profiles in them that have credentials."""
THERE = {*WITH_CREDENTIALS, ("region", "default")}
TAKEN = {
    "keys": (sdk.KEYS,),
    "web": (sdk.WEB,),
    "profile": (sdk.PROFILE, sdk.ROLE_PROFILE),
    "container": (sdk.CONTAINER,),
    "node": (sdk.INSTANCE,),
}
WAYS = list(itertools.product((False, True), WEB, (False, True), NAMES, FILES))


def documented(sdk: str, way: tuple[bool, Mapping[str, str], bool, str, str]) -> str:
    """The source that the SDK takes by its own code, or "stops"."""
    keys, web, agent, name, file = way
    said = DOCUMENTED[sdk]
    lost = bool(name) and (file, name) not in THERE
    if lost and said.missing == "always":
        return "stops"
    for source in said.order:
        if source.startswith("keys") and keys and not (source != "keys" and name):
            return "keys"
        whole = "AWS_ROLE_ARN" in web or not said.role_needed
        if source == "web" and "AWS_WEB_IDENTITY_TOKEN_FILE" in web and whole:
            return "web"
        if source == "profile":
            if (file, name or "default") in WITH_CREDENTIALS:
                return "profile"
            if (
                lost
                and name != "default"
                and (said.missing == "reached" or (said.missing == "files" and FILES[file]))
            ):
                return "stops"
        if source == "container" and agent:
            return "container"
    return "node"


@pytest.mark.parametrize("sdk", DOCUMENTED)
def test_the_source_is_the_one_of_the_sdk_s_own_code(sdk: str, tmp_path: Path) -> None:
    assert all(source.startswith("https://") for source in DOCUMENTED[sdk].sources)
    for way in WAYS:
        keys, web, agent, name, file = way
        config = tmp_path / "config"
        config.write_text(FILES[file])
        env = {
            "HOME": str(tmp_path),
            "AWS_CONFIG_FILE": str(config),
            **(KEYS if keys else {}),
            **web,
            **(AGENT if agent else {}),
            **({"AWS_PROFILE": name} if name else {}),
        }
        found = choose(env, sdk)
        expected = documented(sdk, way)
        if expected == "stops":
            assert found.broken, (way, found)
        else:
            assert (found.source in TAKEN[expected], found.broken) == (True, ""), (way, expected, found)
