"""The ways to act as a ServiceAccount by rights in Kubernetes: a maintained list with its sources.

https://kubernetes.io/docs/concepts/security/rbac-good-practices/#kubernetes-rbac-privilege-escalation-risks
https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/ (since Kubernetes 1.35)
Certificates are left out (EKS signs none for API users), as are custom resources whose operators create pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from irsa_cli.core.rbac.objects import RBAC_GROUP

APPS, BATCH, CORE = "apps", "batch", ""
ADMISSION, AUTHENTICATION = "admissionregistration.k8s.io", "authentication.k8s.io"


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
    """A right: one of the verbs on a resource."""

    verbs: tuple[str, ...]
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{' or '.join(self.verbs)} {self.resource}"


@dataclass(frozen=True)
class Takeover:
    """A way to act as a ServiceAccount; `condition` is a requirement that RBAC does not show.

    `everywhere`: it needs the right in the whole cluster. `also`: one right of each tuple is also needed.
    `place` is the namespace: '' for the ServiceAccount's, `OTHER_NAMESPACE` for any other one.
    """

    id: str
    right: Right
    named: Named = Named.OTHER
    condition: str = ""
    everywhere: bool = False
    also: tuple[tuple[Right, ...], ...] = ()
    place: str = ""


RUNS = "one of its pods is running"
ACTS = "it can create tokens or pods itself (otherwise this gives access to Kubernetes only)"
IN_SECRET = f"a Secret contains its token, and {ACTS}"
HOST_PATH = "it runs on a node that accepts such a pod, and no admission policy or webhook rejects hostPath"
AWS_AUTH_READ = "the cluster uses aws-auth (authentication mode)"
ALSO = "the subject can also "
OTHER_NAMESPACE = "*"

_TEMPLATES = (
    (APPS, "deployments"),
    (APPS, "statefulsets"),
    (APPS, "daemonsets"),
    (APPS, "replicasets"),
    (CORE, "replicationcontrollers"),
    (BATCH, "cronjobs"),
)
"""Kinds with a pod template that can be changed, unlike a Job's."""
_CHANGE = ("update", "patch")
_MAKE = ("create", *_CHANGE)


_MAKERS = (
    Right(("create",), CORE, "pods"),
    *(Right(("create",), group, resource) for group, resource in (*_TEMPLATES, (BATCH, "jobs"))),
)


_TOKEN, _INFO = "serviceaccounts/token", "user-info"
_OTHERS = "a user or group that it can impersonate can do this (never system:masters in this mode)"
_AS_USER = Right((f"impersonate:{_INFO}",), AUTHENTICATION, "users")
_CONSTRAINED: tuple[Any, ...] = (
    ("impersonate-account", "serviceaccount", "serviceaccounts", Named.ACCOUNT, ACTS, (_TOKEN, "pods")),
    ("impersonate-user", _INFO, "users", Named.GROUP, _OTHERS, (_TOKEN, "pods")),
    ("impersonate-group", _INFO, "groups", Named.GROUP, _OTHERS, (_TOKEN, "pods"), (_AS_USER,)),
    ("impersonate-node", "arbitrary-node", "nodes", Named.OTHER, RUNS, (_TOKEN,)),
)
"""Constrained impersonation: way, mode, resource, names, condition, created resources, further rights."""
_CREATED = "one of its pods is created afterwards"
_READING = "the API server is older than Kubernetes 1.35, which also requires create"


def _in_pods(resource: str, *verbs: str) -> Takeover:
    return Takeover("enter-pod", Right(verbs, CORE, resource), condition=RUNS)


TAKEOVERS: tuple[Takeover, ...] = (
    Takeover("create-token", Right(("create",), CORE, "serviceaccounts/token"), Named.ACCOUNT),
    Takeover("create-pod", _MAKERS[0], Named.NEW),
    *(Takeover("create-workload", right, Named.NEW) for right in _MAKERS[1:]),
    *(Takeover("mount-host", right, Named.NEW, HOST_PATH, place=OTHER_NAMESPACE) for right in _MAKERS),
    Takeover(
        "mount-host-volume",
        Right(("create",), CORE, "persistentvolumes"),
        Named.NEW,
        HOST_PATH,
        everywhere=True,
        also=(_MAKERS,),
    ),
    *(
        Takeover(
            "change-workload", Right(_CHANGE, group, resource), condition=f"its namespace has {resource}"
        )
        for group, resource in _TEMPLATES
    ),
    Takeover("change-pod", Right(_CHANGE, CORE, "pods"), condition=RUNS),
    _in_pods("pods/exec", "create"),
    _in_pods("pods/attach", "create"),
    Takeover("enter-pod", Right(("get",), CORE, "pods/exec"), condition=_READING),
    Takeover("enter-pod", Right(("get",), CORE, "pods/attach"), condition=_READING),
    _in_pods("pods/ephemeralcontainers", *_CHANGE),
    Takeover("reach-kubelet", Right(("create", "get"), CORE, "nodes/proxy"), condition=RUNS, everywhere=True),
    Takeover(
        "annotate",
        Right(_CHANGE, CORE, "serviceaccounts"),
        Named.ACCOUNT,
        "a role in the new annotation trusts it",
    ),
    Takeover("impersonate-account", Right(("impersonate",), CORE, "serviceaccounts"), Named.ACCOUNT, ACTS),
    Takeover("impersonate-user", Right(("impersonate",), CORE, "users"), Named.GROUP, everywhere=True),
    Takeover(
        "impersonate-group",
        Right(("impersonate",), CORE, "groups"),
        Named.GROUP,
        everywhere=True,
        also=((Right(("impersonate",), CORE, "users"), Right(("impersonate",), CORE, "serviceaccounts")),),
    ),
    *(
        Takeover(
            way,
            Right((f"impersonate:{mode}",), AUTHENTICATION, resource),
            named,
            condition,
            everywhere=condition != ACTS,
            also=(tuple(Right((f"impersonate-on:{mode}:create",), CORE, it) for it in created), *more),
        )
        for way, mode, resource, named, condition, created, *more in _CONSTRAINED
    ),
    *(
        Takeover(
            "bind-role",
            Right(("bind",), RBAC_GROUP, resource),
            Named.ROLE,
            also=(
                (Right(_MAKE, RBAC_GROUP, "rolebindings"), Right(_MAKE, RBAC_GROUP, "clusterrolebindings")),
            ),
        )
        for resource in ("clusterroles", "roles")
    ),
    *(
        Takeover(
            "escalate-role",
            Right(("escalate",), RBAC_GROUP, resource),
            condition="a role that the subject can change is bound to it",
            also=((Right(_CHANGE, RBAC_GROUP, resource),),),
        )
        for resource in ("clusterroles", "roles")
    ),
    Takeover(
        "token-in-secret",
        Right(("create",), CORE, "secrets"),
        Named.NEW,
        ACTS,
        also=((Right(("get", "list", "watch"), CORE, "secrets"),),),
    ),
    Takeover("read-secret", Right(("get", "list", "watch"), CORE, "secrets"), condition=IN_SECRET),
    Takeover(
        "change-webhook",
        Right(_MAKE, ADMISSION, "mutatingwebhookconfigurations"),
        condition=_CREATED,
        everywhere=True,
    ),
    Takeover(
        "change-admission-policy",
        Right(_MAKE, ADMISSION, "mutatingadmissionpolicies"),
        condition=_CREATED,
        everywhere=True,
        also=((Right(_MAKE, ADMISSION, "mutatingadmissionpolicybindings"),),),
    ),
    Takeover(
        "change-aws-auth",
        Right(_MAKE, CORE, "configmaps"),
        Named.AWS_AUTH,
        AWS_AUTH_READ,
        place="kube-system",
    ),
)
