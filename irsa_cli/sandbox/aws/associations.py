"""EKS Pod Identity associations: created, listed, described and deleted. Nobody hands out their credentials.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
That the caller may pass the role (iam:PassRole) and that the role exists is not checked.
"""

from __future__ import annotations

import json
import re
import secrets
import string
import threading
import time
from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.aws.answer import AwsError, json_result
from irsa_cli.sandbox.aws.partitions import partition_of

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.request import AwsRequest
    from irsa_cli.sandbox.model import Answer, ClusterSpec

Association = dict[str, Any]
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/[\x21-\x7e]+")
_LETTERS = string.ascii_lowercase + string.digits
_SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
_OPTIONS = ("tags", "disableSessionTags", "targetRoleArn", "policy")


class Associations:
    """The associations of all clusters, by the cluster's ARN."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, dict[str, Association]] = {}

    def reset(self) -> None:
        """Forget all associations."""
        with self._lock:
            self._of.clear()

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
            "DeletePodIdentityAssociation": self._delete,
        }
        with self._lock:
            return json_result(calls[request.operation](request, spec, self._of.setdefault(cluster_arn, {})))

    @staticmethod
    def _create(request: AwsRequest, spec: ClusterSpec, there: dict[str, Association]) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(request.body or b"{}")
        namespace, name, role = (asked.get(key, "") for key in ("namespace", "serviceAccount", "roleArn"))
        found = _ROLE_ARN.fullmatch(role)
        if not (namespace and name and found):
            raise _bad_parameter("namespace, serviceAccount and the ARN of a role are needed")
        if found[1] != spec.account:
            raise _bad_parameter("the role must be in the cluster's account")
        for other in there.values():
            if _is_of(other, namespace, name):
                message = f"Association already exists: {other['associationId']}"
                raise AwsError("ResourceInUseException", message, 409)
        number = "a-" + "".join(secrets.choice(_LETTERS) for _ in range(17))
        place = f"arn:{partition_of(spec.region).name}:eks:{spec.region}:{spec.account}"
        now = int(time.time())
        there[number] = {
            "clusterName": spec.name,
            "namespace": namespace,
            "serviceAccount": name,
            "roleArn": role,
            "associationArn": f"{place}:podidentityassociation/{spec.name}/{number}",
            "associationId": number,
            "createdAt": now,
            "modifiedAt": now,
            "tags": {},
            **{key: asked[key] for key in _OPTIONS if key in asked},
        }
        return {"association": there[number]}

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

    @staticmethod
    def _delete(request: AwsRequest, _: ClusterSpec, there: dict[str, Association]) -> dict[str, Any]:
        return {"association": there.pop(_found(request, there)["associationId"])}


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
