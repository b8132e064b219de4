"""The credentials that AWS SDKs take in this environment, and the calls that they send.

They look for credentials in an order of their own, and the first source that is there decides;
tests/unit/preflight/test_orders.py names the files of their source code. Credentials stay in memory.
"""

from __future__ import annotations

import configparser
import html
import io
import json
import os
import re
import time
import urllib.parse
from typing import Any, Mapping, NamedTuple

from irsa_cli.preflight.files import NotRead, read_text
from irsa_cli.preflight.shown import Secrets, shown_url
from irsa_cli.preflight.wire import Credentials, Failed, Wire, parts_of, signature

KEYS = "static keys in the environment"
ROLE_PROFILE = "a profile that assumes a role"
WEB = "web identity (IRSA)"
PROFILE = "a profile of the shared configuration"
CONTAINER = "container credentials (EKS Pod Identity)"
INSTANCE = "the node's instance role"

ORDERS: Mapping[str, tuple[str, ...]] = {
    "python": (KEYS, ROLE_PROFILE, WEB, PROFILE, CONTAINER, INSTANCE),
    "go": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "java": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "javascript": (KEYS, ROLE_PROFILE, PROFILE, WEB, CONTAINER, INSTANCE),
    "dotnet": (KEYS, WEB, ROLE_PROFILE, PROFILE, CONTAINER, INSTANCE),
    "rust": (KEYS, ROLE_PROFILE, PROFILE, WEB, CONTAINER, INSTANCE),
}
"""By SDK, its sources in order."""

AGENT = "the credentials endpoint"
STS = "STS"
WITHOUT_PROXY = {"python": [AGENT], "java": [AGENT], "javascript": [AGENT, STS]}
"""By SDK, the services that it asks without the environment's proxy. JavaScript's reads no proxy at all."""

_TOKEN = "web_identity_token_file"  # noqa: S105 - a name
LARGEST_CONFIG = 1 << 20


class Profile:
    """The profile that an SDK reads: `settings` of both files, `file` the one that has it; '' for none."""

    def __init__(self, name: str, is_named: bool) -> None:
        """`is_named`: whether the environment names it; the profile `default` is used if it does not."""
        self.name = name
        self.named = is_named
        self.settings: dict[str, str] = {}
        self.file = ""
        self.unreadable = ""
        self.others = False  # Whether the files have any profile.
        self.malformed = False  # Whether one can't be parsed.

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
    has_keys = bool(env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"))
    is_set = {
        KEYS: has_keys and not (sdk == "javascript" and profile.named),
        ROLE_PROFILE: profile.source == ROLE_PROFILE and _TOKEN not in fallback,
        WEB: bool(token_file and (role or sdk in ("python", "go", "rust"))),
        PROFILE: profile.source == PROFILE,
        CONTAINER: any(env.get(f"AWS_CONTAINER_CREDENTIALS_{kind}_URI") for kind in ("FULL", "RELATIVE")),
        INSTANCE: True,
    }
    sources = [source for source in ORDERS[sdk] if is_set[source]]
    source = sources[0]
    broken = _why_broken(env, sdk, profile, source)
    if source == ROLE_PROFILE and _TOKEN in profile.settings:
        source = WEB
        role = profile.settings["role_arn"]
        token_file = profile.settings[_TOKEN]
    return Choice(sdk, source, profile, sources[1:-1], role, token_file, broken)


def _why_broken(env: Mapping[str, str], sdk: str, profile: Profile, first: str) -> str:
    """Why an SDK fails instead of taking its first source; '' if it takes it."""
    if sdk == "python" and profile.malformed:
        return profile.unreadable
    if sdk == "python" and env.get("AWS_ACCESS_KEY_ID") and not env.get("AWS_SECRET_ACCESS_KEY"):
        return "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"
    if profile.named and not profile.file and _needs_profile(env, sdk, profile, first):
        return f"AWS_PROFILE is '{profile.name}', and no file has this profile"
    return ""


def _needs_profile(env: Mapping[str, str], sdk: str, profile: Profile, first: str) -> bool:
    """Whether an SDK fails if no file has the profile that the environment names."""
    if sdk == "python":
        return True
    if sdk == "go":
        return bool(env.get("AWS_PROFILE"))
    if profile.name == "default":
        return False
    if sdk == "dotnet":
        return first not in (KEYS, WEB)
    return sdk == "rust" and first != KEYS and profile.others


def read_profile(env: Mapping[str, str], sdk: str) -> Profile:
    """The settings of the environment's profile, or of `default`, in the shared files.

    Raises `NotRead` if one of them is a file that irsa does not read.
    """
    variables = ["AWS_PROFILE"]
    if sdk == "python":
        variables = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"]
    elif sdk == "go":
        variables = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]
    names = [env[variable] for variable in variables if variable in env]
    if sdk != "python":  # Only Python uses an empty name.
        names = [*filter(None, names)]
    profile = Profile(names[0] if names else "default", bool(names))
    home = env.get("HOME") or os.path.expanduser("~")
    for variable, file, prefix in (
        ("AWS_CONFIG_FILE", "config", "profile "),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", ""),
    ):
        path = os.path.expanduser(env.get(variable) or os.path.join(home, ".aws", file))
        section = profile.name if profile.name == "default" else prefix + profile.name
        # Only Python refuses a file that has a section twice.
        _add_file(profile, path, section, strict=sdk == "python")
    return profile


def _add_file(profile: Profile, path: str, section: str, strict: bool) -> None:
    """Add the settings of a section of a file, or why the file can't be read."""
    parser = configparser.RawConfigParser(strict=strict, default_section="\0")
    try:
        if os.path.exists(path):
            parser.read_file(io.StringIO(read_text(path, LARGEST_CONFIG), newline=None))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        profile.unreadable = f"{path}: {getattr(error, 'strerror', None) or type(error).__name__}"
        profile.malformed = not isinstance(error, OSError)
    profile.others = profile.others or bool(parser.sections())
    if parser.has_section(section):
        profile.file = path
        profile.settings.update(parser[section])


IMDS = "http://169.254.169.254"
SUFFIXES = (
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("", "amazonaws.com", "api.aws"),
)
"""By the beginning of a region's name, the DNS suffixes of IPv4 and of dual-stack endpoints."""
GLOBAL_REGIONS = re.compile(
    "us-(east|west)-[12]|(ca|eu)-central-1|eu-(north-1|west-[123])|sa-east-1"
    "|ap-(south-1|southeast-[12]|northeast-1)"
)
"""The regions of the global STS endpoint in the legacy mode."""
REGION = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
"""A region's name becomes a part of the endpoint's name."""
AGENTS = re.compile(
    r"169\.254\.170\.2|169\.254\.170\.23|fd00:ec2::23|localhost|127\.\d+\.\d+\.\d+|::1", re.IGNORECASE
)
"""The hosts to which SDKs send the authorization token without TLS.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""
_NAME = "[A-Za-z0-9_+=,.@-]{1,64}"
ROLE_NAME = re.compile(_NAME)
IDENTITY = re.compile(
    f"arn:[a-z-]{{3,20}}:(sts::[0-9]{{12}}:(assumed-role/{_NAME}|federated-user)/{_NAME}"
    "|iam::[0-9]{12}:(root|user/[!-~]{1,576}))"
)
"""The ARN of a caller: a user's path can contain any visible ASCII character.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""
LARGEST_AUTHORIZATION = 1 << 14
PASSING = ("IDPCommunicationError", "Throttling", "ThrottlingException", "RequestTimeout", "InternalFailure")


class ThisPod:
    """A container: its environment, the calls that its SDK can send, and the evidence that was found."""

    def __init__(
        self, env: Mapping[str, str], seconds: float, sdk: str = "", secrets: Secrets | None = None
    ) -> None:
        """`seconds` is the time limit of each call, `sdk` '' for any."""
        self.env = env
        self.sdk = sdk
        self.secrets = secrets or Secrets(env)
        self.session = env.get("AWS_ROLE_SESSION_NAME") or f"irsa-preflight-{int(time.time())}"
        self.wire = Wire(env, seconds, ("IMDS", *WITHOUT_PROXY.get(sdk, ())))
        names = ("AWS_DEFAULT_REGION",) if sdk == "python" else ("AWS_REGION", "AWS_DEFAULT_REGION")
        try:
            of_profile = read_profile(env, sdk).settings.get("region")
        except NotRead:  # `choose` also raises it.
            of_profile = None
        self.region = next(filter(None, [*map(env.get, names), of_profile]), "")
        self.evidence: dict[str, Any] = {"sts": shown_url(self.sts)}
        self.evidence["region"] = self.region or None

    @property
    def sts(self) -> str:
        """The STS endpoint that an SDK uses here.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        """
        env = self.env
        region = self.region
        if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
            configured = env.get("AWS_ENDPOINT_URL_STS") or env.get("AWS_ENDPOINT_URL")
            if configured:
                return configured.rstrip("/")
        fips = env.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"
        dual = env.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true"
        legacy = env.get("AWS_STS_REGIONAL_ENDPOINTS") == "legacy" and not fips and not dual
        if region in ("", "aws-global") or (legacy and GLOBAL_REGIONS.fullmatch(region)):
            return "https://sts.amazonaws.com"
        name = "sts"
        if fips and (dual or not region.startswith("us-gov-")):
            name = "sts-fips"  # The usual endpoints of GovCloud are FIPS endpoints.
        ipv4, dual_stack = next(suffixes for start, *suffixes in SUFFIXES if region.startswith(start))
        return f"https://{name}.{region}.{dual_stack if dual else ipv4}"

    def exchange(self, role: str, token: str) -> str:
        """Exchange a token for credentials (AssumeRoleWithWebIdentity); the ARN that they are for."""
        parameters = {"RoleArn": role, "WebIdentityToken": token, "RoleSessionName": self.session}
        return self._sts("AssumeRoleWithWebIdentity", {**parameters, "DurationSeconds": "900"}, None)

    def identity(self, credentials: Credentials) -> str:
        """The ARN whose credentials they are (GetCallerIdentity, which needs no permission)."""
        return self._sts("GetCallerIdentity", {}, credentials)

    def _sts(self, action: str, parameters: Mapping[str, str], credentials: Credentials | None) -> str:
        service = f"STS {action}"
        body = urllib.parse.urlencode({"Action": action, "Version": "2011-06-15", **parameters}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        if credentials is not None:
            headers.update(signature(credentials, self.sts, self.region or "us-east-1", body))
        status, text = self.wire.fetch(self.sts + "/", headers, body, what=service)
        fields = dict(re.findall(r"<(\w{1,20})>([^<]*)(?=<)", text))
        self.add_credentials(fields)
        arn = html.unescape(fields.get("Arn", ""))
        if status == 200 and IDENTITY.fullmatch(arn):
            return arn
        passing = status >= 500
        if "Code" not in fields:
            do = "network team: nothing between the pod and AWS may answer for AWS"
            raise Failed(service, f"the answer (HTTP {status}) is not from AWS", "", do, passing=passing)
        code = fields["Code"]
        why = f"{code}: {html.unescape(fields.get('Message', ''))}"
        raise Failed(service, why, code, passing=passing or code in PASSING)

    def container(self) -> Credentials:
        """The credentials of the container credentials endpoint: EKS Pod Identity's agent on the node.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
        """
        env = self.env
        service = AGENT
        relative = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
        uri = "http://169.254.170.2" + relative if relative else env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        _check_agent(uri)
        headers = {"Accept": "application/json"}
        authorization = self._authorization()
        if authorization:
            headers["Authorization"] = authorization
        status, text = self.wire.fetch(uri, headers, what=service)
        answer = _fields_of(text)
        self.add_credentials(answer)
        if status != 200:
            passing = status >= 500 or status in (408, 429)
            raise Failed(service, f"HTTP {status}: {text.strip()[:300]}", f"HTTP {status}", passing=passing)
        keys = answer.get("AccessKeyId", ""), answer.get("SecretAccessKey", ""), answer.get("Token", "")
        if not (keys[0] and keys[1]) or not all(re.fullmatch("[!-~]*", key) for key in keys):
            raise Failed(service, "HTTP 200: no credentials in the answer", "HTTP 200")
        return keys

    def add_credentials(self, fields: Mapping[str, str]) -> None:
        """Show nothing any more of the credentials that an answer has."""
        self.secrets.add_name(fields.get("AccessKeyId", ""))
        for name in ("SecretAccessKey", "SessionToken", "Token"):
            self.secrets.add(fields.get(name, ""))

    def _authorization(self) -> str:
        """The agent's authorization token, '' for none."""
        path = self.env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        token = self.env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        if path:
            try:
                token = read_text(path, LARGEST_AUTHORIZATION).strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not text"
                do = "owner of the pod template: mount that file, or remove the AWS_CONTAINER_ variables"
                raise Failed(AGENT, f"its token file {path} is not readable: {reason}", do=do) from None
        self.secrets.add(token)
        if not re.fullmatch("[ -~]*", token):
            why = "its authorization token has a line break or another character that no header may have"
            raise Failed(AGENT, why, do="owner of the pod template: mount the token of the agent")
        return token

    def instance_role(self) -> str:
        """The name of the node's instance role, '' if the node has none. Asks IMDSv2, as SDKs do.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
        """
        if self.env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            raise Failed("IMDS", "not asked (AWS_EC2_METADATA_DISABLED)")
        base = self.env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", IMDS).rstrip("/")
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        status, token = self.wire.fetch(base + "/latest/api/token", headers, what="IMDS", method="PUT")
        if status != 200:
            raise Failed("IMDS", f"HTTP {status} for a session token")
        self.secrets.add(token)
        place = base + "/latest/meta-data/iam/security-credentials/"
        status, text = self.wire.fetch(place, {"X-aws-ec2-metadata-token": token}, what="IMDS")
        role = text.strip().partition("\n")[0] if status == 200 else ""
        if role and not ROLE_NAME.fullmatch(role):
            raise Failed("IMDS", "its answer is not the name of a role")
        return role


def _check_agent(uri: str) -> None:
    """Raise `Failed` for an endpoint to which SDKs send no authorization token."""
    url = parts_of(uri)
    host = (url.hostname or "") if url else ""
    if url is None or (url.scheme == "http" and not AGENTS.fullmatch(host)):
        do = "owner of the pod template: remove the AWS_CONTAINER_ variables, so that EKS's webhook sets them"
        raise Failed(AGENT, f"SDKs do not ask '{host}' without TLS", do=do)


def _fields_of(text: str) -> dict[str, str]:
    """The texts of a JSON object by their keys, none if it is something else."""
    try:
        document = json.loads(text)
    except (RecursionError, ValueError):
        return {}
    pairs = document.items() if isinstance(document, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str)}
