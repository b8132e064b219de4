"""What a user wishes for one ServiceAccount, what is there, and the plan that leads from one to the other.

`plan` is a pure function: it decides between doing, doing nothing and refusing. Reading what is
there and carrying the plan out are in `irsa_cli.usecases`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from irsa_cli.core import policy, trust
from irsa_cli.core.errors import Refused
from irsa_cli.core.issuer import provider_arn
from irsa_cli.core.names import subject
from irsa_cli.core.plan import Change, Kind, Plan
from irsa_cli.core.policy import Document
from irsa_cli.core.states import (
    AUDIENCE_ANNOTATION,
    CLUSTER_TAG,
    MANAGED_BY_LABEL,
    ROLE_ARN_ANNOTATION,
    SERVICE_ACCOUNT_TAG,
    DocumentState,
    NamespaceState,
    Present,
    ProviderState,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.trust import WebIdentity


@dataclass(frozen=True)
class Cluster:
    """The cluster as IAM needs to know it. `arn` is the issuer URL for a cluster that isn't EKS."""

    name: str
    arn: str
    region: str
    partition: str
    account: str
    issuer: str


@dataclass(frozen=True)
class Wish:
    """What is to be true afterwards.

    `role` is None when an existing role is used (`--attach-role-arn`). `annotations` are all those
    the ServiceAccount is to have, the role's ARN included; a value of None means it must not be there.
    """

    cluster: Cluster
    namespace: str
    name: str
    role_arn: str
    audience: str
    role: RoleState | None = None
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Document] = field(default_factory=dict)
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    subject_pattern: str = ""
    create_namespace: bool = True
    role_only: bool = False
    override: bool = False
    update_trust: bool = False
    associate: bool = False
    gated: bool = False
    """Whether the token is proven to be accepted before the ServiceAccount gets its annotation."""

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def role_account(self) -> str:
        """The account the role lives in; the provider must exist there, too."""
        return self.role_arn.split(":")[4]

    @property
    def identity(self) -> WebIdentity:
        """The token of this ServiceAccount, as STS will see it."""
        return WebIdentity(
            provider_arn=provider_arn(self.cluster.partition, self.role_account, self.cluster.issuer),
            issuer=self.cluster.issuer,
            subject=subject(self.namespace, self.name),
            audience=self.audience,
        )


@dataclass(frozen=True)
class ObservedRole:
    """A role that exists, with what is attached to it. `state.tags` hold irsa's tags, too."""

    state: RoleState
    attached: frozenset[str] = frozenset()
    inline: Mapping[str, Document] = field(default_factory=dict)


@dataclass(frozen=True)
class ObservedServiceAccount:
    """A ServiceAccount that exists."""

    uid: str
    resource_version: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Observed:
    """What is there. `role_unreadable` says why a role of somebody else's could not be read."""

    provider: ProviderState | None
    role: ObservedRole | None
    service_account: ObservedServiceAccount | None
    namespace_exists: bool = True
    role_unreadable: str = ""


@dataclass(frozen=True)
class Difference:
    """Something that exists and isn't as wished; `repair` is a command that makes it so, if there is one."""

    what: str
    present: str
    wished: str
    repair: str = ""

    def __str__(self) -> str:
        return f"{self.what}: is {self.present}, wished {self.wished}"


def plan(wish: Wish, observed: Observed) -> Plan:
    """The changes that make the wish true; empty when it is true already.

    Raises `Refused` when something exists and differs, or when a precondition does not hold.
    """
    _check_preconditions(wish, observed)
    differences = list(_differences(wish, observed))
    if differences:
        raise _refusal(wish, observed, differences)
    account = [] if wish.role_only else _service_account_changes(wish, observed)
    early, last = (account[:-1], account[-1:]) if wish.gated else ([], account)
    work = Plan.of(
        [
            *_provider_changes(wish, observed),
            *_namespace_changes(wish, observed),
            *_role_changes(wish, observed),
        ],
        [*_policy_changes(wish, observed), *_trust_changes(wish, observed), *early],
    )
    # A gate stands before the last stage, and so behind all that the token needs: where the annotation
    # is there already, that stage is empty.
    return Plan((*work.stages, tuple(last))) if last or (wish.gated and len(work)) else work


def _check_preconditions(wish: Wish, observed: Observed) -> None:
    if wish.role_account == wish.cluster.account and not wish.associate:
        _check_provider(wish, observed.provider)
    if not observed.namespace_exists and not wish.create_namespace and not wish.role_only:
        raise Refused(
            f"namespace {wish.namespace} does not exist",
            reason="--no-create-namespace was given",
            next_steps=(f"kubectl create namespace {wish.namespace}",),
        )
    if wish.role is None and observed.role is None and not observed.role_unreadable:
        raise Refused(
            f"role {wish.role_arn} does not exist", reason="--attach-role-arn needs an existing role"
        )
    if wish.update_trust and observed.role_unreadable:
        raise Refused(
            f"the trust policy of {wish.role_arn} can't be updated", reason=observed.role_unreadable
        )
    if wish.role is None and observed.role is not None:
        _check_admitted(wish, observed.role)


def _check_provider(wish: Wish, provider: ProviderState | None) -> None:
    associate = f"irsa associate-oidc --cluster {wish.cluster.name} --region {wish.cluster.region}"
    if provider is None:
        raise Refused(
            f"no IAM OIDC provider exists for cluster {wish.cluster.name}",
            reason=f"STS would refuse every token of {wish.cluster.issuer}",
            next_steps=(associate, "or run this again with --associate-oidc"),
        )
    if wish.audience not in provider.audiences:
        raise Refused(
            f"the OIDC provider does not accept the audience {wish.audience}",
            reason=f"it accepts: {', '.join(provider.audiences) or 'none'}",
            next_steps=(f"{associate} --audience {wish.audience}", "or run this again with --associate-oidc"),
        )


def _check_admitted(wish: Wish, role: ObservedRole) -> None:
    wanted = trust.statement(wish.identity)
    if trust.admits(role.state.trust, wish.identity):
        return
    if not trust.admits(trust.with_statement(role.state.trust, wanted), wish.identity):
        raise Refused(
            f"the trust policy of {wish.role_arn} denies {wish.identity.subject}",
            reason="a statement with the effect Deny applies to it, and no other one outweighs that",
        )
    if wish.update_trust:
        return
    missing = json.dumps(wanted, indent=2)
    raise Refused(
        f"the trust policy of {wish.role_arn} does not admit {wish.identity.subject}",
        reason="STS would refuse its token",
        details=("this statement is missing:", *missing.splitlines()),
        next_steps=("run this again with --update-trust, which adds the statement",),
    )


def _differences(wish: Wish, observed: Observed) -> Iterator[Difference]:
    if wish.role is not None and observed.role is not None:
        yield from _role_differences(wish, wish.role, observed.role, committed=_committed(wish, observed))
    if observed.service_account is not None and not wish.role_only:
        yield from _service_account_differences(wish, observed.service_account)


def _committed(wish: Wish, observed: Observed) -> bool:
    """Whether a run for this ServiceAccount has ended: its last step is the annotation."""
    account = observed.service_account
    return account is not None and account.annotations.get(ROLE_ARN_ANNOTATION) == wish.role_arn


def _role_differences(
    wish: Wish, wished: RoleState, role: ObservedRole, *, committed: bool
) -> Iterator[Difference]:
    present = role.state
    what = f"role {wish.role_name}"
    for key in (CLUSTER_TAG, SERVICE_ACCOUNT_TAG):
        if present.tags.get(key) != wished.tags[key]:
            yield Difference(f"{what}, tag {key}", present.tags.get(key) or "not there", wished.tags[key])
            return  # Somebody else's role: how else it differs is of no interest.
    if present.path != wished.path:
        yield Difference(f"{what}, path", present.path, wished.path)
    if not policy.equal(present.trust, wished.trust):
        yield Difference(f"{what}, trust policy", policy.dump(present.trust), policy.dump(wished.trust))
    if present.max_session_duration != wished.max_session_duration:
        yield Difference(
            f"{what}, session duration",
            f"{present.max_session_duration} s",
            f"{wished.max_session_duration} s",
        )
    for label, has, wants in (
        ("description", present.description, wished.description),
        ("permissions boundary", present.permissions_boundary, wished.permissions_boundary),
    ):
        if has != wants:
            yield Difference(f"{what}, {label}", has or "not set", wants or "not set")
    for key, value in wished.tags.items():
        if present.tags.get(key) != value:
            yield Difference(f"{what}, tag {key}", present.tags.get(key, "not there"), value)
    yield from _policy_differences(wish, what, role, committed=committed)


def _policy_differences(
    wish: Wish, what: str, role: ObservedRole, *, committed: bool
) -> Iterator[Difference]:
    for arn in sorted(role.attached - set(wish.policies)):
        yield Difference(
            f"{what}, policy {arn}", "attached", "not attached", _aws("detach-role-policy", wish, arn)
        )
    for name in sorted(set(role.inline) - set(wish.inline)):
        yield Difference(f"{what}, inline policy {name}", "there", "not there")
    for name in sorted(set(role.inline) & set(wish.inline)):
        if not policy.equal(role.inline[name], wish.inline[name]):
            yield Difference(
                f"{what}, inline policy {name}",
                policy.dump(role.inline[name]),
                policy.dump(wish.inline[name]),
            )
    if committed:
        # What an interrupted run had no time for is made up for; what somebody took away is not.
        for arn in sorted(set(wish.policies) - role.attached):
            yield Difference(
                f"{what}, policy {arn}", "not attached", "attached", _aws("attach-role-policy", wish, arn)
            )
        for name in sorted(set(wish.inline) - set(role.inline)):
            yield Difference(f"{what}, inline policy {name}", "not there", "there")


def _aws(verb: str, wish: Wish, arn: str) -> str:
    return f"aws iam {verb} --role-name {shlex.quote(wish.role_name)} --policy-arn {arn}"


def _service_account_differences(wish: Wish, account: ObservedServiceAccount) -> Iterator[Difference]:
    if wish.override:
        return
    what = f"ServiceAccount {wish.namespace}/{wish.name}"
    for key, value in wish.annotations.items():
        has = account.annotations.get(key)
        if has is not None and has != value:
            yield Difference(f"{what}, annotation {key}", has, value or "not there")
    for key, value in wish.labels.items():
        has = account.labels.get(key)
        if has is not None and has != value:
            yield Difference(f"{what}, label {key}", has, value)


def _refusal(wish: Wish, observed: Observed, differences: list[Difference]) -> Refused:
    steps = ["run this again with what is there, or change what is there first"]
    steps += [difference.repair for difference in differences if difference.repair]
    account = observed.service_account
    other = account.annotations.get(ROLE_ARN_ANNOTATION) if account else None
    if other not in (None, wish.role_arn):
        steps = ["to give it the new role: run this again with --override-existing-serviceaccounts"]
    elif any("tag irsa/" in difference.what for difference in differences):
        steps = [
            "to make a role of another name: run this again with --role-name",
            f"to use the role that is there: --attach-role-arn {wish.role_arn}",
        ]
    return Refused(
        f"{wish.namespace}/{wish.name} can't be made as wished: something is there and differs",
        details=[str(difference) for difference in differences],
        next_steps=steps,
    )


def _provider_changes(wish: Wish, observed: Observed) -> list[Change]:
    if not wish.associate or wish.role_account != wish.cluster.account:
        return []
    return provider_changes(wish.cluster, (wish.audience,), observed.provider)


def provider_changes(
    cluster: Cluster,
    audiences: tuple[str, ...],
    provider: ProviderState | None,
    *,
    thumbprints: tuple[str, ...] = (),
    tags: Mapping[str, str] | None = None,
) -> list[Change]:
    """The changes after which IAM accepts the cluster's tokens for these audiences.

    A provider that is there keeps its other audiences, its thumbprints and its tags.
    """
    arn = provider_arn(cluster.partition, cluster.account, cluster.issuer)
    if provider is None:
        wished = ProviderState(
            url=cluster.issuer,
            audiences=list(audiences),
            thumbprints=list(thumbprints),
            tags={CLUSTER_TAG: cluster.arn, **(tags or {})},
        )
        return [Change(Kind.PROVIDER, (arn,), None, wished)]
    missing = [audience for audience in audiences if audience not in provider.audiences]
    return [Change(Kind.AUDIENCE, (arn, audience), None, Present()) for audience in missing]


def _namespace_changes(wish: Wish, observed: Observed) -> list[Change]:
    if observed.namespace_exists or wish.role_only:
        return []
    return [Change(Kind.NAMESPACE, (wish.namespace,), None, NamespaceState())]


def _role_changes(wish: Wish, observed: Observed) -> list[Change]:
    if wish.role is None or observed.role is not None:
        return []
    return [Change(Kind.ROLE, (wish.role_name,), None, wish.role)]


def _policy_changes(wish: Wish, observed: Observed) -> list[Change]:
    if wish.role is None:
        return []
    attached = observed.role.attached if observed.role else frozenset()
    inline = observed.role.inline if observed.role else {}
    changes = [
        Change(Kind.ATTACHMENT, (wish.role_name, arn), None, Present())
        for arn in wish.policies
        if arn not in attached
    ]
    changes += [
        Change(Kind.INLINE_POLICY, (wish.role_name, name), None, DocumentState(document))
        for name, document in wish.inline.items()
        if name not in inline
    ]
    return changes


def _trust_changes(wish: Wish, observed: Observed) -> list[Change]:
    if (
        wish.role is not None
        or observed.role is None
        or trust.admits(observed.role.state.trust, wish.identity)
    ):
        return []
    wanted = trust.statement(wish.identity)
    return [
        Change(Kind.TRUST_STATEMENT, (wish.role_name, wish.identity.subject), None, DocumentState(wanted))
    ]


def _service_account_changes(wish: Wish, observed: Observed) -> list[Change]:
    """One change, or with a gate up to two: the ServiceAccount without its role, then the annotation."""
    target = (wish.namespace, wish.name)
    account = observed.service_account
    if account is not None:
        return _patch(target, wish, account)
    annotations = {key: value for key, value in wish.annotations.items() if value is not None}
    labels: dict[str, str | None] = {MANAGED_BY_LABEL: "irsa", **wish.labels}
    whole = ServiceAccountState(annotations={**annotations}, labels=labels)
    if not wish.gated:
        return [Change(Kind.SERVICE_ACCOUNT, target, None, whole)]
    role = annotations.pop(ROLE_ARN_ANNOTATION)
    # None, so that a rollback leaves it alone when another run has given it a role meanwhile.
    bare = ServiceAccountState(annotations={**annotations, ROLE_ARN_ANNOTATION: None}, labels=labels)
    return [
        Change(Kind.SERVICE_ACCOUNT, target, None, bare),
        Change(
            Kind.SERVICE_ACCOUNT,
            target,
            ServiceAccountState(annotations={ROLE_ARN_ANNOTATION: None}),
            ServiceAccountState(annotations={ROLE_ARN_ANNOTATION: role}),
        ),
    ]


def _patch(target: tuple[str, str], wish: Wish, account: ObservedServiceAccount) -> list[Change]:
    annotations = {
        key: value for key, value in wish.annotations.items() if account.annotations.get(key) != value
    }
    labels: dict[str, str | None] = {
        key: value for key, value in wish.labels.items() if account.labels.get(key) != value
    }
    if not annotations and not labels:
        return []
    before = ServiceAccountState(
        annotations={key: account.annotations.get(key) for key in annotations},
        labels={key: account.labels.get(key) for key in labels},
        uid=account.uid,
        resource_version=account.resource_version,
    )
    after = ServiceAccountState(annotations=annotations, labels=labels, uid=account.uid)
    return [Change(Kind.SERVICE_ACCOUNT, target, before, after)]


def service_account_annotations(
    role_arn: str, audience: str, default_audience: str, extra: Mapping[str, str]
) -> dict[str, str | None]:
    """The annotations that the pod identity webhook reads, and the user's.

    https://github.com/aws/amazon-eks-pod-identity-webhook/blob/master/README.md
    """
    return {
        ROLE_ARN_ANNOTATION: role_arn,
        # An audience that was left behind would make pods ask for tokens that the trust policy refuses.
        AUDIENCE_ANNOTATION: None if audience == default_audience else audience,
        **extra,
    }
