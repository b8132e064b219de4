"""The options that `irsa audit`, `irsa who-can` and `irsa lint` share: accounts, risks, forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from irsa_cli.cli.help.completing import completed
from irsa_cli.cli.options.common import (
    Checked,
    Once,
    assume_role_option,
    filled,
    listed,
    profile_option,
    report_options,
)
from irsa_cli.cli.output.speaking import Speaking

if TYPE_CHECKING:
    from irsa_cli.usecases.audit.run import AuditSource

F = TypeVar("F", bound=Callable[..., Any])


FORMATS = ("text", "json", "yaml", "csv", "sarif", "junit", "markdown", "github")
LEVELS = ("low", "medium", "high", "critical")


def risk_options(*more: str) -> Callable[[F], F]:
    """Which risks are shown, and in which form, `more` ones among them; `--fail-on` is each command's own."""

    def decorated(function: F) -> F:
        for decorate in reversed((*_RISK_OPTIONS, _output_option(more), report_options, _QUIET)):
            function = decorate(function)
        return function

    return decorated


def wants_fixes(speaking: Speaking) -> bool:
    """Whether what is shown has the fix of each risk in it."""
    return (
        speaking.verbose
        or speaking.output in ("json", "yaml", "markdown")
        or bool(speaking.files.summary_file or speaking.files.json_file)
    )


def source_options(function: F) -> F:
    """Where the account is read from."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return function


_RISK_OPTIONS: list[Callable[[Any], Any]] = [
    click.option(
        "--min-severity",
        cls=Once,
        type=click.Choice(LEVELS),
        default="low",
        help="Show nothing below it. [default: low]",
    ),
    click.option(
        "--baseline",
        cls=Once,
        type=click.Path(exists=True, dir_okay=False),
        help="Show only what is not in this file, an earlier run's -o json.",
    ),
    click.option(
        "--config",
        cls=Once,
        expose_value=False,
        type=click.Path(exists=True, dir_okay=False),
        help="Read this file instead of .irsa.yaml: that of the base, in a pull request.",
    ),
]

_QUIET: Callable[[Any], Any] = click.option("-q", "--quiet", is_flag=True, help="Errors and the result only.")


def _output_option(more: tuple[str, ...]) -> Callable[[Any], Any]:
    return click.option(
        "-o",
        "--output",
        cls=Once,
        type=click.Choice((*FORMATS, *more)),
        default="text",
        help="Form of the result on standard output. [default: text]",
    )


_OPTIONS: list[Callable[[Any], Any]] = [
    click.option(
        "-c",
        "--cluster",
        "clusters",
        multiple=True,
        type=Checked("name", "names.cluster"),
        shell_complete=completed("clusters"),
        help="Only this EKS cluster (repeat). [default: all of the region]",
    ),
    click.option(
        "-r",
        "--region",
        "regions",
        multiple=True,
        callback=filled,
        metavar="REGION",
        shell_complete=completed("regions"),
        help="AWS region whose clusters are read (repeat). [default: as the AWS CLI finds it]",
    ),
    profile_option,
    assume_role_option,
    click.option(
        "--iam-assume-role",
        "readers",
        multiple=True,
        type=Checked("arn", "arn.check_role"),
        help="Role by which the IAM of another account is read, too (repeat).",
    ),
    click.option(
        "--from",
        "files",
        multiple=True,
        type=click.Path(exists=True),
        help="Ask nobody, and read JSON of aws and kubectl from this file or folder (repeat).",
    ),
]


def take_source(options: dict[str, Any]) -> AuditSource:
    """Take the options of `source_options` out of a command's options."""
    from pathlib import Path

    from irsa_cli.usecases.audit.live import LiveSource
    from irsa_cli.usecases.audit.run import AuditSource

    files = tuple(map(Path, options.pop("files")))
    names = ("clusters", "regions", "profile", "assume_role", "readers")
    found = {name: options.pop(name) for name in names}
    if files and any(found.values()):
        raise click.UsageError("--from reads files only: it contradicts options that say what to ask AWS")
    found["regions"] = listed(found["regions"])
    return AuditSource(LiveSource(**found), files)
