"""The run of a command that calls AWS: progress, errors, output and exit code around its use case."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from irsa_cli.cli.output.result import of_result
from irsa_cli.cli.output.speaking import Save, Speaking, deliver
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.screen import Unshown, say
from irsa_cli.core.results.result import DryRun, Ended, Result
from irsa_cli.core.results.scope import Reading
from irsa_cli.core.results.unread import UnreadCall
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused
from irsa_cli.core.values.patience import begin, over, unread
from irsa_cli.usecases.command.settings import telling_first

if TYPE_CHECKING:
    from irsa_cli.cli.options.outputs import ReportedOutputFlags
    from irsa_cli.cli.options.running import RunFlags
    from irsa_cli.usecases.command.connect import WireLog
    from irsa_cli.usecases.command.settings import Settings
    from irsa_cli.usecases.plans.saved_plan import Request

T = TypeVar("T")
R = TypeVar("R")
G = TypeVar("G", bound=Reading)
_FINALIZED = 0.001
"""Seconds until an object is finalized: then a signal that came meanwhile is handled again."""


def breaking_off(stop: Callable[[], None] = lambda: None) -> None:
    """Let SIGTERM, and SIGINT unless it is ignored, end the command with a `KeyboardInterrupt`.

    A second one ends the process at once, because the first one is still being handled.
    """
    heard: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if heard:
            os._exit(128 + heard[0])
        heard.append(number)
        stop()
        raise KeyboardInterrupt(number)

    def handle_again(_number: int, _frame: object) -> None:
        # By now a transaction may have begun, which handles signals in its own way.
        if heard:
            signal.raise_signal(heard.pop())

    def keep(lost: sys.UnraisableHookArgs) -> None:
        if heard and isinstance(lost.exc_value, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, handle_again)
            signal.setitimer(signal.ITIMER_REAL, _FINALIZED)
        else:
            show(lost)

    # Python drops what is raised while it finalizes an object: the signal would be lost, with a traceback.
    show = sys.unraisablehook
    sys.unraisablehook = keep
    signal.signal(signal.SIGTERM, handle)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handle)


class Writing:
    """The run of a command that writes: its output, its settings, and its end."""

    def __init__(self, run: RunFlags, output: ReportedOutputFlags) -> None:
        self.speaking = output.speaking()
        self.settings = run.settings(self.speaking.progress)
        self.detailed = run.detailed_exitcode
        self._out = run.out

    def one(
        self,
        command: str,
        request: R,
        use_case: Callable[[R, Settings, WireLog], Result],
        *,
        shows_marks: bool = False,
    ) -> int:
        """Run a use case with one transaction, show and save the result, and return the exit code.

        `shows_marks`: a plan shows changes of irsa's marks, which is what the command is about.
        """
        speaking = self.speaking
        wire = speaking.progress.wire
        result = outcome_of(lambda: use_case(request, self.settings, wire), speaking, one=True)
        result.detailed = self.detailed
        report = of_result(result, quiet=speaking.quiet, verbose=speaking.verbose or shows_marks)
        only_shows = result.ended is Ended.PLANNED
        return deliver(report, speaking, only_shows=only_shows, save=self.saver(command, request))

    def saver(self, command: str, request: Request) -> Save:
        """A function that saves the plan to the file of `--out`; an incomplete one is reported, not saved."""
        out = self._out

        def save(dry_run: DryRun) -> None:
            if not out:
                return
            from irsa_cli.usecases.plans.saved_plan import check_saved, plan_of, save

            try:
                allow = self.settings.allow_access_change
                plan = plan_of(command, request, dry_run, allow_access_change=allow)
            except IrsaError as error:
                say(f"Note: {error}", err=True)
                return
            # The next step of a pipeline must not use an old file.
            try:
                check_saved(plan)
                save(plan, Path(out))
            except InvalidInput as error:
                raise Unshown(1) from OSError(errno.EINVAL, str(error), str(out))
            except OSError as error:
                why = OSError(error.errno, f"the plan cannot be saved: {error.strerror}", str(out))
                raise Unshown(1) from why
            if not self.speaking.quiet:
                say(f"Plan saved, {plan.digest}. To apply it: irsa apply {shlex.quote(out)}", err=True)

        return save


def run_reading(read: Callable[[Progress], G], speaking: Speaking, failed: Callable[..., G]) -> G:
    """The result of reading; an error or a signal that ends it becomes `failed(error=…, signal=…)`.

    The client's record of refused and failed reads is a part of it, whatever the command made of them.
    """
    outcome, record = outcome_and_unread(lambda: read(speaking.progress), speaking)
    if isinstance(outcome, Result):
        outcome = failed(error=outcome.error, signal=outcome.signal)
    return outcome.with_unread(record)


def outcome_and_unread(
    use_case: Callable[[], T], speaking: Speaking, *, one: bool = False
) -> tuple[T | Result, tuple[UnreadCall, ...]]:
    """As `outcome_of`; also the client's record of reads that were refused or failed."""
    failures: list[IrsaError] = []

    def run() -> T:
        try:
            return use_case()
        finally:
            failures.extend(unread())

    outcome = outcome_of(run, speaking, one=one)
    return outcome, tuple(map(UnreadCall.of, failures))


def outcome_of(use_case: Callable[[], T], speaking: Speaking, *, one: bool = False) -> T | Result:
    """Run a use case, and return what it returns; an error or a signal that ends it becomes a `Result`.

    `one`: it is one transaction. Errors after its end do not change its outcome.
    """
    from irsa_cli.usecases.command.execute import recording, standing

    progress = speaking.progress
    # Before a transaction starts (irsa_cli.usecases.command.execute), nothing is written: it is safe to stop.
    breaking_off(begin(progress.seconds, progress.note).stop)
    with telling_first(), progress, recording() as recorded:
        ended = recorded if one else []
        try:
            return use_case()
        except IrsaError as error:
            how = Ended.REFUSED if isinstance(error, Refused) else Ended.FAILED
            return standing(ended, error) or Result(how, error=error)
        except KeyboardInterrupt as stop:
            number = stop.args[0] if stop.args else int(signal.SIGINT)
            early = IrsaError("interrupted before anything was changed", code="Interrupted")
            return standing(ended, stop) or Result(Ended.FAILED, error=early, signal=number)
        except Exception as error:
            if speaking.verbose:
                progress.trace()
            return standing(ended, error) or Result(Ended.FAILED, error=error)
        finally:
            over()
