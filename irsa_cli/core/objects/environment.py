"""The environment of a command that runs as a pod: the pod's identity, not the caller's."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.values.shown import without_secrets

MARK = "IRSA_EXEC"
"""Variable that names the ServiceAccount, as `namespace/name@cluster`; for prompts and scripts."""

# Settings among AWS_* that say neither who nor where somebody is. Others are many, and tools make up new ones
# (AWS_S3_SECRET_ACCESS_KEY): unknown ones may be a key.
# https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html#EVarSettings
# https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
_SETTING_NAMES = """
    AWS_ACCOUNT_ID_ENDPOINT_MODE AWS_AUTH_SCHEME_PREFERENCE AWS_CA_BUNDLE AWS_CLI_AUTO_PROMPT
    AWS_CLI_FILE_ENCODING AWS_CLI_HISTORY_FILE AWS_CLI_OUTPUT_ENCODING
    AWS_CLI_S3_MV_VALIDATE_SAME_S3_PATHS AWS_CSM_CLIENT_ID AWS_CSM_ENABLED AWS_CSM_HOST AWS_CSM_PORT
    AWS_DATA_PATH AWS_DEFAULTS_MODE AWS_DEFAULT_OUTPUT AWS_DISABLE_HOST_PREFIX_INJECTION
    AWS_DISABLE_REQUEST_COMPRESSION AWS_ENABLE_ENDPOINT_DISCOVERY AWS_ENDPOINT_DISCOVERY_ENABLED
    AWS_ENDPOINT_URL AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_MAX_ATTEMPTS AWS_PAGER
    AWS_REQUEST_CHECKSUM_CALCULATION AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES
"""
_MORE_SETTING_NAMES = """
    AWS_RESPONSE_CHECKSUM_VALIDATION AWS_RETRY_MODE AWS_S3_DISABLE_EXPRESS_SESSION_AUTH
    AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS AWS_S3_USE_ARN_REGION
    AWS_S3_US_EAST_1_REGIONAL_ENDPOINT AWS_SDK_LOAD_CONFIG AWS_SDK_UA_APP_ID
    AWS_SIGV4A_SIGNING_REGION_SET AWS_USE_DUALSTACK_ENDPOINT AWS_USE_FIPS_ENDPOINT
"""
_SETTINGS = frozenset((*_SETTING_NAMES.split(), *_MORE_SETTING_NAMES.split()))
_ENDPOINT = "AWS_ENDPOINT_URL_"
"""With a service's name behind it."""
# Names of secrets, in any tool or CI system. No letter follows such a word (TOKENIZERS_PARALLELISM, KEYMAP,
# GIT_AUTHOR_NAME), nor precedes one that ends other words (MONKEY, COMPASS).
_SECRET_NAME = re.compile(
    r"(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASSFILE|ASKPASS|CREDENTIAL|CREDS?|KUBE_?CONFIG|JWT|ASSERTION"
    r"|COOKIE|KEYFILE|KEYTAB|NETRC|AUTHORIZATION|(API|ACCESS|PRIVATE|SSH|GPG|ACCOUNT)KEY)S?(?![A-Z])"
    r"|(?<![A-Z])(KEYS?|PASS|PAT|AUTH)(?![A-Z])|_PWD(?![A-Z])|CLIENT_CERT"
    # URLs and texts that are secrets as a whole, or have one in them.
    r"|WEB_?HOOK|(?<![A-Z])(DSN|CONNECTION_STRING|CONN_?STR|INDEX_URL|SAS_URL)S?(?![A-Z])"
    # The places of settings in which tools keep their credentials.
    r"|_CONFIG_(DIR|FILE)$|USER_?CONFIG$|^GIT_CONFIG"
)
_SECRET_VALUE = re.compile(
    # A user and a password, or a token as a user, before a host: not the user of SSH alone.
    r"(?<![a-z0-9+.-])(?!([a-z]+\+)?ssh:)[a-z][a-z0-9+.-]*://[^/\s@]+@|://[^/\s@:]*:[^/\s@]+@"
    # A password in a connection string, an option or a query.
    r"|(password|passwd|pwd|secret|token|apikey|api[_-]key|access_?key|account_?key|sig|signature)=[^\s&;]"
    # The address of a webhook (Slack, Discord, Teams).
    r"|https://hooks\.|/(api/)?web_?hooks?/"
    # Tokens by their documented prefixes: GitHub, GitLab, Slack, Hugging Face, npm, PyPI, Stripe.
    r"|\b(gh[oprsu]_|github_pat_|glpat-|xox[abeprs]-|hf_|npm_|pypi-|[rs]k_(live|test)_|sk-)[a-z0-9-]{16,}",
    re.IGNORECASE,
)
_PROXY = re.compile(r"(HTTPS?|FTP|ALL|NO|SOCKS)_PROXY", re.IGNORECASE)
"""Variables that stay whatever they have: without its proxy, the command reaches nothing."""
# Identities whose names don't tell: of boto, EC2's old tools, Kerberos, password managers, the sandbox; files
# and folders with the credentials of a tool.
_OTHERS = {"BOTO_CONFIG", "EC2_CERT", "KRB5CCNAME", "BW_SESSION", "IRSA_SANDBOX_CONTROL", "CLOUDSDK_CONFIG"}
_OTHERS |= {
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "RCLONE_CONFIG",
    "HELM_REGISTRY_CONFIG",
    "HELM_REPOSITORY_CONFIG",
}
_OTHERS |= {
    "HF_HOME",
    "CARGO_HOME",
    "GNUPGHOME",
    "GRADLE_USER_HOME",
    "PULUMI_HOME",
    "SNOWFLAKE_HOME",
    "CURL_HOME",
}
_WITHOUT_A_WORD = ("AWS_", "IRSA_")
"""Variables that every caller has; they are dropped without a note."""


def is_callers(name: str, value: str = "") -> bool:
    """Whether a variable identifies the caller, in upper or lower case, and is dropped."""
    upper = name.upper()
    if upper.startswith("AWS_"):
        return name not in _SETTINGS and not name.startswith(_ENDPOINT)
    words = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
    if _SECRET_NAME.search(words) or upper in _OTHERS or upper.startswith(("AWSUME_", "OP_SESSION_")):
        return True
    return not _PROXY.fullmatch(name) and _is_secret(value)


def _is_secret(value: str) -> bool:
    """Whether a value is a secret or has one in it, under a name of the user's own."""
    return _SECRET_VALUE.search(value) is not None or without_secrets(value) != value


def replaces_the_identity(name: str) -> bool:
    """Whether an SDK would take this variable instead of the ServiceAccount's role: it is never passed on."""
    upper = name.upper()
    identity = _SECRET_NAME.search(upper) or re.search("PROFILE|ROLE|CONFIG_FILE|METADATA", upper)
    return upper.startswith("AWS_") and bool(identity) and name not in _SETTINGS


def kept_back(caller: Mapping[str, str], passed: Collection[str] = ()) -> tuple[str, ...]:
    """The variables that the command does not get and that somebody may miss: names only, sorted."""
    names = (name for name, value in caller.items() if value and is_callers(name, value))
    return tuple(sorted(n for n in names if n not in passed and not n.startswith(_WITHOUT_A_WORD)))


def injected(injection: Injection, region: str, token_file: str, agent: str = "") -> dict[str, str]:
    """The variables that the webhook adds to a container; `agent` is the URL of EKS Pod Identity's."""
    identity = {"AWS_ROLE_ARN": injection.role_arn, "AWS_WEB_IDENTITY_TOKEN_FILE": token_file}
    if agent:
        identity = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token_file,
        }
    regional = {"AWS_STS_REGIONAL_ENDPOINTS": "regional"} if injection.regional_sts else {}
    return {**identity, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, **regional}


def environment(
    caller: Mapping[str, str],
    added: Mapping[str, str],
    *,
    empty_files: tuple[str, str],
    session_name: str,
    label: str,
    passed: Collection[str] = (),
) -> dict[str, str]:
    """The caller's environment with the pod's identity: `added` is what `injected` returned.

    `passed` are variables that the user keeps. Endpoints, proxies and CAs stay. `empty_files` replace the
    AWS configuration and credentials, which an SDK might read first.
    """
    kept = {name: value for name, value in caller.items() if name in passed or not is_callers(name, value)}
    config, credentials = empty_files
    return {
        **kept,
        **added,
        **({"AWS_ROLE_SESSION_NAME": session_name} if "AWS_ROLE_ARN" in added else {}),
        "AWS_CONFIG_FILE": config,
        "AWS_SHARED_CREDENTIALS_FILE": credentials,
        # The machine's own role must not replace the pod's.
        "AWS_EC2_METADATA_DISABLED": "true",
        MARK: label,
    }
