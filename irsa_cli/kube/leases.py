"""Leases of coordination.k8s.io/v1: reading and writing one, and the server's clock with each answer.

What a lock is, who holds it and for how long, is decided elsewhere; here nothing is compared but what the
server compares. Which failure means what is in `irsa_cli.kube.errors`.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
"""

from __future__ import annotations

from functools import partial

import kubernetes.client

from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube.calls import Calls, Dated, DatedList, Json, or_none
from irsa_cli.kube.errors import NOT_FOUND


class Leases(Calls):
    """The calls about Leases; each raises `ServiceError` where it does not say what it does instead.

    A write whose answer is lost is repeated, and the repetition meets what the first attempt has done: then
    the failure (`EXISTS`, `CONFLICT`) has the outcome UNKNOWN, and whoever asked looks whose Lease it is.
    """

    def lease(self, namespace: str, name: str) -> Dated | None:
        """A Lease, None when there is none (or no such namespace)."""
        read = self._coordination.read_namespaced_lease
        return or_none(lambda: self._dated("get leases", read, name, namespace))

    def leases(self, namespace: str, selector: str) -> list[Json]:
        """All Leases of a namespace whose labels fit, in all pages; items bear no kind and apiVersion."""
        return self.dated_leases(namespace, selector).items

    def dated_leases(self, namespace: str, selector: str) -> DatedList:
        """The same, with the server's clock."""
        read = partial(self._coordination.list_namespaced_lease, namespace, label_selector=selector)
        return self._dated_list("list leases", read)

    def create_lease(self, namespace: str, body: Json) -> Dated:
        """POST a Lease. `EXISTS`: there is one of the name; `NOT_FOUND`: there is no such namespace."""
        return self._dated("create leases", self._coordination.create_namespaced_lease, namespace, body)

    def replace_lease(self, namespace: str, name: str, body: Json) -> Dated:
        """PUT a Lease, if it is still the one whose `uid` and `resourceVersion` the body's metadata have.

        `CONFLICT`: it has been written since, is gone, or is another one by now. A PUT without the uid would
        make it anew where it is gone, whatever its version: that raises `ValueError`, and nothing is sent.
        https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/coordination/lease/strategy.go
        """
        if not all(body["metadata"].get(key) for key in ("uid", "resourceVersion")):
            raise ValueError("a Lease is replaced by its uid and its version only")
        replace = self._coordination.replace_namespaced_lease
        return self._dated("update leases", replace, name, namespace, body)

    def delete_lease(self, namespace: str, name: str, *, uid: str, version: str) -> None:
        """DELETE a Lease, if it is still exactly the one that was read; one that is gone is fine.

        `CONFLICT`: it is another one, or has been written since.
        """
        body = {"preconditions": {"uid": uid, "resourceVersion": version}}
        try:
            self._call(
                "delete leases", self._coordination.delete_namespaced_lease, name, namespace, body=body
            )
        except ServiceError as error:
            if error.code != NOT_FOUND:
                raise

    @property
    def _coordination(self) -> kubernetes.client.CoordinationV1Api:
        return kubernetes.client.CoordinationV1Api(self._api)
