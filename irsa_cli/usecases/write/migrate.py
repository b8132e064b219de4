"""`irsa migrate`: ServiceAccounts move between IRSA and EKS Pod Identity, one transaction each.

`irsa_cli.core.planning.migrate` plans the changes. The state is in IAM, EKS and the cluster
only, so another run, on any machine, continues, finishes or goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cache, cached_property, partial
from time import monotonic

from irsa_cli.aws import bindings
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.guard import Guard
from irsa_cli.core.binding.access_documents import guard_of_account, of_binding
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.field_owner import notes_on_owner
from irsa_cli.core.binding.pod_identity_support import PodIdentitySupport
from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.workloads import ROLLED, holds_pods, owner_of
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import DocumentState
from irsa_cli.core.planning import migrate as planning
from irsa_cli.core.planning.consent import Permitted, notes_of_maker
from irsa_cli.core.planning.ways import Ways, by_way
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import ChangeResult, Command, Ended, Result
from irsa_cli.core.uses.credentials import is_without, ways_of
from irsa_cli.core.uses.new_pods import Templates
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.core.values import checked, patience
from irsa_cli.core.values.errors import IrsaError, Refused, Unreadable, read
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin, execute
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.parallel import attempt, warning
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.locks.locks import Locks, binding_lock
from irsa_cli.usecases.read.exchanges import Exchanges
from irsa_cli.usecases.read.new_pods import NewPodsOf
from irsa_cli.usecases.read.pod_identity import support_of
from irsa_cli.usecases.read.switching import check_switching
from irsa_cli.usecases.read.templates import templates_of
from irsa_cli.usecases.read.users_of_pods import probe
from irsa_cli.usecases.write.migrate_reads import names_in, read_ways
from irsa_cli.usecases.write.update_sa import earlier_runs, notes_of_support

POLL = 0.5
"""Seconds between two looks at pods that are replaced."""
HEEDED = 60.0
"""The longest wait for the webhook to heed an association: EKS says "several seconds"."""


@dataclass(frozen=True)
class Request:
    """The request; without `names`, all ServiceAccounts of the namespace that get a role.

    `status`: read only. `finish`: remove the old way. `others`: also what irsa did not write, on roles that
    other tools manage. `force` and `allow_wide_trust`: statements that irsa otherwise refuses to add.
    `unused_for`: seconds without an exchange of a token before IRSA goes, 0 to not check it; None: since no
    pod has it. `disable_session_tags`: of a new association.
    """

    target: Target
    to: IdentitySource
    namespace: checked.Namespace
    names: tuple[checked.ServiceAccountName, ...] = ()
    restart: bool = False
    finish: bool = False
    others: bool = False
    status: bool = False
    force: bool = False
    allow_wide_trust: bool = False
    unused_for: float | None = None
    disable_session_tags: bool = False

    @property
    def allowed(self) -> Permitted:
        return Permitted(self.others, self.force, self.allow_wide_trust)


def migrate(request: Request, settings: Settings, log: WireLog, tell: Callable[[Item], None]) -> AppliedList:
    """Migrate the ServiceAccounts one after another, or only report; one that is refused stops no other."""
    connection = connect(request.target, kube=True, log=log)
    begin(connection, settings)
    with naming_caller(connection.caller):
        names = dict.fromkeys(request.names or names_in(connection, request.namespace))
    done = AppliedList()
    stop = RunGroup()
    support = cache(partial(support_of, connection, request.namespace))
    templates = cache(partial(templates_of, connection, request.namespace))
    settings = replace(settings, dry_run=settings.dry_run or request.status)
    taking = Locks.of(connection, settings, Command.MIGRATE)
    with taking as locks, stoppable(stop, warning(settings, forward=False)):
        for name in names:
            title = f"{request.namespace}/{name}"
            if stop.number:
                done.pending.append(NotBegun(connection.cluster, title))
                continue
            moving = _Moving(connection, request, name, stop, support, templates)
            work = moving.report if request.status else moving.run
            lock = binding_lock(request.namespace, name)
            result = attempt("", partial(locks.run, work, settings, [lock], stop.pause))
            item = Item(connection.cluster.name, title, moving.described(result))
            done.items.append(item)
            tell(item)
            stop.number = stop.number or result.signal
    done.signal, done.seconds = stop.number, settings.seconds
    return done


@dataclass
class _Moving:
    """One ServiceAccount of the command; `ways` and `bodies`, its pods, are what was last read of it."""

    connection: Connection
    request: Request
    name: str
    stop: RunGroup
    support: Callable[[], PodIdentitySupport]
    templates: Callable[[], Templates]
    ways: Ways | None = None
    bodies: list[Json] = field(default_factory=list)
    problem: str = ""
    """Why irsa can't tell how it gets a role, or would refuse to move it (for `--status`)."""

    @cached_property
    def new_pods(self) -> NewPodsOf:
        return NewPodsOf(self.connection, self.request.namespace, self.name, self.templates())

    def run(self, settings: Settings) -> Result:
        """Add, restart and finish, as far as requested; each step can be repeated."""
        request = self.request
        title = f"{self.request.namespace}/{self.name}"
        asked = f"{request.to.value}{' finish' if request.finish else ''}"
        context = RunContext.of(Command.MIGRATE, self.connection, title, request=asked)
        earlier = earlier_runs(settings, context)
        return Loop(self.connection, settings, context, earlier).run(partial(self._draft, settings, context))

    @property
    def _restarts_first(self) -> bool:
        """Whether pods restart before the old way goes.

        With an association, new pods get Pod Identity: for IRSA it goes before they restart.
        """
        return self.request.finish and self.request.to is IdentitySource.POD_IDENTITY

    def _carry_out(self, plan: Plan, settings: Settings, context: RunContext) -> Result:
        """Run the transaction, and the restart before or after it.

        Workloads that were restarted stay so if a later step fails.
        """
        restart = next((change for change in plan if change.kind.traits.outside), None)
        if restart is None:
            return execute(plan, self.connection, settings, context)
        if self._restarts_first:
            done, error = self._restarted(restart, settings)
            if error is not None:
                rest = [ChangeResult(change, "pending") for change in plan.transacted]
                return Result(Ended.UNFINISHED, changes=[done, *rest], error=error)
            result = self._transacted(plan.transacted, settings, context)
            return replace(result, changes=[done, *result.changes])
        result = self._transacted(plan.transacted, settings, context)
        if result.error is not None:
            return replace(result, changes=[*result.changes, ChangeResult(restart, "pending")])
        done, error = self._restarted(restart, settings)
        ended = result.ended if error is None else Ended.UNFINISHED
        return replace(result, ended=ended, changes=[*result.changes, done], error=error)

    def _transacted(self, plan: Plan, settings: Settings, context: RunContext) -> Result:
        if not len(plan):
            return Result(Ended.COMMITTED)
        return execute(plan, self.connection, settings, context)

    def _restarted(self, change: Change, settings: Settings) -> tuple[ChangeResult, IrsaError | None]:
        """The restart as it ended, and why it failed."""
        began = monotonic()
        try:
            self._restart(settings)
            if self._restarts_first:
                ways = self._read()
                planning.check_unused(self.request.to, ways)
                notes = self._check_exchanges(ways) + self._check_new_pods(settings, ways, rehearses=True)
                for note in notes:
                    settings.note(f"Note: {note}")
        except IrsaError as error:
            return ChangeResult(change, "failed", monotonic() - began), error
        return ChangeResult(change, "done", monotonic() - began), None

    def report(self, _settings: Settings) -> Result:
        """Report the current state; write nothing. The answer includes what irsa would refuse."""
        with naming_caller(self.connection.caller):
            try:
                ways = self._read()
                notes = self._warnings(ways, self._role(ways))
            except Refused as error:
                if self.connection.kube.service_account(self.request.namespace, self.name) is None:
                    raise
                self.bodies, self.problem = self._pods(), str(error)
                notes = [self.problem, *(f"next step: {step}" for step in error.next_steps)]
            exchanges = Exchanges.of(self.connection, self.request.namespace, self.name)
            return Result(Ended.UNCHANGED, notes=[*notes, *exchanges.notes])

    def described(self, result: Result) -> Result:
        """The result with the cluster, and what is known of the ServiceAccount."""
        facts: dict[str, object] = {
            "serviceAccount": {"namespace": self.request.namespace, "name": self.name}
        }
        if self.ways is not None:
            facts["role"] = {"arn": self.ways.binding.role_arn, "created": False}
        if self.ways is not None or self.problem:
            pods = [kinds.pod(body) for body in self.bodies]
            pods_by_way = by_way(pods)
            has = self.ways.has if self.ways is not None else lambda _: False
            facts["migration"] = {
                "to": self.request.to.value,
                "ways": [way.value for way in IdentitySource if has(way)],
                "pods": {way.value: [pod.name for pod in pods_by_way[way]] for way in IdentitySource},
                "podsWithoutCredentials": [pod.name for pod in pods if is_without(pod)],
                **({"problem": self.problem} if self.problem else {}),
            }
        return replace(result, cluster=self.connection.cluster, facts=facts)

    def _read(self) -> Ways:
        namespace = self.request.namespace
        with ThreadPoolExecutor(1) as pool:
            pods = pool.submit(self._pods)
            ways = read_ways(self.connection, namespace, self.name)
        self.bodies = pods.result()
        pods_by_way = by_way(map(kinds.pod, self.bodies))
        self.ways = replace(ways, pods=pods_by_way, disables_tags=self.request.disable_session_tags)
        return self.ways

    def _pods(self) -> list[Json]:
        found = self.connection.kube.pods(self.request.namespace)
        return [item for item in found if item["spec"].get("serviceAccountName", "default") == self.name]

    def _draft(self, settings: Settings, context: RunContext) -> Draft:
        request = self.request
        ways = self._read()
        plan, notes = self._plan(ways)
        if request.finish and len(plan.transacted):
            rehearses = not (settings.dry_run or self._is_checked_later(plan))
            notes += self._check_new_pods(settings, ways, rehearses=rehearses)
        if request.restart and not request.finish and not len(plan):
            # No pod is restarted that would show what new ones get.
            notes += self._check_templates(settings, ways)
        return Draft(
            plan,
            [ways.binding],
            documents=partial(_documents, ways),
            guard=partial(_guard, ways, plan),
            carry_out=partial(self._carry_out, plan, settings, context),
            describe=partial(self._describe, ways, notes),
        )

    def _describe(self, ways: Ways, notes: list[str], result: Result) -> None:
        request = self.request
        result.cluster = self.connection.cluster
        if result.ended is Ended.PLANNED and request.restart:
            notes += planning.notes_of_restart(request.to, ways)
        if result.error is None or result.ended is Ended.UNFINISHED:
            result.notes += notes
        if result.error is None and result.ended is not Ended.PLANNED:
            # Nothing more is read: what fails after the transaction must not hide how that ended.
            result.notes += self._next(self.ways or ways)

    def _plan(self, ways: Ways) -> tuple[Plan, list[str]]:
        request = self.request
        role = self._role(ways)
        notes = self._warnings(ways, role)
        if request.finish:
            plan = planning.retirement(request.to, ways, others=request.others, restarts=request.restart)
            notes += self._check_switching(ways, plan, role)
            notes += planning.notes_of_retirement(request.to, ways, others=request.others)
        else:
            plan = planning.addition(request.to, ways, request.allowed)
            notes += [*notes_of_maker(plan, ways), *self._check_switching(ways, plan, role)]
            notes += notes_of_support(plan, ways.binding, self.support)
            account = ways.binding.existing
            notes += notes_on_owner(plan, account, ways.binding.role_arn) if account is not None else []
            if request.to is IdentitySource.IRSA and len(plan):
                notes += self.new_pods.check_templates(request.to, ways.binding.role_arn)
        if request.restart:
            plan = planning.with_restart(request.to, ways, plan, first=self._restarts_first)
        if request.finish:
            notes += self._check_exchanges(ways, checks=bool(len(plan)) and not self._is_checked_later(plan))
        return plan, notes

    def _is_checked_later(self, plan: Plan) -> bool:
        """Whether a restart comes before the removal of IRSA: what the new pods show is checked after it."""
        return self._restarts_first and any(change.kind.traits.outside for change in plan)

    def _check_exchanges(self, ways: Ways, *, checks: bool = True) -> list[str]:
        """Refuse to remove IRSA while somebody exchanges its tokens; returns the evidence."""
        request = self.request
        exchanges = Exchanges.of(self.connection, request.namespace, self.name)
        unread = list[str]()
        if checks and request.to is IdentitySource.POD_IDENTITY and request.unused_for != 0:
            pods = ways.pods.get(request.to, ())
            command = self._command(ways.binding)
            unread = exchanges.check_unused(ways.binding, pods, request.unused_for, command)
        return [*unread, *exchanges.notes]

    def _check_new_pods(self, settings: Settings, ways: Ways, *, rehearses: bool) -> list[str]:
        """Check that new pods keep the role without the old way; returns what is not known.

        `rehearses`: by pods that are created as a dry run, not only by the text of the templates.
        """
        request = self.request
        role = ways.binding.role_arn
        if request.to is IdentitySource.POD_IDENTITY:
            self.support().check_pods(request.namespace, self.name)
            if rehearses:
                if not ways.pods.get(request.to):
                    # Without the annotation, new pods get nothing until the webhook uses the association.
                    self._await_webhook(settings)
                return self.new_pods.check_created(request.to, role, alone=True)
        return self.new_pods.check_templates(request.to, role, alone=True)

    def _check_templates(self, settings: Settings, ways: Ways) -> list[str]:
        """Check that new pods get the role with both ways there; returns what is not known."""
        to = self.request.to
        role = ways.binding.role_arn
        if settings.dry_run:
            return self.new_pods.check_templates(to, role)
        self._await_webhook(settings)
        return self.new_pods.check_created(to, role)

    def _role(self, ways: Ways) -> Role | Unreadable | None:
        """The role with its policies."""
        return read(lambda: bindings.whole_role(self.connection.iam, ways.binding.role_name))

    def _check_switching(self, ways: Ways, plan: Plan, role: Role | Unreadable | None) -> list[str]:
        """Refuse session tags if pods would not be able to assume other roles; returns what is not known."""
        if self.request.to is IdentitySource.IRSA or not (ways.is_tagged and len(plan)):
            return []
        return check_switching(self.connection, role, planning.without_tags(ways))

    def _warnings(self, ways: Ways, role: Role | Unreadable | None) -> list[str]:
        policies = role if isinstance(role, Unreadable) else role.policy_documents if role is not None else {}
        volumes = [volume for body in self.bodies for volume in body["spec"].get("volumes") or []]
        drivers = {str((volume.get("csi") or {}).get("driver", "")) for volume in volumes}
        return planning.warnings(self.request.to, ways, policies, drivers)

    def _command(self, binding: Binding) -> str:
        """The command of this run, for this ServiceAccount alone."""
        request = self.request
        flags = {"--restart": request.restart, "--finish": request.finish}
        flags["--include-managed"] = request.others
        given = " ".join(flag for flag, is_given in flags.items() if is_given)
        return f"{binding.command(f'migrate --to {request.to.value}')} {given}"

    def _next(self, ways: Ways) -> list[str]:
        """The next command, if there is one."""
        request = self.request
        old = ways.pods.get(request.to.other, ())
        command = ways.binding.command(f"migrate --to {request.to.value}")
        if not request.names:  # One command for all of the namespace.
            of_all = f"-n {request.namespace} {ways.binding.cluster.options}"
            command = f"irsa migrate --to {request.to.value} {of_all}"
        if request.to is IdentitySource.IRSA and not request.finish:
            return [
                "new pods get Pod Identity as long as there is an association."
                f" To delete it and restart the pods: {command} --finish --restart"
            ]
        if old and not request.restart:
            return [f"running pods keep {request.to.other.title} until they restart: {command} --restart"]
        return [] if request.finish else [f"to remove {request.to.other.title}: {command} --finish"]

    def _restart(self, settings: Settings) -> None:
        """Restart the workloads whose pods use the old way, one at a time; raises `IrsaError` to stop."""
        planning.check_has(self.request.to, self._read())
        # Until the webhook uses the new way, pods are created with the old one.
        self._await_webhook(settings)
        ways = self._read()
        to = self.request.to
        if to is IdentitySource.POD_IDENTITY:
            self.support().check_pods(self.request.namespace, self.name)
        for note in self.new_pods.check_created(to, ways.binding.role_arn):
            settings.note(f"Note: {note}")
        pods = ways.pods[to.other]
        kept = list[str]()
        for kind, name in planning.workloads_of(pods):
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
        to = self.request.to
        waited = 0.0
        while True:
            found = kinds.pod(self.connection.kube.create_pod(self.request.namespace, body))
            if ways_of(found) == {to}:
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
            wrong = next((pod.name for pod in new if ways_of(pod) != {to}), "")
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


def _documents(ways: Ways) -> Documents:
    """The documents that decide who can assume the role.

    Roles that pods switch to are left out: `check_switching` has read their trust policies, and refused.
    """
    return replace(of_binding(ways.binding), policies={})


def _guard(ways: Ways, plan: Plan) -> Guard:
    """Whom the command names: the ServiceAccount.

    With `--disable-session-tags` also the whole cluster, as EKS then sends no names to compare.
    """
    guard = guard_of_account(ways.binding, ways.binding.role_arn)
    if not ways.disables_tags:
        return guard
    added = [
        change.after.document
        for change in plan
        if change.kind is Kind.TRUST_STATEMENT and isinstance(change.after, DocumentState)
    ]
    return replace(guard, trusts=({"Statement": added},))
