"""Reading everything before planning, all at once: a failure before the first write is harmless.

Of a chain: the target's trust policy, as far as it may be read, and the ConfigMap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from irsa_cli.aws import bindings
from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import CurrentState, PolicyVersions
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.binding.targets import TargetRole
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount, with_manifest
from irsa_cli.core.plan import states
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.planning.chaining import admitted, former_chains
from irsa_cli.core.policies import policy
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.chain import Chain, FoundConfigMap
from irsa_cli.core.values import arn, errors
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.names import near
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.absence import similar_namespaces

if TYPE_CHECKING:
    from irsa_cli.core.binding.pod_identity_support import PodIdentitySupport


def observe(connection: Connection, desired: DesiredState) -> CurrentState:
    """Read everything that the plan depends on; raises `ServiceError`, or `IrsaError` (no policy)."""
    with ThreadPoolExecutor(14) as pool:
        # A provider elsewhere is in an account that this caller doesn't read.
        is_home = desired.role_account == connection.cluster.home
        provider_arn = desired.identity.provider_arn
        provider = pool.submit(reading.provider, connection.iam, provider_arn) if is_home else None
        role = pool.submit(read_role, connection, desired)
        boundary = desired.role.permissions_boundary if desired.role else ""
        policies = pool.submit(check_policies, connection, desired.policies, boundary)
        needs_account = not desired.role_only or desired.creates_account
        if needs_account:
            account = pool.submit(read_service_account, connection, desired.namespace, desired.name)
            rehearsal = pool.submit(_rehearse, connection, desired)
        target = pool.submit(target_of, connection, desired)
        association = pool.submit(association_of, connection, desired)
        config_maps = pool.submit(config_maps_of, connection, desired)
    # Of several errors the user sees the first one that is asked for here.
    binding = about(desired, role.result())
    versions = policies.result()
    seen_account = account.result() if needs_account else _evidence(connection, desired, binding.seen_role)
    # A ServiceAccount that is there needs no permission to create one.
    has_namespace = not needs_account or seen_account is not None or rehearsal.result()
    binding = replace(
        binding,
        account=seen_account,
        provider=provider.result() if provider is not None else None,
        association=association.result()[0],
        config_maps=config_maps.result(),
    )
    is_missing = desired.role is None and binding.role is None
    return CurrentState(
        with_targets(connection, desired, _with_other_role(connection, desired, binding), target.result()),
        namespace_exists=has_namespace,
        similar_namespaces=() if has_namespace else similar_namespaces(connection, desired.namespace),
        similar_roles=_similar_roles(connection, desired) if is_missing else (),
        trust_quota=_trust_quota(connection, desired, binding.seen_role),
        target_quota=target_quota(connection, desired, target.result()),
        policies=versions,
        support=association.result()[1],
    )


def about(desired: DesiredState, role: Role | Unreadable | None) -> Binding:
    """The binding about the desired role, wherever it is, without anything else."""
    role_arn = role.arn if isinstance(role, Role) else desired.role_arn
    return Binding(desired.cluster, desired.namespace, desired.name, role=role, named_role=role_arn)


def with_targets(
    connection: Connection, desired: DesiredState, binding: Binding, target: TargetRole
) -> Binding:
    """With the desired target role, which was read already, and the former ones; and the former ConfigMap."""
    by_arn = targets(connection, former_chains(desired, binding))
    if desired.chain is not None:
        by_arn[desired.chain.target_arn] = target
    return replace(binding, targets=by_arn, config_maps=_with_former(connection, desired, binding))


def association_of(
    connection: Connection, desired: DesiredState
) -> tuple[Association | None, PodIdentitySupport | None]:
    """The association, if one is desired; and if it is missing, what the cluster has for one."""
    if desired.association is None:
        return None, None
    from irsa_cli.usecases.read.pod_identity import support_of

    association = read_association(connection, desired.namespace, desired.name)
    name = "" if desired.creates_account else desired.name
    return association, support_of(connection, desired.namespace, name) if association is None else None


def read_association(connection: Connection, namespace: str, name: str) -> Association | None:
    """The association of a ServiceAccount; raises `ServiceError` if it can't be read."""
    eks = connection.aws.client("eks")
    return bindings.association(eks, connection.cluster.name, namespace, name, whole=True)


def external_id_notes(connection: Connection, namespace: str, name: str, target: str) -> list[str]:
    """The external ID that EKS sends to an association's target role: EKS chooses it."""
    try:
        association = read_association(connection, namespace, name) if target else None
    except errors.ServiceError as error:
        return [f"the external ID of the association could not be read: {error.code}"]
    if association is None or not association.external_id:
        return []
    return [
        f"EKS sends the external ID {association.external_id} to {target}: its trust policy may"
        " require it (sts:ExternalId)"
    ]


def _with_other_role(connection: Connection, desired: DesiredState, binding: Binding) -> Binding:
    """With the ServiceAccount's other role, if that is in the cluster's account and can be read."""
    if desired.role_only or desired.role is None or desired.override:
        return binding
    if binding.annotation in ("", desired.role_arn) or binding.is_elsewhere:
        return binding
    try:
        role = reading.current_role(connection.iam, arn.role_arn(binding.annotation).name)
    except (errors.InvalidInput, errors.ServiceError):
        return binding
    if role is None or role.arn != binding.annotation:
        return binding
    return replace(binding, others=(role,))


def is_account_needed(desired: DesiredState, role: Role | None) -> bool:
    """Whether to read the ServiceAccount: it is desired, or it alone shows if the role is complete."""
    return (
        not desired.role_only
        or desired.creates_account
        or (role is not None and not lifecycle.tells_itself(role.state.tags))
    )


def _evidence(connection: Connection, desired: DesiredState, role: Role | None) -> ServiceAccount | None:
    """The ServiceAccount of a role that is desired alone, if it is needed and the cluster is asked at all."""
    is_asked = connection.asks_cluster and is_account_needed(desired, role)
    return read_service_account(connection, desired.namespace, desired.name) if is_asked else None


def _trust_quota(connection: Connection, desired: DesiredState, role: Role | None) -> int:
    """The account's quota, asked for only where IAM's default would not do."""
    if role is None or not desired.update_trust:
        return policy.TRUST_LIMIT
    size = policy.size(trust_policy.with_statement(role.state.trust, desired.own_statement))
    return reading.trust_quota(connection.iam) if size > policy.TRUST_LIMIT else policy.TRUST_LIMIT


def read_role(connection: Connection, desired: DesiredState) -> Role | Unreadable | None:
    """The role; raises `Refused` for one to be used that has another path."""
    if desired.role is not None:
        return reading.current_role(connection.iam, desired.role_name)
    if desired.role_account != connection.cluster.home:
        return Unreadable(f"it is in account {desired.role_account}")
    role = errors.unless_denied(
        lambda: reading.current_role(connection.iam, desired.role_name, policies=lambda role: False)
    )
    if role is None or isinstance(role, Unreadable):
        return role
    partition, _, resource = desired.role_arn.partition(":role")
    if f"{role.path}{desired.role_name}" != resource:
        # IAM finds roles by name alone; STS wants the whole ARN, path included.
        real = f"{partition}:role{role.path}{desired.role_name}"
        raise errors.Refused(
            f"role {desired.role_arn} does not exist",
            reason=f"the role {desired.role_name} has the path {role.path}",
            next_steps=(f"run this again with --attach-role-arn {real}",),
            rests_on=(desired.role_arn,),
        )
    if desired.update_trust and not desired.allow_wide_trust:
        return reading.with_documents(connection.iam, role)
    return role


def _similar_roles(connection: Connection, desired: DesiredState) -> tuple[str, ...]:
    listed = errors.unless_denied(lambda: reading.list_roles(connection.iam).roles)
    arns = (
        {} if isinstance(listed, Unreadable) else {role.arn.rpartition("/")[2]: role.arn for role in listed}
    )
    return tuple(arns[name] for name in near(desired.role_name, arns))


def read_service_account(connection: Connection, namespace: str, name: str) -> ServiceAccount | None:
    """A ServiceAccount that may be deleted later; None if there is none."""
    body = connection.kube.service_account(namespace, name)
    return None if body is None else with_manifest(body)


def _rehearse(connection: Connection, desired: DesiredState) -> bool:
    """Create the ServiceAccount as a dry run, to find missing RBAC; returns whether the namespace exists."""
    from irsa_cli.changes.kubernetes import namespace_body, service_account_body
    from irsa_cli.kube.errors import EXISTS, NOT_FOUND

    account = desired.new_account
    body = service_account_body(desired.namespace, desired.name, account.labels, account.annotations)
    try:
        connection.kube.create("serviceaccounts", desired.namespace, body, dry_run=True)
    except errors.ServiceError as error:
        if error.code == EXISTS:
            return True
        if error.code != NOT_FOUND:
            raise
    else:
        return True
    if desired.create_namespace:
        try:
            body = namespace_body(desired.namespace, desired.new_namespace)
            connection.kube.create("namespaces", "", body, dry_run=True)
        except errors.ServiceError as error:
            if error.code != EXISTS:
                raise
            theirs = f"namespace {desired.namespace} was created by somebody else in the meantime"
            raise errors.Conflict(theirs) from error
    return False


def check_policies(connection: Connection, policies: Iterable[str], boundary: str = "") -> PolicyVersions:
    """The versions in force, as far as the caller may ask; raises `IrsaError` for a missing policy."""
    arns = [*policies, *([boundary] if boundary else [])]
    with ThreadPoolExecutor(8) as pool:
        versions = pool.map(lambda item: reading.policy_version(connection.iam, item), arns)
        return checked_versions(connection, dict(zip(arns, versions, strict=True)), boundary)


def checked_versions(
    connection: Connection, versions: Mapping[str, str | None], boundary: str
) -> PolicyVersions:
    """These versions; raises `IrsaError` for a policy that has none, with names that resemble it."""
    missing = next((policy_arn for policy_arn, version in versions.items() if version == ""), None)
    if missing is not None:
        similar = reading.similar_policies(connection.iam, missing)
        scope = "AWS" if ":aws:policy/" in missing else "Local"
        raise errors.IrsaError(
            f"{'permissions boundary' if missing == boundary else 'policy'} {missing} does not exist",
            reason="NoSuchEntity: IAM has no policy with that ARN",
            details=(f"policies with a similar name: {', '.join(similar)}",) if similar else (),
            next_steps=(f"aws iam list-policies --scope {scope} --query 'Policies[].Arn'  # lists the ARNs",),
            code="NoSuchEntity",
        )
    return PolicyVersions.of(versions)


def target_of(connection: Connection, desired: DesiredState) -> TargetRole:
    """The target role of the desired role; None without one."""
    if desired.chain is None:
        return None
    judged = desired.update_target_trust and not desired.allow_wide_trust
    return read_target(connection, desired.chain.target_arn, judged=judged)


def target_quota(connection: Connection, desired: DesiredState, target: TargetRole) -> int:
    """The quota of the target's account, asked for only where IAM's default would not do."""
    if desired.chain is None or not isinstance(target, Role) or not desired.update_target_trust:
        return policy.TRUST_LIMIT
    if policy.size(admitted(desired.chain, target.trust)) <= policy.TRUST_LIMIT:
        return policy.TRUST_LIMIT
    return reading.trust_quota(connection.iam_of_target(desired.chain.account))


def targets(
    connection: Connection, chains: Iterable[Chain], *, judged: bool = False
) -> dict[str, TargetRole]:
    """The target of each chain, by its ARN."""
    return {chain.target_arn: read_target(connection, chain.target_arn, judged=judged) for chain in chains}


def read_target(connection: Connection, arn: str, *, judged: bool = False) -> TargetRole:
    """A target role with its trust policy; `judged`: with what it may do."""
    parsed = role_arn(arn)
    if connection.session_of(parsed.account) is None:
        return Unreadable(
            f"there are no credentials for account {parsed.account} (--target-assume-role, --target-profile)"
        )
    iam = connection.iam_of_target(parsed.account)
    role = errors.unless_denied(lambda: reading.read_role(iam, parsed.name))
    if role is None or isinstance(role, Unreadable):
        return role
    if f"role{role.path}{parsed.name}" != parsed.resource:
        return None
    return reading.with_documents(iam, role) if judged else role


def config_maps_of(connection: Connection, desired: DesiredState) -> dict[str, FoundConfigMap]:
    """The desired ConfigMap, by its name, if it exists."""
    if not desired.aws_config_map:
        return {}
    return named_config_maps(connection, desired.namespace, desired.aws_config_map)


def _with_former(
    connection: Connection, desired: DesiredState, binding: Binding
) -> Mapping[str, FoundConfigMap]:
    """The desired ConfigMap, and the ServiceAccount's former one if that is another one."""
    former = noted_or_none(binding.annotations, states.CONFIG_MAP_ANNOTATION)
    is_kept = desired.role_only or "target_role" in desired.unsaid
    if not former or former == desired.aws_config_map or is_kept:
        return binding.known_config_maps
    return {**binding.known_config_maps, **named_config_maps(connection, desired.namespace, former)}


def named_config_maps(connection: Connection, namespace: str, name: str) -> dict[str, FoundConfigMap]:
    """The ConfigMap of a name, by that; empty if there is none."""
    body = connection.kube.one("configmaps", namespace, name)
    return {} if body is None else {name: found_config_map(body)}


def found_config_map(body: Json) -> FoundConfigMap:
    marks = body["metadata"].get("annotations") or {}
    return FoundConfigMap(
        body.get("data") or {},
        marks.get(states.SERVICE_ACCOUNT_TAG, ""),
        marks.get(states.TRANSACTION_TAG, ""),
        body["metadata"].get("uid", ""),
    )
