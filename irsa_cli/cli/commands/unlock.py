"""`irsa unlock`: its options, and how locks are shown.

What it does is in `irsa_cli.usecases.locks.unlock`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.common import (
    cluster_options,
    filled,
    kube_options,
    lock_namespace_option,
    output_options,
    state_dir_option,
)
from irsa_cli.cli.options.taking import take_lock_namespace, take_target
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.terminal.unshown import showing

if TYPE_CHECKING:
    from irsa_cli.cli.terminal.progress import Progress
    from irsa_cli.core.marks.locks.lease import SeenLock
    from irsa_cli.core.results.locks import LockList, Unlocked
    from irsa_cli.core.results.result import Result
    from irsa_cli.usecases.locks.unlock import Request

_EPILOG = """
\b
Examples:
  irsa unlock -c prod                                   # lists who holds what
  irsa unlock 20260601T120000000Z-0a1b2c3d_ci@runner-7 -c prod
"""


@click.command("unlock", cls=HelpedCommand, epilog=_EPILOG)
@click.argument("holder", required=False, callback=filled)
@click.option("--dry-run", is_flag=True, help="Show which locks would be removed, and remove none.")
@click.option("--yes", "-y", is_flag=True, help="Remove them without a question on a terminal.")
@cluster_options
@kube_options
@lock_namespace_option
@state_dir_option
@output_options
def command(**options: Any) -> int:
    """List the locks of a cluster's runs, or remove those of a run that is dead.

    HOLDER is a holder as it is listed, or its part before the underscore: all its locks are removed. Refused
    (exit code 4) while it renews one of them: unless the API server's clock says that they have ended, irsa
    watches them for longer than a holder that lives needs to renew them. What the run has begun stays: irsa
    recover rolls it back. Without HOLDER, the locks are listed: who holds them, since when, until when, and
    for which command.
    """
    from irsa_cli.cli.session import outcome_of
    from irsa_cli.cli.terminal.progress import Progress
    from irsa_cli.core.results.result import Result
    from irsa_cli.usecases.locks.unlock import find_locks, unlock

    speaking = Speaking.take(options)
    holder, dry_run = options["holder"], options["dry_run"]
    if dry_run and not holder:
        raise click.UsageError("--dry-run needs a HOLDER")
    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    request = _request(options, progress)

    def work() -> LockList | Unlocked:
        return unlock(holder, request, progress.wire) if holder else find_locks(request, progress.wire)

    outcome = outcome_of(work, speaking, progress)
    with showing(outcome.exit_code, only_shows=dry_run or not holder):
        if isinstance(outcome, Result):
            _show_failure(outcome, speaking)
        else:
            _show(outcome, speaking)
    return int(outcome.exit_code)


def _request(options: dict[str, Any], progress: Progress) -> Request:
    from irsa_cli.cli.help.state_folder import state_dir
    from irsa_cli.cli.output.confirming import can_ask
    from irsa_cli.usecases.locks.unlock import Request

    if options["issuer_url"] and not (options["kubeconfig"] or options["context"]):
        raise click.UsageError("--issuer-url needs --kubeconfig or --context, to reach the cluster's API")
    return Request(
        take_target(options),
        take_lock_namespace(options),
        state_dir(options["state_dir"]),
        _approval(progress, asks=not options["yes"] and can_ask()),
        options["dry_run"],
        progress.note,
    )


def _approval(progress: Progress, *, asks: bool) -> Callable[[Sequence[SeenLock]], bool]:
    """What asks where there is a person to ask."""

    def approve(locks: Sequence[SeenLock]) -> bool:
        from irsa_cli.core.values.shown import visible

        return not asks or progress.ask([*map(visible, _lines(locks))], "Remove these locks?")

    return approve


def _show_failure(result: Result, speaking: Speaking) -> None:
    from irsa_cli.cli.output.text import show, show_document
    from irsa_cli.core.results.envelope import DocumentKind, failed

    if speaking.output != "text" and result.error is not None:
        show_document(failed(DocumentKind.LOCKS, result.error, result.exit_code), speaking.output)
    show(result, "text", quiet=speaking.quiet)


def _show(outcome: LockList | Unlocked, speaking: Speaking) -> None:
    from irsa_cli.cli.output.text import error_lines, next_lines, show_document
    from irsa_cli.cli.terminal.wording import say
    from irsa_cli.core.results.locks import Unlocked

    if speaking.output != "text":
        show_document(outcome.envelope(), speaking.output)
    else:
        for line in _removed(outcome) if isinstance(outcome, Unlocked) else _listed(outcome):
            say(line)
    if isinstance(outcome, Unlocked) and outcome.error is not None:
        for line in (*error_lines(outcome.error), *next_lines(outcome.error)):
            click.echo(line, err=True)
    elif isinstance(outcome, Unlocked) and not outcome.dry_run and not speaking.quiet:
        name = outcome.cluster.name
        say(f"Note: what that run has begun may be left: irsa recover --cluster {name} lists it", err=True)


def _listed(found: LockList) -> Iterator[str]:
    name = found.cluster.name
    if not found.items:
        yield f"No run holds a lock in {name} (namespace {found.namespace})."
        return
    yield from _lines(found.items)
    yield f"To remove those of a run that you know is dead: irsa unlock HOLDER --cluster {name}"


def _lines(locks: Sequence[SeenLock]) -> Iterator[str]:
    """Each holder, and its locks."""
    for holder, items in groupby(locks, key=lambda item: item.holder):
        held = list(items)
        yield f"{holder}  {held[0].doing}  since {held[0].since}"
        for item in held:
            yield f"  {item.locked}  {item.until}"


def _removed(done: Unlocked) -> Iterator[str]:
    from irsa_cli.core.results.locks import Removal

    words = {
        Removal.PLANNED: "would be removed",
        Removal.REMOVED: "removed",
        Removal.GONE: "not held by it any more",
        Removal.KEPT: "not removed",
        Removal.UNKNOWN: "it is unknown whether it is removed",
    }
    for item, state in done.items:
        yield f"{item.locked}  {words[state]}"
    if done.dry_run:
        yield "Nothing was removed (dry run)."
