"""The add-ons of all clusters, as EKS keeps them: they run nothing here.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAddon.html
Pod Identity associations that an add-on brings are among the others, with the add-on as their owner. It is
active at once.
"""

from __future__ import annotations

import re
import time
import uuid

from irsa_cli.sandbox.aws.identities import Associations
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest
from irsa_cli.sandbox.aws.of_clusters import Json, OfClusters, Present, bad_parameter, missing, page_of
from irsa_cli.sandbox.model import ClusterSpec, partition_of, table

_KNOWN = table("addons")
_VERSION = re.compile(r"v\d+\.\d+\.\d+-eksbuild\.\d+")
_NEWEST = "v1.0.0-eksbuild.1"
_OPTIONS = ("addonVersion", "serviceAccountRoleArn", "configurationValues")
_NAMESPACE = "kube-system"


class Addons(OfClusters):
    """Add-ons by the cluster's ARN and their names."""

    member = "addon"

    def __init__(self, associations: Associations) -> None:
        super().__init__()
        self._associations = associations

    def put(self, spec: ClusterSpec, cluster_arn: str, name: str) -> None:
        """Add an add-on, whatever its name."""
        with self._lock:
            self._of.setdefault(cluster_arn, {})[name] = _addon(spec, name)

    def _list_addons(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        page, more = page_of(request, sorted(present))
        return {"addons": page, **more}

    def _create_addon(self, request: AwsRequest, spec: ClusterSpec, present: Present) -> Json:
        name = request.parameters["addonName"]
        if name in present:
            raise AwsError("ResourceInUseException", "Addon already exists.", 409)
        if name not in _KNOWN:
            raise bad_parameter("Addon specified is not supported")
        addon = _addon(spec, name) | {"tags": request.parameters.get("tags", {})}
        self._change(request, spec, addon)
        present[name] = {**addon, "_call": request.parameters}
        return self._shown({**addon, "status": "CREATING"})

    def _update_addon(self, request: AwsRequest, spec: ClusterSpec, present: Present) -> Json:
        addon = _existing(request, present)
        self._change(request, spec, addon)
        addon["modifiedAt"] = int(time.time())
        return {"update": {"id": str(uuid.uuid4()), "status": "InProgress", "type": "AddonUpdate"}}

    def _change(self, request: AwsRequest, spec: ClusterSpec, addon: Json) -> None:
        """Set what the call names; of associations, those that it no longer names are deleted."""
        changes = {key: request.parameters[key] for key in _OPTIONS if key in request.parameters}
        if not _VERSION.fullmatch(changes.get("addonVersion", _NEWEST)):
            raise bad_parameter("Addon version specified is not supported")
        entries = request.parameters.get("podIdentityAssociations")
        if entries is not None:
            self._associations.disown(addon["addonArn"])
            addon["podIdentityAssociations"] = [
                self._associations.own(spec, {"namespace": _NAMESPACE, **entry}, addon["addonArn"])
                for entry in entries
            ]
        addon.update(changes)

    def _describe_addon(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        return self._shown(_existing(request, present))

    def _delete_addon(self, request: AwsRequest, _: ClusterSpec, present: Present) -> Json:
        addon = present.pop(_existing(request, present)["addonName"])
        self._associations.disown(addon["addonArn"])
        return self._shown({**addon, "status": "DELETING"})


def _addon(spec: ClusterSpec, name: str) -> Json:
    place = f"arn:{partition_of(spec.region).name}:eks:{spec.region}:{spec.account}"
    now = int(time.time())
    return {
        "addonName": name,
        "clusterName": spec.name,
        "status": "ACTIVE",
        "addonVersion": _NEWEST,
        "health": {"issues": []},
        "addonArn": f"{place}:addon/{spec.name}/{name}/{uuid.uuid4()}",
        "createdAt": now,
        "modifiedAt": now,
        "tags": {},
    }


def _existing(request: AwsRequest, present: Present) -> Json:
    name = request.parameters["addonName"]
    if name not in present:
        raise missing(f"No addon: {name} found in cluster: {request.parameters['clusterName']}")
    return present[name]
