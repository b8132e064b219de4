"""`irsa migrate`: ServiceAccounts move between IRSA and EKS Pod Identity, one transaction each.

`irsa_cli.core.planning.migrate` plans the changes. The state is in IAM, EKS and the cluster
only, so another run, on any machine, continues, finishes or goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cache, partial

from irsa_cli.aws import bindings
from irsa_cli.aws.iam import trust_quota
from irsa_cli.aws.trail import EVENTS, web_identity_events
from irsa_cli.core.binding.ownership import check_over, check_there
from irsa_cli.core.binding.pod_identity_support import PodIdentitySupport
from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import Injection, Pod
from irsa_cli.core.objects.workloads import ROLLED, holds_pods, owner_of
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.planning import migrate as planning
from irsa_cli.core.planning.migrate import CurrentIdentity, IdentitySource
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.values import patience
from irsa_cli.core.values.errors import IrsaError, Refused, Unreadable, read
from irsa_cli.core.values.names import subject
from irsa_cli.core.values.shown import plural
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import Job, RunContext, begin, perform, supersede_if_well
from irsa_cli.usecases.command.parallel import attempt, warning
from irsa_cli.usecases.command.retry import until_settled
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.locks.locks import Locks, binding_lock
from irsa_cli.usecases.read.absence import check_namespace
from irsa_cli.usecases.read.associations import associations
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.lookup import read_provider, with_role
from irsa_cli.usecases.read.observe import current_account, read_association
from irsa_cli.usecases.read.pod_identity import support_of
from irsa_cli.usecases.read.users_of_pods import probe
from irsa_cli.usecases.write.update_sa import earlier_runs, notes_of_support

POLL = 0.5
"""Seconds between two looks at pods that are replaced."""
HEEDED = 60.0
"""The longest wait for the webhook to heed an association: EKS says "several seconds"."""


@dataclass(frozen=True)
class Request:
    """The request; without `names`, all ServiceAccounts of the namespace that get a role.

    `status`: read only. `finish`: remove the old way. `others`: also what irsa did not write.
    """

    target: Target
    to: IdentitySource
    namespace: str
    names: tuple[str, ...] = ()
    restart: bool = False
    finish: bool = False
    others: bool = False
    status: bool = False


def migrate(request: Request, settings: Settings, log: WireLog, tell: Callable[[Item], None]) -> AppliedList:
    """Migrate the ServiceAccounts one after another, or only report; one that is refused stops no other."""
    connection = connect(request.target, kube=True, log=log)
    begin(connection, settings)
    with naming_caller(connection.caller):
        names = dict.fromkeys(request.names or _names(connection, request.namespace))
    done, stop = AppliedList(), RunGroup()
    support = cache(partial(support_of, connection, request.namespace))
    settings = replace(settings, dry_run=settings.dry_run or request.status)
    taking = Locks.of(connection, settings, Command.MIGRATE)
    with taking as locks, stoppable(stop, warning(settings, forward=False)):
        for name in names:
            title = f"{request.namespace}/{name}"
            if stop.number:
                done.pending.append(NotBegun(connection.cluster, title))
                continue
            moving = _Moving(connection, request, name, stop, support)
            work = moving.report if request.status else moving.run
            lock = binding_lock(request.namespace, name)
            result = attempt("", partial(locks.run, work, settings, [lock], stop.pause))
            item = Item(connection.cluster.name, title, moving.described(result))
            done.items.append(item)
            tell(item)
            stop.number = stop.number or result.signal
    done.signal, done.seconds = stop.number, settings.seconds
    return done


def _names(connection: Connection, namespace: str) -> list[str]:
    """The ServiceAccounts of a namespace that get a role, either way."""
    check_namespace(connection, namespace)
    given = associations(connection, namespace)
    if isinstance(given, Unreadable):
        raise IrsaError(f"the associations of {connection.cluster.name} can't be read", reason=given.why)
    found = [body["metadata"] for body in connection.kube.service_accounts(namespace)]
    annotated = {str(it["name"]) for it in found if ROLE_ARN_ANNOTATION in (it.get("annotations") or {})}
    return sorted(annotated | {it["name"] for it in found if (namespace, it["name"]) in given})


def read_ways(connection: Connection, namespace: str, name: str) -> CurrentIdentity:
    """A ServiceAccount with its role and its association; raises `Refused` if irsa must not change them."""
    with ThreadPoolExecutor(2) as pool:
        provider = pool.submit(read_provider, connection)
        given = pool.submit(read_association, connection, namespace, name)
        body = connection.kube.service_account(namespace, name)
    account, association = NamedServiceAccount(connection, namespace, name), given.result()
    if body is None:
        raise account.missing()
    pair = Pairing(connection.cluster, namespace, name, current_account(body), provider=provider.result())
    if not pair.role_arn and association is not None:
        pair = replace(pair, named_role=association.role_arn)
    else:
        try:
            account.with_role(Injection.read(pair.account.annotations))
        except Refused as error:
            raise naming_roles(error, connection, namespace, name) from error
    planning.check_account(CurrentIdentity(pair, association))
    pair = with_role(connection, pair)
    state = check_there(pair)
    check_over(pair, state)
    return CurrentIdentity(pair, association, trust_quota=trust_quota(connection.iam, state.trust))


@dataclass
class _Moving:
    """One ServiceAccount of the command; `ways` and `bodies`, its pods, are what was last read of it."""

    connection: Connection
    request: Request
    name: str
    stop: RunGroup
    support: Callable[[], PodIdentitySupport]
    ways: CurrentIdentity | None = None
    bodies: list[Json] = field(default_factory=list)

    def run(self, settings: Settings) -> Result:
        """Add, restart and finish, as far as requested; each step can be repeated."""
        request, title = self.request, f"{self.request.namespace}/{self.name}"
        restarts = request.restart and not settings.dry_run
        # With an association, new pods get Pod Identity: for IRSA it goes before they restart.
        if restarts and request.finish and request.to is IdentitySource.POD_IDENTITY:
            result = self._restarted(Result(Ended.UNCHANGED), settings)
            if result.error is not None:
                return result
            restarts = False
        asked = f"{request.to.value}{' finish' if request.finish else ''}"
        context = RunContext.of(Command.MIGRATE, self.connection, title, request=asked)
        earlier = earlier_runs(settings, context)
        result = until_settled(lambda: self._attempt(settings, context), settings)
        supersede_if_well(earlier, result, settings)
        return self._restarted(result, settings) if restarts and result.error is None else result

    def _restarted(self, result: Result, settings: Settings) -> Result:
        """The result after the restarts; workloads that were restarted stay so if a later step fails."""
        try:
            self._restart(settings)
        except IrsaError as error:
            if isinstance(error, Refused) and result.ended is Ended.UNCHANGED:
                raise
            return replace(result, ended=Ended.UNFINISHED, error=error)
        assert self.ways is not None, "they were read before the restarts"
        return replace(result, notes=[*result.notes, *self._next(self.ways)])

    def report(self, _settings: Settings) -> Result:
        """Report the current state; write nothing."""
        with naming_caller(self.connection.caller):
            ways = self._read()
            notes = [*self._warnings(ways), *self._evidence()]
        return Result(Ended.UNCHANGED, notes=notes)

    def described(self, result: Result) -> Result:
        """The result with the cluster, and what is known of the ServiceAccount."""
        facts: dict[str, object] = {
            "serviceAccount": {"namespace": self.request.namespace, "name": self.name}
        }
        if self.ways is not None:
            found, pods = self.ways, self.ways.pods
            facts["role"] = {"arn": found.pair.role_arn, "created": False}
            facts["migration"] = {
                "to": self.request.to.value,
                "ways": [way.value for way in IdentitySource if found.has(way)],
                "pods": {way.value: [pod.name for pod in pods.get(way, ())] for way in IdentitySource},
            }
        return replace(result, cluster=self.connection.cluster, facts=facts)

    def _read(self) -> CurrentIdentity:
        namespace = self.request.namespace
        with ThreadPoolExecutor(1) as pool:
            pods = pool.submit(self._pods)
            ways = read_ways(self.connection, namespace, self.name)
        self.bodies = pods.result()
        self.ways = replace(ways, pods=planning.by_way(map(kinds.pod, self.bodies)))
        return self.ways

    def _pods(self) -> list[Json]:
        found = self.connection.kube.pods(self.request.namespace)
        return [item for item in found if item["spec"].get("serviceAccountName", "default") == self.name]

    def _attempt(self, settings: Settings, context: RunContext) -> Result:
        request = self.request
        with naming_caller(self.connection.caller):
            ways = self._read()
            plan, notes = self._plan(ways)
        finishing = request.finish and request.to is IdentitySource.POD_IDENTITY
        if finishing and len(plan) and not (settings.dry_run or ways.pods.get(request.to)):
            # Without the annotation, new pods get nothing until the webhook uses the association.
            self._await_webhook(settings)
        result = perform(Job(plan, self.connection, settings, context, [ways.pair]))
        if result.error is None:
            # Nothing more is read: what fails after the transaction must not hide how that ended.
            is_last = result.ended is not Ended.PLANNED and not (request.restart and not settings.dry_run)
            result.notes += [*notes, *(self._next(ways) if is_last else ())]
        return result

    def _plan(self, ways: CurrentIdentity) -> tuple[Plan, list[str]]:
        request = self.request
        warnings = self._warnings(ways)
        if not request.finish:
            added = planning.addition(request.to, ways)
            return added, [*warnings, *notes_of_support(added, ways.pair, self.support)]
        plan, kept = planning.retirement(request.to, ways, others=request.others, restarts=request.restart)
        return plan, [*warnings, *kept, *self._evidence()]

    def _warnings(self, ways: CurrentIdentity) -> list[str]:
        role = read(lambda: bindings.role(self.connection.iam, ways.pair.role_name))
        policies = role if isinstance(role, Unreadable) else role.policies if role is not None else {}
        volumes = [volume for body in self.bodies for volume in body["spec"].get("volumes") or []]
        drivers = {str((volume.get("csi") or {}).get("driver", "")) for volume in volumes}
        return planning.warnings(self.request.to, ways, policies, drivers)

    def _evidence(self) -> list[str]:
        """The last exchange of a token that CloudTrail knows of: evidence that IRSA is used, or is not."""
        name = subject(self.request.namespace, self.name)
        found = read(lambda: web_identity_events(self.connection.aws.client("cloudtrail"), name))
        if isinstance(found, Unreadable):
            return [f"irsa did not check CloudTrail for the use of IRSA: {found.why}"]
        times = [event.time for event in found if not (event.own or event.error)]
        last = max(times).isoformat(timespec="seconds") if times else f"none in the newest {EVENTS} events"
        where = f"CloudTrail in {self.connection.cluster.region} (some minutes late)"
        return [f"last use of IRSA, by {where}: {last}"]

    def _next(self, ways: CurrentIdentity) -> list[str]:
        """The next command, if there is one."""
        request = self.request
        old = ways.pods.get(request.to.other, ())
        command = ways.pair.command(f"migrate --to {request.to.value}")
        if request.to is IdentitySource.IRSA and not request.finish:
            return [
                "new pods get Pod Identity as long as there is an association."
                f" To delete it and restart the pods: {command} --finish --restart"
            ]
        if old and not request.restart:
            pods = plural(len(old), f"running pod with {request.to.other.title}")
            return [f"{pods}, until restarted: {command} --restart"]
        return [] if request.finish else [f"to remove {request.to.other.title}: {command} --finish"]

    def _restart(self, settings: Settings) -> None:
        """Restart the workloads whose pods use the old way, one at a time; raises `IrsaError` to stop."""
        planning.check_has(self.request.to, self._read())
        # Until the webhook uses the new way, pods are created with the old one.
        self._await_webhook(settings)
        pods, kept = self._read().pods[self.request.to.other], list[str]()
        for kind, name in dict.fromkeys(owner_of(pod) if pod.owner else ("Pod", pod.name) for pod in pods):
            if kind not in ROLLED:
                kept.append(f"{kind} {name}")
                continue
            settings.note(f"Restarting {kind} {self.request.namespace}/{name}")
            before = self._living(kind, name)
            time = datetime.now(timezone.utc).isoformat(timespec="seconds")
            held = holds_pods(self.connection.kube.restart(self.request.namespace, kind, name, time))
            if held:
                kept.append(f"{kind} {name} ({held})")
            else:
                self._await_pods(settings, kind, name, before)
        if kept:
            raise IrsaError(
                f"not restarted: {', '.join(kept)}",
                reason="nothing replaces these pods in a rollout",
                next_steps=("restart or delete them yourself, then run this again",),
            )

    def _await_webhook(self, settings: Settings) -> None:
        """Wait until a new pod would get the identity: a pod that is only created as a dry run shows it."""
        body = probe(self.request.namespace, self.name)
        to, waited = self.request.to, 0.0
        while True:
            found = kinds.pod(self.connection.kube.create_pod(self.request.namespace, body))
            if planning.ways_of(found) == {to}:
                return
            if waited >= HEEDED:
                raise IrsaError(
                    f"new pods of {self.request.namespace}/{self.name} do not get {to.title}",
                    reason=f"a pod created as a dry run had no variables of it for {HEEDED:.0f} s",
                    next_steps=(f"irsa doctor {self.name} -n {self.request.namespace}"
                                f" {self.connection.cluster.options}",),
                )  # fmt: skip
            waited += self._wait(settings, "the webhook to use the new way")

    def _await_pods(self, settings: Settings, kind: str, name: str, before: Iterable[str]) -> None:
        """Wait until all pods of a workload are new and ready; one without the new way stops all.

        `before` are the uids of those that were there before the restart.
        """
        to = self.request.to
        while True:
            pods = self._living(kind, name)
            new = [pod for uid, pod in pods.items() if uid not in before]
            wrong = next((pod.name for pod in new if planning.ways_of(pod) != {to}), "")
            if wrong:
                raise IrsaError(
                    f"pod {wrong} of {kind} {name} did not get {to.title}",
                    reason="no other workload was restarted",
                    next_steps=(f"irsa doctor pod/{wrong} -n {self.request.namespace}"
                                f" {self.connection.cluster.options}",),
                )  # fmt: skip
            if new and len(new) == len(pods) and all(pod.ready is not False for pod in new):
                return
            self._wait(settings, f"the new pods of {kind} {name}")

    def _living(self, kind: str, name: str) -> dict[str, Pod]:
        found = {body["metadata"]["uid"]: kinds.pod(body) for body in self._pods()}
        return {uid: pod for uid, pod in found.items() if pod.is_alive and owner_of(pod) == (kind, name)}

    def _wait(self, settings: Settings, what: str) -> float:
        left = settings.timeout - settings.spent
        if left <= 0 or self.stop.number:
            raise IrsaError(
                f"stopped while waiting for {what}",
                reason="interrupted" if self.stop.number else f"--timeout {settings.timeout:.0f}s is over",
                next_steps=("run the same command again: it continues",),
            )
        patience.waiting(what, settings.spent, settings.timeout)
        self.stop.pause(POLL)
        return POLL
