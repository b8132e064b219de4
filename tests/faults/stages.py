"""The two stages of the matrix: the sandbox's own Kubernetes API, and a real one behind a proxy.

Everything is HTTPS for the runs, AWS as well. What the harness itself does goes past log and faults.
"""

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3

from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Sandbox
from irsa_cli.sandbox.exchange import Endpoint, Exchange
from irsa_cli.sandbox.server import Authority, Server
from tests.faults.injections import INJECTIONS, Call
from tests.faults.leases import lasting
from tests.faults.proxy import ProxyFront
from tests.faults.zygote import Process, Zygote
from tests.support.assets import find_assets, missing
from tests.support.controlplane import ControlPlane, Etcd
from tests.support.eks import bearer
from tests.support.foreign import AWS_NODE, STANDING, Cluster, Foreign, OwnCluster
from tests.support.foreign import RealCluster as RealNeighbours
from tests.support.kubeclient import KubeClient
from tests.support.stage import Json, Stage

ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/" + "FA017" * 6 + "00"
"""The real API server's, the same in each process: irsa writes a hash of what names it onto roles."""
SID = "IrsaSID"
"""What stands in a neutral world for the Sid of irsa's statement on a role of others."""
OTHER = "222222222222"
"""Another account, for runs that are about two."""
TOKEN_SECONDS = 300.0
LOCK_SECONDS = 4.0
"""For how long a lock holds that is not renewed; one of a run that is dead is over some seconds later."""
LOCKS = {"IRSA_LOCK": "1", "IRSA_LOCK_DURATION": f"{LOCK_SECONDS:g}", "IRSA_LOCK_TIMEOUT": "30s"}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
IMMORTAL = ("default", "kube-node-lease", "kube-public", "kube-system")


class FaultStage(Stage):
    """A stage whose worlds can be compared across processes, each of which has an issuer of its own."""

    issuer: str
    setting: "Setting"
    zygote: Zygote
    origin: Json
    """The world before the run that `interrupt` cut off."""
    is_wide = False
    """Whether another account is a part of the world, too."""
    homes: dict[str, str]
    """The accounts of the roles that the run is to make, by their names."""

    def env(self, user: str = "admin") -> dict[str, str]:
        """See `Stage.env`; AWS is reached by HTTPS, and locks are short."""
        return {**super().env(user), **self.setting.aws_env, **LOCKS}

    def leases(self) -> list[Json]:
        """The Leases by which runs hold locks; they are no part of the world."""
        found: list[Json] = self.kube.get(LEASES).body["items"]
        return found

    def let_locks_end(self) -> None:
        """Let so much time pass that the locks of runs that are dead are over, in no time."""
        found = self.leases()
        assert not lasting(found, LOCK_SECONDS), lasting(found, LOCK_SECONDS)
        for lease in found:
            assert self.kube.delete(f"{LEASES}/{lease['metadata']['name']}").status == 200

    @property
    def state(self) -> Path:
        """Where the runs' journals are."""
        return self.folder / "state"

    def iam(self) -> Any:
        """IAM as the account's administrator; one client for all cases."""
        return self.setting.iam

    def eks(self) -> Any:
        """EKS as the account's administrator; one client for all cases."""
        return self.setting.eks

    def other_iam(self) -> Any:
        """IAM of another account, which is a part of the world from then on."""
        self.is_wide = True
        return self.setting.other_iam()

    def iam_of(self, role: str) -> Any:
        """IAM of the account that a role is to be in."""
        return self.other_iam() if self.homes.get(role) == OTHER else self.iam()

    def aws_world(self) -> Json:
        """See `Stage.aws_world`; names of roles are unique in both accounts together here."""
        world = super().aws_world()
        if not self.is_wide:
            return world
        other = self.sandbox.world(OTHER, region=self.region)
        return {**world, **{kind: {**world[kind], **other[kind]} for kind in ("roles", "oidc_providers")}}

    def world(self) -> Json:
        """Everything that irsa could leave behind, with no trace of the issuer's name."""
        world: Json = json.loads(self.neutral(json.dumps(super().world())))
        return world

    def neutral(self, text: str) -> str:
        """A text that is the same in each process; irsa's Sid is a digest of the provider, which is not."""
        named = text.replace(self.issuer.removeprefix("https://"), "ISSUER")
        return re.sub("Irsa[0-9a-f]{8}", SID, named)

    def settle(self) -> None:
        """When all runs have ended: what they have sent is executed now, if it is ever to be.

        And the cluster's controllers finish what they have to do.
        """
        self.sandbox.settle(hurry=True, gone=True)
        self.setting.settle()

    def run_to_the_end(self, arguments: tuple[str, ...]) -> None:
        """Run irsa, which has to end with 0."""
        running = self.zygote.start((*arguments, "-c", self.cluster), self.env(), self.folder)
        running.ended.wait(30)
        self.sandbox.settle()
        assert running.code == 0, bytes(running.err).decode()

    def interrupt(self, arguments: tuple[str, ...], after: Call) -> None:
        """Run irsa, and kill it when this call has been executed."""
        self.origin = self.world()
        running: list[Process] = []
        faults = self.sandbox.faults
        INJECTIONS["kill-after"].arm(after, lambda: running[0], faults)
        running.append(self.zygote.start((*arguments, "-c", self.cluster), self.env(), self.folder))
        running[0].ended.wait(30)
        self.settle()
        faults.clear()
        assert running[0].code < 0, bytes(running[0].err).decode()


class Setting:
    """What is the same for all cases of a process. This one: the sandbox's own Kubernetes API.

    `ports` are closed when the setting is done with.
    """

    def __init__(self, sandbox: Sandbox, cluster: str, folder: Path, ports: ExitStack) -> None:
        self._sandbox = sandbox
        self._cluster = cluster
        self._ports = ports
        (folder / "ca.pem").write_text(sandbox.ca_pem)
        aws = sandbox.open_port()
        self._start(aws)
        self.aws_env = {"AWS_ENDPOINT_URL": aws.url, "AWS_CA_BUNDLE": str(folder / "ca.pem")}
        self._aws = self._quiet(sandbox.endpoint()).url
        self.eks = self._client("eks")
        found = self.eks.describe_cluster(name=cluster)["cluster"]
        self._issuer: str = found["identity"]["oidc"]["issuer"]
        self._arn: str = found["arn"]
        self._foreign: Foreign | None = None
        self.iam = self._client("iam")
        self._since = float("-inf")
        self._kube_url = ""

    def _start(self, port: Server) -> None:
        port.start()
        self._ports.callback(port.stop)

    def _quiet(self, endpoint: Endpoint, tls: Any = None) -> Server:
        """A port that nothing is broken at."""
        port = Server(Exchange(), endpoint, tls)
        self._start(port)
        return port

    def other_iam(self) -> Any:
        """IAM of another account, as its administrator."""
        return self._client("iam", account=OTHER)

    def _client(self, service: Any, **whose: str) -> Any:
        env = self._sandbox.env(**whose)
        return boto3.client(
            service,
            endpoint_url=self._aws,
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )

    def fresh(self, folder: Path, *, trusting: bool = True) -> FaultStage:
        """A stage as new, beside what is foreign; `trusting`: roles of others trust its provider."""
        self._sandbox.reset()
        self._clean()
        stage = FaultStage(
            self._sandbox, self._cluster, folder, self._admin(), self._world, lambda user, rules: None
        )
        stage.issuer, stage.setting = self._issuer, self
        stage.foreign = Foreign(self._sandbox, self._arn, self._issuer, self._neighbours(), trusting)
        self._foreign = stage.foreign
        return stage

    def settle(self) -> None:
        """The sandbox's namespaces end at once."""

    def _clean(self) -> None:
        """The sandbox was reset, and its cluster with it."""

    def _neighbours(self) -> Cluster:
        """How what is foreign is made and read."""
        return OwnCluster(self._sandbox, self._arn)

    def _admin(self) -> KubeClient:
        if time.monotonic() - self._since > TOKEN_SECONDS:
            if not self._kube_url:
                authority = Authority()
                self._ca = authority.pem
                endpoint = self._sandbox.endpoint(self._cluster)
                self._kube_url = self._quiet(endpoint, authority.context()).url
            self._kube = KubeClient(self._kube_url, self._ca, bearer(self._sandbox.env(), self._cluster))
            self._since = time.monotonic()
        return self._kube

    def _world(self) -> Json:
        world: Json = self._sandbox.world()["kubernetes"][self._cluster]
        return world


class RealSetting(Setting):
    """A real kube-apiserver behind a proxy; we are its namespace controller."""

    def __init__(
        self, sandbox: Sandbox, spec: ClusterSpec, plane: ControlPlane, folder: Path, ports: ExitStack
    ) -> None:
        self._spec = spec
        self._plane = plane
        sandbox.add_cluster(spec)
        super().__init__(sandbox, spec.name, folder, ports)

    def settle(self) -> None:
        """End what is being deleted."""
        for name, phase in self._namespaces():
            if phase == "Terminating":
                self._end(name)

    def _clean(self) -> None:
        self._sandbox.add_cluster(self._spec)
        self._plane.admin.delete(LEASES)
        # What is foreign is made once, and again when it was harmed.
        intact = self._foreign is not None and self._foreign.is_standing()
        if not intact:
            self._plane.admin.delete(
                f"/api/v1/namespaces/kube-system/serviceaccounts/{AWS_NODE.partition('/')[2]}"
            )
        for name, _ in self._namespaces():
            if intact and name in STANDING:
                continue
            self._plane.admin.delete(f"/api/v1/namespaces/{name}")
            self._end(name)

    def _namespaces(self) -> list[tuple[str, str]]:
        items = self._plane.admin.get("/api/v1/namespaces").body["items"]
        found = [(item["metadata"]["name"], item["status"]["phase"]) for item in items]
        return [(name, phase) for name, phase in found if name not in IMMORTAL]

    def _end(self, name: str) -> None:
        admin, path = self._plane.admin, f"/api/v1/namespaces/{name}"
        for kind in ("serviceaccounts", "configmaps"):  # No controller does it here.
            admin.delete(f"{path}/{kind}")
        namespace = {"metadata": {"name": name}, "spec": {"finalizers": []}}
        answer = admin.request("PUT", f"{path}/finalize", namespace)
        assert answer.status in (200, 404), answer.text

    def _neighbours(self) -> Cluster:
        return RealNeighbours(self._plane.admin)

    def _admin(self) -> KubeClient:
        return self._plane.admin

    def _world(self) -> Json:
        return self._plane.world()


@contextmanager
def stages(name: str, sandbox: Sandbox) -> Iterator[Setting]:
    """The stage of that name: `sandbox` or `real`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="irsa-faults-")))
        if name == "sandbox":
            yield Setting(sandbox, "demo", folder, stack)
            return
        assets = find_assets()
        if assets is None:
            raise RuntimeError(missing())
        etcd = stack.enter_context(Etcd(assets))
        review = f"{sandbox.control_url}/token-review/real"
        plane = stack.enter_context(ControlPlane(assets, etcd, token_review_url=review, issuer=ISSUER))
        proxy = sandbox.open_port(ProxyFront(plane.endpoint, plane.ca_pem), name="kubernetes")
        proxy.start()
        stack.callback(proxy.stop)
        external = ExternalCluster(proxy.url, sandbox.ca_pem, plane.issuer, plane.jwks)
        yield RealSetting(sandbox, ClusterSpec("real", external=external), plane, folder, stack)
