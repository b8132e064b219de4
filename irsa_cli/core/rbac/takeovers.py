"""The ways to become a ServiceAccount by rights in Kubernetes: a maintained list, with its sources.

The list is that of "RBAC good practices", privilege escalation risks, as far as it leads to a ServiceAccount:
https://kubernetes.io/docs/concepts/security/rbac-good-practices/#kubernetes-rbac-privilege-escalation-risks
Constrained impersonation has verbs of its own since Kubernetes 1.35:
https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
Certificates are left out (EKS signs none for users of its API), and so are kinds of operators that make pods,
which nobody can know from RBAC. Who has which of these rights is found in `becoming`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from irsa_cli.core.rbac.objects import RBAC_GROUP

APPS, BATCH, CORE = "apps", "batch", ""
ADMISSION, AUTHENTICATION = "admissionregistration.k8s.io", "authentication.k8s.io"


class Named(Enum):
    """What the resource names of a rule mean for a way."""

    ACCOUNT = "account"
    """They are names of ServiceAccounts: the one in question has to be among them."""
    OTHER = "other"
    """They are names of other objects: it works if one of those serves."""
    NEW = "new"
    """The object does not exist yet: only server-side apply, which patches, makes one of that name."""
    ROLE = "role"
    """They are names of roles: what those allow decides."""
    GROUP = "group"
    """They are names of groups or users: it works if those may do it."""
    AWS_AUTH = "aws-auth"
    """They are names of ConfigMaps: aws-auth has to be among them."""


@dataclass(frozen=True)
class Right:
    """One right that is asked for: one of the verbs on a resource."""

    verbs: tuple[str, ...]
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{' or '.join(self.verbs)} {self.resource}"


@dataclass(frozen=True)
class Takeover:
    """One way. `condition` is what has to hold besides and RBAC does not tell, '' for nothing.

    `everywhere`: only a right in the whole cluster gives it. `also` are further rights, one of each tuple is
    needed: that is said while it is not known that the same subject has one. `place` is where it has to hold:
    '' in the namespace of the ServiceAccount, `OTHER_NAMESPACE` in any other one.
    """

    id: str
    right: Right
    named: Named = Named.OTHER
    condition: str = ""
    everywhere: bool = False
    also: tuple[tuple[Right, ...], ...] = ()
    place: str = ""


RUNS = "a pod of it runs"
"""A condition that what is known of pods may answer."""
ACTS = "it may make tokens or pods itself: else one acts as it in Kubernetes only"
"""A condition that RBAC answers for the ServiceAccount itself."""
IN_SECRET = f"a Secret has a token of it, and {ACTS}"
HOST_PATH = "it runs on a node that takes such a pod, and no admission policy or webhook forbids hostPath"
"""Pod Security is known from the labels of the namespace; what else the cluster rejects is not read."""
AWS_AUTH_READ = "the cluster reads aws-auth (authentication mode)"
"""A condition that the cluster's authentication mode answers."""
ALSO = "it may also "
"""How a condition begins that further rights of the same subject answer."""
OTHER_NAMESPACE = "*"

_TEMPLATES = (
    (APPS, "deployments"),
    (APPS, "statefulsets"),
    (APPS, "daemonsets"),
    (APPS, "replicasets"),
    (CORE, "replicationcontrollers"),
    (BATCH, "cronjobs"),
)
"""Kinds that make pods by a template that can be changed; that of a Job can't."""
_CHANGE = ("update", "patch")
_MAKE = ("create", *_CHANGE)


_MAKERS = (
    Right(("create",), CORE, "pods"),
    *(Right(("create",), group, resource) for group, resource in (*_TEMPLATES, (BATCH, "jobs"))),
)


_TOKEN, _INFO = "serviceaccounts/token", "user-info"
_OTHERS = "a user or group that it can impersonate may do it, and system:masters can't be in this mode"
_AS_USER = Right((f"impersonate:{_INFO}",), AUTHENTICATION, "users")
_CONSTRAINED: tuple[Any, ...] = (
    ("impersonate-account", "serviceaccount", "serviceaccounts", Named.ACCOUNT, ACTS, (_TOKEN, "pods")),
    ("impersonate-user", _INFO, "users", Named.GROUP, _OTHERS, (_TOKEN, "pods")),
    ("impersonate-group", _INFO, "groups", Named.GROUP, _OTHERS, (_TOKEN, "pods"), (_AS_USER,)),
    ("impersonate-node", "arbitrary-node", "nodes", Named.OTHER, RUNS, (_TOKEN,)),
)
"""Constrained impersonation: its mode, of what, and what is created while impersonating."""
_CREATED = "a pod of it is made afterwards"
_READING = "the API server is older than Kubernetes 1.35, which asks for create as well"


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
        Takeover("change-workload", Right(_CHANGE, group, resource), condition=f"there are {resource}")
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
        "the role that is written into it, or into another one, admits it",
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
            condition="a role that it may change is bound to it",
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
