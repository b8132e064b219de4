"""`irsa report`: what is done with the documents of earlier runs."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand, HelpedGroup
from irsa_cli.cli.options import common
from irsa_cli.cli.options.types import wrong_usage
from irsa_cli.cli.output.results.applied import of_applied
from irsa_cli.cli.output.speaking import Speaking, deliver


@click.group("report", cls=HelpedGroup, epilog="  irsa report merge shard-*.json -o markdown")
def command() -> None:
    """Join the results of several runs."""


@command.command("merge", cls=HelpedCommand)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@common.reported_output_options
def merge(**options: Any) -> int:
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

    speaking = Speaking.take(options)
    with wrong_usage():
        names = [name for path in options["files"] for name in files_named(path, (".json",))]
        done = merge([read_document(read_text(name, LARGEST), name) for name in names])
    report = of_applied(done, speaking, dry_run=True)
    return deliver(report, speaking, only_shows=True)


LARGEST = 64 * 2**20
"""Bytes of a document; one about ten thousand ServiceAccounts has fewer."""
