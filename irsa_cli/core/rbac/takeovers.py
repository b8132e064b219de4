"""The ways to act as a ServiceAccount by Kubernetes' own rights: a maintained list.

Constrained impersonation exists since Kubernetes 1.35. Certificates are left out (EKS signs none for API
users). Of operators, the best known kinds count that create pods with a ServiceAccount. The list follows
https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/ and
https://kubernetes.io/docs/concepts/security/rbac-good-practices/#kubernetes-rbac-privilege-escalation-risks
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Named(Enum):
    """The meaning of a rule's resource names for a way."""

    ACCOUNT = "account"
    """ServiceAccounts: the one in question must be among them."""
    OTHER = "other"
    """Other objects: the way works if one of them is suitable."""
    NEW = "new"
    """Objects that do not exist yet: only server-side apply (patch) can create one of that name."""
    ROLE = "role"
    """Roles: their rules decide."""
    GROUP = "group"
    """Groups or users: the way works if they have the right."""
    AWS_AUTH = "aws-auth"
    """ConfigMaps: aws-auth must be among them."""


@dataclass(frozen=True)
class Right:
    """A right: one of the verbs on a resource of an API group ('' is the core group)."""

    verbs: tuple[str, ...]
    resource: str
    group: str = ""

    def __str__(self) -> str:
        return f"{' or '.join(self.verbs)} {self.resource}"


@dataclass(frozen=True)
class Takeover:
    """A way to act as a ServiceAccount; `condition` is a requirement that RBAC does not show.

    `everywhere`: it needs the right in the whole cluster. `also`: one right of each tuple is also needed.
    `place` is the namespace: '' for the ServiceAccount's, `OTHER_NAMESPACE` for any other one. `besides` is a
    second requirement.
    """

    id: str
    right: Right
    named: Named = Named.OTHER
    condition: str = ""
    everywhere: bool = False
    also: tuple[tuple[Right, ...], ...] = ()
    place: str = ""
    besides: str = ""


RUNS = "one of its pods is running"
ACTS = "it can create tokens or pods itself (otherwise this gives access to Kubernetes only)"
STORED = (
    "a Secret contains its token, and it can create tokens or pods itself"
    " (otherwise this gives access to Kubernetes only)"
)
HOST_PATH = "it runs on a node that accepts such a pod, and no admission policy or webhook rejects hostPath"
AWS_AUTH_READ = "the cluster uses aws-auth (authentication mode)"
_CREATED = "one of its pods is created afterwards"
OLD_SERVER = "the API server is older than Kubernetes 1.35, which also requires create"
_IMPERSONATED = "a user or group that it can impersonate can do this (never system:masters in this mode)"
_TRUSTED = "a role in the new annotation trusts it"
BOUND = "a role that the subject can change is bound to it"

_AGGREGATED = "a role bound to it aggregates ClusterRoles (as admin, edit and view do)"
_POLICY_BOUND = "a binding of the policy exists, and one of its pods is created afterwards"
_OPERATOR = "its operator is installed, and creates pods with the ServiceAccount that the object names"
PRIVILEGED = "a pod there is privileged, on a node that runs one of its pods (as aws-node and kube-proxy)"

ALSO = "the subject can also "
OTHER_NAMESPACE = "*"

_RBAC = "rbac.authorization.k8s.io"
_AUTHENTICATION = "authentication.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_CREATE = ("create",)
_CHANGE = ("update", "patch")
_WRITE = ("create", "update", "patch")
_READ = ("get", "list", "watch")
_IMPERSONATE = ("impersonate",)

_CHANGEABLE = (
    ("deployments", "apps"),
    ("statefulsets", "apps"),
    ("daemonsets", "apps"),
    ("replicasets", "apps"),
    ("replicationcontrollers", ""),
    ("cronjobs", "batch"),
)
"""Resources whose pod template decides which pods are created next; a Job's can't be changed."""
_CREATE_POD = Right(_CREATE, "pods")
_CREATE_TOKEN = Right(_CREATE, "serviceaccounts/token")
_CREATE_WORKLOAD = tuple(Right(_CREATE, *resource) for resource in (*_CHANGEABLE, ("jobs", "batch")))
_CREATE_ANY = (_CREATE_POD, *_CREATE_WORKLOAD)


def _on(mode: str, resource: str) -> Right:
    """The right to create a resource as somebody else, in a mode of constrained impersonation."""
    return Right((f"impersonate-on:{mode}:create",), resource)


_OPERATORS = (
    ("clonesets", "apps.kruise.io"),
    ("cronworkflows", "argoproj.io"),
    ("rollouts", "argoproj.io"),
    ("workflows", "argoproj.io"),
    ("jobs", "batch.volcano.sh"),
    ("jobsets", "jobset.x-k8s.io"),
    ("scaledjobs", "keda.sh"),
    ("notebooks", "kubeflow.org"),
    ("pytorchjobs", "kubeflow.org"),
    ("alertmanagers", "monitoring.coreos.com"),
    ("prometheuses", "monitoring.coreos.com"),
    ("rayclusters", "ray.io"),
    ("rayjobs", "ray.io"),
    ("services", "serving.knative.dev"),
    ("sparkapplications", "sparkoperator.k8s.io"),
    ("pipelineruns", "tekton.dev"),
    ("taskruns", "tekton.dev"),
)
"""Kinds whose operators create pods in the same namespace."""
_DEPLOYERS = (
    ("applications", "argoproj.io"),
    ("helmreleases", "helm.toolkit.fluxcd.io"),
    ("kustomizations", "kustomize.toolkit.fluxcd.io"),
)
"""Kinds whose operators create objects in any namespace."""
_AS_USER = (_on("user-info", "serviceaccounts/token"), _on("user-info", "pods"))
_USERS_INFO = Right(("impersonate:user-info",), "users", _AUTHENTICATION)

TAKEOVERS = (
    Takeover("create-token", _CREATE_TOKEN, Named.ACCOUNT),
    Takeover("create-pod", _CREATE_POD, Named.NEW),
    *(Takeover("create-workload", right, Named.NEW) for right in _CREATE_WORKLOAD),
    *(Takeover("mount-host", right, Named.NEW, HOST_PATH, place=OTHER_NAMESPACE) for right in _CREATE_ANY),
    Takeover(
        "mount-host-volume",
        Right(_CREATE, "persistentvolumes"),
        Named.NEW,
        HOST_PATH,
        everywhere=True,
        also=(_CREATE_ANY,),
    ),
    *(
        Takeover(
            "change-workload",
            Right(_CHANGE, resource, group),
            condition=f"its namespace has {resource}",
        )
        for resource, group in _CHANGEABLE
    ),
    *(
        Takeover(
            "mount-host",
            Right(_CHANGE, resource, group),
            condition=HOST_PATH,
            place=OTHER_NAMESPACE,
            besides=f"the namespace has {resource}",
        )
        for resource, group in _CHANGEABLE
    ),
    Takeover(
        "mount-host",
        Right(_CHANGE, "pods/ephemeralcontainers"),
        condition=HOST_PATH,
        place=OTHER_NAMESPACE,
        besides="the namespace has a pod on that node",
    ),
    *(
        Takeover("run-operator", Right(_WRITE, resource, group), condition=_OPERATOR)
        for resource, group in (*_OPERATORS, *_DEPLOYERS)
    ),
    *(
        Takeover("run-operator", Right(_WRITE, resource, group), condition=_OPERATOR, place=OTHER_NAMESPACE)
        for resource, group in _DEPLOYERS
    ),
    Takeover("change-pod", Right(_CHANGE, "pods"), condition=RUNS),
    Takeover("enter-pod", Right(_CREATE, "pods/exec"), condition=RUNS),
    Takeover("enter-pod", Right(_CREATE, "pods/attach"), condition=RUNS),
    Takeover("enter-pod", Right(("get",), "pods/exec"), condition=OLD_SERVER),
    Takeover("enter-pod", Right(("get",), "pods/attach"), condition=OLD_SERVER),
    Takeover("enter-pod", Right(_CHANGE, "pods/ephemeralcontainers"), condition=RUNS),
    *(
        Takeover("enter-host", right, condition=PRIVILEGED, place="kube-system")
        for right in (
            Right(_CREATE, "pods/exec"),
            Right(_CREATE, "pods/attach"),
            Right(_CHANGE, "pods/ephemeralcontainers"),
        )
    ),
    Takeover("reach-kubelet", Right(("create", "get"), "nodes/proxy"), condition=RUNS, everywhere=True),
    Takeover("annotate", Right(_CHANGE, "serviceaccounts"), Named.ACCOUNT, _TRUSTED),
    Takeover("impersonate-account", Right(_IMPERSONATE, "serviceaccounts"), Named.ACCOUNT, ACTS),
    Takeover("impersonate-user", Right(_IMPERSONATE, "users"), Named.GROUP, everywhere=True),
    Takeover(
        "impersonate-group",
        Right(_IMPERSONATE, "groups"),
        Named.GROUP,
        everywhere=True,
        also=((Right(_IMPERSONATE, "users"), Right(_IMPERSONATE, "serviceaccounts")),),
    ),
    Takeover(
        "impersonate-account",
        Right(("impersonate:serviceaccount",), "serviceaccounts", _AUTHENTICATION),
        Named.ACCOUNT,
        ACTS,
        also=((_on("serviceaccount", "serviceaccounts/token"), _on("serviceaccount", "pods")),),
    ),
    Takeover("impersonate-user", _USERS_INFO, Named.GROUP, _IMPERSONATED, everywhere=True, also=(_AS_USER,)),
    Takeover(
        "impersonate-group",
        Right(("impersonate:user-info",), "groups", _AUTHENTICATION),
        Named.GROUP,
        _IMPERSONATED,
        everywhere=True,
        also=(_AS_USER, (_USERS_INFO,)),
    ),
    Takeover(
        "impersonate-node",
        Right(("impersonate:arbitrary-node",), "nodes", _AUTHENTICATION),
        condition=RUNS,
        everywhere=True,
        also=((_on("arbitrary-node", "serviceaccounts/token"),),),
    ),
    *(
        Takeover(
            "bind-role",
            Right(("bind",), resource, _RBAC),
            Named.ROLE,
            also=((Right(_WRITE, "rolebindings", _RBAC), Right(_WRITE, "clusterrolebindings", _RBAC)),),
        )
        for resource in ("clusterroles", "roles")
    ),
    *(
        Takeover(
            "escalate-role",
            Right(("escalate",), resource, _RBAC),
            condition=BOUND,
            also=((Right(_CHANGE, resource, _RBAC),),),
        )
        for resource in ("clusterroles", "roles")
    ),
    Takeover(
        "escalate-role",
        Right(("escalate",), "clusterroles", _RBAC),
        condition=_AGGREGATED,
        everywhere=True,
        also=((Right(_CREATE, "clusterroles", _RBAC),),),
    ),
    Takeover(
        "token-in-secret",
        Right(_CREATE, "secrets"),
        Named.NEW,
        ACTS,
        also=((Right(_READ, "secrets"),),),
    ),
    Takeover("read-secret", Right(_READ, "secrets"), condition=STORED),
    Takeover(
        "change-webhook",
        Right(_WRITE, "mutatingwebhookconfigurations", _ADMISSION),
        condition=_CREATED,
        everywhere=True,
    ),
    Takeover(
        "change-admission-policy",
        Right(_WRITE, "mutatingadmissionpolicies", _ADMISSION),
        condition=_CREATED,
        everywhere=True,
        also=((Right(_WRITE, "mutatingadmissionpolicybindings", _ADMISSION),),),
    ),
    Takeover(
        "change-admission-policy",
        Right(_CHANGE, "mutatingadmissionpolicies", _ADMISSION),
        condition=_POLICY_BOUND,
        everywhere=True,
    ),
    Takeover(
        "change-aws-auth",
        Right(_WRITE, "configmaps"),
        Named.AWS_AUTH,
        AWS_AUTH_READ,
        place="kube-system",
    ),
)
