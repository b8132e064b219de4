"""`irsa unlock`: its options and output; the work is in `irsa_cli.usecases.locks.unlock`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import argument, bound, group, switch
from irsa_cli.cli.options.kinds import TEXT
from irsa_cli.cli.options.outputs import OutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags
from irsa_cli.cli.options.running import lock_namespace_flag, lock_namespace_in_force, state_dir_flag
from irsa_cli.cli.output import plan_text as confirming
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.result import failure_lines, of_result
from irsa_cli.cli.output.speaking import deliver
from irsa_cli.cli.session import outcome_of
from irsa_cli.core.results.envelope import DocumentKind, failed
from irsa_cli.core.results.locks import Removal, SeenLock, Unlocked
from irsa_cli.core.results.result import Result
from irsa_cli.core.values.shown import visible


@dataclass(frozen=True, kw_only=True)
class UnlockOptions:
    """The cluster, and whose locks are removed."""

    holder: str | None = argument(kind=TEXT)
    dry_run: bool = switch("--dry-run", help="Show the locks to remove; change nothing.")
    yes: bool = switch("--yes", "-y", help="Skip the confirmation prompt.")
    cluster: ClusterFlags = group(ClusterFlags)
    kube: KubeFlags = group(KubeFlags)
    lock_namespace: str | None = lock_namespace_flag()
    state_dir: str | None = state_dir_flag()
    output: OutputFlags = group(OutputFlags)


@click.command("unlock", cls=HelpedCommand)
@bound(UnlockOptions)
def command(options: UnlockOptions) -> int:
    """List locks, or remove those of a dead run.

    Without HOLDER, irsa lists the locks with their holder, command, start and end. HOLDER is a holder from
    that list, or its part before the underscore. irsa first checks that the holder is dead: it refuses
    (exit code 4) if the holder renews one of its locks. To roll back the changes of that run, use irsa
    recover.

    Examples:
      irsa unlock -c prod   # lists the locks and their holders
      irsa unlock 20260601T120000000Z-0a1b2c3d_ci@runner-7 -c prod
    """
    from irsa_cli.usecases.locks.unlock import Request, find_locks, unlock

    speaking = options.output.speaking()
    holder, dry_run = options.holder, options.dry_run
    if dry_run and not holder:
        raise click.UsageError("--dry-run needs a HOLDER")
    progress = speaking.progress
    destination = Destination(options.cluster, kube=options.kube)
    destination.check_reachable()
    asks = not options.yes and confirming.can_ask()

    def approve(locks: Sequence[SeenLock]) -> bool:
        return not asks or progress.ask([*map(visible, _lines(locks))], "Remove these locks?")

    request = Request(
        destination.target(state=options.state_dir),
        lock_namespace_in_force(options.lock_namespace),
        state_dir(options.state_dir),
        approve,
        dry_run,
        progress.note,
    )

    def work() -> Unlocked:
        return unlock(holder, request, progress.wire) if holder else find_locks(request, progress.wire)

    outcome = outcome_of(work, speaking)
    if isinstance(outcome, Result):
        assert outcome.error is not None
        document = failed(DocumentKind.LOCKS, outcome.error, outcome.exit_code)
        report = replace(of_result(outcome, quiet=speaking.quiet), found=document)
    else:
        messages = _messages(outcome, quiet=speaking.quiet)
        report = Report(outcome, map(visible, (_removed if outcome.holder else _listed)(outcome)), messages)
    return deliver(report, speaking, only_shows=dry_run or not holder)


def _messages(outcome: Unlocked, *, quiet: bool) -> Iterator[str]:
    yield from failure_lines(outcome.error)
    if outcome.holder and outcome.error is None and not (outcome.dry_run or quiet):
        left = "Note: that run may have left changes; to list them: irsa recover --cluster"
        yield visible(f"{left} {outcome.cluster.name}")


def _listed(found: Unlocked) -> Iterator[str]:
    name = found.cluster.name
    if not found.items:
        yield f"No run holds a lock in {name} (namespace {found.namespace})."
        return
    yield from _lines([item for item, _ in found.items])
    yield f"To remove the locks of a dead run: irsa unlock HOLDER --cluster {name}"


def _lines(locks: Sequence[SeenLock]) -> Iterator[str]:
    for holder, items in groupby(locks, key=lambda item: item.holder):
        held = list(items)
        yield f"{holder}  {held[0].doing}  since {held[0].since}"
        for item in held:
            yield f"  {item.locked}  {item.until}"


def _removed(done: Unlocked) -> Iterator[str]:
    words: Mapping[Removal | None, str] = {
        Removal.PLANNED: "would be removed",
        Removal.REMOVED: "removed",
        Removal.GONE: "no longer held by that run",
        Removal.KEPT: "not removed",
        Removal.UNKNOWN: "unknown whether removed",
    }
    for item, state in done.items:
        yield f"{item.locked}  {words[state]}"
    if done.dry_run:
        yield "Nothing was removed (dry run)."
