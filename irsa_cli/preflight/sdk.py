"""The credentials that AWS SDKs take in this environment, and the calls that they send.

They look for credentials in an order of their own, and the first source that is there decides;
tests/unit/preflight/test_orders.py names the files of their source code. Proxies, certificates and endpoints
are those of the environment. A call either answers or raises `Failed`, which explains the failure in words;
credentials stay in memory, and are in no message.
"""

from __future__ import annotations

import configparser
import datetime
import hashlib
import hmac
import html
import http.client
import json
import os
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable, Mapping, NamedTuple, Tuple

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


MOST_BYTES = 1 << 20
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
PASSING = ("IDPCommunicationError", "Throttling", "ThrottlingException", "RequestTimeout", "InternalFailure")

Credentials = Tuple[str, str, str]
"""Access key, secret key and session token, '' for static keys. Never printed."""


class Failed(Exception):
    """A call that failed: `what` was called, `why`, and the service's `code`, '' if nobody answered.

    `do`: how to reach it, in words; `passing`: the same call may succeed soon.
    """

    def __init__(self, what: str, why: str, code: str = "", do: str = "", *, passing: bool = False) -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why, self.code, self.do, self.passing = what, why, code, do, passing


class ThisPod:
    """A container: its environment, the calls that its SDK can send, and the evidence that was found."""

    def __init__(self, env: Mapping[str, str], seconds: float, sdk: str = "") -> None:
        """`seconds` is the time limit of each call, `sdk` '' for any."""
        self.env, self.seconds, self.sdk = env, seconds, sdk
        self.direct = ("IMDS", *WITHOUT_PROXY.get(sdk, ()))
        names = ("AWS_DEFAULT_REGION",) if sdk == "python" else ("AWS_REGION", "AWS_DEFAULT_REGION")
        regions = [*map(env.get, names), read_profile(env, sdk).settings.get("region")]
        self.region = next(filter(None, regions), "")
        self.evidence: dict[str, Any] = {"sts": re.sub("//.*@", "//", self.sts)}
        self.evidence["region"] = self.region or None

    @property
    def sts(self) -> str:
        """The STS endpoint that an SDK uses here.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        """
        env, region = self.env, self.region
        if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
            given = env.get("AWS_ENDPOINT_URL_STS") or env.get("AWS_ENDPOINT_URL")
            if given:
                return given.rstrip("/")
        fips, dual = (
            env.get(f"AWS_USE_{what}_ENDPOINT", "").lower() == "true" for what in ("FIPS", "DUALSTACK")
        )
        legacy = env.get("AWS_STS_REGIONAL_ENDPOINTS") == "legacy" and GLOBAL_REGIONS.fullmatch(region)
        if region in ("", "aws-global") or (legacy and not fips and not dual):
            return "https://sts.amazonaws.com"
        suffix = next(known[1 + dual] for known in SUFFIXES if region.startswith(known[0]))
        # The usual endpoints of GovCloud are FIPS endpoints.
        name = "sts-fips" if fips and (dual or not region.startswith("us-gov-")) else "sts"
        return f"https://{name}.{region}.{suffix}"

    def exchange(self, role: str, token: str) -> str:
        """Exchange a token for credentials (AssumeRoleWithWebIdentity); the ARN that they are for."""
        session = self.env.get("AWS_ROLE_SESSION_NAME") or f"irsa-preflight-{int(time.time())}"
        asked = {"RoleArn": role, "WebIdentityToken": token, "RoleSessionName": session}
        return self._sts("AssumeRoleWithWebIdentity", {**asked, "DurationSeconds": "900"}, None)

    def identity(self, credentials: Credentials) -> str:
        """The ARN whose credentials they are (GetCallerIdentity, which needs no permission)."""
        return self._sts("GetCallerIdentity", {}, credentials)

    def _sts(self, action: str, asked: Mapping[str, str], credentials: Credentials | None) -> str:
        what = f"STS {action}"
        body = urllib.parse.urlencode({"Action": action, "Version": "2011-06-15", **asked}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        if credentials is not None:
            headers.update(_signature(credentials, self.sts, self.region or "us-east-1", body))
        status, text = self.fetch(self.sts + "/", headers, body, what=what)
        fields = dict(re.findall(r"<(Arn|Code|Message)>([^<]*)<", text))
        if status == 200 and "Arn" in fields:
            return html.unescape(fields["Arn"])
        if "Code" not in fields:
            do = "network team: nothing between the pod and AWS may answer for AWS"
            raise Failed(what, f"the answer (HTTP {status}) is not from AWS", "", do, passing=status >= 500)
        code, passing = fields["Code"], status >= 500 or fields["Code"] in PASSING
        raise Failed(what, f"{code}: {html.unescape(fields.get('Message', ''))}", code, passing=passing)

    def container(self) -> Credentials:
        """The credentials of the container credentials endpoint: EKS Pod Identity's agent on the node.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
        """
        env, what = self.env, AGENT
        relative = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
        uri = "http://169.254.170.2" + relative if relative else env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        headers = {"Accept": "application/json"}
        path = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        if path:
            try:
                with open(path, encoding="utf-8") as file:
                    headers["Authorization"] = file.read().strip()
            except OSError as error:
                do = "owner of the pod template: mount that file, or remove the AWS_CONTAINER_ variables"
                why = f"its token file {path} is not readable: {error.strerror}"
                raise Failed(what, why, do=do) from None
        elif env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"):
            headers["Authorization"] = env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        status, text = self.fetch(uri, headers, what=what)
        try:
            found = json.loads(text)
            return found["AccessKeyId"], found["SecretAccessKey"], found.get("Token") or ""
        except (ValueError, KeyError, TypeError):
            said = "no credentials in the answer" if status == 200 else text.strip()[:300]
            raise Failed(what, f"HTTP {status}: {said}", f"HTTP {status}", passing=status >= 500) from None

    def instance_role(self) -> str:
        """The name of the node's instance role, '' if the node has none. Asks IMDSv2, as SDKs do.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
        """
        if self.env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            raise Failed("IMDS", "not asked (AWS_EC2_METADATA_DISABLED)")
        base = self.env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", IMDS).rstrip("/")
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        status, token = self.fetch(base + "/latest/api/token", headers, what="IMDS", method="PUT")
        if status != 200:
            raise Failed("IMDS", f"HTTP {status} for a session token")
        place = base + "/latest/meta-data/iam/security-credentials/"
        status, text = self.fetch(place, {"X-aws-ec2-metadata-token": token}, what="IMDS")
        return text.strip().partition("\n")[0] if status == 200 else ""

    def fetch(
        self, url: str, headers: Mapping[str, str], body: bytes | None = None, *, what: str, method: str = ""
    ) -> tuple[int, str]:
        """The status and the text of an answer; raises `Failed` if there is none."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failed(what, "its URL has no host, or is not one of http or https")
        request = urllib.request.Request(url, body, dict(headers), method=method or None)  # noqa: S310
        imds = what == "IMDS"
        direct = what.startswith(self.direct) or urllib.request.proxy_bypass(parts.hostname)
        proxy = "" if direct else urllib.request.getproxies().get(parts.scheme, "")
        handlers = [urllib.request.ProxyHandler({parts.scheme: proxy} if proxy else {}), _NoRedirect()]
        seconds = min(self.seconds, 1.0) if imds else self.seconds

        def send() -> tuple[int, str]:
            if parts.scheme == "https":
                bundle = self.env.get("AWS_CA_BUNDLE") or None
                try:
                    context = ssl.create_default_context(cafile=bundle)
                except OSError as error:
                    why = f"the file of AWS_CA_BUNDLE can't be used: {error.strerror or error}"
                    do = "owner of the pod template: mount the certificates there"
                    raise Failed(what, why, do=do) from None
                handlers.append(urllib.request.HTTPSHandler(context=context))
            try:
                answer = urllib.request.build_opener(*handlers).open(request, timeout=seconds)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                return int(answer.code), answer.read(MOST_BYTES).decode("utf-8", "replace")

        try:
            return _in_time(send, seconds)
        except (OSError, ValueError, http.client.HTTPException) as error:
            why, do = _reason(error, parts.netloc.rpartition("@")[2], proxy)
            raise Failed(what, why, do=do, passing=True) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect: a token must not leave for another host."""


def _in_time(send: Callable[[], tuple[int, str]], seconds: float) -> tuple[int, str]:
    """The result of `send`, in time even if DNS is slow or the answer arrives byte by byte."""
    ended: list[tuple[int, str] | Exception] = []

    def run() -> None:
        try:
            ended.append(send())
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    result = ended[0] if ended else TimeoutError()
    if isinstance(result, Exception):
        raise result
    return result


def _reason(error: Exception, host: str, proxy: str) -> tuple[str, str]:
    """Why a host was not reached, and who can change that."""
    inner = getattr(error, "reason", error)
    first = f"the proxy {urllib.parse.urlsplit(proxy).hostname}" if proxy else host
    through = f" (through {first})" if proxy else ""
    allow = f"network team: allow {host} for this pod (NetworkPolicy, security groups, NAT or VPC endpoint)"
    if proxy:
        allow = f"network team: allow {host} in the proxy, or add it to NO_PROXY"
    if isinstance(inner, ssl.SSLCertVerificationError):
        why = f"the certificate of {host} is not trusted{through}: {inner.verify_message}"
        return why, "owner of the pod template: mount the missing CA, and set AWS_CA_BUNDLE to its file"
    if isinstance(inner, socket.gaierror):
        why = f"the name of {first} can't be resolved (DNS)"
        return why, "cluster administrator: check CoreDNS, NetworkPolicies for port 53, and the region's name"
    if isinstance(inner, (socket.timeout, TimeoutError)):
        return f"no answer from {host} in time{through}", allow
    if isinstance(inner, ConnectionRefusedError):
        return f"{first} refuses connections", allow
    reason = getattr(inner, "strerror", None) or type(inner).__name__
    return f"{host} can't be reached{through}: {reason}", allow


def _signature(credentials: Credentials, endpoint: str, region: str, body: bytes) -> dict[str, str]:
    """The headers that sign a POST to STS.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    key_id, secret, token = credentials
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": urllib.parse.urlsplit(endpoint).netloc, "x-amz-date": now}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{now[:8]}/{region}/sts/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (now[:8], region, "sts", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    del headers["host"]
    signed = f"Credential={key_id}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {signed}"}
