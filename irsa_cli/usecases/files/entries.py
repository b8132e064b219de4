"""Entries as `irsa apply` runs them in one cluster: the desired state of each, and the shared parts.

An entry without a full role name means the role that irsa manages for the ServiceAccount. The shared parts,
OIDC provider and namespaces, are one transaction that ends last; `irsa recover` finds the open journal of a
killed run. At its end, namespaces that nothing needs are rolled back; the provider stays, as the file asks
for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from irsa_cli.aws import iam as reading
from irsa_cli.aws.cluster import describe
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.binding.spec import BindingSpec, DesiredState, Options, desired_state_of
from irsa_cli.core.config.model import Binding, OtherCluster
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.planning.create import satisfies
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import Conflict, InvalidInput, IrsaError, Refused, Unreadable, unless_denied
from irsa_cli.transaction.journal import Journal
from irsa_cli.transaction.protocol import RunReport
from irsa_cli.transaction.runner import Transaction
from irsa_cli.usecases.command import execute
from irsa_cli.usecases.command.caller import written_target
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Note, RunGroup
from irsa_cli.usecases.files.targets import Place, Request
from irsa_cli.usecases.read.reads import WORKERS
from irsa_cli.usecases.read.snapshot import Snapshot


@dataclass(frozen=True)
class Entries:
    """The entries of one cluster, and what is there of it."""

    place: Place
    request: Request
    connection: Connection
    snapshot: Snapshot

    def desired_states(self) -> list[DesiredState | IrsaError]:
        with suppress(IrsaError):
            _ = self._issuers  # Looked up once, before several threads ask for them.
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(self._desired, self.place.bindings))

    def _desired(self, binding: Binding) -> DesiredState | IrsaError:
        cluster = self.connection.cluster
        try:
            spec = self.request.boundaries.bound(with_issuers(binding, self._issuers))
            account = self.snapshot.account(spec.namespace, spec.name, needed=not spec.role_only)
            present = account.annotations.get(ROLE_ARN_ANNOTATION, "") if account is not None else ""
            if spec.pod_identity and not spec.web_identity:
                given = self.snapshot.association(spec.namespace, spec.name)
                present = given.role_arn if given is not None else present
            spec, options = with_kept_role(self.connection, spec, present), self._options(spec)
            try:
                return desired_state_of(spec, cluster, options)
            except Refused:  # By IAM's default quota; the account's own may be higher.
                return desired_state_of(spec, cluster, options, self.snapshot.trust_quota)
        except IrsaError as error:
            return error

    def _options(self, binding: Binding) -> Options:
        """The options of the run for one entry, without those that don't concern it."""
        return Options(
            override=self.request.override,
            force=self.request.force,
            allow_wide_trust=self.request.allow_wide_trust,
            update_trust=self.request.update_trust and bool(binding.attach_role_arn),
            update_target_trust=self.request.update_target_trust and bool(binding.target_role),
            gated=self.request.verify and not binding.role_only and not binding.pod_identity,
        )

    @cached_property
    def _issuers(self) -> dict[OtherCluster, str]:
        others = {item for binding in self.place.bindings for item in binding.clusters if not item.issuer}
        return {item: self._issuer(item.name, item.region) for item in others}

    def _issuer(self, name: str, region: str) -> str:
        target, aws = self.place.target, self.connection.aws
        if region and region != aws.region:
            aws = AwsSession(
                profile=target.profile,
                region=region,
                assume_role=target.assume_role,
                log=self.connection.wire_log,
            )
        return describe(aws, name).cluster.issuer


def with_issuers(binding: Binding, issuers: Mapping[OtherCluster, str]) -> Binding:
    """The entry with the issuers of its further clusters.

    Raises `InvalidInput` for a cluster whose issuer is unknown.
    """
    found = {cluster: cluster.issuer or issuers.get(cluster, "") for cluster in binding.clusters}
    for cluster, issuer in found.items():
        if not issuer:
            raise InvalidInput(f"{binding.where}: the issuer of cluster {cluster.name} is not known")
    return replace(binding, issuers=tuple(found.values()))


def by_role(items: Iterable[tuple[Binding, DesiredState]]) -> list[list[tuple[Binding, DesiredState]]]:
    """Those that use the same role one after the other: IAM has no conditional write for trust policies."""
    return _by(items, lambda desired: desired.role_arn)


def by_target(items: Iterable[tuple[Binding, DesiredState]]) -> list[list[tuple[Binding, DesiredState]]]:
    """The same of those that write the trust policy of one target role."""

    def written(desired: DesiredState) -> str:
        writes = desired.update_target_trust and desired.chain is not None
        return desired.chain.target_arn if writes and desired.chain is not None else desired.role_arn

    return _by(items, written)


def _by(
    items: Iterable[tuple[Binding, DesiredState]], key: Callable[[DesiredState], str]
) -> list[list[tuple[Binding, DesiredState]]]:
    found: dict[str, list[tuple[Binding, DesiredState]]] = {}
    for item in items:
        found.setdefault(key(item[1]), []).append(item)
    return list(found.values())


Spec = TypeVar("Spec", bound=BindingSpec)


def with_kept_role(connection: Connection, spec: Spec, present: str) -> Spec:
    """The spec with the name and path of the ServiceAccount's role (its ARN), if the spec has none.

    The default role needs no call.
    """
    if spec.attach_role_arn:
        return spec
    kept = _with_present_role(connection, spec, present) if present else spec
    if kept is not spec or not spec.role_name or spec.role_path:
        return kept
    if present.endswith(f":role{names.default_role_path(connection.cluster.name)}{spec.role_name}"):
        return spec
    # The spec with the path of its named role, if irsa manages that for the ServiceAccount.
    role = _own(connection, spec, spec.role_name)
    return spec if role is None else replace(spec, role_path=role.state.path)


def _with_present_role(connection: Connection, spec: Spec, present: str) -> Spec:
    cluster = connection.cluster
    try:
        arn = role_arn(present)
    except InvalidInput:
        return spec
    default = names.default_role_name(cluster.name, cluster.arn, spec.namespace, spec.name)
    name, path = arn.name, arn.resource.removeprefix("role").removesuffix(arn.name)
    meant = (spec.role_name or default, spec.role_path or names.default_role_path(cluster.name))
    compatible = spec.role_name in ("", name) and spec.role_path in ("", path)
    if (name, path) == meant or not compatible:
        return spec
    role = _own(connection, spec, name)
    return replace(spec, role_name=name, role_path=path) if role and role.arn == present else spec


def _own(connection: Connection, spec: BindingSpec, name: str) -> Role | None:
    role = unless_denied(lambda: reading.read_role(connection.iam, name))
    # A caller who may read only roles of irsa: this is none of them.
    if role is None or isinstance(role, Unreadable):
        return None
    return role if role.is_for(connection.cluster, str(spec)) else None


@dataclass
class SharedTransaction:
    """The transaction of the shared parts: `result` tells how far it has come, and how it ended at last."""

    result: Result
    _transaction: Transaction
    _journal: Journal
    _reached: execute.Reached
    _note: Note

    @classmethod
    def begin(cls, job: execute.Job) -> SharedTransaction:
        """Begin the transaction; raises `JournalError`. `end` must follow in any case."""
        settings, reached = job.settings, written_target(job.context.target)
        run = execute.new_run(settings)
        # The empty last stage says that doing all of the plan is not yet the end.
        journal = execute.open_journal(replace(job, plan=Plan((*job.plan.stages, ()))), run)
        try:
            transaction = execute.transaction_of(job, journal, run)
            with (settings.group or RunGroup()).holding(run):
                report = transaction.execute(ends_later=True)
        except BaseException:
            journal.close()
            raise
        result = execute.result_of_report(report, job.connection.cluster, run.transaction, settings, reached)
        return cls(result, transaction, journal, reached, settings.note)

    @property
    def is_whole(self) -> bool:
        """Whether others can build on it."""
        return self.result.ended is Ended.COMMITTED

    def release(self, desired: DesiredState) -> None:
        """Keep what this desired state needs: it was reached."""
        if self.is_whole:
            self._transaction.release(lambda change: satisfies(desired, change))

    def end(self, *, wholly: bool) -> None:
        """Roll back what nobody needs, and say so.

        `wholly`: all that builds on it is as desired, and needs all of it.
        """
        before = self.result.changes
        try:
            if self.is_whole:
                self._transaction.release(lambda change: wholly or change.kind.traits.for_all)
                self._tell(self._transaction.end(), wholly=wholly)
        finally:
            self._journal.close()
        gone = [
            f"{item.change.kind.value} {item.change.name}"
            for item, was in zip(self.result.changes, before, strict=True)
            if item.state == "undone" and was.state == "done"
        ]
        if gone:
            self._note(f"Rolled back, as nothing needs it: {', '.join(gone)}")

    def _tell(self, report: RunReport, *, wholly: bool) -> None:
        """The outcome: rolled back, committed, or (exit code 3) not rolled back completely."""
        # Objects that others have changed or use are needed.
        stuck = [item for item in report.leftovers if not isinstance(item.error, Conflict)]
        used = {id(item.change): item.error for item in report.leftovers if item not in stuck}
        states = {
            id(item.change): "done" if id(item.change) in used else item.state for item in report.changes
        }
        result = self.result
        result.changes = [replace(item, state=states[id(item.change)]) for item in result.changes]
        stays = [item for item in result.changes if item.state == "done"]
        if stuck:
            result.ended = Ended.INCOMPLETE
            result.error = IrsaError("the shared parts could not be rolled back completely")
            repairs = execute.Repairs(result.transaction, self._reached)
            result.left = [repairs.of(item) for item in stuck]
        elif not stays and any(item.state == "undone" for item in result.changes):
            result.ended = Ended.ROLLED_BACK
        if not wholly and stays:
            result.facts = {**result.facts, "stays": [_named(item, used) for item in stays]}


def _named(item: ChangeResult, used: Mapping[int, Exception]) -> dict[str, str]:
    change: Change = item.change
    why = "the files ask for it, for the whole cluster" if change.kind.traits.for_all else "it is needed"
    return {
        "what": f"{change.kind.value} {change.name}",
        "why": str(used[id(change)]) if id(change) in used else why,
    }
