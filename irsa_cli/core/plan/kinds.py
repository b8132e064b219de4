"""The kinds of change, one row each: whatever irsa has to know of a kind is a trait that its row gives.

The traits are explained in `irsa_cli.core.plan.traits`. `irsa_cli.transaction` names no kinds, and asks for
traits. How a kind is carried out is its handler's business. How to add one is in CONTRIBUTING.md.
"""

from __future__ import annotations

from enum import Enum
from functools import partial

from irsa_cli.core.plan import states
from irsa_cli.core.plan.traits import (
    Decides,
    Proof,
    Service,
    Traits,
    annotated_roles,
    as_account,
    as_association,
    as_restart,
    as_stage_of_life,
    as_takeover,
    associated_roles,
    by_issuer,
    by_name,
    by_path,
    its_role,
    last_part,
    no_role,
    recorded_role,
    with_tags,
)

_SHOW_ROLE = "aws iam get-role --role-name {first}"
_SHOW_PROVIDER = "aws iam get-open-id-connect-provider --open-id-connect-provider-arn {first}"

_Iam = partial(Traits, service=Service.IAM)
_Kubernetes = partial(Traits, whole="", service=Service.KUBERNETES, proof=Proof.MARK)
_PartOfRole = partial(_Iam, whole="ROLE", roles=its_role)
_FieldOfRole = partial(_PartOfRole, target=("role",), decides=Decides.NOTHING, shown_by=_SHOW_ROLE)
"""A part that a role has once, identified by the role's name."""


class Kind(str, Enum):
    """The kind of a change; the value is public (`-o json`, journal)."""

    traits: Traits
    _value_: str

    def __new__(cls, traits: Traits) -> Kind:
        """A member is its value and its row."""
        member = str.__new__(cls, traits.value)
        member._value_, member.traits = traits.value, traits
        return member

    PROVIDER = _Iam(
        "OIDCProvider",
        decides=Decides.PROVIDER,
        state=states.ProviderState,
        target=("provider ARN",),
        whole="",
        proof=Proof.MARK,
        roles=no_role,
        for_all=True,
        described=by_issuer,
        shown_by=_SHOW_PROVIDER,
    )
    AUDIENCE = _Iam(
        "OIDCProviderAudience",
        decides=Decides.AUDIENCE,
        state=states.Present,
        target=("provider ARN", "audience"),
        whole="PROVIDER",
        proof=Proof.JOURNAL,
        roles=no_role,
        for_all=True,
        described=lambda change: f"{change.target[1]} for {by_issuer(change)}",
        shown_by=_SHOW_PROVIDER,
    )
    NAMESPACE = _Kubernetes(
        "Namespace",
        decides=Decides.NOTHING,
        state=states.NamespaceState,
        target=("namespace",),
        roles=no_role,
        recreated=True,
        described=by_name,
        shown_by="kubectl get namespace {first} -o yaml",
    )
    ROLE = _Iam(
        "Role",
        decides=Decides.ROLE,
        state=states.RoleState,
        target=("role",),
        whole="",
        proof=Proof.MARK,
        roles=its_role,
        owner_decides=True,
        described=by_path,
        shown_by=_SHOW_ROLE,
    )
    ATTACHMENT = _PartOfRole(
        "PolicyAttachment",
        decides=Decides.POLICY,
        state=states.Present,
        target=("role", "policy ARN"),
        proof=Proof.PUT_ON,
        described=lambda change: last_part(change.target[1]),
        given_back="attached again",
        shown_by="aws iam list-attached-role-policies --role-name {first}",
    )
    INLINE_POLICY = _PartOfRole(
        "InlinePolicy",
        decides=Decides.POLICY,
        state=states.DocumentState,
        target=("role", "policy"),
        proof=Proof.PUT_ON,
        described=lambda change: f"{change.target[1]} (inline)",
        shown_by="aws iam get-role-policy --role-name {first} --policy-name {last}",
    )
    TRUST_STATEMENT = _PartOfRole(
        "TrustStatement",
        decides=Decides.STATEMENT,
        state=states.DocumentState,
        target=("role", "subject"),
        proof=Proof.JOURNAL,
        changes_trust=True,
        is_shared=True,
        described=lambda change: f"{change.target[0]} trusts {change.target[1]}",
        shown_by=_SHOW_ROLE,
    )
    TARGET_TRUST = _Iam(
        "TargetTrustStatement",
        decides=Decides.STATEMENT,
        state=states.DocumentState,
        target=("target role ARN", "role ARN"),
        whole="",
        proof=Proof.JOURNAL,
        roles=lambda change: frozenset((last_part(change.target[-1]),)),
        is_shared=True,
        waits_for_whole=True,
        recorded_by_role=True,
        described=lambda change: f"{change.target[0]} trusts {last_part(change.target[1])}",
        shown_by="aws iam get-role --role-name {target}",
    )
    CONFIG_MAP = _Kubernetes(
        "ConfigMap",
        decides=Decides.NOTHING,
        state=states.ConfigMapState,
        target=("namespace", "name"),
        roles=recorded_role,
        waits_for_whole=True,
        recorded_by_role=True,
        described=by_name,
        shown_by="kubectl -n {first} get configmap {last} -o yaml",
    )
    ASSOCIATION = Traits(
        "PodIdentityAssociation",
        decides=Decides.ASSOCIATION,
        state=states.AssociationState,
        target=("cluster", "namespace", "ServiceAccount"),
        whole="",
        short="PodIdentity",
        service=Service.EKS,
        proof=Proof.MARK,
        roles=associated_roles,
        waits_for_whole=True,
        described=as_association,
        shown_by="aws eks list-pod-identity-associations --cluster-name {0} --namespace {1}"
        " --service-account {2}",
    )
    SERVICE_ACCOUNT = _Kubernetes(
        "ServiceAccount",
        decides=Decides.SERVICE_ACCOUNT,
        state=states.ServiceAccountState,
        target=("namespace", "name"),
        roles=annotated_roles,
        ends_runs=True,
        waits_for_whole=True,
        recreated=True,
        described=as_account,
        shown_by="kubectl -n {first} get serviceaccount {last} -o yaml",
    )
    RESTART = _Kubernetes(
        "Restart",
        decides=Decides.NOTHING,
        state=states.RestartState,
        target=("namespace", "ServiceAccount"),
        proof=Proof.JOURNAL,
        roles=no_role,
        outside=True,
        described=as_restart,
        shown_by="kubectl -n {first} get pods",
    )
    ROLE_OWNER = _FieldOfRole(
        "RoleOwner",
        state=states.OwnerState,
        proof=Proof.IS_MARK,
        takes_over=True,
        owner_decides=True,
        waits_for_whole=True,
        described=as_takeover,
    )
    ROLE_COMMIT = _FieldOfRole(
        "RoleCommit",
        state=states.CommitState,
        proof=Proof.IS_MARK,
        waits_for_whole=True,
        described=as_stage_of_life,
    )
    ROLE_SETTINGS = _FieldOfRole(
        "RoleSettings", state=states.SettingsState, proof=Proof.JOURNAL, described=by_name
    )
    BOUNDARY = _FieldOfRole(
        "RoleBoundary", state=states.BoundaryState, proof=Proof.JOURNAL, described=by_name
    )
    ROLE_TAGS = _FieldOfRole("RoleTags", state=states.TagsState, proof=Proof.JOURNAL, described=with_tags)
    TRUST_POLICY = _FieldOfRole(
        "TrustPolicy",
        decides=Decides.TRUST_POLICY,
        state=states.DocumentState,
        proof=Proof.JOURNAL,
        changes_trust=True,
        is_shared=True,
        described=by_name,
    )

    @property
    def short(self) -> str:
        """The value as columns show it."""
        return self.traits.short or self.value

    @property
    def whole(self) -> Kind:
        """The kind of object that it is, or is a part of."""
        return Kind[self.traits.whole] if self.traits.whole else self

    @property
    def is_whole(self) -> bool:
        """Whether it is about an object, and not about a part of one."""
        return not self.traits.whole
