"""`irsa release`: irsa's tags and marks go from a role and its ServiceAccount."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from irsa_cli.core.binding.access_documents import guard_of_account, of_binding
from irsa_cli.core.planning.release import release as plan_of_release
from irsa_cli.core.results.result import Command, Result
from irsa_cli.core.values import checked
from irsa_cli.transaction.reading import everything
from irsa_cli.usecases.command.connect import Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin, going_on
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks.locks import WantedLocks, binding_lock, locked
from irsa_cli.usecases.read.lookup import read_binding


@dataclass(frozen=True)
class Request:
    """The request, with checked values; `role_name`: a role that the ServiceAccount does not name."""

    target: Target
    namespace: checked.Namespace
    name: checked.ServiceAccountName
    role_name: checked.RoleName = ""


def release(request: Request, settings: Settings, log: WireLog) -> Result:
    """Release the role of one ServiceAccount; raises `Refused` for one that irsa does not manage for it."""
    connection = connect(request.target, kube=True, log=log)
    begin(connection, settings)
    context = RunContext.of(Command.RELEASE, connection, f"{request.namespace}/{request.name}")

    git = settings.git

    def draft() -> Draft:
        binding, _ = read_binding(connection, request.namespace, request.name, request.role_name)

        def describe(result: Result) -> None:
            result.facts = {
                "serviceAccount": {"namespace": binding.namespace, "name": binding.name},
                "role": {"arn": binding.role_arn, "created": False},
            }
            if git.has(binding.namespace):
                result.notes.append(git.stays(binding))

        return Draft(
            plan_of_release(binding, leaves_account=git.has(binding.namespace)),
            [binding],
            documents=partial(of_binding, binding),
            guard=partial(guard_of_account, binding, binding.role_arn),
            describe=describe,
        )

    lock = binding_lock(request.namespace, request.name)
    with locked(connection, settings, Command.RELEASE, WantedLocks([lock])) as held:
        earlier = going_on(held, context, everything)
        return Loop(connection, held, context, earlier).run(draft)
