"""`irsa sandbox`: AWS and EKS on this machine; the sandbox itself is in `irsa_cli.sandbox`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedGroup
from irsa_cli.cli.options.types import group, shared
from irsa_cli.cli.session import breaking_off
from irsa_cli.cli.terminal.screen import is_terminal
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.sandbox import worlds

if TYPE_CHECKING:
    from irsa_cli.sandbox import ClusterSpec, Sandbox

_sandbox_options = group(
    shared("sandbox"),
    click.option(
        "--world",
        type=click.Choice(worlds.names()),
        metavar="PAGE",
        help="Start in the state of this how-to page, such as see or audit.",
    ),
)
"""The options of a sandbox: the arguments of `_started`."""


def _missing(error: ModuleNotFoundError) -> click.ClickException:
    """A module of the extra is not installed. Package indexes do not have irsa: its name there is free."""
    return click.ClickException(f"{error.name} is missing. In a checkout of irsa: pip install '.[sandbox]'")


@click.group("sandbox", cls=HelpedGroup, epilog="  irsa sandbox demo")
def command() -> None:
    """Run a simulated AWS and EKS on this machine.

    It has IAM, STS, EKS, S3 and a small Kubernetes API, on 127.0.0.1 only. Everything in it is deleted at
    the end. It needs the extra "sandbox" (see the README).
    """


@command.command("up", epilog="  irsa sandbox up > sandbox.env")
@_sandbox_options
def up(**options: Any) -> None:
    """Start the sandbox until Ctrl-C and print its variables."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _started(**options) as (sandbox, environment):
        for name, value in environment.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        click.echo(f"The sandbox is running ({sandbox.url}). Press Ctrl-C to delete it.", err=True)
        stop.wait()


@command.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_sandbox_options
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def run(arguments: tuple[str, ...], **options: Any) -> int:
    """Run a shell or command in a new sandbox.

    Without COMMAND, your shell ($SHELL) starts. The exit code is that of the command.

    Examples:
      irsa sandbox run
      irsa sandbox run --world see -- irsa get-sa -c demo
      irsa sandbox run -- sh -c 'irsa associate-oidc -c demo && irsa audit -c demo'
    """
    if arguments and arguments[0].startswith("-"):
        raise click.NoSuchOption(arguments[0])
    breaking_off()
    with _started(**options) as (_, environment):
        command = arguments or _shell(options["clusters"] or ("demo",), environment)
        try:
            ended = subprocess.run(command, env={**os.environ, **environment}, check=False)  # noqa: S603 - the user's
        except OSError as error:
            from irsa_cli.usecases.exec.child import NotStarted

            failed = NotStarted(command[0], error)
            click.echo(f"Error: {failed}", err=True)
            return failed.status
    return 128 - ended.returncode if ended.returncode < 0 else ended.returncode


def _shell(clusters: tuple[str, ...], environment: dict[str, str]) -> tuple[str, ...]:
    """Announce the sandbox, and return the user's shell; on a terminal its prompt shows `[sandbox]`."""
    from irsa_cli.usecases.exec.child import Start, labelled

    named = f"cluster {', '.join(clusters)}"
    click.echo(f"This shell is in the sandbox, with {named}. Type exit to leave it.", err=True)
    shell, folder = os.environ.get("SHELL") or "/bin/sh", Path(environment["IRSA_STATE_DIR"], "shell")
    start = labelled((shell,), os.environ, str(folder), "sandbox") if is_terminal(sys.stdin) else None
    start = start or Start((shell,))
    for name, text in start.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    environment.update(start.variables)
    return start.command


@command.command("demo", epilog="  irsa sandbox demo")
def demo() -> int:
    """Show irsa from the cluster to a rollback."""
    from irsa_cli.cli.commands.demo import main

    breaking_off()
    try:
        return main()
    except ModuleNotFoundError as error:
        raise _missing(error) from error


@contextmanager
def _started(
    clusters: tuple[str, ...], region: str | None, world: str | None, **delays: Any
) -> Iterator[tuple[Sandbox, dict[str, str]]]:
    if world and (clusters or region):
        raise click.UsageError("--world has its own cluster, demo: leave out --cluster and --region")
    try:
        from irsa_cli.sandbox import ClusterSpec, Sandbox

        names = clusters or (ClusterSpec().name,)
        specs = [_spec(ClusterSpec, text, region) for text in names]
        sandbox = Sandbox(specs, latency=delays["latency"] / 1000)
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    with sandbox, tempfile.TemporaryDirectory(prefix="irsa-sandbox-") as state:
        home = {"account": specs[0].account, "region": specs[0].region}
        # The journals are deleted with the sandbox, and must not mix with real ones.
        own = {"IRSA_SANDBOX_CONTROL": sandbox.control_url, "IRSA_STATE_DIR": state}
        user = "admin"
        if world:
            environment = {**os.environ, **sandbox.env(**home), **own}
            user = worlds.prepare(sandbox, world, environment)
        if home["account"] != worlds.OTHER_ACCOUNT:
            worlds.put_other_account(sandbox, home["account"], specs)
        if delays["consistency"] == "replicas":
            sandbox.replicate(delays["lag"], delays["seed"])
        yield sandbox, {**sandbox.env(**home, user=user), **own}


def _spec(kind: type[ClusterSpec], text: str, elsewhere: str | None) -> ClusterSpec:
    name, region, account = [*text.split(":"), "", ""][:3]
    region = region or elsewhere or ""
    try:
        names.cluster(name)
        if region:
            names.region(region)
        if account:
            arn.check_account(account)
    except InvalidInput as error:
        raise click.BadParameter(str(error), param_hint="--cluster or --region") from error
    default = kind()
    return kind(name=name, region=region or default.region, account=account or default.account)
