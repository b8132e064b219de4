"""EKS access entries and the access policies that are associated with them, of all clusters.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html
Who an AWS caller is by them in Kubernetes is decided in `irsa_cli.sandbox.access`; what access policies allow
is not played.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
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
    tags: dict[str, str] = field(default_factory=dict)
    principal: str = ""
    """The unique id that callers must have; empty for any that has the ARN."""
    number: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: int = field(default_factory=lambda: int(time.time()))


class AccessEntries:
    """The access entries of all clusters, by the cluster's ARN and the principal's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, dict[str, Entry]] = {}
        self.principal: Callable[[str], Any] = lambda _: None

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
            "DisassociateAccessPolicy": self._disassociate,
            "UpdateAccessEntry": self._update,
            "AssociateAccessPolicy": self._associate,
            "ListAssociatedAccessPolicies": self._associated,
        }
        with self._lock:
            return json_result(calls[request.operation](request, spec, self._of.setdefault(cluster_arn, {})))

    def _create(self, request: AwsRequest, spec: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(request.body or b"{}")
        arn = asked.get("principalArn", "")
        if arn in there:
            message = "The specified access entry resource is already in use on this cluster."
            raise AwsError("ResourceInUseException", message, 409)
        principal = self.principal(arn)
        if principal is None:
            raise _bad_parameter("The specified principalArn is invalid: invalid principal.")
        _check_names(asked)
        there[arn] = Entry(
            asked.get("username") or _username(arn),
            tuple(asked.get("kubernetesGroups", ())),
            asked.get("type", "STANDARD"),
            tags=asked.get("tags", {}),
            principal=principal.id,
        )
        return {"accessEntry": _shown(spec, arn, there[arn])}

    @staticmethod
    def _update(request: AwsRequest, spec: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        arn, entry = _found(request, there)
        asked: dict[str, Any] = json.loads(request.body or b"{}")
        if entry.kind != "STANDARD":
            message = 'This operation can only be performed on Access Entries with a type of "STANDARD".'
            raise _bad_parameter(message)
        _check_names(asked)
        entry.username = asked.get("username") or entry.username
        entry.groups = tuple(asked.get("kubernetesGroups", entry.groups))
        return {"accessEntry": _shown(spec, arn, entry)}

    @staticmethod
    def _disassociate(request: AwsRequest, _: ClusterSpec, there: dict[str, Entry]) -> dict[str, Any]:
        policy = request.path.split("/access-policies/", 1)[1]
        if _found(request, there)[1].policies.pop(policy, None) is None:
            raise AwsError("ResourceNotFoundException", "The specified policyArn could not be found.", 404)
        return {}

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
    arn = request.path.split("/access-entries/", 1)[1].rstrip("/").partition("/access-policies")[0]
    if arn not in there:
        message = (
            "The specified principalArn could not be found. You can view your available access entries with "
            "'list-access-entries'."
        )
        raise AwsError("ResourceNotFoundException", message, 404)
    return arn, there[arn]


def _check_names(asked: dict[str, Any]) -> None:
    """What Kubernetes has for itself is not for access entries.

    Quoted in terraform-aws-modules/terraform-aws-eks issue 2915, and in
    https://docs.aws.amazon.com/eks/latest/userguide/set-custom-username.html
    """
    for name in asked.get("kubernetesGroups", ()):
        if name.startswith("system:"):
            raise _bad_parameter(f"The kubernetes group name {name} is invalid, it cannot start with system:")
    for start in ("system:", "eks:", "aws:", "amazon:", "iam:"):
        if asked.get("username", "").startswith(start):
            raise _bad_parameter(f"The username must not begin with {start}")


def _bad_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


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
    kind, _, name = arn.rpartition(":")[2].partition("/")
    place = f"arn:{arn.split(':')[1]}:eks:{spec.region}:{spec.account}:access-entry/{spec.name}"
    return {
        "clusterName": spec.name,
        "principalArn": arn,
        "kubernetesGroups": list(entry.groups),
        "accessEntryArn": f"{place}/{kind}/{spec.account}/{name.rsplit('/', 1)[-1]}/{entry.number}",
        "createdAt": entry.created,
        "modifiedAt": entry.created,
        "tags": entry.tags,
        "username": entry.username,
        "type": entry.kind,
    }
