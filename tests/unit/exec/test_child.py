"""A command in irsa's place: exit codes, signals exactly once, at a terminal and without one."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terminal import INTERRUPT, QUIT, Terminal

ROOT = Path(__file__).resolve().parents[3]
ENV = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT)}

# What `irsa exec` does with its command, without a cluster.
PARENT = """
import os, signal, sys
from irsa_cli.usecases.exec.child import NotStarted, holding_signals, run
if os.environ.get("NO_SIGNAL_INFO"):
    del signal.sigwaitinfo  # As on macOS.
kill = os.kill
# Two of a kind that come at once count as one: what is sent besides is told here.
os.kill = lambda pid, number: print("sent.", flush=True) or kill(pid, number)
if os.environ.get("FORBIDDEN"):
    def kill(pid, number):  # As for a command that has become another user.
        raise PermissionError(1, "Operation not permitted")
try:
    with holding_signals() as held:
        code = run(sys.argv[1:], os.environ, held, lambda text: print(text, flush=True))
except NotStarted as error:
    print(error, file=sys.stderr)
    code = error.status
print("over", flush=True)
sys.exit(code)
"""
PARENT_COMMAND = [sys.executable, "-c", PARENT]

# Says who its parent is, waits for one signal, and for a second one that must not come.
COUNTING = """
import os, signal, sys
wanted = {int(sys.argv[1])}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print(f"ready {os.getppid()} {os.getpid()}.", flush=True)
signal.sigwait(wanted)
more = signal.sigtimedwait(wanted, 0.3)
print("twice" if more else "once", flush=True)
"""
PASSED_ON = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"]


def counting(number: int) -> list[str]:
    return [*PARENT_COMMAND, sys.executable, "-c", COUNTING, str(int(number))]


def ended(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PARENT_COMMAND, *command],
        env={**ENV, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)]
    + [(f"kill -{name} $$", 128 + number) for name, number in (("TERM", 15), ("KILL", 9), ("SEGV", 11))],
)
def test_the_exit_code_is_the_commands(script: str, code: int) -> None:
    assert ended("sh", "-c", script).returncode == code


def test_a_command_that_is_not_there_or_can_not_run_ends_as_in_a_shell(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    for command, code in [("no-such-command", 127), (str(tmp_path / "gone"), 127), ("", 127)]:
        ran = ended(command)
        assert (ran.returncode, command in ran.stderr) == (code, True)
    for command in (str(plain), str(tmp_path)):
        assert ended(command).returncode == 126


def test_a_command_that_may_not_be_sent_signals_goes_on() -> None:
    script = "echo ready; read line; exit 7"
    with subprocess.Popen(
        [*PARENT_COMMAND, "sh", "-c", script],
        env={**ENV, "FORBIDDEN": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "sent.\n"
        assert process.stdout.readline().startswith("irsa cannot forward SIGTERM")
        process.stdin.write("on\n")
        process.stdin.close()
        assert process.stdout.read() == "over\n"
    assert process.returncode == 7


@pytest.mark.parametrize("name", PASSED_ON)
@pytest.mark.parametrize("info", ["", "none"])
def test_a_signal_reaches_the_command_once(name: str, info: str) -> None:
    number = getattr(signal, name)
    with subprocess.Popen(
        counting(number), env={**ENV, "NO_SIGNAL_INFO": info}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        process.send_signal(number)
        assert process.stdout.read() == "sent.\nonce\nover\n"
    assert process.returncode == 0


@pytest.mark.parametrize("info", ["", "none"])
@pytest.mark.parametrize(("key", "number"), [(INTERRUPT, signal.SIGINT), (QUIT, signal.SIGQUIT)])
def test_a_key_of_the_terminal_reaches_the_command_once(
    key: str, number: int, info: str, tmp_path: Path
) -> None:
    with Terminal(counting(number), {**ENV, "NO_SIGNAL_INFO": info}, tmp_path) as terminal:
        terminal.read("ready")
        terminal.type(key)
        assert terminal.read(r"once|twice|sent\.").group() == "once"
        assert terminal.read(r"over|sent\.").group() == "over"
        assert terminal.end() == 0


def test_a_new_size_of_the_terminal_reaches_the_command_once(tmp_path: Path) -> None:
    with Terminal(counting(signal.SIGWINCH), ENV, tmp_path) as terminal:
        terminal.read("ready")
        terminal.resize(40, 100)
        assert terminal.read(r"once|twice|sent\.").group() == "once"
        assert terminal.read(r"over|sent\.").group() == "over"
        assert terminal.end() == 0


def test_a_signal_of_a_process_reaches_the_command_at_a_terminal_too(tmp_path: Path) -> None:
    with Terminal(counting(signal.SIGINT), ENV, tmp_path) as terminal:
        parent = int(terminal.read(r"ready (\d+) \d+\.").group(1))
        os.kill(parent, signal.SIGINT)
        assert terminal.read("once|twice").group() == "once"
        assert terminal.end() == 0


def test_a_command_that_is_killed_ends_irsa_with_it() -> None:
    with subprocess.Popen(counting(signal.SIGTERM), env=ENV, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.match(r"ready \d+ (\d+)\.", process.stdout.readline())
        assert found is not None
        os.kill(int(found.group(1)), signal.SIGKILL)
        assert process.stdout.readline() == "over\n"
    assert process.returncode == 137


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_the_command_has_the_mask_and_the_ignored_signals_that_irsa_was_started_with() -> None:
    ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    nohup = f"import os, signal, sys; {ignore}; os.execv(sys.argv[1], sys.argv[1:])"
    inner = [*PARENT_COMMAND, "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    ran = subprocess.run(
        [sys.executable, "-c", nohup, *inner], env=ENV, capture_output=True, text=True, check=True, timeout=60
    )
    sets = dict(re.findall(r"^(\w+):\s+(\w+)$", ran.stdout, re.MULTILINE))
    # Not SIGPIPE, which Python ignores: a command with that would not end when its reader is gone. Signals
    # from 32 on are the C library's own.
    bits = {name: int(value, 16) & 0x7FFFFFFF for name, value in sets.items()}
    assert bits == {"SigBlk": 0, "SigIgn": 1 << (signal.SIGHUP - 1)}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_shell_that_suspends_itself_gives_the_terminal_back_and_takes_it_again(tmp_path: Path) -> None:
    inner = ["bash", "--norc", "--noprofile", "-i"]
    env = {**ENV, "PS1": "outer> "}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env, tmp_path) as terminal:
        terminal.read("outer> ")
        script = tmp_path / "parent.py"
        script.write_text(PARENT)
        terminal.type(f"PS1='inner> ' {sys.executable} {script} {' '.join(inner)}\n")
        terminal.read("\ninner> ")
        terminal.type("suspend\n")
        terminal.read("Stopped")
        terminal.read("outer> ")
        terminal.type("echo $((6*7)) again; fg\n")
        terminal.read("42 again")
        terminal.type("echo $((7*7)) inside; exit 9\n")
        terminal.read("49 inside")
        terminal.read("over")
        terminal.read("outer> ")
        terminal.type("echo code $?.; exit 0\n")
        terminal.read(r"code 9\.")
        assert terminal.end() == 0
