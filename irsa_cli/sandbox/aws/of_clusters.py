"""Common parts of EKS's objects in a cluster: their ARNs, pages, tags, and calls that are repeated.

A create that is repeated with its `clientRequestToken` makes nothing new, and is answered as before.
https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
EKS's answers to the same token with other parameters, and after the object was deleted, are unknown: here,
the former is refused, and the latter creates an object.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest
from irsa_cli.sandbox.model import Answer, ClusterSpec, partition_of

Json = dict[str, Any]
Present = dict[str, Json]
"""The objects of one kind in a cluster, by their keys."""
_MOST_TAGS = 50


class OfClusters:
    """EKS's objects of one kind in all clusters, by the cluster's ARN and a key, as EKS describes them.

    Members that begin with _ are not shown; `_call` are the parameters of the call that created an object.
    Safe to use from several threads.
    """

    member: str
    """The name of an object in the answers that describe it; with `Arn`, the name of its ARN."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._of: dict[str, Present] = {}

    def reset(self) -> None:
        with self._lock:
            self._of.clear()

    def serves(self, operation: str) -> bool:
        """Whether it answers this operation: it has a method that is called as the operation is."""
        return hasattr(self, _method(operation))

    def answer(self, request: AwsRequest, spec: ClusterSpec, cluster_arn: str) -> Answer:
        method = getattr(self, _method(request.operation))
        with self._lock:
            present = self._of.setdefault(cluster_arn, {})
            former = _made_by(request, present)
            return Answer.of_json(self._shown(former) if former else method(request, spec, present))

    def with_arn(self, arn: str) -> Json | None:
        """The object with this ARN, in any cluster."""
        with self._lock:
            objects = [entry for present in self._of.values() for entry in present.values()]
        return next((entry for entry in objects if entry[f"{self.member}Arn"] == arn), None)

    def _shown(self, entry: Json) -> Json:
        return {self.member: {key: value for key, value in entry.items() if not key.startswith("_")}}


def _method(operation: str) -> str:
    return re.sub("([A-Z])", r"_\1", operation).lower()


def _made_by(request: AwsRequest, present: Present) -> Json | None:
    """The object that an earlier try of this call has created."""
    token = request.parameters.get("clientRequestToken")
    if not token or not request.operation.startswith("Create"):
        return None
    for entry in present.values():
        call = entry.get("_call", {})
        if call.get("clientRequestToken") != token:
            continue
        if call != request.parameters:
            raise bad_parameter("The clientRequestToken was used with other parameters.")
        return entry
    return None


def cluster_arn(spec: ClusterSpec) -> str:
    partition = partition_of(spec.region).name
    return f"arn:{partition}:eks:{spec.region}:{spec.account}:cluster/{spec.name}"


def bad_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def missing(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


def check_tags(tags: Mapping[str, str], code: str = "InvalidParameterException") -> None:
    """Refuse keys that AWS reserves, and too many tags.

    https://docs.aws.amazon.com/eks/latest/userguide/eks-using-tags.html
    """
    if any(key.lower().startswith("aws:") for key in tags):
        raise AwsError(code, "Tag keys that begin with aws: are reserved for AWS.")
    if len(tags) > _MOST_TAGS:
        raise AwsError(code, f"A resource has at most {_MOST_TAGS} tags.")


def page_of(request: AwsRequest, keys: list[str]) -> tuple[list[str], dict[str, str]]:
    """The page of sorted `keys` that a call asks for, and the member that tells of more."""
    try:
        last = bytes.fromhex(request.parameters.get("nextToken", "")).decode()
    except ValueError:
        raise bad_parameter("The nextToken is not valid.") from None
    following = [key for key in keys if key > last]
    page = following[: int(request.parameters.get("maxResults", "100"))]
    return page, {"nextToken": page[-1].encode().hex()} if len(page) < len(following) else {}
