"""EKS Pod Identity in a cluster: whom it serves, its agent, nodes and Fargate profiles. Reads and notes.

With an association, the annotation does not count. An unreadable association is reported, not assumed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from irsa_cli.aws import bindings
from irsa_cli.aws.errors import call, pages
from irsa_cli.core.binding.pod_identity_support import AGENT_ADDRESSES, PodIdentitySupport
from irsa_cli.core.binding.spec import ServiceAccountRef
from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.injection import AGENT
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.policies.operators import like
from irsa_cli.core.values.shown import redacted
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.readable import read

if TYPE_CHECKING:
    from irsa_cli.core.results.result import Result

T = TypeVar("T")
Associations = dict[tuple[str, str], Association]
Given = tuple[Associations | Unreadable, bool | Unreadable | None]
"""Associations with their roles, and whether the agent runs; None if there are no associations."""

LATE_SECONDS = 2.0
"""How long to wait for an answer when all else is done; once for a command, also for one about many."""

_NO_ANSWER = "EKS has not answered yet"


def associations(connection: Connection, namespace: str = "", name: str = "") -> Associations | Unreadable:
    """The associations of a cluster, or of one ServiceAccount, without their roles: one call."""
    if connection.target.issuer_url is not None:
        return {}  # Pod Identity is EKS' own.
    cluster, aws = connection.cluster.name, connection.aws
    return read(lambda: bindings.associations(aws.client("eks"), cluster, namespace=namespace, name=name))


def association(connection: Connection, namespace: str, name: str) -> Association | Unreadable | None:
    """A ServiceAccount's association with its role, None without one; two calls if there is one."""
    if connection.target.issuer_url is not None:
        return None
    names = (connection.cluster.name, namespace, name)
    return read(lambda: bindings.association(connection.aws.client("eks"), *names))


def described(connection: Connection, namespace: str = "", name: str = "") -> Given:
    """The associations of a cluster, a namespace or a ServiceAccount, with their roles: one call each."""
    listed = associations(connection, namespace, name)
    if isinstance(listed, Unreadable) or not listed:
        return listed, None
    with ThreadPoolExecutor(1) as pool:
        agent = pool.submit(read, lambda: runs_agent(connection))
        found = bindings.described(connection.aws.client("eks"), connection.cluster.name, listed)
        return found, agent.result()


def runs_agent(connection: Connection) -> bool:
    """Whether the agent is built into the nodes (Auto Mode), an add-on, or a DaemonSet of kube-system."""
    built_in = (connection.description or {}).get("computeConfig", {}).get("enabled")
    if built_in or AGENT in bindings.addons(connection.aws.client("eks"), connection.cluster.name):
        return True
    return any(map(_is_agent, connection.kube.workloads("kube-system", "daemonsets")))


def _is_agent(daemon_set: Json) -> bool:
    template = daemon_set["spec"].get("template", {})
    images = [item.get("image", "") for item in template.get("spec", {}).get("containers", [])]
    return daemon_set["metadata"]["name"] == AGENT or any(f"/{AGENT}:" in f"/{image}" for image in images)


def unread(found: Unreadable) -> str:
    """The note if associations could not be read."""
    return f"irsa did not check whether EKS Pod Identity takes precedence: {found.why}"


def note_of(found: Association | Unreadable | None, role_arn: str = "") -> list[str]:
    """The note of a command that is otherwise done; empty if there is nothing to report."""
    if found is None:
        return []
    if isinstance(found, Unreadable):
        return [unread(found)]
    if role_arn and role_arn == found.last_role:
        return [f"pods get this role by EKS Pod Identity ({found.id}); the annotation is not used"]
    return [found.effect]


class Question:
    """A question to EKS, during a command's work, about one ServiceAccount, or (without `name`) all.

    That is one call, and more only for an association: its role. The work neither waits
    for the answer nor fails by it.
    """

    def __init__(self, connection: Connection, namespace: str = "", name: str = "") -> None:
        self._connection = connection
        self._lock, self._said = threading.Lock(), False
        self._late = threading.Event()
        """Set when an answer was waited for in vain: of many, that is done once."""
        self._found = self._begin(
            lambda: association(connection, namespace, name) if name else associations(connection)
        )

    def tell(
        self, result: Result, namespace: str, name: str, role_arn: str, *, annotated: bool = True
    ) -> None:
        """Add the known association to a result; `podIdentity` is null for none, and missing if unknown."""
        if result.error is not None:
            return
        found = self._of(namespace, name)
        if annotated and (not isinstance(found, Unreadable) or self._is_first()):
            result.notes += note_of(found, role_arn)
        if isinstance(found, Association):
            role = {"arn": found.last_role} if found.last_role else None
            fact = {"association": found.id, "role": role}
            result.facts = {**result.facts, "podIdentity": fact}
        elif not isinstance(found, Unreadable):
            result.facts = {**result.facts, "podIdentity": None}

    def _is_first(self) -> bool:
        """Whether that nothing could be read is still to be said; of many it is said once."""
        with self._lock:
            said, self._said = self._said, True
        return not said

    def _of(self, namespace: str, name: str) -> Association | Unreadable | None:
        found = self._found()
        if not isinstance(found, dict):
            return found
        if (namespace, name) not in found:
            return None
        if self._late.is_set():
            return Unreadable(_NO_ANSWER)
        return self._begin(lambda: association(self._connection, namespace, name))()

    def _begin(self, ask: Callable[[], T]) -> Callable[[], T | Unreadable]:
        """Ask in a thread that does not keep the process alive; returns what waits for the answer."""
        done = threading.Event()
        found: list[T | Unreadable] = []

        def work() -> None:
            try:
                found.append(ask())
            except Exception as error:  # The command has done its part: no traceback into its output.
                found.append(Unreadable(redacted(f"{type(error).__name__}: {error}")))
            finally:
                done.set()

        threading.Thread(target=work, daemon=True).start()

        def answer() -> T | Unreadable:
            if not done.wait(0.0 if self._late.is_set() else LATE_SECONDS):
                self._late.set()
            return found[0] if found else Unreadable(_NO_ANSWER)

        return answer


def support_of(connection: Connection, namespace: str) -> PodIdentitySupport:
    """The facts of a cluster that decide about EKS Pod Identity for a namespace."""
    eks, cluster, kube = connection.aws.client("eks"), connection.cluster.name, connection.kube
    family = (connection.description or {}).get("kubernetesNetworkConfig", {}).get("ipFamily", "")
    with ThreadPoolExecutor(5) as pool:
        agent = pool.submit(read, lambda: runs_agent(connection))
        platforms = pool.submit(read, lambda: _platforms(connection))
        profile = pool.submit(read, lambda: _profile(connection, namespace))
        number = pool.submit(read, lambda: len(bindings.associations(eks, cluster)))
        pods = pool.submit(read, lambda: tuple(map(kinds.pod, kube.pods(namespace))))
    return PodIdentitySupport(
        agent.result(),
        platforms.result(),
        profile.result(),
        number.result(),
        pods.result(),
        AGENT_ADDRESSES.get(family, AGENT_ADDRESSES["ipv4"]),
    )


def notes_of_support(
    plan: Plan, account: ServiceAccountRef, support: Callable[[], PodIdentitySupport]
) -> list[str]:
    """Notes about a plan that creates an association; raises `Refused` if pods would get no credentials."""
    if not any(change.kind is Kind.ASSOCIATION and change.before is None for change in plan):
        return []
    found = support()
    found.check(account.cluster, account.namespace, account.name)
    return [*found.notes(account.name)]


def _platforms(connection: Connection) -> frozenset[str]:
    if (connection.description or {}).get("outpostConfig"):
        return frozenset({"outposts"})
    return frozenset(map(_platform, connection.kube.all("nodes")))


def _platform(node: Json) -> str:
    labels = node["metadata"].get("labels") or {}
    if labels.get("eks.amazonaws.com/compute-type") == "fargate":
        return "fargate"
    return str(labels.get("kubernetes.io/os", "linux"))


def _profile(connection: Connection, namespace: str) -> str:
    """The Fargate profile that takes all pods of a namespace; one with labels may take some of them."""
    eks, cluster = connection.aws.client("eks"), connection.cluster.name
    listed = pages(eks.list_fargate_profiles, "nextToken", clusterName=cluster)
    for name in (name for page in listed for name in page.get("fargateProfileNames", [])):
        described: Any = call(eks.describe_fargate_profile, clusterName=cluster, fargateProfileName=name)
        for selector in described["fargateProfile"].get("selectors", []):
            if not selector.get("labels") and like(namespace, selector.get("namespace", "")):
                return str(name)
    return ""
