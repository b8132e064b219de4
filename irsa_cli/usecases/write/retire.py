"""`irsa retire`: remove what clusters, or namespaces, that are gone left in an account.

`irsa_cli.core.planning.retire` decides what goes. Each role is one transaction, as is each OIDC provider. The
state is in IAM only, so another run, on any machine, continues.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from irsa_cli.aws import iam as reading
from irsa_cli.aws.iam import list_roles
from irsa_cli.aws.session import AwsSession
from irsa_cli.aws.trail import use_in_trail
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.guard import Guard
from irsa_cli.core.access.who import Who
from irsa_cli.core.binding.access_documents import of_role
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG, DocumentState
from irsa_cli.core.planning import retire as planning
from irsa_cli.core.planning.retire import DeadCluster, ReadAccount, Retiring
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import principals, trusted_providers
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import CLUSTER, Command, Ended, Result
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import issuer_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Unreadable, read
from irsa_cli.core.values.names import account_json
from irsa_cli.core.values.shown import plural
from irsa_cli.transaction.reading import supersede
from irsa_cli.transaction.recover import is_running, unfinished
from irsa_cli.usecases.command.caller import naming_caller, reach_of
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.parallel import PARALLEL, Pace, Task, begin_time_limit, carry_out, ended
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.locks.locks import Locks
from irsa_cli.usecases.read import retired
from irsa_cli.usecases.read.reads import parted
from irsa_cli.usecases.write import delete_sa
from irsa_cli.usecases.write.batches import Batches


@dataclass(frozen=True)
class Request:
    """The request: deleted clusters by `names`, all of them (`everything`), or namespaces by a `pattern`.

    `age`: what was used or created in so many seconds stays. `unmarked`: also what no tool owns. `most`
    roles are deleted in one run.
    """

    target: Target
    names: tuple[checked.ClusterOrIssuer, ...] = ()
    everything: bool = False
    pattern: checked.NamespacePattern = ""
    age: float = 0.0
    unmarked: bool = False
    most: checked.Most = 100


def retire(request: Request, settings: Settings, log: WireLog, tell: Callable[[Item], None]) -> AppliedList:
    """Remove what was left, or only show it. Raises `IrsaError` if a cluster may exist that was not read."""
    running = _Running(request, settings, tell)
    hear = running.pace.hearing(log)
    with stoppable(running.stop, settings.note):
        if request.pattern:
            running.namespaces(connect(request.target, kube=True, log=hear))
        else:
            running.clusters(hear)
    done = running.done
    done.signal, done.seconds = running.stop.number, settings.seconds
    return done


@dataclass(frozen=True)
class _Place:
    """A deleted cluster as a group of the report: `name` is its heading, '' if there is only one."""

    name: str
    dead: DeadCluster
    connection: Connection


@dataclass
class _Running:
    """One run. `freed`: roles, by name, that no longer trust a provider (its ARN)."""

    request: Request
    settings: Settings
    tell: Callable[[Item], None]
    done: AppliedList = field(default_factory=AppliedList)
    pace: Pace = field(default_factory=lambda: Pace(PARALLEL))
    stop: RunGroup = field(default_factory=RunGroup)
    freed: set[tuple[str, str]] = field(default_factory=set)
    earlier: dict[str, list[Path]] = field(default_factory=dict)
    """Journals of interrupted runs by role or provider: looked for once, as a run has thousands of roles."""

    def clusters(self, log: WireLog) -> None:
        """The roles of the deleted clusters, then their OIDC providers."""
        request = self.request
        self.done.noun = "role"
        aws = retired.open_session(request.target, log)
        account = retired.read_account(aws, request.target, self.settings.note)
        retired.check_read(account)
        self._find_journals(account)
        dead_clusters = retired.dead_clusters(account, log)
        chosen = dead_clusters
        if not request.everything:
            chosen = planning.chosen(dead_clusters, request.names, account, reach_of(request.target))
        roles = [role for dead in chosen for role in dead.roles]
        unclear = retired.unclear_providers(account, roles, log)
        retiring = Retiring(account, dead_clusters, request.age, request.unmarked, unclear)
        notices = [f"{dead.name}: nothing is removed: {dead.doubt}" for dead in chosen if dead.doubt]
        several = len(chosen) > 1
        places = [
            _Place(dead.name if several else "", dead, self._connection(aws, dead, account, log))
            for dead in chosen
            if not dead.doubt
        ]
        removals = self._removals(places, retiring, notices)
        self.done.notices = notices
        self._run(removals)
        begin_time_limit(self.settings)
        trusting = read(lambda: self._trusting(aws, account))
        self._run(
            [
                self._provider_task(place, arn, trusting)
                for place in places
                for arn in place.dead.providers
                if arn in account.providers
            ]
        )

    def _removals(self, places: Sequence[_Place], retiring: Retiring, notices: list[str]) -> list[Task]:
        """The work on each role once, at most `Request.most` deletions; a notice tells what is left."""
        roles = {role.arn: (place, role) for place in reversed(places) for role in place.dead.roles}
        ordered = sorted(roles.values(), key=lambda pair: (pair[0].name, pair[1].name))
        tasks = [
            _Retired(self, place.connection, role, place.dead, retiring).work(place.name)
            for place, role in ordered
        ]
        most = self.request.most
        later = {task.name for task in [task for task in tasks if task.deletes][most:]}
        if later:
            notices.append(f"{plural(len(later), 'more role')} left for another run (--max {most})")
        return [task for task in tasks if task.name not in later]

    def _connection(
        self, aws: AwsSession, dead: DeadCluster, account: ReadAccount, log: WireLog
    ) -> Connection:
        """A connection without EKS; `irsa recover` reaches the same by the marks, or by the issuer."""
        cluster = dead.of(account)
        target = replace(self.request.target, cluster=cluster.name, region=cluster.region)
        if not dead.arn:
            target = replace(target, issuer_url=cluster.issuer, account=account.number)
        return Connection(aws, target, replace(cluster, caller=aws.caller()), None, log, asks_cluster=False)

    def _find_journals(self, account: ReadAccount) -> None:
        """Interrupted runs: this one continues them, but those whose role or provider is gone are over."""
        there = {role.name for role in account.roles} | account.providers.keys()
        for path, story in unfinished(self.settings.state_dir):
            if story.about is None or story.about.command != Command.RETIRE.value or is_running(path):
                continue
            objects = {record.change.object[1][0] for record in story.records}
            for name in objects & there:
                self.earlier.setdefault(name, []).append(path)
                self.settings.note(
                    f"An earlier run ({path.stem}) was interrupted; this one continues from there."
                )
            if not objects & there and not self.settings.dry_run:
                supersede([path])

    def _run(self, works: Sequence[Task]) -> None:
        settings = replace(self.settings, group=self.stop)
        carry_out(works, settings, self.pace, self.done, self.tell)

    def _trusting(self, aws: AwsSession, account: ReadAccount) -> dict[str, list[str]]:
        """By provider, the roles that still trust it: a list of IAM may be older than this run's writes."""
        roles = [(role.name, role.trust) for role in account.roles]
        if not self.settings.dry_run and any(item.result.changes for item in self.done.items):
            roles = [(role.name, role.trust) for role in list_roles(aws.client("iam")).roles]
        found: dict[str, list[str]] = {}
        for name, trust in roles:
            for arn in trusted_providers(trust):
                if (name, arn) not in self.freed:
                    found.setdefault(arn, []).append(name)
        return found

    def _provider_task(self, place: _Place, arn: str, trusting: dict[str, list[str]] | Unreadable) -> Task:
        connection = place.connection
        delete = partial(self._provider, connection, arn, trusting)
        return Task(connection.cluster, CLUSTER, place.name, delete)

    def _provider(
        self,
        connection: Connection,
        arn: str,
        trusting: dict[str, list[str]] | Unreadable,
        settings: Settings,
    ) -> Result:
        if isinstance(trusting, Unreadable):  # Roles are gone by now, so the run continues to its report.
            raise IrsaError(f"the roles that trust {arn} could not be read", reason=trusting.why)
        context = RunContext.of(Command.RETIRE, connection, None)
        earlier = self.earlier.get(arn, ())
        return Loop(connection, settings, context, earlier).run(
            partial(self._draft_of_provider, connection, arn, trusting.get(arn, ()))
        )

    def _draft_of_provider(self, connection: Connection, arn: str, trusting: Sequence[str]) -> Draft:
        provider = reading.provider(connection.iam, arn)
        why = ""
        changes = []
        url = connection.cluster.issuer
        audiences = list[str]()
        if provider is not None:
            url = provider.url
            audiences = provider.audiences
            why = planning.provider_kept(provider, trusting, unmarked=self.request.unmarked)
            changes = [] if why else [Change(Kind.PROVIDER, (arn,), provider, None)]

        def describe(result: Result) -> None:
            deleted = result.ended is Ended.COMMITTED
            result.facts = {"provider": {"arn": arn, "url": url, "audiences": audiences, "deleted": deleted}}
            result.notes += [f"the OIDC provider stays: {why}"] if why else []

        # That no role trusts it was read.
        there = Documents((connection.cluster,), gone=frozenset({issuer_of(arn)}), has_all_roles=True)
        return Draft(Plan.of(changes), [provider], documents=lambda: there, describe=describe)

    def namespaces(self, connection: Connection) -> None:
        """The bindings of a living cluster whose namespace is gone, by irsa's tags on roles."""
        begin(connection, self.settings)
        with naming_caller(connection.caller), ThreadPoolExecutor(PARALLEL) as pool:
            roles = retired.left_by(connection.iam, connection.cluster.arn)
            names = {planning.service_account_of(role)[0] for role in roles} - {""}
            asked = sorted(name for name in names if fnmatchcase(name, self.request.pattern))
            present = pool.map(lambda name: read(lambda: connection.kube.one("namespaces", "", name)), asked)
            answers = dict(zip(asked, present, strict=True))
        namespaces, unread = parted(answers)
        if unread:
            self._report_unread(connection, unread)
        gone = {name for name, namespace in namespaces.items() if namespace is None}
        of_gone = [role for role in roles if planning.service_account_of(role)[0] in gone]
        settings = replace(self.settings, group=self.stop)
        # In the order in which they begin: so one batch is read after the other.
        chosen = self._deletions(of_gone)
        with (
            Locks.of(connection, self.settings, Command.RETIRE) as locks,
            Batches(connection, settings, locks, chosen) as batches,
        ):
            self._run([self._binding(batches, number) for number in range(len(chosen))])

    def _report_unread(self, connection: Connection, unread: Mapping[str, str]) -> None:
        details = [f"namespace {name} was not read: {why}" for name, why in unread.items()]
        error = IrsaError("some namespaces could not be read: their bindings stay", details=details)
        item = ended(connection.cluster, CLUSTER, Result(Ended.FAILED, error=error))
        self.done.items.append(item)
        self.tell(item)

    def _deletions(self, roles: Iterable[Role]) -> list[delete_sa.Request]:
        """The bindings of these roles, at most `Request.most` of them, as requests in their order."""
        notices: list[str] = []
        requests: dict[str, delete_sa.Request] = {}
        now = datetime.now(timezone.utc)
        for role in roles:
            full_name = role.tags[SERVICE_ACCOUNT_TAG]
            recent = planning.recent_use(role, now, self.request.age)
            if recent:
                notices.append(f"{full_name} stays: {recent} (--older-than)")
                continue
            namespace, _, name = full_name.partition("/")
            requests[full_name] = delete_sa.Request(
                self.request.target,
                namespace,
                name,
                role_name=role.name,
                extent=delete_sa.Extent.BINDING,
                ignore_not_found=True,
            )
        most = self.request.most
        if len(requests) > most:
            notices.append(
                f"{plural(len(requests) - most, 'more binding')} left for another run (--max {most})"
            )
        self.done.notices = notices
        chosen = sorted([*requests][:most])
        return [requests[full_name] for full_name in chosen]

    def _binding(self, batches: Batches, number: int) -> Task:
        request = batches.requests[number]
        named = shlex.join(
            ("delete-sa", request.name, "-n", request.namespace, "--role-name", request.role_name)
        )
        command = reach_of(self.request.target).for_irsa(named)

        def run(settings: Settings) -> Result:
            try:
                result = batches.delete(number, settings)
            except IrsaError as error:
                raise _in_terms_of(command, error) from error
            if isinstance(result.error, IrsaError):
                result.error = _in_terms_of(command, result.error)
            return result

        return Task(batches.connection.cluster, request.full_name, "", run)


def _in_terms_of(command: str, error: IrsaError) -> IrsaError:
    """The error of one deletion with next steps for `command`, as `irsa retire` does not have their flags."""
    again = re.compile(r"(?:run this again with |(?<=keep it: ))(--[\w-]+)(?: (to .*))?$")

    def proposed(match: re.Match[str]) -> str:
        return f"{command} {match[1]}" + (f"  # {match[2]}" if match[2] else "")

    return error.but(next_steps=[again.sub(proposed, step) for step in error.next_steps])


def _living(account: ReadAccount) -> Iterator[Cluster]:
    """The clusters of an account, as far as their ARNs and issuers tell."""
    for arn, issuer in account.living.items():
        name = arn.rpartition("/")[2]
        region = arn.split(":")[3]
        yield Cluster(name, arn, region, account.partition, account.number, f"https://{issuer}")


def _providers_of_removed(plan: Plan) -> set[str]:
    """The OIDC providers that the statements name which a plan removes."""
    statements = [change.before.document for change in plan if isinstance(change.before, DocumentState)]
    return {arn for statement in statements for arn in principals(statement, "Federated")}


@dataclass(frozen=True)
class _Retired:
    """The work on one role, which is read again before anything is written."""

    running: _Running
    connection: Connection
    role: Role
    dead: DeadCluster
    retiring: Retiring

    def work(self, place: str) -> Task:
        """The transaction of this role; one without a removal needs no further look."""
        why = self.retiring.why_kept(self.role, self.dead)
        idle = bool(why) and not self.retiring.statements(self.role, self.dead)
        stays = Result(Ended.UNCHANGED, notes=[f"the role stays: {why}"])
        run = (lambda _: self._with_facts(stays, deletes=False)) if idle else self._run
        return Task(self.connection.cluster, self.role.name, place, run, not why)

    def _why_used(self, who: Who, _role: str) -> str:
        """Why somebody counts as a user of the role: nobody of a cluster that exists may lose it."""
        return "its cluster exists" if who.place in self.retiring.account.living else ""

    def _run(self, settings: Settings) -> Result:
        """Delete the role, or remove the statements that nobody can use."""
        context = RunContext.of(Command.RETIRE, self.connection, self.role.name)
        earlier = self.running.earlier.get(self.role.name, ())
        return Loop(self.connection, settings, context, earlier).run(self._draft)

    def _draft(self) -> Draft | Result:
        current = reading.expected_role(self.connection.iam, self.role.name)
        if current is None or current.role_id != self.role.role_id:
            why = "it is already deleted" if current is None else "another role has this name now"
            return self._with_facts(Result(Ended.UNCHANGED, notes=[why]), deletes=current is None)
        role = replace(current, profiles=self.role.profiles)
        why = self.retiring.why_kept(role, self.dead)
        gone = planning.deletion(role)
        plan, notes = self._removals(role, why) if why else (gone.plan, gone.notes)
        trust = current.trust
        clusters = (self.connection.cluster, *_living(self.retiring.account))

        def describe(result: Result) -> None:
            result.notes += notes
            if result.ended in (Ended.COMMITTED, Ended.PLANNED):
                freed = _providers_of_removed(plan) if why else trusted_providers(trust)
                self.running.freed |= {(role.name, arn) for arn in freed}
            self._with_facts(result, deletes=not why)

        return Draft(
            plan,
            [current],
            documents=partial(of_role, role.arn, trust, clusters, self.retiring.gone),
            guard=partial(Guard, uses=self._why_used),
            describe=describe,
        )

    def _with_facts(self, result: Result, *, deletes: bool) -> Result:
        account = account_json(self.role.tags.get(SERVICE_ACCOUNT_TAG))
        gone = deletes and result.ended in (Ended.COMMITTED, Ended.UNCHANGED)
        role = {"arn": self.role.arn, "created": False, "deleted": gone}
        result.facts = {"serviceAccount": account, "role": role}
        return result

    def _removals(self, role: Role, why: str) -> tuple[Plan, list[str]]:
        """The removal of statements from a role that stays; of one that is used, CloudTrail has to say so."""
        notes = [f"the role stays: {why}"]
        unwanted = list[Document]()
        for item in self.retiring.statements(role, self.dead):
            recent = planning.recent_use(role, self.retiring.account.now, self.retiring.unused_for)
            if used := recent and self._use(item):
                notes.append(f"a statement for {', '.join(principals(item, 'Federated'))} stays: {used}")
            else:
                unwanted.append(item)
        plan, kept = planning.removals(role, unwanted)
        return plan, [*notes, *([kept] if kept else [])]

    def _use(self, statement: Document) -> str:
        """The use of a statement in CloudTrail, or why it is unknown; '' for none."""
        aws = self.connection.aws.moved_to(self.connection.cluster.region)
        since = self.retiring.account.now - timedelta(seconds=self.retiring.unused_for)
        providers = principals(statement, "Federated")
        if not providers:
            return "CloudTrail can't show its use"
        asked = (use_in_trail(aws, {"Statement": [statement]}, provider, since) for provider in providers)
        return next(filter(None, asked), "")
