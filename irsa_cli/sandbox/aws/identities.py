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
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from irsa_cli.sandbox.aws.iam.grammar import check_identity_policy
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest
from irsa_cli.sandbox.aws.of_clusters import (
    Json,
    OfClusters,
    Present,
    bad_parameter,
    check_tags,
    cluster_arn,
    missing,
    page_of,
)
from irsa_cli.sandbox.enforce import listed
from irsa_cli.sandbox.model import ClusterSpec, partition_of, table

_TYPES = table("types of access entries")
"""By type, the user name and the groups that EKS sets; of those that it doesn't, the caller may."""
_POLICIES = table("access policies")
_WITH_POLICIES = ("STANDARD", "EC2")
_OF_STANDARD = 'This operation can only be performed on Access Entries with a type of "STANDARD".'
_BRACES = re.compile(r"\{\{(.*?)\}\}")


class AccessEntries(OfClusters):
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

    def _create_access_entry(self, request: AwsRequest, spec: ClusterSpec, present: Present) -> Json:
        parameters = request.parameters
        arn = parameters["principalArn"]
        if ":role/aws-service-role/" in arn:
            why = "modify access entries with a principalArn value of a Service Linked Role"
            raise bad_parameter(f"The caller is not allowed to {why}")
        if arn in present:
            message = "The specified access entry resource is already in use on this cluster."
            raise AwsError("ResourceInUseException", message, 409)
        principal = self.principal(arn)
        if principal is None:
            raise bad_parameter("The specified principalArn is invalid: invalid principal.")
        _check_type(parameters, spec)
        _check_names(parameters)
        check_tags(parameters.get("tags", {}))
        present[arn] = {**_entry(spec, arn, principal.id, parameters), "_call": parameters}
        return self._shown(present[arn])

    def _update_access_entry(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        entry = _found_entry(request, present)
        parameters = request.parameters
        if entry["type"] != "STANDARD":
            raise bad_parameter(_OF_STANDARD)
        _check_names(parameters)
        entry["username"] = parameters.get("username") or entry["username"]
        entry["kubernetesGroups"] = parameters.get("kubernetesGroups", entry["kubernetesGroups"])
        return self._shown(entry)

    def _disassociate_access_policy(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        policies = _found_entry(request, present)["_policies"]
        if policies.pop(request.parameters["policyArn"], None) is None:
            raise missing("The specified policyArn could not be found.")
        return {}

    def _list_access_entries(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        policy = request.parameters.get("associatedPolicyArn")
        chosen = [arn for arn, entry in present.items() if policy in (None, *entry["_policies"])]
        page, more = page_of(request, sorted(chosen))
        return {"accessEntries": page, **more}

    def _describe_access_entry(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        return self._shown(_found_entry(request, present))

    def _delete_access_entry(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        del present[_found_entry(request, present)["principalArn"]]
        return {}

    def _associate_access_policy(self, request: AwsRequest, spec: ClusterSpec, present: Present) -> Json:
        entry = _found_entry(request, present)
        policy = request.parameters["policyArn"]
        scope = request.parameters["accessScope"]
        start = f"arn:{partition_of(spec.region).name}:eks::aws:cluster-access-policy/"
        if not policy.startswith(start) or policy.removeprefix(start) not in _POLICIES:
            raise bad_parameter("The specified policyArn is not one of an access policy.")
        if entry["type"] not in _WITH_POLICIES:
            raise bad_parameter(_OF_STANDARD)
        kind = scope.get("type", "cluster")
        if (kind == "namespace") != bool(scope.get("namespaces")):
            raise bad_parameter(f"An accessScope of type {kind} does not go with these namespaces.")
        entry["_policies"][policy] = scope
        return {**_head(entry), "associatedAccessPolicy": _policy(policy, scope)}

    def _list_associated_access_policies(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        entry = _found_entry(request, present)
        page, more = page_of(request, sorted(entry["_policies"]))
        policies = [_policy(policy, entry["_policies"][policy]) for policy in page]
        return {**_head(entry), "associatedAccessPolicies": policies, **more}


def _entry(spec: ClusterSpec, arn: str, principal: str, parameters: Json) -> Json:
    place, _, name = arn.rpartition(":")[2].partition("/")
    start, _, role = arn.partition(":role/")
    session = (
        f"{start.replace(':iam::', ':sts::')}:assumed-role/{role.rsplit('/', 1)[-1]}/{{{{SessionName}}}}"
    )
    own = f"arn:{arn.split(':')[1]}:eks:{spec.region}:{spec.account}:access-entry/{spec.name}"
    now = int(time.time())
    kind = parameters.get("type", "STANDARD")
    return {
        "clusterName": spec.name,
        "principalArn": arn,
        "kubernetesGroups": [*parameters.get("kubernetesGroups", ())],
        "accessEntryArn": f"{own}/{place}/{spec.account}/{name.rsplit('/', 1)[-1]}/{uuid.uuid4()}",
        "createdAt": now,
        "modifiedAt": now,
        "tags": parameters.get("tags", {}),
        "username": parameters.get("username") or (session if role else arn),
        "type": kind,
        "_principal": principal,
        "_policies": {},
        **_TYPES[kind],
    }


def _found_entry(request: AwsRequest, present: Present) -> Json:
    arn = request.parameters["principalArn"]
    if arn not in present:
        raise missing(
            "The specified principalArn could not be found. You can view your available access entries with "
            "'list-access-entries'."
        )
    return present[arn]


def _head(entry: Json) -> Json:
    return {key: entry[key] for key in ("clusterName", "principalArn")}


def _check_type(parameters: Mapping[str, Any], spec: ClusterSpec) -> None:
    """Nodes are roles of the cluster's account, and EKS itself sets their groups and names.

    https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
    """
    kind = parameters.get("type", "STANDARD")
    if kind not in _TYPES:
        raise bad_parameter(f"The type {kind} is invalid.")
    if kind == "STANDARD":
        return
    if f"::{spec.account}:role/" not in parameters["principalArn"]:
        raise bad_parameter(f"An access entry of type {kind} needs a role of the cluster's account.")
    if parameters.get("kubernetesGroups") or parameters.get("username"):
        raise bad_parameter(f"An access entry of type {kind} takes neither groups nor a user name.")


def _check_names(parameters: Mapping[str, Any]) -> None:
    """Refuse names for access entries that Kubernetes reserves, and words in braces that mean nothing.

    Quoted in terraform-aws-modules/terraform-aws-eks issue 2915, and in
    https://docs.aws.amazon.com/eks/latest/userguide/set-custom-username.html
    """
    for name in parameters.get("kubernetesGroups", ()):
        if name.startswith("system:"):
            raise bad_parameter(f"The kubernetes group name {name} is invalid, it cannot start with system:")
    username = parameters.get("username", "")
    for start in ("system:", "eks:", "aws:", "amazon:", "iam:"):
        if username.startswith(start):
            raise bad_parameter(f"The username must not begin with {start}")
    words = set(_BRACES.findall(username))
    if not words <= {"SessionName", "SessionNameRaw", "AccountID"}:
        raise bad_parameter("The username has words in braces that are unknown.")
    if words & {"SessionName", "SessionNameRaw"} and ":" not in username.partition("{{SessionName")[0]:
        raise bad_parameter("The username needs a colon before the name of the session.")


def _policy(policy: str, scope: Mapping[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    whole = {"type": scope.get("type", "cluster"), "namespaces": scope.get("namespaces", [])}
    return {"policyArn": policy, "accessScope": whole, "associatedAt": now, "modifiedAt": now}


_SERVICE = "pods.eks.amazonaws.com"
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/[\x21-\x7e]+")
_LETTERS = string.ascii_lowercase + string.digits
_SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")
_CRITERIA = ("namespace", "serviceAccount")
_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_SERVICE_ACCOUNT = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_MOST_OF_POLICY = 2048
"""Characters of a session policy, as botocore's model of STS has it."""
_OPTIONS = ("disableSessionTags", "targetRoleArn", "policy")


class Associations(OfClusters):
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

    def _there_at(self, then: float, spec: ClusterSpec, present: Present) -> list[Json]:
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

    def own(self, spec: ClusterSpec, parameters: Json, owner: str) -> str:
        """Create the association of an add-on; returns its ARN."""
        with self._lock:
            present = self._of.setdefault(cluster_arn(spec), {})
            arn: str = self._create(parameters, spec, present)["associationArn"]
            present[arn.rpartition("/")[2]]["ownerArn"] = owner
        return arn

    def disown(self, owner: str) -> None:
        """Delete the associations of an add-on."""
        with self._lock:
            for present in self._of.values():
                for number in [key for key, entry in present.items() if entry.get("ownerArn") == owner]:
                    del present[number]

    def _create_pod_identity_association(
        self, request: AwsRequest, spec: ClusterSpec, present: Present
    ) -> Json:
        return self._shown(self._create(request.parameters, spec, present))

    def _create(self, parameters: Json, spec: ClusterSpec, present: Present) -> Json:
        namespace = parameters["namespace"]
        name = parameters["serviceAccount"]
        if not (_NAMESPACE.fullmatch(namespace) and _SERVICE_ACCOUNT.fullmatch(name)):
            raise bad_parameter("The names of a namespace and of a ServiceAccount are needed")
        self._check_role(parameters["roleArn"], spec)
        check_tags(parameters.get("tags", {}))
        for former in self._there_at(time.monotonic() - self.lag(), spec, present):
            if _is_of(former, namespace, name):
                message = f"Association already exists: {former['associationId']}"
                raise AwsError("ResourceInUseException", message, 409)
        number = "a-" + "".join(secrets.choice(_LETTERS) for _ in range(17))
        new = {
            "clusterName": spec.name,
            "namespace": namespace,
            "serviceAccount": name,
            "associationArn": f"{_place(spec)}/{number}",
            "associationId": number,
            "createdAt": int(time.time()),
            "tags": parameters.get("tags", {}),
            "disableSessionTags": False,
            "_since": time.monotonic(),
            "_call": parameters,
        }
        present[number] = _changed(new, parameters, spec)
        return present[number]

    def _update_pod_identity_association(
        self, request: AwsRequest, spec: ClusterSpec, present: Present
    ) -> Json:
        association = _found_association(request, present)
        if "roleArn" in request.parameters:
            self._check_role(request.parameters["roleArn"], spec)
        number = association["associationId"]
        present[number] = _changed(association, request.parameters, spec)
        return self._shown(present[number])

    def _check_role(self, arn: str, spec: ClusterSpec) -> None:
        """The role is there, in the cluster's account, and its trust policy names EKS Pod Identity.

        It is unknown whether EKS also checks actions and conditions. Its other answers:
        hashicorp/terraform-provider-aws issues 34711 and 41483.
        """
        role_match = _ROLE_ARN.fullmatch(arn)
        if not role_match or role_match[1] != spec.account:
            raise bad_parameter("Cross-account pass role is not allowed")
        role = self.role(arn)
        if role is None:
            raise bad_parameter("Role provided in the request does not exist.")
        statements = listed(json.loads(role.assume_role_policy_document)["Statement"])
        if not any(_SERVICE in listed(s.get("Principal", {}).get("Service", [])) for s in statements):
            raise bad_parameter("Trust policy of the role provided is invalid")

    def _list_pod_identity_associations(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        criteria = {key: value for key, value in request.parameters.items() if key in _CRITERIA}
        chosen = [key for key, entry in present.items() if all(entry[k] == v for k, v in criteria.items())]
        page, more = page_of(request, sorted(chosen))
        summaries = [_summary(present[number]) for number in page]
        return {"associations": summaries, **more}

    def _describe_pod_identity_association(
        self, request: AwsRequest, _: ClusterSpec, present: Present
    ) -> Json:
        return self._shown(_found_association(request, present))

    def _delete_pod_identity_association(
        self, request: AwsRequest, spec: ClusterSpec, present: Present
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
    return {key: association[key] for key in _SUMMARY if key in association}


def _found_association(request: AwsRequest, present: Present) -> Json:
    number = request.parameters["associationId"]
    if number not in present:
        raise missing(f"No association found with id: {number}")
    return present[number]


def _changed(association: Json, parameters: Json, spec: ClusterSpec) -> Json:
    """An association with what a call sets of it; an empty value removes a part.

    A session policy does not go with session tags, and bounds the last of two roles only:
    https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
    """
    changed = association | {key: parameters[key] for key in ("roleArn", *_OPTIONS) if key in parameters}
    for key in ("targetRoleArn", "policy"):
        if changed.get(key) == "":
            del changed[key]
    policy = changed.get("policy")
    if policy:
        if not changed["disableSessionTags"]:
            raise bad_parameter("With a policy, disableSessionTags must be set to true.")
        try:
            check_identity_policy(policy)
        except AwsError as error:
            raise bad_parameter(error.message) from None
        if len(policy) > _MOST_OF_POLICY:
            raise bad_parameter(f"A policy has at most {_MOST_OF_POLICY} characters.")
    target = changed.get("targetRoleArn")
    if target:
        if not _ROLE_ARN.fullmatch(target):
            raise bad_parameter("The targetRoleArn is not the ARN of a role.")
        place = (spec.region, spec.account, spec.name)
        changed["externalId"] = "/".join((*place, changed["namespace"], changed["serviceAccount"]))
    changed["modifiedAt"] = int(time.time())
    return changed
