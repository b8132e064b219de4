"""`irsa describe-sa`: one ServiceAccount with its role, trust, policies and pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from irsa_cli.aws import iam as reading
from irsa_cli.aws.iam import managed_policy, read_role
from irsa_cli.core.doctor.commands import Makers, makers_of
from irsa_cli.core.doctor.reported import RESOURCES, Maker, maker
from irsa_cli.core.inventory.bindings import (
    ListedBinding,
    ReadProvider,
    ReadRole,
    annotation_of,
    listed,
    named_role,
)
from irsa_cli.core.inventory.describe_document import (
    DescribedTarget,
    Description,
    PodIdentity,
    Policy,
    pods_of,
)
from irsa_cli.core.objects import kinds, service_accounts
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.rules import UnreadableNote, noted
from irsa_cli.core.plan.states import CONFIG_MAP_ANNOTATION
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.rbac.becoming import becoming_of, in_kubernetes
from irsa_cli.core.results.steps import StepStatus
from irsa_cli.core.trust.chain import aws_config, chain_of_notes
from irsa_cli.core.values.arn import Arn, is_role
from irsa_cli.core.values.errors import Refused, Unreadable, read
from irsa_cli.usecases.command.caller import naming_caller, reach_of
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.read.associations import Given, unread
from irsa_cli.usecases.read.bindings import about, naming_roles, with_documents
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.pod_identity import described
from irsa_cli.usecases.read.rbac import read_access, read_rbac
from irsa_cli.usecases.read.reads import Reads
from irsa_cli.usecases.verification.iam_steps import Link

WORKERS = 8
Names = Iterable[str] | Unreadable


@dataclass(frozen=True)
class Request:
    """The request; `documents`: include policy documents, `readers`: roles for other accounts."""

    target: Target
    namespace: str
    name: str
    documents: bool = False
    readers: tuple[str, ...] = ()
    ignore_not_found: bool = False


def describe(request: Request, log: WireLog) -> Description | None:
    """The description; None if it does not exist and may be missing. Raises `Refused`."""
    connection = connect(request.target, kube=True, log=log, check=lambda aws: None)
    with (
        naming_caller(connection.caller),
        Reads(connection, request.readers) as reads,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        return _Describing(connection, request, reads, pool).describe()


@dataclass(frozen=True)
class _Describing:
    connection: Connection
    request: Request
    reads: Reads
    pool: ThreadPoolExecutor

    def describe(self) -> Description | None:
        namespace = self.request.namespace
        kube = self.connection.kube
        self.reads.provider(self.connection.cluster.home)
        pods = self.pool.submit(read, lambda: tuple(map(kinds.pod, kube.pods(namespace))))
        rbac = self.pool.submit(read_rbac, kube)
        access = self.pool.submit(read_access, self.connection)
        asked_association = self.pool.submit(described, self.connection, namespace, self.request.name)
        account = self._account(asked_association)
        if account is None:
            return None
        description = self._with_role(account, asked_association)
        all_pods = pods.result()
        association = description.binding.association
        own: tuple[PodIdentity, ...] = ()
        alive = None
        if not isinstance(all_pods, Unreadable):
            own = pods_of(account, all_pods, association)
            alive = sum(pod.is_alive and pod.service_account == self.request.name for pod in all_pods)
        makers = self._makers(own)
        becoming = becoming_of(rbac.result(), access.result(), version=self.connection.version)
        return replace(
            description,
            pods=all_pods if isinstance(all_pods, Unreadable) else own,
            makers=makers,
            kubernetes=in_kubernetes(becoming, access.result(), namespace, self.request.name, alive),
            target=self._target(account),
            reach=reach_of(self.request.target),
        )

    def _makers(self, pods: Iterable[PodIdentity]) -> Makers:
        namespace = self.request.namespace
        kube = self.connection.kube

        def of_kind(kind: str) -> tuple[Maker, ...]:
            return tuple(maker(kind, body) for body in kube.workloads(namespace, RESOURCES[kind]))

        old = [identity.pod for identity in pods if identity.needs_restart]
        return makers_of(old, lambda kind: read(lambda: of_kind(kind)))

    def _target(self, account: ServiceAccount) -> DescribedTarget | None:
        injection = Injection.read(account.annotations)
        if not is_role(injection.role_arn):
            return None
        try:
            chain = chain_of_notes(injection.role_arn, injection.notes)
            config_map = noted(injection.notes, CONFIG_MAP_ANNOTATION)
        except UnreadableNote as error:
            why = f"{error.message}: {error.reason}"
            return DescribedTarget("", "", "", "", (("annotation", StepStatus.NOT_CHECKED.value, why),))
        if chain is None:
            return None
        checks = Link.read(self.connection, chain).checks()
        return DescribedTarget(
            chain.target_arn,
            chain.external_id,
            aws_config(chain, self.connection.cluster.region),
            config_map,
            tuple((check.what, check.status.value, check.text) for check in checks),
        )

    def _account(self, asked_association: Future[Given]) -> ServiceAccount | None:
        namespace = self.request.namespace
        name = self.request.name
        body = self.connection.kube.service_account(namespace, name)
        account = None if body is None else service_accounts.service_account(body)
        if account is not None and annotation_of(account) is not None:
            return account
        association, _ = asked_association.result()
        if account is not None and not isinstance(association, Unreadable) and association:
            return account
        if not self.request.ignore_not_found:
            named_account = NamedServiceAccount(self.connection, namespace, name)
            try:
                if account is None:
                    raise named_account.missing()
                named_account.settings_with_role()
            except Refused as error:
                if isinstance(association, Unreadable):
                    error = error.but(details=(*error.details, unread(association)))
                raise naming_roles(error, self.connection, namespace, name) from error
        return None

    def _with_role(self, account: ServiceAccount, asked_association: Future[Given]) -> Description:
        cluster = self.connection.cluster
        arn = named_role(account)
        if annotation_of(account) is None:
            theirs = _theirs(account, asked_association)
            text = theirs.role_arn if isinstance(theirs, Association) else ""
            arn = Arn.parse(text) if text else None
        if arn is None:
            return Description(cluster, account, self._judged(account, None, None, asked_association))
        its_arn = arn
        self.reads.provider(arn.account)
        attached = self._begin(
            lambda: reading.attached_policies(self.reads.iam(its_arn.account), its_arn.name)
        )
        inline = self._begin(
            lambda: reading.inline_policy_names(self.reads.iam(its_arn.account), its_arn.name)
        )
        role = read(lambda: read_role(self.reads.iam(its_arn.account), its_arn.name))
        provider: ReadProvider = read(lambda: self.reads.provider(its_arn.account).result())
        names = _both(attached.result(), inline.result())
        binding = self._judged(account, _bound(role, names), provider, asked_association)
        description = Description(cluster, account, binding, now=datetime.now(timezone.utc))
        if not isinstance(role, Role):
            return description
        description = replace(description, policies=_policies(names))
        boundary = role.boundary
        if boundary:
            description = replace(description, boundary=Policy(boundary.rsplit("/", 1)[-1], boundary))
        return self._with_documents(description, arn) if self.request.documents else description

    def _judged(
        self,
        account: ServiceAccount,
        role: ReadRole,
        provider: ReadProvider,
        asked_association: Future[Given],
    ) -> ListedBinding:
        names = (account.namespace, account.name)
        binding = about(self.connection.cluster, names, account, _theirs(account, asked_association))
        binding = with_documents(self.reads, replace(binding, role=role, provider=provider))
        return listed(binding, datetime.now(timezone.utc), asked_association.result()[1])

    def _begin(self, ask: Callable[[], Iterable[str]]) -> Future[Names]:
        return self.pool.submit(read, ask)

    def _with_documents(self, description: Description, arn: Arn) -> Description:
        policies = () if isinstance(description.policies, Unreadable) else description.policies
        to_read = (*policies, description.boundary) if description.boundary else policies
        read_ones = tuple(self.pool.map(lambda policy: self._with_document(policy, arn), to_read))
        if not isinstance(description.policies, Unreadable):
            description = replace(description, policies=read_ones[: len(policies)])
        return replace(description, boundary=read_ones[-1]) if description.boundary else description

    def _with_document(self, policy: Policy, arn: Arn) -> Policy:
        def work() -> Document | None:
            iam = self.reads.iam(arn.account)
            if policy.arn:
                return managed_policy(iam, policy.arn)
            return reading.inline_policy(iam, arn.name, policy.name)

        return replace(policy, document=read(work))


def _theirs(account: ServiceAccount, asked_association: Future[Given]) -> Association | Unreadable | None:
    associations, _ = asked_association.result()
    return (
        associations
        if isinstance(associations, Unreadable)
        else associations.get((account.namespace, account.name))
    )


def _both(attached: Names, inline: Names) -> tuple[list[str], list[str]] | Unreadable:
    if isinstance(attached, Unreadable):
        return attached
    return inline if isinstance(inline, Unreadable) else (sorted(attached), sorted(inline))


def _bound(role: Role | Unreadable | None, names: tuple[list[str], list[str]] | Unreadable) -> ReadRole:
    if not isinstance(role, Role):
        return role
    if isinstance(names, Unreadable):
        return replace(role, unread=names.why)
    attached, inline = names
    return replace(role, attached=frozenset(attached), listed_inline=frozenset(inline))


def _policies(names: tuple[list[str], list[str]] | Unreadable) -> tuple[Policy, ...] | Unreadable:
    if isinstance(names, Unreadable):
        return names
    return (*(Policy(arn.rsplit("/", 1)[-1], arn) for arn in names[0]), *map(Policy, names[1]))
