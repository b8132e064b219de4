"""A stage for running `irsa` as its users do: a process, the sandbox's AWS, one of two Kubernetes APIs.

Scenarios judge by `world()`: everything that irsa could leave behind, before and after.
"""

import os
import signal
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from irsa_cli.sandbox import Rule, Sandbox
from tests.faults.zygote import SETTLE, Process
from tests.support import forks, this_process
from tests.support.foreign import Foreign
from tests.support.kubeclient import Answer, KubeClient
from tests.support.ran import Ran as Ran
from tests.support.ran import promised
from tests.support.rows import Running
from tests.support.sandbox_clients import administrator

Json = dict[str, Any]
ROLE_ARN = "eks.amazonaws.com/role-arn"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
ACCOUNT = "111122223333"
VERBS = ("get", "list", "create", "update", "delete")
PERMITTING = {
    "--attach-policy-arn", "--inline-policy", "--well-known-policy", "--attach-role-arn", "--target-role",
    "--no-policy",
}  # fmt: skip
"""Options of create-sa of which it wants one."""
NO_LOCK = {"IRSA_LOCK": "0"}
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


class Stage(Running):
    """One cluster in the sandbox; `kube_world` and `kube` reach its Kubernetes API as an administrator."""

    def __init__(
        self,
        sandbox: Sandbox,
        cluster: str,
        folder: Path,
        kube: KubeClient,
        kube_world: Callable[[], Json],
        grant: Callable[[str, Sequence[Rule]], None],
        *,
        account: str = ACCOUNT,
        region: str = "eu-west-1",
    ) -> None:
        self.sandbox = sandbox
        self.cluster = cluster
        self.folder = folder
        self.kube = kube
        self.account_id = account
        self.words: dict[str, str] = {"account": account, "region": region}
        """What `run` puts in place of `$NAME`."""
        self.region = region
        self._kube_world = kube_world
        self._grant = grant
        self._process: Process
        self.foreign: Foreign | None = None
        """What stands beside, and is no part of its worlds."""

    def env(self, user: str = "admin") -> dict[str, str]:
        """The environment of a run: nothing of the developer's own reaches through."""
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        inherited["KUBECONFIG"] = os.devnull
        state = {"IRSA_STATE_DIR": str(self.folder / "state")}
        # Where IAM is late, the time until it is not has to pass.
        settle = {} if self.sandbox.lag else {SETTLE: self.sandbox.control_url}
        return {**inherited, **self._sandbox_env(user), **state, **settle}

    def leases(self) -> list[Json]:
        """The locks that are there, held or not, in the namespace of all locks."""
        selector = "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dirsa"
        answer = self.kube.get(f"/apis/coordination.k8s.io/v1/namespaces/default/leases?{selector}")
        assert answer.status == 200, answer.text
        found: list[Json] = answer.body["items"]
        return found

    def _sandbox_env(self, user: str = "admin") -> dict[str, str]:
        return self.sandbox.env(account=self.account_id, region=self.region, user=user)

    def aws_world(self) -> Json:
        """IAM of the cluster's account."""
        world: Json = self.sandbox.world(self.account_id, region=self.region)
        return self.foreign.without_iam(world) if self.foreign else world

    def kube_world(self) -> Json:
        """The cluster's namespaces and ServiceAccounts."""
        world = self._kube_world()
        return self.foreign.without_kubernetes(world) if self.foreign else world

    def harmed(self) -> list[tuple[str, str]]:
        """What is foreign and not as it was: kinds and names."""
        return self.foreign.harmed() if self.foreign else []

    def irsa(self, *arguments: str, user: str = "admin", stdin: str = "", **env: str) -> Ran:
        """Run irsa and wait for it: in this process, unless something happens to the run."""
        env = {**self.env(user), **env}
        if this_process.can_run(arguments, self.sandbox):
            code, out, err = this_process.run(arguments, env, self.folder, stdin)
        else:
            code, out, err = self._irsa_in_its_process(arguments, env, stdin)
        assert "Traceback" not in err, err
        return promised(Ran(code, out, err), arguments)

    def _irsa_in_its_process(
        self, arguments: Sequence[str], env: dict[str, str], stdin: str
    ) -> tuple[int, str, str]:
        with forks.one() as zygote:
            self._process = process = zygote.start(arguments, env, self.folder, stdin=stdin)
            assert process.ended.wait(120), bytes(process.err).decode()
        return process.code, bytes(process.out).decode(), bytes(process.err).decode()

    def signal(self, number: int, *, heard: bytes = b"") -> None:
        """Send a signal to the run under way (from a fault's callback), and wait for its words `heard`."""
        os.kill(self._process.pid, number)
        assert self._process.wait_for_words(heard, 30)

    def kill(self) -> None:
        """Kill the run that is under way, and return when it is gone; its locks end in a second.

        While it lived they were as long as everybody's, so that no machine is too slow to renew them.
        """
        self.signal(signal.SIGKILL)
        assert self._process.ended.wait(30)
        for lease in self.leases():
            path = f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{lease['metadata']['name']}"
            answer = self.kube.patch(path, {"spec": {"leaseDurationSeconds": 1}})
            assert answer.status in (200, 404), answer.text

    def create_sa(self, name: str, namespace: str, *arguments: str, user: str = "admin", **env: str) -> Ran:
        """Run `irsa create-sa` for this cluster; without a policy among the arguments, with --no-policy."""
        common = (name, "-n", namespace, "-c", self.cluster)
        policy = () if PERMITTING.intersection(arguments) else ("--no-policy",)
        return self.irsa("create-sa", *common, *arguments, *policy, user=user, **env)

    def associate(self, *arguments: str) -> Ran:
        """Run `irsa associate-oidc` for this cluster."""
        return self.irsa("associate-oidc", "-c", self.cluster, *arguments)

    def world(self) -> Json:
        """Everything that irsa could leave behind.

        A namespace that is being deleted counts as gone: a bare API server has no controller to end that.
        """
        kubernetes = self.kube_world()
        namespaces = kubernetes["namespaces"].items()
        active = {name: state for name, state in namespaces if state["phase"] == "Active"}
        return {**self.aws_world(), "kubernetes": {**kubernetes, "namespaces": active}}

    def iam(self) -> Any:
        """IAM as the account's administrator, for what somebody else does."""
        return administrator(self.sandbox, "iam", self.account_id, self.region)

    def restricted(self, *rules: tuple[tuple[str, ...], tuple[str, ...]], locks: bool = True) -> str:
        """The name of a new IAM user who may do all in AWS, and in Kubernetes only `(verbs, resources)`.

        With `locks` it may take locks, too. A real API server remembers a token for some seconds, so no two
        tests use the same user.
        """
        user = f"u-{uuid.uuid4().hex[:12]}"
        self.sandbox.add_user(user, policy=EVERYTHING)
        more = [Rule(VERBS, ("leases",), groups=("coordination.k8s.io",))] if locks else []
        self._grant(user, [*(Rule(verbs, resources) for verbs, resources in rules), *more])
        return user

    def account(self, namespace: str, name: str) -> Json | None:
        """A ServiceAccount as the world has it."""
        found: Json | None = self._kube_world()["serviceaccounts"].get(f"{namespace}/{name}")
        return found

    def role_of(self, namespace: str, name: str) -> Json:
        """The role that the ServiceAccount is annotated with, as the world has it."""
        account = self.account(namespace, name)
        assert account is not None, f"there is no ServiceAccount {namespace}/{name}"
        arn: str = account["annotations"][ROLE_ARN]
        role: Json = self.aws_world()["roles"][arn.rsplit("/", 1)[-1]]
        assert role["arn"] == arn
        return role

    def make_namespace(self, name: str) -> None:
        """Make a namespace as the cluster's administrator."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        made(self.kube.create("/api/v1/namespaces", body))

    def make_account(
        self, namespace: str, name: str, *, secrets: tuple[str, ...] = (), **metadata: Any
    ) -> Json:
        """Make a ServiceAccount as the cluster's administrator."""
        body = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, **metadata},
            "imagePullSecrets": [{"name": item} for item in secrets],
            "automountServiceAccountToken": False,
        }
        return made(self.kube.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", body)).body

    def annotate(self, namespace: str, name: str, **annotations: str) -> None:
        """Write annotations as somebody else."""
        body = {"metadata": {"annotations": annotations}}
        answer = self.kube.patch(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}", body)
        assert answer.status == 200, answer.text


def made(answer: Answer) -> Answer:
    """The answer to a create, which must have worked."""
    assert answer.status == 201, answer.text
    return answer
