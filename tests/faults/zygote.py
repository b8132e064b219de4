"""A process that has imported all of irsa and forks a run of it on request: saves half a second a run.

It makes no thread and no client before it forks, so that a child is what a fresh process would be,
but for two things: botocore's descriptions of services have been read, and three times are shortened: for
how long irsa repeats a call, for how long IAM is inconsistent, and for how long a rollback looks for a write
that may be executed late. An order of `tests.support.shim`, which is what a shell starts as `irsa`, leaves
these times as they are, unless the environment says otherwise (`HURRIED`).
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from irsa_cli.transaction import steps
from tests.faults import clock
from tests.faults.mutants import MUTANTS
from tests.faults.power import lose_what_is_not_synced
from tests.support import botocore_once

RETRY_SECONDS = 1.5
"""What is left of irsa's `RETRY_SECONDS`."""
PROPAGATION_SECONDS = 1.5
"""What is left of irsa's `PROPAGATION_SECONDS`; the sandbox's IAM lags for less."""
MOST_LATE_SECONDS = 3.0
"""What is left of one and a half time-outs of a call; what the sandbox executes late it does sooner."""
PROPAGATION = "FAULTS_PROPAGATION_SECONDS"
"""A variable of the environment: that many seconds are left of it instead."""

SETTLE_SECONDS = 0.5
"""For so long a rollback waits for the sandbox to have executed what was late."""
OVERLAP_SECONDS = 0.2
"""What is left of irsa's `OVERLAP_SECONDS`: the sandbox answers at once."""
OVERLAP = "FAULTS_OVERLAP_SECONDS"
"""A variable of the environment, as `PROPAGATION`."""

HURRIED = "FAULTS_HURRIED"
"""A variable of the environment: what the shim starts has the shorter times, too."""

SETTLE = "FAULTS_SETTLE_URL"
"""A variable of the environment: the sandbox's control URL, by which a rollback has late writes executed."""

RENEWING = "FAULTS_RENEWING_SECONDS"
"""A variable of the environment: locks are renewed that often; a run is too short for it otherwise."""
WARM = (
    "irsa_cli",
    "_strptime",
    "botocore.httpsession",
    "botocore.retries.standard",
    "kubernetes.client",
    "platformdirs.unix",
    "pwd",
    "rich.console",
)


@dataclass
class Process:
    """One run of irsa that the zygote forked."""

    pid: int
    ended: threading.Event = field(default_factory=threading.Event)
    code: int = 0
    """As subprocess has it: negative for a signal."""
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    spoke: threading.Condition = field(default_factory=threading.Condition)
    told_twice: bool = False
    """It was told to stop, and then to stop at once."""

    def wait_for_words(self, words: bytes, seconds: float) -> bool:
        """Wait until standard error has these words or the process has ended; whether it has them."""
        with self.spoke:
            self.spoke.wait_for(lambda: words in self.err or self.ended.is_set(), seconds)
        return words in self.err


class Zygote:
    """The parent's side. One run at a time."""

    def __init__(self, connection: socket.socket | None = None) -> None:
        """Start a zygote, or take the `connection` to one that runs."""
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = connection or self._launch()
        self._reader = self._socket.makefile("rb")

    def _launch(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tests.faults.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        return ours

    def twin(self) -> "Zygote":
        """A fork of this one, for runs at the same time; made while no run of this one is under way."""
        ours, theirs = socket.socketpair()
        self._send({"twin": True}, [theirs.fileno()])
        theirs.close()
        zygote = Zygote(ours)
        zygote._reader.readline()
        return zygote

    def close(self) -> None:
        """End the zygote."""
        self._reader.close()
        self._socket.close()
        if self._process is not None:
            self._process.wait(timeout=30)

    def start(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        *,
        file_limit: int | None = None,
        lossy: bool = False,
        mutant: str = "",
        stdin: str = "",
    ) -> Process:
        """Run irsa; `file_limit` is the size in bytes that no file may grow beyond, `mutant` of `MUTANTS`.

        `lossy`: a kill takes what the journal has not synced with it. `stdin` is all of standard input.
        """
        order = {
            "arguments": list(arguments),
            "env": dict(env),
            "folder": str(folder),
            "limit": file_limit,
            "lossy": lossy,
            "mutant": mutant,
            "stdin": stdin,
        }
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        self._send(order, [out_end, err_end])
        os.close(out_end)
        os.close(err_end)
        process = Process(int(self._reader.readline()))
        pipes = [
            threading.Thread(target=_drain, args=(process, *pipe), daemon=True)
            for pipe in ((out, process.out), (err, process.err))
        ]
        for pipe in pipes:
            pipe.start()
        threading.Thread(target=self._await, args=(process, pipes), daemon=True).start()
        return process

    def _send(self, order: Mapping[str, Any], fds: list[int]) -> None:
        data = json.dumps(order).encode()
        socket.send_fds(self._socket, [struct.pack("!I", len(data)) + data], fds)

    def _await(self, process: Process, pipes: Sequence[threading.Thread]) -> None:
        process.code = int(self._reader.readline() or b"-255")
        for pipe in pipes:
            pipe.join()
        process.ended.set()
        with process.spoke:
            process.spoke.notify_all()


def _drain(process: Process, pipe: int, sink: bytearray) -> None:
    with os.fdopen(pipe, "rb", buffering=0) as stream:
        while chunk := stream.read(65536):
            with process.spoke:
                sink += chunk
                process.spoke.notify_all()


def attend(listener: socket.socket, owner: socket.socket) -> None:
    """Fork a zygote for each connection, until the owner hangs up. Returns in each run."""
    while owner not in select.select([listener, owner], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            owner.close()
            serve(connection)
            return
        connection.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
    os._exit(0)


def serve(connection: socket.socket) -> None:
    """Fork a run for each order that comes in, until the other side hangs up. Returns in each child."""
    while True:
        received = _receive(connection)
        if received is None:
            os._exit(0)
        order, fds = received
        pid = os.fork()
        if pid == 0:
            connection.close()
            if "twin" in order:
                connection = socket.socket(fileno=fds[0])
                connection.sendall(b"ready\n")
                continue
            _become(order, *fds)
            return
        for fd in fds:
            os.close(fd)
        if "twin" in order:
            continue
        connection.sendall(f"{pid}\n".encode())
        if "umask" in order:
            threading.Thread(target=_kill_with_shim, args=(connection, pid), daemon=True).start()
        _, status = os.waitpid(pid, 0)
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        if "umask" in order:
            os._exit(0)


def _kill_with_shim(connection: socket.socket, pid: int) -> None:
    """A shim that is killed takes its run with it, as if they were one process."""
    connection.recv(1)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    head, fds, _, _ = socket.recv_fds(connection, 65536, 3)
    if not head:
        return None
    length = struct.unpack("!I", head[:4])[0]
    data = head[4:]
    while len(data) < length:
        data += connection.recv(65536)
    return json.loads(data), list(fds)


def _become(order: Mapping[str, Any], out: int, err: int, stdin: int | None = None) -> None:
    for source, target in ((out, 1), (err, 2), (stdin, 0)):
        if source is not None:
            os.dup2(source, target)
            os.close(source)
    os.chdir(order["folder"])
    sys.argv = ["irsa", *order["arguments"]]
    if "umask" in order:
        os.umask(order["umask"])
    if "umask" not in order or HURRIED in order["env"]:
        shorten_pauses({**os.environ, **order["env"]}, setattr)
        skip_waits_for_late_writes(order["env"], setattr)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()  # The zone of the parent has been read already.
    open_streams()
    # The client reads this variable when it is imported.
    kube_config = importlib.import_module("kubernetes.config.kube_config")
    vars(kube_config)["KUBE_CONFIG_DEFAULT_LOCATION"] = os.environ.get("KUBECONFIG", "~/.kube/config")
    gc.disable()  # A run is short, and looking at the memory is copying it.
    if "umask" not in order:
        _prepare_faults(order)


def _prepare_faults(order: Mapping[str, Any]) -> None:
    if order["stdin"]:
        with tempfile.TemporaryFile() as text:
            text.write(order["stdin"].encode())
            text.seek(0)
            os.dup2(text.fileno(), 0)
    if order["limit"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
    clock.listen()
    if RENEWING in os.environ:
        _renew_each(float(os.environ[RENEWING]))
    if order["lossy"]:
        lose_what_is_not_synced()
    if order["mutant"]:
        MUTANTS[order["mutant"]]()


def _renew_each(seconds: float) -> None:
    from irsa_cli.usecases.locks.taking import LockRenewal

    def go_on(self: Any) -> None:
        while not self._ended.wait(seconds):
            self.renew(list(self._held()))

    setattr(LockRenewal, "_go_on", go_on)  # noqa: B010 - mypy takes it for a slip


def open_streams() -> None:
    """Streams as an interpreter makes them at its start: of what is behind them, and by PYTHONIOENCODING."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    for name, number, handler in (("stdout", 1, errors or None), ("stderr", 2, "backslashreplace")):
        new = open(  # noqa: SIM115 - as long as the process lives
            number, "w", encoding=encoding or "utf-8", errors=handler, closefd=False
        )
        new.reconfigure(line_buffering=name == "stderr" or new.isatty())
        setattr(sys, name, new)


def _warm() -> None:
    for name in WARM:
        importlib.import_module(name)
    import irsa_cli

    for module in pkgutil.walk_packages(irsa_cli.__path__, "irsa_cli."):
        if ".sandbox" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def shorten_pauses(env: Mapping[str, str], set_in: Callable[[Any, str, object], object]) -> None:
    """Shorten the times for which irsa waits, by what an environment says; `set_in` sets a module's name."""
    from irsa_cli.changes import trust_statement
    from irsa_cli.core.values import limits
    from irsa_cli.transaction import rollback

    seconds = float(env.get(PROPAGATION, PROPAGATION_SECONDS))
    set_in(limits, "PROPAGATION_SECONDS", seconds)
    set_in(limits, "OVERLAP_SECONDS", float(env.get(OVERLAP, OVERLAP_SECONDS)))
    # What IAM does not find yet is tried again: not for a shorter time than IAM may be late.
    set_in(limits, "RETRY_SECONDS", max(RETRY_SECONDS, seconds))
    seconds_late = steps.late_seconds if PROPAGATION in env else late_seconds
    set_in(rollback, "late_seconds", seconds_late)
    set_in(trust_statement, "late_seconds", seconds_late)


class SettledTime:
    """In place of the module `time`: instead of waiting for writes that may be late, has them executed.

    The sandbox lets go of what a fault holds back, and the time that would have passed counts as passed.
    """

    def __init__(self, control_url: str) -> None:
        self._url = urlsplit(control_url)
        self._skipped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        connection = HTTPConnection(self._url.netloc, timeout=30)
        # A call whose fault runs this very command does not end before it.
        asked = json.dumps({"timeout": SETTLE_SECONDS, "hurry": True})
        connection.request("POST", f"{self._url.path}/settle", asked)
        connection.getresponse().read()
        connection.close()
        self._skipped += seconds


def skip_waits_for_late_writes(env: Mapping[str, str], set_in: Callable[[Any, str, object], object]) -> None:
    """Have a rollback's late writes executed instead of waiting for them, if an environment says where."""
    from irsa_cli.transaction import rollback
    from irsa_cli.usecases.recovery import authority

    if env.get(SETTLE):
        settled = SettledTime(env[SETTLE])
        for module in (rollback, authority):
            set_in(module, "time", settled)


def late_seconds() -> float:
    """In place of irsa's function."""
    return min(steps.late_seconds(), MOST_LATE_SECONDS)


_WARM_CALLS = {
    "cloudtrail": "lookup_events",
    "ec2": "describe_instances",
    "eks": "list_clusters",
    "iam": "list_roles",
    "sts": "get_caller_identity",
}


def _warm_botocore() -> None:
    """Make a client of each service and sign a call: what botocore reads and compiles for that, a run finds.

    The calls end before they are sent.
    """
    import botocore.session
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders
    from botocore.exceptions import ClientError

    botocore_once.keep(descriptions=True)
    session = botocore.session.Session()
    session.set_credentials("none", "none")
    session.get_data("endpoints")
    for service, name in _WARM_CALLS.items():
        client = session.create_client(service, "eu-west-1")
        body = b"{}" if "json" in client.meta.service_model.metadata["protocol"] else b"<ErrorResponse/>"
        answer = AWSResponse("", 403, HTTPHeaders(), SimpleNamespace(stream=lambda body=body: [body]))
        client.meta.events.register("before-send", lambda answer=answer, **_: answer)
        with suppress(ClientError):
            getattr(client, name)()


def _run() -> None:
    """irsa's main, and an interpreter's end without the part that only tidies memory up."""
    from irsa_cli.__main__ import main

    try:
        main()
    except SystemExit as ended:
        getattr(threading, "_shutdown")()  # noqa: B009 - private; waits for threads as the end does
        getattr(atexit, "_run_exitfuncs")()  # noqa: B009 - private
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)


if __name__ == "__main__":
    _warm()
    _warm_botocore()
    gc.freeze()  # What is never looked at by the collector is never copied.
    given = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
    attend(*given) if len(given) == 2 else serve(*given)
    _run()
