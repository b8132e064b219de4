"""The command's environment: the pod's identity, none of the caller's, and all else untouched."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import botocore
import botocore.session
import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.objects.environment import _SETTINGS as SETTINGS
from irsa_cli.core.objects.environment import MARK, environment, injected, is_callers, kept_back
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.trail import session_name

INJECTION = Injection("arn:aws:iam::111122223333:role/reader", regional_sts=False)
# Variables by which SDKs and their companions say who somebody is.
CALLERS = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CREDENTIALS_EXPIRATION",
    "AWS_CREDENTIAL_FILE",
    "AWS_CREDENTIAL_PROFILES_FILE",
    "AWS_ACCOUNT_ID",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_VAULT",
    "AWS_VAULT_BACKEND",
    "AWSUME_PROFILE",
    "AWS_SSO_PROFILE",
    "AWS_LOGIN_CACHE_DIRECTORY",
    "AWS_SESSION_EXPIRATION",
    "BOTO_CONFIG",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_DELEGATION_TOKEN",
    "AWS_SIGNIN_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN",
    "AWS_SAML_ASSERTION",
    "AWS_SECRET_ACCESS_KEY_OLD",
    "AWS_S3_SECRET_ACCESS_KEY",
    "AWS_EXECUTION_ENV",
    "EC2_ACCESS_KEY",
    "EC2_SECRET_KEY",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "GITHUB_TOKEN",
    "CI_JOB_TOKEN",
    "CIRCLE_OIDC_TOKEN_V2",
    # Of CI systems, other clouds and tools, by the names in their documentation.
    "VAULT_ID_TOKEN",
    "ID_TOKEN",
    "TFC_WORKLOAD_IDENTITY_TOKEN",
    "TFC_WORKLOAD_IDENTITY_TOKEN_AWS",
    "AZURE_FEDERATED_TOKEN",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "ARM_OIDC_REQUEST_TOKEN",
    "SYSTEM_ACCESSTOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "KUBECONFIG",
    "KUBE_CONFIG_PATHS",
    "kubeconfig",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "Aws_Profile",
    "awsSecretAccessKey",
    "TF_VAR_aws_secret_key",
    "TF_TOKEN_app_terraform_io",
    "PULUMI_ACCESS_TOKEN",
    "CI_JOB_JWT_V2",
    "CI_REGISTRY_PASSWORD",
    "DOCKER_AUTH_CONFIG",
    "NPM_TOKEN",
    "SSH_PRIVATE_KEY",
    "SSH_AUTH_SOCK",
    "STRIPE_APIKEY",
    "OPENAI_API_KEY",
    "clientSecret",
    "PGPASSWORD",
    "MYSQL_PWD",
    "GH_PAT",
    "ALICLOUD_ACCESS_KEY",
    "GCLOUD_KEYFILE_JSON",
    "OP_SESSION_my",
    "IRSA_SANDBOX_CONTROL",
    # Secrets as a whole, and the places of settings with credentials.
    "SLACK_WEBHOOK",
    "SLACK_WEBHOOK_URL",
    "discordWebhook",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL",
    "SENTRY_DSN",
    "AZURE_STORAGE_CONNECTION_STRING",
    "HF_HOME",
    "CARGO_HOME",
    "GNUPGHOME",
    "PIP_CONFIG_FILE",
    "NPM_CONFIG_USERCONFIG",
    "TF_CLI_CONFIG_FILE",
    "GH_CONFIG_DIR",
    "RCLONE_CONFIG",
    "HELM_REGISTRY_CONFIG",
    "GIT_CONFIG_VALUE_0",
    "AZURE_CONFIG_DIR",
    "DOCKER_CONFIG",
    "CLOUDSDK_CONFIG",
]
SET_ANEW = [
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "IRSA_EXEC",
]
KEPT = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_CA_BUNDLE",
    "AWS_PAGER",
    "AWS_DEFAULT_OUTPUT",
    "AWS_MAX_ATTEMPTS",
    "AWS_RETRY_MODE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_SDK_UA_APP_ID",
    "HTTPS_PROXY",
    "NO_PROXY",
    "no_proxy",
    "PATH",
    "HOME",
    "LANG",
    "PWD",
    "OLDPWD",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "IRSA_STATE_DIR",
    "TERM",
    "TOKENIZERS_PARALLELISM",
    "KEYMAP",
    "MONKEY_BUSINESS",
    "GIT_AUTHOR_NAME",
    "XAUTHORITY",
    "XDG_SESSION_ID",
    "COMPASS",
    "PATTERN",
    "PYTHONPATH",
    "PKG_CONFIG_PATH",
    "FONTCONFIG_FILE",
    "APP_CONFIG",
    "DOCKER_HOST",
    "XDG_CONFIG_HOME",
    "JAVA_HOME",
    "HOSTNAME",
    "PS1",
]

variables = st.dictionaries(
    st.sampled_from([*CALLERS, *SET_ANEW, *KEPT]) | st.from_regex(r"[A-Z_]{1,20}", fullmatch=True),
    st.just("the caller's"),
)


def of(caller: Mapping[str, str], passed: Collection[str] = ()) -> dict[str, str]:
    return environment(
        caller,
        injected(INJECTION, "eu-west-1", "/private/token"),
        empty_files=("/private/config", "/private/credentials"),
        session_name="irsa-me-1",
        label="backend/reader@demo",
        passed=passed,
    )


@given(variables)
def test_nothing_that_says_who_the_caller_is_comes_through(caller: dict[str, str]) -> None:
    made = of(caller)
    assert not set(CALLERS) & set(made)
    assert all(made[name] != "the caller's" for name in SET_ANEW)


@given(st.from_regex(r"AWS_[A-Z0-9_]{1,30}", fullmatch=True))
def test_of_what_begins_with_aws_only_settings_that_are_known_come_through(name: str) -> None:
    known = name in KEPT or name in SETTINGS or name.startswith("AWS_ENDPOINT_URL_")
    assert (of({name: "the caller's"}).get(name) == "the caller's") == known


@given(variables)
def test_what_says_nothing_of_the_caller_is_left_alone(caller: dict[str, str]) -> None:
    made = of(caller)
    others = {name for name in caller if name in KEPT}
    assert {name: made.get(name) for name in others} == {name: caller[name] for name in others}
    assert {name: made.get(name) for name in KEPT} == {name: caller.get(name) for name in KEPT}


@pytest.mark.parametrize(
    "word", ["TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "ACCESS_KEY", "JWT", "KUBECONFIG"]
)
@given(
    st.from_regex(r"([A-Z0-9]{1,8}_)?", fullmatch=True),
    st.sampled_from(["", "_FILE", "_2", "S", "_OLD"]),
    st.sampled_from([str.upper, str.lower, str.title]),
)
def test_a_name_that_says_secret_is_kept_back_whoever_made_it_up(
    word: str, before: str, behind: str, case: Callable[[str], str]
) -> None:
    name = case(f"{before}{word}{behind}")
    assert is_callers(name)
    assert name not in of({name: "x"})
    assert of({name: "the caller's"}, {name})[name] == "the caller's"


@pytest.mark.parametrize(
    "value",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqb2IifQ.c2ln",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE\n",
        "https://me:pa55@packages.example.org/simple",
        "https://a-token@packages.example.org/simple",
        "postgres://app:pa55@db:5432/app",
        "redis://:pa55@cache:6379/0",
        "mongodb+srv://app:pa55@cluster.example.org",
        "ssh://me:pa55@host",
        "https://a.example.org https://me:pa55@b.example.org",
        "https://storage.example.org/c?sv=1&sig=abc",
        "Server=db;User Id=app;Password=pa55;",
        "host=db user=app password=pa55",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc==",
        "-Djavax.net.ssl.keyStorePassword=pa55",
        "https://hooks.slack.com/services/T0/B0/x",
        "https://discord.com/api/webhooks/1/x",
        "ghp_0123456789abcdefghij0123456789abcdef",
        "glpat-0123456789abcdefghij",
        "xoxb-0123456789-0123456789-abcdef",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "Authorization: Bearer abcdefghijklmnop",
        "k8s-aws-v1.aHR0cHM6Ly9zdHM",
    ],
)
def test_a_value_that_is_a_secret_is_kept_back_under_any_name(value: str) -> None:
    assert "JOB_IDENTITY" not in of({"JOB_IDENTITY": value})
    assert of({"JOB_IDENTITY": value}, {"JOB_IDENTITY"})["JOB_IDENTITY"] == value


@pytest.mark.parametrize(
    "value",
    [
        "https://packages.example.org/simple",
        "ssh://git@github.com/example/app",
        "git+ssh://git@github.com/example/app",
        "git@github.com:example/app.git",
        "me@example.org",
        "/usr/bin:/home/me@work/bin",
        "http://host:8080/@scope/package",
        "a=b token c",
        "-Dapp.mode=fast",
        "npm_lifecycle",
    ],
)
def test_a_value_without_a_secret_comes_through(value: str) -> None:
    assert of({"JOB_SETTING": value})["JOB_SETTING"] == value


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"])
def test_a_proxy_stays_with_its_password(name: str) -> None:
    """As the page says: without it, the command reaches neither AWS nor anybody else."""
    assert of({name: "http://me:pa55@proxy:3128"})[name] == "http://me:pa55@proxy:3128"


def test_what_is_kept_back_is_named_but_for_what_exec_is_about() -> None:
    caller = {"GITHUB_TOKEN": "x", "ID_TOKEN": "y", "AWS_PROFILE": "z", "aws_session_token": "t", "PATH": "/"}
    assert kept_back(caller, {"ID_TOKEN"}) == ("GITHUB_TOKEN", "aws_session_token")


def test_the_variables_are_those_of_a_pod() -> None:
    made = of({})
    assert made["AWS_ROLE_ARN"] == INJECTION.role_arn
    assert made["AWS_WEB_IDENTITY_TOKEN_FILE"] == "/private/token"
    assert made["AWS_REGION"] == made["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert made[MARK] == "backend/reader@demo"
    assert set(made) == set(SET_ANEW)


def test_every_variable_of_botocore_is_thought_of() -> None:
    """A new one that has to do with identity is to be put into a list of this file."""
    folder = Path(botocore.__file__).parent
    modules = ("configprovider", "credentials", "session", "tokens", "utils")
    source = "".join((folder / f"{name}.py").read_text(encoding="utf-8") for name in modules)
    names = set(re.findall(r"['\"](AWS_[A-Z0-9_]*[A-Z0-9])['\"]", source))
    suspicious = re.compile(
        "PROFILE|CREDENTIAL|ROLE|TOKEN|KEY|SECRET|SESSION_NAME|CONFIG_FILE|ACCOUNT_ID$|LOGIN"
    )
    found = {name for name in names if suspicious.search(name)}
    assert len(found) > 10
    assert found <= {*CALLERS, *SET_ANEW}
    assert not found & SETTINGS


def test_every_setting_of_botocore_is_kept_or_says_where_somebody_is() -> None:
    """A new one of botocore's is to be put into the list of those that are kept, or into this one."""
    variables = [item[1] for item in BOTOCORE_DEFAUT_SESSION_VARIABLES.values()]
    names = {name for item in variables for name in (item if isinstance(item, list) else [item]) if name}
    machine = {name for name in names if "METADATA" in name or "IMDS" in name}
    assert {name for name in names if name.startswith("AWS_")} <= {*SETTINGS, *CALLERS, *SET_ANEW, *machine}


@given(st.text(), st.integers(0, 10**11))
def test_a_session_name_is_one_that_sts_takes(user: str, moment: int) -> None:
    name = session_name(user, moment)
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII)
    assert name.endswith(f"-{moment}")


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("alice", "irsa-alice-1700000000"),
        ("EXAMPLE\\bob smith", "irsa-EXAMPLE-bob-smith-1700000000"),
        ("", "irsa-1700000000"),
        ("u" * 80, "irsa-" + "u" * 48 + "-1700000000"),
    ],
)
def test_a_session_name_says_who_it_is(user: str, name: str) -> None:
    assert session_name(user, 1700000000) == name


def test_botocore_takes_the_web_identity_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The chain of a real SDK, with all that a caller can have set; it goes no further than the token."""
    token, config, shared = tmp_path / "token", tmp_path / "config", tmp_path / "credentials"
    mine = tmp_path / "callers"
    for path in (token, config, shared):
        path.write_text("")
    mine.write_text("[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n")
    caller = dict.fromkeys(CALLERS, "x") | {
        "AWS_CONFIG_FILE": str(mine),
        "AWS_SHARED_CREDENTIALS_FILE": str(mine),
    }
    made = environment(
        caller,
        injected(INJECTION, "eu-west-1", str(token)),
        empty_files=(str(config), str(shared)),
        session_name="irsa-me-1",
        label="",
    )
    for name in [*CALLERS, *SET_ANEW]:
        monkeypatch.delenv(name, raising=False)
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    credentials = botocore.session.Session().get_credentials()
    assert credentials is not None
    assert credentials.method == "assume-role-with-web-identity"
