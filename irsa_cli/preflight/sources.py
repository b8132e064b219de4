"""Where the AWS SDKs look for credentials, and in which order: the first source that is there decides.

The order is each SDK's own; tests/unit/preflight/test_orders.py names the files of their source code.
"""

from __future__ import annotations

import configparser
import os
from typing import Mapping, NamedTuple

KEYS, ROLE_PROFILE, WEB, PROFILE, CONTAINER, INSTANCE = (
    "static keys in the environment",
    "a profile that assumes a role",
    "web identity (IRSA)",
    "a profile of the shared configuration",
    "container credentials (EKS Pod Identity)",
    "the node's instance role",
)

ORDERS: Mapping[str, tuple[str, ...]] = {
    "python": (KEYS, ROLE_PROFILE, WEB, PROFILE, CONTAINER, INSTANCE),
    "go": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "java": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "javascript": (KEYS, ROLE_PROFILE, PROFILE, WEB, CONTAINER, INSTANCE),
    "dotnet": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "rust": (KEYS, ROLE_PROFILE, PROFILE, WEB, CONTAINER, INSTANCE),
}
"""By SDK, its sources in order."""

AGENT, STS = "the credentials endpoint", "STS"
WITHOUT_PROXY = {"python": [AGENT], "java": [AGENT], "javascript": [AGENT, STS]}
"""By SDK, the services that it asks without the environment's proxy. JavaScript's reads no proxy at all."""

_TOKEN = "web_identity_token_file"  # noqa: S105 - a name


class Profile:
    """The profile that an SDK reads: `settings` of both files, `file` the one that has it; '' for none."""

    def __init__(self, name: str, named: bool) -> None:
        """`named`: whether the environment names it; the profile `default` is used if it does not."""
        self.name, self.named = name, named
        self.settings: dict[str, str] = {}
        self.file = self.unreadable = ""
        self.others = self.malformed = False  # Whether the files have any profile, or can't be parsed.

    @property
    def source(self) -> str:
        """The source of credentials that it is, '' for none."""
        if "role_arn" in self.settings:
            return ROLE_PROFILE
        keys = ("aws_access_key_id", "credential_process", "sso_session", "sso_start_url", "login_session")
        return PROFILE if any(key in self.settings for key in keys) else ""


class Choice(NamedTuple):
    """The source that an SDK takes, and the other ones that are there, in its order.

    `role` and `token_file` are the web identity, if that is the source; `broken`: why the SDK fails instead.
    """

    sdk: str
    source: str
    profile: Profile
    ignored: list[str]
    role: str
    token_file: str
    broken: str


def choose(env: Mapping[str, str], sdk: str) -> Choice:
    """The source that an SDK takes in this environment; `INSTANCE` if there is no other."""
    profile = read_profile(env, sdk)
    fallback = profile.settings if sdk == "python" else {}
    role = env.get("AWS_ROLE_ARN", fallback.get("role_arn", ""))
    token_file = env.get("AWS_WEB_IDENTITY_TOKEN_FILE", fallback.get(_TOKEN, ""))
    keys = [bool(env.get(name)) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    there = {
        KEYS: all(keys) and not (sdk == "javascript" and profile.named),
        ROLE_PROFILE: profile.source == ROLE_PROFILE and _TOKEN not in fallback,
        WEB: bool(token_file and (role or sdk in ("python", "go", "rust"))),
        PROFILE: profile.source == PROFILE,
        CONTAINER: any(env.get(f"AWS_CONTAINER_CREDENTIALS_{kind}_URI") for kind in ("FULL", "RELATIVE")),
        INSTANCE: True,
    }
    found = [source for source in ORDERS[sdk] if there[source]]
    stops = {
        "python": True,
        "go": bool(env.get("AWS_PROFILE")),
        "dotnet": found[0] not in (KEYS, WEB) and profile.name != "default",
        "rust": found[0] != KEYS and profile.name != "default" and profile.others,
    }
    broken = ""
    if profile.named and not profile.file and stops.get(sdk):
        broken = f"AWS_PROFILE is '{profile.name}', and no file has this profile"
    if sdk == "python" and keys == [True, False]:
        broken = "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"
    if sdk == "python" and profile.malformed:
        broken = profile.unreadable
    source = found[0]
    if source == ROLE_PROFILE and _TOKEN in profile.settings:
        source, role, token_file = WEB, profile.settings["role_arn"], profile.settings[_TOKEN]
    return Choice(sdk, source, profile, found[1:-1], role, token_file, broken)


def read_profile(env: Mapping[str, str], sdk: str) -> Profile:
    """The settings of the environment's profile, or of `default`, in the shared files."""
    names = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")[: 2 if sdk in ("python", "go") else 1]
    named = [env[name] for name in (reversed(names) if sdk == "python" else names) if name in env]
    given = [name for name in named if name or sdk == "python"]  # Only Python uses an empty name.
    profile = Profile(given[0] if given else "default", bool(given))
    home = env.get("HOME") or os.path.expanduser("~")
    for variable, name, prefix in (
        ("AWS_CONFIG_FILE", "config", "profile "),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", ""),
    ):
        path = os.path.expanduser(env.get(variable) or os.path.join(home, ".aws", name))
        section = profile.name if profile.name == "default" else prefix + profile.name
        # Only Python refuses a file that has a section twice.
        parser = configparser.RawConfigParser(strict=sdk == "python", default_section="\0")
        try:
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    parser.read_file(file)
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            profile.unreadable = f"{path}: {getattr(error, 'strerror', None) or type(error).__name__}"
            profile.malformed = not isinstance(error, OSError)
        profile.others = profile.others or bool(parser.sections())
        if parser.has_section(section):
            profile.file = path
            profile.settings.update(parser[section])
    return profile
