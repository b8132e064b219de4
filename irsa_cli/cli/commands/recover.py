"""`irsa recover`: its options.

The work is in `irsa_cli.usecases.recovery.by_journal` (the journals of this machine),
`irsa_cli.usecases.recovery.by_cluster` (the state of a cluster and its account) and
`irsa_cli.usecases.locks.unlock` (locks).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from irsa_cli.cli.help.environment import NOT_OF_LOCKS, form_of, is_flag, name_variables, state_dir
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.contradictions import Excludes, Rule, Wrong, check
from irsa_cli.cli.options.fields import argument, bound, group, once, switch
from irsa_cli.cli.options.kinds import DURATION, DURATION_OR_ZERO, TEXT
from irsa_cli.cli.options.outputs import ReportedOutputFlags, no_headers_flag
from irsa_cli.cli.options.reach import Destination, ReachFlags
from irsa_cli.cli.options.running import (
    FIVE_MINUTES,
    LockFlags,
    dry_run_flag,
    rollback_timeout_flag,
    state_dir_flag,
)
from irsa_cli.cli.output import plan_text as confirming
from irsa_cli.cli.output.report import REPORTS, Message
from irsa_cli.cli.output.result import of_result
from irsa_cli.cli.output.results.locks import lock_lines, of_locks
from irsa_cli.cli.output.results.recovered import intended_lines, of_found, of_journals, of_recoveries
from irsa_cli.cli.output.speaking import FILES, Speaking, deliver
from irsa_cli.cli.session import outcome_of
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.core.recovery.leftovers import Found, Recoveries
from irsa_cli.core.results.locks import SeenLock, Unlocked
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.names import MINIMUM_AGE
from irsa_cli.core.values.shown import visible
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.recovery.history import unfinished_of

_ID = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class RecoverOptions:
    """The transactions or locks, the way they are found, and what becomes of them."""

    transaction: str | None = argument(kind=TEXT, metavar="[TRANSACTION | HOLDER]")
    everything: bool = switch("--all", help="Recover all unfinished transactions.")
    dry_run: bool = dry_run_flag()
    yes: bool = switch("--yes", "-y", help="Skip the confirmation prompt.")
    forward: bool = switch("--forward", help="Continue to the desired state instead of rolling back.")
    unlock: bool = switch("--unlock", help="List locks, or remove those of HOLDER, a dead run.")
    min_age: float | None = once(
        "--min-age",
        kind=DURATION_OR_ZERO,
        help="With --cluster: skip younger runs, which may still be active. [default: 10m]",
    )
    reach: ReachFlags = group(ReachFlags)
    timeout: float = once(
        "--timeout",
        kind=DURATION,
        default=FIVE_MINUTES,
        help="With --forward: stop a transaction after this time. [default: 5m]",
    )
    rollback_timeout: float = rollback_timeout_flag("Longest time for one rollback. [default: 60s]")
    lock: LockFlags = group(LockFlags)
    no_headers: bool = no_headers_flag()
    state_dir: str | None = state_dir_flag()
    output: ReportedOutputFlags = group(ReportedOutputFlags)

    @property
    def is_chosen(self) -> bool:
        """Whether transactions are recovered, not listed."""
        return bool(self.transaction or self.everything)

    @property
    def by_cluster(self) -> bool:
        """Whether transactions are found in a cluster, not in the journals of this machine."""
        cluster = self.reach.cluster
        return bool(cluster.where.cluster or cluster.external.issuer_url)


CONTRADICTIONS: tuple[Rule[RecoverOptions], ...] = (
    Excludes("unlock", NOT_OF_LOCKS),
    Wrong(
        lambda options: options.unlock and is_flag("timeout"),
        "--unlock and --timeout contradict each other",
    ),
    Wrong(
        lambda options: options.unlock and is_flag("rollback_timeout"),
        "--unlock and --rollback-timeout contradict each other",
    ),
    Wrong(
        lambda options: options.unlock and options.output.output in REPORTS and is_flag("output"),
        "--unlock has no report: use -o json",
    ),
    Wrong(
        lambda options: options.transaction and options.everything,
        "TRANSACTION and --all contradict each other",
    ),
    Wrong(
        lambda options: options.by_cluster and options.forward,
        "--forward needs the journal of the run; without it, repeat the create-sa command",
    ),
)
LIMITS: tuple[Rule[RecoverOptions], ...] = (
    Wrong(
        lambda options: options.unlock and options.dry_run and not options.transaction,
        "--dry-run needs a HOLDER",
    ),
    Wrong(
        lambda options: options.min_age is not None and not options.by_cluster,
        "--min-age needs --cluster",
    ),
    Wrong(
        lambda options: options.forward and not options.is_chosen,
        "--forward needs a TRANSACTION, or --all",
    ),
    Wrong(
        lambda options: options.dry_run and not options.is_chosen,
        "--dry-run needs a TRANSACTION, or --all",
    ),
)


class RecoverCommand(HelpedCommand):
    """The command: with --unlock, it has the variables of a cluster; else a cluster changes what it does."""

    def known_as(self, args: Sequence[str]) -> str:
        """The name by which the environment and the project know the command on this line."""
        return "recover --unlock" if "--unlock" in args else "recover"

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the line, with the variables that the command has on it."""
        name_variables(self.known_as(args), self)
        return super().make_context(info_name, args, parent, **extra)


@click.command("recover", cls=RecoverCommand)
@bound(RecoverOptions)
def command(options: RecoverOptions) -> int:
    """Roll back or continue an interrupted transaction.

    Without TRANSACTION and --all, it lists unfinished transactions. irsa finds them in the journals of this
    machine, or with --cluster in the cluster and its account, also those of other machines. Other cluster
    options replace those of the run.

    With --unlock, irsa lists the locks with their holder, command, start and end. HOLDER is a holder from
    that list, or its part before the underscore. irsa first checks that the holder is dead: it refuses
    (exit code 4) if the holder renews one of its locks. The changes of that run stay until you recover them.

    Examples:
      irsa recover                                # lists unfinished transactions
      irsa recover 20260601T120000000Z-0a1b2c3d   # rolls one back
      irsa recover --cluster prod --all           # also from other machines
      irsa recover 20260601T120000000Z-0a1b2c3d --forward
      irsa recover --unlock -c prod               # lists the locks and their holders
      irsa recover --unlock 20260601T120000000Z-0a1b2c3d_ci@runner-7 -c prod
    """
    return run_recover(options)


def run_recover(options: RecoverOptions) -> int:
    """Recover or list transactions, or remove or list locks; returns the exit code."""
    speaking = options.output.speaking()
    _check(options)
    if options.unlock:
        return _unlock(options, speaking)
    if not options.is_chosen:
        speaking = replace(speaking, output=form_of(speaking.output, "json", "yaml", "name"))
        if speaking.output in REPORTS or (speaking.files.is_asked_for and any(map(is_flag, FILES))):
            raise click.UsageError("reports need a TRANSACTION, or --all")
    progress = speaking.progress
    progress.seconds = options.timeout + options.rollback_timeout
    settings = Settings(
        state_dir=state_dir(options.state_dir),
        timeout=options.timeout,
        rollback_timeout=options.rollback_timeout,
        dry_run=options.dry_run,
        listen=progress.listen,
        note=progress.note,
        lock=options.lock.lock_options(),
    )
    if options.by_cluster:
        return _by_cluster(options, settings, speaking)
    if options.is_chosen:
        return _by_journal(options, settings, speaking)
    return _list(settings, speaking, headers=not options.no_headers)


def _check(options: RecoverOptions) -> None:
    check(options, CONTRADICTIONS)
    transaction = options.transaction
    if options.by_cluster and transaction and not options.unlock and not _ID.fullmatch(transaction):
        raise click.UsageError(f"'{transaction}' is not a transaction: irsa recover lists them")
    check(options, LIMITS)


def _list(settings: Settings, speaking: Speaking, *, headers: bool) -> int:
    journals = unfinished_of(settings.state_dir)
    report = of_journals(journals, none="No unfinished transactions on this machine.", headers=headers)
    if journals.stories and not speaking.quiet:
        last = journals.stories[-1].transaction
        step = f"  irsa recover {last}  # rolls it back; --forward continues it"
        report = replace(report, parts=[*report.parts, Message("Next:"), Message(visible(step))])
    return deliver(report, speaking)


def _by_journal(options: RecoverOptions, settings: Settings, speaking: Speaking) -> int:
    from irsa_cli.usecases.recovery.by_journal import Request, recover, recover_all

    request = Request(
        options.reach.overriding,
        forward=options.forward,
        approve=_approval(options, speaking.progress),
        confirmed=options.yes or confirming.can_ask(),
    )

    def recover_journals() -> Result | Recoveries:
        if options.transaction:
            return recover(options.transaction, request, settings, speaking.progress.wire)
        return recover_all(request, settings, speaking.progress.wire)

    return _finish(recover_journals, speaking)


def _by_cluster(options: RecoverOptions, settings: Settings, speaking: Speaking) -> int:
    from irsa_cli.usecases.recovery.by_cluster import Request, find_leftovers, take_back, take_back_all

    age = MINIMUM_AGE if options.min_age is None else options.min_age
    approve = _approval(options, speaking.progress)
    request = Request(options.reach.joined().target(), age, approve)

    def recover_leftovers() -> Result | Recoveries | Found:
        if options.everything:
            return take_back_all(request, settings, speaking.progress.wire)
        if options.transaction:
            return take_back(options.transaction, request, settings, speaking.progress.wire)
        return find_leftovers(request, settings, speaking.progress.wire)

    return _finish(recover_leftovers, speaking)


def _unlock(options: RecoverOptions, speaking: Speaking) -> int:
    from irsa_cli.usecases.locks.unlock import Request, find_locks, unlock

    speaking = replace(speaking, output=form_of(speaking.output, "json", "yaml", "name"))
    progress = speaking.progress
    destination = Destination(options.reach.cluster, kube=options.reach.kube)
    destination.check_reachable()
    holder = options.transaction
    asks = not options.yes and confirming.can_ask()

    def approve(locks: Sequence[SeenLock]) -> bool:
        return not asks or progress.ask([*map(visible, lock_lines(locks))], "Remove these locks?")

    request = Request(
        destination.target(state=options.state_dir),
        options.lock.lock_options().namespace,
        state_dir(options.state_dir),
        approve,
        options.dry_run,
        progress.note,
    )

    def list_or_remove() -> Unlocked:
        if holder:
            return unlock(holder, request, progress.wire)
        return find_locks(request, progress.wire)

    report = of_locks(outcome_of(list_or_remove, speaking), speaking)
    return deliver(report, speaking, only_shows=options.dry_run or not holder)


def _approval(options: RecoverOptions, progress: Progress) -> Callable[[Sequence[Result]], bool]:
    """A function that shows the plan, and asks for confirmation on a terminal."""
    asks = confirming.can_ask() and not options.yes

    def approve(planned: Sequence[Result]) -> bool:
        if asks:
            return progress.ask([*intended_lines(planned, whole=True)], "Do this?")
        for line in intended_lines(planned, whole=False):
            progress.ended(line)
        return True

    return approve


def _finish(recovering: Callable[[], Result | Recoveries | Found], speaking: Speaking) -> int:
    outcome = outcome_of(recovering, speaking)
    if isinstance(outcome, Found):
        return deliver(of_found(outcome), speaking)
    if isinstance(outcome, Recoveries):
        return deliver(of_recoveries(outcome, speaking), speaking, only_shows=False)
    report = of_result(outcome, quiet=speaking.quiet, verbose=speaking.verbose)
    return deliver(report, speaking, only_shows=outcome.ended is Ended.PLANNED)
