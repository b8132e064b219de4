"""EKS Pod Identity associations. Nobody hands out their credentials.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
That the caller may pass the role (iam:PassRole) is not checked.
"""

from __future__ import annotations

import json
import re
import secrets
import string
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.aws.answer import AwsError, json_result
from irsa_cli.sandbox.aws.partitions import partition_of
from irsa_cli.sandbox.conditions import listed

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.request import AwsRequest
    from irsa_cli.sandbox.model import Answer, ClusterSpec

Association = dict[str, Any]
_SERVICE = "pods.eks.amazonaws.com"
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/[\x21-\x7e]+")
_LETTERS = string.ascii_lowercase + string.digits
_SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
_OPTIONS = ("disableSessionTags", "targetRoleArn", "policy")


class Associations:
    """The associations of all clusters, by the cluster's ARN."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, dict[str, Association]] = {}
        self.role: Callable[[str], Any] = lambda _: None
        self.lag: Callable[[], float] = lambda: 0.0
        self._deleted: list[tuple[float, str, Association]] = []

    def reset(self) -> None:
        """Forget all associations."""
        with self._lock:
            self._of.clear()
            self._deleted.clear()

    def has(self, cluster_arn: str, namespace: str, name: str) -> bool:
        """Whether a ServiceAccount of a cluster has an association."""
        with self._lock:
            return any(_is_of(found, namespace, name) for found in self._of.get(cluster_arn, {}).values())

    def answer(self, request: AwsRequest, spec: ClusterSpec, cluster_arn: str) -> Answer:
        """EKS's answer to an allowed call about a cluster that is there."""
        calls = {
            "CreatePodIdentityAssociation": self._create,
            "ListPodIdentityAssociations": self._list,
            "DescribePodIdentityAssociation": self._describe,
            "UpdatePodIdentityAssociation": self._update,
            "DeletePodIdentityAssociation": self._delete,
        }
        with self._lock:
            return json_result(calls[request.operation](request, spec, self._of.setdefault(cluster_arn, {})))

    def _create(
        self, request: AwsRequest, spec: ClusterSpec, there: dict[str, Association]
    ) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(request.body or b"{}")
        namespace, name, role = (asked.get(key, "") for key in ("namespace", "serviceAccount", "roleArn"))
        if not (namespace and name):
            raise _bad_parameter("namespace, serviceAccount and the ARN of a role are needed")
        self._check_role(role, spec)
        since = time.monotonic() - self.lag()
        late = [
            found for when, place, found in self._deleted if when > since and place == cluster_place(spec)
        ]
        for other in (*there.values(), *late):
            if _is_of(other, namespace, name):
                message = f"Association already exists: {other['associationId']}"
                raise AwsError("ResourceInUseException", message, 409)
        number = "a-" + "".join(secrets.choice(_LETTERS) for _ in range(17))
        place = cluster_place(spec)
        now = int(time.time())
        there[number] = {
            "clusterName": spec.name,
            "namespace": namespace,
            "serviceAccount": name,
            "roleArn": role,
            "associationArn": f"{place}/{number}",
            "associationId": number,
            "createdAt": now,
            "modifiedAt": now,
            "tags": asked.get("tags", {}),
            "disableSessionTags": False,
        }
        return {"association": _set_options(there[number], asked)}

    def _update(
        self, request: AwsRequest, spec: ClusterSpec, there: dict[str, Association]
    ) -> dict[str, Any]:
        association = _found(request, there)
        asked: dict[str, Any] = json.loads(request.body or b"{}")
        if "roleArn" in asked:
            self._check_role(asked["roleArn"], spec)
            association["roleArn"] = asked["roleArn"]
        association["modifiedAt"] = int(time.time())
        return {"association": _set_options(association, asked)}

    def _check_role(self, arn: str, spec: ClusterSpec) -> None:
        """The role is there, in the cluster's account, and its trust policy names EKS Pod Identity.

        Whether EKS looks at actions and conditions, too, is not known. What it says else:
        hashicorp/terraform-provider-aws issues 34711 and 41483.
        """
        found = _ROLE_ARN.fullmatch(arn)
        if not found or found[1] != spec.account:
            raise _bad_parameter("the ARN of a role in the cluster's account is needed")
        role = self.role(arn)
        if role is None:
            raise _bad_parameter("Role provided in the request does not exist.")
        statements = listed(json.loads(role.assume_role_policy_document)["Statement"])
        if not any(_SERVICE in listed(s.get("Principal", {}).get("Service", [])) for s in statements):
            raise _bad_parameter("Trust policy of the role provided is invalid")

    @staticmethod
    def _list(request: AwsRequest, _: ClusterSpec, there: dict[str, Association]) -> dict[str, Any]:
        query = request.query
        wanted = {key: query[key] for key in ("namespace", "serviceAccount") if key in query}
        found = [item for _, item in sorted(there.items()) if wanted.items() <= item.items()]
        last = query.get("nextToken", "")
        rest = [item for item in found if item["associationId"] > last]
        page = rest[: int(query.get("maxResults", "100"))]
        summaries = [{key: item[key] for key in _SUMMARY} for item in page]
        more = {"nextToken": page[-1]["associationId"]} if len(page) < len(rest) else {}
        return {"associations": summaries, **more}

    @staticmethod
    def _describe(request: AwsRequest, _: ClusterSpec, there: dict[str, Association]) -> dict[str, Any]:
        return {"association": _found(request, there)}

    def _delete(
        self, request: AwsRequest, spec: ClusterSpec, there: dict[str, Association]
    ) -> dict[str, Any]:
        gone = there.pop(_found(request, there)["associationId"])
        self._deleted.append((time.monotonic(), cluster_place(spec), gone))
        return {"association": gone}


def cluster_place(spec: ClusterSpec) -> str:
    """The ARNs of a cluster's associations, but their ends."""
    partition = partition_of(spec.region).name
    return f"arn:{partition}:eks:{spec.region}:{spec.account}:podidentityassociation/{spec.name}"


def _set_options(association: Association, asked: dict[str, Any]) -> Association:
    association.update({key: asked[key] for key in _OPTIONS if key in asked})
    if association.get("targetRoleArn"):
        association.setdefault("externalId", str(uuid.uuid4()))
    return association


def _is_of(association: Association, namespace: str, name: str) -> bool:
    return (association["namespace"], association["serviceAccount"]) == (namespace, name)


def _found(request: AwsRequest, there: dict[str, Association]) -> Association:
    number = request.path.rstrip("/").rsplit("/", 1)[-1]
    if number not in there:
        message = f"No association found with id: {number}"
        raise AwsError("ResourceNotFoundException", message, 404)
    return there[number]


def _bad_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
