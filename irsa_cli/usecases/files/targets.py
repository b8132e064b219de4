"""Configuration files: what they say together, their clusters and accounts, next steps in terms of files."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import Binding, Config, Selection, distinct
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.transaction.reading import prune
from irsa_cli.usecases.command.connect import Target
from irsa_cli.usecases.command.parallel import PARALLEL, Pace
from irsa_cli.usecases.command.settings import RunGroup, Settings
from irsa_cli.usecases.texts import STDIN, files_named, read_text

T = TypeVar("T")
Tell = Callable[[Item], None]
"""Hears of each item when it has ended."""

OF_PLACES = ("role_account", "role_assume_role", "role_profile", "target_assume_role", "target_profile")
"""Fields of entries that are also options of a target: accounts and how to reach them."""


@dataclass(frozen=True)
class Place:
    """One cluster with one account for roles; `bindings` are selected, `names` those of all entries."""

    target: Target
    bindings: tuple[Binding, ...]
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
            for item in self.bindings
            for arn in (*item.policies, item.permissions_boundary, item.attach_role_arn, item.target_role)
            if arn
        ]


def places(configs: Sequence[Config], target: Target, selection: Selection) -> list[Place]:
    """The clusters of the files; raises `InvalidInput` if one is unknown.

    Entries with roles in different accounts are in different places of one cluster.
    """
    everything = [item for config in configs for item in config.bindings]
    chosen = {id(item) for item in selection.of(everything)}
    clusters = _clusters(target, configs)
    cluster_of: dict[Target, Target] = {}
    found: dict[Target, list[Binding]] = {}
    with_oidc = set()
    for config, cluster in zip(configs, clusters, strict=True):
        homes = {_home(cluster, item, item.where): item for item in config.bindings}
        document = Binding(
            "", "", **{key: config.accounts[key] for key in OF_PLACES if key in config.accounts}
        )
        if not homes or document != Binding("", ""):
            homes.setdefault(_home(cluster, document, config.where), document)
        for home in homes:
            cluster_of.setdefault(home, cluster)
            found.setdefault(home, [])
            with_oidc.update([home] if config.with_oidc else [])
        for item in config.bindings:
            found[_home(cluster, item, item.where)].append(item)
    names: dict[tuple[str, str | None], list[tuple[str, Config]]] = {}
    for config, cluster in zip(configs, clusters, strict=True):
        names.setdefault((cluster.cluster, cluster.region), []).append((cluster.expect_account, config))
    homes_of: dict[Target, dict[str, None]] = {}
    for home, cluster in cluster_of.items():
        homes_of.setdefault(cluster, {})[home.role_account or ""] = None
    made = [
        Place(
            there,
            tuple(item for item in items if id(item) in chosen),
            frozenset(
                str(item)
                for account, config in names[there.cluster, there.region]
                if "" in (account, there.expect_account) or account == there.expect_account
                for item in config.bindings
            ),
            there in with_oidc,
            tuple(homes_of[cluster_of[there]]),
        )
        for there, items in found.items()
    ]
    return [place for place in made if selection.shard is None or selection.shard.has(*place.key)]


def _clusters(target: Target, configs: Sequence[Config]) -> list[Target]:
    """The cluster of each document, with the account that any document names for it."""
    clusters = [_where(target, config) for config in configs]
    named: dict[Target, Target] = {}
    for cluster in clusters:
        before = named.setdefault(cluster, cluster)
        if before.expect_account and cluster.expect_account not in ("", before.expect_account):
            raise InvalidInput(
                f"{cluster.expected_by} says that {cluster.cluster} is in account {cluster.expect_account}",
                reason=f"{before.expected_by} says {before.expect_account}",
            )
        if cluster.expect_account:
            named[cluster] = cluster
    return [named[cluster] for cluster in clusters]


def begun(configs: Sequence[Config], selection: Selection) -> AppliedList:
    done = AppliedList(notices=[notice for config in configs for notice in config.notices])
    if shard := selection.shard:
        asked = [
            f"{item.account}/{item.region}/{item.cluster}/{binding}"
            for item in configs
            for binding in item.bindings
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


def _home(target: Target, said: Binding, where: str) -> Target:
    """The target of an entry (or of a document's defaults); the command line fills in what it doesn't say."""
    account = _account(said.role_account, said.role_assume_role, "roleAssumeRole", where)
    chain = _account("", said.target_assume_role, "targetAssumeRole", where)
    if chain and said.target_role and role_arn(said.target_role).account != chain:
        raise InvalidInput(
            f"{where}: targetAssumeRole names a role of account {chain}",
            reason=f"targetRole is in account {role_arn(said.target_role).account}",
        )
    if said.role_profile and not (account or target.role_account):
        raise InvalidInput(f"{where}: roleProfile needs roleAccount", reason="it has to be of that account")
    if account and account != target.role_account:
        target = replace(target, role_account=account, role_assume_role=None, role_profile=None)
    if said.target_assume_role or said.target_profile:
        target = replace(
            target,
            target_account=chain or (role_arn(said.target_role).account if said.target_role else None),
            target_assume_role=said.target_assume_role or None,
            target_profile=said.target_profile or None,
        )
    if said.role_assume_role or said.role_profile:
        target = replace(
            target, role_assume_role=said.role_assume_role or None, role_profile=said.role_profile or None
        )
    return target


def _account(named: str, role: str, field: str, where: str) -> str:
    of_role = role_arn(role).account if role else ""
    if named and of_role not in ("", named):
        raise InvalidInput(
            f"{where}: {field} names a role of account {of_role}", reason=f"roleAccount says {named}"
        )
    return named or of_role


def _where(target: Target, config: Config) -> Target:
    """The cluster of a document; the command line fills in what it doesn't name."""
    for flag, given, named in (
        ("--cluster", target.cluster, config.cluster),
        ("--region", target.region, config.region),
        ("--assume-role", target.assume_role, config.assume_role),
        ("--account", target.account, config.account),
        (target.expected_by, target.expect_account, config.account),
    ):
        attribute = flag.strip("-").replace("-", "_")
        if given and named and given != named and attribute not in target.yields:
            raise InvalidInput(f"{config.where} is for {named}", reason=f"{flag} says {given}")
    name = config.cluster or target.cluster
    if not name:
        raise InvalidInput(f"{config.where} names no cluster", reason="neither metadata.name nor --cluster")
    found = replace(
        target,
        cluster=name,
        region=config.region or target.region,
        assume_role=config.assume_role or target.assume_role,
    )
    if target.expect_account or not config.account:
        return found
    return replace(found, expect_account=config.account, expected_by=config.where)


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

        def bounded(item: Binding) -> Binding:
            return item if item.attach_role_arn else replace(item, permissions_boundary=self.boundary)

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
    (r"run this again with another --role-name", "set another roleName in the entry"),
)


def in_terms_of_files(
    error: Exception | None,
    cluster: Cluster,
    full_name: str,
    *,
    forces: bool = False,
    deletes: bool = False,
    entry: Binding | None = None,
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


_ENDINGS = (".yaml", ".yml", ".json")


def read_configs(paths: Sequence[str], *, deletes: bool = False) -> list[Config]:
    """The configurations in these files and folders, in order; `-` is standard input.

    Of a folder: .yaml, .yml and .json, not in subfolders. Raises `InvalidInput` with all problems.
    `deletes`: as for `parse`.
    """
    found: dict[str, list[Config]] = {}
    problems: list[InvalidInput] = []

    def read(file: str) -> list[Config]:
        what, folder = ("standard input", Path()) if file == STDIN else (file, Path(file).parent)
        # A configuration names policy documents, as seen from its folder.
        return parse(read_text(file), what, lambda name: read_text(folder / name), deletes=deletes)

    for path in dict.fromkeys(paths):
        before = len(problems)
        files = _tried(lambda name: files_named(name, _ENDINGS), path, problems)
        found |= {file: _tried(read, file, problems) for file in files if file not in found}
        if len(problems) == before and not any(found[file] for file in files):
            what = "standard input" if path == STDIN else path
            problems.append(InvalidInput(f"{what} holds no document"))
    configs = [config for part in found.values() for config in part]
    try:
        distinct(configs)
    except InvalidInput as error:
        problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = [line for error in problems for line in error.details or (str(error),)]
        raise InvalidInput(f"the files have {len(lines)} problems", details=lines)
    return configs


def _tried(read: Callable[[str], list[T]], path: str, problems: list[InvalidInput]) -> list[T]:
    """The result of a reader, or nothing and one more problem."""
    try:
        return read(path)
    except InvalidInput as error:
        problems.append(error)
        return []
