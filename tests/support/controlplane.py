"""A real etcd and kube-apiserver on loopback, for as long as a `with` block lasts.

Only the API server: no controllers run, so a deleted namespace stays Terminating, a new one gets no
`default` ServiceAccount, which pods need that name no other, and pods stay Pending. Where the binaries come
from is tests.support.assets' business.
"""

import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol

import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.kubeclient import Answer, Json, KubeClient

READY_SECONDS = 240.0
_LEASH = Path(__file__).with_name("leash.py")


class RbacRule(Protocol):
    """What grant_rbac needs of a rule; irsa_cli.sandbox.model.Rule is one."""

    @property
    def verbs(self) -> Iterable[str]: ...
    @property
    def resources(self) -> Iterable[str]: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def groups(self) -> Iterable[str]: ...


class StartError(RuntimeError):
    """A server that did not get ready; the message ends with its last log lines."""


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Server:
    """A process on a leash, with its log in a file."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._log = log
        self._name = Path(command[0]).name
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, str(_LEASH), *command],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Poll `ready` until it is true; StartError when the process ends or time is up."""
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise StartError(f"{self._name} did not get ready:\n{self.last_lines()}")
            time.sleep(0.05)

    def last_lines(self, count: int = 30) -> str:
        """The end of the log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-count:])

    def kill(self) -> None:
        """End the leash, which kills the server, and wait for it."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=30)


def _start(build: Callable[[int], _Server], ready: Callable[[int], bool]) -> tuple[_Server, int]:
    """Start on a free port; again on another one if somebody else took it first."""
    for attempt in range(3):
        port = free_port()
        server = build(port)
        try:
            server.wait_until(lambda port=port: ready(port))  # type: ignore[misc]
        except StartError:
            if attempt == 2 or "address already in use" not in server.last_lines():
                raise
        else:
            return server, port
    raise AssertionError("unreachable")


def _answers_ok(url: str, ca_pem: str | None = None) -> bool:
    try:
        context = ssl.create_default_context(cadata=ca_pem) if ca_pem else None
        with urllib3.PoolManager(ssl_context=context) as pool:
            return pool.request("GET", url, retries=False, timeout=5).status == 200
    except (ssl.SSLError, urllib3.exceptions.HTTPError):
        return False


class Etcd:
    """One etcd, shared by the API servers of a test session."""

    def __init__(self, assets: Path) -> None:
        self.assets = assets
        self._folder = tempfile.TemporaryDirectory(prefix="irsa-etcd-")
        self.url = ""

    def __enter__(self) -> "Etcd":
        self._server, port = _start(self._launch, lambda port: _answers_ok(f"http://127.0.0.1:{port}/readyz"))
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._folder.cleanup()

    def _launch(self, port: int) -> _Server:
        folder = Path(self._folder.name)
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
        flags = [
            f"--data-dir={folder / f'data-{port}'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        return _Server([str(self.assets / "etcd"), *flags], folder / "etcd.log")


class ControlPlane:
    """A kube-apiserver with its own keys, issuer and prefix in `etcd`.

    `token_review_url` is asked who a bearer token is (authentication webhook); None: only the admin
    token and tokens of ServiceAccounts are known. `issuer` is one like those of EKS unless given; `elliptic`:
    it signs its tokens with ES256. Afterwards:
    `endpoint`, `ca_pem`, `issuer`, `admin_token`, and `admin`, a client that may do everything.
    """

    def __init__(
        self,
        assets: Path,
        etcd: Etcd,
        *,
        region: str = "eu-west-1",
        token_review_url: str | None = None,
        elliptic: bool = False,
        issuer: str = "",
    ) -> None:
        self._assets = assets
        self._etcd = etcd
        self._token_review_url = token_review_url
        self._elliptic = elliptic
        self._folder = tempfile.TemporaryDirectory(prefix="irsa-apiserver-")
        self.path = Path(self._folder.name)
        suffix = ".amazonaws.com.cn" if region.startswith("cn-") else ".amazonaws.com"
        self.issuer = issuer or f"https://oidc.eks.{region}{suffix}/id/{secrets.token_hex(16).upper()}"
        self.admin_token = secrets.token_urlsafe(24)
        self.endpoint = ""
        self.ca_pem = ""

    def __enter__(self) -> "ControlPlane":
        self._write_files()
        self._server, port = _start(self._launch, self._ready)
        self.endpoint = f"https://127.0.0.1:{port}"
        self.ca_pem = (self.path / "apiserver.crt").read_text()
        self.admin = KubeClient(self.endpoint, self.ca_pem, self.admin_token)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.kill()
        if error is not None:
            print(self.log_tail(), file=sys.stderr)
        self._folder.cleanup()

    def log_tail(self) -> str:
        """The last lines of the API server's log."""
        return self._server.last_lines()

    def client(self, token: str | None) -> KubeClient:
        """A client with that bearer token, None for an anonymous one."""
        return KubeClient(self.endpoint, self.ca_pem, token)

    def jwks(self) -> Json:
        """The public keys that the tokens of this cluster verify with."""
        return _expect(200, self.admin.get("/openid/v1/jwks", accept="application/jwk-set+json"))

    def world(self) -> Json:
        """Namespaces and ServiceAccounts, in the shape of the sandbox's `KubeApi.world()`."""
        namespaces = _expect(200, self.admin.get("/api/v1/namespaces"))["items"]
        accounts = _expect(200, self.admin.get("/api/v1/serviceaccounts"))["items"]
        made = "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dirsa"
        config_maps = _expect(200, self.admin.get(f"/api/v1/configmaps?{made}"))["items"]
        return {
            "namespaces": {item["metadata"]["name"]: _namespace_state(item) for item in namespaces},
            "serviceaccounts": {_full_name(item): _account_state(item) for item in accounts},
            "configmaps": {_full_name(item): _config_map_state(item) for item in config_maps},
        }

    def grant_rbac(self, username: str, rules: Iterable[RbacRule]) -> None:
        """Let `username` do what `rules` say, and nothing else; returns when it is in force."""
        for rule in rules:
            self._bind(username, rule)
            self._wait_for_grant(username, rule)

    def _bind(self, username: str, rule: RbacRule) -> None:
        group = "rbac.authorization.k8s.io"
        scope = f"/namespaces/{rule.namespace}" if rule.namespace else ""
        prefix = "" if rule.namespace else "Cluster"
        name = f"irsa-test-{uuid.uuid4().hex[:12]}"
        permissions = {"apiGroups": [*rule.groups], "resources": [*rule.resources], "verbs": [*rule.verbs]}
        base = f"/apis/{group}/v1{scope}"
        role = {"metadata": {"name": name}, "rules": [permissions]}
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": f"{prefix}Role", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": username}],
        }
        _expect(201, self.admin.create(f"{base}/{prefix.lower()}roles", role))
        _expect(201, self.admin.create(f"{base}/{prefix.lower()}rolebindings", binding))

    def _wait_for_grant(self, username: str, rule: RbacRule) -> None:
        # RBAC is served from a cache that follows etcd with a delay.
        asked = [
            {"verb": verb, "namespace": rule.namespace or "", "group": group, **_split(resource)}
            for verb in rule.verbs
            for group in rule.groups
            for resource in rule.resources
        ]
        self._server.wait_until(lambda: all(self._allowed(username, what) for what in asked))

    def _allowed(self, username: str, what: Json) -> bool:
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        review = {"spec": {"user": username, "resourceAttributes": what}}
        return bool(_expect(201, self.admin.create(path, review))["status"]["allowed"])

    def _ready(self, port: int) -> bool:
        # The server writes its certificate when it starts.
        certificate = self.path / "apiserver.crt"
        if not certificate.exists():
            return False
        return _answers_ok(f"https://127.0.0.1:{port}/readyz", certificate.read_text())

    def _write_files(self) -> None:
        key = (
            ec.generate_private_key(ec.SECP256R1())
            if self._elliptic
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        (self.path / "sa.key").write_bytes(pem)
        (self.path / "tokens.csv").write_text(f'{self.admin_token},admin,admin-uid,"system:masters"\n')
        if self._token_review_url is not None:
            (self.path / "webhook.yaml").write_text(_WEBHOOK.format(url=self._token_review_url))

    def _launch(self, port: int) -> _Server:
        binary = str(self._assets / "kube-apiserver")
        return _Server([binary, *self._flags(port)], self.path / "apiserver.log")

    def _flags(self, port: int) -> list[str]:
        key = self.path / "sa.key"
        flags = [
            f"--etcd-servers={self._etcd.url}",
            f"--etcd-prefix=/{self.path.name}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.path}",
            f"--service-account-issuer={self.issuer}",
            f"--service-account-jwks-uri={self.issuer}/keys",
            f"--service-account-signing-key-file={key}",
            f"--service-account-key-file={key}",
            "--service-account-max-token-expiration=24h",
            "--api-audiences=https://kubernetes.default.svc",
            f"--token-auth-file={self.path / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            # Nobody needs the `kubernetes` Service, and its endpoint may not be on loopback.
            "--endpoint-reconciler-type=none",
        ]
        if self._token_review_url is not None:
            flags += [
                f"--authentication-token-webhook-config-file={self.path / 'webhook.yaml'}",
                "--authentication-token-webhook-version=v1",
                # The default is minutes. A token that was let in is still good for 10 s, whatever
                # changes, and no flag shortens that: each test needs users of its own.
                "--authentication-token-webhook-cache-ttl=0s",
            ]
        return flags


_WEBHOOK = """\
apiVersion: v1
kind: Config
clusters: [{{name: sandbox, cluster: {{server: "{url}"}}}}]
contexts: [{{name: sandbox, context: {{cluster: sandbox}}}}]
current-context: sandbox
"""


def _expect(status: int, answer: Answer) -> Json:
    if answer.status != status:
        raise AssertionError(f"the admin got {answer.status}: {answer.text}")
    return answer.body


def _split(resource: str) -> Json:
    name, _, subresource = resource.partition("/")
    return {"resource": name, "subresource": subresource}


def _full_name(item: Json) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def _namespace_state(item: Json) -> Json:
    metadata = item["metadata"]
    return {
        "labels": metadata.get("labels", {}),
        "annotations": metadata.get("annotations", {}),
        "phase": item["status"]["phase"],
    }


def _config_map_state(item: Json) -> Json:
    return {"annotations": item["metadata"].get("annotations", {}), "data": item.get("data", {})}


def _account_state(item: Json) -> Json:
    metadata = item["metadata"]
    return {
        "uid": metadata["uid"],
        "labels": metadata.get("labels", {}),
        "annotations": metadata.get("annotations", {}),
        "secrets": item.get("secrets", []),
        "imagePullSecrets": item.get("imagePullSecrets", []),
        "automount": item.get("automountServiceAccountToken"),
    }
