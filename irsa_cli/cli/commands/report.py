"""`irsa report`: what is done with the documents of earlier runs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import click

from irsa_cli.cli.help.helping import HelpedCommand, HelpedGroup
from irsa_cli.cli.options.fields import arguments, bound, group
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.values import wrong_usage
from irsa_cli.cli.output.results.applied import of_applied
from irsa_cli.cli.output.speaking import deliver


@click.group("report", cls=HelpedGroup, epilog="  irsa report merge shard-*.json -o markdown")
def command() -> None:
    """Join the results of several runs."""


@dataclass(frozen=True, kw_only=True)
class MergeOptions:
    """The documents of the shards, and the form of the result."""

    files: tuple[str, ...] = arguments(kind=click.STRING, required=True, metavar="FILE...")
    output: ReportedOutputFlags = group(ReportedOutputFlags)


@command.command("merge", cls=HelpedCommand)
@bound(MergeOptions)
def merge(options: MergeOptions) -> int:
    """Join the results of all shards into one.

    FILE is a JSON document of apply, diff or delete (-o json or --json-file), or a folder of them. irsa
    refuses a file that it would not write, and files of different runs. It names missing shards, and then the
    exit code is 1. Otherwise, the exit code is that of one run over all clusters.

    Examples:
      irsa report merge shard-*.json
      irsa report merge shard-*.json -o markdown --json-file fleet.json
    """
    from irsa_cli.core.results.merging import merge, read_document
    from irsa_cli.usecases.texts import files_named, read_text

    speaking = options.output.speaking()
    with wrong_usage():
        names = chain.from_iterable(files_named(path, (".json",)) for path in options.files)
        merged = merge([read_document(read_text(name, LARGEST), name) for name in names])
    report = of_applied(merged, speaking, dry_run=True)
    return deliver(report, speaking, only_shows=True)


LARGEST = 64 * 2**20
"""Bytes of a document; one about ten thousand ServiceAccounts has fewer."""
