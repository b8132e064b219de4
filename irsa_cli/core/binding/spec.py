"""The desired and the current state of one ServiceAccount: the two sides that a plan connects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from irsa_cli.core.marks.lifecycle import with_marks
from irsa_cli.core.plan import states
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document, WellKnown
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import assuming, trust_policy
from irsa_cli.core.trust.chain import POLICY_NAME, Chain, chain_annotations
from irsa_cli.core.values import checked, names
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, iam_arn, provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput


@dataclass(frozen=True)
class BindingSpec:
    """A request for a ServiceAccount and its role, each value already checked by its own rule.

    Both a command line and an entry of a file are read into it. Durations in seconds; `policies` are ARNs as
    they were given. Values that only a cluster has (partition, account) are still open.
    """

    namespace: checked.Namespace
    name: checked.ServiceAccountName
    labels: checked.Labels = field(default_factory=dict)
    annotations: checked.Annotations = field(default_factory=dict)
    policies: tuple[checked.PolicyArnOrName, ...] = ()
    well_known: tuple[WellKnown, ...] = ()
    inline: checked.InlinePolicies = field(default_factory=dict)
    attach_role_arn: checked.RoleArn = ""
    role_name: checked.RoleName = ""
    role_path: checked.RolePath = ""
    role_only: bool = False
    subject_pattern: checked.SubjectPattern = ""
    subjects: tuple[checked.Subject, ...] = ()
    """Further subjects that the role trusts: `system:serviceaccount:NAMESPACE:NAME`, also with wildcards."""
    issuers: tuple[checked.IssuerUrl, ...] = ()
    """The issuers of further clusters whose subjects the role trusts."""
    conditions: checked.Conditions = field(default_factory=dict)
    """The conditions of each statement of the trust policy besides audience and subject."""
    permissions_boundary: checked.PolicyArn = ""
    tags: checked.Tags = field(default_factory=dict)
    description: checked.Description | None = None
    max_session_duration: checked.SessionDuration | None = None
    audience: checked.Audience = DEFAULT_AUDIENCE
    sts_regional_endpoints: bool | None = None
    token_expiration: checked.TokenExpiration | None = None
    target_role: checked.TargetArn = ""
    """The ARN of a role, of another account mostly, that the role may assume: chaining."""
    external_id: checked.ExternalId = ""
    """The external ID that the target role requires."""
    target_tag_session: bool = False
    """Whether the role may tag the sessions of the target role."""
    aws_config_map: checked.ConfigMapName = ""
    """The ConfigMap of the namespace that tells SDKs how to assume the target role."""
    pod_identity: bool = False
    """Whether an EKS Pod Identity association gives pods the role."""
    web_identity: bool = True
    """Whether the annotation gives pods the role (IRSA)."""
    session_policy: checked.PolicyDocument = field(default_factory=dict)
    """The policy that limits what pods may do with the role by Pod Identity."""
    disable_session_tags: bool = False
    create_service_account: bool = False
    """With Pod Identity alone: whether the ServiceAccount is created if it is missing."""
    unsaid: tuple[checked.Attribute, ...] = field(default=(), compare=False)
    """Attributes that what it was read from has no word for."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Permissions of one run, which are not part of the binding."""

    create_namespace: bool = True
    override: bool = False
    """Whether a ServiceAccount that has another role is given this one."""
    update_trust: bool = False
    update_target_trust: bool = False
    """Whether the statement that the target role's trust policy lacks is added to it."""
    force: bool = False
    """Whether irsa may write a statement that bypasses a restriction of another one."""
    associate: bool = False
    allow_wide_trust: bool = False
    """Whether the trust policy may be as broad as irsa otherwise refuses, or allow a powerful role."""
    gated: bool = False
    """Whether the token is proven to be accepted before the ServiceAccount gets its annotation."""


class ServiceAccountRef(names.Namespaced):
    """A ServiceAccount of a cluster, by its names."""

    cluster: Cluster

    def command(self, verb: str) -> str:
        """A command of irsa about it, to be pasted."""
        return f"irsa {verb} {self.name} -n {self.namespace} {self.cluster.options}"

    def token(self, account: str, audience: str) -> WebIdentity:
        """The token of its pods as roles of an account see it."""
        provider = provider_arn(self.cluster.partition, account, self.cluster.issuer)
        subject = names.subject(self.namespace, self.name)
        return WebIdentity(provider, self.cluster.issuer, subject, audience)

    @property
    def marks(self) -> dict[str, str]:
        """The tags of what irsa manages for it."""
        return {states.CLUSTER_TAG: self.cluster.arn, states.SERVICE_ACCOUNT_TAG: self.full_name}

    @property
    def association_target(self) -> tuple[str, str, str]:
        return (self.cluster.name, self.namespace, self.name)


@dataclass(frozen=True)
class DesiredState(ServiceAccountRef, Options):
    """The desired state in one cluster, and the permissions of the run.

    `role` is None when an existing role is used (`--attach-role-arn`). `annotations` are all those
    the ServiceAccount is to have, the role's ARN included; a value of None means it must not be there.
    A field is in the `digest`, or a test has the reason why not.
    """

    cluster: Cluster
    namespace: str
    name: str
    role_arn: str
    audience: str
    role: states.RoleState | None = None
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Document] = field(default_factory=dict)
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    subject_pattern: str = ""
    role_only: bool = False
    unsaid: frozenset[str] = frozenset()
    """Unset fields of a spec: `apply` does not change them."""
    chain: Chain | None = None
    """The target that the role may assume."""
    aws_config_map: str = ""
    association: states.AssociationState | None = None
    """The EKS Pod Identity association that pods get the role by; None: by the annotation alone."""
    creates_account: bool = False
    """With `role_only`: whether the ServiceAccount is created, without a role, if it is missing."""

    @property
    def uses_web_identity(self) -> bool:
        """Whether pods get the role by a token of the cluster, or somebody else sees to that."""
        return self.association is None or not self.role_only

    @property
    def needs_account(self) -> bool:
        """Whether the ServiceAccount, and so its namespace, has to be there in the end."""
        return not self.role_only or self.creates_account

    @property
    def own_statement(self) -> Document:
        """The statement for this ServiceAccount alone that irsa adds to a role of somebody else."""
        if self.association is None:
            return trust_policy.marked_statement(self.identity)
        tagged = not self.association.without_session_tags
        return assuming.marked_statement(self.cluster, self.namespace, self.name, tagged=tagged)

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def role_account(self) -> str:
        """The role's account, which must also have the provider."""
        return self.role_arn.split(":")[4]

    @property
    def identity(self) -> WebIdentity:
        """The token of this ServiceAccount, as STS will see it."""
        return self.token(self.role_account, self.audience)

    @property
    def new_namespace(self) -> states.NamespaceState:
        """The namespace as a run creates it if it is missing; the same in a plan and in a rehearsal."""
        return states.NamespaceState()

    @property
    def new_account(self) -> states.ServiceAccountState:
        """The ServiceAccount as a run creates it if it is missing; the same in a plan and in a rehearsal."""
        annotations = with_marks({key: value for key, value in self.annotations.items() if value is not None})
        labels = {key: value for key, value in self.labels.items() if value is not None}
        return states.ServiceAccountState(
            annotations={**annotations}, labels={states.MANAGED_BY_LABEL: "irsa", **labels}
        )


def digest(desired: DesiredState) -> str:
    """The identity of a desired state among others for the same role: a digest of all that the run creates.

    A run that finds the role incomplete continues if the digest is its own, and leaves it alone
    otherwise. So what is on the role, its policies and the ServiceAccount belongs into it. A new field goes
    in only if it is set: the digests of existing roles do not change.
    """
    assert desired.role is not None
    content = {
        "role": [desired.role.path, desired.role.description, desired.role.max_session_duration],
        "boundary": desired.role.permissions_boundary,
        "trust": policy.normalized(desired.role.trust),
        "policies": sorted(desired.policies),
        "inline": {name: policy.normalized(document) for name, document in desired.inline.items()},
        "tags": dict(desired.role.tags),
        "annotations": dict(desired.annotations),
        "labels": dict(desired.labels),
        "audience": desired.audience,
        "roleOnly": desired.role_only,
        **({} if desired.association is None else {"association": vars(desired.association)}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


_SETTINGS = ("description", "max_session_duration")
"""Settings that every role has by default: no description, and one hour."""


def _policies(
    spec: BindingSpec, cluster: Cluster, inline: Mapping[str, Document]
) -> tuple[tuple[str, ...], Mapping[str, Document]]:
    """The role's managed and inline policies with the well-known ones; raises `InvalidInput`."""
    managed = tuple(dict.fromkeys(spec.policies))
    if spec.well_known:
        from irsa_cli.core.policies import wellknown

        scope = wellknown.Scope(cluster.partition, cluster.region, cluster.account, cluster.name)
        resolved = wellknown.joined(wellknown.Resolved(managed, inline), spec.well_known, scope)
        managed = resolved.policies
        inline = resolved.inline
    policy.check_limits(managed, inline)
    return managed, inline


def desired_state_of(
    spec: BindingSpec,
    cluster: Cluster,
    options: Options | None = None,
    trust_quota: int = policy.TRUST_LIMIT,
) -> DesiredState:
    """The spec in this cluster, filled in; raises `InvalidInput`, or `Refused` (trust policy too long)."""
    name = spec.role_name or names.default_role_name(cluster.name, cluster.arn, spec.namespace, spec.name)
    path = spec.role_path or names.default_role_path(cluster.name)
    own_arn = iam_arn(cluster.partition, cluster.home, f"role{path}{name}")
    # Whether an existing role may assume the target of its association is up to the role's owner.
    chain = _chain(spec, own_arn) if not (spec.pod_identity and spec.attach_role_arn) else None
    own = {POLICY_NAME: chain.permission} if chain is not None else {}
    policies, inline = _policies(spec, cluster, {**spec.inline, **own})
    desired = DesiredState(
        cluster=cluster,
        namespace=spec.namespace,
        name=spec.name,
        role_arn=spec.attach_role_arn or own_arn,
        audience=spec.audience,
        policies=policies,
        inline=inline,
        annotations=annotations_of(spec, spec.attach_role_arn or own_arn),
        labels=spec.labels,
        subject_pattern=spec.subject_pattern,
        role_only=spec.role_only or not spec.web_identity,
        association=_association(spec, cluster, spec.attach_role_arn or own_arn),
        creates_account=spec.create_service_account,
        chain=chain,
        aws_config_map=spec.aws_config_map,
        unsaid=frozenset((*spec.unsaid, *(name for name in _SETTINGS if getattr(spec, name) is None))),
        **vars(options or Options()),
    )
    if spec.attach_role_arn:
        return desired
    role = _role(spec, desired, path)
    trust_policy.check_size(desired.role_arn, role.trust, trust_quota)
    with_role = replace(desired, role=role)
    return replace(with_role, role=replace(role, tags={**role.tags, states.SPEC_HASH_TAG: digest(with_role)}))


def _association(spec: BindingSpec, cluster: Cluster, role_arn: str) -> states.AssociationState | None:
    """The association that is desired; raises `InvalidInput` for what EKS Pod Identity does not have."""
    if not spec.pod_identity:
        return None
    if cluster.home != cluster.account or f"::{cluster.account}:" not in role_arn:
        raise InvalidInput(
            f"{spec}: a role for EKS Pod Identity is in the cluster's account {cluster.account}",
            reason="a role of another account is its target role (--target-role)",
        )
    for option, is_given in (
        ("--role-only", spec.role_only),
        ("--subject-pattern", spec.subject_pattern),
        ("--external-id", spec.external_id),
        ("--aws-config-map", spec.aws_config_map),
    ):
        if is_given:
            raise InvalidInput(f"{spec}: {option} is not for EKS Pod Identity")
    if spec.session_policy and not spec.disable_session_tags:
        raise InvalidInput(f"{spec}: EKS accepts a session policy only with --disable-session-tags")
    return states.AssociationState(
        role_arn,
        spec.target_role,
        dict(spec.session_policy),
        spec.disable_session_tags,
        {**spec.tags, states.CLUSTER_TAG: cluster.arn, states.SERVICE_ACCOUNT_TAG: str(spec)},
    )


def _chain(spec: BindingSpec, role_arn: str) -> Chain | None:
    """The target that the role may assume; raises `InvalidInput` for what needs one, or contradicts it."""
    if not spec.target_role:
        for part, is_given in (
            ("external id", spec.external_id),
            ("ConfigMap for the AWS configuration", spec.aws_config_map),
            ("permission to tag the target's session", spec.target_tag_session),
        ):
            if is_given:
                raise InvalidInput(f"{spec}: {part} requires a target role")
        return None
    if POLICY_NAME in spec.inline:
        raise InvalidInput(f"{spec}: the inline policy {POLICY_NAME} is reserved for irsa's target role")
    if spec.target_role == role_arn:
        raise InvalidInput(f"{spec}: the target role must be another role")
    if spec.role_only and spec.aws_config_map:
        raise InvalidInput(f"{spec}: a ConfigMap requires a ServiceAccount, and the entry is role-only")
    tags = spec.target_tag_session or (spec.pod_identity and not spec.disable_session_tags)
    return Chain(role_arn, spec.target_role, spec.external_id, tags)


def annotations_of(spec: BindingSpec, role_arn: str) -> dict[str, str | None]:
    """The annotations that the pod identity webhook reads, and the user's.

    https://github.com/aws/amazon-eks-pod-identity-webhook/blob/master/README.md
    """
    if not spec.web_identity:
        return {**spec.annotations}
    annotations: dict[str, str | None] = {
        states.ROLE_ARN_ANNOTATION: role_arn,
        # An audience that was left behind would make pods ask for tokens that the trust policy refuses.
        states.AUDIENCE_ANNOTATION: None if spec.audience == DEFAULT_AUDIENCE else spec.audience,
        **spec.annotations,
        **chain_annotations(spec.target_role, spec.external_id, spec.aws_config_map),
    }
    if spec.sts_regional_endpoints is not None:
        annotations[states.STS_REGIONAL_ANNOTATION] = str(spec.sts_regional_endpoints).lower()
    if spec.token_expiration is not None:
        annotations[states.TOKEN_EXPIRATION_ANNOTATION] = str(spec.token_expiration)
    return annotations


def _role(spec: BindingSpec, desired: DesiredState, path: str) -> states.RoleState:
    """The desired role without the digest; raises `InvalidInput` if it would not trust its own subject."""
    own = names.subject(spec.namespace, spec.subject_pattern or spec.name)
    cluster = desired.cluster
    providers = [desired.identity.provider_arn]
    providers += [provider_arn(cluster.partition, cluster.home, issuer) for issuer in spec.issuers]
    subjects = (own, *spec.subjects)
    document = trust_policy.policy_of(providers, spec.audience, subjects, spec.conditions)
    # Whether the conditions hold is a matter of the request that a pod makes.
    plain = trust_policy.policy_of(providers, spec.audience, (own,), {}) if spec.conditions else document
    if spec.pod_identity:
        statements = document["Statement"] if spec.web_identity else []
        tagged = not spec.disable_session_tags
        service_statement = assuming.statement(cluster, spec.namespace, spec.name, tagged=tagged)
        document = {**document, "Statement": [*statements, service_statement]}
    if not desired.role_only and not trust_policy.admits(plain, desired.identity):
        raise InvalidInput(
            f"--subject-pattern '{spec.subject_pattern}' does not match {spec.name}",
            reason="the ServiceAccount would get a role that it can't assume",
        )
    return states.RoleState(
        path=path,
        trust=document,
        description=spec.description or "",
        max_session_duration=spec.max_session_duration or 3600,
        permissions_boundary=spec.permissions_boundary,
        tags={**spec.tags, **desired.marks},
    )
