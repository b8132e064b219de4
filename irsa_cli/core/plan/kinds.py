"""The kinds of change, one row each: whatever irsa has to know of a kind is a trait that its row gives.

The traits are explained in `irsa_cli.core.plan.traits`. `irsa_cli.transaction` names no kinds, and asks for
traits. How a kind is carried out is its handler's business. How to add one is in CONTRIBUTING.md.
"""

from __future__ import annotations

from enum import Enum
from functools import partial

from irsa_cli.core.plan import states
from irsa_cli.core.plan.traits import (
    Proof,
    Service,
    Traits,
    annotated_roles,
    as_account,
    as_admission,
    as_attachment,
    as_audience,
    as_inline,
    as_stage_of_life,
    as_statement,
    as_takeover,
    by_issuer,
    by_name,
    by_path,
    going_on_role,
    its_role,
    no_role,
    recorded_role,
    with_tags,
)

_SHOW_ROLE = "aws iam get-role --role-name {first}"
_SHOW_PROVIDER = "aws iam get-open-id-connect-provider --open-id-connect-provider-arn {first}"

_Iam = partial(Traits, service=Service.IAM)
_Kubernetes = partial(Traits, whole="", service=Service.KUBERNETES, proof=Proof.MARK)
_PartOfRole = partial(_Iam, whole="ROLE", roles=its_role)
_FieldOfRole = partial(_PartOfRole, target=("role",), shown_by=_SHOW_ROLE)
"""A part that a role has once, identified by the role's name."""


class Kind(str, Enum):
    """The kind of a change; the value is public (`-o json`, journal)."""

    traits: Traits
    _value_: str

    def __new__(cls, value: str, traits: Traits) -> Kind:
        """A member is its value and its row."""
        member = str.__new__(cls, value)
        member._value_, member.traits = value, traits
        return member

    PROVIDER = (
        "OIDCProvider",
        _Iam(
            state=states.ProviderState,
            target=("provider ARN",),
            whole="",
            proof=Proof.MARK,
            roles=no_role,
            for_all=True,
            described=by_issuer,
            shown_by=_SHOW_PROVIDER,
        ),
    )
    AUDIENCE = (
        "OIDCProviderAudience",
        _Iam(
            state=states.Present,
            target=("provider ARN", "audience"),
            whole="PROVIDER",
            proof=Proof.JOURNAL,
            roles=no_role,
            for_all=True,
            described=as_audience,
            shown_by=_SHOW_PROVIDER,
        ),
    )
    NAMESPACE = (
        "Namespace",
        _Kubernetes(
            state=states.NamespaceState,
            target=("namespace",),
            roles=no_role,
            recreated=True,
            described=by_name,
            shown_by="kubectl get namespace {first} -o yaml",
        ),
    )
    ROLE = (
        "Role",
        _Iam(
            state=states.RoleState,
            target=("role",),
            whole="",
            proof=Proof.MARK,
            roles=its_role,
            owner_decides=True,
            described=by_path,
            shown_by=_SHOW_ROLE,
        ),
    )
    ATTACHMENT = (
        "PolicyAttachment",
        _PartOfRole(
            state=states.Present,
            target=("role", "policy ARN"),
            proof=Proof.PUT_ON,
            described=as_attachment,
            given_back="attached again",
            shown_by="aws iam list-attached-role-policies --role-name {first}",
        ),
    )
    INLINE_POLICY = (
        "InlinePolicy",
        _PartOfRole(
            state=states.DocumentState,
            target=("role", "policy"),
            proof=Proof.PUT_ON,
            described=as_inline,
            shown_by="aws iam get-role-policy --role-name {first} --policy-name {last}",
        ),
    )
    TRUST_STATEMENT = (
        "TrustStatement",
        _PartOfRole(
            state=states.DocumentState,
            target=("role", "subject"),
            proof=Proof.JOURNAL,
            changes_trust=True,
            described=as_statement,
            shown_by=_SHOW_ROLE,
        ),
    )
    TARGET_TRUST = (
        "TargetTrustStatement",
        _Iam(
            state=states.DocumentState,
            target=("target role ARN", "role ARN"),
            whole="",
            proof=Proof.JOURNAL,
            roles=going_on_role,
            waits_for_whole=True,
            recorded_by_role=True,
            described=as_admission,
            shown_by="aws iam get-role --role-name {target}",
        ),
    )
    CONFIG_MAP = (
        "ConfigMap",
        _Kubernetes(
            state=states.ConfigMapState,
            target=("namespace", "name"),
            roles=recorded_role,
            waits_for_whole=True,
            recorded_by_role=True,
            described=by_name,
            shown_by="kubectl -n {first} get configmap {last} -o yaml",
        ),
    )
    SERVICE_ACCOUNT = (
        "ServiceAccount",
        _Kubernetes(
            state=states.ServiceAccountState,
            target=("namespace", "name"),
            roles=annotated_roles,
            ends_runs=True,
            waits_for_whole=True,
            recreated=True,
            described=as_account,
            shown_by="kubectl -n {first} get serviceaccount {last} -o yaml",
        ),
    )
    ROLE_OWNER = (
        "RoleOwner",
        _FieldOfRole(
            state=states.OwnerState,
            proof=Proof.IS_MARK,
            takes_over=True,
            owner_decides=True,
            waits_for_whole=True,
            described=as_takeover,
        ),
    )
    ROLE_COMMIT = (
        "RoleCommit",
        _FieldOfRole(
            state=states.CommitState,
            proof=Proof.IS_MARK,
            waits_for_whole=True,
            described=as_stage_of_life,
        ),
    )
    ROLE_SETTINGS = (
        "RoleSettings",
        _FieldOfRole(state=states.SettingsState, proof=Proof.JOURNAL, described=by_name),
    )
    BOUNDARY = (
        "RoleBoundary",
        _FieldOfRole(state=states.BoundaryState, proof=Proof.JOURNAL, described=by_name),
    )
    ROLE_TAGS = (
        "RoleTags",
        _FieldOfRole(state=states.TagsState, proof=Proof.JOURNAL, described=with_tags),
    )
    TRUST_POLICY = (
        "TrustPolicy",
        _FieldOfRole(
            state=states.DocumentState,
            proof=Proof.JOURNAL,
            changes_trust=True,
            described=by_name,
        ),
    )

    @property
    def whole(self) -> Kind:
        """The kind of object that it is, or is a part of."""
        return Kind[self.traits.whole] if self.traits.whole else self

    @property
    def is_whole(self) -> bool:
        """Whether it is about an object, and not about a part of one."""
        return not self.traits.whole
