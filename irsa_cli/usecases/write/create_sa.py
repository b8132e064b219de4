"""`irsa create-sa`: from nothing (or a part) to a ServiceAccount that can use its role, or back to before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.binding.spec import BindingSpec, DesiredState, Options, desired_state_of
from irsa_cli.core.planning.create import plan, satisfies
from irsa_cli.core.results.result import Command, Result
from irsa_cli.core.values.errors import Refused
from irsa_cli.transaction.reading import command_of
from irsa_cli.usecases.command.caller import check_partitions
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin, going_on, supersede_if_well
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks.locks import WantedLocks, binding_lock, locked
from irsa_cli.usecases.write.reconcile import Work, only_arns, resolved


@dataclass(frozen=True)
class Request:
    """The request: the spec, the target, and how far the run may go."""

    target: Target
    spec: BindingSpec
    options: Options = field(default_factory=Options)
    boundaries: BoundaryRules = field(default_factory=BoundaryRules)


def create_sa(request: Request, settings: Settings, log: WireLog) -> Result:
    """Create or complete the ServiceAccount and its role, in one transaction."""
    spec = request.boundaries.bound(request.spec)
    wanted = (*only_arns(spec.policies), spec.permissions_boundary, spec.attach_role_arn, spec.target_role)
    connection = connect(
        request.target,
        kube=not spec.role_only,
        log=log,
        check=lambda aws: check_partitions(wanted, aws),
    )
    spec = replace(spec, policies=resolved(connection, spec.policies))
    desired = desired_state_of(spec, connection.cluster, request.options)
    begin(connection, settings)
    lock = binding_lock(desired.namespace, desired.name)
    with locked(connection, settings, Command.CREATE_SA, WantedLocks(meanwhile=[lock])) as held:
        return _create(connection, desired, held)


def _create(connection: Connection, desired: DesiredState, settings: Settings) -> Result:
    context = RunContext.of(Command.CREATE_SA, connection, f"{desired.namespace}/{desired.name}")
    made = lambda story, change: satisfies(desired, change)  # noqa: E731 - asked before and after
    earlier = going_on(settings, context, made, also=("apply", "delete-sa"))
    try:
        # Looked up when it is called, so that tests can put a broken one in its place.
        result = Work(connection, desired, lambda *found: plan(*found), settings, context).until_settled()
    except Refused as error:
        if not earlier:
            raise
        ways = (f"{command_of(path)}  # rolls the interrupted run back" for path in earlier)
        raise error.but(next_steps=(*error.next_steps, *ways)) from error
    supersede_if_well(earlier, result, settings, made)
    return result
