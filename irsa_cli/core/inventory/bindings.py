"""The bindings of a cluster as values: ServiceAccounts with their roles and status.

A binding is a ServiceAccount annotated with a role, or a role created by irsa without such a ServiceAccount.
Roles are also read from GetAccountAuthorizationDetails: from a file, or from botocore's answer with parsed
documents (`as_answered`). Invalid input raises LookupError, TypeError, ValueError or AttributeError.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import unquote

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.role_only import HandOver, hand_over
from irsa_cli.core.binding.role_power import known_power
from irsa_cli.core.marks import lifecycle, makers
from irsa_cli.core.marks.lifecycle import Lifecycle
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import DETAILED, Role, path_of
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, SERVICE_ACCOUNT_TAG, ProviderState, RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.assuming import lacking, said_to_service
from irsa_cli.core.trust.correction import wide_trusts
from irsa_cli.core.trust.evaluation import Answer, Explanation, explain
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.arn import Arn, provider_arn, role_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, Unreadable
from irsa_cli.core.values.limits import moment
from irsa_cli.core.values.shown import shown

ReadRole = Role | Unreadable | None
"""A role, the reason why it is unreadable, or None if it does not exist."""
ReadProvider = ProviderState | Unreadable | None


class BindingStatus(str, Enum):
    """The status of a binding; unchecked bindings are never `OK`."""

    OK = "ok"
    NOT_ADMITTED = "not-admitted"
    """The trust policy does not allow the ServiceAccount's token."""
    NO_PROVIDER = "no-provider"
    """IAM has no OIDC provider for the cluster's issuer that accepts the audience."""
    NO_ROLE = "no-role"
    BAD_ARN = "bad-arn"
    UNCERTAIN = "uncertain"
    """Unknown: something could not be read, or depends on values of the request."""
    POD_IDENTITY = "pod-identity"
    """IRSA works, but an EKS Pod Identity association overrides it."""
    NO_SERVICE_ACCOUNT = "no-service-account"
    """A role created by irsa whose ServiceAccount is missing or not annotated."""
    ANNOTATION_CHANGED = "annotation-changed"
    """irsa completed the binding, and somebody has since removed or changed the role annotation."""
    INCOMPLETE = "incomplete"
    """A role whose run did not finish."""
    DELETING = "deleting"
    """A role whose deletion did not finish."""
    ROLE_ONLY = "role-only"
    """A role created without a ServiceAccount on request, or whose ServiceAccount had the ARN before."""
    NO_AGENT = "no-agent"
    """An EKS Pod Identity association is right, but the cluster has no agent."""


@dataclass(frozen=True)
class ListedBinding:
    """A binding with its status.

    `reason` is '' if nothing is wrong; `next_steps` finish an interrupted run; `wide` are the trust policy's
    risks. `agent`: whether the EKS Pod Identity agent runs, None if nothing needs it. `is_unbound`: the
    ServiceAccount, if it exists, has another role or none, and only irsa's tags tie the role to it.
    `hand_over`: of a role-only binding, how far its ServiceAccount has come.
    """

    binding: Binding
    status: BindingStatus
    reason: str = ""
    explanation: Explanation | None = None
    next_steps: tuple[str, ...] = ()
    wide: tuple[Risk, ...] = ()
    agent: bool | Unreadable | None = None
    is_unbound: bool = False
    hand_over: HandOver | None = None

    @property
    def waits_for_git(self) -> bool:
        """Whether only the annotation of a ServiceAccount is missing that irsa does not write."""
        return self.hand_over is HandOver.WAITS

    @property
    def namespace(self) -> str:
        return self.binding.namespace

    @property
    def name(self) -> str:
        return self.binding.name

    @property
    def full_name(self) -> str:
        return self.binding.full_name

    @property
    def account(self) -> ServiceAccount | None:
        """The ServiceAccount that has the role; None if none does."""
        return None if self.is_unbound else self.binding.existing

    @property
    def role(self) -> ReadRole:
        return self.binding.role

    @property
    def role_arn(self) -> str:
        """The raw annotation, else the ARN of the association's role, or of a role without ServiceAccount."""
        return self.binding.role_arn

    @property
    def association(self) -> Association | Unreadable | None:
        return self.binding.association

    @property
    def new_pods(self) -> str:
        """How a new pod gets its role; '' if it gets none, or that is unknown.

        The webhook injects one of the two, and an association takes precedence over the annotation.
        https://github.com/aws/amazon-eks-pod-identity-webhook (pkg/handler/handler.go)
        """
        if self.account is None or isinstance(self.association, Unreadable):
            return ""
        return "web-identity" if self.association is None else "pod-identity"

    @property
    def by(self) -> str:
        """IRSA, EKS Pod Identity, or both."""
        annotated = self.account is not None and annotation_of(self.account) is not None
        if not isinstance(self.association, Association):
            return ("irsa" if self.association is None else "unknown") if annotated else ""
        return "both" if annotated else "pod-identity"

    @property
    def unread(self) -> str:
        """The part that could not be read; '' for none, also if the answer depends on the request."""
        depends_on_reads = self.explanation is None or self.explanation.answer is Answer.YES
        if self.status is BindingStatus.UNCERTAIN and depends_on_reads:
            return self.reason
        hidden = isinstance(self.role, Unreadable) or (self.role is not None and self.role.unread)
        return "parts of the role could not be read" if hidden else ""

    @property
    def owner(self) -> str:
        """The creator of the role if known, else of the ServiceAccount."""
        maker = self.binding.role_maker
        return maker if maker != makers.UNKNOWN else self.binding.account_maker

    @property
    def created(self) -> datetime | None:
        """The creation time of the ServiceAccount, or of the role if there is none."""
        if self.account is not None:
            return self.account.created
        return self.binding.seen_role.created if self.binding.seen_role is not None else None


@dataclass(frozen=True)
class Bindings:
    """The bindings of a cluster or namespace; `notes` list parts that could not be read.

    `accounts` and `roles` count all that were checked. With a `selector`, roles without a ServiceAccount are
    left out.
    """

    cluster: Cluster
    items: tuple[ListedBinding, ...] = ()
    notes: tuple[str, ...] = ()
    accounts: int = 0
    roles: int = 0
    namespace: str = ""
    selector: str = ""


def annotation_of(account: ServiceAccount) -> str | None:
    """The raw role annotation, None if there is none."""
    return account.annotations.get(ROLE_ARN_ANNOTATION)


def named_role(account: ServiceAccount) -> Arn | None:
    """The role in a ServiceAccount's annotation, None if it is missing or invalid."""
    try:
        return role_arn(annotation_of(account) or "")
    except InvalidInput:
        return None


NO_AGENT = "the cluster has no EKS Pod Identity agent, so pods get no credentials from it"


def listed(
    binding: Binding, now: datetime | None = None, agent: bool | Unreadable | None = None
) -> ListedBinding:
    """Judge an annotated ServiceAccount by its role, and by the provider in the role's account.

    Without an annotation, its association is judged. `now` is the time for trust policies. Role and provider
    are ignored for an invalid annotation.
    """
    account = binding.existing
    if account is None or annotation_of(account) is None:
        return _by_association(binding, agent)
    judged = _by_annotation(binding, account, now)
    status = judged.status
    association = binding.known_association
    if association is not None:  # It takes precedence.
        status = BindingStatus.POD_IDENTITY if status is BindingStatus.OK else status
        no_agent = NO_AGENT if agent is False else ""
        reason = "; ".join(filter(None, (judged.reason, association.effect, no_agent)))
        judged = replace(judged, status=status, reason=reason)
    return replace(judged, wide=wide(binding), agent=agent)


def _by_annotation(binding: Binding, account: ServiceAccount, now: datetime | None) -> ListedBinding:
    arn = named_role(account)
    role = binding.role
    if arn is None:
        reason = f"{shown(binding.annotation)} is not the ARN of a role"
        return ListedBinding(binding, BindingStatus.BAD_ARN, reason)
    if role is None:
        reason = f"there is no role {arn.name} in account {arn.account}"
        return ListedBinding(binding, BindingStatus.NO_ROLE, reason)
    if isinstance(role, Unreadable):
        return ListedBinding(binding, BindingStatus.UNCERTAIN, f"the role can't be read: {role.why}")
    if role.arn != binding.annotation:
        return ListedBinding(
            binding, BindingStatus.NO_ROLE, f"the role {arn.name} has another ARN: {role.arn}"
        )
    identity = binding.identity_in(arn.account)
    explanation = explain(role.trust, identity, now=now)
    # If irsa annotated it, the role's run is complete; other roles have no such mark.
    is_own = role.tags.get(SERVICE_ACCOUNT_TAG) == account.full_name
    life = binding.life_of(role, recorded=binding.is_marked or not is_own)
    if life.is_over:
        awaited = hand_over(role, account.annotations) if is_own else None
        judgement = _judgement(explanation, binding.provider, identity)
        return ListedBinding(binding, *judgement, explanation, hand_over=awaited)
    steps = life.next_steps(binding.cluster.options)
    return ListedBinding(binding, *interrupted(life), explanation, steps)


def _by_association(binding: Binding, agent: bool | Unreadable | None) -> ListedBinding:
    judged = ListedBinding(binding, BindingStatus.OK, wide=wide(binding), agent=agent)
    if binding.seen_role is not None:
        # The association is the last step of its run.
        life = lifecycle.of(binding.seen_role.tags, named=True, recorded=True)
        if not life.is_over:
            status, reason = interrupted(life)
            steps = life.next_steps(binding.cluster.options)
            return replace(judged, status=status, reason=reason, next_steps=steps)
    status, reason = _judged_by_association(binding, agent)
    return replace(judged, status=status, reason=reason)


def _judged_by_association(binding: Binding, agent: bool | Unreadable | None) -> tuple[BindingStatus, str]:
    association = binding.known_association
    role = binding.role
    if association is None or not association.role_arn:
        return BindingStatus.UNCERTAIN, "EKS did not return the role of its association"
    if role is None:
        why = f"there is no role {association.role_arn}; association {association.id} has it"
        return BindingStatus.NO_ROLE, why
    if isinstance(role, Unreadable):
        return BindingStatus.UNCERTAIN, f"the role can't be read: {role.why}"
    answers = said_to_service(role.trust, binding.cluster, binding, tagged=not association.without_tags)
    for refused in lacking(answers, Answer.NO):
        why = f"the trust policy does not allow {refused.action} to EKS Pod Identity: {refused.why}"
        return BindingStatus.NOT_ADMITTED, why
    for unknown in lacking(answers, Answer.UNKNOWN):
        return BindingStatus.UNCERTAIN, f"{unknown.action} for EKS Pod Identity: {unknown.why}"
    if binding.existing is None:
        return BindingStatus.NO_SERVICE_ACCOUNT, f"association {association.id} has no ServiceAccount"
    if isinstance(agent, Unreadable):
        return BindingStatus.UNCERTAIN, f"irsa can't see if the EKS Pod Identity agent runs: {agent.why}"
    return (BindingStatus.NO_AGENT, NO_AGENT) if agent is False else (BindingStatus.OK, "")


def wide(binding: Binding) -> tuple[Risk, ...]:
    """The risks of the role's trust policy."""
    role = binding.seen_role
    cluster = binding.cluster
    if role is None:
        return ()
    provider = provider_arn(cluster.partition, role.account, cluster.issuer)
    return wide_trusts(role.trust, (provider,), role=role.arn, power=known_power(role))


def _judgement(
    explanation: Explanation, provider: ReadProvider, identity: WebIdentity
) -> tuple[BindingStatus, str]:
    if provider is None:
        return BindingStatus.NO_PROVIDER, f"there is no OIDC provider {identity.provider_arn}"
    if isinstance(provider, ProviderState) and identity.audience not in provider.audiences:
        reason = f"the OIDC provider does not accept the audience {identity.audience}"
        return BindingStatus.NO_PROVIDER, reason
    if explanation.answer is not Answer.YES:
        status = BindingStatus.NOT_ADMITTED if explanation.answer is Answer.NO else BindingStatus.UNCERTAIN
        return status, "; ".join(explanation.text)
    if isinstance(provider, Unreadable):
        return BindingStatus.UNCERTAIN, f"the OIDC provider can't be read: {provider.why}"
    return BindingStatus.OK, ""


def interrupted(life: Lifecycle) -> tuple[BindingStatus, str]:
    """The status of a role whose run or deletion is not over: its stage of life."""
    return BindingStatus(life.stage.value), life.why


def in_order(bindings: Iterable[ListedBinding]) -> tuple[ListedBinding, ...]:
    """Sort by namespace and name, roles without a ServiceAccount last."""

    def place(listed: ListedBinding) -> tuple[str, str, bool, str]:
        return listed.namespace, listed.name, listed.account is None, listed.role_arn

    return tuple(sorted(bindings, key=place))


Read = Callable[[Any], Document]


def document_of(value: Any) -> Document:
    """A policy from an object or a percent-encoded text."""
    if isinstance(value, str):
        try:
            value = json.loads(unquote(value))
        except RecursionError:
            raise ValueError from None
    if not isinstance(value, dict):
        raise TypeError
    return value


def as_answered(value: Any) -> Document:
    """A policy parsed by botocore."""
    document: Document = value
    return document


def role_details(detail: Mapping[str, Any], read: Read = document_of) -> Role:
    """Read a role of `RoleDetailList` with its inline policies."""
    boundary = detail.get("PermissionsBoundary") or {}
    arn = text_of(detail["Arn"])
    state = RoleState(
        path=path_of(arn),
        trust=read(detail["AssumeRolePolicyDocument"]),
        permissions_boundary=str(boundary.get("PermissionsBoundaryArn", "")),
        tags={str(tag["Key"]): str(tag["Value"]) for tag in detail.get("Tags") or ()},
    )
    return Role(
        arn,
        state,
        frozenset(text_of(entry["PolicyArn"]) for entry in detail.get("AttachedManagedPolicies") or ()),
        {
            str(entry["PolicyName"]): read(entry["PolicyDocument"])
            for entry in detail.get("RolePolicyList") or ()
        },
        role_id=str(detail.get("RoleId", "")),
        created=moment(detail.get("CreateDate")),
        last_used=moment((detail.get("RoleLastUsed") or {}).get("LastUsedDate")),
        left_out=DETAILED,
        profiles=tuple(
            str(entry["InstanceProfileName"]) for entry in detail.get("InstanceProfileList") or ()
        ),
    )


def policy_details(detail: Mapping[str, Any], read: Read = document_of) -> tuple[str, Document] | None:
    """Read the ARN and default document of a policy of `Policies`; None if the document is missing."""
    for version in detail.get("PolicyVersionList") or ():
        if version.get("IsDefaultVersion"):
            return text_of(detail["Arn"]), read(version["Document"])
    return None


def text_of(value: Any) -> str:
    """The value if it is a text; raise TypeError otherwise."""
    if not isinstance(value, str):
        raise TypeError
    return value
