"""`irsa sandbox`: AWS and EKS on this machine; the sandbox itself is in `irsa_cli.sandbox`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from irsa_cli.cli.help.helping import HelpedGroup
from irsa_cli.cli.options.fields import Flag, arguments, bound, flagged, group, many
from irsa_cli.cli.options.kinds import TEXT
from irsa_cli.cli.session import breaking_off
from irsa_cli.cli.terminal.screen import is_terminal
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.sandbox import worlds

if TYPE_CHECKING:
    from irsa_cli.sandbox import ClusterSpec, Sandbox

T = TypeVar("T")


def _last(
    flag: str, *, kind: click.ParamType[T], default: T, metavar: str | None = None, help_text: str
) -> T:
    """An option of which the last value counts."""

    def declare(name: str) -> Any:
        return click.option(name, flag, type=kind, default=default, metavar=metavar, help=help_text)

    return flagged(Flag((flag,), declare), default)


@dataclass(frozen=True, kw_only=True)
class SandboxFlags:
    """The state that a sandbox starts in, and how its IAM behaves."""

    clusters: tuple[str, ...] = many(
        "--cluster",
        kind=TEXT,
        metavar="NAME[:REGION[:ACCOUNT]]",
        help="Create this cluster (repeat). [default: demo:eu-west-1:111122223333]",
    )
    region: str | None = _last(
        "--region",
        kind=TEXT,
        default=None,
        metavar="REGION",
        help_text="Region of the clusters without one.",
    )
    latency: float = _last(
        "--latency",
        kind=click.FloatRange(0, 10000),
        default=0,
        metavar="MS",
        help_text="Delay each call by this many milliseconds.",
    )
    consistency: str = _last(
        "--consistency",
        kind=click.Choice(("strong", "replicas")),
        default="strong",
        help_text="Let IAM return the newest state, or a state up to --lag old.",
    )
    lag: float = _last(
        "--lag",
        kind=click.FloatRange(0, 60),
        default=3,
        metavar="SECONDS",
        help_text="With --consistency replicas: longest delay of a read. [default: 3]",
    )
    seed: int = _last(
        "--seed",
        kind=click.INT,
        default=0,
        metavar="N",
        help_text="Seed for the choice of delayed reads.",
    )
    world: str | None = _last(
        "--world",
        kind=click.Choice(worlds.names()),
        default=None,
        metavar="PAGE",
        help_text="Start in the state of this how-to page, such as see or audit.",
    )


@dataclass(frozen=True, kw_only=True)
class RunInSandboxOptions:
    """The sandbox, and the command that runs in it."""

    sandbox: SandboxFlags = group(SandboxFlags)
    arguments: tuple[str, ...] = arguments(kind=click.UNPROCESSED, metavar="[-- COMMAND...]")


_READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


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
@bound(SandboxFlags)
def up(options: SandboxFlags) -> None:
    """Start the sandbox until Ctrl-C and print its variables."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _started(options) as (sandbox, environment):
        for name, value in environment.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        click.echo(f"The sandbox is running ({sandbox.url}). Press Ctrl-C to delete it.", err=True)
        stop.wait()


@command.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@bound(RunInSandboxOptions)
def run(options: RunInSandboxOptions) -> int:
    """Run a shell or command in a new sandbox.

    Without COMMAND, your shell ($SHELL) starts. The exit code is that of the command.

    Examples:
      irsa sandbox run
      irsa sandbox run --world see -- irsa get-sa -c demo
      irsa sandbox run -- sh -c 'irsa associate-oidc -c demo && irsa audit -c demo'
    """
    arguments = options.arguments
    if arguments and arguments[0].startswith("-"):
        raise click.NoSuchOption(arguments[0])
    breaking_off()
    with _started(options.sandbox) as (_, environment):
        command = arguments or _shell(options.sandbox.clusters or ("demo",), environment)
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

    names = ", ".join(clusters)
    click.echo(f"This shell is in the sandbox, with cluster {names}. Type exit to leave it.", err=True)
    shell = os.environ.get("SHELL") or "/bin/sh"
    folder = Path(environment["IRSA_STATE_DIR"], "shell")
    start: Start | None = None
    if is_terminal(sys.stdin):
        start = labelled((shell,), os.environ, str(folder), "sandbox")
    if start is None:
        start = Start((shell,))
    for name, text in start.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    environment.update(start.variables)
    return start.command


@command.command("demo", epilog="  irsa sandbox demo")
def demo() -> int:
    """Show irsa from the cluster to a rollback."""
    breaking_off()
    try:
        from irsa_cli.sandbox import Sandbox

        started = time.monotonic()
        with Sandbox() as sandbox, tempfile.TemporaryDirectory() as state:
            _Demo(sandbox, {**os.environ, **sandbox.env(), "IRSA_STATE_DIR": state}).run()
        click.echo(f"\nThe demo passed in {time.monotonic() - started:.1f} s.")
    except DemoError as error:
        click.echo(f"\nThe demo failed: {error}", err=True)
        return 1
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return 0


@contextmanager
def _started(flags: SandboxFlags) -> Iterator[tuple[Sandbox, dict[str, str]]]:
    world = flags.world
    if world and (flags.clusters or flags.region):
        raise click.UsageError("--world has its own cluster, demo: leave out --cluster and --region")
    try:
        from irsa_cli.sandbox import ClusterSpec, Sandbox

        names = flags.clusters or (ClusterSpec().name,)
        specs = [_spec(ClusterSpec, text, flags.region) for text in names]
        sandbox = Sandbox(specs, latency=flags.latency / 1000)
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
        if flags.consistency == "replicas":
            sandbox.replicate(flags.lag, flags.seed)
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


class DemoError(Exception):
    """A step of the demo failed."""


class _Demo:
    """The main job from end to end, each step asserted.

    It runs `irsa` as a user would, uses the token as the SDK in a pod would, then breaks a run on purpose and
    compares the state before and after.
    """

    def __init__(self, sandbox: Any, env: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self._env = env

    def run(self) -> None:
        click.echo("A sandbox: AWS and an EKS cluster named demo, on this machine only.\n")
        click.echo("== Create the OIDC provider, and a role for a ServiceAccount")
        self._irsa(0, "associate-oidc", "--cluster", "demo")
        place = ("-n", "backend", "-c", "demo")
        self._irsa(0, "create-sa", "s3-reader", *place, "--attach-policy-arn", _READ_ONLY)
        self._six_steps(self._check_world())
        self._break_one()

    def _check_world(self) -> str:
        world = self._sandbox.world()
        account = world["kubernetes"]["demo"]["serviceaccounts"]["backend/s3-reader"]
        role_arn: str = account["annotations"]["eks.amazonaws.com/role-arn"]
        role = world["roles"][role_arn.rsplit("/", 1)[-1]]
        _expect(role["arn"] == role_arn, "the annotation has the role's ARN")
        _expect(role["attached"] == [_READ_ONLY], "the policy is attached")
        condition = role["trust"]["Statement"][0]["Condition"]["StringEquals"]
        _expect("system:serviceaccount:backend:s3-reader" in condition.values(), "the trust policy is scoped")
        _expect(len(world["oidc_providers"]) == 1, "the issuer is an OIDC provider of IAM")
        return role_arn

    def _six_steps(self, role_arn: str) -> None:
        """Do the steps of a pod of this ServiceAccount, except those of the kubelet."""
        import boto3
        import botocore
        from botocore.config import Config

        from irsa_cli.usecases.command.connect import Target, connect

        click.echo("\n== Use the role as a pod of backend/s3-reader does")
        os.environ.update(self._env)
        self._connection = connect(Target("demo"), kube=True, log=lambda call: None, check=lambda aws: None)
        token = self._token()
        url = self._env["AWS_ENDPOINT_URL"]
        region = self._env["AWS_REGION"]
        unsigned = Config(signature_version=botocore.UNSIGNED)
        sts = boto3.client("sts", region_name=region, endpoint_url=url, config=unsigned)
        sent = "the pod's token and the role's ARN"
        click.echo(f"  (1) the SDK sends {sent} to STS (AssumeRoleWithWebIdentity)")
        answer = sts.assume_role_with_web_identity(
            RoleArn=role_arn, RoleSessionName="pod", WebIdentityToken=token
        )
        subject = answer["SubjectFromWebIdentityToken"]
        provider = answer["Provider"].rsplit("/", 1)[-1]
        click.echo(f"  (2) STS asks IAM for the provider of the issuer: {provider}")
        claims = f"signature, issuer, audience {answer['Audience']} and subject {subject}"
        click.echo(f"  (3) {claims} match the trust policy")
        _expect(subject == "system:serviceaccount:backend:s3-reader", "the subject is the ServiceAccount's")
        credentials = answer["Credentials"]
        click.echo("  (4) IAM allows it")
        click.echo(f"  (5) STS returns credentials that expire at {credentials['Expiration']:%H:%M:%S} UTC")
        s3 = boto3.client(
            "s3",
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        self._use(s3)
        self._wrong_account(sts, role_arn)

    def _use(self, s3: Any) -> None:
        """Check that AWS allows only the actions in the role's policy."""
        names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        click.echo(f"  (6) the pod lists its S3 buckets: {', '.join(names)}")
        _expect(len(names) > 0, "there are buckets")
        _denied(lambda: s3.delete_bucket(Bucket=names[0]), "deleting a bucket")
        click.echo("     and AWS denies s3:DeleteBucket, which the policy does not allow: AccessDenied")

    def _wrong_account(self, sts: Any, role_arn: str) -> None:
        """Check that the token of another ServiceAccount cannot assume the role."""
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "other"}}
        self._connection.kube.create("serviceaccounts", "backend", account)
        request = {"RoleArn": role_arn, "RoleSessionName": "other", "WebIdentityToken": self._token("other")}
        _denied(lambda: sts.assume_role_with_web_identity(**request), "the token of another ServiceAccount")
        click.echo("     and the token of another ServiceAccount cannot assume the role: AccessDenied")

    def _token(self, name: str = "s3-reader") -> str:
        """A token from the cluster's API, as the kubelet requests it."""
        return self._connection.kube.token("backend", name, arn.DEFAULT_AUDIENCE)

    def _break_one(self) -> None:
        from irsa_cli.sandbox import Fault

        click.echo("\n== Let AttachRolePolicy fail: irsa rolls everything back")
        before = self._sandbox.world()
        self._sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
        self._irsa(1, "create-sa", "worker", "-n", "jobs", "-c", "demo", "--attach-policy-arn", _READ_ONLY)
        self._sandbox.faults.clear()
        _expect(
            self._sandbox.world() == before,
            "roles, policies, providers, namespaces and ServiceAccounts are as before",
        )
        click.echo("Roles, policies, providers, namespaces and ServiceAccounts are exactly as before.")

    def _irsa(self, expected: int, *arguments: str) -> None:
        click.echo(f"\n$ irsa {' '.join(arguments)}")
        sys.stdout.flush()
        command = [sys.executable, "-m", "irsa_cli", *arguments]
        ended = subprocess.run(command, env=dict(self._env), check=False)  # noqa: S603 - our own program
        _expect(ended.returncode == expected, f"irsa ended with {ended.returncode}, expected {expected}")


def _denied(call: Callable[[], object], action: str) -> None:
    import botocore.exceptions

    try:
        call()
    except botocore.exceptions.ClientError as error:
        _expect(error.response["Error"]["Code"] == "AccessDenied", f"{action} is denied")
    else:
        raise DemoError(f"{action} was allowed")


def _expect(holds: bool, expectation: str) -> None:
    if not holds:
        raise DemoError(expectation)
