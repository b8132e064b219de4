"""What a lock asks of a cluster, by irsa's own client: to judge permissions and servers by it."""

from irsa_cli.kube.client import Dated, Kube
from tests.support.kubeclient import Json

TIME = "2026-01-02T03:04:05.{:06}Z"


def body(name: str, holder: str = "run-1", renewed: int = 0) -> Json:
    """A Lease that somebody holds."""
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": 60,
        "acquireTime": TIME.format(0),
        "renewTime": TIME.format(renewed),
        "leaseTransitions": 0,
    }
    metadata = {"name": name, "labels": {"lock": name}}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": spec,
    }


def take(kube: Kube, namespace: str, name: str) -> Dated:
    """Take what nobody holds."""
    return kube.create_lease(namespace, body(name))


def replace(kube: Kube, namespace: str, held: Dated, **spec: object) -> Dated:
    """Renew it, or take it over."""
    changed = {**held.body, "spec": {**held.body["spec"], **spec}}
    return kube.replace_lease(namespace, held.body["metadata"]["name"], changed)


def release(kube: Kube, namespace: str, held: Dated) -> None:
    """Give it back."""
    metadata = held.body["metadata"]
    kube.delete_lease(namespace, metadata["name"], uid=metadata["uid"], version=metadata["resourceVersion"])


def all_of_it(kube: Kube, namespace: str, name: str) -> None:
    """Take one, look at it, list it, renew it, take it over, give it back."""
    assert kube.lease(namespace, name) is None
    take(kube, namespace, name)
    held = kube.lease(namespace, name)
    assert held is not None
    assert [item["spec"] for item in kube.all("leases", namespace, f"lock={name}")] == [held.body["spec"]]
    held = replace(kube, namespace, held, renewTime=TIME.format(1))
    held = replace(kube, namespace, held, holderIdentity="run-2", leaseTransitions=1)
    release(kube, namespace, held)
    assert kube.lease(namespace, name) is None
