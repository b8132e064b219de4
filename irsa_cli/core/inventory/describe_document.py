"""The document of `irsa describe-sa`: one binding in detail.

It shows which pods have the role and which need a restart: the webhook changes only new pods.
docs/reference/output.schema.json describes the JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from irsa_cli.core.doctor.commands import Makers, restarts
from irsa_cli.core.doctor.facts import Subject
from irsa_cli.core.doctor.subjects import ROLE_ENV, TOKEN_ENV, has_pod_identity, opted_out
from irsa_cli.core.inventory import list_document
from irsa_cli.core.inventory.bindings import ListedBinding, ReadProvider, annotation_of
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Container, Injection, Pod
from irsa_cli.core.objects.mounted import volume_at
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.rbac.becoming import InKubernetes
from irsa_cli.core.results.envelope import DocumentKind, Envelope
from irsa_cli.core.results.scope import AnswerScope, Reading, by_design, not_read, unanswered
from irsa_cli.core.values.cluster import PLAIN, Cluster, Reach
from irsa_cli.core.values.errors import CannotTell, Unreadable


class Identity(str, Enum):
    """The identity of a pod, compared with its ServiceAccount's role."""

    CURRENT = "current"
    """The role's ARN, and a mounted token for the right audience."""
    NO_TOKEN = "no-token"  # noqa: S105 - the name of a state
    """The role's ARN, but no token that STS would accept."""
    OTHER_ROLE = "other-role"
    NONE = "none"
    OPTED_OUT = "opted-out"
    """An annotation tells the webhook to skip the pod."""
    POD_IDENTITY = "pod-identity"
    """Credentials from EKS Pod Identity instead."""


@dataclass(frozen=True)
class PodIdentity:
    """A pod with its identity; `needs_restart` is None if a restart might not help."""

    pod: Pod
    identity: Identity
    reason: str = ""
    needs_restart: bool | None = False


def pods_of(
    account: ServiceAccount, pods: Iterable[Pod], association: Association | Unreadable | None = None
) -> tuple[PodIdentity, ...]:
    """The living pods of a ServiceAccount, out of all pods of its namespace."""
    subject = Subject(account.namespace, account.name, pods=tuple(pods))
    try:
        return tuple(identity_of(pod, account, association) for pod in subject.users())
    except CannotTell:
        return ()


def identity_of(
    pod: Pod, account: ServiceAccount, association: Association | Unreadable | None = None
) -> PodIdentity:
    """The identity of a pod by its environment and creation time; `given` is the association.

    If a container has the variables of both ways, SDKs take the web identity.
    """
    roles = sorted({item.env[ROLE_ENV] or "" for item in pod.containers if ROLE_ENV in item.env})
    if roles == [annotation_of(account)]:
        lacking = next(filter(None, (_token_problem(pod, it, account) for it in pod.containers)), "")
        if lacking:
            return PodIdentity(pod, Identity.NO_TOKEN, lacking, needs_restart=None)
        return PodIdentity(pod, Identity.CURRENT)
    if roles:
        reason = f"it was started with {', '.join(roles)}"
        return PodIdentity(pod, Identity.OTHER_ROLE, reason, needs_restart=True)
    if has_pod_identity(pod):
        return PodIdentity(pod, Identity.POD_IDENTITY, "it gets its credentials from EKS Pod Identity")
    if opted_out(pod):
        return PodIdentity(pod, Identity.OPTED_OUT, "an annotation tells the webhook to skip it")
    giver = "annotation"
    since = account.annotated
    if annotation_of(account) is None and isinstance(association, Association):
        giver = "association"
        since = association.created
    restart: bool | None = True
    if since is None or pod.created is None:
        reason = f"it has no role, and the time of the {giver} is not known"
    elif pod.created <= since:  # Times have whole seconds: the order of two equal ones is not known.
        reason = f"it was started before the {giver}"
    else:
        reason = f"it was started after the {giver} but has no role: run irsa doctor to find the cause"
        restart = None
    return PodIdentity(pod, Identity.NONE, reason, restart)


def _token_problem(pod: Pod, container: Container, account: ServiceAccount) -> str:
    """Why STS would reject a container with the role's ARN: no token, or one for another audience."""
    if ROLE_ENV not in container.env:
        return ""
    container_name = f"container {container.name}"
    audience = Injection.read(account.annotations).audience
    if TOKEN_ENV not in container.env:
        return f"{container_name} has no {TOKEN_ENV}"
    file = container.env[TOKEN_ENV]
    if file is None:  # From a Secret or ConfigMap: the path is not known.
        return ""
    volume = volume_at(pod, container, file.replace("\\", "/").removeprefix("C:"))
    if volume is None or volume.audience is None:
        return f"no token is mounted at {file} in {container_name}"
    if volume.audience != audience:
        return f"the token of {container_name} is for {volume.audience}, not for {audience}"
    return ""


def restart_commands(reach: Reach, pods: Iterable[PodIdentity], makers: Makers) -> tuple[str, ...]:
    """The commands that restart pods that need it, one for each workload, at most five."""
    old = [identity.pod for identity in pods if identity.needs_restart]
    return tuple(restarts(reach, old, makers).splitlines())


@dataclass(frozen=True)
class Policy:
    """A policy of a role; `arn` is '' for inline ones, `document` is None if not requested."""

    name: str
    arn: str = ""
    document: Document | Unreadable | None = None

    def to_json(self) -> dict[str, Any]:
        return list_document.policy_json(self.name, self.arn, self.document)


@dataclass(frozen=True)
class DescribedTarget:
    """The target role of a chain; each of `checks` has its subject, its verdict and the finding."""

    role_arn: str
    external_id: str
    config: str
    config_map: str
    checks: tuple[tuple[str, str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "roleARN": self.role_arn,
            "externalID": self.external_id or None,
            "awsConfig": self.config,
            "configMap": self.config_map or None,
            "checks": [{"what": what, "status": status, "text": text} for what, status, text in self.checks],
        }


@dataclass(frozen=True)
class Description:
    """An annotated ServiceAccount in detail.

    `reach` are the options of commands to paste, `makers` the workloads of pods to restart. `now` is when the
    role was read.
    """

    cluster: Cluster
    account: ServiceAccount
    binding: ListedBinding
    policies: tuple[Policy, ...] | Unreadable = ()
    boundary: Policy | None = None
    pods: tuple[PodIdentity, ...] | Unreadable = ()
    kubernetes: InKubernetes = field(default_factory=InKubernetes)
    target: DescribedTarget | None = None
    reach: Reach = PLAIN
    makers: Makers = field(default_factory=dict)
    now: datetime | None = None

    @property
    def role(self) -> Role | None:
        """Its role, None if it is missing or unreadable."""
        return self.binding.binding.seen_role

    @property
    def provider(self) -> ReadProvider:
        return self.binding.binding.provider

    @property
    def injection(self) -> Injection:
        return Injection.read(self.account.annotations)

    @property
    def restart(self) -> tuple[str, ...]:
        pods = () if isinstance(self.pods, Unreadable) else self.pods
        return restart_commands(self.reach, pods, self.makers)

    @property
    def notes(self) -> tuple[str, ...]:
        """The parts that could not be read."""
        values = {
            "its policies": self.policies,
            "the pods": self.pods,
            "the OIDC provider": self.provider,
            "an EKS Pod Identity association": self.binding.association,
        }
        hidden = [
            f"{title} can't be read: {value.why}"
            for title, value in values.items()
            if isinstance(value, Unreadable)
        ]
        policies = () if isinstance(self.policies, Unreadable) else self.policies
        documents = (*policies, *((self.boundary,) if self.boundary else ()))
        hidden += [
            f"the document of {policy.name} can't be read: {policy.document.why}"
            for policy in documents
            if isinstance(policy.document, Unreadable)
        ]
        if unread := self.kubernetes.unread:
            hidden.append(f"its rights in Kubernetes, or who can act as it: {'; '.join(unread)}")
        return tuple(dict.fromkeys(hidden))

    def to_json(self) -> dict[str, Any]:
        account = self.account
        injection = self.injection
        provider = self.provider
        return {
            **list_document.binding_json(self.binding),
            "serviceAccount": {
                **list_document.account_json(self.binding),
                "uid": account.uid,
                "annotated": list_document.time_json(account.annotated),
                "annotations": dict(account.annotations),
                "labels": dict(account.labels),
            },
            "audience": injection.audience,
            "tokenSeconds": injection.token_seconds,
            "role": {
                **list_document.role_json(self.binding),
                **self._role_details(),
                "permissionsBoundary": self.boundary.to_json() if self.boundary else None,
            },
            "provider": {"url": provider.url, "audiences": list(provider.audiences)}
            if isinstance(provider, ProviderState)
            else None,
            "pods": None if isinstance(self.pods, Unreadable) else [pod_json(pod) for pod in self.pods],
            "restart": list(self.restart),
            "kubernetes": self.kubernetes.to_json(),
            **({} if self.target is None else {"target": self.target.to_json()}),
        }

    def _role_details(self) -> dict[str, Any]:
        """The facts of the role itself; all are null without it."""
        names = ("lastUsedRegion", "description", "maxSessionDuration", "trustPolicy", "policies")
        details: dict[str, Any] = dict.fromkeys(names)
        if self.role is None:
            return details
        details["lastUsedRegion"] = self.role.used_in or None
        details["description"] = self.role.state.description
        details["maxSessionDuration"] = self.role.max_session_duration
        details["trustPolicy"] = self.role.trust
        if not isinstance(self.policies, Unreadable):
            details["policies"] = [policy.to_json() for policy in self.policies]
        return details


def pod_json(identity: PodIdentity) -> dict[str, Any]:
    pod = identity.pod
    return {
        "name": pod.name,
        "phase": pod.phase,
        "owner": pod.owner or None,
        "created": list_document.time_json(pod.created),
        "identity": identity.identity.value,
        "needsRestart": identity.needs_restart,
        "reason": identity.reason or None,
    }


@dataclass(frozen=True)
class Described(Reading):
    """A description or an error; neither if it does not exist and that is ignored."""

    found: Description | None = None

    @property
    def own_scope(self) -> AnswerScope:
        question = "What role does the ServiceAccount have, and do its pods have it?"
        description = self.found
        if description is None:  # Maybe a missing name was ignored.
            missing = self.error is None and not self.signal
            return AnswerScope(question) if missing else unanswered(question, self.error)
        pods = 0 if isinstance(description.pods, Unreadable) else len(description.pods)
        notes = dict.fromkeys(filter(None, (*description.notes, description.binding.unread)))
        examined = {"ServiceAccount": 1, "role": int(description.role is not None), "pod": pods}
        return AnswerScope(
            question, examined, (*not_read(notes), *by_design("the webhook", "files in containers"))
        )

    def envelope(self) -> Envelope:
        description = self.found
        if description is None:
            return self.document(DocumentKind.BINDINGS, summary=list_document.summary_of(()))
        return self.document(
            DocumentKind.BINDINGS,
            cluster=description.cluster,
            items=[description.to_json()],
            summary=list_document.summary_of([description.binding]),
            notes=(*description.notes, *self.recorded_notes),
        )
