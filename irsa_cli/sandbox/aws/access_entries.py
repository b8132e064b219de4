"""EKS access entries and the access policies that are associated with them, of all clusters.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html
Who an AWS caller is by them in Kubernetes is decided in `irsa_cli.sandbox.access`; what access policies allow
is not played.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.aws.answer import AwsError, json_result

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.request import AwsRequest
    from irsa_cli.sandbox.model import Answer, ClusterSpec

PAGE = 100


@dataclass
class Entry:
    """One access entry: who a user or role is in Kubernetes, and its policies with their scopes."""

    username: str
    groups: tuple[str, ...] = ()
    kind: str = "STANDARD"
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)


class AccessEntries:
    """The access entries of all clusters, by the cluster's ARN and the principal's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, dict[str, Entry]] = {}

    def reset(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._of.clear()

    def put(self, cluster_arn: str, arn: str, entry: Entry) -> None:
        """Set the entry of a principal."""
        with self._lock:
            self._of.setdefault(cluster_arn, {})[arn] = entry

    def get(self, cluster_arn: str, arn: str) -> Entry | None:
        """The entry of a principal, None without one."""
        with self._lock:
            return self._of.get(cluster_arn, {}).get(arn)

    def answer(self, request: AwsRequest, spec: ClusterSpec, cluster_arn: str) -> Answer:
        """EKS's answer to an allowed call about a cluster that is there."""
        calls = {
            "CreateAccessEntry": self._create,
            "ListAccessEntries": self._list,
            "DescribeAccessEntry": self._describe,
            "DeleteAccessEntry": self._delete,
            "AssociateAccessPolicy": self._associate,
            "ListAssociatedAccessPolicies": self._associated,
        }
        with self._lock:
            return json_result(calls[request.operation](request, spec, self._of.setdefault(cluster_arn, {})))

    @staticmethod
    def _create(request: AwsRequest, spec: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(request.body or b"{}")
        arn = asked.get("principalArn", "")
        if arn in there:
            message = "The specified access entry resource is already in use on this cluster."
            raise AwsError("ResourceInUseException", message, 409)
        groups = tuple(asked.get("kubernetesGroups", ()))
        if any(name.startswith("system:") for name in groups):
            raise AwsError("InvalidParameterException", "A group name can't start with system:")
        kind = asked.get("type", "STANDARD")
        there[arn] = Entry(asked.get("username") or _username(arn), groups, kind)
        return {"accessEntry": _shown(spec, arn, there[arn])}

    @staticmethod
    def _list(request: AwsRequest, _: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        last = request.query.get("nextToken", "")
        rest = [arn for arn in sorted(there) if arn > last]
        page = rest[: int(request.query.get("maxResults", str(PAGE)))]
        more = {"nextToken": page[-1]} if len(page) < len(rest) else {}
        return {"accessEntries": page, **more}

    @staticmethod
    def _describe(request: AwsRequest, spec: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        arn, entry = _found(request, there)
        return {"accessEntry": _shown(spec, arn, entry)}

    @staticmethod
    def _delete(request: AwsRequest, _: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        del there[_found(request, there)[0]]
        return {}

    @staticmethod
    def _associate(request: AwsRequest, spec: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        arn, entry = _found(request, there)
        asked: dict[str, Any] = json.loads(request.body or b"{}")
        policy = asked.get("policyArn", "")
        entry.policies[policy] = asked.get("accessScope", {"type": "cluster"})
        return {
            "clusterName": spec.name,
            "principalArn": arn,
            "associatedAccessPolicy": _policy(policy, entry.policies[policy]),
        }

    @staticmethod
    def _associated(request: AwsRequest, spec: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        arn, entry = _found(request, there)
        policies = [_policy(policy, scope) for policy, scope in sorted(entry.policies.items())]
        return {"clusterName": spec.name, "principalArn": arn, "associatedAccessPolicies": policies}


def _found(request: AwsRequest, there: dict[str, Entry]) -> tuple[str, Entry]:
    arn = request.path.split("/access-entries/", 1)[1].rstrip("/").removesuffix("/access-policies")
    if arn not in there:
        message = f"The specified principalArn could not be found: {arn}"
        raise AwsError("ResourceNotFoundException", message, 404)
    return arn, there[arn]


def _username(arn: str) -> str:
    """The user name that EKS gives where none is said."""
    place, _, name = arn.partition(":role/")
    if not name:
        return arn
    account = place.replace(":iam::", ":sts::")
    return f"{account}:assumed-role/{name.rsplit('/', 1)[-1]}/{{{{SessionName}}}}"


def _policy(policy: str, scope: dict[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    whole = {"type": scope.get("type", "cluster"), "namespaces": scope.get("namespaces", [])}
    return {"policyArn": policy, "accessScope": whole, "associatedAt": now, "modifiedAt": now}


def _shown(spec: ClusterSpec, arn: str, entry: Entry) -> dict[str, Any]:
    now = int(time.time())
    kind, _, name = arn.rpartition(":")[2].partition("/")
    place = f"arn:aws:eks:{spec.region}:{spec.account}:access-entry/{spec.name}"
    return {
        "clusterName": spec.name,
        "principalArn": arn,
        "kubernetesGroups": list(entry.groups),
        "accessEntryArn": f"{place}/{kind}/{spec.account}/{name.rsplit('/', 1)[-1]}/0",
        "createdAt": now,
        "modifiedAt": now,
        "tags": {},
        "username": entry.username,
        "type": entry.kind,
    }
