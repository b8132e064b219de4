"""`irsa adopt`: roles created by others get irsa's tags (rules: `irsa_cli.core.planning.adopt`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from irsa_cli.core.binding.access_documents import guard_of_account, of_binding
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.ownership import Belongs, belonging
from irsa_cli.core.objects.service_accounts import with_manifest
from irsa_cli.core.planning.adopt import Adoption, Adoptions, Passed, adoption
from irsa_cli.core.planning.update import risks_of
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused
from irsa_cli.kube.client import Json
from irsa_cli.transaction.reading import everything, interrupted_runs, supersede
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin, going_on
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.parallel import attempt, warning
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.locks.locks import Locks, WantedLocks, binding_lock, locked
from irsa_cli.usecases.read.associations import Question
from irsa_cli.usecases.read.lookup import UNCHECKED, associated_with, read_binding, sharers, with_role

PARALLEL = 8


@dataclass(frozen=True)
class Request:
    """The request: one ServiceAccount; without `name` all of the namespace, or of all namespaces ('')."""

    target: Target
    namespace: checked.Namespace = ""
    name: checked.ServiceAccountName = ""
    role_name: checked.RoleName = ""
    """A role that is taken over for the ServiceAccount, whether that names it or not."""
    ignore_maker: bool = False


@dataclass(frozen=True)
class Several:
    """The ServiceAccounts (`namespace/name`) that `adopt_all` found."""

    target: Target
    accounts: tuple[checked.FullName, ...]
    ignore_maker: bool = False


def adopt(request: Request, settings: Settings, log: WireLog) -> Result:
    """Take over the role of one ServiceAccount; raises `Refused` for one that is not to be taken over."""
    connection = _connect(request, settings, log)
    lock = binding_lock(request.namespace, request.name)
    with locked(connection, settings, Command.ADOPT, WantedLocks([lock])) as held:
        return _adopt(connection, request, held)


def _adopt(connection: Connection, request: Request, settings: Settings) -> Result:
    context = _context(connection, request.namespace, request.name)
    earlier = going_on(settings, context, everything)
    asked = Question(connection, request.namespace, request.name)

    drafted: list[Binding] = []

    def draft() -> Draft:
        binding, accounts = read_binding(connection, request.namespace, request.name, request.role_name)
        others = sharers(binding.role_arn, binding.full_name, accounts)
        others += associated_with(connection, binding) if binding.association is not None else []
        drafted.append(binding)
        unchecked = [UNCHECKED] if accounts is None else []
        planned = _planned(binding, others, settings, ignore_maker=request.ignore_maker)
        return _draft(binding, planned, [*unchecked, *_left_in_git(binding, settings)])

    result = Loop(connection, settings, context, earlier).run(draft)
    binding = drafted[-1]
    is_annotated = binding.association is None
    asked.tell(result, binding.namespace, binding.name, binding.role_arn, annotated=is_annotated)
    return result


def _planned(binding: Binding, others: Sequence[str], settings: Settings, *, ignore_maker: bool) -> Adoption:
    leaves_account = settings.git.has(binding.namespace)
    return adoption(binding, others, ignore_maker=ignore_maker, leaves_account=leaves_account)


def _left_in_git(binding: Binding, settings: Settings) -> list[str]:
    return [settings.git.stays(binding)] if settings.git.has(binding.namespace) else []


def adopt_all(request: Request, settings: Settings, log: WireLog) -> Adoptions:
    """Adopt all roles that nobody manages, each in its own transaction.

    Raises `ServiceError` if the ServiceAccounts can't be listed: others may share a role.
    """
    connection = _connect(request, settings, log)
    asked = Question(connection)
    with naming_caller(connection.caller):
        accounts = connection.kube.service_accounts()
        done = Adoptions(connection.cluster)
        bindings = _in_scope(connection, request, accounts, done)
        with ThreadPoolExecutor(PARALLEL) as pool:
            read = list(pool.map(partial(_with_role, connection), bindings))
    stop = RunGroup()
    taking = Locks.of(connection, settings, Command.ADOPT)
    with taking as locks, stoppable(stop, warning(settings, forward=False)):
        for binding, error in read:
            if stop.number:
                done.signal = stop.number
                break
            if error is None and not _is_free(binding, done, settings):
                continue
            one = partial(_one_of_all, connection, request, binding, accounts, asked)
            if error is not None:
                one = partial(_fail, error)
            lock = binding_lock(binding.namespace, binding.name)
            result = attempt("", partial(locks.run, one, settings, [lock], stop.pause))
            facts = {**_facts(binding), **result.facts}  # Also for a refusal.
            done.items.append(replace(result, cluster=binding.cluster, facts=facts))
            stop.number = stop.number or result.signal
    return done


def planned_of_all(done: Adoptions) -> AppliedList:
    """The dry run of `adopt_all`, in the form that `adopt_several` carries out."""
    named = [(result, result.facts["serviceAccount"]) for result in done.items]
    found = [Item(done.cluster.name, f"{it['namespace']}/{it['name']}", result) for result, it in named]
    return AppliedList(found, signal=done.signal)


def adopt_several(
    request: Several, settings: Settings, log: WireLog, tell: Callable[[Item], None]
) -> AppliedList:
    """Take over the roles of these, each in a transaction of its own; one that is not there is refused."""
    connection = _connect(Request(request.target), settings, log)
    done = AppliedList()
    stop = RunGroup()
    taking = Locks.of(connection, settings, Command.ADOPT)
    with taking as locks, stoppable(stop, warning(settings, forward=False)):
        for title in request.accounts:
            if stop.number:
                done.pending.append(NotBegun(connection.cluster, title))
                continue
            namespace, name = title.split("/")
            one = Request(request.target, namespace, name, ignore_maker=request.ignore_maker)
            lock = binding_lock(one.namespace, one.name)
            work = partial(_adopt, connection, one)
            result = attempt("", partial(locks.run, work, settings, [lock], stop.pause))
            item = Item(connection.cluster.name, title, replace(result, cluster=connection.cluster))
            done.items.append(item)
            tell(item)
            stop.number = stop.number or result.signal
    done.signal, done.seconds = stop.number, settings.seconds
    return done


def _connect(request: Request, settings: Settings, log: WireLog) -> Connection:
    target = request.target
    kube = not request.role_name or not target.issuer_url or bool(target.kubeconfig or target.context)
    connection = connect(target, kube=kube, log=log)
    begin(connection, settings)
    return connection


def _context(connection: Connection, namespace: str, name: str) -> RunContext:
    return RunContext.of(Command.ADOPT, connection, f"{namespace}/{name}")


def _in_scope(
    connection: Connection, request: Request, accounts: list[Json], done: Adoptions
) -> list[Binding]:
    """The annotated ServiceAccounts that were asked for; those whose role can't be irsa's are passed over."""
    bindings: list[Binding] = []
    for item in accounts:
        namespace = item["metadata"]["namespace"]
        name = item["metadata"]["name"]
        binding = Binding(connection.cluster, namespace, name, with_manifest(item))
        if not binding.role_arn or request.namespace not in ("", namespace):
            continue
        try:
            account = role_arn(binding.role_arn).account
            why = "" if account == connection.cluster.home else f"its role lives in account {account}"
        except InvalidInput as error:
            why = str(error)
        if why:
            done.passed.append(Passed(f"{namespace}/{name}", why))
        else:
            bindings.append(binding)
    return bindings


def _with_role(connection: Connection, binding: Binding) -> tuple[Binding, IrsaError | None]:
    """One of many with its role: what can't be read is its own failure, and not that of the others."""
    try:
        return with_role(connection, binding), None
    except IrsaError as error:
        return binding, error


def _is_free(binding: Binding, done: Adoptions, settings: Settings) -> bool:
    """Whether the role is nobody's, or was adopted only in part; another one of irsa's is passed over."""
    role = binding.seen_role
    if role is None:
        return True
    who = belonging(role, binding)
    if who is Belongs.NOBODY or (who is Belongs.OURS and _is_adopted_in_part(binding, settings)):
        return True
    done.passed.append(Passed(binding.full_name, f"its role is {who.value}"))
    return False


def _is_adopted_in_part(binding: Binding, settings: Settings) -> bool:
    """Whether a run was cut off between the role and its ServiceAccount."""
    try:
        return len(_planned(binding, (), settings, ignore_maker=False).plan) > 0
    except Refused:
        return False  # `irsa recover` continues interrupted runs.


def _fail(error: IrsaError, _settings: Settings) -> Result:
    raise error


def _one_of_all(
    connection: Connection,
    request: Request,
    binding: Binding,
    accounts: list[Json],
    asked: Question,
    settings: Settings,
) -> Result:
    if settings.hold is not None:
        binding = with_role(connection, binding)  # It was read before the lock was held.
    context = _context(connection, binding.namespace, binding.name)
    others = sharers(binding.role_arn, binding.full_name, accounts)
    planned = _planned(binding, others, settings, ignore_maker=request.ignore_maker)
    draft = _draft(binding, planned, _left_in_git(binding, settings))
    if not settings.dry_run:
        settings.note(binding.full_name)
    result = Loop(connection, settings, context).perform(draft)
    if result.ended is Ended.COMMITTED:
        supersede(interrupted_runs(settings.state_dir, context.about))
    asked.tell(result, binding.namespace, binding.name, binding.role_arn)
    result.notes = [f"{binding.full_name}: {note}" for note in result.notes]
    return result


def _draft(binding: Binding, planned: Adoption, notes: Sequence[str] = ()) -> Draft:
    def describe(result: Result) -> None:
        result.facts = {**_facts(binding), "adoption": planned.to_json()}
        if result.error is None:
            result.notes += planned.kept
            result.warnings = risks_of(binding, planned.plan)
        result.notes += notes

    return Draft(
        planned.plan,
        [binding],
        documents=partial(of_binding, binding),
        guard=partial(guard_of_account, binding, binding.role_arn),
        describe=describe,
    )


def _facts(binding: Binding) -> dict[str, Any]:
    return {
        "serviceAccount": {"namespace": binding.namespace, "name": binding.name},
        "role": {"arn": binding.role_arn, "created": False},
    }
