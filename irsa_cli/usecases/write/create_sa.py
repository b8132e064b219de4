"""`irsa create-sa`: from nothing (or a part) to a ServiceAccount that can use its role, or back to before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from irsa_cli.core import wellknown
from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.binding.spec import DesiredState, digest
from irsa_cli.core.plan.states import (
    CLUSTER_TAG,
    SERVICE_ACCOUNT_TAG,
    SPEC_HASH_TAG,
    STS_REGIONAL_ANNOTATION,
    TOKEN_EXPIRATION_ANNOTATION,
    RoleState,
)
from irsa_cli.core.planning.create import plan, service_account_annotations
from irsa_cli.core.planning.differences import check_trust_size
from irsa_cli.core.planning.satisfies import satisfies
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.results.command import Command
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, Refused
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.wellknown import Resolved, Scope, WellKnown
from irsa_cli.transaction.recover import command_of, supersede
from irsa_cli.usecases.command.connect import Target, WireLog, check_partitions, connect
from irsa_cli.usecases.command.earlier import going_on
from irsa_cli.usecases.command.run_context import RunContext
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.write.reconcile import Work


@dataclass(frozen=True)
class Request:
    """What the user asked for, each value checked by its own rule already. Durations in seconds."""

    target: Target
    namespace: str
    name: str
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Document] = field(default_factory=dict)
    well_known: tuple[WellKnown, ...] = ()
    attach_role_arn: str = ""
    role_name: str = ""
    role_path: str = ""
    description: str = ""
    max_session_duration: int = 3600
    permissions_boundary: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    audience: str = DEFAULT_AUDIENCE
    sts_regional_endpoints: bool | None = None
    token_expiration: int | None = None
    subject_pattern: str = ""
    subjects: tuple[str, ...] = ()
    """Further subjects that the role admits: `system:serviceaccount:NAMESPACE:NAME`, wildcards or not."""
    issuers: tuple[str, ...] = ()
    """The issuers of further clusters that the role admits these subjects of."""
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What each statement of the trust policy demands besides audience and subject."""
    role_only: bool = False
    create_namespace: bool = True
    override: bool = False
    update_trust: bool = False
    force: bool = False
    associate: bool = False
    verify: bool = False
    boundaries: BoundaryRules = field(default_factory=BoundaryRules)


def create_sa(request: Request, settings: Settings, log: WireLog) -> Result:
    """Make the ServiceAccount and its role as wished, in one transaction."""
    if not request.attach_role_arn:
        request = bounded(request)
    wanted = (*request.policies, request.permissions_boundary, request.attach_role_arn)
    connection = connect(
        request.target,
        kube=not request.role_only,
        log=log,
        check=lambda aws: check_partitions(wanted, aws),
    )
    desired = desired_state_of(request, connection.cluster)
    connection.announce(settings.note)
    context = RunContext.of(Command.CREATE_SA, connection, f"{desired.namespace}/{desired.name}")
    made = lambda story, change: satisfies(desired, change)  # noqa: E731 - asked before and after
    earlier = going_on(settings, context, made, also=("apply", "delete-sa"))
    try:
        # Looked up when it is called, so that tests can put a broken one in its place.
        result = Work(connection, desired, lambda *found: plan(*found), settings, context).until_settled()
    except Refused as error:
        if not earlier:
            raise
        ways = (f"{command_of(path)}  # takes back the run that was cut off" for path in earlier)
        raise error.but(next_steps=(*error.next_steps, *ways)) from error
    if result.ended in (Ended.COMMITTED, Ended.UNCHANGED) and not settings.dry_run:
        supersede(earlier, made)
    return result


def bounded(request: Request) -> Request:
    """The request with the boundary that its role gets where none is named; raises `Refused` for none."""
    request.boundaries.check_made(request.permissions_boundary, f"{request.namespace}/{request.name}")
    return replace(request, permissions_boundary=request.permissions_boundary or request.boundaries.default)


def desired_state_of(
    request: Request, cluster: Cluster, trust_quota: int = policy.TRUST_LIMIT
) -> DesiredState:
    """The wish that the request means for this cluster: names, ARNs and the trust policy filled in.

    Raises `InvalidInput`, and `Refused` for a trust policy larger than the quota.
    """
    role_name = request.role_name or names.default_role_name(
        cluster.name, cluster.arn, request.namespace, request.name
    )
    path = request.role_path or names.default_role_path(cluster.name)
    own_arn = arn.iam_arn(cluster.partition, cluster.account, f"role{path}{role_name}")
    role_arn = request.attach_role_arn or own_arn
    extra = dict(request.annotations)
    if request.sts_regional_endpoints is not None:
        extra[STS_REGIONAL_ANNOTATION] = str(request.sts_regional_endpoints).lower()
    if request.token_expiration is not None:
        extra[TOKEN_EXPIRATION_ANNOTATION] = str(request.token_expiration)
    policies = wellknown.joined(
        Resolved(request.policies, request.inline),
        request.well_known,
        Scope(cluster.partition, cluster.region, cluster.account, cluster.name),
    )
    desired = DesiredState(
        cluster=cluster,
        namespace=request.namespace,
        name=request.name,
        role_arn=role_arn,
        audience=request.audience,
        policies=policies.policies,
        inline=policies.inline,
        annotations=service_account_annotations(role_arn, request.audience, DEFAULT_AUDIENCE, extra),
        labels=request.labels,
        subject_pattern=request.subject_pattern,
        create_namespace=request.create_namespace,
        role_only=request.role_only,
        override=request.override,
        update_trust=request.update_trust,
        force=request.force,
        associate=request.associate,
        gated=request.verify,
    )
    if request.attach_role_arn:
        return desired
    made = replace(desired, role=_role(request, desired, path, trust_quota))
    assert made.role is not None
    return replace(made, role=replace(made.role, tags={**made.role.tags, SPEC_HASH_TAG: digest(made)}))


def _role(request: Request, desired: DesiredState, path: str, trust_quota: int) -> RoleState:
    own = names.subject(request.namespace, request.subject_pattern or request.name)
    cluster = desired.cluster
    providers = [desired.identity.provider_arn]
    providers += [provider_arn(cluster.partition, cluster.account, issuer) for issuer in request.issuers]
    document = trust_policy.policy_of(
        providers, request.audience, (own, *request.subjects), request.conditions
    )
    plain = (
        document
        if not request.conditions
        else trust_policy.policy_of(providers, request.audience, (own,), {})
    )
    if not request.role_only and not trust_policy.admits(plain, desired.identity):
        raise InvalidInput(
            f"--subject-pattern '{request.subject_pattern}' does not match {request.name}",
            reason="the ServiceAccount would get a role that it can't assume",
        )
    check_trust_size(desired.role_arn, document, trust_quota)
    return RoleState(
        path=path,
        trust=document,
        description=request.description,
        max_session_duration=request.max_session_duration,
        permissions_boundary=request.permissions_boundary,
        tags={
            **request.tags,
            CLUSTER_TAG: desired.cluster.arn,
            SERVICE_ACCOUNT_TAG: f"{desired.namespace}/{desired.name}",
        },
    )
