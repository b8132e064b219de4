"""What `irsa describe-sa` says: one binding with all that is around it, as one document.

Which of its pods have the role, and which must be created again to get it: the webhook changes a pod when it
is created, never later. Why it passed over one that is young enough is `irsa doctor`'s business.
How it looks as text is in `irsa_cli.cli.output.screens.describe_sa`.
docs/reference/output.schema.json describes the JSON, and is a promise to scripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from irsa_cli.core.doctor.causes.own_token import volume_at
from irsa_cli.core.doctor.clues.injection import has_pod_identity, opted_out
from irsa_cli.core.doctor.facts import Subject
from irsa_cli.core.doctor.owners import Makers, restarts
from irsa_cli.core.doctor.subjects import ROLE_ENV, TOKEN_ENV
from irsa_cli.core.inventory.bindings import ListedBinding, ReadProvider, annotation_of
from irsa_cli.core.inventory.list_document import (
    account_json,
    binding_json,
    bindings_envelope,
    policy_json,
    role_json,
    time_json,
)
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.objects.kinds import Container, Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable
from irsa_cli.core.plan.states import ProviderState, RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.rbac.becoming import InKubernetes
from irsa_cli.core.results.envelope import Envelope, exit_code_of
from irsa_cli.core.results.scope import Allowance, AnswerScope, by_design, not_read, unanswered
from irsa_cli.core.values.cluster import PLAIN, Cluster, Reach


class Identity(str, Enum):
    """What a pod has of its ServiceAccount's role."""

    CURRENT = "current"
    """It has the role's ARN and a token for the right audience, mounted where the SDK looks for it."""
    NO_TOKEN = "no-token"  # noqa: S105 - the name of a state
    """It has the role's ARN, and no token that STS would accept."""
    OTHER_ROLE = "other-role"
    NONE = "none"
    OPTED_OUT = "opted-out"
    """The pod asks the webhook to pass it over."""
    POD_IDENTITY = "pod-identity"
    """Its credentials come from EKS Pod Identity instead."""


@dataclass(frozen=True)
class PodIdentity:
    """A pod. `needs_restart` is None where it can't be known whether a new pod would have the role."""

    pod: Pod
    identity: Identity
    reason: str = ""
    needs_restart: bool | None = False


def pods_of(account: ServiceAccount, pods: Iterable[Pod]) -> tuple[PodIdentity, ...]:
    """The pods that use a ServiceAccount and have not ended, of all those of its namespace."""
    subject = Subject(account.namespace, account.name, pods=tuple(pods))
    try:
        return tuple(identity_of(pod, account) for pod in subject.users())
    except CannotTell:
        return ()


def identity_of(pod: Pod, account: ServiceAccount) -> PodIdentity:
    """What a pod has of its ServiceAccount's role, by its environment and by when it was created."""
    roles = sorted({item.env[ROLE_ENV] or "" for item in pod.containers if ROLE_ENV in item.env})
    if roles == [annotation_of(account)]:
        lacking = next(filter(None, (_token_problem(pod, it, account) for it in pod.containers)), "")
        if lacking:
            return PodIdentity(pod, Identity.NO_TOKEN, lacking, needs_restart=None)
        return PodIdentity(pod, Identity.CURRENT)
    if roles:
        return PodIdentity(
            pod, Identity.OTHER_ROLE, f"it was started with {', '.join(roles)}", needs_restart=True
        )
    if has_pod_identity(pod):
        return PodIdentity(pod, Identity.POD_IDENTITY, "it has its credentials from EKS Pod Identity")
    if opted_out(pod):
        return PodIdentity(pod, Identity.OPTED_OUT, "it asks the webhook to pass it over")
    return _bare(pod, account)


def _token_problem(pod: Pod, container: Container, account: ServiceAccount) -> str:
    """Why STS would refuse a container that has the role's ARN: no token, or one for another audience."""
    if ROLE_ENV not in container.env:
        return ""
    named, wanted = f"container {container.name}", Injection.read(account.annotations).audience
    if TOKEN_ENV not in container.env:
        return f"{named} has no {TOKEN_ENV}"
    file = container.env[TOKEN_ENV]
    if file is None:  # It comes from a Secret or ConfigMap: where it points is not known.
        return ""
    volume = volume_at(pod, container, file.replace("\\", "/").removeprefix("C:"))
    if volume is None or volume.audience is None:
        return f"no token is mounted at {file} in {named}"
    if volume.audience != wanted:
        return f"the token of {named} is for {volume.audience}, not for {wanted}"
    return ""


def _bare(pod: Pod, account: ServiceAccount) -> PodIdentity:
    annotated = account.annotated
    if annotated is None or pod.created is None:
        reason = "it has no role, and when the annotation was written is not known"
        return PodIdentity(pod, Identity.NONE, reason, needs_restart=True)
    # Times have whole seconds: of two equal ones nobody knows which came first.
    if pod.created <= annotated:
        return PodIdentity(pod, Identity.NONE, "it was started before the annotation", needs_restart=True)
    reason = "it was started after the annotation and has no role: irsa doctor tells why"
    return PodIdentity(pod, Identity.NONE, reason, needs_restart=None)


def restart_commands(reach: Reach, pods: Iterable[PodIdentity], makers: Makers) -> tuple[str, ...]:
    """The commands that have those pods made anew that need it, one for each workload, at most five."""
    old = [item.pod for item in pods if item.needs_restart]
    return tuple(restarts(reach, old, makers).splitlines())


@dataclass(frozen=True)
class Policy:
    """A policy of a role; `arn` is empty for an inline one. `document` is None where nobody asked for it."""

    name: str
    arn: str = ""
    document: Document | Unreadable | None = None

    def to_json(self) -> dict[str, Any]:
        """The policy as `-o json` shows it."""
        if isinstance(self.document, Unreadable):
            return policy_json(self.name, self.arn, unreadable=self.document.why)
        return policy_json(self.name, self.arn, self.document)


@dataclass(frozen=True)
class DescribedTarget:
    """The role that the ServiceAccount's goes on to; `checks` are what the policies of both sides say."""

    role_arn: str
    external_id: str
    config: str
    config_map: str
    checks: tuple[tuple[str, str, str], ...] = ()
    """Each with what was looked at, the verdict, and what was found."""

    def to_json(self) -> dict[str, Any]:
        """The target as `-o json` shows it."""
        return {
            "roleARN": self.role_arn,
            "externalID": self.external_id or None,
            "awsConfig": self.config,
            "configMap": self.config_map or None,
            "checks": [{"what": what, "status": status, "text": text} for what, status, text in self.checks],
        }


@dataclass(frozen=True)
class Description:
    """One ServiceAccount that names a role.

    `state` is the role with what GetRole alone tells, None where the role could not be read or is not there;
    `used_in` the region of its last use. `pods` are those that use the ServiceAccount.
    """

    cluster: Cluster
    account: ServiceAccount
    binding: ListedBinding
    provider: ReadProvider = None
    state: RoleState | None = None
    used_in: str = ""
    policies: tuple[Policy, ...] | Unreadable = ()
    boundary: Policy | None = None
    pods: tuple[PodIdentity, ...] | Unreadable = ()
    association: Association | Unreadable | None = None
    kubernetes: InKubernetes = field(default_factory=InKubernetes)
    """What it may do in its cluster, and who may become it."""
    target: DescribedTarget | None = None
    reach: Reach = PLAIN
    """How commands to paste reach the same cluster."""
    makers: Makers = field(default_factory=dict)
    """What makes the pods that have to be restarted."""

    @property
    def injection(self) -> Injection:
        """What the webhook gives new pods."""
        return Injection.read(self.account.annotations)

    @property
    def restart(self) -> tuple[str, ...]:
        """The commands that have pods made anew that need it."""
        pods = () if isinstance(self.pods, Unreadable) else self.pods
        return restart_commands(self.reach, pods, self.makers)

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be read."""
        parts = {
            "its policies": self.policies,
            "the pods": self.pods,
            "the OIDC provider": self.provider,
            "an EKS Pod Identity association": self.association,
        }
        hidden = [
            f"{part} can't be read: {it.why}" for part, it in parts.items() if isinstance(it, Unreadable)
        ]
        named = () if isinstance(self.policies, Unreadable) else self.policies
        documents = (*named, *((self.boundary,) if self.boundary else ()))
        hidden += [
            f"the document of {policy.name} can't be read: {policy.document.why}"
            for policy in documents
            if isinstance(policy.document, Unreadable)
        ]
        if unseen := self.kubernetes.unseen:
            hidden.append(f"what it may do in Kubernetes, or who may become it: {'; '.join(unseen)}")
        return tuple(dict.fromkeys(hidden))

    def to_json(self) -> dict[str, Any]:
        """The binding as an item of a `BindingList`."""
        account, injection = self.account, self.injection
        return {
            **binding_json(self.binding),
            "serviceAccount": {
                **account_json(self.binding),
                "uid": account.uid,
                "annotated": time_json(account.annotated),
                "annotations": dict(account.annotations),
                "labels": dict(account.labels),
            },
            "audience": injection.audience,
            "tokenSeconds": injection.token_seconds,
            "role": self._role_json(),
            "provider": self._provider_json(),
            "pods": None if isinstance(self.pods, Unreadable) else [pod_json(item) for item in self.pods],
            "restart": list(self.restart),
            "kubernetes": self.kubernetes.to_json(),
            **({} if self.target is None else {"target": self.target.to_json()}),
        }

    def _role_json(self) -> dict[str, Any]:
        role, state = role_json(self.binding), self.state
        policies = None if isinstance(self.policies, Unreadable) else self.policies
        return {
            **role,
            "lastUsedRegion": self.used_in or None,
            "description": state.description if state else None,
            "maxSessionDuration": state.max_session_duration if state else None,
            "trustPolicy": state.trust if state else None,
            "policies": None
            if state is None or policies is None
            else [policy.to_json() for policy in policies],
            "permissionsBoundary": self.boundary.to_json() if self.boundary else None,
        }

    def _provider_json(self) -> dict[str, Any] | None:
        provider = self.provider
        if not isinstance(provider, ProviderState):
            return None
        return {"url": provider.url, "audiences": list(provider.audiences)}


def pod_json(item: PodIdentity) -> dict[str, Any]:
    """A pod as `-o json` shows it."""
    pod = item.pod
    return {
        "name": pod.name,
        "phase": pod.phase,
        "owner": pod.owner or None,
        "created": time_json(pod.created),
        "identity": item.identity.value,
        "needsRestart": item.needs_restart,
        "reason": item.reason or None,
    }


@dataclass(frozen=True)
class Described:
    """A description, or why there is none; without both it was not there, which was to be ignored."""

    found: Description | None = None
    error: Exception | None = None
    signal: int = 0
    allow: Allowance = field(default_factory=Allowance)

    @property
    def exit_code(self) -> int:
        """0 whatever is wrong with the binding, if all of it could be read."""
        return exit_code_of(self.error, self.signal) or self.allow.exit_code(self.scope)

    @property
    def scope(self) -> AnswerScope:
        """What was described, and what was not looked at."""
        question, found = "What role does the ServiceAccount have, and do its pods have it?", self.found
        if found is None:  # A name that is not there was to be ignored.
            missing = self.error is None and not self.signal
            return AnswerScope(question) if missing else unanswered(question, self.error)
        pods = 0 if isinstance(found.pods, Unreadable) else len(found.pods)
        notes = dict.fromkeys(filter(None, (*found.notes, found.binding.unread)))
        examined = {"ServiceAccount": 1, "role": int(found.state is not None), "pod": pods}
        return AnswerScope(
            question, examined, (*not_read(notes), *by_design("the webhook", "files in containers"))
        )

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""
        found = self.found
        return bindings_envelope(
            found.cluster if found else None,
            [found.binding] if found else [],
            [found.to_json()] if found else [],
            found.notes if found else (),
            self.error,
            self.exit_code,
            self.scope,
        )
