"""Progress on standard error: a line for each change, with a spinner on a terminal, plain lines in CI."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.terminal.screen import columns, fitted, is_live, mark, plain, put, ready, wrapped
from irsa_cli.core.values.errors import BrokenOff, IrsaError
from irsa_cli.core.values.patience import Doing, heard_by
from irsa_cli.core.values.shown import redacted, visible, without_secrets

if TYPE_CHECKING:
    from irsa_cli.cli.terminal.spinner import Spinner
    from irsa_cli.usecases.command.events import Event, WireCall

EVERY = 10.0
"""Seconds between two progress lines of long work without a spinner."""
KIND_WIDTH = 16
LONGEST_CODE = 100
NAME_WIDTH = 52
_DOING = {"create": "Creating", "update": "Updating", "delete": "Deleting"}
READING = "Reading IAM and the cluster"
"""The phase of a command until it says more."""
READING_SECONDS = 600.0
"""The time limit of a command that has no `--timeout`."""


class Progress:
    """Show a transaction line by line. Safe to use from several threads."""

    def __init__(self, *, quiet: bool, verbose: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._lock = threading.Lock()
        self._status: Spinner | None = None
        self.seconds = READING_SECONDS
        """The time limit of the whole command."""
        self.live = is_live(sys.stderr) and not quiet
        self._phase = READING
        self._unprinted: list[str] = []
        self._clock = clock
        self._count = ""
        self._last = clock()

    def __enter__(self) -> Progress:
        if self.live:
            from irsa_cli.cli.terminal.spinner import Spinner

            self._status = Spinner(READING)
            self._status.start()
        self._last = self._clock()
        heard_by(self.doing)
        return self

    def __exit__(self, *_: object) -> None:
        heard_by(None)
        if self._status is not None:
            self._status.stop()

    def doing(self, stage: Doing) -> None:
        """Show how far long work is: next to the spinner, else in a line every ten seconds at most."""
        if stage.total:
            self._count = str(stage) if stage.done < stage.total else ""
            text = self._count
        else:
            text = ", ".join(filter(None, (self._count, str(stage))))
        if self._status is not None:
            self._status.update(visible(text) or self._phase)
            return
        with self._lock:
            now = self._clock()
            is_due = now - self._last >= EVERY
            if is_due:
                self._last = now
        if is_due and text and not self._quiet:
            self._say(visible(f"  {mark('waiting')} {text}"))

    def note(self, text: str) -> None:
        """Print a note about the run; with `-q` only before a question."""
        if self._quiet:
            self._unprinted.append(visible(text))
        self.ended(visible(text))

    def ended(self, line: str) -> None:
        """Print how one of many has ended; the line may have colours."""
        if not self._quiet:
            self._say(line)

    def wire(self, call: WireCall) -> None:
        """Show a wire call (`-v`), without secrets."""
        if self._verbose:
            outcome = call.status or "no answer"
            code = f" {redacted(call.code)[:LONGEST_CODE]}" if call.code else ""
            took = f"{call.seconds * 1000:6.0f} ms"
            where = f" ({call.account})" if call.account else ""
            self._say(visible(f"    {took}  {call.service} {call.operation}{where}  {outcome}{code}"))

    def trace(self) -> None:
        """Show the traceback of a bug (`-v`)."""
        import traceback

        for line in without_secrets(traceback.format_exc()).splitlines():
            self._say(visible(line))

    def listen(self, event: Event) -> None:
        if self._quiet:
            return
        from irsa_cli.core.plan.traits import Proof
        from irsa_cli.usecases.command.events import Step

        if event.step is Step.STARTED and event.change is not None:
            self._spin(f"{_DOING[event.change.action]} {event.change.kind.value}")
        elif event.step is Step.GATE:
            self._spin("Verifying the role with STS")
        elif event.step is Step.WAITING:
            self.doing(Doing(f"waiting {event.text}"))
        elif event.step is Step.GATE_PASSED:
            self._say(_row(mark("ok"), "Verified", "STS accepts the token", f"{event.seconds:.1f} s"))
        elif event.step is Step.ROLLBACK:
            self._spin("Rolling back")
            self._say("Rolling back")
        elif event.change is not None and (
            self._verbose or event.error is not None or event.change.kind.traits.proof is not Proof.IS_MARK
        ):
            self._say(self._line(event))

    def _line(self, event: Event) -> str:
        """One change and how it ended; why it failed is said once, at the end."""
        from irsa_cli.usecases.command.events import Step

        assert event.change is not None
        kind = event.change.kind.short
        name = event.change.description
        seconds = f"{event.seconds:.1f} s"
        if event.step is Step.UNDONE and event.change.after is None:
            restored = f"{event.change.kind.traits.given_back}  {seconds}"
            return _row(mark("create"), kind, name, restored if event.changed else "already there")
        if event.step is Step.UNDONE:
            return _row(
                mark("delete"), kind, name, f"rolled back  {seconds}" if event.changed else "not there"
            )
        if event.step is Step.DONE and not event.changed:
            return _row(mark("ok"), kind, name, "already there")
        sign = mark(event.change.action) if event.step is Step.DONE else mark("failed")
        if event.error is None:
            return _row(sign, kind, name, seconds)
        code = event.error.code if isinstance(event.error, IrsaError) else type(event.error).__name__
        return _row(sign, kind, name, f"failed: {code}")

    def ask(self, lines: Sequence[str], question: str) -> bool:
        """Show lines and ask; the end of the input means no, Ctrl-C ends the command."""
        if self._status is not None:
            self._status.stop()
        try:
            room = columns(sys.stderr)
            *begin, end = wrapped(plain(question, sys.stderr), room and room - len(" [y/N]: y"))
            for line in (*self._unprinted, *lines, *begin):
                put(line, err=True)
            return _answer(end)
        finally:
            if self._status is not None:
                self._status.start()

    def _spin(self, phase: str) -> None:
        self._phase = phase
        if self._status is not None:
            self._status.update(phase)

    def _say(self, text: str) -> None:
        with self._lock:
            if self._status is not None:
                self._status.print(ready(text, sys.stderr))
            else:
                put(text, err=True)


def _answer(question: str) -> bool:
    """Ask; the end of the input means no. Ctrl-C raises `BrokenOff`, also if the run handles signals."""
    pressed = threading.Event()

    def interrupt(_number: int, _frame: object) -> None:
        pressed.set()
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, interrupt) if is_main else None
    try:
        answer = click.confirm(question, err=True)
    except click.Abort:
        answer = False
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
    if pressed.is_set():
        raise BrokenOff("not confirmed", reason="interrupted by Ctrl-C", code="Interrupted")
    return answer


def _row(sign: str, kind: str, name: str, tail: str) -> str:
    head = f"  {sign} {kind:<{KIND_WIDTH}}"
    return fitted(head, visible(name), visible(tail), sys.stderr, width=NAME_WIDTH)
