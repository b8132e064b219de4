"""`irsa doctor`: observe a binding once, then judge every cause by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import chain
from typing import Any

from irsa_cli.core.doctor.causes.cluster import node_names
from irsa_cli.core.doctor.clues.usage import Names, Seen, namesakes
from irsa_cli.core.doctor.commands import of_account
from irsa_cli.core.doctor.diagnosis import Diagnosis, Examined, examined, having, judge, undecided
from irsa_cli.core.doctor.facts import Facts, NodeMetadata, Subject, known
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.doctor.subjects import home_provider, listed
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.results.locks import SeenLock
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Reach
from irsa_cli.core.values.errors import CannotTell, Unreadable
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.doctor.further_reads import absent, account_named, judged, with_iam, with_refusals
from irsa_cli.usecases.doctor.in_pod import InPod, look_inside
from irsa_cli.usecases.doctor.reads import WORKERS, DoctorReads
from irsa_cli.usecases.read.absence import check_namespace
from irsa_cli.usecases.read.users_of_pods import account_used

Pods = tuple[Pod, ...] | Unreadable
Nodes = Mapping[str, NodeMetadata] | Unreadable
Associations = dict[Names, Association] | Unreadable
"""Those of the cluster, without their roles."""
NO_ROLE = Unreadable("the ServiceAccount has no role", follows=True)
NAMESAKES = 3
"""In how many other namespaces pods of a ServiceAccount of the same name are looked for."""
BY_ASSOCIATION = "the list of EKS Pod Identity associations"
ASKED = 50
"""Of how many ServiceAccounts CloudTrail is asked: it answers two questions in a second."""
NOT_ASKED = Unreadable(
    f"irsa queries CloudTrail for {ASKED} ServiceAccounts at most; pass a name", follows=True
)


@dataclass(frozen=True)
class Request:
    """The target: a ServiceAccount, or (`name` empty) all with a role, in a namespace or by `selector`."""

    target: Target
    namespace: str = ""
    name: str = ""
    readers: tuple[str, ...] = ()
    kind: str = ""
    """The kind of `name`: '' for the ServiceAccount itself, else a workload that uses it."""
    lock_namespace: str = "default"
    """Where the locks of runs are."""
    selector: str = ""
    in_pod: InPod | None = None


def diagnose(request: Request, log: WireLog) -> Diagnosis:
    """Observe and judge; raises `IrsaError` when not even the cluster can be found."""
    connection = connect(request.target, kube=True, log=log, check=lambda aws: None)
    with DoctorReads(connection, request.readers, request.lock_namespace) as reads:
        doctor = _Doctor(connection, reads, reach_of(request.target), request.in_pod)
        if not request.name:
            return doctor.all(request.namespace, request.selector)
        if not request.kind:
            return doctor.one(request.namespace, request.name)
        name = account_used(connection, request.kind, request.namespace, request.name)
        what = f"{request.kind.removesuffix('s')} {request.name}"
        diagnosis = doctor.one(request.namespace, name)
        note = f"{what} uses ServiceAccount {request.namespace}/{name}"
        return replace(diagnosis, notes=(note, *diagnosis.notes))


def _of_namespace(pods: Pods, namespace: str) -> Pods:
    return pods if isinstance(pods, Unreadable) else tuple(pod for pod in pods if pod.namespace == namespace)


def _is_chosen(account: ServiceAccount, namespace: str, chosen: Collection[Names] | None) -> bool:
    """Whether an account is in the namespace ('' for all), and one of those chosen by labels."""
    if namespace not in ("", account.namespace):
        return False
    return chosen is None or (account.namespace, account.name) in chosen


def _unread(answers: Mapping[str, object]) -> dict[str, str]:
    """Why each answer that is missing could not be read."""
    return {name: answer.why for name, answer in answers.items() if isinstance(answer, Unreadable)}


def _begin(reads: DoctorReads, namespace: str, name: str) -> dict[str, Future[Any]]:
    """Begin the reads around a ServiceAccount, by the fields of `Subject` that they are for."""
    return {
        "namespace_labels": reads.namespace_labels(namespace),
        "probe": reads.probe(namespace, name),
        "network_policies": reads.network_policies(namespace),
    }


@dataclass(frozen=True)
class _Doctor:
    connection: Connection
    reads: DoctorReads
    reach: Reach
    in_pod: InPod | None = None

    def one(self, namespace: str, name: str) -> Diagnosis:
        """One ServiceAccount, with everything that can be known of it."""
        reads = self.reads
        reads.of_cluster()
        account = reads.account(namespace, name)
        pods = reads.pods(namespace)
        lock = reads.lock(namespace, name)
        association = reads.association(namespace, name)
        _begin(reads, namespace, name)
        subject = Subject(namespace, name, account=account.result())
        events = self._events(subject)
        self._role(subject)
        nodes = self._nodes(pods.result(), {(namespace, name)})
        facts = self._cluster()
        subject = self._whole(subject, pods.result(), nodes, association.result(), lock.result())
        facts = replace(facts, subject=replace(subject, events=events.result()))
        facts = with_refusals(reads, with_iam(reads, self._with_elsewhere(facts)))
        if self.in_pod is not None:  # After all reads: none of them may see this pod.
            inside = look_inside(self.connection.kube, facts.named, self.in_pod)
            facts = replace(facts, subject=replace(facts.named, inside=inside))
        facts, findings = judged(reads, facts)
        result = examined(facts, findings)
        verify = of_account(facts, "verify", facts.named)
        notes = [*self._other_accounts([(facts.named, result)], verify)]
        read = facts.named.association
        target = read.target_role_arn if isinstance(read, Association) else ""
        if target and not reads.reads(Arn.parse(target).account):
            notes.append(
                "irsa did not read the association's target role: pass --iam-assume-role with a role of"
                f" account {Arn.parse(target).account}"
            )
        return Diagnosis(self.connection.cluster, findings, result, notes=tuple(notes))

    def _other_accounts(self, examinations: Iterable[tuple[Subject, Examined]], verify: str) -> Iterator[str]:
        """The accounts of roles that are not read; a role that is named by mistake needs no reading."""
        unread: dict[str, list[str]] = {}
        for subject, result in examinations:
            account = account_named(subject)
            wrong = {problem.cause.id for problem in result.problems}
            if account and not self.reads.reads(account) and "annotation-account" not in wrong:
                unread.setdefault(account, []).append(subject.full_name)
        for account, names in unread.items():
            yield (
                f"irsa did not read account {account} (roles of {listed(names)}): pass --iam-assume-role with"
                f" a role of that account, or test the token exchange: {verify}"
            )

    def _events(self, subject: Subject) -> Future[tuple[TrailEvent, ...] | Unreadable]:
        account = account_named(subject) or self.connection.cluster.home
        return self.reads.events(subject.namespace, subject.name, account)

    def _with_elsewhere(self, facts: Facts) -> Facts:
        """The facts with the pods of namesakes in other namespaces, where nobody uses this ServiceAccount."""
        reads = [self.reads.pods(namespace) for namespace in namesakes(facts)[:NAMESAKES]]
        pods = chain.from_iterable(known(future.result()) for future in reads)
        elsewhere = tuple(pod for pod in pods if pod.service_account == facts.named.name)
        return replace(facts, subject=replace(facts.named, elsewhere=elsewhere))

    def all(self, namespace: str, selector: str = "") -> Diagnosis:
        """The cluster, and every ServiceAccount that has a role or should. Raises `Refused`."""
        self.reads.of_cluster()
        if namespace:
            check_namespace(self.connection, namespace)
        chosen = self.reads.selected(namespace, selector) if selector else None
        pods = self.reads.pods(namespace or None)
        associations = self.reads.associations()
        roles = self.reads.roles()
        self.reads.locks()
        facts = replace(self._cluster(), within=namespace)
        findings = judge(facts)
        whole = Diagnosis(self.connection.cluster, findings, undecided=undecided(facts, findings))
        if isinstance(facts.accounts, Unreadable):
            note = f"irsa could not list the ServiceAccounts: {facts.accounts.why}"
            return replace(whole, listed=False, notes=(note,))
        associated = associations.result()
        names = frozenset(associated) if isinstance(associated, dict) else frozenset()
        seen = Seen(facts.accounts, pods.result(), roles.result(), home_provider(facts), names)
        within = [account for account in seen.with_role(facts) if _is_chosen(account, namespace, chosen)]
        waiting = absent(self.reads, seen, namespace)
        # A missing ServiceAccount has no labels.
        gone = {*seen.orphaned(), *known(waiting)} if chosen is None else set()
        subjects = self._subjects(within, pods.result(), associated)
        subjects += self._gone(sorted(gone), pods.result(), associated)
        reported = {finding.cause.id for finding in having(findings, Verdict.PROBLEM)}
        with ThreadPoolExecutor(WORKERS) as pool:
            accounts = tuple(pool.map(lambda subject: self._examine(facts, subject, reported), subjects))
        unread = _unread(
            {
                BY_ASSOCIATION: associated,
                "the list of IAM roles": seen.roles,
                "the list of pods": seen.pods,
                "the list of pods that wait for a missing ServiceAccount": waiting,
                "the history of STS calls": NOT_ASKED if len(within) > ASKED else (),
            }
        )
        unknown = (f"{what} is not known: {why}" for what, why in unread.items())
        verify = self.reach.for_irsa(f"verify --all -n {namespace}" if namespace else "verify -A")
        foreign = self._other_accounts(zip(subjects, accounts, strict=True), verify)
        return replace(whole, accounts=accounts, unread=tuple(unread), notes=(*unknown, *foreign))

    def _examine(self, facts: Facts, subject: Subject, reported: set[str]) -> Examined:
        """One of many: what is wrong with the cluster as a whole (`reported`) is not said again."""
        facts = with_iam(self.reads, self._with_elsewhere(replace(facts, subject=subject)))
        facts, findings = judged(self.reads, with_refusals(self.reads, facts))
        deciding = {finding.cause.id for finding in undecided(facts, findings)}
        deciding |= {finding.cause.id for finding in having(findings, Verdict.PROBLEM)} - reported
        # Results that are right or wait for others are only for a named ServiceAccount.
        for finding in having(findings, Verdict.UNKNOWN):
            if not finding.judgement.follows and not finding.cause.of_cluster:
                deciding.add(finding.cause.id)
        own = (finding for finding in findings if finding.cause.id in deciding)
        return examined(facts, tuple(own))

    def _gone(self, names: list[Names], pods: Pods, associations: Associations) -> Iterator[Subject]:
        """ServiceAccounts that pods run as, or wait for, and that are not there: asked once more of each."""
        for namespace, name in names:  # Start all reads before waiting for the first one.
            self.reads.account(namespace, name)
            self.reads.namespace_labels(namespace)
            self._begin_association((namespace, name), associations)
        for namespace, name in names:
            if self.reads.account(namespace, name).result() is None:
                yield Subject(
                    namespace,
                    name,
                    self.reads.namespace_labels(namespace).result(),
                    role=NO_ROLE,
                    pods=_of_namespace(pods, namespace),
                    association=self._association((namespace, name), associations),
                    events=NOT_ASKED,
                    lock=self.reads.lock_among_all(namespace, name),
                )

    def _subjects(
        self, accounts: list[ServiceAccount], pods: Pods, associations: Associations
    ) -> list[Subject]:
        asked = len(accounts) <= ASKED
        if not asked:
            self.reads.read_roles_ahead()
        begun = [Subject(account.namespace, account.name, account=account) for account in accounts]
        nodes = self._nodes(pods, {(account.namespace, account.name) for account in accounts})
        for subject in begun:  # Start all reads before waiting for the first one.
            _begin(self.reads, subject.namespace, subject.name)
            self._role(subject)
            self._begin_association((subject.namespace, subject.name), associations)
            if asked:
                self._events(subject)
        subjects = []
        for subject in begun:
            association = self._association((subject.namespace, subject.name), associations)
            lock = self.reads.lock_among_all(subject.namespace, subject.name)
            whole = self._whole(subject, _of_namespace(pods, subject.namespace), nodes, association, lock)
            subjects.append(replace(whole, events=self._events(subject).result() if asked else NOT_ASKED))
        return subjects

    def _whole(
        self,
        subject: Subject,
        pods: Pods,
        nodes: Future[Nodes],
        association: Association | Unreadable | None,
        lock: SeenLock | Unreadable | None,
    ) -> Subject:
        """The subject with all that was read of it and around it, except for calls of STS."""
        begun = _begin(self.reads, subject.namespace, subject.name)
        results = {name: future.result() for name, future in begun.items()}
        role = self._role(subject).result()
        known = nodes.result()
        whole = replace(subject, pods=pods, nodes=known, association=association, lock=lock, role=role)
        whole = replace(whole, **results)
        account = subject.account
        if not isinstance(association, Association) or not isinstance(account, ServiceAccount):
            return whole
        if account.annotations.get(ROLE_ARN_ANNOTATION):
            return whole
        # The webhook ignores an empty annotation next to an association.
        rest = {key: value for key, value in account.annotations.items() if key != ROLE_ARN_ANNOTATION}
        return replace(whole, account=replace(account, annotations=rest))

    def _nodes(self, pods: Pods, using: Collection[Names]) -> Future[Nodes]:
        known_pods = () if isinstance(pods, Unreadable) else pods
        mine = [pod for pod in known_pods if (pod.namespace, pod.service_account) in using]
        return self.reads.nodes(tuple(node_names(mine)))

    def _begin_association(self, names: Names, associations: Associations) -> None:
        if isinstance(associations, dict) and names in associations:
            self.reads.association(*names)

    def _association(self, names: Names, associations: Associations) -> Association | Unreadable | None:
        if isinstance(associations, Unreadable) or names not in associations:
            return associations if isinstance(associations, Unreadable) else None
        return self.reads.association(*names).result()

    def _cluster(self) -> Facts:
        results = {name: future.result() for name, future in self.reads.of_cluster().items()}
        if isinstance(results["webhook_arguments"], Unreadable):
            del results["webhook_arguments"]
        return Facts(self.connection.cluster, datetime.now(timezone.utc), self.reach, **results)

    def _role(self, subject: Subject) -> Future[Role | Unreadable | None]:
        """Begin to read the annotation's role, and the provider in its account."""
        failed: Future[Role | Unreadable | None] = Future()
        try:
            arn = subject.role_arn()
        except CannotTell as error:
            failed.set_result(Unreadable(error.why, follows=error.follows))
            return failed
        self.reads.provider(arn.account)
        return self.reads.role(str(arn))
