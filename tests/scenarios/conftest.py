"""The two stages that scenarios run on: the sandbox's own Kubernetes API, and a real kube-apiserver."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from irsa_cli.sandbox import Rule, Sandbox
from irsa_cli.sandbox.model import partition_of
from tests.scenarios.breaking import NAME, WEBHOOK, Binding, make
from tests.support.eks import bearer
from tests.support.fixtures import RealCluster
from tests.support.foreign import Foreign, OwnCluster
from tests.support.foreign import RealCluster as RealNeighbours
from tests.support.kubeclient import KubeClient
from tests.support.sandbox_clients import administrator
from tests.support.stage import Stage


@pytest.fixture(autouse=True)
def hurried(short_pauses: None) -> None:
    """Also what a scenario runs in this process is as quick as what it runs in others."""


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.e2e)])
def stage(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A fresh stage; the real control plane's namespaces of other tests are still in it."""
    if request.param == "sandbox":
        return sandbox_stage(sandbox, "demo", tmp_path)
    real = request.getfixturevalue("real")
    return real_stage(sandbox, real, tmp_path)


def recovered(stage: Stage) -> None:
    """What was cut off in the cluster is taken back; on the real control plane also what other tests left."""
    ran = stage.irsa("recover", "-c", stage.cluster, "--all", "--min-age", "0s")
    assert ran.code == 0, ran.out + ran.err


KUBERNETES_DECIDES = (
    "doctor_uncreated",
    "exec_token",
    "failures",
    "groundwork",
    "lock_limits",
    "same_flags",
    "two_runs",
    "update_failures",
)
"""Modules whose cases are all played on the real API server, because its answers differ from case to case."""
WRITING = ("adopt", "apply", "create_sa", "delete_sa", "recover_cluster", "update_sa")
"""Modules of commands that write to Kubernetes: the first case of each test is played on the real API server.

Of all others the first case of the first two tests is: they show that the command runs there at all, and what
Kubernetes itself answers is compared in `tests/contract`.
"""
_FIRST_TESTS = 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases on the real API server, where irsa alone decides."""
    played: dict[Path, set[str]] = {}
    left_out = {item for item in items if not _is_played(item, played)}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def _is_played(item: pytest.Item, played: dict[Path, set[str]]) -> bool:
    """Whether a case is played; `played` has the tests of each module that are on the real API server."""
    callspec = getattr(item, "callspec", None)
    here = item.path.parent == Path(__file__).parent
    subject = item.path.stem.removeprefix("test_")
    if (
        not here
        or callspec is None
        or callspec.params.get("stage") != "real"
        or subject in KUBERNETES_DECIDES
    ):
        return True
    tests = played.setdefault(item.path, set())
    name = item.nodeid.partition("[")[0]
    if name in tests or (len(tests) == _FIRST_TESTS and subject not in WRITING):
        return False
    tests.add(name)
    return True


READING = ("get_sa", "describe_sa", "verify", "doctor", "exec", "foreign_texts", "unshown")
"""What modules of tests are about that look at all there is, and whose commands write nothing."""
TRUSTING = ("attach_role", "delete_sa", "update_sa", "update_failures")
"""Those in which roles of others trust the cluster's provider: no test in them takes it away again."""


@pytest.fixture(autouse=True)
def foreign(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where commands write, what is foreign stands beside the stage, and is as it was at the end."""
    name = next((name for name in ("stage", "small") if name in request.fixturenames), "")
    subject = request.module.__name__.rpartition("test_")[2]
    if not name or subject.startswith(READING):
        yield
        return
    stage: Stage = request.getfixturevalue(name)
    stage.foreign = neighbours(stage, trusting=subject in TRUSTING)
    yield
    assert stage.harmed() == []


def neighbours(stage: Stage, *, trusting: bool) -> Foreign:
    """The foreign world beside a stage; `trusting`: roles of others trust its cluster's provider."""
    arn = (
        f"arn:{partition_of(stage.region).name}:eks:{stage.region}:{stage.account_id}:cluster/{stage.cluster}"
    )
    found = stage.sandbox._cluster(arn)
    kube = RealNeighbours(stage.kube) if found.spec.external else OwnCluster(stage.sandbox, arn)
    return Foreign(stage.sandbox, arn, found.issuer, kube, trusting)


def sandbox_stage(
    sandbox: Sandbox, cluster: str, folder: Path, *, region: str = "eu-west-1", account: str = "111122223333"
) -> Stage:
    """A stage on the sandbox's own Kubernetes API."""
    env = sandbox.env(account=account, region=region)
    eks = administrator(sandbox, "eks", account, region)
    found = eks.describe_cluster(name=cluster)["cluster"]
    sandbox.calls.clear()
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    kube = KubeClient(found["endpoint"], ca, bearer(env, cluster))

    def grant(user: str, rules: Sequence[Rule]) -> None:
        sandbox.grant(cluster, user, rules=rules)

    def world() -> dict[str, object]:
        kubernetes: dict[str, object] = sandbox.world(account, region=region)["kubernetes"][cluster]
        return kubernetes

    return Stage(sandbox, cluster, folder, kube, world, grant, account=account, region=region)


def real_stage(sandbox: Sandbox, real: RealCluster, folder: Path) -> Stage:
    """A stage on a real kube-apiserver that EKS in the sandbox knows."""
    sandbox.add_cluster(real.spec)
    plane = real.control_plane

    def grant(user: str, rules: Sequence[Rule]) -> None:
        sandbox.grant(real.spec.name, user, username=user)
        plane.grant_rbac(user, rules)

    return Stage(
        sandbox,
        real.spec.name,
        folder,
        plane.admin,
        plane.world,
        grant,
        account=real.spec.account,
        region=real.spec.region,
    )


@pytest.fixture
def namespace(stage: Stage, unique: str) -> str:
    """A namespace of this test's own."""
    stage.make_namespace(unique)
    stage.words["ns"] = unique
    return unique


@pytest.fixture
def binding(stage: Stage, namespace: str) -> Iterator[Binding]:
    """A working binding; what is shared with other tests on a real API server is put in order afterwards."""
    before = stage.kube.get(WEBHOOK).body["webhooks"]
    made = make(stage, namespace)
    yield made
    if stage.kube.get(WEBHOOK).status == 404:
        made.bring_webhook_back({"metadata": {"name": WEBHOOK.rpartition("/")[2]}, "webhooks": before})
    made.restore_webhook(before)
    for place in (namespace, f"{namespace}-2"):
        stage.kube.delete(f"/api/v1/namespaces/{place}/serviceaccounts/{NAME}")
