"""The two stages of the matrix: the sandbox's own Kubernetes API, and a real one behind a proxy."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from irsa_cli.sandbox import Sandbox
from tests.support.eks import bearer
from tests.support.kubeclient import KubeClient
from tests.support.stage import Json, Stage


class FaultStage(Stage):
    """A stage that also knows its issuer, where journals are, and how to let its controllers work."""

    issuer: str
    settle: Callable[[], None]
    _iam: Any

    @property
    def state(self) -> Path:
        """Where the runs' journals are."""
        return self.folder / "state"

    def iam(self) -> Any:
        """IAM as the account's administrator; one client for all cases."""
        return self._iam


class Setting:
    """What is the same for all cases of a process."""

    def __init__(self, sandbox: Sandbox, cluster: str) -> None:
        self._sandbox = sandbox
        self._cluster = cluster
        found = self._client("eks").describe_cluster(name=cluster)["cluster"]
        self._issuer: str = found["identity"]["oidc"]["issuer"]
        self._endpoint: str = found["endpoint"]
        self._ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
        self._iam = self._client("iam")

    def _client(self, service: Any) -> Any:
        env = self._sandbox.env()
        return boto3.client(
            service,
            endpoint_url=self._sandbox.url,
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )

    def fresh(self, folder: Path) -> FaultStage:
        """A stage in the state after the sandbox's reset."""
        kube = KubeClient(self._endpoint, self._ca, bearer(self._sandbox.env(), self._cluster))
        stage = FaultStage(self._sandbox, self._cluster, folder, kube, self._world, lambda user, rules: None)
        stage.issuer, stage.settle, stage._iam = self._issuer, lambda: None, self._iam
        return stage

    def _world(self) -> Json:
        world: Json = self._sandbox.world()["kubernetes"][self._cluster]
        return world


@contextmanager
def stages(name: str, sandbox: Sandbox) -> Iterator[Setting]:
    """The stage of that name: `sandbox` or `real`."""
    if name == "sandbox":
        yield Setting(sandbox, "demo")
        return
    raise ValueError(f"no stage {name}")
