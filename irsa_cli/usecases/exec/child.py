"""Run a command in place of this process: forward signals, and end with it.

The command stays in this process's group, so that a terminal's keys and `kill` reach both. An interactive
shell (one without arguments or with `-i`) shows the identity in its prompt.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import PurePath

from irsa_cli.core.values.errors import IrsaError

_PASSED_ON = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH")
# Python ignores these at its start, and a command that inherits that would not end when its reader is gone.
_RESTORED = [signal.SIGPIPE, signal.SIGXFSZ]
_KERNEL = 0x80
"""Linux's si_code for a signal that no process sent: a key of the terminal, a hang-up, a resize."""
_KEYBOARD = (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH)


class NotStarted(IrsaError):
    """The command could not be started; `status` is the exit code that shells give for it.

    https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02
    """

    def __init__(self, command: str, error: OSError) -> None:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        reason = "command not found" if missing and "/" not in command else (error.strerror or str(error))
        super().__init__(command, reason=reason)
        self.status = 127 if missing else 126


_LOOK_SECONDS = 1.0
"""How long the end of the command may go unnoticed, if its signal was lost."""


@dataclass(frozen=True)
class Held:
    """Signals that wait until they are asked for, and the mask that was in force before."""

    signals: frozenset[int]
    before: frozenset[int]


@contextmanager
def holding_signals() -> Iterator[Held]:
    """Hold all signals until the work is cleaned up.

    Enter it in the main thread, before other threads start and before anything is created. Ignored signals
    (nohup, `&` in a script) stay ignored, also for the command.
    """
    passed_on = [getattr(signal, name) for name in _PASSED_ON]
    heard = frozenset(int(n) for n in passed_on if signal.getsignal(n) is not signal.SIG_IGN)
    heard |= {signal.SIGCHLD}
    # A parent may have left SIGCHLD ignored; then nobody would hear of the command's end.
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = frozenset(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, heard))
    try:
        yield Held(heard, before)
    finally:
        # Ignore late signals: this process is about to end.
        while pending := signal.sigpending() & heard:
            signal.sigwait(pending)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(
    command: Sequence[str], environment: Mapping[str, str], held: Held, warn: Callable[[str], None]
) -> int:
    """Run a command to its end; returns its exit code, 128 + N if signal N ended it.

    `warn` receives signals that irsa cannot forward. Raises `NotStarted`.
    """
    if not command[0]:
        raise NotStarted("''", FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    try:
        child = os.posix_spawnp(
            command[0], list(command), environment, setsigmask=held.before, setsigdef=_RESTORED
        )
    except OSError as error:
        raise NotStarted(command[0], error) from error
    while True:
        number, from_terminal = _next_signal(held.signals)
        if number == signal.SIGCHLD:
            changed, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
            if changed and not os.WIFSTOPPED(status):
                code = os.waitstatus_to_exitcode(status)
                return 128 - code if code < 0 else code
            if changed:
                _stop_with(child)
        elif not (from_terminal and _has_heard(child, number)):
            try:
                os.kill(child, number)
            except PermissionError as error:  # A command that has become another user (sudo).
                name = signal.Signals(number).name
                warn(f"irsa cannot forward {name}; the command continues: {error.strerror}")


def _next_signal(signals: frozenset[int]) -> tuple[int, bool]:
    """Wait for a signal; also whether the terminal's keys, size or end sent it, to the whole group."""
    if hasattr(signal, "sigtimedwait"):
        info = signal.sigtimedwait(signals, _LOOK_SECONDS)
        # Another thread of the process may have taken SIGCHLD.
        return (signal.SIGCHLD, True) if info is None else (info.si_signo, info.si_code == _KERNEL)
    # Without the sender (macOS): what a terminal can send while we are in front, it has sent.
    number = int(signal.sigwait(signals))
    return number, number in _KEYBOARD and _in_front()


def _has_heard(child: int, number: int) -> bool:
    """Whether a signal of the terminal reached the command, which is in our group.

    A hang-up goes only to the session's leader; if that is us, we forward it.
    """
    if number == signal.SIGHUP and os.getsid(0) == os.getpid():
        return False
    return os.getpgid(child) == os.getpgrp()


def _in_front() -> bool:
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False


def _stop_with(child: int) -> None:
    """Stop together with a shell that stopped itself (`suspend`), so that our parent gets its terminal back.

    Only a shell in front needs that; what stops in our group was stopped by a key that also stopped us.
    """
    group = os.getpgid(child)
    if group == os.getpgrp():
        return
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            os.kill(os.getpid(), signal.SIGSTOP)
            if os.tcgetpgrp(terminal) == os.getpgrp():  # Continued in front, so the shell is too.
                os.tcsetpgrp(terminal, group)
        finally:
            os.close(terminal)
        with suppress(PermissionError):
            os.killpg(group, signal.SIGCONT)


@dataclass(frozen=True)
class Start:
    """How a shell is started: its command, variables to add, and files (name, text) to put into a folder."""

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def labelled(command: Sequence[str], caller: Mapping[str, str], folder: str, label: str) -> Start | None:
    """How to start this shell with a label in its prompt, None for a command that is no interactive shell.

    `folder` will hold the files; `caller` is the environment with the user's own locations.
    """
    shell = PurePath(command[0]).name.lstrip("-")
    if list(command[1:]) not in ([], ["-i"]):
        return None
    text = shlex.quote(f"[{label}] ")
    if shell == "bash":
        started = (command[0], "--rcfile", f"{folder}/bashrc", *command[1:])
        return Start(started, files={"bashrc": _prompt("bash", text, "", caller)})
    if shell == "zsh":
        rc = _prompt("zsh", text, "ZDOTDIR", caller)
        return Start(tuple(command), {"ZDOTDIR": f"{folder}/zsh"}, {"zsh/.zshenv": rc})
    if shell in ("sh", "dash", "ash", "ksh"):
        rc = _prompt("sh", text, "ENV", caller)
        return Start(tuple(command), {"ENV": f"{folder}/shrc"}, {"shrc": rc})
    return None


def _prompt(shell: str, label: str, taken: str, caller: Mapping[str, str]) -> str:
    """The file for a shell's prompt; the user may have set the variable `taken` that leads to it."""
    restore = f"export {taken}={shlex.quote(caller[taken])}" if taken in caller else f"unset {taken}"
    text = (files(__package__) / f"prompt.{shell}").read_text(encoding="utf-8")
    return text.replace("@LABEL@", label).replace("@RESTORE@", restore)
