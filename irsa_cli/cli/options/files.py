"""The flags of commands that work from configuration files, and reading these files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.environment import is_flag
from irsa_cli.cli.options.fields import group, many, once
from irsa_cli.cli.options.kinds import TEXT, Checked
from irsa_cli.cli.options.reach import (
    ClusterFlags,
    Destination,
    ExpectFlags,
    KubeFlags,
    RoleAccountFlags,
    TargetWayFlags,
    WhereFlags,
    cluster_flag,
    current_cluster,
    region_flag,
)
from irsa_cli.cli.options.values import listed, wrong_usage
from irsa_cli.core.config.model import Config, Selection
from irsa_cli.core.values import shards

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Target

NAMED = ("cluster", "region", "assume_role")
"""Options that files name as well: only a flag contradicts a file."""
_IF_NONE = ", if the files have none"


def files_flag(*, required: bool) -> tuple[str, ...]:
    """The field of -f."""
    return many(
        "-f",
        "--filename",
        "--config-file",
        kind=TEXT,
        metavar="FILE",
        required=required,
        help="Configuration file or folder, or - for standard input (repeat).",
    )


@dataclass(frozen=True, kw_only=True)
class FileFlags:
    """The files, and the part of their ServiceAccounts that is meant."""

    files: tuple[str, ...] = files_flag(required=False)
    include: tuple[str, ...] = many(
        "--include",
        kind=TEXT,
        metavar="GLOB",
        help="Use these NAMESPACE/NAME only (or comma-separated).",
    )
    exclude: tuple[str, ...] = many(
        "--exclude", kind=TEXT, metavar="GLOB", help="Skip these NAMESPACE/NAME (or comma-separated)."
    )
    parallel: int = once(
        "--parallel",
        kind=click.IntRange(1, 64),
        metavar="N",
        default=16,
        help="Most ServiceAccounts at the same time; fewer while AWS throttles. [default: 16]",
    )
    max_failures: int | None = once(
        "--max-failures",
        kind=click.IntRange(1),
        metavar="N",
        help="Stop after this many failures. [default: no limit]",
    )
    shard: shards.Shard | None = once(
        "--shard",
        kind=Checked("index/total", shards.parse),
        metavar="I/N",
        help="Only part I of N parts of the clusters, counted from 0: 0/4 to 3/4.",
    )


@dataclass(frozen=True, kw_only=True)
class NeededFileFlags(FileFlags):
    """The same, for a command that has nothing else to work from."""

    files: tuple[str, ...] = files_flag(required=True)


@dataclass(frozen=True, kw_only=True)
class _WhereFlags(WhereFlags):
    cluster: str | None = cluster_flag(_IF_NONE)
    region: str | None = region_flag(_IF_NONE)


@dataclass(frozen=True, kw_only=True)
class PlaceFlags:
    """Where the ServiceAccounts of files are, if the files do not say it, and the access to it."""

    where: _WhereFlags = group(_WhereFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    target_way: TargetWayFlags = group(TargetWayFlags)
    expected: ExpectFlags = group(ExpectFlags)
    kube: KubeFlags = group(KubeFlags)

    def joined(self) -> Destination:
        cluster = ClusterFlags(where=self.where, expected=self.expected)
        return Destination(cluster, self.role_account, self.target_way, kube=self.kube)


def read_files(
    files: FileFlags, place: PlaceFlags, *, deletes: bool = False, prunes: bool = False
) -> tuple[tuple[Config, ...], Target, Selection]:
    """Read the files and check the places of their ServiceAccounts.

    Without a cluster in files, flags and settings, it is the kubeconfig's.
    """
    with wrong_usage():
        selection = Selection(listed(files.include), listed(files.exclude), files.shard)
    return read_selected(files.files, place.joined(), selection, deletes=deletes, prunes=prunes)


def read_selected(
    paths: Sequence[str],
    destination: Destination,
    selection: Selection,
    *,
    deletes: bool = False,
    prunes: bool = False,
) -> tuple[tuple[Config, ...], Target, Selection]:
    """The same for ServiceAccounts that are selected otherwise than by flags."""
    from irsa_cli.usecases.files.configs import read_configs
    from irsa_cli.usecases.files.targets import places

    target = destination.named_target(yields=tuple(name for name in NAMED if not is_flag(name)))
    with wrong_usage():
        configs = tuple(read_configs(paths, deletes=deletes))
        if not prunes:  # irsa prunes ServiceAccounts that are in no file.
            selection.check(chain.from_iterable(config.bindings for config in configs))
        if not target.cluster and not all(config.cluster for config in configs):
            target = current_cluster(target) or target
        places(configs, target, selection)
    return configs, target, selection
