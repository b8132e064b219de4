"""`irsa sandbox`: AWS and EKS on this machine; the sandbox itself is in `irsa_cli.sandbox`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedGroup
from irsa_cli.cli.options.types import filled
from irsa_cli.cli.session import breaking_off
from irsa_cli.sandbox.model import RoleSpec

if TYPE_CHECKING:
    from irsa_cli.sandbox import ClusterSpec, Sandbox

_OPTIONS = (
    click.option(
        "--cluster",
        "clusters",
        multiple=True,
        callback=filled,
        metavar="NAME[:REGION[:ACCOUNT]]",
        help="Create this cluster (repeat). [default: demo:eu-west-1:111122223333]",
    ),
    click.option(
        "--latency",
        type=click.FloatRange(0, 10_000),
        default=0,
        metavar="MS",
        help="Delay each call by this many milliseconds.",
    ),
    click.option(
        "--consistency",
        type=click.Choice(["strong", "replicas"]),
        default="strong",
        help="Let IAM return the newest state, or a state up to --lag old.",
    ),
    click.option(
        "--lag",
        type=click.FloatRange(0, 60),
        default=3,
        metavar="SECONDS",
        help="With --consistency replicas: longest delay of a read. [default: 3]",
    ),
    click.option("--seed", type=int, default=0, metavar="N", help="Seed for the choice of delayed reads."),
)


@dataclass(frozen=True)
class _Wanted:
    """The sandbox that the options describe."""

    clusters: tuple[str, ...]
    latency: float
    consistency: str
    lag: float
    seed: int


def _described(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a sandbox, as its argument `wanted`."""

    @wraps(function)
    def with_wanted(**given: Any) -> Any:
        wanted = _Wanted(**{item.name: given.pop(item.name) for item in fields(_Wanted)})
        return function(wanted=wanted, **given)

    for option in reversed(_OPTIONS):
        with_wanted = option(with_wanted)
    return with_wanted


INSTALL = "pip install '.[sandbox]'"
"""From a checkout: irsa is not published, so anybody could register its name in a package index."""


def _missing(error: ModuleNotFoundError) -> click.ClickException:
    """A module of the extra is not installed."""
    return click.ClickException(f"{error.name} is missing. In a checkout of irsa: {INSTALL}")


@click.group("sandbox", cls=HelpedGroup, epilog="  irsa sandbox demo")
def command() -> None:
    """Run a simulated AWS and EKS on this machine.

    It has IAM, STS, EKS, S3 and a small Kubernetes API, on 127.0.0.1 only. Everything in it is deleted at
    the end. It needs the extra "sandbox" (see the README).
    """


@command.command("up", epilog="  irsa sandbox up > sandbox.env")
@_described
def up(wanted: _Wanted) -> None:
    """Start the sandbox until Ctrl-C and print its variables."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _started(wanted) as (sandbox, environment):
        for name, value in environment.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        click.echo(f"The sandbox is running ({sandbox.url}). Press Ctrl-C to delete it.", err=True)
        stop.wait()


@command.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="  irsa sandbox run -- sh -c 'irsa associate-oidc -c demo && irsa audit -c demo'",
)
@_described
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def run(wanted: _Wanted, arguments: tuple[str, ...]) -> int:
    """Run a command in a new sandbox."""
    breaking_off()
    with _started(wanted) as (_, environment):
        try:
            ended = subprocess.run(arguments, env={**os.environ, **environment}, check=False)  # noqa: S603 - the user's
        except OSError as error:
            raise click.ClickException(f"{arguments[0]}: {error.strerror}") from error
    return 128 - ended.returncode if ended.returncode < 0 else ended.returncode


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
def _started(wanted: _Wanted) -> Iterator[tuple[Sandbox, dict[str, str]]]:
    try:
        from irsa_cli.sandbox import ClusterSpec, Sandbox

        specs = [_spec(ClusterSpec, text) for text in wanted.clusters] or [ClusterSpec()]
        sandbox = Sandbox(specs, latency=wanted.latency / 1000)
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    with sandbox, tempfile.TemporaryDirectory(prefix="irsa-sandbox-") as state:
        environment = sandbox.env(account=specs[0].account, region=specs[0].region)
        if OTHER_ACCOUNT not in {spec.account for spec in specs}:
            put_other_account(sandbox, specs[0].account)
        if wanted.consistency == "replicas":
            sandbox.replicate(wanted.lag, wanted.seed)
        # The journals are deleted with the sandbox, and must not mix with real ones.
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


OTHER_ACCOUNT = "222222222222"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def _admitting(principal: dict[str, str]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def put_other_account(sandbox: Sandbox, first: str) -> None:
    """Create `deployer`, an administrator that the first account can assume, and `data`, for EC2."""
    deployer = _admitting({"AWS": f"arn:aws:iam::{first}:root"})
    roles = (
        RoleSpec("deployer", deployer, policies=(ADMINISTRATOR,)),
        RoleSpec("data", _admitting({"Service": "ec2.amazonaws.com"})),
    )
    sandbox.put_roles(roles, account=OTHER_ACCOUNT)
