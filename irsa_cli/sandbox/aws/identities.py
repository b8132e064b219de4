"""Which identities EKS ties to a cluster: access entries for AWS callers, Pod Identity associations for pods.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html
https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
`irsa_cli.sandbox.kubefront` finds a caller's identity in Kubernetes by an entry; access
policies have no effect. `eks_auth` gives pods the credentials of associations. That the caller may pass the
role (iam:PassRole), `irsa_cli.sandbox.aws.front` checks.
"""

from __future__ import annotations

import json
import re
import secrets
import string
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest
from irsa_cli.sandbox.enforce import listed
from irsa_cli.sandbox.model import Answer, ClusterSpec, partition_of

Json = dict[str, Any]
_There = dict[str, Json]


class _OfClusters:
    """EKS's objects of one kind in all clusters, by the cluster's ARN and a key, as EKS describes them.

    Members that begin with _ are not shown. Safe to use from several threads.
    """

    member: str
    """The name of an object in the answers that describe it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, _There] = {}

    def reset(self) -> None:
        with self._lock:
            self._of.clear()

    def serves(self, operation: str) -> bool:
        """Whether it answers this operation: it has a method that is called as the operation is."""
        return hasattr(self, _method(operation))

    def answer(self, request: AwsRequest, spec: ClusterSpec, cluster_arn: str) -> Answer:
        method = getattr(self, _method(request.operation))
        with self._lock:
            return Answer.of_json(method(request, spec, self._of.setdefault(cluster_arn, {})))

    def _shown(self, association: Json) -> Json:
        return {self.member: {key: value for key, value in association.items() if not key.startswith("_")}}


def _method(operation: str) -> str:
    return re.sub("([A-Z])", r"_\1", operation).lower()


class AccessEntries(_OfClusters):
    """The access entries of all clusters, by the cluster's ARN and the principal's.

    `_principal` is the unique id that callers must have, empty for any that has the ARN; `_policies` are the
    scopes of the associated policies.
    """

    member = "accessEntry"

    def __init__(self) -> None:
        super().__init__()
        self.principal: Callable[[str], Any] = lambda _: None

    def put(
        self, spec: ClusterSpec, cluster_arn: str, arn: str, principal: str = "", **parameters: Any
    ) -> None:
        """Add the access entry of a user or role, as CreateAccessEntry does."""
        with self._lock:
            self._of.setdefault(cluster_arn, {})[arn] = _entry(spec, arn, principal, parameters)

    def get(self, cluster_arn: str, arn: str) -> Json | None:
        with self._lock:
            return self._of.get(cluster_arn, {}).get(arn)

    def _create_access_entry(self, request: AwsRequest, spec: ClusterSpec, present: _There) -> Json:
        parameters = request.json
        arn = parameters.get("principalArn", "")
        if arn in present:
            message = "The specified access entry resource is already in use on this cluster."
            raise AwsError("ResourceInUseException", message, 409)
        principal = self.principal(arn)
        if principal is None:
            raise _bad_parameter("The specified principalArn is invalid: invalid principal.")
        _check_names(parameters)
        present[arn] = _entry(spec, arn, principal.id, parameters)
        return self._shown(present[arn])

    def _update_access_entry(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        entry = _found_entry(request, present)
        parameters = request.json
        if entry["type"] != "STANDARD":
            message = 'This operation can only be performed on Access Entries with a type of "STANDARD".'
            raise _bad_parameter(message)
        _check_names(parameters)
        entry["username"] = parameters.get("username") or entry["username"]
        entry["kubernetesGroups"] = parameters.get("kubernetesGroups", entry["kubernetesGroups"])
        return self._shown(entry)

    def _disassociate_access_policy(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        policy = request.path.split("/access-policies/", 1)[1]
        if _found_entry(request, present)["_policies"].pop(policy, None) is None:
            raise AwsError("ResourceNotFoundException", "The specified policyArn could not be found.", 404)
        return {}

    def _list_access_entries(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        page, more = _page(request, sorted(present))
        return {"accessEntries": page, **more}

    def _describe_access_entry(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        return self._shown(_found_entry(request, present))

    def _delete_access_entry(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        del present[_found_entry(request, present)["principalArn"]]
        return {}

    def _associate_access_policy(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        entry = _found_entry(request, present)
        parameters = request.json
        policy = parameters.get("policyArn", "")
        entry["_policies"][policy] = parameters.get("accessScope", {"type": "cluster"})
        return {**_head(entry), "associatedAccessPolicy": _policy(policy, entry["_policies"][policy])}

    def _list_associated_access_policies(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        entry = _found_entry(request, present)
        policies = [_policy(policy, scope) for policy, scope in sorted(entry["_policies"].items())]
        return {**_head(entry), "associatedAccessPolicies": policies}


def _entry(spec: ClusterSpec, arn: str, principal: str, parameters: Json) -> Json:
    place, _, name = arn.rpartition(":")[2].partition("/")
    start, _, role = arn.partition(":role/")
    session = (
        f"{start.replace(':iam::', ':sts::')}:assumed-role/{role.rsplit('/', 1)[-1]}/{{{{SessionName}}}}"
    )
    own = f"arn:{arn.split(':')[1]}:eks:{spec.region}:{spec.account}:access-entry/{spec.name}"
    now = int(time.time())
    return {
        "clusterName": spec.name,
        "principalArn": arn,
        "kubernetesGroups": [*parameters.get("kubernetesGroups", ())],
        "accessEntryArn": f"{own}/{place}/{spec.account}/{name.rsplit('/', 1)[-1]}/{uuid.uuid4()}",
        "createdAt": now,
        "modifiedAt": now,
        "tags": parameters.get("tags", {}),
        "username": parameters.get("username") or (session if role else arn),
        "type": parameters.get("type", "STANDARD"),
        "_principal": principal,
        "_policies": {},
    }


def _found_entry(request: AwsRequest, present: _There) -> Json:
    arn = request.path.split("/access-entries/", 1)[1].rstrip("/").partition("/access-policies")[0]
    if arn not in present:
        message = (
            "The specified principalArn could not be found. You can view your available access entries with "
            "'list-access-entries'."
        )
        raise AwsError("ResourceNotFoundException", message, 404)
    return present[arn]


def _head(entry: Json) -> Json:
    return {key: entry[key] for key in ("clusterName", "principalArn")}


def _check_names(parameters: Mapping[str, Any]) -> None:
    """Refuse names for access entries that Kubernetes reserves.

    Quoted in terraform-aws-modules/terraform-aws-eks issue 2915, and in
    https://docs.aws.amazon.com/eks/latest/userguide/set-custom-username.html
    """
    for name in parameters.get("kubernetesGroups", ()):
        if name.startswith("system:"):
            raise _bad_parameter(f"The kubernetes group name {name} is invalid, it cannot start with system:")
    for start in ("system:", "eks:", "aws:", "amazon:", "iam:"):
        if parameters.get("username", "").startswith(start):
            raise _bad_parameter(f"The username must not begin with {start}")


def _bad_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def _policy(policy: str, scope: Mapping[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    whole = {"type": scope.get("type", "cluster"), "namespaces": scope.get("namespaces", [])}
    return {"policyArn": policy, "accessScope": whole, "associatedAt": now, "modifiedAt": now}


_SERVICE = "pods.eks.amazonaws.com"
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/[\x21-\x7e]+")
_LETTERS = string.ascii_lowercase + string.digits
_SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
_OPTIONS = ("disableSessionTags", "targetRoleArn", "policy")


class Associations(_OfClusters):
    """The associations of all clusters, by the cluster's ARN and their ids; `_since` is monotonic."""

    member = "association"

    def __init__(self) -> None:
        super().__init__()
        self.role: Callable[[str], Any] = lambda _: None
        self.lag: Callable[[], float] = lambda: 0.0
        self._deleted: list[tuple[float, str, Json]] = []

    def reset(self) -> None:
        super().reset()
        self._deleted.clear()

    def get(self, cluster_arn: str, namespace: str, name: str) -> Json | None:
        with self._lock:
            for association in self._of.get(cluster_arn, {}).values():
                if _is_of(association, namespace, name):
                    return dict(association)
        return None

    def is_heeded(self, spec: ClusterSpec, cluster_arn: str, namespace: str, name: str) -> bool:
        """Whether the webhook finds an association: it learns of new and deleted ones late."""
        with self._lock:
            then = time.monotonic() - self.lag()
            late = self._there_at(then, spec, self._of.get(cluster_arn, {}))
            return any(_is_of(former, namespace, name) and former["_since"] <= then for former in late)

    def _there_at(self, then: float, spec: ClusterSpec, present: _There) -> list[Json]:
        """Those that are there, and those that were deleted after `then`."""
        gone = (former for when, where, former in self._deleted if when > then and where == _place(spec))
        return [*present.values(), *gone]

    def world(self, cluster_arn: str) -> dict[str, Json]:
        """A cluster's associations by namespace and ServiceAccount, without what EKS chooses."""
        chosen = ("roleArn", "tags", *_OPTIONS)
        world: dict[str, Json] = {}
        with self._lock:
            for association in self._of.get(cluster_arn, {}).values():
                name = f"{association['namespace']}/{association['serviceAccount']}"
                world[name] = {key: value for key, value in association.items() if key in chosen}
        return world

    def _create_pod_identity_association(
        self, request: AwsRequest, spec: ClusterSpec, present: _There
    ) -> Json:
        parameters = request.json
        namespace, name, role = (
            parameters.get(key, "") for key in ("namespace", "serviceAccount", "roleArn")
        )
        if not (namespace and name):
            raise _bad_parameter("namespace, serviceAccount and the ARN of a role are needed")
        self._check_role(role, spec)
        for former in self._there_at(time.monotonic() - self.lag(), spec, present):
            if _is_of(former, namespace, name):
                message = f"Association already exists: {former['associationId']}"
                raise AwsError("ResourceInUseException", message, 409)
        number = "a-" + "".join(secrets.choice(_LETTERS) for _ in range(17))
        present[number] = {
            "clusterName": spec.name,
            "namespace": namespace,
            "serviceAccount": name,
            "associationArn": f"{_place(spec)}/{number}",
            "associationId": number,
            "createdAt": int(time.time()),
            "tags": parameters.get("tags", {}),
            "disableSessionTags": False,
            "_since": time.monotonic(),
        }
        return self._changed(present[number], parameters)

    def _update_pod_identity_association(
        self, request: AwsRequest, spec: ClusterSpec, present: _There
    ) -> Json:
        association = _found_association(request, present)
        parameters = request.json
        if "roleArn" in parameters:
            self._check_role(parameters["roleArn"], spec)
        return self._changed(association, parameters)

    def _changed(self, association: Json, parameters: Json) -> Json:
        association |= {key: parameters[key] for key in ("roleArn", *_OPTIONS) if key in parameters}
        for key in _OPTIONS:
            if association.get(key) == "":
                del association[key]  # An empty value removes it.
        association["modifiedAt"] = int(time.time())
        if association.get("targetRoleArn"):
            association.setdefault("externalId", str(uuid.uuid4()))
        return self._shown(association)

    def _check_role(self, arn: str, spec: ClusterSpec) -> None:
        """The role is there, in the cluster's account, and its trust policy names EKS Pod Identity.

        It is unknown whether EKS also checks actions and conditions. Its other answers:
        hashicorp/terraform-provider-aws issues 34711 and 41483.
        """
        role_match = _ROLE_ARN.fullmatch(arn)
        if not role_match or role_match[1] != spec.account:
            raise _bad_parameter("the ARN of a role in the cluster's account is needed")
        role = self.role(arn)
        if role is None:
            raise _bad_parameter("Role provided in the request does not exist.")
        statements = listed(json.loads(role.assume_role_policy_document)["Statement"])
        if not any(_SERVICE in listed(s.get("Principal", {}).get("Service", [])) for s in statements):
            raise _bad_parameter("Trust policy of the role provided is invalid")

    def _list_pod_identity_associations(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        query = request.query
        criteria = {key: query[key] for key in ("namespace", "serviceAccount") if key in query}
        chosen = {key: entry for key, entry in present.items() if criteria.items() <= entry.items()}
        page, more = _page(request, sorted(chosen))
        summaries = [_summary(chosen[number]) for number in page]
        return {"associations": summaries, **more}

    def _describe_pod_identity_association(
        self, request: AwsRequest, _: ClusterSpec, present: _There
    ) -> Json:
        return self._shown(_found_association(request, present))

    def _tag_resource(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        association = _found_association(request, present)
        association["tags"] = {**association["tags"], **request.json["tags"]}
        return {}

    def _untag_resource(self, request: AwsRequest, _: ClusterSpec, present: _There) -> Json:
        association = _found_association(request, present)
        gone = parse_qs(urlsplit(request.target).query)["tagKeys"]
        association["tags"] = {key: value for key, value in association["tags"].items() if key not in gone}
        return {}

    def _delete_pod_identity_association(
        self, request: AwsRequest, spec: ClusterSpec, present: _There
    ) -> Json:
        gone = present.pop(_found_association(request, present)["associationId"])
        self._deleted.append((time.monotonic(), _place(spec), gone))
        return self._shown(gone)


def _place(spec: ClusterSpec) -> str:
    """The ARNs of a cluster's associations, but their ends."""
    partition = partition_of(spec.region).name
    return f"arn:{partition}:eks:{spec.region}:{spec.account}:podidentityassociation/{spec.name}"


def _is_of(association: Json, namespace: str, name: str) -> bool:
    return (association["namespace"], association["serviceAccount"]) == (namespace, name)


def _summary(association: Json) -> Json:
    return {key: association[key] for key in _SUMMARY}


def _found_association(request: AwsRequest, present: _There) -> Json:
    number = request.path.rstrip("/").rsplit("/", 1)[-1]
    if number not in present:
        message = f"No association found with id: {number}"
        raise AwsError("ResourceNotFoundException", message, 404)
    return present[number]


def _page(request: AwsRequest, keys: list[str]) -> tuple[list[str], dict[str, str]]:
    """The page of sorted `keys` that a call asks for, and the member that tells of more."""
    last = request.query.get("nextToken", "")
    following = [key for key in keys if key > last]
    page = following[: int(request.query.get("maxResults", "100"))]
    return page, {"nextToken": page[-1]} if len(page) < len(following) else {}
