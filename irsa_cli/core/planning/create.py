"""The plan from the current to the desired state of one ServiceAccount: changes, nothing, or a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from irsa_cli.core.binding.current import (
    CurrentState,
    RoleChanges,
    account_changes,
    check_whole,
    is_incomplete,
    is_recorded,
)
from irsa_cli.core.binding.field_owner import Override, check_role_owner
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import with_marks
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import DocumentState
from irsa_cli.core.planning import chaining, trust_warnings
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.arn import provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import NotSeenYet, Refused, Unreadable
from irsa_cli.core.values.names import default_role_path


def plan(desired: DesiredState, current: CurrentState, changes: RoleChanges | None = None) -> Plan:
    """The changes that reach the desired state; empty if it is reached.

    Raises `Refused` if something differs or a precondition fails. With `changes`, the role changes.
    """
    check_preconditions(desired, current)
    check_owner(desired, current)
    if changes is None:
        if current.has_parts:
            from irsa_cli.core.planning.differences import check

            check(desired, current)
        changes = RoleChanges(gains=tuple(_policy_changes(desired, current)))
    account = _account_changes(desired, current)
    if desired.role_only:
        early = account
        last = []
    elif desired.gated:
        early = account[:-1]
        last = account[-1:]
    else:
        early = []
        last = account
    late = _until_tagged(desired, current, changes.gains)
    policies = [change for change in changes.gains if change not in late]
    losses = [*late, *changes.losses]
    first = _provider_changes(desired, current)
    if not current.namespace_exists and desired.needs_account:
        first.append(Change(Kind.NAMESPACE, (desired.namespace,), None, desired.new_namespace))
    first += _role_changes(desired, current, last=not policies)
    second = [*policies, *_trust_changes(desired, current), *early, *chaining.changes(desired, current)]
    association = _association_changes(desired, current)
    commit = _commit_changes(desired, current, last=not policies)
    if any((first, second, losses, association, commit, last)):
        first += _owner_changes(desired, current)
    # Nothing goes from the role as long as the association may need it.
    stages = [first, second, association, losses, commit]
    tail = last or stages.pop()
    whole = Plan.of(*stages).stages
    # A gate stands before the last stage, and so behind all that the token needs: where the annotation
    # is there already, that stage may be empty.
    if tail or (desired.gated and whole):
        whole = (*whole, tuple(tail))
    whole_plan = Plan(whole)
    trust_warnings.check_desired_state(desired, current, whole_plan)
    return whole_plan


def _provider_changes(desired: DesiredState, current: CurrentState) -> list[Change]:
    if not desired.associate or not desired.uses_web_identity or desired.role_account != desired.cluster.home:
        return []
    made_for = {states.SERVICE_ACCOUNT_TAG: desired.full_name}
    provider = current.binding.known_provider
    return provider_changes(desired.cluster, (desired.audience,), provider, tags=made_for)


def provider_changes(
    cluster: Cluster,
    audiences: tuple[str, ...],
    provider: states.ProviderState | None,
    *,
    thumbprints: tuple[str, ...] = (),
    tags: Mapping[str, str] | None = None,
) -> list[Change]:
    """The changes after which IAM accepts the cluster's tokens for these audiences; others stay."""
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    if provider is None:
        desired_provider = states.ProviderState(
            url=cluster.issuer,
            audiences=list(audiences),
            thumbprints=list(thumbprints),
            tags={states.CLUSTER_TAG: cluster.arn, **(tags or {})},
        )
        return [Change(Kind.PROVIDER, (arn,), None, desired_provider)]
    missing = [audience for audience in audiences if audience not in provider.audiences]
    return [Change(Kind.AUDIENCE, (arn, audience), None, states.Present()) for audience in missing]


def _role_changes(desired: DesiredState, current: CurrentState, *, last: bool) -> list[Change]:
    """The creation of the role; `last`: nothing is added to it afterwards."""
    if desired.role is None or current.binding.seen_role is not None:
        return []
    role = desired.role
    if _tells_itself(desired, current):
        role = replace(role, tags={**role.tags, states.COMMIT_TAG: states.DONE if last else states.PENDING})
    return [Change(Kind.ROLE, (desired.role_name,), None, role)]


def _tells_itself(desired: DesiredState, current: CurrentState) -> bool:
    """Whether a new role has to say itself how far it is, as its ServiceAccount can't.

    It is no part of what is desired, or it bears the ARN already: by a chart, or from an earlier role.
    """
    binding = current.binding
    return desired.role_only or binding.is_annotated or binding.is_marked


def _commit_changes(desired: DesiredState, current: CurrentState, *, last: bool) -> list[Change]:
    """The tag that says that all is done, where the ServiceAccount can't say it."""
    role = current.binding.seen_role
    if desired.role is None:
        return []
    if _is_to_tell(desired, current):
        return [Change(Kind.ROLE_COMMIT, (desired.role_name,), None, states.CommitState(states.DONE))]
    if role is not None:
        before = lifecycle.commit_of(role.tags)
    else:
        pending = not last and _tells_itself(desired, current)
        before = states.CommitState(states.PENDING) if pending else None
    if before in (None, states.CommitState(states.DONE)):
        return []
    return [Change(Kind.ROLE_COMMIT, (desired.role_name,), before, states.CommitState(states.DONE))]


def _is_to_tell(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the role has to say itself from now on that it is complete: so far its ServiceAccount did."""
    binding = current.binding
    role = current.binding.seen_role
    tags = role.tags if role is not None else {}
    by_hand = binding.is_annotated and not is_recorded(desired, current)
    return (desired.role_only or by_hand) and lifecycle.is_recorded_by_account(tags)


def _owner_changes(desired: DesiredState, current: CurrentState) -> list[Change]:
    """Take over an incomplete role of another run before building on it."""
    role = current.binding.seen_role
    # Only its owner may write on a role that it is complete.
    if role is None or not (is_incomplete(desired, current) or _is_to_tell(desired, current)):
        return []
    maker = states.OwnerState(role.tags.get(states.TRANSACTION_TAG, states.NOBODY))
    return [Change(Kind.ROLE_OWNER, (desired.role_name,), maker, states.OwnerState(""))]


def counted_on(desired: DesiredState, current: CurrentState) -> list[Change]:
    """Objects that the plan depends on, as changes that change nothing, to find other runs' locks."""
    binding = current.binding
    role = current.binding.seen_role
    changes = shared_parts_counted_on(
        desired.identity.provider_arn,
        binding.known_provider,
        [desired.namespace] if current.namespace_exists and not desired.role_only else [],
    )
    if role is not None and desired.role is None:
        trust = states.DocumentState(role.trust)
        changes.append(Change(Kind.TRUST_POLICY, (desired.role_name,), trust, trust))
    return changes


def shared_parts_counted_on(
    arn: str, provider: states.ProviderState | None, namespaces: Iterable[str]
) -> list[Change]:
    """A provider (its ARN) and namespaces that are there, as changes that change nothing."""
    changes = [Change(Kind.PROVIDER, (arn,), provider, provider)] if provider is not None else []
    namespace = states.NamespaceState()
    return changes + [Change(Kind.NAMESPACE, (name,), namespace, namespace) for name in namespaces]


def _policy_changes(desired: DesiredState, current: CurrentState) -> list[Change]:
    role = current.binding.seen_role
    if desired.role is None:
        return []
    attached = role.attached if role else frozenset()
    inline = role.inline if role else {}
    changes = [
        Change(Kind.ATTACHMENT, (desired.role_name, arn), None, states.Present())
        for arn in desired.policies
        if arn not in attached
    ]
    changes += [
        Change(Kind.INLINE_POLICY, (desired.role_name, name), None, states.DocumentState(document))
        for name, document in desired.inline.items()
        if name not in inline
    ]
    return changes


def _trust_changes(desired: DesiredState, current: CurrentState) -> list[Change]:
    role = current.binding.seen_role
    if desired.role is not None or role is None:
        return []
    from irsa_cli.core.binding import attached_trust

    statement = attached_trust.added(desired, role)
    if statement is None:
        return []
    target = (desired.role_name, desired.identity.subject)
    return [Change(Kind.TRUST_STATEMENT, target, None, states.DocumentState(statement))]


def _association_changes(desired: DesiredState, current: CurrentState) -> list[Change]:
    """The association, created or changed; one that is as desired stays."""
    state = desired.association
    association = current.binding.known_association
    if state is None or (association is not None and association.is_like(state)):
        return []
    if association is None:
        return [Change(Kind.ASSOCIATION, desired.association_target, None, state)]
    after = replace(state, association_id=association.id, tags=association.state.tags)
    return [Change(Kind.ASSOCIATION, desired.association_target, association.state, after)]


def _until_tagged(desired: DesiredState, current: CurrentState, changes: Iterable[Change]) -> list[Change]:
    """A trust policy that will require session tags: the association has to send them first."""
    state = desired.association
    association = current.binding.known_association
    if state is None or association is None or state.without_session_tags or not association.without_tags:
        return []
    return [change for change in changes if change.kind is Kind.TRUST_POLICY]


def _account_changes(desired: DesiredState, current: CurrentState) -> list[Change]:
    """Those of the ServiceAccount, if it is a part of what is desired.

    One change, or with a gate up to two: the ServiceAccount without its role, then the annotation.
    """
    target = current.binding.key
    account = current.binding.existing
    if desired.role_only and (account is not None or not desired.creates_account):
        return []
    if account is not None:
        override = Override(desired.override)
        return account_changes(desired, account, desired.annotations, desired.labels, override=override)
    whole = desired.new_account
    if desired.role_only or not desired.gated:
        return [Change(Kind.SERVICE_ACCOUNT, target, None, whole)]
    annotations = dict(whole.annotations)
    role = annotations[states.ROLE_ARN_ANNOTATION]
    del annotations[states.ROLE_MARK]
    # None, so that a rollback leaves it alone when another run has given it a role meanwhile.
    bare = replace(whole, annotations={**annotations, states.ROLE_ARN_ANNOTATION: None})
    return [
        Change(Kind.SERVICE_ACCOUNT, target, None, bare),
        Change(
            Kind.SERVICE_ACCOUNT,
            target,
            states.ServiceAccountState(annotations=with_marks({states.ROLE_ARN_ANNOTATION: None})),
            states.ServiceAccountState(annotations=with_marks({states.ROLE_ARN_ANNOTATION: role})),
        ),
    ]


def satisfies(desired: DesiredState, change: Change) -> bool:
    """Whether a change concerns what is desired, now that the state is reached.

    For a role of others, only the statement for the ServiceAccount counts.
    """
    if change.kind is Kind.TRUST_STATEMENT and desired.role is None:
        documents = [
            state.document for state in (change.before, change.after) if isinstance(state, DocumentState)
        ]
        admits = (trust_policy.admits({"Statement": [document]}, desired.identity) for document in documents)
        return change.target[0] == desired.role_name and any(admits)
    if change.kind is Kind.AUDIENCE:
        return change.target == (desired.identity.provider_arn, desired.audience)
    objects: set[tuple[Kind, tuple[str, ...]]] = {(Kind.PROVIDER, (desired.identity.provider_arn,))}
    if desired.role is not None:
        objects.add((Kind.ROLE, (desired.role_name,)))
    if desired.needs_account:
        objects |= {
            (Kind.NAMESPACE, (desired.namespace,)),
            (Kind.SERVICE_ACCOUNT, (desired.namespace, desired.name)),
            (Kind.CONFIG_MAP, (desired.namespace, desired.aws_config_map)),
        }
    if desired.association is not None:
        objects.add((Kind.ASSOCIATION, desired.association_target))
    if desired.chain is not None:
        objects.add((Kind.TARGET_TRUST, desired.chain.key))
    return change.object in objects


def _role_only_instead(desired: DesiredState) -> tuple[str, ...]:
    """How to create the role alone, if the desired state allows that."""
    if desired.association is not None or desired.aws_config_map:
        return ()
    verify = ", without --verify" if desired.gated else ""
    return (f"to leave the ServiceAccount to it: run this again with --role-only{verify}",)


def check_owner(desired: DesiredState, current: CurrentState) -> None:
    """Raise `Refused` if a tool owns the role annotation with another role, unless overridden."""
    if desired.role_only:
        return
    override = Override(desired.override)
    if desired.role is not None:
        is_elsewhere = desired.role.path != default_role_path(desired.cluster.name)
        override = Override(
            desired.override,
            instead=_role_only_instead(desired) if current.binding.role is None else (),
            export=f"{desired.command('export')}{' --all-paths' if is_elsewhere else ''}",
        )
    role_arn = desired.annotations.get(states.ROLE_ARN_ANNOTATION)
    check_role_owner(desired.full_name, current.binding.existing, role_arn, override)


def check_preconditions(desired: DesiredState, current: CurrentState) -> None:
    """Raise `Refused` when something that the desired state builds on is not there, or not as it must be."""
    binding = current.binding
    role = current.binding.seen_role
    if desired.uses_web_identity and desired.role_account == desired.cluster.home and not desired.associate:
        check_provider(desired.cluster, desired.audience, binding.known_provider)
    if not current.namespace_exists and not desired.create_namespace and not desired.role_only:
        raise Refused(
            f"namespace {desired.namespace} does not exist",
            reason="--no-create-namespace was given",
            details=(f"namespaces with a similar name: {', '.join(current.similar_namespaces)}",)
            if current.similar_namespaces
            else (),
            next_steps=(f"kubectl create namespace {desired.namespace}",),
            rests_on=(),
        )
    if current.support is not None:
        current.support.check(desired.cluster, desired.namespace, desired.name)
    chaining.check(desired, current)
    if desired.role is None and binding.role is None:
        # Another run of irsa may have created it a moment ago.
        missing = NotSeenYet if desired.role_arn.partition(":role")[2].startswith("/irsa/") else Refused
        attach = f"{desired.command('create-sa')} --attach-role-arn"
        raise missing(
            f"role {desired.role_arn} does not exist",
            reason="--attach-role-arn (in files attachRoleARN) needs an existing role",
            next_steps=[f"{attach} {arn}  # a role with a similar name" for arn in current.similar_roles]
            or ("aws iam list-roles --query 'Roles[].Arn'  # lists the ARNs",),
            rests_on=(desired.role_arn,),
        )
    if desired.update_trust and isinstance(binding.role, Unreadable):
        raise Refused(f"the trust policy of {desired.role_arn} can't be updated", reason=binding.role.why)
    if desired.role is None and role is not None:
        check_whole(desired, current)
        from irsa_cli.core.binding import attached_trust

        added = attached_trust.check(desired, role)
        if added is not None:
            after = trust_policy.with_statement(role.trust, added)
            trust_policy.check_size(desired.role_arn, after, current.trust_quota)


def check_provider(
    cluster: Cluster, audience: str, provider: states.ProviderState | None, *, associates: bool = True
) -> None:
    """Raise `Refused` when there is no provider of the cluster's that accepts the audience.

    `associates`: whether the command has the option --associate-oidc.
    """
    associate = f"irsa associate-oidc --cluster {cluster.name} --region {cluster.region}{cluster.home_option}"
    again = ("or run this again with --associate-oidc",) if associates else ()
    if provider is None:
        raise Refused(
            f"no IAM OIDC provider exists for cluster {cluster.name}",
            reason=f"STS would refuse every token of {cluster.issuer}",
            next_steps=(associate, *again),
        )
    if audience not in provider.audiences:
        raise Refused(
            f"the OIDC provider does not accept the audience {audience}",
            reason=f"it accepts: {', '.join(provider.audiences) or 'none'}",
            next_steps=(f"{associate} --audience {audience}", *again),
        )
