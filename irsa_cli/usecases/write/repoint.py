"""`irsa repoint`: a new cluster gets the roles of an old one, then the old one loses them.

`irsa_cli.core.planning.repoint` plans the changes, one transaction for each role. The state is in IAM and the
clusters only, so another run, on any machine, continues or goes back (the two clusters the other way round).
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any

from irsa_cli.aws import iam
from irsa_cli.aws.iam import list_roles, read_role
from irsa_cli.core.access.documents import Account
from irsa_cli.core.access.guard import Guard
from irsa_cli.core.binding.access_documents import of_role
from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.export.terraform import statement_block
from irsa_cli.core.marks import makers
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount, with_manifest
from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG
from irsa_cli.core.planning import repoint as planning
from irsa_cli.core.planning.repoint import AccountPlan, Move, Name
from irsa_cli.core.planning.repoint_guards import FORCE, Addition, Objection, objections_to_removal
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import CLUSTER, Command, Ended, Result
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused, Unreadable, Unverified, read
from irsa_cli.core.values.names import parse_full_name
from irsa_cli.core.values.shown import plural
from irsa_cli.usecases.command.caller import naming_caller, reach_of
from irsa_cli.usecases.command.connect import Connection, Target, WireLog
from irsa_cli.usecases.command.execute import RunContext, begin
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.parallel import PARALLEL, Pace, Task, attempt, carry_out, warning
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.locks.locks import Locks, binding_lock
from irsa_cli.usecases.read.bindings import BindingsScope, read_accounts
from irsa_cli.usecases.write import associate_oidc, repoint_reads
from irsa_cli.usecases.write.update_sa import earlier_runs


class Phase(Enum):
    """A step of the move; `status` and `verify` write nothing."""

    ADD = "add"
    VERIFY = "verify"
    RETIRE = "retire"
    STATUS = "status"

    @property
    def writes(self) -> bool:
        return self in (Phase.ADD, Phase.RETIRE)


@dataclass(frozen=True)
class Request:
    """The request: the new cluster is the target's, `old` a cluster, an issuer or an issuer's id.

    `patterns` are globs of roles' names. `others`: also change roles that another tool manages. `unused_for`:
    seconds without use of the old cluster's tokens before `retire` takes their statements out. `force`: also
    if pods of the new cluster lose a role, or a condition is bypassed; `allow_wide_trust`: also if a role is
    powerful, or tokens of a cluster get more than the step is for.
    """

    target: Target
    old: checked.ClusterOrIssuer
    phase: Phase
    patterns: tuple[checked.RolePattern, ...] = ()
    role_path: checked.RolePath = "/"
    namespace: checked.Namespace = ""
    others: bool = False
    unused_for: float = 30 * 86400.0
    force: bool = False
    allow_wide_trust: bool = False

    def allows(self, objection: Objection) -> bool:
        """Whether the user wants the step in spite of an objection."""
        return self.force if objection.flag == FORCE else self.allow_wide_trust


def repoint(request: Request, settings: Settings, log: WireLog, tell: Callable[[Item], None]) -> AppliedList:
    """Do one phase for all roles, several at the same time; a role that is refused stops no other."""
    settings = replace(settings, dry_run=settings.dry_run or not request.phase.writes)
    pace = Pace(PARALLEL)
    hear = pace.hearing(log)
    connection = repoint_reads.connect_new(request.target, hear)
    begin(connection, settings)
    request = replace(request, target=connection.target)
    done = AppliedList(noun="role")
    stop = RunGroup()
    with naming_caller(connection.caller):
        move = _Moving.read(connection, request, hear)
    done.notices = move.notices
    names = [f"role {role.name}" for role in move.roles]

    def add(item: Item) -> None:
        done.items.append(item)
        tell(item)
        stop.number = stop.number or item.result.signal

    if request.phase is Phase.ADD and move.roles:
        said = (planning.trusted(role.trust, move.move.old).audiences for role in move.roles)
        audiences = dict.fromkeys((DEFAULT_AUDIENCE, *(text for each in said for text in each)))
        asked = associate_oidc.Request(request.target, tuple(audiences))
        quiet = replace(settings, note=lambda text: None)  # The head of its own command was said already.
        result = attempt("", lambda: associate_oidc.associate_oidc(asked, quiet, hear))
        move.audiences = tuple(result.facts.get("provider", {}).get("audiences", audiences))
        add(Item(connection.cluster.name, CLUSTER, replace(result, cluster=connection.cluster)))
        if result.error is not None:
            done.pending = [NotBegun(connection.cluster, name) for name in names]
            names = []
    with (
        Locks.of(connection, settings, Command.REPOINT) as locks,
        stoppable(stop, warning(settings, forward=False)),
    ):
        roles = zip(move.roles, names, strict=False)
        works = [_One(move, role, name).work(locks, stop) for role, name in roles]
        works += [_left(connection, role, request.phase) for role in move.left]
        carry_out(works, replace(settings, group=stop), pace, done, tell)
    done.signal, done.seconds = stop.number, settings.seconds
    return done


def _left(connection: Connection, role: Role, phase: Phase) -> Task:
    """A role that the user named and that has nothing to do with this step."""
    note = "it does not trust the old cluster" if phase.writes else "it trusts neither cluster"
    facts = {"role": {"arn": role.arn, "created": False}}
    result = Result(Ended.UNCHANGED, cluster=connection.cluster, facts=facts, notes=[note])
    return Task(connection.cluster, f"role {role.name}", "", lambda _: result)


@dataclass
class _Moving:
    """The state that all roles of one command share."""

    connection: Connection
    request: Request
    old: repoint_reads.OldCluster
    move: Move
    roles: list[Role]
    left: list[Role] = field(default_factory=list)
    """Roles that the user named, for which there is nothing to do."""
    wanted: Mapping[str, list[ExportedAccount]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    notices: list[str] = field(default_factory=list)
    quota: int = 0
    audiences: tuple[str, ...] = ()
    """The audiences of the OIDC provider: the new cluster's for `add`, the old one's for `retire`."""
    is_provider_gone: bool = False
    """For `retire`: whether the old cluster's OIDC provider does not exist."""
    accounts: list[tuple[Connection, list[ServiceAccount] | Unreadable]] = field(default_factory=list)
    """Both clusters with their ServiceAccounts, for `verify` and `status`; the new one first."""

    @property
    def clusters(self) -> list[Cluster]:
        """The new cluster, and the old one if it exists."""
        old = self.old.connection
        return [self.connection.cluster, *([] if old is None else [old.cluster])]

    @classmethod
    def read(cls, connection: Connection, request: Request, log: WireLog) -> _Moving:
        """Read both clusters and the roles; raises `IrsaError` if they can't be read."""
        cluster = connection.cluster
        listed = list_roles(connection.iam, request.role_path).roles
        old = repoint_reads.find_old(request.old, connection, log, listed)
        move = Move(old.provider, provider_arn(cluster.partition, cluster.home, cluster.issuer))
        if move.old == move.new:
            raise Refused(
                "--from and --to are the same cluster", reason=f"both have the issuer {cluster.issuer}"
            )
        providers = (move.old,) if request.phase.writes else (move.old, move.new)
        repoint_reads.check_names(listed, request.patterns, request.role_path)
        roles = list(repoint_reads.select(listed, providers, request.patterns, request.namespace))
        named = repoint_reads.moved(listed, move.new, request.patterns, request.namespace)
        found = cls(connection, request, old, move, roles, [role for role in named if role not in roles])
        if not roles:
            read_roles = f"{plural(len(listed), 'role')} under {request.role_path} were read"
            found.notices = [f"no role that was selected trusts {move.old}: {read_roles}"]
        elif request.phase is Phase.ADD:
            found.quota = iam.trust_quota(connection.iam)
            found.wanted, found.notices = repoint_reads.subjects(old, roles, request.namespace)
        elif request.phase is Phase.RETIRE:
            provider = iam.provider(connection.iam, move.old)
            found.is_provider_gone = provider is None
            found.audiences = tuple(provider.audiences) if provider is not None else ()
        else:
            scope = BindingsScope(request.namespace)
            found.accounts = [(connection, read(lambda: read_accounts(connection, scope)))]
            if old.connection is not None:
                found.accounts.append((old.connection, old.accounts(scope.namespace)))
            elif request.phase is Phase.VERIFY:
                found.notices.append(f"tokens of the old cluster were not tried: {old.why}")
            for there, accounts in found.accounts:
                if isinstance(accounts, Unreadable):
                    what = f"the ServiceAccounts of {there.cluster.name} can't be read"
                    if request.phase is Phase.VERIFY:  # Tokens of a cluster can't be tried.
                        raise IrsaError(what, reason=accounts.why)
                    found.notices.append(f"{what}: {accounts.why}")
        found.notices += [
            f"role {role.name} allows everybody with conditions on the old issuer: change it yourself"
            for role in listed
            if planning.means_everybody(role.trust, move.old)
        ]
        return found


@dataclass
class _One:
    """One role of the command; `facts` are what is shown of it."""

    move: _Moving
    listed: Role
    title: str
    facts: dict[str, Any] = field(default_factory=dict)

    def work(self, locks: Locks, stop: RunGroup) -> Task:
        """Its transaction, with the locks of the ServiceAccounts that it changes."""
        connection = self.move.connection
        held = [binding_lock(*item.names) for item in self.move.wanted.get(self.listed.arn, ())]

        def run(settings: Settings) -> Result:
            result = attempt("", partial(locks.run, self.run, settings, held, stop.pause))
            facts: dict[str, Any] = {"role": {"arn": self.listed.arn, "created": False}}
            facts |= {"repoint": self.facts} if self.facts else {}
            return replace(result, cluster=connection.cluster, facts=facts)

        return Task(connection.cluster, self.title, "", run)

    def run(self, settings: Settings) -> Result:
        """Do the phase for this role."""
        phase = self.move.request.phase
        connection = self.move.connection
        if not phase.writes:
            with naming_caller(connection.caller):
                role = self._read()
                return self._verify(role) if phase is Phase.VERIFY else Result(Ended.UNCHANGED)
        context = RunContext.of(
            Command.REPOINT, connection, self.title, request=f"{phase.value} {self.move.move}"
        )
        earlier = earlier_runs(settings, context)
        loop = Loop(connection, settings, context, earlier, since=self.move.began)
        return loop.run(partial(self._draft, settings))

    def _read(self) -> Role:
        """The role as it is now; raises `Refused` if it is gone."""
        role = read_role(self.move.connection.iam, self.listed.name)
        if role is None:
            raise Refused(f"role {self.listed.name} is gone")
        move = self.move.move
        trust = role.trust
        users = self._users(0)
        self.facts |= {
            "phase": self.move.request.phase.value,
            "from": move.old,
            "to": move.new,
            "madeBy": makers.maker_of_role(role.tags),
            "old": len(planning.of_provider(trust, move.old)),
            "new": len(planning.of_provider(trust, move.new)),
            "missing": len(planning.additions(trust, move)[0]),
            "lastUsed": role.last_used.isoformat(timespec="seconds") if role.last_used else None,
            "serviceAccounts": None if users is None else ["/".join(name) for name, _ in users],
            "statements": [],
            "manifests": [],
        }
        return role

    def _users(self, number: int) -> list[tuple[Name, str]] | None:
        """The ServiceAccounts of one of the clusters that are annotated with the role; None: not read."""
        accounts = self.move.accounts[number][1] if number < len(self.move.accounts) else None
        if accounts is None or isinstance(accounts, Unreadable):
            return None
        return repoint_reads.users_of(accounts, self.listed.arn)

    def _draft(self, settings: Settings) -> Draft:
        role = self._read()
        adds = self.move.request.phase is Phase.ADD
        plan, notes = self._add(role, settings) if adds else self._retire(role)

        def describe(result: Result) -> None:
            result.notes += notes

        return Draft(
            plan,
            [role.state],
            documents=partial(of_role, self.listed.arn, role.trust, self.move.clusters),
            guard=partial(self._guard, role),
            describe=describe,
        )

    def _guard(self, role: Role) -> Guard:
        """`--add` names everybody of the new cluster whom its statements name; `--retire` names nobody."""
        request = self.move.request
        permitted = Guard(
            losses=request.force,
            gains=request.allow_wide_trust,
            loss_flag="--force",
            gain_flag="--allow-wide-trust",
        )
        if request.phase is not Phase.ADD:
            return permitted
        copies, _ = planning.additions(role.trust, self.move.move)
        cluster = self.move.connection.cluster.arn
        wanted = self.move.wanted.get(self.listed.arn, ())
        accounts = frozenset(Account(cluster, *item.names) for item in wanted)
        return replace(permitted, accounts=accounts, trusts=({"Statement": copies},))

    def _add(self, role: Role, settings: Settings) -> tuple[Plan, list[str]]:
        move = self.move.move
        trust = role.trust
        if note := self._left_to_its_maker(role, planning.additions(trust, move)[0], "add"):
            return Plan(()), [note]
        planning.check_addition(role.name, trust, move, self.move.quota)
        accepted = self._accepted(self._objections_to_addition(role))
        found = self._accounts(settings)
        found.notes += accepted
        self.facts["manifests"] = [item.manifest for item in found.absent]
        if missing := ", ".join(item.full_name for item in found.absent):
            name = self.move.connection.cluster.name
            found.notes.append(f"not in {name} yet: ServiceAccount {missing}")
        return planning.add_plan(role.name, trust, move, found.changes), found.notes

    def _objections_to_addition(self, role: Role) -> Iterator[Objection]:
        """Why NEW does not get the statements; the role's policies are read only if they decide."""
        addition = Addition.of(role.trust, self.move.move, self.move.audiences)
        if addition.gains and not self.move.request.allow_wide_trust:
            role = iam.with_documents(self.move.connection.iam, role)
        return addition.objections(role)

    def _accepted(self, objections: Iterable[Objection]) -> list[str]:
        """The notes on objections that a flag lifts; raises `Refused` for the first other one."""
        notes = []
        for objection in objections:
            if not self.move.request.allows(objection):
                raise objection.refusal
            notes.append(f"{objection.flag}: {objection.refusal}")
        return notes

    def _left_to_its_maker(self, role: Role, statements: Sequence[Document], verb: str) -> str:
        """The note on a role of another tool, whose statements are kept for its next run; '' for others."""
        manager, why = planning.manager_of(role)
        if not manager or not statements or self.move.request.others:
            return ""
        is_hcl = manager == makers.TERRAFORM
        self.facts["statements"] = [
            {"language": "hcl", "text": statement_block(item)}
            if is_hcl
            else {"language": "json", "document": item}
            for item in statements
        ]
        return f"{why}, so it stays: {verb} the statements there, or use --include-managed"

    def _accounts(self, settings: Settings) -> AccountPlan:
        """The ServiceAccounts of the new cluster for this role, each read now; without those in Git."""
        kube = self.move.connection.kube
        git = settings.git
        every = self.move.wanted.get(self.listed.arn, [])
        wanted = [item for item in every if not git.has(item.namespace)]

        def find(item: ExportedAccount) -> ServiceAccount | None:
            body = kube.service_account(*item.names)
            return None if body is None else with_manifest(body)

        with ThreadPoolExecutor(8) as pool:
            found = dict(zip((item.names for item in wanted), pool.map(find, wanted), strict=True))
        plan = planning.accounts_plan(wanted, {name: it for name, it in found.items() if it is not None})
        plan.notes += [
            f"{git.stays(item)}; {makers.source_line('manifests', item.role_arn)}"
            for item in every
            if git.has(item.namespace)
        ]
        return plan

    def _retire(self, role: Role) -> tuple[Plan, list[str]]:
        move = self.move.move
        trust = role.trust
        request = self.move.request
        if not planning.of_provider(trust, move.old):
            return Plan(()), []
        why = "the old cluster's OIDC provider does not exist, so STS takes no token of it"
        if not self.move.is_provider_gone:
            is_unused, why = repoint_reads.unused(self.move.connection, role, move.old, request.unused_for)
            if not is_unused:
                return Plan(()), [f"stays: {why}"]
        old, new, name = map(shlex.quote, (request.old, request.target.cluster, role.name))
        add = reach_of(request.target).for_irsa(f"repoint --from {old} --to {new} --add {name}")
        plan = planning.retire_plan(role.name, trust, move, self._tags(role), add)
        removed = [before for before, _ in planning.removals(trust, move.old)]
        if note := self._left_to_its_maker(role, removed, "remove"):
            return Plan(()), [note]
        objections = objections_to_removal(role.name, trust, move, self.move.audiences)
        return plan, [why, *self._accepted(objections)]

    def _tags(self, role: Role) -> list[Change]:
        name = parse_full_name(role.tags.get(SERVICE_ACCOUNT_TAG, ""))
        connection = self.move.connection
        if name is None:
            return []
        found = read(lambda: read_accounts(connection, BindingsScope(*name)))
        uses = not isinstance(found, Unreadable) and bool(repoint_reads.users_of(found, role.arn))
        clusters = (self.move.old.arn, connection.cluster.arn)
        return planning.moved_tag(role.name, role.tags, clusters, [name] if uses else [])

    def _verify(self, role: Role) -> Result:
        """Exchange tokens of both clusters; those of the old one as long as the role trusts it."""
        move = self.move.move
        notes = list[str]()
        failed = list[str]()
        providers = (move.new, move.old)
        for number, (connection, _) in enumerate(self.move.accounts):
            if not planning.of_provider(role.trust, providers[number]):
                notes.append(f"{connection.cluster.name}: the role does not trust it")
                continue
            until = self.move.began + repoint_reads.SPREAD_SECONDS  # One wait for all of them.
            answers = repoint_reads.exchanged(connection, role.arn, self._users(number) or [], until)
            good = ", ".join("/".join(name) for name, why in answers.items() if not why)
            bad = [f"{'/'.join(name)}: {why}" for name, why in answers.items() if why]
            said = f"STS took tokens of {good}" if good else "STS took no token"
            notes.append(
                f"{connection.cluster.name}: {said if answers else 'no ServiceAccount has the role'}"
            )
            failed += [f"{connection.cluster.name} {text}" for text in bad]
        error = (
            Unverified(f"some tokens got no credentials of {role.arn}", details=failed) if failed else None
        )
        return Result(Ended.FAILED if failed else Ended.UNCHANGED, notes=notes, error=error)
