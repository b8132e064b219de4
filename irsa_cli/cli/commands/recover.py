"""`irsa recover`: its options.

The work is in `irsa_cli.usecases.recovery.by_journal` (the journals of this machine) and
`irsa_cli.usecases.recovery.by_cluster` (the state of a cluster and its account).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.environment import form_of, is_flag, state_dir
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import DURATION, Duration, filled, once, shared, switch
from irsa_cli.cli.output import plan_text as confirming
from irsa_cli.cli.output.report import REPORTS, Message
from irsa_cli.cli.output.result import of_result
from irsa_cli.cli.output.results.recovered import intended_lines, of_found, of_journals, of_recoveries
from irsa_cli.cli.output.speaking import FILES, Speaking, deliver
from irsa_cli.cli.session import outcome_of
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.core.recovery.leftovers import Found, Recoveries
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.names import MINIMUM_AGE
from irsa_cli.core.values.shown import visible
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.recovery.history import unfinished_of

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Target

_ID = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}", re.ASCII)
_TARGET = (
    *("region", "profile", "assume_role", "kubeconfig", "context"),
    *(*targets.ROLE_TARGET, *targets.TARGET_WAY),
)


@click.command("recover", cls=HelpedCommand)
@click.argument("transaction", required=False, callback=filled)
@switch("--all", "everything", help="Recover all unfinished transactions.")
@switch("--dry-run", help="Show the plan; change nothing.")
@switch("--yes", "-y", help="Skip the confirmation prompt.")
@switch("--forward", help="Continue to the desired state instead of rolling back.")
@once(
    "--min-age",
    type=Duration(zero=True),
    help="With --cluster: skip younger runs, which may still be active. [default: 10m]",
)
@shared("reach")
@once(
    "--timeout",
    type=DURATION,
    default=300.0,
    help="With --forward: stop a transaction after this time. [default: 5m]",
)
@once("--rollback-timeout", type=DURATION, default=60.0, help="Longest time for one rollback. [default: 60s]")
@shared("lock", "no headers", "state dir")
@common.reported_output_options
def command(**options: Any) -> int:
    """Roll back or continue an interrupted transaction.

    Without TRANSACTION and --all, it lists unfinished transactions. irsa finds them in the journals of this
    machine, or with --cluster in the cluster and its account, also those of other machines. Other cluster
    options replace those of the run.

    Examples:
      irsa recover                                # lists unfinished transactions
      irsa recover 20260601T120000000Z-0a1b2c3d   # rolls one back
      irsa recover --cluster prod --all           # also from other machines
      irsa recover 20260601T120000000Z-0a1b2c3d --forward
    """
    speaking = Speaking.take(options)
    _check(options)
    if not (options["transaction"] or options["everything"]):
        speaking = replace(speaking, output=form_of(speaking.output, "json", "yaml", "name"))
        if speaking.output in REPORTS or (speaking.files.is_asked_for and any(map(is_flag, FILES))):
            raise click.UsageError("reports need a TRANSACTION, or --all")
    progress = speaking.progress
    progress.seconds = options["timeout"] + options["rollback_timeout"]
    settings = Settings(
        state_dir=state_dir(options["state_dir"]),
        timeout=options["timeout"],
        rollback_timeout=options["rollback_timeout"],
        dry_run=options["dry_run"],
        listen=progress.listen,
        note=progress.note,
        lock=common.take_lock_options(options),
    )
    if options["cluster"] or options["issuer_url"]:
        return _by_cluster(options, settings, speaking)
    if options["transaction"] or options["everything"]:
        return _by_journal(options, settings, speaking)
    return _list(settings, speaking, headers=not options["no_headers"])


def _check(options: dict[str, Any]) -> None:
    by_cluster = bool(options["cluster"] or options["issuer_url"])
    chosen = bool(options["transaction"] or options["everything"])
    if options["transaction"] and options["everything"]:
        raise click.UsageError("TRANSACTION and --all contradict each other")
    if by_cluster and options["forward"]:
        raise click.UsageError(
            "--forward needs the journal of the run; without it, repeat the create-sa command"
        )
    if by_cluster and options["transaction"] and not _ID.fullmatch(options["transaction"]):
        raise click.UsageError(f"'{options['transaction']}' is not a transaction: irsa recover lists them")
    if options["min_age"] is not None and not by_cluster:
        raise click.UsageError("--min-age needs --cluster")
    for flag in ("forward", "dry_run"):
        if options[flag] and not chosen:
            raise click.UsageError(f"--{flag.replace('_', '-')} needs a TRANSACTION, or --all")


def _list(settings: Settings, speaking: Speaking, *, headers: bool) -> int:
    found = unfinished_of(settings.state_dir)
    report = of_journals(found, none="No unfinished transactions on this machine.", headers=headers)
    if found.stories and not speaking.quiet:
        last = found.stories[-1].transaction
        step = f"  irsa recover {last}  # rolls it back; --forward continues it"
        report = replace(report, parts=[*report.parts, Message("Next:"), Message(visible(step))])
    return deliver(report, speaking)


def _by_journal(options: dict[str, Any], settings: Settings, speaking: Speaking) -> int:
    from irsa_cli.usecases.recovery.by_journal import Request, recover, recover_all

    def override(target: Target) -> Target:
        return replace(target, **{key: options[key] for key in _TARGET if options[key]})

    request = Request(
        override,
        forward=options["forward"],
        approve=_approval(options, speaking.progress),
        confirmed=options["yes"] or confirming.can_ask(),
    )

    def work() -> Result | Recoveries:
        if options["everything"]:
            return recover_all(request, settings, speaking.progress.wire)
        return recover(options["transaction"], request, settings, speaking.progress.wire)

    return _finish(work, speaking)


def _by_cluster(options: dict[str, Any], settings: Settings, speaking: Speaking) -> int:
    from irsa_cli.usecases.recovery.by_cluster import Request, find_leftovers, take_back, take_back_all

    age = MINIMUM_AGE if options["min_age"] is None else options["min_age"]
    approve = _approval(options, speaking.progress)
    request = Request(targets.take_target(options), age, approve)

    def work() -> Result | Recoveries | Found:
        if options["everything"]:
            return take_back_all(request, settings, speaking.progress.wire)
        if options["transaction"]:
            return take_back(options["transaction"], request, settings, speaking.progress.wire)
        return find_leftovers(request, settings, speaking.progress.wire)

    return _finish(work, speaking)


def _approval(options: dict[str, Any], progress: Progress) -> Callable[[Sequence[Result]], bool]:
    """A function that shows the plan, and asks for confirmation on a terminal."""
    asks = confirming.can_ask() and not options["yes"]

    def approve(planned: Sequence[Result]) -> bool:
        if asks:
            return progress.ask([*intended_lines(planned, whole=True)], "Do this?")
        for line in intended_lines(planned, whole=False):
            progress.ended(line)
        return True

    return approve


def _finish(work: Callable[[], Result | Recoveries | Found], speaking: Speaking) -> int:
    outcome = outcome_of(work, speaking)
    if isinstance(outcome, Found):
        return deliver(of_found(outcome), speaking)
    if isinstance(outcome, Recoveries):
        return deliver(of_recoveries(outcome, speaking), speaking, only_shows=False)
    report = of_result(outcome, quiet=speaking.quiet, verbose=speaking.verbose)
    return deliver(report, speaking, only_shows=outcome.ended is Ended.PLANNED)
