"""One cluster's API as far as irsa needs it: namespaces, ServiceAccounts, their tokens, and pods for show.

How a call is made is in `irsa_cli.kube.calls`, what is only read in `irsa_cli.kube.reading` and
`irsa_cli.kube.contents`, Leases in `irsa_cli.kube.leases`, compare-and-set in `irsa_cli.changes`; which
failure means what in `irsa_cli.kube.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import kubernetes.client

from irsa_cli.kube.calls import Dated, Json, WireLog, or_none
from irsa_cli.kube.contents import Contents, read_contents
from irsa_cli.kube.leases import Leases
from irsa_cli.kube.reading import Reading

__all__ = ["Dated", "Json", "Kube", "TokenAnswer", "WireLog"]

MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class TokenAnswer:
    """A ServiceAccount's token, and when it expires (UTC); the token is not shown by repr."""

    token: str = field(repr=False)
    expires: datetime


class Kube(Reading, Leases):
    """One cluster's API, as far as irsa needs it. Thread-safe."""

    def __init__(self, api_client: Any, log: WireLog = lambda *_: None) -> None:
        super().__init__(api_client, log)
        # The client sends a dict as a strategic merge patch, or as what the version at hand prefers. A
        # default header is the one way to say merge patch that all supported versions know.
        patching = kubernetes.client.ApiClient(api_client.configuration, "Content-Type", MERGE_PATCH)
        patching.rest_client = api_client.rest_client
        self._patching = kubernetes.client.CoreV1Api(patching)

    def namespace(self, name: str) -> Json | None:
        """A namespace, None when there is none."""
        return or_none(lambda: self._call("get namespaces", self._core.read_namespace, name))

    def create_namespace(self, body: Json, *, dry_run: bool = False) -> Json:
        """POST a namespace; with `dry_run` everything is checked and nothing is written."""
        return self._call("create namespaces", self._core.create_namespace, body, **_dry(dry_run))

    def patch_namespace(self, name: str, patch: Json) -> Json:
        """Merge-patch a namespace; `metadata.resourceVersion` in the patch is a lock."""
        return self._call("patch namespaces", self._patching.patch_namespace, name, patch)

    def delete_namespace(self, name: str, *, uid: str, resource_version: str) -> None:
        """DELETE a namespace, if it is still exactly the one that was read; what is in it goes, too."""
        body = {"preconditions": {"uid": uid, "resourceVersion": resource_version}}
        self._call("delete namespaces", self._core.delete_namespace, name, body=body)

    def service_account(self, namespace: str, name: str) -> Json | None:
        """A ServiceAccount, None when there is none (or no such namespace)."""
        read = self._core.read_namespaced_service_account
        return or_none(lambda: self._call("get serviceaccounts", read, name, namespace))

    def create_service_account(self, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        """POST a ServiceAccount; with `dry_run` everything is checked and nothing is written."""
        create = self._core.create_namespaced_service_account
        return self._call("create serviceaccounts", create, namespace, body, **_dry(dry_run))

    def patch_service_account(self, namespace: str, name: str, patch: Json) -> Json:
        """Merge-patch a ServiceAccount: what the patch doesn't name is not touched.

        A PUT would drop what we don't send. `metadata.resourceVersion` in the patch is a lock.
        """
        change = self._patching.patch_namespaced_service_account
        return self._call("patch serviceaccounts", change, name, namespace, patch)

    def delete_service_account(
        self, namespace: str, name: str, *, uid: str, resource_version: str, dry_run: bool = False
    ) -> None:
        """DELETE a ServiceAccount, if it is still exactly the one that was read.

        With `dry_run` everything is checked and nothing is deleted.
        """
        body: Json = {"preconditions": {"uid": uid, "resourceVersion": resource_version}}
        if dry_run:
            body["dryRun"] = [
                "All"
            ]  # In the body: where there is one, the server takes no options of the query.
        delete = self._core.delete_namespaced_service_account
        self._call("delete serviceaccounts", delete, name, namespace, body=body)

    def create_config_map(self, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        """POST a ConfigMap; with `dry_run` everything is checked and nothing is written."""
        create = self._core.create_namespaced_config_map
        return self._call("create configmaps", create, namespace, body, **_dry(dry_run))

    def patch_config_map(self, namespace: str, name: str, patch: Json) -> Json:
        """Merge-patch a ConfigMap; `metadata.resourceVersion` in the patch is a lock."""
        change = self._patching.patch_namespaced_config_map
        return self._call("patch configmaps", change, name, namespace, patch)

    def delete_config_map(self, namespace: str, name: str, *, uid: str, resource_version: str) -> None:
        """DELETE a ConfigMap, if it is still exactly the one that was read."""
        body = {"preconditions": {"uid": uid, "resourceVersion": resource_version}}
        delete = self._core.delete_namespaced_config_map
        self._call("delete configmaps", delete, name, namespace, body=body)

    def token(self, namespace: str, name: str, audience: str, *, seconds: int = 600) -> str:
        """A token of the ServiceAccount (TokenRequest); the shortest lifetime that Kubernetes gives."""
        return self.token_request(namespace, name, audience, seconds=seconds).token

    def token_request(
        self,
        namespace: str,
        name: str,
        audience: str,
        *,
        seconds: int = 600,
        pod: tuple[str, str] | None = None,
    ) -> TokenAnswer:
        """A token of the ServiceAccount, bound to a pod (its name and uid) as kubelet's are, or to nothing.

        `seconds` of life are at least 600; the server may give fewer than asked (EKS: at most a day), so what
        counts is what the answer says.
        https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
        """
        spec: Json = {"audiences": [audience], "expirationSeconds": seconds}
        if pod is not None:
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod[0], "uid": pod[1]}
        create = self._core.create_namespaced_service_account_token
        answer = self._call("create serviceaccounts/token", create, name, namespace, {"spec": spec})
        status = answer["status"]
        return TokenAnswer(str(status["token"]), _moment(status["expirationTimestamp"]))

    def create_pod(self, namespace: str, body: Json, *, dry_run: bool = True) -> Json:
        """POST a pod; with `dry_run` (the default) it is admitted and changed by webhooks, and not made."""
        create = self._core.create_namespaced_pod
        return self._call("create pods", create, namespace, body, **_dry(dry_run))

    def contents(self, namespace: str) -> Contents:
        """What somebody has put into a namespace, of whatever kind; see `read_contents`."""
        return read_contents(self.get, namespace)


def _dry(wanted: bool) -> dict[str, str]:
    return {"dry_run": "All"} if wanted else {}


def _moment(text: str) -> datetime:
    """A time as the API writes it: RFC 3339, UTC, whole seconds."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
