"""The kinds of change, one row each: whatever irsa has to know of a kind is a trait that its row gives.

What each trait means is in `irsa_cli.core.plan.traits`. `irsa_cli.transaction` names no kind, and asks for
traits. How a kind is carried out is its handler's business. How to add one is in CONTRIBUTING.md.
"""

from __future__ import annotations

from enum import Enum

from irsa_cli.core.plan import described, states
from irsa_cli.core.plan.traits import (
    Proof,
    Service,
    Traits,
    annotated_roles,
    going_on_role,
    its_role,
    no_role,
    told_role,
)

_SHOW_ROLE = "aws iam get-role --role-name {first}"
_SHOW_PROVIDER = "aws iam get-open-id-connect-provider --open-id-connect-provider-arn {first}"


class Kind(str, Enum):
    """What a change is about; the value is what `-o json` and the journal show."""

    traits: Traits
    _value_: str

    def __new__(cls, value: str, traits: Traits) -> Kind:
        """A member is its value and its row."""
        member = str.__new__(cls, value)
        member._value_, member.traits = value, traits
        return member

    PROVIDER = (
        "OIDCProvider",
        Traits(
            state=states.ProviderState,
            target=("provider ARN",),
            whole="",
            service=Service.IAM,
            proof=Proof.MARK,
            roles=no_role,
            for_all=True,
            described=described.by_issuer,
            shown_by=_SHOW_PROVIDER,
        ),
    )
    AUDIENCE = (
        "OIDCProviderAudience",
        Traits(
            state=states.Present,
            target=("provider ARN", "audience"),
            whole="PROVIDER",
            service=Service.IAM,
            proof=Proof.JOURNAL,
            roles=no_role,
            for_all=True,
            described=described.as_audience,
            shown_by=_SHOW_PROVIDER,
        ),
    )
    NAMESPACE = (
        "Namespace",
        Traits(
            state=states.NamespaceState,
            target=("namespace",),
            whole="",
            service=Service.KUBERNETES,
            proof=Proof.MARK,
            roles=no_role,
            made_anew=True,
            described=described.by_name,
            shown_by="kubectl get namespace {first} -o yaml",
        ),
    )
    ROLE = (
        "Role",
        Traits(
            state=states.RoleState,
            target=("role",),
            whole="",
            service=Service.IAM,
            proof=Proof.MARK,
            roles=its_role,
            owner_decides=True,
            described=described.by_path,
            shown_by=_SHOW_ROLE,
        ),
    )
    ATTACHMENT = (
        "PolicyAttachment",
        Traits(
            state=states.Present,
            target=("role", "policy ARN"),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.PUT_ON,
            roles=its_role,
            described=described.as_attachment,
            given_back="attached again",
            shown_by="aws iam list-attached-role-policies --role-name {first}",
        ),
    )
    INLINE_POLICY = (
        "InlinePolicy",
        Traits(
            state=states.DocumentState,
            target=("role", "policy"),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.PUT_ON,
            roles=its_role,
            described=described.as_inline,
            shown_by="aws iam get-role-policy --role-name {first} --policy-name {last}",
        ),
    )
    TRUST_STATEMENT = (
        "TrustStatement",
        Traits(
            state=states.DocumentState,
            target=("role", "subject"),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.JOURNAL,
            roles=its_role,
            changes_trust=True,
            described=described.as_statement,
            shown_by=_SHOW_ROLE,
        ),
    )
    TARGET_TRUST = (
        "TargetTrustStatement",
        Traits(
            state=states.DocumentState,
            target=("target role ARN", "role ARN"),
            whole="",
            service=Service.IAM,
            proof=Proof.JOURNAL,
            roles=going_on_role,
            waits_for_whole=True,
            told_by_role=True,
            described=described.as_admission,
            shown_by="aws iam get-role --role-name {target}",
        ),
    )
    CONFIG_MAP = (
        "ConfigMap",
        Traits(
            state=states.ConfigMapState,
            target=("namespace", "name"),
            whole="",
            service=Service.KUBERNETES,
            proof=Proof.MARK,
            roles=told_role,
            waits_for_whole=True,
            told_by_role=True,
            described=described.by_name,
            shown_by="kubectl -n {first} get configmap {last} -o yaml",
        ),
    )
    SERVICE_ACCOUNT = (
        "ServiceAccount",
        Traits(
            state=states.ServiceAccountState,
            target=("namespace", "name"),
            whole="",
            service=Service.KUBERNETES,
            proof=Proof.MARK,
            roles=annotated_roles,
            ends_runs=True,
            waits_for_whole=True,
            made_anew=True,
            described=described.as_account,
            shown_by="kubectl -n {first} get serviceaccount {last} -o yaml",
        ),
    )
    ROLE_OWNER = (
        "RoleOwner",
        Traits(
            state=states.OwnerState,
            target=("role",),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.IS_MARK,
            roles=its_role,
            takes_over=True,
            owner_decides=True,
            waits_for_whole=True,
            described=described.as_takeover,
            shown_by=_SHOW_ROLE,
        ),
    )
    ROLE_COMMIT = (
        "RoleCommit",
        Traits(
            state=states.CommitState,
            target=("role",),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.IS_MARK,
            roles=its_role,
            waits_for_whole=True,
            described=described.as_stage_of_life,
            shown_by=_SHOW_ROLE,
        ),
    )
    ROLE_SETTINGS = (
        "RoleSettings",
        Traits(
            state=states.SettingsState,
            target=("role",),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.JOURNAL,
            roles=its_role,
            described=described.by_name,
            shown_by=_SHOW_ROLE,
        ),
    )
    BOUNDARY = (
        "RoleBoundary",
        Traits(
            state=states.BoundaryState,
            target=("role",),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.JOURNAL,
            roles=its_role,
            described=described.by_name,
            shown_by=_SHOW_ROLE,
        ),
    )
    ROLE_TAGS = (
        "RoleTags",
        Traits(
            state=states.TagsState,
            target=("role",),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.JOURNAL,
            roles=its_role,
            described=described.with_tags,
            shown_by=_SHOW_ROLE,
        ),
    )
    TRUST_POLICY = (
        "TrustPolicy",
        Traits(
            state=states.DocumentState,
            target=("role",),
            whole="ROLE",
            service=Service.IAM,
            proof=Proof.JOURNAL,
            roles=its_role,
            changes_trust=True,
            described=described.by_name,
            shown_by=_SHOW_ROLE,
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
