"""Calls of STS, of EKS Pod Identity's agent and of IMDS, as SDKs make them in this environment.

Proxies, certificates and endpoints are those of the environment. A call either answers or raises `Failed`, which says
in words what failed; credentials stay in memory, and are in no message.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import os
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree  # noqa: S405 - of AWS, and bounded
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

MOST_BYTES = 1 << 20
IMDS = "http://169.254.169.254"
SUFFIXES = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-iso-", "c2s.ic.gov"),
)
PASSING = ("IDPCommunicationError", "Throttling", "ThrottlingException", "RequestTimeout", "InternalFailure")


@dataclass
class Credentials:
    """Temporary credentials, or static ones without a token. Never printed."""

    key: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"


class Failed(Exception):
    """A call that failed: `what` was called, `why`, and the service's `code`, '' if nobody answered.

    `passing`: the same call may succeed soon.
    """

    def __init__(self, what: str, why: str, code: str = "", passing: bool = False) -> None:
        super().__init__("%s: %s" % (what, why))
        self.what, self.why, self.code, self.passing = what, why, code, passing


class Caller:
    """Makes calls in an environment; `seconds` is the time limit of each."""

    def __init__(self, env: Mapping[str, str], seconds: float) -> None:
        self._env, self.seconds = env, seconds

    @property
    def region(self) -> str:
        """The region that the environment names, '' for none."""
        return self._env.get("AWS_REGION") or self._env.get("AWS_DEFAULT_REGION") or ""

    @property
    def sts(self) -> str:
        """The STS endpoint that an SDK uses here.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        """
        env, region = self._env, self.region
        if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
            given = env.get("AWS_ENDPOINT_URL_STS") or env.get("AWS_ENDPOINT_URL")
            if given:
                return given.rstrip("/")
        if not region or env.get("AWS_STS_REGIONAL_ENDPOINTS") == "legacy":
            return "https://sts.amazonaws.com"
        suffix = next((value for start, value in SUFFIXES if region.startswith(start)), "amazonaws.com")
        if env.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true":
            suffix = "api.amazonwebservices.com.cn" if region.startswith("cn-") else "api.aws"
        fips = "-fips" if env.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true" else ""
        return "https://sts%s.%s.%s" % (fips, region, suffix)

    def exchange(self, role: str, token: str, session: str) -> Tuple[Credentials, str]:
        """Exchange a token for credentials (AssumeRoleWithWebIdentity); also the ARN that they are for."""
        asked = {"RoleArn": role, "WebIdentityToken": token, "RoleSessionName": session, "DurationSeconds": "900"}
        answer = self._sts("AssumeRoleWithWebIdentity", asked, None)
        found = {key: answer.get(key, "") for key in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Arn")}
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]), found["Arn"]

    def identity(self, credentials: Credentials) -> str:
        """The ARN whose credentials they are (GetCallerIdentity, which needs no permission)."""
        return self._sts("GetCallerIdentity", {}, credentials).get("Arn", "")

    def _sts(self, action: str, asked: Mapping[str, str], credentials: Optional[Credentials]) -> Dict[str, str]:
        body = urllib.parse.urlencode({"Action": action, "Version": "2011-06-15", **asked}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        if credentials is not None:
            headers.update(_signature(credentials, self.sts, self.region or "us-east-1", body))
        status, text = self.fetch(self.sts + "/", headers, body, what="STS " + action)
        try:
            found = {item.tag.rpartition("}")[2]: item.text or "" for item in ElementTree.fromstring(text).iter()}  # noqa: S314
        except ElementTree.ParseError:
            raise Failed("STS " + action, "the answer (HTTP %d) is not of AWS" % status) from None
        if status != 200:
            code = found.get("Code", "HTTP %d" % status)
            passing = status >= 500 or code in PASSING
            raise Failed("STS " + action, "%s: %s" % (code, found.get("Message", "")), code, passing)
        return found

    def container(self) -> Credentials:
        """The credentials of the container credentials endpoint: EKS Pod Identity's agent on the node.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
        """
        env, what = self._env, "the credentials endpoint"
        relative = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
        uri = "http://169.254.170.2" + relative if relative else env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        headers = {"Accept": "application/json"}
        path = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        if path:
            try:
                with open(path, encoding="utf-8") as file:
                    headers["Authorization"] = file.read().strip()
            except OSError as error:
                raise Failed(what, "its token file %s is not readable: %s" % (path, error.strerror)) from None
        elif env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"):
            headers["Authorization"] = env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        status, text = self.fetch(uri, headers, what=what)
        try:
            found = json.loads(text)
            if status == 200:
                return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token") or "")
        except (ValueError, KeyError, TypeError):
            found = text.decode("utf-8", "replace").strip()[:300]
        said = found.get("message") or found.get("Message") or "" if isinstance(found, dict) else found
        raise Failed(what, "HTTP %d: %s" % (status, said), "HTTP %d" % status, passing=status >= 500)

    def instance_role(self) -> str:
        """The name of the node's instance role, '' if the node has none. Asks IMDSv2, as SDKs do.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
        """
        base = self._env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", IMDS).rstrip("/")
        wanted, seconds = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, min(self.seconds, 1.0)
        token_at = base + "/latest/api/token"
        status, token = self.fetch(token_at, wanted, method="PUT", what="IMDS", seconds=seconds, direct=True)
        if status != 200:
            raise Failed("IMDS", "HTTP %d for a session token" % status)
        headers = {"X-aws-ec2-metadata-token": token.decode("ascii", "replace")}
        place = base + "/latest/meta-data/iam/security-credentials/"
        status, text = self.fetch(place, headers, what="IMDS", seconds=seconds, direct=True)
        if status not in (200, 404):
            raise Failed("IMDS", "HTTP %d for the role's name" % status)
        return text.decode("utf-8", "replace").strip().partition("\n")[0] if status == 200 else ""

    def fetch(
        self,
        url: str,
        headers: Mapping[str, str],
        body: Optional[bytes] = None,
        *,
        what: str,
        method: Optional[str] = None,
        seconds: float = 0,
        direct: bool = False,
    ) -> Tuple[int, bytes]:
        """The status and the body of an answer; raises `Failed` if there is none. `direct`: by no proxy."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failed(what, "%s is no URL of a service" % url)
        request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310 - checked above
        proxies = {} if direct or _bypasses(self._env, parts.hostname) else _proxies(self._env)
        try:
            context = ssl.create_default_context(cafile=self._env.get("AWS_CA_BUNDLE") or None)
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context), _NoRedirect()
            )
            with opener.open(request, timeout=seconds or self.seconds) as answer:
                return int(answer.status), answer.read(MOST_BYTES)
        except urllib.error.HTTPError as error:
            return error.code, error.read(MOST_BYTES)
        except (OSError, ValueError) as error:
            raise Failed(what, _reason(error, parts.netloc, proxies.get(parts.scheme, "")), passing=True) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect: a token must not leave for another host."""


def _proxies(env: Mapping[str, str]) -> Dict[str, str]:
    found = {}
    for scheme in ("http", "https"):
        names = (scheme + "_proxy", scheme.upper() + "_PROXY", "all_proxy", "ALL_PROXY")
        value = next((env[name] for name in names if env.get(name)), "")
        if value:
            found[scheme] = value
    return found


def _bypasses(env: Mapping[str, str], host: str) -> bool:
    exempt = (env.get("no_proxy") or env.get("NO_PROXY") or "").replace(" ", "").split(",")
    names = [name.lstrip("*").lstrip(".").lower() for name in exempt if name]
    return "" in names or any(host.lower() == name or host.lower().endswith("." + name) for name in names)


def _reason(error: Exception, host: str, proxy: str) -> str:
    inner = getattr(error, "reason", error)
    by = " by the proxy %s" % urllib.parse.urlsplit(proxy).hostname if proxy else ""
    if isinstance(inner, ssl.SSLCertVerificationError):
        return "the certificate of %s is not trusted%s: %s" % (host, by, inner.verify_message)
    if isinstance(inner, socket.gaierror):
        return "the name %s can't be resolved (DNS)%s" % (host, by)
    if isinstance(inner, (socket.timeout, TimeoutError)):
        return "no answer of %s in time%s" % (host, by)
    if isinstance(inner, ConnectionRefusedError):
        return "%s refuses connections%s" % (host, by)
    return "%s can't be reached%s: %s" % (host, by, inner)


def _signature(credentials: Credentials, endpoint: str, region: str, body: bytes) -> Dict[str, str]:
    """The headers that sign a POST to STS.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": urllib.parse.urlsplit(endpoint).netloc, "x-amz-date": now}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(headers))
    lines = "".join("%s:%s\n" % (name, headers[name]) for name in sorted(headers))
    canonical = "POST\n/\n\n%s\n%s\n%s" % (lines, names, hashlib.sha256(body).hexdigest())
    scope = "%s/%s/sts/aws4_request" % (now[:8], region)
    text = "AWS4-HMAC-SHA256\n%s\n%s\n%s" % (now, scope, hashlib.sha256(canonical.encode()).hexdigest())
    key = ("AWS4" + credentials.secret).encode()
    for part in (now[:8], region, "sts", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    value = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"
    del headers["host"]
    return {**headers, "authorization": value % (credentials.key, scope, names, key.hex())}


def session_name(env: Mapping[str, str]) -> str:
    """The session's name: that of the environment, or one that tells the preflight in CloudTrail."""
    return env.get("AWS_ROLE_SESSION_NAME") or "irsa-preflight-%d" % os.getpid()
