"""What every command that talks to AWS does around its use case: progress, errors, output, exit code.

How its options are taken is in `irsa_cli.cli.options.taking`, what the command does in `irsa_cli.usecases`,
and how a result looks in `irsa_cli.cli.output.text`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from irsa_cli.cli.output.reports.delivering import deliver
from irsa_cli.cli.output.reports.of_results import report_of
from irsa_cli.cli.output.text import show
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.unshown import showing
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.core.values.patience import begin, over
from irsa_cli.usecases.command.signals import telling_first

if TYPE_CHECKING:
    from irsa_cli.cli.output.speaking import Save, Speaking

T = TypeVar("T")


def breaking_off(stop: Callable[[], None] = lambda: None) -> None:
    """Let SIGTERM, and SIGINT where it is heard at all, end the command with a `KeyboardInterrupt`.

    A second one ends the process at once: raised a second time, it would meet what handles the first.
    """
    heard: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if heard:
            os._exit(128 + heard[0])
        heard.append(number)
        stop()
        raise KeyboardInterrupt(number)

    signal.signal(signal.SIGTERM, handle)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handle)


def finish(
    work: Callable[[], Result],
    speaking: Speaking,
    progress: Progress,
    *,
    detailed: bool = False,
    save: Save = lambda done: None,
) -> int:
    """Do the work, show its result or its error, and return the exit code. `save` hears of the result."""
    result = outcome_of(work, speaking, progress, one=True)
    result.detailed = detailed
    with showing(result.exit_code, only_shows=result.ended is Ended.PLANNED):

        def shown() -> None:
            show(result, speaking.output, quiet=speaking.quiet, verbose=speaking.verbose)
            save(result)

        deliver(result, report_of, speaking, shown)
    return result.exit_code


def outcome_of(
    work: Callable[[], T], speaking: Speaking, progress: Progress, *, one: bool = False
) -> T | Result:
    """Do the work, and return what it returns; an error or a signal that ends it becomes a `Result`.

    `one`: the work is about one transaction. Once that has ended, what fails after it does not undo it.
    """
    from irsa_cli.usecases.command.execute import recording, standing

    # Until a transaction takes over (irsa_cli.usecases.command.execute), nothing is written: to break off
    # is safe.
    breaking_off(begin(progress.seconds, progress.note).stop)
    with telling_first(), progress, recording() as recorded:
        ended = recorded if one else []
        try:
            return work()
        except IrsaError as error:
            how = Ended.REFUSED if isinstance(error, Refused) else Ended.FAILED
            return standing(ended, error) or Result(how, error=error)
        except KeyboardInterrupt as stop:
            if found := standing(ended, stop):
                return found
            number = stop.args[0] if stop.args else int(signal.SIGINT)
            early = IrsaError("interrupted before anything was changed", code="Interrupted")
            return Result(Ended.FAILED, error=early, signal=number)
        except Exception as error:
            if speaking.verbose:
                progress.trace()
            return standing(ended, error) or Result(Ended.FAILED, error=error)
        finally:
            over()
