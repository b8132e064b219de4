"""`irsa create-sa`: from nothing (or a part) to a ServiceAccount that can use its role, or back to before.

Also the work of `irsa apply` on one ServiceAccount (`Work`): read, plan, act, and again if another run
interferes. Names of managed policies become ARNs once, before anything is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irsa_cli.aws import iam as reading
from irsa_cli.aws.recent_writes import may_be_late
from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.binding.current import CurrentState, is_incomplete, life_of
from irsa_cli.core.binding.field_owner import notes_on_owner
from irsa_cli.core.binding.spec import BindingSpec, DesiredState, Options, desired_state_of
from irsa_cli.core.binding.targets import statement_removals
from irsa_cli.core.marks.lifecycle import Stage
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.planning import chaining, trust_warnings
from irsa_cli.core.planning.create import counted_on, plan, satisfies
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values import limits
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.errors import IrsaError, Refused, ServiceError, Unreadable, read
from irsa_cli.core.values.names import default_role_path, near
from irsa_cli.core.values.patience import current
from irsa_cli.transaction.protocol import Run
from irsa_cli.transaction.reading import Covers, command_of, everything
from irsa_cli.usecases.command import execute
from irsa_cli.usecases.command.caller import check_partitions, naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.retry import Attempt, LookAgain
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks.locks import WantedLocks, binding_lock, locked
from irsa_cli.usecases.read.associations import Question
from irsa_cli.usecases.read.observe import external_id_notes, observe, read_service_account

if TYPE_CHECKING:
    from irsa_cli.core.access.documents import Documents
    from irsa_cli.core.access.guard import Guard

Planner = Callable[[DesiredState, CurrentState], Plan]


@dataclass(frozen=True)
class Request:
    """The request: the spec, the target, and how far the run may go."""

    target: Target
    spec: BindingSpec
    options: Options = field(default_factory=Options)
    boundaries: BoundaryRules = field(default_factory=BoundaryRules)


def create_sa(request: Request, settings: Settings, log: WireLog) -> Result:
    """Create or complete the ServiceAccount and its role, in one transaction."""
    spec = settings.git.bound(request.boundaries.bound(request.spec))
    wanted = (*only_arns(spec.policies), spec.permissions_boundary, spec.attach_role_arn, spec.target_role)
    connection = connect(
        request.target,
        kube=not request.spec.role_only,
        log=log,
        check=lambda aws: check_partitions(wanted, aws),
    )
    spec = replace(spec, policies=resolved(connection, spec.policies))
    options = request.options
    if options.gated and spec.role_only:
        settings.note("Note: --verify is ignored, as irsa does not write the ServiceAccount")
        options = replace(options, gated=False)
    desired = desired_state_of(spec, connection.cluster, options)
    execute.begin(connection, settings)
    lock = binding_lock(desired.namespace, desired.name)
    with locked(connection, settings, Command.CREATE_SA, WantedLocks(meanwhile=[lock])) as held:
        return _create(connection, desired, held)


def _create(connection: Connection, desired: DesiredState, settings: Settings) -> Result:
    context = execute.RunContext.of(Command.CREATE_SA, connection, f"{desired.namespace}/{desired.name}")
    made = lambda story, change: satisfies(desired, change)  # noqa: E731 - asked before and after
    earlier = execute.going_on(settings, context, made, also=("apply", "delete-sa"))
    try:
        # Looked up when it is called, so that tests can put a broken one in its place.
        work = Work(
            connection,
            desired,
            lambda *found: plan(*found),
            settings,
            context,
            earlier=earlier,
            covers=made,
        )
        result = work.until_settled()
    except Refused as error:
        if not earlier:
            raise
        ways = (f"{command_of(path)}  # rolls the interrupted run back" for path in earlier)
        raise error.but(next_steps=(*error.next_steps, *ways)) from error
    return result


def may_be_spreading(plan: Plan) -> bool:
    """Whether STS may not know recent changes in IAM yet: changes of this run or of one shortly before."""
    return may_be_late() or any(
        change.kind.traits.service.spreads or change.kind.traits.takes_over for change in plan
    )


def notes_of_attached(desired: DesiredState, current: CurrentState) -> list[str]:
    """Notes about the trust policy of a role that irsa did not create."""
    if desired.role is not None:
        return []
    from irsa_cli.core.binding import attached_trust

    return attached_trust.notes(desired, current)


@dataclass(frozen=True)
class Work:
    """One desired state and how to reach it; `context` goes into the journal.

    `look` reads the current state first, `look_again` with the locks that the plan needs.
    """

    connection: Connection
    desired: DesiredState
    planner: Planner
    settings: Settings
    context: execute.RunContext
    look: Callable[[DesiredState], CurrentState] | None = None
    look_again: Callable[[DesiredState], CurrentState] | None = None
    asked: Question | None = None
    """The question to EKS about several ServiceAccounts; one asks for itself."""
    others: Collection[str] = ()
    """The locks of other runs when several were read."""
    trust_notes: Callable[[DesiredState, CurrentState], list[str]] = notes_of_attached
    """Notes about the trust policy that the plan leaves."""
    earlier: Sequence[Path] = ()
    """Journals of interrupted runs that this one makes needless, as far as `covers` says."""
    covers: Covers = everything

    def until_settled(self) -> Result:
        """Read, plan and act; again if another run interfered."""
        desired = self.desired
        asked = None
        if not desired.role_only:
            asked = self.asked or Question(self.connection, desired.namespace, desired.name)
        loop = Loop(self.connection, self.settings, self.context, self.earlier, self.covers)
        result = loop.repeat(self._draft)
        if asked is not None:
            asked.tell(result, desired.namespace, desired.name, desired.role_arn)
        return result

    def _draft(self, attempt: Attempt) -> Draft:
        hold = self.settings.hold
        with ThreadPoolExecutor(2) as pool:
            taken = pool.submit(hold.take_meanwhile) if hold is not None else None
            busy = pool.submit(hold.busy) if hold is not None and hold.is_begun else None
            current = self._read(attempt)
            if taken is not None:
                taken.result()
            others = busy.result() if busy is not None else self.others
        todo = self.planner(self.desired, current)
        if hold is not None:
            hold.secure(todo, counted_on=counted_on(self.desired, current), busy=others)
        warnings = self._warnings(current, todo)
        mistyped = mistyped_namespace(self.desired, current)
        for note in () if self.settings.dry_run else mistyped:
            self.settings.note(f"Note: {note}")
        proof: dict[str, Any] = {}
        gate = self._gate(todo, proof) if self.desired.gated else None

        def describe(result: Result) -> None:
            result.verification = proof or None
            result.warnings = warnings if result.error is None else ()
            self._describe(current, todo, mistyped, result)

        return Draft(
            todo,
            current.seen,
            documents=partial(_documents, self.desired, current),
            guard=partial(_guard, self.desired),
            gate=gate,
            describe=describe,
        )

    def _describe(self, current: CurrentState, todo: Plan, mistyped: Sequence[str], result: Result) -> None:
        """Add what is known of the binding to the result, and notes about what was and was not done."""
        result.facts = facts_of(self.desired, current, result)
        result.notes += self.trust_notes(self.desired, current)
        result.notes += notes_of(self.desired, current)
        if result.ended is Ended.PLANNED:  # Else it was said before anything was created.
            result.notes += mistyped
        if len(todo):
            result.notes += gone_on_with(self.desired, current)
        if result.error is None:
            result.notes += notes_for_git(self.connection, self.settings, self.desired, current)
        if result.ended in (Ended.COMMITTED, Ended.PLANNED):
            result.notes += [*left_behind(self.desired, current), *chaining.usage_notes(self.desired)]
            result.notes += managed_elsewhere(self.desired, current, todo)
            result.notes += trust_warnings.broad_permissions(self.desired, current, todo)
        if result.ended in (Ended.COMMITTED, Ended.UNCHANGED) and self.desired.association is not None:
            target = self.desired.association.target_role_arn
            names = (self.desired.namespace, self.desired.name)
            result.notes += external_id_notes(self.connection, *names, target)

    def _warnings(self, current: CurrentState, todo: Plan) -> tuple[Risk, ...]:
        risks = trust_warnings.of_desired_state(self.desired, current, todo)
        binding = current.binding
        if not risks or self.desired.role is not None or binding.seen_role is None:
            return risks
        # An attached role was read without its policies, which can only raise the severity.
        try:
            role = reading.with_policies(self.connection.iam, binding.seen_role)
        except IrsaError:
            return risks
        whole = replace(current, binding=replace(binding, role=role))
        return trust_warnings.of_desired_state(self.desired, whole, todo)

    def _read(self, attempt: Attempt) -> CurrentState:
        """The current state; by itself if another run came between, which lists may not show."""
        look = None
        if attempt.why is None:
            look = self.look
        elif isinstance(attempt.why, LookAgain | Refused):
            look = self.look_again
        return observe(self.connection, self.desired) if look is None else look(self.desired)

    def _gate(self, todo: Plan, proof: dict[str, Any]) -> execute.Gate:
        from irsa_cli.usecases.verification import iam_steps

        fresh = may_be_spreading(todo)

        def prove(run: Run | None) -> None:
            if run is None:  # There is nothing to write, but an earlier run may have done so just now.
                seconds = min(limits.PROPAGATION_SECONDS, self.settings.timeout)
                pause = current().pause
            else:
                seconds = run.remaining - 1
                pause = run.pause
            seconds = seconds if fresh else 0
            listen = self.settings.listen
            how: dict[str, Any] = {"seconds": seconds, "pause": pause, "listen": listen}
            proof.update(iam_steps.verify(self.connection, self.desired, plan=todo, **how))

        return prove


def _documents(desired: DesiredState, current: CurrentState) -> Documents:
    from irsa_cli.core.binding.access_documents import of_current  # A plan without changes needs none.

    return of_current(desired, current)


def _guard(desired: DesiredState) -> Guard:
    from irsa_cli.core.binding.access_documents import guard_of

    return guard_of(desired)


def facts_of(desired: DesiredState, current: CurrentState, result: Result) -> dict[str, Any]:
    is_new = desired.role is not None and current.binding.seen_role is None
    created = is_new and result.ended is Ended.COMMITTED
    account: dict[str, Any] | None = None
    if not desired.role_only or desired.association is not None:
        account = {"namespace": desired.namespace, "name": desired.name}
        if current.support is not None and current.support.is_without_account:
            account["exists"] = False
    role = {"arn": desired.role_arn, "created": created}
    trust: dict[str, Any] = {}
    if desired.role is None:
        from irsa_cli.core.binding import attached_trust

        trust = attached_trust.facts(desired, current)
    return {"serviceAccount": account, "role": role, **trust, **chaining.facts(desired)}


def notes_of(desired: DesiredState, current: CurrentState) -> list[str]:
    """Notes about what could not be checked."""
    notes = []
    if desired.association is not None:
        from irsa_cli.core.binding import attached_trust

        notes = attached_trust.service_notes(desired, current)
    notes += current.support.notes(desired.name) if current.support is not None else ()
    binding = current.binding
    if isinstance(binding.role, Unreadable):
        notes.append(f"the trust policy of {desired.role_arn} was not checked: {binding.role.why}")
    if desired.role_account != desired.cluster.home:
        notes.append(
            f"not checked: account {desired.role_account} also needs an OIDC provider for"
            f" {desired.cluster.issuer}"
        )
    notes += chaining.target_notes(desired.chain, chaining.target_of(desired, binding))
    return [*notes, *statement_removals(chaining.former(desired, binding))[1]]


def mistyped_namespace(desired: DesiredState, current: CurrentState) -> list[str]:
    """That a namespace is created although another one has a name that is like it."""
    if current.namespace_exists or not current.similar_namespaces:
        return []
    names = " or ".join(current.similar_namespaces)
    return [f"namespace {desired.namespace} does not exist, so irsa creates it. Did you mean {names}?"]


def gone_on_with(desired: DesiredState, current: CurrentState) -> list[str]:
    """A note about an interrupted run or deletion that this run continues."""
    if not is_incomplete(desired, current):
        return []
    life = life_of(desired, current)
    whole = "completes it again" if life.stage is Stage.DELETING else "continues from there"
    return [f"the role was {life.stage.value} ({life.why}): this run {whole}"]


def notes_for_git(
    connection: Connection, settings: Settings, desired: DesiredState, current: CurrentState
) -> list[str]:
    """The lines for a manifest in Git that lacks them; one that can't be read may lack all."""
    if not settings.git.has(desired.namespace):
        return []
    account: ServiceAccount | Unreadable | None = current.binding.existing
    if account is None and connection.asks_cluster:
        account = read(lambda: read_service_account(connection, desired.namespace, desired.name))
    return settings.git.notes(desired, account if isinstance(account, ServiceAccount) else None)


def managed_elsewhere(desired: DesiredState, current: CurrentState, todo: Plan) -> list[str]:
    """Warnings about a tool that manages the ServiceAccount and its annotation."""
    account = current.binding.existing
    return notes_on_owner(todo, account, desired.role_arn) if account is not None else []


def left_behind(desired: DesiredState, current: CurrentState) -> list[str]:
    """The role that the ServiceAccount had before: it stays, with its policies and its trust policy."""
    former = current.binding.annotation
    cluster = desired.cluster
    if former in ("", desired.role_arn) or desired.role_only:
        return []
    note = f"the role that {desired.namespace}/{desired.name} had before is unchanged: {former}"
    if f":role{default_role_path(cluster.name)}" in former:
        name = former.rsplit("/", 1)[-1]
        cluster = replace(cluster, role_account=former.split(":")[4])
        note += (
            f"; to delete it: irsa delete-sa {desired.name} -n {desired.namespace} -c {cluster.name}"
            f"{cluster.home_option} --role-name {name}, or irsa apply with --prune"
        )
    return [note]


_PATHS = ("", "service-role/", "job-function/")
"""Paths of AWS's policies for roles that users create; those of aws-service-role/ can't be attached."""


def only_arns(policies: Iterable[str]) -> list[str]:
    return [text for text in policies if text.startswith("arn:")]


def resolved(connection: Connection, policies: Iterable[str]) -> tuple[str, ...]:
    """The policies as ARNs; raises `Refused` for a name that no policy has, or more than one."""
    policies = tuple(policies)
    names = [text for text in policies if not text.startswith("arn:")]
    if not names:
        return policies
    with naming_caller(connection.caller):
        try:
            own = reading.policies_by_name(connection.iam, "Local")
        except ServiceError as error:
            raise error.but(next_steps=("give the policy's full ARN", *error.next_steps)) from error
        found = {name: _arn_of(connection, name, own) for name in names}
    return tuple(dict.fromkeys(found.get(text, text) for text in policies))


def _arn_of(connection: Connection, name: str, own: dict[str, str]) -> str:
    partition = connection.cluster.partition
    paths = _PATHS if "/" not in name else ("",)
    candidates = [iam_arn(partition, "aws", f"policy/{path}{name}") for path in paths]
    with ThreadPoolExecutor(len(candidates)) as pool:
        versions = list(pool.map(lambda arn: reading.policy_version(connection.iam, arn), candidates))
    if None in versions:
        raise IrsaError(
            f"the policy {name} can't be found by its name",
            reason="the caller lacks iam:GetPolicy",
            next_steps=("give the policy's full ARN",),
            code="AccessDenied",
        )
    found = [arn for arn, version in zip(candidates, versions, strict=True) if version]
    found += [arn for arn in own.values() if arn.partition(":policy/")[2] == name or own.get(name) == arn]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(
            f"{len(found)} policies have the name {name}: give the ARN",
            details=found,
            rests_on=(),
        )
    from irsa_cli.core.policies import wellknown

    plain = name.rpartition("/")[2]
    similar = [own[word] for word in near(plain, own)]
    similar += reading.similar_policies(connection.iam, iam_arn(partition, "aws", f"policy/{plain}"))
    raise Refused(
        f"no managed policy has the name {name}",
        reason=f"IAM lists none in account {connection.cluster.home}, and AWS has none",
        details=(f"policies with a similar name: {', '.join(similar)}",) if similar else (),
        next_steps=(
            f"run this again with --well-known-policy {name}"
            if name in wellknown.names()
            else "check the spelling, or give its full ARN; IAM can list a new policy some seconds late",
        ),
        rests_on=(),
    )
