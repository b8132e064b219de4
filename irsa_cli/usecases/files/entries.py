"""Entries as `irsa apply` runs them in one cluster: the desired state of each.

An entry without a full role name means the role that irsa manages for the ServiceAccount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TypeVar

from irsa_cli.aws import iam as reading
from irsa_cli.aws.cluster import describe
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.binding.spec import BindingSpec, DesiredState, Options, desired_state_of
from irsa_cli.core.config.model import BindingEntry, OtherCluster
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, Unreadable, unless_denied
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.files.targets import Place, Request
from irsa_cli.usecases.read.reads import WORKERS
from irsa_cli.usecases.read.snapshot import Snapshot

Entry = tuple[BindingEntry, DesiredState]
"""An entry of a file, and the state that it desires."""


@dataclass(frozen=True)
class Entries:
    """The entries of one cluster, and what is there of it."""

    place: Place
    request: Request
    connection: Connection
    snapshot: Snapshot
    settings: Settings

    def desired_states(self) -> list[DesiredState | IrsaError]:
        with suppress(IrsaError):
            _ = self._issuers  # Looked up once, before several threads ask for them.
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(self._desired, self.place.bindings))

    def _desired(self, binding: BindingEntry) -> DesiredState | IrsaError:
        cluster = self.connection.cluster
        try:
            spec = self.request.boundaries.bound(with_issuers(binding, self._issuers))
            spec = self.settings.git.bound(spec)
            account = self.snapshot.account(spec.namespace, spec.name, needed=not spec.role_only)
            present = account.annotations.get(ROLE_ARN_ANNOTATION, "") if account is not None else ""
            if spec.pod_identity and not spec.web_identity:
                association = self.snapshot.association(spec.namespace, spec.name)
                present = association.role_arn if association is not None else present
            spec, options = with_kept_role(self.connection, spec, present), self._options(spec)
            try:
                return desired_state_of(spec, cluster, options)
            except Refused:  # By IAM's default quota; the account's own may be higher.
                return desired_state_of(spec, cluster, options, self.snapshot.trust_quota)
        except IrsaError as error:
            return error

    def _options(self, binding: BindingEntry) -> Options:
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
        every = chain.from_iterable(binding.clusters for binding in self.place.bindings)
        unknown = {cluster for cluster in every if not cluster.issuer}
        return {cluster: self._issuer(cluster.name, cluster.region) for cluster in unknown}

    def _issuer(self, name: str, region: str) -> str:
        target = self.place.target
        aws = self.connection.aws
        if region and region != aws.region:
            aws = AwsSession(
                profile=target.profile,
                region=region,
                assume_role=target.assume_role,
                log=self.connection.wire_log,
            )
        return describe(aws, name).cluster.issuer


def with_issuers(binding: BindingEntry, issuers: Mapping[OtherCluster, str]) -> BindingEntry:
    """The entry with the issuers of its further clusters.

    Raises `InvalidInput` for a cluster whose issuer is unknown.
    """
    known = {cluster: cluster.issuer or issuers.get(cluster, "") for cluster in binding.clusters}
    for cluster, issuer in known.items():
        if not issuer:
            raise InvalidInput(f"{binding.where}: the issuer of cluster {cluster.name} is not known")
    return replace(binding, issuers=tuple(known.values()))


def by_role(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Those that use the same role one after the other: IAM has no conditional write for trust policies."""
    return _grouped(entries, lambda desired: desired.role_arn)


def by_target(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The same of those that write the trust policy of one target role."""

    def written(desired: DesiredState) -> str:
        if desired.update_target_trust and desired.chain is not None:
            return desired.chain.target_arn
        return desired.role_arn

    return _grouped(entries, written)


def _grouped(entries: Iterable[Entry], key: Callable[[DesiredState], str]) -> list[list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for binding, desired in entries:
        groups.setdefault(key(desired), []).append((binding, desired))
    return list(groups.values())


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
    name = arn.name
    path = arn.resource.removeprefix("role").removesuffix(arn.name)
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
