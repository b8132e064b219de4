"""Where the AWS SDKs look for credentials, and in which order: the first source that is there decides.

The order is each SDK's own:
Python: botocore/credentials.py, create_credential_resolver
Go v2: config/resolve_credentials.go, resolveCredentialChain
Java v2: auth/credentials/internal/DefaultCredentialsProvider
JavaScript v3: packages/credential-provider-node/src/defaultProvider.ts
.NET v4: https://docs.aws.amazon.com/sdk-for-net/latest/developer-guide/creds-assign.html
Rust: https://docs.rs/aws-config/latest/aws_config/default_provider/credentials/
"""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

KEYS, ROLE_PROFILE, WEB, PROFILE, CONTAINER, INSTANCE = (
    "static keys in the environment",
    "a profile that assumes a role",
    "web identity (IRSA)",
    "a profile of the shared configuration",
    "container credentials (EKS Pod Identity)",
    "the node's instance role",
)

ORDERS: Mapping[str, Tuple[str, ...]] = {
    "python": (KEYS, ROLE_PROFILE, WEB, PROFILE, CONTAINER, INSTANCE),
    "go": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "java": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "javascript": (KEYS, ROLE_PROFILE, PROFILE, WEB, CONTAINER, INSTANCE),
    "dotnet": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "rust": (KEYS, ROLE_PROFILE, PROFILE, WEB, CONTAINER, INSTANCE),
}
"""By SDK, its sources in order."""

_DEFAULT_PROFILE_TOO = ("python", "go")
"""SDKs that also read AWS_DEFAULT_PROFILE."""


@dataclass
class Profile:
    """The profile that an SDK reads: `settings` of both files, `file` the one that has it; '' for none."""

    name: str
    file: str = ""
    settings: Dict[str, str] = field(default_factory=dict)
    named: bool = False
    """Whether the environment names it; the profile `default` is used if it does not."""
    unreadable: str = ""

    @property
    def source(self) -> str:
        """The source of credentials that it is, '' for none."""
        if "role_arn" in self.settings:
            return ROLE_PROFILE
        keys = ("aws_access_key_id", "credential_process", "sso_session", "sso_start_url", "login_session")
        return PROFILE if any(key in self.settings for key in keys) else ""

    @property
    def kind(self) -> str:
        """The kind of credentials in it, in words."""
        if "role_arn" in self.settings:
            return "assumes " + self.settings["role_arn"]
        words = (("aws_access_key_id", "has static keys"), ("credential_process", "runs a program"))
        return next((word for key, word in words if key in self.settings), "signs in by IAM Identity Center")


@dataclass
class Choice:
    """What an SDK takes: the source, and what was there besides, in its order."""

    sdk: str
    source: str
    profile: Profile
    ignored: List[str]
    broken: str = ""
    """Why the SDK fails instead of taking a source."""


def choose(env: Mapping[str, str], sdk: str) -> Choice:
    """The source that an SDK takes in this environment; `INSTANCE` if there is no other."""
    profile = read_profile(env, default_too=sdk in _DEFAULT_PROFILE_TOO)
    there = [source for source in ORDERS[sdk] if _is_there(source, env, sdk, profile)]
    choice = Choice(sdk, there[0], profile, there[1:-1])
    if profile.named and not profile.file and sdk in ("python", "go"):
        choice.broken = "AWS_PROFILE names the profile %s, and no file has it" % profile.name
    return choice


def _is_there(source: str, env: Mapping[str, str], sdk: str, profile: Profile) -> bool:
    if source == KEYS:
        keys = bool(env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"))
        return keys and not (sdk == "javascript" and profile.named)
    if source == WEB:
        token = env.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        return bool(token and (env.get("AWS_ROLE_ARN") or sdk in ("python", "go")))
    if source in (ROLE_PROFILE, PROFILE):
        return profile.source == source
    if source == CONTAINER:
        names = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        return any(env.get(name) for name in names)
    return True


def read_profile(env: Mapping[str, str], *, default_too: bool = True) -> Profile:
    """The profile that the environment names, or `default`, as far as the shared files have it."""
    named = env.get("AWS_PROFILE") or (env.get("AWS_DEFAULT_PROFILE") if default_too else None)
    profile = Profile(named or "default", named=bool(named))
    home = env.get("HOME") or os.path.expanduser("~")
    for variable, name, prefix in (
        ("AWS_CONFIG_FILE", "config", "profile "),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", ""),
    ):
        path = env.get(variable) or os.path.join(home, ".aws", name)
        section = profile.name if profile.name == "default" else prefix + profile.name
        found = _section(path, section, profile)
        if found is not None:
            profile.file = path
            profile.settings.update(found)
    return profile


def _section(path: str, section: str, profile: Profile) -> Optional[Mapping[str, str]]:
    parser = configparser.RawConfigParser(strict=False, default_section="\0")
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        profile.unreadable = "%s: %s" % (path, getattr(error, "strerror", None) or type(error).__name__)
        return None
    return dict(parser[section]) if parser.has_section(section) else None
