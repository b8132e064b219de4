"""`irsa sandbox`: AWS and EKS on this machine; the sandbox itself is in `irsa_cli.sandbox`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.helping import HelpedGroup
from irsa_cli.cli.options import filled
from irsa_cli.cli.session import breaking_off

if TYPE_CHECKING:
    from irsa_cli.sandbox import ClusterSpec, Sandbox

_cluster = click.option(
    "--cluster",
    "clusters",
    multiple=True,
    callback=filled,
    metavar="NAME[:REGION[:ACCOUNT]]",
    help="A cluster to have (repeat). [default: demo:eu-west-1:111122223333]",
)
_latency = click.option(
    "--latency",
    type=click.FloatRange(0, 10_000),
    default=0,
    metavar="MS",
    help="Milliseconds that each call takes longer.",
)


INSTALL = "pip install '.[sandbox]'"
"""From a checkout: while nobody has published irsa, its name in a package index is anybody's to take."""


def _missing(error: ModuleNotFoundError) -> click.ClickException:
    """A module of the extra is not installed."""
    return click.ClickException(f"{error.name} is missing. In a checkout of irsa: {INSTALL}")


@click.group("sandbox", cls=HelpedGroup, epilog="\b\nExamples:\n  irsa sandbox demo")
def command() -> None:
    """Run AWS and EKS on this machine, for trying and testing.

    IAM, STS, EKS, S3 and a small Kubernetes API, on 127.0.0.1 only. What is done in it is gone when it
    ends. Needs the extra `sandbox`: the README says how to install it.
    """


@command.command("up", epilog="\b\nExamples:\n  irsa sandbox up > sandbox.env")
@_cluster
@_latency
def up(clusters: tuple[str, ...], latency: float) -> None:
    """Start the sandbox, print the environment to use it by, and wait for Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _started(clusters, latency) as (sandbox, environment):
        for name, value in environment.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        click.echo(f"The sandbox is up ({sandbox.url}); Ctrl-C ends it, and everything in it.", err=True)
        stop.wait()


@command.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="\b\nExamples:\n  irsa sandbox run -- sh -c 'irsa associate-oidc -c demo && irsa get-sa -c demo'",
)
@_cluster
@_latency
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def run(clusters: tuple[str, ...], latency: float, arguments: tuple[str, ...]) -> int:
    """Run a command inside a sandbox of its own; its exit code is passed on."""
    breaking_off()
    with _started(clusters, latency) as (_, environment):
        try:
            ended = subprocess.run(arguments, env={**os.environ, **environment}, check=False)  # noqa: S603 - the user's
        except OSError as error:
            raise click.ClickException(f"{arguments[0]}: {error.strerror}") from error
    return 128 - ended.returncode if ended.returncode < 0 else ended.returncode


@command.command("demo", epilog="\b\nExamples:\n  irsa sandbox demo")
def demo() -> int:
    """Show the main job from end to end: cluster, role, ServiceAccount, credentials, rollback."""
    from irsa_cli.cli.demo import main

    breaking_off()
    try:
        return main()
    except ModuleNotFoundError as error:
        raise _missing(error) from error


@contextmanager
def _started(clusters: tuple[str, ...], latency: float) -> Iterator[tuple[Sandbox, dict[str, str]]]:
    try:
        from irsa_cli.cli.sandbox_account import OTHER_ACCOUNT, put_other_account
        from irsa_cli.sandbox import ClusterSpec, Sandbox

        specs = [_spec(ClusterSpec, text) for text in clusters] or [ClusterSpec()]
        sandbox = Sandbox(specs, latency=latency / 1000)
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    with sandbox, tempfile.TemporaryDirectory(prefix="irsa-sandbox-") as state:
        environment = sandbox.env(account=specs[0].account, region=specs[0].region)
        if OTHER_ACCOUNT not in {spec.account for spec in specs}:
            put_other_account(sandbox, specs[0].account)
        # What is done in here is gone at the end: so are its journals, which must not mix with real ones.
        control = {"IRSA_SANDBOX_CONTROL": sandbox.control_url}
        yield sandbox, {**environment, **control, "IRSA_STATE_DIR": state}


def _spec(kind: type[ClusterSpec], text: str) -> ClusterSpec:
    from irsa_cli.core.values import arn, names
    from irsa_cli.core.values.errors import InvalidInput

    name, region, account = [*text.split(":"), "", ""][:3]
    try:
        names.cluster(name)
        if account:
            arn.check_account(account)
    except InvalidInput as error:
        raise click.BadParameter(str(error), param_hint="--cluster") from error
    default = kind()
    return kind(name=name, region=region or default.region, account=account or default.account)
