"""The options of commands that work from configuration files, and reading these files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_cli.cli.help.environment import is_flag
from irsa_cli.cli.options.common import listed
from irsa_cli.cli.options.targets import current_cluster, take_named
from irsa_cli.cli.options.types import wrong_usage
from irsa_cli.core.config.model import Config, Selection

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Target


NAMED = ("cluster", "region", "assume_role")
"""Options that files name as well: only a flag contradicts a file."""


def take_files(
    options: dict[str, Any], *, deletes: bool = False
) -> tuple[tuple[Config, ...], Target, Selection]:
    """Read the files and check the places of their ServiceAccounts.

    Without a cluster in files, flags and settings, it is the kubeconfig's.
    """
    from irsa_cli.usecases.files.configs import read_configs
    from irsa_cli.usecases.files.targets import places

    target = take_named(options, yields=tuple(name for name in NAMED if not is_flag(name)))
    include = listed(options.pop("include"))
    exclude = listed(options.pop("exclude"))
    with wrong_usage():
        selection = Selection(include, exclude, options.pop("shard"))
        configs = tuple(read_configs(options.pop("files"), deletes=deletes))
        if not options.get("prune"):  # irsa prunes ServiceAccounts that are in no file.
            selection.check(item for config in configs for item in config.bindings)
        if not target.cluster and not all(config.cluster for config in configs):
            target = current_cluster(target) or target
        places(configs, target, selection)
    return configs, target, selection
