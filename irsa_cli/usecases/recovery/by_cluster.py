"""`irsa recover --cluster`: recovery without a journal, from what runs have left in IAM and Kubernetes.

`irsa_cli.core.recovery.judge` judges the state. It is rolled back as in any rollback: by the inverse
changes, with the run's mark as the claim, and a journal of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import chain
from pathlib import Path

from irsa_cli.aws import iam as reading
from irsa_cli.aws.gone import recognize
from irsa_cli.core.objects.service_accounts import ServiceAccount, service_account
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import CLUSTER_TAG, MANAGED_BY_LABEL, TRANSACTION_TAG
from irsa_cli.core.policies.statements import names_provider
from irsa_cli.core.recovery.authority import recovery_locks
from irsa_cli.core.recovery.judge import Finder, Key, key_of
from irsa_cli.core.recovery.leftovers import (
    Found,
    Leftovers,
    Recoveries,
    SeenConfigMap,
    SeenLeftovers,
    SeenNamespace,
    SeenProvider,
    SeenRole,
    Skipped,
    spared_text,
)
from irsa_cli.core.results.result import Command, Ended, Left, Result
from irsa_cli.core.trust.chain import PROFILE, Chain, chain_of_policies, role_of_profile
from irsa_cli.core.values.arn import is_target, provider_arn
from irsa_cli.core.values.errors import IrsaError, Refused, ServiceError
from irsa_cli.core.values.names import MINIMUM_AGE, default_role_path
from irsa_cli.kube.client import Json
from irsa_cli.transaction.reading import check_place, read, supersede
from irsa_cli.transaction.recover import is_running, record_found, stories, takes_back
from irsa_cli.transaction.story import Story, new_transaction_id
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin
from irsa_cli.usecases.command.parallel import attempt, warning
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.locks.locks import WantedLocks, locked
from irsa_cli.usecases.read import observe
from irsa_cli.usecases.recovery import results

PARALLEL = 8


def look(connection: Connection) -> SeenLeftovers:
    """Read the leftovers of runs in three round trips, however many roles; raises `ServiceError`."""
    cluster = connection.cluster
    iam = connection.iam
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    with ThreadPoolExecutor(4) as pool:
        listed = pool.submit(reading.list_roles, iam)
        aged_provider = pool.submit(reading.aged_provider, iam, arn) if cluster.issuer else None
        accounts = pool.submit(list[Json] if connection.gone else connection.kube.service_accounts)
        namespaces = pool.submit(list[Json] if connection.gone else connection.kube.namespaces)
    roles = listed.result().roles
    now = listed.result().now
    # Roles that bear the cluster's tag: under its path, or with another path and its provider.
    path = default_role_path(cluster.name)
    trusting = frozenset(role.name for role in roles if names_provider(role.trust, arn))
    names = [role.name for role in roles if role.path == path or role.name in trusting]
    tagged = [role for role in reading.read_roles(iam, names) if role.tags.get(CLUSTER_TAG) == cluster.arn]
    aged = aged_provider.result() if aged_provider else None
    seen = SeenLeftovers(
        cluster=cluster,
        now=now,
        roles=tuple(SeenRole(**vars(role)) for role in tagged),
        role_arns=frozenset(role.arn for role in roles),
        trusting=trusting,
        accounts=tuple(map(_account, accounts.result())),
        namespaces=tuple(_namespaces(namespaces.result())),
        provider=None if aged is None else SeenProvider(arn, aged[0], now - timedelta(seconds=aged[1])),
    )
    return _with_contents(connection, seen)


def _account(body: Json) -> ServiceAccount:
    return replace(service_account(body), created=_created(body["metadata"]))


def _namespaces(bodies: Iterable[Json]) -> Iterator[SeenNamespace]:
    """Those that a run has made, and nobody is deleting."""
    for body in bodies:
        about = body["metadata"]
        annotations = about.get("annotations") or {}
        if TRANSACTION_TAG in annotations and not about.get("deletionTimestamp"):
            yield SeenNamespace(about["name"], about["uid"], annotations, _created(about))


def _with_contents(connection: Connection, seen: SeenLeftovers) -> SeenLeftovers:
    """With the policies of incomplete roles, and with what is in the namespaces that runs have made."""
    incomplete = Finder(seen).incomplete()
    inhabited = {account.namespace for account in seen.accounts if seen.role_of(account)}

    def role(bare: SeenRole) -> SeenRole:
        current = reading.current_role(connection.iam, bare.name) if bare.name in incomplete else None
        if current is None:
            return bare
        whole = replace(bare, state=current.state, attached=current.attached, inline=current.inline)
        if connection.gone is None:
            whole = _with_config_maps(connection, whole)
        return _with_targets(connection, whole)

    def namespace(bare: SeenNamespace) -> SeenNamespace:
        if bare.name in inhabited:
            return bare
        return replace(bare, contents=frozenset(connection.kube.contents(bare.name).hindrances))

    with ThreadPoolExecutor(PARALLEL) as pool:
        roles = pool.map(role, seen.roles)
        namespaces = pool.map(namespace, seen.namespaces)
    return replace(seen, roles=tuple(roles), namespaces=tuple(namespaces))


def _with_journal(role: SeenRole, story: Story) -> SeenRole:
    """With what the journal of its run tells of it."""
    bindings = [record for record in story.records if record.change.kind is Kind.SERVICE_ACCOUNT]
    is_never_bound = bool(bindings) and not any(record.begun for record in bindings)
    return replace(role, has_journal=True, is_never_bound=is_never_bound)


def _with_config_maps(connection: Connection, role: SeenRole) -> SeenRole:
    """With the ConfigMaps that its run made, and that its ServiceAccount does not note (yet, or no more)."""
    try:
        bodies = connection.kube.all("configmaps", role.namespace, f"{MANAGED_BY_LABEL}=irsa")
    except ServiceError as error:
        # The role and its policy alone tell of them: where those go, nobody would find them any more.
        if error.status != 403 or chain_of_policies(role.arn, role.inline) is not None:
            raise
        why = f"irsa did not check whether the run created a ConfigMap in namespace {role.namespace}"
        return replace(role, maps_unread=f"{why}: {error.reason}")
    own: list[SeenConfigMap] = []
    for body in bodies:
        state = observe.found_config_map(body)
        if (state.transaction, state.service_account) == (role.transaction, role.service_account):
            own.append(SeenConfigMap(body["metadata"]["name"], body["metadata"]["uid"], state))
    return replace(role, config_maps=tuple(own))


def _with_targets(connection: Connection, role: SeenRole) -> SeenRole:
    """With the targets that its policy and its ConfigMaps name, as far as they may be read."""
    chains = [chain_of_policies(role.arn, role.inline)]
    targets_of_maps = (role_of_profile(config_map.found.data, PROFILE) for config_map in role.config_maps)
    chains += [Chain(role.arn, target) for target in targets_of_maps if is_target(target)]
    by_target = {way.target_arn: way for way in chains if way is not None}
    targets = [(way, observe.read_target(connection, arn)) for arn, way in by_target.items()]
    return replace(role, chains=tuple(targets))


def _created(metadata: Json) -> datetime:
    """When an object was created (RFC 3339, UTC); raises `IrsaError` if the answer does not say."""
    text = str(metadata.get("creationTimestamp"))
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise IrsaError(
            f"the cluster does not say when {metadata['name']} was created",
            reason="irsa recover needs the age of each object",
        ) from None


@dataclass(frozen=True)
class Request:
    """Which cluster, as whom; `minimum_age` in seconds: what is younger may belong to a run that lives."""

    target: Target
    minimum_age: float = MINIMUM_AGE
    approve: results.Approve = lambda planned: True


def find_leftovers(request: Request, settings: Settings, log: WireLog) -> Found:
    """The leftovers of runs in the cluster and its account."""
    return _Recovery.read(request, settings, log).found


def take_back(transaction: str, request: Request, settings: Settings, log: WireLog) -> Result:
    """Roll back one run's leftovers; raises `Refused` if it may be active, or all of them are spared."""
    recovery = _Recovery.read(request, settings, log)
    leftovers = recovery.finder.leftovers(transaction, named=True)
    if leftovers is None:
        notes = [f"nothing is left of {transaction} in {recovery.connection.cluster.name}"]
        cluster = recovery.connection.cluster
        return Result(Ended.UNCHANGED, cluster=cluster, transaction=transaction, notes=notes)
    why_not = recovery.found.why_not(leftovers)
    if why_not:
        raise Refused(
            f"{transaction} is not rolled back",
            reason=why_not,
            details=[spared_text(spared) for spared in leftovers.spared] if leftovers.stages else (),
            next_steps=list(chain.from_iterable(spared.next_steps for spared in leftovers.spared)),
        )
    if not settings.dry_run:
        results.approve(request.approve, [recovery.plan(leftovers)])
    stop = RunGroup(f"{transaction} --cluster {request.target.cluster}")
    with stoppable(stop, warning(settings, forward=False)):
        return attempt(transaction, partial(recovery.take, leftovers, stop))


def take_back_all(request: Request, settings: Settings, log: WireLog) -> Recoveries:
    """Roll back what all runs have left, but for those that may still live."""
    recovery = _Recovery.read(request, settings, log)
    listed = recovery.found
    recoveries = Recoveries()
    gone: set[Key] = set()
    plans = [recovery.plan(leftovers) for leftovers in listed.leftovers if not listed.why_not(leftovers)]
    if plans and not settings.dry_run:
        results.approve(request.approve, plans)
    stop = RunGroup(f"--all --cluster {request.target.cluster}")
    with stoppable(stop, warning(settings, forward=False)):
        for transaction in [leftovers.transaction for leftovers in listed.leftovers]:
            if stop.number:
                recoveries.signal = stop.number
                break
            # Judged again: of those before it, something may have stayed.
            leftovers = recovery.finder.leftovers(transaction, gone)
            if leftovers is None:
                recoveries.skipped.append(Skipped(transaction, ""))
                continue
            why_not = listed.why_not(leftovers)
            if why_not:
                recoveries.skipped.append(Skipped(transaction, why_not, listed.is_young(leftovers)))
                continue
            settings.note(f"{transaction}  {', '.join(leftovers.accounts)}".rstrip())
            result = attempt(transaction, partial(recovery.take, leftovers, stop))
            recoveries.items.append(result)
            if result.ended in (Ended.ROLLED_BACK, Ended.PLANNED):
                gone |= {key_of(piece) for piece in leftovers.pieces}
    return recoveries


def _deletes_provider(change: Change) -> bool:
    return change.after is None and change.kind is Kind.PROVIDER


@dataclass
class _Recovery:
    """A cluster that was looked at, and this machine's journals."""

    request: Request
    settings: Settings
    connection: Connection
    journals: Mapping[str, tuple[Path, Story]]
    finder: Finder
    found: Found = field(init=False)

    @classmethod
    def read(cls, request: Request, settings: Settings, log: WireLog) -> _Recovery:
        connection = connect(request.target, kube=True, log=log, gone=recognize)
        begin(connection, settings)
        with naming_caller(connection.caller):
            seen = look(connection)
        journals = {story.transaction: (path, story) for path, story in stories(settings.state_dir)}
        # Of one that a later run superseded, what that one doesn't use is left, and nobody else's.
        mine = {name: story for name, (_, story) in journals.items() if story.sealed}
        ended = [name for name, story in mine.items() if story.outcome == "committed"]
        roles: list[SeenRole] = []
        for role in seen.roles:
            own = mine.get(role.transaction)
            roles.append(role if own is None else _with_journal(role, own))
        seen = replace(seen, roles=tuple(roles))
        return cls(request, settings, connection, journals, Finder(seen, ended))

    def __post_init__(self) -> None:
        leftovers = tuple(self.finder.find(self.request.minimum_age))
        running: set[str] = set()
        for transaction in {run.transaction for run in leftovers} & self.journals.keys():
            path, story = self.journals[transaction]
            if not story.finished and is_running(path):
                running.add(transaction)
        cluster = self.connection.cluster
        self.found = Found(cluster, leftovers, self.request.minimum_age, frozenset(running))

    def plan(self, leftovers: Leftovers) -> Result:
        """The objects that irsa would roll back, and those that it would leave alone."""
        changes = [piece.change.inverse for piece in reversed(list(leftovers.pieces))]
        own = self._own_journal(leftovers)
        if own is not None:  # It is what is gone by, but for a provider that roles of others trust.
            _, story = own
            is_free = any(change.kind is Kind.PROVIDER for change in changes)
            changes = results.backward_changes(story)
            if not is_free:
                changes = [change for change in changes if not _deletes_provider(change)]
        cluster = self.connection.cluster
        result = results.planned(leftovers.transaction, changes, _facts(leftovers), cluster, self.settings)
        result.notes = [
            *(f"left alone: {spared_text(change)}" for change in leftovers.spared),
            *leftovers.notes,
        ]
        return result

    def take(self, leftovers: Leftovers, stop: RunGroup) -> Result:
        """Take one run's remains back; raises `JournalError` when no journal can be written."""
        started = time.monotonic()
        stop.check()
        if self.settings.dry_run:
            result = self.plan(leftovers)
        else:
            connection = self.connection
            changes = (piece.change for piece in leftovers.pieces)
            locks = WantedLocks(recovery_locks(changes, connection.cluster))
            with locked(connection, self.settings, Command.RECOVER, locks, stop.pause) as settings:
                path = self._journal(leftovers)
                story = read(path)
                with naming_caller(connection.caller):
                    stuck = results.roll_back(path, story, connection, settings)
            result = results.back_result(story, stuck, leftovers.transaction, self.connection.cluster)
            result.changes = [entry for entry in result.changes if entry.state != "pending"]
            result.notes += leftovers.notes
            for entry in leftovers.spared:  # They are leftovers as well.
                name = f"{entry.kind.value} {entry.name}"
                look = f"check {name}, and delete it if nobody needs it"
                commands = (step for step in entry.next_steps if step.startswith(("irsa ", "kubectl ")))
                result.left.append(Left(name, entry.why, next(commands, look)))
            if leftovers.spared:
                result.ended = Ended.INCOMPLETE
            if result.ended is Ended.ROLLED_BACK:
                # Earlier recoveries of the same that did not get to their end have nothing left to do.
                supersede(
                    path
                    for path, story in [*stories(self.settings.state_dir)]
                    if takes_back(story) == leftovers.transaction and not story.finished
                )
        result.cluster = self.connection.cluster
        result.facts = _facts(leftovers)
        result.seconds = time.monotonic() - started
        return result

    def _journal(self, leftovers: Leftovers) -> Path:
        """The run's own journal if it is on this machine, else a new one; raises `RefusedJournal`."""
        check_place(self.settings.state_dir)
        own = self._own_journal(leftovers)
        if own is not None:
            return own[0]
        stages = [[piece.change for piece in stage] for stage in leftovers.stages]
        plan = Plan.of(*stages, list(leftovers.missing))
        identities = {index: piece.identity for index, piece in enumerate(leftovers.pieces)}
        accounts = ", ".join(leftovers.accounts)
        context = RunContext.of(Command.RECOVER, self.connection, accounts, takes_back=leftovers.transaction)
        name = new_transaction_id()
        folder = self.settings.state_dir
        return record_found(folder, name, plan, identities, context.to_journal())

    def _own_journal(self, leftovers: Leftovers) -> tuple[Path, Story] | None:
        """The run's journal, if it is this user's word about this cluster, with roles in this account."""
        journal = self.journals.get(leftovers.transaction)
        if journal is None or journal[1].finished or not journal[1].sealed:
            return None
        story = journal[1]
        account = self.request.target.role_account
        about = (story.context.get("cluster"), story.role_account)
        return journal if about == (self.connection.cluster.arn, account) else None


def _facts(leftovers: Leftovers) -> dict[str, object]:
    namespace, slash, name = (leftovers.accounts or ("",))[0].partition("/")
    return {"serviceAccount": {"namespace": namespace, "name": name}} if slash else {}
