"""Configuration files: what they say together, their clusters and accounts, next steps in terms of files."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.config.model import BindingEntry, Config, Selection
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.transaction.reading import prune
from irsa_cli.usecases.command.connect import Target
from irsa_cli.usecases.command.parallel import PARALLEL, Pace
from irsa_cli.usecases.command.settings import RunGroup, Settings

T = TypeVar("T")
Tell = Callable[[Item], None]
"""Hears of each item when it has ended."""

OF_PLACES = ("role_account", "role_assume_role", "role_profile", "target_assume_role", "target_profile")
"""Fields of entries that are also options of a target: accounts and how to reach them."""


@dataclass(frozen=True)
class Place:
    """One cluster with one account for roles; `bindings` are selected, `names` those of all entries."""

    target: Target
    bindings: tuple[BindingEntry, ...]
    names: frozenset[str]
    with_oidc: bool
    homes: tuple[str, ...] = ("",)
    """The accounts of roles of all places of the cluster; '' stands for the cluster's own."""

    @property
    def cluster(self) -> Cluster:
        """The cluster as the files name it, before it is reached: what is unknown is ''."""
        target = self.target
        return Cluster(target.cluster, "", target.region or "", "", target.expect_account, "")

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, region and name of the cluster: together as good as its ARN."""
        return (self.target.expect_account, self.target.region or "", self.target.cluster)

    def not_begun(self) -> list[NotBegun]:
        """The ServiceAccounts of a cluster that was not reached."""
        return [NotBegun(self.cluster, str(binding), self.cluster.full_name) for binding in self.bindings]

    @property
    def home(self) -> str:
        """The account of its roles; '' for the cluster's own."""
        return self.target.role_account or ""

    @property
    def arns(self) -> list[str]:
        """Those of policies and roles that the selected ones name."""
        return [
            arn
            for binding in self.bindings
            for arn in (
                *binding.policies,
                binding.permissions_boundary,
                binding.attach_role_arn,
                binding.target_role,
            )
            if arn
        ]


def places(configs: Sequence[Config], target: Target, selection: Selection) -> list[Place]:
    """The clusters of the files; raises `InvalidInput` if one is unknown.

    Entries with roles in different accounts are in different places of one cluster.
    """
    clusters = _clusters(target, configs)
    documents = [_Document(config, cluster) for config, cluster in zip(configs, clusters, strict=True)]
    parts = [part for document in documents for part in document.parts()]
    every = [binding for config in configs for binding in config.bindings]
    selected = {id(binding) for binding in selection.of(every)}
    homes = dict.fromkeys(part.home for part in parts)
    every_place = [_place(home, documents, parts, selected) for home in homes]
    return [place for place in every_place if selection.shard is None or selection.shard.has(*place.key)]


def _place(
    home: Target, documents: Sequence[_Document], parts: Sequence[_Part], selected: Container[int]
) -> Place:
    """The place of a home; `selected` are the ids of the bindings that are selected."""
    here = [part for part in parts if part.home == home]
    cluster = here[0].document.cluster
    accounts = [part.home.role_account or "" for part in parts if part.document.cluster == cluster]
    return Place(
        home,
        tuple(binding for part in here for binding in part.bindings if id(binding) in selected),
        frozenset().union(*(document.names for document in documents if document.may_be_in(home))),
        any(part.document.config.with_oidc for part in here),
        tuple(dict.fromkeys(accounts)),
    )


@dataclass(frozen=True)
class _Part:
    """The entries of a document whose roles are in one account, which `home` reaches."""

    document: _Document
    home: Target
    bindings: Sequence[BindingEntry]


@dataclass(frozen=True)
class _Document:
    """A document of the files with the cluster that it is about."""

    config: Config
    cluster: Target

    @property
    def names(self) -> frozenset[str]:
        """The ServiceAccounts of its entries, as `namespace/name`."""
        return frozenset(map(str, self.config.bindings))

    def parts(self) -> list[_Part]:
        """Its entries by the account of their roles; also one for the account that only its defaults name."""
        bindings: dict[Target, list[BindingEntry]] = {}
        for binding in self.config.bindings:
            bindings.setdefault(_home(self.cluster, binding, binding.where), []).append(binding)
        accounts = self.config.accounts
        defaults = BindingEntry("", "", **{key: accounts[key] for key in OF_PLACES if key in accounts})
        if not bindings or defaults != BindingEntry("", ""):
            bindings.setdefault(_home(self.cluster, defaults, self.config.where), [])
        return [_Part(self, home, entries) for home, entries in bindings.items()]

    def may_be_in(self, place: Target) -> bool:
        """Whether it may be about the same cluster; a document without an account may mean any."""
        if (self.cluster.cluster, self.cluster.region) != (place.cluster, place.region):
            return False
        accounts = {self.cluster.expect_account, place.expect_account}
        return "" in accounts or len(accounts) == 1


def _clusters(target: Target, configs: Sequence[Config]) -> list[Target]:
    """The cluster of each document, with the account that any document names for it."""
    clusters = [_where(target, config) for config in configs]
    with_account: dict[Target, Target] = {}
    for cluster in clusters:
        before = with_account.setdefault(cluster, cluster)
        if before.expect_account and cluster.expect_account not in ("", before.expect_account):
            raise InvalidInput(
                f"{cluster.expected_by} says that {cluster.cluster} is in account {cluster.expect_account}",
                reason=f"{before.expected_by} says {before.expect_account}",
            )
        if cluster.expect_account:
            with_account[cluster] = cluster
    return [with_account[cluster] for cluster in clusters]


def begun(configs: Sequence[Config], selection: Selection) -> AppliedList:
    done = AppliedList(notices=[notice for config in configs for notice in config.notices])
    if shard := selection.shard:
        asked = [
            f"{config.account}/{config.region}/{config.cluster}/{binding}"
            for config in configs
            for binding in config.bindings
        ]
        whole = json.dumps([sorted(asked), selection.include, selection.exclude])
        # It tells whether two shards are of the same files.
        digest = hashlib.sha256(whole.encode()).hexdigest()
        done.shard = {"index": shard.index, "total": shard.total, "files": f"sha256:{digest}"}
    return done


def finished(
    done: AppliedList, settings: Settings, pace: Pace, group: RunGroup, max_failures: int | None
) -> AppliedList:
    """The outcome of a run that ends; old journals are deleted."""
    prune(settings.state_dir)
    done.signal, done.seconds = group.number, settings.seconds
    if pace.is_over and done.pending:
        done.notices = [*done.notices, f"stopped: --max-failures {max_failures}"]
    return done


def _home(target: Target, entry: BindingEntry, where: str) -> Target:
    """The target of an entry (or of a document's defaults); the command line fills in what it doesn't say."""
    target = _with_role_account(target, entry, where)
    if entry.target_assume_role or entry.target_profile:
        target = replace(
            target,
            target_account=_target_account(entry, where),
            target_assume_role=entry.target_assume_role or None,
            target_profile=entry.target_profile or None,
        )
    if entry.role_assume_role or entry.role_profile:
        role = entry.role_assume_role or None
        profile = entry.role_profile or None
        target = replace(target, role_assume_role=role, role_profile=profile)
    return target


def _with_role_account(target: Target, entry: BindingEntry, where: str) -> Target:
    """The target with the account of the entry's role, if it names one."""
    account = _account(entry.role_account, entry.role_assume_role, "roleAssumeRole", where)
    if entry.role_profile and not (account or target.role_account):
        raise InvalidInput(f"{where}: roleProfile needs roleAccount", reason="it has to be of that account")
    if not account or account == target.role_account:
        return target
    return replace(target, role_account=account, role_assume_role=None, role_profile=None)


def _target_account(entry: BindingEntry, where: str) -> str | None:
    """The account of the target role of an entry; None if neither it nor the way to it is named."""
    account = _account("", entry.target_assume_role, "targetAssumeRole", where)
    of_target = role_arn(entry.target_role).account if entry.target_role else None
    if account and of_target and account != of_target:
        raise InvalidInput(
            f"{where}: targetAssumeRole names a role of account {account}",
            reason=f"targetRole is in account {of_target}",
        )
    return account or of_target


def _account(account: str, role: str, field: str, where: str) -> str:
    """The account that a field names, and that the role of another `field` must be in; '' for neither."""
    of_role = role_arn(role).account if role else ""
    if account and of_role not in ("", account):
        raise InvalidInput(
            f"{where}: {field} names a role of account {of_role}", reason=f"roleAccount says {account}"
        )
    return account or of_role


def _where(target: Target, config: Config) -> Target:
    """The cluster of a document; the command line fills in what it doesn't name."""
    for flag, option, field_text in (
        ("--cluster", target.cluster, config.cluster),
        ("--region", target.region, config.region),
        ("--assume-role", target.assume_role, config.assume_role),
        ("--account", target.account, config.account),
        (target.expected_by, target.expect_account, config.account),
    ):
        yields = flag.strip("-").replace("-", "_") in target.yields
        if option and field_text and option != field_text and not yields:
            raise InvalidInput(f"{config.where} is for {field_text}", reason=f"{flag} says {option}")
    name = config.cluster or target.cluster
    if not name:
        raise InvalidInput(f"{config.where} names no cluster", reason="neither metadata.name nor --cluster")
    cluster = replace(
        target,
        cluster=name,
        region=config.region or target.region,
        assume_role=config.assume_role or target.assume_role,
    )
    if target.expect_account or not config.account:
        return cluster
    return replace(cluster, expect_account=config.account, expected_by=config.where)


def place_name(cluster: Cluster, *, among: int) -> str:
    """The name that tells this cluster and account from others of a run; '' without others."""
    return cluster.full_name if among > 1 else ""


@dataclass(frozen=True)
class Request:
    """The request; `target.cluster` is '' if the files name it."""

    configs: tuple[Config, ...]
    target: Target
    selection: Selection = field(default_factory=Selection)
    parallel: checked.Parallel = PARALLEL
    atomic: bool = False
    override: bool = False
    update_trust: bool = False
    update_target_trust: bool = False
    force: bool = False
    allow_wide_trust: bool = False
    verify: bool = False
    prune: bool = False
    """Whether to delete bindings that irsa created here and that no file contains."""
    canary: checked.ClusterOrIssuer = ""
    """The cluster that comes first; if it fails, nothing else is begun."""
    changed_by: bool = False
    """Whether it is asked who has changed what differs."""
    max_failures: int | None = None
    """After so many failures nothing more is begun; None: however many."""
    boundary: checked.PolicyArn = ""
    """The permissions boundary of all roles, whatever the files say; '' leaves it to them."""
    boundaries: BoundaryRules = field(default_factory=BoundaryRules)

    def bounded(self) -> Request:
        """The request with the user's boundary in all entries that create a role."""
        if not self.boundary:
            return self

        def bounded(binding: BindingEntry) -> BindingEntry:
            if binding.attach_role_arn:
                return binding
            return replace(binding, permissions_boundary=self.boundary)

        of_all = (replace(config, bindings=tuple(map(bounded, config.bindings))) for config in self.configs)
        return replace(self, configs=tuple(of_all))


_FIELDS = (
    (r"run this again with --associate-oidc", "set withOIDC: true in the file, and run this again"),
    (
        r"(?:run this again with|irsa create-sa \S.*) --attach-role-arn (\S+)(?:  # to use it)?",
        r"set attachRoleARN: \1 in the entry, and run this again",
    ),
    (r"use a --subject-pattern", "set subjectPattern in an entry"),
    (r"or use IRSA, which", "or use IRSA (an entry of serviceAccounts without podIdentity), which"),
    (r"run this again with --role-only(?:, without --verify)?$", "add roleOnly: true to the entry"),
    (r"run this again with another --role-name", "set another roleName in the entry"),
)


def in_terms_of_files(
    error: Exception | None,
    cluster: Cluster,
    full_name: str,
    *,
    forces: bool = False,
    deletes: bool = False,
    entry: BindingEntry | None = None,
) -> Exception | None:
    """The error with next steps that the user can follow, in the words of the `entry`, if it is about one.

    `deletes`: the deletion of `full_name` failed.
    """
    if not isinstance(error, IrsaError):
        return error
    steps = [_step(step, cluster, full_name, forces, deletes) for step in error.next_steps]
    if entry is None:
        return error.but(next_steps=steps)
    return error.but(
        reason=entry.in_its_words(error.reason),
        details=[*map(entry.in_its_words, error.details)],
        next_steps=[*map(entry.in_its_words, steps)],
    )


def _step(step: str, cluster: Cluster, full_name: str, forces: bool, deletes: bool) -> str:
    for pattern, words in _FIELDS:
        step = re.sub(pattern, words, step)
    if not deletes:
        return step
    account, _, former_role = full_name.partition(" (role ")
    namespace, _, name = account.partition("/")
    where = (
        f"-n {shlex.quote(namespace)} -c {shlex.quote(cluster.name)} -r {cluster.region}{cluster.home_option}"
    )
    delete = f"irsa delete-sa {shlex.quote(name)} {where}"
    if former_role:
        delete += f" --role-name {shlex.quote(former_role.removesuffix(')'))}"
    step = step.replace("keep it: --keep-role", f"keep it: {delete} --keep-role")
    step = step.replace("run this again without --role-only, or with --force", "run this again with --force")
    return step if forces else step.replace("run this again with --force", f"{delete} --force")
