"""EKS' access policies: what each of them allows, as rules. Who has one is in `principals`.

Only what leads to a ServiceAccount, or is told of one, is written out: the rules that change or enter
something. Reading is in all of them.
https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
"""

from __future__ import annotations

from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.rbac.objects import RBAC_GROUP, RbacRule

ACCESS_POLICY = "AccessPolicy"
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_MAKERS = ("daemonsets", "deployments", "replicasets", "statefulsets")
_CORE = (
    "configmaps",
    "events",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "secrets",
    "serviceaccounts",
    "services",
    "services/proxy",
)
_PODS = ("pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy")
EVERYTHING = (RbacRule(("*",), ("*",), ("*",)), RbacRule(("*",), urls=("*",)))
_EDIT = (
    RbacRule(_WRITE, ("apps",), _MAKERS),
    RbacRule(_WRITE, ("batch",), ("cronjobs", "jobs")),
    RbacRule(_WRITE, ("autoscaling", "networking.k8s.io", "policy"), ("*",)),
    RbacRule(_READ, ("",), (*_PODS[1:], "secrets", "services/proxy")),
    RbacRule(_WRITE, ("",), _PODS),
    RbacRule(_WRITE, ("",), _CORE),
    RbacRule(("impersonate",), ("",), ("serviceaccounts",)),
)
_NOTHING: tuple[RbacRule, ...] = ()
_RULES = {
    "AmazonEKSClusterAdminPolicy": EVERYTHING,
    "AmazonEKSAdminPolicy": (*_EDIT, RbacRule((*_READ, *_WRITE), (RBAC_GROUP,), ("rolebindings", "roles"))),
    "AmazonEKSEditPolicy": _EDIT,
    "AmazonEKSAdminViewPolicy": (RbacRule(_READ, ("*",), ("*",)),),
    "AmazonEKSViewPolicy": _NOTHING,
    "AmazonEKSSecretReaderPolicy": (RbacRule(_READ, ("",), ("secrets",)),),
    "AmazonEKSAutoNodePolicy": _NOTHING,
    "AmazonEKSBlockStoragePolicy": _NOTHING,
    "AmazonEKSLoadBalancingPolicy": _NOTHING,
    "AmazonEKSNetworkingPolicy": _NOTHING,
}


def policy_rules(name: str) -> tuple[RbacRule, ...] | Unreadable:
    """The rules of an access policy by its name, or that they are not known here."""
    found = _RULES.get(name)
    return Unreadable(f"irsa does not know the access policy {name}") if found is None else found
