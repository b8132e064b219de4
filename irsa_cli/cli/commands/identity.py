"""The shared part of `exec`, `token` and `credentials`: the identity, and errors before any output."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from irsa_cli.cli.options.accounts import NameFlags
from irsa_cli.cli.options.fields import group
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags
from irsa_cli.cli.output.report import DOCUMENTS, Report
from irsa_cli.cli.output.result import messages
from irsa_cli.cli.output.speaking import Speaking, show
from irsa_cli.cli.session import breaking_off
from irsa_cli.cli.terminal.screen import put
from irsa_cli.core.results.envelope import DocumentKind, failed
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import IrsaError, exit_code_of

if TYPE_CHECKING:
    from irsa_cli.usecases.read.identity import NamedServiceAccount

T = TypeVar("T")

ERRORS_ONLY = "Print errors only."
"""The help of -q."""


@dataclass(frozen=True, kw_only=True)
class IdentityFlags:
    """The ServiceAccount whose identity is used, and its cluster."""

    service_account: NameFlags = group(NameFlags)
    cluster: ClusterFlags = group(ClusterFlags)
    kube: KubeFlags = group(KubeFlags)


def account_of(flags: IdentityFlags, speaking: Speaking) -> NamedServiceAccount:
    """Connect to the cluster of the ServiceAccount; raises `IrsaError`."""
    from irsa_cli.usecases.command.connect import connect
    from irsa_cli.usecases.read.identity import NamedServiceAccount

    target = Destination(flags.cluster, kube=flags.kube).target()
    connection = connect(target, kube=True, log=speaking.progress.wire, check=lambda aws: None)
    return NamedServiceAccount(connection, flags.service_account.namespace, flags.service_account.name)


def settled(read: Callable[[], T], speaking: Speaking, kind: str = "") -> T:
    """The outcome of reading; an error is shown, and ends the command with its exit code.

    `kind` is the kind of the document for an error, for a command with JSON and YAML.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        breaking_off()
    number = 0
    failure: Exception
    try:
        return read()
    except click.ClickException:
        raise
    except IrsaError as error:
        failure = error
    except KeyboardInterrupt as stop:
        number = stop.args[0] if stop.args else int(signal.SIGINT)
        failure = IrsaError("interrupted", code="Interrupted")
    except Exception as error:
        if speaking.verbose:
            traceback.print_exc()
        failure = error
    code = int(exit_code_of(failure, number))
    if kind and speaking.output in DOCUMENTS:
        show(Report(failed(DocumentKind(kind), failure, code)), speaking.output)
    if code < 128:  # The user knows about an interruption.
        for line in messages(Result(Ended.FAILED, error=failure)):
            put(line, err=True)
    raise click.exceptions.Exit(code)
