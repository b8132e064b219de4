"""`irsa doctor`: observe a binding once, then judge every cause by it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from irsa_cli.core.doctor.causes.cluster import node_names
from irsa_cli.core.doctor.clues.usage import Names, Seen, namesakes
from irsa_cli.core.doctor.commands import of_account
from irsa_cli.core.doctor.diagnosis import Diagnosis, Examined, examined, having, judge, undecided
from irsa_cli.core.doctor.facts import Facts, NodeMetadata, Subject
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.doctor.subjects import listed
from irsa_cli.core.objects.aws import Association, Role, TrailEvent
from irsa_cli.core.objects.kinds import Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Reach
from irsa_cli.core.values.issuer import provider_arn
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.doctor.further_reads import absent, account_named, judged, with_iam, with_refusals
from irsa_cli.usecases.doctor.in_pod import InPod, look_inside
from irsa_cli.usecases.doctor.reads import WORKERS, DoctorReads
from irsa_cli.usecases.read.readable import check_namespace
from irsa_cli.usecases.read.users_of_pods import account_used

Pods = tuple[Pod, ...] | Unreadable
Nodes = Mapping[str, NodeMetadata] | Unreadable
Associations = dict[Names, Association] | Unreadable
"""Those of the cluster, without their roles."""
NO_ROLE = Unreadable("the ServiceAccount has no role", follows=True)
NAMESAKES = 3
"""In how many other namespaces pods of a ServiceAccount of the same name are looked for."""
BY_ASSOCIATION = "the list of EKS Pod Identity associations"
BY_ROLE = "the list of IAM roles"
BY_POD = "the list of pods"
BY_EVENT = "the list of pods that wait for a missing ServiceAccount"
BY_ANSWER = "the history of STS calls"
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
        if request.kind:
            return _of_user(doctor, request)
        if request.name:
            return doctor.one(request.namespace, request.name)
        return doctor.all(request.namespace, request.selector)


def _of_user(doctor: _Doctor, request: Request) -> Diagnosis:
    what = f"{request.kind.removesuffix('s')} {request.name}"
    name = account_used(doctor.connection, request.kind, request.namespace, request.name)
    found = doctor.one(request.namespace, name)
    return replace(found, notes=(f"{what} uses ServiceAccount {request.namespace}/{name}", *found.notes))


def _hidden(found: Mapping[str, object]) -> dict[str, str]:
    """The unreadable ones among the things that were read, each with a sentence that says why."""
    hidden = {what: item for what, item in found.items() if isinstance(item, Unreadable)}
    return {what: f"{what} is not known: {item.why}" for what, item in hidden.items()}


def _of_namespace(pods: Pods, namespace: str) -> Pods:
    return pods if isinstance(pods, Unreadable) else tuple(pod for pod in pods if pod.namespace == namespace)


def _as_heeded(subject: Subject) -> Subject:
    """The subject without an empty annotation next to an association: the webhook ignores it."""
    account = subject.account
    if not isinstance(subject.association, Association) or not isinstance(account, ServiceAccount):
        return subject
    if account.annotations.get(ROLE_ARN_ANNOTATION, "") != "":
        return subject
    rest = {key: value for key, value in account.annotations.items() if key != ROLE_ARN_ANNOTATION}
    return replace(subject, account=replace(account, annotations=rest))


@dataclass(frozen=True)
class _Doctor:
    connection: Connection
    reads: DoctorReads
    reach: Reach
    in_pod: InPod | None = None

    def one(self, namespace: str, name: str) -> Diagnosis:
        """One ServiceAccount, with everything that can be known of it."""
        reads = self.reads
        self._begin_cluster()
        account = reads.account(namespace, name)
        labels, pods = reads.namespace_labels(namespace), reads.pods(namespace)
        probe, association = reads.probe(namespace, name), reads.association(namespace, name)
        policies, lock = reads.network_policies(namespace), reads.lock(namespace, name)
        subject = Subject(namespace, name, account=account.result(), role=NO_ROLE)
        events = self._events(subject)
        role = self._role(subject)
        facts = self._cluster()
        subject = replace(
            subject,
            role=role,
            namespace_labels=labels.result(),
            pods=pods.result(),
            nodes=self._nodes(pods.result(), {(namespace, name)}).result(),
            probe=probe.result(),
            association=association.result(),
            network_policies=policies.result(),
            events=events.result(),
            lock=lock.result(),
        )
        facts = self._with_elsewhere(replace(facts, subject=_as_heeded(subject)))
        facts = with_refusals(reads, with_iam(reads, facts))
        if self.in_pod is not None:  # After all reads: none of them may see this pod.
            inside = look_inside(self.connection.kube, facts.named, self.in_pod)
            facts = replace(facts, subject=replace(facts.named, inside=inside))
        facts, findings = judged(reads, facts)
        notes = tuple(self._other_account(facts, findings))
        return Diagnosis(self.connection.cluster, findings, examined(facts, findings), notes=notes)

    def _other_account(self, facts: Facts, findings: tuple[Finding, ...]) -> Iterator[str]:
        subject = facts.named
        account = self._unread(subject, findings)
        if account:
            verify = of_account(facts, "verify", subject)
            yield (
                f"irsa did not read the role, which is in account {account}: pass --iam-assume-role with a"
                f" role of that account, or test the token exchange: {verify}"
            )
        association = subject.association
        target = association.target_role_arn if isinstance(association, Association) else ""
        if target and not self.reads.reads(Arn.parse(target).account):
            yield (
                "irsa did not read the association's target role: pass --iam-assume-role with a role of"
                f" account {Arn.parse(target).account}"
            )

    def _unread(self, subject: Subject, findings: tuple[Finding, ...]) -> str:
        """The account of the annotation's role, if that is not read; '' for one that is named by mistake."""
        account = account_named(subject)
        wrong = {item.cause.id for item in having(findings, Verdict.PROBLEM)}
        return "" if not account or self.reads.reads(account) or "annotation-account" in wrong else account

    def _other_accounts(
        self, namespace: str, subjects: list[Subject], found: tuple[Examined, ...]
    ) -> Iterator[str]:
        unread: dict[str, list[str]] = {}
        for subject, item in zip(subjects, found, strict=True):
            account = self._unread(subject, item.findings)
            if account:
                unread.setdefault(account, []).append(subject.full_name)
        where = f" -n {namespace}" if namespace else ""
        verify = self.reach.for_irsa(f"verify --all{where}" if where else "verify -A")
        for account, names in unread.items():
            yield (
                f"irsa did not read account {account} (roles of {listed(names)}): pass --iam-assume-role with"
                f" a role of that account, or test the token exchanges: {verify}"
            )

    def _events(self, subject: Subject) -> Future[tuple[TrailEvent, ...] | Unreadable]:
        account = account_named(subject) or self.connection.cluster.home
        return self.reads.events(subject.namespace, subject.name, account)

    def _with_elsewhere(self, facts: Facts) -> Facts:
        """The facts with the pods of namesakes in other namespaces, where nobody uses this ServiceAccount."""
        reads = [self.reads.pods(namespace) for namespace in namesakes(facts)[:NAMESAKES]]
        read = [pods for pods in (future.result() for future in reads) if isinstance(pods, tuple)]
        found = tuple(pod for pods in read for pod in pods if pod.service_account == facts.named.name)
        return replace(facts, subject=replace(facts.named, elsewhere=found))

    def all(self, namespace: str, selector: str = "") -> Diagnosis:
        """The cluster, and every ServiceAccount that has a role or should. Raises `Refused`."""
        self._begin_cluster()
        if namespace:
            check_namespace(self.connection, namespace)
        chosen = self.reads.selected(namespace, selector) if selector else None
        pods, associations = self.reads.pods(namespace or None), self.reads.associations()
        roles = self.reads.roles()
        self.reads.locks()
        facts = replace(self._cluster(), within=namespace)
        findings = judge(facts)
        whole = Diagnosis(self.connection.cluster, findings, undecided=undecided(facts, findings))
        if isinstance(facts.accounts, Unreadable):
            note = f"irsa could not list the ServiceAccounts: {facts.accounts.why}"
            return replace(whole, listed=False, notes=(note,))
        of_cluster = self.connection.cluster
        associated = associations.result()
        seen = Seen(
            facts.accounts,
            pods.result(),
            roles.result(),
            provider_arn(of_cluster.partition, of_cluster.home, of_cluster.issuer),
            frozenset(associated) if isinstance(associated, dict) else frozenset(),
        )
        lost = (*seen.lost(), *seen.allowed(facts))
        wanted = [
            item
            for item in facts.accounts
            # Charts write an empty annotation where no role is set.
            if (item.annotations.get(ROLE_ARN_ANNOTATION) or item in lost or seen.has_association(item))
            and namespace in ("", item.namespace)
            and (chosen is None or (item.namespace, item.name) in chosen)
        ]
        waited_for = absent(self.reads, seen, namespace)
        gone = {*seen.orphaned(), *(waited_for if isinstance(waited_for, tuple) else ())}
        subjects = self._subjects(wanted, pods.result(), associated)
        if chosen is None:  # A missing ServiceAccount has no labels.
            subjects += self._gone(sorted(gone), pods.result(), associated)
        known = {item.cause.id for item in having(findings, Verdict.PROBLEM)}
        with ThreadPoolExecutor(WORKERS) as pool:
            accounts = tuple(pool.map(lambda subject: self._examine(facts, subject, known), subjects))
        hidden = _hidden(
            {BY_ASSOCIATION: associated, BY_ROLE: seen.roles, BY_POD: seen.pods, BY_EVENT: waited_for}
            | ({BY_ANSWER: NOT_ASKED} if len(wanted) > ASKED else {})
        )
        notes = (*hidden.values(), *self._other_accounts(namespace, subjects, accounts))
        return replace(whole, accounts=accounts, unread=tuple(hidden), notes=notes)

    def _examine(self, facts: Facts, subject: Subject, known: set[str]) -> Examined:
        """One of many: what is wrong with the cluster as a whole (`known`) is not said again."""
        facts = with_iam(self.reads, self._with_elsewhere(replace(facts, subject=subject)))
        facts, findings = judged(self.reads, with_refusals(self.reads, facts))
        deciding = {item.cause.id for item in undecided(facts, findings)}
        deciding |= {item.cause.id for item in having(findings, Verdict.PROBLEM)} - known
        # Results that are right or wait for others are only for a named ServiceAccount.
        untold = having(findings, Verdict.UNKNOWN)
        deciding |= {it.cause.id for it in untold if not (it.judgement.follows or it.cause.of_cluster)}
        own = (item for item in findings if item.cause.id in deciding)
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
        events = NOT_ASKED if len(accounts) > ASKED else None
        if events:
            self.reads.read_roles_ahead()
        nodes = self._nodes(pods, {(item.namespace, item.name) for item in accounts})
        for item in accounts:  # Start all reads before waiting for the first one.
            self.reads.namespace_labels(item.namespace)
            self.reads.probe(item.namespace, item.name)
            self.reads.network_policies(item.namespace)
            subject = Subject(item.namespace, item.name, account=item)
            self._begin_role(subject)
            self._begin_association((item.namespace, item.name), associations)
            if events is None:
                self._events(subject)
        found = (self._subject(item, pods, nodes, associations) for item in accounts)
        return [_as_heeded(replace(item, events=events or self._events(item).result())) for item in found]

    def _subject(
        self, account: ServiceAccount, pods: Pods, nodes: Future[Nodes], associations: Associations
    ) -> Subject:
        namespace, name = account.namespace, account.name
        return Subject(
            namespace,
            name,
            account=account,
            namespace_labels=self.reads.namespace_labels(namespace).result(),
            role=self._role(Subject(namespace, name, account=account)),
            pods=_of_namespace(pods, namespace),
            nodes=nodes.result(),
            probe=self.reads.probe(namespace, name).result(),
            association=self._association((namespace, name), associations),
            network_policies=self.reads.network_policies(namespace).result(),
            lock=self.reads.lock_among_all(namespace, name),
        )

    def _nodes(self, pods: Pods, using: Collection[Names]) -> Future[Nodes]:
        found = () if isinstance(pods, Unreadable) else pods
        mine = [pod for pod in found if (pod.namespace, pod.service_account) in using]
        return self.reads.nodes(tuple(node_names(mine)))

    def _begin_association(self, names: Names, associations: Associations) -> None:
        if isinstance(associations, dict) and names in associations:
            self.reads.association(*names)

    def _association(self, names: Names, associations: Associations) -> Association | Unreadable | None:
        if isinstance(associations, Unreadable) or names not in associations:
            return associations if isinstance(associations, Unreadable) else None
        return self.reads.association(*names).result()

    def _begin_cluster(self) -> dict[str, Future[Any]]:
        reads = self.reads
        return {
            "provider": reads.provider(self.connection.cluster.home),
            "providers": reads.provider_arns(),
            "quotas": reads.quotas(),
            "eks": reads.eks(),
            "sts_endpoints": reads.vpc_endpoints("sts"),
            "published_keys": reads.published_keys(),
            "cluster_keys": reads.cluster_keys(),
            "accounts": reads.accounts(),
            "webhooks": reads.webhooks(),
            "webhook_arguments": reads.webhook_arguments(),
        }

    def _cluster(self) -> Facts:
        found = {name: future.result() for name, future in self._begin_cluster().items()}
        if isinstance(found["webhook_arguments"], Unreadable):
            del found["webhook_arguments"]
        return Facts(self.connection.cluster, datetime.now(timezone.utc), self.reach, **found)

    def _begin_role(self, subject: Subject) -> None:
        with suppress(CannotTell):
            arn = subject.role_arn()
            self.reads.role(str(arn))
            self.reads.provider(arn.account)

    def _role(self, subject: Subject) -> Role | Unreadable | None:
        try:
            arn = subject.role_arn()
        except CannotTell as error:
            return Unreadable(error.why, follows=error.follows)
        return self.reads.role(str(arn)).result()
