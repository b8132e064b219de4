"""The flags for the output of a command, and its `Speaking`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.options.fields import group, once, switch
from irsa_cli.cli.options.kinds import NEW_FILE

if TYPE_CHECKING:
    from irsa_cli.cli.output.speaking import Speaking

_FORMS = ("text", "json", "yaml", "name")
_ROLES = ("arn", "env")
"""Forms for what uses a role next: its ARN, or a variable with it."""
_CALLS = "Print each call to AWS and Kubernetes."
_CALLS_AND_VALUES = "Print each call to AWS and Kubernetes, and all values of plans."


def output_flag(*forms: str) -> str:
    """The field of -o, with the forms of a command."""
    help_text = "Output format. [default: text]"
    return once("-o", "--output", kind=click.Choice(forms), default="text", help=help_text)


def quiet_flag(help_text: str = "Print errors and the result only.") -> bool:
    """The field of -q."""
    return switch("-q", "--quiet", help=help_text)


def verbose_flag(help_text: str = _CALLS) -> bool:
    """The field of -v."""
    return switch("-v", "--verbose", help=help_text)


def no_headers_flag() -> bool:
    return switch("--no-headers", help="Print tables without a header.")


@dataclass(frozen=True, kw_only=True)
class ReportFlags:
    """Files for the result."""

    max_length: int | None = once(
        "--max-length",
        kind=click.IntRange(4000),
        metavar="N",
        help="Most characters of -o markdown. [default: 65000, the limit of a comment]",
    )
    summary_file: str | None = once(
        "--summary-file",
        kind=NEW_FILE,
        help="Append the result as Markdown (such as $GITHUB_STEP_SUMMARY).",
    )
    json_file: str | None = once(
        "--json-file", kind=NEW_FILE, help="Also write the result to this file as JSON."
    )


@dataclass(frozen=True, kw_only=True)
class OutputFlags:
    """The output of a command whose result pipelines do not read."""

    output: str = output_flag(*_FORMS)
    quiet: bool = quiet_flag()
    verbose: bool = verbose_flag(_CALLS_AND_VALUES)

    def speaking(self) -> Speaking:
        return speaking(self.output, quiet=self.quiet, verbose=self.verbose)


@dataclass(frozen=True, kw_only=True)
class WideOutputFlags(OutputFlags):
    """The output of a command that reads and has a table with more columns."""

    output: str = output_flag("text", "wide", "json", "yaml", "name", *_ROLES)
    verbose: bool = verbose_flag()


@dataclass(frozen=True, kw_only=True)
class TableOutputFlags(WideOutputFlags):
    """The same, also as a table for spreadsheets and scripts."""

    output: str = output_flag("text", "wide", "csv", "json", "yaml", "name", *_ROLES)


@dataclass(frozen=True, kw_only=True)
class MessageFlags:
    """The messages of a command whose output has one form."""

    quiet: bool = quiet_flag()
    verbose: bool = verbose_flag()

    def speaking(self) -> Speaking:
        return speaking("text", quiet=self.quiet, verbose=self.verbose)


@dataclass(frozen=True, kw_only=True)
class ReportedOutputFlags:
    """The output of a command whose result pipelines also read."""

    output: str = output_flag(*_FORMS, "markdown", "github")
    quiet: bool = quiet_flag()
    verbose: bool = verbose_flag(_CALLS_AND_VALUES)
    reports: ReportFlags = group(ReportFlags)

    def speaking(self) -> Speaking:
        return speaking(self.output, quiet=self.quiet, verbose=self.verbose, reports=self.reports)


@dataclass(frozen=True, kw_only=True)
class RoleOutputFlags(ReportedOutputFlags):
    """The same of a command after which a ServiceAccount has a role."""

    output: str = output_flag(*_FORMS, *_ROLES, "markdown", "github")


def speaking(
    output: str, *, quiet: bool, verbose: bool = False, reports: ReportFlags | None = None
) -> Speaking:
    """How a command speaks; raises `UsageError` for flags that contradict each other."""
    from irsa_cli.cli.output.speaking import ReportFiles, Speaking

    reports = reports or ReportFlags()
    files = ReportFiles(reports.summary_file or "", reports.json_file or "", reports.max_length)
    paths = [os.path.abspath(name) for name in (files.summary_file, files.json_file) if name]
    if len(set(paths)) < len(paths):
        raise click.UsageError("--summary-file and --json-file have to be different files")
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose contradict each other")
    return Speaking(output, quiet, verbose, files)
