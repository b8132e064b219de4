"""Containers as EKS starts them: the webhook's variables, the kubelet's tokens, the node's endpoints."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irsa_cli.sandbox import Sandbox
from tests.scenarios.binding import make_binding
from tests.scenarios.breaking import NAME
from tests.scenarios.preflighting import LocalAws, open_folder
from tests.scenarios.reported.world import World
from tests.support.stage import Json, Stage, made

CLOSED = "http://127.0.0.1:9"
"""Nothing listens there."""
AGENT = "http://169.254.170.23/v1/credentials"


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

    def config(self, text: str) -> str:
        """A shared configuration file of the container."""
        path = self.folder / "aws-config"
        path.write_text(text)
        return str(path)


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


Make = Callable[[Scene], Any]


@dataclass(frozen=True)
class Thread:
    """A public thread: where, what people saw, which cause was confirmed, and what preflight has to say.

    `named` is searched for in the sentence, the cause and what to do.
    """

    source: str
    seen: str
    cause: str
    named: str
    exit_code: int
    make: Make


THREADS: dict[str, Thread] = {}


def thread(source: str, seen: str, cause: str, named: str, *, exit_code: int = 5) -> Callable[[Make], Make]:
    """Register a thread by the function that starts its container."""

    def register(make: Make) -> Make:
        assert make.__name__ not in THREADS, make.__name__
        THREADS[make.__name__] = Thread(source, seen, cause, named, exit_code, make)
        return make

    return register
