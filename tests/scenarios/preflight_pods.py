"""Containers as EKS starts them: the webhook's variables, the kubelet's tokens, the node's endpoints."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.binding import make_binding
from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import no_provider
from tests.scenarios.preflighting import NOBODY, LocalAws, open_folder
from tests.scenarios.reported.words import by_pods, elsewhere, variables
from tests.scenarios.reported.world import World
from tests.support.lines import play
from tests.support.stage import Json, Stage, made

CLOSED = "http://127.0.0.1:9"
"""Nothing listens there."""
AGENT = "http://169.254.170.23/v1/credentials"
EXCHANGE = "AssumeRoleWithWebIdentity"


@dataclass
class Scene:
    """A binding in the sandbox, the node that its pod runs on, and how preflight is run in its container.

    `imds` and `agent` are where the node's endpoints answer; `user` is the container's user.
    """

    world: World
    aws: LocalAws
    folder: Path
    imds: str = CLOSED
    agent: str = ""
    user: int | None = None
    flags: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    pod: str = f"{NAME}-0"
    opened: ExitStack = field(default_factory=ExitStack)
    """What is closed after the case."""
    container: str = "app"

    def __post_init__(self) -> None:
        self.agent = self.agent or self.aws.agent

    def start(self, **more: str) -> None:
        """Start the container of the pod as it was admitted, with variables that an image or a user sets."""
        world = self.world
        pod = world.stage.kube.get(f"/api/v1/namespaces/{world.namespace}/pods/{self.pod}").body
        every = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
        (container,) = [item for item in every if item["name"] == self.container]
        for mount in container.get("volumeMounts", []):
            (volume,) = [item for item in pod["spec"]["volumes"] if item["name"] == mount["name"]]
            self._project(pod, volume, self.folder / mount["mountPath"].lstrip("/"))
        variables = {item["name"]: item["value"] for item in container.get("env", [])}
        here = {
            name: str(self.folder / value.lstrip("/")) if value.startswith("/var/run/secrets/") else value
            for name, value in variables.items()
        }
        if here.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") == AGENT:
            here["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = self.agent
        self.env = {
            "AWS_ENDPOINT_URL_STS": world.stage.sandbox.url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds,
            **here,
            **more,
        }

    def _project(self, pod: Json, volume: Json, folder: Path) -> None:
        for source in volume.get("projected", {}).get("sources", []):
            wanted = source.get("serviceAccountToken")
            if wanted:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / wanted["path"]).write_text(self.token(pod, wanted))

    def token(self, pod: Json, wanted: Json) -> str:
        """The token that the kubelet asks for, bound to the pod."""
        metadata, name = pod["metadata"], pod["spec"]["serviceAccountName"]
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
        audiences = [wanted["audience"]] if "audience" in wanted else []
        spec = {
            "audiences": audiences,
            "expirationSeconds": wanted["expirationSeconds"],
            "boundObjectRef": bound,
        }
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{name}/token"
        answer = made(self.world.stage.kube.create(path, {"spec": spec}))
        return str(answer.body["status"]["token"])

    @property
    def token_file(self) -> Path:
        """The file of the pod's web identity."""
        return Path(self.env["AWS_WEB_IDENTITY_TOKEN_FILE"])

    def play(self, lines: str) -> None:
        """Call methods of the scene or its world, one a line, with their words; `$NAME` as in `words`."""
        for line in lines.splitlines():
            play(line, self.words(), self, self.world)

    def words(self) -> dict[str, str]:
        """What lines call by a short name."""
        world, agent = self.world, self.env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
        return {
            "ROLE": world.role_arn,
            "ISSUER": world.prefix,
            "CLOSED": CLOSED,
            "AWS": self.aws.url,
            "PORT": self.aws.url.rpartition(":")[2],
            "FOLDER": str(self.folder),
            "TOKEN": self.env.get("AWS_WEB_IDENTITY_TOKEN_FILE", agent),
            **world.stage.env(),
        }

    def by_pod_identity(self) -> None:
        """Have the pod get its role by EKS Pod Identity."""
        by_pods()(self.world)

    def no_provider(self) -> None:
        """Take the cluster's OIDC provider away."""
        no_provider(self.world)

    def role_elsewhere(self) -> None:
        """Have the role in another account."""
        elsewhere(self.world)

    def with_env(self, **values: str) -> None:
        """Make the pod anew with variables in its template."""
        variables(**values)(self.world)

    def has(self, **variables: str) -> None:
        """Give the container more variables."""
        self.env |= variables

    def unset(self, *names: str) -> None:
        """Take variables away from the container."""
        for name in names:
            self.env.pop(name)

    def dropped(self, variable: str, path: str = "") -> None:
        """Let an address that never answers be a variable, in time for an impatient run."""
        self.env[variable] = self.opened.enter_context(silent()) + path
        self.flags += ["--timeout", "0.3s"]

    def encrypted(self) -> None:
        """Let the endpoint of STS have TLS, by a CA of its own, whose certificate is in `own.pem`."""
        self.env["AWS_ENDPOINT_URL_STS"] = self.opened.enter_context(with_tls(self.world.stage.sandbox))
        self.write("own.pem", self.world.stage.sandbox.ca_pem)

    def write(self, name: str, text: str) -> None:
        """Write a file of the container's."""
        (self.folder / name).write_text(text.replace("|", "\n"))

    def fault(self, service: str, kind: str, operation: str = EXCHANGE, **more: Any) -> None:
        """Plant a fault in the sandbox."""
        more = {name: int(value) if value.isdigit() else value for name, value in more.items()}
        self.world.stage.sandbox.faults.add(Fault(service, operation, kind, **more))  # type: ignore[arg-type]

    def claims(self, name: str, seconds: str = "") -> None:
        """Change a claim of the token to a time from now, or take it away; the signature stays."""
        head, body, signature = self.token_file.read_text().split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        claims.pop(name)
        claims |= {name: int(time.time()) + int(seconds)} if seconds else {}
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        self.token_file.write_text(f"{head}.{body}.{signature}")

    def unprivileged(self) -> None:
        """Run as a user without rights, if this one may choose it."""
        self.user = NOBODY if os.getuid() == 0 else None

    def for_its_owner(self) -> None:
        """Let only the token's owner read it, and that is somebody else."""
        self.token_file.chmod(0o600 if os.getuid() == 0 else 0)
        self.unprivileged()


@contextmanager
def scene_of(stage: Stage, namespace: str, aws: LocalAws) -> Iterator[Scene]:
    """A working binding with a pod in a new namespace, on a node whose IMDS answers pods."""
    aws.refusal = None
    stage.make_namespace(namespace)
    world = World(stage, namespace, make_binding(stage, namespace, NAME))
    world.new_pod()
    with open_folder() as folder:
        scene = Scene(world, aws, folder, imds=aws.url)
        with scene.opened:
            yield scene


@contextmanager
def silent() -> Iterator[str]:
    """An address that takes connections and never answers: to a client, as if packets were dropped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def with_tls(sandbox: Sandbox) -> Iterator[str]:
    """The sandbox's AWS on a port with TLS, by a CA that only the sandbox's bundle has."""
    server = sandbox.open_port()
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
