"""EKS as values: one cluster with the agent of EKS Pod Identity, and its associations."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from irsa_cli.core.plan.states import AssociationState
from irsa_cli.core.trust.trust_policy import trusts_service
from irsa_cli.core.values.cluster import Cluster
from tests.support.memory.iam import MemoryIam, Refusal

Json = dict[str, Any]
SERVICE = "pods.eks.amazonaws.com"
_OPTIONS = ("roleArn", "targetRoleArn", "policy", "disableSessionTags")
_SUMMARY = ("associationId", "namespace", "serviceAccount")


class MemoryEks:
    """The cluster's part of EKS; `associations` are described ones by namespace and ServiceAccount."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.associations: dict[tuple[str, str], Json] = {}
        self._made = 0

    @property
    def world(self) -> dict[tuple[str, str], AssociationState]:
        """The associations, without what EKS chooses for each."""
        return {
            place: AssociationState(
                found["roleArn"],
                found.get("targetRoleArn") or "",
                json.loads(found.get("policy") or "{}"),
                bool(found.get("disableSessionTags")),
                dict(found["tags"]),
            )
            for place, found in self.associations.items()
        }

    def answer(self, operation: str, asked: Mapping[str, Any], iam: MemoryIam) -> Json:
        """What EKS answers; raises `Refusal`."""
        if operation == "ListClusters":
            return {"clusters": [self.cluster.name]}
        if asked.get("clusterName", asked.get("name")) != self.cluster.name:
            raise Refusal("ResourceNotFoundException", 404)
        if operation == "ListPodIdentityAssociations":
            wanted = {key: asked[key] for key in ("namespace", "serviceAccount") if key in asked}
            found = [item for item in self.associations.values() if wanted.items() <= item.items()]
            return {"associations": [{key: item[key] for key in _SUMMARY} for item in found]}
        if operation == "CreatePodIdentityAssociation":
            return {"association": self._create(asked, iam)}
        if operation.endswith("PodIdentityAssociation"):
            place, there = self._there(asked["associationId"])
            if operation.startswith("Delete"):
                del self.associations[place]
            elif operation.startswith("Update"):
                self._check_role(asked, iam)
                there.update({key: asked[key] for key in _OPTIONS if key in asked})
            return {"association": there}
        lists = {"ListAddons": {"addons": ["eks-pod-identity-agent"]}, "ListFargateProfiles": {}}
        if operation in lists:
            return {"fargateProfileNames": [], **lists[operation]}
        if operation != "DescribeCluster":
            raise Refusal("AccessDeniedException", 403)
        return {
            "cluster": {
                "name": self.cluster.name,
                "arn": self.cluster.arn,
                "status": "ACTIVE",
                "version": "1.36",
                "endpoint": "https://demo.invalid",
                "certificateAuthority": {"data": base64.b64encode(b"none").decode()},
                "identity": {"oidc": {"issuer": self.cluster.issuer}},
            }
        }

    def _create(self, asked: Mapping[str, Any], iam: MemoryIam) -> Json:
        place = asked["namespace"], asked["serviceAccount"]
        there = self.associations.get(place)
        if there is not None and there["clientRequestToken"] != asked["clientRequestToken"]:
            raise Refusal("ResourceInUseException", 409)
        if there is None:
            self._check_role(asked, iam)
            self._made += 1
            self.associations[place] = {**asked, "associationId": f"a-{self._made}"}
        return self.associations[place]

    def _check_role(self, asked: Mapping[str, Any], iam: MemoryIam) -> None:
        role = iam.world.roles.get(asked["roleArn"].rsplit("/", 1)[-1])
        if role is None or not trusts_service(role.state.trust, SERVICE):
            raise Refusal("InvalidParameterException")

    def _there(self, number: str) -> tuple[tuple[str, str], Json]:
        for place, found in self.associations.items():
            if found["associationId"] == number:
                return place, found
        raise Refusal("ResourceNotFoundException", 404)
