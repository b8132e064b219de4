"""How the user wants to be spoken to: the form, how much of it, and into which files besides."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click

from irsa_cli.cli.output.reports.files import FILES, ReportFiles
from irsa_cli.cli.terminal.progress import Progress

Save = Callable[[Any], None]
"""Saves the plan of a dry run, where that was asked for."""


@dataclass(frozen=True)
class Speaking:
    """How the user wants to be spoken to."""

    output: str
    quiet: bool
    verbose: bool
    files: ReportFiles = field(default_factory=ReportFiles)

    @classmethod
    def take(cls, options: dict[str, Any]) -> Speaking:
        """Take the options of `output_options` out of a command's options."""
        files = {key: options.pop(key, None) or "" for key in FILES}
        reports = ReportFiles(**files, max_length=options.pop("max_length", None))
        speaking = cls(options.pop("output"), options.pop("quiet"), options.pop("verbose", False), reports)
        named = [os.path.abspath(name) for name in files.values() if name]
        if len(set(named)) < len(named):
            raise click.UsageError("--output-file, --summary-file and --json-file have to be different files")
        if speaking.quiet and speaking.verbose:
            raise click.UsageError("--quiet and --verbose contradict each other")
        return speaking

    def progress(self) -> Progress:
        """What tells on standard error how far the command is."""
        return Progress(quiet=self.quiet, verbose=self.verbose)
